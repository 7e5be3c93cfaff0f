package fleettest

import (
	"context"
	"net/http"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/hw"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/sim"
	"borne/hw/supervise"
	"borne/kiosk/agent/agenttest"
)

// night is a terminal whose machine can be switched off, with a screen, and a meter
// that is read over a real socket.
type night struct {
	*terminal
	board *agenttest.Board
	bench *sim.Bench
	time  *sim.VirtualClock // of the meter: it goes with the terminal's
}

// pass lets time go by for the terminal and its meter, with so many watts drawn.
func (n *night) pass(watts float64, d time.Duration) {
	n.bench.Meter().SetWatts(watts)
	n.time.Advance(d)
	n.Tick(d)
}

func (w *world) night(name string) *night {
	w.t.Helper()
	n := &night{board: &agenttest.Board{Real: true}, time: sim.NewVirtualClock()}
	n.bench = sim.NewBench(n.time, 1)
	d, err := hw.ParseDevice("sim:meter?dialect=tasmota")
	must(w.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	m, err := supervise.StartMeter(ctx, supervise.Config{Name: "meter", Device: d.String(), Clock: clock.NewMonotonic()}, func(ctx context.Context) (hw.Meter, error) {
		return devices.OpenMeter(ctx, d, devices.Env{Bench: n.bench, Clock: n.time})
	})
	must(w.t, err)
	w.t.Cleanup(func() { cancel(); <-m.Done() })
	for st := range m.Status() {
		if st.Health == hw.Ready {
			break
		}
	}
	n.terminal = w.machine(name)
	n.parts = func(o *agenttest.Options) { o.Screen, o.Board, o.Meter = n.bench.Screen(), n.board, m }
	must(w.t, n.enrol(w.console.code(w.site, w.space, name, "")))
	n.wake()
	n.serves()
	return n
}

// wake switches it on, and waits until it has asked its meter: time goes faster
// here than a socket.
func (n *night) wake() {
	n.t.Helper()
	before := n.bench.Meter().Asked()
	n.on()
	until(n.t, "its meter is asked", func() bool { n.Tick(0); return n.bench.Meter().Asked() > before })
}

// powered is how the console shows a terminal's power.
type powered struct {
	State string
	Power *struct {
		State, Trouble string
		Wakes          time.Time
	}
}

func (c *console) powered(id string) (v struct{ Terminal powered }) {
	c.ctl.t.Helper()
	c.call(http.MethodGet, "/api/terminals/"+id, nil, &v)
	return v
}

// TestASleepingTerminalIsNotMissed: a terminal closes, goes off by plan, is asleep
// for the console, also after the controller was killed, wakes, and its night is
// counted and measured.
func TestASleepingTerminalIsNotMissed(t *testing.T) {
	w := newWorld(t)
	n := w.night("Poste 1")
	zone := policy.Location()
	now, _ := n.Clock.Now()
	opens := now.In(zone).Add(20 * time.Hour)
	begin := opens.Hour()*60 + opens.Minute() // open for an hour a day, the last time four hours ago
	w.console.rule(w.site, func(p *policy.Policy) {
		p.Hours.Always = false
		for d := range p.Hours.Weekly {
			p.Hours.Weekly[d] = []policy.Span{{From: begin, To: begin + 60}}
		}
		p.Energy.Night = policy.NightHalt
	})
	n.Stage.SetIdle(time.Hour)
	until(t, "it goes off", func() bool { n.pass(23.1, time.Second); return len(n.board.Offs()) > 0 })
	wakes := n.board.Offs()[0]
	n.delivered()
	n.kill()
	asleep := func(when string) {
		t.Helper()
		until(t, "it is shown asleep "+when, func() bool { return w.console.terminal(n.id).State == "asleep" })
		if v := w.console.powered(n.id).Terminal; v.Power == nil || !v.Power.Wakes.Equal(wakes.Truncate(time.Nanosecond)) || v.Power.Trouble != "" {
			t.Errorf("%s it is shown as %+v", when, v.Power)
		}
	}
	asleep("at once")
	w.ctl.kill()
	w.ctl.start()
	asleep("after the controller was killed")

	at, _ := n.Clock.Now()
	off := wakes.Sub(at)
	if off < 18*time.Hour || off > 20*time.Hour {
		t.Fatalf("it is off for %v", off)
	}
	n.bench.Meter().SetWatts(0.62)
	n.time.Advance(off)
	n.Clock.Advance(off)
	n.wake()
	until(t, "it is back", func() bool { n.pass(23.1, time.Second); return w.console.terminal(n.id).State == "closed" })
	if v := w.console.powered(n.id).Terminal; v.Power != nil && !v.Power.Wakes.IsZero() {
		t.Errorf("back, it is said to wake at %v", v.Power.Wakes)
	}
	var report struct {
		Total struct {
			OnSeconds, LitSeconds, HaltedSeconds, OffSeconds, Days, MeasuredDays, Odd int
			UsedKwh, SavedKwh                                                         float64
			Basis                                                                     string
		}
	}
	url := "/api/sites/" + w.site + "/energy?from=" + now.In(zone).Format(time.DateOnly) + "&to=" + now.In(zone).AddDate(0, 0, 2).Format(time.DateOnly)
	until(t, "its night is counted", func() bool {
		n.pass(23.1, time.Second)
		w.console.call(http.MethodGet, url, nil, &report)
		return report.Total.HaltedSeconds > 0
	})
	r := report.Total
	if h := time.Duration(r.HaltedSeconds) * time.Second; (h-off).Abs() > time.Minute || r.OffSeconds != 0 || r.Odd != 0 {
		t.Errorf("it was off for %v, and it is told %+v", off, r)
	}
	// Lit for the minutes before it went off; the night at 0.62 W by the meter.
	want := (float64(r.OnSeconds)*23.1/3600 + off.Hours()*0.62) / 1000
	if r.Basis != "measured" || r.UsedKwh < 0.9*want || r.UsedKwh > 1.1*want || r.SavedKwh <= 0 {
		t.Errorf("%g kWh (%s) are told, want about %g: %+v", r.UsedKwh, r.Basis, want, r)
	}
	n.proven()
}
