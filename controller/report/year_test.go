package report_test

import (
	"fmt"
	"testing"
	"time"

	"borne/controller/report"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

// fleetYear is a store with the days of 400 terminals at 100 sites.
func fleetYear(tb testing.TB, days int) (st *bolt.Store, from, to string) {
	tb.Helper()
	st, err := bolt.Open(bolt.Config{Dir: tb.TempDir(), Apply: func(store.Tx, string, wire.Record) error { return nil }})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := st.Close(); err != nil {
			tb.Error(err)
		}
	})
	first := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	for n := range days {
		day := first.AddDate(0, 0, n).Format(time.DateOnly)
		err := st.Decide(tb.Context(), func(tx store.Tx) error {
			for i := range 400 {
				d := store.EnergyDay{Day: day, Terminal: fmt.Sprintf("t%03d", i), Site: fmt.Sprintf("s%02d", i/4), Lit: 36000, Low: 50400}
				if err := store.Put(tx, store.Item[store.EnergyDay]{Meta: store.Meta{ID: store.RollupID(day, d.Terminal), Site: d.Site, Scope: d.Terminal}, Row: d}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	return st, first.Format(time.DateOnly), first.AddDate(0, 0, days-1).Format(time.DateOnly)
}

// ratio is how much longer it takes to read every terminal's days than to report one
// site's; and how long the report takes.
func ratio(tb testing.TB, st *bolt.Store, from, to string, days int) (float64, time.Duration) {
	tb.Helper()
	var every, one time.Duration
	for range 3 { // both in one run, under the same load
		err := st.View(tb.Context(), func(tx store.Tx) error {
			began, n := time.Now(), 0
			for _, err := range store.List[store.EnergyDay](tx, "", "", false) {
				if err != nil {
					return err
				}
				n++
			}
			every += time.Since(began)
			began = time.Now()
			sums, err := report.EnergyDays(tx, "s42", from, to, func(string) store.EnergyModel { return report.DefaultFigures().Models[0] })
			one += time.Since(began)
			if n != 400*days || len(sums) != 4 || sums["t169"].Days != days || sums["t169"].Lit != 36000*days {
				tb.Errorf("%d days, of one site %+v", n, sums)
			}
			return err
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
	return float64(every) / float64(one), one / 3
}

// TestAReportReadsItsOwnSite, and not the hundred others.
func TestAReportReadsItsOwnSite(t *testing.T) {
	st, from, to := fleetYear(t, 30)
	x, took := ratio(t, st, from, to, 30)
	if t.Logf("all is %.0f times as much as one of 100 sites, which took %v", x, took); x < 8 {
		t.Errorf("one of 100 sites takes a %.1fth of all", x)
	}
}

// BenchmarkAYearOfOneSite among 400 terminals.
func BenchmarkAYearOfOneSite(b *testing.B) {
	st, from, to := fleetYear(b, 365)
	for b.Loop() {
		x, took := ratio(b, st, from, to, 365)
		b.ReportMetric(x, "all/one")
		b.ReportMetric(float64(took.Microseconds())/1000, "ms/report")
	}
}
