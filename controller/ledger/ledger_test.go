package ledger

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/audit"
	"borne/controller/store"
	"borne/controller/wire"
)

const twenty = `{"enabled":true,"pagesPerDay":20,"pagesPerMonth":0}`

func (w *world) expect(what string, a wire.PrintAnswer, granted bool, left int, reason wire.Reason) {
	w.t.Helper()
	if a.Granted != granted || a.Left != wire.Units(left)*100 || a.Reason != reason {
		w.t.Errorf("%s: %+v, want granted %v, %d pages left, reason %q", what, a, granted, left, reason)
	}
}

func TestTwoTerminalsSpendOneBadge(t *testing.T) {
	w := newWorld(t, twenty)
	w.expect("what is left", w.ask("t1", "q", h1(1), 0), false, 20, "")
	w.expect("12 pages", w.ask("t1", "a", h1(1), 12), true, 8, "")
	w.expect("the same again", w.ask("t1", "a", h1(1), 12), true, 8, "")
	w.expect("elsewhere, too many", w.ask("t2", "b", h1(1), 9), false, 8, wire.PrintQuota)
	w.expect("elsewhere, what is left", w.ask("t2", "b", h1(1), 8), true, 0, "")
	w.expect("another badge", w.ask("t2", "c", h1(2), 20), true, 0, "")
	w.record("t1", wire.KindPrint, printed("a", h1(1), wire.PrintSettled, 12, 5)) // a jam at page 6
	w.expect("7 came back", w.ask("t2", "q", h1(1), 0), false, 7, "")
	w.record("t2", wire.KindPrint, printed("b", h1(1), wire.PrintRefunded, 8, 0))
	w.expect("8 more came back", w.ask("t2", "q", h1(1), 0), false, 15, "")
	w.record("t2", wire.KindPrint, printed("b", h1(1), wire.PrintRefunded, 8, 0))
	w.expect("said twice", w.ask("t2", "q", h1(1), 0), false, 15, "")
	w.expect("a job that is over", w.ask("t2", "b", h1(1), 1), false, 15, wire.PrintEnded)
	w.now = w.now.AddDate(0, 0, 1)
	w.expect("the next day", w.ask("t1", "n", h1(1), 20), true, 0, "")
	if a := w.account(h1(1)); a.Charged != 500 || a.Days["2026-03-02"].Charged != 500 || a.Month != "2026-03" {
		t.Errorf("the account has %+v", a)
	}
}

