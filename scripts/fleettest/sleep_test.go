package fleettest

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/agent/agenttest"
	"borne/kiosk/shell"
)

// closedFor closes the place for some hours, by a span that begins then.
func (w *world) closedFor(hours int) (opens time.Time) {
	w.t.Helper()
	at := time.Now().In(policy.Location()).Add(time.Duration(hours) * time.Hour).Truncate(time.Minute)
	if at.Add(-time.Hour).Hour() == at.Hour() { // the second of two equal hours: hours mean the first
		at = at.Add(time.Hour)
	}
	from := at.Hour()*60 + at.Minute()
	w.console.rule(w.site, func(p *policy.Policy) {
		p.Hours.Always = false
		for d := range p.Hours.Weekly {
			p.Hours.Weekly[d] = []policy.Span{{From: from, To: from + 120}}
		}
		p.Hours.Public.Mode, p.Hours.School.Mode = policy.ModeUsual, policy.ModeUsual
		p.Energy.Night, p.Energy.NightMinutes = policy.NightHalt, 0
	})
	return at
}

// panel is a display that does what it is told.
type panel struct{}

func (panel) Light(_ context.Context, on bool) (hw.Level, error) {
	if on {
		return hw.On, nil
	}
	return hw.Off, nil
}

// TestAFleetSleepsAndIsThereInTheMorning: each terminal goes off with its alarm,
// which the console knows; is off for the night, which the controller counts; and
// serves when the place opens. Staff hold one of them awake.
func TestAFleetSleepsAndIsThereInTheMorning(t *testing.T) {
	w := newWorld(t)
	var all []*terminal
	boards := map[*terminal]*agenttest.Board{}
	for _, name := range []string{"Poste 1", "Poste 2", "Poste 3"} {
		x := w.machine(name)
		board := &agenttest.Board{Real: true}
		x.parts = func(o *agenttest.Options) { o.Screen, o.Board = panel{}, board }
		must(t, x.enrol(w.console.code(w.site, w.space, name, "")))
		x.on()
		x.serves()
		x.play()
		x.serves()
		x.Stage.SetIdle(time.Hour)
		all, boards[x] = append(all, x), board
	}
	opens := w.closedFor(4)
	wake := opens.Add(-12 * time.Minute)
	for _, x := range all {
		until(t, x.name+" is closed", func() bool { x.Tick(time.Second); return x.screen().Screen == shell.Closed })
	}
	held := all[2]
	if code := w.console.ask(http.MethodPost, "/api/terminals/"+held.id+"/commands", map[string]any{"kind": "awake", "minutes": 600}, nil, ""); code >= 300 {
		t.Fatalf("a hold is refused: %d", code)
	}
	state := func(x *terminal) (s struct {
		Terminal struct {
			State string
			Power *struct {
				State       string
				Held, Wakes *time.Time
			}
		}
	}) {
		w.console.call(http.MethodGet, "/api/terminals/"+x.id, nil, &s)
		return s
	}
	until(t, "the hold is known", func() bool {
		held.Tick(time.Second)
		p := state(held).Terminal.Power
		return p != nil && p.Held != nil && p.State == string(wire.PowerLit)
	})
	for _, x := range all[:2] {
		until(t, x.name+" goes off", func() bool { x.Tick(time.Second); return len(boards[x].Offs()) == 1 })
		if at := boards[x].Offs()[0]; !at.Equal(wake) {
			t.Errorf("%s wakes at %v, want %v", x.name, at, wake)
		}
		until(t, x.name+" has told", func() bool { return x.Journal.Unacked() == 0 })
		x.kill()
		until(t, x.name+" is asleep", func() bool {
			s := state(x).Terminal
			return s.State == "asleep" && s.Power != nil && s.Power.Wakes != nil && s.Power.Wakes.Equal(wake)
		})
	}
	held.Pass(10 * time.Minute)
	if n := len(boards[held].Offs()); n > 0 || boards[held].Slow() {
		t.Errorf("it is held, and went off %d times", n)
	}
	for _, x := range all[:2] {
		now, _ := x.Clock.Now()
		night := wake.Sub(now)
		x.Clock.Advance(night)
		x.on()
		until(t, x.name+" is there again", func() bool { x.Tick(time.Second); s := state(x).Terminal.State; return s != "asleep" && s != "offline" })
		x.Pass(13 * time.Minute)
		x.serves()
		x.Stage.SetIdle(0)
		x.play()
		x.delivered()
		x.proven()
		halted := 0
		for _, r := range x.records() {
			var u wire.EnergyUse
			if r.Kind == wire.KindEnergy {
				must(t, json.Unmarshal(r.Body, &u))
				halted += u.Halted
			}
		}
		if got := time.Duration(halted) * time.Second; (got - night).Abs() > 5*time.Minute {
			t.Errorf("%s was off for %v, want %v", x.name, got, night)
		}
		counted := 0
		must(t, w.ctl.store().View(t.Context(), func(tx store.Tx) error {
			for it, err := range store.List[store.EnergyDay](tx, "", "", false) {
				if err != nil {
					return err
				}
				if it.Row.Terminal == x.id {
					counted += it.Row.Halted
				}
			}
			return nil
		}))
		if counted != halted {
			t.Errorf("%s was off for %d seconds, and the controller counts %d", x.name, halted, counted)
		}
	}
}
