package screen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"borne/hw"
)

const (
	// Patience is how long Light(true) waits for its methods: a person who
	// touched the terminal has the display back within a second, or it is
	// reported that this is not known. Slower ones go on behind.
	Patience = 900 * time.Millisecond
	// stagger is the head start of each method before the next, when lighting:
	// the mains come back before the screen is told to wake up.
	stagger = 100 * time.Millisecond
	// closeGrace is how long Close waits for methods that mind their context.
	closeGrace = 2 * time.Second
	maxMethods = 8
)

// errLater: a method goes on behind.
var errLater = errors.New("it takes longer than a person waits")

// Config says how a chain darkens.
type Config struct {
	Methods []Method // in the order in which they are tried
	All     bool     // darken by all of them; otherwise by the first that is verified
	Log     *slog.Logger
}

// Chain is a display with several ways to darken it. It is safe for concurrent
// use, and lighting overtakes a darkening that is under way.
type Chain struct {
	all  bool
	ways []*worker
	log  *slog.Logger
	life context.Context
	end  context.CancelFunc

	mu   sync.Mutex
	lit  bool                    // what was asked last
	turn context.Context         // ends, with ErrSuperseded, when the opposite is asked
	over context.CancelCauseFunc // ends turn
	used map[*worker]bool        // darkened by, and not verified as lit since
	dark *darkening              // the one under way; nil: none
}

// darkening goes through the ways on its own time: whoever asked may have less.
type darkening struct {
	turn  context.Context
	done  chan struct{} // closed when what follows is set
	level hw.Level
	err   error
}

