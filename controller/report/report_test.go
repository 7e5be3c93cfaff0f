package report_test

import (
	"context"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/report"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

func TestDays(t *testing.T) {
	st, err := bolt.Open(bolt.Config{Dir: t.TempDir(), Apply: func(store.Tx, string, wire.Record) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	ctx := context.Background()
	err = st.Decide(ctx, func(tx store.Tx) error {
		for _, r := range []struct {
			site, terminal, day string
			sessions            int
			end                 string
		}{
			{"a", "a1", "2026-03-29", 2, "button"}, {"a", "a2", "2026-03-29", 1, "idle"}, {"b", "b1", "2026-03-29", 7, "button"},
			{"a", "a1", "2026-03-30", 4, "button"}, {"a", "a1", "2026-03-23", 100, "time"}, {"a", "a1", "2026-03-31", 100, "time"},
			{"a", "a1", "2026-03-24", 5, "time"},
		} {
			row := store.Rollup{Day: r.day, Terminal: r.terminal, Sessions: r.sessions, Seconds: 600 * r.sessions, Pages: 1, Ends: map[string]int{r.end: r.sessions}}
			if err := store.Put(tx, store.Item[store.Rollup]{Meta: store.Meta{ID: store.RollupID(r.day, r.terminal), Site: r.site}, Row: row}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	days := func(site string, at time.Time) (d []report.Day) {
		t.Helper()
		if err := st.View(ctx, func(tx store.Tx) (err error) {
			d, err = report.Days(tx, site, at, policy.Location(), 7)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return d
	}
	// 22:30 UTC on the 29th is the 30th in Paris, in the week when the clocks change.
	d := days("a", time.Date(2026, 3, 29, 22, 30, 0, 0, time.UTC))
	if len(d) != 7 || d[0].Date != "2026-03-24" || d[6].Date != "2026-03-30" {
		t.Fatalf("days %+v", d)
	}
	if d[0].Sessions != 5 || d[5].Sessions != 3 || d[6].Sessions != 4 || d[1].Sessions != 0 {
		t.Errorf("sessions %+v", d)
	}
	if all := report.Sum(d); all.Sessions != 12 || all.Seconds != 7200 || all.Ends["button"] != 6 || all.Ends["idle"] != 1 || all.Pages != 4 {
		t.Errorf("the week %+v", all)
	}
	if all := report.Sum(days("", time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC))); all.Sessions != 115 {
		t.Errorf("every site: %+v", all)
	}
	if err := st.View(ctx, func(tx store.Tx) error { _, err := report.Days(tx, "", time.Now(), time.UTC, 0); return err }); err == nil {
		t.Error("a report on no day is given")
	}
}
