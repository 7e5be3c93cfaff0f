package warden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"

	"golang.org/x/sys/unix"
)

// warden is the role's state. Verbs are served one at a time, by one goroutine.
type warden struct {
	lining  sync.Mutex // held while the cable and the Wi-Fi are being set
	c       Config
	spawn   *spawner // for sandboxes
	humble  *spawner // for the agent
	groups  *cgroups
	ledger  *ledger
	filters int    // of system calls, on this process
	state   string // real paths: a walk meets no links
	run     string
	started time.Time
	mono    time.Time
	events  chan sandbox.Event
	hits    chan sandbox.Event // kept apart: they must not push out that a sandbox is lost
	cut     func()             // the power of a simulated terminal
	off     func(context.Context) error
	speed   governor

	mu       sync.Mutex // guards the fields below
	boxes    map[string]*box
	shell    *box
	spare    *box // standby that the wipe under way leaves for the next person
	lastSlot int
	props    []wire.Property // last verified

	tested selfTest
	failed failed // wipes since the last one that proved something
}

// Run starts the role, serves the agent until ctx ends, and then destroys every
// sandbox. An error tells what the person who installs the terminal must do.
func Run(ctx context.Context, c Config) error {
	w, closeAll, err := open(ctx, c)
	if err != nil {
		return err
	}
	defer closeAll()
	if w.c.Agent.none() {
		return errors.New("cannot start: no agent is configured")
	}
	go func() {
		for {
			select {
			case e := <-w.c.News:
				w.notify(e)
			case <-ctx.Done():
				return
			}
		}
	}()
	return w.superviseAgent(ctx)
}

// open takes the state folder, sweeps what an earlier run left, and tests that
// examinations find what they look for.
func open(ctx context.Context, c Config) (*warden, func(), error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, nil, err
	}
	if err := makeStateDir(c.State); err != nil {
		return nil, nil, err
	}
	dir := c.State + "/warden"
	lk, err := lock(dir)
	if err != nil {
		return nil, nil, err
	}
	w := &warden{c: c, started: time.Now(), mono: time.Now(), boxes: map[string]*box{}, lastSlot: -1, events: make(chan sandbox.Event, 16), hits: make(chan sandbox.Event), cut: cutPower,
		off: powerOff, speed: governor{root: cpufreqRoot}}
	var closers []func()
	closeAll := func() {
		for i := len(closers) - 1; i >= 0; i-- {
			closers[i]()
		}
	}
	closers = append(closers, func() { lk.Close() })
	fail := func(err error) (*warden, func(), error) { closeAll(); return nil, nil, err }
	if err := checkAccounts(c.all(), c.passwd, c.subuid); err != nil {
		return fail(err)
	}
	uids, err := lockUIDs(uidLocks, c.all())
	if err != nil {
		return fail(err)
	}
	closers = append(closers, func() { uids.Close() })

	// Everything below inherits these.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}); err != nil {
		return fail(fmt.Errorf("cannot forbid core dumps: %w", err))
	}
	if err := os.MkdirAll(c.Run, 0o755); err != nil {
		return fail(fmt.Errorf("cannot make the run folder: %w", err))
	}
	// What an earlier start measured may hold no more.
	if err := os.Remove(filepath.Join(c.Run, surveyFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fail(fmt.Errorf("cannot clear the run folder: %w", err))
	}
	if w.state, err = filepath.EvalSymlinks(c.State); err != nil {
		return fail(fmt.Errorf("cannot find the state folder: %w", err))
	}
	if w.run, err = filepath.EvalSymlinks(c.Run); err != nil {
		return fail(fmt.Errorf("cannot find the run folder: %w", err))
	}
	if w.ledger, err = openLedger(dir, c.Build, c.Sim); err != nil {
		return fail(err)
	}
	if w.groups, err = findCgroups("/proc", "borne-"+c.tag()); err != nil {
		return fail(err)
	}
	self, err := readProcess(os.Getpid())
	if err != nil {
		return fail(err)
	}
	// A kernel before 5.9 does not say how many: then nobody has more than that.
	w.filters = max(atoi(self.fields["Seccomp_filters"]), 0)
	if w.spawn, err = newSpawner(false); err != nil {
		return fail(err)
	}
	closers = append(closers, w.spawn.close)
	if w.humble, err = newSpawner(true); err != nil {
		return fail(err)
	}
	closers = append(closers, w.humble.close)
	if err := errors.Join(w.sweep(ctx, true), w.unfenceShell(ctx)); err != nil {
		return fail(fmt.Errorf("cannot clear what an earlier run left: %w", err))
	}
	closers = append(closers, func() {
		if _, err := w.speed.set(false); err != nil {
			w.c.Log.Error("the processor stays slow", "error", err)
		}
	})
	closers = append(closers, func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
		defer cancel()
		if err := w.destroyAll(end); err != nil {
			w.c.Log.Error("sandboxes are left", "error", err)
		}
		if err := unforward(end); err != nil {
			w.c.Log.Error("forwarding of packets is left on", "error", err)
		}
	})
	if !c.Agent.none() {
		if err := os.MkdirAll(c.State+"/agent", 0o700); err != nil {
			return fail(fmt.Errorf("cannot make the agent's folder: %w", err))
		}
		if err := os.Lchown(c.State+"/agent", c.UIDBase+offAgent, c.UIDBase+offAgent); err != nil {
			return fail(fmt.Errorf("cannot give the agent its folder: %w", err))
		}
	}
	return w, closeAll, nil
}

