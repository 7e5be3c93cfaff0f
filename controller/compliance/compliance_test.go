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

func TestAccepted(t *testing.T) {
	w := newWorld(t, nil)
	first := w.permits()
	if len(first) != 4 {
		t.Fatalf("%d permits, want the policy's 4", len(first))
	}
	for i, p := range first {
		if p.N != uint64(i+1) || len(p.Nonce) != 32 || p.Terminal != "t1" || p.Generation != 1 || !p.NotAfter.After(w.now) {
			t.Errorf("permit %+v", p)
		}
	}
	s := w.begin(first[0])
	if held := w.permits(); len(held) != 3 {
		t.Errorf("%d permits while a receipt is owed, want the 3 held before and no new one", len(held))
	}
	w.record(wire.KindEnded, wire.Ended{Session: s, Reason: wire.EndButton, Seconds: 60, Active: 40, Pages: 3})
	w.hand(w.receipt(s, first[0]))
	w.expect(store.StateActive, "")
	if held := w.permits(); len(held) != 4 || held[3].N != 5 {
		t.Errorf("after the receipt: %+v", held)
	}
	w.record(wire.KindRefused, wire.Refused{Reason: wire.RefuseUnknownBadge})
	w.record("from-the-future", map[string]int{"x": 1})
	w.decide(func(tx store.Tx) error {
		u, err := store.Get[store.Rollup](tx, store.RollupID("2026-03-02", "t1"))
		if r := u.Row; r.Sessions != 1 || r.Seconds != 60 || r.Pages != 3 || r.Wipes != 1 || r.Refusals != 1 || r.Ends["button"] != 1 {
			t.Errorf("rollup %+v", r)
		}
		kept := 0
		for it := range store.List[store.RecordRow](tx, "", "", false) {
			if it.Row.Record.Kind == "from-the-future" && string(it.Row.Record.Body) == `{"x":1}` && it.Site == "s1" {
				kept++
			}
		}
		if kept != 1 {
			t.Error("an unknown record is not kept")
		}
		it, err2 := store.First(store.Find[store.SessionRow](tx, "session", s))
		if it.Row.Receipt == "" || it.Row.Reason != wire.EndButton {
			t.Errorf("session %+v", it.Row)
		}
		return errors.Join(err, err2)
	})
}

