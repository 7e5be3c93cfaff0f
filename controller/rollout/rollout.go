// Package rollout brings a change of rules to one terminal first, then to a tenth
// of them, then to all, and takes it back by itself from all of them when one
// cannot live with it. Step is pure; its state is a row, so that a controller that
// starts again goes on where it was.
package rollout

import (
	"fmt"
	"slices"
	"time"

	"borne/controller/store"
)

// Seen is how a terminal is now.
type Seen struct {
	Gone    bool // revoked, or not there any more: nobody waits for it
	Online  bool
	Asleep  bool   // away as it should be
	Busy    bool   // somebody uses it: what would disturb them waits
	Out     bool   // out of service, or in quarantine
	Applied uint64 // version that it obeys
	Refused string // what it said of the last rules that it did not take
	Silent  bool   // the printer of its rules does not answer
	Back    uint64 // version of the last rules whose network it put back
}

// Outcome is what has to be done.
type Outcome string

// Outcomes.
const (
	Wait     Outcome = ""         // nothing yet
	Advance  Outcome = "advance"  // Give the next step
	Replace  Outcome = "replace"  // Instead: who was to prove this step is gone
	Finish   Outcome = "finish"   // all have it
	Unproven Outcome = "unproven" // so too, and nobody of the last step was left to prove it
	Stop     Outcome = "stop"     // back with all of them: Culprit and Why say the reason
)

// Reasons for which a rollout stops.
const (
	WhyRefused = "refused" // the terminal refuses the rules
	WhyNetwork = "network" // it does not reach the controller over their network
	WhyPrinter = "printer" // the printer that they name does not answer
	WhyOut     = "out"     // it went out of service with them
	WhyLate    = "late"    // it is connected and does not take them
	WhyAway    = "away"    // it went away and did not come back
)

// forgotten is how long the last step waits for terminals that were never
// connected since: they take the rules whenever they are back.
const forgotten = 72 * time.Hour

// size is how many of n terminals have the change after a step, 0 being the first.
func size(step, n int) int {
	switch step {
	case 0:
		return min(1, n)
	case 1:
		return max((n+9)/10, min(2, n))
	}
	return n
}

// Step looks at the terminals that have the change. It changes nothing but what is
// noted about them, and tells what has to be done.
func Step(r store.Rollout, now time.Time, seen func(terminal string) Seen) (store.Rollout, Outcome) {
	if !r.Active() {
		return r, Wait
	}
	r.Members = slices.Clone(r.Members)
	dwell, within := time.Duration(r.Dwell)*time.Second, time.Duration(r.Within)*time.Second
	open, fresh, gone := 0, 0, 0 // met and not proved; proved of this step, and gone of it
	for i := range r.Members {
		m := &r.Members[i]
		if !m.Proved {
			s := seen(m.Terminal)
			if s.Gone {
				if i >= r.Fresh {
					gone++
				}
				continue
			}
			if why := look(m, s, r.Version, now, within); why != "" {
				r.Culprit, r.Why, r.Detail = m.Terminal, why, fmt.Sprintf("%.300s", s.Refused)
				return r, Stop
			}
			m.Proved = !m.Applied.IsZero() && m.Away.IsZero() && now.Sub(m.Applied) >= dwell
		}
		switch {
		case m.Proved && i >= r.Fresh:
			fresh++
		case m.Met && !m.Proved:
			open++
		}
	}
	last := len(r.Members) == len(r.Order)
	switch {
	case r.State == store.RolloutHeld || open > 0:
		return r, Wait
	case last && (fresh > 0 || now.Sub(r.Since) >= forgotten):
		return r, Finish
	case gone > 0 && gone == len(r.Members)-r.Fresh: // none of this step will ever show anything
		if last {
			return r, Unproven
		}
		return r, Replace
	case last || fresh == 0: // nobody has shown yet that this step is good
		return r, Wait
	}
	return r, Advance
}

// look notes how a terminal does, or why all have to go back.
func look(m *store.RolloutMember, s Seen, version uint64, now time.Time, within time.Duration) string {
	applied := s.Applied >= version
	if s.Back >= version { // with the network before, it may have taken the rest of them
		return WhyNetwork
	}
	if s.Refused != "" && s.Refused != m.Refused && !applied {
		return WhyRefused
	}
	if !s.Online {
		switch {
		case s.Asleep || !m.Met: // its time begins when it is back
			m.Since, m.Away = now, time.Time{}
			m.Applied = time.Time{}
		case m.Away.IsZero():
			m.Away = now
		case now.Sub(m.Away) >= within:
			return WhyAway
		}
		return ""
	}
	if !m.Met {
		m.Met, m.Since = true, now
		m.Out = m.Out || s.Out && !applied // it came back like that
	}
	m.Away = time.Time{}
	if !s.Out {
		m.Out = false
	} else if !m.Out {
		return WhyOut
	}
	if !s.Silent {
		m.Silent = false
	} else if applied && !m.Silent {
		return WhyPrinter
	}
	switch {
	case applied && m.Applied.IsZero():
		m.Applied = now
	case !applied && s.Busy:
		m.Since, m.Applied = now, time.Time{}
	case !applied && now.Sub(m.Since) >= within:
		return WhyLate
	case !applied:
		m.Applied = time.Time{}
	}
	return ""
}

// Give reaches the terminals of the next step, under a version that is newer than
// what any of them has.
func Give(r store.Rollout, version uint64, now time.Time, seen func(terminal string) Seen) store.Rollout {
	step, gone := r.Step, 0
	if len(r.Members) > 0 {
		step++
	}
	for _, m := range r.Members { // they are none of the few that a step is to prove
		if !m.Proved && seen(m.Terminal).Gone {
			gone++
		}
	}
	upTo := func() int { return min(size(step, len(r.Order))+gone, len(r.Order)) }
	for upTo() <= len(r.Members) && step < 2 {
		step++
	}
	fresh := len(r.Members)
	r = reach(r, max(upTo(), fresh), version, now, seen)
	r.Step, r.Fresh = step, fresh
	return r
}

// Instead reaches as many terminals that are there as this step had, which are gone.
func Instead(r store.Rollout, version uint64, now time.Time, seen func(terminal string) Seen) store.Rollout {
	upTo := len(r.Members)
	for want := upTo - r.Fresh; want > 0 && upTo < len(r.Order); upTo++ {
		if !seen(r.Order[upTo]).Gone {
			want--
		}
	}
	return reach(r, upTo, version, now, seen)
}

// reach has the first terminals of the order, up to a number, obey the rules under a
// newer version.
func reach(r store.Rollout, upTo int, version uint64, now time.Time, seen func(terminal string) Seen) store.Rollout {
	r.Members = slices.Clone(r.Members)
	for i := range r.Members { // they take the same rules under the new version
		r.Members[i].Since = now
	}
	for _, id := range r.Order[len(r.Members):upTo] {
		s := seen(id)
		r.Members = append(r.Members, store.RolloutMember{Terminal: id, Since: now, Out: s.Out, Silent: s.Silent, Refused: s.Refused})
	}
	r.Version, r.Since, r.State = version, now, store.RolloutRunning
	return r
}
