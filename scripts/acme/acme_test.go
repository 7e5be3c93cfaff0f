// Package acme gets the console's certificate from a real ACME authority: Let's
// Encrypt's own test server, run in the test, with a name server of the test's.
package acme

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/letsencrypt/pebble/v2/ca"
	"github.com/letsencrypt/pebble/v2/db"
	"github.com/letsencrypt/pebble/v2/va"
	"github.com/letsencrypt/pebble/v2/wfe"
	"github.com/miekg/dns"

	"borne/controller/config"
	"borne/controller/server"
)

const (
	name   = "bornes.example.test"
	keyID  = "kid-1"
	within = 90 * time.Second
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// safe is a log that several write to.
type safe struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) { s.mu.Lock(); defer s.mu.Unlock(); return s.b.Write(p) }
func (s *safe) String() string              { s.mu.Lock(); defer s.mu.Unlock(); return s.b.String() }

// authority is a real ACME server.
type authority struct {
	directory string
	caFile    string // who vouches for its own pages
	roots     *x509.CertPool
	log       *safe
	srv       *httptest.Server
}

// newAuthority looks for challenges at the ports that the test's controller has.
func newAuthority(t *testing.T, httpPort, tlsPort int, macKey string) *authority {
	t.Helper()
	return authorityOf(t, httpPort, tlsPort, macKey, 0)
}

// authorityOf gives certificates that live for so many seconds; 0: for three months.
func authorityOf(t *testing.T, httpPort, tlsPort int, macKey string, seconds uint64) *authority {
	t.Helper()
	t.Setenv("PEBBLE_VA_NOSLEEP", "1") // it waits for seconds otherwise, to be like the network
	a := &authority{log: &safe{}}
	l := log.New(a.log, "", 0)
	store := db.NewMemoryStore()
	if macKey != "" {
		must(t, store.AddExternalAccountKeyByID(keyID, macKey))
	}
	issuer := ca.New(l, store, "", "ecdsa", 0, 1, map[string]ca.Profile{"default": {Description: "the only one", ValidityPeriod: seconds}})
	w := wfe.New(l, store, va.New(l, httpPort, tlsPort, false, nameServer(t), store), issuer, []string{"pebble.letsencrypt.org"}, false, macKey != "", 0, 0)
	front := w.Handler()
	a.srv = httptest.NewTLSServer(front)
	t.Cleanup(a.srv.Close)
	a.directory = a.srv.URL + wfe.DirectoryPath
	a.caFile = filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(a.caFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.srv.Certificate().Raw}), 0o600))
	root := issuer.GetRootCert(0)
	a.roots = x509.NewCertPool()
	if root == nil || !a.roots.AppendCertsFromPEM(root.PEM()) {
		t.Fatal("the authority has no root")
	}
	return a
}

// nameServer answers that every name is this machine.
func nameServer(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0") // the authority asks over TCP alone
	must(t, err)
	ready := make(chan struct{})
	srv := &dns.Server{Listener: ln, NotifyStartedFunc: func() { close(ready) }, Handler: dns.HandlerFunc(func(w dns.ResponseWriter, q *dns.Msg) {
		m := new(dns.Msg).SetReply(q)
		if q.Question[0].Qtype == dns.TypeA {
			m.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: q.Question[0].Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1}, A: net.IPv4(127, 0, 0, 1)}}
		}
		w.WriteMsg(m)
	})}
	go srv.ActivateAndServe()
	<-ready
	t.Cleanup(func() { srv.Shutdown() })
	return ln.Addr().String()
}

// port is one that was free a moment ago: the authority has to know it first.
func port(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// controller runs one; stop ends it.
func controller(t *testing.T, dir, acme string, tlsPort int) (stop func()) {
	t.Helper()
	state := filepath.Join(dir, "s")
	if _, err := os.Stat(state); err != nil {
		must(t, server.Init(context.Background(), state, "Test", time.Now()))
	}
	cfg, err := config.Parse(fmt.Appendf(nil, "state = %q\n[console]\nlisten = \"127.0.0.1:%d\"\nurl = \"https://%s:%d\"\n[terminals]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"\"\n%s", state, tlsPort, name, tlsPort, acme))
	must(t, err)
	s, err := server.New(server.Config{Config: cfg, Version: "test"})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-done:
			must(t, err)
		case <-time.After(within):
			t.Error("the controller does not end")
		}
	})
	t.Cleanup(stop)
	return stop
}

// shown is the certificate that the console shows under a name.
func shown(roots *x509.CertPool, server string, tlsPort int) (*x509.Certificate, error) {
	c, err := tls.DialWithDialer(&net.Dialer{Timeout: within}, "tcp", fmt.Sprintf("127.0.0.1:%d", tlsPort), &tls.Config{RootCAs: roots, ServerName: server, NextProtos: []string{"http/1.1"}})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	return c.ConnectionState().PeerCertificates[0], nil
}