// TestRejected: one clean session, then a second whose receipt is not.
func TestRejected(t *testing.T) {
	for name, c := range map[string]struct {
		want wire.Reason
		bad  func(w *world, before wire.Envelope, s string, p []wire.Permit)
	}{
		"forged: another key": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.key = seed(2)
			w.hand(w.receipt(s, p[1]))
		}},
		"forged: payload changed": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			e := w.seal(w.receipt(s, p[1]))
			e.Payload = bytes.Replace(e.Payload, []byte(`"wipeMs":0`), []byte(`"wipeMs":1`), 1)
			w.record(wire.KindReceipt, e)
		}},
		"forged: truncated": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			e := w.seal(w.receipt(s, p[1]))
			e.Payload = e.Payload[:len(e.Payload)-9]
			w.record(wire.KindReceipt, e)
		}},
		"forged: no envelope": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.record(wire.KindReceipt, "clean, honestly")
		}},
		"forged: another domain": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			e, _ := wire.Seal(w.key, wire.DomainPermit, w.receipt(s, p[1]))
			w.record(wire.KindReceipt, e)
		}},
		"forged: another terminal's": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Terminal = "t2"
			w.hand(r)
		}},
		"forged: another kind": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Kind = "holiday"
			w.hand(r)
		}},
		"replayed": {wire.QuarReceiptReplay, func(w *world, before wire.Envelope, s string, p []wire.Permit) {
			w.record(wire.KindReceipt, before)
		}},
		"chain: one left out": {wire.QuarReceiptChain, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Index++
			w.hand(r)
		}},
		"chain: another head": {wire.QuarReceiptChain, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Prev = bytes.Repeat([]byte{7}, 32)
			w.hand(r)
		}},
		"chain: a segment of its own": {wire.QuarReceiptChain, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Segment, r.Index, r.Prev = 5, 1, nil
			w.hand(r)
		}},
		"clone: two receipts in one place": {wire.QuarClone, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Index, r.Prev = 1, nil
			w.hand(r)
		}},
		"clone: a permit with two receipts": {wire.QuarClone, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.hand(w.receipt(s, p[0]))
		}},
		"clone: a permit used twice": {wire.QuarClone, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.hand(w.receipt(s, p[1]))
			w.begin(p[1])
		}},
		"stale: another nonce": {wire.QuarReceiptStale, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Nonce = p[2].Nonce
			w.hand(r)
		}},
		"stale: no nonce": {wire.QuarReceiptStale, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Nonce = nil
			w.hand(r)
		}},
		"stale: a permit not consumed": {wire.QuarReceiptStale, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.hand(w.receipt(s, p[2]))
		}},
		"stale: an unknown permit": {wire.QuarReceiptStale, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.hand(w.receipt(s, wire.Permit{ID: "none"}))
		}},
		"stale: a challenge that nobody asked for": {wire.QuarReceiptStale, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt("", wire.Permit{ID: "none"})
			r.Kind, r.Segment, r.Index = wire.ReceiptChallenge, r.Segment+1, 1
			w.hand(r)
		}},
		"failed: something found": {wire.QuarReceiptFailed, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Checks[0].Result = wire.Found
			w.hand(r)
		}},
		"failed: a check left out": {wire.QuarReceiptFailed, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Checks = r.Checks[1:]
			w.hand(r)
		}},
		"failed: inconclusive": {wire.QuarReceiptFailed, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Checks[2].Result = wire.Inconclusive
			w.hand(r)
		}},
		"sim": {wire.QuarReceiptSim, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.sim = true
			w.hand(w.receipt(s, p[1]))
		}},
		"level: full by word only": {wire.QuarReceiptLevel, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			r := w.receipt(s, p[1])
			r.Props = r.Props[:4]
			w.hand(r)
		}},
		"level: the policy requires full": {wire.QuarReceiptLevel, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.layer("e1", 3, `{"isolation":{"requireFull":true}}`)
			r := w.receipt(s, p[1])
			r.Level = wire.LevelReduced
			w.hand(r)
		}},
		"missing: the next session begins": {wire.QuarReceiptMissing, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.begin(p[2])
		}},
		"a permit never granted": {wire.QuarReceiptForged, func(w *world, _ wire.Envelope, s string, p []wire.Permit) {
			w.hand(w.receipt(s, p[1]))
			w.begin(wire.Permit{ID: "mine", N: 99})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, nil)
			p := w.permits()
			s := w.begin(p[0])
			before := w.hand(w.receipt(s, p[0]))
			s = w.begin(p[1])
			w.expect(store.StateActive, "")
			c.bad(w, before, s, p)
			w.expect(store.StateQuarantined, c.want)
			if held := w.permits(); len(held) > 0 {
				t.Errorf("%d permits in quarantine", len(held))
			}
			w.decide(func(tx store.Tx) error {
				cmd, err := store.First(store.Find[store.CommandRow](tx, "open", "t1"))
				if cmd.Row.Kind != wire.CmdQuarantine || cmd.Row.Reason != c.want {
					t.Errorf("the terminal is told %+v", cmd.Row)
				}
				return err
			})
		})
	}
}

func (w *world) layer(id string, version uint64, doc string) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.PolicyRow]{Meta: store.Meta{ID: id}, Row: store.PolicyRow{Doc: json.RawMessage(doc), Version: version}})
	})
}

func TestReducedIsAcceptedWhereThePolicyAllowsIt(t *testing.T) {
	w := newWorld(t, nil)
	p := w.permits()
	s := w.begin(p[0])
	r := w.receipt(s, p[0])
	r.Level, r.Props = wire.LevelReduced, r.Props[2:]
	w.hand(r)
	w.expect(store.StateActive, "")
	if row := w.terminal(); row.Level != wire.LevelReduced || len(row.Missing) != 2 {
		t.Errorf("level %s, missing %v", row.Level, row.Missing)
	}
}

