package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/report"
	"borne/controller/store"
)

// matrix is who may use each route, written a second time on purpose: whoever
// opens a route to one more role says so here too. Letters: a administrator,
// c correspondant, b building, h head, r reception, d dpo, o observer; * nobody is asked.
func matrix() map[string]string {
	return map[string]string{
		"POST /api/login/link": "*", "GET /api/login": "*", "POST /api/login/oidc": "*", "GET /api/login/oidc/return": "*", "GET /api/logout/return": "*",
		"POST /api/login/passkey/options": "*", "POST /api/login/passkey": "*", "GET /api/me/passkeys": "acbhrdo", "POST /api/me/passkeys/options": "acbhrdo",
		"POST /api/me/passkeys": "acbhrdo", "PUT /api/me/passkeys/{key}": "acbhrdo", "DELETE /api/me/passkeys/{key}": "acbhrdo", "GET /api/openapi.json": "*", "GET /healthz": "*", "GET /.well-known/security.txt": "*", "GET /": "*",
		"POST /api/logout": "acbhrdo", "GET /api/me": "acbhrdo", "GET /api/fleet": "acbhrdo", "GET /api/live": "acbrd",
		"GET /api/terminals/{id}": "acrd", "GET /api/terminals/{id}/sessions": "acd", "GET /api/terminals/{id}/receipts": "acd",
		"GET /api/receipts/{id}": "acd", "GET /api/terminals/{id}/commands": "acrd", "POST /api/terminals/{id}/commands": "acr", "POST /api/spaces/{id}/awake": "acbr",
		"POST /api/sites/{id}/enrol-codes": "ac", "GET /api/sites/{id}/policy": "acrd", "PUT /api/sites/{id}/policy": "ac",
		"GET /api/spaces/{id}/policy": "acrd", "PUT /api/spaces/{id}/policy": "ac", "GET /api/sites/{id}/report": "acrd",
		"POST /api/sites": "a", "POST /api/sites/{id}/spaces": "ac", "GET /api/audit": "ad", "POST /api/sites/{id}/certificates": "ad", "GET /api/inventory": "ad", "GET /api/rgpd/{document}": "ad", "GET /api/lists": "acrd",
		"GET /api/requisitions": "ad", "POST /api/requisitions": "ad", "POST /api/requisitions/{hold}/confirm": "ad", "POST /api/requisitions/{hold}/lift": "ad", "PUT /api/traffic": "d", "GET /api/deletions": "ad",
		"GET /api/calendars": "acbhrd", "PUT /api/calendars/{zone}": "a", "POST /api/calendars/{zone}/fetch": "a", "POST /api/hours/osm": "acb",
		"GET /api/prints": "acr", "GET /api/terminals/{id}/prints": "acd", "POST /api/terminals/{id}/prints/{job}": "acr",
		"POST /api/prints/{id}/decision": "acr", "POST /api/terminals/{id}/pages": "acr", "GET /api/sites/{id}/printers": "acrd",
		"GET /api/policy": "acrd", "PUT /api/policy": "a", "GET /api/terminals/{id}/policy": "acrd", "PUT /api/terminals/{id}/policy": "ac",
		"POST /api/policy/preview": "a", "POST /api/sites/{id}/policy/preview": "ac", "POST /api/spaces/{id}/policy/preview": "ac", "POST /api/terminals/{id}/policy/preview": "ac",
		"GET /api/policy/changes": "acd", "GET /api/sites/{id}/policy/changes": "acd", "GET /api/spaces/{id}/policy/changes": "acd", "GET /api/terminals/{id}/policy/changes": "acd",
		"POST /api/policy/rollout": "a", "POST /api/sites/{id}/policy/rollout": "ac", "POST /api/spaces/{id}/policy/rollout": "ac",
		"GET /api/accounts": "a", "POST /api/accounts": "a", "PUT /api/accounts/{id}": "a", "DELETE /api/accounts/{id}": "a", "POST /api/accounts/{id}/link": "a",
		"GET /api/tokens": "a", "POST /api/tokens": "a", "DELETE /api/tokens/{token}": "a",
		"POST /api/agreements/view": "*", "POST /api/agreements/answer": "*", "POST /api/sites/{id}/agreements/{agreement}/ask": "acb", "POST /api/sites/{id}/agreements/{agreement}/answer": "h",
		"GET /api/groups": "acrd", "POST /api/groups": "a", "PUT /api/groups/{id}": "a", "DELETE /api/groups/{id}": "a", "GET /api/groups/{id}/policy": "acrd", "PUT /api/groups/{id}/policy": "a",
		"POST /api/groups/{id}/policy/preview": "a", "GET /api/groups/{id}/policy/changes": "acd", "POST /api/groups/{id}/policy/undo": "a", "POST /api/groups/{id}/policy/rollout": "a",
		"POST /api/policy/undo": "a", "POST /api/sites/{id}/policy/undo": "ac", "POST /api/spaces/{id}/policy/undo": "ac", "POST /api/terminals/{id}/policy/undo": "ac",
		"GET /api/sites/{id}/hours": "acbhrd", "GET /api/spaces/{id}/hours": "acbhrd", "PUT /api/sites/{id}/hours": "acb", "PUT /api/spaces/{id}/hours": "acb",
		"POST /api/sites/{id}/hours/preview": "acb", "POST /api/spaces/{id}/hours/preview": "acb", "GET /api/sites/{id}/hours/changes": "acbhd",
		"GET /api/spaces/{id}/hours/changes": "acbhd", "POST /api/sites/{id}/hours/undo": "acb", "POST /api/spaces/{id}/hours/undo": "acb", "POST /api/hours/apply": "ac",
		"GET /api/badges": "acrd", "GET /api/badge-desk": "acrd", "POST /api/terminals/{id}/badges": "acrd", "GET /api/terminals/{id}/badges/{window}": "acrd", "PUT /api/badges/{id}": "ac",
		"GET /api/sites/{id}/pin": "acb", "PUT /api/sites/{id}/pin": "acb", "GET /api/spaces/{id}/pin": "acb", "PUT /api/spaces/{id}/pin": "acb",
		"GET /api/terminals/{id}/pin": "ac", "PUT /api/terminals/{id}/pin": "ac",
		"POST /api/badges/{id}/lost": "acr", "POST /api/badges/{id}/day": "acr", "GET /api/badges/{id}/export": "ad", "POST /api/badges/{id}/erase": "ad",
		"GET /api/badges-file": "acd", "POST /api/badges-file": "ac", "POST /api/sites/{id}/day-codes": "acr", "POST /api/sites/{id}/day-codes/{sheet}/cancel": "acr", "DELETE /api/sites/{id}/staff-badges/{badge}": "ac",
		"GET /api/sites/{id}/energy": "acrd", "GET /api/energy/figures": "acd", "PUT /api/energy/figures": "a",
		"GET /api/indicators": "acdo", "GET /api/indicators/export": "acdo",
		"GET /api/matters": "acr", "PUT /api/matters/{id}/taken": "acr", "GET /api/me/alerts": "acr", "PUT /api/me/alerts": "acr",
		"POST /api/terminals/{id}/help": "acbr", "PUT /api/sites/{id}/phone": "ac",
		"POST /api/bulk/preview": "acr", "POST /api/bulk": "acr", "GET /api/bulk": "acr", "GET /api/bulk/{bulk}": "acr",
		"GET /api/hooks": "a", "POST /api/hooks": "a", "PUT /api/hooks/{hook}": "a", "DELETE /api/hooks/{hook}": "a", "POST /api/hooks/{hook}/key": "a", "POST /api/hooks/{hook}/try": "a",
		"GET /api/sites": "ac", "PUT /api/sites/{id}": "ac", "PUT /api/sites/{id}/closed": "a", "PUT /api/spaces/{id}": "ac", "PUT /api/spaces/{id}/closed": "ac",
		"GET /api/sites-file": "ac", "POST /api/sites-file": "a", "DELETE /api/sites/{id}/enrol-codes/{code}": "ac", "PUT /api/terminals/{id}/place": "ac", "POST /api/terminals/{id}/revoke": "ac",
		"GET /api/help-places": "acrd", "PUT /api/help-places": "a", "PUT /api/sites/{id}/position": "ac", "GET /api/notices": "acrd", "GET /api/sites/{id}/notices": "acrd",
	}
}

