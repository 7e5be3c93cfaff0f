package mfrc522

import (
	"context"
	"errors"
	"fmt"
	"time"

	"borne/hw"

	"periph.io/x/conn/v3/gpio"
)

const (
	resetDeadline = 50 * time.Millisecond // the oscillator starts within 38 µs (8.8.2); crystals age
	resetStep     = time.Millisecond
)

// reset climbs the ladder: soft reset, then the reset pin where it is wired; a
// locked-up chip may claim to have done the soft one, so hardFirst skips it.
// The last rung, opening the port again, belongs to whoever called Open.
func (r *Reader) reset(ctx context.Context, hardFirst bool) error {
	hard := func() error { return r.resetBy(ctx, func() error { return r.pulse(ctx) }) }
	if hardFirst && r.opts.Reset != nil {
		return hard()
	}
	soft := r.resetBy(ctx, func() error { return r.bus.write(regCommand, cmdSoftReset) })
	if soft == nil || ctx.Err() != nil || errors.Is(soft, hw.ErrClosed) || r.opts.Reset == nil {
		return soft
	}
	if err := hard(); err != nil {
		return fmt.Errorf("%w (soft reset before it: %w)", err, soft)
	}
	return nil
}

// selfTest has the chip carry out one exchange: a locked-up chip still answers
// register reads.
func (r *Reader) selfTest(ctx context.Context) error {
	var rx [fifoSize]byte
	defer clear(rx[:])
	if err := r.field(ctx, true); err != nil {
		return err
	}
	_, err := r.exchange(ctx, []byte{cmdREQA}, 7, &rx)
	if err != nil && !errors.Is(err, errNoCard) && !errors.Is(err, errFrame) {
		return err
	}
	return r.field(ctx, false)
}

// pulse holds NRSTPD low: 100 ns are enough (8.8.1).
func (r *Reader) pulse(ctx context.Context) error {
	if err := r.opts.Reset.Out(gpio.Low); err != nil {
		return fmt.Errorf("cannot pull the reset pin %s low: %w", r.opts.Reset, err)
	}
	slept := r.opts.Clock.Sleep(ctx, resetStep)
	// High again even when ctx ended: a chip held in reset would look absent.
	if err := r.opts.Reset.Out(gpio.High); err != nil {
		return fmt.Errorf("cannot release the reset pin %s: %w", r.opts.Reset, err)
	}
	return slept
}

// resetBy triggers a reset, waits for the oscillator, identifies the chip and
// configures it.
func (r *Reader) resetBy(ctx context.Context, trigger func() error) error {
	if err := trigger(); err != nil {
		return err
	}
	start := r.opts.Clock.Now()
	for {
		if err := r.opts.Clock.Sleep(ctx, resetStep); err != nil {
			return err
		}
		v, err := r.bus.readOne(regCommand)
		if err != nil {
			return err
		}
		// 0xFF is a MISO line that nothing drives.
		if v != 0xFF && v&commandPowerDown == 0 {
			break
		}
		if r.opts.Clock.Now()-start > resetDeadline {
			return fmt.Errorf("%w: CommandReg still reads 0x%02X %v after a reset; check power, MISO and chip select", errChip, v, resetDeadline)
		}
	}
	v, err := r.bus.readOne(regVersion)
	if err != nil {
		return err
	}
	if err := checkVersion(v); err != nil {
		return err
	}
	if err := r.bus.writeAll(configuration(gainBits(r.opts.GainDB))); err != nil {
		return err
	}
	r.version, r.reload = v, timerReload
	return r.sentinel()
}

// checkVersion accepts NXP's chips (9.3.4.8: 0x91, 0x92; 0x90 is in the field)
// and the clones that are sold under its name (Fudan 0x88, 0xB2; 0x12).
func checkVersion(v byte) error {
	switch v {
	case 0x90, 0x91, 0x92, 0x88, 0xB2, 0x12:
		return nil
	case 0x00, 0xFF:
		return fmt.Errorf("%w: no MFRC522 answers (VersionReg reads 0x%02X); check its wiring, its power and that the SPI device is the right one", hw.ErrAbsent, v)
	}
	return fmt.Errorf("%w: VersionReg reads 0x%02X, which no MFRC522 has; check the wiring or lower the clock option", errChip, v)
}

// sentinel tells a chip that lost its configuration or left the bus.
func (r *Reader) sentinel() error {
	v, err := r.bus.readOne(regTPrescaler)
	if err != nil {
		return err
	}
	if v != sentinelTimer {
		return fmt.Errorf("%w: it lost its configuration (TPrescalerReg reads 0x%02X); its power may dip", errChip, v)
	}
	return nil
}
