package warden

import (
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// onThread runs f on a thread that ends with it, so that what f changed about
// the thread serves nothing else. It is never the process's first thread: that
// one cannot end, it would stay as f left it, and /proc shows the whole process
// by it: a warden in a session's network would keep that alive, and count as
// one of its processes.
func onThread(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if unix.Gettid() != os.Getpid() {
			done <- f()
			return // still locked: the thread ends with this goroutine
		}
		defer runtime.UnlockOSThread()
		done <- onThread(f) // this one is taken meanwhile
	}()
	return <-done
}

// asUser runs f with uid as the effective user, and without any privilege: it is
// who the other end of a socket sees (SO_PEERCRED in unix(7)).
func asUser(uid int, f func() error) error {
	return onThread(func() error {
		const keep = ^uintptr(0)
		// The raw call: x/sys and syscall would change every thread.
		if _, _, e := unix.RawSyscall(sysSetresuid, keep, uintptr(uid), keep); e != 0 {
			return fmt.Errorf("cannot act as uid %d: %w", uid, e)
		}
		return f()
	})
}
