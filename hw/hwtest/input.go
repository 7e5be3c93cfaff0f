package hwtest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/hw"
)

// patience bounds the wait for what must come; it is no measure.
const patience = 20 * time.Second

// InputRig is an open contact, first Off, and the hand on it.
type InputRig struct {
	Input hw.Input
	Drive func(hw.Level) // opens or closes the contact

	// What a device cannot do stays nil.
	Bounce func(hw.Level) // the same with a bad contact: many changes at once, that level at last
	Unplug func()         // the device vanishes for good
}

// InputSuite checks a contact.
type InputSuite struct {
	Open func(t *testing.T) *InputRig // a fresh rig; closed by t.Cleanup
}

// Run runs the whole suite.
func (s InputSuite) Run(t *testing.T) {
	t.Run("follows the contact", s.follows)
	t.Run("several watchers", s.several)
	t.Run("context ends Watch", s.contextEnds)
	t.Run("close ends Watch", s.closeEnds)
	t.Run("bounces", s.bounces)
	t.Run("unplugged", s.unplugged)
}

func (s InputSuite) follows(t *testing.T) {
	g := s.Open(t)
	ch := watch(t.Context(), t, g)
	want(t, ch, hw.Off)
	for range 5 {
		g.Drive(hw.On)
		want(t, ch, hw.On)
		g.Drive(hw.Off)
		want(t, ch, hw.Off)
	}
}

func (s InputSuite) several(t *testing.T) {
	g := s.Open(t)
	a := watch(t.Context(), t, g)
	want(t, a, hw.Off)
	g.Drive(hw.On)
	want(t, a, hw.On)
	b := watch(t.Context(), t, g)
	want(t, b, hw.On)
	g.Drive(hw.Off)
	want(t, a, hw.Off)
	want(t, b, hw.Off)
}

func (s InputSuite) contextEnds(t *testing.T) {
	g := s.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	a, b := watch(ctx, t, g), watch(t.Context(), t, g)
	want(t, a, hw.Off)
	want(t, b, hw.Off)
	cancel()
	closed(t, a)
	g.Drive(hw.On)
	want(t, b, hw.On)
}

func (s InputSuite) closeEnds(t *testing.T) {
	g := s.Open(t)
	ch := watch(t.Context(), t, g)
	want(t, ch, hw.Off)
	if err := g.Input.Close(); err != nil {
		t.Fatal(err)
	}
	closed(t, ch)
	if _, err := g.Input.Watch(t.Context()); !errors.Is(err, hw.ErrClosed) {
		t.Errorf("Watch after Close: error %v, want hw.ErrClosed", err)
	}
	if err := g.Input.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

func (s InputSuite) bounces(t *testing.T) {
	g := s.Open(t)
	if g.Bounce == nil {
		t.Log("this device has no control over a contact's bouncing")
		return
	}
	ch := watch(t.Context(), t, g)
	got := []hw.Level{want(t, ch, hw.Off)}
	for _, l := range []hw.Level{hw.On, hw.Off, hw.On} {
		g.Bounce(l)
		got = append(got, next(t, ch))
	}
	if !slices.Equal(got, []hw.Level{hw.Off, hw.On, hw.Off, hw.On}) {
		t.Errorf("bouncing gave %v", got)
	}
	if err := g.Input.Close(); err != nil {
		t.Fatal(err)
	}
	closed(t, ch) // and nothing more came of it
}

func (s InputSuite) unplugged(t *testing.T) {
	g := s.Open(t)
	if g.Unplug == nil {
		t.Log("this device cannot be unplugged by a test")
		return
	}
	ch := watch(t.Context(), t, g)
	want(t, ch, hw.Off)
	g.Unplug()
	want(t, ch, hw.Unknown)
	closed(t, ch)
	for what, err := range map[string]error{
		"Close": g.Input.Close(),
		"Watch": func() error { _, err := g.Input.Watch(t.Context()); return err }(),
	} {
		if !errors.Is(err, hw.ErrAbsent) || !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("%s: error %v, want one that says what was lost", what, err)
		}
	}
}

func watch(ctx context.Context, t *testing.T, g *InputRig) <-chan hw.Level {
	t.Helper()
	ch, err := g.Input.Watch(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func next(t *testing.T, ch <-chan hw.Level) hw.Level {
	t.Helper()
	select {
	case l, ok := <-ch:
		if !ok {
			t.Fatal("the channel is closed")
		}
		return l
	case <-time.After(patience):
		t.Fatal("no level came")
	}
	return hw.Unknown
}

func want(t *testing.T, ch <-chan hw.Level, l hw.Level) hw.Level {
	t.Helper()
	if got := next(t, ch); got != l {
		t.Fatalf("the contact is %v, want %v", got, l)
	}
	return l
}

func closed(t *testing.T, ch <-chan hw.Level) {
	t.Helper()
	select {
	case l, ok := <-ch:
		if ok {
			t.Fatalf("the channel gave %v instead of its end", l)
		}
	case <-time.After(patience):
		t.Fatal("the channel stays open")
	}
}
