package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/store"
)

// grouped makes a group of sites, or gives it these sites again.
func (w *world) grouped(id string, sites ...string) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		g, err := store.Get[store.SiteGroup](tx, id)
		if err == nil && !slices.Equal(g.Row.Sites, sites) { // whoever came before has changed it
			g.Row.Sites = sites
			return store.Put(tx, g)
		}
		if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		if _, err := store.Get[store.PolicyChange](tx, "v-"+id); errors.Is(err, store.ErrNotFound) {
			if err := put(tx, store.Meta{ID: "v-" + id}, store.PolicyChange{Layer: id, At: t0, By: "x", Before: []byte("{}")}); err != nil {
				return err
			}
		}
		return put(tx, store.Meta{ID: id}, store.SiteGroup{Name: "Groupe " + id, Sites: sites, Created: t0})
	})
}

// rowRev reads the revision of any row, as an ETag.
func (w *world) rowRev(k store.Kind, id string) string {
	w.t.Helper()
	var rev uint64
	err := w.st.View(context.Background(), func(tx store.Tx) error {
		if m, _, err := tx.Get(k, id); err == nil {
			rev = m.Rev
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return fmt.Sprintf("%q", fmt.Sprint(rev))
}

func TestGroupsRulesComeBetweenTheDepartmentAndTheSite(t *testing.T) {
	w := start(t)
	root := w.as(accounts.Administrator)
	g := decode[GroupView](t, w.do(root, "POST", "/api/groups", GroupRequest{Name: "Chablais", Sites: []string{"a"}}), 201)
	rules := fresh()
	rules.Session.Minutes, rules.Session.ThanksSeconds = 33, 44
	decode[PolicyView](t, w.do(root, "PUT", "/api/groups/"+g.ID+"/policy", PolicyRequest{Own: []string{"session"}, Policy: rules}, "If-Match", `"0"`), 200)
	if !slices.Equal(w.published, []string{"a/", "a/"}) { // the group came, its rules came
		t.Errorf("published %v", w.published)
	}
	for where, minutes := range map[string]int{"/api/sites/a/policy": 33, "/api/spaces/a-hall/policy": 33, "/api/terminals/a-1/policy": 33, "/api/sites/b/policy": 45, "/api/policy": 45} {
		v := decode[PolicyView](t, w.do(root, "GET", where, nil), 200)
		if v.Policy.Session.Minutes != minutes {
			t.Errorf("%s: %d minutes, want %d", where, v.Policy.Session.Minutes, minutes)
		}
		if from := v.Origin["session.minutes"]; (from == "group:"+g.ID) != (minutes == 33) {
			t.Errorf("%s says that the minutes come from %q", where, from)
		}
	}
	v := decode[PolicyView](t, w.do(root, "GET", "/api/terminals/a-1/policy", nil), 200)
	var names []string
	for _, l := range v.Levels {
		names = append(names, l.Level+" "+l.Name)
	}
	if got := strings.Join(names, ", "); got != "global Département, group Chablais, site Collège a, space Hall, terminal Poste 1" {
		t.Errorf("the levels are %s", got)
	}
	// The site's own rules are stronger.
	own := fresh()
	own.Session.Minutes = 20
	v = decode[PolicyView](t, w.do(root, "PUT", "/api/sites/a/policy", PolicyRequest{Own: []string{"session"}, Policy: own}, "If-Match", `"0"`), 200)
	if v.Policy.Session.Minutes != 20 || v.Origin["session.minutes"] != "site" {
		t.Errorf("under the site's own rules: %d minutes from %q", v.Policy.Session.Minutes, v.Origin["session.minutes"])
	}
	if v = decode[PolicyView](t, w.do(root, "GET", "/api/groups/"+g.ID+"/policy", nil), 200); len(v.Applied) != 1 || v.Applied[0].Terminal != "a-1" {
		t.Errorf("the group's rules reach %+v", v.Applied)
	}
	if a := w.do(root, "GET", "/api/groups/none/policy", nil); a.StatusCode != 404 {
		t.Errorf("the rules of no group: %s", a.Status)
	}
	// Hours are a site's.
	if a := w.do(root, "PUT", "/api/groups/"+g.ID+"/policy", PolicyRequest{Own: []string{"hours"}, Policy: rules}, "If-Match", fmt.Sprintf("%q", fmt.Sprint(v.Rev))); a.StatusCode != 422 {
		t.Errorf("hours for a group: %s", a.Status)
	}
}

func TestASiteThatLeavesAGroupGetsANewerPolicy(t *testing.T) {
	w := start(t)
	root := w.as(accounts.Administrator)
	g := decode[GroupView](t, w.do(root, "POST", "/api/groups", GroupRequest{Name: "Chablais", Sites: []string{"a", "b"}}), 201)
	rules := fresh()
	rules.Session.Minutes = 33
	decode[PolicyView](t, w.do(root, "PUT", "/api/groups/"+g.ID+"/policy", PolicyRequest{Own: []string{"session"}, Policy: rules}, "If-Match", `"0"`), 200)
	version := func() uint64 {
		return decode[PolicyView](t, w.do(root, "GET", "/api/terminals/a-1/policy", nil), 200).Policy.Version
	}
	before := version()
	w.published = nil
	g = decode[GroupView](t, w.do(root, "PUT", "/api/groups/"+g.ID, GroupRequest{Name: "Chablais", Sites: []string{"b"}}, "If-Match", etag(g.Rev)), 200)
	if after := version(); after <= before {
		t.Errorf("the version went from %d to %d", before, after)
	}
	if !slices.Equal(w.published, []string{"a/"}) {
		t.Errorf("published %v", w.published)
	}
	if a := w.do(root, "PUT", "/api/groups/"+g.ID, GroupRequest{Name: "Chablais", Sites: []string{}}, "If-Match", `"1"`); a.StatusCode != 412 {
		t.Errorf("over an old state: %s", a.Status)
	}
	if a := w.do(root, "PUT", "/api/groups/"+g.ID, GroupRequest{Name: "Chablais", Sites: []string{}}); a.StatusCode != 428 {
		t.Errorf("without a state: %s", a.Status)
	}
	before = decode[PolicyView](t, w.do(root, "GET", "/api/terminals/b-1/policy", nil), 200).Policy.Version
	decode[GroupsView](t, w.do(root, "DELETE", "/api/groups/"+g.ID, nil, "If-Match", etag(g.Rev)), 200)
	v := decode[PolicyView](t, w.do(root, "GET", "/api/terminals/b-1/policy", nil), 200)
	if v.Policy.Version <= before || v.Policy.Session.Minutes != 45 {
		t.Errorf("without the group: version %d after %d, %d minutes", v.Policy.Version, before, v.Policy.Session.Minutes)
	}
}

func TestTwoGroupsDoNotSetOneSectionOfASite(t *testing.T) {
	w := start(t)
	root := w.as(accounts.Administrator)
	one := decode[GroupView](t, w.do(root, "POST", "/api/groups", GroupRequest{Name: "Un", Sites: []string{"a"}}), 201)
	two := decode[GroupView](t, w.do(root, "POST", "/api/groups", GroupRequest{Name: "Deux", Sites: []string{"a", "b"}}), 201)
	set := func(id string, sections ...string) answered {
		return w.do(root, "PUT", "/api/groups/"+id+"/policy", PolicyRequest{Own: sections, Policy: fresh()}, "If-Match", w.rev(id))
	}
	if a := set(one.ID, "session", "web"); a.StatusCode != 200 {
		t.Fatalf("the first group: %s %s", a.Status, a.body)
	}
	a := set(two.ID, "keyboard", "session")
	if a.StatusCode != 409 || !strings.Contains(string(a.body), "Collège a") || !strings.Contains(string(a.body), "« Un »") {
		t.Errorf("the same section from another group: %s %s", a.Status, a.body)
	}
	if a := set(two.ID, "keyboard"); a.StatusCode != 200 {
		t.Errorf("another section: %s %s", a.Status, a.body)
	}
	// A site that comes later is asked about too.
	three := decode[GroupView](t, w.do(root, "POST", "/api/groups", GroupRequest{Name: "Trois", Sites: []string{"b"}}), 201)
	if a := set(three.ID, "session"); a.StatusCode != 200 {
		t.Fatalf("the third group: %s %s", a.Status, a.body)
	}
	if a := w.do(root, "PUT", "/api/groups/"+three.ID, GroupRequest{Name: "Trois", Sites: []string{"a", "b"}}, "If-Match", etag(three.Rev)); a.StatusCode != 409 {
		t.Errorf("a site that has the section from another group: %s %s", a.Status, a.body)
	}
	if a := w.do(root, "POST", "/api/groups", GroupRequest{Name: "UN", Sites: []string{}}); a.StatusCode != 422 || !strings.Contains(string(a.body), "body.name") {
		t.Errorf("the same name again: %s %s", a.Status, a.body)
	}
	if a := w.do(root, "POST", "/api/groups", GroupRequest{Name: "Quatre", Sites: []string{"a", "none"}}); a.StatusCode != 422 || !strings.Contains(string(a.body), "body.sites[1]") {
		t.Errorf("a site that is not there: %s %s", a.Status, a.body)
	}
}

func TestARoleOnAGroupFollowsItsSites(t *testing.T) {
	w := start(t)
	root := w.as(accounts.Administrator)
	g := decode[GroupView](t, w.do(root, "POST", "/api/groups", GroupRequest{Name: "Chablais", Sites: []string{"a"}}), 201)
	ctx := context.Background()
	id, err := w.acc.Create(ctx, audit.Controller, accounts.NewUser{Name: "Léa", Role: accounts.Correspondant, Groups: []string{g.ID}})
	if err != nil {
		t.Fatal(err)
	}
	token, _, err := w.acc.Link(ctx, audit.Controller, id)
	if err != nil {
		t.Fatal(err)
	}
	cookie, _, err := w.acc.Redeem(ctx, token, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	sees := func() (all []string) {
		for _, s := range decode[Fleet](t, w.do(cookie, "GET", "/api/fleet", nil), 200).Sites {
			all = append(all, s.ID)
		}
		return all
	}
	if got := sees(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("on the group: %v", got)
	}
	if a := w.do(cookie, "GET", "/api/sites/b/policy", nil); a.StatusCode != 403 {
		t.Errorf("a site outside the group: %s", a.Status)
	}
	set := func(sites ...string) {
		now := decode[GroupsView](t, w.do(root, "GET", "/api/groups", nil), 200).Groups[0]
		decode[GroupView](t, w.do(root, "PUT", "/api/groups/"+g.ID, GroupRequest{Name: "Chablais", Sites: append([]string{}, sites...)}, "If-Match", etag(now.Rev)), 200)
	}
	set("a", "b")
	if got := sees(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("on the larger group: %v", got)
	}
	set()
	if got := sees(); len(got) != 0 {
		t.Errorf("on a group without sites: %v", got)
	}
	if me := decode[Me](t, w.do(cookie, "GET", "/api/me", nil), 200); me.All {
		t.Error("whoever holds a role on an empty group holds it everywhere")
	}
	if a := w.do(root, "DELETE", "/api/groups/"+g.ID, nil, "If-Match", w.rowRev(store.KindSiteGroup, g.ID)); a.StatusCode != 409 || !strings.Contains(string(a.body), "Léa") {
		t.Errorf("a group that somebody's role is held on: %s %s", a.Status, a.body)
	}
}
