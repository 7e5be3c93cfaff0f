package policy

import (
	"slices"
	"time"
)

// DayPlan is what the hours give for one day.
type DayPlan struct {
	Day    string        `json:"day"` // 2006-01-02
	Spans  []PlannedSpan `json:"spans"`
	Cause  Cause         `json:"cause"`
	Why    string        `json:"why"`
	School string        `json:"school"` // name of the school holidays of that day
	Public string        `json:"public"` // name of the public holiday
}

// PlannedSpan is a span that begins on a day, in minutes after its midnight.
type PlannedSpan struct {
	From    int    `json:"from"`
	To      int    `json:"to"`
	Cause   Cause  `json:"cause"`
	Why     string `json:"why"`
	Outside bool   `json:"outside"` // outside duty: somebody holds the key
	Refused bool   `json:"refused"` // stays closed: nobody agreed
}

// Days plans some days from one on. Of hours that are Always each day is whole.
func (h Hours) Days(from string, n int) []DayPlan {
	first, ok := parseDay(from)
	if !ok || n < 1 {
		return []DayPlan{}
	}
	r := h.rules()
	all := make([]DayPlan, 0, n)
	for day := first; day < first+civil(n); day++ {
		parts, cause, why := r.parts(day)
		if h.Always {
			parts, cause, why = []part{{Span: Span{0, 1440}, cause: CauseAlways}}, CauseAlways, ""
		}
		p := DayPlan{Day: day.String(), Spans: []PlannedSpan{}, Cause: cause, Why: why, School: r.free(day)}
		for _, x := range r.holidays(day) {
			if p.Public != "" {
				p.Public += " et "
			}
			p.Public += x.Name
		}
		for _, x := range parts {
			p.Spans = append(p.Spans, PlannedSpan{x.From, x.To, x.cause, x.why, x.outside, x.refused})
		}
		all = append(all, p)
	}
	return all
}

// Holders are the addresses of those who hold the key for an opening outside
// Duty, or held it for the one that ended when o began. Of an opening while the
// building's staff is there nobody in particular does.
func (h Hours) Holders(o Opening, at time.Time, loc *time.Location) (to []string) {
	when := at
	if !o.Open && !o.Since.IsZero() {
		when = o.Since.Add(-time.Minute) // what closed then was open just before
	}
	x, ok := h.Schedule(when, when, loc).covering(when, false)
	if !ok || !x.Outside {
		return nil
	}
	day := civilAt(x.From.In(loc)) // one past midnight belongs to the day before
	r := h.rules()
	for i, d := range r.agreements {
		if a := h.Agreements[i]; d.has(day) && a.Holds() && a.Contact != "" && !slices.Contains(to, a.Contact) {
			to = append(to, a.Contact)
		}
	}
	return to
}

// ForTerminal is the policy without what only staff may read: who agreed to an
// opening, and who holds the key.
func (p Policy) ForTerminal() Policy {
	all := make([]Agreement, 0, len(p.Hours.Agreements))
	for _, a := range p.Hours.Agreements {
		if !a.Holds() {
			all = append(all, Agreement{From: a.From, To: a.To, Suspended: true})
			continue
		}
		for _, d := range p.Hours.allowed(a) {
			all = append(all, Agreement{From: d.from.String(), To: d.to.String()})
		}
	}
	p.Hours.Agreements = all
	return p
}
