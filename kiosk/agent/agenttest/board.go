package agenttest

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Board is a machine with a clock that can start it. It survives the agent.
type Board struct {
	Real bool // it goes off indeed: the test then kills the agent

	mu    sync.Mutex
	alarm time.Time
	slow  bool
	off   []time.Time
	fail  error
}

// Set sets the alarm.
func (b *Board) Set(_ context.Context, at time.Time) (time.Time, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return time.Time{}, b.fail
	}
	b.alarm = at
	return at, nil
}

// Clear clears it.
func (b *Board) Clear(context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alarm = time.Time{}
	return b.fail
}

// Govern slows it down.
func (b *Board) Govern(_ context.Context, low bool) (string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.slow = low; low {
		return "powersave", nil
	}
	return "schedutil", nil
}

// Halt switches it off, as the warden does: only with its alarm.
func (b *Board) Halt(_ context.Context, at time.Time) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.alarm.IsZero() || !b.alarm.Equal(at) {
		return false, errors.New("cannot switch off: the alarm is another")
	}
	b.off = append(b.off, at)
	return !b.Real, nil
}

// Break makes its clock fail; nil mends it.
func (b *Board) Break(err error) { b.mu.Lock(); b.fail = err; b.mu.Unlock() }

// Offs are the alarms that it went off with.
func (b *Board) Offs() []time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]time.Time(nil), b.off...)
}

// Alarm is the one that is set; zero: none.
func (b *Board) Alarm() time.Time { b.mu.Lock(); defer b.mu.Unlock(); return b.alarm }

// Slow tells whether its processor is.
func (b *Board) Slow() bool { b.mu.Lock(); defer b.mu.Unlock(); return b.slow }