func letter(r accounts.Role) string { return string(r[0]) }

func TestTableSaysWhatTheMatrixSays(t *testing.T) {
	want := matrix()
	for _, acc := range Table() {
		got := ""
		switch acc.Scope {
		case ScopeNone:
			got = "*"
			if len(acc.Roles) > 0 {
				t.Errorf("%s is public and names roles", acc.Pattern())
			}
		case ScopeSelf:
			got = "acbhrdo"
		default:
			for _, r := range acc.Roles {
				got += letter(r)
			}
		}
		if sorted(got) != sorted(want[acc.Pattern()]) {
			t.Errorf("%s: the table has %q, the matrix %q", acc.Pattern(), got, want[acc.Pattern()])
		}
		delete(want, acc.Pattern())
	}
	for p := range want {
		t.Errorf("%s is in the matrix only", p)
	}
}

func sorted(s string) string {
	b := []byte(s)
	slices.Sort(b)
	return string(b)
}

func TestNoPatternWithoutAccess(t *testing.T) {
	w := start(t)
	have := map[string]bool{}
	for _, p := range w.api.mux.patterns {
		have[p] = true
	}
	for _, acc := range Table() {
		if !have[acc.Pattern()] {
			t.Errorf("%s has an access and is not served", acc.Pattern())
		}
		delete(have, acc.Pattern())
	}
	for p := range have {
		t.Errorf("%s is served without an access", p)
	}
	if err := register(w.api, "forgotten", "", 200, w.api.me); err == nil {
		t.Error("an operation without an access is registered")
	}
	if err := w.api.plain(opMe, http.NotFoundHandler()); err == nil {
		t.Error("a plain handler takes a route that is not public")
	}
}

