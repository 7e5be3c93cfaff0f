package scan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// holding are the types of file systems that hold bytes of their own.
const holding = " ext2 ext3 ext4 xfs btrfs f2fs vfat exfat ntfs3 overlay tmpfs ramfs "

// mount is a line of mountinfo (proc_pid_mountinfo(5)).
type mount struct {
	id     uint64
	device string
	root   string // which folder of the file system it shows
	point  string
}

// covers tells whether all that o shows is in m too.
func (m mount) covers(o mount) bool {
	return m.device == o.device && (m.root == o.root || m.root == "/" || strings.HasPrefix(o.root, m.root+"/"))
}

// mounts lists those of a process's namespace that hold bytes, as far as they are
// below the process's root, those that show most first. A file system that is
// read-only there may be writable elsewhere: it counts.
func mounts(pid string) (all []mount, err error) {
	b, err := os.ReadFile("/proc/" + pid + "/mountinfo")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(b)) {
		front, back, ok := strings.Cut(line, " - ")
		at, what := strings.Fields(front), strings.Fields(back)
		if !ok || len(at) < 5 || len(what) < 1 || !strings.Contains(holding, " "+what[0]+" ") {
			continue
		}
		id, err := strconv.ParseUint(at[0], 10, 64)
		if err != nil {
			continue
		}
		all = append(all, mount{id, at[2], unescape(at[3]), unescape(at[4])})
	}
	slices.SortStableFunc(all, func(a, b mount) int { return cmp.Compare(len(a.root), len(b.root)) })
	return all, nil
}

func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// Mounted lists the mount points of this process's namespace that hold bytes,
// but for the root's.
func Mounted() ([]string, error) {
	all, err := mounts("self")
	if err != nil {
		return nil, fmt.Errorf("cannot list mounts: %w", err)
	}
	var points []string
	for _, m := range all {
		if m.point != "/" {
			points = append(points, m.point)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(points))), nil
}

// held is a mount that is kept open, so that its device's number is nobody
// else's and no process need stay for it to be read.
type held struct {
	mount
	place string
	f     *os.File
}

// hold opens a mount as process pid sees it.
func (m mount) hold(pid string) (held, error) {
	place := "/proc/" + pid + "/root" + m.point
	f, err := os.OpenFile(place, unix.O_PATH, 0)
	if err != nil {
		return held{}, err
	}
	// Another mount may lie over it.
	var st unix.Statx_t
	if err := unix.Statx(int(f.Fd()), "", unix.AT_EMPTY_PATH, unix.STATX_MNT_ID, &st); err == nil && st.Mask&unix.STATX_MNT_ID != 0 && st.Mnt_id != m.id {
		f.Close()
		return held{}, fmt.Errorf("cannot reach %s: something is mounted over it", place)
	}
	return held{m, place, f}, nil
}

// Mounts searches the writable file systems that only other processes see: those
// of their mount namespaces. Each process is asked, not one of each namespace:
// one with a root of its own (chroot(2), as Chromium's renderers have) is shown
// nothing of what lies outside of that, and may well have the lowest number, as
// numbers begin again.
func (f *Finder) Mounts(ctx context.Context, since time.Time) (Result, error) {
	own, err := os.Readlink("/proc/self/ns/mnt")
	if err != nil {
		return Result{}, fmt.Errorf("cannot search other mounts: %w", err)
	}
	var all []held
	defer func() {
		for _, h := range all {
			h.f.Close()
		}
	}()
	hidden := map[string]mount{}
	for _, pid := range pids() {
		if ns, err := os.Readlink("/proc/" + pid + "/ns/mnt"); err != nil || ns == own {
			continue
		}
		list, err := mounts(pid)
		if err != nil {
			continue // it ended
		}
		for _, m := range list {
			if slices.ContainsFunc(all, func(h held) bool { return h.covers(m) }) {
				continue
			}
			h, err := m.hold(pid)
			switch {
			case err == nil:
				all = append(all, h)
			case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ESRCH): // else it ended
				hidden["/proc/"+pid+"/root"+m.point] = m
			}
		}
	}
	// Last, when no number that was seen above can be given to another device.
	ours, err := mounts("self")
	if err != nil {
		return Result{}, fmt.Errorf("cannot search other mounts: %w", err)
	}
	seen := func(o mount) bool { return slices.ContainsFunc(ours, func(m mount) bool { return m.covers(o) }) }
	w := &walk{Finder: f, ctx: ctx, since: since, crew: newCrew()}
	for _, h := range all {
		var st syscall.Stat_t
		if seen(h.mount) || syscall.Fstat(int(h.f.Fd()), &st) != nil {
			continue
		}
		at := spot{fmt.Sprintf("/proc/self/fd/%d", h.f.Fd()), h.place}
		switch st.Mode & syscall.S_IFMT {
		case syscall.S_IFDIR:
			w.crew.give(func(buf []byte) { w.folder(at, st.Dev, buf) })
		case syscall.S_IFREG: // a file may be mounted on a file
			if !w.older(&st) {
				w.crew.give(func(buf []byte) { w.file(at.path, at.place, os.O_RDONLY|syscall.O_NONBLOCK, buf) })
			}
		}
	}
	for place, m := range hidden {
		if !seen(m) && !slices.ContainsFunc(all, func(h held) bool { return h.covers(m) }) {
			w.res.Skipped = append(w.res.Skipped, place)
		}
	}
	return w.done()
}
