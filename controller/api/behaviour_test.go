package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
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
	if !strings.Contains(p.Detail, "15 minutes") {
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

func TestPolicyIsInheritedAndGuarded(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Correspondant, "a")
	read := func(path string) (PolicyView, string) {
		a := w.do(cookie, "GET", path, nil)
		return decode[PolicyView](t, a, 200), a.Header.Get("ETag")
	}
	const site, space = "/api/sites/a/policy", "/api/spaces/a-hall/policy"
	v, tag := read(site)
	if v.Rev != 0 || tag != `"0"` || len(v.Own) != 0 || v.Policy.Session.Minutes != 45 {
		t.Fatalf("nothing was set: %+v", v)
	}
	v.Policy.Session.Minutes, v.Policy.Printing.PagesPerDay = 30, 77
	put := PolicyRequest{Own: []string{"session"}, Policy: v.Policy}
	if a := w.do(cookie, "PUT", site, put); a.StatusCode != 428 {
		t.Errorf("without If-Match: %s", a.Status)
	}
	a := w.do(cookie, "PUT", site, put, "If-Match", tag)
	if v = decode[PolicyView](t, a, 200); a.Header.Get("ETag") != `"1"` || v.Policy.Session.Minutes != 30 || v.Policy.Version == 0 || v.By == "" {
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

func TestBuildingStaffChangeHoursOnly(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Building, "a")
	p := fresh()
	p.Session.Minutes = 50
	put := func(own ...string) answered {
		return w.do(cookie, "PUT", "/api/sites/a/policy", PolicyRequest{Own: own, Policy: p}, "If-Match", w.rev("a"))
	}
	if a := put("hours", "session"); a.StatusCode != 403 {
		t.Errorf("session length by building staff: %s", a.Status)
	}
	if a := put("hours"); a.StatusCode != 200 {
		t.Errorf("hours by building staff: %s %s", a.Status, a.body)
	}
	decode[PolicyView](t, w.do(w.as(accounts.Administrator), "PUT", "/api/sites/a/policy", PolicyRequest{Own: []string{"hours", "session"}, Policy: p}, "If-Match", w.rev("a")), 200)
	if a := put("hours"); a.StatusCode != 403 {
		t.Errorf("dropping the session's section by building staff: %s", a.Status)
	}
}

func TestCommands(t *testing.T) {
	w := start(t)
	reception := w.as(accounts.Reception, "a")
	if a := w.do(reception, "POST", "/api/terminals/a-1/commands", CommandRequest{Kind: "quarantine"}); a.StatusCode != 403 {
		t.Errorf("quarantine by reception: %s", a.Status)
	}
	if a := w.do(reception, "POST", "/api/terminals/a-1/commands", CommandRequest{Kind: "message", Text: "  "}); a.StatusCode != 422 {
		t.Errorf("an empty message: %s", a.Status)
	}
	got := decode[Accepted](t, w.do(reception, "POST", "/api/terminals/a-1/commands", CommandRequest{Kind: "message", Text: " Bonjour ", Reason: "prévenir"}), 202)
	if got.ID != "cmd-1" || len(w.orders) != 1 || w.orders[0].Text != "Bonjour" || w.orders[0].Kind != wire.CmdMessage || w.orders[0].Terminal != "a-1" || w.orders[0].By == "" {
		t.Errorf("%+v, %+v", got, w.orders)
	}
	w.orderErr = fmt.Errorf("not now: %w", ErrRefused)
	if a := w.do(reception, "POST", "/api/terminals/a-1/commands", CommandRequest{Kind: "end"}); a.StatusCode != 409 {
		t.Errorf("a refused command: %s", a.Status)
	}
	l := decode[CommandPage](t, w.do(reception, "GET", "/api/terminals/a-1/commands", nil), 200)
	if len(l.Commands) != 1 || l.Commands[0].State != "done" {
		t.Errorf("%+v", l)
	}
}

func TestReceiptCheckByCheck(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.DPO)
	v := decode[ReceiptView](t, w.do(cookie, "GET", "/api/receipts/r-a", nil), 200)
	if v.Brief.WipeMS != 420 || len(v.Checks) != 1 || v.Checks[0].Before != 9 || v.Name != "Poste 1" || len(v.Digest) != 32 {
		t.Errorf("%+v", v)
	}
	if e := (wire.Envelope{Payload: v.Envelope.Payload}); !bytes.Equal(e.Digest(), v.Digest) {
		t.Error("the payload is not the bytes that were signed")
	}
}

