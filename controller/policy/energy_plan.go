package policy

import "time"

// Power is how much a terminal is to be awake, in wire's words.
type Power string

// Powers, from wide awake to off.
const (
	PowerLit  Power = "lit"
	PowerDim  Power = "dim"     // the welcome stays, darker
	PowerDark Power = "dark"    // the screen is off
	PowerLow  Power = "low"     // besides: relay off, printer asleep, processor slow
	PowerHalt Power = "halting" // off, with an alarm of its clock
)

// Depth orders powers: the deeper, the more is saved.
func (p Power) Depth() int {
	return map[Power]int{PowerLit: 0, PowerDim: 1, PowerDark: 2, PowerLow: 3, PowerHalt: 4}[p]
}

const (
	// AwakeFor is how long a hand or a badge outside opening hours has the screen lit.
	AwakeFor = time.Minute
	// MaxSleep is the longest that a terminal is off: it then tells the controller
	// that it lives, hears of new hours, and halts again.
	MaxSleep = 24 * time.Hour
	// MinSleep is the shortest that is worth it: starting costs power, and wears the card.
	MinSleep = 30 * time.Minute
	// SettleFor is how long a terminal that has just started stays up all the same,
	// so that the controller hears of it and can say what is new.
	SettleFor = 5 * time.Minute
)

// Situation is what the plan looks at.
type Situation struct {
	Now     time.Time
	Sure    bool          // the clock can be trusted
	Opening Opening       // at Now; with a clock that is not sure, as it was known last
	Armed   bool          // the building's alarm is, so nobody may begin although it is open
	Quiet   time.Duration // since somebody was there: a key, a badge, a person seen coming
	Up      time.Duration // since it started
	Busy    bool          // a session, its charter or its wipe, a print or an update
	Keep    bool          // it may save, and may not go off: staff work on it
	Alarm   bool          // its clock can wake it
	Held    time.Time     // staff hold it awake until then; zero: they do not
}

// Plan is what a terminal is to do.
type Plan struct {
	Power  Power
	WakeAt time.Time // with PowerHalt
	// Next is the first instant at which the plan may be another although nothing
	// happens meanwhile; zero: there is none.
	Next time.Time
}

// Filled is e, or the defaults where a policy from before does not speak of energy.
func (e Energy) Filled() Energy {
	if e == (Energy{}) {
		return DefaultEnergy()
	}
	return e
}

// Plan says what a terminal is to do now. It is total: whatever does not make
// sense keeps the terminal lit. By day a black screen is opt-in, and nothing is
// ever saved under somebody's hands.
func (e Energy) Plan(s Situation) Plan {
	e = e.Filled()
	p := planner{e: e, s: s}
	power := p.power()
	plan := Plan{Power: power, Next: p.next}
	if power == PowerHalt {
		plan.WakeAt = p.wakeAt()
	}
	return plan
}

// planner is one plan being made; next gathers the first change to come.
type planner struct {
	e    Energy
	s    Situation
	next time.Time
}

// until notes that something changes at t, and tells whether that is to come.
func (p *planner) until(t time.Time) bool {
	if !t.After(p.s.Now) {
		return false
	}
	if p.next.IsZero() || t.Before(p.next) {
		p.next = t
	}
	return true
}

// quieter notes when it will have been quiet for d, and tells whether it has been.
func (p *planner) quieter(d time.Duration) bool { return !p.until(p.s.Now.Add(d - p.s.Quiet)) }

