package policy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Limits of what hours hold.
const (
	maxSpans   = 12
	maxSeasons = 40
	maxMonthly = 40
	maxAgreed  = 100
	maxLength  = 400 // days of an exception, a season or an agreement
	maxWhy     = 200 // bytes
)

// CheckAt is Check for a policy that is to hold from now on: hours that are all
// over would close a place for good, and an opening while nobody of the building
// is there needs somebody who holds the key. Terminals do not ask this: they are
// not told who does.
func (p Policy) CheckAt(now time.Time, loc *time.Location) []Problem {
	found := p.Check()
	if slices.ContainsFunc(found, func(x Problem) bool { return strings.HasPrefix(x.Field, "hours") }) {
		return found
	}
	c := &checker{found: found}
	p.Hours.checkKeys(c, now, loc)
	if o := p.Hours.At(now, loc); !o.Open && o.Until.IsZero() && !p.Hours.waits(now.In(loc)) {
		c.add("hours", "Toutes les ouvertures indiquées sont passées, ou attendent un accord : le lieu n’ouvrirait plus jamais. Indiquez un horaire à venir.")
	}
	return c.found
}

// checkKeys asks that somebody is named who holds the key for each opening to
// come outside Duty. A guarded place does not open without an agreement, and
// its agreements name all.
func (h Hours) checkKeys(c *checker, now time.Time, loc *time.Location) {
	for i, a := range h.Agreements {
		field := fmt.Sprintf("hours.agreements.%d", i)
		if to, ok := parseDay(a.To); ok && to < civilAt(now.In(loc)) {
			continue // over: its names are forgotten after a while
		}
		if strings.TrimSpace(a.Key) == "" {
			c.add(field+".key", "Indiquez qui tient la clé et remet l’alarme.")
		}
		if a.Head != "" { // who agrees is known when they answer
			if !h.Guarded {
				c.add(field+".head", "Ici, on ouvre sans l’accord du chef d’établissement : il n’y a rien à lui demander. Cochez d’abord « Ouvrir seulement avec un accord ».")
			}
			continue
		}
		if h.Guarded && strings.TrimSpace(a.By) == "" {
			c.add(field+".by", "Indiquez qui a donné son accord.")
		}
		switch day, ok := parseDay(a.Agreed); {
		case h.Guarded && !ok:
			c.add(field+".agreed", "Indiquez le jour de l’accord.")
		case ok && day > civilAt(now.In(loc)):
			c.add(field+".agreed", "Le jour de l’accord ne peut pas être à venir.")
		}
	}
	if day, p, ok := h.keyless(now, keysAhead, loc); ok {
		c.add(FieldKeys, "Le %s, l’ouverture de %s à %s est en dehors des heures où le personnel est là : indiquez qui tient la clé.",
			Day(day.time()), Clock(p.From), Clock(p.To)) // one is enough to mend all
	}
}

// FieldKeys is the field of the problem that nobody is named who holds the key
// for an opening to come.
const FieldKeys = "hours.agreements"

// keysAhead is how many days ahead somebody has to be named; later ones are
// warned of, since nobody knows today who will hold the key in a year.
const keysAhead = 92

// keyless is the first opening outside Duty in the days to come for which nobody
// is named, where no agreement is asked for.
func (h Hours) keyless(now time.Time, ahead civil, loc *time.Location) (civil, part, bool) {
	if h.Always || h.Guarded || h.Duty.empty() {
		return 0, part{}, false
	}
	r := h.rules()
	today := civilAt(now.In(loc))
	for day := today; day < today+ahead; day++ {
		parts, _, _ := r.parts(day)
		for _, p := range parts {
			if p.outside && !r.agreed(day) {
				return day, p, true
			}
		}
	}
	return 0, part{}, false
}

