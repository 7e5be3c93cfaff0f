package api

import (
	"time"

	"borne/controller/compliance"
	"borne/controller/policy"
	"borne/controller/store"
)

// closing is when a site's terminals close today for the last time, which may be
// over: what is given for the day ends then. After midnight, with the evening
// still on, it is that evening's end. Where none has hours today it is midnight.
func (a *API) closing(tx store.Tx, site string) (time.Time, error) {
	var evening, last time.Time
	for t, err := range store.List[store.Terminal](tx, "", "", false) {
		if err != nil {
			return last, err
		}
		if t.Site != site {
			continue
		}
		p, err := compliance.Effective(tx, t)
		if err != nil {
			return last, err
		}
		e, l := closes(p.Hours, a.Now(), policy.Location())
		evening, last = later(evening, e), later(last, l)
	}
	switch {
	case !evening.IsZero():
		return evening, nil
	case !last.IsZero():
		return last, nil
	}
	_, midnight := dayOf(a.Now(), policy.Location())
	return midnight, nil
}

// closes is when these hours close for the last time today, zero where they do not
// open; and when yesterday's evening ends, while it goes on. What never closes for
// the night ends at midnight.
func closes(h policy.Hours, now time.Time, zone *time.Location) (evening, last time.Time) {
	begins, midnight := dayOf(now, zone)
	if h.Always {
		return time.Time{}, midnight
	}
	for _, r := range h.Schedule(begins, midnight, zone).Runs() {
		switch long := r.To.Sub(r.From) >= 24*time.Hour; {
		case !r.From.Before(midnight), !r.To.After(begins): // of another day
		case long && r.To.After(midnight):
			last = later(last, midnight)
		case !r.From.Before(begins), long:
			last = later(last, r.To)
		case r.To.After(now):
			evening = r.To
		}
	}
	return evening, last
}

// dayOf is a local day's begin and end.
func dayOf(now time.Time, zone *time.Location) (begins, midnight time.Time) {
	y, m, d := now.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone), time.Date(y, m, d+1, 0, 0, 0, 0, zone)
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
