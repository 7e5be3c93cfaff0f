package oidc_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"testing"

	"borne/controller/oidc"
	"borne/controller/oidc/oidctest"
)

const (
	back = "http://127.0.0.1:9/api/login/oidc/return"
	out  = "http://127.0.0.1:9/api/logout/return"
)

func yes() *bool { v := true; return &v }
func no() *bool  { v := false; return &v }

func people() map[string]oidctest.Claims {
	return map[string]oidctest.Claims{
		"camille": {Email: "camille@example.fr", Verified: yes()},
		"sacha":   {Email: "sacha@example.fr", Verified: no()},
		"agent":   {Email: "agent@example.gouv.fr"}, // ProConnect says nothing of verification
	}
}

func provider(t *testing.T, issuer string, change func(*oidc.Config)) *oidc.Provider {
	t.Helper()
	c := oidc.Config{Issuer: issuer, ClientID: oidctest.Client, ClientSecret: oidctest.Secret, Redirect: back, LoggedOut: out, Scopes: []string{"openid", "email"}}
	if change != nil {
		change(&c)
	}
	p := oidc.New(c)
	t.Cleanup(p.Close)
	return p
}

var ctx = context.Background()

// login goes there and back.
func login(t *testing.T, p *oidc.Provider, who string) (oidc.Attempt, url.Values) {
	t.Helper()
	a, address, err := p.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return a, oidctest.Login(t, address, who)
}

func TestRealProvider(t *testing.T) {
	issuer := oidctest.Start(t, "../..", people(), back, out)
	rsa := provider(t, issuer, nil)

	a, address, err := rsa.Begin(ctx)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for k := range u.Query() {
		names = append(names, k)
	}
	slices.Sort(names)
	if got, want := strings.Join(names, " "), "client_id code_challenge code_challenge_method nonce redirect_uri response_type scope state"; got != want {
		t.Errorf("the request has %s, want %s", got, want)
	}
	if len(a.State) < 32 || len(a.Nonce) < 32 || a.State == a.Nonce || u.Query().Get("code_challenge_method") != "S256" {
		t.Errorf("attempt %+v, request %s", a, address)
	}

	for name, change := range map[string]func(*oidc.Config){
		"RSA":   nil,
		"EC":    func(c *oidc.Config) { c.ClientID = oidctest.ClientEC },
		"plain": func(c *oidc.Config) { c.ClientID, c.JSON = oidctest.ClientJSON, true },
	} {
		p := provider(t, issuer, change)
		a, q := login(t, p, "camille")
		who, err := p.Finish(ctx, a, q)
		if err != nil || who.Subject != "camille" || who.Email != "camille@example.fr" || !who.Verified || who.Issuer != issuer || who.IDToken == "" {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
		if _, err := p.Finish(ctx, a, q); !errors.Is(err, oidc.ErrRefused) {
			t.Errorf("%s: the code again gives %v", name, err)
		}
	}

	vouched := provider(t, issuer, func(c *oidc.Config) { c.Vouched = true })
	for _, c := range []struct {
		p    *oidc.Provider
		who  string
		want bool
	}{{rsa, "sacha", false}, {rsa, "agent", false}, {vouched, "agent", true}} {
		a, q := login(t, c.p, c.who)
		if who, err := c.p.Finish(ctx, a, q); err != nil || who.Verified != c.want {
			t.Errorf("%s: %+v, %v; want verified %v", c.who, who, err, c.want)
		}
	}

	a, q := login(t, rsa, "camille")
	change := func(name, value string) url.Values {
		c := url.Values{}
		for k, v := range q {
			c[k] = slices.Clone(v)
		}
		c.Set(name, value)
		return c
	}
	other, verifier := a, a
	other.Nonce = strings.Repeat("n", 43)
	verifier.Verifier = strings.Repeat("v", 43)
	for name, c := range map[string]struct {
		a oidc.Attempt
		q url.Values
	}{
		"another state":           {a, change("state", strings.Repeat("s", 43))},
		"no state":                {a, change("state", "")},
		"no attempt":              {oidc.Attempt{}, change("state", "")},
		"another issuer":          {a, change("iss", "https://evil.example")},
		"no issuer":               {a, change("iss", "")},
		"no code":                 {a, change("code", "")},
		"a made-up code":          {a, change("code", "abc")},
		"a long code":             {a, change("code", strings.Repeat("c", 5000))},
		"an error of theirs":      {a, change("error", "server_error")},
		"two states":              {a, url.Values{"state": {a.State, a.State}, "code": q["code"], "iss": q["iss"]}},
		"somebody else's attempt": {verifier, q}, // PKCE: the provider knows which browser began
	} {
		if who, err := rsa.Finish(ctx, c.a, c.q); !errors.Is(err, oidc.ErrRefused) {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	a, q = login(t, rsa, "camille")
	a.Nonce = other.Nonce
	if who, err := rsa.Finish(ctx, a, q); !errors.Is(err, oidc.ErrRefused) || !strings.Contains(err.Error(), "nonce") {
		t.Errorf("another nonce: %+v, %v", who, err)
	}
	a, q = login(t, rsa, "")
	if who, err := rsa.Finish(ctx, a, q); !errors.Is(err, oidc.ErrCancelled) {
		t.Errorf("given up: %+v, %v", who, err)
	}
	// A code of one client is worth nothing to another.
	a, q = login(t, rsa, "camille")
	if who, err := provider(t, issuer, func(c *oidc.Config) { c.ClientID = oidctest.ClientEC }).Finish(ctx, a, q); !errors.Is(err, oidc.ErrRefused) {
		t.Errorf("another client's code: %+v, %v", who, err)
	}
	wrong := provider(t, issuer, func(c *oidc.Config) { c.ClientSecret = "wrong" })
	a, q = login(t, wrong, "camille")
	if who, err := wrong.Finish(ctx, a, q); !errors.Is(err, oidc.ErrRefused) {
		t.Errorf("a wrong secret: %+v, %v", who, err)
	}
	// Plain JSON, where signed userinfo is expected.
	strict := provider(t, issuer, func(c *oidc.Config) { c.ClientID = oidctest.ClientJSON })
	a, q = login(t, strict, "camille")
	if who, err := strict.Finish(ctx, a, q); !errors.Is(err, oidc.ErrRefused) || !strings.Contains(err.Error(), "application/json") {
		t.Errorf("plain userinfo: %+v, %v", who, err)
	}

	leave, err := rsa.Logout(ctx, "the.id.token", strings.Repeat("s", 32))
	if err != nil {
		t.Fatal(err)
	}
	u, _ = url.Parse(leave)
	if v := u.Query(); v.Get("id_token_hint") != "the.id.token" || v.Get("post_logout_redirect_uri") != out || len(v.Get("state")) != 32 || len(v) != 3 || !strings.HasPrefix(leave, issuer) {
		t.Errorf("the logout is %s", leave)
	}
}
