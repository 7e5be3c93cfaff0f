package fleet

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"borne/controller/store"
	"borne/controller/wire"
)

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

func TestWrongProofsEndACode(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Enrols = 1e6 })
	code, x := w.code("", time.Now().Add(time.Hour)), newTerminal(w)
	wrong := func(r *wire.EnrolRequest) { r.Proof = make([]byte, 32) }
	for range maxWrong {
		if got := x.enrol(code, x.request(), wrong); got != "proof" {
			t.Fatalf("a wrong proof: %q", got)
		}
	}
	if got := x.enrol(code, x.request(), nil); got != "expired" {
		t.Errorf("after %d wrong proofs the right one gives %q", maxWrong, got)
	}
	if got := x.enrol(w.code("", time.Now().Add(time.Hour)), x.request(), nil); got != "" {
		t.Errorf("another code: %q", got)
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
	l := newLimiter(1e-6, 1e-7, burst, time.Now)
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
	h1 := []byte("the-raw-h1-of-a-badge-32-bytes!!")
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
		if s.Row.Receipt == "" || s.Row.Holder != hex.EncodeToString([]byte(pseudonym)) {
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
	waitFor(t, changes, func() bool {
		l, ok := w.f.Live(x.resp.Terminal)
		return ok && l.Online && l.Status.Phase == "active" && l.CertEnds.After(l.LastSeen)
	})

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

	// A move to a place whose rules are as new: the text counts, not the version.
	w.decide(func(tx store.Tx) error {
		must(t, store.Put(tx, store.Item[store.PolicyRow]{Meta: store.Meta{ID: "e2"}, Row: store.PolicyRow{Version: 7, Doc: json.RawMessage(`{"session":{"minutes":20}}`)}}))
		return store.Update(tx, x.resp.Terminal, func(it *store.Item[store.Terminal]) error { it.Row.Space = "e2"; return nil })
	})
	w.f.PushPolicy(t.Context())
	p.until("the other place's policy", func(m wire.Message) bool {
		if m.Policy == nil {
			return false
		}
		pol, err := wire.Open[struct{ Session struct{ Minutes int } }](*m.Policy, wire.DomainPolicy, keys...)
		return err == nil && pol.Session.Minutes == 20
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
	why("no-certificate")
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
	must(t, w.f.Revoke(t.Context(), x.resp.Terminal, "u1"))
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
	other := x.connect(wire.Hello{Boot: "b2", Epoch: 1, Seq: 7})
	// It holds permits as well: it must hear that it may not use them.
	if got := other.welcome(); got.Quarantine != string(wire.QuarClone) || got.Epoch != 1 || got.Cursor != 0 || got.Terminal != "Poste 1" {
		t.Errorf("the clone is told %+v", got)
	}
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
	late, err := old.dial() // it has yet to say hello
	must(t, err)
	defer late.Close()
	var first ed25519.PublicKey
	w.decide(func(tx store.Tx) error {
		it, err := store.Get[store.Terminal](tx, old.resp.Terminal)
		first = it.Row.ReceiptKey
		return err
	})
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
	// It is turned away, and no clone of its successor.
	hello, err := wire.Encode(wire.Message{Hello: &wire.Hello{Protocol: 1, MinProtocol: 1, Boot: "b1"}})
	must(t, err)
	must(t, late.WriteMessage(websocket.TextMessage, hello))
	var ce *websocket.CloseError
	if _, _, err := late.ReadMessage(); !errors.As(err, &ce) || ce.Text != "revoked" {
		t.Errorf("the old hardware's late hello: %v", err)
	}
	w.decide(func(tx store.Tx) error {
		it, err := store.Get[store.Terminal](tx, old.resp.Terminal)
		if it.Row.State != store.StateActive {
			t.Errorf("the terminal is %s for %s", it.Row.State, it.Row.Reason)
		}
		if len(it.Row.PastKeys) != 1 || bytes.Equal(it.Row.PastKeys[0], it.Row.ReceiptKey) || wire.KeyID(it.Row.PastKeys[0]) != wire.KeyID(first) {
			t.Error("nothing verifies the receipts of the old hardware any more")
		}
		return err
	})
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
	// The alarm's contact is on one of them: the other one learns of it, and the
	// first hears nothing of its own.
	pb.send(wire.Message{Status: &wire.Status{Phase: "closed", Reason: "alarm", Armed: true}})
	pa.until("an armed neighbour", func(m wire.Message) bool { return m.Space != nil && m.Space.Armed })
	pa.send(wire.Message{Status: &wire.Status{Phase: "closed", Reason: "alarm"}})
	pa.send(wire.Message{Status: &wire.Status{Phase: "welcome"}})
	pb.until("a free neighbour", func(m wire.Message) bool {
		if m.Space != nil && m.Space.Armed {
			t.Error("its own alarm came back to it")
		}
		return m.Space != nil && m.Space.OtherFree
	})
	pb.send(wire.Message{Status: &wire.Status{Phase: "welcome"}})
	pa.until("no armed neighbour", func(m wire.Message) bool { return m.Space != nil && !m.Space.Armed })
}

func TestSilenceEndsAConnection(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Ping, c.Dead = time.Hour, 50*time.Millisecond })
	p := enrolled(w).connect(wire.Hello{Boot: "b"})
	p.welcome()
	p.closed()
}
