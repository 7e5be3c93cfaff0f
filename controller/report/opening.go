package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"borne/controller/compliance"
	"borne/controller/store"
)

// stretch is a time, [from, to).
type stretch struct{ from, to time.Time }

// union joins stretches that overlap or touch, in their order.
func union(all []stretch) (joined []stretch) {
	slices.SortFunc(all, func(a, b stretch) int { return cmp.Or(a.from.Compare(b.from), a.to.Compare(b.to)) })
	for _, s := range all {
		if n := len(joined); n > 0 && !s.from.After(joined[n-1].to) {
			if s.to.After(joined[n-1].to) {
				joined[n-1].to = s.to
			}
			continue
		}
		joined = append(joined, s)
	}
	return joined
}

// clip is the part of s in [from, to), if there is one.
func (s stretch) clip(from, to time.Time) (stretch, bool) {
	if s.from.Before(from) {
		s.from = from
	}
	if s.to.After(to) {
		s.to = to
	}
	return s, s.from.Before(s.to)
}

// midnight begins a local day.
func midnight(day string, zone *time.Location) (time.Time, error) {
	t, err := time.ParseInLocation(time.DateOnly, day, zone)
	if err != nil {
		return t, fmt.Errorf("cannot report on day %.20q: write it as 2026-09-01", day)
	}
	return t, nil
}

func after(day string, n int) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.AddDate(0, 0, n).Format(time.DateOnly)
}

// service is a space's time with a terminal: from the first that was installed
// on, until the last was revoked.
func service(tx store.Tx) (map[string]map[string]stretch, error) {
	_, in, err := new(Kept).terminals(tx, nil)
	return in, err
}

// serves adds a terminal's time to that of its space.
func serves(all map[string]map[string]stretch, site string, t terminal) {
	if t.Enrolled.IsZero() || site == "" {
		return
	}
	s := stretch{t.Enrolled, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)}
	if t.State == store.StateRevoked {
		s.to = t.Since
	}
	if all[site] == nil {
		all[site] = map[string]stretch{}
	}
	if was, ok := all[site][t.Space]; ok {
		if was.from.Before(s.from) {
			s.from = was.from
		}
		if was.to.After(s.to) {
			s.to = was.to
		}
	}
	all[site][t.Space] = s
}

// opened is how long a site was open on each day from one to another, both
// included, and not after now: by the hours that held then, of its spaces with a
// terminal. Two spaces open at once count once.
func opened(history func(space string) ([]compliance.Held, error), spaces map[string]stretch, from, to string, now time.Time, zone *time.Location) ([]store.OpenDay, error) {
	first, err := midnight(from, zone)
	if err != nil {
		return nil, err
	}
	last, err := midnight(after(to, 1), zone)
	if err != nil {
		return nil, err
	}
	if now.Before(last) {
		last = now
	}
	var open, outside []stretch
	for space, in := range spaces {
		held, err := history(space)
		if err != nil {
			return nil, err
		}
		for i, h := range held {
			w := in
			if h.From.After(w.from) {
				w.from = h.From
			}
			if i+1 < len(held) && held[i+1].From.Before(w.to) {
				w.to = held[i+1].From
			}
			w, ok := w.clip(first, last)
			if !ok {
				continue
			}
			if h.Hours.Always {
				open = append(open, w)
				continue
			}
			for _, x := range h.Hours.Schedule(w.from, w.to, zone).Stretches() {
				if s, ok := (stretch{x.From, x.To}).clip(w.from, w.to); ok && !x.Refused {
					open = append(open, s)
					if x.Outside {
						outside = append(outside, s)
					}
				}
			}
		}
	}
	days := map[string]*store.OpenDay{}
	add := func(all []stretch, count func(*store.OpenDay) *int) {
		for _, s := range union(all) {
			for s.from.Before(s.to) {
				y, m, d := s.from.In(zone).Date()
				next := time.Date(y, m, d+1, 0, 0, 0, 0, zone)
				part, _ := s.clip(s.from, next)
				key := s.from.In(zone).Format(time.DateOnly)
				if days[key] == nil {
					days[key] = &store.OpenDay{Day: key}
				}
				*count(days[key]) += int(part.to.Sub(part.from) / time.Second)
				s.from = next
			}
		}
	}
	add(open, func(d *store.OpenDay) *int { return &d.Seconds })
	add(outside, func(d *store.OpenDay) *int { return &d.Outside })
	var found []store.OpenDay
	for _, d := range days {
		found = append(found, *d)
	}
	slices.SortFunc(found, func(a, b store.OpenDay) int { return cmp.Compare(a.Day, b.Day) })
	return found, nil
}

// written is the last day whose opening is written down; "" for none. Days after
// it are worked out when they are asked for.
func written(tx store.Tx) (string, error) {
	it, err := store.First(store.List[store.OpenDay](tx, "", "", true))
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	return it.Row.Day, err
}

// closeDays bounds what one transaction writes.
const closeDays = 31

// CloseDays writes down how long sites were open on the days that are over. Once
// it is written, hours, calendars and spaces may change or go. It is done in
// steps; more tells that there is another one.
func CloseDays(tx store.Tx, now time.Time, zone *time.Location) (more bool, err error) {
	sites, err := service(tx)
	if err != nil {
		return false, err
	}
	from, err := written(tx)
	if err != nil {
		return false, err
	}
	if from == "" {
		for _, spaces := range sites {
			for _, s := range spaces {
				if day := s.from.In(zone).Format(time.DateOnly); from == "" || day < from {
					from = day
				}
			}
		}
		from = after(from, -1)
	}
	yesterday := after(now.In(zone).Format(time.DateOnly), -1)
	for from != "" && from < yesterday {
		first, to := after(from, 1), min(after(from, closeDays), yesterday)
		n := 0
		for site, spaces := range sites {
			days, err := opened(func(space string) ([]compliance.Held, error) { return heldBy(tx, site, space) }, spaces, first, to, now, zone)
			if err != nil {
				return false, err
			}
			for _, d := range days {
				if err := writeDay(tx, site, d); err != nil {
					return false, err
				}
				n++
			}
		}
		if from = to; n > 0 {
			return from < yesterday, nil
		}
	}
	return false, nil
}

func writeDay(tx store.Tx, site string, d store.OpenDay) error {
	err := store.Put(tx, store.Item[store.OpenDay]{Meta: store.Meta{ID: store.RollupID(d.Day, site), Site: site}, Row: d})
	if err != nil {
		return err
	}
	month := d.Day[:len("2006-01")]
	m, err := store.Get[store.OpenMonth](tx, store.RollupID(month, site))
	if errors.Is(err, store.ErrNotFound) {
		m, err = store.Item[store.OpenMonth]{Meta: store.Meta{ID: store.RollupID(month, site), Site: site}, Row: store.OpenMonth{Day: month}}, nil
	}
	if err != nil {
		return err
	}
	m.Row.Seconds += d.Seconds
	m.Row.Outside += d.Outside
	return store.Put(tx, m)
}
