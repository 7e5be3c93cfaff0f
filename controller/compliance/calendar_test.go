package compliance

import (
	"testing"

	"borne/controller/policy"
	"borne/controller/store"
)

// TestPolicyHasTheHolidaysOfItsZone: whatever layers say, the zone's calendar
// makes the breaks, and a newer version.
func TestPolicyHasTheHolidaysOfItsZone(t *testing.T) {
	w := newWorld(t, nil)
	effective := func() (p policy.Policy) {
		w.decide(func(tx store.Tx) error {
			it, err := store.Get[store.Terminal](tx, "t1")
			if err == nil {
				p, err = Effective(tx, it)
			}
			return err
		})
		return p
	}
	w.layer(store.PolicyGlobal, 7, `{"hours":{"school":{"zone":"B","mode":"closed","breaks":[{"name":"stale","from":"2020-01-01","to":"2020-01-02"}]}}}`)
	if p := effective(); p.Version != 7 || len(p.Hours.School.Breaks) != 0 || p.Hours.School.Mode != policy.ModeClosed {
		t.Errorf("without a calendar: version %d, %+v", p.Version, p.Hours.School)
	}
	calendar := func(zone, name string, version uint64) {
		w.decide(func(tx store.Tx) error {
			return store.Put(tx, store.Item[store.CalendarRow]{Meta: store.Meta{ID: zone},
				Row: store.CalendarRow{Breaks: []store.CalendarBreak{{Name: name, From: "2026-02-14", To: "2026-03-01"}}, Until: "2026-03-01", Version: version}})
		})
	}
	calendar("A", "Hiver A", 30)
	if p := effective(); p.Version != 7 || len(p.Hours.School.Breaks) != 0 {
		t.Errorf("another zone's: version %d, %+v", p.Version, p.Hours.School)
	}
	calendar("B", "Hiver B", 8)
	if p := effective(); p.Version != 8 || len(p.Hours.School.Breaks) != 1 || p.Hours.School.Breaks[0] != (policy.Break{Name: "Hiver B", From: "2026-02-14", To: "2026-03-01"}) || len(p.Check()) != 0 {
		t.Errorf("its own: version %d, %+v, %v", p.Version, p.Hours.School, p.Check())
	}
	w.decide(func(tx store.Tx) error {
		return store.Update(tx, store.PolicyGlobal, func(it *store.Item[store.PolicyRow]) error {
			it.Row.Version, it.Row.Doc = 31, []byte(`{"hours":{"school":{"zone":"","mode":""}}}`)
			return nil
		})
	})
	if p := effective(); p.Version != 31 || len(p.Hours.School.Breaks) != 0 {
		t.Errorf("no zone: version %d, %+v", p.Version, p.Hours.School)
	}
}