func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "borne") // short: a socket lies below it
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// TestOverTLS gets a certificate by TLS-ALPN-01 (RFC 8737) on the console's own port,
// and still has it after a restart when the authority is gone.
func TestOverTLS(t *testing.T) {
	dir, tlsPort := folder(t), port(t)
	a := newAuthority(t, 1, tlsPort, "")
	acme := fmt.Sprintf("[acme]\ndirectory = %q\nemail = \"bornes@example.fr\"\naccept_terms = true\nca = %q\n", a.directory, a.caFile)
	stop := controller(t, dir, acme, tlsPort)
	cert, err := shown(a.roots, name, tlsPort)
	if err != nil {
		t.Fatalf("%v\n%s", err, a.log)
	}
	if len(cert.DNSNames) != 1 || cert.DNSNames[0] != name {
		t.Errorf("the certificate is for %q", cert.DNSNames)
	}
	if !strings.Contains(a.log.String(), "authz") || strings.Contains(a.log.String(), "Attempting to validate w/ HTTP") {
		t.Errorf("the authority did something else:\n%s", a.log)
	}
	client := &http.Client{Timeout: within, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: a.roots}, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", fmt.Sprintf("127.0.0.1:%d", tlsPort))
	}}}
	res, err := client.Get(fmt.Sprintf("https://%s:%d/api/login", name, tlsPort))
	must(t, err)
	b, err := io.ReadAll(res.Body)
	res.Body.Close()
	if res.StatusCode != 200 || err != nil || res.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("the console answers %s %s", res.Status, b)
	}
	for _, other := range []string{"evil.example.test", ""} {
		if c, err := shown(a.roots, other, tlsPort); err == nil {
			t.Errorf("under %q somebody gets %q", other, c.DNSNames)
		}
	}
	if n := strings.Count(a.log.String(), "Issued certificate"); n > 1 {
		t.Errorf("%d certificates were issued", n)
	}
	// It is shown a moment before it is kept.
	kept := filepath.Join(dir, "s", "acme", name)
	for late, tick := time.After(within), time.NewTicker(10*time.Millisecond); ; <-tick.C {
		if _, err := os.Stat(kept); err == nil {
			tick.Stop()
			break
		}
		select {
		case <-late:
			t.Fatal("the certificate is not kept")
		default:
		}
	}
	// The keys are the controller's alone.
	for _, path := range []string{filepath.Dir(kept), kept} {
		if fi, err := os.Stat(path); err != nil || fi.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", path, fi, err)
		}
	}
	client.CloseIdleConnections()
	stop()
	a.srv.Close()
	controller(t, dir, acme, tlsPort)
	again, err := shown(a.roots, name, tlsPort)
	if err != nil || again.SerialNumber.Cmp(cert.SerialNumber) != 0 {
		t.Errorf("after a restart without the authority: %v, %v", again, err)
	}
}

// TestOverHTTP gets one by HTTP-01 where the authority does not reach the console's own
// port, from an authority that knows its accounts beforehand.
func TestOverHTTP(t *testing.T) {
	dir, tlsPort, httpPort := folder(t), port(t), port(t)
	mac := bytes.Repeat([]byte{7}, 32)
	a := newAuthority(t, httpPort, 1, base64.RawURLEncoding.EncodeToString(mac))
	key := filepath.Join(dir, "eab")
	must(t, os.WriteFile(key, []byte(base64.RawURLEncoding.EncodeToString(mac)+"\n"), 0o600))
	controller(t, dir, fmt.Sprintf("[acme]\ndirectory = %q\naccept_terms = true\nca = %q\nhttp_listen = \"127.0.0.1:%d\"\neab_key_id = %q\neab_key_file = %q\n", a.directory, a.caFile, httpPort, keyID, key), tlsPort)
	if _, err := shown(a.roots, name, tlsPort); err != nil {
		t.Fatalf("%v\n%s", err, a.log)
	}
	// Everybody else is sent to the console, whatever name they ask for.
	req, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/x", httpPort), nil)
	must(t, err)
	req.Host = "evil.example"
	res, err := (&http.Transport{}).RoundTrip(req)
	must(t, err)
	res.Body.Close()
	if to := res.Header.Get("Location"); to != fmt.Sprintf("https://%s:%d/", name, tlsPort) {
		t.Errorf("over HTTP people are sent to %q", to)
	}
}

// TestUnbelieved gives nothing of itself to an authority that nobody vouches for.
func TestUnbelieved(t *testing.T) {
	dir, tlsPort := folder(t), port(t)
	a := newAuthority(t, 1, tlsPort, "")
	other := filepath.Join(dir, "other.pem")
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	c := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	must(t, err)
	must(t, os.WriteFile(other, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	controller(t, dir, fmt.Sprintf("[acme]\ndirectory = %q\naccept_terms = true\nca = %q\n", a.directory, other), tlsPort)
	if c, err := shown(a.roots, name, tlsPort); err == nil {
		t.Errorf("there is a certificate for %q", c.DNSNames)
	}
	if strings.Contains(a.log.String(), "account") {
		t.Errorf("the authority heard of this side:\n%s", a.log)
	}
}
