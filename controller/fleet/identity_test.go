package fleet

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/wire"
)

func (x *terminal) renew() wire.Problem {
	x.w.t.Helper()
	var resp wire.RenewResponse
	p := x.post(wire.PathRenew, func(tls.ConnectionState) any { return wire.RenewRequest{CSR: csr(x.w.t, x.tls)} }, &resp)
	if p.Code == "" {
		x.cert = resp.Cert
	}
	return p
}

func (x *terminal) refused() bool {
	ws, err := x.dial()
	if err == nil {
		ws.Close()
	}
	return err != nil
}

func TestRenewal(t *testing.T) {
	w := newWorld(t, nil)
	x := enrolled(w)
	first := *x
	if p := x.renew(); p.Code != "" { // its answer is lost
		t.Fatalf("renewal: %+v", p)
	}
	lost := *x
	*x = first
	if p := x.renew(); p.Code != "" {
		t.Fatalf("renewal again: %+v", p)
	}
	if !lost.refused() {
		t.Error("a certificate that was issued, lost and issued again is still good")
	}
	if first.refused() {
		t.Error("the certificate before is worthless before the next one was seen")
	}
	x.connect(wire.Hello{Boot: "b"}).welcome()
	if !first.refused() {
		t.Error("the certificate before is good after the next one was seen")
	}
	if got := w.row(x.resp.Terminal); len(got.Serials) != 1 {
		t.Errorf("certificates that are good: %v", got.Serials)
	}
	if p := (&terminal{w: w, tls: x.tls}).renew(); p.Status != 403 {
		t.Errorf("renewal without a certificate: %+v", p)
	}
	for range renewBurst {
		if p := x.renew(); p.Code == "rate" {
			return
		}
	}
	t.Error("renewals have no limit")
}

// After a restore the controller does not know what it issued since the backup.
func TestRestoredControllerKnowsItsSignature(t *testing.T) {
	w := newWorld(t, nil)
	x := enrolled(w)
	backup := w.row(x.resp.Terminal)
	first := *x
	if p := x.renew(); p.Code != "" {
		t.Fatalf("renewal: %+v", p)
	}
	w.decide(func(tx store.Tx) error {
		return store.Update(tx, x.resp.Terminal, func(it *store.Item[store.Terminal]) error { it.Row = backup; return nil })
	})
	if !x.refused() {
		t.Fatal("an unknown certificate is good, and there was no restore")
	}
	w.decide(func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.Setting]{Meta: store.Meta{ID: store.SettingController}, Row: store.Setting{Generation: 2}})
	})
	if got := x.connect(wire.Hello{Boot: "b", Epoch: 1, Seq: 40}).welcome(); got.Generation != 2 || got.Cursor != 0 || got.Quarantine != "" {
		t.Errorf("welcome after a restore: %+v", got)
	}
	if got := w.row(x.resp.Terminal).Serials; len(got) != 1 || got[0] == backup.Serials[0] {
		t.Errorf("certificates that are good: %v, before %v", got, backup.Serials)
	}
	if !first.refused() {
		t.Error("the certificate before is good after the next one was seen")
	}
	must(t, w.f.Revoke(t.Context(), x.resp.Terminal, ""))
	if !x.refused() {
		t.Error("a revoked terminal connects")
	}
}

func TestRevocationHoldsOnResumedSessions(t *testing.T) {
	w := newWorld(t, nil)
	x := enrolled(w)
	cfg := x.config()
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(4)
	resumed := false
	dial := func() (*websocket.Conn, error) {
		d := websocket.Dialer{HandshakeTimeout: patience, NetDialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			c, err := tls.Dial("tcp", w.addr, cfg)
			if err == nil {
				resumed = c.ConnectionState().DidResume
			}
			return c, err
		}}
		ws, _, err := d.Dial("wss://"+w.addr+wire.PathUplink, nil)
		return ws, err
	}
	for i := range 2 {
		ws, err := dial()
		must(t, err)
		if resumed != (i == 1) {
			t.Fatalf("connection %d resumed: %v", i, resumed)
		}
		ws.Close()
	}
	must(t, w.f.Revoke(t.Context(), x.resp.Terminal, "u1"))
	if ws, err := dial(); err == nil {
		ws.Close()
		t.Error("a revoked terminal resumes its session")
	}
	if !resumed {
		t.Error("the last session was not resumed: this shows nothing")
	}
}

