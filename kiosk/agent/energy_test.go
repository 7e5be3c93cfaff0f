package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/agent/agenttest"
	"borne/kiosk/shell"
	"borne/kiosk/uplink"
)

// nightBed is a terminal with a screen, a relay and a board that can go off, under
// the default weekly hours: from 8:00 to 18:00 in Paris, now Monday at 10:00.
func nightBed(t *testing.T, board *agenttest.Board, change func(*agenttest.Options)) (*bed, *lamp) {
	t.Helper()
	screen := newLamp()
	b := newBed(t, func(o *agenttest.Options) {
		o.Screen, o.Mains, o.Board, o.Sim = screen, newLamp(), board, true
		if change != nil {
			change(o)
		}
	})
	b.ready()
	p := rules()
	p.Version, p.Hours.Always, p.Energy.Night = 2, false, policy.NightHalt
	b.must(b.c.Policy(p))
	b.until("the rules are here", func() bool { b.Tick(time.Second); return len(b.records(wire.KindPolicy)) > 1 })
	b.Stage.SetIdle(time.Hour)
	return b, screen
}

// opensAt is when the default hours open next, from Monday noon.
var opensAt = time.Date(2026, 3, 3, 7, 0, 0, 0, time.UTC)

// uses are the records of energy.
func (b *bed) uses() (all []wire.EnergyUse) {
	b.t.Helper()
	for _, r := range b.records(wire.KindEnergy) {
		var u wire.EnergyUse
		b.must(json.Unmarshal(r.Body, &u))
		if n, sum := int(u.To.Sub(u.From)/time.Second), u.Lit+u.Dark+u.Low+u.Halted+u.Off; n-sum > 1 || sum-n > 1 {
			b.t.Errorf("%+v counts %d of %d seconds", u, sum, n)
		}
		if n := len(all); n > 0 && u.From.Sub(all[n-1].To).Abs() > time.Second {
			b.t.Errorf("between %v and %v nothing is counted", all[n-1].To, u.From)
		}
		all = append(all, u)
	}
	return all
}

// evening lets the time pass until it has been closed for an hour.
func (b *bed) evening() { b.Tick(9 * time.Hour); b.see(shell.Closed) }

// down waits until it goes off.
func (b *bed) down(board *agenttest.Board, n int) {
	b.t.Helper()
	b.until("it goes off", func() bool { b.Tick(time.Second); return len(board.Offs()) == n })
}

func TestATerminalGoesOffForTheNight(t *testing.T) {
	board := &agenttest.Board{}
	b, screen := nightBed(t, board, nil)
	b.evening()
	b.down(board, 1)
	if at := board.Offs()[0]; !at.Equal(opensAt.Add(-12 * time.Minute)) {
		t.Errorf("it wakes at %v", at)
	}
	screen.is(t, "off", hw.Off)
	b.until("the controller knows", func() bool {
		b.Tick(time.Second)
		p := b.c.Status().Power
		return p != nil && p.Power == wire.PowerHalting && p.Dark && p.Wakes.Equal(opensAt.Add(-12*time.Minute)) && p.Alarm == ""
	})
	before := len(b.uses())
	b.Tick(8 * time.Hour) // in the night
	wall, _ := b.Clock.Now()
	b.Tick(opensAt.Add(-12 * time.Minute).Sub(wall))
	screen.is(t, "its alarm", hw.On)
	b.until("it tells of the night", func() bool { b.Tick(time.Second); return len(b.uses()) > before })
	halted := 0
	for _, u := range b.uses() {
		halted += u.Halted
	}
	if h := time.Duration(halted) * time.Second; h < 12*time.Hour+30*time.Minute || h > 12*time.Hour+50*time.Minute {
		t.Errorf("it was off for %v", h)
	}
	b.Pass(14 * time.Minute)
	b.see(shell.Welcome)
	if board.Slow() {
		t.Error("the processor is slow by day")
	}
	b.active()
}

