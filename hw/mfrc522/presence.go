package mfrc522

import (
	"context"
	"slices"

	"borne/hw"
	"borne/hw/presence"
)

// survey takes one inventory. Cards that have entered are asked what they prove;
// those with random UIDs, which all look new, only when randoms is set.
func (r *Reader) survey(ctx context.Context, randoms bool) (seen []presence.Sighting, complete bool, err error) {
	var failed [][32]byte
	complete, err = r.inventory(ctx, func(ctx context.Context, u *uid) (parting, error) {
		shown := r.key(u.b[:u.n:u.n])
		switch {
		case slices.Contains(failed, shown): // it will be asked at the next look
			return unread, nil
		case slices.ContainsFunc(seen, func(s presence.Sighting) bool { return s.Shown == shown }):
			return selected, nil // it did not hear HLTA
		}
		s := presence.Sighting{Shown: shown, Random: u.random(), Badge: hw.Badge{Key: shown, Bytes: u.n, Random: u.random(), Assurance: hw.AssuranceUID}}
		after := selected
		if b, ok := r.cards.Known(shown); ok {
			s.Badge = b
		} else if r.opts.Prove != nil && u.sak&sakISODEP != 0 && (randoms || !s.Random) {
			p, ok, err := r.prove(ctx, u)
			switch {
			case err != nil:
				return unread, err
			case ok:
				presence.Apply(p, &s.Badge, r.key)
				if after = halted; !s.Random {
					r.cards.Proven(shown, s.Badge)
				}
			case !r.cards.LastTry():
				failed = append(failed, shown)
				return unread, nil
			default: // asked often enough: its UID is what there is
				after = unread
			}
		}
		seen = append(seen, s)
		return after, nil
	})
	return seen, complete, err
}
