package abuse

import (
	"net/http"
	"strings"
	"testing"

	"borne/controller/accounts"
	"borne/controller/api"
)

// unknownFields adds to each route's body what an attacker would like to set.
func unknownFields(t *testing.T, g *target) {
	adm := g.as(accounts.Administrator, "")
	n := 0
	g.untouched(func() {
		for op, acc := range api.Table() {
			if acc.Method == http.MethodGet || acc.Method == http.MethodDelete || !takesJSON(acc) {
				continue
			}
			path := pathOf(acc, mine)
			for _, extra := range []string{`"role":"administrator"`, `"by":"x"`, `"ID":"y"`, `"site":"` + other + `"`, `"state":"active"`, `"__proto__":{"admin":true}`, `"":1`} {
				body := strings.TrimSuffix(goodBody(acc.Pattern()), "}")
				if body != "{" {
					body += ","
				}
				a := g.do(ask{cookie: adm, method: acc.Method, path: path, body: body + extra + "}", header: versionOf(op)})
				if strings.HasPrefix(extra, `"ID"`) && strings.HasSuffix(acc.Path, "/undo") {
					continue // it takes an id; twice is refused in oddJSON
				}
				if wrong := a.problem(403, 404, 409, 422); wrong != "" { // some refuse the person or the thing first
					t.Errorf("%s with %s: %s", acc.Pattern(), extra, wrong)
				} else if a.status == 422 && acc.Path != "/api/help-places" && !strings.Contains(a.body, "inconnu") && !strings.Contains(a.body, "manque") {
					t.Errorf("%s with %s does not name the field: %s", acc.Pattern(), extra, a.body)
				}
				n++
			}
		}
	})
	t.Logf("%d requests with a field too many, all refused", n)
}

// takesJSON tells whether a route has a JSON body at all.
func takesJSON(acc api.Access) bool {
	switch acc.Path {
	case "/api/hooks/{hook}/key", "/api/hooks/{hook}/try", "/api/login/oidc", "/api/login/passkey/options", "/api/me/passkeys/options", "/api/logout", "/api/badges/{id}/erase", "/api/sites/{id}/day-codes/{sheet}/cancel", "/api/terminals/{id}/revoke":
		return false
	}
	return acc.Path != "/api/calendars/{zone}" || acc.Method != http.MethodPut
}

// ownRights tries to get more by what one may change.
func ownRights(t *testing.T, g *target) {
	rec := g.as(accounts.Reception, other)
	g.untouched(func() {
		for _, q := range []struct{ method, path, body string }{
			{"PUT", "/api/me", `{"role":"administrator"}`}, {"PATCH", "/api/me", `{"sites":[]}`}, {"POST", "/api/users", `{"name":"x","role":"administrator"}`},
			{"POST", "/api/accounts", `{}`}, {"GET", "/control", ""}, {"POST", "/do", `{"op":"user-link"}`}, {"GET", "/backup", ""}, {"GET", "/export/audit", ""}, {"GET", "/metrics", ""}, {"GET", "/debug/pprof/heap", ""},
			{"PUT", "/api/me/passkeys/nobody", `{"name":"x"}`}, {"DELETE", "/api/me/passkeys/nobody", ""},
		} {
			a := g.do(ask{cookie: rec, method: q.method, path: q.path, body: q.body})
			html := a.status == 200 && q.method == "GET" && strings.Contains(a.header.Get("Content-Type"), "text/html") // the console's page, which every path of its own gets
			if !html && !unbuilt(a) && (a.status < 400 || a.status >= 500) {
				t.Errorf("%s %s: %d %.200s", q.method, q.path, a.status, a.body)
			}
		}
	})
}

