package report_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"reflect"
	"syscall"
	"testing"
	"time"

	"borne/controller/report"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

// reading counts the rows that are read of the tables that grow with the years, and
// of the rules that say when places are open.
type reading struct {
	store.Tx
	rows *int
}

func (r reading) Get(k store.Kind, id string) (store.Meta, json.RawMessage, error) {
	if k == store.KindPolicy {
		*r.rows++
	}
	return r.Tx.Get(k, id)
}

func (r reading) List(k store.Kind, from, to string, desc bool) iter.Seq2[store.Meta, json.RawMessage] {
	return func(yield func(store.Meta, json.RawMessage) bool) {
		for m, doc := range r.Tx.List(k, from, to, desc) {
			if n, _ := store.Dated(k); n > 0 {
				*r.rows++
			}
			if !yield(m, doc) {
				return
			}
		}
	}
}

// land is a Département: two terminals a site, with some months of figures.
type land struct {
	tb     testing.TB
	st     *bolt.Store
	sites  int
	now    time.Time
	places []report.Place
}

func newLand(tb testing.TB, sites int) *land {
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
	l := &land{tb: tb, st: st, sites: sites, now: time.Date(2026, 12, 10, 15, 0, 0, 0, time.UTC)}
	l.decide(func(tx store.Tx) error {
		for i := range sites {
			s := store.Site{Name: fmt.Sprintf("Collège %03d", i), Type: "college", Commune: "Annecy", Territoire: fmt.Sprint("T", i%4)}
			id := l.site(i)
			l.put(tx, store.Put(tx, store.Item[store.Site]{Meta: store.Meta{ID: id, Site: id}, Row: s}))
			for n := range 2 {
				t := store.Terminal{Name: "Poste", Machine: "Raspberry Pi 4 Model B", State: store.StateActive, Serials: []string{"a", "b"}, ReceiptKey: make([]byte, 32), PastKeys: [][]byte{make([]byte, 32)}, Enrolled: time.Date(2021, 1, 4, 0, 0, 0, 0, time.UTC)}
				l.put(tx, store.Put(tx, store.Item[store.Terminal]{Meta: store.Meta{ID: fmt.Sprint(id, "-", n), Site: id}, Row: t}))
			}
		}
		var err error
		l.places, err = report.PlacesOf(tx)
		return err
	})
	return l
}

func (l *land) site(i int) string { return fmt.Sprintf("s%03d", i) }

func (l *land) put(_ store.Tx, err error) {
	if err != nil {
		l.tb.Fatal(err)
	}
}

func (l *land) decide(fn func(store.Tx) error) {
	l.tb.Helper()
	if err := l.st.Decide(l.tb.Context(), fn); err != nil {
		l.tb.Fatal(err)
	}
}

// figures are those of a terminal's day or month.
func figures(unit, terminal string, n int) store.Rollup {
	r := store.Rollup{Day: unit, Terminal: terminal, Sessions: n + 2, Seconds: n * 1300, Active: n * 900, Pages: n * 2, Sheets: n, Prints: n / 2, Wipes: n, Refusals: n / 8,
		Ends: map[string]int{"button": n, "idle": 2}, Filtered: map[string]int{"adult": 1}, Visits: n, Stay: n * 1300, Outside: n / 3, Badged: n / 2,
		Langs: map[string]int{"fr": n - n/9, "en": n / 9}, Profiles: map[string]int{"parents": n}, Help: n / 7, Smiles: map[string]int{"good": n / 3, "bad": n / 9}}
	for i := range n {
		r.Hours[8+i%11]++
		r.Use[8+i%11] += 1300
		r.Lengths[3+i%6]++
	}
	return r
}

func energy(day, terminal, site string) store.EnergyDay {
	d := store.EnergyDay{Day: day, Terminal: terminal, Site: site, Lit: 20000, Dark: 16000, Low: 10000, Halted: 40000}
	for i := range 24 {
		d.Counted = append(d.Counted, 1790000000000000+int64(i)*3600000000)
	}
	return d
}

