package agent_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/agent"
	"borne/kiosk/agent/agenttest"
	"borne/kiosk/session"
	"borne/kiosk/shell"
	"borne/kiosk/uplink"
)

func TestCommandsAreObeyedOnce(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.active()
	end := wire.Command{ID: "c1", Kind: wire.CmdEnd, NotAfter: b.later()}
	b.must(b.c.Command(end))
	b.see(shell.Thanks)
	b.Press(shell.Again)
	b.see(shell.Welcome)
	b.active()
	b.must(b.c.Command(end)) // repeated
	b.must(b.c.Command(wire.Command{ID: "c2", Kind: wire.CmdWipe, NotAfter: b.later().Add(-100 * time.Hour)}))
	b.must(b.c.Command(wire.Command{ID: "c3", Kind: wire.CmdMessage, Text: "Bonjour", NotAfter: b.later()}))
	if v := b.see(shell.WarningPage); v.Message != "Bonjour" || v.Warning.Kind != "message" {
		t.Errorf("%+v", v)
	}
	done := map[string]wire.CommandDone{}
	for _, r := range b.records(wire.KindCommand) {
		var d wire.CommandDone
		b.must(json.Unmarshal(r.Body, &d))
		if _, twice := done[d.ID]; twice {
			t.Errorf("%s is reported twice", d.ID)
		}
		done[d.ID] = d
	}
	if !done["c1"].Done || done["c2"].Done || done["c2"].Reason != "expired" || !done["c3"].Done {
		t.Errorf("%+v", done)
	}
}

func TestARefusedIdentityBlocks(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	refused := uplink.Event{Offline: &uplink.Offline{Err: fmt.Errorf("dial: %w", uplink.ErrRefused)}}
	lost := uplink.Event{Offline: &uplink.Offline{Err: errors.New("connection refused")}}
	// A network that is gone, or a refusal now and then, blocks nobody.
	for _, e := range []uplink.Event{refused, refused, lost, lost, lost, lost, refused, refused} {
		b.c.Say(e)
	}
	b.c.Welcome("")
	for range 2 {
		b.c.Say(refused)
	}
	b.active()
	b.c.Say(refused) // the third in a row: the person finishes
	b.must(b.c.Command(wire.Command{ID: "e", Kind: wire.CmdEnd, NotAfter: b.later()}))
	b.see(shell.Thanks)
	b.Press(shell.Again)
	if v := b.see(shell.Quarantined); v.Reason != string(wire.QuarIdentity) {
		t.Errorf("blocked for %q", v.Reason)
	}
	b.c.Welcome("") // accepted again
	b.must(b.c.Permits(4, b.later()))
	b.see(shell.Welcome)
}

func TestForgedThingsAreRefused(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	thief := agenttest.NewController(ed25519.NewKeyFromSeed(make([]byte, 32)), "t1")
	p := rules()
	p.Version = 9
	b.must(thief.Policy(p))
	b.must(thief.Permits(9, b.later()))
	b.must(thief.Command(wire.Command{ID: "x", Kind: wire.CmdOut, NotAfter: b.later()}))
	other := agenttest.NewController(ed25519.NewKeyFromSeed(append([]byte{1}, make([]byte, 31)...)), "t2")
	b.must(other.Permits(5, b.later()))
	b.must(other.Command(wire.Command{ID: "y", Kind: wire.CmdOut, NotAfter: b.later()}))
	for range 3 {
		b.c.Say(<-thief.Events())
	}
	for range 2 {
		b.c.Say(<-other.Events())
	}
	b.must(b.c.Command(wire.Command{ID: "z", Kind: wire.CmdIdentify, NotAfter: b.later()}))
	if _, err := b.Wait(soon, func(v shell.View) bool { return v.Identify == "Poste 1" }); err != nil {
		t.Fatal(err)
	}
	if v, _ := b.Shell.View(); v.Screen != shell.Welcome || v.Place.Help != "Loge du gardien" {
		t.Errorf("screen %s, help %q", v.Screen, v.Place.Help)
	}
	h, _ := b.Journal.Hello()
	if h.Policy != 1 || h.PermitsLeft != 4 {
		t.Errorf("hello %+v", h)
	}
	if d := last[wire.PolicyApplied](b, wire.KindPolicy); d.Version != 0 || d.Error == "" {
		t.Errorf("%+v", d)
	}
}

func TestABadPolicyLeavesTheOneBefore(t *testing.T) {
	b := newBed(t, func(o *agenttest.Options) {
		o.Check = func(p policy.Policy) error {
			if p.Session.Minutes > 1000 {
				return errors.New("cannot use the policy: minutes")
			}
			return nil
		}
	})
	b.ready()
	p := rules()
	p.Version, p.Session.Minutes = 2, 5000
	b.must(b.c.Policy(p))
	p.Version, p.Session.Minutes = 3, 20
	b.must(b.c.Policy(p))
	b.waitPolicy(3)
	var seen []string
	for _, r := range b.records(wire.KindPolicy) {
		var d wire.PolicyApplied
		b.must(json.Unmarshal(r.Body, &d))
		seen = append(seen, fmt.Sprintf("%d:%s", d.Version, d.Error))
	}
	if got := strings.Join(seen, " "); got != "1: 2:cannot use the policy: minutes 3:" {
		t.Errorf("policies %s", got)
	}
	// What was applied is there after a kill, without the controller.
	b.kill()
	b.start()
	b.Tick(time.Second)
	b.see(shell.Welcome)
	b.Press(shell.Begin)
	if v := b.see(shell.CharterPage); v.Charter.Minutes != 20 {
		t.Errorf("charter of %d minutes", v.Charter.Minutes)
	}
}

