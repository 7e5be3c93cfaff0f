package uplink

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"borne/controller/wire"
)

const (
	patience   = 10 * time.Second
	serverName = "uplink.borne.test"
)

// authority is a root that issues certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t testing.TB, cn, org string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: cn, Organization: []string{org}}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(100 * time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &authority{key, cert}
}

// issue signs a leaf for pub.
func (a *authority) issue(t testing.TB, pub any, from, to time.Time, names ...string) []byte {
	t.Helper()
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<60))
	tpl := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: "leaf"}, DNSNames: names, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, tpl, a.cert, pub, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (a *authority) server(t testing.TB, names ...string) tls.Certificate {
	t.Helper()
	key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return tls.Certificate{Certificate: [][]byte{a.issue(t, key.Public(), time.Now().Add(-time.Hour), time.Now().Add(50*time.Hour), names...)}, PrivateKey: key}
}

// identity makes one that the authority signed, valid from…to.
func (a *authority) identity(t testing.TB, url string, from, to time.Time) Identity {
	t.Helper()
	key, _, err := newKey()
	if err != nil {
		t.Fatal(err)
	}
	sign, _, _ := ed25519.GenerateKey(rand.Reader)
	return Identity{Terminal: "t1", Controller: url, ServerName: serverName, Key: key, Cert: a.issue(t, key.Public(), from, to),
		Roots: [][]byte{a.cert.Raw}, SignKeys: [][]byte{sign}, BadgeKey: make([]byte, 32)}
}

func now(t testing.TB, a *authority, url string) Identity {
	return a.identity(t, url, time.Now().Add(-time.Hour), time.Now().Add(20*time.Hour))
}

// controller speaks the protocol's other side.
type controller struct {
	t    testing.TB
	root *authority
	url  string
	code []byte

	mu       sync.Mutex
	enrolled map[string]wire.EnrolResponse // by CSR
	problem  *wire.Problem                 // refuses enrolment and renewal
	renewals [][]byte
	revoked  bool
	lies     bool // takes any proof of enrolment

	conns chan *peer
	lists map[string][]byte
}

// peer is one terminal's connection, driven by the test.
type peer struct {
	t     testing.TB
	ws    *websocket.Conn
	hello wire.Hello
}

func startController(t testing.TB, root *authority) *controller {
	t.Helper()
	c := &controller{t: t, root: root, enrolled: map[string]wire.EnrolResponse{}, conns: make(chan *peer, 8)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.url = "https://" + ln.Addr().String()
	pool := x509.NewCertPool()
	pool.AddCert(root.cert)
	cfg := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{root.server(t, serverName)}, ClientCAs: pool,
		ClientAuth: tls.VerifyClientCertIfGiven, VerifyConnection: func(tls.ConnectionState) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			if c.revoked {
				return errors.New("revoked")
			}
			return nil
		}}
	mux := http.NewServeMux()
	mux.HandleFunc(wire.PathUplink, c.uplink)
	mux.HandleFunc(wire.PathEnrol, c.enrol)
	mux.HandleFunc(wire.PathRenew, c.renew)
	mux.HandleFunc(wire.PathLists+"{digest}", func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		list, ok := c.lists[r.PathValue("digest")]
		c.mu.Unlock()
		if !ok || len(r.TLS.PeerCertificates) == 0 {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(list))
	})
	srv := &http.Server{Handler: mux, ErrorLog: nil}
	srv.ErrorLog = discardLog()
	go srv.Serve(tls.NewListener(ln, cfg))
	t.Cleanup(func() { srv.Close() })
	return c
}

func (c *controller) uplink(w http.ResponseWriter, r *http.Request) {
	if len(r.TLS.PeerCertificates) == 0 {
		http.Error(w, "who?", http.StatusForbidden)
		return
	}
	ws, err := (&websocket.Upgrader{}).Upgrade(w, r, nil)
	if err != nil {
		return
	}
	ws.SetReadLimit(wire.MaxFrame)
	p := &peer{t: c.t, ws: ws}
	if m, err := p.read(); err == nil && m.Hello != nil {
		p.hello = *m.Hello
		c.conns <- p
		return
	}
	ws.Close()
}

