package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/compliance"
	"borne/controller/policy"
	"borne/controller/store"
)

func badgeOf(c string) string { return strings.Repeat(c, 64) }

// staffOf is whom a terminal is told of: who opens its menu with which rights, and
// who releases prints.
func (w *world) staffOf(id string) (p policy.Policy, menu, release string) {
	w.t.Helper()
	err := w.st.View(context.Background(), func(tx store.Tx) error {
		t, err := store.Get[store.Terminal](tx, id)
		if err != nil {
			return err
		}
		p, err = compliance.Effective(tx, t)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, b := range p.Team.Badges {
		menu += fmt.Sprintf("%s%v", b.Badge[:1], b.May)
	}
	for _, b := range p.Printing.Staff {
		release += b.Badge[:1]
	}
	return p, menu, release
}

// staffed gives a site two badges for the menu and two for prints, at once.
func staffed(w *world) (layer, []string) {
	ids := w.crowd(12)
	rules := layer{w, w.as(accounts.Correspondant, "a"), "/api/sites/a/policy"}
	decode[PolicyView](w.t, rules.set("printing", func(r *PolicyRequest) {
		r.AtOnce, r.Policy.Printing.Staff = true, []policy.Staff{{Name: "Accueil", Badge: badgeOf("a")}, {Name: "Gardien", Badge: badgeOf("b")}}
	}), 200)
	decode[PolicyView](w.t, rules.set("team", func(r *PolicyRequest) {
		r.Policy.Team.Badges = []policy.TeamBadge{{Name: "Accueil", Badge: badgeOf("a"), May: policy.Acts()}, {Name: "Gardien", Badge: badgeOf("b"), May: []policy.Act{policy.ActCall, policy.ActStay}}}
		r.Policy.Team.DirectoryMay = []policy.Act{policy.ActCall}
	}), 200)
	for _, id := range ids { // though it was not asked to be at once
		if _, menu, release := w.staffOf(id); menu != "a[close stay time print restart call]b[call stay]" || release != "ab" {
			w.t.Fatalf("%s: %s %s", id, menu, release)
		}
	}
	return rules, ids
}

// TestALostBadgeWaitsForNoRollout, neither for one that its own publication begins nor
// for one that was under way; and no stop brings it back.
func TestALostBadgeWaitsForNoRollout(t *testing.T) {
	for name, during := range map[string]bool{"during a rollout": true, "with other rules": false} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			rules, ids := staffed(w)
			before := map[string]uint64{}
			note := func() {
				for _, id := range ids {
					p, _, _ := w.staffOf(id)
					before[id] = p.Version
				}
			}
			lost := func(r *PolicyRequest) {
				r.Policy.Team.Badges = r.Policy.Team.Badges[1:]
				r.Policy.Team.DirectoryMay = []policy.Act{}
			}
			minutes := func(r *PolicyRequest) {
				r.Policy.Session.Minutes = 33
				r.Policy.Printing.Staff = r.Policy.Printing.Staff[1:] // in steps otherwise, but for this
			}
			note()
			if during {
				decode[PolicyView](t, rules.set("session", minutes), 200)
				note()
				decode[PolicyView](t, rules.set("team", lost), 200)
			} else {
				decode[PolicyView](t, rules.set("session", func(r *PolicyRequest) { minutes(r); lost(r) }), 200)
			}
			reached := 0
			for _, id := range ids {
				p, menu, release := w.staffOf(id)
				if menu != "b[call stay]" || release != "b" || len(p.Team.DirectoryMay) > 0 {
					t.Errorf("%s still knows %s %s %v", id, menu, release, p.Team.DirectoryMay)
				}
				if p.Version <= before[id] {
					t.Errorf("%s has no newer rules: %d after %d", id, p.Version, before[id])
				}
				if p.Session.Minutes == 33 {
					reached++
				}
			}
			if reached != 1 {
				t.Errorf("%d have the rest", reached)
			}
			decode[PolicyView](t, w.do(rules.cookie, "POST", rules.path+"/rollout", RolloutRequest{Action: "back"}), 200)
			for _, id := range ids {
				if p, menu, release := w.staffOf(id); menu != "b[call stay]" || release != "b" || p.Session.Minutes != 45 {
					t.Errorf("after the stop %s has %s %s, %d minutes", id, menu, release, p.Session.Minutes)
				}
			}
			all := decode[PolicyChanges](t, w.do(rules.cookie, "GET", rules.path+"/changes", nil), 200).Changes
			at := slices.IndexFunc(all, func(c PolicyChangeView) bool { return strings.HasPrefix(c.Note, "Déploiement arrêté") })
			if at < 0 {
				t.Fatalf("the stop is not in the history: %+v", all)
			}
			if c := all[at]; slices.Contains(c.Sections, "team") || len(c.Changes) != 1 || c.Changes[0].Path != "session.minutes" {
				t.Errorf("the history of the stop says %+v", c)
			}
		})
	}
}

