package simyear

import (
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/session"
)

// terminal is the session's machine with a world that does at once what it asks.
type terminal struct {
	p      *place
	r      *rand.Rand
	loc    *time.Location
	key    ed25519.PrivateKey
	state  session.State
	disk   []byte
	hours  policy.Hours
	plan   policy.Schedule // of a few weeks from planned on
	until  time.Time
	now    time.Time
	boot   time.Time
	sure   bool
	hand   time.Time // last sign of somebody
	leaves time.Time // when the person goes; zero: nobody is there
	prints time.Time // until when a document is on its way; zero: none is
	serial int
	permit uint64

	power  policy.Power
	wakes  time.Time // off until then; zero: it is on
	spent  map[policy.Power]time.Duration
	off    time.Duration
	bad    []string
	counts counts
}

type counts struct {
	sessions, tooLate, refused, printed, atClosing, cut, cuts, halts, wokeInTime int
}

const finish = 2 * time.Minute

func limits() session.Limits {
	d := policy.Default().Session
	m := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	return session.Limits{Version: 1, Profile: "open", Languages: []string{"fr"}, Minutes: m(d.Minutes), Max: m(d.MaxMinutes), Min: m(d.MinMinutes),
		Warn: []time.Duration{m(10), m(5), m(1)}, Idle: time.Duration(d.IdleSeconds) * time.Second, Grace: time.Duration(d.GraceSeconds) * time.Second,
		Upload: time.Duration(d.UploadSeconds) * time.Second, Finish: finish, Thanks: time.Duration(d.ThanksSeconds) * time.Second, Pages: 10}
}

func newTerminal(p *place, r *rand.Rand, at time.Time) *terminal {
	t := &terminal{p: p, r: r, loc: policy.Location(), key: ed25519.NewKeyFromSeed(make([]byte, 32)), hours: p.hours, now: at, sure: true,
		spent: map[policy.Power]time.Duration{}, power: policy.PowerLit}
	t.start()
	return t
}

// start is the process after a boot.
func (t *terminal) start() {
	s := session.New()
	if t.disk != nil {
		var err error
		if s, err = session.Decode(t.disk); err != nil {
			t.broken("the state cannot be read: %v", err)
		}
	}
	t.boot, t.leaves, t.prints, t.power, t.wakes = t.now, time.Time{}, time.Time{}, policy.PowerLit, time.Time{}
	next, effects, _ := session.Recover(s, t.instant(), wire.Boot{Boot: "b"})
	t.commit(next, effects)
	t.send(session.Ruled{Limits: limits()})
}

func (t *terminal) instant() session.Instant {
	return session.Instant{Mono: t.now.Sub(t.boot) + time.Second, Wall: t.now, Trusted: t.sure}
}

func (t *terminal) send(f session.Fact) {
	next, effects, _ := session.Step(t.state, session.Event{At: t.instant(), Fact: f})
	t.commit(next, effects)
}

func (t *terminal) commit(next session.State, effects []session.Effect) {
	t.state = next
	for _, e := range effects {
		switch a := e.Ask.(type) {
		case session.DoSurvey:
			t.send(session.Surveyed{Effect: e.ID, Level: wire.LevelFull})
		case session.DoOpen:
			t.send(session.Opened{Effect: e.ID})
		case session.DoWipe:
			if t.now.Before(t.prints) {
				t.counts.cut++
				t.broken("somebody is cut in mid-print, ended by %q", t.state.Run.Reason)
			}
			t.leaves, t.prints = time.Time{}, time.Time{}
			t.send(t.wiped(e.ID, a))
		}
	}
}

func (t *terminal) wiped(id uint64, a session.DoWipe) session.Wiped {
	if a.Kind == session.WipeSweep {
		return session.Wiped{Effect: id}
	}
	r := wire.Receipt{Kind: wire.ReceiptKind(a.Kind), Session: a.Session, Permit: a.Permit, Nonce: a.Nonce, Attempt: a.Attempt}
	for _, n := range wire.RequiredChecks() {
		r.Checks = append(r.Checks, wire.Check{Name: n, Result: wire.Clean})
	}
	env, err := wire.Seal(t.key, wire.DomainReceipt, r)
	if err != nil {
		panic(err)
	}
	return session.Wiped{Effect: id, Receipt: &env, Number: "1"}
}

// opening asks the schedule, worked out anew every few weeks as an agent may.
func (t *terminal) opening() policy.Opening {
	if !t.now.Before(t.until) {
		t.until = t.now.AddDate(0, 0, 21)
		t.plan = t.hours.Schedule(t.now.AddDate(0, 0, -60), t.now.AddDate(0, 0, 120), t.loc)
	}
	return t.plan.At(t.now)
}