func TestPages(t *testing.T) {
	w := start(t)
	err := w.st.Decide(context.Background(), func(tx store.Tx) error {
		for i := 1; i < 5; i++ { // one is there already
			at := t0.Add(time.Duration(i) * time.Minute)
			if err := put(tx, store.Meta{ID: store.TimeID(at, "x"), Site: "a", Scope: "a-1"}, store.SessionRow{Session: fmt.Sprint(i), Terminal: "a-1", Begun: at}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	cookie := w.as(accounts.Administrator)
	var seen []string
	before := ""
	for range 4 {
		p := decode[SessionPage](t, w.do(cookie, "GET", "/api/terminals/a-1/sessions?limit=2&before="+before, nil), 200)
		for _, s := range p.Sessions {
			seen = append(seen, s.ID)
		}
		if before = p.Next; before == "" {
			break
		}
	}
	if strings.Join(seen, " ") != "4 3 2 1 sa" {
		t.Errorf("pages give %v", seen)
	}
}

func TestEnrolCodes(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Correspondant, "a")
	c := decode[EnrolCode](t, w.do(cookie, "POST", "/api/sites/a/enrol-codes", EnrolRequest{Space: "a-hall", Name: "Poste 2"}), 201)
	secret, err := wire.ParseCode(c.Code)
	if err != nil {
		t.Fatal(err)
	}
	err = w.st.View(context.Background(), func(tx store.Tx) error {
		it, err := store.Get[store.EnrolCode](tx, wire.CodeID(secret))
		if err == nil && (!bytes.Equal(it.Row.Secret, secret) || it.Row.Expires.Sub(t0) != 15*time.Minute || it.Site != "a" || it.Row.By == "") {
			t.Errorf("%+v", it)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if c = decode[EnrolCode](t, w.do(cookie, "POST", "/api/sites/a/enrol-codes", EnrolRequest{Space: "a-hall", Replace: "a-1"}), 201); c.Terminal != "a-1" {
		t.Errorf("%+v", c)
	}
	for where, r := range map[string]EnrolRequest{
		"body.name": {Space: "a-hall", Name: "poste 1"}, "body.space": {Space: "b-hall", Name: "Poste 9"}, "body.replace": {Space: "a-hall", Replace: "b-1"},
	} {
		p := decode[problemBody](t, w.do(cookie, "POST", "/api/sites/a/enrol-codes", r), 422)
		if len(p.Errors) != 1 || p.Errors[0].Location != where {
			t.Errorf("%+v gives %+v", r, p)
		}
	}
	last := 0
	for range maxCodes {
		last = w.do(cookie, "POST", "/api/sites/a/enrol-codes", EnrolRequest{Space: "a-hall", Replace: "a-1"}).StatusCode
	}
	if last != 429 {
		t.Errorf("after %d codes: %d", maxCodes, last)
	}
}

func TestStates(t *testing.T) {
	on := func(phase, reason string) LiveState {
		return LiveState{Online: true, Status: wire.Status{Phase: phase, Reason: reason}}
	}
	for _, c := range []struct {
		row    store.TerminalState
		live   LiveState
		want   State
		reason string
	}{
		{store.StateWaiting, LiveState{}, Waiting, ""},
		{store.StateActive, LiveState{}, Offline, ""},
		{store.StateActive, LiveState{Status: wire.Status{Phase: "active"}}, Offline, ""},
		{store.StateActive, on("welcome", ""), Free, ""},
		{store.StateActive, on("thanks", ""), Free, ""},
		{store.StateActive, on("warning", ""), InUse, ""},
		{store.StateActive, on("wiping", ""), InUse, ""},
		{store.StateActive, on("closed", "closed"), Closed, "closed"},
		{store.StateActive, on("broken", "no-browser"), Out, "no-browser"},
		{store.StateActive, on("updating", ""), Out, "updating"},
		{store.StateActive, on("from-the-future", ""), Out, "from-the-future"},
		{store.StateQuarantined, on("welcome", ""), Quarantined, "clone"},
		{store.StateQuarantined, LiveState{}, Quarantined, "clone"},
		{store.StateRevoked, on("welcome", ""), Out, "revoked"},
	} {
		got, reason := StateOf(store.Terminal{State: c.row, Reason: "clone"}, c.live)
		if got != c.want || reason != c.reason {
			t.Errorf("%s, %+v: %s %q, want %s %q", c.row, c.live, got, reason, c.want, c.reason)
		}
	}
}

// TestIsolationThatIsShown: nothing measured yet is not "everything is missing",
// and a terminal that is away or starting shows what was measured last.
func TestIsolationThatIsShown(t *testing.T) {
	status := func(online bool, l wire.Level, missing ...string) LiveState {
		return LiveState{Online: online, Status: wire.Status{Phase: "starting", Level: l, Missing: missing}}
	}
	for name, c := range map[string]struct {
		state   store.TerminalState
		row     wire.Level
		kept    []string
		live    LiveState
		level   string
		missing []string
	}{
		"never measured":             {store.StateActive, "", []string{wire.PropUID}, LiveState{}, "", nil},
		"starting, never measured":   {store.StateActive, "", nil, status(true, "", "survey"), "", nil},
		"starting, full before":      {store.StateActive, wire.LevelFull, nil, status(true, ""), "full", nil},
		"away, full in its row":      {store.StateActive, wire.LevelFull, nil, LiveState{}, "full", nil},
		"away, full when last heard": {store.StateActive, wire.LevelReduced, []string{wire.PropUID}, status(false, wire.LevelFull), "full", nil},
		"away, reduced":              {store.StateActive, wire.LevelReduced, []string{wire.PropSwap}, LiveState{}, "reduced", []string{wire.PropSwap}},
		"here, reduced":              {store.StateActive, wire.LevelFull, nil, status(true, wire.LevelReduced, wire.PropSwap), "reduced", []string{wire.PropSwap}},
		"no machine yet":             {store.StateWaiting, wire.LevelReduced, []string{wire.PropUID}, LiveState{}, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t)
			err := w.st.Decide(t.Context(), func(tx store.Tx) error {
				return store.Update(tx, "a-1", func(it *store.Item[store.Terminal]) error {
					it.Row.State, it.Row.Level, it.Row.Missing = c.state, c.row, c.kept
					return nil
				})
			})
			if err != nil {
				t.Fatal(err)
			}
			w.live.set("a-1", c.live)
			f := decode[Fleet](t, w.do(w.as(accounts.Correspondant, "a"), "GET", "/api/fleet", nil), 200)
			if b := f.Sites[0].Spaces[0].Terminals[0]; b.Level != c.level || !slices.Equal(b.Missing, c.missing) || b.Missing == nil {
				t.Errorf("level %q, missing %#v", b.Level, b.Missing)
			}
		})
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

// events reads the feed's events, one after another.
func (w *world) events(t *testing.T, cookie string) (next func() (name, data string), closed func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	req, _ := http.NewRequestWithContext(ctx, "GET", w.URL+"/api/live", nil)
	req.AddCookie(&http.Cookie{Name: "borne", Value: cookie})
	res, err := w.Client().Do(req)
	if err != nil || res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%v, %v", err, res)
	}
	t.Cleanup(func() { cancel(); res.Body.Close() })
	lines := bufio.NewScanner(res.Body)
	return func() (name, data string) {
		for lines.Scan() {
			l := lines.Text()
			switch {
			case strings.HasPrefix(l, "event: "):
				name = l[7:]
			case strings.HasPrefix(l, "data: "):
				data = l[6:]
			case strings.HasPrefix(l, ":"):
				name = "heartbeat"
			case l == "" && name != "":
				return name, data
			}
		}
		return "end", ""
	}, cancel
}

func TestLiveFeed(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Reception, "a")
	next, _ := w.events(t, cookie)
	want := func(name, has string) {
		t.Helper()
		for {
			n, data := next()
			if n == "heartbeat" && name != n {
				continue
			}
			if n != name || !strings.Contains(data, has) {
				t.Fatalf("event %s %s, want %s with %s", n, data, name, has)
			}
			return
		}
	}
	want("hello", `"generation":3`)
	<-w.live.got
	// Only site a's terminals are told, and a burst is told once.
	w.live.set("b-1", LiveState{Online: true, Status: wire.Status{Phase: "welcome"}})
	w.live.set("a-1", LiveState{Online: true, Status: wire.Status{Phase: "welcome"}})
	w.live.set("a-1", LiveState{Online: true, Status: wire.Status{Phase: "active", Session: "s9", Left: 600}})
	want("terminal", `"id":"a-1"`)
	w.live.set("a-1", LiveState{})
	want("terminal", `"state":"offline"`)
	want("heartbeat", "")
	// Whoever fell behind is told to read everything anew.
	w.live.lag()
	want("hello", "time")
	<-w.live.got
	w.live.set("a-1", LiveState{Online: true, Status: wire.Status{Phase: "closed", Reason: "closed"}})
	want("terminal", `"reason":"closed"`)
	// After the logout nothing is told.
	if a := w.do(cookie, "POST", "/api/logout", nil); a.StatusCode != 204 {
		t.Fatal(a.Status)
	}
	want("end", "")
	if len(w.api.streams) != 0 {
		waitFor(t, func() bool { return len(w.api.streams) == 0 })
	}
}

func TestLiveFeedsAreBounded(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Observer)
	for range maxStreams {
		w.api.streams <- struct{}{}
	}
	if a := w.do(cookie, "GET", "/api/live", nil); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("one feed too many: %s", a.Status)
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
		time.Sleep(time.Millisecond)
	}
}
