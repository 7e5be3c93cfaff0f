package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"borne/controller/store"
)

// TestAsked lets an authority that failed alone for a while, whoever knocks, and never
// the authority itself.
func TestAsked(t *testing.T) {
	now, tries, proofs, strangers := time.Unix(0, 0), 0, 0, 0
	fail := errors.New("no")
	a := &asked{host: "bornes.example.fr", now: func() time.Time { return now }, get: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
		switch {
		case proves(h):
			proofs++
			return &tls.Certificate{}, nil
		case h.ServerName != "bornes.example.fr":
			strangers++
			return nil, errors.New("another name")
		}
		if len(h.SignatureSchemes) != 1 || h.SignatureSchemes[0] != tls.ECDSAWithP256AndSHA256 {
			t.Errorf("a client's kinds of keys are passed on: %v", h.SignatureSchemes)
		}
		tries++
		if fail != nil {
			return nil, fail
		}
		return &tls.Certificate{}, nil
	}}
	knock := func(name string, protos ...string) error {
		_, err := a.certificate(&tls.ClientHelloInfo{ServerName: name, SupportedProtos: protos, SignatureSchemes: []tls.SignatureScheme{tls.PSSWithSHA256}})
		return err
	}
	for range 100 {
		for _, name := range []string{"bornes.example.fr", "Bornes.example.FR", "bornes.example.fr."} {
			if err := knock(name, "http/1.1"); !errors.Is(err, fail) {
				t.Fatal(err)
			}
		}
		if err := knock("bornes.example.fr", acme.ALPNProto); err != nil {
			t.Fatal(err)
		}
		if err := knock("evil.example"); err == nil || errors.Is(err, fail) {
			t.Fatal(err)
		}
		now = now.Add(time.Second)
	}
	if tries != 1 || proofs != 100 || strangers != 100 {
		t.Errorf("%d tries, %d proofs, %d of other names", tries, proofs, strangers)
	}
	// An hour later there were as many tries as quarters.
	for ; now.Before(time.Unix(3600, 0)); now = now.Add(time.Second) {
		knock("bornes.example.fr")
	}
	if tries != 4 {
		t.Errorf("%d tries in an hour", tries)
	}
	fail = nil
	if err := knock("bornes.example.fr"); err != nil || tries != 5 {
		t.Errorf("%v, %d tries", err, tries)
	}
	if err := knock("bornes.example.fr"); err != nil || tries != 6 { // autocert has it: nothing is asked for
		t.Errorf("%v, %d tries", err, tries)
	}
}

// TestConsoleCertificateIsToldBefore has a certificate that nobody renews: it is in
// « À traiter » before its end, and no longer once there is another one.
func TestConsoleCertificateIsToldBefore(t *testing.T) {
	c := settings(t, fresh(t))
	now := time.Now()
	c.Now = func() time.Time { return now }
	s, _ := running(t, c)
	if s.matters.console != nil {
		t.Error("without TLS there is a certificate to watch")
	}
	s.matters.console = s.front.life
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	renew := func(at time.Time) {
		t.Helper()
		cert := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: at, NotAfter: at.AddDate(0, 0, 90)}
		der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		s.front.shown(&tls.Certificate{Certificate: [][]byte{der}})
	}
	told := func() (level string, days int) {
		t.Helper()
		if err := s.matters.everywhere(ctx, nil); err != nil {
			t.Fatal(err)
		}
		days = -1
		if err := s.st.View(ctx, func(tx store.Tx) error {
			known, err := openAt(tx, "")
			for _, k := range known {
				if k.Row.Code == "console-certificate" {
					level, days = k.Row.Level, k.Row.Count
				}
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return level, days
	}
	want := func(what, level string, days int) {
		t.Helper()
		if l, d := told(); l != level || d != days {
			t.Errorf("%s: %q, %d days, want %q, %d", what, l, d, level, days)
		}
	}
	want("nobody asked for one", "", -1)
	s.front.missing.Store(true)
	want("none was given", "urgent", 0)
	began := now
	renew(began)
	want("a new one", "", -1)
	now = began.AddDate(0, 0, 65) // an authority would have been asked for five days
	want("25 days left", "", -1)
	now = began.AddDate(0, 0, 70)
	want("20 days left", "soon", 19)
	now = began.AddDate(0, 0, 88)
	want("two days left", "urgent", 1)
	renew(now)
	want("renewed", "", -1)
}
