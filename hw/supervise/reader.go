package supervise

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"borne/hw"
)

// closeGrace is how long the end of a supervisor waits for a reader to close.
const closeGrace = 2 * time.Second

// beater is a reader that tells when it last looked at its field (on the
// supervisor's clock): without it a Next that hangs looks like a quiet evening.
type beater interface{ Beat() time.Duration }

// Reader is a supervised badge reader.
type Reader struct {
	*Supervisor
	taps chan hw.Tap
}

// Taps carries taps; it is closed when the supervisor has ended. The reader
// waits for its receiver.
func (r *Reader) Taps() <-chan hw.Tap { return r.taps }

// StartReader supervises the reader that open opens, until ctx ends. It returns
// at once, whatever the hardware does.
func StartReader(ctx context.Context, cfg Config, open func(context.Context) (hw.Reader, error)) (*Reader, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	r := &Reader{taps: make(chan hw.Tap)}
	// A worker that hangs in the kernel outlives the supervisor, so that it must
	// find out by itself that nobody takes taps any more: the channel is left
	// open then.
	var workers atomic.Int64
	r.Supervisor = start(ctx, cfg, job[hw.Reader]{
		open: open,
		serve: func(ctx context.Context, dev hw.Reader, fault func(error)) error {
			return r.serve(ctx, cfg, dev, fault, &workers)
		},
		lost: func(context.Context) {},
		end: func() {
			if workers.Load() == 0 {
				close(r.taps)
			}
		},
	})
	return r, nil
}

// serve has a worker forward taps and watches over it.
func (r *Reader) serve(ctx context.Context, cfg Config, dev hw.Reader, fault func(error), workers *atomic.Int64) error {
	wctx, stop := context.WithCancel(ctx)
	defer stop()
	// over ends with the worker, not with ctx: Next may take a moment to return.
	over, end := context.WithCancel(context.Background())
	var looking atomic.Int64 // when Next was called; -1 while a tap is handed over
	looking.Store(int64(cfg.Clock.Now()))
	errs := make(chan error, 1)
	workers.Add(1)
	go func() {
		defer end()
		err := r.forward(wctx, cfg, dev, &looking)
		workers.Add(-1)
		errs <- errors.Join(err, dev.Close())
	}()
	b, beats := dev.(beater)
	for stalled := false; ; {
		sctx, cancel := context.WithCancel(over)
		unlink := context.AfterFunc(ctx, cancel)
		slept := cfg.Clock.Sleep(sctx, cfg.StallAfter/2)
		unlink()
		cancel()
		switch {
		case over.Err() != nil:
			return <-errs
		case ctx.Err() != nil:
			if cfg.Clock.Sleep(over, closeGrace) == nil {
				return ctx.Err() // it hangs, and closes its device if it ever returns
			}
			return <-errs
		case slept == nil && beats && !stalled:
			since := looking.Load()
			if since >= 0 && cfg.Clock.Now()-max(b.Beat(), time.Duration(since)) > cfg.StallAfter {
				stalled = true
				fault(fmt.Errorf("cannot read badges on %s: it does not answer since %v; check its wiring, then cut its power once", cfg.Device, cfg.StallAfter))
				stop()
			}
		}
	}
}

// forward hands taps over until the reader fails or ctx ends.
func (r *Reader) forward(ctx context.Context, cfg Config, dev hw.Reader, looking *atomic.Int64) error {
	for {
		looking.Store(int64(cfg.Clock.Now()))
		tap, err := dev.Next(ctx)
		looking.Store(-1)
		if err != nil {
			return err
		}
		select {
		case r.taps <- tap:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
