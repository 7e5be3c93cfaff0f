package hwtest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"borne/hw"
)

// ScreenRig is a display that is lit, and what can be seen of it from outside.
type ScreenRig struct {
	Screen hw.Screen
	Seen   func() hw.Level // what a person before it sees
	Blind  bool            // it cannot be read back: its level is always Unknown

	Unplug func() // the display vanishes for good; nil: it cannot
}

// ScreenSuite checks a way to darken a display.
type ScreenSuite struct {
	Open func(t *testing.T) *ScreenRig // a fresh rig; closed by t.Cleanup
}

// Run runs the whole suite.
func (s ScreenSuite) Run(t *testing.T) {
	t.Run("darkens and lights", s.switches)
	t.Run("ended context", s.ended)
	t.Run("unplugged", s.unplugged)
}

func (s ScreenSuite) switches(t *testing.T) {
	g := s.Open(t)
	for n, on := range []bool{true, false, false, true, true, false, true} {
		want := hw.Off
		if on {
			want = hw.On
		}
		read := want
		if g.Blind {
			read = hw.Unknown
		}
		if got, err := g.Screen.Light(t.Context(), on); err != nil || got != read || g.Seen() != want {
			t.Fatalf("change %d: Light(%v) = %v, %v; it is seen %v", n, on, got, err, g.Seen())
		}
	}
}

func (s ScreenSuite) ended(t *testing.T) {
	g := s.Open(t)
	before := g.Seen()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if l, err := g.Screen.Light(ctx, false); l != hw.Unknown || !errors.Is(err, context.Canceled) {
		t.Errorf("Light = %v, %v; want unknown and the context's error", l, err)
	}
	if g.Seen() != before {
		t.Errorf("it is seen %v after a change that nobody waits for", g.Seen())
	}
}

func (s ScreenSuite) unplugged(t *testing.T) {
	g := s.Open(t)
	if g.Unplug == nil {
		t.Log("this display cannot be unplugged by a test")
		return
	}
	g.Unplug()
	for _, on := range []bool{false, true} {
		if l, err := g.Screen.Light(t.Context(), on); l != hw.Unknown || err == nil || !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("Light(%v) = %v, %v; want unknown and an error", on, l, err)
		}
	}
}
