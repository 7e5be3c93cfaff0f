package screen

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"borne/hw"
)

// Rest times of a monitor on a relay. Its power supply takes seconds to
// discharge, and its inrush current wears it and the relay's contacts.
const (
	MinOff = 3 * time.Second // before it is lit again
	MinOn  = 5 * time.Minute // before its mains are cut
)

// Relay is an output that reads back, or says Unknown: an hw.Output, or a
// supervised one.
type Relay interface {
	Set(ctx context.Context, l hw.Level) (hw.Level, error)
}

// Mains switches a monitor's mains by a relay. It never cuts a monitor that
// has been lit, as far as it knows, for less than MinOn, and lets MinOff pass
// before it gives power back.
type Mains struct {
	relay  Relay
	minOn  time.Duration
	minOff time.Duration

	mu      sync.Mutex
	level   hw.Level // as last set; Unknown: never
	changed time.Time
}

// NewMains returns a monitor on that relay, which stays the caller's to close. A
// program that starts again and again does not cycle it: its start counts as
// the moment when it was lit.
func NewMains(relay Relay) *Mains {
	return &Mains{relay: relay, minOn: MinOn, minOff: MinOff, changed: time.Now()}
}

// ErrTooSoon is in the error of an order that came before its time; nothing was
// switched. The error is a *TooSoonError.
var ErrTooSoon = errors.New("it is too soon")

// TooSoonError says from when an order may be given again.
type TooSoonError struct {
	From time.Time // by this machine's monotonic clock, as long as the program runs
	Had  time.Duration
	Need time.Duration
}

func (e *TooSoonError) Error() string {
	return fmt.Sprintf("cannot cut the monitor's mains: it has power for %v only, and needs %v", e.Had.Round(time.Second), e.Need)
}

// Unwrap makes it an ErrTooSoon.
func (e *TooSoonError) Unwrap() error { return ErrTooSoon }

// Light implements hw.Screen. An order to cut that comes too soon is refused with a
// *TooSoonError.
func (m *Mains) Light(ctx context.Context, on bool) (hw.Level, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	since := time.Since(m.changed)
	switch {
	case !on && m.level != hw.Off && since < m.minOn:
		return hw.Unknown, &TooSoonError{From: m.changed.Add(m.minOn), Had: since, Need: m.minOn}
	case on && m.level == hw.Off && since < m.minOff:
		if err := sleep(ctx, m.minOff-since); err != nil {
			return hw.Unknown, fmt.Errorf("cannot give the monitor its mains back yet: %w", err)
		}
	}
	want := wanted(on)
	got, err := m.relay.Set(ctx, want)
	// Also when it failed, perhaps half-way: too long a rest does no harm, too
	// short a one does.
	if m.level != want {
		m.level, m.changed = want, time.Now()
	}
	if err != nil {
		return hw.Unknown, fmt.Errorf("cannot switch the monitor's mains %s: %w", want, err)
	}
	return got, nil
}