// TestEveryRouteRoleAndScope asks each route as nobody, and in each role on the
// site, on another one and on all of them.
func TestEveryRouteRoleAndScope(t *testing.T) {
	w := start(t)
	allowed := matrix()
	type who struct {
		role   accounts.Role
		where  string // "", a, b
		cookie string
		key    string // of a program, without a cookie
	}
	people := []who{{}}
	for _, r := range accounts.Roles() {
		people = append(people, who{r, "a", w.as(r, "a"), ""}, who{r, "b", w.as(r, "b"), ""}, who{r, "", w.as(r), ""})
		if r != accounts.Head { // no program agrees in their name
			people = append(people, who{r, "a", "", w.key(r, "a")}, who{r, "b", "", w.key(r, "b")}, who{r, "", "", w.key(r)})
		}
	}
	rules, hours := PolicyRequest{Own: []string{"hours"}, Policy: fresh()}, HoursRequest{Hours: fresh().Hours}
	web := PolicyRequest{Own: []string{"web"}, Policy: fresh()}
	look := PreviewRequest{Hours: fresh().Hours, From: "2026-03-02", Days: 7}
	someone := AccountRequest{Name: "Lou", Role: "observer", All: true, Sites: []string{}, Groups: []string{}}
	bodies := map[string]any{
		"POST /api/login/passkey": PasskeyAnswer{Response: "{}"}, "POST /api/me/passkeys": PasskeyRequest{Name: "x", Response: "{}"}, "PUT /api/me/passkeys/{key}": PasskeyName{Name: "x"},
		"POST /api/login/link":              LoginRequest{Token: strings.Repeat("x", 22)},
		"POST /api/terminals/{id}/commands": CommandRequest{Kind: "awake", Minutes: 60},
		"POST /api/spaces/{id}/awake":       AwakeRequest{Minutes: 60},
		"POST /api/sites/{id}/enrol-codes":  EnrolRequest{Space: "a-hall", Replace: "a-1"},
		"PUT /api/sites/{id}/policy":        rules, "PUT /api/spaces/{id}/policy": rules,
		"PUT /api/policy": web, "PUT /api/terminals/{id}/policy": web, "POST /api/policy/preview": web, "POST /api/sites/{id}/policy/preview": web,
		"POST /api/spaces/{id}/policy/preview": web, "POST /api/terminals/{id}/policy/preview": web,
		"POST /api/policy/rollout": RolloutRequest{Action: "hold"}, "POST /api/groups/{id}/policy/rollout": RolloutRequest{Action: "hold"}, "POST /api/sites/{id}/policy/rollout": RolloutRequest{Action: "hold"}, "POST /api/spaces/{id}/policy/rollout": RolloutRequest{Action: "hold"},
		"POST /api/policy/undo": UndoRequest{ID: "v-global"}, "POST /api/sites/{id}/policy/undo": UndoRequest{ID: "v-a"},
		"POST /api/groups": GroupRequest{Name: "Chablais", Sites: []string{"a"}}, "PUT /api/groups/{id}": GroupRequest{Name: "Tous", Sites: []string{"a", "b"}}, "PUT /api/groups/{id}/policy": web, "POST /api/groups/{id}/policy/preview": web,
		"POST /api/groups/{id}/policy/undo": UndoRequest{ID: "v-g-ab"},
		"POST /api/spaces/{id}/policy/undo": UndoRequest{ID: "v-a-hall"}, "POST /api/terminals/{id}/policy/undo": UndoRequest{ID: "v-a-1"},
		"PUT /api/sites/{id}/hours": hours, "PUT /api/spaces/{id}/hours": hours,
		"POST /api/sites/{id}/hours/preview": look, "POST /api/spaces/{id}/hours/preview": look,
		"POST /api/sites/{id}/hours/undo": UndoRequest{ID: "h-a"}, "POST /api/spaces/{id}/hours/undo": UndoRequest{ID: "h-a-hall"},
		"POST /api/accounts": InviteRequest{AccountRequest: someone, How: "link"}, "PUT /api/accounts/{id}": someone, "POST /api/accounts/{id}/link": LinkRequest{How: "link"},
		"POST /api/tokens":          TokenRequest{Name: "Export", Role: "observer", All: true, Sites: []string{}, Groups: []string{}, Days: 30},
		"POST /api/agreements/view": ConsentToken{Token: strings.Repeat("x", 22)}, "POST /api/agreements/answer": ConsentAnswer{Token: strings.Repeat("x", 22), Answer: "accepted"},
		"POST /api/sites/{id}/agreements/{agreement}/answer": ConsentDecision{Answer: "accepted"},
		"POST /api/hours/apply":                              ApplyRequest{Hours: fresh().Hours, Sites: []string{"a"}},
		"POST /api/terminals/{id}/prints/{job}":              PrintOrder{Action: "release"}, "POST /api/prints/{id}/decision": PrintDecision{Reason: "panne"},
		"PUT /api/matters/{id}/taken": TakeRequest{}, "PUT /api/me/alerts": AlertsRequest{Level: "soon", Sites: []string{}},
		"POST /api/terminals/{id}/help": HelpAnswer{Call: aCall, Done: true}, "PUT /api/sites/{id}/phone": PhoneRequest{Phone: "04 50 00 00 00"},
		"POST /api/bulk/preview": BulkRequest{Kind: "identify", Sites: []string{}, Spaces: []string{}, Terminals: []string{"a-1"}}, "POST /api/bulk": BulkOrder{BulkRequest: BulkRequest{Kind: "identify", Sites: []string{}, Spaces: []string{}, Terminals: []string{"a-1"}}, Fingerprint: "x"},
		"POST /api/hooks": aHook(), "PUT /api/hooks/{hook}": aHook(),
		"PUT /api/energy/figures":        EnergyFiguresRequest{Price: 0.2, Models: report.DefaultFigures().Models},
		"POST /api/terminals/{id}/pages": PagesRequest{Session: "sa", Pages: 1, Reason: "dossier"},
		"PUT /api/calendars/{zone}":      calendarFile, "POST /api/calendars/{zone}/fetch": FetchRequest{Address: "https://calendar.example/"},
		"POST /api/terminals/{id}/badges": WindowRequest{Action: "find"}, "PUT /api/badges/{id}": BadgeChange{Sites: []string{}},
		"POST /api/badges/{id}/lost": BadgeLost{}, "POST /api/badges/{id}/day": BadgeDay{}, "POST /api/badges-file": BadgesImport{CSV: "numero;groupe;lieux;expire;etat\n"},
		"POST /api/sites/{id}/day-codes": CodesRequest{N: 1},
		"POST /api/requisitions":         holdOf("a"), "PUT /api/traffic": TrafficRequest{Day: "2026-03-01", Reference: "DEC-1"},
		"PUT /api/sites/{id}/pin": PINRequest{What: "inherit"}, "PUT /api/spaces/{id}/pin": PINRequest{What: "inherit"}, "PUT /api/terminals/{id}/pin": PINRequest{What: "none"},
		"PUT /api/help-places": placesFile, "PUT /api/sites/{id}/position": map[string]any{"lat": 45.9, "lon": 6.1},
		"POST /api/hours/osm": OSMRequest{Text: "Mo-Fr 08:00-12:00"},
		"POST /api/sites":     SiteRequest{Name: "PMS", Kind: "pms", Commune: "Cluses"},
		"PUT /api/sites/{id}": SiteRequest{Name: "Collège a", Kind: "college", Commune: "Annecy", Phone: "04 50 00 00 01"}, "PUT /api/sites/{id}/closed": ClosedRequest{}, "PUT /api/spaces/{id}": SpaceRequest{Name: "Hall"}, "PUT /api/spaces/{id}/closed": ClosedRequest{},
		"POST /api/sites-file": SitesImport{CSV: "nom;type;commune\nPMS Arve;pms;Cluses\n"}, "PUT /api/terminals/{id}/place": PlaceRequest{Name: "Poste 1", Space: "a-hall"},
		"POST /api/sites/{id}/spaces": SpaceRequest{Name: "Salle"}, "POST /api/sites/{id}/certificates": CertificateRequest{Month: "2026-03"},
	}
	ids := map[Scope]string{ScopeSite: "a", ScopeSpace: "a-hall", ScopeTerminal: "a-1", ScopeReceipt: "r-a", ScopePrint: "j-a", ScopeMatter: "m-a", ScopeBadge: numberA}
	// There is no provider here, and no passkey: their own tests have them.
	lacking := map[string]bool{opOIDC: true, opPasskey: true, opAddPasskey: true, opNamePasskey: true, opDropPasskey: true, opDropHook: true, opBulkPlan: true, opBulk: true, opBulkOne: true,
		opAllRollout: true, opSiteRollout: true, opSpaceRollout: true, opGroupRollout: true} // nothing is under way
	for _, op := range []string{opConsent, opAnswerConsent, opAskConsent, opDecideConsent, opRevokeToken, opCancelEnrol} {
		lacking[op] = true // nobody was asked: consents_test.go has them
	}
	n := 0
	for op, acc := range Table() {
		if op == opLive || op == opLogout {
			continue // the feed does not end, and a logout would end the others: both below
		}
		w.later(time.Second) // for the pace of the keys
		for _, p := range people {
			path := strings.NewReplacer("{document}", "registre", "{key}", "none", "{hook}", w.hooked(), "{bulk}", "none", "{zone}", "A", "{id}", ids[acc.Scope], "{job}", "w1", "{window}", "w-a", "{sheet}", "sheet-a", "{agreement}", "none", "{token}", "none", "{code}", "none", "{hold}", "hold-a", "{badge}", "staff-a").Replace(acc.Path)
			if op == opPrintDecide {
				w.doubtful() // whoever came before has decided
			}
			w.badged()
			w.asked() // whoever came before has confirmed or lifted it
			layer := ids[acc.Scope]
			if strings.HasPrefix(acc.Path, "/api/groups/{id}") {
				w.grouped("g-ab", "a", "b")
				path, layer = strings.Replace(acc.Path, "{id}", "g-ab", 1), "g-ab"
			}
			if strings.HasPrefix(acc.Path, "/api/policy") {
				layer = store.PolicyGlobal
			}
			match := w.rev(layer)
			if op == opPutGroup || op == opDropGroup {
				match = w.rowRev(store.KindSiteGroup, "g-ab")
			}
			body := bodies[acc.Pattern()]
			switch op {
			case opPutAccount, opDropAccount, opAccountLink:
				id := w.somebody()
				path, match = strings.Replace(acc.Path, "{id}", id, 1), w.rowRev(store.KindUser, id)
			case opPutFigures:
				match = w.do(p.cookie, "GET", "/api/energy/figures", nil, "Authorization", bearer(p.key)).Header.Get("ETag")
			case opPutSiteCard:
				match = w.rowRev(store.KindSite, "a")
			case opPutSpaceCard:
				match = w.rowRev(store.KindSpace, "a-hall")
			case opCreateSite:
				body = SiteRequest{Name: fmt.Sprintf("PMS %d", n), Kind: "pms", Commune: "Cluses"}
			case opCreateSpace:
				body = SpaceRequest{Name: fmt.Sprintf("Salle %d", n)}
			case opCreateGroup:
				body = GroupRequest{Name: fmt.Sprintf("Groupe %d", n), Sites: []string{"a"}}
			case opBadgeRights, opPutHook:
				match = w.tag(op)
			}
			if !Versioned(op) {
				match = ""
			}
			a := w.ask(p.cookie, p.key, acc.Method, path, body, "If-Match", match)
			roles := allowed[acc.Pattern()]
			located := ids[acc.Scope] != ""
			want := "ok"
			switch {
			case roles == "*":
			case p.role == "":
				want = "401"
			case p.key != "" && closedToKeys(acc): // whatever the role
				want = "403"
			case !strings.Contains(roles, letter(p.role)), located && p.where == "b", acc.Scope == ScopeAll && p.where != "":
				want = "403"
			}
			got := "ok"
			switch {
			case a.StatusCode == 401 && op != opLogin && op != opPasskey:
				got = "401"
			case a.StatusCode == 403:
				got = "403"
			case a.StatusCode >= 400 && op != opLogin && !lacking[op]:
				got = a.Status + " " + string(a.body)
			}
			if got != want {
				t.Errorf("%s as %q on %q: %s, want %s", acc.Pattern(), p.role, p.where, got, want)
			}
			n++
		}
	}
	if n < 20*19 {
		t.Errorf("only %d requests were made", n)
	}
	for _, path := range []string{"/api/live", "/api/logout"} {
		method := map[string]string{"/api/live": "GET", "/api/logout": "POST"}[path]
		if a := w.do("", method, path, nil); a.StatusCode != 401 {
			t.Errorf("%s as nobody: %s", path, a.Status)
		}
	}
	if p := people[1]; w.do(p.cookie, "POST", "/api/logout", nil).StatusCode != 200 || w.do(p.cookie, "GET", "/api/me", nil).StatusCode != 401 {
		t.Error("after a logout the cookie still opens")
	}
}

