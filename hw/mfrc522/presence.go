package mfrc522

import (
	"context"
	"slices"

	"borne/hw"
)

// sighting is one card of a look.
type sighting struct {
	shown  [32]byte // pseudonym of the UID that it shows
	random bool     // that UID is drawn anew at each power-up
	badge  hw.Badge
}

// visit is a card's stay in the field. What it proved on entering holds for all
// of it: it is not asked again.
type visit struct {
	misses int // looks since it was last seen
	badge  hw.Badge
}

// survey takes one inventory. Cards that have entered are asked what they prove;
// those with random UIDs, which all look new, only when randoms is set.
func (r *Reader) survey(ctx context.Context, randoms bool) (seen []sighting, complete bool, err error) {
	var failed [][32]byte
	complete, err = r.inventory(ctx, func(ctx context.Context, u *uid) (parting, error) {
		shown := r.key(u.b[:u.n:u.n])
		switch {
		case slices.Contains(failed, shown): // it will be asked at the next look
			return unread, nil
		case slices.ContainsFunc(seen, func(s sighting) bool { return s.shown == shown }):
			return selected, nil // it did not hear HLTA
		}
		s := sighting{shown, u.random(), hw.Badge{Key: shown, Bytes: u.n, Random: u.random(), Assurance: hw.AssuranceUID}}
		after := selected
		if v := r.present[shown]; v != nil {
			s.badge = v.badge
		} else if b, ok := r.proven[shown]; ok {
			s.badge = b
		} else if r.opts.Prove != nil && u.sak&sakISODEP != 0 && (randoms || !s.random) {
			p, ok, err := r.prove(ctx, u)
			switch {
			case err != nil:
				return unread, err
			case ok:
				r.apply(p, &s.badge)
				if after = halted; !s.random {
					r.proven[shown] = s.badge
				}
			case r.incomplete < maxIncomplete-1:
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

// recount tells whether the random UIDs of a look say that one has come, or that
// one has left for good: then all of them are asked who they are.
func (r *Reader) recount(seen []sighting) bool {
	n := 0
	for _, s := range seen {
		if s.random {
			n++
		}
	}
	return n > len(r.randoms) || n > 0 && n < len(r.randoms) && r.randomMiss+1 >= r.opts.LeaveAfter
}

// track updates who is present; it returns nil unless somebody entered. asked:
// the cards with random UIDs were asked at this look.
func (r *Reader) track(seen []sighting, asked bool) []hw.Badge {
	var entered, stayed, randoms []hw.Badge
	for _, v := range r.present {
		v.misses++
	}
	for _, s := range seen {
		v := r.present[s.shown]
		switch {
		case s.random:
			randoms = append(randoms, s.badge)
			continue
		case v != nil:
			v.misses = 0
			stayed = append(stayed, s.badge)
		default:
			r.present[s.shown] = &visit{badge: s.badge}
			entered = append(entered, s.badge)
		}
	}
	for k, v := range r.present {
		if v.misses >= r.opts.LeaveAfter {
			delete(r.present, k)
		}
	}
	in, stay := r.trackRandoms(randoms, asked)
	if entered = append(entered, in...); entered == nil {
		return nil
	}
	return slices.Concat(entered, stayed, stay)
}

// trackRandoms does the same for UIDs that changed with the last power-up: only
// their number says whether one more has entered, unless they proved who they are.
func (r *Reader) trackRandoms(now []hw.Badge, asked bool) (entered, stayed []hw.Badge) {
	unknown := 0
	for _, b := range r.randoms {
		if b.Random {
			unknown++
		}
	}
	switch {
	case r.opts.Prove == nil:
		n := min(len(now), len(r.randoms))
		stayed, entered = now[:n], now[n:]
	case !asked: // not more than before: those of before
		stayed = r.randoms[:min(len(now), len(r.randoms))]
	default:
		for _, b := range now {
			here := slices.ContainsFunc(r.randoms, func(o hw.Badge) bool { return o.Key == b.Key })
			if b.Random {
				unknown--
				here = unknown >= 0
			}
			if here {
				stayed = append(stayed, b)
			} else {
				entered = append(entered, b)
			}
		}
	}
	if len(now) < len(r.randoms) {
		if r.randomMiss++; r.randomMiss < r.opts.LeaveAfter {
			return entered, stayed
		}
	}
	r.randomMiss = 0
	if asked || len(now) != len(r.randoms) {
		r.randoms = slices.Clone(now)
	}
	return entered, stayed
}
