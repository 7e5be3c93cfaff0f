package gpio

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"borne/hw"
)

// An output is read back until it shows its level, so many times and so far
// apart: a long wire has its capacitance.
const (
	readBacks    = 3
	readBackStep = time.Millisecond
)

// Output is a relay, light or buzzer on one line. Safe for concurrent use.
type Output struct {
	opts Options

	mu     sync.Mutex
	wire   wire
	closed bool
}

var _ hw.Output = (*Output)(nil)

// OpenOutput takes the line as an output that shows Options.Safe from its first
// moment.
func OpenOutput(ctx context.Context, a Address, opts Options) (*Output, error) {
	opts, err := opts.withDefaults(a)
	if err != nil {
		return nil, err
	}
	l, err := request(a, config{output: true, value: opts.Safe == hw.On, activeLow: opts.ActiveLow, bias: opts.Bias})
	if err != nil {
		return nil, fmt.Errorf("cannot open output %s: %w", opts.Name, err)
	}
	r := Released(l.chip)
	opts.Log.Debug("output open", "device", opts.Name, "chip", l.chip, "level", opts.Safe, "if_killed", r.String())
	if r == ReleaseKeeps {
		opts.Log.Warn("a killed agent leaves this output as it was until it is back; add dtparam=strict_gpiod to config.txt and a resistor towards the safe level", "device", opts.Name)
	}
	return openOutput(ctx, l, opts)
}

func openOutput(ctx context.Context, w wire, opts Options) (*Output, error) {
	o := &Output{opts: opts, wire: w}
	if _, err := o.verify(ctx, opts.Safe); err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open output %s: %w", opts.Name, err), w.Close())
	}
	return o, nil
}

// Set implements hw.Output. A line that does not show what was asked is an
// error; the level returned is the one read.
func (o *Output) Set(ctx context.Context, to hw.Level) (hw.Level, error) {
	if err := ctx.Err(); err != nil {
		return hw.Unknown, err
	}
	if to != hw.On && to != hw.Off {
		return hw.Unknown, fmt.Errorf("cannot set output %s to unknown; ask for on or off", o.opts.Name)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return hw.Unknown, fmt.Errorf("cannot switch output %s: %w", o.opts.Name, hw.ErrClosed)
	}
	if err := o.wire.Set(to == hw.On); err != nil {
		return hw.Unknown, fmt.Errorf("cannot switch output %s %s: %w", o.opts.Name, to, err)
	}
	l, err := o.verify(ctx, to)
	if err != nil {
		return l, fmt.Errorf("cannot switch output %s %s: %w", o.opts.Name, to, err)
	}
	return l, nil
}

// verify reads the line until it shows what it should.
func (o *Output) verify(ctx context.Context, want hw.Level) (hw.Level, error) {
	for n := 1; ; n++ {
		on, err := o.wire.Get()
		if err != nil {
			return hw.Unknown, err
		}
		if level(on) == want {
			return want, nil
		}
		if n == readBacks {
			return level(on), fmt.Errorf("it reads back %s: something else drives the pin; check its wiring for a short circuit", level(on))
		}
		if err := o.opts.Clock.Sleep(ctx, readBackStep); err != nil {
			return level(on), err
		}
	}
}

// Close switches the output to its safe level and gives the line back.
func (o *Output) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	o.closed = true
	err := o.wire.Set(o.opts.Safe == hw.On)
	if err != nil {
		err = fmt.Errorf("cannot leave output %s in its safe state, %s: %w", o.opts.Name, o.opts.Safe, err)
	}
	return errors.Join(err, o.wire.Close())
}
