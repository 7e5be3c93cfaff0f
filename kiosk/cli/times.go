package cli

import (
	"sync"
	"time"

	"borne/hw"
	"borne/hw/clock"
)

// times is the terminal's clock, shared by agent, journal and link. A board
// without a battery starts with a time that nothing vouches for: from then on
// the time that the controller told counts, carried on by the monotonic clock.
type times struct {
	system hw.Clock
	mono   clock.Monotonic

	mu    sync.Mutex
	heard time.Time     // zero: nothing was told yet
	at    time.Duration // monotonic time of heard
}

func newTimes(system hw.Clock, mono clock.Monotonic) *times {
	return &times{system: system, mono: mono}
}

// Mono is the time since the process began.
func (t *times) Mono() time.Duration { return t.mono.Now() }

// Hear takes the time that the controller told over an authenticated connection.
func (t *times) Hear(wall time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard, t.at = wall.Round(0), t.Mono()
}

// Now implements hw.Clock. The machine's own clock wins as long as it is trusted.
func (t *times) Now() (time.Time, bool) {
	wall, sure := t.system.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	if sure || t.heard.IsZero() {
		return wall, sure
	}
	return t.heard.Add(t.Mono() - t.at), true
}
