package agent

import (
	"context"
	"slices"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/energy"
	"borne/kiosk/printing"
	"borne/kiosk/session"
)

const (
	// useEvery is how often it is told what was used.
	useEvery = time.Hour
	// beatEvery is how often that is kept beside something that is written anyway,
	// and beatAlone how long it waits for that: cards wear with each write.
	beatEvery = time.Minute
	beatAlone = 5 * time.Minute
	// tellWithin is how long a terminal that goes off waits until the controller has
	// what it recorded; and tellLeast is for the status, which nobody acknowledges.
	tellWithin = 15 * time.Second
	tellLeast  = 2 * time.Second
	// meterFresh is how old a reading of the meter may be.
	meterFresh = 3 * time.Minute
	// meterWait is how long a terminal that starts waits for the first one: it
	// tells what was used while the terminal was off.
	meterWait = 20 * time.Second
)

// saving is what the agent knows of energy beside its keeper.
type saving struct {
	keeper  *energy.Keeper
	state   energy.State
	opening policy.Opening // as of the last tick
	asked   bool           // opening is something

	hands int // ever: taps, people seen coming or calling, and what staff want shown
	mark  struct {
		hands  int
		phase  session.Phase
		reason wire.Reason
	}
	since time.Duration // when one of them was another

	tally   energy.Tally
	counted time.Duration // up to here
	sure    bool          // tally began at a time that can be trusted; nothing is told before
	past    *energy.Beat  // of the runs before, until then
	beatAt  time.Duration // when the tally was last kept
	halts   bool          // … as the last before going off by plan
	tellBy  time.Duration // it goes off then at the latest; 0: it does not
	word    time.Time     // given to the keeper: the alarm with which it may go off
}

// newKeeper makes what carries the energy plan out.
func newKeeper(a *Agent) (*energy.Keeper, error) {
	p := a.parts
	c := energy.Config{Mono: p.Clock.Mono, Idle: p.Stage.Idle, Screen: p.Screen, Alarm: p.Wake, Power: p.Power, Meter: p.Meter, Log: a.log}
	if p.Mains != nil {
		c.Mains = p.Mains
	}
	if d, ok := p.Screen.(energy.Dimmer); ok {
		c.Dimmer = d
	}
	return energy.New(c)
}

// keepEnergy tells the keeper how things stand.
func (a *Agent) keepEnergy() {
	e, s := &a.energy, a.state
	if m := (struct {
		hands  int
		phase  session.Phase
		reason wire.Reason
	}{e.hands, s.Phase, s.Reason}); m != e.mark {
		e.mark, e.since = m, a.parts.Clock.Mono()
	}
	if !e.asked {
		return
	}
	at := a.now()
	e.keeper.Set(energy.Order{At: at.Mono, Wall: at.Wall.UTC(), Sure: at.Trusted, Energy: a.policy.Energy, Opening: e.opening,
		Armed: s.Live.Armed || s.Live.SpaceArmed, Busy: a.busy(), Keep: a.stays(), Held: s.Awake.UTC(), Since: e.since, Halt: e.word})
}

// busy tells whether somebody, or the machine itself, is in the middle of something.
func (a *Agent) busy() bool {
	p := a.state.Phase
	return !p.Standing() || p == session.Updating || a.state.Covered(a.now()) || slices.ContainsFunc(a.prints.Jobs, func(j printing.Job) bool { return j.Stage != printing.StageHeld })
}

// stays tells whether the terminal may not go off, whatever the hour: somebody
// works on it, something is not on the disk, or not erased, or somebody may have
// to be told of the building's alarm.
func (a *Agent) stays() bool {
	return a.stuck != nil || a.state.Dirty || a.state.Phase == session.Maintenance || a.state.WatchesAlarm(a.now())
}

// hoursOf are the hours as the plan should see them.
func (a *Agent) hoursOf(at session.Instant, open policy.Opening) policy.Opening {
	switch h := a.state.Hours; {
	case a.policy.Version == 0: // somebody is installing it
		return policy.Opening{Open: true}
	case !at.Trusted && !a.policy.Hours.Always:
		return policy.Opening{Open: (!h.Known || h.Open) && a.state.Shut == nil}
	}
	open = withStaff(a.state, open)
	open.Since, open.Until = open.Since.UTC(), open.Until.UTC()
	return open
}

// beginEnergy goes on from what the journal holds.
func (a *Agent) beginEnergy(found []byte) {
	at := a.now()
	a.energy.tally, a.energy.counted = energy.Tally{From: at.Wall}, at.Mono
	if found == nil {
		return
	}
	b, err := energy.DecodeBeat(found)
	if err != nil {
		a.log.Error("what was saved before is lost", "error", err)
		return
	}
	a.energy.past = &b
}

// count adds the time since the last look to what the terminal is.
func (a *Agent) count() session.Instant {
	at, e := a.now(), &a.energy
	e.tally.Add(e.state.Kind(), at.Mono-e.counted)
	e.counted = at.Mono
	return at
}

