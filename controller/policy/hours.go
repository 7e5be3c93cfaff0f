package policy

import (
	"slices"
	"time"
)

const dayLayout = "2006-01-02"

// horizon is how far At looks for the next change: a year of exceptions.
const horizon = 400

// Location returns Europe/Paris, or UTC when the time zones are missing: import
// time/tzdata in main so that they are not.
func Location() *time.Location {
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return time.UTC
	}
	return loc
}

// stretch is a span as instants: [from, to).
type stretch struct {
	from, to time.Time
	why      string
}

// At tells whether it is open at t, and until when that lasts. Minutes are on
// the local wall clock, so a span from 8:00 is at 8:00 on the days when the
// clocks change, too.
func (h Hours) At(t time.Time, loc *time.Location) Opening {
	if h.Always {
		return Opening{Open: true}
	}
	t = t.In(loc)
	year, month, day := t.Date()
	// The span of two days ago may last until today.
	var open []stretch
	for d := -2; d <= horizon; d++ {
		on := time.Date(year, month, day+d, 12, 0, 0, 0, loc) // noon exists every day
		spans, why := h.on(on)
		for _, s := range spans {
			if !s.readable() { // Check refuses it: it opens nothing, and costs nothing
				continue
			}
			x := stretch{wall(on, s.From, loc), wall(on, s.To, loc), why}
			if x.to.After(t) && x.to.After(x.from) {
				open = append(open, x)
			}
		}
		// Once a day after the last stretch brings nothing, the end is known.
		if len(open) > 0 && end(open, t).Before(wall(on, 0, loc)) {
			break
		}
	}
	if until := end(open, t); until.After(t) {
		return Opening{Open: true, Until: until, Why: whyAt(open, t)}
	}
	next := Opening{}
	for _, x := range open {
		if next.Until.IsZero() || x.from.Before(next.Until) {
			next.Until = x.from
		}
	}
	if _, why := h.on(t); why != "" {
		next.Why = why
	}
	return next
}

// readable tells whether the span begins within its day and lasts a day at most.
func (s Span) readable() bool {
	return s.From >= 0 && s.From < 1440 && s.To > s.From && s.To <= s.From+1440
}

// end follows stretches that touch, from t on; t when none covers it.
func end(open []stretch, t time.Time) time.Time {
	for moved := true; moved; {
		moved = false
		for _, x := range open {
			if !x.from.After(t) && x.to.After(t) {
				t, moved = x.to, true
			}
		}
	}
	return t
}

func whyAt(open []stretch, t time.Time) string {
	for _, x := range open {
		if !x.from.After(t) && x.to.After(t) {
			return x.why
		}
	}
	return ""
}

// on returns the spans that begin on the local day of t, and an exception's
// reason. Several exceptions for a day add up.
func (h Hours) on(t time.Time) (spans []Span, why string) {
	name, found := t.Format(dayLayout), false
	for _, e := range h.Exceptions {
		if e.Day == name {
			spans, found = append(slices.Clip(spans), e.Spans...), true
			if why == "" {
				why = e.Why
			}
		}
	}
	if found {
		return spans, why
	}
	return h.Weekly[t.Weekday()], ""
}

// wall returns the instant at which the wall clock of day shows the minutes
// after midnight. A time that the clocks skip is the instant of the skip; of a
// time that comes twice it is the first.
func wall(day time.Time, minutes int, loc *time.Location) time.Time {
	y, m, d := day.Date()
	at := time.Date(y, m, d, 0, minutes, 0, 0, loc)
	if shown := at.Hour()*60 + at.Minute(); shown != ((minutes%1440)+1440)%1440 {
		// Skipped: Date moved it by the jump. The jump is where the offset changes.
		_, before := at.Add(-3 * time.Hour).Zone()
		for at.Add(-time.Minute).After(day.AddDate(0, 0, -3)) {
			if _, off := at.Add(-time.Minute).Zone(); off == before {
				if _, here := at.Zone(); here != before {
					return at
				}
				break
			}
			at = at.Add(-time.Minute)
		}
		return at
	}
	if earlier := at.Add(-time.Hour); earlier.Hour() == at.Hour() && earlier.Minute() == at.Minute() {
		return earlier
	}
	return at
}
