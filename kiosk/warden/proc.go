package warden

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// process is what /proc says of one process, read from outside.
type process struct {
	pid    int
	uids   [4]int // real, effective, saved, file system
	name   string
	sealed bool              // its namespaces cannot be read, and cannot be a sandbox's
	fields map[string]string // of status
}

// allProcesses reads every process of the machine: the warden lives in the
// first PID namespace, which sees those of all others.
func allProcesses() ([]process, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, fmt.Errorf("cannot read /proc: %w", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("cannot read /proc: %w", err)
	}
	var all []process
	for _, n := range names {
		pid, err := strconv.Atoi(n)
		if err != nil {
			continue
		}
		p, err := readProcess(pid)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		p.sealed = p.uids == [4]int{} && sealed(pid)
		all = append(all, p)
	}
	return all, nil
}

// gone tells an error that means: the process ended meanwhile.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH)
}

// sealed tells a process whose namespaces this one may not read, and which no
// sandbox can hold: root's, and either older than this process or with a
// capability that nothing below this process can have. A container's first
// process is one, and so is for a moment whatever it starts.
func sealed(pid int) bool {
	ours, err := readProcess(os.Getpid())
	if err != nil {
		return false
	}
	for range 20 {
		if _, err := namespace(pid, "mnt"); !errors.Is(err, fs.ErrPermission) {
			return false
		}
		p, err := readProcess(pid)
		if err != nil || p.uids != [4]int{} {
			return false
		}
		have, err1 := strconv.ParseUint(p.fields["CapPrm"], 16, 64)
		most, err2 := strconv.ParseUint(ours.fields["CapBnd"], 16, 64)
		if err1 == nil && err2 == nil && have&^most != 0 {
			return true
		}
		theirs, err1 := startTime(pid)
		mine, err2 := startTime(ours.pid)
		if err1 == nil && err2 == nil && theirs < mine {
			return true
		}
		time.Sleep(5 * time.Millisecond) // it may be about to give privileges up
	}
	return false
}

// startTime is field 22 of stat (proc_pid_stat(5)), in clock ticks since boot.
func startTime(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("cannot read process %d: %w", pid, err)
	}
	_, rest, ok := strings.Cut(string(b[bytes.LastIndexByte(b, ')')+1:]), " ")
	f := strings.Fields(rest)
	if !ok || len(f) < 20 {
		return 0, fmt.Errorf("cannot read process %d: a short stat", pid)
	}
	return strconv.ParseUint(f[19], 10, 64)
}

// ticks is now, in the clock of startTime.
func ticks() uint64 {
	var t unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) != nil {
		return 0
	}
	return uint64(t.Nano()) / uint64(time.Second/userHZ)
}

// userHZ is what the kernel counts clock ticks in for programs, on all of our
// processors (USER_HZ).
const userHZ = 100

func readProcess(pid int) (process, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return process{}, fmt.Errorf("cannot read process %d: %w", pid, err)
	}
	return parseStatus(pid, b)
}

func parseStatus(pid int, b []byte) (process, error) {
	p := process{pid: pid, fields: map[string]string{}}
	for line := range bytes.Lines(b) {
		k, v, ok := strings.Cut(string(line), ":")
		if ok {
			p.fields[k] = strings.TrimSpace(v)
		}
	}
	p.name = p.fields["Name"]
	f := strings.Fields(p.fields["Uid"])
	if len(f) != 4 {
		return process{}, fmt.Errorf("cannot read process %d: no Uid line", pid)
	}
	for i := range p.uids {
		n, err := strconv.Atoi(f[i])
		if err != nil {
			return process{}, fmt.Errorf("cannot read process %d: %w", pid, err)
		}
		p.uids[i] = n
	}
	return p, nil
}

// hasUID tells whether any of p's four uids is in r.
func (p process) hasUID(r uidRange) bool {
	for _, u := range p.uids {
		if r.has(u) {
			return true
		}
	}
	return false
}

