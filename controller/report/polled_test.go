package report_test

import (
	"errors"
	"testing"
	"time"

	"borne/controller/report"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

// TestNobodyIsFoundByAskingAgain: of a month of which something can still come,
// nothing is told to somebody who may not see small counts.
func TestNobodyIsFoundByAskingAgain(t *testing.T) {
	over := func(month string) bool { return month <= "2026-08" }
	for _, c := range []struct {
		from, to string
		err      error
	}{
		{"2026-10-01", "2026-10-31", report.ErrEarly}, {"2026-09-01", "2026-09-30", report.ErrEarly}, {"2026-01-01", "2026-12-31", report.ErrEarly},
		{"2026-08-01", "2026-08-31", nil}, {"2025-09-01", "2026-08-31", nil}, {"2026-08-01", "2026-08-30", report.ErrMonths},
	} {
		q := report.Query{From: c.from, To: c.to, Guard: true, Over: over}
		if err := q.Check(); !errors.Is(err, c.err) {
			t.Errorf("%s to %s: %v, want %v", c.from, c.to, err, c.err)
		}
		q.Guard = false
		if err := q.Check(); err != nil {
			t.Errorf("%s to %s, of everything: %v", c.from, c.to, err)
		}
	}
	if err := (report.Query{From: "2020-01-01", To: "2020-01-31", Guard: true}).Check(); !errors.Is(err, report.ErrEarly) {
		t.Errorf("without knowing what is over: %v", err)
	}
}

// TestSetsAreThoseOfTheirMonth: what a territoire or a type had is known when the
// month's key is gone, as long as it has the sites that it had.
func TestSetsAreThoseOfTheirMonth(t *testing.T) {
	st, err := bolt.Open(bolt.Config{Dir: t.TempDir(), Apply: func(store.Tx, string, wire.Record) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	decide := func(fn func(store.Tx) error) {
		t.Helper()
		if err := st.Decide(t.Context(), fn); err != nil {
			t.Fatal(err)
		}
	}
	site := func(id, kind, territoire string) {
		t.Helper()
		decide(func(tx store.Tx) error {
			was, err := store.Get[store.Site](tx, id)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			return store.Put(tx, store.Item[store.Site]{Meta: store.Meta{ID: id, Site: id, Rev: was.Rev}, Row: store.Site{Name: id, Type: kind, Territoire: territoire}})
		})
	}
	site("a", "college", "Arve")
	site("b", "college", "Arve")
	site("c", "college", "Chablais")
	site("d", "pms", "Chablais") // nobody was there
	used := func(site string, holders string) {
		decide(func(tx store.Tx) error {
			for _, h := range holders {
				id := store.PresenceID("2026-01", string(h), site)
				if err := store.Put(tx, store.Item[store.Presence]{Meta: store.Meta{ID: id, Site: site}, Row: store.Presence{Month: "2026-01", Holder: string(h)}}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	used("a", "abcdefghij")
	used("b", "jklmnopqrs") // one was at both
	used("c", "tuvwxyzabcdefghijklmnopqrs")
	over := func(month string) bool { return month <= "2026-01" }
	read := func(by report.By, guard bool) map[string]report.Holders {
		t.Helper()
		got := map[string]report.Holders{}
		if err := st.View(t.Context(), func(tx store.Tx) error {
			q := report.Query{From: "2026-01-01", To: "2026-01-31", By: by, Guard: guard, Over: over, Now: time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC), Zone: time.UTC}
			var err error
			if q.Places, err = report.PlacesOf(tx); err != nil {
				return err
			}
			r, err := report.Read(tx, q)
			if err != nil {
				return err
			}
			got[""] = r.Total.Holders[0]
			for _, l := range r.Lines {
				got[l.Key] = l.Holders[0]
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return got
	}
	want := func(what string, got map[string]report.Holders, counts map[string]int) {
		t.Helper()
		for key, n := range counts { // -1: not told
			if h := got[key]; h.Known != (n >= 0) || h.Known && h.Count != n {
				t.Errorf("%s: %q has %+v, want %d", what, key, h, n)
			}
		}
	}
	want("before the key is gone", read(report.ByType, false), map[string]int{"": 26, "college": 26, "pms": 0})
	want("guarded, before they are counted", read(report.BySite, true), map[string]int{"": -1, "a": -1, "d": -1})
	decide(func(tx store.Tx) error { _, err := report.CountHolders(tx, over); return err })
	want("by type", read(report.ByType, false), map[string]int{"": 26, "college": 26, "pms": 0})
	want("by territoire", read(report.ByTerritoire, false), map[string]int{"": 26, "Arve": 19, "Chablais": 26})
	want("guarded", read(report.ByTerritoire, true), map[string]int{"": 26, "Arve": -1, "Chablais": 26})
	want("guarded, by site", read(report.BySite, true), map[string]int{"": 26, "a": 10, "b": 10, "c": 26, "d": 0})
	// c goes to the Arve: what this was in January is not what it is.
	site("c", "pms", "Arve")
	want("after a move", read(report.ByTerritoire, false), map[string]int{"": 26, "Arve": 26, "Chablais": 0})
	want("after a change of type", read(report.ByType, false), map[string]int{"": 26, "college": 19, "pms": 26})
	site("b", "pms", "Chablais")
	want("after two", read(report.ByTerritoire, false), map[string]int{"": 26, "Arve": -1, "Chablais": 10})
	// A place that came later changes nothing.
	site("e", "pms", "Genevois")
	want("with a new place", read(report.BySite, false), map[string]int{"": 26, "e": 0})
}
