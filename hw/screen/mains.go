package screen

import (
	"context"
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

// Light implements hw.Screen.
func (m *Mains) Light(ctx context.Context, on bool) (hw.Level, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	since := time.Since(m.changed)
	switch {
	case !on && m.level != hw.Off && since < m.minOn:
		return hw.Unknown, fmt.Errorf("cannot cut the monitor's mains: it has power for %v only, and needs %v", since.Round(time.Second), m.minOn)
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