// TestTheWayBackGivesNobodyARight that was taken since, whatever else it brings.
func TestTheWayBackGivesNobodyARight(t *testing.T) {
	w := start(t)
	rules, ids := staffed(w)
	w.api.Dwell = 0
	undo := func(i int) answered { // the newest is 0; the world's own one is left out
		t.Helper()
		_, tag := rules.read()
		w.later(time.Minute)
		all := decode[PolicyChanges](t, w.do(rules.cookie, "GET", rules.path+"/changes", nil), 200).Changes
		all = slices.DeleteFunc(all, func(c PolicyChangeView) bool { return c.ID == "v-a" })
		return w.do(rules.cookie, "POST", rules.path+"/undo", UndoRequest{ID: all[i].ID}, "If-Match", tag)
	}
	decode[PolicyView](t, rules.set("session", func(r *PolicyRequest) { r.Policy.Session.Minutes = 33 }), 200)
	decode[PolicyView](t, rules.set("team", func(r *PolicyRequest) {
		r.Policy.Team.Badges = []policy.TeamBadge{{Name: "Gardien", Badge: badgeOf("b"), May: []policy.Act{policy.ActCall}}}
		r.Policy.Team.PINMay = []policy.Act{}
	}), 200)
	decode[PolicyView](t, rules.set("printing", func(r *PolicyRequest) { r.Policy.Printing.Staff = r.Policy.Printing.Staff[1:] }), 200)
	look := func(minutes int, releases string) {
		t.Helper()
		for _, id := range ids {
			if p, menu, release := w.staffOf(id); menu != "b[call]" || release != releases || len(p.Team.PINMay) > 0 || p.Session.Minutes != minutes {
				t.Fatalf("%s has %s %s %v, %d minutes", id, menu, release, p.Team.PINMay, p.Session.Minutes)
			}
		}
	}
	look(33, "b")
	if a := undo(0); a.StatusCode != 422 || !strings.Contains(string(a.body), "ne revient pas") {
		t.Errorf("there is nothing to bring back but a right: %s %s", a.Status, a.body)
	}
	decode[PolicyView](t, undo(2), 200) // before the minutes, and before the badge was lost
	look(45, "b")
	decode[PolicyView](t, undo(5), 200) // before this place had a team of its own
	look(45, "")
}

// TestATeamIsNoRollout: the preview does not say that it goes in steps.
func TestATeamIsNoRollout(t *testing.T) {
	w := start(t)
	rules, _ := staffed(w)
	look := func(change func(*PolicyRequest)) bool {
		t.Helper()
		v, _ := rules.read()
		r := PolicyRequest{Own: v.Own, Policy: v.Policy}
		change(&r)
		return decode[PolicyPreview](t, w.do(rules.cookie, "POST", rules.path+"/preview", r), 200).Staged
	}
	lost := func(r *PolicyRequest) { r.Policy.Team.Badges = []policy.TeamBadge{} }
	if look(lost) {
		t.Error("a lost badge goes in steps")
	}
	if !look(func(r *PolicyRequest) { lost(r); r.Policy.Printing.Copies++ }) {
		t.Error("what comes with it does not")
	}
}
