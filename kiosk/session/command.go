package session

import (
	"time"
	"unicode/utf8"

	"borne/controller/wire"
)

// commanded does what staff ask. Each command leaves one CommandDone: at once,
// or, for a lift, with the challenge's receipt.
func (m *machine) commanded(c wire.Command) {
	s, l := &m.s, &m.s.Live
	refused := ""
	switch c.Kind {
	case wire.CmdMessage:
		m.message(text(c.Text))
	case wire.CmdEnd:
		switch {
		case s.Phase == Opening || s.Phase == Active || s.Phase == Warning:
			m.end(wire.EndCommand, true)
		case s.Phase == Charter:
			m.stand()
		case s.Phase != Ending:
			refused = "no-session"
		}
	case wire.CmdWipe:
		m.wipeNow()
	case wire.CmdQuarantine:
		if c.Reason == "" {
			c.Reason = wire.QuarStaff
		}
		m.quarantined(c.Reason)
	case wire.CmdRelease:
		s.Quarantine = ""
		m.settle()
	case wire.CmdLift:
		if len(c.Nonce) == 0 {
			refused = "no-nonce"
			break
		}
		m.lift(c)
		return
	case wire.CmdIdentify:
		l.Identify = m.at.Mono + IdentifyFor
	case wire.CmdOut:
		s.Out = &Out{Text: text(c.Text)}
		m.settle()
	case wire.CmdBack:
		if s.Dirty && s.Phase == Broken {
			refused = string(wire.OutWipe) // a wipe or a lift is what helps
			break
		}
		s.Out, s.Shut = nil, nil
		if s.Phase == Broken {
			l.Surveyed = false
		}
		m.settle()
	case wire.CmdAwake:
		switch left := c.Until.Sub(m.at.Wall); {
		case left > MaxAwake:
			refused = "too-long"
		case left <= 0: // it may save again
			s.Awake = time.Time{}
		default:
			s.Awake = c.Until.UTC()
		}
	default:
		refused = "unknown-command"
	}
	m.record(wire.KindCommand, wire.CommandDone{ID: c.ID, Done: refused == "", Reason: refused})
}

// quarantined takes the controller's word; empty is free. The permits go: those
// that are good are sent again once it is lifted, and in an older copy of this
// state there may be some that were used up already.
func (m *machine) quarantined(r wire.Reason) {
	if m.s.Quarantine = r; r != "" {
		m.s.Permits = nil
	}
	m.settle()
}

// message shows staff's words: over the session, or on the standing screen.
func (m *machine) message(t string) {
	l := &m.s.Live
	switch {
	case t == "":
	case m.s.Phase == Active:
		m.warn(Warn{Kind: WarnMessage, Text: t})
	default:
		l.Message, l.MessageTo = t, m.at.Mono+MessageFor
	}
}

// wipeNow wipes in a session or not, and tries again after a failure.
func (m *machine) wipeNow() {
	s := &m.s
	switch s.Phase {
	case Opening, Active, Warning:
		m.end(wire.EndCommand, false)
	case Ending:
		m.wipe(WipeSession)
	case Wiping, Challenge: // under way
	case Starting, Welcome, Charter, Thanks, Closed, Quarantined, Broken, Updating, Maintenance:
		m.owed()
	}
}

// lift keeps the challenge until the terminal can answer it.
func (m *machine) lift(c wire.Command) {
	s := &m.s
	if s.Lift != nil && s.Lift.Command != c.ID {
		if s.Phase == Challenge { // one challenge at a time: its nonce is being signed
			m.record(wire.KindCommand, wire.CommandDone{ID: c.ID, Reason: "challenge-under-way"})
			return
		}
		m.record(wire.KindCommand, wire.CommandDone{ID: s.Lift.Command, Reason: "replaced"})
	}
	s.Lift = &Lift{Command: c.ID, Nonce: append([]byte(nil), c.Nonce...)}
	if s.Phase.Standing() || s.Phase == Charter {
		m.stand() // a session's own wipe, if one is owed, comes first
	}
}

// text cuts a text for the screen at a character's edge.
func text(t string) string {
	for len(t) > wire.MaxText {
		_, n := utf8.DecodeLastRuneInString(t)
		t = t[:len(t)-n]
	}
	return t
}
