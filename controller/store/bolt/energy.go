package bolt

import (
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
