package printing

import (
	"slices"

	"borne/controller/wire"
)

// spend notes a charge of a session without a badge.
func (m *machine) spend(u wire.Units) {
	if u <= 0 {
		return
	}
	m.s.Hour = append(m.s.Hour, Spent{Units: u, Wall: m.at.Wall.UTC(), Unsure: !m.at.Trusted, Mono: m.at.Mono})
	if n := len(m.s.Hour); n > maxHour { // the two oldest become one, as late as the later
		m.s.Hour[1].Units += m.s.Hour[0].Units
		m.s.Hour = m.s.Hour[1:]
	}
}

// trim forgets what is older than the window.
func (m *machine) trim() {
	m.s.Hour = slices.DeleteFunc(m.s.Hour, func(x Spent) bool { return m.since(x.Mono) >= window })
}

// resume places the charges of the process before on this one's clock. Only the
// wall clock spans both; where it cannot be believed, or went back, a charge
// counts as one of just now: starting again must not start the count again.
func (m *machine) resume() {
	for i := range m.s.Hour {
		x := &m.s.Hour[i]
		age := m.at.Wall.Sub(x.Wall)
		switch {
		case !m.at.Trusted:
			age = 0
		case x.Unsure || age < 0:
			age, x.Wall, x.Unsure = 0, m.at.Wall.UTC(), false
		}
		x.Mono = m.at.Mono - min(age, window)
	}
	m.trim()
}

// hourUsed is what sessions without a badge took within the window, jobs under
// way included.
func (s State) hourUsed(at Instant) (u wire.Units) {
	for _, x := range s.Hour {
		if at.Mono-x.Mono < window {
			u += x.Units
		}
	}
	for _, j := range s.Jobs {
		if len(j.Holder) == 0 {
			u += j.Reserved
		}
	}
	return u
}

// used is what the running session took, jobs under way included.
func (s State) used() (all, offline wire.Units) {
	x := s.Live.Session
	if x == nil {
		return 0, 0
	}
	all, offline = x.Charged, max(x.Offline, s.Live.Away[string(x.Holder)], s.Live.Away[""])
	for _, j := range s.Jobs {
		if j.Session == x.ID {
			if all += j.Reserved; j.Offline {
				offline += j.Reserved
			}
		}
	}
	return all, offline
}

// left is what the running session may still print, by whoever sets the
// tightest limit, that limit's reason and which it is.
func (s State) left(at Instant) (least wire.Units, why wire.Reason, scope Scope) {
	x := s.Live.Session
	if x == nil || !s.Limits.Enabled {
		return 0, wire.PrintRefused, ScopeSession
	}
	all, offline := s.used()
	pages := s.Limits.Session
	if x.Pages > 0 {
		pages = x.Pages
	}
	least, why, scope = wire.Units(pages)*wire.UnitsPerPage+x.Granted-all, wire.PrintQuota, ScopeSession
	lower := func(u wire.Units, r wire.Reason, of Scope) {
		if u < least {
			least, why, scope = u, r, of
		}
	}
	switch {
	case len(x.Holder) == 0 && s.Limits.Hour > 0:
		lower(wire.Units(s.Limits.Hour)*wire.UnitsPerPage+x.Granted-s.hourUsed(at), wire.PrintQuotaHour, ScopeHour)
	case len(x.Holder) > 0:
		if x.Left != nil {
			lower(*x.Left, wire.PrintQuota, map[bool]Scope{false: ScopeLedger, true: ScopeMonth}[x.Month])
		}
		if x.Away {
			lower(wire.Units(s.Limits.Offline)*wire.UnitsPerPage-offline, wire.PrintOffline, ScopeOffline)
		}
	}
	return max(least, 0), why, scope
}
