package policy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// OSM writes the hours in OpenStreetMap's opening_hours syntax, as data·inclusion
// wants them in « horaires_ouverture ». Rules come in rising order, since of two
// that hold for a day the later decides: the week, seasons, monthly openings,
// school holidays, public holidays, exceptions, what exceptions add.
//
// What the syntax has no word for is left out: duty, agreements, whom to ask
// meanwhile. A place that needs an agreement is written with the openings that
// are planned.
func (h Hours) OSM() string {
	if h.Always {
		return "24/7"
	}
	w := &osmWriter{}
	if h.Weekly.empty() {
		w.rule("off")
	}
	w.week("", h.Weekly)
	for _, s := range h.Seasons {
		if d := parseDays(s.From, s.To); d.from <= d.to {
			w.rule(osmDays(d) + " off" + comment(s.Name))
			w.week(osmDays(d)+" ", s.Weekly)
		}
	}
	for _, m := range h.Monthly {
		if t := osmSpans(m.Spans); t != "" && m.Day >= 0 && m.Day < 7 {
			w.also(osmOpenEnded(openEnded(m.From, m.To), m) + fmt.Sprintf("%s[%d] %s", osmDay(m.Day), m.Nth, t) + opened(m.Why))
		}
	}
	if h.School.Zone != NoZone && h.School.Mode != ModeUsual {
		w.rule("SH off")
		if h.School.Mode == ModeWeekly {
			w.week("SH ", h.School.Weekly)
		}
	}
	w.public(h.Public)
	for _, add := range []bool{false, true} {
		for _, e := range h.Exceptions {
			d := parseDays(e.Day, e.To)
			t := osmSpans(e.Spans)
			switch {
			case d.from > d.to || e.Add != add || add && t == "":
			case add:
				w.also(osmDays(d) + " " + t + opened(e.Why))
			case t == "":
				w.rule(osmDays(d) + " off" + comment(e.Why))
			default:
				w.rule(osmDays(d) + " " + t + opened(e.Why))
			}
		}
	}
	return w.b.String()
}

type osmWriter struct{ b strings.Builder }

// rule writes one that decides over those before it.
func (w *osmWriter) rule(s string) { w.put("; ", s) }

// also writes one that adds to them.
func (w *osmWriter) also(s string) { w.put(", ", s) }

func (w *osmWriter) put(separator, s string) {
	if w.b.Len() > 0 {
		w.b.WriteString(separator)
	}
	w.b.WriteString(s)
}

// week writes the open days of a week, those of the same hours together.
func (w *osmWriter) week(before string, week Week) {
	var done [7]bool
	for i := range 7 {
		day := (i + 1) % 7
		t := osmSpans(week[day])
		if done[day] || t == "" {
			continue
		}
		var same [7]bool // Monday first
		for j := i; j < 7; j++ {
			if d := (j + 1) % 7; osmSpans(week[d]) == t {
				same[j], done[d] = true, true
			}
		}
		w.rule(before + osmWeekdays(same) + " " + t)
	}
}

// public writes the public holidays on which the place is closed: PH knows all
// or none.
func (w *osmWriter) public(p Public) {
	if p.Mode != ModeClosed {
		return
	}
	var fixed, moving []string
	all := true
	for _, d := range PublicDays(2000) {
		if slices.Contains(p.Worked, d.Key) {
			all = false
			continue
		}
		if after, ok := afterEaster(d.Key); ok {
			moving = append(moving, fmt.Sprintf("easter +%d day%s", after, plural(after)))
			continue
		}
		c, _ := parseDay(d.Day)
		fixed = append(fixed, c.time().Format("Jan 02"))
	}
	switch {
	case all:
		w.rule("PH off")
		return
	case len(fixed) > 0:
		w.rule(strings.Join(fixed, ",") + " off")
	}
	if len(moving) > 0 {
		w.rule(strings.Join(moving, ",") + " off")
	}
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// afterEaster tells how many days after Easter Sunday a public holiday is.
func afterEaster(key string) (int, bool) {
	n, ok := map[string]int{"easter-monday": 1, "ascension": 39, "whit-monday": 50}[key]
	return n, ok
}

func osmDay(weekday int) string { return time.Weekday(weekday).String()[:2] }

// osmWeekdays writes days that begin with Monday: « Mo,We-Fr ».
func osmWeekdays(on [7]bool) string {
	var all []string
	for i := 0; i < 7; i++ {
		if !on[i] {
			continue
		}
		j := i
		for j < 6 && on[j+1] {
			j++
		}
		name := func(k int) string { return osmDay((k + 1) % 7) }
		switch j - i {
		case 0:
			all = append(all, name(i))
		case 1:
			all = append(all, name(i), name(j))
		default:
			all = append(all, name(i)+"-"+name(j))
		}
		i = j
	}
	return strings.Join(all, ",")
}

// osmSpans writes the spans that open anything.
func osmSpans(spans []Span) string {
	kept := slices.DeleteFunc(slices.Clone(spans), func(s Span) bool { return !s.readable() })
	slices.SortStableFunc(kept, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	var all []string
	for _, s := range kept {
		all = append(all, fmt.Sprintf("%02d:%02d-%02d:%02d", s.From/60, s.From%60, s.To/60, s.To%60))
	}
	return strings.Join(all, ",")
}

const osmDate = "2006 Jan 02"

func osmDays(d days) string {
	from := d.from.time().Format(osmDate)
	if d.from == d.to {
		return from
	}
	return from + "-" + d.to.time().Format(osmDate)
}

// osmOpenEnded writes the days of a monthly opening, or nothing for all.
func osmOpenEnded(d days, m Monthly) string {
	switch {
	case m.From == "" && m.To == "":
		return ""
	case m.To == "":
		return d.from.time().Format(osmDate) + "+ "
	case m.From == "":
		d.from = 0 // 1970: before there was any terminal
	}
	return osmDays(d) + " "
}

// comment writes a text behind a rule; it has no way to hold a quotation mark.
func comment(s string) string {
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case r == '"':
			return '”'
		case r < ' ' || r == 0x7f:
			return ' '
		}
		return r
	}, s)), " ")
	if s == "" {
		return ""
	}
	return ` "` + s + `"`
}

// opened is a comment on hours: without « open » it would say that nobody knows.
func opened(s string) string {
	if c := comment(s); c != "" {
		return " open" + c
	}
	return ""
}
