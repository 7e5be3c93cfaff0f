package session

import (
	"slices"
	"time"

	"borne/controller/wire"
)

// StaffCame is somebody of the building's staff, as the agent made sure of: their
// menu opens, or stays open. By and May are those of the badge, or of the PIN.
type StaffCame struct {
	By  string
	May []wire.StaffDo
}

// StaffDid is what they chose on it. Jobs counts the prints that the agent releases
// with wire.StaffPrint.
type StaffDid struct {
	Do   wire.StaffDo
	Jobs int
}

// StaffLeft puts the menu, or the question for the PIN, away.
type StaffLeft struct{}

func (StaffCame) fact() {}
func (StaffDid) fact()  {}
func (StaffLeft) fact() {}

// Bounds of the menu.
const (
	MenuFor   = 30 * time.Second // without a choice
	StayStep  = time.Hour        //
	StayAfter = 30 * time.Minute // after a closing, until nobody can stay open any more
	GiveStep  = 15 * time.Minute
	MaxGiven  = time.Hour // of one session
	spare     = 10 * time.Minute
)

// Staff is the menu while it is open.
type Staff struct {
	By     string
	May    []wire.StaffDo
	Until  time.Duration
	Called bool // whom they call is in sight
}

// Shut is a closing at the terminal. It ends with the opening in which it was made.
type Shut struct {
	At   time.Time `json:"at"`
	Sure bool      `json:"sure,omitempty"` // At can be believed
}

// Stay keeps the place open past one closing of its hours, which names it: with
// other hours it is over.
type Stay struct {
	Planned time.Time `json:"planned"`
	Until   time.Time `json:"until"`
}

// Plan is what the hours said at the last tick, before staff's word.
type Plan struct {
	Sure  bool
	Open  bool
	Since time.Time
	Until time.Time
	Guard time.Time // until when it may stay open past its closing
}

// closing is the closing that staff can move: the next, or the last.
func (p Plan) closing() time.Time {
	if p.Open {
		return p.Until
	}
	return p.Since
}

// HasMenu tells whether the menu may cover what a phase shows: whoever waits, reads
// or works, and nothing that is under way.
func (p Phase) HasMenu() bool {
	return p.Standing() && p != Updating || p == Thanks || p == Charter || p == Active || p == Warning
}

// Menu tells whether the staff's menu covers the screen.
func (s State) Menu(at Instant) bool {
	return s.Live.Staff != nil && s.Phase.HasMenu() && at.Mono < s.Live.Staff.Until
}

// Covered tells whether the menu, or the question for the PIN, covers the screen.
func (s State) Covered(at Instant) bool { return s.Menu(at) || s.Asking(at) }

func (m *machine) staffCame(f StaffCame) {
	if m.s.Phase.HasMenu() && !m.s.Live.Stopping && !m.s.Live.Anew {
		m.s.Live.Ask = 0
		m.s.Live.Staff = &Staff{By: f.By, May: f.May, Until: m.at.Mono + MenuFor}
	}
}

func (m *machine) staffLeft() { m.s.Live.Staff, m.s.Live.Ask = nil, 0 }

// Offers is what staff may choose now. The agent knows what waits to be printed.
func (s State) Offers(at Instant, waiting int) (all []wire.StaffDo) {
	w := s.Live.Staff
	if !s.Menu(at) {
		return nil
	}
	may := func(d wire.StaffDo) bool { return slices.Contains(w.May, d) }
	switch {
	case !may(wire.StaffClose):
	case s.Shut != nil:
		all = append(all, wire.StaffReopen)
	case s.Limits.Version > 0 && s.Hours.Known && s.Hours.Open:
		all = append(all, wire.StaffClose)
	}
	if may(wire.StaffStay) && !s.StayTo(at).IsZero() {
		all = append(all, wire.StaffStay)
	}
	if may(wire.StaffTime) && s.givable() {
		all = append(all, wire.StaffTime)
	}
	if may(wire.StaffPrint) && waiting > 0 {
		all = append(all, wire.StaffPrint)
	}
	for _, d := range []wire.StaffDo{wire.StaffRestart, wire.StaffCall} {
		if may(d) {
			all = append(all, d)
		}
	}
	return all
}

// StayTo is until when it would stay open; zero: it cannot.
func (s State) StayTo(at Instant) time.Time {
	p := s.Live.Plan
	planned := p.closing()
	if !at.Trusted || !p.Sure || planned.IsZero() || s.Shut != nil || s.Limits.Version == 0 {
		return time.Time{}
	}
	from := planned
	if s.Stay != nil && s.Stay.Planned.Equal(planned) {
		from = s.Stay.Until
	}
	switch passed := at.Wall.Sub(from); {
	case passed > StayAfter:
		return time.Time{}
	case passed > 0:
		from = at.Wall
	}
	to := from.Add(StayStep)
	if to.After(p.Guard) {
		to = p.Guard
	}
	if to.Sub(from) < time.Minute {
		return time.Time{}
	}
	return to.UTC()
}

