package hwtest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"borne/hw"
)

// OutputRig is an open output and what can be seen of it from outside.
type OutputRig struct {
	Output hw.Output
	Load   func() hw.Level // what the output switches, looked at from outside
	Safe   hw.Level        // its level when it was opened, and once it is closed

	Unplug func() // the device vanishes for good; nil: it cannot
}

// OutputSuite checks an output.
type OutputSuite struct {
	Open func(t *testing.T) *OutputRig // a fresh rig; closed by t.Cleanup
}

// Run runs the whole suite.
func (s OutputSuite) Run(t *testing.T) {
	t.Run("opens safe", s.opensSafe)
	t.Run("sets and reads back", s.sets)
	t.Run("refuses", s.refuses)
	t.Run("closes safe", s.closesSafe)
	t.Run("unplugged", s.unplugged)
}

func (s OutputSuite) opensSafe(t *testing.T) {
	if g := s.Open(t); g.Load() != g.Safe {
		t.Fatalf("it opens %v, want %v", g.Load(), g.Safe)
	}
}

func (s OutputSuite) sets(t *testing.T) {
	g := s.Open(t)
	for n, l := range []hw.Level{hw.On, hw.On, hw.Off, hw.Off, hw.On} {
		if got, err := g.Output.Set(t.Context(), l); err != nil || got != l || g.Load() != l {
			t.Fatalf("setting %d: Set(%v) = %v, %v; the load is %v", n, l, got, err, g.Load())
		}
	}
}

func (s OutputSuite) refuses(t *testing.T) {
	g := s.Open(t)
	if _, err := g.Output.Set(t.Context(), hw.Unknown); err == nil || !strings.HasPrefix(err.Error(), "cannot ") {
		t.Errorf("Set(unknown): error %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Output.Set(ctx, other(g.Safe)); !errors.Is(err, context.Canceled) {
		t.Errorf("Set with an ended context: error %v", err)
	}
	if g.Load() != g.Safe {
		t.Errorf("what was refused changed the load to %v", g.Load())
	}
}

func (s OutputSuite) closesSafe(t *testing.T) {
	g := s.Open(t)
	if _, err := g.Output.Set(t.Context(), other(g.Safe)); err != nil {
		t.Fatal(err)
	}
	if err := g.Output.Close(); err != nil {
		t.Fatal(err)
	}
	if g.Load() != g.Safe {
		t.Errorf("closed, it is %v; want %v", g.Load(), g.Safe)
	}
	if l, err := g.Output.Set(t.Context(), hw.On); !errors.Is(err, hw.ErrClosed) || l != hw.Unknown {
		t.Errorf("Set after Close = %v, %v; want unknown, hw.ErrClosed", l, err)
	}
	if err := g.Output.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

func (s OutputSuite) unplugged(t *testing.T) {
	g := s.Open(t)
	if g.Unplug == nil {
		t.Log("this device cannot be unplugged by a test")
		return
	}
	g.Unplug()
	if l, err := g.Output.Set(t.Context(), hw.On); l != hw.Unknown || !errors.Is(err, hw.ErrAbsent) || !strings.HasPrefix(err.Error(), "cannot ") {
		t.Errorf("Set = %v, %v; want unknown and hw.ErrAbsent", l, err)
	}
	if err := g.Output.Close(); err == nil {
		t.Error("an output that could not be left safe closed without an error")
	}
}

func other(l hw.Level) hw.Level {
	if l == hw.On {
		return hw.Off
	}
	return hw.On
}
