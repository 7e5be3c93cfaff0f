package clock

import (
	"context"
	"errors"
	"testing"
	"time"

	"borne/hw"

	"golang.org/x/sys/unix"
)

var _ hw.Clock = System{}

func TestTrust(t *testing.T) {
	built := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name    string
		now     time.Time
		state   int
		status  int32
		err     error
		trusted bool
	}{
		{"disciplined", built.AddDate(0, 1, 0), unix.TIME_OK, 0x2001, nil, true},
		{"leap second pending", built.AddDate(0, 1, 0), unix.TIME_INS, 0x2001, nil, true},
		{"not synchronised", built.AddDate(0, 1, 0), unix.TIME_OK, 0x2041, nil, false},
		{"kernel says error", built.AddDate(0, 1, 0), unix.TIME_ERROR, 0, nil, false},
		{"kernel refuses", built.AddDate(0, 1, 0), unix.TIME_OK, 0, unix.EPERM, false},
		{"before the build", time.Date(1970, 1, 1, 0, 2, 0, 0, time.UTC), unix.TIME_OK, 0x2001, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := System{built: built, now: func() time.Time { return c.now }, adjtime: func(tx *unix.Timex) (int, error) {
				if tx.Modes != 0 {
					t.Errorf("adjtimex asked to change the clock: modes %x", tx.Modes)
				}
				tx.Status = c.status
				return c.state, c.err
			}}
			if at, trusted := s.Now(); !at.Equal(c.now) || trusted != c.trusted {
				t.Errorf("Now() = %v, %v; want %v, %v", at, trusted, c.now, c.trusted)
			}
		})
	}
}

func TestBackedClock(t *testing.T) {
	built := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	no := errors.New("no")
	for _, c := range []struct {
		name    string
		now     time.Time
		status  int32
		vouch   error
		trusted bool
	}{
		{"vouched for", built.AddDate(0, 1, 0), unix.STA_UNSYNC, nil, true},
		{"not vouched for", built.AddDate(0, 1, 0), unix.STA_UNSYNC, no, false},
		{"NTP needs no voucher", built.AddDate(0, 1, 0), 0, no, true},
		{"before the build", built.Add(-time.Second), unix.STA_UNSYNC, nil, false},
	} {
		s := System{built: built, now: func() time.Time { return c.now }, adjtime: func(tx *unix.Timex) (int, error) {
			tx.Status = c.status
			return unix.TIME_OK, nil
		}}.Backed(func(wall time.Time) error {
			if !wall.Equal(c.now) {
				t.Errorf("%s: asked to vouch for %v", c.name, wall)
			}
			return c.vouch
		})
		if _, trusted := s.Now(); trusted != c.trusted {
			t.Errorf("%s: trusted is %v", c.name, trusted)
		}
	}
}

func TestSystemAsksThisKernel(t *testing.T) {
	var tx unix.Timex
	state, err := unix.Adjtimex(&tx)
	want := err == nil && state != unix.TIME_ERROR && tx.Status&unix.STA_UNSYNC == 0
	if _, trusted := NewSystem(time.Time{}).Now(); trusted != want {
		t.Errorf("trusted = %v; the kernel says %v (state %d, status %x, %v)", trusted, want, state, tx.Status, err)
	}
	if _, trusted := NewSystem(time.Now().AddDate(1, 0, 0)).Now(); trusted {
		t.Error("a clock that reads a year before the build is trusted")
	}
}

func TestMonotonicSleepEndsWithContext(t *testing.T) {
	m := NewMonotonic()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.Sleep(ctx, time.Hour); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	before := m.Now()
	if err := m.Sleep(t.Context(), time.Millisecond); err != nil || m.Now()-before < time.Millisecond {
		t.Fatalf("slept %v, error %v", m.Now()-before, err)
	}
}
