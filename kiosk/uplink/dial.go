package uplink

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// DialFunc opens a connection, as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, addr string) (net.Conn, error)

// Errors of the way to the controller.
var (
	ErrProxyAuth = errors.New("the proxy wants a user name and a password")
	ErrProxy     = errors.New("the proxy does not open the way")
	ErrRefused   = errors.New("the controller refuses this terminal's certificate")
)

// InterceptedError reports that somebody else answered in the controller's
// place: a filtering proxy that opens TLS.
type InterceptedError struct {
	Host   string // to exempt from filtering
	Issuer string // of the certificate seen: its name and organisation
}

func (e *InterceptedError) Error() string {
	return fmt.Sprintf("cannot trust the answer of %s: its certificate was made by %q, a filtering proxy that opens TLS; ask for %s to be exempted from TLS inspection",
		e.Host, e.Issuer, e.Host)
}

const (
	handshakeWithin = 20 * time.Second
	maxProxyHeader  = 16 << 10
)

// Route is the way to the controller.
type Route struct {
	Dial  DialFunc // nil: net.Dialer
	Proxy *url.URL // http://[user:password@]host:port, or nil
}

// endpoint reads a controller's address and returns it with its port.
func endpoint(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		return nil, fmt.Errorf("cannot read the controller's address: %w", err)
	}
	if u.Scheme != "https" || u.Hostname() == "" || u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("cannot use the controller's address %q: write https://host or https://host:port", s)
	}
	if u.Port() == "" {
		u.Host = net.JoinHostPort(u.Hostname(), "443")
	}
	return &url.URL{Scheme: "https", Host: u.Host}, nil
}

// CheckEndpoint tells whether s can be a controller's address.
func CheckEndpoint(s string) error {
	_, err := endpoint(s)
	return err
}

// Open connects to addr, through the proxy when there is one.
func (r Route) Open(ctx context.Context, addr string) (net.Conn, error) {
	dial := r.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: handshakeWithin}).DialContext
	}
	if r.Proxy == nil {
		c, err := dial(ctx, "tcp", addr)
		if err != nil {
			return nil, fmt.Errorf("cannot reach %s: %w", addr, err)
		}
		return c, nil
	}
	c, err := dial(ctx, "tcp", r.Proxy.Host)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the proxy %s: %w", r.Proxy.Host, err)
	}
	stop := context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })
	err = connect(c, addr, r.Proxy.User)
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("cannot reach %s through the proxy %s: %w", addr, r.Proxy.Host, err)
	}
	return c, nil
}

// connect asks the proxy at the other end of c for a tunnel (RFC 9110 §9.3.6).
func connect(c net.Conn, addr string, user *url.Userinfo) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\n", addr)
	if user != nil {
		pass, _ := user.Password()
		fmt.Fprintf(&b, "Proxy-Authorization: Basic %s\r\n", base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+pass)))
	}
	b.WriteString("\r\n")
	if _, err := c.Write(b.Bytes()); err != nil {
		return err
	}
	head, err := readHead(c)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProxy, err)
	}
	return tunnel(head)
}

// readHead reads up to the empty line, byte by byte: what follows belongs to
// the tunnel.
func readHead(c net.Conn) ([]byte, error) {
	head, one := make([]byte, 0, 512), make([]byte, 1)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		if len(head) >= maxProxyHeader {
			return nil, fmt.Errorf("its answer passes %d bytes", maxProxyHeader)
		}
		if _, err := c.Read(one); err != nil {
			return nil, fmt.Errorf("its answer stops early: %w", err)
		}
		head = append(head, one[0])
	}
	return head, nil
}

// tunnel tells whether the proxy's answer opens the tunnel.
func tunnel(head []byte) error {
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(head)), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return fmt.Errorf("%w: its answer is not HTTP", ErrProxy)
	}
	resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusProxyAuthRequired:
		return fmt.Errorf("%w; write it in the configuration, proxy = \"http://user:password@host:port\"", ErrProxyAuth)
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("%w: it answers %.60q", ErrProxy, resp.Status)
	}
	return nil
}