// tick is what an agent does each second, at the instants that matter.
func (t *terminal) tick() {
	o := t.opening()
	f := session.Tick{Sure: t.sure, Open: o.Open, Since: o.Since, Until: o.Until, Cause: string(o.Cause), Why: o.Why}
	if !t.sure {
		f.Since, f.Until, f.Cause, f.Why = time.Time{}, time.Time{}, "", ""
	}
	if t.state.Run != nil && !t.prints.IsZero() && !t.now.Before(t.prints) {
		t.prints = time.Time{}
		t.send(session.Sending{Session: t.state.Run.ID})
	}
	if t.state.Usable(t.instant()) < 2 {
		t.permit++
		t.send(session.Permitted{Permits: []session.Permit{{ID: fmt.Sprint("p", t.permit), N: t.permit, Nonce: []byte{1, byte(t.permit)}, NotAfter: t.now.Add(72 * time.Hour), Generation: 1}}})
	}
	t.send(f)
	if t.state.Phase.InSession() && !t.leaves.IsZero() && !t.now.Before(t.leaves) {
		t.leaves = time.Time{}
		t.send(session.Acted{Do: session.End})
	}
	if t.state.Phase == session.Warning { // whoever is there presses on
		t.send(session.Acted{Do: session.StillHere})
		t.send(session.Acted{Do: session.Dismiss})
	}
	t.save(o)
}

// save carries the energy plan out.
func (t *terminal) save(o policy.Opening) {
	busy := t.state.Phase.InSession() || t.state.Phase == session.Charter || t.state.Phase == session.Wiping || t.state.Phase == session.Thanks
	plan := t.p.energy.Plan(policy.Situation{Now: t.now, Sure: t.sure, Opening: o, Quiet: t.now.Sub(t.hand), Up: t.now.Sub(t.boot), Busy: busy, Alarm: t.p.rtc})
	if busy && plan.Power != policy.PowerLit {
		t.broken("it saves (%s) under somebody's hands", plan.Power)
	}
	if o.Open && t.sure && plan.Power.Depth() > policy.PowerDim.Depth() && t.p.energy.DarkMinutes == 0 {
		t.broken("%s while the place is open", plan.Power)
	}
	if t.power = plan.Power; plan.Power != policy.PowerHalt {
		return
	}
	switch {
	case !t.p.rtc:
		t.broken("it halts without a clock that wakes it")
	case !plan.WakeAt.After(t.now), plan.WakeAt.After(t.now.Add(24 * time.Hour)):
		t.broken("it halts until %s", plan.WakeAt)
	}
	var err error
	if t.disk, err = session.Encode(t.state); err != nil {
		t.broken("the state cannot be kept: %v", err)
	}
	t.counts.halts++
	t.wakes = plan.WakeAt
}

// pass goes on to an instant.
func (t *terminal) pass(to time.Time) {
	for t.now.Before(to) {
		if t.wakes.IsZero() {
			t.spent[t.power] += to.Sub(t.now)
			t.now = to
			return
		}
		wake := t.wakes
		if wake.After(to) {
			t.spent[policy.PowerHalt] += to.Sub(t.now)
			t.now = to
			return
		}
		t.spent[policy.PowerHalt] += wake.Sub(t.now)
		t.now = wake
		t.start()
		t.tick()
	}
}

// comes is somebody who wants to begin, for some minutes.
func (t *terminal) comes(stay time.Duration) {
	if !t.wakes.IsZero() {
		return // off, and so dark as the building is
	}
	t.hand = t.now
	if t.state.Phase.InSession() {
		return
	}
	t.serial++
	id := fmt.Sprint("s", t.serial)
	t.send(session.Acted{Do: session.Begin})
	t.send(session.Acted{Do: session.Accept, Session: id})
	switch {
	case t.state.Phase == session.Active:
		t.counts.sessions++
		t.leaves = t.now.Add(stay)
		if o := t.opening(); t.sure && o.Until.Sub(t.now) < limits().Min {
			t.broken("somebody is admitted %s before the closing", o.Until.Sub(t.now))
		}
	case t.state.Live.Notice == wire.RefuseTooLate:
		t.counts.tooLate++
	default:
		t.counts.refused++
	}
}

// sends has the person print something that takes a while.
func (t *terminal) sends(takes time.Duration) {
	if t.state.Phase != session.Active || !t.prints.IsZero() || t.leaves.IsZero() {
		return
	}
	t.hand = t.now
	t.counts.printed++
	t.prints = t.now.Add(takes)
	t.send(session.Sending{Session: t.state.Run.ID, Busy: true})
}

// powerCut takes the current away for a while; without a clock of its own the
// terminal does not know the time until the network tells it.
func (t *terminal) powerCut(d, unsure time.Duration) {
	var err error
	if t.disk, err = session.Encode(t.state); err != nil {
		t.broken("the state cannot be kept: %v", err)
	}
	was := t.state.Hours
	t.counts.cuts++
	t.off += d
	t.now = t.now.Add(d)
	t.sure = t.p.rtc
	t.start()
	t.tick()
	if !t.sure {
		if t.state.Hours.Open != was.Open {
			t.broken("it %s with a clock that it does not believe", map[bool]string{true: "opens", false: "closes"}[t.state.Hours.Open])
		}
		for end := t.now.Add(unsure); t.now.Before(end); {
			t.now = t.now.Add(5 * time.Second)
			t.tick()
			if t.state.Hours.Open != was.Open {
				t.broken("it changes its mind while its clock is not sure")
			}
		}
		t.sure = true
	}
	t.tick()
}

func (t *terminal) broken(format string, args ...any) {
	if len(t.bad) < 5 {
		t.bad = append(t.bad, fmt.Sprintf("%s at %s: ", t.p.name, t.now.In(t.loc).Format("2006-01-02 15:04:05"))+fmt.Sprintf(format, args...))
	}
}
