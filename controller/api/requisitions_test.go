package api

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/retention"
	"borne/controller/store"
)

func holdOf(sites ...string) HoldRequest {
	return HoldRequest{Reference: "PV 2026/123", Authority: "Parquet d’Annecy", Sites: sites, Classes: []string{"usage", "account"}, From: "2026-03-02", To: "2026-05-30"}
}

// asked puts a hold there that somebody asked for who is gone, as if nobody had
// touched it yet.
func (w *world) asked() {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		it, err := store.Get[store.Hold](tx, "hold-a")
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		it.Meta = store.Meta{ID: "hold-a", Rev: it.Rev}
		it.Row = store.Hold{Reference: "PV 1", Authority: "Parquet", Sites: []string{"b"}, Classes: []string{"security"}, Begins: t0, Ends: t0.AddDate(0, 0, 9), AskedBy: "gone", AskedAt: t0}
		return store.Put(tx, it)
	})
}

// TestAHoldTakesTwoPeople: whoever asks for it does not confirm it, nor does an
// account that was made for that.
func TestAHoldTakesTwoPeople(t *testing.T) {
	w := start(t)
	adm, dpo := w.as(accounts.Administrator), w.as(accounts.DPO)
	h := decode[HoldView](t, w.do(adm, "POST", "/api/requisitions", holdOf("b", "a", "a")), 201)
	if h.State != "asked" || !h.Mine || h.From != "2026-03-02" || h.To != "2026-05-30" || h.AskedBy != "Ada administrator" || len(h.Sites) != 2 || h.Sites[0].Name != "Collège a" {
		t.Errorf("asked: %+v", h)
	}
	path := "/api/requisitions/" + h.ID
	if a := w.do(adm, "POST", path+"/confirm", nil); a.StatusCode != 409 || !strings.Contains(string(a.body), "une autre personne") {
		t.Errorf("whoever asked confirms: %s %s", a.Status, a.body)
	}
	w.later(time.Minute)
	second := w.as(accounts.Administrator) // made since: perhaps by whoever asked
	if a := w.do(second, "POST", path+"/confirm", nil); a.StatusCode != 409 || !strings.Contains(string(a.body), "créé après") {
		t.Errorf("an account that was made since confirms: %s %s", a.Status, a.body)
	}
	if v := decode[RequisitionsView](t, w.do(dpo, "GET", "/api/requisitions", nil), 200); v.Holds[0].State != "asked" || v.Holds[0].Mine {
		t.Errorf("after two refusals: %+v", v.Holds)
	}
	if v := decode[HoldView](t, w.do(dpo, "POST", path+"/confirm", nil), 200); v.State != "standing" || v.ConfirmedBy != "Ada dpo" || v.ConfirmedAt == nil {
		t.Errorf("confirmed: %+v", v)
	}
	if a := w.do(dpo, "POST", path+"/confirm", nil); a.StatusCode != 409 {
		t.Errorf("confirmed twice: %s", a.Status)
	}
	inv := decode[Inventory](t, w.do(dpo, "GET", "/api/inventory", nil), 200)
	if len(inv.Held) != 2 || inv.Held[0].Class != "usage" || !inv.Held[0].Until.Equal(time.Date(2026, 5, 30, 22, 0, 0, 0, time.UTC)) {
		t.Errorf("the inventory says %+v", inv.Held)
	}
	if v := decode[HoldView](t, w.do(dpo, "POST", path+"/lift", nil), 200); v.State != "standing" || v.EndAskedBy != "Ada dpo" || !v.EndMine {
		t.Errorf("one person wants it to end: %+v", v)
	}
	w.later(time.Minute)
	for who, cookie := range map[string]string{"the same person": dpo, "an account that was made since": w.as(accounts.Administrator)} {
		if a := w.do(cookie, "POST", path+"/lift", nil); a.StatusCode != 409 {
			t.Errorf("%s lifts it alone: %s", who, a.Status)
		}
	}
	if v := decode[HoldView](t, w.do(adm, "POST", path+"/lift", nil), 200); v.State != "lifted" || v.LiftedBy != "Ada administrator" {
		t.Errorf("lifted: %+v", v)
	}
	for _, verb := range []string{"/lift", "/confirm"} {
		if a := w.do(dpo, "POST", path+verb, nil); a.StatusCode != 409 {
			t.Errorf("%s after it was lifted: %s", verb, a.Status)
		}
	}
	if inv := decode[Inventory](t, w.do(dpo, "GET", "/api/inventory", nil), 200); len(inv.Held) != 0 {
		t.Errorf("after it was lifted the inventory says %+v", inv.Held)
	}
	h = decode[HoldView](t, w.do(dpo, "POST", "/api/requisitions", holdOf("a")), 201)
	if v := decode[HoldView](t, w.do(dpo, "POST", "/api/requisitions/"+h.ID+"/lift", nil), 200); v.State != "withdrawn" {
		t.Errorf("withdrawn: %+v", v)
	}
	var actions []string
	for _, e := range decode[AuditPage](t, w.do(dpo, "GET", "/api/audit", nil), 200).Entries {
		if strings.HasPrefix(e.Action, "hold.") {
			actions = append(actions, e.Actor+" "+e.Action)
			if !strings.Contains(e.Detail, "PV 2026/123") {
				t.Errorf("the audit says %+v", e)
			}
		}
	}
	want := []string{"Ada dpo hold.withdrawn", "Ada dpo hold.asked", "Ada administrator hold.lifted", "Ada dpo hold.end-asked", "Ada dpo hold.confirmed", "Ada administrator hold.asked"}
	if !slices.Equal(actions, want) {
		t.Errorf("the audit has %v", actions)
	}
}

