package kills

import (
	"testing"
	"time"

	"borne/scripts/stand"
)

// TestPowerCut cuts the power of everything in the middle of a session, then
// with the simulator's own switch: what comes back is a terminal that wipes
// first, and a controller that has lost nothing.
func TestPowerCut(t *testing.T) {
	p := newPost(t, 4*time.Minute, nil)
	cuts := []struct {
		name string
		cut  func(before []life)
	}{
		{"agent, warden and controller at once", func([]life) { p.strike(theAgent, theWarden, theController) }},
		{"the terminal's power button", func([]life) {
			if err := p.bench("/sim/do", map[string]any{"action": "power"}); err != nil {
				t.Logf("the bench went with its terminal: %v", err)
			}
		}},
	}
	for i, c := range cuts {
		p.work()
		before, err := living()
		if err != nil {
			t.Fatal(err)
		}
		from := p.log.Mark()
		c.cut(before)
		kill, err := ticks()
		if err != nil {
			t.Fatal(err)
		}
		at, died, ok := p.log.Boot(from, 60*time.Second)
		if !ok || died != "active" {
			t.Fatalf("%s: no start after it, or not in a session (%q)\n%s", c.name, died, p.log.Tail(40))
		}
		// The first thing it does is to wipe.
		if first := p.log.Step(at); first.To != "wiping" {
			t.Fatalf("%s: the terminal starts with %q", c.name, first.To)
		}
		p.come(stand.Mark{Phase: at}, 100*time.Second, "welcome")
		p.proven(false)
		p.gone(before, kill)
		if n := len(p.ledger.sessions); n != i+1 || p.ledger.sessions[i].Reason != "restart" {
			t.Errorf("%s: %d sessions, the last ended by %q", c.name, n, p.ledger.sessions[n-1].Reason)
		}
	}
}