func (h Hours) check(c *checker) {
	for _, l := range []struct {
		field string
		n     int
		most  int
	}{{"exceptions", len(h.Exceptions), maxItems}, {"seasons", len(h.Seasons), maxSeasons}, {"monthly", len(h.Monthly), maxMonthly}, {"agreements", len(h.Agreements), maxAgreed}} {
		if l.n > l.most {
			c.add("hours."+l.field, "Il y en a trop : %d au plus.", l.most)
			return
		}
	}
	open := h.Always
	if h.Always && h.Guarded {
		c.add("hours.always", "Un lieu qui n’ouvre en dehors des heures du personnel qu’avec un accord ne peut pas être ouvert jour et nuit.")
	}
	open = c.week("hours.weekly", h.Weekly) || open
	open = h.checkSeasons(c) || open
	open = h.checkMonthly(c) || open
	open = h.checkExceptions(c) || open
	c.week("hours.duty", h.Duty)
	h.checkDaysOff(c)
	for i, a := range h.Agreements {
		field := fmt.Sprintf("hours.agreements.%d", i)
		c.days(field, a.From, a.To)
		if _, ok := parseDay(a.Agreed); a.Agreed != "" && !ok {
			c.add(field+".agreed", "La date « %s » n’existe pas (année-mois-jour).", a.Agreed)
		}
		if len(a.By) > maxWhy || len(a.Key) > maxWhy {
			c.add(field, "Un nom est trop long (200 caractères au plus).")
		}
		if a.Contact != "" && !address(a.Contact) {
			c.add(field+".contact", "« %s » n’est pas une adresse électronique.", a.Contact)
		}
		if a.Head != "" && !address(a.Head) {
			c.add(field+".head", "« %s » n’est pas une adresse électronique.", a.Head)
		}
	}
	if len(h.Meanwhile) > 2*maxWhy {
		c.add("hours.meanwhile", "Le texte est trop long (400 caractères au plus).")
	}
	if !open {
		c.add("hours", "Le lieu ne serait jamais ouvert : indiquez au moins un horaire, ou fermez le poste autrement.")
	}
}

// address tells whether a mail may be sent there.
func address(s string) bool {
	return len(s) <= maxWhy && strings.Contains(s, "@") && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '<' || r == '>' || r == ',' })
}

func (h Hours) checkSeasons(c *checker) (open bool) {
	for i, s := range h.Seasons {
		field := fmt.Sprintf("hours.seasons.%d", i)
		c.days(field, s.From, s.To)
		if strings.TrimSpace(s.Name) == "" || len(s.Name) > maxWhy {
			c.add(field+".name", "Donnez un nom à cette période, par exemple « Horaires d’été ».")
		}
		open = c.week(field+".weekly", s.Weekly) || open
	}
	return open
}

func (h Hours) checkMonthly(c *checker) (open bool) {
	for i, m := range h.Monthly {
		field := fmt.Sprintf("hours.monthly.%d", i)
		if m.Nth != -1 && (m.Nth < 1 || m.Nth > 4) {
			c.add(field+".nth", "Choisissez le premier, le deuxième, le troisième, le quatrième ou le dernier du mois.")
		}
		if m.Day < 0 || m.Day > 6 {
			c.add(field+".day", "Choisissez un jour de la semaine.")
		}
		if d := openEnded(m.From, m.To); d.from > d.to {
			c.add(field+".from", "Les dates « %s » et « %s » ne conviennent pas (année-mois-jour, la première avant la dernière).", m.From, m.To)
		}
		if len(m.Spans) == 0 {
			c.add(field+".spans", "Indiquez de quelle heure à quelle heure.")
		}
		if len(m.Why) > maxWhy {
			c.add(field+".why", "La raison est trop longue (200 caractères au plus).")
		}
		c.spans(field+".spans", m.Spans)
		open = open || len(m.Spans) > 0
	}
	return open
}

func (h Hours) checkExceptions(c *checker) (open bool) {
	var taken []days
	for i, e := range h.Exceptions {
		field := fmt.Sprintf("hours.exceptions.%d", i)
		open = open || len(e.Spans) > 0
		to, place := e.To, field
		if to == "" {
			to, place = e.Day, field+".day"
		}
		if d, ok := c.days(place, e.Day, to); ok && !e.Add {
			if n := slices.IndexFunc(taken, func(o days) bool { return o.from <= d.to && d.from <= o.to }); n >= 0 {
				c.add(field+".day", "Il y a deux exceptions pour le %s.", Day(max(d.from, taken[n].from).time()))
			}
			taken = append(taken, d)
		}
		if e.Add && len(e.Spans) == 0 {
			c.add(field+".spans", "Indiquez de quelle heure à quelle heure ce lieu ouvre en plus.")
		}
		if len(e.Why) > maxWhy {
			c.add(field+".why", "La raison est trop longue (200 caractères au plus).")
		}
		c.spans(field+".spans", e.Spans)
	}
	return open
}

