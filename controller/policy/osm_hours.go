package policy

import (
	"cmp"
	"fmt"
	"slices"
)

// ParseOSM reads hours in OpenStreetmap's opening_hours syntax: the part of it
// that places open to the public use. What it does not read is an *OSMError that
// says where. Hours have no dates that come back each year: those without a year
// are written out for the given one and the two after. The zone is the one whose
// school holidays SH stands for.
//
// It is stricter than the syntax where a text would not mean what it says: a
// weekday behind « PH off » would open it again. And it is more lenient where all
// mean the same: of SH and PH, PH decides, whichever comes first; « Th[1] … » adds
// to the usual Thursday, also behind a semicolon, unless the two overlap in part;
// a comment without « open » is a remark, and not the word that nobody knows.
// Monthly openings add on neither public nor school holidays that change
// anything, since hours have no such ones.
func ParseOSM(text string, zone Zone, year int) (Hours, error) {
	rules, err := readOSM(text, year)
	if err != nil {
		return Hours{}, err
	}
	o := &osmHours{text: []rune(text), rules: rules}
	o.h.School.Zone = zone
	if len(rules) == 1 && rules[0].always && !rules[0].off {
		o.h.Always = true
		return o.h, nil
	}
	for i := range rules {
		if err := o.apply(i); err != nil {
			return Hours{}, err
		}
	}
	if err := o.finish(); err != nil {
		return Hours{}, err
	}
	return o.h, nil
}

// osmHours makes hours of rules, one after another.
type osmHours struct {
	h       Hours
	text    []rune
	rules   []osmRule
	seasons []osmSeason // none over another
	closed  []osmSpell  // exceptions that replace, none over another
	adds    []osmSpell
	off     []string // keys of public holidays on which it is closed
	allOff  bool
	school  bool // something was said of school holidays
	beyond  bool // something beyond weekdays was said
}

type osmSeason struct {
	days
	week Week
	name string
}

type osmSpell struct {
	days
	spans []Span
	why   string
}

func (o *osmHours) fail(r osmRule, format string, args ...any) *OSMError {
	return (&osmScanner{r: o.text}).fail(r.at, format, args...)
}

// feast tells whether a rule is about public holidays.
func (r osmRule) feast() bool { return r.ph && !r.either || r.off && len(r.keys) > 0 && !r.hasWeek }

// holy tells whether a rule is about holidays of either kind.
func (r osmRule) holy() bool { return r.feast() || r.sh }

func (o *osmHours) apply(i int) *OSMError {
	r := o.rules[i]
	spans, ok := tidy(r.spans)
	if !ok {
		return o.fail(r, "Douze horaires par jour au plus.")
	}
	r.spans = spans
	switch {
	case r.hasNth:
		return o.monthly(r)
	case r.ph || r.sh || r.feast():
		return o.holidays(r)
	case r.dated:
		o.beyond = true
		return o.dates(i, r)
	case o.beyond:
		return o.fail(r, "En OpenStreetMap, cette règle annulerait celles d’avant (jours fériés, vacances ou dates). Écrivez d’abord les jours de la semaine.")
	}
	o.week(&o.h.Weekly, r)
	return nil
}

// week applies a rule to the days of a week.
func (o *osmHours) week(w *Week, r osmRule) {
	for d := range w {
		switch {
		case r.hasWeek && !r.week[d]:
		case r.add && !r.off:
			w[d], _ = tidy(append(slices.Clone(w[d]), r.spans...))
		default:
			w[d] = slices.Clone(r.spans)
		}
	}
}

func (o *osmHours) monthly(r osmRule) *OSMError {
	switch {
	case r.ph || r.sh:
		return o.fail(r, "Un jour du mois et des vacances ensemble ne sont pas lus.")
	case r.off:
		return o.fail(r, "Fermer un jour de chaque mois n’est pas lu : indiquez les dates.")
	case slices.Contains(r.week[:], true):
		return o.fail(r, "Écrivez les jours du mois (Tu[1]) et les jours de la semaine dans deux règles.")
	}
	ranges := []days{{-1 << 30, 1 << 30}}
	if r.dated {
		ranges = r.dates
	}
	for d, all := range r.nth {
		if len(all) > 0 && !r.add && mixed(r.spans, o.h.Weekly[d]) {
			return o.fail(r, "Cette règle changerait une partie des horaires de ce jour-là, un jour par mois. Pour ajouter une ouverture, donnez des heures qui n’y sont pas.")
		}
		for _, n := range all {
			for _, x := range ranges {
				m := Monthly{Nth: n, Day: d, Spans: slices.Clone(r.spans), Why: r.why}
				if r.dated {
					m.From = x.from.String()
					if x.to.time().Year() < 9999 {
						m.To = x.to.String()
					}
				}
				if o.h.Monthly = append(o.h.Monthly, m); len(o.h.Monthly) > maxMonthly {
					return o.fail(r, "Trop d’ouvertures mensuelles : %d au plus.", maxMonthly)
				}
			}
		}
	}
	return nil
}

