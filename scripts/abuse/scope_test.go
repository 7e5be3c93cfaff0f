package abuse

import (
	"net/http"
	"strings"
	"testing"

	"borne/controller/accounts"
	"borne/controller/api"
)

// ids of what a route's {id} may name, of one place.
func ids(s string) map[api.Scope]string {
	number := map[string]string{mine: badgeMine, other: badgeOther}[s]
	return map[api.Scope]string{api.ScopeSite: s, api.ScopeSpace: s + "-hall", api.ScopeTerminal: s + "-1", api.ScopeReceipt: "receipt-" + s,
		api.ScopePrint: "job-" + s, api.ScopeMatter: "matter-" + s, api.ScopeBadge: number}
}

// pathOf is a route's path to things of one place.
func pathOf(acc api.Access, s string) string {
	id := ids(s)[acc.Scope]
	if strings.HasPrefix(acc.Path, "/api/groups/") {
		id = "group-" + s
	}
	if strings.HasPrefix(acc.Path, "/api/accounts/") {
		id = "account-" + s
	}
	return below(strings.Replace(acc.Path, "{id}", id, 1), s)
}

// below fills in the ids behind {id}.
func below(path, s string) string {
	return strings.NewReplacer("{job}", "job-"+s, "{window}", "window-"+s, "{sheet}", "sheet-"+s, "{key}", "key-"+s, "{zone}", "A", "{hook}", "hook-"+s, "{token}", "token-"+s, "{code}", "code-"+s, "{badge}", "badge-"+s).Replace(path)
}

// goodBody is what the route takes: its refusal is about the person, not the form.
func goodBody(pattern string) string {
	for suffix, body := range map[string]string{
		"/commands": `{"kind":"identify"}`, "/awake": `{"minutes":30}`, "/enrol-codes": `{"space":"zzmine-hall","name":"Poste 9"}`,
		"/lost": `{"lost":true}`, "/day": `{"given":true}`, "/taken": `{"taken":true}`, "/pages": `{"session":"session-zzmine","pages":5,"reason":"dossier"}`,
		"/decision": `{"charge":0,"reason":"panne"}`, "/undo": `{"id":"hours-zzmine"}`, "/spaces": `{"name":"Salle"}`, "/certificates": `{"month":"2026-01"}`,
		"/day-codes": `{"n":1}`, "/badges": `{"action":"find"}`,
	} {
		if strings.HasSuffix(pattern, suffix) {
			return body
		}
	}
	return `{}`
}

// otherPlaces asks every route that names something of one place, in every role,
// as somebody of the other place only.
func otherPlaces(t *testing.T, g *target) {
	n := 0
	g.cookiesOf(other)
	g.untouched(func() {
		for _, acc := range api.Table() {
			if !strings.Contains(acc.Path, "{id}") {
				continue
			}
			path := pathOf(acc, mine)
			for _, role := range accounts.Roles() {
				a := g.do(ask{cookie: g.as(role, other), method: acc.Method, path: path, body: bodyFor(acc), header: []string{"If-Match", `"0"`}})
				if wrong := a.problem(403, 404); wrong != "" {
					t.Errorf("%s as %s of another place: %s", acc.Pattern(), role, wrong)
				}
				if strings.Contains(a.body, mark) {
					t.Errorf("%s as %s tells: %s", acc.Pattern(), role, a.body)
				}
				n++
			}
		}
	})
	if n < 300 {
		t.Errorf("only %d requests were made", n)
	}
	t.Logf("%d requests to things of another place, all refused", n)
}

func bodyFor(acc api.Access) string {
	if acc.Method == http.MethodGet {
		return ""
	}
	return goodBody(acc.Pattern())
}

// cookiesOf logs everybody of a place in, before the audit is looked at.
func (g *target) cookiesOf(site string) {
	for _, role := range accounts.Roles() {
		g.as(role, site)
	}
}

// nested names a thing of one's own place, and below it one of the other's.
func nested(t *testing.T, g *target) {
	g.cookiesOf(other)
	n := 0
	g.untouched(func() {
		for _, acc := range api.Table() {
			id, rest := ids(other)[acc.Scope], strings.Replace(acc.Path, "{id}", "", 1)
			if id == "" || !strings.Contains(rest, "{") {
				continue
			}
			path := below(strings.Replace(acc.Path, "{id}", id, 1), mine)
			for _, role := range acc.Roles {
				body := bodyFor(acc)
				if strings.Contains(acc.Path, "{job}") {
					body = `{"action":"release"}`
				}
				a := g.do(ask{cookie: g.as(role, other), method: acc.Method, path: path, body: body})
				// A terminal that never had this job refuses it too: the order is one about one's own terminal.
				if a.status < 400 || strings.Contains(a.body, "Collège "+mark) {
					t.Errorf("%s as %s: %d %s", path, role, a.status, a.body)
				}
				n++
			}
		}
	})
	if n < 9 {
		t.Errorf("only %d requests were made", n)
	}
}

