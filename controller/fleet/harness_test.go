package fleet

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"borne/controller/compliance"
	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

const (
	patience  = 10 * time.Second
	pseudonym = "\xffpseudonym" // not text: it must survive as it is
)

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
	late    atomic.Int64 // how far the controller's clock is ahead of the real one
}

func (w *world) now() time.Time { return time.Now().Add(time.Duration(w.late.Load())) }

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	dir := t.TempDir()
	must(t, pki.Init(filepath.Join(dir, "keys"), time.Now()))
	keys, err := pki.Open(filepath.Join(dir, "keys"), time.Now)
	must(t, err)
	w := &world{t: t, root: keys.Root(), dir: filepath.Join(dir, "store"), refused: make(chan string, 100)}
	rules := compliance.New(compliance.Config{Sign: keys, Now: w.now})
	st, err := bolt.Open(bolt.Config{Dir: filepath.Join(dir, "store"), Apply: rules.Apply, Journal: 1 << 20})
	must(t, err)
	w.st = st
	cfg := Config{Store: st, Rules: rules, PKI: keys, Now: w.now, Probe: 200 * time.Millisecond, Tick: 50 * time.Millisecond,
		Holder:  func(store.Tx, []byte, time.Time) (string, error) { return pseudonym, nil },
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

func (w *world) row(terminal string) (row store.Terminal) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		it, err := store.Get[store.Terminal](tx, terminal)
		row = it.Row
		return err
	})
	return row
}

func (w *world) command(id string) (row store.CommandRow) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		it, err := store.Get[store.CommandRow](tx, id)
		row = it.Row
		return err
	})
	return row
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
	tr := &http.Transport{DisableKeepAlives: true, DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return c, nil }}
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
