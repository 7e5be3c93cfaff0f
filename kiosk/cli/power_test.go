package cli

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/hw"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/sim"
	"borne/kiosk/agent"
	"borne/kiosk/bench"
	"borne/kiosk/energy"
	"borne/kiosk/sandbox"
)

// oracle answers as a warden does.
type oracle struct {
	asked []sandbox.Request
	say   sandbox.Powered
	err   error
}

func (o *oracle) do(_ context.Context, r sandbox.Request) (sandbox.Powered, error) {
	o.asked = append(o.asked, r)
	return o.say, o.err
}

func TestTheWardenMovesTheMachine(t *testing.T) {
	wake := time.Now().Add(time.Hour)
	o := &oracle{say: sandbox.Powered{Governor: "powersave", Alarm: wake, Sim: true}}
	m := machinePower{o}
	if g, err := m.Govern(t.Context(), true); err != nil || g != "powersave" || !o.asked[0].Govern.Low {
		t.Errorf("governed by %q, %v", g, err)
	}
	if at, err := m.Set(t.Context(), wake); err != nil || !at.Equal(wake) || !o.asked[1].Wake.At.Equal(wake) {
		t.Errorf("alarm at %v, %v", at, err)
	}
	if pretends, err := m.Halt(t.Context(), wake); err != nil || !pretends || !o.asked[2].Halt.WakeAt.Equal(wake) {
		t.Errorf("off: %v, %v", pretends, err)
	}
	if err := m.Clear(t.Context()); err != nil || !o.asked[3].Wake.At.IsZero() {
		t.Errorf("cleared: %v", err)
	}
	o.err = errors.New("cannot switch off: no alarm")
	if _, err := m.Halt(t.Context(), wake); !errors.Is(err, o.err) {
		t.Errorf("refused: %v", err)
	}
}

func TestTheBenchShowsWhatIsSaved(t *testing.T) {
	wake := time.Now()
	for _, c := range []struct {
		s    *energy.State
		want bench.Saving
	}{
		{nil, bench.Saving{Relay: "none"}},
		{&energy.State{Power: wire.PowerLow, Relay: hw.Off, Governor: "powersave", Alarm: "x"}, bench.Saving{Power: "low", Relay: "off", Governor: "powersave", Alarm: "x"}},
		{&energy.State{Power: wire.PowerHalting, Relay: hw.On, Wakes: wake, Off: true}, bench.Saving{Power: "off", Relay: "on", Wakes: wake}},
	} {
		if got := savingOf(c.s); got != c.want {
			t.Errorf("%+v is shown as %+v", c.s, got)
		}
	}
}

// TestAClocksAlarmIsTried, and left as it was.
func TestAClocksAlarmIsTried(t *testing.T) {
	bench := sim.NewBench(clock.NewMonotonic(), 1)
	c := call0(t, "[devices]\nclock = \"sim:rtc\"\n")
	var said strings.Builder
	c.Stdout = &said
	try := func(want string) {
		t.Helper()
		said.Reset()
		tr := &trial{call: c, role: "clock", device: c.cfg.Devices["clock"], env: devices.Env{Bench: bench}}
		if err := tr.run(t.Context()); err != nil || !strings.Contains(said.String(), want) {
			t.Errorf("%v, said %s, want %q", err, said.String(), want)
		}
	}
	try("se règle et se relit")
	if _, ok, err := bench.RTC().Alarm(); ok || err != nil {
		t.Errorf("the alarm stays, %v", err)
	}
	wake := time.Now().Add(8 * time.Hour).Truncate(time.Second)
	if _, err := bench.RTC().SetAlarm(wake); err != nil {
		t.Fatal(err)
	}
	try("se règle et se relit")
	if at, ok, err := bench.RTC().Alarm(); !ok || err != nil || !at.Equal(wake) {
		t.Errorf("the alarm before is %v, %v, %v", at, ok, err)
	}
	bench.RTC().Fail(sim.RTCFault{Drops: true})
	if err := bench.RTC().ClearAlarm(); err != nil {
		t.Fatal(err)
	}
	try("ne tient pas")
	bench.RTC().Fail(sim.RTCFault{Absent: true})
	try("pas de réveil")
}

// TestASimulatedClockWakesASimulatedTerminal, and a real one never: the machine is
// somebody's own.
func TestASimulatedClockWakesASimulatedTerminal(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	mono := clock.NewMonotonic()
	bench := sim.NewBench(mono, 1)
	c := call0(t, "[devices]\nclock = \"sim:rtc\"\n")
	p := agent.Parts{Power: machinePower{&oracle{}}}
	if err := devicesOf(ctx, c, &p, bench, devices.Display{}, mono, nil); err != nil {
		t.Fatal(err)
	}
	wake := time.Now().Add(time.Hour).Truncate(time.Second)
	if p.Wake == nil {
		t.Fatal("nothing can wake it")
	}
	if at, err := p.Wake.Set(t.Context(), wake); err != nil || !at.Equal(wake) {
		t.Errorf("set: %v, %v", at, err)
	}
	if at, ok, err := bench.RTC().Alarm(); err != nil || !ok || !at.Equal(wake) {
		t.Errorf("the bench's clock: %v, %v, %v", at, ok, err)
	}
	bench.RTC().Fail(sim.RTCFault{Drops: true})
	if _, err := p.Wake.Set(t.Context(), wake); err == nil || !strings.Contains(err.Error(), "dropped") {
		t.Errorf("dropped: %v", err)
	}
	bench.RTC().Fail(sim.RTCFault{})
	if err := p.Wake.Clear(t.Context()); err != nil {
		t.Error(err)
	}
	if _, ok, _ := bench.RTC().Alarm(); ok {
		t.Error("the alarm stays")
	}
	if waker(c) != nil || waker(call0(t, "[devices]\nclock = \"rtc:/dev/rtc9\"\n")) != nil {
		t.Error("the warden of a simulated terminal sets a clock's alarm")
	}
}
