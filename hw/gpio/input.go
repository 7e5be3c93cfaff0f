package gpio

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"borne/hw"

	"golang.org/x/sys/unix"
)

const (
	// heartbeat is how often a quiet line is read: kernels before 6.5 wake nobody
	// when a chip goes, and a burst can overflow the kernel's queue of 16 edges.
	heartbeat = time.Second
	// watchQueue bounds what a slow watcher leaves unread; the newest levels stay.
	watchQueue = 64
)

// Input is a contact on one line. One goroutine owns the line from opening to Close.
type Input struct {
	opts Options
	wire wire
	soft time.Duration        // debounced here; 0: the kernel does
	now  func() time.Duration // the clock of the edges
	done chan struct{}

	mu       sync.Mutex
	level    hw.Level
	ended    bool
	lost     error                         // why it ended by itself
	watchers map[chan hw.Level]func() bool // each with what unlinks it from its context
}

var _ hw.Input = (*Input)(nil)

// OpenInput takes the line as an input with edge events.
func OpenInput(_ context.Context, a Address, opts Options) (*Input, error) {
	opts, err := opts.withDefaults(a)
	if err != nil {
		return nil, err
	}
	c := config{activeLow: opts.ActiveLow, bias: opts.Bias, edges: true, debounce: max(0, opts.Debounce)}
	var soft time.Duration
	l, err := request(a, c)
	if c.debounce > 0 && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.E2BIG)) {
		soft, c.debounce = c.debounce, 0
		l, err = request(a, c)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open contact %s: %w", opts.Name, err)
	}
	opts.Log.Debug("contact open", "device", opts.Name, "chip", l.chip, "debounce", opts.Debounce, "by_kernel", soft == 0)
	return openInput(l, soft, monotonic, opts)
}

func openInput(w wire, soft time.Duration, now func() time.Duration, opts Options) (*Input, error) {
	on, err := w.Get()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open contact %s: %w", opts.Name, err), w.Close())
	}
	i := &Input{opts: opts, wire: w, soft: soft, now: now, level: level(on), done: make(chan struct{}), watchers: map[chan hw.Level]func() bool{}}
	go func() {
		defer close(i.done)
		i.end(i.run())
	}()
	return i, nil
}

// run follows the line until it is closed or lost.
func (i *Input) run() error {
	var settle time.Duration // when a bouncing line counts as settled; 0: it is quiet
	for {
		wait := heartbeat
		if settle > 0 {
			wait = min(wait, max(0, settle-i.now()))
		}
		at, edge, err := i.wire.Edge(wait)
		if err != nil {
			return err
		}
		if edge && i.soft > 0 {
			settle = at + i.soft
			continue
		}
		if settle > 0 && i.now() < settle {
			continue // the heartbeat, while it bounces
		}
		on, err := i.wire.Get()
		if err != nil {
			return err
		}
		if !edge && settle == 0 && i.soft > 0 && level(on) != i.current() {
			settle = i.now() + i.soft // an edge was missed
			continue
		}
		settle = 0
		i.publish(level(on))
	}
}

func (i *Input) current() hw.Level {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.level
}

// publish tells the watchers of a change.
func (i *Input) publish(l hw.Level) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tell(l)
}

func (i *Input) tell(l hw.Level) {
	if l == i.level {
		return
	}
	i.level = l
	for ch := range i.watchers {
		for sent := false; !sent; {
			select {
			case ch <- l:
				sent = true
			default: // full: the oldest level goes
				select {
				case <-ch:
				default:
				}
			}
		}
	}
}

// end says Unknown when the line was lost, and closes the watchers' channels.
func (i *Input) end(err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.ended = true
	if !errors.Is(err, hw.ErrClosed) {
		i.lost = fmt.Errorf("cannot read contact %s: %w", i.opts.Name, err)
		i.tell(hw.Unknown)
	}
	for ch, unlink := range i.watchers {
		unlink()
		close(ch)
	}
	clear(i.watchers)
}

// Watch implements hw.Input. The channel is closed when ctx ends, when the input
// is closed, and after hw.Unknown when the line is lost; Close then says why.
func (i *Input) Watch(ctx context.Context) (<-chan hw.Level, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	switch {
	case i.lost != nil:
		return nil, i.lost
	case i.ended:
		return nil, fmt.Errorf("cannot watch contact %s: %w", i.opts.Name, hw.ErrClosed)
	case ctx.Err() != nil:
		return nil, ctx.Err()
	}
	ch := make(chan hw.Level, watchQueue)
	ch <- i.level
	i.watchers[ch] = context.AfterFunc(ctx, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if _, ok := i.watchers[ch]; ok {
			delete(i.watchers, ch)
			close(ch)
		}
	})
	return ch, nil
}

// Close gives the line back. Its error is the loss of the line, if it was lost.
func (i *Input) Close() error {
	err := i.wire.Close()
	<-i.done
	i.mu.Lock()
	defer i.mu.Unlock()
	return errors.Join(i.lost, err)
}