// tickEnergy comes once a second.
func (a *Agent) tickEnergy(work context.Context, open policy.Opening) {
	at, e := a.count(), &a.energy
	e.opening, e.asked = a.hoursOf(at, open), true
	if !e.sure && e.tally.Meter == 0 && e.tally.Total() <= meterWait {
		e.tally.Meter = a.metered(at)
	}
	switch {
	case at.Trusted && !e.sure && !a.meterDue(at): // only now it is known when this run began
		e.sure, e.tally.From = true, at.Wall.Add(-e.tally.Total())
		a.settlePast(work)
	case at.Trusted && e.sure && e.tally.Total() >= useEvery:
		a.tellUse(work, at, false)
	case at.Mono-e.beatAt >= beatAlone:
		a.applyWith(work, nil, extra{beat: true})
	}
	a.goOff(work)
}

// settlePast tells what the runs before did, and what lies between.
func (a *Agent) settlePast(work context.Context) {
	e := &a.energy
	past := e.past
	if past == nil {
		return
	}
	if a.stuck != nil && !a.unstick(work) {
		e.sure = false // tried again
		return
	}
	e.past = nil
	// A simulated terminal's power is cut on a machine that goes on.
	t, sure := past.Resume(e.tally.From, past.Boot == a.cfg.Boot && !a.cfg.Sim)
	if !sure {
		var adrift bool
		if t, adrift = past.Adrift(e.tally.From); !adrift {
			return
		}
	}
	record := draft(a.now(), wire.KindEnergy, t.Use(e.tally.From, e.tally.Meter))
	record.Unsure = !sure
	a.applyWith(work, nil, extra{beat: true, records: []wire.Record{record}})
}

// tellUse records what was used, and begins anew; without a clock that can be
// trusted it goes on counting. halts says that the terminal goes off next.
func (a *Agent) tellUse(work context.Context, at session.Instant, halts bool) bool {
	if a.stuck != nil && !a.unstick(work) {
		return false
	}
	e := &a.energy
	x := extra{beat: true}
	if e.halts = halts; e.sure && at.Trusted {
		wh := a.metered(at)
		x.records = []wire.Record{draft(at, wire.KindEnergy, e.tally.Use(at.Wall, wh))}
		e.tally = energy.Tally{From: at.Wall, Meter: wh}
	}
	return a.applyWith(work, nil, x) // one that waits for the disk is written first of all
}

// meterDue tells whether the meter's first reading is still to come.
func (a *Agent) meterDue(at session.Instant) bool {
	return a.parts.Meter != nil && a.energy.tally.Total() < meterWait && a.metered(at) == 0
}

// metered is what the meter reads; 0: it does not, or not now.
func (a *Agent) metered(at session.Instant) float64 {
	if s := a.energy.state; s.Wh > 0 && at.Mono-s.WhAt <= meterFresh {
		return s.Wh
	}
	return 0
}

// beat is what the journal is to keep with a step that is written. must: also
// when the last one is young.
func (a *Agent) beat(must bool) []byte {
	e := &a.energy
	if !must && a.parts.Clock.Mono()-e.beatAt < beatEvery {
		return nil
	}
	at := a.count()
	now := energy.Beat{Tally: e.tally, At: at.Wall, Boot: a.cfg.Boot, Halt: e.halts, Sure: e.sure}
	if e.sure && !at.Trusted { // it was, and is no longer
		now.At = e.tally.From.Add(e.tally.Total())
	}
	if e.past != nil { // not told yet
		now = e.past.Then(e.tally)
	}
	b, err := now.Encode()
	if err != nil {
		a.log.Error("what is saved is not kept", "error", err)
		return nil
	}
	e.beatAt = at.Mono
	return b
}

// saved takes what the keeper has done.
func (a *Agent) saved(work context.Context, s energy.State) {
	at := a.count() // by what it was until now
	before := a.energy.state
	a.energy.state = s
	if a.parts.Saves != nil {
		a.parts.Saves(s)
	}
	if s.Wh < before.Wh { // replaced, or lost for a while: this record cannot be measured
		a.energy.tally.Meter = 0
	}
	if before.Power != s.Power || before.Dark != s.Dark {
		a.log.Info("energy", "power", s.Power, "dark", s.Dark)
	}
	if before.Off && !s.Off { // as a start would
		a.tellUse(work, at, false)
	}
	a.goOff(work)
}

// goOff gives the keeper the word, once all that must outlive the night is on the
// disk, and the controller has had its time to hear of it.
func (a *Agent) goOff(work context.Context) {
	e := &a.energy
	s, at := e.state, a.parts.Clock.Mono()
	switch {
	case s.Off:
	case s.Power != wire.PowerHalting || a.busy() || a.stays():
		e.word, e.tellBy = time.Time{}, 0
		if e.halts { // it was on its way, and somebody came
			e.halts = false
			a.applyWith(work, nil, extra{beat: true})
		}
	case e.tellBy == 0:
		if a.tellUse(work, a.count(), true) {
			e.tellBy = at + tellWithin
		}
	case !a.online && at >= e.tellBy-tellWithin+tellLeast, a.parts.Journal.Unacked() == 0 && at >= e.tellBy-tellWithin+tellLeast, at >= e.tellBy:
		e.word = s.Wakes
	}
}

// powerState is the part of the status.
func (a *Agent) powerState(at session.Instant) *wire.PowerState {
	s := a.energy.state
	if s.Power == "" {
		return nil
	}
	p := wire.PowerState{Power: s.Power, Dark: s.Dark, Blind: s.Blind, Wakes: s.Wakes, Alarm: s.Alarm}
	if a.state.Awake.After(at.Wall) {
		p.Held = a.state.Awake
	}
	return &p
}
