// Package oidc logs people in at an OpenID provider: authorization code flow
// with PKCE, by the rules of ProConnect
// (https://github.com/numerique-gouv/proconnect-documentation): userinfo is a
// signed JWT, state and nonce have at least 32 characters, no parameter is sent
// that the provider does not list, and a logout is a redirect. Who may come in,
// and what they may do, is not decided here: a claim never gives a right.
package oidc

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Errors that callers tell apart. Each is wrapped around what is for the log.
var (
	ErrUnavailable = errors.New("the provider does not answer")
	ErrRefused     = errors.New("the provider's answer is refused")
	ErrCancelled   = errors.New("the person gave up at the provider")
)

const (
	answerWithin = 10 * time.Second // one request to the provider
	learnAgain   = 12 * time.Hour   // a provider may move its endpoints
	askAgain     = 5 * time.Second  // after it did not answer: people who wait behind one another are told at once
	maxAnswer    = 256 << 10        // bytes of one answer
	maxParam     = 4096             // bytes of one parameter of a return
	maxExchanges = 16               // at once: whoever knocks a lot makes us call no more than that
)

// algorithms are the signatures that are believed: asymmetric ones only. "none"
// is no signature, and with HS256 whoever has the client's secret could sign.
func algorithms() []string {
	return []string{goidc.RS256, goidc.RS384, goidc.RS512, goidc.PS256, goidc.PS384, goidc.PS512, goidc.ES256, goidc.ES384, goidc.ES512, goidc.EdDSA}
}

// Config is one provider, and this client of it.
type Config struct {
	Issuer       string
	ClientID     string
	ClientSecret string
	Redirect     string // where the provider sends people back after a login
	LoggedOut    string // where it sends them back after a logout
	Scopes       []string
	JSON         bool // userinfo may be plain JSON; else it is a signed JWT
	Vouched      bool // the provider vouches for every address, and sends no email_verified
	NoPKCE       bool // the provider refuses the parameter
	Transport    http.RoundTripper
	Now          func() time.Time
}

// Provider is an OpenID provider. It is asked what it offers at the first login
// only, so that a controller starts when the provider does not answer.
type Provider struct {
	cfg       Config
	client    *http.Client
	exchanges chan struct{}

	mu      sync.Mutex
	known   *known
	learned time.Time
	silent  error // why it did not answer
	asked   time.Time
}

// known is what the provider said of itself.
type known struct {
	oauth    oauth2.Config
	ids      *goidc.IDTokenVerifier
	infos    *goidc.IDTokenVerifier
	userinfo string
	logout   string
	issParam bool // RFC 9207
}

