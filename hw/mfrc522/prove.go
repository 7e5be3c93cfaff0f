package mfrc522

import (
	"context"
	"errors"
	"fmt"
	"time"

	"borne/hw"
	"borne/hw/isodep"
)

const (
	// proveBudget bounds all that one card is asked, its waiting times included: a
	// mutual authentication takes some 60 ms.
	proveBudget = 600 * time.Millisecond
	// proveStep is how often an exchange's end is looked for: frames are longer
	// than those of the inventory and of any length.
	proveStep = time.Millisecond
	// timerStep is one count of the chip's timer as configured (8.5).
	timerStep = 25 * time.Microsecond
)

// air gives ISO/IEC 14443-4 its frames.
type air struct {
	r      *Reader
	until  time.Duration
	failed error // the chip's, the bus's or the context's: not the card's
}

var _ isodep.Exchanger = (*air)(nil)

// Exchange implements isodep.Exchanger.
func (a *air) Exchange(ctx context.Context, tx, rx []byte, timeout time.Duration) (int, error) {
	if a.failed != nil { // also what is left of the dialogue must not try
		return 0, a.failed
	}
	left := a.until - a.r.opts.Clock.Now()
	if left <= 0 {
		return 0, fmt.Errorf("%w: its time is over", isodep.ErrLost)
	}
	timeout = min(timeout, left)
	if a.failed = a.r.timer(timeout); a.failed != nil {
		return 0, a.failed
	}
	var buf [fifoSize]byte
	defer clear(buf[:])
	res, err := a.r.transceive(ctx, tx, 0, &buf, patience{timeout + exchangeDeadline, proveStep, 1})
	switch {
	case errors.Is(err, errNoCard):
		return 0, isodep.ErrSilent
	case errors.Is(err, errFrame):
		return 0, fmt.Errorf("%w: %w", isodep.ErrGarbled, err)
	case err != nil:
		a.failed = err
		return 0, err
	case res.coll != 0 || res.last != 0 || len(res.data) > len(rx):
		return 0, fmt.Errorf("%w: %d bytes, %d bits in the last, collision at bit %d", isodep.ErrGarbled, len(res.data), res.last, res.coll)
	}
	return copy(rx, res.data), nil
}

// timer sets how long the chip waits for an answer's beginning (9.3.3.11).
func (r *Reader) timer(d time.Duration) error {
	n := uint16(min(d/timerStep, 0xFFFF))
	if n == r.reload {
		return nil
	}
	r.reload = 0 // unknown until both are written
	if err := r.bus.writeAll([]setting{{regTReloadHi, byte(n >> 8)}, {regTReloadLo, byte(n)}}); err != nil {
		return err
	}
	r.reload = n
	return nil
}

// prove asks the selected card what it proves and puts it into HALT. ok is false
// when it left or could not be understood. Errors are never a card's.
func (r *Reader) prove(ctx context.Context, u *uid) (p hw.Proof, ok bool, err error) {
	a := &air{r: r, until: r.opts.Clock.Now() + proveBudget}
	p, why := r.ask(ctx, a, u)
	// Whatever happened, the inventory's silence is 3 ms.
	restored := r.timer(timerReload * timerStep)
	for _, e := range []error{a.failed, ctx.Err(), restored} {
		if err == nil {
			err = e
		}
	}
	if err != nil || why != nil {
		clear(p.UID)
		if err == nil {
			r.opts.Log.Debug("a card left before it was asked all", "reader", r.opts.Name, "why", why)
		}
		return hw.Proof{}, false, err
	}
	return p, true, nil
}

func (r *Reader) ask(ctx context.Context, a *air, u *uid) (hw.Proof, error) {
	s, err := isodep.Activate(ctx, a, r.opts.Clock)
	if err != nil {
		return hw.Proof{}, err
	}
	id := make([]byte, u.n)
	defer clear(id)
	copy(id, u.b[:])
	p, err := r.opts.Prove.Prove(ctx, s, id)
	// A card that does not answer has said all the same what it said: it is in
	// HALT, gone, or in a state that does not hear REQA. a.failed has the rest.
	_ = s.Deselect(ctx)
	return p, err
}
