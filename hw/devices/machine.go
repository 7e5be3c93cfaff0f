package devices

import (
	"fmt"
	"time"

	"borne/hw"
	"borne/hw/rtc"
	"borne/hw/watchdog"
)

// OpenRTC finds the real-time clock that wakes the terminal and vouches for its time.
func OpenRTC(d hw.Device, env Env) (*rtc.RTC, error) {
	if err := env.usable(d, "clock", "rtc"); err != nil {
		return nil, err
	}
	if d.Sim {
		return nil, fmt.Errorf("cannot read device %q: a simulated clock has no time of its own, only an alarm", d)
	}
	return rtc.Open(d.Path)
}

// Alarm is a clock that can start the machine; rtc.RTC and sim.RTC are some.
// Times are the system's.
type Alarm interface {
	SetAlarm(at time.Time) (time.Time, error)
	Alarm() (at time.Time, ok bool, err error)
	ClearAlarm() error
}

// OpenAlarm finds the clock that can start the terminal.
func OpenAlarm(d hw.Device, env Env) (Alarm, error) {
	if err := env.usable(d, "clock", "rtc"); err != nil {
		return nil, err
	}
	if d.Sim {
		return env.Bench.RTC(), nil
	}
	r, err := rtc.Open(d.Path)
	if err != nil {
		return nil, err // not r: a nil *RTC is not a nil Alarm
	}
	return r, nil
}

// OpenWatchdog starts the machine's watchdog; see watchdog.Guard.
func OpenWatchdog(d hw.Device, env Env) (*watchdog.Watchdog, error) {
	if err := env.usable(d, "watchdog", "watchdog"); err != nil {
		return nil, err
	}
	o, err := watchdogOptions(d)
	if err != nil {
		return nil, err
	}
	return watchdog.Open(d.Path, o)
}

func watchdogOptions(d hw.Device) (watchdog.Options, error) {
	o := watchdog.Options{Name: d.String()}
	if v, ok := d.Options["timeout"]; ok {
		t, err := time.ParseDuration(v)
		if err != nil || t < watchdog.MinTimeout || t > watchdog.MaxTimeout || t%time.Second != 0 {
			return o, fmt.Errorf("cannot use device %q: option timeout=%s must be whole seconds between %v and %v, for example %v (a Raspberry Pi's watchdog stops at 15s)", d, v, watchdog.MinTimeout, watchdog.MaxTimeout, watchdog.DefaultTimeout)
		}
		o.Timeout = t
	}
	return o, nil
}
