// Package pn532 drives NXP's PN532 contactless reader over SPI, I²C or a serial
// line and turns the ISO/IEC 14443-3 type A cards in its field into hw.Badges.
// Sections cited are those of UM0701-02, the chip's user manual.
//
// The chip does anticollision itself and tells of two cards at once at most
// (7.3.5). More are found by putting those into HALT and listing again, eight in
// all; what it could not read it does not tell of, so that a card that disturbs
// another may be reported a look later than it.
//
// The package starts no goroutine: Next polls on its caller's. Raw UIDs live in a
// few fixed buffers, only while cards are being read, and are zeroed after.
package pn532

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"borne/hw"
	"borne/hw/presence"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/spi"
)

// maxFaults is how many looks in a row may need a reset before the reader gives
// up and asks to be opened again.
const maxFaults = 3

// Reader is an open PN532. Next is for one goroutine at a time; Close and Beat
// are for any.
type Reader struct {
	bus     bus
	opts    Options
	key     hw.BadgeKey
	version [4]byte
	cards   *presence.Tracker
	faults  int
	next    time.Duration // when the next look is due
	beat    atomic.Int64
}

var _ hw.Reader = (*Reader)(nil)

// OpenSPI, OpenI2C and OpenUART wake and identify the chip behind a port, and own
// the port from then on: it is closed when they fail. key must not keep the UID.
func OpenSPI(ctx context.Context, port spi.PortCloser, opts Options, key hw.BadgeKey) (*Reader, error) {
	opts, err := opts.withDefaults(port.String())
	if err != nil {
		return nil, errors.Join(err, port.Close())
	}
	w, err := newSPI(port, opts.Frequency)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot open reader %s: %w", opts.Name, err), port.Close())
	}
	return open(ctx, w, opts, key)
}

// OpenI2C opens a reader on an I²C bus.
func OpenI2C(ctx context.Context, port i2c.BusCloser, opts Options, key hw.BadgeKey) (*Reader, error) {
	opts, err := opts.withDefaults(port.String())
	if err != nil {
		return nil, errors.Join(err, port.Close())
	}
	return open(ctx, &i2cWire{bus: port}, opts, key)
}

// OpenUART opens a reader on a serial line.
func OpenUART(ctx context.Context, port Serial, opts Options, key hw.BadgeKey) (*Reader, error) {
	opts, err := opts.withDefaults(port.String())
	if err != nil {
		return nil, errors.Join(err, port.Close())
	}
	return open(ctx, &uartWire{line: port}, opts, key)
}

func open(ctx context.Context, w wire, opts Options, key hw.BadgeKey) (*Reader, error) {
	if key == nil {
		return nil, errors.Join(fmt.Errorf("cannot open reader %s: no badge key; enrol the terminal first", opts.Name), w.Close())
	}
	r := &Reader{opts: opts, key: key, cards: presence.New(opts.LeaveAfter, opts.Prove != nil)}
	r.bus.wire = w
	if err := r.reset(ctx, true); err != nil {
		if errors.Is(err, errSilent) || errors.Is(err, errAddress) {
			err = fmt.Errorf("%w: no PN532 answers: check its wiring, its power, and that its switches select this bus (%w)", hw.ErrAbsent, err)
		}
		return nil, errors.Join(fmt.Errorf("cannot open reader %s: %w", opts.Name, err), w.Close())
	}
	r.next = opts.Clock.Now()
	r.beat.Store(int64(r.next))
	opts.Log.Debug("reader open", "reader", opts.Name, "firmware", fmt.Sprintf("%d.%d", r.version[1], r.version[2]))
	return r, nil
}

// Beat is when the reader last looked at its field successfully, on its clock.
func (r *Reader) Beat() time.Duration { return time.Duration(r.beat.Load()) }

// Close switches the field off if it can and closes the port. A blocked Next
// returns hw.ErrClosed.
func (r *Reader) Close() error {
	var b [16]byte
	n, err := build(b[:], cmdRFConfiguration, []byte{itemField, 0})
	return errors.Join(err, r.bus.close(b[:n]))
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
		_ = r.field(context.WithoutCancel(ctx), false)
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
