package warden

import (
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
