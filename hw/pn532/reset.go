package pn532

import (
	"context"
	"errors"
	"fmt"
	"time"

	"borne/hw"

	"periph.io/x/conn/v3/gpio"
)

const (
	wakeTime  = 2 * time.Millisecond // T_osc_start, with room (data sheet, 12.24; AN10609)
	resetTime = time.Millisecond     // RSTPDN low: 20 ns are enough
	startTime = 10 * time.Millisecond
	icPN532   = 0x32 // IC of GetFirmwareVersion, 7.2.2
)

// reset climbs the ladder: the chip is woken, freed and configured anew, then the
// same after a pulse on its reset pin where that is wired; it has no reset by
// command. hardFirst begins with the pin. The last rung, opening the port again,
// belongs to whoever opened the reader.
func (r *Reader) reset(ctx context.Context, hardFirst bool) error {
	hard := func() error {
		if err := r.pulse(ctx); err != nil {
			return err
		}
		return r.start(ctx)
	}
	if hardFirst && r.opts.Reset != nil {
		return hard()
	}
	soft := r.start(ctx)
	if soft == nil || ctx.Err() != nil || errors.Is(soft, hw.ErrClosed) || r.opts.Reset == nil {
		return soft
	}
	if err := hard(); err != nil {
		return fmt.Errorf("%w (woken before it: %w)", err, soft)
	}
	return nil
}

// pulse holds RSTPDN low.
func (r *Reader) pulse(ctx context.Context) error {
	if err := r.opts.Reset.Out(gpio.Low); err != nil {
		return fmt.Errorf("cannot pull the reset pin %s low: %w", r.opts.Reset, err)
	}
	slept := r.opts.Clock.Sleep(ctx, resetTime)
	// High again even when ctx ended: a chip held in reset would look absent.
	if err := r.opts.Reset.Out(gpio.High); err != nil {
		return fmt.Errorf("cannot release the reset pin %s: %w", r.opts.Reset, err)
	}
	if slept != nil {
		return slept
	}
	return r.opts.Clock.Sleep(ctx, startTime)
}

// start wakes the chip, ends what it was doing, and configures it. It powers up in
// "low Vbat" mode, which only SAMConfiguration leaves (3.1): so that comes first.
func (r *Reader) start(ctx context.Context) error {
	var err error
	for range 2 { // what was being sent may have swallowed the first
		if err = r.wake(ctx); err != nil {
			return err
		}
		// Normal mode: no SAM; no timeout; the IRQ pin is not used (7.2.10).
		if err = r.set(ctx, cmdSAMConfiguration, 0x01, 0x00, 0x00); err == nil || !errors.Is(err, errChip) {
			break
		}
	}
	if err != nil {
		return err
	}
	var v [4]byte
	n, err := r.command(ctx, answerDeadline, v[:], cmdGetFirmwareVersion)
	if err != nil {
		return err
	}
	if n != len(v) || v[0] != icPN532 {
		return fmt.Errorf("%w: the chip there is no PN532 (it says IC 0x%02X in %d bytes); name its own driver in the device, or wire a PN532", errChip, v[0], n)
	}
	r.version = v
	if err := r.set(ctx, cmdSetParameters, 0); err != nil {
		return err
	}
	// MxRtyATR, MxRtyPSL, MxRtyPassiveActivation: all end (7.3.1, item 5). By
	// default the last never does.
	if err := r.set(ctx, cmdRFConfiguration, itemRetries, 1, 1, byte(r.opts.Retries)); err != nil {
		return err
	}
	return r.field(ctx, false)
}

func (r *Reader) wake(ctx context.Context) error {
	if err := r.bus.do(r.bus.wire.wake); err != nil {
		return err
	}
	if err := r.opts.Clock.Sleep(ctx, wakeTime); err != nil {
		return err
	}
	return r.abort()
}

// field switches the antenna; cards lose their state without it.
func (r *Reader) field(ctx context.Context, on bool) error {
	if !on {
		return r.set(ctx, cmdRFConfiguration, itemField, 0)
	}
	if err := r.set(ctx, cmdRFConfiguration, itemField, 1); err != nil {
		return err
	}
	return r.opts.Clock.Sleep(ctx, guardTime)
}
