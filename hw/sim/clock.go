package sim

import (
	"context"
	"slices"
	"sync"
	"time"
)

// Clock is the time a simulated device lives in: monotonic, since an origin.
type Clock interface {
	Now() time.Duration
	Sleep(ctx context.Context, d time.Duration) error
}

// VirtualClock moves only when somebody sleeps on it or a simulated bus takes
// time, so that hours pass in an instant and each run is the same. It is safe
// for concurrent use, but deterministic only with one sleeper at a time.
type VirtualClock struct {
	mu     sync.Mutex
	now    time.Duration
	timers []timer // by time
}

type timer struct {
	at time.Duration
	f  func()
}

// NewVirtualClock returns a clock that reads zero.
func NewVirtualClock() *VirtualClock { return &VirtualClock{} }

// Now returns the virtual time.
func (c *VirtualClock) Now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Sleep advances the clock by d, unless ctx has ended or ends on the way.
func (c *VirtualClock) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c.Advance(d)
	return ctx.Err()
}

// Advance moves the clock and runs what falls due, in order, on the caller's goroutine.
func (c *VirtualClock) Advance(d time.Duration) {
	c.mu.Lock()
	end := c.now + max(0, d)
	for len(c.timers) > 0 && c.timers[0].at <= end {
		t := c.timers[0]
		c.timers = slices.Delete(c.timers, 0, 1)
		c.now = max(c.now, t.at)
		c.mu.Unlock()
		t.f()
		c.mu.Lock()
	}
	c.now = max(c.now, end)
	c.mu.Unlock()
}

// AfterFunc runs f when d has passed.
func (c *VirtualClock) AfterFunc(d time.Duration, f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := timer{c.now + d, f}
	i, _ := slices.BinarySearchFunc(c.timers, t, func(a, b timer) int {
		if a.at <= b.at { // equal times keep their order
			return -1
		}
		return 1
	})
	c.timers = slices.Insert(c.timers, i, t)
}

// Context returns a context that is cancelled when d of virtual time has passed.
func (c *VirtualClock) Context(parent context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(parent)
	c.AfterFunc(d, cancel)
	return ctx, cancel
}

// WallClock is a settable hw.Clock. Its zero value reads the zero time, untrusted.
type WallClock struct {
	mu      sync.Mutex
	base    time.Time
	since   time.Duration
	run     Clock
	trusted bool
}

// NewWallClock returns a clock that reads at and then moves with run; a nil run
// means that it stands still until set.
func NewWallClock(at time.Time, trusted bool, run Clock) *WallClock {
	w := &WallClock{run: run}
	w.Set(at, trusted)
	return w
}

// Set makes the clock read at from now on.
func (w *WallClock) Set(at time.Time, trusted bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.base, w.trusted = at, trusted
	if w.run != nil {
		w.since = w.run.Now()
	}
}

// Now returns the simulated wall time.
func (w *WallClock) Now() (time.Time, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.run == nil {
		return w.base, w.trusted
	}
	return w.base.Add(w.run.Now() - w.since), w.trusted
}