// checkDaysOff looks at school holidays and public ones.
func (h Hours) checkDaysOff(c *checker) {
	if !slices.Contains([]Zone{NoZone, ZoneA, ZoneB, ZoneC}, h.School.Zone) {
		c.add("hours.school.zone", "La zone de vacances est A, B ou C (ici « %s »).", h.School.Zone)
	}
	if !slices.Contains([]Mode{ModeUsual, ModeClosed, ModeWeekly}, h.School.Mode) {
		c.add("hours.school.mode", "Choisissez ce que les vacances changent : rien, fermé, ou d’autres horaires.")
	}
	if !slices.Contains([]Mode{ModeUsual, ModeClosed}, h.Public.Mode) {
		c.add("hours.public.mode", "Choisissez ce que les jours fériés changent : rien, ou fermé.")
	}
	c.week("hours.school.weekly", h.School.Weekly)
	h.School.checkBreaks(c)
	known := PublicDays(2000)
	for i, k := range h.Public.Worked {
		if !slices.ContainsFunc(known, func(p PublicDay) bool { return p.Key == k }) {
			c.add(fmt.Sprintf("hours.public.worked.%d", i), "« %s » n’est pas un jour férié.", k)
		}
	}
	if len(h.Public.Worked) > len(known) {
		c.add("hours.public.worked", "Un jour férié est indiqué deux fois.")
	}
}

// days checks a first and a last day.
func (c *checker) days(field, from, to string) (days, bool) {
	for _, s := range []string{from, to} {
		if _, ok := parseDay(s); !ok {
			c.add(field, "La date « %s » n’existe pas (année-mois-jour).", s)
			return days{}, false
		}
	}
	d := parseDays(from, to)
	switch {
	case d.from > d.to:
		c.add(field, "Le dernier jour (%s) est avant le premier (%s).", Day(d.to.time()), Day(d.from.time()))
	case d.to-d.from >= maxLength:
		c.add(field, "C’est trop long : %d jours au plus.", maxLength)
	default:
		return d, true
	}
	return d, false
}

// week checks a week, and tells whether it opens at all.
func (c *checker) week(field string, w Week) bool {
	for i, spans := range w {
		c.spans(fmt.Sprintf("%s.%d", field, i), spans)
		if n := w[(i+1)%7]; len(spans) > 0 && len(n) > 0 && latest(spans)-1440 > earliest(n) {
			c.add(fmt.Sprintf("%s.%d", field, i), "L’ouverture se prolonge après minuit et chevauche celle du lendemain.")
		}
	}
	return !w.empty()
}

func (c *checker) spans(field string, spans []Span) {
	if len(spans) > maxSpans {
		c.add(field, "Douze horaires par jour au plus.")
		return
	}
	for i, s := range spans {
		if !s.readable() {
			c.add(fmt.Sprintf("%s.%d", field, i), "L’horaire doit commencer dans la journée et finir après son début, 24 heures au plus.")
			continue
		}
		for _, o := range spans[:i] {
			if s.From < o.To && o.From < s.To {
				c.add(fmt.Sprintf("%s.%d", field, i), "Deux horaires du même jour se chevauchent : de %s à %s, et de %s à %s.",
					Clock(o.From), Clock(o.To), Clock(s.From), Clock(s.To))
				break
			}
		}
	}
}

// longest returns the minutes of the longest span; one that touches midnight may
// go on in its neighbour, and counts as a day.
func (h Hours) longest() int {
	if h.Always {
		return 1440
	}
	all := slices.Concat(h.Weekly[:]...)
	all = append(all, slices.Concat(h.School.Weekly[:]...)...)
	for _, s := range h.Seasons {
		all = append(all, slices.Concat(s.Weekly[:]...)...)
	}
	for _, m := range h.Monthly {
		all = append(all, m.Spans...)
	}
	for _, e := range h.Exceptions {
		all = append(all, e.Spans...)
	}
	long := 0
	for _, s := range all {
		if long = max(long, s.To-s.From); s.From <= 0 || s.To >= 1440 {
			return 1440
		}
	}
	return long
}

func latest(spans []Span) (m int) {
	for _, s := range spans {
		m = max(m, s.To)
	}
	return m
}

func earliest(spans []Span) int {
	m := spans[0].From
	for _, s := range spans {
		m = min(m, s.From)
	}
	return m
}