// NewChain returns a chain that has not done anything yet.
func NewChain(cfg Config) (*Chain, error) {
	if n := len(cfg.Methods); n == 0 || n > maxMethods {
		return nil, fmt.Errorf("cannot switch a display in %d ways: give 1 to %d", n, maxMethods)
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	c := &Chain{all: cfg.All, log: cfg.Log, lit: true, used: map[*worker]bool{}}
	c.life, c.end = context.WithCancel(context.Background())
	c.turn, c.over = context.WithCancelCause(c.life)
	for _, m := range cfg.Methods {
		if m.Screen == nil || m.Name == "" || slices.ContainsFunc(c.ways, func(w *worker) bool { return w.Name == m.Name }) {
			return nil, fmt.Errorf("cannot switch a display by %q: each way needs a name of its own", m.Name)
		}
		if m.Timeout <= 0 {
			m.Timeout = SlowChange
		}
		c.ways = append(c.ways, &worker{Method: m, life: c.life, tell: c.note})
	}
	return c, nil
}

// Light implements hw.Screen. To darken, it tries its methods in order until
// one is verified (or all), each for its own Timeout at the longest. When ctx ends
// first the rest is tried all the same, behind; asking again joins that. An error
// that wraps ErrTooSoon (and is a *TooSoonError) says when a way that is not rested
// yet may be asked; with All the level may be Off beside it. To light, it undoes all that were used since the
// display was last seen lit, or, when none was, uses all: the last one first,
// each with a short head start, none waiting for another; and returns after
// Patience at the latest. The level is Unknown when the change could not be
// verified. Report tells more, later outcomes included.
func (c *Chain) Light(ctx context.Context, on bool) (hw.Level, error) {
	if err := ctx.Err(); err != nil {
		return hw.Unknown, fmt.Errorf("cannot %s the display: %w", word(on), err)
	}
	c.mu.Lock()
	if c.lit != on {
		c.over(ErrSuperseded)
		c.turn, c.over = context.WithCancelCause(c.life)
	}
	c.lit = on
	turn := c.turn
	if !on {
		d := c.begun(turn)
		c.mu.Unlock()
		return d.wait(ctx)
	}
	c.mu.Unlock()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(turn, func() { cancel(context.Cause(turn)) })()
	return c.light(ctx, turn)
}

// begun returns the darkening of this turn, and begins it if it is not under way.
// c.mu is held.
func (c *Chain) begun(turn context.Context) *darkening {
	if c.dark != nil && c.dark.turn == turn {
		return c.dark
	}
	d := &darkening{turn: turn, done: make(chan struct{})}
	c.dark = d
	go func() {
		defer close(d.done)
		d.level, d.err = c.darken(turn)
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.dark == d {
			c.dark = nil
		}
	}()
	return d
}

func (d *darkening) wait(ctx context.Context) (hw.Level, error) {
	select {
	case <-d.done:
		return d.level, d.err
	case <-ctx.Done():
		return hw.Unknown, fmt.Errorf("cannot say yet that the display is dark: %w; it is darkened behind", context.Cause(ctx))
	}
}

// begin asks a method for a change, unless the opposite was asked meanwhile.
func (c *Chain) begin(turn context.Context, w *worker, on bool) *request {
	c.mu.Lock()
	defer c.mu.Unlock()
	if turn.Err() != nil {
		return nil
	}
	if !on {
		c.used[w] = true // from here on: it may work although it fails
	}
	return w.ask(on)
}

// note logs a result, and forgets the use of a method that is seen lit.
func (c *Chain) note(r Result) {
	if r.Err != nil {
		c.log.Warn("display", "method", r.Method, "on", r.On, "err", r.Err)
	} else {
		c.log.Info("display", "method", r.Method, "on", r.On, "verified", r.Verified, "level", r.Level, "took", r.Took)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !r.On || !r.Verified || !c.lit {
		return
	}
	for w := range c.used {
		if w.Name == r.Method {
			delete(c.used, w)
		}
	}
}

func (c *Chain) darken(turn context.Context) (hw.Level, error) {
	var errs []error
	level := hw.Unknown
	for _, w := range c.ways {
		q := c.begin(turn, w, false)
		var r Result
		if q != nil {
			r = w.wait(turn, q)
		}
		if err := context.Cause(turn); err != nil { // what is dark by now is lit again
			return hw.Unknown, fmt.Errorf("cannot darken the display: %w", err)
		}
		if r.Verified {
			level = hw.Off
			if !c.all {
				break
			}
		}
		if r.Err == nil && r.Level == hw.On && level == hw.Unknown {
			level = hw.On // it says that it did not work
		}
		if r.Err != nil {
			errs = append(errs, r.Err)
		}
	}
	err := errors.Join(errs...)
	soon := errors.Is(err, ErrTooSoon) && (level != hw.Off || c.all) // worth another order
	if !soon && (level == hw.Off || len(errs) < len(c.ways)) {
		return level, nil // what failed is in the report
	}
	return level, fmt.Errorf("cannot darken the display: %w", err)
}

func (c *Chain) light(ctx, turn context.Context) (hw.Level, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, Patience, errLater)
	defer cancel()
	c.mu.Lock()
	var ways []*worker // the last one first
	for i := len(c.ways) - 1; i >= 0; i-- {
		if w := c.ways[i]; len(c.used) == 0 || c.used[w] {
			ways = append(ways, w)
		}
	}
	c.mu.Unlock()
	asked := make([]*request, len(ways))
	for i, w := range ways {
		if asked[i] = c.begin(turn, w, true); asked[i] == nil {
			return hw.Unknown, fmt.Errorf("cannot light the display: %w", context.Cause(turn))
		}
		if i == len(ways)-1 {
			break
		}
		t := time.NewTimer(stagger)
		select {
		case <-asked[i].done:
		case <-t.C:
		}
		t.Stop()
	}
	var errs []error
	level := hw.On
	for i, w := range ways {
		r := w.wait(ctx, asked[i])
		switch {
		case errors.Is(r.Err, errLater): // the report has it when it ends
			level = hw.Unknown
		case r.Err != nil:
			level, errs = hw.Unknown, append(errs, r.Err)
		default:
			level = min(level, r.Level) // Unknown, Off, On
		}
	}
	if len(errs) > 0 {
		return level, fmt.Errorf("cannot light the display: %w", errors.Join(errs...))
	}
	return level, nil
}

// Report tells what each method that was ever used did last, in the configured order.
func (c *Chain) Report() []Result {
	var out []Result
	for _, w := range c.ways {
		if r, ok := w.report(); ok {
			out = append(out, r)
		}
	}
	return out
}

// Close ends what is under way and closes the methods. The display stays as it
// is. A method that hangs in the kernel is left behind, and is closed when it
// comes back.
func (c *Chain) Close() error {
	c.end()
	c.mu.Lock()
	dark := c.dark // ends with its turn
	c.mu.Unlock()
	if dark != nil {
		<-dark.done
	}
	done := make(chan error, 1)
	go func() {
		var wg sync.WaitGroup
		errs := make([]error, len(c.ways))
		for i, w := range c.ways {
			wg.Go(func() { errs[i] = w.end() })
		}
		wg.Wait()
		done <- errors.Join(errs...)
	}()
	t := time.NewTimer(closeGrace)
	defer t.Stop()
	select {
	case err := <-done:
		return err
	case <-t.C:
		return errors.New("cannot close the display: a method of it hangs; see its last report")
	}
}