func TestLift(t *testing.T) {
	var said []string
	w := newWorld(t, func(c *Config) {
		c.Audit = func(_ store.Tx, what string, t store.Item[store.Terminal], by string) error {
			said = append(said, what+" "+string(t.Row.Reason)+" "+by)
			return nil
		}
	})
	p := w.permits()
	s := w.begin(p[0])
	bad := w.receipt(s, p[0])
	bad.Checks[0].Result = wire.Found
	w.hand(bad)
	w.expect(store.StateQuarantined, wire.QuarReceiptFailed)

	var cmd store.Item[store.CommandRow]
	ask := func() {
		t.Helper()
		w.decide(func(tx store.Tx) (err error) { cmd, err = w.rules.RequestLift(tx, "t1", "u1"); return err })
	}
	challenge := func(nonce []byte, segment uint64) wire.Receipt {
		r := w.receipt("", wire.Permit{ID: cmd.ID, Nonce: nonce})
		r.Kind, r.Segment, r.Index = wire.ReceiptChallenge, segment, 1
		return r
	}
	ask()
	w.expect(store.StateQuarantined, wire.QuarReceiptFailed) // asking lifts nothing
	first := cmd
	ask()
	r := challenge(first.Row.Nonce, 1)
	r.Permit = first.ID
	w.record(wire.KindReceipt, w.seal(r)) // the answer to the one before
	w.expect(store.StateQuarantined, wire.QuarReceiptFailed)
	dirty := challenge(cmd.Row.Nonce, 2)
	dirty.Checks[1].Result = wire.Found
	w.hand(dirty)
	w.expect(store.StateQuarantined, wire.QuarReceiptFailed)
	last := challenge(cmd.Row.Nonce, 3)
	last.Level, last.Props = wire.LevelReduced, nil // there was no sandbox
	measured := w.terminal()
	w.hand(last)
	w.expect(store.StateActive, "")
	if row := w.terminal(); row.Level != measured.Level || !slices.Equal(row.Missing, measured.Missing) {
		t.Errorf("a wipe that measured nothing leaves level %s, missing %v", row.Level, row.Missing)
	}
	if want := []string{"quarantined receipt-failed ", "released  "}; !slices.Equal(said, want) {
		t.Errorf("the audit heard %q, want %q", said, want)
	}
	if held := w.permits(); len(held) != 4 {
		t.Errorf("%d permits after the lift, want 4", len(held))
	}
	s = w.begin(p[1])
	w.hand(w.receipt(s, p[1])) // the new segment goes on
	w.expect(store.StateActive, "")
	w.hand(challenge(cmd.Row.Nonce, 4)) // the same answer again
	w.expect(store.StateQuarantined, wire.QuarReceiptStale)

	w.decide(func(tx store.Tx) error { return w.rules.Quarantine(tx, "t1", wire.QuarClone, "", "") })
	err := w.st.Decide(t.Context(), func(tx store.Tx) error { _, err := w.rules.RequestLift(tx, "t1", "u1"); return err })
	if !errors.Is(err, ErrClone) {
		t.Errorf("a clone is lifted: %v", err)
	}
}

func TestDeadline(t *testing.T) {
	w := newWorld(t, nil)
	p := w.permits()
	connected := func(d time.Duration) {
		t.Helper()
		w.decide(func(tx store.Tx) error { return w.rules.Connected(tx, "t1", d) })
	}
	connected(1000 * time.Hour) // owes nothing
	s := w.begin(p[0])
	connected(150 * time.Minute)
	w.now = w.now.Add(1000 * time.Hour) // not connected
	w.expect(store.StateActive, "")
	w.hand(w.receipt(s, p[0]))
	w.begin(p[1])
	connected(150 * time.Minute)
	w.expect(store.StateActive, "")
	connected(time.Second)
	w.expect(store.StateQuarantined, wire.QuarReceiptMissing)
}

func TestSimTerminal(t *testing.T) {
	for _, refuse := range []bool{false, true} {
		w := newWorld(t, func(c *Config) { c.RefuseSim = refuse })
		w.decide(func(tx store.Tx) error {
			return store.Update(tx, "t1", func(it *store.Item[store.Terminal]) error { it.Row.Sim = true; return nil })
		})
		w.sim = true
		p := w.permits()
		if refuse {
			if len(p) > 0 {
				t.Error("a production controller grants permits to simulated hardware")
			}
			w.hello(wire.Hello{Sim: true})
			w.expect(store.StateQuarantined, wire.QuarReceiptSim)
			continue
		}
		s := w.begin(p[0])
		w.hand(w.receipt(s, p[0]))
		w.expect(store.StateActive, "")
	}
}

func (w *world) hello(h wire.Hello) (out wire.Welcome) {
	w.t.Helper()
	h.Protocol = 1
	w.decide(func(tx store.Tx) (err error) { out, err = w.rules.Hello(tx, "t1", h); return err })
	return out
}

