package pn532

import (
	"context"
	"errors"
	"slices"
	"time"

	"borne/hw"
	"borne/hw/presence"
)

const (
	maxCards  = 8
	maxLists  = 12 // also those that showed nobody new
	maxStale  = 2  // lists of cards that were all listed before, in a row
	maxRefuse = 3  // lists that could not be believed, in a row

	guardTime    = 6 * time.Millisecond // cards are ready 5 ms after the field (ISO/IEC 14443-3, 6.2.3)
	listDeadline = 400 * time.Millisecond
	lookDeadline = 500 * time.Millisecond // for one look, proofs apart
)

// round is one kind of listing.
type round struct {
	rats bool // the chip activates cards that promise ISO/IEC 14443-4
	max  int  // cards in a list
}

// rounds of a look. Cards are asked one at a time. One that promises ISO/IEC
// 14443-4 and does not answer RATS is in no list of the first round: the second
// finds it.
func (r *Reader) rounds() []round {
	if r.opts.Prove == nil {
		return []round{{false, 2}}
	}
	return []round{{true, 1}, {false, 2}}
}

// inventory lists the cards in the field, calling each with every one, while it
// is selected; each says whether it could be read. It is complete unless one could
// not. Errors are the chip's, the bus's or the context's, never a card's.
func (r *Reader) inventory(ctx context.Context, each func(ctx context.Context, t *target) (read bool, err error)) (complete bool, err error) {
	if err := r.field(ctx, true); err != nil {
		return false, err
	}
	complete = true
	known := map[[32]byte]bool{} // pseudonyms of the cards of this look
	for _, how := range r.rounds() {
		whole, err := r.list(ctx, how, known, each)
		if err != nil {
			return false, err
		}
		complete = complete && whole
	}
	return complete, r.field(ctx, false)
}

// list lists until nobody answers any more, or nobody new: a card that did not hear
// that it is to sleep comes again once, and some chips put only cards of ISO/IEC
// 14443-4 to sleep, and list others for ever (libnfc, issue 476). Such a chip may
// tell of a third card a look later than of the first two.
func (r *Reader) list(ctx context.Context, how round, known map[[32]byte]bool, each func(context.Context, *target) (bool, error)) (complete bool, err error) {
	if r.opts.Prove != nil {
		flags := byte(0)
		if how.rats {
			flags = paramRATS
		}
		if err := r.set(ctx, cmdSetParameters, flags); err != nil {
			return false, err
		}
	}
	var found [2]target
	defer func() { found = [2]target{} }()
	complete = true
	start := r.opts.Clock.Now()
	for lists, refused, stale := 0, 0, 0; lists < maxLists; lists++ {
		if r.opts.Clock.Now()-start > lookDeadline {
			return false, nil
		}
		n, err := r.targets(ctx, how, &found)
		switch {
		case errors.Is(err, errCard):
			if refused++; refused == maxRefuse {
				return false, nil
			}
		case err != nil:
			return false, err
		case n == 0:
			return complete && refused == 0, nil
		default:
			refused = 0 // the card that was refused may be this one
			if stale++; !r.allKnown(found[:n], known) {
				stale = 0
			}
		}
		for i := range n {
			asked := r.opts.Clock.Now()
			read, err := each(ctx, &found[i])
			if err != nil {
				return false, err
			}
			complete = complete && read
			start += r.opts.Clock.Now() - asked
		}
		if stale == maxStale {
			return complete, nil
		}
		// All into HALT, so that the next list shows others.
		var status [1]byte
		if _, err := r.command(ctx, answerDeadline, status[:], cmdInDeselect, []byte{0}); err != nil {
			return false, err
		}
	}
	return false, nil
}

// allKnown tells whether all these cards were listed before in this look, and
// remembers them.
func (r *Reader) allKnown(found []target, known map[[32]byte]bool) bool {
	before := len(known)
	for i := range found {
		known[r.key(found[i].uid[:found[i].n:found[i].n])] = true
	}
	return len(known) == before
}

// targets lists the cards that answer now: type A at 106 kbit/s (7.3.5).
func (r *Reader) targets(ctx context.Context, how round, into *[2]target) (int, error) {
	var resp [1 + 2*(5+maxUID+32)]byte
	defer clear(resp[:])
	n, err := r.command(ctx, listDeadline, resp[:], cmdInListPassiveTarget, []byte{byte(how.max), 0x00})
	if err != nil {
		return 0, err
	}
	return parseTargets(resp[:n], how.max, how.rats, into)
}

// survey takes one inventory. Cards that have entered are asked what they prove;
// those with random UIDs, which all look new, only when randoms is set.
func (r *Reader) survey(ctx context.Context, randoms bool) (seen []presence.Sighting, complete bool, err error) {
	s := r.cards.Survey(r.key, randoms)
	var odd []bool // of each that is seen: its ATQA, and the bytes of the UID that it shows
	var sizes []int
	complete, err = r.inventory(ctx, func(ctx context.Context, t *target) (bool, error) {
		if len(s.Seen) == maxCards {
			return true, nil
		}
		var prove func() (hw.Proof, bool, error)
		if r.opts.Prove != nil && t.sak&sakISODEP != 0 {
			prove = func() (hw.Proof, bool, error) { return r.prove(ctx, t) }
		}
		met, err := s.Meet(t.uid[:t.n:t.n], prove)
		if len(odd) < len(s.Seen) {
			odd = append(odd, t.odd)
			sizes = append(sizes, t.n)
		}
		return met != presence.Unread, err
	})
	// An ATQA that fits no card is one of several that answered together, or
	// believed of none.
	for i, c := range s.Seen {
		if !odd[i] || slices.ContainsFunc(sizes, func(n int) bool { return n != sizes[i] }) {
			seen = append(seen, c)
		}
	}
	return seen, complete && len(seen) == len(s.Seen), err
}