// New returns the provider; nothing is asked of it yet.
func New(c Config) *Provider {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Transport == nil {
		c.Transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	return &Provider{cfg: c, exchanges: make(chan struct{}, maxExchanges),
		client: &http.Client{Transport: limited{c.Transport}, Timeout: answerWithin,
			// A provider has no reason to send this client elsewhere.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// Close ends the connections that idle.
func (p *Provider) Close() { p.client.CloseIdleConnections() }

// Attempt is one login that began. It belongs to one browser, which must give it
// back unchanged, and has seen none of it.
type Attempt struct {
	State    string `json:"s"`
	Nonce    string `json:"n"`
	Verifier string `json:"v"`
}

// Begin starts a login: address is where the browser goes.
func (p *Provider) Begin(ctx context.Context) (a Attempt, address string, err error) {
	k, err := p.learn(ctx)
	if err != nil {
		return a, "", err
	}
	a = Attempt{State: random(), Nonce: random(), Verifier: oauth2.GenerateVerifier()}
	// Nothing but what ProConnect lists: it answers Y000400 to any other parameter.
	opts := []oauth2.AuthCodeOption{goidc.Nonce(a.Nonce)}
	if !p.cfg.NoPKCE {
		opts = append(opts, oauth2.S256ChallengeOption(a.Verifier))
	}
	return a, k.oauth.AuthCodeURL(a.State, opts...), nil
}

// Logout is where the browser goes to log out at the provider as well; "" when
// it offers none.
func (p *Provider) Logout(ctx context.Context, idToken, state string) (string, error) {
	k, err := p.learn(ctx)
	if err != nil || k.logout == "" {
		return "", err
	}
	u, err := url.Parse(k.logout)
	if err != nil {
		return "", fmt.Errorf("cannot log out at the provider: %w", err)
	}
	q := u.Query()
	q.Set("id_token_hint", idToken)
	q.Set("state", state)
	q.Set("post_logout_redirect_uri", p.cfg.LoggedOut)
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// NewState is a state for a logout.
func NewState() string { return random() }

// learn asks the provider what it offers, unless that is known.
func (p *Provider) learn(ctx context.Context) (*known, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.known != nil && p.cfg.Now().Sub(p.learned) < learnAgain {
		return p.known, nil
	}
	if p.known == nil && p.silent != nil && p.cfg.Now().Sub(p.asked) < askAgain {
		return nil, p.silent
	}
	k, err := p.ask(ctx)
	p.silent, p.asked = err, p.cfg.Now()
	switch {
	case err == nil:
		p.known, p.learned = k, p.asked
	case p.known != nil: // what it said before still holds
		p.learned = p.asked.Add(askAgain - learnAgain)
		return p.known, nil
	}
	return p.known, err
}

func (p *Provider) ask(ctx context.Context) (*known, error) {
	// The keys are fetched again when a new one signs, long after this request.
	own := goidc.ClientContext(context.WithoutCancel(ctx), p.client)
	own, cancel := context.WithTimeout(own, answerWithin)
	defer cancel()
	op, err := goidc.NewProvider(own, p.cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("cannot ask the provider what it offers: %w: %w", ErrUnavailable, err)
	}
	var more struct {
		Logout   string   `json:"end_session_endpoint"`
		Keys     string   `json:"jwks_uri"`
		Methods  []string `json:"token_endpoint_auth_methods_supported"`
		IssParam bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := op.Claims(&more); err != nil {
		return nil, fmt.Errorf("cannot read what the provider offers: %w: %w", ErrUnavailable, err)
	}
	endpoint := op.Endpoint()
	// Never tried both ways: a code works once.
	endpoint.AuthStyle = oauth2.AuthStyleInParams
	if len(more.Methods) > 0 && !slices.Contains(more.Methods, "client_secret_post") {
		endpoint.AuthStyle = oauth2.AuthStyleInHeader
	}
	for _, e := range []string{endpoint.AuthURL, endpoint.TokenURL, op.UserInfoEndpoint(), more.Keys} {
		if !safe(e) {
			return nil, fmt.Errorf("cannot use the provider's address %.200q: it is not https: %w", e, ErrUnavailable)
		}
	}
	if more.Logout != "" && !safe(more.Logout) {
		more.Logout = ""
	}
	keys := goidc.NewRemoteKeySet(goidc.ClientContext(context.Background(), p.client), more.Keys)
	verifier := func(skipExpiry bool) *goidc.IDTokenVerifier {
		return goidc.NewVerifier(p.cfg.Issuer, keys, &goidc.Config{ClientID: p.cfg.ClientID, SupportedSigningAlgs: algorithms(), SkipExpiryCheck: skipExpiry, Now: p.cfg.Now})
	}
	return &known{userinfo: op.UserInfoEndpoint(), logout: more.Logout, issParam: more.IssParam,
		ids: verifier(false), infos: verifier(true),
		oauth: oauth2.Config{ClientID: p.cfg.ClientID, ClientSecret: p.cfg.ClientSecret, Endpoint: endpoint, RedirectURL: p.cfg.Redirect, Scopes: p.cfg.Scopes}}, nil
}

// random has 43 characters: ProConnect asks for 32 at least.
func random() string {
	var b [32]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b[:])
}
