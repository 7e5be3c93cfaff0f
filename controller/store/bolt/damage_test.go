package bolt

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"borne/controller/store"
	"borne/controller/store/storetest"
)

func lost(path string, from, to int) func(*testing.T) {
	return func(t *testing.T) {
		t.Helper()
		b, err := os.ReadFile(path)
		must(t, err)
		for i := from; i < min(to, len(b)); i++ {
			b[i] = 0xff
		}
		must(t, os.WriteFile(path, b, 0o600))
	}
}

// TestADamagedStoreIsToldAndReplaced: whoever restores does so because of it. No
// damage ends the program, or keeps the file locked.
func TestADamagedStoreIsToldAndReplaced(t *testing.T) {
	page := os.Getpagesize()
	for name, damage := range map[string]func(path string) func(*testing.T){
		"both meta pages": func(p string) func(*testing.T) { return lost(p, 0, 2*page) },
		"every data page": func(p string) func(*testing.T) { return lost(p, 2*page, 1<<30) },
		"a file cut off":  func(p string) func(*testing.T) { return func(t *testing.T) { must(t, os.Truncate(p, int64(3*page))) } },
		"an empty file":   func(p string) func(*testing.T) { return func(t *testing.T) { must(t, os.Truncate(p, 0)) } },
	} {
		t.Run(name, func(t *testing.T) {
			dir, backup := t.TempDir(), filepath.Join(t.TempDir(), "b")
			db := filepath.Join(dir, fileDB)
			s, err := opener(dir, storetest.Apply)
			must(t, err)
			must(t, s.Decide(t.Context(), func(tx store.Tx) error { return store.Erase(tx, store.KindHolder, "h", time.Unix(9, 0)) }))
			must(t, s.Backup(t.Context(), backup))
			must(t, s.Close())
			damage(db)(t)
			err = Read(db, func(tx store.Tx) error {
				_, err := store.First(store.List[store.Erasure](tx, "", "", false))
				return err
			})
			if err == nil || errors.Is(err, ErrInUse) {
				t.Errorf("reading it: %v", err)
			}
			t.Log(err)
			if err := Check(db); err == nil {
				t.Error("its check finds nothing")
			}
			aside, err := Restore(backup, dir, time.Unix(10, 0))
			if err != nil || len(aside) != 2 {
				t.Fatalf("it is not replaced: %v, %v", aside, err)
			}
			s, err = opener(dir, storetest.Apply)
			must(t, err)
			must(t, s.View(t.Context(), func(tx store.Tx) error {
				_, err := store.First(store.List[store.Erasure](tx, "", "", false))
				return err
			}))
			must(t, s.Close())
		})
	}
}

// TestOpeningADamagedStoreSaysWhatToDo: it neither panics nor keeps the lock.
func TestOpeningADamagedStoreSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	s, err := opener(dir, storetest.Apply)
	must(t, err)
	must(t, s.Close())
	lost(filepath.Join(dir, fileDB), 2*os.Getpagesize(), 1<<30)(t)
	for range 2 {
		if _, err := opener(dir, storetest.Apply); err == nil || !strings.Contains(err.Error(), "restore a backup") {
			t.Errorf("opening it: %v", err)
		}
	}
}

// TestReadOfAnOlderFormat: a table that the older program did not know is empty; one
// that is missing from a file of today's format is damage.
func TestReadOfAnOlderFormat(t *testing.T) {
	dir := t.TempDir()
	db := filepath.Join(dir, fileDB)
	s, err := opener(dir, storetest.Apply)
	must(t, err)
	must(t, s.Close())
	change := func(fn func(*bbolt.Tx) error) {
		raw, err := bbolt.Open(db, 0o600, nil)
		must(t, err)
		must(t, errors.Join(raw.Update(fn), raw.Close()))
	}
	erasures := func(tx store.Tx) error {
		for range tx.List(store.KindErasure, "", "", false) {
			t.Error("there is an erasure")
		}
		return nil
	}
	change(func(tx *bbolt.Tx) error { return tx.DeleteBucket(rowBucket(store.KindErasure)) })
	if err := Read(db, erasures); err == nil {
		t.Error("a table that is missing is taken for an empty one")
	}
	change(func(tx *bbolt.Tx) error { return putUint(tx.Bucket(bucketMeta), keySchema, 9) })
	if err := Read(db, erasures); err != nil {
		t.Errorf("an older format: %v", err)
	}
	change(func(tx *bbolt.Tx) error { return tx.DeleteBucket(bucketMeta) })
	if err := Read(db, erasures); err == nil {
		t.Error("a file of no format is taken for a store")
	}
}

// TestALeftCopyIsSwept: a restore that was killed leaves no copy for ever.
func TestALeftCopyIsSwept(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{restoring, restoring + ".part"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600))
	}
	s, err := opener(dir, storetest.Apply)
	must(t, err)
	defer s.Close()
	if left, _ := filepath.Glob(filepath.Join(dir, restoring+"*")); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}
