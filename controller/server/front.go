package server

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"borne/controller/api"
	"borne/controller/config"
	"borne/controller/proxy"
)

// front is what people reach the console by: its certificate, and the proxies before
// it.
type front struct {
	cfg     config.Config
	trust   proxy.Trust
	tls     *tls.Config // nil: plain HTTP, on loopback or a socket
	manager *autocert.Manager
	asked   *asked
	last    atomic.Pointer[x509.Certificate] // that was shown last
	missing atomic.Bool                      // the authority was asked, and gave none
}

func acmeDir(state string) string { return filepath.Join(state, "acme") }

// newFront opens the console's certificate, or gets ready to ask for one.
func newFront(c config.Config) (*front, error) {
	f := &front{cfg: c, trust: proxy.Trust{Networks: c.Proxies, Socket: c.Console.Socket() != ""}}
	var err error
	switch {
	case c.ACME.Directory != "":
		if f.manager, err = newACME(c); err != nil {
			return nil, err
		}
		f.tls = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1", acme.ALPNProto}}
		f.asked = &asked{get: f.manager.GetCertificate, host: c.Console.Host(), now: time.Now}
		f.tls.GetCertificate = f.asked.certificate
	case c.Console.Cert != "":
		if f.tls, err = pair(c.Console.Cert, c.Console.Key); err != nil {
			return nil, err
		}
	default:
		return f, nil
	}
	get := f.tls.GetCertificate
	f.tls.GetCertificate = func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		cert, err := get(h)
		if err == nil && !proves(h) {
			f.shown(cert)
		}
		return cert, err
	}
	return f, nil
}

// newACME asks one authority, for one name, and keeps what it gets in the state
// folder. A key that others could read is refused there by its mode.
func newACME(c config.Config) (*autocert.Manager, error) {
	a := c.ACME
	roots, err := rootsOf(a.CA)
	if err != nil {
		return nil, err
	}
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}, TLSHandshakeTimeout: 20 * time.Second, ResponseHeaderTimeout: 30 * time.Second, MaxResponseHeaderBytes: 64 << 10}
	m := &autocert.Manager{Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(acmeDir(c.State)), HostPolicy: onlyFor(c.Console.Host()), Email: a.Email,
		Client: &acme.Client{DirectoryURL: a.Directory, UserAgent: "borne-controller", HTTPClient: &http.Client{Transport: newOrders(t), Timeout: time.Minute}}}
	if a.KeyID != "" {
		text, err := secret(a.KeyFile)
		var key []byte
		if err == nil {
			key, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
		}
		if err == nil && len(key) < 16 {
			err = errors.New("it is too short")
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read the external account's key (acme.eab_key_file): %w", err)
		}
		m.ExternalAccountBinding = &acme.ExternalAccountBinding{KID: a.KeyID, Key: key}
	}
	return m, nil
}

// onlyFor is the one name that a certificate is asked for, whatever others are tried.
func onlyFor(name string) autocert.HostPolicy {
	one := autocert.HostWhitelist(name)
	return func(ctx context.Context, host string) error {
		if h, _, err := net.SplitHostPort(host); err == nil { // over HTTP it may have a port
			host = h
		}
		return one(ctx, host)
	}
}

// rootsOf reads who vouches for another side; nil: the system's authorities.
func rootsOf(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("cannot read who vouches for the ACME authority: %w", err)
	}
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(b) {
		return nil, fmt.Errorf("cannot use %s: it holds no CERTIFICATE", file)
	}
	return p, nil
}

// plainHTTP answers the authority, and sends everybody else to the console's address
// as it is configured.
func (f *front) plainHTTP() http.Handler {
	return f.manager.HTTPHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			http.Error(w, "use the console's address", http.StatusForbidden)
			return
		}
		w.Header().Set("Connection", "close")
		http.Redirect(w, r, f.cfg.Console.URL+"/", http.StatusFound)
	}))
}

// listen is the console's listener: a port, or a socket that a proxy opens.
func (f *front) listen() (net.Listener, error) {
	path := f.cfg.Console.Socket()
	if path == "" {
		return net.Listen("tcp", f.cfg.Console.Listen)
	}
	if fi, err := os.Lstat(path); err == nil && fi.Mode().Type() != fs.ModeSocket {
		return nil, fmt.Errorf("%s is there and is no socket", path)
	}
	// The store is open, so no other controller serves: one that is there was left.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	// The proxy is in this program's group; nobody else's word counts.
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	return ln, nil
}

// securityWarn is how long before its end somebody is told of security.txt.
const securityWarn = 30 * 24 * time.Hour

// checkSecurity tells whether security.txt ends soon, or lives longer than RFC 9116
// (section 2.5.5) recommends.
func checkSecurity(s config.Security, now time.Time) error {
	switch end := ends(s); {
	case len(s.Contact) == 0:
		return nil
	case now.After(end):
		return fmt.Errorf("security.txt ended on %s, and is no longer served: look at the contacts, then write a later day (security.expires)", s.Expires.Format(time.DateOnly))
	case end.Sub(now) < securityWarn:
		return fmt.Errorf("security.txt ends on %s: look at the contacts, then write a later day (security.expires)", s.Expires.Format(time.DateOnly))
	case end.Sub(now) > 366*24*time.Hour:
		return errors.New("security.txt ends more than a year from now: by then its contacts are old; write an earlier day (security.expires)")
	}
	return nil
}

func ends(s config.Security) time.Time { return s.Expires.Add(24*time.Hour - time.Second) }

// securityTxt is the file as RFC 9116 has it; nil for none, or when it ended: old
// contacts are worse than none (section 5.3).
func (k *core) securityTxt() []byte {
	c, s := k.cfg, k.cfg.Security
	if len(s.Contact) == 0 || k.now().After(ends(s)) {
		return nil
	}
	var b bytes.Buffer
	for _, to := range s.Contact {
		fmt.Fprintf(&b, "Contact: %s\n", to)
	}
	fmt.Fprintf(&b, "Expires: %s\n", ends(s).Format(time.RFC3339))
	if s.Policy != "" {
		fmt.Fprintf(&b, "Policy: %s\n", s.Policy)
	}
	if s.Languages != "" {
		fmt.Fprintf(&b, "Preferred-Languages: %s\n", s.Languages)
	}
	if c.Console.URL != "" {
		fmt.Fprintf(&b, "Canonical: %s/.well-known/security.txt\n", c.Console.URL)
	}
	return b.Bytes()
}

// originOf is the console's origin; empty where its address is not configured.
func originOf(c config.Config) string {
	if c.Console.URL == "" {
		return ""
	}
	return api.OriginOf(c.Console.URL)
}
