package fleet

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"borne/controller/compliance"
	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

const patience = 10 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a controller's fleet behind a real TLS listener.
type world struct {
	t       *testing.T
	st      *bolt.Store
	f       *Fleet
	addr    string
	root    []byte
	dir     string // of the store
	refused chan string
}

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	dir := t.TempDir()
	must(t, pki.Init(filepath.Join(dir, "keys"), time.Now()))
	keys, err := pki.Open(filepath.Join(dir, "keys"), time.Now)
	must(t, err)
	rules := compliance.New(compliance.Config{Sign: keys})
	st, err := bolt.Open(bolt.Config{Dir: filepath.Join(dir, "store"), Apply: rules.Apply, Journal: 1 << 20})
	must(t, err)
	w := &world{t: t, st: st, root: keys.Root(), dir: filepath.Join(dir, "store"), refused: make(chan string, 100)}
	cfg := Config{Store: st, Rules: rules, PKI: keys, Probe: 200 * time.Millisecond, Tick: 50 * time.Millisecond,
		Refused: func(why string) { w.refused <- why }}
	if change != nil {
		change(&cfg)
	}
	w.f = New(cfg)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	w.addr = ln.Addr().String()
	srv := &http.Server{Handler: w.f.Handler(), ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: patience}
	go srv.Serve(tls.NewListener(ln, w.f.TLS()))
	t.Cleanup(func() { srv.Close(); w.f.Close(); st.Close() })
	w.decide(func(tx store.Tx) error {
		must(t, store.Put(tx, store.Item[store.Site]{Meta: store.Meta{ID: "s1", Site: "s1"}, Row: store.Site{Name: "Collège"}}))
		return store.Put(tx, store.Item[store.Space]{Meta: store.Meta{ID: "e1", Site: "s1", Scope: "e1"}, Row: store.Space{Name: "Hall"}})
	})
	return w
}

func (w *world) decide(fn func(store.Tx) error) {
	w.t.Helper()
	must(w.t, w.st.Decide(w.t.Context(), fn))
}

func (w *world) code(replaces string, expires time.Time) []byte {
	w.t.Helper()
	code, err := wire.ParseCode(wire.NewCode())
	must(w.t, err)
	w.decide(func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.EnrolCode]{Meta: store.Meta{ID: wire.CodeID(code), Site: "s1", Scope: "e1"},
			Row: store.EnrolCode{Secret: code, Space: "e1", Name: "Poste 1", Replaces: replaces, Expires: expires}})
	})
	return code
}

// terminal is a fake one: keys, and what enrolment gave.
type terminal struct {
	w       *world
	tls     *ecdsa.PrivateKey
	receipt ed25519.PrivateKey
	resp    wire.EnrolResponse
	cert    []byte
}

func newTerminal(w *world) *terminal {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(w.t, err)
	_, receipt, err := ed25519.GenerateKey(rand.Reader)
	must(w.t, err)
	return &terminal{w: w, tls: key, receipt: receipt}
}

func csr(t *testing.T, key any) []byte {
	t.Helper()
	b, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	must(t, err)
	return b
}

func (x *terminal) config() *tls.Config {
	c := &tls.Config{ServerName: pki.ServerName, InsecureSkipVerify: true} // at enrolment nothing is known yet
	if x.cert != nil {
		pool := x509.NewCertPool()
		root, err := x509.ParseCertificate(x.resp.Root)
		must(x.w.t, err)
		pool.AddCert(root)
		c = &tls.Config{ServerName: x.resp.ServerSNI, RootCAs: pool, Certificates: []tls.Certificate{{Certificate: append([][]byte{x.cert}, x.resp.Chain...), PrivateKey: x.tls}}}
	}
	return c
}

// post sends body over one connection and reads the answer.
func (x *terminal) post(path string, body func(tls.ConnectionState) any, out any) wire.Problem {
	x.w.t.Helper()
	c, err := tls.Dial("tcp", x.w.addr, x.config())
	must(x.w.t, err)
	defer c.Close()
	must(x.w.t, c.SetDeadline(time.Now().Add(patience)))
	b, err := json.Marshal(body(c.ConnectionState()))
	must(x.w.t, err)
	tr := &http.Transport{DisableKeepAlives: true, DialTLS: func(string, string) (net.Conn, error) { return c, nil }}
	resp, err := (&http.Client{Transport: tr}).Post("https://"+x.w.addr+path, "application/json", bytes.NewReader(b))
	must(x.w.t, err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		var p wire.Problem
		must(x.w.t, json.NewDecoder(resp.Body).Decode(&p))
		if p.Status != resp.StatusCode {
			x.w.t.Errorf("status %d says %d", resp.StatusCode, p.Status)
		}
		return p
	}
	must(x.w.t, json.NewDecoder(resp.Body).Decode(out))
	return wire.Problem{}
}

