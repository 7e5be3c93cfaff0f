package certificate

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"borne/controller/audit"
	"borne/controller/compliance"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

func seed(b byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, 32)) }

type signer struct{}

func (signer) SignPermit(p wire.Permit) (wire.Envelope, error) {
	return wire.Seal(seed(9), wire.DomainPermit, p)
}
func (signer) SignCommand(c wire.Command) (wire.Envelope, error) {
	return wire.Seal(seed(9), wire.DomainCommand, c)
}

// world is a controller's real rules over a real store, with one site and some
// terminals whose wardens the test plays.
type world struct {
	t     *testing.T
	st    store.Store
	rules *compliance.Rules
	now   time.Time
	n     int
}

// place is one terminal.
type place struct {
	w    *world
	id   string
	key  ed25519.PrivateKey
	head wire.ChainHead
	seq  uint64
}

var march = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: march}
	w.rules = compliance.New(compliance.Config{Sign: signer{}, Now: func() time.Time { return w.now },
		Audit: func(tx store.Tx, what string, t store.Item[store.Terminal], _ string) error {
			return w.audit(tx, what, t)
		}})
	st, err := bolt.Open(bolt.Config{Dir: t.TempDir(), Apply: w.rules.Apply, Journal: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w.st = st
	w.decide(func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.Site]{Meta: store.Meta{ID: "s", Site: "s"}, Row: store.Site{Name: "Collège du Lac", Type: "college", Commune: "Annecy"}})
	})
	return w
}

func (w *world) audit(tx store.Tx, what string, t store.Item[store.Terminal]) error {
	return audit.Append(tx, audit.Entry{At: w.now, Actor: audit.Controller, Action: "terminal." + what, Site: t.Site, Scope: t.ID, Target: t.ID, Detail: string(t.Row.Reason)})
}

func (w *world) decide(fn func(store.Tx) error) {
	w.t.Helper()
	if err := w.st.Decide(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) place(id string) *place {
	w.t.Helper()
	w.n++
	p := &place{w: w, id: id, key: seed(byte(w.n))}
	w.decide(func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.Terminal]{Meta: store.Meta{ID: id, Site: "s", Scope: "hall"}, Row: store.Terminal{Space: "hall",
			Name: "Poste " + id, State: store.StateActive, ReceiptKey: p.key.Public().(ed25519.PublicKey)}})
	})
	return p
}

func (p *place) record(kind string, body any) {
	p.w.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.seq++
	rec := wire.Record{Epoch: 1, Seq: p.seq, Kind: kind, At: p.w.now, Body: b}
	p.w.decide(func(tx store.Tx) error { return p.w.rules.Apply(tx, p.id, rec) })
	p.w.now = p.w.now.Add(time.Minute)
}

func (p *place) permit() (permit wire.Permit) {
	p.w.t.Helper()
	p.w.decide(func(tx store.Tx) error {
		all, err := p.w.rules.GrantPermits(tx, p.id)
		if err != nil || len(all) == 0 {
			return fmt.Errorf("no permit: %v", err)
		}
		permit, err = wire.Open[wire.Permit](all[0], wire.DomainPermit, seed(9).Public().(ed25519.PublicKey))
		return err
	})
	return permit
}

// begin opens a session; end ends it and hands in its receipt, changed.
func (p *place) begin() (session string, permit wire.Permit) {
	p.w.t.Helper()
	permit = p.permit()
	p.w.n++
	session = fmt.Sprint("session-", p.w.n)
	p.record(wire.KindBegun, wire.Begun{Session: session, Permit: permit.ID, N: permit.N})
	return session, permit
}

func (p *place) end(session string, permit wire.Permit, why wire.Reason, change func(*wire.Receipt)) {
	p.w.t.Helper()
	p.record(wire.KindEnded, wire.Ended{Session: session, Reason: why, Seconds: 600})
	r := wire.Receipt{Kind: wire.ReceiptSession, Session: session, Permit: permit.ID, Nonce: permit.Nonce}
	p.hand(r, change)
}

// hand completes a receipt to one of a clean wipe, next in the chain.
func (p *place) hand(r wire.Receipt, change func(*wire.Receipt)) {
	p.w.t.Helper()
	r.Terminal, r.Segment, r.Index, r.Prev, r.At, r.Level = p.id, p.head.Segment, p.head.Index+1, p.head.Digest, p.w.now, wire.LevelFull
	for _, n := range wire.Properties() {
		r.Props = append(r.Props, wire.Property{Name: n, Held: true})
	}
	for _, n := range wire.RequiredChecks() {
		r.Checks = append(r.Checks, wire.Check{Name: n, Before: 1, Result: wire.Clean})
	}
	if change != nil {
		change(&r)
	}
	env, err := wire.Seal(p.key, wire.DomainReceipt, r)
	if err != nil {
		p.w.t.Fatal(err)
	}
	p.head = wire.ChainHead{Segment: r.Segment, Index: r.Index, Digest: env.Digest()}
	p.record(wire.KindReceipt, env)
}

func (p *place) play(n int) {
	p.w.t.Helper()
	for range n {
		s, permit := p.begin()
		p.end(s, permit, wire.EndButton, nil)
	}
}

// lift asks for a challenge wipe and answers it.
func (p *place) lift(change func(*wire.Receipt)) {
	p.w.t.Helper()
	var c store.Item[store.CommandRow]
	p.w.decide(func(tx store.Tx) (err error) { c, err = p.w.rules.RequestLift(tx, p.id, "u"); return err })
	p.hand(wire.Receipt{Kind: wire.ReceiptChallenge, Permit: c.ID, Nonce: c.Row.Nonce}, func(r *wire.Receipt) {
		r.Segment, r.Index = r.Segment+1, 1
		if change != nil {
			change(r)
		}
	})
}

func (p *place) row() (t store.Item[store.Terminal]) {
	p.w.t.Helper()
	p.w.decide(func(tx store.Tx) (err error) { t, err = store.Get[store.Terminal](tx, p.id); return err })
	return t
}

func (w *world) certify(month string) (c Certificate) {
	w.t.Helper()
	err := w.st.View(w.t.Context(), func(tx store.Tx) (err error) {
		c, err = Build(tx, Ask{Site: "s", Month: month, Zone: policy.Location(), Now: w.now, Build: "test"})
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

func (c Certificate) codes() (all []Code) {
	for _, f := range c.Findings {
		all = append(all, f.Code)
	}
	return all
}