// TestAHaltLeavesAJournalThatRecovers: the machine goes off at each moment, and
// whoever starts it finds everything as it was.
func TestAHaltLeavesAJournalThatRecovers(t *testing.T) {
	for name, c := range map[string]struct {
		until  func(b *bed, board *agenttest.Board)
		halted bool // the journal knows that it was by plan
	}{
		"by day":     {until: func(b *bed, _ *agenttest.Board) { b.Pass(6 * time.Minute) }},
		"closed":     {until: func(b *bed, _ *agenttest.Board) { b.Tick(8 * time.Hour); b.see(shell.Closed); b.Pass(3 * time.Minute) }},
		"alarm set":  {until: func(b *bed, board *agenttest.Board) { b.evening(); b.armed(board) }, halted: true},
		"off":        {until: func(b *bed, board *agenttest.Board) { b.evening(); b.down(board, 1) }, halted: true},
		"taken back": {until: func(b *bed, board *agenttest.Board) { b.evening(); b.armed(board); b.Tap(3); b.awake(board) }},
	} {
		t.Run(name, func(t *testing.T) {
			board := &agenttest.Board{Real: true}
			b, _ := nightBed(t, board, nil)
			b.active()
			b.Press(shell.End)
			b.see(shell.Thanks)
			b.Pass(21 * time.Second)
			b.see(shell.Welcome)
			c.until(b, board)
			b.kill()
			b.Clock.Advance(3 * time.Hour)
			b.start()
			b.until("it stands", func() bool { v, _ := b.Shell.View(); return v.Screen == shell.Closed || v.Screen == shell.Welcome })
			b.proven(1)
			b.until("it tells of before", func() bool {
				b.Tick(time.Second)
				all := b.uses()
				return len(all) > 0 && all[len(all)-1].Halted+all[len(all)-1].Off > 0
			})
			u := b.uses()
			gap := u[len(u)-1]
			if by := time.Duration(gap.Halted) * time.Second; c.halted && (by < 3*time.Hour || by > 3*time.Hour+10*time.Minute || gap.Off > 0) {
				t.Errorf("by plan: %+v", gap)
			}
			if by := time.Duration(gap.Off) * time.Second; !c.halted && (by < 3*time.Hour || by > 3*time.Hour+10*time.Minute || gap.Halted > 0) {
				t.Errorf("a power cut: %+v", gap)
			}
		})
	}
}

// armed waits until the alarm is set and the journal has it.
func (b *bed) armed(board *agenttest.Board) {
	b.t.Helper()
	n := len(b.uses())
	b.until("the alarm is set", func() bool { b.Tick(time.Second); return !board.Alarm().IsZero() && len(b.uses()) > n })
}

// awake waits until the alarm is taken back, and the journal has that.
func (b *bed) awake(board *agenttest.Board) {
	b.t.Helper()
	b.until("the alarm is taken back", func() bool { return board.Alarm().IsZero() })
	b.until("and told", func() bool {
		b.Tick(time.Second)
		p := b.c.Status().Power
		return p != nil && p.Power != wire.PowerHalting
	})
}

// TestItNeverGoesOffWithoutAnAlarm: staff read why.
func TestItNeverGoesOffWithoutAnAlarm(t *testing.T) {
	board := &agenttest.Board{}
	board.Break(errors.New("cannot set the alarm: its battery is gone"))
	b, screen := nightBed(t, board, nil)
	b.evening()
	b.until("staff read why", func() bool {
		b.Tick(time.Second)
		p := b.c.Status().Power
		return p != nil && p.Power == wire.PowerLow && p.Alarm != "" && p.Dark
	})
	screen.is(t, "low", hw.Off)
	b.Pass(10 * time.Minute)
	if len(board.Offs()) > 0 {
		t.Error("it goes off")
	}
	if !board.Slow() {
		t.Error("its processor is not slow")
	}
}

