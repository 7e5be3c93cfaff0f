package recount

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"borne/controller/policy"
)

const (
	firstDay = "2026-09-01"
	lastDay  = "2027-08-31"
)

// span is local minutes of a day, [from, to).
type span struct{ from, to int }

func (s span) has(minute int) bool { return s.from <= minute && minute < s.to }

// era are the hours of a layer from a minute on: said plainly, to be read here by
// hand and there by the controller.
type era struct {
	from     time.Time
	weekly   [7]span // by time.Weekday; empty: closed
	duty     [7]span
	guarded  bool
	agreed   [2]string // days on which somebody agreed, both included
	holidays bool      // closed in school holidays
}

type space struct {
	id   string
	own  []era // in place of the site's, from the first on
	back time.Time
}

type site struct {
	id, kind, territoire string
	eras                 []era
	spaces               []*space
	terminals            []*terminal
}

type terminal struct {
	id       string
	site     *site
	space    *space
	enrolled time.Time
	revoked  time.Time
	metered  bool

	seq     uint64
	queue   []told
	last    []told // its last batch
	offline int    // days
	serial  int
	free    time.Time
}

// breaks are the school holidays of zone A, from the official calendar.
func breaks() [][2]string {
	return [][2]string{{"2026-10-17", "2026-11-01"}, {"2026-12-19", "2027-01-03"}, {"2027-02-13", "2027-02-28"}, {"2027-04-10", "2027-04-25"}, {"2027-07-04", "2027-08-31"}}
}

func isBreak(day string) bool {
	for _, b := range breaks() {
		if b[0] <= day && day <= b[1] {
			return true
		}
	}
	return false
}

// isPublic are the public holidays of that school year, by hand.
func isPublic(day string) bool {
	switch day {
	case "2026-11-01", "2026-11-11", "2026-12-25", "2027-01-01", "2027-03-29", "2027-05-01", "2027-05-06", "2027-05-08", "2027-05-17", "2027-07-14", "2027-08-15":
		return true
	}
	return false
}

// at says by hand whether it is open, and whether that is outside duty.
func (e era) at(day string, weekday time.Weekday, minute int) (open, outside bool) {
	if isPublic(day) || e.holidays && isBreak(day) || !e.weekly[weekday].has(minute) {
		return false, false
	}
	outside = e.duty != [7]span{} && (e.guarded && isBreak(day) || !e.duty[weekday].has(minute))
	if outside && e.guarded && !(e.agreed[0] <= day && day <= e.agreed[1]) {
		return false, false
	}
	return true, outside
}

// held is the era of a space at a time.
func (s *site) held(sp *space, at time.Time) era {
	eras := s.eras
	if len(sp.own) > 0 && !at.Before(sp.own[0].from) && (sp.back.IsZero() || at.Before(sp.back)) {
		eras = sp.own
	}
	e := eras[0]
	for _, x := range eras {
		if !x.from.After(at) {
			e = x
		}
	}
	return e
}

// hours are the same as the controller reads them.
func (e era) hours() json.RawMessage {
	h := policy.Hours{Guarded: e.guarded, School: policy.School{Zone: policy.ZoneA}, Public: policy.Public{Mode: policy.ModeClosed}}
	if e.holidays {
		h.School.Mode = policy.ModeClosed
	}
	for d := range 7 {
		if e.weekly[d] != (span{}) {
			h.Weekly[d] = []policy.Span{{From: e.weekly[d].from, To: e.weekly[d].to}}
		}
		if e.duty[d] != (span{}) {
			h.Duty[d] = []policy.Span{{From: e.duty[d].from, To: e.duty[d].to}}
		}
	}
	if e.agreed[0] != "" {
		h.Agreements = []policy.Agreement{{From: e.agreed[0], To: e.agreed[1], By: "Mme Durand", Key: "M. Petit"}}
	}
	b, err := json.Marshal(h)
	if err != nil {
		panic(err)
	}
	return b
}

func local(day string, minute int) time.Time {
	t, err := time.ParseInLocation(time.DateOnly, day, policy.Location())
	if err != nil {
		panic(err)
	}
	y, m, d := t.Date()
	return time.Date(y, m, d, 0, minute, 0, 0, policy.Location())
}

// noon of a random day of the year, at any minute between 9 and 17.
func someTime(r *rand.Rand) time.Time {
	return local(addDays(firstDay, 20+r.IntN(300)), 9*60+r.IntN(8*60))
}

func addDays(day string, n int) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		panic(err)
	}
	return t.AddDate(0, 0, n).Format(time.DateOnly)
}

func someHours(r *rand.Rand, kind string, from time.Time) era {
	e := era{from: from}
	for d := time.Monday; d <= time.Friday; d++ {
		if r.IntN(6) > 0 {
			e.weekly[d] = span{8*60 + 15*r.IntN(4), 17*60 + 30*r.IntN(8)}
		}
		e.duty[d] = span{8 * 60, 17*60 + 30}
	}
	switch kind {
	case "college":
		e.guarded, e.holidays = true, r.IntN(3) > 0
		e.weekly[time.Saturday] = span{9 * 60, 12 * 60}
		if r.IntN(3) > 0 {
			e.agreed = [2]string{addDays(firstDay, r.IntN(60)), addDays(firstDay, 100+r.IntN(250))}
		}
	case "library":
		e.duty = [7]span{}
		e.weekly[time.Saturday] = span{10 * 60, 18 * 60}
	}
	return e
}

// places makes 50 sites and 120 terminals.
func places(r *rand.Rand) (all []*site) {
	begin := local(addDays(firstDay, -30), 0)
	for i := range 50 {
		kind := []string{"college", "college", "college", "pms", "mie", "library"}[i%6]
		s := &site{id: fmt.Sprintf("site-%02d", i), kind: kind, territoire: []string{"Annecy", "Chablais", "Arve", "Genevois"}[r.IntN(4)]}
		s.eras = []era{someHours(r, kind, begin)}
		if i%2 == 0 { // changed within the year, in the middle of a day
			s.eras = append(s.eras, someHours(r, kind, someTime(r)))
		}
		for j := range 1 + i%2 {
			s.spaces = append(s.spaces, &space{id: fmt.Sprintf("%s-e%d", s.id, j)})
		}
		if i%2 == 1 && i%3 == 0 {
			sp := s.spaces[1]
			sp.own = []era{someHours(r, kind, someTime(r))}
			if i%4 == 1 {
				sp.back = sp.own[0].from.AddDate(0, 0, 20+r.IntN(60))
			}
		}
		all = append(all, s)
	}
	for n := range 120 {
		s := all[n%50]
		sp := s.spaces[(n/50)%len(s.spaces)]
		t := &terminal{id: fmt.Sprintf("t-%03d", n), site: s, space: sp, enrolled: begin.Add(time.Hour), metered: n%4 == 0}
		if n%17 == 3 {
			t.enrolled = someTime(r)
		}
		if n%23 == 5 {
			t.revoked = local(addDays(firstDay, 330+r.IntN(20)), 15*60)
		}
		t.free = t.enrolled
		s.terminals = append(s.terminals, t)
	}
	return all
}
