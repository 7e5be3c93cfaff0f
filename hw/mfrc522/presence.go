package mfrc522

import (
	"context"

	"borne/hw"
	"borne/hw/presence"
)

// survey takes one inventory. Cards that have entered are asked what they prove;
// those with random UIDs, which all look new, only when randoms is set.
func (r *Reader) survey(ctx context.Context, randoms bool) (seen []presence.Sighting, complete bool, err error) {
	s := r.cards.Survey(r.key, randoms)
	complete, err = r.inventory(ctx, func(ctx context.Context, u *uid) (parting, error) {
		var prove func() (hw.Proof, bool, error)
		if r.opts.Prove != nil && u.sak&sakISODEP != 0 {
			prove = func() (hw.Proof, bool, error) { return r.prove(ctx, u) }
		}
		met, err := s.Meet(u.b[:u.n:u.n], prove)
		switch met {
		case presence.Proved:
			return halted, err
		case presence.Unread, presence.Unproved:
			return unread, err
		}
		return selected, err // also one that did not hear HLTA
	})
	return s.Seen, complete, err
}
