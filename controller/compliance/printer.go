package compliance

import (
	"errors"
	"slices"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// printer keeps how a terminal's printer is, and the levels of the day. A record
// that is older than what is known tells of its day only.
func (r *Rules) printer(tx store.Tx, t store.Meta, at time.Time, p wire.Printer) error {
	it, err := store.Get[store.PrinterRow](tx, t.ID)
	if errors.Is(err, store.ErrNotFound) {
		it, err = store.Item[store.PrinterRow]{Meta: store.Meta{ID: t.ID}}, nil
	}
	if err != nil {
		return err
	}
	if !at.Before(it.Row.At) {
		since := it.Row.Since
		if since.IsZero() || it.Row.State != p.State || !slices.Equal(it.Row.Reasons, p.Reasons) {
			since = at
		}
		it.Site, it.Scope = t.Site, t.ID
		it.Row = store.PrinterRow{Terminal: t.ID, State: p.State, Reasons: p.Reasons, Model: p.Model, Supplies: p.Supplies, Counter: p.Counter,
			Estimate: p.Estimate, Since: since, At: at}
		if err := store.Put(tx, it); err != nil {
			return err
		}
	}
	return r.levels(tx, t, at, p.Supplies)
}

// levels keeps one point a day of each supply, the day's last. What a printer
// does not tell is no point.
func (r *Rules) levels(tx store.Tx, t store.Meta, at time.Time, supplies []wire.Supply) error {
	day := at.In(r.cfg.Location).Format(time.DateOnly)
	id := store.RollupID(day, t.ID)
	it, err := store.Get[store.SupplyDay](tx, id)
	if errors.Is(err, store.ErrNotFound) {
		it, err = store.Item[store.SupplyDay]{Meta: store.Meta{ID: id, Site: t.Site, Scope: t.ID}, Row: store.SupplyDay{Day: day, Terminal: t.ID}}, nil
	}
	if err != nil {
		return err
	}
	changed := false
	for _, s := range supplies {
		if s.Level < 0 || s.Name == "" {
			continue
		}
		if _, ok := it.Row.Levels[s.Name]; !ok && len(it.Row.Levels) >= wire.MaxSupplies {
			continue
		}
		if it.Row.Levels == nil {
			it.Row.Levels = map[string]int{}
		}
		it.Row.Levels[s.Name], changed = s.Level, true
	}
	if !changed {
		return nil
	}
	return store.Put(tx, it)
}
