package api

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"

	"github.com/danielgtaylor/huma/v2"

	"borne/controller/accounts"
	"borne/controller/oidc"
)

// LoginWays are the ways in that this controller offers, besides a one-time link.
type LoginWays struct {
	Provider string `json:"provider,omitempty" doc:"Name of the OpenID provider that lets people in; absent: none does"`
	Passkeys bool   `json:"passkeys" doc:"People log in with passkeys"`
}

// Elsewhere is an address of another party to go to.
type Elsewhere struct {
	Address string `json:"address,omitempty" doc:"Where the browser goes next; absent: nowhere"`
}

// away is an answer that also hands the browser a ticket.
type away struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      Elsewhere
}

// back is a redirect to the console.
type back struct {
	Status    int
	Location  string        `header:"Location"`
	SetCookie []http.Cookie `header:"Set-Cookie"`
}

// comeback is what another party sends the browser back with. Nothing of it is
// checked before the handler: whoever comes back is shown a page, not a problem.
type comeback struct{ query url.Values }

// Resolve implements huma.Resolver.
func (c *comeback) Resolve(hc huma.Context) []error {
	u := hc.URL()
	c.query = u.Query()
	return nil
}

type oidcReturn struct {
	comeback
	Plain  string `cookie:"borne-oidc"`
	Secure string `cookie:"__Host-borne-oidc"`
}

type outReturn struct {
	comeback
	Plain  string `cookie:"borne-out"`
	Secure string `cookie:"__Host-borne-out"`
}

func (a *API) loginWays(context.Context, *nothing) (*out[LoginWays], error) {
	return answer(LoginWays{Provider: a.ProviderName, Passkeys: a.Passkeys != nil}), nil
}

func errNoProvider() *problem {
	return newProblem(http.StatusNotFound, "Cette console n’a pas de fournisseur d’identité. Utilisez un lien de connexion.")
}

func (a *API) beginOIDC(ctx context.Context, _ *nothing) (*away, error) {
	if a.Provider == nil {
		return nil, errNoProvider()
	}
	attempt, address, err := a.Provider.Begin(ctx)
	if errors.Is(err, oidc.ErrUnavailable) {
		a.Log.Warn("no login at the provider", "error", err)
		return nil, newProblem(http.StatusBadGateway, a.ProviderName+" ne répond pas. Réessayez dans un instant, ou demandez un lien de connexion.")
	}
	if err != nil {
		return nil, a.fail(opOIDC, err)
	}
	ticket, err := a.tickets.seal("oidc", attempt)
	if err != nil {
		return nil, a.fail(opOIDC, err)
	}
	return &away{SetCookie: []http.Cookie{a.step("oidc", ticket)}, Body: Elsewhere{Address: address}}, nil
}

// endOIDC is where the provider sends people back to: into the console, or to
// its login page with a word for why not.
func (a *API) endOIDC(ctx context.Context, in *oidcReturn) (*back, error) {
	cookie, err := a.admitOIDC(ctx, a.ticket(in.Plain, in.Secure), in.query)
	to := &back{Status: http.StatusSeeOther, Location: "/", SetCookie: []http.Cookie{a.step("oidc", "")}}
	if err == nil {
		to.SetCookie = append(to.SetCookie, a.cookie(cookie, 0))
		return to, nil
	}
	why := "failed"
	for e, word := range map[error]string{errTicket: "expired", oidc.ErrCancelled: "cancelled", oidc.ErrRefused: "refused", oidc.ErrUnavailable: "unavailable",
		accounts.ErrUnknown: "unknown", accounts.ErrRate: "rate"} {
		if errors.Is(err, e) {
			why = word
		}
	}
	a.Log.Warn("no login by the provider", "why", why, "error", err)
	to.Location = "/#/login/" + why
	return to, nil
}

func (a *API) admitOIDC(ctx context.Context, ticket string, q url.Values) (cookie string, err error) {
	if a.Provider == nil {
		return "", errTicket
	}
	var attempt oidc.Attempt
	spend, err := a.tickets.open("oidc", ticket, &attempt)
	if err != nil {
		return "", err
	}
	who, err := a.Provider.Finish(ctx, attempt, q)
	if err != nil {
		return "", err
	}
	if !spend() {
		return "", errTicket
	}
	cookie, _, err = a.Accounts.LoginExternal(ctx, accounts.External{Issuer: who.Issuer, Subject: who.Subject, Email: who.Email, Verified: who.Verified, Token: who.IDToken}, address(ctx))
	return cookie, err
}

// leaveProvider is where somebody who came from the provider logs out there too.
func (a *API) leaveProvider(ctx context.Context, hint string) (address string, ticket []http.Cookie, err error) {
	if hint == "" || a.Provider == nil {
		return "", nil, nil
	}
	state := oidc.NewState()
	address, err = a.Provider.Logout(ctx, hint, state)
	if err != nil || address == "" {
		return "", nil, err
	}
	text, err := a.tickets.seal("out", state)
	if err != nil {
		return "", nil, err
	}
	return address, []http.Cookie{a.step("out", text)}, nil
}

// outOIDC is where the provider sends people back to after a logout. They are
// logged out here already, whatever comes: the state only tells whether it is the
// answer to this browser's logout.
func (a *API) outOIDC(_ context.Context, in *outReturn) (*back, error) {
	to := &back{Status: http.StatusSeeOther, Location: "/", SetCookie: []http.Cookie{a.step("out", "")}}
	var state string
	spend, err := a.tickets.open("out", a.ticket(in.Plain, in.Secure), &state)
	if err != nil || !spend() || subtle.ConstantTimeCompare([]byte(state), []byte(in.query.Get("state"))) != 1 {
		a.Log.Warn("a return from a logout that is not ours")
		return to, nil
	}
	to.Location = "/#/login/out"
	return to, nil
}
