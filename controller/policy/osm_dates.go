package policy

import (
	"slices"
	"time"
)

// osmYears is for how many years dates without a year are written out: hours
// know dated days only.
const osmYears = 3

// osmPoint is a day, or a month, with or without a year.
type osmPoint struct {
	year  int // 0: each
	month time.Month
	day   int // 0: the whole month
}

// dates reads « 2026 Dec 24-2027 Jan 02 », « Dec 24-26,31 », « Jul-Aug », « 2026 »,
// « 2026 Mar 01+ », « easter +1 day ».
func (s *osmScanner) dates(r *osmRule) *OSMError {
	var last osmPoint
	yearly := true // each is a public holiday of each year
	item := func() (bool, *OSMError) {
		s.space()
		at := s.i
		found, keys, p, err := s.date(last)
		if err != nil || found == nil {
			return false, err
		}
		for _, d := range found {
			if d.from > d.to {
				return false, s.fail(at, "La dernière date est avant la première.")
			}
		}
		last = p
		r.dated = true
		r.dates = append(r.dates, found...)
		if len(r.dates) > maxItems {
			return false, s.fail(at, "Trop de dates.")
		}
		if keys == "" {
			yearly = false
		} else if !slices.Contains(r.keys, keys) {
			r.keys = append(r.keys, keys)
		}
		return true, nil
	}
	ok, err := item()
	for ok && err == nil {
		ok = s.ahead(func() bool { var got bool; got, err = item(); return got || err != nil })
	}
	if !yearly {
		r.keys = nil
	}
	if r.dated {
		s.take(':') // for readability
	}
	return err
}

// date reads one; nil is none. key is the public holiday that it is in each
// year, or "".
func (s *osmScanner) date(last osmPoint) (found []days, key string, p osmPoint, err *OSMError) {
	s.space()
	at := s.i
	p.year, _ = s.number(4, 4)
	if p.year != 0 && (p.year < 1970 || p.year > 2200) {
		return nil, "", p, s.fail(at, "L’année doit être entre 1970 et 2200.")
	}
	if _, ok := s.oneOf("easter"); ok {
		return s.easter(p, at)
	}
	var ok bool
	if p.month, ok = s.month(); !ok {
		return s.bare(p, last, at)
	}
	p.day, _ = s.number(1, 2)
	return s.until(p, at)
}

// bare is a date without a month: « 2026 », « 2026-2027 », or « 26 » in « Dec 24,26 ».
func (s *osmScanner) bare(p, last osmPoint, at int) ([]days, string, osmPoint, *OSMError) {
	if p.year != 0 {
		to, was := p.year, s.i
		if s.take('-') {
			y, ok := s.number(4, 4)
			if !ok || y < p.year || y > 2200 {
				return nil, "", p, s.fail(at, "La dernière année n’est pas lisible.")
			}
			to = y
		}
		if s.i == was && s.take('+') {
			to = 9999
		}
		return []days{{civilOf(p.year, time.January, 1), civilOf(to, time.December, 31)}}, "", osmPoint{}, nil
	}
	if last.day == 0 {
		return nil, "", p, nil
	}
	day, ok := s.number(1, 2)
	if !ok {
		return nil, "", p, nil
	}
	p = osmPoint{last.year, last.month, day}
	return s.until(p, at)
}

// easter reads what is behind the word: « +39 days ».
func (s *osmScanner) easter(p osmPoint, at int) ([]days, string, osmPoint, *OSMError) {
	offset, key := 0, ""
	if plus := s.take('+'); plus || s.take('-') {
		n, ok := s.number(1, 3)
		if _, days := s.oneOf("day", "days"); !ok || !days {
			return nil, "", p, s.fail(at, "Écrivez par exemple « easter +1 day ».")
		}
		if offset = n; !plus {
			offset = -n
		}
	}
	if c := s.peek(); c == '-' || c == '+' {
		return nil, "", p, s.fail(at, "Une période qui dépend de Pâques n’est pas lue.")
	}
	from, to := p.year, p.year
	if p.year == 0 {
		from, to = s.year, s.year+osmYears-1
		for _, k := range []string{"easter-monday", "ascension", "whit-monday"} {
			if n, _ := afterEaster(k); n == offset {
				key = k
			}
		}
	}
	var all []days
	for y := from; y <= to; y++ {
		c := easterOf(y) + civil(offset)
		all = append(all, days{c, c})
	}
	return all, key, osmPoint{}, nil
}

// until reads the end of a period, and works out its days.
func (s *osmScanner) until(p osmPoint, at int) ([]days, string, osmPoint, *OSMError) {
	none := func(format string) ([]days, string, osmPoint, *OSMError) { return nil, "", p, s.fail(at, "%s", format) }
	if !p.exists() {
		return none("Ce jour n’existe pas.")
	}
	if s.take('+') {
		if p.year == 0 {
			return none("Sans année, une période sans fin n’a pas de début.")
		}
		return []days{{p.first(p.year), civilOf(9999, time.December, 31)}}, "", p, nil
	}
	end, single := p, true
	if s.take('-') {
		single = false
		year, _ := s.number(4, 4)
		month, ok := s.month()
		end = osmPoint{year, month, 0}
		if !ok {
			end.month = p.month
			if p.day == 0 || year != 0 {
				return none("Le dernier jour de cette période n’est pas lisible.")
			}
		}
		if end.day, _ = s.number(1, 2); !ok && end.day == 0 || !end.exists() {
			return none("Le dernier jour de cette période n’existe pas.")
		}
		if end.year != 0 && (p.year == 0 || end.year > 2200) {
			return none("L’année doit être donnée au début de la période aussi, et jusqu’à 2200.")
		}
	}
	of := func(y int) days {
		to := y
		if end.year != 0 && p.year != 0 {
			to = end.year
		}
		d := days{p.first(y), end.last(to)}
		if end.year == 0 && d.from > d.to {
			d.to = end.last(to + 1) // over the new year
		}
		return d
	}
	if p.year != 0 {
		if single && !p.in(p.year) {
			return none("Ce jour n’existe pas.")
		}
		return []days{of(p.year)}, "", end.or(p), nil
	}
	var all []days
	for y := s.year - 1; y < s.year+osmYears; y++ {
		if d := of(y); d.to >= civilOf(s.year, time.January, 1) && (!single || p.in(y)) {
			all = append(all, d)
		}
	}
	key := ""
	if single && p.day != 0 {
		for _, d := range PublicDays(2000) {
			if _, moving := afterEaster(d.Key); !moving && d.Day[5:] == civilOf(2000, p.month, p.day).String()[5:] {
				key = d.Key
			}
		}
	}
	return all, key, end.or(p), nil
}

// or gives a point the year of the one that began its period.
func (p osmPoint) or(o osmPoint) osmPoint {
	if p.year == 0 {
		p.year = o.year
	}
	return p
}

// exists tells whether there is such a day in any year.
func (p osmPoint) exists() bool {
	return p.day >= 0 && p.day <= 31 && (p.day == 0 || civilOf(2000, p.month, p.day).time().Month() == p.month)
}

// in tells whether there is such a day in a year.
func (p osmPoint) in(year int) bool {
	return p.day == 0 || civilOf(year, p.month, p.day).time().Month() == p.month
}

func (p osmPoint) first(year int) civil { return civilOf(year, p.month, max(1, p.day)) }

func (p osmPoint) last(year int) civil {
	if p.day == 0 || !p.in(year) {
		return civilOf(year, p.month+1, 0)
	}
	return civilOf(year, p.month, p.day)
}