func TestUnknownScopeOpensNothing(t *testing.T) {
	root := accounts.Person{ID: "u", Role: accounts.Administrator}
	for _, s := range []Scope{"", "new", ScopeNone} {
		if allowed(Access{Scope: s, Roles: accounts.Roles()}, root, "a") {
			t.Errorf("scope %q lets somebody in", s)
		}
	}
	if allowed(Access{Scope: ScopeSite, Roles: accounts.Roles()}, root, "") {
		t.Error("a row without a site opens to whoever has all sites")
	}
}

func TestOtherSitesAreNotThere(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Correspondant, "a")
	f := decode[Fleet](t, w.do(cookie, "GET", "/api/fleet", nil), 200)
	if len(f.Sites) != 1 || f.Sites[0].ID != "a" || len(f.Sites[0].Spaces) != 1 || len(f.Sites[0].Spaces[0].Terminals) != 1 {
		t.Errorf("the fleet of site a's correspondant: %+v", f)
	}
	for _, path := range []string{"/api/terminals/none", "/api/receipts/none", "/api/spaces/none/policy", "/api/sites/none/report"} {
		if a := w.do(cookie, "GET", path, nil); a.StatusCode != 404 {
			t.Errorf("%s: %s", path, a.Status)
		}
	}
	// A dpo of one site reads that site's deeds in the audit, and their own.
	if _, err := w.api.createSite(contextOf(accounts.Person{ID: "x"}), &siteIn{Body: SiteRequest{Name: "Autre", Kind: "pms", Commune: "Cluses"}}); err != nil {
		t.Fatal(err)
	}
	p := decode[AuditPage](t, w.do(w.as(accounts.DPO, "a"), "GET", "/api/audit", nil), 200)
	for _, e := range p.Entries {
		if e.Site != "a" && e.Action != "login" {
			t.Errorf("site a's dpo reads %+v", e)
		}
	}
	if all := decode[AuditPage](t, w.do(w.as(accounts.DPO), "GET", "/api/audit", nil), 200); len(all.Entries) <= len(p.Entries) {
		t.Errorf("the whole audit has %d entries, one site's %d", len(all.Entries), len(p.Entries))
	}
}

