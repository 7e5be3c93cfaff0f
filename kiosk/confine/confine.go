// Package confine makes a process that reads what a stranger wrote unable to do
// anything else: it gives its own rights up before it reads the first byte, and
// for ever.
package confine

import (
	"fmt"
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Limits bound what the process takes.
type Limits struct {
	Memory int64 // bytes that it may write to
	CPU    time.Duration
	Files  int
}

// Alone confines a program of Go's that computes: beside what the runtime
// itself needs it may read and write the descriptors that it has, and close them.
func Alone(l Limits) error {
	arch, err := auditArch(runtime.GOARCH)
	if err != nil {
		return err
	}
	return confine(l, alone(arch, uint32(os.Getpid())))
}

// Reader confines the program that this process then becomes by exec: it may
// read files, as its libraries and fonts are, and nothing more: no network, no
// process of its own, no change to any file.
func Reader(l Limits) error {
	arch, err := auditArch(runtime.GOARCH)
	if err != nil {
		return err
	}
	return confine(l, reader(arch, uint32(os.Getpid())))
}

func confine(l Limits, prog []unix.SockFilter) error {
	// When memory runs short, this goes first. Some sandboxes do not show it.
	if f, err := os.OpenFile("/proc/self/oom_score_adj", os.O_WRONLY, 0); err == nil {
		f.WriteString("1000")
		f.Close()
	}
	for _, r := range []struct {
		what string
		n    int
		most int64
	}{
		// RLIMIT_DATA counts private memory that can be written (setrlimit(2)),
		// so that it bounds what is resident; RLIMIT_AS would count what Go
		// reserves, which is more than small machines have.
		{"memory", unix.RLIMIT_DATA, l.Memory},
		{"processor time", unix.RLIMIT_CPU, int64(max(l.CPU/time.Second, 1))},
		{"files' size", unix.RLIMIT_FSIZE, 0},
		{"descriptors", unix.RLIMIT_NOFILE, int64(l.Files)},
		{"messages", unix.RLIMIT_MSGQUEUE, 0},
		{"locked memory", unix.RLIMIT_MEMLOCK, 0},
		// 1 rather than 0: a core_pattern that is a pipe ignores 0, and treats
		// 1 as "never" (core(5)).
		{"core dumps", unix.RLIMIT_CORE, 1},
	} {
		// A limit that is lower already stays.
		var now unix.Rlimit
		if err := unix.Getrlimit(r.n, &now); err != nil {
			return fmt.Errorf("cannot bound %s: %w", r.what, err)
		}
		if max(now.Cur, now.Max) <= uint64(r.most) {
			continue // and a sandbox may not let it be touched
		}
		lim := unix.Rlimit{}
		setLimit(&lim, min(uint64(r.most), uint64(now.Max)))
		if err := unix.Setrlimit(r.n, &lim); err != nil {
			return fmt.Errorf("cannot bound %s: %w", r.what, err)
		}
	}
	runtime.LockOSThread() // for what is a thread's; it stays so
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot set no_new_privs: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot become undumpable: %w", err)
	}
	fp := unix.SockFprog{Len: uint16(len(prog)), Filter: &prog[0]}
	// All of the runtime's threads at once.
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&fp))); e != 0 {
		return fmt.Errorf("cannot filter system calls: %w", e)
	}
	return nil
}

func setLimit(l *unix.Rlimit, n uint64) { l.Cur, l.Max = n, n }
