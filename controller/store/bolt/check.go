package bolt

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
	"golang.org/x/sys/unix"

	"borne/controller/store"
)

// ErrInUse reports a store that another process has open.
var ErrInUse = errors.New("another borne-controller is using it; stop the controller first")

// Check reads a store's file that nobody has open to its last byte: one that was
// damaged would serve for days before somebody hits the damage. What the rows say
// is store.Readable's to tell, once the file is at the format of this program.
// bbolt's own check and its opening of a backup for writing end the program at a
// damaged page, in goroutines where nobody can catch that; reading does so here,
// where it can be caught.
func Check(path string) error {
	return inspect(path, func(tx *bbolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bbolt.Bucket) error { return ordered(name, b, 0) })
	})
}

// Read runs fn on a store's file as it lies there: nothing of it is changed, and
// what it cannot tell because it is damaged is an error. It is ErrInUse while a
// controller serves it. Of tables that an older program did not know it has no rows.
func Read(path string, fn func(store.Tx) error) error {
	return inspect(path, func(btx *bbolt.Tx) error {
		var have uint64
		if b := btx.Bucket(bucketMeta); b != nil {
			have = getUint(b, keySchema)
		}
		if have == 0 {
			return errors.New("it holds no format")
		}
		t := &tx{b: btx, older: have < uint64(len(migrations()))}
		return errors.Join(fn(t), t.err)
	})
}

func inspect(path string, fn func(*bbolt.Tx) error) (err error) {
	db, err := openFile(path, bbolt.Options{Timeout: time.Second, ReadOnly: true})
	if err != nil {
		return fmt.Errorf("cannot open the store: %w", err)
	}
	defer func() {
		if p := recover(); p != nil { // View has ended its transaction all the same
			err = fmt.Errorf("a page of it cannot be: %v", p)
		}
		if err = errors.Join(err, db.Close()); err != nil {
			err = fmt.Errorf("cannot use the store, it is damaged: %w", err)
		}
	}()
	// A file that ends too early is a fault of memory, since it is mapped.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	return db.View(fn)
}

// openFile opens a file with bbolt, which panics at some damaged pages: that is an
// error here. One that was put elsewhere while its lock was waited for is refused.
func openFile(path string, o bbolt.Options) (db *bbolt.DB, err error) {
	var f *os.File
	o.OpenFile = func(name string, flag int, mode os.FileMode) (*os.File, error) {
		var err error
		f, err = os.OpenFile(name, flag, mode)
		return f, err
	}
	defer func() {
		if p := recover(); p != nil {
			// bbolt's half-made DB cannot be closed: its map stays, and would keep the lock.
			err = errors.Join(fmt.Errorf("a page of it cannot be: %v", p), unix.Flock(int(f.Fd()), unix.LOCK_UN), f.Close())
			db = nil
		}
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	if db, err = bbolt.Open(path, 0o600, &o); errors.Is(err, bolterrors.ErrTimeout) {
		return nil, ErrInUse
	} else if err != nil {
		return nil, err
	}
	mine, err := f.Stat()
	if err == nil {
		var named os.FileInfo
		if named, err = os.Stat(path); err == nil && !os.SameFile(mine, named) {
			err = errors.New("another was put in its place meanwhile; try again")
		}
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
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