func TestCharge(t *testing.T) {
	for name, c := range map[string]struct {
		reserve, reserved, charged int
		outcome                    wire.Outcome
		want, set                  int
	}{
		"as reserved":                      {6, 6, 6, wire.PrintSettled, 6, 0},
		"less was printed":                 {6, 6, 2, wire.PrintSettled, 2, 0},
		"more is told than was set aside":  {6, 6, 60, wire.PrintSettled, 6, 0},
		"the terminal tells another sum":   {6, 9, 9, wire.PrintSettled, 6, 0},
		"offline":                          {0, 5, 4, wire.PrintSettled, 4, 0},
		"offline, more than it set aside":  {0, 5, 9, wire.PrintSettled, 5, 0},
		"refunded":                         {6, 6, 6, wire.PrintRefunded, 0, 0},
		"doubtful":                         {6, 6, 0, wire.PrintDoubtful, 0, 6},
		"doubtful offline":                 {0, 3, 0, wire.PrintDoubtful, 0, 3},
		"a newer terminal's word":          {6, 6, 3, "half", 0, 6},
		"negative":                         {6, 6, -3, wire.PrintSettled, 0, 0},
		"offline, all the quota and above": {0, 25, 25, wire.PrintSettled, 25, 0},
	} {
		w := newWorld(t, twenty)
		if c.reserve > 0 {
			w.expect(name, w.ask("t1", "a", h1(1), c.reserve), true, 20-c.reserve, "")
		}
		for range 2 {
			w.record("t1", wire.KindPrint, printed("a", h1(1), c.outcome, c.reserved, c.charged))
			if a := w.account(h1(1)); a.Charged != wire.Units(c.want)*100 {
				t.Errorf("%s: charged %d, want %d pages", name, a.Charged, c.want)
			}
			w.expect(name, w.ask("t2", "q", h1(1), 0), false, max(20-c.want-c.set, 0), "")
			if j := w.job("t1", "a"); j.Row.Charged != wire.Units(c.want)*100 || (j.Row.Account != "") != (c.set > 0) || j.Row.Open() != (c.set > 0) {
				t.Errorf("%s: the job is %+v", name, j.Row)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	w := newWorld(t, twenty)
	for name, a := range map[string]wire.PrintAsk{
		"no job": {Session: "s", Holder: h1(1)}, "a path": {Job: "../a", Session: "s", Holder: h1(1)},
		"no session": {Job: "a", Holder: h1(1)}, "no badge": {Job: "a", Session: "s"}, "half a badge": {Job: "a", Session: "s", Holder: h1(1)[:16]},
		"negative": {Job: "a", Session: "s", Holder: h1(1), Units: -1}, "absurd": {Job: "a", Session: "s", Holder: h1(1), Units: Most + 1},
	} {
		err := w.st.Decide(t.Context(), func(tx store.Tx) error {
			ans, err := w.led.Ask(tx, "t1", a)
			if ans.Granted || ans.Left != 0 || ans.Reason == "" {
				t.Errorf("%s: %+v", name, ans)
			}
			return err
		})
		if !errors.Is(err, ErrAsk) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, state := range []store.TerminalState{store.StateQuarantined, store.StateRevoked, store.StateWaiting} {
		w.decide(func(tx store.Tx) error {
			return store.Update(tx, "t2", func(it *store.Item[store.Terminal]) error { it.Row.State = state; return nil })
		})
		w.expect(string(state), w.ask("t2", "a", h1(1), 1), false, 0, wire.RefuseQuarantined)
	}
	w.policy(`{"enabled":false,"pagesPerDay":20}`)
	w.expect("printing is off", w.ask("t1", "a", h1(1), 1), false, 0, wire.PrintQuota)
}

func TestQuotas(t *testing.T) {
	w := newWorld(t, `{"enabled":true,"pagesPerDay":10,"pagesPerMonth":25,"periods":[{"from":"2026-03-04","to":"2026-03-05","pagesPerDay":2,"pagesPerMonth":25}]}`)
	for i, c := range []struct{ ask, left int }{{10, 0}, {10, 0}, {2, 0}, {2, 0}, {1, 0}, {1, 0}} {
		granted := i != 5 // 25 pages of the month are gone
		reason := wire.Reason("")
		if !granted {
			reason = wire.PrintQuota
		}
		w.expect(w.led.day(w.now), w.ask("t1", w.led.day(w.now), h1(1), c.ask), granted, c.left, reason)
		w.now = w.now.AddDate(0, 0, 1)
	}
	// Local days: half past midnight in Paris is another day, and here another month.
	w = newWorld(t, twenty)
	w.now = time.Date(2026, 3, 31, 21, 0, 0, 0, time.UTC)
	w.expect("at 23 h", w.ask("t1", "a", h1(1), 20), true, 0, "")
	w.now = w.now.Add(90 * time.Minute)
	w.expect("at half past midnight", w.ask("t1", "b", h1(1), 20), true, 0, "")
	w.expect("again, of the day before", w.ask("t1", "a", h1(1), 20), true, 0, "")
	w.record("t1", wire.KindPrint, printed("a", h1(1), wire.PrintSettled, 20, 20)) // its account is March's
	w.record("t1", wire.KindPrint, printed("a", h1(1), wire.PrintSettled, 20, 3))  // corrected later: still March's
	if a := w.account(h1(1)); a.Charged != 0 || a.Month != "2026-04" {
		t.Errorf("April has %+v", a)
	}
	w.now = time.Date(2026, 3, 31, 21, 0, 0, 0, time.UTC)
	if a := w.account(h1(1)); a.Charged != 300 || a.Days["2026-03-31"].Charged != 300 {
		t.Errorf("March has %+v", a)
	}
	w = newWorld(t, `{"enabled":true,"pagesPerDay":0,"pagesPerMonth":0}`)
	if a := w.ask("t1", "a", h1(1), 500); !a.Granted || a.Left != Most {
		t.Errorf("without a quota: %+v", a)
	}
	// A person changes their mind before it is sent.
	w = newWorld(t, twenty)
	w.expect("one copy", w.ask("t1", "a", h1(1), 10), true, 10, "")
	w.expect("two copies", w.ask("t1", "a", h1(1), 20), true, 0, "")
	w.expect("three", w.ask("t1", "a", h1(1), 30), false, 0, wire.PrintQuota)
	w.expect("one again", w.ask("t1", "a", h1(1), 10), true, 10, "")
}

func TestDecision(t *testing.T) {
	w := newWorld(t, twenty)
	w.expect("", w.ask("t1", "a", h1(1), 6), true, 14, "")
	p := printed("a", h1(1), wire.PrintDoubtful, 6, 0)
	p.Reason = wire.PrintLost
	w.record("t1", wire.KindPrint, p)
	id := w.job("t1", "a").ID
	decide := func(charge wire.Units, reason string) error {
		return w.st.Decide(t.Context(), func(tx store.Tx) error { _, err := w.led.Decide(tx, id, charge, "u1", reason); return err })
	}
	for _, bad := range []struct {
		charge wire.Units
		reason string
	}{{-1, "x"}, {601, "x"}, {100, ""}} {
		if err := decide(bad.charge, bad.reason); !errors.Is(err, ErrRange) {
			t.Errorf("charge %d because %q: %v", bad.charge, bad.reason, err)
		}
	}
	must(t, decide(200, "deux pages sorties"))
	if err := decide(0, "encore"); !errors.Is(err, ErrOver) {
		t.Errorf("a second decision: %v", err)
	}
	w.record("t1", wire.KindPrint, printed("a", h1(1), wire.PrintSettled, 6, 6)) // it found out too late
	w.expect("after the decision", w.ask("t2", "q", h1(1), 0), false, 18, "")
	if j := w.job("t1", "a").Row; j.Charged != 200 || j.Account != "" || j.By != "u1" || j.Impressions != 6 {
		t.Errorf("the job is %+v", j)
	}
	w.decide(func(tx store.Tx) error {
		e, err := store.First(store.Find[store.AuditEntry](tx, "target", id))
		if e.Row.Action != "print.decided" || e.Row.Actor != "u1" || e.Row.Detail != "200/600: deux pages sorties" || e.Site != "s1" {
			t.Errorf("the audit says %+v", e.Row)
		}
		_, err2 := audit.Verify(tx, nil)
		return errors.Join(err, err2)
	})
	// A reservation of which nobody hears is for staff too, after a day.
	w.expect("", w.ask("t1", "b", h1(1), 5), true, 13, "")
	id = w.job("t1", "b").ID
	if err := decide(0, "x"); !errors.Is(err, ErrOver) {
		t.Errorf("a job that is being printed is decided: %v", err)
	}
	w.now = w.now.Add(Silent + time.Minute)
	must(t, decide(0, "poste en panne"))
	if j := w.job("t1", "b").Row; j.Outcome != wire.PrintDoubtful || j.Reason != wire.PrintLost || j.Open() {
		t.Errorf("the silent job is %+v", j)
	}
}

func TestGrant(t *testing.T) {
	w := newWorld(t, twenty)
	w.begin()
	grant := func(session string, pages int, reason string) error {
		return w.st.Decide(t.Context(), func(tx store.Tx) error { return w.led.Grant(tx, "t1", session, pages, "u1", reason) })
	}
	for name, err := range map[string]error{"none": grant("s-t1", 0, "x"), "many": grant("s-t1", MaxGrant+1, "x"), "no reason": grant("s-t1", 5, "")} {
		if !errors.Is(err, ErrRange) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := grant("other", 5, "x"); !errors.Is(err, ErrEnded) {
		t.Errorf("a session that is not there: %v", err)
	}
	w.expect("before", w.ask("t1", "a", h1(1), 20), true, 0, "")
	must(t, grant("s-t1", 10, "dossier CAF"))
	w.expect("another session of another badge", w.ask("t2", "x", h1(2), 0), false, 20, "")
	w.expect("its own", w.ask("t1", "q", h1(1), 0), false, 10, "")
	w.expect("once", w.ask("t1", "q", h1(1), 0), false, 10, "")
	w.expect("elsewhere too", w.ask("t2", "q", h1(1), 0), false, 10, "")
	for range 2 {
		must(t, grant("s-t1", MaxGrant, "x"))
	}
	if err := grant("s-t1", MaxGrant, "x"); !errors.Is(err, ErrRange) {
		t.Errorf("more than %d pages: %v", MaxGrants, err)
	}
	w.record("t1", wire.KindEnded, wire.Ended{Session: "s-t1", Reason: wire.EndButton})
	if err := grant("s-t1", 1, "x"); !errors.Is(err, ErrEnded) {
		t.Errorf("a session that is over: %v", err)
	}
	w.now = w.now.AddDate(0, 0, 1)
	w.expect("tomorrow", w.ask("t2", "q", h1(1), 0), false, 20, "")
}

// TestFigures: session and day count each job once, whatever comes when, and an
// older terminal's own count where no job is told.
func TestFigures(t *testing.T) {
	w := newWorld(t, twenty)
	figures := func() (s store.SessionRow, u store.Rollup) {
		w.decide(func(tx store.Tx) error {
			it, err := sessionOf(tx, "t1", "s-t1")
			must(t, err)
			day, err := store.Get[store.Rollup](tx, store.RollupID("2026-03-02", "t1"))
			s, u = it.Row, day.Row
			return err
		})
		return s, u
	}
	w.begin()
	w.record("t1", wire.KindEnded, wire.Ended{Session: "s-t1", Reason: wire.EndButton, Pages: 9})
	if s, u := figures(); s.Pages != 9 || u.Pages != 9 || u.Prints != 0 {
		t.Errorf("an older terminal: session %+v, day %+v", s, u)
	}
	p := printed("a", nil, wire.PrintSettled, 6, 6) // settled after the end; nobody's badge
	p.Sheets, p.Colour, p.Duplex = 3, true, true
	for range 2 {
		w.record("t1", wire.KindPrint, p)
	}
	w.record("t1", wire.KindPrint, printed("b", nil, wire.PrintSettled, 2, 2))
	if s, u := figures(); s.Pages != 8 || s.Prints != 2 || u.Pages != 8 || u.Sheets != 5 || u.Colour != 6 || u.Prints != 2 {
		t.Errorf("two jobs: session %+v, day %+v", s, u)
	}
	p.Impressions, p.Sheets, p.Colour = 4, 2, false // it is corrected
	w.record("t1", wire.KindPrint, p)
	if s, u := figures(); s.Pages != 6 || s.Prints != 2 || u.Pages != 6 || u.Sheets != 4 || u.Colour != 0 || u.Prints != 2 {
		t.Errorf("corrected: session %+v, day %+v", s, u)
	}
	w = newWorld(t, twenty)
	w.begin()
	w.record("t1", wire.KindPrint, printed("a", nil, wire.PrintSettled, 6, 6))
	w.record("t1", wire.KindEnded, wire.Ended{Session: "s-t1", Reason: wire.EndButton, Pages: 6})
	if s, u := figures(); s.Pages != 6 || u.Pages != 6 {
		t.Errorf("both tell: session %+v, day %+v", s, u)
	}
}

// TestGroups: a badge's group has its own pages of day and month, at all terminals;
// a group that the rules do not name, or no longer, has what everybody has.
func TestGroups(t *testing.T) {
	const groups = `{"enabled":true,"pagesPerSession":5,"pagesPerDay":10,"groups":[{"name":"Famille","pagesPerSession":30,"pagesPerDay":40,"pagesPerMonth":50}]}`
	w := newWorld(t, groups)
	for i, group := range []string{"", "Famille", "Senior"} {
		w.enrol(h1(i+1), group)
	}
	for i, want := range []struct{ pages, left int }{{0, 10}, {30, 40}, {0, 10}} {
		w.expect("what is left", w.ask("t1", fmt.Sprintf("look-%d", i), h1(i+1), 0), false, want.left, "")
		w.decide(func(tx store.Tx) error {
			n, err := w.led.Session(tx, "t2", h1(i+1))
			if n != want.pages {
				t.Errorf("badge %d has %d pages a session", i+1, n)
			}
			return err
		})
	}
	w.expect("more than others", w.ask("t1", "a", h1(2), 35), true, 5, "")
	w.expect("at the other terminal", w.ask("t2", "b", h1(2), 6), false, 5, wire.PrintQuota)
	w.now = w.now.AddDate(0, 0, 1)
	if a := w.ask("t2", "c", h1(2), 15); !a.Granted || a.Left != 0 || !a.Month {
		t.Errorf("the month's last pages: %+v", a)
	}
	w.expect("no more than others", w.ask("t1", "d", h1(3), 11), false, 10, wire.PrintQuota)
	w.policy(`{"enabled":true,"pagesPerSession":5,"pagesPerDay":10}`)
	w.expect("the group is gone", w.ask("t1", "e", h1(2), 0), false, 0, "")
	w.policy(strings.Replace(groups, "true", "false", 1))
	w.decide(func(tx store.Tx) error {
		if n, err := w.led.Session(tx, "t1", h1(2)); n != 0 || err != nil {
			t.Errorf("%d pages where nothing is printed: %v", n, err)
		}
		return nil
	})
}

// TestNothingLinks: no file holds h1; what lies in the tables once jobs are over
// leads from no job or session to an account, and an account is gone with the
// key of its month.
func TestNothingLinks(t *testing.T) {
	w := newWorld(t, twenty)
	badge := []byte("the-raw-h1-of-a-badge-32-bytes!!")
	w.begin()
	w.ask("t1", "a", badge, 3)
	w.ask("t1", "open", badge, 2)
	var id string
	w.decide(func(tx store.Tx) error {
		b, err := w.badges.Account(tx, badge, w.now, w.now)
		id = hex.EncodeToString(b)
		return err
	})
	w.record("t1", wire.KindPrint, printed("a", badge, wire.PrintSettled, 3, 3))
	bad := printed("b", badge, "half", -1, 9)
	bad.Job = "no id/of ours"
	bad.Holder = nil // as the fleet does
	w.record("t1", wire.KindPrint, bad)
	holders := func() (in []store.Kind) {
		w.decide(func(tx store.Tx) error {
			in = nil
			for _, r := range store.Rows() {
				for m, doc := range tx.List(r.Table(), "", "", false) {
					if bytes.Contains(doc, badge) || bytes.Contains(doc, []byte(hex.EncodeToString(badge))) {
						t.Errorf("h1 lies in %s %s", r.Table(), m.ID)
					}
					if m.ID == id || bytes.Contains(doc, []byte(id)) {
						in = append(in, r.Table())
					}
				}
			}
			return nil
		})
		return in
	}
	if in := holders(); !slices.Equal(in, []store.Kind{store.KindAccount, store.KindPrintJob}) { // the open job's
		t.Errorf("the account is named in %v", in)
	}
	w.record("t1", wire.KindPrint, printed("open", badge, wire.PrintRefunded, 2, 0))
	if in := holders(); !slices.Equal(in, []store.Kind{store.KindAccount}) {
		t.Errorf("once its jobs are over the account is named in %v", in)
	}
	w.record("t1", wire.KindPrint, printed("late", badge, wire.PrintDoubtful, 2, 0))
	w.now = w.now.AddDate(0, 0, 10)
	w.ask("t2", "z", badge, 1)
	forget := func() (n int) {
		w.decide(func(tx store.Tx) (err error) { n, err = Forget(tx, time.Time{}, w.now); return err })
		return n
	}
	if n := forget(); n != 1 || forget() != 0 {
		t.Errorf("%d accounts lost their days", n)
	}
	if a := w.account(badge); a.Charged != 300 || len(a.Days) != 0 {
		t.Errorf("the month is %+v", a)
	}
	w.decide(func(tx store.Tx) error { return tx.Delete(store.KindMonthKey, "2026-03") })
	if n := forget(); n != 1 {
		t.Errorf("%d accounts went with their month", n)
	}
	if in := holders(); len(in) != 0 {
		t.Errorf("an account that is gone is named in %v", in)
	}
	for _, file := range []string{"borne.db", "ingest.journal"} {
		b, err := os.ReadFile(filepath.Join(w.dir, "store", file))
		must(t, err)
		if bytes.Contains(b, badge) || bytes.Contains(b, []byte(hex.EncodeToString(badge))) {
			t.Errorf("h1 lies in %s", file)
		}
	}
}
