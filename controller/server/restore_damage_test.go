package server

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/config"
	"borne/controller/store"
	"borne/controller/store/bolt"
)

// damaged is a controller that stopped, its backup, and a badge that was erased
// after it; then its store was damaged.
func damaged(t *testing.T, from, to int) (state string, backup []byte, deletions []byte) {
	t.Helper()
	state = fresh(t)
	s, stop := running(t, settings(t, state))
	decide := func(fn func(store.Tx) error) {
		t.Helper()
		if err := s.st.Decide(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	decide(func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.Holder]{Meta: store.Meta{ID: "erased"}, Row: store.Holder{Seen: time.Now().Format("2006-01")}})
	})
	var b, d bytes.Buffer
	if ok, err := FetchBackup(ctx, state, &b); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	decide(func(tx store.Tx) error { return store.Erase(tx, store.KindHolder, "erased", time.Now()) })
	if ok, err := FetchExport(ctx, state, ExportDeletions, &d); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(databaseOf(state))
	if err != nil {
		t.Fatal(err)
	}
	for i := from; i < min(to, len(file)); i++ {
		file[i] = 0xff
	}
	if err := os.WriteFile(databaseOf(state), file, 0o600); err != nil {
		t.Fatal(err)
	}
	return state, b.Bytes(), d.Bytes()
}

// TestRestoreOverADamagedStore: that is what it is for. Since such a store cannot
// tell who was erased, somebody has to: with the log, or by going on without.
func TestRestoreOverADamagedStore(t *testing.T) {
	page := os.Getpagesize()
	for name, span := range map[string][2]int{"both meta pages": {0, 2 * page}, "every data page": {2 * page, 1 << 30}} {
		t.Run(name, func(t *testing.T) {
			state, backup, deletions := damaged(t, span[0], span[1])
			c := Config{Config: config.Config{State: state}}
			_, err := Restore(ctx, c, Restoration{Backup: bytes.NewReader(backup), Replace: true})
			if err == nil || !strings.Contains(err.Error(), "-deletions") || !strings.Contains(err.Error(), "-without-deletions") || strings.Contains(err.Error(), "stop the controller") {
				t.Fatalf("what was erased since is forgotten: %v", err)
			}
			if kept := aside(state); len(kept) > 0 {
				t.Fatalf("it was refused and replaced %v", kept)
			}
			done, err := Restore(ctx, c, Restoration{Backup: bytes.NewReader(backup), Replace: true, Deletions: bytes.NewReader(deletions)})
			if err != nil || done.Erased != 1 || !done.Told {
				t.Fatalf("with the deletions: %+v, %v", done, err)
			}
			// The present store is whole again, and tells by itself.
			c.Now = func() time.Time { return time.Now().Add(time.Minute) } // what is set aside is named by the second
			done, err = Restore(ctx, c, Restoration{Backup: bytes.NewReader(backup), Replace: true})
			if err != nil || done.Erased != 1 || !done.Told {
				t.Fatalf("over the restored one: %+v, %v", done, err)
			}
			running(t, settings(t, state))
		})
	}
}

