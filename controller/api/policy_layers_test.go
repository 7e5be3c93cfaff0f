package api

import (
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/store"
)

// layer reads and changes one place's rules in a test.
type layer struct {
	w      *world
	cookie string
	path   string
}

func (l layer) read() (PolicyView, string) {
	l.w.t.Helper()
	a := l.w.do(l.cookie, "GET", l.path, nil)
	return decode[PolicyView](l.w.t, a, 200), a.Header.Get("ETag")
}

// set publishes one section, changed, over what holds there.
func (l layer) set(section string, change func(*PolicyRequest)) answered {
	l.w.t.Helper()
	v, tag := l.read()
	l.w.later(time.Minute)
	r := PolicyRequest{Own: append(v.Own, section), Policy: v.Policy}
	change(&r)
	return l.w.do(l.cookie, "PUT", l.path, r, "If-Match", tag)
}

func TestEachValueSaysWhereItComesFrom(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Administrator)
	all, site := layer{w, cookie, "/api/policy"}, layer{w, cookie, "/api/sites/a/policy"}
	terminal := layer{w, cookie, "/api/terminals/a-1/policy"}

	decode[PolicyView](t, all.set("session", func(r *PolicyRequest) { r.Policy.Session.Minutes = 31 }), 200)
	decode[PolicyView](t, all.set("web", func(r *PolicyRequest) { r.Policy.Web.Camera = true }), 200)
	decode[PolicyView](t, site.set("web", func(r *PolicyRequest) { r.Policy.Web.Uploads = false }), 200)
	v := decode[PolicyView](t, terminal.set("keyboard", func(r *PolicyRequest) { r.Policy.Keyboard.Layout = "us" }), 200)

	if v.Level != "terminal" || v.Policy.Session.Minutes != 31 || !v.Policy.Web.Camera || v.Policy.Web.Uploads || v.Policy.Keyboard.Layout != "us" {
		t.Fatalf("what holds at the terminal: %+v", v.Policy)
	}
	for path, from := range map[string]string{"session.minutes": "global", "web.uploads": "site", "keyboard.layout": "terminal", "portal.title": ""} {
		if got, ok := v.Origin[path]; !ok || got != from {
			t.Errorf("%s comes from %q, want %q (%v)", path, got, from, ok)
		}
	}
	names := []string{}
	for _, l := range v.Levels {
		names = append(names, l.Level+" "+l.Name)
	}
	if strings.Join(names, ", ") != "global Département, site Collège a, space Hall, terminal Poste 1" {
		t.Errorf("levels %v", names)
	}
	// The Département's rules reach every terminal; the terminal's only itself.
	if v, _ := all.read(); len(v.Applied) != 2 {
		t.Errorf("below the Département: %+v", v.Applied)
	}
	if v, _ := (layer{w, cookie, "/api/sites/b/policy"}).read(); v.Policy.Session.Minutes != 31 || v.Policy.Keyboard.Layout != "fr" {
		t.Errorf("site b: %+v", v.Policy)
	}
	// Who holds one site sees the Département's rules, and no other site's terminals.
	other := layer{w, w.as(accounts.Correspondant, "b"), "/api/policy"}
	if v, _ := other.read(); len(v.Applied) != 1 || v.Applied[0].Terminal != "b-1" {
		t.Errorf("as seen from site b: %+v", v.Applied)
	}
}

func TestHoursAreNotSetForTheDépartementNorForATerminal(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Administrator)
	for _, path := range []string{"/api/policy", "/api/terminals/a-1/policy"} {
		b := decode[problemBody](t, layer{w, cookie, path}.set("hours", func(*PolicyRequest) {}), 422)
		if b.Errors[0].Location != "body.own" {
			t.Errorf("%s: %+v", path, b)
		}
	}
}

func TestTheDépartementCannotBreakAPlace(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Administrator)
	all, site := layer{w, cookie, "/api/policy"}, layer{w, cookie, "/api/sites/a/policy"}
	// The site's sessions are as long as permits allow; the Département then allows less.
	decode[PolicyView](t, site.set("session", func(r *PolicyRequest) {
		r.Policy.Session.MaxMinutes = r.Policy.Permits.ReceiptWithin - 10
	}), 200)
	b := decode[problemBody](t, all.set("permits", func(r *PolicyRequest) { r.Policy.Permits.ReceiptWithin = 130 }), 422)
	if !strings.Contains(b.Detail, "Collège a") {
		t.Errorf("it does not name the place: %+v", b)
	}
	if w.rev(store.PolicyGlobal) != `"0"` {
		t.Error("it was kept")
	}
}

