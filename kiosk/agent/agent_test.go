package agent_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/agent"
	"borne/kiosk/agent/agenttest"
	"borne/kiosk/journal"
	"borne/kiosk/session"
	"borne/kiosk/shell"
)

const soon = 10 * time.Second

// bed is a terminal with a controller, as one test sees it.
type bed struct {
	*agenttest.Terminal
	t   *testing.T
	c   *agenttest.Controller
	dir string
}

func rules() policy.Policy {
	p := policy.Default()
	p.Version, p.Hours.Always, p.Access.AnyBadge = 1, true, true
	return p
}

func newBed(t *testing.T, change func(*agenttest.Options)) *bed {
	t.Helper()
	seed := func(b byte) ed25519.PrivateKey {
		s := make([]byte, ed25519.SeedSize)
		s[0] = b
		return ed25519.NewKeyFromSeed(s)
	}
	b := &bed{t: t, c: agenttest.NewController(seed(1), "t1"), dir: t.TempDir()}
	o := agenttest.Options{Dir: b.dir, Terminal: "t1", ReceiptKey: seed(2), SignKeys: []ed25519.PublicKey{b.c.Key()},
		Uplink: func(context.Context, *journal.Journal) (agent.Uplink, error) { return b.c, nil }}
	if change != nil {
		change(&o)
	}
	b.Terminal = agenttest.New(o)
	b.start()
	t.Cleanup(func() {
		select {
		case <-b.Ended():
		default:
			b.Kill()
		}
	})
	return b
}

