package abuse

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"borne/controller/accounts"
)

// quoted is a JSON string.
func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string
	}
	return string(b)
}

// injection puts line ends into whatever becomes a header, a line of a mail, of a
// file or of a log.
func injection(t *testing.T, g *target) {
	adm := g.as(accounts.Administrator, "")
	g.untouched(func() {
		for _, bad := range []string{"x\r\nSet-Cookie: a=b", "x\nBcc: evil@example.com", "x\rX", "x\x00y", "x\x1b[31my", "x\u2028y", "x\u2029y", "x\u0085y", "x\u202ey"} {
			for _, q := range []struct{ method, path, body string }{
				{"POST", "/api/sites", `{"name":%s,"kind":"pms","commune":"Cluses"}`},
				{"POST", "/api/sites", `{"name":"Autre","kind":"pms","commune":%s}`},
				{"POST", "/api/sites", `{"name":"Autre","kind":"pms","commune":"Cluses","territoire":%s}`},
				{"POST", "/api/sites/" + mine + "/spaces", `{"name":%s}`},
				{"POST", "/api/sites/" + mine + "/spaces", `{"name":"Salle","contact":%s}`},
				{"POST", "/api/sites/" + mine + "/enrol-codes", `{"space":"` + mine + `-hall","name":%s}`},
				{"PUT", "/api/badges/" + badgeMine, `{"group":%s,"sites":[],"disabled":false,"expires":""}`},
				{"POST", "/api/sites/" + mine + "/day-codes", `{"n":1,"group":%s}`},
				{"POST", "/api/terminals/" + mine + "-1/badges", `{"action":"enrol","kind":"day","group":%s}`},
				{"POST", "/api/terminals/" + mine + "-1/pages", `{"session":"session-` + mine + `","pages":1,"reason":%s}`},
				{"POST", "/api/prints/job-" + mine + "/decision", `{"charge":0,"reason":%s}`},
				{"PUT", "/api/matters/matter-" + mine + "/taken", `{"taken":true,"note":%s}`},
				{"POST", "/api/terminals/" + mine + "-1/commands", `{"kind":"identify","reason":%s}`},
				{"POST", "/api/calendars/A/fetch", `{"address":%s}`},
			} {
				var match []string
				if strings.HasPrefix(q.path, "/api/badges/") {
					match = versionOf("put-badge")
				}
				a := g.do(ask{cookie: adm, method: q.method, path: q.path, body: fmt.Sprintf(q.body, quoted(bad)), header: match})
				if wrong := a.problem(400, 422); wrong != "" {
					t.Errorf("%s %s with %q: %s", q.method, q.path, bad, wrong)
				}
				if a.header.Get("X-Injected") != "" || len(a.cookies) > 0 {
					t.Errorf("%s %s with %q sets headers: %v", q.method, q.path, bad, a.header)
				}
			}
		}
	})
	// Whatever a query says is no header of the answer, and no name of a file.
	for _, path := range []string{"/api/indicators/export?format=csv%0d%0aX-Injected:%20y", "/api/indicators/export?from=%0d%0aX-Injected:%20y", "/api/login/oidc/return?state=%0d%0aX-Injected:%20y&code=x", "/api/login/oidc/return?error=%0d%0aX-Injected:%20y",
		"/api/logout/return?state=%0d%0aX-Injected:%20y", "/%0d%0aX-Injected:%20y", "//evil.example/%2e%2e", "/\\evil.example", "/api/me/%0d%0aX-Injected:y"} {
		a := g.do(ask{cookie: adm, method: "GET", path: path})
		if a.header.Get("X-Injected") != "" || strings.Contains(a.header.Get("Content-Disposition"), "\n") {
			t.Errorf("%s sets headers: %v", path, a.header)
		}
		if to := a.header.Get("Location"); to != "" && !strings.HasPrefix(to, "/#/") && (strings.HasPrefix(to, "//") || !strings.HasPrefix(to, "/")) {
			t.Errorf("%s leads to %q", path, to)
		}
		if a.status >= 500 && !unbuilt(a) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	for _, line := range strings.Split(g.logged(), "\n") {
		if line != "" && !json.Valid([]byte(line)) {
			t.Errorf("a line of the log is none: %.200q", line)
		}
	}
}

// paths climbs.
func paths(t *testing.T, g *target) {
	adm := g.as(accounts.Administrator, "")
	cookie := "Cookie: __Host-borne=" + adm + "\r\nHost: " + strings.TrimPrefix(g.url, "https://") + "\r\nConnection: close\r\n\r\n"
	for _, p := range []string{"/../../../../etc/passwd", "/assets/../../../../etc/passwd", "/assets/..%2f..%2f..%2fetc%2fpasswd", "/assets/%2e%2e/%2e%2e/etc/passwd", "/assets/..%5c..%5cetc%5cpasswd", "/..;/etc/passwd", "/%00/etc/passwd", "/assets/%252e%252e/etc/passwd",
		"/.git/config", "/.gitkeep", "/controller.toml", "/store/borne.db", "/keys/root.key", "/control.sock", "/api/../../etc/passwd", "/api/openapi.json/../../etc/passwd", "/etc/passwd", "/proc/self/environ", "//etc/passwd", "/./etc/./passwd",
		"/api/receipts/..%2f..%2fetc%2fpasswd", "/api/sites/..%2f" + mine + "/hours", "/api/sites/%2e%2e/hours", "/api/badges/..%2f..%2fstore%2fborne.db/export", "/api/certificates/../store"} {
		got := g.raw("GET " + p + " HTTP/1.1\r\n" + cookie)
		if strings.Contains(got, "root:") || strings.Contains(got, "PRIVATE KEY") || strings.Contains(got, "PATH=") || strings.HasPrefix(got, "HTTP/1.1 500") || got == "" {
			t.Errorf("%s: %.200q", p, got)
		}
	}
	// As somebody of the other place, an encoded slash leads to nothing of this one.
	for _, p := range []string{"/api/sites/" + other + "%2f..%2f" + mine + "/hours", "/api/sites/" + other + "/../" + mine + "/hours", "/api/sites/" + other + "%00" + mine + "/hours", "/api/sites/" + other + "," + mine + "/hours", "/api/sites/" + other + "/hours/../../" + mine + "/hours",
		"/api/sites/" + strings.ToUpper(mine) + "/hours", "/api/sites/" + mine + "%20/hours", "/api/sites//hours", "/api/sites/*/hours"} {
		got := g.raw("GET " + p + " HTTP/1.1\r\nCookie: __Host-borne=" + g.as(accounts.Correspondant, other) + "\r\nHost: " + strings.TrimPrefix(g.url, "https://") + "\r\nConnection: close\r\n\r\n")
		if strings.HasPrefix(got, "HTTP/1.1 2") && strings.Contains(got, mark) || strings.HasPrefix(got, "HTTP/1.1 5") && !strings.Contains(got, "make build") {
			t.Errorf("%s: %.300q", p, got)
		}
	}
}
