package api

import (
	"testing"
	"time"

	"borne/controller/policy"
)

// TestClosingOverMidnight: what is given for a day ends with that day's evening,
// which may end after midnight.
func TestClosingOverMidnight(t *testing.T) {
	zone := policy.Location()
	at := func(day, hour, minute int) time.Time { return time.Date(2026, 3, day, hour, minute, 0, 0, zone) }
	none := time.Time{}
	week := func(spans ...policy.Span) policy.Hours {
		h := policy.Hours{}
		for d := range h.Weekly {
			h.Weekly[d] = spans
		}
		return h
	}
	office := week(policy.Span{From: 9 * 60, To: 12 * 60}, policy.Span{From: 14 * 60, To: 18 * 60})
	night := week(policy.Span{From: 18 * 60, To: 26 * 60})
	both := week(policy.Span{From: 9 * 60, To: 12 * 60}, policy.Span{From: 20 * 60, To: 25 * 60})
	for name, c := range map[string]struct {
		hours         policy.Hours
		now           time.Time
		evening, last time.Time
	}{
		"morning":                      {office, at(2, 8, 0), none, at(2, 18, 0)},
		"at noon":                      {office, at(2, 13, 0), none, at(2, 18, 0)},
		"closed for today":             {office, at(2, 19, 0), none, at(2, 18, 0)},
		"no hours":                     {policy.Hours{}, at(2, 9, 0), none, none},
		"always":                       {policy.Hours{Always: true}, at(2, 9, 0), none, at(3, 0, 0)},
		"every hour of the week":       {week(policy.Span{From: 0, To: 1440}), at(2, 9, 0), none, at(3, 0, 0)},
		"before the night":             {night, at(2, 10, 0), none, at(3, 2, 0)},
		"in the evening":               {night, at(2, 23, 59), none, at(3, 2, 0)},
		"in the night":                 {night, at(3, 0, 0), at(3, 2, 0), at(4, 2, 0)},
		"a minute before its end":      {night, at(3, 1, 59), at(3, 2, 0), at(4, 2, 0)},
		"the night is over":            {night, at(3, 2, 0), none, at(4, 2, 0)},
		"day and night, in the night":  {both, at(3, 0, 30), at(3, 1, 0), at(4, 1, 0)},
		"until midnight, no later":     {week(policy.Span{From: 8 * 60, To: 1440}), at(2, 23, 0), none, at(3, 0, 0)},
		"the night the clocks go back": {night, time.Date(2026, 10, 25, 0, 30, 0, 0, zone), time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 26, 2, 0, 0, 0, zone)},
	} {
		evening, last := closes(c.hours, c.now, zone)
		if !evening.Equal(c.evening) || !last.Equal(c.last) {
			t.Errorf("%s: this evening's end %v, want %v; today's %v, want %v", name, evening, c.evening, last, c.last)
		}
	}
}
