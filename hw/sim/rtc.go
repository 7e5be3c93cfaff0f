package sim

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// RTC is a clock with a battery, as far as it starts a machine: its alarm can be
// set, read back and cleared, and rings once. It has the manners of rtc.RTC, and
// the faults of clocks in the field.
type RTC struct {
	now func() time.Time

	mu    sync.Mutex
	at    time.Time // zero: none
	fault RTCFault
}

// RTCFault is what is wrong with a clock. The zero value is one that works.
type RTCFault struct {
	Absent bool          // no alarm at all, as on boards whose interrupt is not wired
	Drops  bool          // takes an alarm and forgets it, without a word
	Off    time.Duration // rings that much after what was set
}

// NewRTC returns a clock whose time is now's, with no alarm set.
func NewRTC(now func() time.Time) *RTC { return &RTC{now: now} }

// errNoAlarm is a clock without one.
var errNoAlarm = errors.New("cannot use the alarm of the simulated clock: it has none")

// SetAlarm sets the alarm and returns what then reads.
func (r *RTC) SetAlarm(at time.Time) (time.Time, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	switch {
	case r.fault.Absent:
		return time.Time{}, errNoAlarm
	case !at.After(now):
		return time.Time{}, fmt.Errorf("cannot set the alarm of the simulated clock to %s: that is not after %s; give a time to come", at.UTC().Format(time.DateTime), now.UTC().Format(time.DateTime))
	case r.fault.Drops:
		r.at = time.Time{}
		return time.Time{}, fmt.Errorf("cannot set the alarm of the simulated clock to %s: it was dropped", at.UTC().Format(time.DateTime))
	}
	r.at = at.Add(r.fault.Off).Truncate(time.Second)
	return r.at, nil
}

// Alarm is when it will ring; ok is false when it will not.
func (r *RTC) Alarm() (at time.Time, ok bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault.Absent {
		return time.Time{}, false, errNoAlarm
	}
	if !r.at.After(r.now()) { // it has rung
		r.at = time.Time{}
	}
	return r.at, !r.at.IsZero(), nil
}

// ClearAlarm has it ring no more.
func (r *RTC) ClearAlarm() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fault.Absent {
		return errNoAlarm
	}
	r.at = time.Time{}
	return nil
}

// Fail sets what is wrong with it from now on.
func (r *RTC) Fail(f RTCFault) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = f
}
