package compliance

import (
	"errors"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// Count changes the figures of a terminal's local day, and its month's with them.
func Count(tx store.Tx, t store.Meta, day string, change func(*store.Rollup)) error {
	meta := func(id string) store.Meta { return store.Meta{ID: id, Site: t.Site, Scope: t.ID} }
	it, err := store.Get[store.Rollup](tx, store.RollupID(day, t.ID))
	if errors.Is(err, store.ErrNotFound) {
		it, err = store.Item[store.Rollup]{Meta: meta(store.RollupID(day, t.ID)), Row: store.Rollup{Day: day, Terminal: t.ID}}, nil
	}
	if err != nil {
		return err
	}
	month := day[:len("2006-01")]
	m, err := store.Get[store.RollupMonth](tx, store.RollupID(month, t.ID))
	if errors.Is(err, store.ErrNotFound) {
		m, err = store.Item[store.RollupMonth]{Meta: meta(store.RollupID(month, t.ID)), Row: store.RollupMonth{Day: month, Terminal: t.ID}}, nil
	}
	if err != nil {
		return err
	}
	sum := (*store.Rollup)(&m.Row)
	sum.Add(it.Row, -1)
	change(&it.Row)
	sum.Add(it.Row, 1)
	if err := store.Put(tx, it); err != nil {
		return err
	}
	return store.Put(tx, m)
}

// visit is what a session that ended counts as; nothing when it never opened.
type visit struct {
	s       store.SessionRow
	opened  bool
	sure    bool // its hours are known
	hour    int
	outside bool
}

// visit looks at a session that ended.
func (r *Rules) visit(tx store.Tx, t *terminal, s store.SessionRow, unsure bool) (visit, error) {
	v := visit{s: s, opened: s.Reason != wire.EndFailed && s.Reason != wire.EndDeclined, sure: !s.Unsure && !unsure}
	if !v.opened || !v.sure {
		return v, nil
	}
	v.hour = s.Begun.In(r.cfg.Location).Hour()
	o, err := r.held.at(tx, *t, s.Begun)
	v.outside = o.Outside
	return v, err
}

func (v visit) count(u *store.Rollup) {
	if !v.opened {
		return
	}
	u.Visits++
	u.Stay += max(v.s.Seconds, 0)
	u.Lengths[store.LengthClass(v.s.Seconds)]++
	count(&u.Langs, v.s.Lang)
	count(&u.Profiles, v.s.Profile)
	if v.s.Holder != "" {
		u.Badged++
	}
	if !v.sure {
		u.Unsure++
		return
	}
	u.Hours[v.hour]++
	if v.outside {
		u.Outside++
	}
}

// longestVisit bounds what one session can add to the hours of use.
const longestVisit = 24 * time.Hour

// use adds the hours in which somebody sat there, each to its own day.
func (r *Rules) use(tx store.Tx, t *terminal, v visit) error {
	if !v.opened || !v.sure || v.s.Seconds <= 0 {
		return nil
	}
	at := v.s.Begun.In(r.cfg.Location).Truncate(time.Second)
	end := at.Add(min(time.Duration(min(v.s.Seconds, 1<<20))*time.Second, longestVisit))
	for at.Before(end) {
		day := at.Format(time.DateOnly)
		var add store.ByHour
		for at.Before(end) && at.Format(time.DateOnly) == day {
			// Hours of the wall clock begin with hours of UTC in this zone.
			next := at.Truncate(time.Hour).Add(time.Hour)
			if next.After(end) {
				next = end
			}
			add[at.Hour()] += int(next.Sub(at) / time.Second)
			at = next
		}
		err := Count(tx, t.Meta, day, func(u *store.Rollup) {
			for h, s := range add {
				u.Use[h] += s
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// present keeps that a badge was used at a site, where a visit is counted, in the
// month of its pseudonym: the calendar month in UTC, as the directory's keys are.
// Without a clock nobody knows which month it was.
func present(tx store.Tx, t *terminal, v visit) error {
	s := v.s
	if !v.opened || s.Holder == "" || s.Unsure || t.Site == "" {
		return nil
	}
	month := s.Begun.UTC().Format("2006-01")
	id := store.PresenceID(month, s.Holder, t.Site)
	if _, _, err := tx.Get(store.KindPresence, id); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return store.Put(tx, store.Item[store.Presence]{Meta: store.Meta{ID: id, Site: t.Site}, Row: store.Presence{Month: month, Holder: s.Holder}})
}
