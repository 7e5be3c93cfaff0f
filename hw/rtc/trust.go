package rtc

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Battery is what the clock says of what keeps it going without power.
type Battery uint8

// Batteries.
const (
	BatteryUnknown Battery = iota // this clock cannot tell
	BatteryGood
	BatteryLow  // it still goes: replace the battery
	BatteryLost // it stood still or has no battery: its time is worth nothing
)

// String returns the battery's state in English, for logs.
func (b Battery) String() string {
	switch b {
	case BatteryGood:
		return "good"
	case BatteryLow:
		return "low"
	case BatteryLost:
		return "lost"
	}
	return "unknown"
}

// Flags of RTC_VL_READ (linux/rtc.h); drivers older than them set the first only.
const (
	vlDataInvalid = 1 << iota
	vlBackupLow
	vlBackupEmpty
	vlAccuracyLow
)

// Battery asks for the state of the clock's battery.
func (r *RTC) Battery() (Battery, error) {
	v, err := r.k.Voltage()
	switch {
	case errors.Is(err, unix.ENOTTY), errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP):
		return BatteryUnknown, nil // no such question to this driver
	case err != nil:
		return BatteryUnknown, fmt.Errorf("cannot ask clock %s about its battery: %w", r.path, explain(err))
	case v&(vlDataInvalid|vlBackupEmpty) != 0:
		return BatteryLost, nil
	case v&(vlBackupLow|vlAccuracyLow) != 0:
		return BatteryLow, nil
	}
	return BatteryGood, nil
}

const (
	// agree is how far the system and a clock that vouches for it may differ: the
	// kernel takes whole seconds at boot, and both drift until NTP comes.
	agree = 10 * time.Second
	// recheck is how long an answer holds: a clock on I²C is slow to ask.
	recheck = time.Minute
)

// Monotonic is the process's monotonic time.
type Monotonic interface{ Now() time.Duration }

// Voucher says whether a clock vouches for the system's time. A board without a
// clock has none, so that the time which fake-hwclock or systemd-timesyncd take
// from a file at boot is never trusted; nor is it on a board whose clock has lost
// its time, because the two then disagree.
//
// It cannot see a clock that was set wrong on purpose: nothing may write the
// system's time to it before NTP has spoken (hwclock --systohc in a shutdown
// script; Debian's systemd has none). The kernel itself writes it while NTP holds.
type Voucher struct {
	rtc   *RTC
	built time.Time
	mono  Monotonic

	mu    sync.Mutex
	until time.Duration // the answer holds
	off   time.Duration // of the clock from the system
	err   error         // why it does not vouch; nil: it does
	asked bool
}

// NewVoucher returns a voucher by this clock; a time before built, when the program
// was built, is never vouched for.
func NewVoucher(r *RTC, built time.Time, mono Monotonic) *Voucher {
	return &Voucher{rtc: r, built: built, mono: mono}
}

// Vouch returns nil when the clock is sound and shows the system's time; the
// error says why not. Answers are kept for a minute, unless the system's time
// was changed meanwhile.
func (v *Voucher) Vouch(wall time.Time) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	now := v.mono.Now()
	off := wall.Sub(time.Unix(0, 0)) - now // the system's time against the monotonic one
	if !v.asked || now >= v.until || (off-v.off).Abs() > agree/2 {
		v.err = v.ask(wall)
		v.asked, v.until, v.off = true, now+recheck, off
	}
	return v.err
}

func (v *Voucher) ask(wall time.Time) error {
	fail := func(format string, a ...any) error {
		return fmt.Errorf("cannot trust clock %s: "+format, append([]any{v.rtc.path}, a...)...)
	}
	b, err := v.rtc.Battery()
	if err != nil {
		return err
	}
	if b == BatteryLost {
		return fail("its battery is empty or missing; replace it")
	}
	t, err := v.rtc.Time()
	if err != nil {
		return err
	}
	if t.Before(v.built) {
		return fail("it reads %s, before this program was built; replace its battery, and let NTP set it", t.Format(time.DateTime))
	}
	if d := wall.Sub(t).Abs(); d > agree {
		return fail("it reads %s, and the system %s", t.Format(time.DateTime), wall.UTC().Format(time.DateTime))
	}
	return nil
}
