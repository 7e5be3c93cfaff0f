package policy

import (
	"slices"
	"time"
)

const dayLayout = "2006-01-02"

// civil is a day of the calendar, counted from 1970-01-01. It has no zone.
type civil int64

func civilOf(year int, month time.Month, day int) civil {
	return civil(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// civilAt is the day that a clock on the wall shows at t, in t's own zone.
func civilAt(t time.Time) civil { return civilOf(t.Date()) }

// parseDay reads 2006-01-02; false for a day that does not exist.
func parseDay(s string) (civil, bool) {
	t, err := time.Parse(dayLayout, s)
	if err != nil || t.Format(dayLayout) != s {
		return 0, false
	}
	return civilAt(t), true
}

func (c civil) time() time.Time { return time.Unix(int64(c)*86400, 0).UTC() }

func (c civil) String() string { return c.time().Format(dayLayout) }

func (c civil) weekday() time.Weekday { return time.Weekday(((int(c)+4)%7 + 7) % 7) } // 1970-01-01 was a Thursday

// days is a stretch of days, both ends in it. Days that cannot be read hold none.
type days struct{ from, to civil }

func noDays() days { return days{1, 0} }

func (d days) has(c civil) bool { return d.from <= c && c <= d.to }

// parseDays reads two days; an empty to is from alone.
func parseDays(from, to string) days {
	a, ok := parseDay(from)
	if !ok {
		return noDays()
	}
	if to == "" {
		return days{a, a}
	}
	b, ok := parseDay(to)
	if !ok {
		return noDays()
	}
	return days{a, b}
}

// openEnded reads two days of which each may be missing.
func openEnded(from, to string) days {
	d := days{-1 << 30, 1 << 30}
	if from != "" {
		d.from = parseDays(from, "").from
		if _, ok := parseDay(from); !ok {
			return noDays()
		}
	}
	if to != "" {
		last, ok := parseDay(to)
		if !ok {
			return noDays()
		}
		d.to = last
	}
	return d
}

// empty tells whether a week has no span at all.
func (w Week) empty() bool {
	return !slices.ContainsFunc(w[:], func(s []Span) bool { return len(s) > 0 })
}

// readable tells whether the span begins within its day and lasts a day at most.
func (s Span) readable() bool {
	return s.From >= 0 && s.From < 1440 && s.To > s.From && s.To <= s.From+1440
}

// rules are Hours with their days read, to be asked for many days.
type rules struct {
	h          *Hours
	seasons    []days
	monthly    []days
	exceptions []days
	breaks     []days
	agreements []days
	public     map[int]map[civil][]PublicDay // by year, as they are asked for
}

func (h *Hours) rules() *rules {
	r := &rules{h: h, public: map[int]map[civil][]PublicDay{}}
	for _, x := range h.Seasons {
		r.seasons = append(r.seasons, parseDays(x.From, x.To))
	}
	for _, x := range h.Monthly {
		r.monthly = append(r.monthly, openEnded(x.From, x.To))
	}
	for _, x := range h.Exceptions {
		r.exceptions = append(r.exceptions, parseDays(x.Day, x.To))
	}
	for _, x := range h.School.Breaks {
		r.breaks = append(r.breaks, parseDays(x.From, x.To))
	}
	for _, x := range h.Agreements {
		r.agreements = append(r.agreements, parseDays(x.From, x.To))
	}
	return r
}

// found is the place in all of the first that holds on day, or -1.
func found(all []days, day civil) int {
	return slices.IndexFunc(all, func(d days) bool { return d.has(day) })
}

// holidays are the public holidays of a day: Ascension has fallen on 1 and on 8 May.
func (r *rules) holidays(day civil) []PublicDay {
	year := day.time().Year()
	of, ok := r.public[year]
	if !ok {
		of = map[civil][]PublicDay{}
		for _, d := range PublicDays(year) {
			if c, ok := parseDay(d.Day); ok {
				of[c] = append(of[c], d)
			}
		}
		r.public[year] = of
	}
	return of[day]
}

// off is the public holiday that closes the place on a day.
func (r *rules) off(day civil) (PublicDay, bool) {
	if r.h.Public.Mode != ModeClosed {
		return PublicDay{}, false
	}
	for _, p := range r.holidays(day) {
		if !slices.Contains(r.h.Public.Worked, p.Key) {
			return p, true
		}
	}
	return PublicDay{}, false
}

// free is the school holiday that holds on a day, or "".
func (r *rules) free(day civil) string {
	if r.h.School.Zone == NoZone {
		return ""
	}
	if i := found(r.breaks, day); i >= 0 {
		return r.h.School.Breaks[i].Name
	}
	return ""
}

// part is a span that a day begins, and what it is there for.
type part struct {
	Span
	cause   Cause
	why     string
	outside bool // outside duty
	refused bool // and nobody agreed: it stays closed
}

// day returns the spans that begin on a day, before agreements are looked at,
// and what decided.
func (r *rules) day(day civil) (parts []part, cause Cause, why string) {
	put := func(spans []Span, c Cause, w string) {
		for _, s := range spans {
			if s.readable() { // Check refuses others: they open nothing, and cost nothing
				parts = append(parts, part{Span: s, cause: c, why: w})
			}
		}
	}
	h, replaced := r.h, false
	for i, d := range r.exceptions {
		if e := h.Exceptions[i]; d.has(day) && !e.Add {
			if !replaced {
				cause, why = CauseException, e.Why
			}
			put(e.Spans, CauseException, e.Why)
			replaced = true
		}
	}
	if !replaced {
		cause, why = r.usual(day, put)
	}
	for i, d := range r.exceptions {
		if e := h.Exceptions[i]; d.has(day) && e.Add {
			put(e.Spans, CauseException, e.Why)
		}
	}
	return parts, cause, why
}

// usual is a day without an exception that replaces it.
func (r *rules) usual(day civil, put func([]Span, Cause, string)) (Cause, string) {
	h := r.h
	if p, off := r.off(day); off {
		return CausePublic, p.Name
	}
	cause, why, week := CauseWeekly, "", h.Weekly
	for i, d := range r.seasons {
		if d.has(day) {
			cause, why, week = CauseSeason, h.Seasons[i].Name, h.Seasons[i].Weekly
		}
	}
	if name := r.free(day); name != "" && h.School.Mode != ModeUsual {
		if h.School.Mode == ModeWeekly {
			put(h.School.Weekly[day.weekday()], CauseSchool, name)
		}
		return CauseSchool, name
	}
	put(week[day.weekday()], cause, why)
	for i, d := range r.monthly {
		if m := h.Monthly[i]; d.has(day) && m.on(day) {
			put(m.Spans, CauseMonthly, m.Why)
		}
	}
	return cause, why
}

// on tells whether the day is the month's nth of its weekday.
func (m Monthly) on(day civil) bool {
	if int(day.weekday()) != m.Day {
		return false
	}
	t := day.time()
	if m.Nth < 0 {
		return t.AddDate(0, 0, 7).Month() != t.Month()
	}
	return (t.Day()-1)/7+1 == m.Nth
}

// duty is when the building's staff is there on a day. A school's is not there
// in its holidays; an office's is. Nobody is on a public holiday that closes.
func (r *rules) duty(day civil) []Span {
	if _, off := r.off(day); off || r.h.Guarded && r.free(day) != "" {
		return nil
	}
	return r.h.Duty[day.weekday()]
}

// agreed tells whether an agreement holds on a day.
func (r *rules) agreed(day civil) (holds bool) {
	for i, d := range r.agreements {
		if a := r.h.Agreements[i]; d.has(day) {
			if a.forbids() {
				return false
			}
			holds = holds || a.Holds()
		}
	}
	return holds
}

// parts are the spans that begin on a day, cut where duty begins and ends: what
// is outside it needs an agreement in a guarded place.
func (r *rules) parts(day civil) (parts []part, cause Cause, why string) {
	all, cause, why := r.day(day)
	if len(all) == 0 || r.h.Duty.empty() && !r.h.Guarded {
		return all, cause, why
	}
	duty := slices.Clone(r.duty(day))
	for _, s := range r.duty(day - 1) { // it may last until today
		duty = append(duty, Span{s.From - 1440, s.To - 1440})
	}
	for _, s := range r.duty(day + 1) { // and a span may last until then
		duty = append(duty, Span{s.From + 1440, s.To + 1440})
	}
	slices.SortFunc(duty, func(a, b Span) int { return a.From - b.From })
	agreed := r.agreed(day)
	for _, p := range all {
		at := p.From
		outside := func(to int) {
			if to > at {
				q := p
				q.Span, q.outside, q.refused = Span{at, to}, true, r.h.Guarded && !agreed
				parts = append(parts, q)
			}
		}
		for _, d := range duty {
			from, to := max(d.From, at), min(d.To, p.To)
			if from >= to {
				continue
			}
			outside(from)
			q := p
			q.Span = Span{from, to}
			parts = append(parts, q)
			at = to
		}
		outside(p.To)
	}
	return parts, cause, why
}
