package pki

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"sync"
)

// ErrRevoked reports a certificate that is no longer good.
var ErrRevoked = errors.New("this certificate is revoked")

// IssueTerminal signs a terminal's request. The name in the request is ignored:
// the certificate says terminal. Serial is in hex.
func (p *PKI) IssueTerminal(csr []byte, terminal string) (cert []byte, serialHex string, err error) {
	req, err := parseCSR(csr)
	if err != nil {
		return nil, "", err
	}
	switch k := req.PublicKey.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if k.Curve != elliptic.P256() {
			return nil, "", errors.New("cannot issue: the key is on another curve than P-256")
		}
	default:
		return nil, "", fmt.Errorf("cannot issue: a key of type %T; make an Ed25519 or P-256 one", k)
	}
	now := p.now()
	t := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: terminal}, NotBefore: now.Add(-backdate),
		NotAfter: now.AddDate(0, 0, TerminalDays), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true}
	by := p.ring.Load().active()
	cert, err = x509.CreateCertificate(rand.Reader, t, by.issuer, req.PublicKey, by.issuerKey)
	if err != nil {
		return nil, "", fmt.Errorf("cannot issue a certificate: %w", err)
	}
	return cert, Serial(t), nil
}

// Serial returns a certificate's serial in hex.
func Serial(c *x509.Certificate) string { return fmt.Sprintf("%x", c.SerialNumber) }

// ReceiptKey returns the Ed25519 key of a request, once it proves that whoever
// made it holds the key.
func ReceiptKey(csr []byte) (ed25519.PublicKey, error) {
	req, err := parseCSR(csr)
	if err != nil {
		return nil, err
	}
	k, ok := req.PublicKey.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("cannot use the receipt key: it is a %T, want Ed25519", req.PublicKey)
	}
	return k, nil
}

func parseCSR(der []byte) (*x509.CertificateRequest, error) {
	if len(der) > 8<<10 {
		return nil, fmt.Errorf("cannot read the certificate request: %d bytes are too many", len(der))
	}
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("cannot read the certificate request: %w", err)
	}
	if err := req.CheckSignature(); err != nil {
		return nil, fmt.Errorf("cannot accept the certificate request: %w", err)
	}
	return req, nil
}

// ServerTLS returns the terminals' listener's configuration. A client without a
// certificate may connect (to enrol); one with a certificate must have one of
// ours, and check must accept its terminal and serial. check runs at each
// handshake, resumed ones included: VerifyConnection does, VerifyPeerCertificate
// would not.
func (p *PKI) ServerTLS(check func(terminal, serial string) error) *tls.Config {
	leaf := &leaf{p: p}
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		ClientAuth: tls.RequestClientCert, // verified below, also when resumed, by the roots that count then
		NextProtos: []string{"http/1.1"},  // WebSocket
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return leaf.get()
		},
		VerifyConnection: func(cs tls.ConnectionState) error {
			if len(cs.PeerCertificates) == 0 {
				return nil
			}
			return p.verifyClient(cs.PeerCertificates, check)
		},
	}
}

func (p *PKI) verifyClient(certs []*x509.Certificate, check func(terminal, serial string) error) error {
	pool, between := x509.NewCertPool(), x509.NewCertPool()
	for _, s := range p.ring.Load().sets {
		pool.AddCert(s.root)
		between.AddCert(s.issuer)
	}
	c := certs[0]
	if _, err := c.Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, CurrentTime: p.now(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return fmt.Errorf("cannot accept the terminal's certificate: %w", err)
	}
	if err := check(c.Subject.CommonName, Serial(c)); err != nil {
		return fmt.Errorf("cannot accept terminal %q: %w", c.Subject.CommonName, err)
	}
	return nil
}

// leaf is the listener's certificate, made anew before it ends and when another
// set of keys issues: its key is never written down.
type leaf struct {
	p    *PKI
	mu   sync.Mutex
	cert *tls.Certificate
	by   *set
}

func (l *leaf) get() (*tls.Certificate, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, by := l.p.now(), l.p.ring.Load().active()
	if l.cert != nil && l.by == by && now.Before(l.cert.Leaf.NotAfter.AddDate(0, 0, -serverDays/3)) && now.After(l.cert.Leaf.NotBefore) {
		return l.cert, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("cannot make the listener's key: %w", err)
	}
	t := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{CommonName: ServerName}, DNSNames: []string{ServerName},
		NotBefore: now.Add(-backdate), NotAfter: now.AddDate(0, 0, serverDays), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, t, by.issuer, key.Public(), by.issuerKey)
	if err != nil {
		return nil, fmt.Errorf("cannot make the listener's certificate: %w", err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("cannot make the listener's certificate: %w", err)
	}
	l.cert, l.by = &tls.Certificate{Certificate: [][]byte{der, by.issuer.Raw}, PrivateKey: key, Leaf: parsed}, by
	return l.cert, nil
}
