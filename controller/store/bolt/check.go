package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
)

// Check reads every row of a store's file that nobody has open: one that was
// damaged would serve for days before somebody hits the damage. bbolt's own check
// and its opening for writing end the program at a damaged page, in goroutines
// where nobody can catch that; reading does so here, where it can be caught.
func Check(path string) (err error) {
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("cannot open the store: %w", err)
	}
	defer func() {
		// After a panic the read transaction never ends, and a Close would wait for it.
		if p := recover(); p != nil {
			err = fmt.Errorf("cannot use the store, it is damaged: %v", p)
			return
		}
		if err = errors.Join(err, db.Close()); err != nil {
			err = fmt.Errorf("cannot use the store, it is damaged: %w", err)
		}
	}()
	// A file that ends too early is a fault of memory, since it is mapped.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	tx, err := db.Begin(false)
	if err != nil {
		return err
	}
	err = tx.ForEach(func(name []byte, b *bbolt.Bucket) error { return ordered(name, b, 0) })
	return errors.Join(err, tx.Rollback())
}

// ordered reads a bucket and wants its keys in their order.
func ordered(name []byte, b *bbolt.Bucket, depth int) error {
	if depth > 8 {
		return fmt.Errorf("table %.40q lies too deep", name)
	}
	var last []byte
	return b.ForEach(func(k, v []byte) error {
		if last != nil && bytes.Compare(last, k) >= 0 {
			return fmt.Errorf("table %.40q has its keys out of order", name)
		}
		last = append(last[:0], k...)
		if v == nil {
			if inner := b.Bucket(k); inner != nil {
				return ordered(k, inner, depth+1)
			}
		}
		_ = crc32.ChecksumIEEE(v) // reads each byte
		return nil
	})
}
