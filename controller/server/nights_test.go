package server

import (
	"encoding/json"
	"testing"
	"time"

	"borne/controller/fleet"
	"borne/controller/policy"
	"borne/controller/report"
	"borne/controller/store"
	"borne/controller/wire"
)

// TestNightsAreRecordedOnce lets two terminals through two nights, minute by minute:
// one goes off by plan and does not wake on the second morning, the other stays lit
// in the first night and hears of other hours in the second. The controller is
// restarted in both.
func TestNightsAreRecordedOnce(t *testing.T) {
	zone := policy.Location()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, zone)
	c := settings(t, fresh(t))
	c.Now = func() time.Time { return now }
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	decide := func(fn func(store.Tx) error) {
		t.Helper()
		if err := s.st.Decide(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	hours := func(from, to int) {
		t.Helper()
		p := map[string]any{"hours": map[string]any{"weekly": policy.Week{}}}
		var w policy.Week
		for d := range w {
			w[d] = []policy.Span{{From: from * 60, To: to * 60}}
		}
		p["hours"].(map[string]any)["weekly"] = w
		doc, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		decide(func(tx store.Tx) error {
			it, err := store.Get[store.PolicyRow](tx, "s")
			if err != nil {
				it = store.Item[store.PolicyRow]{Meta: store.Meta{ID: "s", Site: "s"}}
			}
			it.Row = store.PolicyRow{Layer: "site", Doc: doc, Version: it.Row.Version + 1, Changed: now}
			return store.Put(tx, it)
		})
	}
	decide(func(tx store.Tx) error {
		if err := store.Put(tx, store.Item[store.Site]{Meta: store.Meta{ID: "s", Site: "s"}, Row: store.Site{Name: "S"}}); err != nil {
			return err
		}
		for _, id := range []string{"sleeps", "lit"} {
			if err := store.Put(tx, store.Item[store.Terminal]{Meta: store.Meta{ID: id, Site: "s", Scope: "e"}, Row: store.Terminal{Space: "e", Name: id, State: store.StateActive}}); err != nil {
				return err
			}
		}
		return nil
	})
	hours(8, 18)
	row := func(id string) (row store.Terminal) {
		t.Helper()
		decide(func(tx store.Tx) error {
			it, err := store.Get[store.Terminal](tx, id)
			row = it.Row
			return err
		})
		return row
	}
	wakes := func(at time.Time) {
		decide(func(tx store.Tx) error {
			return store.Update(tx, "sleeps", func(it *store.Item[store.Terminal]) error { it.Row.Wakes = at; return nil })
		})
	}
	live := map[string]fleet.LiveState{}
	is := func(id string, p wire.Power) {
		l := fleet.LiveState{Online: true, Status: wire.Status{Phase: "closed", Power: &wire.PowerState{Power: p, Dark: p == wire.PowerDark}}, Lit: live[id].Lit}
		if p != wire.PowerLit {
			l.Lit = time.Time{}
		} else if l.Lit.IsZero() {
			l.Lit = now
		}
		live[id] = l
	}
	told := map[string]string{} // by when: who was told of what
	at := func(day, hour, min int) bool {
		return now.Equal(time.Date(2026, 3, day, hour, min, 0, 0, zone))
	}
	for ; !at(4, 12, 0); now = now.Add(time.Minute) {
		switch {
		case at(2, 12, 0), at(3, 7, 49):
			is("sleeps", wire.PowerLit)
			wakes(time.Time{})
			is("lit", wire.PowerLit)
		case at(2, 18, 5):
			delete(live, "sleeps")
			wakes(time.Date(2026, 3, 3, 7, 48, 0, 0, zone))
		case at(2, 23, 0), at(4, 9, 30): // the controller restarts: what it saw is gone
			clear(live)
		case at(2, 23, 1):
			is("lit", wire.PowerLit)
		case at(3, 18, 5):
			delete(live, "sleeps")
			wakes(time.Date(2026, 3, 4, 7, 48, 0, 0, zone))
			is("lit", wire.PowerDark)
		case at(3, 20, 0): // it was open until 18:00, and is now until 22:00
			hours(8, 22)
			is("lit", wire.PowerLit)
		case at(3, 21, 0): // and now it was closed all the time
			hours(8, 18)
		case at(3, 21, 15):
			is("lit", wire.PowerDark)
		}
		if now.After(time.Date(2026, 3, 4, 7, 0, 0, 0, zone)) { // opening at 10 instead changes nothing for a clock that is set
			if at(4, 7, 30) {
				hours(10, 18)
			}
		}
		before := map[string]string{"sleeps": row("sleeps").Power, "lit": row("lit").Power}
		if err := s.lookAtNights(ctx, func(id string) (fleet.LiveState, bool) { l, ok := live[id]; return l, ok }); err != nil {
			t.Fatal(err)
		}
		for id, was := range before {
			if is := row(id).Power; is != was {
				told[now.Format("02 15:04")] += id + ":" + is + ";"
			}
		}
	}
	want := map[string]string{
		"02 18:30": "lit:" + report.PowerAwake + ";",
		"03 07:43": "lit:;", // it may be up again
		"04 07:59": "sleeps:" + report.PowerUnwoken + ";",
	}
	for when, what := range want {
		if told[when] != what {
			t.Errorf("at %s: %q, want %q", when, told[when], what)
		}
		delete(told, when)
	}
	if len(told) > 0 {
		t.Errorf("besides: %v", told)
	}
	deeds := map[string]string{}
	decide(func(tx store.Tx) error {
		clear(deeds)
		for it, err := range store.List[store.AuditEntry](tx, "", "", false) {
			if err != nil {
				return err
			}
			if it.Row.Action == "terminal.awake" || it.Row.Action == "terminal.unwoken" {
				deeds[it.Row.Action] += it.Row.Target + " " + it.Row.Detail + ";"
			}
		}
		return nil
	})
	if deeds["terminal.awake"] != "lit 2026-03-02 18:00;" || deeds["terminal.unwoken"] != "sleeps 2026-03-04 07:48;" {
		t.Errorf("the audit says %v", deeds)
	}
	if r := row("sleeps"); !r.PowerSince.Equal(time.Date(2026, 3, 4, 7, 48, 0, 0, zone)) {
		t.Errorf("since %v", r.PowerSince)
	}
}