// past writes months that are over, as they are kept for years.
func (l *land) past(months int) {
	last := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for back := range months {
		month := last.AddDate(0, -back, 0).Format("2006-01")
		l.decide(func(tx store.Tx) error {
			for i := range l.sites {
				site := l.site(i)
				l.put(tx, store.Put(tx, store.Item[store.OpenMonth]{Meta: store.Meta{ID: store.RollupID(month, site), Site: site}, Row: store.OpenMonth{Day: month, Seconds: 500000, Outside: 90000}}))
				for n := range 2 {
					t := fmt.Sprint(site, "-", n)
					m := store.Meta{ID: store.RollupID(month, t), Site: site, Scope: t}
					l.put(tx, store.Put(tx, store.Item[store.RollupMonth]{Meta: m, Row: store.RollupMonth(figures(month, t, 10+(i*7+back*3)%50))}))
					e := store.EnergyMonth{Month: month, Terminal: t}
					e.Add(energy(month+"-01", t, site), 30)
					l.put(tx, store.Put(tx, store.Item[store.EnergyMonth]{Meta: m, Row: e}))
				}
				if back >= 2 {
					of := "site:" + site
					l.put(tx, store.Put(tx, store.Item[store.HolderCount]{Meta: store.Meta{ID: store.HolderCountID(month, of)}, Row: store.HolderCount{Month: month, Of: of, Count: 20, Safe: 20, Members: []string{site}}}))
				} else {
					for h := range 12 {
						h := fmt.Sprintf("%08x", i*7+h)
						l.put(tx, store.Put(tx, store.Item[store.Presence]{Meta: store.Meta{ID: store.PresenceID(month, h, site), Site: site}, Row: store.Presence{Month: month, Holder: h}}))
					}
				}
			}
			if back < 2 {
				return nil
			}
			var all []string
			for i := range l.sites {
				all = append(all, l.site(i))
			}
			return store.Put(tx, store.Item[store.HolderCount]{Meta: store.Meta{ID: store.HolderCountID(month, "all")}, Row: store.HolderCount{Month: month, Of: "all", Count: 12 * l.sites, Safe: 12 * l.sites, Members: all}})
		})
	}
	l.decide(func(tx store.Tx) error { // what is known of opening days, up to yesterday
		day := l.now.AddDate(0, 0, -1).Format(time.DateOnly)
		return store.Put(tx, store.Item[store.OpenDay]{Meta: store.Meta{ID: store.RollupID(day, l.site(0)), Site: l.site(0)}, Row: store.OpenDay{Day: day, Seconds: 3600}})
	})
}

func (l *land) query(from, to string, by report.By, guard bool) report.Query {
	f := report.DefaultFigures()
	return report.Query{From: from, To: to, By: by, Guard: guard, Places: l.places, Over: func(m string) bool { return m <= "2026-10" }, Now: l.now, Zone: time.UTC,
		Model: func(m string) store.EnergyModel { return report.ModelOf(f, m) }}
}

// read makes a report and tells how many rows that read.
func (l *land) read(k *report.Kept, q report.Query) (r report.Report, rows int) {
	l.tb.Helper()
	if err := l.st.View(l.tb.Context(), func(tx store.Tx) (err error) {
		r, err = k.Read(reading{tx, &rows}, q)
		return err
	}); err != nil {
		l.tb.Fatal(err)
	}
	return r, rows
}

