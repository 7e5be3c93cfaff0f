package hwtest

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"borne/hw"
)

// MeterRig is an open meter and the load behind it.
type MeterRig struct {
	Meter hw.Meter
	Draw  func(watts, hours float64) // the load draws so much for so long; nil: the rig has a load of its own
	Step  float64                    // Wh that its counter cannot tell apart

	Break  map[string]func() // by name: what may befall it, after which it cannot be read
	Mend   func()            // undoes them
	Reset  func()            // sets its counter to 0; nil: it cannot be
	Absent func()            // it goes for good, so that nothing answers; nil: it cannot
}

// MeterSuite checks an energy meter.
type MeterSuite struct {
	Open func(t *testing.T) *MeterRig // a fresh rig; closed by t.Cleanup
}

// Run runs the whole suite.
func (s MeterSuite) Run(t *testing.T) {
	t.Run("counts", s.counts)
	t.Run("ended context", s.ended)
	t.Run("broken", s.broken)
	t.Run("reset", s.reset)
	t.Run("absent", s.absent)
	t.Run("closed", s.closed)
}

func (s MeterSuite) read(t *testing.T, m hw.Meter) hw.Energy {
	t.Helper()
	e, err := m.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if math.IsNaN(e.Wh) || math.IsInf(e.Wh, 0) || e.Wh < 0 {
		t.Fatalf("it counts %g Wh", e.Wh)
	}
	return e
}

func (s MeterSuite) counts(t *testing.T) {
	g := s.Open(t)
	before := s.read(t, g.Meter)
	if g.Draw == nil {
		if after := s.read(t, g.Meter); after.Wh < before.Wh {
			t.Errorf("its counter fell from %g to %g Wh", before.Wh, after.Wh)
		}
		return
	}
	want := before.Wh
	for _, d := range []struct{ watts, hours float64 }{{23.1, 1}, {3.1, 13}, {0, 2}, {0.5, 0.25}, {260, 1000}} {
		g.Draw(d.watts, d.hours)
		want += d.watts * d.hours
		e := s.read(t, g.Meter)
		if math.Abs(e.Wh-want) > g.Step {
			t.Errorf("after %g W for %g h it counts %g Wh, want %g", d.watts, d.hours, e.Wh, want)
		}
		if math.Abs(e.Watts-d.watts) > 0.05 {
			t.Errorf("it shows %g W, want %g", e.Watts, d.watts)
		}
	}
}

func (s MeterSuite) ended(t *testing.T) {
	g := s.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if e, err := g.Meter.Read(ctx); !errors.Is(err, context.Canceled) || e != (hw.Energy{}) {
		t.Errorf("Read = %v, %v; want the context's error", e, err)
	}
	s.read(t, g.Meter)
}

// broken wants an error, never a figure, and a meter that works again after it.
func (s MeterSuite) broken(t *testing.T) {
	g := s.Open(t)
	for name, hurt := range g.Break {
		hurt()
		if e, err := g.Meter.Read(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "cannot ") || e != (hw.Energy{}) {
			t.Errorf("%s: Read = %v, %v; want an error and no figure", name, e, err)
		}
		g.Mend()
		s.read(t, g.Meter)
	}
}

func (s MeterSuite) reset(t *testing.T) {
	g := s.Open(t)
	if g.Reset == nil || g.Draw == nil {
		t.Log("this meter cannot be reset by a test")
		return
	}
	g.Draw(1000, 5)
	before := s.read(t, g.Meter)
	g.Reset()
	g.Draw(100, 1)
	if e := s.read(t, g.Meter); math.Abs(e.Wh-100) > g.Step || before.Wh < 5000-g.Step {
		t.Errorf("it counted %g Wh, and after a reset and 100 Wh more %g", before.Wh, e.Wh)
	}
}

func (s MeterSuite) absent(t *testing.T) {
	g := s.Open(t)
	if g.Absent == nil {
		t.Log("this meter cannot be taken away by a test")
		return
	}
	g.Absent()
	if e, err := g.Meter.Read(t.Context()); !errors.Is(err, hw.ErrAbsent) || e != (hw.Energy{}) {
		t.Errorf("Read = %v, %v; want hw.ErrAbsent", e, err)
	}
}

func (s MeterSuite) closed(t *testing.T) {
	g := s.Open(t)
	for range 2 {
		if err := g.Meter.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if e, err := g.Meter.Read(t.Context()); !errors.Is(err, hw.ErrClosed) || e != (hw.Energy{}) {
		t.Errorf("Read after Close = %v, %v; want hw.ErrClosed", e, err)
	}
}
