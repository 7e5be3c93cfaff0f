package bolt

import (
	"errors"

	"go.etcd.io/bbolt"

	"borne/controller/store"
)

// energySites gives the days of energy that are there the index by site: one site's
// year is not to read every other's.
func energySites(btx *bbolt.Tx) error {
	t := &tx{b: btx}
	var days []store.Item[store.EnergyDay]
	for it, err := range store.List[store.EnergyDay](t, "", "", false) {
		if err != nil {
			return err
		}
		it.Row.Site = it.Site
		days = append(days, it)
	}
	if t.err != nil {
		return t.err
	}
	for _, it := range days {
		if err := store.Put(t, it); err != nil {
			return err
		}
	}
	return t.err
}

// energyMonths adds up the days of energy that are there by month: a report of years
// is not to read each terminal's days.
func energyMonths(btx *bbolt.Tx) error {
	if err := tables(store.KindEnergyMonth)(btx); err != nil {
		return err
	}
	t := &tx{b: btx}
	months := map[string]*store.Item[store.EnergyMonth]{}
	for it, err := range store.List[store.EnergyDay](t, "", "", false) {
		if err != nil {
			return err
		}
		month := it.Row.Day[:min(len(it.Row.Day), len("2006-01"))]
		id := store.RollupID(month, it.Row.Terminal)
		if months[id] == nil {
			months[id] = &store.Item[store.EnergyMonth]{Meta: store.Meta{ID: id, Site: it.Site, Scope: it.Scope}, Row: store.EnergyMonth{Month: month, Terminal: it.Row.Terminal}}
		}
		months[id].Row.Add(it.Row, 1)
	}
	if t.err != nil {
		return t.err
	}
	for _, it := range months {
		was, err := store.Get[store.EnergyMonth](t, it.ID) // a file that began with this table has none yet
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		it.Rev = was.Rev
		if err := store.Put(t, *it); err != nil {
			return err
		}
	}
	return t.err
}
