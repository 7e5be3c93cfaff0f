package bolt

import (
	"go.etcd.io/bbolt"

	"borne/controller/store"
)

// indicators adds their tables, and the months of the days that are there: reports
// over years read months. What was before counts what can be known of it.
func indicators(btx *bbolt.Tx) error {
	err := tables(store.KindCalendar, store.KindRollupMonth, store.KindOpenDay, store.KindOpenMonth, store.KindPresence, store.KindHolderCount)(btx)
	if err != nil {
		return err
	}
	t := &tx{b: btx}
	var days []store.Item[store.Rollup]
	months := map[string]store.Item[store.RollupMonth]{}
	for it, err := range store.List[store.Rollup](t, "", "", false) {
		if err != nil {
			return err
		}
		if it.Row.Visits == 0 && it.Row.Sessions > 0 {
			it.Row.Visits = max(it.Row.Sessions-it.Row.Ends["no-open"]-it.Row.Ends["declined"], 0)
			it.Row.Unsure, it.Row.Stay = it.Row.Visits, it.Row.Seconds
			days = append(days, it)
		}
		month := it.Row.Day[:len("2006-01")]
		m, ok := months[store.RollupID(month, it.Row.Terminal)]
		if !ok {
			id := store.RollupID(month, it.Row.Terminal)
			m = store.Item[store.RollupMonth]{Meta: store.Meta{ID: id, Site: it.Site, Scope: it.Scope}, Row: store.RollupMonth{Day: month, Terminal: it.Row.Terminal}}
		}
		(*store.Rollup)(&m.Row).Add(it.Row, 1)
		months[m.ID] = m
	}
	if t.err != nil {
		return t.err
	}
	for _, it := range days {
		if err := store.Put(t, it); err != nil {
			return err
		}
	}
	for _, it := range months {
		if err := store.Put(t, it); err != nil {
			return err
		}
	}
	return t.err
}
