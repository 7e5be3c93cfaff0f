package screen

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"borne/hw"
)

// relay is an output that reads back.
type relay struct {
	at   []time.Duration
	from time.Time
	err  error
}

func (r *relay) Set(_ context.Context, l hw.Level) (hw.Level, error) {
	r.at = append(r.at, time.Since(r.from))
	if r.err != nil {
		return hw.Unknown, r.err
	}
	return l, nil
}

func TestMainsAreNotCycledFast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &relay{from: time.Now()}
		m := NewMains(r)
		set := func(on bool, want hw.Level) error {
			t.Helper()
			l, err := m.Light(t.Context(), on)
			if l != want {
				t.Errorf("after %v: level %v, want %v (%v)", time.Since(r.from), l, want, err)
			}
			return err
		}
		if err := set(false, hw.Unknown); err == nil || !strings.Contains(err.Error(), "needs 5m0s") || !errors.Is(err, ErrTooSoon) {
			t.Errorf("cut at the start: %v", err)
		}
		if err := set(true, hw.On); err != nil { // lighting never waits but for MinOff
			t.Error(err)
		}
		time.Sleep(MinOn)
		if err := set(false, hw.Off); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Second)
		if err := set(true, hw.On); err != nil {
			t.Error(err)
		}
		var soon *TooSoonError
		if err := set(false, hw.Unknown); !errors.As(err, &soon) || soon.From.Sub(r.from) != 2*MinOn+MinOff {
			t.Errorf("cut again at once: %v", err)
		}
		if want := []time.Duration{0, MinOn, MinOn + MinOff}; !slices.Equal(r.at, want) {
			t.Errorf("switched at %v, want %v", r.at, want)
		}
		// A cut that failed may have happened.
		time.Sleep(time.Until(soon.From))
		r.err = errors.New("EIO")
		if err := set(false, hw.Unknown); err == nil || errors.Is(err, ErrTooSoon) {
			t.Error("a failure was not told")
		}
		r.err = nil
		before := time.Now()
		if err := set(true, hw.On); err != nil || time.Since(before) != MinOff {
			t.Errorf("%v after %v", err, time.Since(before))
		}
		// Whoever stops waiting leaves it off.
		time.Sleep(MinOn)
		_ = set(false, hw.Off)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		n := len(r.at)
		if l, err := m.Light(ctx, true); l != hw.Unknown || !errors.Is(err, context.DeadlineExceeded) || len(r.at) != n {
			t.Errorf("%v, %v", l, err)
		}
	})
}
