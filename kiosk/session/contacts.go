package session

import (
	"time"

	"borne/controller/wire"
)

// contact follows the case. What cannot be read is told, and keeps what was known.
func (m *machine) contact(f Case) {
	s, l := &m.s, &m.s.Live
	if f.Contact == l.Contact {
		return
	}
	first := l.Contact == ""
	l.Contact = f.Contact
	if first && f.Contact == ContactUnknown {
		return // a contact that is still being opened
	}
	switch f.Contact {
	case ContactOpen:
		l.CaseOpen = true
		m.record(wire.KindAlert, wire.Alert{Code: "case-open"})
	case ContactClosed:
		l.CaseOpen = false
	default:
		m.record(wire.KindAlert, wire.Alert{Code: "case-unknown"})
		return
	}
	if l.CaseOpen && s.Phase.InSession() {
		m.end(wire.EndTamper, false)
		return
	}
	m.settle()
}

// alarm follows the building's alarm: armed, nobody should be there. What cannot
// be read is told, and keeps what was known.
func (m *machine) alarm(f Alarm) {
	l := &m.s.Live
	if f.Contact == l.Alarm {
		return
	}
	first := l.Alarm == ""
	l.Alarm = f.Contact
	if f.Contact == ContactUnknown {
		if !first {
			m.record(wire.KindAlert, wire.Alert{Code: "alarm-unknown"})
		}
		return
	}
	l.Armed = f.Contact == ContactOpen
	m.armed()
}

// neighbours takes what the controller tells of the space's other terminals.
func (m *machine) neighbours(f Neighbours) {
	m.s.Live.OtherFree, m.s.Live.SpaceArmed = f.OtherFree, f.Armed
	m.armed()
}

// armed ends a session in a building whose alarm is armed: nobody should be there.
func (m *machine) armed() {
	if l := m.s.Live; (l.Armed || l.SpaceArmed) && m.s.Phase.InSession() {
		m.end(wire.EndClosing, false)
		return
	}
	m.settle()
}

// tickAlarm tells, once for each opening and closing, of an alarm that is as
// nobody meant it: armed when the place opens, so that it stays closed, or not
// armed long after everybody left. The terminal that has the contact tells.
func (m *machine) tickAlarm() {
	s, l := &m.s, &m.s.Live
	since := s.alarmSince()
	if s.Shut != nil || l.Alarm != ContactOpen && l.Alarm != ContactClosed || since.IsZero() || since.Equal(s.AlarmTold) {
		return
	}
	switch passed := m.at.Wall.Sub(since); {
	case s.Hours.Open && l.Armed && passed >= ArmedFor:
		m.record(wire.KindAlert, wire.Alert{Code: "alarm-armed"})
	case !s.Hours.Open && !l.Armed && passed >= UnarmedFor:
		m.record(wire.KindAlert, wire.Alert{Code: "alarm-unarmed"})
	default:
		return
	}
	s.AlarmTold = since.UTC()
}

// alarmSince is when the alarm should have become as it should be: at the
// opening, or when nobody should be in the building any more.
func (s State) alarmSince() time.Time {
	if s.Hours.Open {
		return s.Hours.Since
	}
	return s.Hours.Vacant
}

// WatchesAlarm tells whether the terminal waits to see the building's alarm armed
// after everybody left: going off meanwhile, it could tell nobody that it was not.
func (s State) WatchesAlarm(at Instant) bool {
	since := s.alarmSince()
	return s.Live.Alarm == ContactClosed && s.Live.Sure && !s.Hours.Open && !since.IsZero() && !since.Equal(s.AlarmTold) &&
		at.Wall.Sub(since) < UnarmedFor+time.Minute
}