func TestThePreviewTellsWhatWouldChangeAndKeepsNothing(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Administrator)
	all, site := layer{w, cookie, "/api/policy"}, layer{w, cookie, "/api/sites/a/policy"}
	decode[PolicyView](t, site.set("session", func(r *PolicyRequest) { r.Policy.Session.Minutes = 20 }), 200)
	published, rev := len(w.published), w.rev(store.PolicyGlobal)

	v, _ := all.read()
	v.Policy.Session.Minutes, v.Policy.Languages = 40, []string{"fr"}
	look := decode[PolicyPreview](t, w.do(cookie, "POST", "/api/policy/preview", PolicyRequest{Own: []string{"session"}, Policy: v.Policy}), 200)
	if len(look.Changes) != 1 || look.Changes[0].Path != "session.minutes" || look.Changes[0].Before != 45.0 || look.Changes[0].After != 40.0 {
		t.Errorf("changes %+v", look.Changes)
	}
	// Site a has sessions of its own: only site b's terminal is reached.
	if len(look.Hits) != 1 || look.Hits[0].Site != "b" || len(look.Hits[0].Terminals) != 1 || look.Hits[0].Terminals[0] != "Poste 1" {
		t.Errorf("hits %+v", look.Hits)
	}
	if len(look.Set) != 1 || look.Set[0] != "session" || len(look.Left) != 0 {
		t.Errorf("set %v, left %v", look.Set, look.Left)
	}
	if now, _ := all.read(); now.Policy.Session.Minutes != 45 || w.rev(store.PolicyGlobal) != rev || len(w.published) != published {
		t.Error("looking published it")
	}
	var n int
	for range 2 { // no version either
		n = len(decode[PolicyChanges](t, w.do(cookie, "GET", "/api/policy/changes", nil), 200).Changes)
	}
	if n != 1 { // the one of the seed
		t.Errorf("%d versions", n)
	}
	// What publishing refuses, looking refuses.
	v.Policy.Session.MaxMinutes = 1
	b := decode[problemBody](t, w.do(cookie, "POST", "/api/policy/preview", PolicyRequest{Own: []string{"session"}, Policy: v.Policy}), 422)
	if len(b.Errors) == 0 || b.Errors[0].Location != "body.policy.session.maxMinutes" {
		t.Errorf("%+v", b)
	}
	// To inherit again is a change too.
	s, _ := site.read()
	look = decode[PolicyPreview](t, w.do(cookie, "POST", "/api/sites/a/policy/preview", PolicyRequest{Own: []string{}, Policy: s.Policy}), 200)
	if len(look.Left) != 1 || len(look.Changes) != 1 || look.Changes[0].After != 45.0 {
		t.Errorf("inherited again: %+v", look)
	}
}

func TestAPublicationIsTakenBackWithOneClick(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Administrator)
	site := layer{w, cookie, "/api/sites/a/policy"}
	decode[PolicyView](t, site.set("web", func(r *PolicyRequest) { r.Policy.Web.Camera = true }), 200)
	decode[PolicyView](t, site.set("session", func(r *PolicyRequest) { r.Policy.Session.Minutes, r.Note = 20, "Plus de monde" }), 200)
	// Hours that change between are not the rules': they stay.
	a := w.do(cookie, "GET", "/api/sites/a/hours", nil)
	h := decode[HoursView](t, a, 200)
	h.Hours.Meanwhile = "Voyez la mairie."
	if a := w.do(cookie, "PUT", "/api/sites/a/hours", HoursRequest{Hours: h.Hours}, "If-Match", a.Header.Get("ETag")); a.StatusCode != 200 {
		t.Fatalf("%s", a.body)
	}
	all := decode[PolicyChanges](t, w.do(cookie, "GET", "/api/sites/a/policy/changes", nil), 200).Changes
	if len(all) != 3 {
		t.Fatalf("versions %+v", all)
	}
	all = slices.DeleteFunc(all, func(c PolicyChangeView) bool { return c.ID == "v-a" }) // the seed's, whose id has no time
	if len(all) != 2 || all[0].Note != "Plus de monde" || all[0].By == "" || len(all[0].Changes) != 1 || all[0].Changes[0].Path != "session.minutes" || all[0].Version <= all[1].Version {
		t.Fatalf("versions %+v", all)
	}
	undo := func(path, id string) answered {
		_, tag := layer{w, cookie, path}.read()
		w.later(time.Minute)
		return w.do(cookie, "POST", path+"/undo", UndoRequest{ID: id}, "If-Match", tag)
	}
	v := decode[PolicyView](t, undo(site.path, all[0].ID), 200)
	if v.Policy.Session.Minutes != 45 || !v.Policy.Web.Camera || v.Policy.Hours.Meanwhile != "Voyez la mairie." {
		t.Errorf("before the last: %+v", v.Policy)
	}
	// Before the first too, and forward again: to go back is a publication.
	v = decode[PolicyView](t, undo(site.path, all[1].ID), 200)
	if v.Policy.Web.Camera || len(v.Own) != 1 || v.Own[0] != "hours" {
		t.Errorf("before the first: %+v", v.Own)
	}
	if all = decode[PolicyChanges](t, w.do(cookie, "GET", "/api/sites/a/policy/changes", nil), 200).Changes; len(all) != 5 || all[1].Note != "Retour en arrière" {
		t.Errorf("%d versions", len(all))
	}
	if v = decode[PolicyView](t, undo(site.path, all[1].ID), 200); !v.Policy.Web.Camera {
		t.Error("not forward again")
	}
	// Another place's version is none of this one.
	if a := undo("/api/sites/b/policy", all[0].ID); a.StatusCode != 404 {
		t.Errorf("another place's: %s", a.Status)
	}
}
