package bolt

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"borne/controller/store"
	"borne/controller/store/storetest"
)

// TestABackupHoldsNothingDeleted: a row that was deleted on its day may linger
// on a free page of the store, and is not in the backup.
func TestABackupHoldsNothingDeleted(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(Config{Dir: dir, Apply: storetest.Apply})
	must(t, err)
	defer s.Close()
	marker := []byte("a-month-key-that-was-destroyed")
	put := func(id string, doc []byte) func(store.Tx) error {
		return func(tx store.Tx) error {
			return tx.Put(store.KindSite, store.Meta{ID: id, Site: "s"}, append(append([]byte(`"`), doc...), '"'))
		}
	}
	must(t, s.Decide(t.Context(), put("kept", []byte("stays"))))
	must(t, s.Decide(t.Context(), put("gone", marker)))
	must(t, s.Decide(t.Context(), func(tx store.Tx) error { return tx.Delete(store.KindSite, "gone") }))
	to := filepath.Join(t.TempDir(), "copy")
	must(t, s.Backup(t.Context(), to))
	b, err := os.ReadFile(to)
	must(t, err)
	if bytes.Contains(b, marker) {
		t.Error("the backup holds a row that was deleted")
	}
	if !bytes.Contains(b, []byte("stays")) {
		t.Error("the backup does not hold a row that was kept")
	}
}
