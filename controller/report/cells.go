package report

import (
	"fmt"
	"time"

	"borne/controller/compliance"
	"borne/controller/store"
)

// span is days of which some are whole months.
type span struct {
	days   [][2]string // from, to; both included
	months [2]string   // from, to; both included; empty for none
}

// split parts a stretch into whole months and the days around them.
func split(from, to string, daily bool) (s span, err error) {
	a, err := time.Parse(time.DateOnly, from)
	if err != nil {
		return s, err
	}
	b, err := time.Parse(time.DateOnly, to)
	if err != nil {
		return s, err
	}
	first := a.AddDate(0, 0, 1-a.Day())
	if a.Day() != 1 {
		first = first.AddDate(0, 1, 0)
	}
	last := b.AddDate(0, 0, 1) // the day after the last whole month
	last = last.AddDate(0, 0, 1-last.Day())
	if daily || !first.Before(last) {
		s.days = [][2]string{{from, to}}
		return s, nil
	}
	day := func(t time.Time) string { return t.Format(time.DateOnly) }
	if a.Before(first) {
		s.days = append(s.days, [2]string{from, day(first.AddDate(0, 0, -1))})
	}
	s.months = [2]string{first.Format("2006-01"), last.AddDate(0, 0, -1).Format("2006-01")}
	if !last.After(b) {
		s.days = append(s.days, [2]string{day(last), to})
	}
	return s, nil
}

// units are the months and days of it.
func (s span) units() (all []string, err error) {
	list := func(from, to, layout string, step func(time.Time) time.Time) error {
		t, err := time.Parse(layout, from)
		for ; err == nil && t.Format(layout) <= to; t = step(t) {
			all = append(all, t.Format(layout))
		}
		return err
	}
	if s.months[0] != "" {
		err = list(s.months[0], s.months[1], "2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) })
	}
	for _, d := range s.days {
		if err == nil {
			err = list(d[0], d[1], time.DateOnly, func(t time.Time) time.Time { return t.AddDate(0, 0, 1) })
		}
	}
	return all, err
}

// unitOf is the month or the day that a day is filed under.
func (s span) unitOf(day string) string {
	if month := day[:len("2006-01")]; s.months[0] != "" && s.months[0] <= month && month <= s.months[1] {
		return month
	}
	return day
}

// gather adds up what the places did, by month where a whole one is asked for. To
// whom a site's month or day belongs, to tells.
func (k *Kept) gather(tx store.Tx, q Query, to func(p Place, unit string) []*sum) error {
	s, err := split(q.From, q.To, q.By == ByDay || q.By == ByWeek)
	if err != nil {
		return err
	}
	units, err := s.units()
	if err != nil {
		return err
	}
	watts, in, err := k.terminals(tx, q.Model)
	if err != nil {
		return err
	}
	var other store.EnergyModel
	if q.Model != nil {
		other = q.Model("") // of terminals that are gone
	}
	numbers := make([]int32, len(q.Places))
	for i, p := range q.Places {
		numbers[i] = k.sites.of(p.ID)
	}
	today := q.Now.In(q.Zone).Format(time.DateOnly)
	for _, unit := range units {
		current := unit == today[:len(unit)]
		use, err := k.usedIn(tx, unit, current)
		if err != nil {
			return fmt.Errorf("cannot read the figures: %w", err)
		}
		open, err := k.openIn(tx, unit)
		if err != nil {
			return fmt.Errorf("cannot read how long sites were open: %w", err)
		}
		var energy [][]drawn
		if q.Model != nil {
			if energy, err = k.drawnIn(tx, unit, current); err != nil {
				return fmt.Errorf("cannot read the energy: %w", err)
			}
		}
		for i, p := range q.Places {
			u, o, drew := at(use, numbers[i]), at(open, numbers[i]), at(energy, numbers[i])
			if u == nil && o.Seconds == 0 && drew == nil {
				continue
			}
			sums := to(p, unit)
			var e Energy
			for n := range drew {
				m := at(watts, drew[n].terminal)
				if m == nil {
					m = &other
				}
				addEnergy(&e, &drew[n].sum, m)
			}
			for _, s := range sums {
				if u != nil {
					s.addUse(i, u, q.Guard)
				}
				s.addOpen(i, o)
				s.Energy.add(&e)
			}
		}
	}
	return k.addOpen(tx, q, in, func(i int, d store.OpenDay) {
		for _, sum := range to(q.Places[i], s.unitOf(d.Day)) {
			sum.addOpen(i, d)
		}
	})
}

// sum is a line while it is made.
type sum struct {
	Indicators
	use          adding
	open, shared []bool // by place
}

func newSum(q Query) *sum {
	return &sum{open: make([]bool, len(q.Places)), shared: make([]bool, len(q.Places))}
}

func (s *sum) addUse(place int, u *used, guarded bool) {
	p := &u.all
	if guarded {
		if p = &u.told; u.hidden != nil {
			s.Hidden.add(u.hidden)
		}
	}
	s.use.add(p)
	if p.ints[atOutside] > 0 { // of what is told: a hidden month tells nothing by this either
		s.shared[place] = true
	}
}

func (s *sum) addOpen(place int, d store.OpenDay) {
	if d.Seconds > 0 {
		s.Seconds, s.Outside = s.Seconds+d.Seconds, s.Outside+d.Outside
		s.open[place] = true
	}
}

// addOpen adds how long sites were open since what is written down: what hours say.
func (k *Kept) addOpen(tx store.Tx, q Query, in map[string]map[string]stretch, add func(place int, d store.OpenDay)) error {
	known, err := written(tx)
	if err != nil {
		return err
	}
	from := q.From
	if known != "" {
		from = max(from, after(known, 1))
	}
	if from > q.To || from > q.Now.In(q.Zone).Format(time.DateOnly) {
		return nil
	}
	k.held.fresh(tx)
	for i, p := range q.Places {
		spaces := in[p.ID]
		if len(spaces) == 0 {
			continue
		}
		days, err := opened(func(space string) ([]compliance.Held, error) { return k.held.held(tx, p.ID, space) }, spaces, from, q.To, q.Now, q.Zone)
		if err != nil {
			return err
		}
		for _, d := range days {
			add(i, d)
		}
	}
	return nil
}