// TestAMonthThatIsOverIsReadOnce, and whatever changes is read again: no more than
// that, and no figure is an old one.
func TestAMonthThatIsOverIsReadOnce(t *testing.T) {
	l := newLand(t, 6)
	l.past(24)
	k := new(report.Kept)
	one := 6*2 + 6*2 + 6 // a month's rows of use, energy and opening
	same := func(what string, q report.Query, most int) {
		t.Helper()
		got, rows := l.read(k, q)
		want, _ := l.read(new(report.Kept), q)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: kept %+v\nread %+v", what, got.Total, want.Total)
		}
		if t.Logf("%s: %d rows", what, rows); rows > most {
			t.Errorf("%s: %d rows were read, at most %d are needed", what, rows, most)
		}
	}
	year := l.query("2025-01-01", "2026-10-31", report.BySite, true)
	if _, rows := l.read(k, year); rows < 22*one {
		t.Errorf("the first time %d rows were read", rows)
	}
	const few = 1 // the last day whose opening is written down is looked up
	same("again", year, few)
	for _, by := range []report.By{report.ByNothing, report.ByTerritoire, report.ByType, report.ByMonth, report.ByYear, report.BySchoolYear} {
		for _, guard := range []bool{true, false} {
			same("by "+string(by), l.query("2025-01-01", "2026-10-31", by, guard), few)
		}
	}
	now := l.query("2026-01-01", "2026-12-31", report.BySite, false)
	same("up to now, first", now, 3*one+2*6*12+6*3)
	same("up to now", now, few)
	change := func(month string) {
		t.Helper()
		l.decide(func(tx store.Tx) error {
			return store.Update(tx, store.RollupID(month, "s003-1"), func(it *store.Item[store.RollupMonth]) error {
				it.Row.Visits, it.Row.Help = it.Row.Visits+1, it.Row.Help+1
				return nil
			})
		})
	}
	change("2026-02")
	same("a late record", now, 6*2+few)
	same("a late record, in all", year, few)
	l.decide(func(tx store.Tx) error {
		return tx.Delete(store.KindEnergyMonth, store.RollupID("2026-03", "s002-0"))
	})
	same("a row that went", now, 6*2+few)
	l.decide(func(tx store.Tx) error { // a badge's first visit of the month
		return store.Put(tx, store.Item[store.Presence]{Meta: store.Meta{ID: store.PresenceID("2026-11", "new", "s001"), Site: "s001"}, Row: store.Presence{Month: "2026-11", Holder: "new"}})
	})
	same("a badge", now, 6*12+1+few)
	l.decide(func(tx store.Tx) error {
		_, err := report.CountHolders(tx, func(m string) bool { return m <= "2026-10" })
		return err
	})
	same("a month's badges are counted", now, 200)
	same("after that", now, few)
	before, _ := l.read(k, now)
	l.decide(func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.PolicyRow]{Meta: store.Meta{ID: store.PolicyGlobal}, Row: store.PolicyRow{Version: 2, Doc: []byte(`{"hours":{"always":true}}`)}})
	})
	same("rules change", now, few+6*4)
	if later, _ := l.read(k, now); later.Total.Seconds <= before.Total.Seconds {
		t.Errorf("always open, places were open for %d s, before for %d", later.Total.Seconds, before.Total.Seconds)
	}
	same("after that, too", now, few)
	// What was not committed is not noted.
	if err := l.st.Decide(t.Context(), func(tx store.Tx) error {
		if err := tx.Delete(store.KindRollupMonth, store.RollupID("2026-02", "s003-1")); err != nil {
			return err
		}
		return store.ErrConflict
	}); err == nil {
		t.Fatal("it was committed")
	}
	same("nothing was committed", now, few)
	l.decide(func(tx store.Tx) error {
		for _, day := range []string{"2026-12-08", "2026-12-10"} {
			m := store.Meta{ID: store.RollupID(day, "s001-0"), Site: "s001", Scope: "s001-0"}
			l.put(tx, store.Put(tx, store.Item[store.Rollup]{Meta: m, Row: figures(day, "s001-0", 9)}))
		}
		return nil
	})
	days := l.query("2026-11-20", "2026-12-10", report.ByDay, false)
	l.read(k, days)
	same("by day", days, few)
	l.decide(func(tx store.Tx) error {
		return store.Update(tx, store.RollupID("2026-12-10", "s001-0"), func(it *store.Item[store.Rollup]) error { it.Row.Visits++; return nil })
	})
	same("today goes on", days, 1+few)
}

// torn is a store of whose months one row cannot be read: List ends there, and what is
// wrong is told when the transaction ends.
type torn struct {
	store.Tx
	hit *bool
}

func (x torn) List(k store.Kind, from, to string, desc bool) iter.Seq2[store.Meta, json.RawMessage] {
	if k != store.KindRollupMonth {
		return x.Tx.List(k, from, to, desc)
	}
	return func(func(store.Meta, json.RawMessage) bool) { *x.hit = true }
}

func (x torn) Version(k store.Kind, of string) uint64 {
	if *x.hit {
		return math.MaxUint64
	}
	return x.Tx.Version(k, of)
}

