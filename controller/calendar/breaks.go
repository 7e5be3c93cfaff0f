package calendar

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"borne/controller/policy"
)

const dayLayout = "2006-01-02"

// near is by how many days academies of one zone may differ: a bridge that one
// of them makes up for on a Wednesday.
const near = 7

// run is a break as it is put together: from its first day, free or the last of
// class, to the morning of return.
type run struct {
	entry
	kind     kind
	from, to moment
}

func (e *entry) fail(format string, args ...any) *Error {
	return &Error{Line: e.line, Entry: e.number, Sentence: fmt.Sprintf(format, args...)}
}

// assemble makes a zone's breaks of a file's entries.
func assemble(all []entry, zone policy.Zone, now time.Time) (Calendar, *Error) {
	today := now.In(policy.Location())
	today = time.Date(today.Year(), today.Month(), today.Day(), 0, 0, 0, 0, time.UTC)
	runs, returns, latest, err := pick(all, zone, today.AddDate(0, 0, -keptDays))
	if err != nil {
		return Calendar{}, err
	}
	if runs, err = ends(runs, returns); err != nil {
		return Calendar{}, err
	}
	if runs, err = join(runs); err != nil {
		return Calendar{}, err
	}
	c := Calendar{}
	for _, r := range runs {
		b, err := r.brk()
		if err != nil {
			return Calendar{}, err
		}
		c.Breaks, c.Until = append(c.Breaks, b), b.To
		if to, _ := time.Parse(dayLayout, b.To); to.After(latest) {
			latest = to
		}
	}
	switch {
	case len(c.Breaks) == 0 && latest.IsZero():
		return Calendar{}, wrong("Ce fichier n’a aucune date de vacances pour la zone %s.%s", zone, others(all, zone))
	case latest.Before(today):
		return Calendar{}, wrong("Ce calendrier est trop ancien : il s’arrête le %s, et rien n’y est à venir.", frenchDay(latest))
	case len(c.Breaks) > maxBreaks:
		return Calendar{}, wrong("Trop de périodes de vacances : %d, et %d au plus.", len(c.Breaks), maxBreaks)
	}
	return c, nil
}

