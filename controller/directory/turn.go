package directory

import (
	"slices"
	"time"

	"borne/controller/store"
)

const (
	// turnsMost bounds what one day badge remembers: more than ten turns a day for
	// as long as records come late.
	turnsMost = 500
	// stillPrints is how long after a turn its pages still come: the session may go
	// on when the badge is at the desk again.
	stillPrints = 30 * time.Minute
)

// begin gives a day badge to somebody else, and forgets those turns of which no
// record can come any more.
func begin(h *store.Holder, now, until time.Time) {
	h.Turns = slices.DeleteFunc(slices.Clone(h.Turns), func(t store.Turn) bool { return t.Until.Before(now.AddDate(0, 0, -lateDays)) })
	h.Turns = append(h.Turns, store.Turn{ID: newID(), From: now, Until: until})
	h.Turns = h.Turns[max(0, len(h.Turns)-turnsMost):]
	h.Until = until
}

// end takes it back, if somebody has it.
func end(h *store.Holder, now time.Time) {
	h.Turns = slices.Clone(h.Turns)
	if n := len(h.Turns); n > 0 && now.Before(h.Turns[n-1].Until) {
		h.Turns[n-1].Until = now
	}
	h.Until = time.Time{}
}

// turnAt is whose turn it was at a time, or less than slack before it with nobody
// since; empty when it was nobody's.
func turnAt(all []store.Turn, at time.Time, slack time.Duration) string {
	for _, t := range slices.Backward(all) {
		if at.Before(t.From) {
			continue
		}
		if at.Before(t.Until) || at.Sub(t.Until) < slack {
			return t.ID
		}
		return ""
	}
	return ""
}

// lastTurn is that of whoever has a day badge, or had it last; empty for other
// badges.
func lastTurn(h store.Holder) string {
	if n := len(h.Turns); n > 0 {
		return h.Turns[n-1].ID
	}
	return ""
}
