package fleettest

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
	"borne/kiosk/journal"
	"borne/kiosk/session"
	"borne/kiosk/shell"
)

// quarantined waits until the controller has stopped a terminal for a reason,
// and the terminal knows it: nobody begins there.
func (x *terminal) quarantined(want wire.Reason) {
	x.t.Helper()
	until(x.t, x.name+" is in quarantine", func() bool { return x.row().Row.State == store.StateQuarantined })
	if row := x.row().Row; row.Reason != want {
		x.t.Errorf("%s is in quarantine for %s (%s), want %s", x.name, row.Reason, row.Detail, want)
	}
	x.stopped()
	if b := x.w.console.terminal(x.id); b.State != "quarantined" || b.Reason == "" {
		x.t.Errorf("the console shows %s as %s %q", x.name, b.State, b.Reason)
	}
}

// stopped tries to begin on a terminal that is in quarantine.
func (x *terminal) stopped() {
	x.t.Helper()
	x.see(shell.Quarantined)
	admitted := len(x.Warden.Sessions())
	x.Press(shell.Begin)
	x.sync()
	x.Press(shell.Accept)
	x.sync()
	if v := x.screen(); v.Screen != shell.Quarantined || v.Notice != string(wire.RefuseQuarantined) || len(x.Warden.Sessions()) != admitted {
		x.t.Errorf("%s shows %s %s to whoever wants to begin", x.name, v.Screen, v.Notice)
	}
}

// lifted asks for a challenge: its clean receipt, and nothing else, lifts.
func (x *terminal) lifted() {
	x.t.Helper()
	x.caught("wipe", func() {
		if _, refused := x.w.console.command(x.id, wire.CmdLift, ""); refused != 0 {
			x.t.Fatalf("%s: lift is refused: %d", x.name, refused)
		}
	})
	if got := x.row().Row.State; got != store.StateQuarantined {
		x.t.Errorf("%s is %s before its challenge is answered", x.name, got)
	}
	x.on() // and goes on with the challenge
	until(x.t, x.name+" is lifted", func() bool { return x.row().Row.State == store.StateActive })
	x.see(shell.Welcome)
	if got := x.Warden.Dirty(); len(got) > 0 {
		x.t.Errorf("%s is lifted, and not wiped: %v", x.name, got)
	}
	x.serves()
	before := x.accepted()
	x.play()
	x.serves()
	x.play()
	x.delivered()
	if row := x.row().Row; row.State != store.StateActive || row.Owes != "" || x.accepted() != before+2 {
		x.t.Errorf("%s after its lift: %s for %s (%s), owes %q, %d receipts accepted", x.name, row.State, row.Reason, row.Detail, row.Owes, x.accepted()-before)
	}
}

// accepted counts the receipts of sessions that the controller accepted.
func (x *terminal) accepted() (n int) {
	x.t.Helper()
	must(x.t, x.w.ctl.store().View(context.Background(), func(tx store.Tx) error {
		n = 0
		for _, it := range rows[store.ReceiptRow](x, tx, "terminal") {
			if it.Row.Verdict == store.VerdictAccepted && it.Row.Kind == wire.ReceiptSession {
				n++
			}
		}
		return nil
	}))
	return n
}

// smuggle is a taken agent: it ends a session without wiping, and writes a
// receipt of its own making into the journal; none when make returns none.
func (x *terminal) smuggle(make func(r wire.Receipt) (wire.Envelope, error)) {
	x.t.Helper()
	x.open(0)
	x.kill()
	j, err := x.Peek()
	must(x.t, err)
	s, err := session.Decode(j.Found().State)
	must(x.t, err)
	h, err := j.Hello()
	must(x.t, err)
	r := wire.Receipt{Kind: wire.ReceiptSession, Terminal: x.id, Session: s.Run.ID, Permit: s.Run.Permit.ID, Nonce: s.Run.Permit.Nonce,
		Segment: max(h.Chain.Segment, 1), Index: h.Chain.Index + 1, Prev: h.Chain.Digest, At: time.Now(), Boot: "b", Build: "test", Sim: true,
		Attempt: 1, Level: wire.LevelFull}
	for _, n := range wire.RequiredChecks() {
		r.Checks = append(r.Checks, wire.Check{Name: n, Before: 1, Result: wire.Clean})
	}
	for _, n := range wire.Properties() {
		r.Props = append(r.Props, wire.Property{Name: n, Held: true})
	}
	env, err := make(r)
	must(x.t, err)
	records := []wire.Record{}
	for kind, body := range map[string]any{wire.KindEnded: wire.Ended{Session: r.Session, Reason: wire.EndButton, Wipes: 1}, wire.KindReceipt: env} {
		if kind == wire.KindReceipt && len(env.Payload) == 0 {
			continue
		}
		b, err := json.Marshal(body)
		must(x.t, err)
		records = append(records, wire.Record{Kind: kind, At: time.Now().UTC(), Body: b})
	}
	s.Run, s.Dirty, s.Wipe, s.Phase = nil, false, nil, session.Welcome
	enc, err := session.Encode(s)
	must(x.t, err)
	must(x.t, j.Commit(journal.Step{State: enc, Records: records, Permits: len(s.Permits)}))
	must(x.t, j.Close())
	x.on()
}

