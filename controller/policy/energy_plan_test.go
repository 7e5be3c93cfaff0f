package policy

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var energyNoon = time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)

// drawEnergy draws also what Check refuses: the plan is total.
func drawEnergy(t *rapid.T) Energy {
	return Energy{DimMinutes: rapid.IntRange(-5, 30).Draw(t, "dim"), DarkMinutes: rapid.IntRange(-5, 40).Draw(t, "dark"),
		Night:        rapid.SampledFrom([]Night{NightLit, NightDark, NightLow, NightHalt, NightHalt, "", "deep"}).Draw(t, "night"),
		NightMinutes: rapid.IntRange(-5, 60).Draw(t, "after"), WakeMinutes: rapid.IntRange(-5, 40).Draw(t, "wake")}
}

func drawSituation(t *rapid.T) Situation {
	seconds := func(name string, low, high int) time.Duration {
		return time.Duration(rapid.IntRange(low, high).Draw(t, name)) * time.Second
	}
	s := Situation{Now: energyNoon.Add(seconds("now", 0, 86400)), Sure: rapid.Bool().Draw(t, "sure"), Armed: rapid.Bool().Draw(t, "armed"),
		Quiet: seconds("quiet", 0, 7200), Up: seconds("up", 0, 7200), Busy: rapid.IntRange(0, 4).Draw(t, "busy") == 0,
		Keep: rapid.IntRange(0, 4).Draw(t, "keep") == 0, Alarm: rapid.Bool().Draw(t, "alarm")}
	s.Opening.Open = rapid.IntRange(0, 3).Draw(t, "open") == 0
	if rapid.Bool().Draw(t, "since") {
		s.Opening.Since = s.Now.Add(-seconds("since", 0, 3*86400))
	}
	if rapid.Bool().Draw(t, "until") {
		s.Opening.Until = s.Now.Add(seconds("until", 1, 3*86400))
	}
	if rapid.IntRange(0, 4).Draw(t, "held") == 0 {
		s.Held = s.Now.Add(seconds("hold", -86400, 3*86400))
	}
	return s
}

// TestThePlanIsSafe: whatever the rules and the situation, nobody is left in the
// dark, and nothing is switched off that does not come back.
func TestThePlanIsSafe(t *testing.T) {
	halts := 0
	rapid.Check(t, func(t *rapid.T) {
		e, s := drawEnergy(t), drawSituation(t)
		if rapid.Bool().Draw(t, "night") { // else hardly one goes off
			e.Night, s.Sure, s.Alarm, s.Busy, s.Keep, s.Opening.Open = NightHalt, true, true, false, false, false
		}
		p := e.Plan(s)
		if _, known := map[Power]bool{PowerLit: true, PowerDim: true, PowerDark: true, PowerLow: true, PowerHalt: true}[p.Power]; !known {
			t.Fatalf("the plan says %q", p.Power)
		}
		held := s.Held.After(s.Now) && !s.Held.After(s.Now.Add(MaxSleep))
		switch {
		case s.Busy && p.Power != PowerLit:
			t.Fatalf("%s while somebody is busy", p.Power)
		case held && p.Power != PowerLit:
			t.Fatalf("%s although staff hold it awake", p.Power)
		case s.Quiet < AwakeFor && !s.Opening.Open && p.Power.Depth() > PowerDim.Depth():
			t.Fatalf("%s with somebody there", p.Power)
		}
		if s.Opening.Open && !s.Armed { // each step down by day is opted into
			if e.DarkMinutes <= 0 && p.Power.Depth() > PowerDim.Depth() || e.DimMinutes <= 0 && p.Power == PowerDim || p.Power.Depth() > PowerDark.Depth() {
				t.Fatalf("%s while it is open, with %+v", p.Power, e)
			}
		}
		if !s.Sure && p.Power.Depth() > PowerDark.Depth() {
			t.Fatalf("%s by a clock that is not trusted", p.Power)
		}
		if (p.Power == PowerHalt) == p.WakeAt.IsZero() {
			t.Fatalf("%s, to wake at %v", p.Power, p.WakeAt)
		}
		if p.Power == PowerHalt {
			halts++
			switch {
			case !s.Alarm || s.Keep || e.Night != NightHalt || s.Up < SettleFor || s.Quiet < AwakeFor:
				t.Fatalf("it goes off with %+v in %+v", e, s)
			case p.WakeAt.After(s.Now.Add(MaxSleep)):
				t.Fatalf("it sleeps until %v, more than a day", p.WakeAt)
			case p.WakeAt.Sub(s.Now) < MinSleep-time.Minute:
				t.Fatalf("it sleeps for %v", p.WakeAt.Sub(s.Now))
			case !s.Opening.Until.IsZero() && p.WakeAt.After(s.Opening.Until.Add(-10*time.Minute)):
				t.Fatalf("it wakes at %v for an opening at %v", p.WakeAt, s.Opening.Until)
			}
		}
	})
	if halts == 0 {
		t.Error("no plan drawn goes off")
	}
}