// givable tells whether the session may have more minutes: past its usual end as
// staff will, and never so long that its receipt would be missed.
func (s State) givable() bool {
	if s.Phase != Active && s.Phase != Warning || s.Live.Anew {
		return false
	}
	most := max(s.Limits.Max, min(s.Limits.Max+MaxGiven, s.Limits.Receipt-spare))
	return s.Run.Given+GiveStep <= MaxGiven && s.Run.Total+GiveStep <= most
}

// staffDid does one of the offers; what is not offered does nothing.
func (m *machine) staffDid(f StaffDid) {
	s, l := &m.s, &m.s.Live
	if !slices.Contains(s.Offers(m.at, f.Jobs), f.Do) {
		return
	}
	w := *l.Staff // a state before this one may hold it
	w.Until, w.Called = m.at.Mono+MenuFor, w.Called || f.Do == wire.StaffCall
	l.Staff = &w
	told := wire.StaffDone{Do: f.Do, By: w.By}
	switch f.Do {
	case wire.StaffClose:
		l.Staff = nil // whoever is there is to see that it closes
		if s.Stay != nil && l.Plan.Sure && !l.Plan.Open {
			s.Stay = &Stay{Planned: s.Stay.Planned, Until: m.at.Wall.UTC()}
			s.Hours.Open = false
			break
		}
		s.Shut, s.Stay = &Shut{At: m.at.Wall.UTC(), Sure: m.at.Trusted}, nil
	case wire.StaffReopen:
		s.Shut = nil
	case wire.StaffStay:
		told.Until = s.StayTo(m.at)
		s.Stay = &Stay{Planned: l.Plan.closing().UTC(), Until: told.Until}
		s.Hours.Open, s.Hours.Until = true, told.Until
	case wire.StaffTime:
		s.Run.Total += GiveStep
		s.Run.Given += GiveStep
		l.Left += GiveStep
		if told.Minutes = int(GiveStep / time.Minute); l.Warn.Kind == WarnTime {
			m.answer()
		}
	case wire.StaffPrint:
		told.Jobs = f.Jobs
	case wire.StaffRestart:
		l.Staff, l.Anew = nil, true
		if s.Dirty && s.Phase == Broken { // nothing more can be done here; the next start tries again
			m.ask(DoRestart{})
		}
	case wire.StaffCall:
	}
	m.record(wire.KindStaff, told)
	m.settle()
}

// covered keeps the session of whoever waits behind the menu from ending by a
// question that they cannot see. The question for the PIN does not: anybody can
// open it again and again, and it goes away in less than a grace.
func (m *machine) covered() {
	l := &m.s.Live
	if !m.s.Menu(m.at) {
		return
	}
	l.Touched = m.at.Mono
	if l.Warn.Until > 0 {
		l.Warn.Until = max(l.Warn.Until, m.at.Mono+m.grace())
	}
}

// staffed brings the hours in line with what staff chose.
func (m *machine) staffed(f Tick) Tick {
	s := &m.s
	s.Live.Plan = Plan{Sure: f.Sure && m.at.Trusted, Open: f.Open, Since: f.Since, Until: f.Until, Guard: f.Guard}
	if !f.Sure {
		return f
	}
	if s.Shut != nil && !s.Shut.Sure && m.at.Trusted { // made without a clock: the next opening counts from now on
		s.Shut = &Shut{At: m.at.Wall, Sure: true}
	}
	if s.Shut != nil && (!f.Open || s.Shut.Sure && f.Since.After(s.Shut.At)) {
		s.Shut = nil
	}
	if s.Stay == nil || !m.at.Trusted {
		return f
	}
	if !s.Live.Plan.closing().Equal(s.Stay.Planned) {
		s.Stay = nil
		return f
	}
	until := s.Stay.Until
	if until.After(f.Guard) { // an agreement was suspended meanwhile
		until = f.Guard
	}
	switch {
	case until.After(m.at.Wall) && f.Open:
		f.Until = until
	case until.After(m.at.Wall):
		f.Open, f.Since, f.Vacant, f.Until = true, time.Time{}, time.Time{}, until
	case !f.Vacant.IsZero() && until.After(f.Vacant): // the alarm is not late before they have left
		f.Vacant = until
	}
	return f
}
