package sim_test

import (
	"strings"
	"testing"
	"time"

	"borne/hw/sim"
)

func TestRTCRingsOnce(t *testing.T) {
	clk := sim.NewVirtualClock()
	start := time.Date(2026, 3, 4, 18, 0, 0, 0, time.UTC)
	now := func() time.Time { return start.Add(clk.Now()) }
	r := sim.NewRTC(now)
	is := func(what string, want time.Time) {
		t.Helper()
		if at, ok, err := r.Alarm(); err != nil || ok != !want.IsZero() || !at.Equal(want) {
			t.Errorf("%s: %v, %v, %v; want %v", what, at, ok, err, want)
		}
	}
	is("new", time.Time{})
	wake := start.Add(12 * time.Hour)
	if at, err := r.SetAlarm(wake); err != nil || !at.Equal(wake) {
		t.Errorf("set: %v, %v", at, err)
	}
	is("set", wake)
	clk.Advance(11 * time.Hour)
	is("not yet", wake)
	clk.Advance(time.Hour)
	is("it rang", time.Time{})
	if _, err := r.SetAlarm(start); err == nil || !strings.Contains(err.Error(), "give a time to come") {
		t.Errorf("a past alarm: %v", err)
	}
	wake = now().Add(time.Hour)
	if _, err := r.SetAlarm(wake); err != nil {
		t.Error(err)
	}
	if err := r.ClearAlarm(); err != nil {
		t.Error(err)
	}
	is("cleared", time.Time{})

	r.Fail(sim.RTCFault{Drops: true})
	if _, err := r.SetAlarm(wake); err == nil {
		t.Error("an alarm that is dropped is taken")
	}
	is("dropped", time.Time{})
	r.Fail(sim.RTCFault{Off: time.Hour})
	if at, err := r.SetAlarm(wake); err != nil || !at.Equal(wake.Add(time.Hour)) {
		t.Errorf("late: %v, %v", at, err)
	}
	r.Fail(sim.RTCFault{Absent: true})
	if _, err := r.SetAlarm(wake); err == nil {
		t.Error("a clock without an alarm takes one")
	}
	if _, _, err := r.Alarm(); err == nil {
		t.Error("a clock without an alarm reads one")
	}
	if err := r.ClearAlarm(); err == nil {
		t.Error("a clock without an alarm clears one")
	}
}