func TestBadHoldsNameFieldAndFix(t *testing.T) {
	w := start(t)
	adm := w.as(accounts.Administrator)
	with := func(change func(*HoldRequest)) HoldRequest { h := holdOf("a"); change(&h); return h }
	for i, c := range []struct {
		body any
		says string
	}{
		{with(func(h *HoldRequest) { h.Reference = " " }), "body.reference"},
		{with(func(h *HoldRequest) { h.Reference = strings.Repeat("x", 81) }), "body.reference"},
		{with(func(h *HoldRequest) { h.Authority = "Parquet\nd’Annecy" }), "body.authority"},
		{with(func(h *HoldRequest) { h.Sites = []string{} }), "body.sites"},
		{with(func(h *HoldRequest) { h.Sites = []string{"a", "none"} }), "body.sites"},
		{with(func(h *HoldRequest) { h.Classes = []string{} }), "body.classes"},
		{with(func(h *HoldRequest) { h.Classes = []string{"usage", "minutes"} }), "body.classes"},
		{with(func(h *HoldRequest) { h.From = "2026-03-01" }), "body.from"},
		{with(func(h *HoldRequest) { h.From = "2026-05-01" }), "body.from"},
		{with(func(h *HoldRequest) { h.From = "1er mars" }), "body.from"},
		{with(func(h *HoldRequest) { h.To = "2026-02-28" }), "body.to"},
		{with(func(h *HoldRequest) { h.To = "2026-05-31" }), "90 jours au plus"},
		{`{"reference":"x","authority":"y","sites":["a"],"classes":["usage"],"from":"2026-03-02","to":"2026-03-03","confirmedBy":"z"}`, "body.confirmedBy"},
	} {
		if a := w.do(adm, "POST", "/api/requisitions", c.body); a.StatusCode != 422 || !strings.Contains(string(a.body), c.says) {
			t.Errorf("case %d: %s %s", i, a.Status, a.body)
		}
	}
	if v := decode[RequisitionsView](t, w.do(adm, "GET", "/api/requisitions", nil), 200); len(v.Holds) != 0 || v.Limit != 90 {
		t.Errorf("after what was refused: %+v", v)
	}
}