func (c *controller) enrol(w http.ResponseWriter, r *http.Request) {
	var req wire.EnrolRequest
	body, _ := io.ReadAll(r.Body)
	exporter, err := wire.Exporter(*r.TLS)
	if json.Unmarshal(body, &req) != nil || err != nil {
		http.Error(w, "?", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.lies && (wire.CheckProof(req.Proof, req.TerminalProof(c.code, exporter)) != nil || req.CodeID != wire.CodeID(c.code)) {
		refuse(w, wire.Problem{Status: 403, Code: "proof"})
		return
	}
	resp, known := c.enrolled[string(req.CSR)]
	if !known {
		csr, err := x509.ParseCertificateRequest(req.CSR)
		if err != nil || csr.CheckSignature() != nil {
			refuse(w, wire.Problem{Status: 400, Code: "request"})
			return
		}
		sign, _, _ := ed25519.GenerateKey(rand.Reader)
		resp = wire.EnrolResponse{Terminal: "t-enrolled", Cert: c.root.issue(c.t, csr.PublicKey, time.Now().Add(-time.Hour), time.Now().Add(time.Hour)),
			Root: c.root.cert.Raw, SignKeys: [][]byte{sign}, BadgeKey: make([]byte, 32), ServerSNI: serverName}
		c.enrolled[string(req.CSR)] = resp
	}
	if c.problem != nil { // after it was done: as an answer that gets lost
		refuse(w, *c.problem)
		return
	}
	resp.Proof = resp.ControllerProof(c.code, exporter, req)
	json.NewEncoder(w).Encode(resp)
}

func (c *controller) renew(w http.ResponseWriter, r *http.Request) {
	var req wire.RenewRequest
	if json.NewDecoder(r.Body).Decode(&req) != nil || len(r.TLS.PeerCertificates) == 0 {
		refuse(w, wire.Problem{Status: 403, Code: "request"})
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.renewals = append(c.renewals, req.CSR)
	if c.problem != nil {
		refuse(w, *c.problem)
		return
	}
	csr, err := x509.ParseCertificateRequest(req.CSR)
	if err != nil {
		refuse(w, wire.Problem{Status: 400, Code: "request"})
		return
	}
	json.NewEncoder(w).Encode(wire.RenewResponse{Cert: c.root.issue(c.t, csr.PublicKey, time.Now().Add(-time.Minute), time.Now().Add(30*time.Hour))})
}

func refuse(w http.ResponseWriter, p wire.Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(p.Status)
	json.NewEncoder(w).Encode(p)
}

// next waits for a terminal that has said hello.
func (c *controller) next() *peer {
	c.t.Helper()
	select {
	case p := <-c.conns:
		c.t.Cleanup(func() { p.ws.Close() })
		return p
	case <-time.After(patience):
		c.t.Fatal("no terminal connected")
		return nil
	}
}

func (p *peer) read() (wire.Message, error) {
	p.ws.SetReadDeadline(time.Now().Add(patience))
	_, b, err := p.ws.ReadMessage()
	if err != nil {
		return wire.Message{}, err
	}
	return wire.Decode(b)
}

func (p *peer) send(m wire.Message) {
	p.t.Helper()
	b, err := wire.Encode(m)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.ws.WriteMessage(websocket.TextMessage, b); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) welcome(epoch, cursor uint64) {
	p.t.Helper()
	p.send(wire.Message{Welcome: &wire.Welcome{Protocol: 1, Generation: 1, Epoch: epoch, Cursor: cursor, Time: time.Now().UTC()}})
}

// batch waits for the next batch, past statuses.
func (p *peer) batch() wire.Batch {
	p.t.Helper()
	for {
		m, err := p.read()
		if err != nil {
			p.t.Fatalf("no batch: %v", err)
		}
		if m.Batch != nil {
			return *m.Batch
		}
	}
}

// outbox is a journal in memory.
type outbox struct {
	mu       sync.Mutex
	epoch    uint64
	records  []wire.Record
	acked    uint64
	changed  chan struct{}
	welcomed []wire.Welcome
}

func newOutbox(epoch uint64, n int) *outbox {
	o := &outbox{epoch: epoch, changed: make(chan struct{}, 1)}
	for range n {
		o.add(`{}`)
	}
	return o
}

func (o *outbox) add(body string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.records = append(o.records, wire.Record{Epoch: o.epoch, Seq: uint64(len(o.records) + 1), Kind: "test", Body: json.RawMessage(body)})
	select {
	case o.changed <- struct{}{}:
	default:
	}
}

func (o *outbox) Hello() (wire.Hello, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return wire.Hello{Epoch: o.epoch, Seq: uint64(len(o.records)), PermitsLeft: 3, Policy: 4}, nil
}

func (o *outbox) After(seq uint64, limit int) ([]wire.Record, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if seq >= uint64(len(o.records)) {
		return nil, nil
	}
	rest := o.records[seq:]
	return slices.Clone(rest[:min(limit, len(rest))]), nil
}

func (o *outbox) Acked(epoch, seq uint64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if epoch == o.epoch {
		o.acked = max(o.acked, seq)
	}
	return nil
}

func (o *outbox) Welcomed(w wire.Welcome) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.welcomed = append(o.welcomed, w)
	if w.Epoch != o.epoch {
		o.epoch = w.Epoch
		for i := range o.records {
			o.records[i].Epoch = w.Epoch
		}
	}
	return nil
}

func (o *outbox) Changed() <-chan struct{} { return o.changed }

func (o *outbox) ackedTo() uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.acked
}

// proxy is an HTTP CONNECT proxy, with a user when auth is set.
type proxy struct {
	addr string
	auth string // expected Proxy-Authorization
	// intercept, when set, answers TLS itself with this certificate.
	intercept *tls.Certificate

	mu      sync.Mutex
	tunnels []string
}

func startProxy(t testing.TB, auth string, intercept *tls.Certificate) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{addr: ln.Addr().String(), auth: auth, intercept: intercept}
	var open sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); ln.Close(); open.Wait() })
	open.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer context.AfterFunc(ctx, func() { c.Close() })()
				p.serve(ctx, c)
			})
		}
	})
	return p
}

func (p *proxy) serve(ctx context.Context, c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	req, err := http.ReadRequest(r)
	if err != nil || req.Method != http.MethodConnect {
		io.WriteString(c, "HTTP/1.1 405 No\r\n\r\n")
		return
	}
	if p.auth != "" && req.Header.Get("Proxy-Authorization") != p.auth {
		io.WriteString(c, "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
		return
	}
	p.mu.Lock()
	p.tunnels = append(p.tunnels, req.Host)
	p.mu.Unlock()
	io.WriteString(c, "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
	up, err := net.Dial("tcp", req.Host)
	if err != nil {
		return
	}
	defer up.Close()
	defer context.AfterFunc(ctx, func() { up.Close() })()
	var near, far net.Conn = c, up
	if p.intercept != nil { // a filtering proxy opens TLS on both sides
		near = tls.Server(c, &tls.Config{Certificates: []tls.Certificate{*p.intercept}})
		far = tls.Client(up, &tls.Config{InsecureSkipVerify: true})
	}
	done := make(chan struct{})
	go func() { io.Copy(far, near); far.Close(); close(done) }()
	io.Copy(near, far)
	near.Close()
	<-done
}
