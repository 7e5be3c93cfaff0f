package warden

import (
	"os"
	"runtime"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOnThreadIsNeverTheFirst asks many times at once, with every thread that
// the runtime has: the process's first one comes up among them.
func TestOnThreadIsNeverTheFirst(t *testing.T) {
	var all sync.WaitGroup
	for range 400 {
		all.Go(func() {
			for range 5 {
				runtime.Gosched()
				if err := onThread(func() error {
					if unix.Gettid() == os.Getpid() {
						t.Error("it ran on the process's first thread")
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
