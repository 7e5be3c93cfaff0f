package compliance

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

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
