package compliance

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

type signer struct{ key ed25519.PrivateKey }

func (s signer) SignPermit(p wire.Permit) (wire.Envelope, error) {
	return wire.Seal(s.key, wire.DomainPermit, p)
}

func (s signer) SignCommand(c wire.Command) (wire.Envelope, error) {
	return wire.Seal(s.key, wire.DomainCommand, c)
}

// world is a controller with one terminal, and that terminal's warden.
type world struct {
	t     *testing.T
	st    store.Store
	rules *Rules
	now   time.Time
	key   ed25519.PrivateKey // the warden's
	seq   uint64
	head  wire.ChainHead
	sim   bool
}

func seed(b byte) ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, 32)) }

func newWorld(t *testing.T, change func(*Config)) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), key: seed(1)}
	cfg := Config{Sign: signer{seed(9)}, Now: func() time.Time { return w.now }}
	if change != nil {
		change(&cfg)
	}
	w.rules = New(cfg)
	st, err := bolt.Open(bolt.Config{Dir: t.TempDir(), Apply: w.rules.Apply, Journal: 64 << 10})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	w.st = st
	w.decide(func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.Terminal]{Meta: store.Meta{ID: "t1", Site: "s1", Scope: "e1"}, Row: store.Terminal{Space: "e1",
			Name: "Poste 1", State: store.StateActive, ReceiptKey: w.key.Public().(ed25519.PublicKey)}})
	})
	return w
}

func (w *world) decide(fn func(store.Tx) error) {
	w.t.Helper()
	if err := w.st.Decide(w.t.Context(), fn); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) record(kind string, body any) {
	w.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	w.seq++
	w.now = w.now.Add(time.Second)
	rec := wire.Record{Epoch: 1, Seq: w.seq, Kind: kind, At: w.now, Body: b}
	w.decide(func(tx store.Tx) error { return w.rules.Apply(tx, "t1", rec) })
}

func (w *world) terminal() (row store.Terminal) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		t, err := store.Get[store.Terminal](tx, "t1")
		row = t.Row
		return err
	})
	return row
}

func (w *world) permits() (all []wire.Permit) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		envs, err := w.rules.GrantPermits(tx, "t1")
		all = nil
		for _, e := range envs {
			p, err := wire.Open[wire.Permit](e, wire.DomainPermit, seed(9).Public().(ed25519.PublicKey))
			if err != nil {
				return err
			}
			all = append(all, p)
		}
		slices.SortFunc(all, func(a, b wire.Permit) int { return int(a.N) - int(b.N) })
		return err
	})
	return all
}

func (w *world) begin(p wire.Permit) string {
	w.t.Helper()
	s := fmt.Sprint("session-", w.seq)
	w.record(wire.KindBegun, wire.Begun{Session: s, Permit: p.ID, N: p.N})
	return s
}

// receipt is what the warden says of a clean wipe, next in its chain.
func (w *world) receipt(s string, p wire.Permit) wire.Receipt {
	r := wire.Receipt{Kind: wire.ReceiptSession, Terminal: "t1", Session: s, Permit: p.ID, Nonce: p.Nonce, Segment: w.head.Segment,
		Index: w.head.Index + 1, Prev: w.head.Digest, At: w.now, Level: wire.LevelFull, Sim: w.sim}
	for _, n := range wire.Properties() {
		r.Props = append(r.Props, wire.Property{Name: n, Held: true})
	}
	for _, n := range wire.RequiredChecks() {
		r.Checks = append(r.Checks, wire.Check{Name: n, Before: 1, Result: wire.Clean})
	}
	return r
}

func (w *world) seal(r wire.Receipt) wire.Envelope {
	w.t.Helper()
	e, err := wire.Seal(w.key, wire.DomainReceipt, r)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

// hand sends a receipt and goes on from it.
func (w *world) hand(r wire.Receipt) wire.Envelope {
	w.t.Helper()
	e := w.seal(r)
	w.head = wire.ChainHead{Segment: r.Segment, Index: r.Index, Digest: e.Digest()}
	w.record(wire.KindReceipt, e)
	return e
}

func (w *world) expect(state store.TerminalState, reason wire.Reason) {
	w.t.Helper()
	if row := w.terminal(); row.State != state || row.Reason != reason {
		w.t.Errorf("terminal is %s %q (%s), want %s %q", row.State, row.Reason, row.Detail, state, reason)
	}
}

func (w *world) layer(id string, version uint64, doc string) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		was, err := store.Get[store.PolicyRow](tx, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return store.Put(tx, store.Item[store.PolicyRow]{Meta: store.Meta{ID: id, Rev: was.Rev}, Row: store.PolicyRow{Doc: json.RawMessage(doc), Version: version}})
	})
}

func (w *world) hello(h wire.Hello) (out wire.Welcome) {
	w.t.Helper()
	h.Protocol = 1
	w.decide(func(tx store.Tx) (err error) { out, err = w.rules.Hello(tx, "t1", h); return err })
	return out
}
