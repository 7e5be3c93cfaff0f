// Package presence remembers which cards are before a reader, so that each visit
// is one tap whatever chip looks at the field: drivers give it what each look
// saw, and it says who has entered.
package presence

import (
	"slices"

	"borne/hw"
)

// maxIncomplete is how many looks in a row may leave a card unread before what
// could be read counts as all there is.
const maxIncomplete = 3

// Sighting is one card of a look.
type Sighting struct {
	Shown  [32]byte // pseudonym of the UID that it shows
	Random bool     // that UID is drawn anew at each power-up
	Badge  hw.Badge
}

// visit is a card's stay in the field. What it proved on entering holds for all
// of it: it is not asked again.
type visit struct {
	misses int // looks since it was last seen
	badge  hw.Badge
}

// Tracker is a field's memory. It is for one goroutine at a time.
type Tracker struct {
	leaveAfter int
	proving    bool
	present    map[[32]byte]*visit   // by the UID that each shows; no random ones
	proven     map[[32]byte]hw.Badge // by cards that entered, in looks that could not be reported
	randoms    []hw.Badge            // cards whose UIDs change at each power-up, when last counted
	randomMiss int                   // looks with fewer of them since
	incomplete int
}

// New returns the memory of an empty field. A card has left after leaveAfter
// looks without it; proving says that cards are asked what they prove.
func New(leaveAfter int, proving bool) *Tracker {
	return &Tracker{leaveAfter: leaveAfter, proving: proving, present: map[[32]byte]*visit{}, proven: map[[32]byte]hw.Badge{}}
}

// AskRandoms tells whether a look should ask cards with random UIDs from the
// start: they all look new, and none is known to be there.
func (t *Tracker) AskRandoms() bool { return t.proving && len(t.randoms) == 0 }

// Known returns what a card has proven at this visit.
func (t *Tracker) Known(shown [32]byte) (hw.Badge, bool) {
	if v := t.present[shown]; v != nil {
		return v.badge, true
	}
	b, ok := t.proven[shown]
	return b, ok
}

// Proven keeps what a card has proven until its look can be reported.
func (t *Tracker) Proven(shown [32]byte, b hw.Badge) { t.proven[shown] = b }

// LastTry tells whether what cannot be read at this look counts as not there.
func (t *Tracker) LastTry() bool { return t.incomplete >= maxIncomplete-1 }

// Recount tells whether the random UIDs of a look that did not ask them say that
// one has come, or that one has left for good: then all are to be asked.
func (t *Tracker) Recount(seen []Sighting) bool {
	n := 0
	for _, s := range seen {
		if s.Random {
			n++
		}
	}
	return t.proving && (n > len(t.randoms) || n > 0 && n < len(t.randoms) && t.randomMiss+1 >= t.leaveAfter)
}

// Look takes what a look saw and returns the cards in the field when one has
// entered, those that have first; else nil. A look that is not complete is waited
// out rather than half a purse reported. asked: cards with random UIDs were.
func (t *Tracker) Look(seen []Sighting, complete, asked bool) []hw.Badge {
	if complete {
		t.incomplete = 0
	} else if t.incomplete++; t.incomplete < maxIncomplete {
		return nil
	}
	clear(t.proven)
	return t.track(seen, asked)
}

func (t *Tracker) track(seen []Sighting, asked bool) []hw.Badge {
	var entered, stayed, randoms []hw.Badge
	for _, v := range t.present {
		v.misses++
	}
	for _, s := range seen {
		v := t.present[s.Shown]
		switch {
		case s.Random:
			randoms = append(randoms, s.Badge)
			continue
		case v != nil:
			v.misses = 0
			stayed = append(stayed, s.Badge)
		default:
			t.present[s.Shown] = &visit{badge: s.Badge}
			entered = append(entered, s.Badge)
		}
	}
	for k, v := range t.present {
		if v.misses >= t.leaveAfter {
			delete(t.present, k)
		}
	}
	in, stay := t.trackRandoms(randoms, asked)
	if entered = append(entered, in...); entered == nil {
		return nil
	}
	return slices.Concat(entered, stayed, stay)
}

// trackRandoms does the same for UIDs that changed with the last power-up: only
// their number says whether one more has entered, unless they proved who they are.
func (t *Tracker) trackRandoms(now []hw.Badge, asked bool) (entered, stayed []hw.Badge) {
	unknown := 0
	for _, b := range t.randoms {
		if b.Random {
			unknown++
		}
	}
	switch {
	case !t.proving:
		n := min(len(now), len(t.randoms))
		stayed, entered = now[:n], now[n:]
	case !asked: // not more than before: those of before
		stayed = t.randoms[:min(len(now), len(t.randoms))]
	default:
		for _, b := range now {
			here := slices.ContainsFunc(t.randoms, func(o hw.Badge) bool { return o.Key == b.Key })
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
	if len(now) < len(t.randoms) {
		if t.randomMiss++; t.randomMiss < t.leaveAfter {
			return entered, stayed
		}
	}
	t.randomMiss = 0
	if asked || len(now) != len(t.randoms) {
		t.randoms = slices.Clone(now)
	}
	return entered, stayed
}

// Apply writes a proof into a badge and forgets its UID.
func Apply(p hw.Proof, b *hw.Badge, key hw.BadgeKey) {
	b.Assurance, b.Counter, b.Suspect = p.Assurance, p.Counter, p.Suspect
	if b.Suspect {
		b.Assurance = min(b.Assurance, hw.AssuranceUID)
	}
	if n := len(p.UID); n == 4 || n == 7 || n == 10 {
		b.Key, b.Bytes, b.Random = key(p.UID), n, false
	}
	clear(p.UID)
}
