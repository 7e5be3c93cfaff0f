package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/kiosk/agent"
	"borne/kiosk/agent/agenttest"
	"borne/kiosk/shell"
	"borne/kiosk/uplink"
)

// cables notes which lines were set, by their Wi-Fi.
type cables struct {
	mu  sync.Mutex
	set []string
	err error
}

func (c *cables) SetLine(_ context.Context, r agent.Rules) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set = append(c.set, r.Network.Line.WiFi.SSID)
	return c.err
}

func (c *cables) all() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.set)
}

// proxied sends rules under a version whose proxy to the controller is the one given.
func (b *bed) proxied(version uint64, proxy string) {
	b.t.Helper()
	p := rules()
	p.Version, p.Network.Line.Proxy = version, proxy
	b.must(b.c.Policy(p))
}

// judged lists what was recorded of policies: version, ! for reverted, and ok or refused.
func (b *bed) judged() string {
	var all []string
	for _, r := range b.records(wire.KindPolicy) {
		var d wire.PolicyApplied
		b.must(json.Unmarshal(r.Body, &d))
		s := fmt.Sprint(d.Version)
		if d.Error != "" {
			s += "-"
		}
		if d.Reverted {
			s += "!"
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

func (b *bed) ways(want ...string) {
	b.t.Helper()
	b.until(fmt.Sprintf("the ways %q are taken", want), func() bool { return slices.Equal(b.c.Ways(), want) })
}

func (b *bed) tells(want string) {
	b.t.Helper()
	b.until("it tells "+want, func() bool { return b.judged() == want })
}

const mostTimes = 2 // that a trial may be cut off, as the agent has it

const (
	goodProxy = "http://10.9.9.8:3128"
	deadProxy = "http://10.9.9.9:3128"
)

func TestANetworkThatReachesTheControllerIsKept(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.proxied(2, goodProxy)
	b.ways(goodProxy)
	if h, _ := b.Journal.Hello(); h.Policy != 1 {
		t.Errorf("version %d holds before it has proven itself", h.Policy)
	}
	b.c.Say(uplink.Event{Way: 0, Welcome: &wire.Welcome{Protocol: 1, Epoch: 1}}) // of the connection before
	b.Tick(time.Second)
	if h, _ := b.Journal.Hello(); h.Policy != 1 {
		t.Error("a welcome of another way keeps it")
	}
	b.c.Welcome("")
	b.waitPolicy(2)
	b.tells("1 2")
	// After a cut it goes that way from the first.
	b.kill()
	b.start()
	b.ways(goodProxy, goodProxy)
	b.tells("1 2")
}

func TestANetworkThatDoesNotReachItIsPutBack(t *testing.T) {
	b := newBed(t, func(o *agenttest.Options) { o.Trial = 30 * time.Second })
	b.ready()
	b.proxied(2, deadProxy)
	b.ways(deadProxy)
	b.c.Say(uplink.Event{Way: 1, Offline: &uplink.Offline{Err: errors.New("nobody answers")}})
	b.Pass(29 * time.Second)
	b.tells("1")
	b.Pass(2 * time.Second)
	b.ways(deadProxy, "")
	b.tells("1 2-!")
	if d := last[wire.PolicyApplied](b, wire.KindPolicy); !strings.Contains(d.Error, "nobody answers") {
		t.Errorf("%q", d.Error)
	}
	b.c.Welcome("")
	b.proxied(2, deadProxy) // offered again: not tried, and not told again
	b.proxied(3, deadProxy) // nor with other rules around it
	b.tells("1 2-! 3-!")
	b.kill()
	b.start()
	b.c.Welcome("")
	b.proxied(3, deadProxy) // nor after a restart
	b.tells("1 2-! 3-! 3-!")
	b.ways(deadProxy, "")
	// Rules with the network before are obeyed, and another one is tried.
	b.proxied(4, "")
	b.waitPolicy(4)
	b.proxied(5, goodProxy)
	b.ways(deadProxy, "", goodProxy)
	b.c.Welcome("")
	b.waitPolicy(5)
	b.see(shell.Welcome)
}

// TestACutInTheTrial: the power goes in the middle of it, twice.
func TestACutInTheTrial(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.proxied(2, deadProxy)
	b.ways(deadProxy)
	b.kill()
	b.start()
	b.tells("1")      // once may be somebody who pulled the plug: it refuses nothing
	b.ways(deadProxy) // the terminal's own way needs no taking
	if h, _ := b.Journal.Hello(); h.Policy != 1 {
		t.Errorf("version %d holds", h.Policy)
	}
	b.c.Welcome("")
	b.proxied(2, deadProxy)
	b.ways(deadProxy, deadProxy)
	b.kill()
	b.start()
	b.tells("1 2-!")
	b.c.Welcome("")
	b.proxied(3, deadProxy)
	b.tells("1 2-! 3-!")
	b.ways(deadProxy, deadProxy)
}

// TestRulesBeforeEndATrial: whoever goes back does not wait for it.
func TestRulesBeforeEndATrial(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.proxied(2, deadProxy)
	b.ways(deadProxy)
	b.must(b.c.Policy(rules()))
	b.ways(deadProxy, "")
	b.Pass(3 * time.Minute)
	b.tells("1")
	b.proxied(3, deadProxy) // nothing failed: it may be tried
	b.ways(deadProxy, "", deadProxy)
	b.proxied(4, goodProxy) // and another instead
	b.ways(deadProxy, "", deadProxy, "", goodProxy)
	b.c.Welcome("")
	b.waitPolicy(4)
}

// TestAWiFiWaitsForThePerson, is set before the way is taken, and put back.
func TestAWiFiWaitsForThePerson(t *testing.T) {
	c := &cables{}
	b := newBed(t, func(o *agenttest.Options) { o.Line = c })
	b.ready()
	b.until("the line is as the rules say", func() bool { return len(c.all()) > 0 })
	before := len(c.all())
	b.active()
	p := rules()
	p.Version, p.Network.Line.WiFi.SSID = 2, "college"
	b.must(b.c.Policy(p))
	b.Tick(time.Second)
	if len(c.all()) != before {
		t.Fatal("a person's line is changed under them")
	}
	b.must(b.c.Command(wire.Command{ID: "e", Kind: wire.CmdEnd, NotAfter: b.later()}))
	b.see(shell.Thanks)
	b.Press(shell.Again)
	b.see(shell.Welcome)
	b.Tick(time.Second)
	b.ways("")
	// Whoever comes now would sit before pages that do not come.
	b.see(shell.Updating)
	b.Press(shell.Begin)
	b.Tick(time.Second)
	b.see(shell.Updating)
	if all := c.all(); all[len(all)-1] != "college" {
		t.Errorf("lines %q", all)
	}
	b.Pass(3 * time.Minute)
	b.tells("1 2-!")
	b.until("the line is put back", func() bool { all := c.all(); return all[len(all)-1] == "" })
	b.see(shell.Welcome)
	// One that cannot be set fails at once.
	c.mu.Lock()
	c.err = errors.New("no such device")
	c.mu.Unlock()
	p.Version, p.Network.Line.WiFi.SSID = 3, "other"
	b.must(b.c.Policy(p))
	b.tells("1 2-! 3-!")
	b.see(shell.Welcome)
	c.mu.Lock()
	c.err = nil
	c.mu.Unlock()
	p.Version, p.Network.Line.WiFi.SSID = 4, "good"
	taken := len(b.c.Ways())
	b.must(b.c.Policy(p))
	b.until("it is tried", func() bool { return len(b.c.Ways()) > taken })
	b.see(shell.Updating)
	b.c.Welcome("")
	b.waitPolicy(4)
	b.see(shell.Welcome)
}

// TestAMereProxyKeepsNobodyWaiting: what sessions use is as it was.
func TestAMereProxyKeepsNobodyWaiting(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.proxied(2, deadProxy)
	b.ways(deadProxy)
	b.Tick(time.Second)
	b.see(shell.Welcome)
	b.active()
	b.Pass(3 * time.Minute)
	b.tells("1 2-!")
	b.see(shell.SessionPage)
}

// TestATrialThatCannotBeNotedDoesNotBegin: a terminal whose disk is full says that it
// does not try the network, does not count that as a trial, and tries it once it can.
func TestATrialThatCannotBeNotedDoesNotBegin(t *testing.T) {
	c, full := &cables{}, &agenttest.Disk{}
	b := newBed(t, func(o *agenttest.Options) { o.Line, o.Disk = c, full })
	b.ready()
	b.until("the line is as the rules say", func() bool { return len(c.all()) > 0 })
	p := rules()
	p.Version, p.Network.Line.WiFi.SSID, p.Network.Line.Proxy = 2, "college", goodProxy
	for range mostTimes {
		full.Fill(true)
		b.must(b.c.Policy(p))
		b.until("it says so", func() bool {
			b.Tick(time.Second)
			return strings.Contains(b.c.Status().Refused, "disk")
		})
		if all := c.all(); all[len(all)-1] == "college" || slices.Contains(b.c.Ways(), goodProxy) {
			t.Fatalf("it is tried: lines %q, ways %q", all, b.c.Ways())
		}
		full.Fill(false)
		b.Tick(time.Second) // nothing of it is written now: a cut here is no cut of a trial
		b.kill()
		b.start()
		b.c.Welcome("")
		b.until("it is welcome again", func() bool { b.Tick(time.Second); v, _ := b.Shell.View(); return v.Screen == shell.Welcome })
	}
	b.tells("1")
	full.Fill(true)
	b.must(b.c.Policy(p))
	b.until("it says so again", func() bool { b.Tick(time.Second); return b.c.Status().Refused != "" })
	full.Fill(false)
	b.Pass(time.Minute + 2*time.Second)
	b.until("it is tried by itself", func() bool {
		b.Tick(time.Second)
		ways := b.c.Ways()
		return len(ways) > 0 && ways[len(ways)-1] == goodProxy
	})
	b.c.Welcome("")
	b.waitPolicy(2)
	b.see(shell.Welcome)
	if s := b.c.Status().Refused; s != "" {
		t.Errorf("it still refuses: %q", s)
	}
}

// TestSessionsProxiesHaveToAnswer, although the controller is reached without them.
func TestSessionsProxiesHaveToAnswer(t *testing.T) {
	var knocks atomic.Int64
	b := newBed(t, func(o *agenttest.Options) {
		o.Knock = func(_ context.Context, door string) error {
			if knocks.Add(1); door == "10.9.9.8:3128" {
				return nil
			}
			return errors.New("nobody at " + door)
		}
	})
	b.ready()
	p := rules()
	p.Version, p.Network.Proxy = 2, deadProxy
	b.must(b.c.Policy(p))
	b.until("the trial runs", func() bool { return knocks.Load() > 0 }) // its time begins when it does
	b.Pass(2*time.Minute + time.Second)
	b.tells("1 2-!")
	p.Version, p.Network.Proxy = 3, goodProxy
	b.must(b.c.Policy(p))
	b.waitPolicy(3)
	if len(b.c.Ways()) != 0 {
		t.Errorf("ways %q", b.c.Ways())
	}
}

// TestAProxyThatWentIsPassedBy: one that once worked must not keep other rules away.
func TestAProxyThatWentIsPassedBy(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.proxied(2, goodProxy)
	b.ways(goodProxy)
	b.c.Welcome("")
	b.waitPolicy(2)
	b.c.Say(uplink.Event{Way: 1, Offline: &uplink.Offline{Err: errors.New("nobody answers")}})
	b.Pass(11 * time.Minute)
	b.ways(goodProxy, "")
	b.Pass(11 * time.Minute)
	b.ways(goodProxy, "", goodProxy)
	b.c.Welcome("")
	b.Tick(time.Second)
	b.Pass(15 * time.Minute)
	b.ways(goodProxy, "", goodProxy)
}
