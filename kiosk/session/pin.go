package session

import (
	"time"

	"borne/controller/wire"
)

// StaffAsks opens the question for the PIN, where there is one.
type StaffAsks struct{}

// StaffTries is a PIN that was typed and is about to be verified. It counts before
// anybody knows whether it is right: pulling the plug meanwhile gains nothing.
type StaffTries struct{}

// StaffTried is what came of it. Right opens the menu.
type StaffTried struct {
	Right bool
	May   []wire.StaffDo
}

func (StaffAsks) fact()  {}
func (StaffTries) fact() {}
func (StaffTried) fact() {}

// Bounds of trying. They slow the PIN down and nothing else: a badge opens the menu
// however often somebody typed nonsense.
const (
	PINTries    = 5 // wrong ones until the next has to wait
	pinWait     = time.Minute
	pinWaitMost = 4 * time.Minute // longer, and whoever types nonsense keeps staff out where there is no reader
	pinForget   = time.Hour       // after the last wrong one
)

// Asking tells whether the question for the PIN covers the screen.
func (s State) Asking(at Instant) bool { return s.Phase.HasMenu() && at.Mono < s.Live.Ask }

// PINWaits is how long the next try has to wait.
func (s State) PINWaits(at Instant) time.Duration { return max(0, s.Live.PINNext-at.Mono) }

func (m *machine) staffAsks() {
	l := &m.s.Live
	if m.s.Limits.PIN && m.s.Phase.HasMenu() && !m.s.Menu(m.at) && !l.Stopping && !l.Anew {
		l.Ask, l.PINWrong = m.at.Mono+MenuFor, false
	}
}

func (m *machine) staffTries() {
	s, l := &m.s, &m.s.Live
	if !s.Limits.PIN || !s.Asking(m.at) || s.PINWaits(m.at) > 0 {
		return
	}
	if l.PINLast > 0 && m.at.Mono-l.PINLast > pinForget {
		s.Tries = 0
	}
	s.Tries++
	l.Ask, l.PINLast, l.PINWrong = m.at.Mono+MenuFor, m.at.Mono, false
	m.slow()
	m.ask(DoVerify{})
}

func (m *machine) staffTried(f StaffTried) {
	s, l := &m.s, &m.s.Live
	switch {
	case f.Right:
		s.Tries, l.PINNext = 0, 0
		if s.Asking(m.at) { // nobody is left there otherwise
			m.staffCame(StaffCame{By: wire.ByPIN, May: f.May})
		}
	default:
		l.PINWrong = true
		if s.Tries > 0 && s.Tries%PINTries == 0 { // and again while it goes on
			m.record(wire.KindAlert, wire.Alert{Code: wire.AlertPIN})
		}
	}
}

// slow has the next try wait, longer and longer.
func (m *machine) slow() {
	if n := m.s.Tries - PINTries; n >= 0 {
		m.s.Live.PINNext = m.at.Mono + min(pinWait<<min(n, 10), pinWaitMost)
	}
}
