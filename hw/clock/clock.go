// Package clock tells the time on Linux: wall time with its trust, and the
// process's monotonic time.
package clock

import (
	"context"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// unix.STA_UNSYNC is STA_UNSYNC of adjtimex(2): the clock is not synchronised.

// System is the machine's wall clock, an hw.Clock. It is trusted when the
// kernel says that something disciplines it (adjtimex(2): not TIME_ERROR, not
// STA_UNSYNC) and it does not read a time before this program was built, as a
// board without a battery does after a power cut.
type System struct {
	built   time.Time
	now     func() time.Time
	adjtime func(*unix.Timex) (state int, err error)
	vouch   func(wall time.Time) error
}

// NewSystem returns the machine's clock; built is when the program was built
// (see BuildTime), or zero when it is not known.
func NewSystem(built time.Time) System {
	return System{built: built, now: time.Now, adjtime: unix.Adjtimex}
}

// Backed returns the same clock, trusted also while vouch returns nil for its time,
// as that of a real-time clock with a battery does (rtc.Voucher).
func (s System) Backed(vouch func(wall time.Time) error) System {
	s.vouch = vouch
	return s
}

// Now implements hw.Clock.
func (s System) Now() (time.Time, bool) {
	t := s.now()
	if t.Before(s.built) {
		return t, false
	}
	var tx unix.Timex // Modes 0: read only, needs no privilege
	state, err := s.adjtime(&tx)
	// A kernel that cannot be asked is not a reason to trust.
	if err == nil && state != unix.TIME_ERROR && tx.Status&unix.STA_UNSYNC == 0 {
		return t, true
	}
	return t, s.vouch != nil && s.vouch(t) == nil
}

// BuildTime returns the time of the commit that this program was built from, or
// the zero time when the build does not carry it.
func BuildTime() time.Time {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return time.Time{}
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			if t, err := time.Parse(time.RFC3339, s.Value); err == nil {
				return t
			}
		}
	}
	return time.Time{}
}

// Monotonic is the time since an origin; wall clock changes do not touch it. It
// is the clock that drivers and supervisors take.
type Monotonic struct{ origin time.Time }

// NewMonotonic returns a clock that reads zero now. Make one when the process
// begins and share it: hw.Tap.At is counted from it.
func NewMonotonic() Monotonic { return Monotonic{time.Now()} }

// Now returns the time since the origin.
func (m Monotonic) Now() time.Duration { return time.Since(m.origin) }

// Sleep waits for d, or returns ctx's error when it ends first.
func (m Monotonic) Sleep(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil || d <= 0 {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
