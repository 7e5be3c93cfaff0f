package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/oidc"
	"borne/controller/oidc/oidctest"
	"borne/controller/store"
)

const origin = "http://127.0.0.1:9" // where the provider sends people back to: the test goes there itself

func (w *world) provider() {
	w.t.Helper()
	yes, no := true, false
	issuer := oidctest.Start(w.t, "../..", map[string]oidctest.Claims{
		"camille": {Email: "camille@example.fr", Verified: &yes}, "eve": {Email: "eve@example.fr", Verified: &yes},
		"sacha": {Email: "sacha@example.fr", Verified: &no}, "gone": {Email: "gone@example.fr", Verified: &yes},
	}, origin+OIDCReturn, origin+LogoutReturn)
	w.api.Provider = oidc.New(oidc.Config{Issuer: issuer, ClientID: oidctest.Client, ClientSecret: oidctest.Secret,
		Redirect: origin + OIDCReturn, LoggedOut: origin + LogoutReturn, Scopes: []string{"openid", "email"}})
	w.t.Cleanup(w.api.Provider.Close)
	w.api.ProviderName = "ProConnect"
}

func (w *world) account(name, email string) string {
	w.t.Helper()
	id, err := w.acc.Create(context.Background(), audit.Controller, accounts.NewUser{Name: name, Email: email, Role: accounts.DPO, All: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// begin starts a login; the cookie is the browser's.
func (w *world) begin() (address, ticket string) {
	w.t.Helper()
	a := w.do("", "POST", "/api/login/oidc", nil)
	e := decode[Elsewhere](w.t, a, 200)
	for _, c := range a.Cookies() {
		if c.Name == "borne-oidc" && c.HttpOnly && c.SameSite == http.SameSiteLaxMode {
			ticket = c.Value
		}
	}
	if ticket == "" {
		w.t.Fatalf("no ticket: %v", a.Cookies())
	}
	return e.Address, ticket
}

// comeBack follows the provider's redirect with a ticket, and returns where the
// console goes and the session's cookie.
func (w *world) comeBack(path, name, ticket string, q url.Values) (location, cookie string) {
	w.t.Helper()
	req, err := http.NewRequest("GET", w.URL+path+"?"+q.Encode(), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	if ticket != "" {
		req.AddCookie(&http.Cookie{Name: name, Value: ticket})
	}
	c := *w.Client()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err := c.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSeeOther {
		w.t.Fatalf("the return gives %s", res.Status)
	}
	cleared := false
	for _, k := range res.Cookies() {
		if k.Name == "borne" {
			cookie = k.Value
			if !k.HttpOnly || k.SameSite != http.SameSiteStrictMode {
				w.t.Errorf("the session's cookie is %v", k)
			}
		}
		cleared = cleared || k.Name == name && k.MaxAge < 0
	}
	if !cleared {
		w.t.Error("the ticket stays in the browser")
	}
	return res.Header.Get("Location"), cookie
}

func TestLoginByProvider(t *testing.T) {
	w := start(t)
	if p := decode[problemBody](t, w.do("", "POST", "/api/login/oidc", nil), 404); !strings.Contains(p.Detail, "lien") {
		t.Errorf("without a provider: %+v", p)
	}
	w.provider()
	if ways := decode[LoginWays](t, w.do("", "GET", "/api/login", nil), 200); ways.Provider != "ProConnect" {
		t.Errorf("the ways in are %+v", ways)
	}
	camille := w.account("Camille", "camille@example.fr")
	w.account("Sacha", "sacha@example.fr")
	if err := w.acc.Disable(context.Background(), audit.Controller, w.account("Gone", "gone@example.fr")); err != nil {
		t.Fatal(err)
	}
	const name = "borne-oidc"

	address, ticket := w.begin()
	q := oidctest.Login(t, address, "camille")
	location, cookie := w.comeBack(OIDCReturn, name, ticket, q)
	if location != "/" || cookie == "" {
		t.Fatalf("camille goes to %s", location)
	}
	if me := decode[Me](t, w.do(cookie, "GET", "/api/me", nil), 200); me.ID != camille || me.Role != "dpo" {
		t.Errorf("logged in as %+v", me)
	}
	if location, cookie := w.comeBack(OIDCReturn, name, ticket, q); location != "/#/login/refused" || cookie != "" {
		t.Errorf("the code again: %s %q", location, cookie)
	}

	for who, want := range map[string]string{"eve": "unknown", "gone": "unknown", "sacha": "unknown", "": "cancelled"} {
		address, ticket := w.begin()
		if location, cookie := w.comeBack(OIDCReturn, name, ticket, oidctest.Login(t, address, who)); location != "/#/login/"+want || cookie != "" {
			t.Errorf("%q goes to %s, %q; want %s", who, location, cookie, want)
		}
	}
	// Another browser's ticket, none, and one that was made for something else.
	address, ticket = w.begin()
	q = oidctest.Login(t, address, "camille")
	_, other := w.begin()
	forged, err := w.api.tickets.seal("out", oidc.Attempt{State: q.Get("state")})
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct{ ticket, want string }{"another browser": {other, "refused"}, "no browser": {"", "expired"}, "another purpose": {forged, "expired"}, "changed": {ticket[:len(ticket)-2] + "AA", "expired"}} {
		if location, cookie := w.comeBack(OIDCReturn, name, c.ticket, q); location != "/#/login/"+c.want || cookie != "" {
			t.Errorf("%s: %s %q", what, location, cookie)
		}
	}
	if location, cookie := w.comeBack(OIDCReturn, name, ticket, q); location != "/" || cookie == "" {
		t.Errorf("and the right one: %s", location)
	}

	a := w.do(cookie, "POST", "/api/logout", nil)
	e := decode[Elsewhere](t, a, 200)
	u, err := url.Parse(e.Address)
	if err != nil || u.Query().Get("id_token_hint") == "" || len(u.Query().Get("state")) < 32 || u.Query().Get("post_logout_redirect_uri") != origin+LogoutReturn {
		t.Fatalf("the logout goes to %s", e.Address)
	}
	if w.do(cookie, "GET", "/api/me", nil).StatusCode != 401 {
		t.Error("the session is still open")
	}
	out := ""
	for _, c := range a.Cookies() {
		if c.Name == "borne-out" {
			out = c.Value
		}
	}
	if location, _ := w.comeBack(LogoutReturn, "borne-out", out, url.Values{"state": {"another"}}); location != "/" {
		t.Errorf("another state: %s", location)
	}
	a = w.do(w.as(accounts.DPO), "POST", "/api/logout", nil)
	if e := decode[Elsewhere](t, a, 200); e.Address != "" {
		t.Errorf("whoever came by a link is sent to %s", e.Address)
	}
	if err := w.st.View(context.Background(), func(tx store.Tx) error {
		_, err := store.First(store.Find[store.Identity](tx, "user", camille))
		return err
	}); err != nil {
		t.Errorf("camille is not linked: %v", err)
	}
}

func TestTickets(t *testing.T) {
	now := t0
	k, err := newTickets(func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	text, err := k.seal("a", 7)
	if err != nil {
		t.Fatal(err)
	}
	var v int
	spend, err := k.open("a", text, &v)
	if err != nil || v != 7 || !spend() || spend() {
		t.Errorf("a good ticket: %d, %v", v, err)
	}
	if _, err := k.open("b", text, &v); err == nil {
		t.Error("it opens another purpose")
	}
	other, _ := newTickets(k.now)
	if _, err := other.open("a", text, &v); err == nil {
		t.Error("another process opens it")
	}
	now = now.Add(ticketMinutes * time.Minute)
	if _, err := k.open("a", text, &v); err == nil {
		t.Error("it does not end")
	}
	if text, err = k.seal("a", 8); err != nil {
		t.Fatal(err)
	}
	if spend, err = k.open("a", text, &v); err != nil || !spend() || len(k.used) != 1 {
		t.Errorf("spent tickets stay: %d, %v", len(k.used), err)
	}
}

func FuzzTicket(f *testing.F) {
	k, err := newTickets(time.Now)
	if err != nil {
		f.Fatal(err)
	}
	good, err := k.seal("a", "x")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good[:len(good)-1])
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		var v string
		if _, err := k.open("a", text, &v); err == nil && strings.NewReplacer("\r", "", "\n", "").Replace(text) != good {
			t.Errorf("%q is taken for a ticket", text)
		}
	})
}
