package session

import (
	"encoding/json"
	"time"

	"borne/controller/wire"
)

// machine is one step under way: the new state and what leaves with it.
type machine struct {
	s       State
	at      Instant
	effects []Effect
	records []wire.Record
}

// Step is the machine. It is total: an event that means nothing in a phase
// leaves the state as it is. The records carry no epoch and no seq: the
// journal gives them in the transaction that stores the state. The effects run
// only after that commit.
func Step(s State, e Event) (State, []Effect, []wire.Record) {
	m := &machine{s: s.clone(), at: e.At}
	switch f := e.Fact.(type) {
	case Tick:
		m.tick(f)
	case Tapped:
		m.tapped(f)
	case Acted:
		m.acted(f)
	case Surveyed:
		m.surveyed(f)
	case Opened:
		m.opened(f)
	case Wiped:
		m.wiped(f)
	case Lost:
		m.lost(f)
	case Case:
		m.contact(f)
	case Alarm:
		m.alarm(f)
	case Commanded:
		m.commanded(f.Command)
	case Ruled:
		m.s.Limits = f.Limits
		m.settle()
	case Permitted:
		m.permitted(f.Permits)
		m.settle()
	case Welcomed:
		m.quarantined(f.Quarantine)
	case Neighbours:
		m.neighbours(f)
	case Faulty:
		m.s.Live.Trouble = f.Reason
		m.settle()
	case Protected:
		m.s.Live.Unprotected = !f.Ready
		m.settle()
	case Filtered:
		m.filtered(f)
	case Sending:
		m.sending(f)
	case Update:
		m.s.Live.Updating = f.Running
		m.settle()
	case Stop:
		m.stop()
	case StaffCame:
		m.staffCame(f)
	case StaffDid:
		m.staffDid(f)
	case StaffLeft:
		m.staffLeft()
	case StaffAsks:
		m.staffAsks()
	case StaffTries:
		m.staffTries()
	case StaffTried:
		m.staffTried(f)
	}
	return m.s, m.effects, m.records
}

// ask adds an effect under a fresh id.
func (m *machine) ask(a Ask) uint64 {
	m.s.Serial++
	m.effects = append(m.effects, Effect{ID: m.s.Serial, Ask: a})
	return m.s.Serial
}

// await asks for an effect whose result the phase waits for, at most for d.
func (m *machine) await(a Ask, d time.Duration) {
	m.s.Live.Await = m.ask(a)
	m.s.Live.Until = m.at.Mono + d
}

// record adds a fact for the controller.
func (m *machine) record(kind string, body any) {
	b, err := json.Marshal(body)
	if err != nil { // none of the bodies here can fail to marshal; nothing may be lost even so
		b = []byte(`{"error":"cannot encode"}`)
	}
	m.records = append(m.records, wire.Record{Kind: kind, At: m.at.Wall.UTC(), Unsure: !m.at.Trusted, Body: b})
}

// enter leaves a phase with its timer and whatever it awaited.
func (m *machine) enter(p Phase, r wire.Reason) {
	m.s.Phase, m.s.Reason = p, r
	m.s.Live.Await, m.s.Live.Until, m.s.Live.Retry = 0, 0, 0
	if p != Charter {
		m.s.Live.Guest = nil
	}
	if p != Warning {
		m.s.Live.Warn = Warn{}
	}
	if !p.HasMenu() {
		m.staffLeft()
	}
}

// standing decides where a clean terminal stands, worst news first.
func (m *machine) standing() (Phase, wire.Reason) {
	s := &m.s
	switch {
	case s.Live.Stopping:
		return Closed, wire.EndShutdown
	case s.Live.Anew:
		return Closed, wire.RefuseAnew
	case s.Fault != "":
		return Broken, s.Fault
	case s.Live.Trouble != "":
		return Broken, s.Live.Trouble
	case s.Limits.RequireFull && s.Live.Level != wire.LevelFull:
		return Broken, wire.OutIsolation
	case s.Quarantine != "":
		return Quarantined, s.Quarantine
	case s.Live.CaseOpen:
		return Maintenance, wire.EndTamper
	case s.Out != nil:
		return Maintenance, wire.OutStaff
	case s.Live.Updating:
		return Updating, ""
	case s.Live.Armed, s.Live.SpaceArmed:
		return Closed, wire.RefuseAlarm
	case s.Limits.Version == 0:
		return Closed, wire.RefuseNoPolicy
	case s.Live.Unprotected:
		return Closed, wire.RefuseNoLists
	case s.Shut != nil:
		return Closed, wire.RefuseShut
	case !s.Hours.Known:
		return Closed, wire.RefuseClock
	case !s.Hours.Open:
		return Closed, wire.RefuseClosed
	}
	if _, ok := m.permit(); !ok {
		return Closed, wire.RefuseNoPermit
	}
	return Welcome, ""
}

// stand leaves a clean phase for the one that the terminal's situation asks
// for. It is the only way to Welcome, and never leads there while dirty.
func (m *machine) stand() {
	s := &m.s
	switch {
	case s.Dirty:
		m.owed()
	case s.Live.Stopping:
		m.enter(Closed, wire.EndShutdown)
		m.ask(DoStop{})
	case s.Live.Anew:
		m.enter(Closed, wire.RefuseAnew)
		m.ask(DoRestart{})
	case s.Lift != nil:
		m.wipe(WipeChallenge)
	case !s.Live.Surveyed:
		m.enter(Starting, "")
		m.await(DoSurvey{}, SurveyWithin)
	default:
		p, r := m.standing()
		if p == Welcome && s.Phase != Charter {
			s.Live.Lang = "" // the next person begins in the place's own language
		}
		m.enter(p, r)
	}
}

