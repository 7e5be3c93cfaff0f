package warden

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"borne/controller/wire"
	"borne/kiosk/sandbox"

	"golang.org/x/sys/unix"
)

// names is what a sandbox's resolver lets through and refuses.
type names struct {
	lists        []sandbox.List
	allow, block []string
}

// maxNames bounds the names that a request brings itself.
const maxNames = 600

var hostShape = regexp.MustCompile(`^[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})+$`)

func checkNames(n Network) (names, error) {
	if len(n.Lists) > sandbox.MaxLists || len(n.Allow) > maxNames || len(n.Block) > maxNames {
		return names{}, fmt.Errorf("cannot prepare: %d lists, %d names let through and %d refused are too many", len(n.Lists), len(n.Allow), len(n.Block))
	}
	for _, l := range n.Lists {
		if !wire.ValidCategory(l.Category) || l.Category == sandbox.OwnCategory || !wire.ValidDigest(l.Digest) {
			return names{}, fmt.Errorf("cannot prepare: %.40q with digest %.70q is no list", l.Category, l.Digest)
		}
	}
	for _, list := range [][]string{n.Allow, n.Block} {
		for _, name := range list {
			if len(name) > 253 || !hostShape.MatchString(name) {
				return names{}, fmt.Errorf("cannot prepare: %.60q is no name of a site", name)
			}
		}
	}
	return names{n.Lists, n.Allow, n.Block}, nil
}

// listsDir holds the lists that this role has verified; nobody else writes there.
func (w *warden) listsDir() string { return filepath.Join(w.c.State, "warden", "lists") }

// adopt returns the path of a verified copy of each list, in order. The agent
// fetched them: what it has is copied, and believed for its digest alone. While
// a newer list is on its way, the one before of that category stands in for it.
func (w *warden) adopt(lists []sandbox.List) ([]string, error) {
	if len(lists) == 0 {
		return nil, nil
	}
	if err := os.MkdirAll(w.listsDir(), 0o755); err != nil {
		return nil, fmt.Errorf("cannot keep the lists: %w", err)
	}
	var paths []string
	wanted := map[string]bool{}
	old, err := os.ReadDir(w.listsDir())
	if err != nil {
		return nil, fmt.Errorf("cannot keep the lists: %w", err)
	}
	for _, l := range lists {
		path := filepath.Join(w.listsDir(), l.Digest)
		if !exists(path) {
			err := w.copyList(l, path)
			if before := w.standsIn(old, l.Category); errors.Is(err, fs.ErrNotExist) && before != "" {
				path, err = filepath.Join(w.listsDir(), before), nil
			}
			if err != nil {
				return nil, err
			}
		}
		paths, wanted[filepath.Base(path)] = append(paths, path), true
	}
	for _, e := range old {
		if !wanted[e.Name()] {
			os.Remove(filepath.Join(w.listsDir(), e.Name())) // a resolver that still has it keeps it
		}
	}
	return paths, nil
}

// standsIn finds a list of that category that was verified before.
func (w *warden) standsIn(old []os.DirEntry, category string) string {
	for _, e := range old {
		f, err := os.Open(filepath.Join(w.listsDir(), e.Name()))
		if err != nil {
			continue
		}
		head := make([]byte, wire.ListHead)
		_, err = io.ReadFull(f, head)
		f.Close()
		if err == nil && wire.ListCategory(head) == category {
			return e.Name()
		}
	}
	return ""
}

func (w *warden) copyList(l sandbox.List, path string) error {
	b, err := readForeign(filepath.Join(w.state, "agent", "lists"), l.Digest, wire.MaxList)
	if err != nil {
		return fmt.Errorf("cannot take over the list %s: %w", l.Category, err)
	}
	if wire.ListDigest(b) != l.Digest {
		return fmt.Errorf("cannot take over the list %s: its digest is another one", l.Category)
	}
	if got, err := wire.OpenList(b); err != nil || got.Category != l.Category {
		return fmt.Errorf("cannot take over the list %s: it is of category %q: %w", l.Category, got.Category, errors.Join(err, wire.ErrList))
	}
	if err := writeDurably(path, b); err != nil {
		return err
	}
	return os.Chmod(path, 0o444)
}

// readForeign reads a file of a folder that belongs to somebody else: no link,
// nothing that blocks, and not more than limit.
func readForeign(dir, name string, limit int64) ([]byte, error) {
	d, err := unix.Openat2(unix.AT_FDCWD, dir, &unix.OpenHow{Flags: unix.O_PATH | unix.O_DIRECTORY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
	if err != nil {
		return nil, err
	}
	defer unix.Close(d)
	fd, err := unix.Openat2(d, name, &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_BENEATH | unix.RESOLVE_NO_XDEV})
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !fi.Mode().IsRegular() || fi.Size() > limit {
		return nil, fmt.Errorf("it is no file of at most %d bytes: %w", limit, fs.ErrInvalid)
	}
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fs.ErrInvalid
	}
	return b, err
}