func (o *osmHours) holidays(r osmRule) *OSMError {
	all := !r.hasWeek
	if r.either {
		r.week = [7]bool{r.week[0], r.week[1], r.week[2], r.week[3], r.week[4], r.week[5], r.week[6]}
		if slices.Contains(r.week[:], false) || r.off {
			return o.fail(r, "Des jours de la semaine et des vacances ou jours fériés côte à côte ne sont pas lus : écrivez deux règles.")
		}
		// Each day, holidays as well: they change nothing.
		if o.beyond {
			return o.fail(r, "Écrivez d’abord les jours de la semaine.")
		}
		o.week(&o.h.Weekly, r)
		return nil
	}
	if r.dated && !r.feast() || r.dated && r.ph {
		return o.fail(r, "Des dates et des vacances ou jours fériés ensemble ne sont pas lus.")
	}
	o.beyond = true
	if r.feast() {
		if !r.off {
			return o.fail(r, "Des horaires propres aux jours fériés ne sont pas lus : ils sont comme les autres, ou fermés.")
		}
		if r.hasWeek {
			return o.fail(r, "Les jours fériés de certains jours seulement ne sont pas lus.")
		}
		o.allOff = o.allOff || r.ph
		o.off = append(o.off, r.keys...)
	}
	if !r.sh {
		return nil
	}
	s := &o.h.School
	switch {
	case r.off && all && !r.add:
		s.Weekly = Week{}
	case !o.school && len(o.seasons) > 0 && !(all && !r.add):
		return o.fail(r, "Avec des périodes datées, dites d’abord « SH off », puis les jours ouverts pendant les vacances.")
	case !o.school:
		for d := range s.Weekly {
			s.Weekly[d] = slices.Clone(o.h.Weekly[d])
		}
	}
	o.school = true
	o.week(&s.Weekly, r)
	return nil
}

// seasonal tells whether a rule with dates is weaker than holidays and monthly
// openings that come behind it, and so a season; else it is an exception.
func (o *osmHours) seasonal(i int) bool {
	feast, month := false, false
	for _, r := range o.rules[:i] {
		feast, month = feast || r.holy(), month || r.hasNth
	}
	if feast {
		return false
	}
	laterFeast, laterMonth, laterWeek := false, false, false
	for _, r := range o.rules[i+1:] {
		laterFeast, laterMonth = laterFeast || r.holy(), laterMonth || r.hasNth
		laterWeek = laterWeek || r.dated && r.hasWeek && overlap(r.dates, o.rules[i].dates)
	}
	return laterFeast || !month && (laterMonth || laterWeek || o.rules[i].hasWeek)
}

func overlap(a, b []days) bool {
	return slices.ContainsFunc(a, func(x days) bool {
		return slices.ContainsFunc(b, func(y days) bool { return x.from <= y.to && y.from <= x.to })
	})
}

func (o *osmHours) dates(i int, r osmRule) *OSMError {
	for _, d := range r.dates {
		if d.to-d.from >= maxLength {
			return o.fail(r, "Cette période est trop longue : %d jours au plus.", maxLength)
		}
		if o.seasonal(i) {
			o.season(d, r)
			continue
		}
		for _, part := range r.on(d) {
			if !r.add || r.off {
				o.closed, o.adds = without(o.closed, part), without(o.adds, part)
				o.closed = append(o.closed, osmSpell{part, r.spans, r.why})
			} else {
				o.adds = append(o.adds, osmSpell{part, r.spans, r.why})
			}
		}
		if len(o.closed)+len(o.adds) > maxItems {
			return o.fail(r, "Trop de dates : %d au plus.", maxItems)
		}
	}
	return nil
}

// on returns the stretches of d on which the rule's weekdays are.
func (r osmRule) on(d days) []days {
	if !r.hasWeek {
		return []days{d}
	}
	var all []days
	for c := d.from; c <= d.to; c++ {
		switch n := len(all); {
		case !r.week[c.weekday()]:
		case n > 0 && all[n-1].to == c-1:
			all[n-1].to = c
		default:
			all = append(all, days{c, c})
		}
	}
	return all
}