func TestStaffHoldATerminalAwake(t *testing.T) {
	board := &agenttest.Board{}
	b, screen := nightBed(t, board, nil)
	b.evening()
	b.Stage.SetIdle(time.Hour)
	b.until("low", func() bool { b.Tick(time.Second); return board.Slow() })
	wall, _ := b.Clock.Now()
	until := wall.Add(3 * time.Hour)
	done := func(id string, when time.Time) wire.CommandDone {
		b.must(b.c.Command(wire.Command{ID: id, Kind: wire.CmdAwake, Until: when, NotAfter: until}))
		b.until("it is answered", func() bool {
			for _, r := range b.records(wire.KindCommand) {
				var d wire.CommandDone
				b.must(json.Unmarshal(r.Body, &d))
				if d.ID == id {
					return true
				}
			}
			return false
		})
		return last[wire.CommandDone](b, wire.KindCommand)
	}
	if d := done("days", wall.Add(25*time.Hour)); d.Done || d.Reason != "too-long" {
		t.Errorf("for days: %+v", d)
	}
	if d := done("evening", until); !d.Done {
		t.Errorf("for an evening: %+v", d)
	}
	held := func() bool {
		b.Tick(time.Second)
		p := b.c.Status().Power
		return p != nil && p.Power == wire.PowerLit && p.Held.Equal(until)
	}
	b.until("held", held)
	screen.is(t, "held", hw.On)
	b.kill()
	b.start()
	b.until("held after a start", held)
	b.Pass(10 * time.Minute)
	if !held() {
		t.Errorf("after a while: %+v", b.c.Status().Power)
	}
	if d := done("enough", time.Time{}); !d.Done {
		t.Errorf("released: %+v", d)
	}
	b.down(board, 1)
}

// TestWhatIsToBeSeenLightsTheScreen, and whoever calls.
func TestWhatIsToBeSeenLightsTheScreen(t *testing.T) {
	b, screen := nightBed(t, nil, nil)
	b.evening()
	for name, come := range map[string]func(){
		"a badge":  func() { b.Tap(3) },
		"the call": func() { b.CallStaff(hw.On); b.CallStaff(hw.Off) },
		"the case": func() { b.Case(hw.Off) },
		"identify": func() { b.must(b.c.Command(wire.Command{ID: "i", Kind: wire.CmdIdentify})) },
		"message":  func() { b.must(b.c.Command(wire.Command{ID: "m", Kind: wire.CmdMessage, Text: "Bonsoir"})) },
	} {
		b.Pass(61 * time.Second)
		screen.is(t, "before "+name, hw.Off)
		come()
		screen.is(t, name, hw.On)
	}
}

// TestANeighboursAlarmIsAnAlarm: where another terminal has the contact, this one
// is as dark under it as that one.
func TestANeighboursAlarmIsAnAlarm(t *testing.T) {
	b, screen := nightBed(t, nil, nil)
	b.Pass(61 * time.Second)
	screen.is(t, "by day", hw.On)
	b.c.Say(uplink.Event{Space: &wire.Space{Armed: true}})
	b.see(shell.Closed)
	b.Pass(61 * time.Second)
	screen.is(t, "armed", hw.Off)
	b.c.Say(uplink.Event{Space: &wire.Space{}})
	b.see(shell.Welcome)
	screen.is(t, "disarmed", hw.On)
}

// counter is a meter: a watt-hour each time that it is read.
type counter struct{ n atomic.Int64 }

func (c *counter) Wh(context.Context) (float64, error) { return float64(c.n.Add(1)), nil }

// TestWhatWasUsedIsToldEachHour, and the journal is not written for it each second.
func TestWhatWasUsedIsToldEachHour(t *testing.T) {
	meter := &counter{}
	b, _ := nightBed(t, &agenttest.Board{}, func(o *agenttest.Options) { o.Meter = meter })
	for range 190 {
		n := meter.n.Load()
		b.Tick(time.Minute)
		b.until("the meter is read", func() bool { return meter.n.Load() > n })
	}
	all := b.uses()
	if len(all) != 3 {
		t.Fatalf("%d records in three hours", len(all))
	}
	if wh := all[2].Wh; wh < 55 || wh > 65 { // the first began before there was a reading
		t.Errorf("measured %v Wh in the third hour, want about 60", wh)
	}
	for _, u := range all {
		if d := u.To.Sub(u.From); d < time.Hour || d > time.Hour+2*time.Minute || u.Lit < 3600 {
			t.Errorf("%+v", u)
		}
	}
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	b.start()
	if n := len(b.uses()); n != 4 {
		t.Errorf("%d records after a clean stop", n)
	}
}

