package kills

import (
	"testing"
	"time"

	"borne/controller/wire"
)

// TestHandsOnTheScreen plays what people do on the shell's own page beside
// beginning and ending: somebody who only read answers the idle warning; somebody
// who finds an open session has it erased from the bar.
func TestHandsOnTheScreen(t *testing.T) {
	p := newPost(t, 4*time.Minute, nil)
	p.policy(func(pol map[string]any) { section(pol, "session")["idleSeconds"] = 30 }, "session")
	p.work()
	from := p.log.Mark()
	p.come(from, 60*time.Second, "warning") // nobody touches anything
	p.reach(p.key("Return"), "active")      // « Je suis toujours là » has the focus
	from = p.log.Mark()
	p.reach(p.arrived(), "wiping")
	p.come(from, 60*time.Second, "welcome")
	p.proven(false)
	if n := len(p.ledger.sessions); n != 1 || p.ledger.sessions[0].Reason != string(wire.EndArrived) {
		t.Errorf("%d sessions; the first ended for %q", n, p.ledger.sessions[0].Reason)
	}
}

// arrived presses « Je viens d'arriver : tout effacer » in the bar, which asks
// once, and then « Oui », at the right, one press at each call. Should the first
// be missed, the second asks about the end, and the third, where « Non » stands
// then, takes it back.
func (p *post) arrived() func() {
	press := 0
	return func() {
		x := []int{930, 1186, 930}[press%3]
		press++
		p.answer = p.bench("/sim/input", map[string]any{"type": "click", "x": x, "y": 36})
	}
}