// TestThePlanKnowsItsNextChange: until then it says the same.
func TestThePlanKnowsItsNextChange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e, s := drawEnergy(t), drawSituation(t)
		p := e.Plan(s)
		far := 4 * 24 * time.Hour
		if !p.Next.IsZero() {
			far = p.Next.Sub(s.Now)
			if far <= 0 {
				t.Fatalf("the next change is %v ago", -far)
			}
		}
		d := time.Duration(rapid.Int64Range(0, int64(far)-1).Draw(t, "later"))
		later := s
		later.Now, later.Quiet, later.Up = s.Now.Add(d), s.Quiet+d, s.Up+d
		if q := e.Plan(later); q.Power != p.Power {
			t.Fatalf("%s now with the next change in %v, and %s after %v", p.Power, far, q.Power, d)
		}
	})
}

// TestANight follows one, with each depth.
func TestANight(t *testing.T) {
	closed := Opening{Since: energyNoon, Until: energyNoon.Add(16 * time.Hour)}
	e := Energy{DimMinutes: 10, Night: NightHalt, NightMinutes: 5, WakeMinutes: 12}
	at := func(after time.Duration, change func(*Energy, *Situation)) Plan {
		e, s := e, Situation{Now: energyNoon.Add(after), Sure: true, Alarm: true, Opening: closed, Quiet: after, Up: time.Hour}
		if change != nil {
			change(&e, &s)
		}
		return e.Plan(s)
	}
	wake := closed.Until.Add(-12 * time.Minute)
	for _, c := range []struct {
		what   string
		after  time.Duration
		change func(*Energy, *Situation)
		want   Power
		wakes  time.Time
	}{
		{"just closed", time.Minute, nil, PowerLit, time.Time{}},
		{"the night begins", 5 * time.Minute, nil, PowerHalt, wake},
		{"it has just started", 5 * time.Minute, func(_ *Energy, s *Situation) { s.Up = time.Minute }, PowerLow, time.Time{}},
		{"no alarm", time.Hour, func(_ *Energy, s *Situation) { s.Alarm = false }, PowerLow, time.Time{}},
		{"staff work on it", time.Hour, func(_ *Energy, s *Situation) { s.Keep = true }, PowerLow, time.Time{}},
		{"somebody comes", time.Hour, func(_ *Energy, s *Situation) { s.Quiet = 0 }, PowerLit, time.Time{}},
		{"and went", time.Hour, func(_ *Energy, s *Situation) { s.Quiet = time.Minute }, PowerHalt, wake},
		{"only low", time.Hour, func(e *Energy, _ *Situation) { e.Night = NightLow }, PowerLow, time.Time{}},
		{"only dark", time.Hour, func(e *Energy, _ *Situation) { e.Night = NightDark }, PowerDark, time.Time{}},
		{"not at all", 11 * time.Minute, func(e *Energy, _ *Situation) { e.Night = NightLit }, PowerDim, time.Time{}},
		{"the clock is wrong", time.Hour, func(_ *Energy, s *Situation) { s.Sure = false }, PowerDark, time.Time{}},
		{"held", time.Hour, func(_ *Energy, s *Situation) { s.Held = s.Now.Add(time.Hour) }, PowerLit, time.Time{}},
		{"not worth it any more", 16*time.Hour - 41*time.Minute, nil, PowerLow, time.Time{}},
		{"up again", 16*time.Hour - 12*time.Minute, func(_ *Energy, s *Situation) { s.Quiet = 0 }, PowerLit, time.Time{}},
		{"never again", time.Hour, func(_ *Energy, s *Situation) { s.Opening.Until = time.Time{} }, PowerHalt, energyNoon.Add(25 * time.Hour)},
		{"armed by day", time.Hour, func(_ *Energy, s *Situation) { s.Opening, s.Armed = Opening{Open: true}, true }, PowerDark, time.Time{}},
		{"a black screen by day", time.Hour, func(e *Energy, s *Situation) { s.Opening, e.DarkMinutes = Opening{Open: true}, 30 }, PowerDark, time.Time{}},
	} {
		if p := at(c.after, c.change); p.Power != c.want || !p.WakeAt.Equal(c.wakes) {
			t.Errorf("%s: %s until %v, want %s until %v", c.what, p.Power, p.WakeAt, c.want, c.wakes)
		}
	}
}

func TestEnergyIsChecked(t *testing.T) {
	p := Default()
	if found := p.Check(); len(found) > 0 {
		t.Fatalf("the default: %v", found)
	}
	p.Energy = Energy{}
	if found := p.Check(); len(found) > 0 || p.Energy.Filled() != DefaultEnergy() {
		t.Errorf("a policy from before: %v", found)
	}
	for field, change := range map[string]func(*Energy){
		"energy.dimMinutes":   func(e *Energy) { e.DimMinutes = -1 },
		"energy.darkMinutes":  func(e *Energy) { e.DarkMinutes = 1441 },
		"energy.night":        func(e *Energy) { e.Night = "deep" },
		"energy.nightMinutes": func(e *Energy) { e.NightMinutes = 721 },
		"energy.wakeMinutes":  func(e *Energy) { e.WakeMinutes = 9 },
	} {
		p.Energy = DefaultEnergy()
		change(&p.Energy)
		if found := p.Check(); len(found) != 1 || found[0].Field != field {
			t.Errorf("%s: %v", field, found)
		}
	}
	p.Energy = Energy{DimMinutes: 20, DarkMinutes: 10, Night: NightLow, WakeMinutes: 12}
	if found := p.Check(); len(found) != 1 || !strings.Contains(found[0].Sentence, "20 min") {
		t.Errorf("dark before dim: %v", found)
	}
}