// TestAMeterThatIsResetMeasuresNothingThatHour, also when it has counted past where it
// stood before the hour is over.
func TestAMeterThatIsResetMeasuresNothingThatHour(t *testing.T) {
	meter := &counter{}
	meter.n.Store(100)
	b, _ := nightBed(t, &agenttest.Board{}, func(o *agenttest.Options) { o.Meter = meter })
	for i := range 190 {
		n := meter.n.Load()
		switch i {
		case 80:
			n = 5
		case 90:
			n = 5000
		}
		meter.n.Store(n)
		b.Tick(time.Minute)
		b.until("the meter is read", func() bool { return meter.n.Load() > n })
	}
	all := b.uses()
	if len(all) != 3 || all[1].Wh != 0 {
		t.Errorf("the hour of a reset: %+v", all)
	}
	if wh := all[len(all)-1].Wh; wh < 55 || wh > 65 {
		t.Errorf("measured %v Wh in the hour after it, want about 60", wh)
	}
}

// TestAWrongClockCountsNoNight: what lies between two runs is told once the time is known.
func TestAWrongClockCountsNoNight(t *testing.T) {
	b, screen := nightBed(t, &agenttest.Board{}, nil)
	b.Pass(6 * time.Minute)
	b.kill()
	wall, _ := b.Clock.Now()
	b.Clock.Set(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), false)
	b.start()
	b.Pass(10 * time.Minute)
	if all := b.uses(); len(all) != 0 {
		t.Fatalf("by a wrong clock: %+v", all)
	}
	screen.is(t, "by a wrong clock", hw.On)
	b.Clock.Set(wall.Add(2*time.Hour), true)
	b.until("the time is known", func() bool { b.Tick(time.Second); return len(b.uses()) == 1 })
	u := b.uses()[0]
	if off := time.Duration(u.Off) * time.Second; off < 105*time.Minute || off > 116*time.Minute || u.To.After(wall.Add(2*time.Hour-9*time.Minute)) {
		t.Errorf("%+v", u)
	}
}

// TestHoursWithAWrongClockAreToldOnce: nothing is told before the time is known,
// however long that takes and however often it starts; and no hour twice.
func TestHoursWithAWrongClockAreToldOnce(t *testing.T) {
	b, _ := nightBed(t, &agenttest.Board{}, nil)
	b.Pass(6 * time.Minute)
	b.kill()
	wall, _ := b.Clock.Now()
	began := b.Clock.Mono()
	long := func(n int) {
		for range n {
			b.Tick(time.Minute)
		}
	}
	b.Clock.Advance(2 * time.Hour) // off
	b.Clock.Set(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), false)
	b.start()
	long(180)
	if err := b.Stop(); err != nil {
		t.Fatal(err)
	}
	b.start()
	long(90)
	if all := b.uses(); len(all) != 0 {
		t.Fatalf("by a wrong clock: %+v", all)
	}
	b.Clock.Set(wall.Add(b.Clock.Mono()-began), true)
	b.until("the time is known", func() bool { b.Tick(time.Second); return len(b.uses()) == 2 })
	all := b.uses() // of the runs before, and of this one
	on, off := time.Duration(all[0].Lit+all[0].Dark+all[0].Low)*time.Second, time.Duration(all[0].Off)*time.Second
	if on < 3*time.Hour || on > 3*time.Hour+8*time.Minute || off < 2*time.Hour || off > 2*time.Hour+4*time.Minute {
		t.Errorf("on for %v, off for %v: %+v", on, off, all[0])
	}
	if on = time.Duration(all[1].Lit+all[1].Dark+all[1].Low) * time.Second; on < 87*time.Minute || on > 92*time.Minute {
		t.Errorf("this run: %+v", all[1])
	}
}

// TestAFirstRunWithAWrongClockTellsNoTimeOff: what it counted is told, and marked.
func TestAFirstRunWithAWrongClockTellsNoTimeOff(t *testing.T) {
	b := newBed(t, func(o *agenttest.Options) { o.Unsure = true })
	wall, _ := b.Clock.Now()
	for range 30 {
		b.Tick(time.Minute)
	}
	b.kill()
	b.Clock.Set(wall.AddDate(0, 0, 151), true)
	b.start()
	b.until("it tells of before", func() bool { b.Tick(time.Second); return len(b.uses()) == 1 })
	u := b.uses()[0]
	if on := time.Duration(u.Lit+u.Dark+u.Low) * time.Second; u.Off+u.Halted > 0 || on < 20*time.Minute || on > 31*time.Minute {
		t.Errorf("%+v", u)
	}
	if r := b.records(wire.KindEnergy)[0]; !r.Unsure {
		t.Error("when it was is told as if somebody knew")
	}
}
