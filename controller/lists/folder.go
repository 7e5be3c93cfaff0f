package lists

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"borne/controller/wire"
)

// Folder keeps lists, each under its digest.
type Folder string

// Put keeps a list; one that is there already stays.
func (f Folder) Put(c Category) error {
	if err := os.MkdirAll(string(f), 0o700); err != nil {
		return fmt.Errorf("cannot keep the list %s: %w", c.Name, err)
	}
	if b, err := os.ReadFile(f.path(c.Digest)); err == nil && bytes.Equal(b, c.File) {
		return nil
	}
	t, err := os.CreateTemp(string(f), "new-")
	if err != nil {
		return fmt.Errorf("cannot keep the list %s: %w", c.Name, err)
	}
	defer os.Remove(t.Name())
	_, err = t.Write(c.File)
	if err = errors.Join(err, t.Sync(), t.Close()); err == nil {
		err = os.Rename(t.Name(), f.path(c.Digest))
	}
	if err != nil {
		return fmt.Errorf("cannot keep the list %s: %w", c.Name, err)
	}
	return nil
}

// Open opens the list of that digest. The error is fs.ErrNotExist's when it is
// not there.
func (f Folder) Open(digest string) (*os.File, error) {
	if !wire.ValidDigest(digest) {
		return nil, fmt.Errorf("cannot open a list: %w", fs.ErrNotExist)
	}
	file, err := os.Open(f.path(digest))
	if err != nil {
		return nil, fmt.Errorf("cannot open a list: %w", err)
	}
	return file, nil
}

// Keep removes every list but those.
func (f Folder) Keep(digests map[string]bool) error {
	all, err := os.ReadDir(string(f))
	if err != nil {
		return fmt.Errorf("cannot look through the lists: %w", err)
	}
	var errs []error
	for _, e := range all {
		if wire.ValidDigest(e.Name()) && !digests[e.Name()] {
			errs = append(errs, os.Remove(f.path(e.Name())))
		}
	}
	return errors.Join(errs...)
}

func (f Folder) path(digest string) string { return filepath.Join(string(f), digest) }

// Pack writes the lists of a folder as the archive that Read reads. Links in it
// are not followed.
func Pack(dir string, w io.Writer) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("cannot read the lists: %w", err)
	}
	defer root.Close()
	t := tar.NewWriter(w)
	err = fs.WalkDir(root.FS(), ".", func(p string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || e.Name() != "domains" && e.Name() != "urls" || !strings.Contains(p, "/") {
			return err
		}
		f, err := root.Open(p)
		if err != nil {
			return err
		}
		defer f.Close()
		fi, err := f.Stat()
		if err != nil {
			return err
		}
		if err := t.WriteHeader(&tar.Header{Name: p, Mode: 0o600, Size: fi.Size(), Typeflag: tar.TypeReg}); err != nil {
			return err
		}
		_, err = io.CopyN(t, f, fi.Size())
		return err
	})
	if err = errors.Join(err, t.Close()); err != nil {
		return fmt.Errorf("cannot read the lists: %w", err)
	}
	return nil
}
