package api

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"borne/controller/accounts"
	"borne/controller/audit"
)

type problemBody struct {
	Title  string
	Status int
	Detail string
	Errors []struct{ Location, Message string }
}

func TestCrossSiteRequestsAreRefused(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Administrator)
	body := SiteRequest{Name: "PMS", Kind: "pms", Commune: "Cluses"}
	for name, h := range map[string][]string{
		"no header":       {"X-Borne", ""},
		"no origin":       {"Origin", ""},
		"another origin":  {"Origin", "https://evil.example"},
		"opaque origin":   {"Origin", "null"},
		"cross-site":      {"Sec-Fetch-Site", "cross-site"},
		"same-site":       {"Sec-Fetch-Site", "same-site"},
		"origin's prefix": {"Origin", w.URL + ".evil.example"},
	} {
		if p := decode[problemBody](t, w.do(cookie, "POST", "/api/sites", body, h...), 403); !strings.Contains(p.Detail, "console") {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if a := w.do(cookie, "POST", "/api/sites", body, "Sec-Fetch-Site", "same-origin"); a.StatusCode != 201 {
		t.Errorf("the console's own request: %s %s", a.Status, a.body)
	}
}

func TestLoginCookie(t *testing.T) {
	w := start(t)
	ctx := context.Background()
	id, err := w.acc.Create(ctx, audit.Controller, accounts.NewUser{Name: "Ada", Role: accounts.DPO, All: true})
	if err != nil {
		t.Fatal(err)
	}
	token, _, _ := w.acc.Link(ctx, audit.Controller, id)
	a := w.do("", "POST", "/api/login/link", LoginRequest{Token: token})
	me := decode[Me](t, a, 200)
	if me.Name != "Ada" || me.Role != "dpo" || len(a.Cookies()) != 1 {
		t.Fatalf("%+v, %v", me, a.Cookies())
	}
	if c := a.Cookies()[0]; !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Secure {
		t.Errorf("the cookie is %v", c)
	}
	secure := &API{Config: Config{Secure: true}}
	if c := secure.cookie("x", 0); !c.Secure || !strings.HasPrefix(c.Name, "__Host-") {
		t.Errorf("over TLS the cookie is %v", &c)
	}
	p := decode[problemBody](t, w.do("", "POST", "/api/login/link", LoginRequest{Token: token}), 401)
	if !strings.Contains(p.Detail, "une seule fois") {
		t.Errorf("a used link: %+v", p)
	}
}

func TestProblemsAreFrenchAndRepeatNothing(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Administrator)
	for _, c := range []struct {
		body          any
		status        int
		where, detail string
	}{
		{SiteRequest{Name: "P", Kind: "pms", Commune: "C"}, 422, "body.name", "au moins 2 caractères"},
		{map[string]any{"name": "PMS", "kind": "castle", "commune": "C"}, 422, "body.kind", "choisissez parmi"},
		{map[string]any{"name": "PMS", "kind": "pms"}, 422, "body", "« commune » manque"},
		{map[string]any{"name": "PMS", "kind": "pms", "commune": "C", "secret": "hunter2"}, 422, "body.secret", "inconnu"},
		{`{"name":`, 400, "body", "ne convient pas"},
		{"", 400, "", ""},
		{SiteRequest{Name: strings.Repeat("x", maxBody), Kind: "pms", Commune: "C"}, 413, "", ""},
	} {
		a := w.do(cookie, "POST", "/api/sites", c.body)
		p := decode[problemBody](t, a, c.status)
		if a.Header.Get("Content-Type") != "application/problem+json" || p.Detail == "" || strings.Contains(string(a.body), "hunter2") || strings.Contains(p.Detail, "valid") {
			t.Errorf("%.60v: %s", c.body, a.body)
		}
		if c.where != "" && (len(p.Errors) == 0 || p.Errors[0].Location != c.where || !strings.Contains(p.Errors[0].Message, c.detail)) {
			t.Errorf("%.60v: %+v", c.body, p.Errors)
		}
	}
	p := decode[problemBody](t, w.do(cookie, "GET", "/api/terminals/a-1/sessions?limit=1000", nil), 422)
	if len(p.Errors) != 1 || p.Errors[0].Message != "au plus 200" {
		t.Errorf("a long page: %+v", p)
	}
}

func TestFiles(t *testing.T) {
	w := start(t)
	page := w.do("", "GET", "/", nil)
	if page.StatusCode != 200 || page.Header.Get("Cache-Control") != "no-cache" || !strings.HasPrefix(page.Header.Get("Content-Type"), "text/html") {
		t.Errorf("the page: %s %v", page.Status, page.Header)
	}
	csp := page.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("the policy %q lacks %q", csp, want)
		}
	}
	if strings.Contains(csp, "unsafe") || page.Header.Get("X-Content-Type-Options") != "nosniff" || page.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers %v", page.Header)
	}
	if a := w.do("", "GET", "/", nil, "If-None-Match", page.Header.Get("ETag")); a.StatusCode != 304 {
		t.Errorf("the same page again: %s", a.Status)
	}
	if a := w.do("", "GET", "/assets/app-1a2b.js", nil); !strings.Contains(a.Header.Get("Cache-Control"), "immutable") || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/javascript") {
		t.Errorf("an asset: %v", a.Header)
	}
	if a := w.do("", "GET", "/terminals/a-1", nil); !bytes.Equal(a.body, page.body) {
		t.Errorf("a path of the page: %s", a.Status)
	}
	for _, path := range []string{"/assets/app-gone.js", "/.gitkeep", "/api/nothing", "/favicon.ico"} {
		if a := w.do("", "GET", path, nil); a.StatusCode != 404 {
			t.Errorf("%s: %s", path, a.Status)
		}
	}
}

func TestDocumentListsAreNeverNull(t *testing.T) {
	w := start(t)
	a := w.do("", "GET", "/api/openapi.json", nil)
	var doc struct{ OpenAPI string }
	if err := json.Unmarshal(a.body, &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Fatalf("%v, %+v", err, doc)
	}
	if bytes.Contains(a.body, []byte(`"null"`)) {
		t.Error("something may be null")
	}
}