func TestQuarantineAndLift(t *testing.T) {
	w := newWorld(t)
	bystander := w.install("Poste sage")
	if _, refused := w.console.command(bystander.id, wire.CmdLift, ""); refused != http.StatusConflict {
		t.Errorf("a lift without a quarantine: %d", refused)
	}
	own := func(x *terminal, change func(*wire.Receipt)) func(wire.Receipt) (wire.Envelope, error) {
		return func(r wire.Receipt) (wire.Envelope, error) {
			change(&r)
			return wire.Seal(x.key, wire.DomainReceipt, r)
		}
	}
	for _, c := range []struct {
		name  string
		cause wire.Reason
		sin   func(*terminal)
	}{
		{"forged by another key", wire.QuarReceiptForged, func(x *terminal) {
			_, key, err := ed25519.GenerateKey(nil)
			must(t, err)
			x.smuggle(func(r wire.Receipt) (wire.Envelope, error) { return wire.Seal(key, wire.DomainReceipt, r) })
		}},
		{"changed after it was signed", wire.QuarReceiptForged, func(x *terminal) {
			x.smuggle(func(r wire.Receipt) (wire.Envelope, error) {
				e, err := wire.Seal(x.key, wire.DomainReceipt, r)
				e.Payload = append(e.Payload, ' ')
				return e, err
			})
		}},
		{"a check failed", wire.QuarReceiptFailed, func(x *terminal) {
			x.smuggle(own(x, func(r *wire.Receipt) { r.Checks[0].After, r.Checks[0].Result = 1, wire.Found }))
		}},
		{"a check is missing", wire.QuarReceiptFailed, func(x *terminal) {
			x.smuggle(own(x, func(r *wire.Receipt) { r.Checks = r.Checks[1:] }))
		}},
		{"another nonce", wire.QuarReceiptStale, func(x *terminal) {
			x.smuggle(own(x, func(r *wire.Receipt) { r.Nonce = []byte("0123456789abcdef") }))
		}},
		{"a gap in the chain", wire.QuarReceiptChain, func(x *terminal) {
			x.smuggle(own(x, func(r *wire.Receipt) { r.Index++ }))
		}},
		{"another head of the chain", wire.QuarReceiptChain, func(x *terminal) {
			x.smuggle(own(x, func(r *wire.Receipt) { r.Prev = make([]byte, 32) }))
		}},
		{"a chain of its own", wire.QuarReceiptChain, func(x *terminal) {
			x.smuggle(own(x, func(r *wire.Receipt) { r.Segment, r.Index, r.Prev = r.Segment+1, 1, nil }))
		}},
		{"none, and the next session", wire.QuarReceiptMissing, func(x *terminal) {
			x.smuggle(func(wire.Receipt) (wire.Envelope, error) { return wire.Envelope{}, nil })
			x.settle()
			x.play() // on a permit that it holds: no new one comes while it owes a receipt
		}},
		{"too late", wire.QuarReceiptMissing, func(x *terminal) {
			reached, release := x.Warden.Hold("wipe")
			defer release()
			x.open(0)
			x.Press(shell.End)
			select {
			case <-reached:
			case <-time.After(soon):
				x.t.Fatal("nothing is wiped")
			}
			until(x.t, "the session is owed for", func() bool { return x.row().Row.Owes != "" })
			w.ctl.pass(3 * time.Hour) // past the deadline of 150 minutes
			until(x.t, "the deadline is over", func() bool { return x.row().Row.State == store.StateQuarantined })
			release() // the receipt that comes now pays the debt, and lifts nothing
			x.ends(wire.EndButton)
			x.delivered()
			if row := x.row().Row; row.Owes != "" || row.State != store.StateQuarantined {
				x.t.Errorf("after its late receipt: %s, owes %q", row.State, row.Owes)
			}
		}},
		{"the receipt of the session before", wire.QuarReceiptReplay, func(x *terminal) {
			x.play()
			var last wire.Envelope
			for _, r := range x.records() {
				if r.Kind == wire.KindReceipt {
					last = body[wire.Envelope](x, r)
				}
			}
			x.serves()
			x.smuggle(func(wire.Receipt) (wire.Envelope, error) { return last, nil })
		}},
		{"an older copy of the journal", wire.QuarRolledBack, func(x *terminal) {
			file, kept := filepath.Join(x.dir, "journal.db"), filepath.Join(x.dir, "kept")
			x.kill()
			must(t, copyFile(file, kept))
			x.on()
			x.serves()
			x.play()
			x.play()
			x.delivered()
			x.kill()
			must(t, os.Rename(kept, file))
			x.on()
		}},
		{"staff, in a session", wire.QuarStaff, func(x *terminal) {
			x.open(0)
			if _, refused := w.console.command(x.id, wire.CmdQuarantine, "Regardez ce poste."); refused != 0 {
				t.Fatalf("quarantine is refused: %d", refused)
			}
			until(x.t, "the terminal knows", func() bool {
				for _, r := range x.records() {
					if r.Kind == wire.KindCommand {
						return true
					}
				}
				return false
			})
			x.see(shell.SessionPage) // the person is not thrown out
			x.Press(shell.End)
			x.ends(wire.EndButton)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := w.install("Poste " + c.name)
			x.t = t
			x.play()
			x.serves()
			c.sin(x)
			x.quarantined(c.cause)
			x.kill() // it stays so over a restart, of either side
			x.on()
			x.stopped()
			x.lifted()
		})
	}
	bystander.play()
	bystander.delivered()
	bystander.proven()
}