// TestAKeyThatTheBrowserRejects takes the terminal out of service, tells staff
// which key it is, and asks again when other rules come.
func TestAKeyThatTheBrowserRejects(t *testing.T) {
	asked := make(chan uint64, 100)
	b := newBed(t, func(o *agenttest.Options) {
		o.Probe = func(_ context.Context, _ []*os.File, r agent.Rules, _ string) ([]string, error) {
			asked <- r.Version
			if r.Version == 2 {
				return []string{"DownloadRestrictions", "URLBlocklist"}, nil
			}
			return nil, nil
		}
	})
	b.ready()
	b.active()
	b.Press(shell.End)
	b.see(shell.Thanks)
	b.Press(shell.Again)
	b.see(shell.Welcome)
	if n := len(asked); n != 1 {
		t.Errorf("the browser was asked %d times about the same rules", n)
	}
	p := rules()
	p.Version = 2
	b.must(b.c.Policy(p))
	if v := b.see(shell.Broken); v.Reason != string(wire.OutPolicyKey) {
		t.Fatalf("broken for %s", v.Reason)
	}
	b.waitAlerts("policy-key", 1)
	if r := b.records(wire.KindAlert); !strings.Contains(string(r[len(r)-1].Body), "DownloadRestrictions") {
		t.Errorf("the alert does not name the key: %s", r[len(r)-1].Body)
	}
	b.until("the controller knows the key", func() bool { return strings.Contains(b.c.Status().Refused, "URLBlocklist") })
	p.Version = 3
	b.must(b.c.Policy(p))
	b.see(shell.Welcome)
	b.until("the controller knows that it is over", func() bool { return b.c.Status().Refused == "" })
}

func TestWhatIsMissingIsSaid(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	p := rules()
	p.Version, p.Isolation.RequireFull = 2, true
	b.kill()
	b.Warden.Lack(wire.PropMemory)
	b.start()
	b.must(b.c.Policy(p))
	if v := b.see(shell.Broken); v.Reason != string(wire.OutIsolation) || len(v.Missing) != 1 || v.Missing[0] != wire.PropMemory {
		t.Errorf("broken for %s, missing %v", v.Reason, v.Missing)
	}
	b.until("the controller knows what is missing", func() bool {
		s := b.c.Status()
		return len(s.Missing) == 1 && s.Missing[0] == wire.PropMemory
	})
	b.kill()
	b.Warden.Lack()
	b.Warden.Uninstall(true)
	b.start()
	if v := b.see(shell.Broken); v.Reason != string(wire.OutBrowser) {
		t.Errorf("broken for %s", v.Reason)
	}
	b.Warden.Uninstall(false)
	b.Pass(session.SurveyAgain + 2*time.Second)
	b.see(shell.Welcome)
}

func TestBadges(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	p := rules()
	p.Version, p.Access = 2, policy.Access{}
	b.must(b.c.Policy(p))
	b.waitPolicy(2)
	for _, c := range []struct {
		badges string
		want   wire.Reason
	}{{"ab", wire.RefuseManyBadges}, {"b", wire.RefuseUnknownBadge}} {
		b.Tap([]byte(c.badges)...)
		if _, err := b.Wait(soon, func(v shell.View) bool { return v.Notice == string(c.want) && v.Screen == shell.Welcome }); err != nil {
			t.Fatalf("%s: %v", c.badges, err)
		}
	}
	p.Version, p.Access = 3, policy.Access{BadgeRequired: true, AnyBadge: true}
	b.must(b.c.Policy(p))
	b.waitPolicy(3)
	b.Tap('b')
	b.see(shell.CharterPage)
}

func TestADamagedJournalStaysOutUntilAChallenge(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.active()
	b.kill()
	b.must(os.WriteFile(filepath.Join(b.dir, "journal.db"), []byte("not a journal at all"), 0o600))
	b.start()
	if v := b.see(shell.Broken); v.Reason != string(wire.OutState) {
		t.Errorf("broken for %s", v.Reason)
	}
	if got := b.Warden.Dirty(); len(got) > 0 {
		t.Errorf("still dirty: %v", got)
	}
	b.must(b.c.Command(wire.Command{ID: "l", Kind: wire.CmdLift, Nonce: []byte("nonce-of-lift"), NotAfter: b.later()}))
	b.must(b.c.Policy(rules()))
	b.see(shell.Closed)
	if d := last[wire.CommandDone](b, wire.KindCommand); d.ID != "l" || !d.Done {
		t.Errorf("%+v", d)
	}
}

func TestTheControllersTimeIsTaken(t *testing.T) {
	b := newBed(t, func(o *agenttest.Options) {
		o.Hours = func(h policy.Hours, at time.Time) policy.Opening {
			return policy.Opening{Open: at.Year() == 2026, Until: at.Add(2 * time.Hour)}
		}
	})
	b.Clock.Set(time.Date(1970, 1, 1, 0, 0, 0, 0, time.UTC), false)
	p := rules()
	p.Hours.Always = false
	b.must(b.c.Policy(p))
	b.must(b.c.Permits(1, b.later()))
	b.waitPolicy(1)
	b.Tick(time.Second)
	if v := b.see(shell.Closed); v.Reason != string(wire.RefuseClock) {
		t.Errorf("closed for %s", v.Reason)
	}
	b.c.Say(uplink.Event{Clock: &uplink.Clock{Wall: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}})
	b.c.Welcome("")
	if _, err := b.Wait(soon, func(v shell.View) bool { return v.Place.Site != "" }); err != nil {
		t.Fatal(err)
	}
	b.Tick(time.Second)
	b.see(shell.Closed) // its permit lapsed in 1970, and that is known now
	b.must(b.c.Permits(1, time.Date(2026, 3, 3, 9, 0, 0, 0, time.UTC)))
	b.see(shell.Welcome)
}