// TestUnsureClock: what a terminal without a clock reports is filed under the
// time at which it came, and kept as it came.
func TestUnsureClock(t *testing.T) {
	w := newWorld(t, nil)
	p := w.permits()[0]
	for seq, c := range []struct {
		at     time.Time
		unsure bool
		ago    time.Duration // under what time it is filed
	}{
		{time.Unix(7, 0), true, 0},                          // no clock yet
		{w.now.Add(-40 * time.Hour), false, 41 * time.Hour}, // two days offline
		{w.now.AddDate(9, 0, 0), false, 0},                  // set by a wrong hand
	} {
		w.now = w.now.Add(time.Duration(min(seq, 1)) * time.Hour)
		filed := w.now.Add(-c.ago)
		rec := wire.Record{Epoch: 1, Seq: uint64(seq + 1), Kind: wire.KindRefused, At: c.at, Unsure: c.unsure, Body: json.RawMessage(`{"reason":"closed"}`)}
		w.decide(func(tx store.Tx) error { return w.rules.Apply(tx, "t1", rec) })
		w.decide(func(tx store.Tx) error {
			it, err := store.First(store.FindRange[store.RecordRow](tx, "terminal", "t1", store.TimeID(filed, ""), store.TimeID(filed.Add(time.Second), ""), false))
			if err != nil || !it.Row.Record.At.Equal(c.at) {
				t.Errorf("a record of %s is not filed at %s as it came: %+v %v", c.at, filed, it.Row.Record, err)
			}
			day := filed.In(w.rules.cfg.Location).Format("2006-01-02")
			if _, err := store.Get[store.Rollup](tx, store.RollupID(day, "t1")); err != nil {
				t.Errorf("it is in no figures of %s: %v", day, err)
			}
			return nil
		})
	}
	begun, err := json.Marshal(wire.Begun{Session: "s", Permit: p.ID, N: p.N})
	if err != nil {
		t.Fatal(err)
	}
	for seq := range uint64(2) { // the second time is a clone's, whenever it says that it was
		rec := wire.Record{Epoch: 1, Seq: 10 + seq, Kind: wire.KindBegun, At: time.Unix(int64(seq), 0), Unsure: true, Body: begun}
		w.decide(func(tx store.Tx) error { return w.rules.Apply(tx, "t1", rec) })
		w.now = w.now.Add(time.Minute)
	}
	w.expect(store.StateQuarantined, wire.QuarClone)
	w.decide(func(tx store.Tx) error {
		s, err := store.First(store.Find[store.SessionRow](tx, "session", "s"))
		if !s.Row.Unsure || s.Row.Begun.Year() != w.now.Year() {
			t.Errorf("session %+v", s.Row)
		}
		return err
	})
}

func TestCommands(t *testing.T) {
	w := newWorld(t, nil)
	send := func(c wire.Command) (id string, err error) {
		err = w.st.Decide(t.Context(), func(tx store.Tx) error { id, err = w.rules.Command(tx, "t1", c, "u1"); return err })
		return id, err
	}
	open := func() (kinds []wire.CommandKind) {
		w.decide(func(tx store.Tx) error {
			all, err := w.rules.OpenCommands(tx, "t1")
			kinds = nil
			for _, c := range all {
				kinds = append(kinds, c.Row.Kind)
			}
			return err
		})
		return kinds
	}
	for _, bad := range []wire.Command{{Kind: wire.CmdRelease}, {Kind: "format"}, {Kind: wire.CmdLift}, {Kind: wire.CmdMessage, Text: string(make([]byte, wire.MaxText+1))}} {
		if _, err := send(bad); err == nil {
			t.Errorf("%s is sent", bad.Kind)
		}
	}
	id, err := send(wire.Command{Kind: wire.CmdMessage, Text: "Bonjour"})
	if err != nil {
		t.Fatal(err)
	}
	w.now = w.now.Add(time.Second)
	if _, err := send(wire.Command{Kind: wire.CmdEnd}); err != nil {
		t.Fatal(err)
	}
	if got := open(); !slices.Equal(got, []wire.CommandKind{wire.CmdMessage, wire.CmdEnd}) {
		t.Errorf("open: %v", got)
	}
	w.record(wire.KindCommand, wire.CommandDone{ID: id, Reason: "no-session"})
	w.decide(func(tx store.Tx) error {
		c, err := store.Get[store.CommandRow](tx, id)
		if c.Row.Status != store.CommandRefused || c.Row.Answer != "no-session" {
			t.Errorf("command %+v", c.Row)
		}
		return err
	})
	w.now = w.now.Add(25 * time.Hour)
	if got := open(); len(got) > 0 {
		t.Errorf("after a day still open: %v", got)
	}
	if _, err := send(wire.Command{Kind: wire.CmdQuarantine}); err != nil {
		t.Fatal(err)
	}
	w.expect(store.StateQuarantined, wire.QuarStaff)
}

func FuzzApply(f *testing.F) {
	f.Add("begun", []byte(`{"session":"s","permit":"p"}`))
	f.Add("receipt", []byte(`{"kid":"x","domain":"borne/receipt/1","payload":"e30=","sig":""}`))
	f.Add("ended", []byte(`{"session":"s","seconds":-1}`))
	f.Add("device", []byte(`{"name":"\u0000"}`))
	f.Add("command", []byte(`[]`))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		if !json.Valid(body) || kind == "" {
			return
		}
		w := newWorld(t, nil)
		w.decide(func(tx store.Tx) error { return tx.SetCursor("t1", store.Cursor{Epoch: 1}) })
		if _, err := w.st.Ingest(t.Context(), "t1", wire.Batch{Epoch: 1, Records: []wire.Record{{Epoch: 1, Seq: 1, Kind: kind, Body: body}}}); err != nil {
			t.Fatal(err)
		}
		w.decide(func(tx store.Tx) error {
			if c, err := tx.Cursor("t1"); err != nil || c.Seq != 1 {
				t.Errorf("one record stops the terminal: %+v %v", c, err)
			}
			return nil
		})
	})
}
