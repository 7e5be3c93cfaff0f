package api

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/attend"
	"borne/controller/compliance"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
)

// obeys is the PIN of a terminal's rules.
func (w *world) obeys(terminal string) (p policy.PIN) {
	w.t.Helper()
	err := w.st.View(context.Background(), func(tx store.Tx) error {
		it, err := store.Get[store.Terminal](tx, terminal)
		if err != nil {
			return err
		}
		e, err := compliance.Effective(tx, it)
		p = e.PIN
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func TestThePINIsSetAndNeverShown(t *testing.T) {
	const pin, other = "730194", "5512908"
	w := start(t)
	guardian, admin, dpo := w.as(accounts.Building, "a"), w.as(accounts.Administrator), w.as(accounts.DPO)
	if v := decode[PINView](t, w.do(guardian, "GET", "/api/sites/a/pin", nil), 200); v.Set || v.Own || v.From != "" {
		t.Errorf("nothing was set: %+v", v)
	}
	for _, bad := range []PINRequest{{What: "set"}, {What: "set", PIN: "12345"}, {What: "set", PIN: "123456"}, {What: "set", PIN: "987654"}, {What: "set", PIN: "000000"},
		{What: "set", PIN: "12a456"}, {What: "set", PIN: "٧٣٠١٩٤"}, {What: "none", PIN: pin}, {What: "inherit", PIN: pin}} {
		if a := w.do(guardian, "PUT", "/api/sites/a/pin", bad); a.StatusCode != 422 || strings.Contains(string(a.body), pin) {
			t.Errorf("%+v: %s %s", bad, a.Status, a.body)
		}
	}
	v := decode[PINView](t, w.do(guardian, "PUT", "/api/sites/a/pin", PINRequest{What: "set", PIN: pin}), 200)
	if !v.Set || !v.Own || v.From != "site" || v.At == nil {
		t.Errorf("after it was set: %+v", v)
	}
	if p := w.obeys("a-1"); !p.Verify(pin) || p.Verify(other) {
		t.Error("the terminal does not know it")
	}
	hash := w.obeys("a-1").Hash
	// Other rules come and go, and it stays.
	rules := fresh()
	rules.Session.Minutes = 33
	rules.PIN = policy.PIN{Hash: "$argon2id$v=19$m=1,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"} // not by this way
	decode[PolicyView](t, w.do(admin, "PUT", "/api/sites/a/policy", PolicyRequest{Own: []string{"session"}, Policy: rules}, "If-Match", w.rev("a")), 200)
	if a := w.do(admin, "PUT", "/api/sites/a/policy", PolicyRequest{Own: []string{"pin"}, Policy: rules}, "If-Match", w.rev("a")); a.StatusCode != 422 {
		t.Errorf("as a section of the rules: %s", a.Status)
	}
	decode[HoursView](t, w.do(guardian, "PUT", "/api/sites/a/hours", HoursRequest{Hours: rules.Hours}, "If-Match", w.rev("a")), 200)
	changes := decode[PolicyChanges](t, w.do(admin, "GET", "/api/sites/a/policy/changes", nil), 200)
	i := slices.IndexFunc(changes.Changes, func(c PolicyChangeView) bool { return slices.Contains(c.Sections, "session") })
	decode[PINView](t, w.do(admin, "PUT", "/api/spaces/a-hall/pin", PINRequest{What: "none"}), 200)
	if w.obeys("a-1").There() {
		t.Error("a space without a PIN has its site's")
	}
	if v := decode[PINView](t, w.do(admin, "PUT", "/api/terminals/a-1/pin", PINRequest{What: "set", PIN: other}), 200); v.From != "terminal" || !w.obeys("a-1").Verify(other) {
		t.Errorf("a terminal of its own: %+v", v)
	}
	decode[PINView](t, w.do(admin, "PUT", "/api/terminals/a-1/pin", PINRequest{What: "inherit"}), 200)
	decode[PINView](t, w.do(admin, "PUT", "/api/spaces/a-hall/pin", PINRequest{What: "inherit"}), 200)
	a := w.do(admin, "POST", "/api/sites/a/policy/undo", UndoRequest{ID: changes.Changes[i].ID}, "If-Match", w.rev("a"))
	if a.StatusCode != 200 || w.obeys("a-1").Hash != hash {
		t.Errorf("going back took it away: %s", a.Status)
	}
	// Nobody reads it, or its hash, anywhere.
	for _, path := range []string{"/api/sites/a/policy", "/api/spaces/a-hall/policy", "/api/terminals/a-1/policy", "/api/sites/a/policy/changes", "/api/terminals/a-1/policy/changes",
		"/api/sites/a/hours", "/api/sites/a/hours/changes", "/api/sites/a/pin", "/api/terminals/a-1/pin", "/api/audit", "/api/policy", "/api/terminals/a-1", "/api/terminals/a-1/commands"} {
		for _, who := range []string{admin, guardian, dpo} {
			b := w.do(who, "GET", path, nil).body
			if s := string(b); strings.Contains(s, "argon2") || strings.Contains(s, pin) || strings.Contains(s, other) || strings.Contains(s, hash[20:]) {
				t.Errorf("GET %s shows it: %s", path, s)
			}
		}
	}
	a = w.do(admin, "POST", "/api/sites/a/policy/preview", PolicyRequest{Own: []string{"web"}, Policy: fresh()})
	if a.StatusCode != 200 || strings.Contains(string(a.body), "argon2") {
		t.Errorf("a preview: %s %s", a.Status, a.body)
	}
	err := w.st.View(context.Background(), func(tx store.Tx) error {
		for it, err := range store.List[store.PolicyChange](tx, "", "", false) {
			if err != nil {
				return err
			}
			if strings.Contains(string(it.Row.Doc)+string(it.Row.Before), "argon2") {
				t.Errorf("the history of the rules keeps it: %s", it.ID)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	trail := decode[AuditPage](t, w.do(dpo, "GET", "/api/audit", nil), 200)
	n := 0
	for _, e := range trail.Entries {
		if e.Action == "policy.pin" {
			n++
		}
	}
	if n != 5 {
		t.Errorf("%d changes of the PIN in the audit, want 5", n)
	}
}

func TestWhatStaffDidIsOnTheTerminalsPageAndACallIsOverWhenTaken(t *testing.T) {
	w := start(t)
	admin := w.as(accounts.Administrator)
	keep := func(n string, kind string, body any) error {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		return w.st.Decide(context.Background(), func(tx store.Tx) error {
			return put(tx, store.Meta{ID: store.TimeID(t0, n), Site: "a", Scope: "a-1"}, store.RecordRow{Terminal: "a-1", Record: wire.Record{Kind: kind, At: t0, Body: b}})
		})
	}
	for i, err := range []error{keep("1", wire.KindStaff, wire.StaffDone{Do: wire.StaffStay, By: "Gardien", Until: t0.Add(time.Hour)}),
		keep("2", wire.KindStaff, wire.StaffDone{Do: "format", By: "x"}), keep("3", wire.KindStaff, wire.StaffDone{Do: wire.StaffTime, By: wire.ByPIN, Minutes: 15})} {
		if err != nil {
			t.Fatal(i, err)
		}
	}
	d := decode[TerminalDetail](t, w.do(admin, "GET", "/api/terminals/a-1", nil), 200)
	if len(d.Staff) != 2 || d.Staff[0].By != "PIN" || d.Staff[0].Minutes != 15 || d.Staff[1].Do != "stay" || !d.Staff[1].Until.Equal(t0.Add(time.Hour)) {
		t.Errorf("staff did %+v", d.Staff)
	}
	err := w.st.Decide(context.Background(), func(tx store.Tx) error {
		it, err := store.Get[store.Terminal](tx, "a-1")
		if err != nil {
			return err
		}
		it.Row.Called = t0.Add(300 * time.Millisecond)
		if err := store.Put(tx, it); err != nil {
			return err
		}
		return put(tx, store.Meta{ID: "m-call", Site: "a", Scope: "a-1"}, store.Matter{Key: "k", Code: attend.StaffCall, Terminal: "a-1", Space: "a-hall", Level: "soon", Since: t0})
	})
	if err != nil {
		t.Fatal(err)
	}
	called := func() (at time.Time) {
		err := w.st.View(context.Background(), func(tx store.Tx) error {
			it, err := store.Get[store.Terminal](tx, "a-1")
			at = it.Row.Called
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	decode[MatterView](t, w.do(admin, "PUT", "/api/matters/m-call/taken", TakeRequest{}), 200)
	if called().IsZero() {
		t.Error("leaving it ends the call")
	}
	decode[MatterView](t, w.do(admin, "PUT", "/api/matters/m-call/taken", TakeRequest{Taken: true}), 200)
	if !called().IsZero() {
		t.Error("taken on, it goes on")
	}
}

// TestARolloutLeavesThePINAlone: whoever is not reached by changed rules yet obeys
// those before, and the PIN of now.
func TestARolloutLeavesThePINAlone(t *testing.T) {
	doc, err := store.WithHoursOf(json.RawMessage(`{"web":{},"pin":{"hash":"old"},"hours":{"always":true}}`), json.RawMessage(`{"pin":{"hash":"new"}}`))
	if err != nil || string(doc) != `{"pin":{"hash":"new"},"web":{}}` {
		t.Errorf("%s, %v", doc, err)
	}
	if doc, err = store.WithHoursOf(json.RawMessage(`{"pin":{"hash":"old"}}`), json.RawMessage(`{}`)); err != nil || string(doc) != `{}` {
		t.Errorf("%s, %v", doc, err)
	}
}
