// Package fetch gets one public file over HTTPS, within limits, from an address
// that a person typed: nothing of the controller's own network may be reached
// that way.
package fetch

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Limits. A calendar is some hundred kilobytes.
const (
	within       = 30 * time.Second // for all of it, redirects included
	maxRedirects = 3
	maxAddress   = 1000
	maxMark      = 200
)

// Config is what a Fetcher needs.
type Config struct {
	MaxBytes int64
	Agent    string         // what it calls itself
	Proxy    *url.URL       // an HTTP proxy of the Département; nil: none
	Decides  bool           // the proxy alone finds the addresses of names, and refuses private networks
	Resolver *net.Resolver  // nil: the system's; who finds the addresses that a proxy connects to
	Private  bool           // addresses of private networks may be asked as well, and plain HTTP on loopback
	Roots    *x509.CertPool // nil: the system's
}

// Fetcher gets files. Close it.
type Fetcher struct {
	cfg    Config
	client *http.Client
	plain  *http.Transport
	trip   http.RoundTripper // plain, or what stands before it
}

// File is what came.
type File struct {
	Body           []byte
	ETag, Modified string // marks for the next time
	Same           bool   // the marks that were given still hold: there is no Body
}

// Error is why nothing came.
type Error struct {
	Sentence string // in French, for whoever typed the address
	Err      error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return "cannot fetch: " + e.Sentence
	}
	return fmt.Sprintf("cannot fetch: %s: %v", e.Sentence, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// French is the sentence.
func (e *Error) French() string { return e.Sentence }

var errPrivate = errors.New("the address is of a private network")

// New returns a fetcher.
func New(c Config) *Fetcher {
	f := &Fetcher{cfg: c}
	dialer := &net.Dialer{Timeout: 10 * time.Second, ControlContext: f.control}
	f.plain = &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 20 * time.Second,
		MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: c.Roots}}
	if c.Proxy != nil {
		f.plain.Proxy = http.ProxyURL(c.Proxy)
	}
	f.trip = f.plain
	if c.Proxy != nil && !c.Decides && !c.Private {
		f.trip = &pinned{plain: f.plain, names: cmp.Or(c.Resolver, net.DefaultResolver)}
	}
	f.client = &http.Client{Transport: f.trip, Timeout: within, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > maxRedirects {
			return &Error{Sentence: "L’adresse renvoie à une autre, puis à une autre encore : trop de renvois."}
		}
		return f.allowed(r.URL)
	}}
	return f
}

// Close lets go of connections.
func (f *Fetcher) Close() { f.plain.CloseIdleConnections() }

// control looks at the address that is really dialled, so that no name can lead
// inside by what it resolves to. A proxy is the administrator's own choice, and
// it is the proxy that dials then: pinned tells it where.
func (f *Fetcher) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	if f.cfg.Private || f.cfg.Proxy != nil {
		return nil
	}
	a, err := netip.ParseAddrPort(address)
	if err != nil || !public(a.Addr()) {
		return errPrivate
	}
	return nil
}

// special are networks that no public server is in, beside those that netip
// knows (RFC 6890, RFC 6052, RFC 3056).
func special() []netip.Prefix {
	var all []netip.Prefix
	for _, s := range []string{"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "fec0::/10"} {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

func public(a netip.Addr) bool {
	a = a.Unmap()
	if !a.IsGlobalUnicast() || a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast() || a.Zone() != "" {
		return false
	}
	for _, p := range special() {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

// Check tells whether an address may be asked at all.
func (f *Fetcher) Check(address string) error {
	_, err := f.parse(address)
	return err
}

func (f *Fetcher) parse(address string) (*url.URL, error) {
	if len(address) > maxAddress {
		return nil, &Error{Sentence: "L’adresse est trop longue."}
	}
	u, err := url.Parse(strings.TrimSpace(address))
	if err != nil {
		return nil, &Error{Sentence: "L’adresse n’est pas lisible. Elle commence par https://."}
	}
	return u, f.allowed(u)
}

func (f *Fetcher) allowed(u *url.URL) error {
	host := u.Hostname()
	ip, err := netip.ParseAddr(host)
	literal := err == nil
	here := host == "localhost" || literal && ip.Unmap().IsLoopback()
	switch {
	case u.Scheme != "https" && !(u.Scheme == "http" && f.cfg.Private && here) || host == "" || u.User != nil:
		return &Error{Sentence: "L’adresse doit commencer par https:// et nommer un serveur, sans mot de passe."}
	case f.cfg.Private:
		return nil
	case literal && !public(ip) || here:
		return &Error{Sentence: "Cette adresse est sur un réseau privé : elle n’est pas permise ici.", Err: errPrivate}
	case u.Port() != "" && u.Port() != "443":
		return &Error{Sentence: "Seul le port 443 est permis."}
	}
	return nil
}

// Get fetches an address. With the marks of the time before, a server that has
// nothing new says so instead of sending it again.
func (f *Fetcher) Get(ctx context.Context, address, etag, modified string) (File, error) {
	u, err := f.parse(address)
	if err != nil {
		return File{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return File{}, &Error{Sentence: "L’adresse n’est pas lisible. Elle commence par https://.", Err: err}
	}
	req.Header.Set("User-Agent", f.cfg.Agent)
	req.Header.Set("Accept", "text/calendar, application/json;q=0.9, */*;q=0.1")
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	if modified != "" {
		req.Header.Set("If-Modified-Since", modified)
	}
	res, err := f.client.Do(req)
	if err != nil {
		return File{}, told(err)
	}
	defer res.Body.Close()
	switch {
	case res.StatusCode == http.StatusNotModified && (etag != "" || modified != ""):
		return File{Same: true, ETag: etag, Modified: modified}, nil
	case res.StatusCode == http.StatusNotFound || res.StatusCode == http.StatusGone:
		return File{}, &Error{Sentence: "Il n’y a rien à cette adresse (réponse " + strconv.Itoa(res.StatusCode) + ")."}
	case res.StatusCode != http.StatusOK:
		return File{}, &Error{Sentence: "Cette adresse ne donne pas le fichier (réponse " + strconv.Itoa(res.StatusCode) + ")."}
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, f.cfg.MaxBytes+1))
	switch {
	case err != nil:
		return File{}, told(err)
	case int64(len(b)) > f.cfg.MaxBytes:
		return File{}, &Error{Sentence: fmt.Sprintf("Le fichier est trop gros : %d Mio au plus.", f.cfg.MaxBytes>>20)}
	}
	return File{Body: b, ETag: mark(res.Header.Get("ETag")), Modified: mark(res.Header.Get("Last-Modified"))}, nil
}

// mark keeps a mark that can be sent back.
func mark(s string) string {
	if len(s) > maxMark || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return ""
	}
	return s
}

// told says in words why a request failed.
func told(err error) error {
	var (
		mine *Error
		dns  *net.DNSError
		cert *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &mine):
		return mine
	case errors.Is(err, errPrivate):
		return &Error{"Cette adresse mène à un réseau privé : elle n’est pas permise ici.", err}
	case errors.As(err, &dns):
		return &Error{"Cette adresse n’existe pas, ou le contrôleur n’a pas accès à Internet.", err}
	case errors.As(err, &cert):
		return &Error{"Le certificat de cette adresse n’est pas reconnu.", err}
	case errors.Is(err, context.DeadlineExceeded) || timeout(err):
		return &Error{"L’adresse n’a pas répondu à temps.", err}
	}
	return &Error{"L’adresse n’a pas répondu.", err}
}

func timeout(err error) bool {
	var t net.Error
	return errors.As(err, &t) && t.Timeout()
}
