package abuse

import (
	"net/http"
	"strings"
	"testing"

	"borne/controller/accounts"
	"borne/controller/api"
)

// crossSite sends what another site's page could make a browser send, with the
// person's own cookie.
func crossSite(t *testing.T, g *target) {
	adm := g.as(accounts.Administrator, "")
	n := 0
	g.untouched(func() {
		for _, acc := range api.Table() {
			if acc.Method == http.MethodGet {
				continue
			}
			path := pathOf(acc, mine)
			for _, header := range [][]string{
				{"X-Borne", ""}, {"X-Borne", "0"}, {"X-Borne", "1, 1"}, {"X-Borne", "true"},
				{"Origin", ""}, {"Origin", "null"}, {"Origin", "https://evil.example"}, {"Origin", "http://" + strings.TrimPrefix(g.url, "https://")}, {"Origin", "https://localhost"},
				{"Origin", g.url + ".evil.example"}, {"Origin", "https://evil.example#" + g.url}, {"Origin", "https://evil.example@" + strings.TrimPrefix(g.url, "https://")}, {"Origin", g.url + " https://evil.example"},
				{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Sec-Fetch-Site", "none"}, {"Sec-Fetch-Site", "x"},
				{"Origin", "https://evil.example", "Host", "evil.example"},
				{"Origin", "", "Referer", g.url + "/"},
			} {
				a := g.do(ask{cookie: adm, method: acc.Method, path: path, body: bodyFor(acc), header: header})
				if wrong := a.problem(403, 421); wrong != "" {
					t.Errorf("%s with %q: %s", acc.Pattern(), header, wrong)
				}
				n++
			}
		}
		// A form can ask this, as the browser would do it after a click elsewhere.
		for _, method := range []string{"GET", "HEAD"} {
			for _, acc := range api.Table() {
				if acc.Method == http.MethodGet {
					continue
				}
				path := pathOf(acc, mine)
				a := g.do(ask{cookie: adm, method: method, path: path, header: []string{"X-Borne", "", "Origin", "", "Sec-Fetch-Site", "cross-site", "X-HTTP-Method-Override", acc.Method, "X-HTTP-Method", acc.Method}})
				_ = a // whatever it reads, the audit says that nothing was done
				n++
			}
		}
	})
	t.Logf("%d requests of another site, none did anything", n)
	for _, path := range []string{"/", "/api/me", "/api/fleet", "/healthz"} {
		a := g.do(ask{cookie: adm, method: "GET", path: path, header: []string{"Origin", "https://evil.example"}})
		for name, want := range map[string]string{"Access-Control-Allow-Origin": "", "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000"} {
			if got := a.header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", path, name, got, want)
			}
		}
		if !strings.Contains(a.header.Get("Content-Security-Policy"), "frame-ancestors 'none'") {
			t.Errorf("%s may be framed", path)
		}
	}
	if a := g.do(ask{method: "OPTIONS", path: "/api/me", header: []string{"Origin", "https://evil.example", "Access-Control-Request-Method", "PUT"}}); a.status < 400 || a.header.Get("Access-Control-Allow-Methods") != "" {
		t.Errorf("a preflight is answered: %d %v", a.status, a.header)
	}
}

// hosts asks under other names than the console's own: by a name that somebody else
// owns, their page would be of the same origin.
func hosts(t *testing.T, g *target) {
	adm := g.as(accounts.Administrator, "")
	own := strings.TrimPrefix(g.url, "https://")
	g.untouched(func() {
		for _, host := range []string{"evil.example", "localhost", "localhost.evil.example", own + ".evil.example", "evil.example:443", "[::1]", "127.0.0.1", "localhost:1"} {
			for _, path := range []string{"/", "/api/me", "/api/login", "/api/openapi.json"} {
				a := g.do(ask{cookie: adm, method: "GET", path: path, header: []string{"Host", host}})
				if wrong := a.problem(421); wrong != "" {
					t.Errorf("%s at %s: %s", path, host, wrong)
				}
			}
			a := g.do(ask{cookie: adm, method: "POST", path: "/api/terminals/" + mine + "-1/commands", body: `{"kind":"identify"}`, header: []string{"Host", host, "Origin", "https://" + host}})
			if wrong := a.problem(421); wrong != "" {
				t.Errorf("a command at %s: %s", host, wrong)
			}
		}
		for _, name := range []string{"X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-URL", "X-Rewrite-URL"} {
			a := g.do(ask{cookie: g.as(accounts.Observer, other), method: "GET", path: "/api/me", header: []string{name, "evil.example"}})
			if a.status != 200 || strings.Contains(a.body, "evil") || strings.Contains(a.body, "administrator") {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	})
	if a := g.do(ask{method: "GET", path: "/healthz", header: []string{"Host", "10.0.0.1"}}); a.status != 200 {
		t.Errorf("who watches the health knows no name: %d", a.status)
	}
}

// methods asks each path with methods that it does not have.
func methods(t *testing.T, g *target) {
	adm := g.as(accounts.Administrator, "")
	have := map[string]bool{}
	for _, acc := range api.Table() {
		have[acc.Pattern()] = true
	}
	n := 0
	g.untouched(func() {
		for _, acc := range api.Table() {
			path := pathOf(acc, mine)
			for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "FOO"} {
				if have[method+" "+acc.Path] {
					continue
				}
				if method == "CONNECT" {
					continue // its target is no path: below
				}
				a := g.do(ask{cookie: adm, method: method, path: path, body: `{}`})
				if a.status < 400 || a.status >= 500 {
					t.Errorf("%s %s: %d %.200s", method, path, a.status, a.body)
				}
				n++
			}
		}
	})
	for _, line := range []string{"CONNECT evil.example:443 HTTP/1.1", "GET http://evil.example/ HTTP/1.1", "GET https://169.254.169.254/latest/meta-data/ HTTP/1.1", "TRACE / HTTP/1.1", "OPTIONS * HTTP/1.1"} {
		got := g.raw(line + "\r\nHost: evil.example\r\nX-Secret: s3cret\r\nConnection: close\r\n\r\n")
		first, _, _ := strings.Cut(got, "\r\n")
		if strings.Contains(got, "s3cret") || strings.HasPrefix(first, "HTTP/1.1 2") && !strings.HasPrefix(line, "OPTIONS *") {
			t.Errorf("%s: %.200q", line, got)
		}
	}
	t.Logf("%d requests by methods that are not there, all refused", n)
}