// zombie tells a process that is over, and holds nothing. One whose first
// thread has ended while others run looks alike, but for their number.
func (p process) zombie() bool {
	return strings.HasPrefix(p.fields["State"], "Z") && atoi(p.fields["Threads"]) <= 1
}

// namespace returns the identity of one of a process's namespaces, as
// "pid:[4026531836]".
func namespace(pid int, kind string) (string, error) {
	s, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	if err != nil {
		return "", fmt.Errorf("cannot read namespace %s of process %d: %w", kind, pid, err)
	}
	return s, nil
}

// nsGetMountID is NS_GET_MNTNS_ID of linux/nsfs.h, since Linux 6.11: _IOR(0xb7, 5, __u64).
const nsGetMountID = 2<<30 | 8<<16 | 0xb7<<8 | 5

// mountNamespace is the number of a process's mount namespace that is never
// given to another one; 0 when the kernel has none, or the process is gone.
func mountNamespace(pid int) (id uint64) {
	f, err := os.Open(fmt.Sprintf("/proc/%d/ns/mnt", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), nsGetMountID, uintptr(unsafe.Pointer(&id))); errno != 0 {
		return 0
	}
	return id
}

// uidRange is a stretch of uids, both ends included.
type uidRange struct{ from, to int }

func (r uidRange) has(uid int) bool { return uid >= r.from && uid <= r.to }

// mountEntry is one line of mountinfo (proc_pid_mountinfo(5)).
type mountEntry struct {
	id, root, point, opts, fs, source, superOpts string
}

func parseMounts(s string) []mountEntry {
	var out []mountEntry
	for line := range strings.Lines(s) {
		left, right, ok := strings.Cut(strings.TrimSpace(line), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(r) < 2 {
			continue
		}
		m := mountEntry{id: l[0], root: unescape(l[3]), point: unescape(l[4]), opts: l[5], fs: r[0], source: unescape(r[1])}
		if len(r) > 2 {
			m.superOpts = r[2]
		}
		out = append(out, m)
	}
	return out
}

// unescape undoes the octal escapes of mountinfo.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

func (m mountEntry) option(name string) bool {
	return strings.Contains(","+m.opts+",", ","+name+",")
}

// view is what a process sees of its mount namespace: all below its root.
type view struct {
	ns              string
	dev, ino, mount uint64 // of that root
}

func viewOf(pid int, ns string) (view, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, fmt.Sprintf("/proc/%d/root", pid), unix.AT_STATX_DONT_SYNC, unix.STATX_INO|unix.STATX_MNT_ID, &st); err != nil {
		return view{}, fmt.Errorf("cannot read the root of process %d: %w", pid, err)
	}
	return view{ns, unix.Mkdev(st.Dev_major, st.Dev_minor), st.Ino, st.Mnt_id}, nil
}

// mountsByNamespace returns the mounts of every mount namespace that a process
// lives in, each once. Every view of a namespace is read: whoever has a root of
// its own (chroot(2)), as Chromium's renderers have, is shown none of the mounts
// outside of that, and may have the lowest number of them all.
func mountsByNamespace(all []process) (map[string][]mountEntry, error) {
	out, views, seen := map[string][]mountEntry{}, map[view]bool{}, map[string]map[string]bool{}
	for _, p := range all {
		ns, err := namespace(p.pid, "mnt")
		if gone(err) || p.zombie() || p.sealed {
			continue
		}
		if err != nil {
			return nil, err
		}
		v, err := viewOf(p.pid, ns)
		if gone(err) || err == nil && views[v] {
			continue
		}
		if err != nil {
			return nil, err
		}
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", p.pid))
		if gone(err) || errors.Is(err, unix.EINVAL) { // EINVAL: it is exiting
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the mounts of process %d: %w", p.pid, err)
		}
		if seen[ns] == nil {
			seen[ns] = map[string]bool{}
		}
		views[v] = true
		for _, m := range parseMounts(string(b)) {
			if !seen[ns][m.id] {
				seen[ns][m.id] = true
				out[ns] = append(out[ns], m)
			}
		}
	}
	return out, nil
}
