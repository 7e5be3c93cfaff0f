package scan

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// pseudo are file systems that hold no bytes of their own (statfs(2)).
var pseudo = map[int64]bool{unix.PROC_SUPER_MAGIC: true, unix.SYSFS_MAGIC: true, unix.CGROUP_SUPER_MAGIC: true, unix.CGROUP2_SUPER_MAGIC: true,
	unix.DEVPTS_SUPER_MAGIC: true, unix.DEBUGFS_MAGIC: true, unix.TRACEFS_MAGIC: true, unix.SECURITYFS_MAGIC: true, unix.BPF_FS_MAGIC: true,
	0x19800202: true /* mqueue */, unix.NSFS_MAGIC: true}

// walk is one reading of trees.
type walk struct {
	*Finder
	ctx   context.Context
	since time.Time
	crew  *crew
	cross bool // enter the file systems mounted below

	mu  sync.Mutex
	res Result
}

// Files searches every regular file under roots whose content or inode changed
// at or after since, and the name of everything there; file systems below a
// root are entered, pseudo ones are not.
func (f *Finder) Files(ctx context.Context, since time.Time, roots ...string) (Result, error) {
	return f.walk(ctx, since, true, roots)
}

func (f *Finder) walk(ctx context.Context, since time.Time, cross bool, roots []string) (Result, error) {
	w := &walk{Finder: f, ctx: ctx, since: since, crew: newCrew(), cross: cross}
	for _, root := range roots {
		var st syscall.Stat_t
		if err := syscall.Stat(root, &st); err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			return w.res, fmt.Errorf("cannot search %s: %w", root, err)
		}
		w.crew.give(func(buf []byte) { w.folder(spot{root, root}, st.Dev, buf) })
	}
	return w.done()
}

// done returns once everything that was given out has been searched.
func (w *walk) done() (Result, error) {
	w.crew.run()
	if err := w.ctx.Err(); err != nil {
		return w.res, fmt.Errorf("cannot search files: %w", err)
	}
	return w.res, nil
}

// spot is a file: by which path it is opened, and what hits in it are told as.
type spot struct{ path, place string }

func (s spot) in(name string) spot {
	return spot{filepath.Join(s.path, name), filepath.Join(s.place, name)}
}

func (w *walk) skip(path string) {
	w.mu.Lock()
	w.res.Skipped = append(w.res.Skipped, path)
	w.mu.Unlock()
}

func (w *walk) hits(place string, all []found) {
	w.mu.Lock()
	for _, x := range all {
		w.res.Hits = append(w.res.Hits, Hit{place, x.as, x.rest})
	}
	w.mu.Unlock()
}

func (w *walk) folder(at spot, dev uint64, buf []byte) {
	if w.ctx.Err() != nil {
		return
	}
	d, err := os.Open(at.path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			w.skip(at.place)
		}
		return
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(512)
		for _, e := range entries {
			w.one(at.in(e.Name()), e, dev, buf)
		}
		if err != nil {
			return // at its end, or gone meanwhile
		}
	}
}

func (w *walk) one(at spot, e fs.DirEntry, dev uint64, buf []byte) {
	if all := w.name(e.Name()); all != nil {
		w.hits(at.place, all)
	}
	switch {
	case e.IsDir():
		var st syscall.Stat_t
		if syscall.Lstat(at.path, &st) != nil {
			return
		}
		if st.Dev != dev {
			var s unix.Statfs_t
			if !w.cross || unix.Statfs(at.path, &s) != nil || pseudo[int64(s.Type)] {
				return
			}
		}
		w.crew.give(func(buf []byte) { w.folder(at, st.Dev, buf) })
	case e.Type()&fs.ModeSymlink != 0:
		if to, err := os.Readlink(at.path); err == nil {
			w.hits(at.place, w.name(to))
		}
	case e.Type().IsRegular():
		info, err := e.Info()
		if err != nil {
			return
		}
		st := info.Sys().(*syscall.Stat_t)
		if w.older(st) {
			return
		}
		w.file(at.path, at.place, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, buf)
	}
}

// older tells what did not change since.
func (w *walk) older(st *syscall.Stat_t) bool {
	return time.Unix(st.Mtim.Unix()).Before(w.since) && time.Unix(st.Ctim.Unix()).Before(w.since)
}

// file searches the content at path, which hits tell as place.
func (w *walk) file(path, place string, flags int, buf []byte) {
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			w.skip(place)
		}
		return
	}
	defer f.Close()
	all, n, err := w.stream(f, buf)
	if err != nil {
		w.skip(place)
	}
	w.mu.Lock()
	w.res.Looked++
	w.res.Bytes += n
	w.mu.Unlock()
	w.hits(place, all)
}

// Raw searches whole files or devices, such as the image of a file system: what
// was deleted in it is still there.
func (f *Finder) Raw(ctx context.Context, paths ...string) Result {
	w := &walk{Finder: f, ctx: ctx, crew: newCrew()}
	for _, p := range paths {
		w.crew.give(func(buf []byte) { w.file(p, p, os.O_RDONLY, buf) })
	}
	w.crew.run()
	return w.res
}

// Below searches as Files does, but stays in the file system of each root.
func (f *Finder) Below(ctx context.Context, since time.Time, roots ...string) (Result, error) {
	return f.walk(ctx, since, false, roots)
}

func pids() (all []string) {
	d, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer d.Close()
	names, _ := d.Readdirnames(-1)
	for _, n := range names {
		if _, err := strconv.Atoi(n); err == nil {
			all = append(all, n)
		}
	}
	return all
}

// Unnamed searches the files that processes hold open though no folder names
// them any more: deleted ones and those of memfd_create(2). Processes in except
// are left out.
func (f *Finder) Unnamed(ctx context.Context, except ...int) Result {
	w := &walk{Finder: f, ctx: ctx, crew: newCrew()}
	seen := map[[2]uint64]bool{}
	for _, pid := range pids() {
		n, _ := strconv.Atoi(pid)
		if n == os.Getpid() || slices.Contains(except, n) {
			continue
		}
		comm, _ := os.ReadFile("/proc/" + pid + "/comm")
		fds, err := os.ReadDir("/proc/" + pid + "/fd")
		if err != nil {
			continue // it ended
		}
		for _, fd := range fds {
			path := "/proc/" + pid + "/fd/" + fd.Name()
			to, err := os.Readlink(path)
			if err != nil || !strings.HasSuffix(to, " (deleted)") && !strings.HasPrefix(to, "/memfd:") {
				continue
			}
			var st syscall.Stat_t
			if syscall.Stat(path, &st) != nil || st.Mode&syscall.S_IFMT != syscall.S_IFREG || seen[[2]uint64{st.Dev, st.Ino}] {
				continue
			}
			seen[[2]uint64{st.Dev, st.Ino}] = true
			place := fmt.Sprintf("pid %s (%s) fd %s %s", pid, bytes.TrimSpace(comm), fd.Name(), to)
			w.crew.give(func(buf []byte) { w.file(path, place, os.O_RDONLY|syscall.O_NONBLOCK, buf) })
		}
	}
	w.crew.run()
	return w.res
}

// Swaps lists the files and devices in a text of the form of /proc/swaps: pages
// of processes that are gone may still be there.
func Swaps(r io.Reader) (paths []string) {
	for sc, first := bufio.NewScanner(r), true; sc.Scan(); first = false {
		if f := strings.Fields(sc.Text()); !first && len(f) > 0 {
			paths = append(paths, unescape(f[0]))
		}
	}
	return paths
}
