package report

import (
	"fmt"
	"time"

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

// cells reads what the places did, by month where a whole one is asked for.
func (q Query) cells(tx store.Tx) (map[string]*cell, error) {
	daily := q.By == ByDay || q.By == ByWeek
	s, err := split(q.From, q.To, daily)
	if err != nil {
		return nil, err
	}
	mine := map[string]bool{}
	for _, p := range q.Places {
		mine[p.ID] = true
	}
	all := map[string]*cell{}
	at := func(site, unit string) *cell {
		key := unit + "/" + site
		if all[key] == nil {
			all[key] = &cell{site: site, unit: unit}
		}
		return all[key]
	}
	if s.months[0] != "" {
		to := s.months[1] + "0" // "0" follows "/"
		for it, err := range store.List[store.RollupMonth](tx, s.months[0], to, false) {
			if err != nil {
				return nil, fmt.Errorf("cannot read the months' figures: %w", err)
			}
			if mine[it.Site] {
				at(it.Site, it.Row.Day).use.Add(store.Rollup(it.Row), 1)
			}
		}
	}
	for _, d := range s.days {
		for it, err := range store.List[store.Rollup](tx, d[0], d[1]+"0", false) {
			if err != nil {
				return nil, fmt.Errorf("cannot read the days' figures: %w", err)
			}
			if mine[it.Site] {
				at(it.Site, it.Row.Day).use.Add(it.Row, 1)
			}
		}
	}
	unit := func(day string) string {
		if month := day[:len("2006-01")]; s.months[0] != "" && s.months[0] <= month && month <= s.months[1] {
			return month
		}
		return day
	}
	if err := q.addOpen(tx, s, mine, func(site, day string) *cell { return at(site, unit(day)) }); err != nil {
		return nil, err
	}
	return all, q.addEnergy(tx, mine, func(site, day string) *cell { return at(site, unit(day)) })
}

// addOpen adds how long sites were open: what is written down, and of the days
// since what hours say.
func (q Query) addOpen(tx store.Tx, s span, mine map[string]bool, at func(site, day string) *cell) error {
	known, err := written(tx)
	if err != nil {
		return err
	}
	add := func(site string, d store.OpenDay) {
		if mine[site] {
			c := at(site, d.Day)
			c.open.Seconds, c.open.Outside = c.open.Seconds+d.Seconds, c.open.Outside+d.Outside
		}
	}
	if s.months[0] != "" {
		for it, err := range store.List[store.OpenMonth](tx, s.months[0], s.months[1]+"0", false) {
			if err != nil {
				return fmt.Errorf("cannot read how long sites were open: %w", err)
			}
			d := store.OpenDay(it.Row)
			d.Day += "-01"
			add(it.Site, d)
		}
	}
	for _, part := range s.days {
		for it, err := range store.List[store.OpenDay](tx, part[0], part[1]+"0", false) {
			if err != nil {
				return fmt.Errorf("cannot read how long sites were open: %w", err)
			}
			add(it.Site, it.Row)
		}
	}
	from := q.From
	if known != "" {
		from = max(from, after(known, 1))
	}
	if from > q.To || from > q.Now.In(q.Zone).Format(time.DateOnly) {
		return nil
	}
	sites, err := service(tx)
	if err != nil {
		return err
	}
	for site, spaces := range sites {
		if !mine[site] {
			continue
		}
		days, err := Opened(tx, site, spaces, from, q.To, q.Now, q.Zone)
		if err != nil {
			return err
		}
		for _, d := range days {
			add(site, d)
		}
	}
	return nil
}

func (q Query) addEnergy(tx store.Tx, mine map[string]bool, at func(site, day string) *cell) error {
	if q.Model == nil {
		return nil
	}
	models := map[string]store.EnergyModel{}
	for it, err := range store.List[store.Terminal](tx, "", "", false) {
		if err != nil {
			return err
		}
		models[it.ID] = q.Model(it.Row.Machine)
	}
	for it, err := range store.List[store.EnergyDay](tx, q.From, q.To+"0", false) {
		if err != nil {
			return fmt.Errorf("cannot read the days' energy: %w", err)
		}
		if !mine[it.Site] {
			continue
		}
		m, ok := models[it.Row.Terminal]
		if !ok {
			m = q.Model("")
		}
		c := at(it.Site, it.Row.Day)
		c.energy = c.energy.Add(EnergyOf(it.Row, m))
	}
	return nil
}
