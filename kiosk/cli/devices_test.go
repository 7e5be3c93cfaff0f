package cli

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/health"
	"borne/hw/sim"
	"borne/kiosk/agent"
	"borne/kiosk/config"
)

func call0(t *testing.T, text string) *call {
	t.Helper()
	cfg, err := config.Parse([]byte(text), true)
	if err != nil {
		t.Fatal(err)
	}
	return &call{cfg: cfg, log: slog.New(slog.DiscardHandler)}
}

// TestAWrongDeviceStopsNothing: pins that collide, a bad value, a missing file of keys and
// a screen that is not there are told of, and the rest works.
func TestAWrongDeviceStopsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	mono := clock.NewMonotonic()
	c := call0(t, `badge_keys = "/nonexistent/badge.keys"
[devices]
alarm = "sim:alarm"
badge-reader = "mfrc522:/dev/spidev0.0?rst=GPIO25"
call = "gpio:auto/17?debounce=soon"
case = "gpio:auto/25"
clock = "rtc:/dev/rtc9"
meter = "sim:meter?dialect=tasmota"
screen-1 = "x11:auto"
screen-2 = "sim:screen"
watchdog = "watchdog:/dev/watchdog9"
`)
	var p agent.Parts
	if err := devicesOf(ctx, c, &p, sim.NewBench(mono, 1), devices.Display{}, mono, make([]byte, hw.MinBadgeKey)); err != nil {
		t.Fatal(err)
	}
	if p.Alarm == nil || p.Screen == nil || p.Meter == nil || p.Case != nil || p.Call != nil {
		t.Errorf("what works is not there, or what does not is: %+v", p)
	}
	want := map[string]string{"badge-keys": "/nonexistent/badge.keys", "badge-reader": "does not exist", "call": "debounce=soon",
		"case": "GPIO25 for both badge-reader", "clock": "/dev/rtc9", "screen-1": "no X display", "watchdog": "/dev/watchdog9", "alarm": "", "screen-2": "", "meter": ""}
	end := time.After(20 * time.Second)
	for len(want) > 0 {
		select {
		case st := <-p.Devices:
			say, known := want[st.Name]
			if known && strings.Contains(st.Err, say) && (say != "") == (st.Health != hw.Ready) && (say == "") == (st.Err == "") && st.Health != hw.Opening && (st.Health != hw.Absent || st.Err != "") {
				delete(want, st.Name)
			}
		case <-end:
			t.Fatalf("not told: %v", want)
		}
	}
	if wh, err := p.Meter.Wh(ctx); err != nil || wh < 0 {
		t.Errorf("the meter reads %v Wh, %v", wh, err)
	}
}

// TestTheWorstAlarmStands: what is well again hides nothing that is not.
func TestTheWorstAlarmStands(t *testing.T) {
	a := alarms{}
	step := func(subject string, state hw.Level, device string, h hw.Health) {
		t.Helper()
		st := a.merge(health.Report{Code: health.TooHot, Subject: subject, State: state})
		if st.Name != "too-hot" || st.Device != device || st.Health != h {
			t.Errorf("after %s became %s: %+v", subject, state, st)
		}
	}
	step("cpu", hw.Off, "cpu", hw.Ready)
	step("cpu", hw.On, "cpu", hw.Degraded)
	step("nvme", hw.Off, "cpu", hw.Degraded)
	step("nvme", hw.Unknown, "cpu", hw.Degraded)
	step("cpu", hw.Off, "nvme", hw.Degraded)
	step("nvme", hw.Off, "nvme", hw.Ready)
}
