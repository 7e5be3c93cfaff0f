package rtc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"borne/hw"

	"golang.org/x/sys/unix"
)

// fake has the manners of drivers/rtc/sysfs.c.
type fake struct {
	time    time.Time
	timeErr error
	alarm   int64 // 0: none
	volts   uint32
	voltErr error

	minutes bool  // alarms count whole minutes
	drop    bool  // alarms are dropped
	skew    int64 // alarms come so much later
	stick   bool  // an alarm cannot be cleared
	noAlarm bool
	deaf    bool // the time cannot be set
	asked   int
}

func (f *fake) Get(attribute string) (string, error) {
	switch attribute {
	case "since_epoch":
		return fmt.Sprint(f.time.Unix()), f.timeErr
	case "wakealarm":
		if f.noAlarm {
			return "", &fs.PathError{Op: "open", Path: "wakealarm", Err: unix.ENOENT}
		}
		if f.alarm == 0 {
			return "", nil
		}
		return fmt.Sprint(f.alarm), nil
	}
	return "rtc-fake", nil
}

func (f *fake) Set(_, value string) error {
	at, err := strconv.ParseInt(value, 10, 64)
	if err != nil {
		return unix.EINVAL
	}
	switch {
	case at <= f.time.Unix(): // disables, without a word
		if !f.stick {
			f.alarm = 0
		}
	case f.alarm != 0:
		return unix.EBUSY
	case f.drop:
	case f.minutes:
		f.alarm = at / 60 * 60
	default:
		f.alarm = at + f.skew
	}
	return nil
}

func (f *fake) SetTime(t time.Time) error {
	if !f.deaf {
		f.time = t
	}
	return nil
}

func (f *fake) Voltage() (uint32, error) { f.asked++; return f.volts, f.voltErr }

func wall() time.Time { return time.Date(2026, 11, 25, 18, 0, 0, 0, time.UTC) }

func open(f *fake) *RTC {
	if f.time.IsZero() {
		f.time = wall()
	}
	return &RTC{path: "/dev/rtc0", k: f, now: wall}
}

func TestAlarm(t *testing.T) {
	for name, c := range map[string]struct {
		k    fake
		at   time.Time
		want string // of the error; empty: it is set
	}{
		"set":                 {fake{}, wall().Add(8 * time.Hour), ""},
		"over another":        {fake{alarm: wall().Unix() + 60}, wall().Add(8 * time.Hour), ""},
		"whole minutes":       {fake{minutes: true}, wall().Add(8*time.Hour + 31*time.Second), ""},
		"a clock that is off": {fake{time: wall().Add(-3 * time.Hour)}, wall().Add(time.Hour), ""},
		"past":                {fake{}, wall().Add(-time.Hour), "is not after 2026-11-25 18:00:00; give a time to come"},
		"now":                 {fake{}, wall(), "is not after"},
		"dropped":             {fake{drop: true}, wall().Add(time.Hour), "the kernel dropped it"},
		"another time":        {fake{skew: 3600}, wall().Add(time.Hour), "it reads back 2026-11-25 20:00:00"},
		"not cleared":         {fake{alarm: wall().Unix() + 60, stick: true}, wall().Add(time.Hour), "cannot clear the alarm of clock /dev/rtc0: it still reads 2026-11-25 18:01:00"},
		"no alarm":            {fake{noAlarm: true}, wall().Add(time.Hour), "it has none; name another /dev/rtcN"},
		"no time":             {fake{timeErr: unix.EINVAL}, wall().Add(time.Hour), "it has lost its time"},
	} {
		k := c.k
		r := open(&k)
		got, err := r.SetAlarm(c.at)
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "cannot ") || !strings.Contains(err.Error(), "/dev/rtc0") {
				t.Errorf("%s: error %v, want one that says %q", name, err, c.want)
			}
			continue
		}
		if err != nil || got.Sub(c.at).Abs() > time.Minute {
			t.Errorf("%s: %v, %v", name, got, err)
			continue
		}
		// The clock's own time at that moment is what the kernel must hold.
		if d := k.alarm - c.at.Add(k.time.Sub(wall())).Unix(); d < -60 || d > 60 {
			t.Errorf("%s: the kernel's alarm is %d s off", name, d)
		}
		if at, ok, err := r.Alarm(); err != nil || !ok || !at.Equal(got) {
			t.Errorf("%s: Alarm is %v, %v, %v; want %v", name, at, ok, err, got)
		}
		if err := r.ClearAlarm(); err != nil || k.alarm != 0 {
			t.Errorf("%s: cleared to %d, %v", name, k.alarm, err)
		}
		if _, ok, err := r.Alarm(); ok || err != nil {
			t.Errorf("%s: after clearing: %v, %v", name, ok, err)
		}
	}
}

