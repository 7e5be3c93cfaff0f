package warden

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"
	"unsafe"

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

// walker reads trees that others may write to while it reads. What is called
// what in there is the person's: names and paths live in buffers that forget
// clears, and no message holds more than the root of a tree. This process
// outlives the session, and so would whatever it allocates.
type walker struct {
	entries  int       // left
	depth    int       // most
	deadline time.Time //
	enter    func(st *unix.Stat_t) bool
	visit    func(e entry)
	trouble  error // why the examination proves nothing

	at   string   // the root that is read
	path []byte   // the folder that is read
	bufs [][]byte // what the kernel says of folders, one buffer a depth
}

// entry is one directory entry, with the folder it was found in still open.
// Path and name are views of the walker's buffers: they hold for the visit only.
type entry struct {
	dir  int    // descriptor
	root string // whose tree it is in; this one may be told
	path string
	name string // a zero byte follows it
	st   *unix.Stat_t
}

func newWalker(enter func(*unix.Stat_t) bool, visit func(entry)) *walker {
	return &walker{entries: maxEntries, depth: maxDepth, deadline: time.Now().Add(maxWalkTime), enter: enter, visit: visit}
}

// forget clears what was read.
func (w *walker) forget() {
	for _, b := range w.bufs {
		clear(b)
	}
	clear(w.path[:cap(w.path)])
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
		w.tree(fd, real)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
	default:
		w.stop("%s: %w", path, err)
	}
}

// tree walks the open folder fd, which messages call root, and closes it.
func (w *walker) tree(fd int, root string) {
	// Room for the longest path, so that it never moves: what stays behind would
	// not be cleared.
	if w.path == nil {
		w.path = make([]byte, 0, (w.depth+2)*(unix.NAME_MAX+1)+len(root))
	}
	w.at, w.path = root, append(w.path[:0], root...)
	w.folder(fd, 0)
}

// dirents is how much of a folder is read at once.
const dirents = 16 << 10

// folder walks the open folder fd, and closes it.
func (w *walker) folder(fd, depth int) {
	defer unix.Close(fd)
	if depth >= len(w.bufs) {
		w.bufs = append(w.bufs, make([]byte, dirents))
	}
	buf := w.bufs[depth]
	for w.trouble == nil {
		n, err := unix.Getdents(fd, buf)
		if err == unix.ENOENT || err == nil && n == 0 { // ENOENT: it was removed meanwhile
			return
		}
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			w.stop("%s: %w", w.at, err)
			return
		}
		for rest := buf[:n]; len(rest) > 0 && w.trouble == nil; {
			size := binary.NativeEndian.Uint16(rest[16:]) // struct linux_dirent64, getdents(2)
			name := rest[19:size]
			rest = rest[size:]
			if i := bytes.IndexByte(name, 0); i >= 0 {
				name = name[:i]
			}
			if view := unsafe.String(unsafe.SliceData(name), len(name)); view != "." && view != ".." {
				w.one(fd, view, depth)
			}
		}
	}
}

func (w *walker) one(dir int, name string, depth int) {
	if w.entries--; w.entries < 0 {
		w.stop("more than %d entries, in %s", maxEntries, w.at)
		return
	}
	if w.entries%256 == 0 && time.Now().After(w.deadline) {
		w.stop("it takes longer than %s, in %s", maxWalkTime, w.at)
		return
	}
	var st unix.Stat_t
	if err := statAt(dir, name, &st); err != nil {
		if err != unix.ENOENT {
			w.stop("something in %s: %w", w.at, err)
		}
		return
	}
	e := entry{dir, w.at, unsafe.String(unsafe.SliceData(w.path), len(w.path)), name, &st}
	w.visit(e)
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || !w.enter(&st) {
		return
	}
	fd, err := e.open(unix.O_DIRECTORY)
	switch {
	case err == nil && depth >= w.depth:
		unix.Close(fd)
		w.stop("deeper than %d folders, in %s", w.depth, w.at)
	case err == nil:
		before := len(w.path)
		w.path = append(append(w.path, '/'), name...)
		w.folder(fd, depth+1)
		w.path = w.path[:before]
	case err == unix.ENOENT: // removed meanwhile
	case err == unix.EXDEV: // a mount: its own root, where it can be written to
	default: // ELOOP, ENOTDIR: it was swapped for something else under our feet
		w.stop("something in %s changes while it is read: %w", w.at, err)
	}
}

// open opens what the entry names, for reading. The system's own function would
// copy the name.
func (e entry) open(flags uint64) (int, error) {
	how := unix.OpenHow{Flags: unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC | flags, Resolve: resolve}
	fd, _, errno := unix.Syscall6(unix.SYS_OPENAT2, uintptr(e.dir), uintptr(unsafe.Pointer(unsafe.StringData(e.name))),
		uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
	if errno != 0 {
		return -1, errno
	}
	return int(fd), nil
}

// statAt is fstatat(2) without a copy of the name. A zero byte follows that.
func statAt(dir int, name string, st *unix.Stat_t) error {
	var x unix.Statx_t
	_, _, errno := unix.Syscall6(unix.SYS_STATX, uintptr(dir), uintptr(unsafe.Pointer(unsafe.StringData(name))),
		unix.AT_SYMLINK_NOFOLLOW|unix.AT_NO_AUTOMOUNT, unix.STATX_BASIC_STATS, uintptr(unsafe.Pointer(&x)), 0)
	if errno != 0 {
		return errno
	}
	st.Dev, st.Ino, st.Mode, st.Uid, st.Gid = unix.Mkdev(x.Dev_major, x.Dev_minor), x.Ino, uint32(x.Mode), x.Uid, x.Gid
	st.Ctim = unix.NsecToTimespec(x.Ctime.Sec*1e9 + int64(x.Ctime.Nsec))
	return nil
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