func (x *terminal) request() wire.EnrolRequest {
	return wire.EnrolRequest{CSR: csr(x.w.t, x.tls), ReceiptKey: csr(x.w.t, x.receipt), Machine: "PC", Build: "test"}
}

func (x *terminal) enrol(code []byte, req wire.EnrolRequest, change func(*wire.EnrolRequest)) string {
	x.w.t.Helper()
	var exporter []byte
	p := x.post(wire.PathEnrol, func(cs tls.ConnectionState) any {
		var err error
		exporter, err = wire.Exporter(cs)
		must(x.w.t, err)
		req.CodeID = wire.CodeID(code)
		req.Proof = req.TerminalProof(code, exporter)
		if change != nil {
			change(&req)
		}
		return req
	}, &x.resp)
	if p.Code != "" {
		return p.Code
	}
	must(x.w.t, wire.CheckProof(x.resp.Proof, x.resp.ControllerProof(code, exporter, req)))
	if !bytes.Equal(x.resp.Root, x.w.root) {
		x.w.t.Error("another root is given")
	}
	x.cert = x.resp.Cert
	return ""
}

func enrolled(w *world) *terminal {
	w.t.Helper()
	x := newTerminal(w)
	if p := x.enrol(w.code("", time.Now().Add(time.Hour)), x.request(), nil); p != "" {
		w.t.Fatalf("cannot enrol: %s", p)
	}
	return x
}

// peer is a terminal's end of an uplink.
type peer struct {
	t    *testing.T
	ws   *websocket.Conn
	msgs chan wire.Message // closed at the end; then err holds
	err  error
}

func (x *terminal) dial() (*websocket.Conn, error) {
	d := websocket.Dialer{TLSClientConfig: x.config(), HandshakeTimeout: patience}
	ws, resp, err := d.Dial("wss://"+x.w.addr+wire.PathUplink, nil)
	if resp != nil && err != nil {
		resp.Body.Close()
	}
	return ws, err
}

func (x *terminal) connect(h wire.Hello) *peer {
	x.w.t.Helper()
	ws, err := x.dial()
	must(x.w.t, err)
	p := &peer{t: x.w.t, ws: ws, msgs: make(chan wire.Message, 100)}
	x.w.t.Cleanup(func() { ws.Close() })
	go func() {
		defer close(p.msgs)
		for {
			_, b, err := ws.ReadMessage()
			if err != nil {
				p.err = err
				return
			}
			m, err := wire.Decode(b)
			if err != nil {
				p.err = err
				return
			}
			p.msgs <- m
		}
	}()
	if h.Protocol == 0 {
		h.Protocol, h.MinProtocol = 1, 1
	}
	p.send(wire.Message{Hello: &h})
	return p
}

func (p *peer) send(m wire.Message) {
	p.t.Helper()
	b, err := wire.Encode(m)
	must(p.t, err)
	must(p.t, p.ws.WriteMessage(websocket.TextMessage, b))
}

// until reads to the first message that fits.
func (p *peer) until(what string, fits func(wire.Message) bool) wire.Message {
	p.t.Helper()
	limit := time.After(patience)
	for {
		select {
		case m, ok := <-p.msgs:
			if !ok {
				p.t.Fatalf("no %s: %v", what, p.err)
			}
			if fits(m) {
				return m
			}
		case <-limit:
			p.t.Fatalf("no %s in time", what)
		}
	}
}

func (p *peer) welcome() wire.Welcome {
	p.t.Helper()
	return *p.until("welcome", func(m wire.Message) bool { return m.Welcome != nil }).Welcome
}

// closed waits for the end, and returns the close frame's reason.
func (p *peer) closed() string {
	p.t.Helper()
	limit := time.After(patience)
	for {
		select {
		case _, ok := <-p.msgs:
			if !ok {
				if ce, is := p.err.(*websocket.CloseError); is {
					return ce.Text
				}
				return p.err.Error()
			}
		case <-limit:
			p.t.Fatal("the connection stays")
		}
	}
}

func batch(epoch, from uint64, kind string, bodies ...any) wire.Message {
	b := wire.Batch{Epoch: epoch}
	for i, body := range bodies {
		doc, err := json.Marshal(body)
		if err != nil {
			panic(err)
		}
		b.Records = append(b.Records, wire.Record{Epoch: epoch, Seq: from + uint64(i), Kind: kind, At: time.Now().UTC(), Body: doc})
	}
	return wire.Message{Batch: &b}
}

