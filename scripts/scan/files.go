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
		w.crew.give(func(buf []byte) { w.folder(root, st.Dev, buf) })
	}
	w.crew.run()
	if err := ctx.Err(); err != nil {
		return w.res, fmt.Errorf("cannot search files: %w", err)
	}
	return w.res, nil
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

func (w *walk) folder(path string, dev uint64, buf []byte) {
	if w.ctx.Err() != nil {
		return
	}
	d, err := os.Open(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			w.skip(path)
		}
		return
	}
	defer d.Close()
	for {
		entries, err := d.ReadDir(512)
		for _, e := range entries {
			w.one(path, e, dev, buf)
		}
		if err != nil {
			return // at its end, or gone meanwhile
		}
	}
}

func (w *walk) one(dir string, e fs.DirEntry, dev uint64, buf []byte) {
	path := filepath.Join(dir, e.Name())
	if all := w.name(e.Name()); all != nil {
		w.hits(path, all)
	}
	switch {
	case e.IsDir():
		var st syscall.Stat_t
		if syscall.Lstat(path, &st) != nil {
			return
		}
		if st.Dev != dev {
			var s unix.Statfs_t
			if !w.cross || unix.Statfs(path, &s) != nil || pseudo[int64(s.Type)] {
				return
			}
		}
		w.crew.give(func(buf []byte) { w.folder(path, st.Dev, buf) })
	case e.Type()&fs.ModeSymlink != 0:
		if to, err := os.Readlink(path); err == nil {
			w.hits(path, w.name(to))
		}
	case e.Type().IsRegular():
		info, err := e.Info()
		if err != nil {
			return
		}
		st := info.Sys().(*syscall.Stat_t)
		if info.ModTime().Before(w.since) && time.Unix(st.Ctim.Unix()).Before(w.since) {
			return
		}
		w.file(path, path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, buf)
	}
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

// Mounts searches the writable file systems that only other processes see: those
// of their mount namespaces.
func (f *Finder) Mounts(ctx context.Context, since time.Time) (Result, error) {
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return Result{}, fmt.Errorf("cannot search other mounts: %w", err)
	}
	_, devices, err := mounts("self")
	if err != nil {
		return Result{}, fmt.Errorf("cannot search other mounts: %w", err)
	}
	spaces := map[string]bool{own: true}
	var roots []string
	for _, pid := range pids() {
		ns, err := os.Readlink("/proc/" + pid + "/ns/mnt")
		if err != nil || spaces[ns] {
			continue
		}
		points, devs, err := mounts(pid)
		if err != nil {
			continue // it ended
		}
		spaces[ns] = true
		for i, p := range points {
			if !slices.Contains(devices, devs[i]) {
				devices = append(devices, devs[i])
				roots = append(roots, "/proc/"+pid+"/root"+p)
			}
		}
	}
	return f.walk(ctx, since, false, roots)
}

// Mounted lists the mount points of this process's namespace that hold bytes,
// but for the root's.
func Mounted() ([]string, error) {
	points, _, err := mounts("self")
	if err != nil {
		return nil, fmt.Errorf("cannot list mounts: %w", err)
	}
	points = slices.DeleteFunc(points, func(p string) bool { return p == "/" })
	return slices.Compact(slices.Sorted(slices.Values(points))), nil
}

// Below searches as Files does, but stays in the file system of each root.
func (f *Finder) Below(ctx context.Context, since time.Time, roots ...string) (Result, error) {
	return f.walk(ctx, since, false, roots)
}

// holding are the types of file systems that hold bytes of their own.
const holding = " ext2 ext3 ext4 xfs btrfs f2fs vfat exfat ntfs3 overlay tmpfs ramfs "

// mounts lists the mount points of a process's namespace that hold bytes, with
// their devices (proc_pid_mountinfo(5)). A file system that is read-only there
// may be writable elsewhere: it counts.
func mounts(pid string) (points, devices []string, err error) {
	b, err := os.ReadFile("/proc/" + pid + "/mountinfo")
	if err != nil {
		return nil, nil, err
	}
	for line := range strings.Lines(string(b)) {
		front, back, ok := strings.Cut(line, " - ")
		at, fs := strings.Fields(front), strings.Fields(back)
		if !ok || len(at) < 5 || len(fs) < 1 || !strings.Contains(holding, " "+fs[0]+" ") {
			continue
		}
		points, devices = append(points, unescape(at[4])), append(devices, at[2])
	}
	return points, devices, nil
}

func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
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
