package report

import (
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
)

// What can be wrong with how a terminal sleeps: reason codes.
const (
	PowerAwake   = "power-awake"   // it should sleep, and is lit; or its screen was told to be dark, and is not
	PowerUnwoken = "power-unwoken" // it went off by plan, and did not wake
)

// Patience of the two.
const (
	AwakeAfter   = 30 * time.Minute // past closing: whoever tidies up is not told of
	UnwokenAfter = 10 * time.Minute // past its alarm: starting takes a while
	wakeEarly    = 5 * time.Minute  // before the time from which it is up again
)

// Night is what is known of a terminal when it may sleep.
type Night struct {
	Now    time.Time
	Online bool
	Power  *wire.PowerState // as it said last; nil: an agent that does not tell
	Lit    time.Time        // since when it has said, without a break, that its screen shines; zero: it does not
	Busy   bool             // somebody is in session, or it works at something
	Wakes  time.Time        // away by plan until then; zero: not by plan

	Opening policy.Opening
	Changed time.Time // when its rules changed last
	Plan    policy.Energy

	Was      string // what was wrong when somebody looked last
	WasSince time.Time
}

// Sleeps tells whether a terminal that is away is away by plan: until its alarm,
// and the time that it may take to start.
func Sleeps(wakes, now time.Time) bool {
	return !wakes.IsZero() && !now.After(wakes.Add(UnwokenAfter))
}

// Trouble tells what is wrong, and since when; "": nothing. What was wrong goes on
// until the terminal says otherwise: the controller's own restart, or a connection
// that breaks for a moment, is no new night.
func (n Night) Trouble() (code string, since time.Time) {
	if !n.Online {
		switch {
		case !n.Wakes.IsZero() && !Sleeps(n.Wakes, n.Now):
			return PowerUnwoken, n.Wakes
		case n.Was == PowerAwake && n.Wakes.IsZero():
			return n.Was, n.WasSince
		}
		return "", time.Time{}
	}
	if !n.shouldSleep() || n.Power == nil || !n.Power.Glows() {
		return "", time.Time{}
	}
	if n.Was == PowerAwake {
		return n.Was, n.WasSince
	}
	for _, t := range []time.Time{n.Opening.Since, n.Changed, n.Power.Held, n.Lit} {
		if t.After(since) {
			since = t
		}
	}
	if wait := max(AwakeAfter, time.Duration(n.Plan.NightMinutes)*time.Minute+UnwokenAfter); n.Lit.IsZero() || n.Now.Before(since.Add(wait)) {
		return "", time.Time{}
	}
	return PowerAwake, since
}

// shouldSleep tells whether its rules want it dark now.
func (n Night) shouldSleep() bool {
	o := n.Opening
	waking := !o.Until.IsZero() && !n.Now.Before(o.Until.Add(-time.Duration(n.Plan.WakeMinutes)*time.Minute-wakeEarly))
	return !n.Busy && !o.Open && !waking && n.Plan.Night != policy.NightLit && (n.Power == nil || !n.Power.Held.After(n.Now))
}