// without takes days out of what was said before.
func without(all []osmSpell, d days) []osmSpell {
	var left []osmSpell
	for _, x := range all {
		for _, part := range minus(x.days, d) {
			left = append(left, osmSpell{part, x.spans, x.why})
		}
	}
	return left
}

// minus is what is left of d without e.
func minus(d, e days) []days {
	var left []days
	if d.from < e.from {
		left = append(left, days{d.from, min(d.to, e.from-1)})
	}
	if d.to > e.to {
		left = append(left, days{max(d.from, e.to+1), d.to})
	}
	return left
}

// season applies a rule to the weeks of some days: where none is yet, to a copy
// of the usual one.
func (o *osmHours) season(d days, r osmRule) {
	rest := []days{d}
	var next []osmSeason
	for _, s := range o.seasons {
		for _, part := range minus(s.days, d) {
			next = append(next, osmSeason{part, s.week, s.name})
		}
		in := days{max(s.from, d.from), min(s.to, d.to)}
		if in.from > in.to {
			continue
		}
		week := s.week
		o.week(&week, r)
		next = append(next, osmSeason{in, week, cmp.Or(r.why, s.name)})
		var left []days
		for _, x := range rest {
			left = append(left, minus(x, in)...)
		}
		rest = left
	}
	for _, x := range rest {
		week := o.h.Weekly
		o.week(&week, r)
		next = append(next, osmSeason{x, week, r.why})
	}
	o.seasons = next
}

// finish writes what was gathered into the hours.
func (o *osmHours) finish() *OSMError {
	last := o.rules[len(o.rules)-1]
	if len(o.seasons) > maxSeasons {
		return o.fail(last, "Trop de périodes : %d au plus.", maxSeasons)
	}
	if len(o.closed)+len(o.adds) > maxItems {
		return o.fail(last, "Trop de dates : %d au plus.", maxItems)
	}
	slices.SortFunc(o.seasons, func(a, b osmSeason) int { return cmp.Compare(a.from, b.from) })
	for _, s := range o.seasons {
		name := s.name
		if name == "" {
			name = fmt.Sprintf("Du %s au %s", Day(s.from.time()), Day(s.to.time()))
		}
		o.h.Seasons = append(o.h.Seasons, Season{Name: name, From: s.from.String(), To: s.to.String(), Weekly: s.week})
	}
	for _, x := range []struct {
		all []osmSpell
		add bool
	}{{o.closed, false}, {o.adds, true}} {
		slices.SortStableFunc(x.all, func(a, b osmSpell) int { return cmp.Compare(a.from, b.from) })
		for _, s := range x.all {
			e := Exception{Day: s.from.String(), Spans: slices.Clone(s.spans), Add: x.add, Why: s.why}
			if s.to != s.from {
				e.To = s.to.String()
			}
			o.h.Exceptions = append(o.h.Exceptions, e)
		}
	}
	if o.school {
		o.h.School.Mode = ModeWeekly
		if o.h.School.Weekly.empty() {
			o.h.School.Mode, o.h.School.Weekly = ModeClosed, Week{}
		}
	}
	if o.allOff || len(o.off) > 0 {
		o.h.Public.Mode = ModeClosed
		for _, d := range PublicDays(2000) {
			if !o.allOff && !slices.Contains(o.off, d.Key) {
				o.h.Public.Worked = append(o.h.Public.Worked, d.Key)
			}
		}
	}
	return nil
}

// tidy sorts spans and cuts those that run into the next one, so that they open
// the same and none is over another; false when they are too many.
func tidy(spans []Span) ([]Span, bool) {
	sorted := slices.Clone(spans)
	slices.SortFunc(sorted, func(a, b Span) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(b.To, a.To)) })
	var all []Span
	for _, s := range sorted {
		if n := len(all); n > 0 && s.From < all[n-1].To {
			if s.To <= all[n-1].To {
				continue
			}
			if all[n-1].To = s.From; all[n-1].To <= all[n-1].From {
				all = all[:n-1]
			}
		}
		all = append(all, s)
	}
	return all, len(all) <= maxSpans
}

// mixed tells whether spans overlap others without holding all of them.
func mixed(spans, others []Span) bool {
	var open [2 * 1440]bool
	for _, s := range spans {
		for m := max(0, s.From); m < min(s.To, len(open)); m++ {
			open[m] = true
		}
	}
	in, out := false, false
	for _, s := range others {
		for m := max(0, s.From); m < min(s.To, len(open)); m++ {
			in, out = in || open[m], out || !open[m]
		}
	}
	return in && out
}