func (p *peer) ack() wire.Ack {
	p.t.Helper()
	return *p.until("ack", func(m wire.Message) bool { return m.Ack != nil }).Ack
}

func TestEnrolment(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Enrols = 1e6 })
	soon := time.Now().Add(time.Hour)
	code, x := w.code("", soon), newTerminal(w)
	req := x.request()
	for name, c := range map[string]struct {
		code   []byte
		change func(*wire.EnrolRequest)
		want   string
	}{
		"unknown":      {bytes.Repeat([]byte{1}, 10), nil, "unknown"},
		"expired":      {w.code("", time.Now().Add(-time.Second)), nil, "expired"},
		"no proof":     {code, func(r *wire.EnrolRequest) { r.Proof = nil }, "proof"},
		"another key":  {code, func(r *wire.EnrolRequest) { r.ReceiptKey = csr(t, newTerminal(w).receipt) }, "proof"},
		"played again": {code, func(r *wire.EnrolRequest) { r.Proof = r.TerminalProof(code, make([]byte, 32)) }, "proof"},
	} {
		if got := x.enrol(c.code, req, c.change); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	bad := req
	bad.ReceiptKey = csr(t, x.tls)
	if got := x.enrol(code, bad, nil); got != "request" {
		t.Errorf("an ECDSA receipt key: %q", got)
	}
	if got := x.enrol(code, req, nil); got != "" {
		t.Fatalf("a good request: %q", got)
	}
	first := x.resp
	x.cert = nil
	if got := x.enrol(code, req, nil); got != "" || x.resp.Terminal != first.Terminal || !bytes.Equal(x.resp.Cert, first.Cert) {
		t.Errorf("the same request again: %q %s, want %s", got, x.resp.Terminal, first.Terminal)
	}
	if got := newTerminal(w).enrol(code, newTerminal(w).request(), nil); got != "used" {
		t.Errorf("another machine with the same code: %q", got)
	}
}

func TestEnrolmentIsRateLimited(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Enrols = 1e-6 })
	x := newTerminal(w)
	got := ""
	for range burst + 1 {
		got = x.enrol(bytes.Repeat([]byte{1}, 10), x.request(), nil)
	}
	if got != "rate" {
		t.Errorf("after %d attempts: %q", burst+1, got)
	}
	l := newLimiter(1e-6, time.Now)
	for i := range 5 * burst {
		if !l.allow(string(rune('a'+i)) + ":1") {
			t.Fatalf("address %d is refused", i)
		}
	}
	if l.allow("fresh:1") {
		t.Error("all addresses together pass the common limit")
	}
}