func (b *bed) start() {
	b.t.Helper()
	if err := b.Start(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) kill() {
	b.t.Helper()
	if err := b.Kill(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bed) must(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// see waits for a screen.
func (b *bed) see(s shell.Screen) shell.View {
	b.t.Helper()
	v, err := b.Wait(soon, func(v shell.View) bool { return v.Screen == s })
	if err != nil {
		b.t.Fatalf("waiting for %s: %v", s, err)
	}
	return v
}

// ready brings a fresh terminal to its welcome screen.
func (b *bed) ready() {
	b.t.Helper()
	b.c.Welcome("")
	b.must(b.c.Policy(rules()))
	b.must(b.c.Permits(4, b.later()))
	b.see(shell.Closed)
	b.until("the permits are held", func() bool { h, _ := b.Journal.Hello(); return h.PermitsLeft == 4 })
	b.Tick(time.Second)
	b.see(shell.Welcome)
}

func (b *bed) later() time.Time { w, _ := b.Clock.Now(); return w.Add(72 * time.Hour) }

func (b *bed) begin() {
	b.t.Helper()
	b.Press(shell.Begin)
	b.see(shell.CharterPage)
	b.Press(shell.Accept)
}

func (b *bed) active() {
	b.t.Helper()
	b.begin()
	b.see(shell.SessionPage)
}

// ledger reads the journal: permits consumed and their receipts, verified.
func (b *bed) ledger() (begun, receipts map[string]string) {
	b.t.Helper()
	begun, receipts = map[string]string{}, map[string]string{}
	all, err := b.Journal.After(0, 10000)
	b.must(err)
	for _, r := range all {
		switch r.Kind {
		case wire.KindBegun:
			var v wire.Begun
			b.must(json.Unmarshal(r.Body, &v))
			if begun[v.Permit] != "" {
				b.t.Errorf("permit %s is consumed twice", v.Permit)
			}
			begun[v.Permit] = v.Session
		case wire.KindReceipt:
			var e wire.Envelope
			b.must(json.Unmarshal(r.Body, &e))
			v, err := wire.Open[wire.Receipt](e, wire.DomainReceipt, b.Warden.Key())
			b.must(err)
			if v.Failure() != "" || v.Terminal != "t1" {
				b.t.Errorf("receipt %+v proves nothing", v)
			}
			if v.Kind == wire.ReceiptSession {
				if receipts[v.Permit] != "" || begun[v.Permit] != v.Session {
					b.t.Errorf("receipt for permit %s, session %s: begun %v", v.Permit, v.Session, begun)
				}
				receipts[v.Permit] = v.Session
			}
		}
	}
	return begun, receipts
}

// proven checks that nothing is owed and no promise was broken.
func (b *bed) proven(sessions int) {
	b.t.Helper()
	begun, receipts := b.ledger()
	if len(begun) != sessions || len(receipts) != sessions || len(b.Warden.Dirty()) > 0 || len(b.Warden.Broken()) > 0 {
		b.t.Fatalf("begun %v, receipts %v, dirty %v, broken %v; want %d sessions", begun, receipts, b.Warden.Dirty(), b.Warden.Broken(), sessions)
	}
}

func last[T any](b *bed, kind string) T {
	b.t.Helper()
	var v T
	all, err := b.Journal.After(0, 10000)
	b.must(err)
	for i := len(all) - 1; i >= 0; i-- {
		if all[i].Kind == kind {
			b.must(json.Unmarshal(all[i].Body, &v))
			return v
		}
	}
	b.t.Fatalf("no %s record", kind)
	return v
}

func TestAWholeSession(t *testing.T) {
	b := newBed(t, nil)
	b.see(shell.Closed)
	b.ready()
	b.active()
	b.until("the session is on the display", b.Stage.Session)
	b.Tick(time.Second)
	v, err := b.Wait(soon, func(v shell.View) bool { return v.Bar != nil && v.Bar.LeftSeconds == 45*60-1 })
	if err != nil || v.Bar.TotalSeconds != 45*60 || v.Place.Site != "Collège" {
		t.Errorf("view %+v bar %+v: %v", v, v.Bar, err)
	}
	b.Press(shell.Home)
	b.Press(shell.Back)
	b.until("the browser moves", func() bool { return len(b.Browsers.Used().Moves()) == 2 })
	b.Press(shell.End)
	v = b.see(shell.Thanks)
	if v.Wipe == nil || v.Wipe.Reason != "button" || !v.Wipe.Full || v.Wipe.Receipt != "1-1" || len(v.Wipe.Checks) != len(wire.RequiredChecks()) {
		t.Errorf("thanks %+v", v.Wipe)
	}
	b.until("the shell is on the display", func() bool { return !b.Stage.Session() })
	b.Pass(21 * time.Second)
	b.see(shell.Welcome)
	b.proven(1)
	b.until("the controller knows", func() bool {
		s := b.c.Status()
		return s.Phase == "welcome" && s.Permits == 3 && s.Level == wire.LevelFull && s.Policy == 1
	})
	h, _ := b.Journal.Hello()
	if h.Chain.Index != 1 || h.PermitsLeft != 3 || h.Policy != 1 {
		t.Errorf("hello %+v", h)
	}
}

// until waits for a condition that no view tells.
func (b *bed) until(what string, ok func() bool) {
	b.t.Helper()
	for end := time.Now().Add(soon); !ok(); {
		if time.Now().After(end) {
			b.t.Fatalf("waited in vain until %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// reach brings a terminal into a phase and stops there.
func reach(b *bed, p session.Phase) {
	b.t.Helper()
	verb := func(v string, do func()) {
		reached, _ := b.Warden.Hold(v)
		do()
		select {
		case <-reached:
		case <-time.After(soon):
			b.t.Fatalf("%s was never asked", v)
		}
	}
	switch p {
	case session.Starting:
		b.kill()
		verb("survey", b.start)
		b.see(shell.Starting)
	case session.Closed:
		q := rules()
		q.Version, q.Hours.Always = 2, false
		q.Hours.Exceptions = []policy.Exception{{Day: "2026-03-02", Why: "Travaux"}}
		b.must(b.c.Policy(q))
		b.waitPolicy(2)
		b.Tick(time.Second)
		if v := b.see(shell.Closed); v.Opening == nil || v.Opening.Why != "Travaux" || v.Opening.At != "2026-03-03T08:00:00+01:00" {
			b.t.Errorf("opening %+v", v.Opening)
		}
	case session.Welcome:
	case session.Charter:
		b.Press(shell.Begin)
		b.see(shell.CharterPage)
	case session.Opening:
		verb("admit", b.begin)
		b.see(shell.OpeningPage)
	case session.Active:
		b.active()
	case session.Warning:
		b.active()
		b.Tap('x')
		b.see(shell.WarningPage)
	case session.Ending:
		b.active()
		b.Browsers.Used().SetUploading(1)
		b.Tick(time.Second)
		b.Press(shell.End)
		if _, err := b.Wait(soon, func(v shell.View) bool { return v.Bar != nil && v.Bar.Ending }); err != nil {
			b.t.Fatal(err)
		}
	case session.Wiping:
		b.active()
		verb("wipe", func() { b.Press(shell.End) })
		b.see(shell.Wiping)
	case "signing":
		b.active()
		verb("sign", func() { b.Press(shell.End) })
	case session.Thanks:
		b.active()
		b.Press(shell.End)
		b.see(shell.Thanks)
	case session.Quarantined:
		b.c.Welcome(wire.QuarClone)
		b.see(shell.Quarantined)
	case session.Broken:
		b.active()
		b.Warden.FailWipes(session.MaxWipes)
		b.Press(shell.End)
		for i := range session.MaxWipes {
			b.waitAlerts("wipe-attempt-failed", i+1)
			b.Tick(session.RetryAfter)
		}
		if v := b.see(shell.Broken); v.Reason != string(wire.OutWipe) {
			b.t.Fatalf("broken for %s", v.Reason)
		}
	case session.Maintenance:
		b.must(b.c.Command(wire.Command{ID: "out", Kind: wire.CmdOut, Text: "Écran à changer", NotAfter: b.later()}))
		if v := b.see(shell.Maintenance); v.Message != "Écran à changer" {
			b.t.Errorf("message %q", v.Message)
		}
	case session.Challenge:
		verb("wipe", func() {
			b.must(b.c.Command(wire.Command{ID: "lift", Kind: wire.CmdLift, Nonce: []byte("nonce-of-lift"), NotAfter: b.later()}))
		})
		b.see(shell.Wiping)
	case session.Updating:
		// Nothing updates yet: the phase is put on the disk as a later version would.
		b.kill()
		s := session.New()
		j, err := journal.Open(filepath.Join(b.dir, "journal.db"), journal.Options{Clock: b.Clock})
		b.must(err)
		s, err = session.Decode(j.Found().State)
		b.must(err)
		s.Phase = session.Updating
		enc, err := session.Encode(s)
		b.must(err)
		b.must(j.Commit(journal.Step{State: enc}))
		b.must(j.Close())
		b.start()
	default:
		b.t.Fatalf("no way to %s", p)
	}
}

func (b *bed) waitPolicy(v uint64) {
	b.t.Helper()
	b.until("the policy applies", func() bool { h, _ := b.Journal.Hello(); return h.Policy == v })
}

// waitAlerts waits until n alerts of a code are in the journal.
func (b *bed) waitAlerts(code string, n int) {
	b.t.Helper()
	b.until(fmt.Sprintf("%d alerts %s are told", n, code), func() bool {
		got := 0
		for _, r := range b.records(wire.KindAlert) {
			if strings.Contains(string(r.Body), `"`+code+`"`) {
				got++
			}
		}
		return got >= n
	})
}

// TestKilledInEveryPhase stops the agent without any cleanup in each phase and
// starts it again: what was owed is wiped and proven, nobody came between, and
// the next person is served.
func TestKilledInEveryPhase(t *testing.T) {
	for _, p := range append(session.Phases(), "signing") {
		t.Run(string(p), func(t *testing.T) {
			b := newBed(t, nil)
			b.ready()
			reach(b, p)
			admitted := len(b.Warden.Sessions())
			begun, _ := b.ledger()
			b.kill()
			b.start()
			// Whatever it was: free it by what staff can do, and see it serve again.
			b.c.Welcome("")
			q := rules()
			q.Version = 3
			b.must(b.c.Policy(q))
			b.must(b.c.Command(wire.Command{ID: "back", Kind: wire.CmdBack, NotAfter: b.later()}))
			b.waitPolicy(3)
			if p == session.Quarantined { // it dropped its permits: the controller sends them again
				b.must(b.c.Permits(4, b.later()))
			}
			for range 40 {
				// Time stands still while something is awaited: deadlines are not what is tested here.
				v, err := b.Wait(soon, func(v shell.View) bool { return v.Screen != shell.Starting && v.Screen != shell.Wiping })
				b.must(err)
				if v.Screen == shell.Welcome {
					break
				}
				b.Tick(time.Second)
			}
			b.see(shell.Welcome)
			if got := len(b.Warden.Sessions()); got != admitted {
				t.Errorf("%d sessions were admitted, %d before the kill", got, admitted)
			}
			b.proven(len(begun))
			for _, r := range b.records(wire.KindEnded) {
				var e wire.Ended
				b.must(json.Unmarshal(r.Body, &e))
				if (p == session.Active || p == session.Opening) && e.Reason != wire.EndRestart {
					t.Errorf("ended for %s", e.Reason)
				}
			}
			b.active()
			b.Press(shell.End)
			b.see(shell.Thanks)
			b.proven(len(begun) + 1)
		})
	}
}

func (b *bed) records(kind string) (out []wire.Record) {
	b.t.Helper()
	all, err := b.Journal.After(0, 10000)
	b.must(err)
	for _, r := range all {
		if r.Kind == kind {
			out = append(out, r)
		}
	}
	return out
}

func TestShutdownLeavesNothing(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.active()
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := b.Warden.Dirty(); len(got) > 0 {
		t.Errorf("left dirty: %v", got)
	}
	b.start()
	b.Tick(time.Second)
	b.see(shell.Welcome)
	b.proven(1)
	if e := last[wire.Ended](b, wire.KindEnded); e.Reason != wire.EndShutdown {
		t.Errorf("ended for %s", e.Reason)
	}
}

func TestACrashOfTheBrowserEndsTheSession(t *testing.T) {
	for name, lose := range map[string]func(*bed){
		"browser": func(b *bed) { b.Browsers.Used().Crash() },
		"sandbox": func(b *bed) { b.Warden.Lose() },
		"case":    func(b *bed) { b.Case(hw.On) },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, nil)
			b.ready()
			b.active()
			lose(b)
			v := b.see(shell.Thanks)
			want := map[string]string{"browser": "crash", "sandbox": "crash", "case": "tamper"}[name]
			if v.Wipe.Reason != want {
				t.Errorf("ended for %s", v.Wipe.Reason)
			}
			b.proven(1)
		})
	}
}

func TestTheWardenIsGone(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.active()
	b.Warden.Restart()
	<-b.Ended()
	if b.Err() == nil || !strings.Contains(b.Err().Error(), "the warden is gone") {
		t.Fatalf("%v", b.Err())
	}
	b.must(b.Journal.Close())
	b.start()
	if v := b.see(shell.Thanks); v.Wipe.Reason != "warden" {
		t.Errorf("ended for %s", v.Wipe.Reason)
	}
	b.proven(1)
}
