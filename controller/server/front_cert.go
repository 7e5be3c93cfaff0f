package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
)

// fetchRetry is how long a certificate that did not come is waited for: what is wrong
// is a name or a port, which somebody has to see to, and authorities count the tries.
const fetchRetry = 15 * time.Minute

// asked stands before who asks the authority for the console's certificate. Each
// handshake of anybody could be a try (autocert's own pause is a minute): after one that
// failed there is none for a while, and there is one certificate, whatever kinds of keys
// a client says that it knows. A renewal is not this one's: autocert pauses for half an
// hour or more after each that failed.
type asked struct {
	get  func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	host string
	now  func() time.Time

	mu    sync.Mutex
	err   error     // of the last try
	again time.Time // when there may be another one
}

// proves tells whether it is the authority that asks (TLS-ALPN-01, RFC 8737).
func proves(h *tls.ClientHelloInfo) bool {
	return len(h.SupportedProtos) == 1 && h.SupportedProtos[0] == acme.ALPNProto
}

// certificate answers one handshake.
func (a *asked) certificate(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if proves(h) || !strings.EqualFold(strings.TrimSuffix(h.ServerName, "."), a.host) {
		return a.get(h) // which asks for no other name
	}
	a.mu.Lock()
	err, again := a.err, a.again
	a.mu.Unlock()
	if err != nil && a.now().Before(again) {
		return nil, err
	}
	cert, err := a.get(helloOf(a.host)) // several that come at once share one try
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.err = err; err != nil {
		a.again = a.now().Add(fetchRetry)
	}
	return cert, err
}

// helloOf is a handshake of a client of today.
func helloOf(host string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: host, SupportedProtos: []string{"http/1.1"},
		CipherSuites: []uint16{tls.TLS_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256}, SupportedCurves: []tls.CurveID{tls.CurveP256}}
}

func (f *front) shown(c *tls.Certificate) {
	leaf := c.Leaf
	if leaf == nil && len(c.Certificate) > 0 {
		var err error
		if leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
			return // the other side says so louder
		}
	}
	if leaf != nil {
		f.last.Store(leaf)
		f.missing.Store(false)
	}
}

// life is that of the certificate that was shown last; missing, that the authority
// gives none.
func (f *front) life() (from, to time.Time, missing bool) {
	if leaf := f.last.Load(); leaf != nil {
		from, to = leaf.NotBefore, leaf.NotAfter
	}
	return from, to, f.missing.Load()
}

// expires is when the certificate that was shown last ends, in seconds since 1970; 0
// without one.
func (f *front) expires() int64 {
	if leaf := f.last.Load(); leaf != nil {
		return leaf.NotAfter.Unix()
	}
	return 0
}

// followCertificate looks at the console's certificate before somebody needs it, and
// again and again: one that was renewed, or that another program wrote, is known even
// where nobody connects. It asks an authority that gave none, and says why there is none.
func (s *Server) followCertificate(ctx context.Context) {
	if s.front.tls == nil {
		return
	}
	host := s.cfg.Console.Host()
	var known int64
	for {
		cert, err := s.front.tls.GetCertificate(helloOf(host))
		switch {
		case err != nil:
			s.front.missing.Store(true)
			s.log.Error("no certificate for the console: look whether the authority reaches this machine under its name", "name", host, "error", err)
		default:
			s.front.shown(cert)
			if at := s.front.expires(); at != known {
				known = at
				s.log.Info("the console has its certificate", "name", host, "until", time.Unix(at, 0).UTC().Format(time.RFC3339))
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(fetchRetry):
		}
	}
}
