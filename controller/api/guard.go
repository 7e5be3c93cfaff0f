package api

import (
	"context"
	"errors"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

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
func (a *API) access(op string, acc Access) func(huma.Context, func(huma.Context)) {
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
		p, err := a.who(r, host)
		if err == nil && p.Token && forPeople(op, acc) {
			err = errForPeople()
		}
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

// who tells who asks: the program whose key comes along, or else the person whose
// cookie does. With a key no cookie counts.
func (a *API) who(r *http.Request, from string) (accounts.Person, error) {
	if h := r.Header.Get("Authorization"); h != "" {
		key, ok := strings.CutPrefix(h, "Bearer ")
		if !ok {
			return accounts.Person{}, errKey()
		}
		p, err := a.Accounts.Token(r.Context(), key, from)
		switch {
		case errors.Is(err, accounts.ErrRate):
			err = errRate()
		case errors.Is(err, accounts.ErrLogin):
			err = errKey()
		}
		return p, err
	}
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
	writeTo(hc, se)
}

func writeTo(hc huma.Context, p *problem) {
	_, w := humago.Unwrap(hc)
	writeProblem(w, p)
}

// guard stops what other sites' pages could make a browser send: unsafe methods
// need a header that no form can set, and the page's own origin.
func (a *API) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A proxy before this side may find another end in a request that has chunks and a
		// length (RFC 9112 section 6.1), and the next one is then whose? The console sends lengths.
		if len(r.TransferEncoding) > 0 {
			w.Header().Set("Connection", "close")
			writeProblem(w, newProblem(http.StatusLengthRequired, "La demande doit dire sa longueur (Content-Length)."))
			return
		}
		// Whoever watches the health asks by address. Everybody else uses the console's
		// name: under another one, of somebody else's, their pages would be its own origin.
		if !a.ours(r.Host) && r.URL.Path != a.table[opHealth].Path {
			writeProblem(w, newProblem(http.StatusMisdirectedRequest, "Cette adresse n’est pas celle de la console."))
			return
		}
		if h, pattern := a.mux.Handler(r); pattern == "" {
			nothing := &unheard{header: http.Header{}}
			h.ServeHTTP(nothing, r)
			p := errNotFound()
			if nothing.status == http.StatusMethodNotAllowed {
				p = newProblem(nothing.status, "Cette action n’existe pas à cette adresse.")
				w.Header().Set("Allow", nothing.header.Get("Allow"))
			}
			writeProblem(w, p)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			// No page makes a browser send a key along: a program that has one is no browser.
			if !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") && (r.Header.Get("X-Borne") != "1" || !a.sameOrigin(r)) {
				writeProblem(w, errCross())
				return
			}
			if p := content(r); p != nil {
				writeProblem(w, p)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// unheard takes the mux's own refusal, which is in English, for what it says.
type unheard struct {
	header http.Header
	status int
}

func (u *unheard) Header() http.Header         { return u.header }
func (u *unheard) Write(b []byte) (int, error) { return len(b), nil }
func (u *unheard) WriteHeader(status int)      { u.status = status }

// ours tells whether a host is the console's; any is, where its address is not
// configured.
func (a *API) ours(host string) bool {
	scheme, _, _ := strings.Cut(a.Origin, "://")
	return a.Origin == "" || OriginOf(scheme+"://"+host) == a.Origin
}

// OriginOf is the origin of an address as browsers write it: small letters, and
// without the port that its scheme has anyway (RFC 6454 section 6.2).
func OriginOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return ""
	}
	host := strings.ToLower(u.Host)
	if port := map[string]string{"http": ":80", "https": ":443"}[u.Scheme]; port != "" {
		host = strings.TrimSuffix(host, port)
	}
	return u.Scheme + "://" + host
}

// sameOrigin tells whether one of the console's own pages asks. Where the address is
// not configured, a proxy before this side may speak TLS: then hosts alone are
// compared.
func (a *API) sameOrigin(r *http.Request) bool {
	origin := r.Header.Get("Origin")
	same := origin != "" && origin == a.Origin
	if a.Origin == "" {
		same = origin == "https://"+r.Host || origin == "http://"+r.Host && !a.Secure
	}
	site := r.Header.Get("Sec-Fetch-Site")
	return same && (site == "" || site == "same-origin")
}

// content refuses a body in any other form than the console's: forms of other pages
// are sent as theirs without asking first, and what is compressed may be a bomb.
func content(r *http.Request) *problem {
	if r.Header.Get("Content-Encoding") != "" {
		return newProblem(http.StatusUnsupportedMediaType, "Les demandes compressées ne sont pas acceptées.")
	}
	if r.ContentLength == 0 {
		return nil
	}
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, extra := params["charset"], len(params)
	if charset != "" {
		extra--
	}
	if err != nil || kind != "application/json" && kind != "application/octet-stream" || extra > 0 || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return newProblem(http.StatusUnsupportedMediaType, "Le format de la demande doit être application/json.")
	}
	return nil
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
