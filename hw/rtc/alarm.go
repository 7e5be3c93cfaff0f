package rtc

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"time"
)

// alarmStep is the coarsest alarm of the clocks in use: some count minutes.
const alarmStep = time.Minute

// Alarm returns when the clock will wake the machine, in the system's time; ok is
// false when it will not.
func (r *RTC) Alarm() (at time.Time, ok bool, err error) {
	off, err := r.offset()
	if err != nil {
		return at, false, err
	}
	at, ok, err = r.alarm()
	return at.Add(-off), ok, err
}

// alarm reads it in the clock's own time.
func (r *RTC) alarm() (at time.Time, ok bool, err error) {
	s, err := r.k.Get("wakealarm")
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return at, false, fmt.Errorf("cannot use the alarm of clock %s: it has none; name another /dev/rtcN, or a clock module whose interrupt is wired: %w", r.path, err)
	case err != nil:
		return at, false, fmt.Errorf("cannot read the alarm of clock %s: %w", r.path, err)
	case s == "":
		return at, false, nil
	}
	if at, err = epoch(s); err != nil {
		return at, false, fmt.Errorf("cannot read the alarm of clock %s: %w", r.path, err)
	}
	return at, true, nil
}

// offset is how far the clock is ahead of the system: alarms are in its own time.
func (r *RTC) offset() (time.Duration, error) {
	t, err := r.Time()
	if err != nil {
		return 0, err
	}
	// Whole seconds, of which the last is not over: less than two is no difference.
	if d := t.Sub(r.now()); d < -readBack || d > readBack {
		return d.Round(time.Second), nil
	}
	return 0, nil
}

// ClearAlarm has the clock wake nobody, and reads that back.
func (r *RTC) ClearAlarm() error {
	if _, _, err := r.alarm(); err != nil {
		return err
	}
	// Any past time disables it (wakealarm_store in drivers/rtc/sysfs.c).
	if err := r.k.Set("wakealarm", "0"); err != nil {
		return fmt.Errorf("cannot clear the alarm of clock %s: %w", r.path, explain(err))
	}
	at, ok, err := r.alarm()
	if err != nil {
		return err
	}
	if ok {
		return fmt.Errorf("cannot clear the alarm of clock %s: it still reads %s", r.path, at.Format(time.DateTime))
	}
	return nil
}

// SetAlarm has the clock wake the machine at a time of the system's clock, also
// when its own reads another, and returns what it then reads. The alarm before is
// cleared first: the kernel refuses a second one. A past time, which the kernel
// takes and drops without a word, is an error, and so is an alarm that does not
// read back.
func (r *RTC) SetAlarm(at time.Time) (time.Time, error) {
	if err := r.ClearAlarm(); err != nil {
		return time.Time{}, err
	}
	off, err := r.offset()
	if err != nil {
		return time.Time{}, err
	}
	fail := func(format string, a ...any) (time.Time, error) {
		return time.Time{}, fmt.Errorf("cannot set the alarm of clock %s to %s: "+format, append([]any{r.path, at.UTC().Format(time.DateTime)}, a...)...)
	}
	if now := r.now(); !at.After(now.Add(time.Second)) {
		return fail("that is not after %s; give a time to come", now.UTC().Format(time.DateTime))
	}
	want := at.Add(off)
	if err := r.k.Set("wakealarm", strconv.FormatInt(want.Unix(), 10)); err != nil {
		return fail("%w", explain(err))
	}
	got, ok, err := r.alarm()
	switch {
	case err != nil:
		return time.Time{}, err
	case !ok:
		return fail("the kernel dropped it; the clock may not reach that far")
	case got.Sub(want).Abs() > alarmStep:
		return fail("it reads back %s", got.Add(-off).Format(time.DateTime))
	}
	return got.Add(-off), nil
}