// settle looks again after something changed: only phases in which nobody's
// session is open and nothing is awaited move.
func (m *machine) settle() {
	s := &m.s
	switch {
	case s.Dirty || s.Live.Stopping:
	case s.Phase == Charter:
		if p, _ := m.standing(); p != Welcome {
			m.stand()
		}
	case s.Phase.Standing():
		if p, r := m.standing(); s.Lift != nil || !s.Live.Surveyed || p != s.Phase || r != s.Reason {
			m.stand()
		}
	}
}

// owed wipes what a session, or a state that could not be read, left behind.
func (m *machine) owed() {
	if m.s.Run != nil {
		m.wipe(WipeSession)
		return
	}
	m.wipe(WipeSweep)
}

// tick moves every timer.
func (m *machine) tick(f Tick) {
	s, l := &m.s, &m.s.Live
	l.Sure = f.Sure
	f = m.staffed(f)
	if !s.Covered(m.at) {
		m.staffLeft()
	}
	if f.Sure {
		s.Hours = Hours{Known: true, Open: f.Open, Since: f.Since, Vacant: f.Vacant, Until: f.Until, Cause: f.Cause, Why: f.Why, Next: f.Next}
		m.tickAlarm()
	}
	if l.NoticeTo <= m.at.Mono {
		l.Notice = ""
	}
	if l.Message != "" && l.MessageTo <= m.at.Mono && !s.Phase.InSession() {
		l.Message = ""
	}
	if m.at.Trusted && !s.Awake.IsZero() && !s.Awake.After(m.at.Wall) {
		s.Awake = time.Time{}
	}
	due := l.Until > 0 && m.at.Mono >= l.Until
	switch s.Phase {
	case Starting:
		if due {
			m.await(DoSurvey{}, SurveyWithin)
		}
	case Charter:
		if due {
			m.stand()
			return
		}
		m.settle()
	case Opening:
		if due {
			m.end(wire.EndFailed, false)
		}
	case Active, Warning:
		m.tickSession(f)
	case Ending:
		l.Uploading = f.Uploading
		m.finishing(due)
	case Wiping, Challenge:
		switch {
		case l.Await != 0 && due:
			m.wipeFailed("no answer in time")
		case l.Await == 0 && m.at.Mono >= l.Retry:
			m.askWipe()
		}
	case Thanks:
		if due {
			m.stand()
		}
	case Broken:
		m.tickBroken(due)
	case Welcome, Closed, Quarantined, Updating, Maintenance:
		m.settle()
	}
}

// tickBroken looks from time to time whether the machine was mended. A wipe
// that failed is not retried by itself: somebody has to look first.
func (m *machine) tickBroken(due bool) {
	l := &m.s.Live
	m.settle()
	if m.s.Phase != Broken || m.s.Dirty {
		return
	}
	switch {
	case l.Await == 0 && l.Until == 0, l.Await != 0 && due:
		l.Await, l.Until = 0, m.at.Mono+SurveyAgain
	case l.Await == 0 && due:
		m.await(DoSurvey{}, SurveyWithin)
	}
}

// surveyed takes the answer at start, and in Broken when it looks again.
func (m *machine) surveyed(f Surveyed) {
	s, l := &m.s, &m.s.Live
	if f.Effect == 0 || f.Effect != l.Await || s.Phase != Starting && s.Phase != Broken {
		return
	}
	l.Await, l.Until = 0, 0
	l.Level, l.Missing, l.Surveyed = f.Level, f.Missing, true
	if s.Fault != wire.OutState { // only a challenge makes an unreadable journal good
		s.Fault = f.Fault
	}
	if s.Phase == Starting {
		m.stand()
		return
	}
	m.settle()
}

// lost ends the session whose sandbox is gone, or takes note that the warden
// has to be surveyed anew.
func (m *machine) lost(f Lost) {
	s := &m.s
	if f.Warden {
		s.Live.Surveyed = false
	}
	mine := f.Warden || s.Run != nil && f.Session == s.Run.ID
	why := wire.EndCrash
	if f.Warden {
		why = wire.EndWarden
	}
	switch s.Phase {
	case Opening:
		if mine && !f.Warden {
			why = wire.EndFailed
		}
		if mine {
			m.end(why, false)
		}
	case Active, Warning:
		if mine {
			m.end(why, false)
		}
	case Ending:
		if mine {
			m.wipe(WipeSession)
		}
	case Wiping, Challenge:
		if f.Warden && s.Live.Await != 0 {
			m.wipeFailed("the warden was lost")
		}
	case Starting:
		if f.Warden {
			m.await(DoSurvey{}, SurveyWithin)
		}
	case Charter, Welcome, Closed, Quarantined, Broken, Updating, Maintenance:
		if f.Warden && !s.Dirty {
			m.stand()
		}
	case Thanks: // its timer leads to the survey
	}
}

// stop ends cleanly, whatever happens.
func (m *machine) stop() {
	s := &m.s
	if s.Live.Stopping {
		return
	}
	s.Live.Stopping = true
	switch {
	case s.Phase.InSession():
		m.end(wire.EndShutdown, false)
	case s.Phase == Wiping || s.Phase == Challenge:
	case s.Dirty: // broken: nothing more can be done here; the next start tries again
		m.ask(DoStop{})
	default:
		m.stand()
	}
}
