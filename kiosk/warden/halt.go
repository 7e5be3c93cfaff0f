package warden

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"borne/kiosk/sandbox"

	"golang.org/x/sys/unix"
)

// Waker is the clock that can start the machine; rtc.RTC is one. Times are the
// system's.
type Waker interface {
	SetAlarm(at time.Time) (time.Time, error)
	Alarm() (at time.Time, ok bool, err error)
	ClearAlarm() error
}

const (
	// alarmSlack is how far an alarm may read from what was asked: some clocks count minutes.
	alarmSlack = time.Minute
	// haltWithin bounds the order to switch off; what follows is the system's.
	haltWithin = 20 * time.Second
	// systemdRuns is there when systemd is the system's first process (sd_booted(3)).
	systemdRuns = "/run/systemd/system"
)

var (
	errNoClock = errors.New("cannot set an alarm: the configuration names no clock that could start the machine; add clock under [devices]")
	errInUse   = errors.New("cannot switch off: somebody is in a session")
)

// wake sets or clears the alarm. The time is the agent's; it only ever starts
// the machine.
func (w *warden) wake(r sandbox.Wake) (*sandbox.Powered, error) {
	if w.c.Clock == nil {
		return nil, errNoClock
	}
	if r.At.IsZero() {
		return &sandbox.Powered{}, w.c.Clock.ClearAlarm()
	}
	if err := checkWake(r.At, time.Now()); err != nil {
		return nil, err
	}
	at, err := w.c.Clock.SetAlarm(r.At)
	if err != nil {
		return nil, err
	}
	return &sandbox.Powered{Alarm: at.UTC()}, nil
}

// checkWake keeps a machine from sleeping for longer than staff would wait to wonder.
func checkWake(at, now time.Time) error {
	if !at.After(now) || at.After(now.Add(sandbox.MaxSleep)) {
		return fmt.Errorf("cannot wake the machine at %s: that is not within a day from %s", at.UTC().Format(time.DateTime), now.UTC().Format(time.DateTime))
	}
	return nil
}

// halt switches the machine off, if nobody is in a session and it will start
// again by itself. Nobody's word is taken for either.
func (w *warden) halt(ctx context.Context, r sandbox.Halt) (*sandbox.Powered, error) {
	if err := checkWake(r.WakeAt, time.Now()); err != nil {
		return nil, err
	}
	if w.inSession() {
		return nil, errInUse
	}
	if w.c.Sim {
		w.c.Log.Info("a real terminal would be switched off now", "until", r.WakeAt)
		return &sandbox.Powered{Alarm: r.WakeAt.UTC(), Sim: true}, nil
	}
	if w.c.Clock == nil {
		return nil, errNoClock
	}
	at, ok, err := w.c.Clock.Alarm()
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, errors.New("cannot switch off: the clock has no alarm set, and nothing would start the machine again")
	case at.Sub(r.WakeAt).Abs() > alarmSlack:
		return nil, fmt.Errorf("cannot switch off: the clock's alarm reads %s instead of %s", at.UTC().Format(time.DateTime), r.WakeAt.UTC().Format(time.DateTime))
	}
	if err := checkWake(at, time.Now()); err != nil {
		return nil, err
	}
	w.c.Log.Info("the machine is switched off", "until", at)
	if err := w.off(ctx); err != nil {
		return nil, fmt.Errorf("cannot switch off: %w", err)
	}
	return &sandbox.Powered{Alarm: at.UTC()}, nil
}

// inSession tells whether a sandbox was given to a person.
func (w *warden) inSession() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.boxes {
		if b.session() != "" {
			return true
		}
	}
	return false
}

// powerOff asks the system's first process, which ends every service first, or
// does it itself where that one is not systemd.
func powerOff(ctx context.Context) error {
	if _, err := os.Stat(systemdRuns); err == nil {
		ctx, cancel := context.WithTimeout(ctx, haltWithin)
		defer cancel()
		if out, err := exec.CommandContext(ctx, "/usr/bin/systemctl", "--no-block", "poweroff").CombinedOutput(); err != nil {
			return fmt.Errorf("systemctl poweroff: %w: %.200s", err, out)
		}
		return nil
	}
	unix.Sync()
	return unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
}
