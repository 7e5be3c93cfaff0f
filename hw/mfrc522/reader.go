// Package mfrc522 drives NXP's MFRC522 contactless reader over SPI and turns the
// ISO/IEC 14443-3 type A cards in its field into hw.Badges.
//
// It starts no goroutine: Next polls on its caller's. Raw UIDs live in a few
// fixed buffers, only while one card is being read, and are zeroed after.
package mfrc522

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"borne/hw"
	"borne/hw/presence"

	"periph.io/x/conn/v3/spi"
)

const (
	// maxFaults is how many looks in a row may need a reset before the reader
	// gives up and asks to be opened again.
	maxFaults = 3
)

// Reader is an open MFRC522. Next is for one goroutine at a time; Close and
// Beat are for any.
type Reader struct {
	bus     bus
	opts    Options
	key     hw.BadgeKey
	version byte
	cards   *presence.Tracker
	reload  uint16 // of the chip's timer
	faults  int
	next    time.Duration // when the next look is due
	beat    atomic.Int64
}

var _ hw.Reader = (*Reader)(nil)

// Open resets and identifies the chip behind port, and owns port from then on:
// it is closed when Open fails. key must not keep the UID.
func Open(ctx context.Context, port spi.PortCloser, opts Options, key hw.BadgeKey) (*Reader, error) {
	opts, err := opts.withDefaults(port.String())
	if err == nil && key == nil {
		err = fmt.Errorf("cannot open reader %s: no badge key; enrol the terminal first", opts.Name)
	}
	if err != nil {
		return nil, errors.Join(err, port.Close())
	}
	r := &Reader{opts: opts, key: key, cards: presence.New(opts.LeaveAfter, opts.Prove != nil)}
	r.bus.port = port
	if r.bus.conn, err = port.Connect(opts.Frequency, spi.Mode0, 8); err == nil {
		err = r.reset(ctx, true)
	}
	if err == nil {
		err = r.selfTest(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open reader %s: %w", opts.Name, err), port.Close())
	}
	r.next = opts.Clock.Now()
	r.beat.Store(int64(r.next))
	opts.Log.Debug("reader open", "reader", opts.Name, "version", fmt.Sprintf("0x%02X", r.version), "clock", opts.Frequency.String(), "gain_db", opts.GainDB)
	return r, nil
}

// Beat is when the reader last looked at its field successfully, on its clock.
func (r *Reader) Beat() time.Duration { return time.Duration(r.beat.Load()) }

// Close switches the field off if it can and closes the port. A blocked Next
// returns hw.ErrClosed.
func (r *Reader) Close() error {
	// The chip may be gone: only the port's own error matters to the caller.
	_ = r.bus.write(regTxControl, antennaOff)
	return r.bus.close()
}

// Next blocks until a card newly enters the field and returns every card then
// in it, those that have just entered first. A card has left after LeaveAfter
// looks without it. Errors other than ctx's mean: open the reader again.
func (r *Reader) Next(ctx context.Context) (hw.Tap, error) {
	for {
		if err := r.opts.Clock.Sleep(ctx, max(0, r.next-r.opts.Clock.Now())); err != nil {
			return hw.Tap{}, err
		}
		r.next = r.opts.Clock.Now() + r.opts.Poll
		tap, err := r.look(ctx)
		if err = r.recover(ctx, err); err != nil {
			return hw.Tap{}, err
		}
		if len(tap.Badges) > 0 {
			r.opts.Log.Debug("badges entered the field", "reader", r.opts.Name, "badges", len(tap.Badges))
			return tap, nil
		}
	}
}

// recover resets a chip that failed; it returns the errors that only opening
// again can mend.
func (r *Reader) recover(ctx context.Context, err error) error {
	if err == nil {
		r.faults = 0
		return nil
	}
	if ctx.Err() != nil {
		// Leave no field behind: it costs 0.3 W. The port's errors come again at the next look.
		_ = r.bus.write(regTxControl, antennaOff)
		return ctx.Err()
	}
	if errors.Is(err, errChip) {
		if r.faults++; r.faults < maxFaults {
			r.opts.Log.Debug("resetting the reader chip", "reader", r.opts.Name, "why", err)
			if err = r.reset(ctx, r.faults > 1); err == nil {
				return nil
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
		}
	}
	return fmt.Errorf("cannot read badges on %s: %w", r.opts.Name, err)
}

// look takes one inventory and returns a tap when somebody entered.
func (r *Reader) look(ctx context.Context) (hw.Tap, error) {
	asked := r.cards.AskRandoms()
	seen, complete, err := r.survey(ctx, asked)
	if err == nil && !asked && r.cards.Recount(seen) {
		// The field was just switched off; cards need a while to notice.
		if err = r.opts.Clock.Sleep(ctx, guardTime); err == nil {
			asked = true
			seen, complete, err = r.survey(ctx, asked)
		}
	}
	if err != nil {
		return hw.Tap{}, err
	}
	now := r.opts.Clock.Now()
	r.beat.Store(int64(now))
	return hw.Tap{At: now, Badges: r.cards.Look(seen, complete, asked)}, nil
}
