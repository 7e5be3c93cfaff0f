package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"borne/controller/accounts"
	"borne/controller/directory"
	"borne/controller/store"
)

type personKey struct{}
type siteKey struct{}
type addressKey struct{}

// person returns who is logged in; access has made sure that somebody is.
func person(ctx context.Context) accounts.Person {
	p, _ := ctx.Value(personKey{}).(accounts.Person)
	return p
}

// siteOf returns the site that the access was checked on.
func siteOf(ctx context.Context) string {
	s, _ := ctx.Value(siteKey{}).(string)
	return s
}

func address(ctx context.Context) string {
	s, _ := ctx.Value(addressKey{}).(string)
	return s
}

// access checks one route's row of the table: who is asking, in which role, and
// on which site.
func (a *API) access(acc Access) func(huma.Context, func(huma.Context)) {
	return func(hc huma.Context, next func(huma.Context)) {
		r, _ := humago.Unwrap(hc)
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			host = r.RemoteAddr
		}
		hc = huma.WithValue(hc, addressKey{}, host)
		if acc.Scope == ScopeNone {
			next(hc)
			return
		}
		p, err := a.who(r)
		if err != nil {
			a.refuse(hc, err)
			return
		}
		site, err := a.locate(r.Context(), acc, hc.Param("id"))
		if err != nil {
			a.refuse(hc, err)
			return
		}
		if !allowed(acc, p, site) {
			a.refuse(hc, errForbidden())
			return
		}
		next(huma.WithValue(huma.WithValue(hc, personKey{}, p), siteKey{}, site))
	}
}

// allowed is the whole decision; it has no default that lets anybody in.
func allowed(acc Access, p accounts.Person, site string) bool {
	switch acc.Scope {
	case ScopeSelf:
		return p.ID != ""
	case ScopeAny:
		return slices.Contains(acc.Roles, p.Role)
	case ScopeAll:
		return p.Holds("", acc.Roles...)
	case ScopeSite, ScopeSpace, ScopeTerminal, ScopeReceipt, ScopePrint, ScopeBadge:
		return site != "" && p.Holds(site, acc.Roles...)
	case ScopeMatter:
		return p.Holds(site, acc.Roles...)
	}
	return false
}

func (a *API) who(r *http.Request) (accounts.Person, error) {
	c, err := r.Cookie(cookieName(a.Secure))
	if err != nil {
		return accounts.Person{}, errLogin()
	}
	p, err := a.Accounts.Authenticate(r.Context(), c.Value)
	if errors.Is(err, accounts.ErrLogin) {
		return accounts.Person{}, errLogin()
	}
	return p, err
}

// locate finds the site that the route's {id} belongs to.
func (a *API) locate(ctx context.Context, acc Access, id string) (site string, err error) {
	kind := map[Scope]store.Kind{ScopeSite: store.KindSite, ScopeSpace: store.KindSpace,
		ScopeTerminal: store.KindTerminal, ScopeReceipt: store.KindReceipt, ScopePrint: store.KindPrintJob, ScopeMatter: store.KindMatter, ScopeBadge: store.KindHolder}[acc.Scope]
	if kind == "" {
		return "", nil
	}
	if id == "" || len(id) > 200 {
		return "", errNotFound()
	}
	err = a.Store.View(ctx, func(tx store.Tx) error {
		if kind == store.KindHolder { // named by its printed number
			h, err := directory.Badge(tx, id)
			site = h.Site
			return err
		}
		m, _, err := tx.Get(kind, id)
		site = m.Site
		if kind == store.KindSite {
			site = m.ID
		}
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return "", errNotFound()
	}
	return site, err
}

func (a *API) refuse(hc huma.Context, err error) {
	var se *problem
	if !errors.As(err, &se) {
		a.Log.Error("request failed", "method", hc.Method(), "path", hc.Operation().Path, "error", err)
		se = errInternal()
	}
	_, w := humago.Unwrap(hc)
	writeProblem(w, se)
}

// guard stops what other sites' pages could make a browser send: unsafe methods
// need a header that no form can set, and the page's own origin.
func (a *API) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			if r.Header.Get("X-Borne") != "1" || !sameOrigin(r) {
				writeProblem(w, errCross())
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// sameOrigin compares hosts only: behind a TLS proxy this side sees plain HTTP.
func sameOrigin(r *http.Request) bool {
	u, err := url.Parse(r.Header.Get("Origin"))
	if err != nil || u.Host == "" || u.Host != r.Host {
		return false
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return site == "" || site == "same-origin"
}

// contentPolicy lets the console load its own files and nothing else, run no
// inline script, and be framed by nobody.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
	"connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func headers(secure bool, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		if secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		h.Set("Cache-Control", "no-store") // the files' handler says otherwise
		next.ServeHTTP(w, r)
	})
}