func TestRestoreOverADamagedStoreWithoutItsDeletions(t *testing.T) {
	state, backup, _ := damaged(t, 0, 2*os.Getpagesize())
	done, err := Restore(ctx, Config{Config: config.Config{State: state}}, Restoration{Backup: bytes.NewReader(backup), Replace: true, WithoutDeletions: true})
	if err != nil || done.Erased != 0 || done.Told {
		t.Fatalf("%+v, %v", done, err)
	}
	for _, name := range done.Aside {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	if all := aside(state); len(all) != 3 || len(done.Aside) != 3 { // the store, its journal, the keys
		t.Errorf("it says that it set %v aside; there are %v", done.Aside, all)
	}
}

// TestRestoreOverAControllerThatServes is refused whatever is said about deletions.
func TestRestoreOverAControllerThatServes(t *testing.T) {
	state := fresh(t)
	running(t, settings(t, state))
	var b bytes.Buffer
	if ok, err := FetchBackup(ctx, state, &b); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	_, err := Restore(ctx, Config{Config: config.Config{State: state}}, Restoration{Backup: &b, Replace: true, WithoutDeletions: true})
	if !errors.Is(err, bolt.ErrInUse) || !strings.Contains(err.Error(), "stop the controller first") {
		t.Errorf("%v", err)
	}
}

// TestARowThatNobodyCanReadIsFoundBeforehand: its bytes are all there.
func TestARowThatNobodyCanReadIsFoundBeforehand(t *testing.T) {
	state := fresh(t)
	_, stop := running(t, settings(t, state))
	var b bytes.Buffer
	if ok, err := FetchBackup(ctx, state, &b); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	changed := rewrite(t, b.Bytes(), func(n string, x []byte) []byte {
		switch n {
		case backupManifest:
			return []byte(`{"format":1}`)
		case backupStore:
			dir := t.TempDir()
			path := filepath.Join(dir, filepath.Base(databaseOf(dir)))
			if err := os.WriteFile(path, x, 0o600); err != nil {
				t.Fatal(err)
			}
			st, err := bolt.Open(bolt.Config{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			err = st.Decide(ctx, func(tx store.Tx) error {
				return tx.Put(store.KindSite, store.Meta{ID: "s1", Site: "s1"}, []byte(`{"name":17}`))
			})
			if err = errors.Join(err, st.Close()); err != nil {
				t.Fatal(err)
			}
			if x, err = os.ReadFile(path); err != nil {
				t.Fatal(err)
			}
		}
		return x
	})
	if err := restoreInto(state, changed, true); err == nil || !strings.Contains(err.Error(), `"s1" of table site`) {
		t.Errorf("a row that is none: %v", err)
	}
}

// TestWhatAKillLeavesIsSwept, and neither a folder of somebody's own, nor that of a
// look at a backup that is going on.
func TestWhatAKillLeavesIsSwept(t *testing.T) {
	state := fresh(t)
	write := func(dir string) string {
		if err := errors.Join(os.MkdirAll(dir, 0o700), os.WriteFile(filepath.Join(dir, backupStore), []byte("x"), 0o600)); err != nil {
			t.Fatal(err)
		}
		return filepath.Base(dir)
	}
	write(filepath.Join(state, "backup-123.tmp"))
	write(filepath.Join(state, "restore-456.tmp"))
	mine := write(filepath.Join(state, "backup-2026"))
	dir, done, err := temporary(state, "restore")
	if err != nil {
		t.Fatal(err)
	}
	going := write(dir)
	found := func() (all []string) {
		t.Helper()
		if r, err := Offline(ctx, settings(t, state), Request{Op: OpAudit}); err != nil || r.Error != "" {
			t.Fatalf("%+v, %v", r, err)
		}
		for _, pattern := range []string{"backup-*", "restore-*"} {
			names, _ := filepath.Glob(filepath.Join(state, pattern))
			for _, n := range names {
				all = append(all, filepath.Base(n))
			}
		}
		return all
	}
	if all := found(); !slices.Equal(all, []string{mine, going}) {
		t.Errorf("there are %v", all)
	}
	done()
	if all := found(); !slices.Equal(all, []string{mine}) {
		t.Errorf("later there are %v", all)
	}
}

// TestWhatWasSetAsideGoesOnItsDay: nobody deletes anything in it until then, and it
// holds all that was due.
func TestWhatWasSetAsideGoesOnItsDay(t *testing.T) {
	state := fresh(t)
	at := time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	mine := filepath.Join(storeDir(state), "borne.db.before-the-move")
	if err := errors.Join(os.WriteFile(mine, nil, 0o600), os.WriteFile(databaseOf(state)+".before-20260301T100000", nil, 0o600),
		os.MkdirAll(keysDir(state)+".before-20260301T100000/x", 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		now        time.Time
		gone, left int
	}{{at.AddDate(0, 0, 30).Add(-time.Second), 0, 3}, {at.AddDate(0, 0, 30), 2, 1}, {at.AddDate(9, 0, 0), 0, 1}} {
		n, err := sweepAside(state, step.now)
		if left := aside(state); err != nil || n != step.gone || len(left) != step.left {
			t.Errorf("%s: %d went, %v left, %v", step.now, n, left, err)
		}
	}
}

// TestDeletionsOfAStoreAreReadAsItLies: what a restore replaces is kept as it was.
func TestDeletionsOfAStoreAreReadAsItLies(t *testing.T) {
	state := fresh(t)
	st, err := bolt.Open(bolt.Config{Dir: storeDir(state)})
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now()
	if err := errors.Join(st.Decide(ctx, func(tx store.Tx) error { return store.Erase(tx, store.KindHolder, "h", at) }), st.Close()); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(databaseOf(state))
	if err != nil {
		t.Fatal(err)
	}
	k, err := presentSince(state)
	if err != nil || !k.told || len(k.erasures) != 1 || k.erasures[0].Row != "h" {
		t.Errorf("%+v, %v", k, err)
	}
	if after, err := os.ReadFile(databaseOf(state)); err != nil || !bytes.Equal(before, after) {
		t.Errorf("reading changed it: %v", err)
	}
}