func (p *planner) power() Power {
	s := p.s
	if s.Busy {
		return PowerLit
	}
	// A hold that a wrong clock puts out of reach is none: staff hold a terminal for an evening.
	if !p.until(s.Held.Add(-MaxSleep)) && p.until(s.Held) {
		return PowerLit
	}
	if !s.Opening.Until.IsZero() {
		p.until(s.Opening.Until)
	}
	switch {
	case s.Opening.Open && !s.Armed, p.e.Night == NightLit, !known(p.e.Night):
		return p.day()
	case s.Opening.Open, !s.Sure: // the alarm may be taken off at any moment; and no clock says how long the night is
		return p.shut(PowerDark)
	}
	if wake := p.morning(); !wake.IsZero() && !p.until(wake) {
		return p.day() // it is about to open
	}
	if begin := s.Opening.Since.Add(minutes(p.e.NightMinutes)); !s.Opening.Since.IsZero() && p.until(begin) {
		return p.day() // it has just closed: the closed page tells whoever comes
	}
	return p.shut(p.night())
}

func known(n Night) bool { return n == NightDark || n == NightLow || n == NightHalt }

// day is by day, with nobody there.
func (p *planner) day() Power {
	dark := p.e.DarkMinutes > 0 && p.quieter(minutes(p.e.DarkMinutes))
	dim := p.e.DimMinutes > 0 && p.quieter(minutes(p.e.DimMinutes))
	switch {
	case dark:
		return PowerDark
	case dim:
		return PowerDim
	}
	return PowerLit
}

// shut is to, but for a person who has just come.
func (p *planner) shut(to Power) Power {
	if !p.quieter(AwakeFor) {
		return PowerLit
	}
	return to
}

// night is how deep it may sleep.
func (p *planner) night() Power {
	switch p.e.Night {
	case NightDark:
		return PowerDark
	case NightHalt:
		if !p.s.Alarm || p.s.Keep || p.until(p.s.Now.Add(SettleFor-p.s.Up)) {
			return PowerLow
		}
		if wake := p.morning(); !wake.IsZero() && !p.until(wake.Add(-MinSleep)) {
			return PowerLow
		}
		return PowerHalt
	}
	return PowerLow
}

// morning is when it is to be up again; zero: not in sight.
func (p *planner) morning() time.Time {
	if p.s.Opening.Until.IsZero() {
		return time.Time{}
	}
	return p.s.Opening.Until.Add(-minutes(min(max(p.e.WakeMinutes, minWake), maxWake)))
}

// wakeAt is on a whole minute: some clocks have no other alarms.
func (p *planner) wakeAt() time.Time {
	at := p.s.Now.Add(MaxSleep)
	if m := p.morning(); !m.IsZero() && m.Before(at) {
		at = m
	}
	return at.Truncate(time.Minute)
}

// minutes of a policy, where a number without sense counts as none.
func minutes(n int) time.Duration {
	return time.Duration(min(max(n, 0), maxEnergyMinutes)) * time.Minute
}

const (
	maxEnergyMinutes = 24 * 60
	minWake          = 10
	maxWake          = 15
)

// check tells what would keep a terminal from saving as staff mean it, or people from it.
func (e Energy) check(c *checker) {
	if e == (Energy{}) { // a policy from before: see Filled
		return
	}
	c.between("energy.dimMinutes", "L’attente avant que l’accueil s’assombrisse (minutes, 0 : jamais)", e.DimMinutes, 0, maxEnergyMinutes)
	c.between("energy.darkMinutes", "L’attente avant que l’écran s’éteigne en journée (minutes, 0 : jamais)", e.DarkMinutes, 0, maxEnergyMinutes)
	if e.DarkMinutes > 0 && e.DimMinutes > e.DarkMinutes {
		c.add("energy.dimMinutes", "L’écran s’éteindrait (%d min) avant de s’assombrir (%d min) : choisissez une attente plus courte.", e.DarkMinutes, e.DimMinutes)
	}
	if e.Night != NightLit && !known(e.Night) {
		c.add("energy.night", "Choisissez ce que fait le poste après la fermeture : rester allumé, éteindre l’écran, se mettre en veille ou s’endormir.")
	}
	c.between("energy.nightMinutes", "L’attente après la fermeture (minutes)", e.NightMinutes, 0, 12*60)
	c.between("energy.wakeMinutes", "Le réveil avant l’ouverture (minutes)", e.WakeMinutes, minWake, maxWake)
}