func TestSessionOverTheUplink(t *testing.T) {
	var h1 = []byte("raw-h1-of-a-badge")
	w := newWorld(t, nil)
	x := enrolled(w)
	p := x.connect(wire.Hello{Boot: "b1"})
	if got := p.welcome(); got.Epoch != 1 || got.Cursor != 0 || got.Terminal != "Poste 1" || got.Site != "Collège" || got.Place != "Hall" {
		t.Errorf("welcome %+v", got)
	}
	keys := []ed25519.PublicKey{x.resp.SignKeys[0]}
	env := p.until("policy", func(m wire.Message) bool { return m.Policy != nil }).Policy
	if pol, err := wire.Open[struct{ Version uint64 }](*env, wire.DomainPolicy, keys...); err != nil || pol.Version != 1 {
		t.Errorf("policy %+v %v", pol, err)
	}
	permits := p.until("permits", func(m wire.Message) bool { return len(m.Permits) == 4 }).Permits
	permit, err := wire.Open[wire.Permit](permits[0], wire.DomainPermit, keys...)
	must(t, err)

	p.send(batch(1, 1, wire.KindBegun, wire.Begun{Session: "S", Permit: permit.ID, N: permit.N, Holder: h1}))
	if got := p.ack(); got != (wire.Ack{Epoch: 1, Seq: 1}) {
		t.Errorf("ack %+v", got)
	}
	r := wire.Receipt{Kind: wire.ReceiptSession, Terminal: x.resp.Terminal, Session: "S", Permit: permit.ID, Nonce: permit.Nonce, Index: 1, Level: wire.LevelReduced}
	for _, n := range wire.RequiredChecks() {
		r.Checks = append(r.Checks, wire.Check{Name: n, Result: wire.Clean})
	}
	re, err := wire.Seal(x.receipt, wire.DomainReceipt, r)
	must(t, err)
	p.send(batch(1, 2, wire.KindReceipt, re))
	p.ack()
	p.until("a permit in place of the one consumed", func(m wire.Message) bool { return len(m.Permits) == 4 })
	p.send(batch(1, 1, "x", 1, 2, 3)) // the first two again
	if got := p.ack(); got.Seq != 3 {
		t.Errorf("ack %+v", got)
	}
	w.decide(func(tx store.Tx) error {
		s, err := store.First(store.Find[store.SessionRow](tx, "session", "S"))
		if s.Row.Receipt == "" || s.Row.Holder == "" || strings.Contains(s.Row.Holder, string(h1)) {
			t.Errorf("session %+v", s.Row)
		}
		return err
	})
	encoded := []byte(base64.StdEncoding.EncodeToString(h1))
	for _, file := range []string{"borne.db", "ingest.journal"} {
		b, err := os.ReadFile(filepath.Join(w.dir, file))
		must(t, err)
		if bytes.Contains(b, h1) || bytes.Contains(b, encoded) {
			t.Errorf("h1 lies in %s", file)
		}
		if !bytes.Contains(b, []byte(permit.ID)) {
			t.Errorf("%s is not where the session lies", file)
		}
	}

	changes, cancel := w.f.Subscribe()
	defer cancel()
	p.send(wire.Message{Status: &wire.Status{Phase: "active", Left: 60}})
	waitFor(t, changes, func() bool { l, ok := w.f.Live(x.resp.Terminal); return ok && l.Online && l.Status.Phase == "active" })

	id, err := w.f.Command(t.Context(), x.resp.Terminal, wire.Command{Kind: wire.CmdMessage, Text: "Bonjour"}, "u1")
	must(t, err)
	isCommand := func(m wire.Message) bool { return m.Command != nil }
	for range 2 { // sent again while there is no answer
		c, err := wire.Open[wire.Command](*p.until("command", isCommand).Command, wire.DomainCommand, keys...)
		if err != nil || c.ID != id || c.Text != "Bonjour" {
			t.Errorf("command %+v %v", c, err)
		}
	}
	p.send(batch(1, 4, wire.KindCommand, wire.CommandDone{ID: id, Done: true}))
	p.ack()
	w.decide(func(tx store.Tx) error {
		c, err := store.Get[store.CommandRow](tx, id)
		if c.Row.Status != store.CommandDone {
			t.Errorf("command %+v", c.Row)
		}
		return err
	})

	w.decide(func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.PolicyRow]{Meta: store.Meta{ID: "e1"}, Row: store.PolicyRow{Version: 7, Doc: json.RawMessage(`{"session":{"minutes":10}}`)}})
	})
	w.f.PushPolicy(t.Context())
	p.until("the new policy", func(m wire.Message) bool {
		if m.Policy == nil {
			return false
		}
		pol, err := wire.Open[struct{ Version uint64 }](*m.Policy, wire.DomainPolicy, keys...)
		return err == nil && pol.Version == 7
	})

	must(t, p.ws.Close())
	waitFor(t, changes, func() bool { l, _ := w.f.Live(x.resp.Terminal); return !l.Online })
	if got := x.connect(wire.Hello{Boot: "b1", Epoch: 1, Seq: 4, Policy: 7, Chain: wire.ChainHead{Index: 1, Digest: re.Digest()}}).welcome(); got.Cursor != 4 || got.Quarantine != "" {
		t.Errorf("welcome back %+v", got)
	}
}

// waitFor looks again at each change.
func waitFor(t *testing.T, changes <-chan string, ok func() bool) {
	t.Helper()
	limit := time.After(patience)
	for !ok() {
		select {
		case <-changes:
		case <-limit:
			t.Fatal("it does not change in time")
		}
	}
}

func TestRefusedConnections(t *testing.T) {
	w := newWorld(t, nil)
	x := enrolled(w)
	why := func(want string) {
		t.Helper()
		select {
		case got := <-w.refused:
			if got != want {
				t.Errorf("refused for %q, want %q", got, want)
			}
		case <-time.After(patience):
			t.Errorf("nothing says %q", want)
		}
	}
	stranger := &terminal{w: w}
	if _, err := stranger.dial(); err == nil {
		t.Error("somebody without a certificate connects")
	}
	p := x.connect(wire.Hello{Boot: "b"})
	p.welcome()
	must(t, p.ws.WriteMessage(websocket.TextMessage, make([]byte, wire.MaxFrame+1)))
	why("oversized")
	p.closed()
	p = x.connect(wire.Hello{Boot: "b"})
	p.welcome()
	must(t, p.ws.WriteMessage(websocket.TextMessage, []byte(`{"batch":{"epoch":1,"records":[]}}`)))
	why("frame")
	p.closed()
	p = x.connect(wire.Hello{Boot: "b", Protocol: 9, MinProtocol: 9})
	why("protocol")
	p.closed()
	p = x.connect(wire.Hello{Boot: "b"})
	p.welcome()
	must(t, w.f.Revoke(t.Context(), x.resp.Terminal))
	if got := p.closed(); got != "revoked" {
		t.Errorf("closed for %q", got)
	}
	if _, err := x.dial(); err == nil {
		t.Error("a revoked terminal connects")
	}
}