// TestWhatCannotBeReadIsNotKept: a report that fails leaves no half month behind.
func TestWhatCannotBeReadIsNotKept(t *testing.T) {
	l := newLand(t, 3)
	l.past(4)
	k, q := new(report.Kept), l.query("2026-09-01", "2026-10-31", report.BySite, true)
	if err := l.st.View(t.Context(), func(tx store.Tx) error {
		_, err := k.Read(torn{tx, new(bool)}, q)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	got, _ := l.read(k, q)
	if want, _ := l.read(new(report.Kept), q); !reflect.DeepEqual(got, want) {
		t.Errorf("after it %+v, want %+v", got.Total, want.Total)
	}
}

// cpu is what this program has used of the processors: on a machine where others work,
// time passes that is not ours.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkReports compares what is kept with adding the days up, in one run.
func BenchmarkReports(b *testing.B) {
	l := newLand(b, 200)
	l.past(60)
	first := time.Date(2025, 11, 1, 0, 0, 0, 0, time.UTC)
	for n := range 365 {
		day := first.AddDate(0, 0, n).Format(time.DateOnly)
		l.decide(func(tx store.Tx) error {
			for i := range l.sites {
				for n := range 2 {
					t := fmt.Sprint(l.site(i), "-", n)
					m := store.Meta{ID: store.RollupID(day, t), Site: l.site(i), Scope: t}
					l.put(tx, store.Put(tx, store.Item[store.Rollup]{Meta: m, Row: figures(day, t, i%9)}))
					l.put(tx, store.Put(tx, store.Item[store.EnergyDay]{Meta: m, Row: energy(day, t, l.site(i))}))
				}
			}
			return nil
		})
	}
	began, used := time.Now(), cpu()
	if err := l.st.View(b.Context(), func(tx store.Tx) error {
		var sum store.Rollup
		for it, err := range store.List[store.Rollup](tx, "", "", false) {
			if err != nil {
				return err
			}
			sum.Add(it.Row, 1)
		}
		for it, err := range store.List[store.EnergyDay](tx, "", "", false) {
			if err != nil {
				return err
			}
			sum.Seconds += it.Row.Lit
		}
		return nil
	}); err != nil {
		b.Fatal(err)
	}
	daily := time.Since(began)
	b.Logf("a year from its days: %v of the processor", cpu()-used)
	k := new(report.Kept)
	began = time.Now()
	l.read(k, l.query("2021-12-01", "2026-12-31", report.BySite, false))
	b.Logf("a year from its days: %v; five years, the first time since the start: %v", daily, time.Since(began))
	for _, span := range []struct{ name, from, to, guarded string }{{"1y", "2025-11-01", "2026-12-31", "2026-10-31"}, {"5y", "2021-12-01", "2026-12-31", "2026-10-31"}} {
		for _, by := range []report.By{report.BySite, report.ByTerritoire, report.ByMonth, report.BySchoolYear} {
			for _, guard := range []bool{false, true} {
				to := span.to
				if guard {
					to = span.guarded
				}
				b.Run(fmt.Sprintf("%s/%s/guard=%v", span.name, by, guard), func(b *testing.B) {
					q := l.query(span.from, to, by, guard)
					l.read(k, q)
					used := cpu()
					for b.Loop() {
						l.read(k, q)
					}
					b.ReportMetric(float64((cpu()-used).Microseconds())/1000/float64(b.N), "cpu-ms/op")
					if span.name == "1y" {
						b.ReportMetric(float64(daily)/(float64(b.Elapsed())/float64(b.N)), "days/kept")
					}
				})
			}
		}
	}
	b.Run("1y/site/a-visit-between", func(b *testing.B) {
		q := l.query("2025-11-01", "2026-12-31", report.BySite, false)
		for b.Loop() {
			l.decide(func(tx store.Tx) error {
				m := store.Meta{ID: store.RollupID("2026-12", "s003-1"), Site: "s003", Scope: "s003-1"}
				if it, err := store.Get[store.RollupMonth](tx, m.ID); err == nil {
					m.Rev = it.Rev
				}
				return store.Put(tx, store.Item[store.RollupMonth]{Meta: m, Row: store.RollupMonth(figures("2026-12", "s003-1", b.N%50))})
			})
			l.read(k, q)
		}
	})
}