// notify tells the agent something unasked; the oldest is dropped when nobody reads.
func (w *warden) notify(e sandbox.Event) {
	for {
		select {
		case w.events <- e:
			return
		default:
		}
		select {
		case <-w.events:
		default:
		}
	}
}

// watch reports a box that ends unasked.
func (w *warden) watch(b *box, kind string) {
	<-b.done
	<-b.heard
	if b.lost() {
		w.c.Log.Warn("a sandbox ended by itself", "kind", kind, "sandbox", b.id, "why", b.reason())
		w.notify(sandbox.Event{Sandbox: b.id, Kind: kind, Detail: b.reason()})
	}
}

// destroyAll ends the shell's browser and every sandbox, and removes all of them.
func (w *warden) destroyAll(ctx context.Context) error {
	w.mu.Lock()
	shell := w.shell
	w.shell = nil
	w.mu.Unlock()
	var err error
	if shell != nil {
		err = errors.Join(w.remove(shell, time.Now().Add(10*time.Second)), w.unfenceShell(ctx))
	}
	return errors.Join(err, w.destroySandboxes(ctx))
}

// destroySandboxes ends every sandbox but the spare one, whoever made it, and
// removes what it had.
func (w *warden) destroySandboxes(ctx context.Context) error {
	w.mu.Lock()
	var all []*box
	for id, b := range w.boxes {
		if b != w.spare {
			all = append(all, b)
			delete(w.boxes, id)
		}
	}
	w.mu.Unlock()
	deadline := time.Now().Add(10 * time.Second)
	// The kernel takes its time for links and tables; the processes end meanwhile.
	network := make(chan error, 1)
	go func() { network <- w.sweepNetwork(ctx) }()
	var errs []error
	for _, b := range all {
		errs = append(errs, w.remove(b, deadline))
	}
	errs = append(errs, <-network, w.sweepProcesses(ctx, false))
	return errors.Join(errs...)
}

// remove ends one box and gives back what it had.
func (w *warden) remove(b *box, deadline time.Time) error {
	if b.asker != nil {
		b.asker.strike() // both die at the same time
		b.strike()
	}
	err := b.kill(deadline)
	if b.asker != nil {
		err = errors.Join(err, w.remove(b.asker, deadline))
	}
	if b.group != nil {
		for _, d := range b.group.dirs {
			err = errors.Join(err, removeGroup(d, deadline))
		}
	}
	return err
}
