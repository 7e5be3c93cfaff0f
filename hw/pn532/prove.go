package pn532

import (
	"context"
	"errors"
	"fmt"
	"time"

	"borne/hw"
)

const (
	// proveBudget bounds all that one card is asked, its waiting times included: a
	// mutual authentication takes some 60 ms.
	proveBudget = 600 * time.Millisecond

	maxChunk  = noFrame - 3 // of a command's data: TFI, command and Tg go with it
	maxAPDU   = 5 + 255 + 1 // a short command of ISO/IEC 7816-4
	maxAnswer = 4096
	maxPart   = maxData - 3

	moreInfo   = 0x40 // MI of Tg and Status: there is more (7.1, 7.3.8)
	statusMask = 0x3F
)

// link is the one card that is selected. The chip does ISO/IEC 14443-4 itself.
type link struct {
	r      *Reader
	tg     byte
	until  time.Duration
	failed error // the chip's, the bus's or the context's: not the card's
}

var _ hw.Link = (*link)(nil)

// Transmit implements hw.Link.
func (l *link) Transmit(ctx context.Context, apdu []byte) ([]byte, error) {
	if len(apdu) == 0 || len(apdu) > maxAPDU {
		return nil, fmt.Errorf("cannot send a card a command of %d bytes: give 1 to %d", len(apdu), maxAPDU)
	}
	var part [1 + maxPart]byte
	defer clear(part[:])
	for len(apdu) > maxChunk {
		n, more, err := l.exchange(ctx, l.tg|moreInfo, apdu[:maxChunk], &part)
		if err != nil {
			return nil, err
		}
		if n != 0 || more {
			return nil, fmt.Errorf("%w: it answered half a command", errCard)
		}
		apdu = apdu[maxChunk:]
	}
	var out []byte
	for {
		n, more, err := l.exchange(ctx, l.tg, apdu, &part)
		if err == nil && (len(out)+n > maxAnswer || more && n == 0) {
			err = fmt.Errorf("%w: its answer does not end", errCard)
		}
		if err != nil {
			clear(out)
			return nil, err
		}
		grown := make([]byte, len(out)+n)
		copy(grown[copy(grown, out):], part[1:1+n])
		clear(out)
		out, apdu = grown, nil
		if !more {
			return out, nil
		}
	}
}

// exchange is one InDataExchange; n bytes are in part after its first.
func (l *link) exchange(ctx context.Context, tg byte, data []byte, part *[1 + maxPart]byte) (n int, more bool, err error) {
	if l.failed != nil { // also what is left of the dialogue must not try
		return 0, false, l.failed
	}
	left := l.until - l.r.opts.Clock.Now()
	if left <= 0 {
		return 0, false, fmt.Errorf("%w: its time is over", errCard)
	}
	got, err := l.r.command(ctx, left, part[:], cmdInDataExchange, []byte{tg}, data)
	if errors.Is(err, errSilent) && l.until <= l.r.opts.Clock.Now() && ctx.Err() == nil {
		return 0, false, fmt.Errorf("%w: its time is over", errCard) // the chip was waiting for it
	}
	if err == nil && got == 0 {
		err = fmt.Errorf("%w: an exchange without a status", errChip)
	}
	if err != nil {
		l.failed = err
		return 0, false, err
	}
	if s := part[0] & statusMask; s != 0 {
		return 0, false, fmt.Errorf("%w: status 0x%02X", errCard, s)
	}
	return got - 1, part[0]&moreInfo != 0, nil
}

// prove asks the selected card what it proves. ok is false when it left, could not
// be understood or was not activated. Errors are never a card's.
func (r *Reader) prove(ctx context.Context, t *target) (p hw.Proof, ok bool, err error) {
	if !t.ats {
		return hw.Proof{}, false, nil
	}
	l := &link{r: r, tg: t.tg, until: r.opts.Clock.Now() + proveBudget}
	id := make([]byte, t.n)
	defer clear(id)
	copy(id, t.uid[:])
	p, why := r.opts.Prove.Prove(ctx, l, id)
	if err = l.failed; err == nil {
		err = ctx.Err()
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
