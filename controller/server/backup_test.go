package server

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/api"
	"borne/controller/config"
	"borne/controller/demo"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

func TestBackupAndRestore(t *testing.T) {
	state := fresh(t)
	s, stop := running(t, settings(t, state))
	if r := s.Do(ctx, Request{Op: OpSeedDemo}); r.Error != "" {
		t.Fatal(r.Error)
	}
	var b bytes.Buffer
	if ok, err := FetchBackup(ctx, state, &b); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	root, policy := s.keys.Root(), setting(t, s.st).Policy
	// What came after the backup is lost by the restore: its policy version too.
	person := login(t, s)
	_ = person
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := restoreInto(state, b.Bytes(), false); !errors.Is(err, ErrExists) {
		t.Errorf("over a store: %v", err)
	}
	other := filepath.Join(filepath.Dir(state), "t")
	if err := restoreInto(other, b.Bytes(), false); err != nil {
		t.Fatal(err)
	}
	back, _ := running(t, settings(t, other))
	set := setting(t, back.st)
	if set.Generation != 2 || set.Policy <= policy || !bytes.Equal(back.keys.Root(), root) {
		t.Errorf("generation %d, policy %d after %d", set.Generation, set.Policy, policy)
	}
	err := back.st.View(ctx, func(tx store.Tx) error {
		p, err := api.Effective(tx, demo.Site, demo.Space, demo.Terminal)
		if err == nil && (p.Version <= policy || !p.Hours.Always) {
			t.Errorf("the restored policy: version %d, %+v", p.Version, p.Hours)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := back.Do(ctx, Request{Op: OpAudit}); r.Found || r.Error != "" {
		t.Errorf("the restored audit: %+v", r)
	}
	// With -replace, what was there is kept beside it.
	if err := restoreInto(state, b.Bytes(), true); err != nil {
		t.Fatal(err)
	}
	kept, _ := filepath.Glob(filepath.Join(storeDir(state), "*.before-*"))
	if len(kept) == 0 {
		t.Error("the store that was there is gone")
	}
	if left, _ := filepath.Glob(filepath.Join(state, "restore-*")); len(left) > 0 {
		t.Errorf("keys lie about in %v", left)
	}
}

// TestRestoreKeepsTheKeysOfARollover: terminals believe the present keys, not
// those of a backup from before.
func TestRestoreKeepsTheKeysOfARollover(t *testing.T) {
	state := fresh(t)
	s, stop := running(t, settings(t, state))
	var b bytes.Buffer
	if ok, err := FetchBackup(ctx, state, &b); !ok || err != nil {
		t.Fatalf("%v, %v", ok, err)
	}
	for _, step := range []string{stepAnnounce, stepSwitch, stepRetire} {
		if r := s.Do(ctx, Request{Op: OpKeys, Args: map[string]string{"step": step}}); r.Error != "" {
			t.Fatal(r.Error)
		}
	}
	root := s.keys.Root()
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if err := restoreInto(state, b.Bytes(), true); err != nil {
		t.Fatal(err)
	}
	back, _ := running(t, settings(t, state))
	if !bytes.Equal(back.keys.Root(), root) {
		t.Error("the restore brought keys back that no terminal believes")
	}
	if set := setting(t, back.st); set.Generation != 2 {
		t.Errorf("generation %d", set.Generation)
	}
}

func restoreInto(state string, backup []byte, replace bool) error {
	_, err := Restore(ctx, Config{Config: config.Config{State: state}}, Restoration{Backup: bytes.NewReader(backup), Replace: replace})
	return err
}

func archive(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text))}); err != nil {
			t.Fatal(err)
		}
		w.Write([]byte(text))
	}
	w.Close()
	return b.Bytes()
}

// TestRecordsWaitForTheWholeController: what was acknowledged before the
// database was lost is not judged by the command that makes a new one.
func TestRecordsWaitForTheWholeController(t *testing.T) {
	state := filepath.Join(t.TempDir(), "s")
	st, err := bolt.Open(bolt.Config{Dir: storeDir(state), Journal: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	put := func(tx store.Tx) error { return tx.SetCursor("t1", store.Cursor{Epoch: 1}) }
	rec := wire.Record{Epoch: 1, Seq: 1, Kind: wire.KindReceipt, At: time.Now(), Body: []byte(`{}`)}
	_, err = st.Ingest(ctx, "t1", wire.Batch{Epoch: 1, Records: []wire.Record{rec}})
	if err == nil || st.Decide(ctx, put) != nil {
		t.Fatalf("a record without an epoch is taken: %v", err)
	}
	if _, err := st.Ingest(ctx, "t1", wire.Batch{Epoch: 1, Records: []wire.Record{rec}}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(st.Close(), os.Remove(databaseOf(state)), Init(ctx, state, "Test", time.Now())); err != nil {
		t.Fatal(err)
	}
	heard := 0
	st, err = bolt.Open(bolt.Config{Dir: storeDir(state), Journal: 64 << 10, Apply: func(_ store.Tx, _ string, r wire.Record) error { heard++; return nil }})
	if err != nil {
		t.Fatal(err)
	}
	err = st.Decide(ctx, func(tx store.Tx) error { // waits until everything is applied
		if it, err := store.First(store.List[store.RecordRow](tx, "", "", false)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("it was kept as it came, and will never be verified: %+v, %v", it.Row, err)
		}
		return nil
	})
	if err = errors.Join(err, st.Close()); err != nil || heard != 1 {
		t.Errorf("the controller's own Applier heard of %d records, want 1: %v", heard, err)
	}
}

func TestForeignArchivesAreRefused(t *testing.T) {
	good := `{"format":1}`
	for name, files := range map[string]map[string]string{
		"nothing":       {},
		"no store":      {backupManifest: good},
		"newer":         {backupManifest: `{"format":2}`, backupStore: "x"},
		"another file":  {backupManifest: good, "etc/passwd": "x"},
		"climbing":      {backupManifest: good, "keys/../../x": "x"},
		"absolute":      {backupManifest: good, "/keys/x": "x"},
		"hidden":        {backupManifest: good, "keys/.x": "x"},
		"large key":     {backupManifest: good, "keys/x": strings.Repeat("x", maxKeyFile+1)},
		"not a bolt db": {backupManifest: good, backupStore: "x"},
	} {
		dir := t.TempDir()
		state := filepath.Join(dir, "in", "state")
		if err := restoreInto(state, archive(t, files), false); err == nil {
			t.Errorf("%s: it is restored", name)
		}
		if _, err := os.Stat(databaseOf(state)); err == nil {
			t.Errorf("%s: it left a store", name)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(archive(f, map[string]string{backupManifest: `{"format":1}`, backupStore: "x", "keys/a": "b"}))
	f.Add(archive(f, map[string]string{"keys/../x": "b"}))
	f.Add([]byte("not tar"))
	f.Fuzz(func(t *testing.T, b []byte) {
		dir := t.TempDir()
		in := filepath.Join(dir, "in")
		if err := os.Mkdir(in, 0o700); err != nil {
			t.Fatal(err)
		}
		unpack(bytes.NewReader(b), in)
		if all, _ := os.ReadDir(dir); len(all) != 1 {
			t.Errorf("it wrote outside its folder: %v", all)
		}
	})
}
