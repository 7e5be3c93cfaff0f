package server

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/config"
	"borne/controller/store"
	"borne/controller/store/bolt"
)

// TestRestoreDeletesAgain: what went after the backup was made, by time and on
// request, is not back after a restore, and not in the file's pages either.
func TestRestoreDeletesAgain(t *testing.T) {
	state := fresh(t)
	s, stop := running(t, settings(t, state))
	now := time.Now()
	day := func(n int) time.Time { return now.AddDate(0, 0, n) }
	row := func(at time.Time, id string) store.Item[store.SessionRow] {
		return store.Item[store.SessionRow]{Meta: store.Meta{ID: store.TimeID(at, id)}, Row: store.SessionRow{Session: id, Terminal: "t", Begun: at}}
	}
	holder := func(id string) store.Item[store.Holder] {
		return store.Item[store.Holder]{Meta: store.Meta{ID: id}, Row: store.Holder{Seen: now.Format("2006-01")}}
	}
	decide := func(st store.Store, fn func(store.Tx) error) {
		t.Helper()
		if err := st.Decide(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	decide(s.st, func(tx store.Tx) error {
		return errors.Join(store.Put(tx, row(day(-394), "pasttime")), store.Put(tx, row(now, "thissession")), store.Put(tx, holder("holdererased")), store.Put(tx, holder("holderkept")), store.Put(tx, holder("holdererasedbefore")))
	})
	decide(s.st, func(tx store.Tx) error { return store.Erase(tx, store.KindHolder, "holdererasedbefore", now) })
	var b bytes.Buffer
	if ok, err := FetchBackup(ctx, state, &b); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	decide(s.st, func(tx store.Tx) error { return store.Erase(tx, store.KindHolder, "holdererased", time.Now()) })
	var deletions bytes.Buffer
	if ok, err := FetchExport(ctx, state, ExportDeletions, &deletions); !ok || err != nil || strings.Count(deletions.String(), "\n") != 2 {
		t.Fatalf("%v, %v: %s", ok, err, deletions.String())
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	at := func(dir string, n int) Config {
		return Config{Config: config.Config{State: dir}, Now: func() time.Time { return day(n) }}
	}
	for name, c := range map[string]struct {
		dir  string
		file io.Reader
		gone bool
	}{
		"over what is there":     {state, nil, true},
		"elsewhere":              {state + "2", bytes.NewReader(deletions.Bytes()), true},
		"elsewhere, not knowing": {state + "3", nil, false},
	} {
		done, err := Restore(ctx, at(c.dir, 3), Restoration{Backup: bytes.NewReader(b.Bytes()), Replace: true, Deletions: c.file})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if want := map[bool]int{true: 1, false: 0}[c.gone]; done.Purged != 1 || done.Erased != want {
			t.Errorf("%s: %+v", name, done)
		}
		st, err := bolt.Open(bolt.Config{Dir: storeDir(c.dir)})
		if err != nil {
			t.Fatal(err)
		}
		decide(st, func(tx store.Tx) error {
			_, err := store.Get[store.Holder](tx, "holdererased")
			if errors.Is(err, store.ErrNotFound) != c.gone {
				t.Errorf("%s: the erased holder: %v", name, err)
			}
			if _, err := store.Get[store.Holder](tx, "holderkept"); err != nil {
				t.Errorf("%s: another holder: %v", name, err)
			}
			if _, err := store.Get[store.SessionRow](tx, row(day(-394), "pasttime").ID); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: the session whose time passed: %v", name, err)
			}
			_, err = store.Get[store.SessionRow](tx, row(now, "thissession").ID)
			return err
		})
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
		file, err := os.ReadFile(databaseOf(c.dir))
		if err != nil || bytes.Contains(file, []byte("pasttime")) {
			t.Errorf("%s: the purged session still lies in the file: %v", name, err)
		}
	}
}

// TestLookChangesNothing: whoever tries a backup out leaves no trace, also
// beside a controller that serves.
func TestLookChangesNothing(t *testing.T) {
	state := fresh(t)
	running(t, settings(t, state))
	var b bytes.Buffer
	if ok, err := FetchBackup(ctx, state, &b); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	before, err := os.ReadDir(state)
	if err != nil {
		t.Fatal(err)
	}
	done, err := Restore(ctx, Config{Config: config.Config{State: state}}, Restoration{Backup: bytes.NewReader(b.Bytes()), Look: true})
	if err != nil || done.Audit.Seq == 0 || done.At.IsZero() {
		t.Errorf("%+v, %v", done, err)
	}
	if after, err := os.ReadDir(state); err != nil || len(after) != len(before) {
		t.Errorf("%d files before, %d after: %v", len(before), len(after), err)
	}
}

// rewrite changes an archive's files on the way; without text a file is left out.
func rewrite(t *testing.T, b []byte, change func(name string, text []byte) []byte) []byte {
	t.Helper()
	files := map[string]string{}
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return archive(t, files)
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if text = change(h.Name, text); text != nil {
			files[h.Name] = string(text)
		}
	}
}

// TestDamagedBackupsReplaceNothing: they are refused, and what is there serves on.
func TestDamagedBackupsReplaceNothing(t *testing.T) {
	state := fresh(t)
	s, stop := running(t, settings(t, state))
	var b bytes.Buffer
	if ok, err := FetchBackup(ctx, state, &b); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	root := s.keys.Root()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	old := []byte(`{"format":1}`) // made before there were sums: the rest still has to hold
	for name, change := range map[string]func(string, []byte) []byte{
		"no sums": func(n string, x []byte) []byte { return map[bool][]byte{true: nil, false: x}[n == backupSums] },
		"a key that is gone": func(n string, x []byte) []byte {
			return map[bool][]byte{true: nil, false: x}[strings.Contains(n, "pepper")]
		},
		"a changed store": func(n string, x []byte) []byte {
			if n == backupStore {
				x[len(x)-1] ^= 1
			}
			return x
		},
		"an old one with a damaged store": func(n string, x []byte) []byte {
			switch n {
			case backupManifest:
				return old
			case backupStore:
				for i := 4 * os.Getpagesize(); i < len(x) && i < 12*os.Getpagesize(); i++ {
					x[i] = 0xff
				}
			}
			return x
		},
		"an old one with an audit that was changed": func(n string, x []byte) []byte {
			switch n {
			case backupManifest:
				return old
			case backupStore:
				return bytes.ReplaceAll(x, []byte("controller.created"), []byte("controller.cleated"))
			}
			return x
		},
		"an old one with broken keys": func(n string, x []byte) []byte {
			switch {
			case n == backupManifest:
				return old
			case strings.HasPrefix(n, backupKeys):
				return []byte("x")
			}
			return x
		},
	} {
		if err := restoreInto(state, rewrite(t, b.Bytes(), change), true); err == nil {
			t.Errorf("%s: it is restored", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
		if kept, _ := filepath.Glob(filepath.Join(state, "*", "*.before-*")); len(kept) > 0 {
			t.Fatalf("%s: it replaced %v", name, kept)
		}
	}
	if err := restoreInto(state, rewrite(t, b.Bytes(), func(n string, x []byte) []byte {
		if n == backupManifest {
			return old
		}
		return x
	}), true); err != nil {
		t.Errorf("a sound one from before there were sums: %v", err)
	}
	back, _ := running(t, settings(t, state))
	if !bytes.Equal(back.keys.Root(), root) {
		t.Error("it has another root")
	}
}