// TestClonedIdentity: two machines with one disk. Whatever the first one does
// when its disk is copied, both stop, and what either began is wiped.
func TestClonedIdentity(t *testing.T) {
	apart := func(all ...*terminal) { // each a session of its own, with the same permit
		for _, z := range all {
			z.net.Set(false)
			z.on()
			z.settle()
			z.play()
		}
	}
	for name, meet := range map[string]func(x *terminal) (y *terminal){
		"both switched on at once": func(x *terminal) *terminal {
			x.kill()
			y := x.clone()
			x.on()
			y.on()
			return y
		},
		"copied while it waits for somebody": func(x *terminal) *terminal {
			y := x.clone()
			y.on()
			return y
		},
		"copied while somebody uses it": func(x *terminal) *terminal {
			x.open(0)
			y := x.clone()
			y.on() // it finds a session in its journal, and wipes for it
			until(x.t, "the copy is known", func() bool { return x.row().Row.State == store.StateQuarantined })
			y.settle()
			x.see(shell.SessionPage) // the person is not thrown out
			x.Press(shell.End)
			x.ends(wire.EndButton)
			return y
		},
		"never on at once": func(x *terminal) *terminal {
			x.kill()
			y := x.clone()
			apart(x, y)
			x.net.Set(true)
			x.delivered()
			x.kill()
			y.net.Set(true)
			until(y.t, "the copy is known", func() bool { return x.row().Row.State == store.StateQuarantined })
			x.on()
			return y
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			x := w.install("Poste 1")
			y := meet(x)
			x.quarantined(wire.QuarClone)
			y.quarantined(wire.QuarClone)
			for _, z := range []*terminal{x, y} {
				if got := z.Warden.Dirty(); len(got) > 0 {
					t.Errorf("%s is not wiped: %v", z.name, got)
				}
			}
			if _, refused := w.console.command(x.id, wire.CmdLift, ""); refused != http.StatusConflict {
				t.Errorf("the lift of a clone: %d", refused)
			}
			// Nobody can tell which of both is the right one: new keys for the place.
			next := w.machine("Poste 1 neuf")
			must(t, next.enrol(w.console.code(w.site, w.space, "", x.id)))
			next.on()
			next.serves()
			next.play()
			next.delivered()
			if row := next.row().Row; row.State != store.StateActive || row.Owes != "" {
				t.Errorf("the new machine is %s for %s (%s)", row.State, row.Reason, row.Detail)
			}
			x.refused()
			y.refused()
			x.stopped()
			y.stopped()
		})
	}
}
