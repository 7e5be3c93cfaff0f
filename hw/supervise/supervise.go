// Package supervise keeps a device open: it opens it in the background with a
// deadline, reports its health, closes and reopens it with jittered backoff when
// it fails, and never makes the agent wait.
package supervise

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"time"

	"borne/hw"
)

// Clock is the time a supervisor lives in, shared with the devices it opens.
type Clock interface {
	Now() time.Duration
	Sleep(ctx context.Context, d time.Duration) error
}

// Config says what is supervised and how. Name and Clock are required; other
// zero values take the defaults.
type Config struct {
	Name   string // role on this terminal: "badge-reader", "case"
	Device string // configured device name
	Clock  Clock
	Log    *slog.Logger   // nil: silent
	Rand   func() float64 // in [0, 1); nil: math/rand/v2

	OpenTimeout time.Duration // an opening is given up after it; default 5 s
	MinBackoff  time.Duration // before the first reopening; default 500 ms
	MaxBackoff  time.Duration // default 30 s
	StableFor   time.Duration // a device that stayed ready so long starts from MinBackoff again; default 10 s
	StallAfter  time.Duration // a reader that reports its beat and misses it so long is faulted; default 5 s
}

func (c Config) withDefaults() (Config, error) {
	if c.Name == "" || c.Clock == nil {
		return c, errors.New("cannot supervise a device without a name and a clock; set Config.Name and Config.Clock")
	}
	for _, d := range []struct {
		v    *time.Duration
		init time.Duration
	}{
		{&c.OpenTimeout, 5 * time.Second}, {&c.MinBackoff, 500 * time.Millisecond}, {&c.MaxBackoff, 30 * time.Second},
		{&c.StableFor, 10 * time.Second}, {&c.StallAfter, 5 * time.Second},
	} {
		if *d.v <= 0 {
			*d.v = d.init
		}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Rand == nil {
		c.Rand = rand.Float64
	}
	return c, nil
}

// Supervisor reports one device's health.
type Supervisor struct {
	status chan hw.Status
	done   chan struct{}
}

// statusQueue bounds what a slow receiver can leave unread; the newest stay.
const statusQueue = 16

// Status carries each change of health, the first one included. It is closed
// when the supervisor has ended.
func (s *Supervisor) Status() <-chan hw.Status { return s.status }

// Done is closed once the context has ended and the device is closed. An opening
// that hangs in the kernel can outlive it; it closes what it opened by itself.
func (s *Supervisor) Done() <-chan struct{} { return s.done }

// job is what a supervisor does with one kind of device.
type job[D io.Closer] struct {
	open  func(context.Context) (D, error)
	begin func() // before the device is reported as ready; nil: nothing to do
	// serve works until the device fails or ctx ends, and closes it; fault
	// reports a device that neither works nor gives up.
	serve func(ctx context.Context, dev D, fault func(error)) error
	lost  func(context.Context) // after each failure
	end   func()                // when the supervisor ends
}

// start runs the job in the background and returns at once.
func start[D io.Closer](ctx context.Context, cfg Config, j job[D]) *Supervisor {
	s := &Supervisor{status: make(chan hw.Status, statusQueue), done: make(chan struct{})}
	r := &runner[D]{Supervisor: s, cfg: cfg, job: j}
	go func() {
		defer close(s.done)
		defer close(s.status)
		defer j.end()
		r.run(ctx)
	}()
	return s
}

// runner is a supervisor at work; one goroutine owns it.
type runner[D io.Closer] struct {
	*Supervisor
	cfg  Config
	job  job[D]
	said bool // the loss is logged; the return is not yet
	last hw.Status
}

func (r *runner[D]) run(ctx context.Context) {
	backoff := r.cfg.MinBackoff
	r.report(hw.Absent, nil)
	for ctx.Err() == nil {
		r.report(hw.Opening, nil)
		dev, err := r.open(ctx)
		if err == nil {
			if r.job.begin != nil {
				r.job.begin()
			}
			r.report(hw.Ready, nil)
			since := r.cfg.Clock.Now()
			faulted := false
			err = r.job.serve(ctx, dev, func(err error) {
				faulted = true
				r.report(hw.Faulted, err)
			})
			if r.cfg.Clock.Now()-since >= r.cfg.StableFor {
				backoff = r.cfg.MinBackoff
			}
			if ctx.Err() != nil {
				return
			}
			if err == nil {
				err = errors.New("the device ended by itself")
			}
			if !faulted {
				r.report(hw.Degraded, err)
			}
		} else if ctx.Err() != nil {
			return
		} else if errors.Is(err, hw.ErrAbsent) {
			r.report(hw.Absent, err)
		} else {
			r.report(hw.Faulted, err)
		}
		r.job.lost(ctx)
		// Half fixed, half drawn: a fleet that lost power does not retry in step.
		wait := backoff/2 + time.Duration(r.cfg.Rand()*float64(backoff/2))
		if r.cfg.Clock.Sleep(ctx, wait) != nil {
			return
		}
		backoff = min(2*backoff, r.cfg.MaxBackoff)
	}
}

// open gives the opening its deadline. One that does not end is waited for
// before the next: a second one on the same device would not fare better, and
// openings would pile up.
func (r *runner[D]) open(ctx context.Context) (D, error) {
	type result struct {
		dev D
		err error
	}
	octx, cancel := context.WithCancel(ctx)
	defer cancel()
	wait, opened := context.WithCancel(ctx)
	defer opened()
	results := make(chan result, 1)
	go func() {
		defer opened()
		dev, err := r.job.open(octx)
		results <- result{dev, err}
	}()
	late := r.cfg.Clock.Sleep(wait, r.cfg.OpenTimeout) == nil
	if late {
		cancel()
		r.report(hw.Faulted, fmt.Errorf("cannot open %s: no answer within %v; check its wiring, then cut its power once", r.cfg.Device, r.cfg.OpenTimeout))
	}
	var none D
	select {
	case res := <-results:
		if late && res.err == nil {
			return none, errors.Join(fmt.Errorf("cannot use %s: it took longer than %v to open", r.cfg.Device, r.cfg.OpenTimeout), res.dev.Close())
		}
		if ctx.Err() != nil && res.err == nil {
			return none, errors.Join(ctx.Err(), res.dev.Close())
		}
		return res.dev, res.err
	case <-ctx.Done():
		go func() {
			if res := <-results; res.err == nil {
				_ = res.dev.Close() // nobody is left to tell
			}
		}()
		return none, ctx.Err()
	}
}

// report sends a change of health, and logs once when the device is lost and
// once when it is back. The newest status always gets through. A device that
// stays lost is not reported again at each try to open it.
func (r *runner[D]) report(h hw.Health, err error) {
	st := hw.Status{Name: r.cfg.Name, Device: r.cfg.Device, Health: h}
	if err != nil {
		st.Err = err.Error()
	}
	retry := h == hw.Opening && r.last.Err != "" && r.last.Health != hw.Degraded
	if retry || st == r.last {
		return
	}
	r.last = st
	switch {
	case err != nil && !r.said:
		r.said = true
		r.cfg.Log.Error("device lost", "name", r.cfg.Name, "device", r.cfg.Device, "health", h, "err", err)
	case h == hw.Ready && r.said:
		r.said = false
		r.cfg.Log.Info("device back", "name", r.cfg.Name, "device", r.cfg.Device)
	}
	for {
		select {
		case r.status <- st:
			return
		default:
			select {
			case <-r.status:
			default:
			}
		}
	}
}
