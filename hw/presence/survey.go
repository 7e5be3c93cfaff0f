package presence

import (
	"slices"

	"borne/hw"
)

// Meeting is what came of a card that a look met.
type Meeting int

// Meetings.
const (
	Unread   Meeting = iota // it did not prove what it promises, and is asked at the next look
	Again                   // it was met before in this look
	Shown                   // its UID is all that is wanted, or it is known from this visit
	Proved                  // it was asked, and has answered
	Unproved                // it was asked often enough: its UID is what there is
)

// Survey collects the cards of one look.
type Survey struct {
	Seen []Sighting

	cards   *Tracker
	key     hw.BadgeKey
	randoms bool
	failed  [][32]byte
}

// Survey begins a look. Cards with random UIDs, which all look new, are asked what
// they prove only when randoms is set. key must not keep the UID.
func (t *Tracker) Survey(key hw.BadgeKey, randoms bool) *Survey {
	return &Survey{cards: t, key: key, randoms: randoms}
}

// Meet takes a card that shows uid. prove asks it what it proves, which is not done
// twice in a visit; nil: it promises nothing, or nobody wants to know. Its errors are
// the reader's, never the card's: of a card that did not answer it says ok false.
func (s *Survey) Meet(uid []byte, prove func() (p hw.Proof, ok bool, err error)) (Meeting, error) {
	shown := s.key(uid)
	switch {
	case slices.Contains(s.failed, shown):
		return Unread, nil
	case slices.ContainsFunc(s.Seen, func(o Sighting) bool { return o.Shown == shown }):
		return Again, nil
	}
	random := len(uid) == 4 && uid[0] == 0x08 // ISO/IEC 14443-3, 6.5.4
	c := Sighting{Shown: shown, Random: random, Badge: hw.Badge{Key: shown, Bytes: len(uid), Random: random, Assurance: hw.AssuranceUID}}
	met := Shown
	if b, ok := s.cards.Known(shown); ok {
		c.Badge = b
	} else if prove != nil && (s.randoms || !random) {
		p, ok, err := prove()
		switch {
		case err != nil:
			return Unread, err
		case ok:
			if Apply(p, &c.Badge, s.key); !random {
				s.cards.Proven(shown, c.Badge)
			}
			met = Proved
		case !s.cards.LastTry():
			s.failed = append(s.failed, shown)
			return Unread, nil
		default:
			met = Unproved
		}
	}
	s.Seen = append(s.Seen, c)
	return met, nil
}
