package session

import (
	"bytes"
	"slices"
	"time"

	"borne/controller/wire"
)

// tapped takes a badge.
func (m *machine) tapped(f Tapped) {
	s := &m.s
	if s.Covered(m.at) { // it is not for whoever is behind
		return
	}
	switch s.Phase {
	case Welcome, Thanks, Closed, Quarantined, Broken, Updating, Maintenance:
		m.approach(f.Holder, f.Refused)
	case Charter:
		if f.Refused != "" {
			m.refuse(f.Refused)
			return
		}
		m.charter(f.Holder)
	case Active, Warning:
		switch {
		case f.Refused != "":
			m.notice(f.Refused)
		case bytes.Equal(f.Holder, s.Run.Holder):
			// The person's own badge again says: I am here.
			m.answer()
		case s.Live.Warn.Kind != WarnBadge:
			m.warn(Warn{Kind: WarnBadge, Of: m.grace(), Until: m.at.Mono + m.grace()})
		}
	case Starting, Opening, Ending, Wiping, Challenge:
	}
}

// acted takes what a person pressed.
func (m *machine) acted(f Acted) {
	s := &m.s
	session := s.Phase == Active || s.Phase == Warning
	if s.Covered(m.at) { // a late press: its button is not in sight
		return
	}
	switch f.Do {
	case Begin:
		if (s.Phase.Standing() || s.Phase == Thanks) && !s.Limits.BadgeRequired {
			m.approach(nil, "")
		}
	case Accept:
		if s.Phase == Charter && f.Session != "" {
			m.admit(f.Session)
		}
	case Decline:
		if s.Phase == Charter {
			m.record(wire.KindRefused, wire.Refused{Reason: wire.EndDeclined})
			m.stand()
		}
	case End:
		if session {
			m.end(wire.EndButton, true)
		}
	case Arrived:
		switch {
		case session && s.Live.Warn.Kind == WarnBadge:
			m.end(wire.EndBadge, false)
		case session:
			m.end(wire.EndArrived, false)
		case s.Phase == Ending && !s.Live.Sending: // a paper that was asked for is no trace; it comes, and nobody sees it here
			m.wipe(WipeSession) // the end's own reason stays
		}
	case StillHere:
		switch {
		case session:
			m.answer()
		case s.Phase == Charter: // reads on: what becomes of their data takes longer than a sentence
			m.s.Live.Until = m.at.Mono + CharterFor
		}
	case Dismiss:
		if session && s.Live.Warn.Kind != WarnIdle && s.Live.Warn.Kind != WarnBadge {
			m.answer()
		}
	case SetLang:
		if !s.Phase.InSession() && slices.Contains(s.Limits.Languages, f.Lang) {
			s.Live.Lang = f.Lang
		}
	case Home:
		if s.Phase == Active {
			s.Live.Touched = m.at.Mono
			m.ask(DoHome{})
		}
	case Back:
		if s.Phase == Active {
			s.Live.Touched = m.at.Mono
			m.ask(DoBack{})
		}
	case SmileGood:
		m.smile(wire.SmileGood)
	case SmileSoso:
		m.smile(wire.SmileSoso)
	case SmileBad:
		m.smile(wire.SmileBad)
	case Again:
		if s.Phase == Thanks {
			m.stand()
		}
	}
}

// approach is somebody who wants to begin at a terminal that is clean.
func (m *machine) approach(holder []byte, refused wire.Reason) {
	why := m.refusal()
	if why == "" {
		why = refused
	}
	if why != "" {
		m.refuse(why)
		return
	}
	m.charter(holder)
}

func (m *machine) charter(holder []byte) {
	m.enter(Charter, "")
	m.s.Live.Notice, m.s.Live.NoticeTo = "", 0 // of the badge before this one
	m.s.Live.Guest = &Guest{Holder: bytes.Clone(holder)}
	m.s.Live.Until = m.at.Mono + CharterFor
}

// refusal is why nobody may begin now; empty when somebody may.
func (m *machine) refusal() wire.Reason {
	s := &m.s
	if s.Dirty || !s.Live.Surveyed {
		return wire.RefuseBroken
	}
	p, r := m.standing()
	switch p {
	case Welcome:
		if left, near := m.untilClosing(); near && left < s.Limits.Min {
			return wire.RefuseTooLate
		}
		return ""
	case Closed:
		return r
	case Quarantined:
		return wire.RefuseQuarantined
	default:
		return wire.RefuseBroken
	}
}

// refuse tells the person and the controller, without who it was.
func (m *machine) refuse(r wire.Reason) {
	m.record(wire.KindRefused, wire.Refused{Reason: r})
	m.notice(r)
}

func (m *machine) notice(r wire.Reason) {
	m.s.Live.Notice, m.s.Live.NoticeTo = r, m.at.Mono+NoticeFor
}