// lists asks what has no id for everything, and looks for the other place in it.
func lists(t *testing.T, g *target) {
	g.cookiesOf(other)
	n := 0
	for _, acc := range api.Table() {
		if acc.Method != http.MethodGet || strings.Contains(acc.Path, "{") || acc.Path == "/api/live" {
			continue
		}
		for _, role := range accounts.Roles() {
			for _, query := range []string{"", "?site=" + mine, "?sites=" + mine, "?group=" + mine, "?terminal=" + mine + "-1", "?limit=200"} {
				a := g.do(ask{cookie: g.as(role, other), method: "GET", path: acc.Path + query})
				if strings.Contains(a.body, mark) {
					t.Errorf("%s%s as %s tells of the other place: %.300s", acc.Path, query, role, a.body)
				}
				if a.status >= 500 && !unbuilt(a) {
					t.Errorf("%s%s as %s: %d", acc.Path, query, role, a.status)
				}
				n++
			}
		}
	}
	t.Logf("%d lists, none tells of another place", n)
	// What is looked for is there for who may see it.
	if a := g.do(ask{cookie: g.as(accounts.Administrator, ""), method: "GET", path: "/api/fleet"}); !strings.Contains(a.body, mark) {
		t.Errorf("the fleet of everything lacks the mark: %s", a.body)
	}
}

// bodies names the other place inside a request about one's own.
func bodies(t *testing.T, g *target) {
	g.cookiesOf(other)
	cor, rec := g.as(accounts.Correspondant, other), g.as(accounts.Reception, other)
	adm := g.as(accounts.Administrator, other)
	hours := g.do(ask{cookie: cor, method: "GET", path: "/api/sites/" + other + "/hours"})
	own := cut(hours.body, `"own":`, `"hours":`)
	g.untouched(func() {
		for _, q := range []struct {
			cookie, method, path, body string
		}{
			{cor, "POST", "/api/sites/" + other + "/enrol-codes", `{"space":"` + mine + `-hall","name":"Poste 9"}`},
			{cor, "POST", "/api/sites/" + other + "/enrol-codes", `{"space":"` + other + `-hall","replace":"` + mine + `-1"}`},
			{cor, "POST", "/api/hours/apply", `{"hours":` + own + `,"sites":["` + other + `","` + mine + `"]}`},
			{cor, "POST", "/api/sites/" + other + "/hours/undo", `{"id":"hours-` + mine + `"}`},
			{cor, "POST", "/api/spaces/" + other + "-hall/hours/undo", `{"id":"hours-` + mine + `-hall"}`},
			{cor, "POST", "/api/sites/" + other + "/policy/undo", `{"id":"rules-` + mine + `"}`},
			{cor, "POST", "/api/spaces/" + other + "-hall/policy/undo", `{"id":"rules-` + mine + `-hall"}`},
			{cor, "POST", "/api/terminals/" + other + "-1/policy/undo", `{"id":"rules-` + mine + `-1"}`},
			{cor, "PUT", "/api/badges/" + badgeOther, `{"sites":["` + mine + `"]}`},
			{cor, "POST", "/api/badges-file", `{"csv":"numero;groupe;lieux;expire;etat\n` + badgeMine + `;x;;;\n"}`},
			{rec, "POST", "/api/terminals/" + other + "-1/pages", `{"session":"session-` + mine + `","pages":5,"reason":"dossier"}`},
			{rec, "POST", "/api/terminals/" + other + "-1/prints/job-" + mine, `{"action":"release"}`},
			{adm, "POST", "/api/sites", `{"name":"Autre lieu","kind":"pms","commune":"Cluses"}`},
			{adm, "PUT", "/api/policy", `{"own":[],"policy":{}}`},
			{adm, "PUT", "/api/energy/figures", `{"price":1,"models":[]}`},
			{adm, "POST", "/api/calendars/A/fetch", `{"address":"https://calendar.example/"}`},
		} {
			a := g.do(ask{cookie: q.cookie, method: q.method, path: q.path, body: q.body, header: []string{"If-Match", `"0"`}})
			if a.status < 400 || a.status >= 500 {
				t.Errorf("%s %s %s: %d %s", q.method, q.path, q.body, a.status, a.body)
			}
			if strings.Contains(a.body, "Collège "+mark) || strings.Contains(a.body, "Poste "+mark) {
				t.Errorf("%s %s tells of the other place: %s", q.method, q.path, a.body)
			}
		}
	})
}

// unbuilt tells an answer of a program without the console's pages.
func unbuilt(a answer) bool { return a.status == 503 && strings.Contains(a.body, "make build") }

// cut returns the JSON value after a key, or an empty object.
func cut(body string, keys ...string) string {
	for _, key := range keys {
		if _, after, ok := strings.Cut(body, key); ok {
			depth := 0
			for i, r := range after {
				switch r {
				case '{', '[':
					depth++
				case '}', ']':
					if depth--; depth == 0 {
						return after[:i+1]
					}
				}
			}
		}
	}
	return "{}"
}

// nobody asks every route that is not public without a login, and with cookies that
// are none.
func nobody(t *testing.T, g *target) {
	real := g.as(accounts.Reception, other)
	g.untouched(func() {
		n := 0
		for _, acc := range api.Table() {
			if acc.Scope == api.ScopeNone {
				continue
			}
			path := pathOf(acc, mine)
			for _, cookie := range []string{"", "x", real[:len(real)-1], strings.ToUpper(real), real + "A", "../" + real, strings.Repeat("A", 4000)} {
				a := g.do(ask{cookie: cookie, method: acc.Method, path: path, body: bodyFor(acc)})
				if wrong := a.problem(401); wrong != "" {
					t.Errorf("%s with %.20q: %s", acc.Pattern(), cookie, wrong)
				}
				n++
			}
		}
		// The other name of the cookie, that of plain HTTP, opens nothing here.
		if a := g.do(ask{method: "GET", path: "/api/me", header: []string{"Cookie", "borne=" + real}}); a.status != 401 {
			t.Errorf("a cookie of plain HTTP: %d", a.status)
		}
		if n < 500 {
			t.Errorf("only %d requests", n)
		}
		t.Logf("%d requests without a login, all refused", n)
	})
}
