package rtc_test

import (
	"os"
	"strings"
	"testing"
	"time"

	"borne/hw/clock"
	"borne/hw/rtc"

	"golang.org/x/sys/unix"
)

// testClock opens a clock of the kernel's rtc-test, and no other: this test sets it.
func testClock(t *testing.T, path string) *rtc.RTC {
	t.Helper()
	r, err := rtc.Open(path)
	if err != nil {
		t.Skipf("SKIP: no rtc-test here; scripts/hw-kernel has one (%v)", err)
	}
	if name, err := r.Driver(); err != nil || !strings.HasPrefix(name, "rtc-test") {
		t.Skipf("SKIP: %s is a real clock (%s, %v), which a test does not set", path, name, err)
	}
	return r
}

func TestKernelClock(t *testing.T) {
	r := testClock(t, "/dev/rtc1")
	got, err := r.Time()
	if err != nil || time.Since(got).Abs() > time.Minute {
		t.Errorf("it reads %v, %v", got, err)
	}
	for _, at := range []time.Time{time.Date(2031, 2, 28, 23, 59, 58, 0, time.UTC), time.Date(2028, 2, 29, 12, 0, 0, 0, time.FixedZone("", 7200))} {
		if err := r.SetTime(at); err != nil {
			t.Fatal(err)
		}
		if got, err := r.Time(); err != nil || got.Sub(at) < 0 || got.Sub(at) > time.Minute {
			t.Errorf("set to %v it reads %v, %v", at, got, err)
		}
	}
	if err := r.SetTime(time.Now()); err != nil {
		t.Fatal(err)
	}
	if b, err := r.Battery(); err != nil || b != rtc.BatteryUnknown {
		t.Errorf("the battery is %v, %v: rtc-test has none to tell of", b, err)
	}
}

func TestKernelAlarm(t *testing.T) {
	r := testClock(t, "/dev/rtc1")
	defer func() {
		if err := r.ClearAlarm(); err != nil {
			t.Error(err)
		}
	}()
	// Each over the one before, at times of the system's clock, whatever the clock's own.
	for _, off := range []time.Duration{0, -48 * time.Hour, 300 * 24 * time.Hour} {
		if err := r.SetTime(time.Now().Add(off)); err != nil {
			t.Fatal(err)
		}
		for _, in := range []time.Duration{time.Minute, 14 * time.Hour} {
			want := time.Now().Add(in)
			got, err := r.SetAlarm(want)
			if err != nil || got.Sub(want).Abs() > 5*time.Second {
				t.Errorf("a clock that is %v off: asked for %v, set to %v, %v", off, want, got, err)
			}
			if at, ok, err := r.Alarm(); err != nil || !ok || at.Sub(want).Abs() > 5*time.Second {
				t.Errorf("a clock that is %v off: asked for %v, reads %v, %v, %v", off, want, at, ok, err)
			}
		}
	}
	if err := r.SetTime(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.SetAlarm(time.Now().Add(-time.Hour)); err == nil || !strings.Contains(err.Error(), "give a time to come") {
		t.Errorf("a past time: %v", err)
	}
	if at, ok, err := r.Alarm(); ok || err != nil {
		t.Errorf("after a past time: %v, %v, %v", at, ok, err)
	}
	// What the kernel does with one by itself, and why it is asked first.
	if err := os.WriteFile("/sys/class/rtc/rtc1/wakealarm", []byte("1000"), 0); err != nil {
		t.Errorf("the kernel takes a past time no more: %v", err)
	}
}

// It does go off.
func TestKernelAlarmGoesOff(t *testing.T) {
	r := testClock(t, "/dev/rtc2")
	f, err := os.Open("/dev/rtc2")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := r.SetAlarm(time.Now().Add(3 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fds := []unix.PollFd{{Fd: int32(f.Fd()), Events: unix.POLLIN}}
	if n, err := unix.Poll(fds, 30_000); n != 1 || err != nil {
		t.Errorf("the alarm did not go off: %d, %v", n, err)
	}
}

func TestKernelNoAlarm(t *testing.T) {
	r := testClock(t, "/dev/rtc0")
	if _, err := r.SetAlarm(time.Now().Add(time.Hour)); err == nil || !strings.Contains(err.Error(), "cannot use the alarm of clock /dev/rtc0: it has none") {
		t.Errorf("error %v", err)
	}
}

func TestKernelVoucher(t *testing.T) {
	r := testClock(t, "/dev/rtc1")
	mono := clock.NewMonotonic()
	built := time.Now().AddDate(0, -1, 0)
	system := clock.NewSystem(built)
	if _, trusted := system.Now(); trusted {
		t.Error("this kernel's clock is trusted without NTP")
	}
	if err := r.SetTime(time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, trusted := system.Backed(rtc.NewVoucher(r, built, mono).Vouch).Now(); !trusted {
		t.Error("a clock that agrees does not vouch")
	}
	if err := r.SetTime(time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, trusted := system.Backed(rtc.NewVoucher(r, built, mono).Vouch).Now(); trusted {
		t.Error("a clock that reads another time vouches")
	}
	if err := r.SetTime(time.Now()); err != nil {
		t.Fatal(err)
	}
}
