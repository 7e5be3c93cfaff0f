package warden

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// selfTest is the control for wipes that find nothing alive, after a crash or
// a power cut: once a start, something of each kind is planted, seen by the
// same examination, and removed.
type selfTest struct {
	done  bool
	found map[string]bool
	err   error
}

func (t selfTest) problem(name string) string {
	if t.err != nil {
		return t.err.Error()
	}
	return name + ": " + errNoTest.Error()
}

func (w *warden) ensureTested(ctx context.Context) {
	if w.tested.done {
		return
	}
	w.tested = selfTest{done: true, found: map[string]bool{}}
	if err := w.runSelfTest(ctx); err != nil {
		w.tested.err = err
		w.c.Log.Error("the self-test failed", "error", err)
	}
}

func (w *warden) runSelfTest(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	since := time.Now().Add(-time.Second)
	uid := w.c.pool().from
	b, err := w.probe(ctx, uid)
	defer func() {
		w.remove(b, time.Now().Add(10*time.Second))
		w.removeNetwork(context.WithoutCancel(ctx), b)
	}()
	if err != nil {
		return err
	}
	// Outside Run, which is expected to change: the look for newer files must
	// have something to find.
	path := w.c.State + "/self-test"
	if err := os.WriteFile(path, []byte("planted"), 0o600); err != nil {
		return fmt.Errorf("cannot plant a file: %w", err)
	}
	defer os.Remove(path)
	if err := os.Lchown(path, uid, uid); err != nil {
		return fmt.Errorf("cannot plant a file: %w", err)
	}
	drop, err := plantSegment(uid)
	if err != nil {
		return err
	}
	defer drop()
	var errs []error
	for name, c := range w.examine(ctx, target{since: since, boxes: []*box{b}}) {
		w.tested.found[name] = c.n > 0
		if c.n == 0 {
			errs = append(errs, fmt.Errorf("%s was not found (%v)", name, c.err))
		}
	}
	return errors.Join(errs...)
}

// probe makes a small sandbox that only sleeps, under uid.
func (w *warden) probe(ctx context.Context, uid int) (*box, error) {
	slot := slots - 1
	b := &box{id: "probe-" + randomID(), slot: slot, pidfd: -1, began: time.Now(), mono: time.Now(),
		uids: boxUIDs{uid, uid + slots, uid + 2*slots, uid + 3*slots, uid + 4*slots}, canaries: newCanaries()}
	r, err := w.checkNetwork(Network{Resolver: "192.0.2.53"}) // nobody asks it: the link stays down
	if err != nil {
		return b, err
	}
	b.rules = &r
	b.spec = spec{Mark: w.c.mark() + b.id, Root: w.rootDir(), Hostname: "probe", TmpfsMB: 16,
		Users:    []user{{"session", uid, true}},
		Programs: []Program{{Name: "sleep", Argv: []string{"/usr/bin/sleep", "3600"}, UID: uid, Vital: true}}}
	if err := os.MkdirAll(w.rootDir(), 0o700); err != nil {
		return b, fmt.Errorf("cannot make the sandbox's folder: %w", err)
	}
	b.group = w.groups.make(b.id, 64, 32)
	// PID 1 takes these two for the browser's pipe; this one has no browser.
	null, err := os.Open("/dev/null")
	if err != nil {
		return b, fmt.Errorf("cannot start a sandbox: %w", err)
	}
	defer null.Close()
	statusR, err := w.start(b, []*os.File{null, null}, true)
	if err != nil {
		return b, err
	}
	if err := errors.Join(b.group.enter(b.pid), w.network(ctx, b)); err != nil {
		statusR.Close()
		return b, err
	}
	return b, b.tell(ctx, statusR)
}

// plantSegment makes a System V segment that belongs to uid; drop removes it.
func plantSegment(uid int) (drop func(), err error) {
	id, err := unix.SysvShmGet(unix.IPC_PRIVATE, 4096, unix.IPC_CREAT|0o600)
	if err == unix.ENOSYS {
		return func() {}, errors.New("cannot plant a segment: this kernel has no System V objects")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot plant a segment: %w", err)
	}
	drop = func() { unix.SysvShmCtl(id, unix.IPC_RMID, nil) }
	var d unix.SysvShmDesc
	if _, err := unix.SysvShmCtl(id, unix.IPC_STAT, &d); err != nil {
		drop()
		return nil, fmt.Errorf("cannot plant a segment: %w", err)
	}
	d.Perm.Uid, d.Perm.Gid = uint32(uid), uint32(uid)
	if _, err := unix.SysvShmCtl(id, unix.IPC_SET, &d); err != nil {
		drop()
		return nil, fmt.Errorf("cannot plant a segment: %w", err)
	}
	return drop, nil
}
