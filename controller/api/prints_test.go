package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/store"
	"borne/controller/wire"
)

func (w *world) decide(fn func(store.Tx) error) {
	w.t.Helper()
	if err := w.st.Decide(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func TestPrintsByScope(t *testing.T) {
	w := start(t)
	v := decode[PrintsView](t, w.do(w.as(accounts.Reception, "a"), "GET", "/api/prints", nil), 200)
	if len(v.Waiting) != 1 || v.Waiting[0].Terminal != "a-1" || v.Waiting[0].SiteName != "Collège a" || v.Waiting[0].Impressions != 12 || v.Waiting[0].Sheets != 6 {
		t.Errorf("site a's reception may release %+v", v.Waiting)
	}
	if len(v.Decide) != 1 || v.Decide[0].ID != "j-a" || v.Decide[0].Reserved != 600 || v.Decide[0].State != "doubtful" || v.Decide[0].Reason != "print-lost" {
		t.Errorf("site a's reception may decide %+v", v.Decide)
	}
	all := w.do(w.as(accounts.Administrator), "GET", "/api/prints", nil)
	if v = decode[PrintsView](t, all, 200); len(v.Waiting) != 2 || len(v.Decide) != 2 {
		t.Errorf("the administrator sees %+v", v)
	}
	if strings.Contains(string(all.body), "acc0unt") {
		t.Errorf("an account is shown: %s", all.body)
	}
	w.live.set("a-1", LiveState{Online: false, Status: wire.Status{Prints: []wire.PrintWaiting{{Job: "w1"}}}})
	if v = decode[PrintsView](t, w.do(w.as(accounts.Reception, "a"), "GET", "/api/prints", nil), 200); len(v.Waiting) != 0 {
		t.Errorf("a terminal that is away has %+v", v.Waiting)
	}
	// A reservation that is young is nobody's to decide.
	w.decide(func(tx store.Tx) error {
		for id, at := range map[string]time.Time{"young": t0, "old": t0.Add(-25 * time.Hour)} {
			if err := put(tx, store.Meta{ID: id, Site: "b", Scope: "b-1"}, store.PrintJob{Job: id, Terminal: "b-1", At: at, Day: "2026-03-02", Reserved: 100, Account: "acc0unt"}); err != nil {
				return err
			}
		}
		return nil
	})
	if v = decode[PrintsView](t, w.do(w.as(accounts.Correspondant, "b"), "GET", "/api/prints", nil), 200); len(v.Decide) != 2 || v.Decide[1].ID != "old" || v.Decide[1].State != "reserved" {
		t.Errorf("site b's correspondant may decide %+v", v.Decide)
	}
}

func TestReleaseAndRefuse(t *testing.T) {
	w := start(t)
	rec := w.as(accounts.Reception, "a")
	for i, c := range []struct {
		job    string
		body   any
		status int
		says   string
	}{
		{"w1", PrintOrder{Action: "release", Text: "ignored"}, 202, ""},
		{"w1", PrintOrder{Action: "refuse", Text: " plus de toner "}, 202, ""},
		{"gone", PrintOrder{Action: "release"}, 409, "n’attend plus"},
		{"w1", PrintOrder{Action: "burn"}, 422, "body.action"},
		{"w1", PrintOrder{Action: "refuse", Text: strings.Repeat("€", 200)}, 422, "body.text"},
		{"w1", `{"action":"release","pages":3}`, 422, "body.pages"},
	} {
		a := w.do(rec, "POST", "/api/terminals/a-1/prints/"+c.job, c.body)
		if a.StatusCode != c.status || !strings.Contains(string(a.body), c.says) {
			t.Errorf("case %d: %s %s", i, a.Status, a.body)
		}
		if c.status >= 400 && a.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("case %d is a %s", i, a.Header.Get("Content-Type"))
		}
	}
	if len(w.orders) != 2 || w.orders[0].Kind != wire.CmdPrint || w.orders[0].Job != "w1" || w.orders[0].Text != "" ||
		w.orders[1].Kind != wire.CmdNoPrint || w.orders[1].Text != "plus de toner" || w.orders[1].By == "" {
		t.Errorf("the orders are %+v", w.orders)
	}
	w.orderErr = fmt.Errorf("no: %w", ErrRefused)
	if a := w.do(rec, "POST", "/api/terminals/a-1/prints/w1", PrintOrder{Action: "release"}); a.StatusCode != 409 {
		t.Errorf("an order that makes no sense: %s", a.Status)
	}
}

func TestDecision(t *testing.T) {
	w := start(t)
	rec := w.as(accounts.Reception, "a")
	for i, c := range []struct {
		id     string
		body   any
		status int
		says   string
	}{
		{"j-a", PrintDecision{Charge: 601, Reason: "trop"}, 422, "body.charge"},
		{"j-a", PrintDecision{Charge: -1, Reason: "moins"}, 422, "au moins 0"},
		{"j-a", PrintDecision{Charge: 100, Reason: "    "}, 422, "body.reason"},
		{"j-a", PrintDecision{Charge: 100}, 422, "body.reason"},
		{"none", PrintDecision{Charge: 100, Reason: "une page"}, 404, ""},
		{"j-b", PrintDecision{Charge: 100, Reason: "une page"}, 403, ""},
		{"j-a", PrintDecision{Charge: 100, Reason: "une page"}, 200, `"charged":100`},
		{"j-a", PrintDecision{Charge: 0, Reason: "encore"}, 409, "plus rien à décider"},
	} {
		if a := w.do(rec, "POST", "/api/prints/"+c.id+"/decision", c.body); a.StatusCode != c.status || !strings.Contains(string(a.body), c.says) {
			t.Errorf("case %d: %s %s", i, a.Status, a.body)
		}
	}
	p := decode[PrintJobPage](t, w.do(w.as(accounts.Correspondant, "a"), "GET", "/api/terminals/a-1/prints", nil), 200)
	if len(p.Jobs) != 1 || p.Jobs[0].State != "decided" || p.Jobs[0].By != "Ada reception" || p.Jobs[0].Why != "une page" || p.Jobs[0].Decided == nil {
		t.Errorf("the job is %+v", p.Jobs)
	}
	if v := decode[PrintsView](t, w.do(rec, "GET", "/api/prints", nil), 200); len(v.Decide) != 0 {
		t.Errorf("still to decide: %+v", v.Decide)
	}
}

func TestGrantPages(t *testing.T) {
	w := start(t)
	rec := w.as(accounts.Reception, "a")
	for i, c := range []struct {
		body   any
		status int
		says   string
	}{
		{PagesRequest{Session: "sa", Pages: 10, Reason: "dossier CAF"}, 202, "cmd-2"},
		{PagesRequest{Session: "sa", Pages: 0, Reason: "dossier CAF"}, 422, "body.pages"},
		{PagesRequest{Session: "sa", Pages: 101, Reason: "dossier CAF"}, 422, "body.pages"},
		{PagesRequest{Session: "sa", Pages: 10, Reason: "   "}, 422, "body.reason"},
		{PagesRequest{Session: "sb", Pages: 10, Reason: "d’un autre lieu"}, 409, "terminée"},
		{PagesRequest{Session: "sa", Pages: 100, Reason: "un livre"}, 202, ""},
		{PagesRequest{Session: "sa", Pages: 100, Reason: "un livre"}, 202, ""},
		{PagesRequest{Session: "sa", Pages: 100, Reason: "un livre"}, 422, "au plus 300 pages"},
	} {
		if a := w.do(rec, "POST", "/api/terminals/a-1/pages", c.body); a.StatusCode != c.status || !strings.Contains(string(a.body), c.says) {
			t.Errorf("case %d: %s %s", i, a.Status, a.body)
		}
	}
	page := decode[AuditPage](t, w.do(w.as(accounts.Administrator), "GET", "/api/audit", nil), 200)
	n := 0
	for _, e := range page.Entries {
		if e.Action == "print.granted" {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d grants are in the audit", n)
	}
}

func TestPrintJobsOfASession(t *testing.T) {
	w := start(t)
	w.decide(func(tx store.Tx) error {
		for i := range 5 {
			s, te := "s1", "a-1"
			if i == 3 {
				s = "s2"
			}
			if i == 4 {
				te = "b-1" // of another terminal that names the same session
			}
			id := store.TimeID(t0.Add(time.Duration(i)*time.Minute), fmt.Sprint(i))
			if err := put(tx, store.Meta{ID: id, Site: te[:1], Scope: te}, store.PrintJob{Job: fmt.Sprint(i), Session: s, Terminal: te, At: t0, Outcome: wire.PrintSettled, Impressions: i}); err != nil {
				return err
			}
		}
		return nil
	})
	cor := w.as(accounts.Correspondant, "a")
	p := decode[PrintJobPage](t, w.do(cor, "GET", "/api/terminals/a-1/prints?session=s1&limit=2", nil), 200)
	if len(p.Jobs) != 2 || p.Jobs[0].Job != "2" || p.Jobs[1].Job != "1" || p.Next == "" {
		t.Fatalf("the session's jobs are %+v", p)
	}
	if p = decode[PrintJobPage](t, w.do(cor, "GET", "/api/terminals/a-1/prints?session=s1&limit=2&before="+p.Next, nil), 200); len(p.Jobs) != 1 || p.Jobs[0].Job != "0" || p.Next != "" {
		t.Errorf("the rest is %+v", p)
	}
	if p = decode[PrintJobPage](t, w.do(cor, "GET", "/api/terminals/a-1/prints", nil), 200); len(p.Jobs) != 5 {
		t.Errorf("the terminal has %d jobs", len(p.Jobs))
	}
}

// TestPrinters: what a printer lacks is there while it lacks it, with the days
// that its supplies last.
func TestPrinters(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Correspondant, "a")
	say := func(p wire.Printer) (v PrinterView, alerts []AlertBrief, brief TerminalBrief) {
		t.Helper()
		w.live.set("a-1", LiveState{Online: true, LastSeen: t0, Status: wire.Status{Phase: "welcome", Printer: &p}})
		s := decode[SitePrinters](t, w.do(cookie, "GET", "/api/sites/a/printers", nil), 200)
		if len(s.Printers) != 1 || s.Printers[0].SpaceName != "Hall" {
			t.Fatalf("the site's printers are %+v", s)
		}
		d := decode[TerminalDetail](t, w.do(cookie, "GET", "/api/terminals/a-1", nil), 200)
		return s.Printers[0], d.Alerts, d.Terminal
	}
	codes := func(all []PrinterTrouble) (s []string) {
		for _, x := range all {
			s = append(s, x.Code)
		}
		return s
	}
	for i := range 10 { // 90 % ten days ago, 63 % yesterday
		w.decide(func(tx store.Tx) error {
			day := t0.AddDate(0, 0, i-10).Format(time.DateOnly)
			return put(tx, store.Meta{ID: store.RollupID(day, "a-1"), Site: "a", Scope: "a-1"},
				store.SupplyDay{Day: day, Terminal: "a-1", Levels: map[string]int{"Noir": 90 - 3*i, "Cyan": 40 - 4*i}})
		})
	}
	ink := []wire.Supply{{Name: "Noir", Kind: "toner", Level: 62}, {Name: "Cyan", Kind: "toner", Level: 3}, {Name: "Bac", Kind: "waste", Level: wire.LevelUnknown}}
	v, alerts, brief := say(wire.Printer{State: wire.PrinterReady, Model: "M 500", Supplies: ink})
	if len(v.Supplies) != 3 || v.Supplies[0].Days == nil || *v.Supplies[0].Days != 20 || v.Supplies[2].Days != nil || v.Supplies[2].Level != -1 {
		t.Errorf("the supplies are %+v", v.Supplies)
	}
	if got := codes(v.Troubles); len(got) != 1 || got[0] != "printer-supply-soon" || v.Troubles[0].Supply != "Cyan" || *v.Troubles[0].Days != 0 {
		t.Errorf("the troubles are %+v", v.Troubles)
	}
	if len(alerts) != 1 || alerts[0].Code != "printer-supply-soon" || brief.Printer.State != "ready" || len(brief.Printer.Troubles) != 0 {
		t.Errorf("alerts %+v, brief %+v", alerts, brief.Printer)
	}
	for reason, code := range map[string]string{"media-empty-error": "printer-paper", "media-jam": "printer-jam", "toner-low-report": "printer-toner-low",
		"door-open": "printer-door", "com.example.fire": "printer-stopped", "none": "printer-stopped"} {
		v, alerts, brief = say(wire.Printer{State: wire.PrinterStopped, Reasons: []string{reason, reason}, Supplies: ink[:1]})
		if got := codes(v.Troubles); len(got) != 1 || got[0] != code || len(alerts) != 1 || alerts[0].Code != code || len(brief.Printer.Troubles) != 1 {
			t.Errorf("%s: troubles %v, alerts %+v, brief %+v", reason, got, alerts, brief.Printer)
		}
	}
	v, _, _ = say(wire.Printer{State: wire.PrinterReady, Supplies: []wire.Supply{{Name: "Jaune", Level: 30, Low: true}, {Name: "Gris", Level: 0}}})
	if got := codes(v.Troubles); len(got) != 2 || got[0] != "printer-supply-low" || v.Troubles[1].Supply != "Gris" {
		t.Errorf("low supplies: %+v", v.Troubles)
	}
	v, _, _ = say(wire.Printer{State: wire.PrinterLost, Reasons: []string{"media-empty"}})
	if got := codes(v.Troubles); len(got) != 1 || got[0] != "printer-lost" {
		t.Errorf("lost: %v", got)
	}
	// It is well again: nothing is left of it.
	if v, alerts, brief = say(wire.Printer{State: wire.PrinterReady}); len(v.Troubles) != 0 || len(alerts) != 0 || len(brief.Printer.Troubles) != 0 {
		t.Errorf("once mended: %+v, %+v, %+v", v.Troubles, alerts, brief.Printer)
	}
	w.live.set("a-1", LiveState{})
	s := decode[SitePrinters](t, w.do(cookie, "GET", "/api/sites/a/printers", nil), 200)
	if p := s.Printers[0]; p.Online || p.State != "ready" || p.At == nil || !p.At.Equal(t0) {
		t.Errorf("while it is away: %+v", p)
	}
	if a := w.do(cookie, "GET", "/api/sites/b/printers", nil); a.StatusCode != http.StatusForbidden {
		t.Errorf("another site's printers: %s", a.Status)
	}
}
