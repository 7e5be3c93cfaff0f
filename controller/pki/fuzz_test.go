package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPhaseVersion(t *testing.T) {
	for text, want := range map[string]string{`{"step":2,"active":1,"believed":[1,2]}`: "", `{"version":1,"step":2,"active":1,"believed":[1,2]}`: "",
		`{"version":2,"step":2,"active":1,"believed":[1,2]}`: "install the newer", `{"version":-1,"active":1,"believed":[1]}`: "install the newer", `{"version":1,"active":3,"believed":[1,2]}`: "is none", `[]`: "restore it"} {
		ph, err := parsePhase([]byte(text))
		if want == "" && (err != nil || ph.Step != 2 || ph.Active != 1) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %+v, %v", text, ph, err)
		}
	}
	dir := t.TempDir()
	if err := (phase{Step: 2, Active: 1, Believed: []int{1, 2}}).write(dir); err != nil {
		t.Fatal(err)
	}
	if ph, err := readPhase(dir); err != nil || ph.Version != phaseVersion || ph.Step != 2 {
		t.Errorf("%+v, %v", ph, err)
	}
}

func FuzzPhase(f *testing.F) {
	f.Add([]byte(`{"version":1,"step":2,"active":1,"believed":[1,2]}`))
	f.Add([]byte(`{"active":-1,"believed":[-1]}`))
	f.Add([]byte(`{"version":9}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		ph, err := parsePhase(b)
		if err == nil && (ph.Version > phaseVersion || len(ph.Believed) == 0 || len(ph.Believed) > 2 || ph.Believed[0] < 1 || !slices.Contains(ph.Believed, ph.Active)) {
			t.Fatalf("%+v is believed", ph)
		}
	})
}

// FuzzRequest gives certificate requests of strangers to who issues: what is issued is
// for the key of the request and the name of the controller's choosing, and nothing
// else of the request is in it.
func FuzzRequest(f *testing.F) {
	dir := filepath.Join(f.TempDir(), "keys")
	if err := Init(dir, time.Now()); err != nil {
		f.Fatal(err)
	}
	p, err := Open(dir, time.Now)
	if err != nil {
		f.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	wide, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	_, receipt, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	for _, key := range []any{curve, wide, receipt} {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{"evil.example"}}, key)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(der)
		f.Add(der[:len(der)-1])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, der []byte) {
		if k, err := ReceiptKey(der); err == nil && len(k) != ed25519.PublicKeySize {
			t.Fatalf("a receipt key of %d bytes", len(k))
		}
		got, serial, err := p.IssueTerminal(der, "t-1")
		if err != nil {
			if got != nil || serial != "" || !strings.HasPrefix(err.Error(), "cannot ") {
				t.Fatalf("%d bytes, %q, %v", len(got), serial, err)
			}
			return
		}
		cert, err := x509.ParseCertificate(got)
		if err != nil {
			t.Fatal(err)
		}
		req, err := x509.ParseCertificateRequest(der)
		if err != nil || len(der) > 8<<10 {
			t.Fatalf("issued for %d bytes that are no request: %v", len(der), err)
		}
		if cert.Subject.CommonName != "t-1" || len(cert.DNSNames)+len(cert.IPAddresses)+len(cert.EmailAddresses)+len(cert.URIs) != 0 || cert.IsCA {
			t.Fatalf("issued: %s %v", cert.Subject, cert.DNSNames)
		}
		if k, ok := req.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !k.Equal(cert.PublicKey) {
			t.Fatal("issued for another key")
		}
	})
}
