package warden

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Caps of one examination of files. Hitting one makes it inconclusive.
const (
	maxEntries  = 500_000
	maxDepth    = 96
	maxWalkTime = 15 * time.Second
)

// resolve keeps a reading inside the tree it began in, whatever the tree's
// owner turns into links or mounts meanwhile.
const resolve = unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV

// walker reads trees that others may write to while it reads.
type walker struct {
	entries  int       // left
	depth    int       // most
	deadline time.Time //
	enter    func(st *unix.Stat_t) bool
	visit    func(e entry)
	trouble  error // why the examination proves nothing
}

// entry is one directory entry, with the folder it was found in still open.
type entry struct {
	dir  int // descriptor
	path string
	name string
	st   *unix.Stat_t
}

func newWalker(enter func(*unix.Stat_t) bool, visit func(entry)) *walker {
	return &walker{entries: maxEntries, depth: maxDepth, deadline: time.Now().Add(maxWalkTime), enter: enter, visit: visit}
}

func (w *walker) stop(format string, a ...any) {
	if w.trouble == nil {
		w.trouble = fmt.Errorf("cannot examine all files: "+format, a...)
	}
}

// root walks below path, which is a constant or of root's making. A path that
// does not exist is an empty tree.
func (w *walker) root(path string) {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	fd := -1
	if err == nil {
		fd, err = unix.Openat2(unix.AT_FDCWD, real, &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS})
	}
	switch {
	case err == nil:
		w.folder(fd, real, 0)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
	default:
		w.stop("%s: %w", path, err)
	}
}

// folder walks the open folder fd, and closes it.
func (w *walker) folder(fd int, path string, depth int) {
	d := os.NewFile(uintptr(fd), path)
	defer d.Close()
	for w.trouble == nil {
		names, err := d.Readdirnames(256)
		for _, n := range names {
			if w.trouble != nil {
				return
			}
			w.one(fd, path, n, depth)
		}
		if err == io.EOF || errors.Is(err, fs.ErrNotExist) { // ENOENT: it was removed meanwhile
			return
		}
		if err != nil {
			w.stop("%s: %w", path, err)
		}
	}
}

func (w *walker) one(dir int, path, name string, depth int) {
	if w.entries--; w.entries < 0 {
		w.stop("more than %d entries, at %.200s", maxEntries, path)
		return
	}
	if w.entries%256 == 0 && time.Now().After(w.deadline) {
		w.stop("it takes longer than %s, at %.200s", maxWalkTime, path)
		return
	}
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if err != unix.ENOENT {
			w.stop("%.200s/%.80q: %w", path, name, err)
		}
		return
	}
	w.visit(entry{dir, path, name, &st})
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || !w.enter(&st) {
		return
	}
	fd, err := unix.Openat2(dir, name, &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC, Resolve: resolve})
	switch {
	case err == nil && depth >= w.depth:
		unix.Close(fd)
		w.stop("deeper than %d folders, at %.200s", w.depth, path)
	case err == nil:
		w.folder(fd, path+"/"+name, depth+1)
	case err == unix.ENOENT: // removed meanwhile
	case err == unix.EXDEV: // a mount: its own root, where it can be written to
	default: // ELOOP, ENOTDIR: it was swapped for something else under our feet
		w.stop("%.200s/%.80q changes while it is read: %w", path, name, err)
	}
}

// realFS are the file systems that can hold files of a session.
const realFS = " ext2 ext3 ext4 xfs btrfs f2fs vfat exfat ntfs3 overlay tmpfs ramfs bcachefs jfs ubifs zfs fuseblk "

// roots lists the trees that an examination reads: the given places, and every
// writable mount of a real file system but the root file system, which has no
// other folder that an ordinary uid may write to.
func roots(places []string, mounts []mountEntry) []string {
	out := append([]string(nil), places...)
	seen := map[string]bool{}
	for _, p := range out {
		seen[p] = true
	}
	for _, m := range mounts {
		if m.point == "/" || m.option("ro") || strings.Contains(","+m.superOpts+",", ",ro,") || !strings.Contains(realFS, " "+m.fs+" ") || seen[m.point] {
			continue
		}
		seen[m.point] = true
		out = append(out, m.point)
	}
	return out
}

// changed tells whether the inode changed at since or later.
func changed(st *unix.Stat_t, since time.Time) bool {
	return !time.Unix(st.Ctim.Unix()).Before(since)
}
