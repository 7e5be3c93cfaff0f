package api

import (
	"strings"
	"testing"

	"borne/controller/accounts"
	"borne/controller/policy"
)

func TestPolicyIsInheritedAndGuarded(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Correspondant, "a")
	read := func(path string) (PolicyView, string) {
		a := w.do(cookie, "GET", path, nil)
		return decode[PolicyView](t, a, 200), a.Header.Get("ETag")
	}
	const site, space = "/api/sites/a/policy", "/api/spaces/a-hall/policy"
	v, tag := read(site)
	if v.Rev != 0 || !strings.HasPrefix(tag, `"0.`) || len(v.Own) != 0 || v.Policy.Session.Minutes != 45 {
		t.Fatalf("nothing was set: %+v", v)
	}
	v.Policy.Session.Minutes, v.Policy.Printing.PagesPerDay = 30, 77
	put := PolicyRequest{Own: []string{"session"}, Policy: v.Policy}
	if a := w.do(cookie, "PUT", site, put); a.StatusCode != 428 {
		t.Errorf("without If-Match: %s", a.Status)
	}
	a := w.do(cookie, "PUT", site, put, "If-Match", tag)
	if v = decode[PolicyView](t, a, 200); a.Header.Get("ETag") != `"1"` || v.Policy.Session.Minutes != 30 || v.Policy.Version < 2 || v.By == "" {
		t.Errorf("after the change: %+v", v)
	}
	if v.Policy.Printing.PagesPerDay == 77 {
		t.Error("a section that the site does not own was set")
	}
	if a := w.do(cookie, "PUT", site, put, "If-Match", tag); a.StatusCode != 412 {
		t.Errorf("with an old ETag: %s", a.Status)
	}
	// The space inherits, sets its own, and goes back to inheriting.
	first := v.Policy.Version
	if v, tag = read(space); v.Policy.Session.Minutes != 30 || v.Level != "space" || len(v.Applied) != 1 || v.Applied[0].Wanted != first {
		t.Errorf("the space inherits: %+v", v)
	}
	v.Policy.Session.Minutes = 20
	a = w.do(cookie, "PUT", space, PolicyRequest{Own: []string{"session"}, Policy: v.Policy}, "If-Match", tag)
	if v = decode[PolicyView](t, a, 200); v.Policy.Session.Minutes != 20 || v.Policy.Version <= first {
		t.Errorf("the space's own: %+v", v)
	}
	second := v.Policy.Version
	a = w.do(cookie, "PUT", space, PolicyRequest{Own: []string{}, Policy: v.Policy}, "If-Match", a.Header.Get("ETag"))
	if v = decode[PolicyView](t, a, 200); v.Policy.Session.Minutes != 30 || v.Policy.Version <= second {
		t.Errorf("inherited again: %+v", v)
	}
	if len(w.published) != 3 || w.published[0] != "a/" || w.published[1] != "a/a-hall" {
		t.Errorf("published %v", w.published)
	}
}

func TestPolicyMistakesAreNamedByField(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Administrator)
	for where, change := range map[string]func(*policy.Policy){
		"body.policy.session.maxMinutes":   func(p *policy.Policy) { p.Session.MaxMinutes = 10 },
		"body.policy.hours.weekly[1][0]":   func(p *policy.Policy) { p.Hours.Weekly[1][0].To = 3 },
		"body.policy.portal.tiles[0].url":  func(p *policy.Policy) { p.Portal.Tiles[0].URL = "javascript:x" },
		"body.policy.access.badgeRequired": func(p *policy.Policy) { p.Access.BadgeRequired = true },
		"body.policy.languages[0]":         func(p *policy.Policy) { p.Languages[0] = "zz" },
		"body.policy.filter.categories[0]": func(p *policy.Policy) {
			p.Filter.Categories = []policy.Category{{Name: "adult", Digest: strings.Repeat("0", 64)}}
		}, // never imported
		"body.policy.filter.allow[0]": func(p *policy.Policy) { p.Filter.Allow = []string{"https://www.caf.fr/"} },
	} {
		p := fresh()
		change(&p)
		a := w.do(cookie, "PUT", "/api/sites/a/policy", PolicyRequest{Own: sections(), Policy: p}, "If-Match", `"0"`)
		b := decode[problemBody](t, a, 422)
		found := false
		for _, e := range b.Errors {
			found = found || (e.Location == where && e.Message != "")
		}
		if !found {
			t.Errorf("%s is not named: %s", where, a.body)
		}
	}
	if b := decode[problemBody](t, w.do(cookie, "PUT", "/api/sites/a/policy", PolicyRequest{Own: []string{"root"}, Policy: fresh()}, "If-Match", `"0"`), 422); b.Errors[0].Location != "body.own" {
		t.Errorf("an unknown section: %+v", b)
	}
	if w.rev("a") != `"0"` || len(w.published) != 0 {
		t.Error("a refused policy was kept or pushed")
	}
	// Any badge may be required: nobody is locked out.
	p := fresh()
	p.Access.BadgeRequired, p.Access.AnyBadge = true, true
	decode[PolicyView](t, w.do(cookie, "PUT", "/api/sites/a/policy", PolicyRequest{Own: []string{"access"}, Policy: p}, "If-Match", `"0"`), 200)
}