// Somebody who opens TLS in between passes the very request on.
func TestManInTheMiddle(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Enrols = 1e6 })
	dir := filepath.Join(t.TempDir(), "keys")
	must(t, pki.Init(dir, time.Now()))
	theirs, err := pki.Open(dir, time.Now)
	must(t, err)
	ln, err := tls.Listen("tcp", "127.0.0.1:0", theirs.ServerTLS(func(string, string) error { return nil }))
	must(t, err)
	defer ln.Close()
	go func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := tls.Dial("tcp", w.addr, &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				in.Close()
				return
			}
			go func() { io.Copy(out, in); out.Close() }()
			go func() { io.Copy(in, out); in.Close() }()
		}
	}()
	there := &world{t: t, addr: ln.Addr().String(), root: w.root}
	code, x := w.code("", time.Now().Add(time.Hour)), newTerminal(w)
	req := x.request()
	x.w = there
	if got := x.enrol(code, req, nil); got != "proof" {
		t.Errorf("through somebody else: %q, want proof", got)
	}
	x.w = w
	if got := x.enrol(code, req, nil); got != "" {
		t.Errorf("the same code straight afterwards: %q", got)
	}
}

func TestOneKeyForBothRoles(t *testing.T) {
	w := newWorld(t, nil)
	x := newTerminal(w)
	req := x.request()
	req.CSR = csr(t, x.receipt)
	if got := x.enrol(w.code("", time.Now().Add(time.Hour)), req, nil); got != "request" {
		t.Errorf("the receipt key as the certificate's key: %q", got)
	}
}

// New hardware takes over the name, and none of the old one's troubles.
func TestReplacingAClone(t *testing.T) {
	type entry struct{ action, by string }
	var trail []entry
	w := newWorld(t, func(c *Config) {
		c.Audit = func(_ store.Tx, action string, _ store.Item[store.Terminal], by string) error {
			trail = append(trail, entry{action, by})
			return nil
		}
	})
	old := enrolled(w)
	w.decide(func(tx store.Tx) error {
		return w.f.cfg.Rules.Quarantine(tx, old.resp.Terminal, wire.QuarClone, "two", "")
	})
	fresh := newTerminal(w)
	if got := fresh.enrol(w.code(old.resp.Terminal, time.Now().Add(time.Hour)), fresh.request(), nil); got != "" {
		t.Fatal(got)
	}
	w.decide(func(tx store.Tx) error {
		for c, err := range store.Find[store.CommandRow](tx, "open", old.resp.Terminal) {
			t.Errorf("the old hardware's %s waits for the new one: %v", c.Row.Kind, err)
		}
		return nil
	})
	p := fresh.connect(wire.Hello{Boot: "new"})
	if got := p.welcome(); got.Quarantine != "" {
		t.Errorf("welcome %+v", got)
	}
	p.until("permits", func(m wire.Message) bool { return len(m.Permits) > 0 })
	if len(trail) != 2 || trail[0].action != "enrolled" || trail[1].action != "replaced" {
		t.Errorf("audit %v", trail)
	}
	if got := newTerminal(w).enrol(w.code("t-gone", time.Now().Add(time.Hour)), newTerminal(w).request(), nil); got != "unknown" {
		t.Errorf("replacing a terminal that is not there: %q", got)
	}
}

func TestNetwork(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.7:1": "192.0.2.7", "[::ffff:192.0.2.7]:9": "192.0.2.7", "[2001:db8:1:2:3::4]:5": "2001:db8:1:2::/64",
		"[fe80::1%eth0]:5": "fe80::/64", "nonsense": "unknown", "host:1": "unknown",
	} {
		if got := network(in); got != want {
			t.Errorf("network(%q) = %q, want %q", in, got, want)
		}
	}
}
