package pki

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"borne/controller/wire"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fresh(t *testing.T) (*PKI, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "keys")
	must(t, Init(dir, time.Now()))
	p, err := Open(dir, time.Now)
	must(t, err)
	return p, dir
}

func csr(t *testing.T, key any) []byte {
	t.Helper()
	b, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	must(t, err)
	return b
}

func TestFolder(t *testing.T) {
	p, dir := fresh(t)
	files, err := os.ReadDir(dir)
	must(t, err)
	for _, f := range files {
		if st, err := f.Info(); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", f.Name(), st.Mode())
		}
	}
	if err := Init(dir, time.Now()); err == nil {
		t.Error("Init runs over a folder that has keys")
	}
	again, err := Open(dir, time.Now)
	must(t, err)
	if !bytes.Equal(again.Root(), p.Root()) || !bytes.Equal(again.BadgeKey("a"), p.BadgeKey("a")) || !bytes.Equal(again.SignKeys()[0], p.SignKeys()[0]) {
		t.Error("the keys change between runs")
	}
	if bytes.Equal(p.BadgeKey("a"), p.BadgeKey("b")) || bytes.Equal(p.Pepper("a"), p.BadgeKey("a")) {
		t.Error("two secrets are the same")
	}
	must(t, os.Remove(filepath.Join(dir, fileRootKey.of(1)))) // offline from now on
	_, err = Open(dir, time.Now)
	must(t, err)

	other, otherDir := fresh(t)
	_ = other
	for name, damage := range map[string]func(string) error{
		"readable by others": func(d string) error { return os.Chmod(filepath.Join(d, fileSign.of(1)), 0o644) },
		"missing":            func(d string) error { return os.Remove(filepath.Join(d, filePepper)) },
		"empty":              func(d string) error { return os.Truncate(filepath.Join(d, fileIssuerKey.of(1)), 0) },
		"of another authority": func(d string) error {
			b, err := os.ReadFile(filepath.Join(otherDir, fileRoot.of(1)))
			return errors.Join(err, os.WriteFile(filepath.Join(d, fileRoot.of(1)), b, 0o600))
		},
		"another key": func(d string) error {
			b, err := os.ReadFile(filepath.Join(otherDir, fileIssuerKey.of(1)))
			return errors.Join(err, os.WriteFile(filepath.Join(d, fileIssuerKey.of(1)), b, 0o600))
		},
	} {
		_, d := fresh(t)
		must(t, damage(d))
		if _, err := Open(d, time.Now); err == nil || !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIssue(t *testing.T) {
	p, _ := fresh(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, serial, err := p.IssueTerminal(csr(t, key), "t1")
	must(t, err)
	c, err := x509.ParseCertificate(der)
	must(t, err)
	if c.Subject.CommonName != "t1" || Serial(c) != serial || c.IsCA || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth {
		t.Errorf("certificate %+v", c.Subject)
	}
	if days := time.Until(c.NotAfter).Hours() / 24; days > TerminalDays || days < TerminalDays-1 {
		t.Errorf("it is valid for %.1f days", days)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	forged := csr(t, key)
	forged[len(forged)-3] ^= 1
	for name, bad := range map[string][]byte{"rsa": csr(t, weak), "forged": forged, "nothing": nil, "too long": make([]byte, 9<<10)} {
		if _, _, err := p.IssueTerminal(bad, "t1"); err == nil {
			t.Errorf("%s: a certificate is issued", name)
		}
	}
	_, sign, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	if k, err := ReceiptKey(csr(t, sign)); err != nil || !k.Equal(sign.Public()) {
		t.Errorf("receipt key %v", err)
	}
	if _, err := ReceiptKey(csr(t, key)); err == nil {
		t.Error("an ECDSA receipt key is accepted")
	}
	env, err := p.SignPermit(wire.Permit{ID: "p"})
	must(t, err)
	if _, err := wire.Open[wire.Permit](env, wire.DomainPermit, p.SignKeys()[0]); err != nil {
		t.Error(err)
	}
}

// client is a terminal's side: it pins the root.
func client(t *testing.T, p *PKI, certs ...tls.Certificate) *tls.Config {
	t.Helper()
	root, err := x509.ParseCertificate(p.Root())
	must(t, err)
	pool := x509.NewCertPool()
	pool.AddCert(root)
	return &tls.Config{RootCAs: pool, ServerName: ServerName, Certificates: certs, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
}

func terminalCert(t *testing.T, p *PKI, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, _, err := p.IssueTerminal(csr(t, key), name)
	must(t, err)
	return tls.Certificate{Certificate: append([][]byte{der}, p.Chain()...), PrivateKey: key}
}

// TestRevocation checks it on full and on resumed handshakes.
func TestRevocation(t *testing.T) {
	p, _ := fresh(t)
	var revoked atomic.Bool
	server := p.ServerTLS(func(terminal, serial string) error {
		if terminal != "t1" || serial == "" || revoked.Load() {
			return ErrRevoked
		}
		return nil
	})
	ln, err := tls.Listen("tcp", "127.0.0.1:0", server)
	must(t, err)
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				c.SetDeadline(time.Now().Add(10 * time.Second))
				io.Copy(c, c)
			}()
		}
	}()
	// talk says whether the handshake held, and was resumed.
	talk := func(cfg *tls.Config) (resumed bool, err error) {
		c, err := tls.DialWithDialer(&net.Dialer{Timeout: 10 * time.Second}, "tcp", ln.Addr().String(), cfg)
		if err != nil {
			return false, err
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Write([]byte("x")); err != nil {
			return false, err
		}
		_, err = io.ReadFull(c, make([]byte, 1)) // in TLS 1.3 a refusal and a ticket come with the first read
		return c.ConnectionState().DidResume, err
	}
	cfg := client(t, p, terminalCert(t, p, "t1"))
	if resumed, err := talk(cfg); err != nil || resumed {
		t.Fatalf("first: resumed %v, %v", resumed, err)
	}
	if resumed, err := talk(cfg); err != nil || !resumed {
		t.Fatalf("second: resumed %v, %v", resumed, err)
	}
	revoked.Store(true)
	if _, err := talk(cfg); err == nil {
		t.Error("a revoked terminal resumes")
	}
	if _, err := talk(client(t, p, terminalCert(t, p, "t1"))); err == nil {
		t.Error("a revoked terminal connects")
	}
	revoked.Store(false)
	if _, err := talk(client(t, p)); err != nil {
		t.Errorf("without a certificate, to enrol: %v", err)
	}
	other, _ := fresh(t)
	if _, err := talk(client(t, p, terminalCert(t, other, "t1"))); err == nil {
		t.Error("a certificate of another authority is accepted")
	}
	if _, err := talk(client(t, p, terminalCert(t, p, "t2"))); err == nil {
		t.Error("an unknown terminal connects")
	}
	if _, err := talk(client(t, other)); err == nil {
		t.Error("the terminal takes another controller")
	}
}

func TestExpiry(t *testing.T) {
	p, dir := fresh(t)
	cert := terminalCert(t, p, "t1")
	parsed, err := x509.ParseCertificate(cert.Certificate[0])
	must(t, err)
	for days, good := range map[int]bool{1: true, TerminalDays + 1: false} {
		later, err := Open(dir, func() time.Time { return time.Now().AddDate(0, 0, days) })
		must(t, err)
		cfg := later.ServerTLS(func(string, string) error { return nil })
		err = cfg.VerifyConnection(tls.ConnectionState{PeerCertificates: []*x509.Certificate{parsed}})
		if (err == nil) != good {
			t.Errorf("after %d days: %v", days, err)
		}
		leaf, err := cfg.GetCertificate(nil)
		must(t, err)
		if now := time.Now().AddDate(0, 0, days); now.After(leaf.Leaf.NotAfter) || now.Before(leaf.Leaf.NotBefore) {
			t.Errorf("after %d days the listener's certificate is not valid", days)
		}
	}
}