func TestClone(t *testing.T) {
	w := newWorld(t, nil)
	x := enrolled(w)
	first := x.connect(wire.Hello{Boot: "b1"})
	first.welcome()
	again := x.connect(wire.Hello{Boot: "b1"}) // the same machine, whose network changed
	again.welcome()
	first.closed()
	other := x.connect(wire.Hello{Boot: "b2"})
	for _, p := range []*peer{again, other} {
		if got := p.closed(); got != string(wire.QuarClone) {
			t.Errorf("closed for %q", got)
		}
	}
	w.decide(func(tx store.Tx) error {
		it, err := store.Get[store.Terminal](tx, x.resp.Terminal)
		if it.Row.State != store.StateQuarantined || it.Row.Reason != wire.QuarClone {
			t.Errorf("terminal %s %s", it.Row.State, it.Row.Reason)
		}
		return err
	})
}

func TestReplace(t *testing.T) {
	w := newWorld(t, nil)
	old := enrolled(w)
	p := old.connect(wire.Hello{Boot: "b1"})
	p.welcome()
	p.until("permits", func(m wire.Message) bool { return len(m.Permits) > 0 })
	p.send(batch(1, 1, "x", 1, 2))
	p.ack()
	fresh := newTerminal(w)
	if got := fresh.enrol(w.code(old.resp.Terminal, time.Now().Add(time.Hour)), fresh.request(), nil); got != "" {
		t.Fatal(got)
	}
	if fresh.resp.Terminal != old.resp.Terminal {
		t.Errorf("it is %s, was %s", fresh.resp.Terminal, old.resp.Terminal)
	}
	p.closed()
	if _, err := old.dial(); err == nil {
		t.Error("the old hardware still connects")
	}
	if got := fresh.connect(wire.Hello{Boot: "b2"}).welcome(); got.Epoch != 2 || got.Cursor != 0 || got.Quarantine != "" || got.Terminal != "Poste 1" {
		t.Errorf("welcome %+v", got)
	}
}

func TestRenew(t *testing.T) {
	w := newWorld(t, nil)
	x := enrolled(w)
	old := *x
	var resp wire.RenewResponse
	for range 2 { // the first answer is lost
		if p := x.post(wire.PathRenew, func(tls.ConnectionState) any { return wire.RenewRequest{CSR: csr(t, x.tls)} }, &resp); p.Code != "" {
			t.Fatalf("renewal: %+v", p)
		}
	}
	x.cert = resp.Cert
	x.connect(wire.Hello{Boot: "b"}).welcome()
	if ws, err := old.dial(); err != nil {
		t.Errorf("the certificate before is worthless at once: %v", err)
	} else {
		ws.Close()
	}
	if p := (&terminal{w: w}).post(wire.PathRenew, func(tls.ConnectionState) any { return wire.RenewRequest{CSR: csr(t, x.tls)} }, &resp); p.Status != 403 {
		t.Errorf("renewal without a certificate: %+v", p)
	}
}

func TestNeighbours(t *testing.T) {
	w := newWorld(t, nil)
	a, b := enrolled(w), enrolled(w)
	pa, pb := a.connect(wire.Hello{Boot: "a"}), b.connect(wire.Hello{Boot: "b"})
	pa.welcome()
	pb.welcome()
	pb.send(wire.Message{Status: &wire.Status{Phase: "welcome"}})
	pa.until("a free neighbour", func(m wire.Message) bool { return m.Space != nil && m.Space.OtherFree })
	pb.send(wire.Message{Status: &wire.Status{Phase: "active"}})
	pa.until("no free neighbour", func(m wire.Message) bool { return m.Space != nil && !m.Space.OtherFree })
}

func TestSilenceEndsAConnection(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Ping, c.Dead = time.Hour, 50*time.Millisecond })
	p := enrolled(w).connect(wire.Hello{Boot: "b"})
	p.welcome()
	p.closed()
}