// TestErasureUnderAHold is refused in French, whole, and tells nothing of the inquiry;
// once the hold ended by itself it is done.
func TestErasureUnderAHold(t *testing.T) {
	w := start(t)
	w.badged()
	adm, dpo := w.as(accounts.Administrator), w.as(accounts.DPO)
	h := decode[HoldView](t, w.do(adm, "POST", "/api/requisitions", holdOf("a")), 201)
	w.do(dpo, "POST", "/api/requisitions/"+h.ID+"/confirm", nil)
	erase := "/api/badges/" + numberA + "/erase"
	a := w.do(w.as(accounts.DPO, "a"), "POST", erase, nil)
	for _, want := range []string{"Rien n’a été effacé", "30/05/2026", "article 17"} {
		if a.StatusCode != 409 || !strings.Contains(string(a.body), want) {
			t.Errorf("%s does not say %q: %s", a.Status, want, a.body)
		}
	}
	for _, secret := range []string{"PV 2026", "Parquet", "quisition"} {
		if strings.Contains(string(a.body), secret) {
			t.Errorf("the answer tells of the inquiry: %s", a.body)
		}
	}
	w.decide(func(tx store.Tx) error {
		_, err := store.Get[store.Holder](tx, "holder-a")
		return err
	})
	w.later(89*24*time.Hour + 14*time.Hour) // 30 May at midnight, in Paris
	w.as(accounts.DPO)
	late := w.as(accounts.DPO, "a")
	if e := w.do(late, "POST", erase, nil); e.StatusCode != 200 {
		t.Errorf("after its end: %s %s", e.Status, e.body)
	}
}