// others says whose calendar a file is that has nothing for the zone.
func others(all []entry, zone policy.Zone) string {
	var names []string
	for _, z := range Zones() {
		if z != zone && slices.ContainsFunc(all, func(e entry) bool { return !e.unnamed && e.of(z) }) {
			names = append(names, "la zone "+string(z))
		}
	}
	for _, p := range places() {
		if slices.ContainsFunc(all, func(e entry) bool { return e.elsewhere == p.name }) {
			names = append(names, p.name)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return " Il vaut pour " + strings.Join(names, ", ") + "."
}

// pick takes the zone's entries, in their order and each once, and the days on
// which pupils come back. What ended before the cut is left out, whatever it
// says; latest is the last day of it.
func pick(all []entry, zone policy.Zone, cut time.Time) (runs []run, returns []time.Time, latest time.Time, err *Error) {
	seen := map[string]bool{}
	for _, e := range all {
		if !e.of(zone) || e.teachers {
			continue
		}
		if e.bad != nil {
			return nil, nil, latest, e.bad
		}
		k := kindOf(e.name)
		if last := later(e.from.day, e.to.day); last.Before(cut) {
			if k != back && k != nothing {
				latest = later(latest, last.AddDate(0, 0, -1))
			}
			continue
		}
		switch k {
		case nothing:
			continue
		case back:
			returns = append(returns, e.from.day)
			continue
		case single:
			if e.unnamed && !schoolDay(e.name) { // somebody's own calendar
				return nil, nil, latest, e.fail("« %s » n’est pas une période de vacances scolaires. Est-ce bien le calendrier officiel ?", short(e.name))
			}
		}
		if !e.to.zero() && e.to.day.Before(e.from.day) {
			return nil, nil, latest, e.fail("« %s » finit le %s, avant son début le %s.", short(e.name), frenchDay(e.to.day), frenchDay(e.from.day))
		}
		if key := fmt.Sprint(fold(e.name), e.from, e.to); !seen[key] { // one for each academy
			seen[key] = true
			runs = append(runs, run{entry: e, kind: k, from: e.from, to: e.to})
		}
	}
	slices.SortFunc(returns, time.Time.Compare)
	slices.SortStableFunc(runs, func(a, b run) int {
		if c := a.from.day.Compare(b.from.day); c != 0 {
			return c
		}
		return b.to.day.Compare(a.to.day) // the longest first: it says more than one without an end
	})
	return runs, returns, latest, nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// ends gives an end to what has none.
func ends(runs []run, returns []time.Time) ([]run, *Error) {
	var kept []run
	for _, r := range runs {
		open := r.to.zero() || r.to.day.Equal(r.from.day)
		switch {
		case r.kind == single:
			if open {
				r.to = moment{day: r.from.day.AddDate(0, 0, 1)}
			}
			// The ministry has written one as Thursday to Sunday, as its Friday until
			// Saturday, and as its Friday alone: class begins on Monday in each.
			if d := r.from.day.Weekday(); bridge(r.name) && d >= time.Thursday {
				r.to.day = later(r.to.day, r.from.day.AddDate(0, 0, 8-int(d)))
			}
		case !open:
		case !summer(r.name):
			return nil, r.fail("« %s » (%s) n’a pas de fin.", short(r.name), frenchDay(r.from.day))
		case slices.ContainsFunc(runs, func(o run) bool { // the whole summer is there as well
			return summer(o.name) && o.to.day.After(o.from.day) && !o.from.day.After(r.from.day.AddDate(0, 0, near)) && o.to.day.After(r.from.day)
		}):
			continue
		default:
			bound := time.Date(r.from.day.Year(), time.September, 1, 0, 0, 0, 0, time.UTC)
			if !r.from.day.Before(bound) {
				return nil, r.fail("« %s » (%s) n’a pas de fin, et commence après le 31 août.", short(r.name), frenchDay(r.from.day))
			}
			r.to = moment{day: bound}
			if i := slices.IndexFunc(returns, func(day time.Time) bool {
				return day.After(r.from.day) && day.Before(r.from.day.AddDate(0, 0, maxDays))
			}); i >= 0 {
				r.to.day = returns[i]
			}
		}
		if summer(r.name) {
			r.name = "Vacances d’Été"
		}
		kept = append(kept, r)
	}
	return kept, nil
}

func bridge(name string) bool { return strings.HasPrefix(fold(name), "pont") }

// join puts the stretches of one holiday together again, and refuses what
// contradicts itself.
func join(runs []run) ([]run, *Error) {
	var all []run
	for _, r := range runs {
		i := slices.IndexFunc(all, func(o run) bool { return fold(o.name) == fold(r.name) && !r.from.day.After(o.to.day) })
		if i < 0 {
			all = append(all, r)
			continue
		}
		o := &all[i]
		touches := r.from.day.Equal(o.to.day)
		if !touches && (apart(o.from.day, r.from.day) > near || apart(o.to.day, r.to.day) > near) {
			return nil, r.fail("« %s » a deux dates qui se contredisent : du %s au %s, et du %s au %s.", short(r.name),
				frenchDay(o.from.day), frenchDay(o.to.day), frenchDay(r.from.day), frenchDay(r.to.day))
		}
		o.to.day = later(o.to.day, r.to.day)
	}
	slices.SortStableFunc(all, func(a, b run) int { return a.from.day.Compare(b.from.day) })
	var kept []run
	for _, r := range all {
		if n := len(kept); n > 0 && r.from.day.Before(kept[n-1].to.day) {
			last := kept[n-1]
			if r.kind == single && !r.to.day.After(last.to.day) {
				continue // a single day within a holiday
			}
			return nil, r.fail("« %s » (à partir du %s) commence avant la fin de « %s » (%s) : les deux se chevauchent.", short(r.name),
				frenchDay(r.from.day), short(last.name), frenchDay(last.to.day))
		}
		kept = append(kept, r)
	}
	return kept, nil
}

func apart(a, b time.Time) int {
	d := int(a.Sub(b).Hours() / 24)
	return max(d, -d)
}

// brk is the free days of a run.
func (r run) brk() (policy.Break, *Error) {
	first, last := r.from.day, r.to.day.AddDate(0, 0, -1)
	if r.kind != single && !r.from.evening && classOn(first) {
		first = first.AddDate(0, 0, 1)
	}
	days := int(last.Sub(first).Hours()/24) + 1
	switch {
	case days < 1:
		return policy.Break{}, r.fail("« %s » n’a aucun jour sans classe : départ le %s après la classe, retour le %s au matin.", short(r.name), frenchDay(r.from.day), frenchDay(r.to.day))
	case days > maxDays:
		return policy.Break{}, r.fail("« %s » dure %d jours, du %s au %s : c’est trop long pour des vacances (%d au plus).", short(r.name), days, frenchDay(first), frenchDay(last), maxDays)
	}
	return policy.Break{Name: r.name, From: first.Format(dayLayout), To: last.Format(dayLayout)}, nil
}

// classOn tells whether collèges have class on a day that is not free.
func classOn(day time.Time) bool {
	if day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
		return false
	}
	return !slices.ContainsFunc(policy.PublicDays(day.Year()), func(p policy.PublicDay) bool { return p.Day == day.Format(dayLayout) })
}