// trusted opens TLS 1.3 to the controller with both sides authenticated: its
// chain must lead to a pinned root at the time now.
func (r Route) trusted(ctx context.Context, id Identity, now time.Time) (*tls.Conn, error) {
	u, err := endpoint(id.Controller)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	for _, der := range id.Roots {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("cannot pin the root: %w", err)
		}
		roots.AddCert(c)
	}
	return r.handshake(ctx, u.Host, &tls.Config{
		MinVersion:   tls.VersionTLS13,
		ServerName:   id.ServerName,
		RootCAs:      roots,
		Certificates: []tls.Certificate{id.certificate()},
		Time:         func() time.Time { return now },
		NextProtos:   []string{"http/1.1"},
	})
}

// untrusted opens TLS 1.3 to a controller that nothing is known of yet. The
// proofs of enrolment authenticate it afterwards; Reach only looks at it.
func (r Route) untrusted(ctx context.Context, u *url.URL) (*tls.Conn, error) {
	return r.handshake(ctx, u.Host, &tls.Config{
		MinVersion:         tls.VersionTLS13,
		ServerName:         u.Hostname(),
		InsecureSkipVerify: true, // see above: bound by the exporter instead
		NextProtos:         []string{"http/1.1"},
	})
}

func (r Route) handshake(ctx context.Context, addr string, cfg *tls.Config) (*tls.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeWithin)
	defer cancel()
	raw, err := r.Open(ctx, addr)
	if err != nil {
		return nil, err
	}
	c := tls.Client(raw, cfg)
	if err := c.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, explain(err, addr)
	}
	return c, nil
}

// ownIssuer is the name in certificates that any Borne controller makes. It
// authenticates nobody: it only chooses the words of an error.
const ownIssuer = "Borne issuer"

// explain turns a failed handshake into what a person can act upon.
func explain(err error, addr string) error {
	host, _, _ := net.SplitHostPort(addr)
	var cert *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	var invalid x509.CertificateInvalidError
	var name x509.HostnameError
	switch {
	case errors.As(err, &cert) && errors.As(err, &unknown) && len(cert.UnverifiedCertificates) > 0:
		by := issuer(cert.UnverifiedCertificates[0])
		if by == ownIssuer {
			return fmt.Errorf("cannot trust %s: a controller of ours answers, with other keys than those this terminal was enrolled with; enrol it again (« Remplacer ce poste »): %w", addr, err)
		}
		return &InterceptedError{Host: host, Issuer: by}
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("cannot trust %s: its certificate is not valid at this terminal's time; check the clock, then the controller's certificate: %w", addr, err)
	case errors.As(err, &name):
		return fmt.Errorf("cannot trust %s: its certificate is for another name; check the controller's address: %w", addr, err)
	case remoteAlert(err) != "":
		return fmt.Errorf("cannot open TLS 1.3 with %s; a proxy in between may not know TLS 1.3: ask for %s to be exempted: %w", addr, host, err)
	}
	return fmt.Errorf("cannot open TLS with %s: %w", addr, err)
}

// issuer names who made a certificate, for the person who must find the proxy.
func issuer(c *x509.Certificate) string {
	parts := append([]string{c.Issuer.CommonName}, c.Issuer.Organization...)
	out := strings.Trim(strings.Join(parts, ", "), ", ")
	if len(out) > 120 {
		out = out[:120]
	}
	if out == "" {
		return "unnamed"
	}
	return out
}

// Probe opens TLS to the enrolled controller and closes it again: the error
// says what stands in the way. now is the time to verify at.
func Probe(ctx context.Context, r Route, id Identity, now time.Time) error {
	c, err := r.trusted(ctx, id, now)
	if err != nil {
		return err
	}
	return c.Close()
}

// Reach opens TLS to a controller that nothing is known of yet, and returns who
// made the certificate that it shows.
func Reach(ctx context.Context, r Route, controller string) (issuedBy string, err error) {
	u, err := endpoint(controller)
	if err != nil {
		return "", err
	}
	c, err := r.untrusted(ctx, u)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return issuer(c.ConnectionState().PeerCertificates[0]), nil
}