// admit consumes a permit in the very commit that makes the terminal dirty.
func (m *machine) admit(id string) {
	s, l := &m.s, &m.s.Live
	if why := m.refusal(); why != "" {
		m.stand()
		m.refuse(why)
		return
	}
	p, _ := m.permit()
	var holder []byte
	if l.Guest != nil {
		holder = l.Guest.Holder
	}
	s.Run = &Run{ID: id, Permit: p, Lang: m.lang(), Holder: holder, Total: s.Limits.Minutes}
	s.Dirty = true
	s.Used = Mark{Generation: p.Generation, N: p.N}
	s.Permits = slices.DeleteFunc(s.Permits, func(q Permit) bool { return !s.Used.before(q) })
	m.record(wire.KindBegun, wire.Begun{Session: id, Permit: p.ID, N: p.N, Profile: s.Limits.Profile, Lang: s.Run.Lang,
		Policy: s.Limits.Version, Holder: holder})
	m.enter(Opening, "")
	l.Summary, l.Message, l.Notice, l.Uploading, l.Sending = nil, "", "", false, false
	l.Filtered, l.Refused, l.RefusedTo = nil, "", 0
	l.Admitted, l.Since, l.Touched, l.Last, l.Busy, l.CloseBy = m.at.Mono, m.at.Mono, m.at.Mono, m.at.Mono, 0, 0
	m.await(DoOpen{Session: id, Lang: s.Run.Lang}, OpenWithin)
}

// lang is the language for the next session.
func (m *machine) lang() string {
	s := &m.s
	switch {
	case s.Live.Lang != "":
		return s.Live.Lang
	case len(s.Limits.Languages) > 0:
		return s.Limits.Languages[0]
	}
	return "fr"
}

// opened begins the person's time: waiting for the browser costs them nothing.
func (m *machine) opened(f Opened) {
	s, l := &m.s, &m.s.Live
	if s.Phase != Opening || f.Effect == 0 || f.Effect != l.Await {
		return
	}
	if f.Err != "" {
		m.record(wire.KindAlert, wire.Alert{Code: string(wire.EndFailed), Detail: clip(f.Err)})
		m.end(wire.EndFailed, false)
		return
	}
	m.enter(Active, "")
	l.Since, l.Touched, l.Last = m.at.Mono, m.at.Mono, m.at.Mono
	l.Left = s.Run.Total
	if left, near := m.untilClosing(); near {
		l.Left = min(l.Left, left)
	}
	l.Warned, l.ClosingSaid, l.Closes = m.threshold(l.Left), never, time.Time{}
	if left, near := m.untilClosing(); near {
		l.ClosingSaid = m.closingThreshold(left)
	}
}

// permit is the next one that can be used. Without a trusted clock their
// number alone bounds what the terminal may do.
func (m *machine) permit() (Permit, bool) {
	for _, p := range m.s.Permits {
		if m.s.Used.before(p) && (!m.at.Trusted || m.at.Wall.Before(p.NotAfter)) {
			return p, true
		}
	}
	return Permit{}, false
}

// Usable counts the permits that can be used at an instant.
func (s State) Usable(at Instant) int {
	n := 0
	for _, p := range s.Permits {
		if s.Used.before(p) && (!at.Trusted || at.Wall.Before(p.NotAfter)) {
			n++
		}
	}
	return n
}

// permitted keeps new permits. One that was consumed never comes back, and a
// newer generation of the controller replaces the older one's.
func (m *machine) permitted(in []Permit) {
	s := &m.s
	for _, p := range in {
		same := func(q Permit) bool { return q.ID == p.ID || q.Generation == p.Generation && q.N == p.N }
		if p.ID == "" || len(p.Nonce) == 0 || !s.Used.before(p) || slices.ContainsFunc(s.Permits, same) {
			continue
		}
		s.Permits = append(s.Permits, Permit{ID: p.ID, N: p.N, Nonce: bytes.Clone(p.Nonce), NotAfter: p.NotAfter.UTC(), Generation: p.Generation})
	}
	var newest uint64
	for _, p := range s.Permits {
		newest = max(newest, p.Generation)
	}
	s.Permits = slices.DeleteFunc(s.Permits, func(p Permit) bool { return p.Generation < newest })
	slices.SortFunc(s.Permits, func(a, b Permit) int {
		if a.N < b.N {
			return -1
		}
		return 1
	})
	if n := len(s.Permits); n > MaxPermits {
		s.Permits = s.Permits[n-MaxPermits:]
	}
}

func clip(s string) string {
	const most = 300
	if len(s) > most {
		return s[:most]
	}
	return s
}

// untilClosing is the time until the place closes, when a clock that can be
// trusted says so.
func (m *machine) untilClosing() (time.Duration, bool) {
	s := &m.s
	switch {
	case s.Shut != nil, s.Live.Anew:
		return 0, true
	case !s.Live.Sure || !s.Hours.Known:
		return 0, false
	case !s.Hours.Open:
		return 0, true
	case s.Hours.Until.IsZero():
		return 0, false
	}
	return max(0, s.Hours.Until.Sub(m.at.Wall)), true
}
