package bolt

import (
	"fmt"
	"math"

	"borne/controller/store"
)

// bucketVersions holds, for each month, day or table of store.Dated, the number
// of the transaction that changed a row of it last. bbolt numbers those that
// commit, each once.
var bucketVersions = []byte("versions")

// changed notes that a row changes.
func (t *tx) changed(k store.Kind, id string) {
	t.changes++
	n, noted := store.Dated(k)
	if !noted || len(id) < n {
		return
	}
	if t.touched == nil {
		t.touched = map[string]bool{}
	}
	t.touched[versionKey(k, id[:n])] = true
}

func versionKey(k store.Kind, of string) string { return string(k) + "/" + of }

func (t *tx) noteVersions() error {
	if len(t.touched) == 0 {
		return nil
	}
	b, err := t.b.CreateBucketIfNotExists(bucketVersions)
	if err != nil {
		return fmt.Errorf("cannot note what changed: %w", err)
	}
	for key := range t.touched {
		if err := putUint(b, []byte(key), uint64(t.b.ID())); err != nil {
			return fmt.Errorf("cannot note what changed: %w", err)
		}
	}
	t.touched = nil
	return nil
}

// Version implements store.Tx.
func (t *tx) Version(k store.Kind, of string) uint64 {
	if t.err != nil {
		return math.MaxUint64
	}
	b := t.b.Bucket(bucketVersions)
	if b == nil {
		return 0
	}
	return getUint(b, []byte(versionKey(k, of)))
}
