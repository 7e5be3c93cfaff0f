package api

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/compliance"
	"borne/controller/store"
	"borne/controller/wire"
)

const (
	testDwell  = 10 * time.Minute
	testWithin = 15 * time.Minute
)

// crowd adds terminals to site a, and has changes reach a few of them first.
func (w *world) crowd(n int) (ids []string) {
	w.t.Helper()
	w.api.Dwell, w.api.Within = testDwell, testWithin
	err := w.st.Decide(context.Background(), func(tx store.Tx) error {
		ids = []string{"a-1"}
		for i := 2; i <= n; i++ {
			id := fmt.Sprintf("a-%d", i)
			if err := put(tx, store.Meta{ID: id, Site: "a", Scope: "a-hall"}, store.Terminal{Space: "a-hall", Name: "Poste", State: store.StateActive}); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, id := range ids {
		w.live.set(id, LiveState{Online: true, Status: wire.Status{Phase: "welcome", Policy: 1}})
	}
	return ids
}

// obey is what a terminal is told now.
func (w *world) obey(id string) (minutes int, meanwhile string, version uint64) {
	w.t.Helper()
	err := w.st.View(context.Background(), func(tx store.Tx) error {
		t, err := store.Get[store.Terminal](tx, id)
		if err != nil {
			return err
		}
		p, err := compliance.Effective(tx, t)
		minutes, meanwhile, version = p.Session.Minutes, p.Hours.Meanwhile, p.Version
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return minutes, meanwhile, version
}

// take has a terminal apply what it is told.
func (w *world) take(id string) {
	_, _, v := w.obey(id)
	w.live.set(id, LiveState{Online: true, Status: wire.Status{Phase: "welcome", Policy: v}})
}

func (w *world) stepped() {
	w.t.Helper()
	if err := w.api.StepRollouts(context.Background()); err != nil {
		w.t.Fatal(err)
	}
}

// TestNobodyHasTheNewRulesBeforeTheirStep moves fleets at random, minute by minute.
func TestNobodyHasTheNewRulesBeforeTheirStep(t *testing.T) {
	ends := map[string]int{}
	for seed := range uint64(10) {
		rng := rand.New(rand.NewPCG(seed, 7))
		w := start(t)
		ids := w.crowd(2 + rng.IntN(24))
		site := layer{w, w.as(accounts.Correspondant, "a"), "/api/sites/a/policy"}
		v := decode[PolicyView](t, site.set("session", func(r *PolicyRequest) { r.Policy.Session.Minutes = 33 }), 200)
		if v.Rollout == nil || v.Rollout.Reached != 1 || v.Rollout.Of != len(ids) {
			t.Fatalf("seed %d: %+v", seed, v.Rollout)
		}
		bad := ""
		if rng.IntN(3) > 0 { // one of them refuses whatever is new
			bad = ids[rng.IntN(len(ids))]
		}
		reached, since := 1, w.api.Now()
		for i := 0; v.Rollout.State == "running"; i++ {
			if i > 600 {
				t.Fatalf("seed %d: it does not end: %+v", seed, v.Rollout)
			}
			for _, id := range ids {
				minutes, _, version := w.obey(id)
				switch {
				case id == bad && minutes == 33:
					w.live.set(id, LiveState{Online: true, Status: wire.Status{Phase: "welcome", Policy: 1, Refused: "no"}})
				case rng.IntN(12) == 0: // away for a minute
					w.live.set(id, LiveState{Status: wire.Status{Policy: version}})
				case rng.IntN(3) > 0:
					w.take(id)
				}
			}
			w.later(time.Minute)
			w.stepped()
			v, _ = site.read()
			new := 0
			for _, id := range ids {
				if minutes, _, _ := w.obey(id); minutes == 33 {
					new++
				}
			}
			switch v.Rollout.State {
			case "running":
				if new != v.Rollout.Reached {
					t.Fatalf("seed %d: %d have the new rules, %d were reached", seed, new, v.Rollout.Reached)
				}
				if new > reached {
					if d := w.api.Now().Sub(since); d < testDwell {
						t.Fatalf("seed %d: a step of %s", seed, d)
					}
					reached, since = new, w.api.Now()
				}
			case "done":
				if new != len(ids) {
					t.Errorf("seed %d: done, and %d of %d have it", seed, new, len(ids))
				}
			case "stopped":
				if new != 0 || v.Policy.Session.Minutes != 45 {
					t.Errorf("seed %d: stopped, and %d of %d still have it", seed, new, len(ids))
				}
				if bad != "" && v.Rollout.Culprit != bad {
					t.Errorf("seed %d: %s is blamed for %s", seed, v.Rollout.Culprit, bad)
				}
			}
		}
		if bad != "" && v.Rollout.State != "stopped" {
			t.Errorf("seed %d: %s refuses, and it is %s", seed, bad, v.Rollout.State)
		}
		ends[v.Rollout.State]++
	}
	if ends["done"] == 0 || ends["stopped"] == 0 {
		t.Errorf("ends %v: the draw shows too little", ends)
	}
}

// TestTheFirstChangeEverIsNotTakenForWhatWasThere: version 1 is what terminals
// have when nothing was set.
func TestTheFirstChangeEverIsNotTakenForWhatWasThere(t *testing.T) {
	w := start(t)
	ids := w.crowd(2)
	rules := layer{w, w.as(accounts.Correspondant, "a"), "/api/sites/a/policy"}
	decode[PolicyView](t, rules.set("session", func(r *PolicyRequest) { r.Policy.Session.Minutes = 33 }), 200)
	for _, id := range ids {
		w.live.set(id, LiveState{Online: true, Status: wire.Status{Phase: "welcome", Policy: 1, Refused: "no"}})
	}
	w.later(time.Minute)
	w.stepped()
	if v, _ := rules.read(); v.Rollout.State != "stopped" || v.Rollout.Why != "refused" || v.Rollout.Detail != "no" {
		t.Errorf("%+v", v.Rollout)
	}
}

func TestHoursDoNotWaitForARollout(t *testing.T) {
	w := start(t)
	ids := w.crowd(12)
	site := layer{w, w.as(accounts.Building, "a"), "/api/sites/a/policy"}
	rules := layer{w, w.as(accounts.Correspondant, "a"), site.path}
	decode[PolicyView](t, rules.set("session", func(r *PolicyRequest) { r.Policy.Session.Minutes = 33 }), 200)
	a := w.do(site.cookie, "GET", "/api/sites/a/hours", nil)
	h := decode[HoursView](t, a, 200).Hours
	h.Meanwhile = "Voyez la mairie."
	if a := w.do(site.cookie, "PUT", "/api/sites/a/hours", HoursRequest{Hours: h}, "If-Match", a.Header.Get("ETag")); a.StatusCode != 200 {
		t.Fatalf("%s", a.body)
	}
	versions, reached := map[uint64]int{}, 0
	for _, id := range ids {
		minutes, meanwhile, version := w.obey(id)
		if meanwhile != "Voyez la mairie." {
			t.Errorf("%s waits for its hours", id)
		}
		if minutes == 33 {
			reached++
		}
		versions[version]++
	}
	if reached != 1 || len(versions) != 2 {
		t.Errorf("%d have the new rules, versions %v", reached, versions)
	}
	// Another change of rules waits.
	if a := rules.set("web", func(r *PolicyRequest) { r.Policy.Web.Camera = true }); a.StatusCode != 409 {
		t.Errorf("a second change: %s", a.Status)
	}
	// Going back keeps the hours.
	v := decode[PolicyView](t, w.do(rules.cookie, "POST", site.path+"/rollout", RolloutRequest{Action: "back"}), 200)
	if v.Policy.Session.Minutes != 45 || v.Policy.Hours.Meanwhile != "Voyez la mairie." || v.Rollout.State != "back" {
		t.Errorf("%+v", v.Rollout)
	}
	for _, id := range ids {
		if minutes, meanwhile, _ := w.obey(id); minutes != 45 || meanwhile == "" {
			t.Errorf("%s: %d %q", id, minutes, meanwhile)
		}
	}
	all := decode[PolicyChanges](t, w.do(rules.cookie, "GET", site.path+"/changes", nil), 200).Changes
	if c := all[1].Changes; len(c) != 1 || c[0].Before != 33.0 || c[0].After != 45.0 {
		t.Errorf("the way back is not kept: %+v", all)
	}
	if a := w.do(rules.cookie, "POST", site.path+"/rollout", RolloutRequest{Action: "continue"}); a.StatusCode != 409 {
		t.Errorf("to go on with what is over: %s", a.Status)
	}
}

func TestARolloutIsHeldAndGoesOnAtOnce(t *testing.T) {
	w := start(t)
	ids := w.crowd(30)
	rules := layer{w, w.as(accounts.Correspondant, "a"), "/api/sites/a/policy"}
	v, _ := rules.read()
	look := decode[PolicyPreview](t, w.do(rules.cookie, "POST", rules.path+"/preview", PolicyRequest{Own: []string{"web"}, Policy: v.Policy}), 200)
	if look.Staged {
		t.Error("a change of nothing goes in steps")
	}
	decode[PolicyView](t, rules.set("session", func(r *PolicyRequest) { r.Policy.Session.Minutes = 33 }), 200)
	order := func(action string, reached int, state string) {
		t.Helper()
		v := decode[PolicyView](t, w.do(rules.cookie, "POST", rules.path+"/rollout", RolloutRequest{Action: action}), 200)
		if v.Rollout.Reached != reached || v.Rollout.State != state {
			t.Errorf("%s: %+v", action, v.Rollout)
		}
	}
	order("hold", 1, "held")
	for range 3 {
		for _, id := range ids {
			w.take(id)
		}
		w.stepped()
		w.later(testDwell)
	}
	if v, _ := rules.read(); v.Rollout.Reached != 1 || v.Rollout.State != "held" {
		t.Errorf("it went on: %+v", v.Rollout)
	}
	order("continue", 3, "running")
	order("continue", 30, "running")
	order("continue", 30, "done")
	for _, id := range ids {
		if minutes, _, _ := w.obey(id); minutes != 33 {
			t.Errorf("%s: %d", id, minutes)
		}
	}
	// At once, when somebody says so; and one terminal needs no steps.
	v = decode[PolicyView](t, rules.set("session", func(r *PolicyRequest) { r.Policy.Session.Minutes, r.AtOnce = 34, true }), 200)
	if v.Rollout.State != "done" {
		t.Errorf("at once: %+v", v.Rollout)
	}
	one := layer{w, rules.cookie, "/api/terminals/a-2/policy"}
	if v := decode[PolicyView](t, one.set("session", func(r *PolicyRequest) { r.Policy.Session.Minutes = 35 }), 200); v.Rollout != nil {
		t.Errorf("one terminal: %+v", v.Rollout)
	}
}

// TestARolloutGoesOnWithoutWhoIsRevoked: others take their place, and once nobody of the
// last step is left it ends by itself; the audit and the history say both.
func TestARolloutGoesOnWithoutWhoIsRevoked(t *testing.T) {
	w := start(t)
	ids := w.crowd(12)
	rules := layer{w, w.as(accounts.Correspondant, "a"), "/api/sites/a/policy"}
	decode[PolicyView](t, rules.set("session", func(r *PolicyRequest) { r.Policy.Session.Minutes = 33 }), 200)
	changed := func() (have []string) {
		t.Helper()
		for _, id := range ids {
			if minutes, _, _ := w.obey(id); minutes == 33 {
				have = append(have, id)
			}
		}
		return have
	}
	revoke := func(gone ...string) {
		t.Helper()
		err := w.st.Decide(context.Background(), func(tx store.Tx) error {
			for _, id := range gone {
				if err := store.Update(tx, id, func(it *store.Item[store.Terminal]) error { it.Row.State = store.StateRevoked; return nil }); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	admin := w.as(accounts.Administrator)
	audited := func(action string) (n int) {
		t.Helper()
		for _, e := range decode[AuditPage](t, w.do(admin, "GET", "/api/audit", nil), 200).Entries {
			if e.Action == action {
				n++
			}
		}
		return n
	}
	first := changed()
	if len(first) != 1 {
		t.Fatalf("%q have it at first", first)
	}
	revoke(first...)
	w.stepped()
	second := changed()
	if len(second) != 2 || audited("policy.instead") != 1 {
		t.Fatalf("%q have it once the first is revoked; said %d times", second, audited("policy.instead"))
	}
	w.stepped()
	if again := changed(); len(again) != 2 {
		t.Errorf("%q have it, and one of them is there", again)
	}
	var rest []string
	for _, id := range ids {
		if id != first[0] {
			rest = append(rest, id)
		}
	}
	revoke(rest...)
	w.stepped()
	w.stepped()
	v, _ := rules.read()
	if v.Rollout.State != "done" || audited("policy.unproven") != 1 {
		t.Fatalf("with nobody left: %+v, said %d times", v.Rollout, audited("policy.unproven"))
	}
	all := decode[PolicyChanges](t, w.do(rules.cookie, "GET", rules.path+"/changes", nil), 200).Changes
	if !slices.ContainsFunc(all, func(c PolicyChangeView) bool { return strings.Contains(c.Note, "terminé de lui-même") }) {
		t.Errorf("the history says %+v", all)
	}
}
