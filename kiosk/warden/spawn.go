package warden

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// spawner starts processes from one thread that lives as long as it does: a
// parent-death signal is sent when the parent *thread* ends, and Go's come and go.
type spawner struct {
	jobs chan func()
	quit chan struct{}
}

var errStopped = errors.New("the warden is stopping")

// newSpawner makes a spawner. With humble, all it starts can gain no privilege.
func newSpawner(humble bool) (*spawner, error) {
	s := &spawner{make(chan func()), make(chan struct{})}
	ready := make(chan error, 1)
	go onThread(func() (err error) {
		if humble {
			err = humbleThread()
		}
		ready <- err
		for err == nil {
			select {
			case f := <-s.jobs:
				f()
			case <-s.quit:
				return nil
			}
		}
		return err
	})
	if err := <-ready; err != nil {
		return nil, err
	}
	return s, nil
}

// do runs f on the spawner's thread.
func (s *spawner) do(f func() error) error {
	done := make(chan error, 1)
	select {
	case s.jobs <- func() { done <- f() }:
		return <-done
	case <-s.quit:
		return errStopped
	}
}

// close ends the thread: what it started with a parent-death signal dies.
func (s *spawner) close() { close(s.quit) }

func humbleThread() error {
	for c := 0; c <= unix.CAP_LAST_CAP; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil && err != unix.EINVAL {
			return fmt.Errorf("cannot drop capability %d: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot set no_new_privs: %w", err)
	}
	return nil
}