func TestSetTime(t *testing.T) {
	k := &fake{}
	r := open(k)
	if err := r.SetTime(wall().Add(time.Hour)); err != nil {
		t.Error(err)
	}
	if got, err := r.Time(); err != nil || !got.Equal(wall().Add(time.Hour)) {
		t.Errorf("%v, %v", got, err)
	}
	k.deaf = true
	if err := r.SetTime(wall()); err == nil || !strings.Contains(err.Error(), "it reads 2026-11-25 19:00:00 right after it was set to 2026-11-25 18:00:00") {
		t.Errorf("error %v", err)
	}
}

type mono struct{ t time.Duration }

func (m *mono) Now() time.Duration { return m.t }

func TestVoucher(t *testing.T) {
	built := wall().AddDate(0, -1, 0)
	for name, c := range map[string]struct {
		k    fake
		want string // empty: it vouches
	}{
		"a good clock":            {fake{}, ""},
		"one that cannot tell":    {fake{voltErr: unix.ENOTTY}, ""},
		"a battery that runs low": {fake{volts: vlBackupLow}, ""},
		"no battery":              {fake{volts: vlBackupEmpty}, "battery is empty or missing"},
		"it stood still":          {fake{volts: vlDataInvalid}, "battery is empty or missing"},
		"it lost its time":        {fake{time: time.Unix(120, 0)}, "it reads 1970-01-01 00:02:00, before this program was built"},
		// What fake-hwclock does on a board whose clock was reset to a later year than 1970.
		"another time":      {fake{time: wall().Add(-time.Hour)}, "it reads 2026-11-25 17:00:00, and the system 2026-11-25 18:00:00"},
		"it cannot be had":  {fake{voltErr: &fs.PathError{Op: "open", Path: "/dev/rtc0", Err: unix.EACCES}}, "udev rule"},
		"it is held":        {fake{voltErr: unix.EBUSY}, "another program holds it"},
		"it cannot be read": {fake{timeErr: unix.EIO}, "input/output error"},
	} {
		k := c.k
		err := NewVoucher(open(&k), built, &mono{}).Vouch(wall())
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want one that says %q", name, err, c.want)
		}
	}
}

// A clock is asked once a minute, and at once when the system's time was changed.
func TestVoucherRemembers(t *testing.T) {
	k, m := &fake{}, &mono{}
	v := NewVoucher(open(k), wall().AddDate(0, -1, 0), m)
	for s := range 60 {
		m.t = time.Duration(s) * time.Second
		if err := v.Vouch(wall().Add(m.t)); err != nil {
			t.Fatal(err)
		}
	}
	if k.asked != 1 {
		t.Errorf("asked %d times in a minute", k.asked)
	}
	if err := v.Vouch(wall().Add(time.Hour)); err == nil || k.asked != 2 {
		t.Errorf("after the time was changed: error %v, asked %d times", err, k.asked)
	}
	if err := v.Vouch(wall()); err != nil || k.asked != 3 {
		t.Errorf("after it was changed back: error %v, asked %d times", err, k.asked)
	}
	k.volts = vlDataInvalid
	m.t += 2 * time.Minute
	if err := v.Vouch(wall().Add(2 * time.Minute)); err == nil {
		t.Error("a clock that lost its battery still vouches two minutes later")
	}
}

func TestOpenAbsent(t *testing.T) {
	if _, err := Open("/dev/rtc99"); !errors.Is(err, hw.ErrAbsent) || !strings.HasPrefix(err.Error(), "cannot open clock /dev/rtc99: ") {
		t.Errorf("error %v, want hw.ErrAbsent", err)
	}
	for _, p := range []string{"", "/dev/rtc", "/dev/rtc0/../sda", "rtc0"} {
		if _, err := Open(p); err == nil || errors.Is(err, os.ErrNotExist) {
			t.Errorf("%q: error %v", p, err)
		}
	}
}

func FuzzEpoch(f *testing.F) {
	f.Add("1764093600")
	f.Add("-1")
	f.Fuzz(func(t *testing.T, s string) {
		at, err := epoch(s)
		if err == nil && (at.Unix() < 0 || at.Year() > 2300) || err != nil && len(err.Error()) > 200 {
			t.Fatalf("%q is %v, error %v", s, at, err)
		}
	})
}
