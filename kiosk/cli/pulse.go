package cli

import (
	"context"
	"sync"
	"time"

	"borne/kiosk/agent"
	"borne/kiosk/sandbox"
)

const (
	beatEvery = 5 * time.Second
	// silence is how long the agent may not beat before its watchdog is no
	// longer fed. A slow disk, a crashed agent that is started again and a
	// machine that swaps all stay below it: no session may end for nothing.
	silence = 2 * time.Minute
)

// pulse is what the warden's role knows of the agent.
type pulse struct {
	mono  func() time.Duration
	first func() // called once, when the first screen is shown

	mu    sync.Mutex
	last  time.Duration
	shown bool
}

func newPulse(mono func() time.Duration, first func()) *pulse {
	return &pulse{mono: mono, first: first, last: mono()}
}

// beat notes a sign of life.
func (p *pulse) beat(shown bool) {
	p.mu.Lock()
	p.last = p.mono()
	fresh := shown && !p.shown
	p.shown = p.shown || shown
	p.mu.Unlock()
	if fresh {
		p.first()
	}
}

// well tells whether the watchdog may be fed.
func (p *pulse) well() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mono()-p.last < silence
}

// beat makes the function that the owner of the session calls at each turn. It
// never waits: one beat is under way at most, and a turn that changes nothing
// sends one every few seconds only.
func beat(ctx context.Context, w agent.Warden, shown func() bool) func() {
	ready := make(chan struct{}, 1)
	ready <- struct{}{}
	var at time.Time
	var was bool
	return func() {
		now := shown()
		if now == was && !at.IsZero() && time.Since(at) < beatEvery {
			return
		}
		select {
		case <-ready:
		default:
			return
		}
		at, was = time.Now(), now
		go func() {
			ask, cancel := context.WithTimeout(ctx, 2*beatEvery)
			defer cancel()
			w.Do(ask, sandbox.Request{Beat: &sandbox.Beat{Shown: now}}) // an unheard one is what the watchdog is for
			ready <- struct{}{}
		}()
	}
}