// TestWhatARequisitionCanObtain comes from the inventory: no field about people is
// left out, and none holds what the page says does not exist.
func TestWhatARequisitionCanObtain(t *testing.T) {
	w := start(t)
	v := decode[RequisitionsView](t, w.do(w.as(accounts.DPO), "GET", "/api/requisitions", nil), 200)
	has := map[string]bool{}
	for _, c := range v.Classes {
		if days := map[string]int{"usage": 396, "security": 1096, "account": 396, "audit": 366, "technical": 183, "traffic": 365}[c.Class]; c.Days != days {
			t.Errorf("%s is kept for %d days", c.Class, c.Days)
		}
		seen := map[string]bool{}
		for _, table := range c.Tables {
			if seen[table.Table] {
				t.Errorf("%s has %s twice", c.Class, table.Table)
			}
			seen[table.Table] = true
			for _, p := range table.Purposes {
				has[c.Class+"/"+table.Table+"/"+p] = true
			}
			if table.Table == "session" && !table.Waits || table.Table == "print-job" && table.Waits != (c.Class == "usage") || table.Table == "user" && table.Waits {
				t.Errorf("%s waits: %v", table.Table, table.Waits)
			}
		}
	}
	n := 0
	for _, f := range w.api.Inventory {
		if f.Basis == "none-personal" {
			continue
		}
		table := f.Table
		if strings.HasPrefix(table, "record ") {
			table = journal
		}
		if n++; !has[f.Retention+"/"+table+"/"+f.Purpose] {
			t.Errorf("%s.%s is about people and the page does not tell of it", f.Table, f.Field)
		}
		for _, never := range []string{"url", "destination", "visited", "hostname", "title", "search", "birth", "firstname", "surname", "phone", "picture"} {
			if strings.Contains(strings.ToLower(f.Field), never) {
				t.Errorf("%s.%s sounds like what the page says does not exist", f.Table, f.Field)
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d fields are about people", n)
	}
}

func TestTrafficDataIsOffUntilADPODecides(t *testing.T) {
	w := start(t)
	dpo := w.as(accounts.DPO)
	if v := decode[RequisitionsView](t, w.do(dpo, "GET", "/api/requisitions", nil), 200).Traffic; v.On || v.Day != "" || !v.May || v.Days != 365 {
		t.Errorf("before any decision: %+v", v)
	}
	for i, c := range []struct {
		body any
		says string
	}{
		{TrafficRequest{On: true, Day: "2026-03-02"}, "body.reference"},
		{TrafficRequest{On: true, Reference: "DEC-1"}, "body.day"},
		{TrafficRequest{On: true, Reference: "DEC-1", Day: "2026-03-03"}, "body.day"},
		{`{"on":true,"day":"2026-03-02","reference":"DEC-1","by":"x"}`, "body.by"},
	} {
		if a := w.do(dpo, "PUT", "/api/traffic", c.body); a.StatusCode != 422 || !strings.Contains(string(a.body), c.says) {
			t.Errorf("case %d: %s %s", i, a.Status, a.body)
		}
	}
	if a := w.do(w.as(accounts.Administrator), "PUT", "/api/traffic", TrafficRequest{On: true, Day: "2026-03-02", Reference: "DEC-1"}); a.StatusCode != 403 {
		t.Errorf("an administrator decides: %s", a.Status)
	}
	if v := decode[TrafficView](t, w.do(dpo, "PUT", "/api/traffic", TrafficRequest{On: true, Day: "2026-03-02", Reference: "DEC-1"}), 200); !v.On || v.By != "Ada dpo" || v.Reference != "DEC-1" || v.Day != "2026-03-02" {
		t.Errorf("decided: %+v", v)
	}
	if v := decode[TrafficView](t, w.do(dpo, "PUT", "/api/traffic", TrafficRequest{Day: "2026-03-02", Reference: "DEC-2"}), 200); v.On {
		t.Errorf("decided against: %+v", v)
	}
	e := decode[AuditPage](t, w.do(dpo, "GET", "/api/audit", nil), 200).Entries
	if e[0].Action != "traffic.off" || e[1].Action != "traffic.on" || e[1].Detail != "2026-03-02 · DEC-1" {
		t.Errorf("the audit says %+v", e[:2])
	}
}

// TestDeletionsTellOfWhatWaits: the log names the réquisition, page by page.
func TestDeletionsTellOfWhatWaits(t *testing.T) {
	w := start(t)
	adm, dpo := w.as(accounts.Administrator), w.as(accounts.DPO)
	h := decode[HoldView](t, w.do(adm, "POST", "/api/requisitions", holdOf("a")), 201)
	w.do(dpo, "POST", "/api/requisitions/"+h.ID+"/confirm", nil)
	w.later(40 * 24 * time.Hour)
	rules := retention.Rules{Usage: 30, Security: 3000, Account: 3000, Audit: 3000, Technical: 3000}
	if _, err := retention.Run(context.Background(), w.st, []retention.Rules{rules}, retention.Tables(), w.api.Now(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	dpo = w.as(accounts.DPO)
	p := decode[DeletionPage](t, w.do(dpo, "GET", "/api/deletions?limit=1", nil), 200)
	q := decode[DeletionPage](t, w.do(dpo, "GET", "/api/deletions?before="+p.Next, nil), 200)
	if len(p.Entries) != 1 || p.Next == "" || len(q.Entries) != 1 {
		t.Fatalf("%+v, %+v", p, q)
	}
	if went := p.Entries[0]; went.Table != "session" || went.Count != 1 || went.Held != 0 || len(went.Holds) != 0 {
		t.Errorf("what went: %+v", went)
	}
	if waits := q.Entries[0]; waits.Table != "session" || waits.Count != 0 || waits.Held != 1 || !slices.Equal(waits.Holds, []string{"PV 2026/123"}) {
		t.Errorf("what waits: %+v", waits)
	}
	if v := decode[RequisitionsView](t, w.do(dpo, "GET", "/api/requisitions", nil), 200); len(v.Waiting) != 1 || v.Waiting[0].Rows != 1 {
		t.Errorf("the page says that %+v waits", v.Waiting)
	}
}

// TestAProgramIsNobodyOfTheTwo: whoever asks could hold a key of the API as well.
func TestAProgramIsNobodyOfTheTwo(t *testing.T) {
	w := start(t)
	w.asked()
	ctx := context.WithValue(context.Background(), personKey{}, accounts.Person{ID: "key", Role: accounts.DPO, Token: true})
	_, ask := w.api.askHold(ctx, &holdIn{Body: holdOf("a")})
	_, confirm := w.api.confirmHold(ctx, &byHold{Hold: "hold-a"})
	_, lift := w.api.liftHold(ctx, &byHold{Hold: "hold-a"})
	_, decide := w.api.decideTraffic(ctx, &trafficIn{Body: TrafficRequest{Day: "2026-03-01", Reference: "DEC-1"}})
	for what, err := range map[string]error{"asks": ask, "confirms": confirm, "lifts": lift, "decides": decide} {
		var p *problem
		if !errors.As(err, &p) || p.Status != 403 {
			t.Errorf("a program %s: %v", what, err)
		}
	}
}