// TestAKeyStaysWithinItsSites also where the answer is a list, and opens neither the
// page's feed nor the way out, which the walk over all routes leaves out.
func TestAKeyStaysWithinItsSites(t *testing.T) {
	w := start(t)
	foreign := func(body []byte) bool { // of site b, by its name or its terminal's
		return strings.Contains(string(body), "Collège b") || strings.Contains(string(body), `"b-1"`) || strings.Contains(string(body), `"b"`)
	}
	one, all := bearer(w.key(accounts.Correspondant, "a")), bearer(w.key(accounts.Correspondant))
	for _, path := range []string{"/api/fleet", "/api/matters", "/api/prints", "/api/sites", "/api/badges", "/api/badge-desk"} {
		mine := w.do("", "GET", path, nil, "Authorization", one)
		every := w.do("", "GET", path, nil, "Authorization", all)
		if mine.StatusCode != 200 || every.StatusCode != 200 {
			t.Errorf("%s: %s %s, and of all %s", path, mine.Status, mine.body, every.Status)
		}
		if foreign(mine.body) {
			t.Errorf("%s tells a key of site a of site b: %s", path, mine.body)
		}
		if path != "/api/badges" && !foreign(every.body) { // there is no badge
			t.Errorf("%s tells a key of all sites nothing of b: %s", path, every.body)
		}
	}
	for _, r := range [][2]string{{"GET", "/api/live"}, {"POST", "/api/logout"}} {
		if a := w.do("", r[0], r[1], nil, "Authorization", all); a.StatusCode != 403 {
			t.Errorf("%s %s with a key: %s", r[0], r[1], a.Status)
		}
	}
}

func contextOf(p accounts.Person) context.Context {
	return context.WithValue(context.Background(), personKey{}, p)
}

// closedToKeys says a second time, by hand, where no program's key opens
// anything: what concerns accounts and keys, whoever asks, a head's word, holds,
// traffic data, and the page's own feed.
func closedToKeys(acc Access) bool {
	if strings.HasSuffix(acc.Path, "/agreements/{agreement}/answer") {
		return true
	}
	for _, path := range []string{"/api/me/", "/api/logout", "/api/accounts", "/api/tokens", "/api/live", "/api/traffic", "/api/requisitions"} {
		if strings.HasPrefix(acc.Path, path) && (path != "/api/requisitions" || acc.Method != http.MethodGet) {
			return true
		}
	}
	return acc.Scope == ScopeSelf && acc.Path != "/api/me"
}
