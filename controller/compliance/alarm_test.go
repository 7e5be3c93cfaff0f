package compliance

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
)

// evening has the place open one evening under an agreement that names who
// holds the key. The world's day is a Monday in March.
func evening(w *world, a policy.Agreement) {
	w.t.Helper()
	day := []policy.Span{{From: 8 * 60, To: 18 * 60}}
	week := policy.Week{nil, day, day, day, day, day, nil}
	h := policy.Hours{Weekly: week, Duty: week, Guarded: true, Agreements: []policy.Agreement{a},
		Exceptions: []policy.Exception{{Day: "2026-03-02", Add: true, Spans: []policy.Span{{From: 19 * 60, To: 21 * 60}}}}}
	doc, err := json.Marshal(map[string]any{"hours": h})
	if err != nil {
		w.t.Fatal(err)
	}
	w.decide(func(tx store.Tx) error {
		for _, err := range []error{
			store.Put(tx, store.Item[store.Site]{Meta: store.Meta{ID: "s1", Site: "s1"}, Row: store.Site{Name: "Collège"}}),
			store.Put(tx, store.Item[store.Space]{Meta: store.Meta{ID: "e1", Site: "s1", Scope: "e1"}, Row: store.Space{Name: "Hall"}}),
			store.Put(tx, store.Item[store.PolicyRow]{Meta: store.Meta{ID: "s1", Site: "s1"}, Row: store.PolicyRow{Layer: "site", Doc: doc}}),
		} {
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *world) mails() (all []store.Mail) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		all = nil
		for it, err := range store.List[store.Mail](tx, "", "", false) {
			if err != nil {
				return err
			}
			all = append(all, it.Row)
		}
		return nil
	})
	return all
}

func (w *world) at(clock string) {
	t, err := time.ParseInLocation("2006-01-02 15:04", "2026-03-02 "+clock, policy.Location())
	if err != nil {
		w.t.Fatal(err)
	}
	w.now = t
}

func TestWhoHoldsTheKeyIsToldOfTheAlarm(t *testing.T) {
	w := newWorld(t, nil)
	evening(w, policy.Agreement{From: "2026-03-01", To: "2026-03-31", Key: "M. Petit", Contact: "loge@example.org"})
	w.at("19:01")
	w.record(wire.KindAlert, wire.Alert{Code: "alarm-armed"})
	w.record(wire.KindAlert, wire.Alert{Code: "alarm-armed"}) // the other terminal of the space
	all := w.mails()
	if len(all) != 1 || all[0].To != "loge@example.org" || !strings.Contains(all[0].Subject, "encore en service : Collège, Hall") || !strings.Contains(all[0].Text, "19\u00a0h") {
		t.Fatalf("%+v", all)
	}
	w.at("21:31")
	w.record(wire.KindAlert, wire.Alert{Code: "alarm-unarmed"})
	all = w.mails()
	if len(all) != 2 {
		t.Fatalf("%+v", all)
	}
	second := all[0]
	if !strings.Contains(second.Subject, "pas remise") {
		second = all[1]
	}
	if second.To != "loge@example.org" || !strings.Contains(second.Text, "2 mars 2026 à 21\u00a0h") {
		t.Errorf("%+v", second)
	}
	// Other alerts are nobody's who is away.
	w.record(wire.KindAlert, wire.Alert{Code: "call"})
	if n := len(w.mails()); n != 2 {
		t.Errorf("%d mails", n)
	}
}

func TestNobodyIsToldWithoutAnAgreementThatHolds(t *testing.T) {
	for name, a := range map[string]policy.Agreement{
		"suspended":     {From: "2026-03-01", To: "2026-03-31", Key: "M. Petit", Contact: "loge@example.org", Suspended: true},
		"another day":   {From: "2026-03-03", To: "2026-03-31", Key: "M. Petit", Contact: "loge@example.org"},
		"without a way": {From: "2026-03-01", To: "2026-03-31", Key: "M. Petit"},
	} {
		w := newWorld(t, nil)
		evening(w, a)
		w.at("19:01")
		w.record(wire.KindAlert, wire.Alert{Code: "alarm-armed"})
		if all := w.mails(); len(all) != 0 {
			t.Errorf("%s: %+v", name, all)
		}
	}
}
