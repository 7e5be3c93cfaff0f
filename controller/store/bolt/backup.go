package bolt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"borne/controller/store"
)

// Backup implements store.Store. The copy is one file, complete and synced
// before it gets its name. It is compacted: pages that were freed, and with
// them rows and keys that were deleted on time, are not in it.
func (s *Store) Backup(ctx context.Context, path string) error {
	if err := s.caughtUp(ctx); err != nil {
		return err
	}
	if err := s.compactInto(path); err != nil {
		return fmt.Errorf("cannot back up to %s: %w", path, full(err))
	}
	return nil
}

func (s *Store) compactInto(path string) error {
	part := path + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	defer os.Remove(part)
	dst, err := bbolt.Open(part, 0o600, &bbolt.Options{Timeout: time.Second, NoFreelistSync: true})
	if err != nil {
		return err
	}
	const batch = 1 << 20 // bytes a transaction of the copy
	if err := errors.Join(bbolt.Compact(dst, s.db, batch), dst.Close()); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// Restore puts a backup in the place of the store in dir, which nobody may have
// open, and counts its generation up: terminals then send again what the
// backup does not hold. The store that was there is kept beside it, damaged as it
// may be; aside are its files' names.
func Restore(backup, dir string, at time.Time) (aside []string, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot restore: %w", err)
	}
	db := filepath.Join(dir, fileDB)
	release, err := hold(db)
	if err != nil {
		return nil, fmt.Errorf("cannot restore into %s: %w", dir, err)
	}
	defer func() { err = errors.Join(err, release()) }()
	in, err := os.Open(backup)
	if err != nil {
		return nil, fmt.Errorf("cannot read the backup: %w", err)
	}
	defer in.Close()
	fresh := filepath.Join(dir, restoring)
	defer os.Remove(fresh)
	if err := replace(fresh, func(f *os.File) error { _, err := io.Copy(f, in); return err }); err != nil {
		return nil, fmt.Errorf("cannot copy the backup: %w", full(err))
	}
	if err := nextGeneration(fresh, at); err != nil {
		return nil, err
	}
	suffix := ".before-" + at.UTC().Format("20060102T150405")
	for _, name := range []string{fileJournal, fileDB} {
		p := filepath.Join(dir, name)
		switch err := os.Rename(p, p+suffix); {
		case err == nil:
			aside = append(aside, p+suffix)
		case !errors.Is(err, os.ErrNotExist):
			return aside, fmt.Errorf("cannot set the present store aside: %w", err)
		}
	}
	if err := os.Rename(fresh, db); err != nil {
		return aside, fmt.Errorf("cannot restore: %w", err)
	}
	return aside, syncDir(dir)
}

// hold takes the lock that bbolt takes, whatever the file holds: a damaged one is
// no reason to refuse its replacement, and a controller that serves it is.
func hold(db string) (release func() error, err error) {
	f, err := os.OpenFile(db, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return func() error { return nil }, nil
	}
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrInUse
		}
		return nil, fmt.Errorf("cannot lock %s: %w", db, err)
	}
	return f.Close, nil
}

func nextGeneration(path string, at time.Time) error {
	db, err := openDB(path, time.Second, migrations())
	if err != nil {
		return err
	}
	err = db.Update(func(btx *bbolt.Tx) error {
		t := &tx{b: btx}
		set, err := store.Get[store.Setting](t, store.SettingController)
		if errors.Is(err, store.ErrNotFound) {
			set, err = store.Item[store.Setting]{Meta: store.Meta{ID: store.SettingController}, Row: store.Setting{Generation: 1, Created: at}}, nil
		}
		if err != nil {
			return err
		}
		set.Row.Generation++
		return store.Put(t, set)
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("cannot restore: %w", full(err))
	}
	return nil
}

// replace writes a file completely, then gives it its name.
func replace(path string, write func(*os.File) error) (err error) {
	f, err := os.OpenFile(path+".part", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer os.Remove(path + ".part")
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(path+".part", path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
