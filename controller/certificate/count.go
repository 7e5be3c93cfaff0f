package certificate

import "slices"

// Small is the least number of sessions that is said: fewer could point at a
// person.
const Small = 5

// Count is a number of sessions, or why it is not said.
type Count struct {
	N      int    `json:"n" doc:"0 when hidden"`
	Hidden string `json:"hidden,omitempty" enum:"few,guard" doc:"few: from 1 to 4; guard: left out, or subtraction would show a number that is hidden"`
}

// Reasons for hiding a number.
const (
	HiddenFew   = "few"
	HiddenGuard = "guard"
)

// sums are the exact numbers of one terminal; they do not leave this room.
type sums struct {
	sessions, clean, full, reduced, power, crash                    int
	failed, missing, awaited, rough, challenges, challengesUnproven int
}

func (s *sums) add(o sums) {
	s.sessions += o.sessions
	s.clean += o.clean
	s.full += o.full
	s.reduced += o.reduced
	s.power += o.power
	s.crash += o.crash
	s.failed += o.failed
	s.missing += o.missing
	s.awaited += o.awaited
	s.rough += o.rough
	s.challenges += o.challenges
	s.challengesUnproven += o.challengesUnproven
}

// tally says what may be said of s. hide is "" when the number of its sessions
// may be. What a terminal failed to do is always said: it tells of a machine.
func (s sums) tally(hide string) Tally {
	say := func(n int) Count {
		switch {
		case n == 0:
			return Count{}
		case hide != "":
			return Count{Hidden: hide}
		}
		return Count{N: n}
	}
	rare := func(n int) Count {
		if hide == "" && n > 0 && n < Small {
			return Count{Hidden: HiddenFew}
		}
		return say(n)
	}
	return Tally{Sessions: say(s.sessions), Clean: say(s.clean), Full: say(s.full), Reduced: say(s.reduced), Power: rare(s.power), Crash: rare(s.crash),
		Failed: s.failed, Missing: s.missing, Awaited: s.awaited, Rough: s.rough, Challenges: s.challenges, Unproven: s.challengesUnproven}
}

// disclose hands out each terminal's tally and returns the site's. Where small
// numbers of terminals are hidden and fewer than Small sessions or a single
// terminal would be left after subtracting the others from the site's, the next
// smallest is hidden with them.
func disclose(all []*sums, each func(int, Tally)) Tally {
	var total sums
	order := make([]int, len(all))
	for i, s := range all {
		total.add(*s)
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return all[a].sessions - all[b].sessions })
	hide := make([]string, len(all))
	hidden, rest := 0, 0
	whole := ""
	if total.sessions > 0 && total.sessions < Small {
		whole = HiddenFew
	}
	for _, i := range order {
		switch n := all[i].sessions; {
		case n == 0:
		case n < Small:
			hide[i] = HiddenFew
			hidden, rest = hidden+1, rest+n
		case hidden == 1 || (hidden > 0 && rest < Small):
			hide[i] = HiddenGuard
			hidden, rest = hidden+1, rest+n
		}
	}
	for i, s := range all {
		each(i, s.tally(hide[i]))
	}
	return total.tally(whole)
}
