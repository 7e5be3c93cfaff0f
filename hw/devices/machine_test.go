package devices_test

import (
	"errors"
	"strings"
	"testing"

	"borne/hw"
	"borne/hw/devices"
)

func TestClockAndWatchdog(t *testing.T) {
	e := env(t)
	if _, err := devices.OpenRTC(parse(t, "rtc:/dev/rtc99"), e); !errors.Is(err, hw.ErrAbsent) {
		t.Errorf("error %v, want hw.ErrAbsent", err)
	}
	if _, err := devices.OpenWatchdog(parse(t, "watchdog:/dev/watchdog99?timeout=10s"), e); !errors.Is(err, hw.ErrAbsent) || !strings.Contains(err.Error(), "watchdog:/dev/watchdog99?timeout=10s") {
		t.Errorf("error %v, want hw.ErrAbsent", err)
	}
	if _, err := devices.OpenRTC(parse(t, "watchdog:/dev/watchdog0"), e); err == nil || !strings.Contains(err.Error(), "as a clock: use one with driver rtc") {
		t.Errorf("error %v", err)
	}
	for _, v := range []string{"10", "1s", "1h", "7500ms"} {
		d := parse(t, "watchdog:/dev/watchdog99?timeout="+v)
		_, opened := devices.OpenWatchdog(d, e)
		for _, err := range []error{devices.Check(d), opened} {
			if err == nil || !strings.Contains(err.Error(), "option timeout="+v+" must be whole seconds between 5s and 10m0s") {
				t.Errorf("timeout %s: error %v", v, err)
			}
		}
	}
	for _, n := range []string{"rtc:/dev/rtc0", "watchdog:/dev/watchdog0", "watchdog:/dev/watchdog1?timeout=1m"} {
		if err := devices.Check(parse(t, n)); err != nil {
			t.Error(err)
		}
	}
}