// oddJSON sends documents that two readers could read in two ways, or that cost more
// than they say.
func oddJSON(t *testing.T, g *target) {
	cor := g.as(accounts.Correspondant, mine)
	path := "/api/terminals/" + mine + "-1/commands"
	g.untouched(func() {
		for _, body := range []string{
			`{"kind":"identify","kind":"wipe"}`, `{"kind":"wipe","kind":"identify"}`, `{"kind":"identify","KIND":"wipe"}`, `{"Kind":"identify"}`,
			`{"kind":"identify","k\u0069nd":"wipe"}`, `{"kind":"awake","minutes":5,"Minutes":999999}`, `{"kind":"awake","minutes":5,"minute\u017f":999999}`,
			`{"kind":"identify"}{"kind":"wipe"}`, `{"kind":"identify"} x`, `[{"kind":"identify"}]`, `"identify"`, `null`, `true`, `12`, ``, ` `, `{`, `{"kind":}`, `{"kind":"identify",}`, `{'kind':'identify'}`,
			`{"kind":"identify"/**/}`, "\ufeff" + `{"kind":"identify"}`, "{\"kind\":\"identify\xff\"}", `{"kind":"identify\ud800"}`, `{"kind":["identify"]}`, `{"kind":{"a":"identify"}}`, `{"kind":null}`,
			`{"kind":"awake","minutes":1e400}`, `{"kind":"awake","minutes":1.5}`, `{"kind":"awake","minutes":-1}`, `{"kind":"awake","minutes":9223372036854775808}`, `{"kind":"awake","minutes":"30"}`, `{"kind":"awake","minutes":NaN}`,
			`{"kind":"identify","text":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + `}`, strings.Repeat(`{"kind":`, 20000), strings.Repeat("[", 200000),
			`{"kind":"message","text":"` + strings.Repeat("é", 301) + `"}`, `{"kind":"message","text":"a\u0000b"}`, "{\"kind\":\"message\",\"text\":\"a\u202eb\"}",
		} {
			a := g.do(ask{cookie: cor, method: "POST", path: path, body: body})
			if wrong := a.problem(400, 422); wrong != "" {
				t.Errorf("%.80q: %s", body, wrong)
			}
		}
	})
}

// contentTypes sends what is JSON as something that a form or another program could send.
func contentTypes(t *testing.T, g *target) {
	cor := g.as(accounts.Correspondant, mine)
	g.untouched(func() {
		for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "application/cbor", "application/json-seq", "text/json", "application/jsonx",
			"application/json; charset=utf-16", "application/vnd.api+json", "application/problem+json", "*/*", "application/json, text/plain", "json", ""} {
			a := g.do(ask{cookie: cor, method: "POST", path: "/api/terminals/" + mine + "-1/commands", body: `{"kind":"identify"}`, header: []string{"Content-Type", kind}})
			if wrong := a.problem(415, 422); wrong != "" {
				t.Errorf("%q: %s", kind, wrong)
			}
		}
	})
	// A compressed body is not unpacked, so it is no bomb.
	if a := g.do(ask{cookie: cor, method: "POST", path: "/api/terminals/" + mine + "-1/commands", body: "\x1f\x8b\x08\x00", header: []string{"Content-Encoding", "gzip"}}); a.status != 415 && a.status != 400 && a.status != 422 {
		t.Errorf("gzip: %d %s", a.status, a.body)
	}
}

// most is how much a route takes at most, in bytes.
func most(acc api.Access) int {
	if acc.Path == "/api/badges-file" || acc.Path == "/api/sites-file" {
		return 2 << 20
	}
	return 256 << 10
}

// sizes sends too much of everything.
func sizes(t *testing.T, g *target) {
	cor := g.as(accounts.Correspondant, mine)
	path := "/api/terminals/" + mine + "-1/commands"
	g.untouched(func() {
		for op, acc := range api.Table() {
			if acc.Method == http.MethodGet || acc.Method == http.MethodDelete || !takesJSON(acc) {
				continue
			}
			to := pathOf(acc, mine)
			a := g.do(ask{cookie: g.as(accounts.Administrator, ""), method: acc.Method, path: to, body: `{"x":"` + strings.Repeat("x", most(acc)) + `"}`, header: versionOf(op)})
			if wrong := a.problem(403, 404, 409, 413, 422); wrong != "" {
				t.Errorf("more than is taken, to %s: %s", acc.Pattern(), wrong)
			}
		}
		for _, size := range []int{256<<10 - 10, 256 << 10, 256<<10 + 1000} {
			a := g.do(ask{cookie: cor, method: "POST", path: path, body: `{"kind":"` + strings.Repeat("x", size) + `"}`})
			if wrong := a.problem(413); wrong != "" {
				t.Errorf("a body of %d: %s", size, wrong)
			}
		}
		big := func(what, head string) {
			if got := g.raw(head); !strings.HasPrefix(got, "HTTP/1.1 4") || strings.HasPrefix(got, "HTTP/1.1 404") && what != "url" {
				t.Errorf("%s: %.200q", what, got)
			}
		}
		const end = "Host: localhost\r\nConnection: close\r\n\r\n"
		big("one header", "GET /api/me HTTP/1.1\r\nX-A: "+strings.Repeat("a", 64<<10)+"\r\n"+end)
		big("many headers", "GET /api/me HTTP/1.1\r\n"+strings.Repeat("X-A: aaaaaaaaaaaa\r\n", 4000)+end)
		big("many cookies", "GET /api/me HTTP/1.1\r\nCookie: "+strings.Repeat("a=b; ", 10000)+"\r\n"+end)
		big("url", "GET /api/"+strings.Repeat("a", 64<<10)+" HTTP/1.1\r\n"+end)
		for _, p := range []string{"/api/sites/" + strings.Repeat("a", 5000) + "/hours", "/api/audit?before=" + strings.Repeat("a", 5000), "/api/audit?limit=100000", "/api/audit?limit=-1", "/api/audit?limit=x", "/api/audit?limit=1&limit=2000"} {
			a := g.do(ask{cookie: g.as(accounts.Administrator, ""), method: "GET", path: p})
			if wrong := a.problem(404, 422); wrong != "" && !strings.HasSuffix(p, "limit=2000") {
				t.Errorf("%.60s: %s", p, wrong)
			} else if a.status >= 500 {
				t.Errorf("%.60s: %d", p, a.status)
			}
		}
	})
}

// smuggling sends requests on whose length two servers would not agree.
func smuggling(t *testing.T, g *target) {
	cookie := "Cookie: __Host-borne=" + g.as(accounts.Administrator, "") + "\r\n"
	common := "Host: " + strings.TrimPrefix(g.url, "https://") + "\r\nX-Borne: 1\r\nOrigin: " + g.url + "\r\nContent-Type: application/json\r\n" + cookie
	inner := "POST /api/terminals/" + mine + "-1/commands HTTP/1.1\r\n" + common + "Connection: close\r\nContent-Length: 19\r\n\r\n{\"kind\":\"identify\"}"
	g.untouched(func() {
		for name, head := range map[string]string{
			"both lengths":       "POST /api/login/oidc HTTP/1.1\r\n" + common + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"two lengths":        "POST /api/login/oidc HTTP/1.1\r\n" + common + "Content-Length: 0\r\nContent-Length: 5\r\n\r\n",
			"sign":               "POST /api/login/oidc HTTP/1.1\r\n" + common + "Content-Length: +0\r\n\r\n",
			"odd coding":         "POST /api/login/oidc HTTP/1.1\r\n" + common + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
			"two codings":        "POST /api/login/oidc HTTP/1.1\r\n" + common + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
			"space before colon": "POST /api/login/oidc HTTP/1.1\r\nContent-Length : 0\r\n" + common + "\r\n",
			"chunks":             "POST /api/login/oidc HTTP/1.1\r\n" + common + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
			"bare cr":            "POST /api/login/oidc HTTP/1.1\r\n" + common + "X-A: b\rContent-Length: 5\r\n\r\n",
			"huge chunk":         "POST /api/login/oidc HTTP/1.1\r\n" + common + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
			"old version":        "POST /api/login/oidc HTTP/0.9\r\n" + common + "\r\n",
			"http2 preface":      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
			"no host":            "GET /api/me HTTP/1.1\r\n\r\n",
			"two hosts":          "GET /api/me HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
		} {
			got := g.raw(head + inner)
			first, _, _ := strings.Cut(got, "\r\n")
			if strings.Contains(got, "HTTP/1.1 2") {
				t.Errorf("%s: something was done: %.300q", name, got)
			}
			if strings.HasPrefix(first, "HTTP/1.1 5") && !strings.HasPrefix(first, "HTTP/1.1 501") && !strings.HasPrefix(first, "HTTP/1.1 505") {
				t.Errorf("%s: %s", name, first)
			}
		}
	})
}

// versionOf is what a route that demands a version is given: one that nobody read.
func versionOf(op string) []string {
	if api.Versioned(op) {
		return []string{"If-Match", `"0"`}
	}
	return nil
}
