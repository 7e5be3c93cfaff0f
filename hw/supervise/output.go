package supervise

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"borne/hw"
)

// recheck is how often an output is set again to what it should be: it finds out
// that one is lost, and mends one that somebody else has switched.
const recheck = 30 * time.Second

// Output is a supervised output. It remembers the level asked for last, and gives
// it to a device that comes back.
type Output struct {
	*Supervisor
	cfg Config

	mu      sync.Mutex
	wanted  hw.Level
	serving *service // nil while the device is not there
}

// service is one opening of the device.
type service struct {
	orders  chan order
	changed chan struct{} // one order at least was given up by its asker, and stands
	gone    chan struct{} // closed when it ends
}

// order asks for the level that is wanted.
type order struct {
	done chan answer // takes one without waiting
}

type answer struct {
	level hw.Level
	err   error
}

// StartOutput supervises the output that open opens, until ctx ends; the device is
// closed then, which leaves it at its safe level. It returns at once, whatever the
// hardware does.
func StartOutput(ctx context.Context, cfg Config, open func(context.Context) (hw.Output, error)) (*Output, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	o := &Output{cfg: cfg}
	o.Supervisor = start(ctx, cfg, job[hw.Output]{
		open:  open,
		begin: o.begin,
		serve: o.serve,
		lost:  func(context.Context) {},
		end:   func() {},
	})
	return o, nil
}

// Set switches the output and returns the level read back. When the device is not
// there, or fails, the level is kept for when it is back, and the error says so. It
// is kept, and switched, also when ctx ends before the device has had time for it.
func (o *Output) Set(ctx context.Context, l hw.Level) (hw.Level, error) {
	if l != hw.On && l != hw.Off {
		return hw.Unknown, fmt.Errorf("cannot set output %s to unknown; ask for on or off", o.cfg.Name)
	}
	o.mu.Lock()
	o.wanted = l
	s := o.serving
	o.mu.Unlock()
	absent := func() (hw.Level, error) {
		return hw.Unknown, fmt.Errorf("cannot switch output %s %s now: %w; it is switched once it is back", o.cfg.Name, l, hw.ErrAbsent)
	}
	if s == nil {
		return absent()
	}
	ask := order{make(chan answer, 1)}
	select {
	case s.orders <- ask:
	case <-s.gone:
		return absent()
	case <-ctx.Done():
		select {
		case s.changed <- struct{}{}:
		default: // it will look anyhow
		}
		return hw.Unknown, ctx.Err()
	}
	select {
	case a := <-ask.done:
		return a.level, a.err
	case <-ctx.Done():
		return hw.Unknown, ctx.Err()
	}
}

// begin takes orders for a device from before it is said to be ready: whoever
// hears that and switches it at once is not told that it is absent.
func (o *Output) begin() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.serving = &service{orders: make(chan order), changed: make(chan struct{}, 1), gone: make(chan struct{})}
}

func (o *Output) serve(ctx context.Context, dev hw.Output, fault func(error)) error {
	o.mu.Lock()
	s := o.serving
	o.mu.Unlock()
	wanted := func() hw.Level { // by whoever asked last, even if nobody waits for it
		o.mu.Lock()
		defer o.mu.Unlock()
		return o.wanted
	}
	defer func() {
		o.mu.Lock()
		o.serving = nil
		o.mu.Unlock()
		close(s.gone)
	}()
	h := &hand{dev: dev, cfg: o.cfg, fault: fault}
	if l := wanted(); l != hw.Unknown {
		if a := h.set(ctx, l); a.err != nil {
			return h.close(ctx, a.err)
		}
	}
	tctx, stop := context.WithCancel(ctx)
	ticks, ticking := make(chan struct{}), sync.WaitGroup{}
	ticking.Go(func() {
		for o.cfg.Clock.Sleep(tctx, recheck) == nil {
			select {
			case ticks <- struct{}{}:
			case <-tctx.Done():
			}
		}
	})
	defer ticking.Wait()
	defer stop()
	for {
		var a answer
		select {
		case ask := <-s.orders:
			a = h.set(ctx, wanted())
			ask.done <- a
		case <-ticks:
			l := wanted()
			if l == hw.Unknown {
				continue // nobody asked yet: it is as it was opened
			}
			a = h.set(ctx, l)
		case <-s.changed:
			a = h.set(ctx, wanted())
		case <-ctx.Done():
			return h.close(ctx, ctx.Err())
		}
		if a.err != nil {
			return h.close(ctx, a.err)
		}
	}
}

// hand works one device, whose operations may hang in the kernel.
type hand struct {
	dev   hw.Output
	cfg   Config
	fault func(error)
	hung  <-chan answer // an operation that was given up, and is still under way
}

// set gives the operation its deadline. One that is late is waited for no longer:
// the device is faulted, and closed once it returns.
func (h *hand) set(ctx context.Context, l hw.Level) answer {
	over, end := context.WithCancel(ctx)
	defer end()
	answers := make(chan answer, 1)
	go func() {
		defer end()
		level, err := h.dev.Set(ctx, l)
		answers <- answer{level, err}
	}()
	late := h.cfg.Clock.Sleep(over, h.cfg.StallAfter) == nil
	select {
	case a := <-answers:
		return a
	default:
	}
	if !late && ctx.Err() == nil {
		return <-answers // it has just ended
	}
	h.hung = answers
	if !late {
		return answer{hw.Unknown, ctx.Err()}
	}
	err := fmt.Errorf("cannot switch output %s: no answer within %v; check its wiring, then cut its power once", h.cfg.Device, h.cfg.StallAfter)
	h.fault(err)
	return answer{hw.Unknown, err}
}

// close closes the device, after an operation that hangs has returned. Until then
// the next opening waits, for it would not fare better; the end does not.
func (h *hand) close(ctx context.Context, why error) error {
	if h.hung == nil {
		return errors.Join(why, h.dev.Close())
	}
	closed := make(chan error, 1)
	over, end := context.WithCancel(context.Background())
	defer end()
	go func() {
		<-h.hung
		closed <- h.dev.Close()
		end()
	}()
	select {
	case err := <-closed:
		return errors.Join(why, err)
	case <-ctx.Done():
	}
	if h.cfg.Clock.Sleep(over, closeGrace) == nil {
		return why // it hangs, and is closed if it ever returns
	}
	return errors.Join(why, <-closed)
}
