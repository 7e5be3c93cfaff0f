package cli

import (
	"context"
	"os"
	"testing"
	"time"

	"borne/kiosk/sandbox"
)

func TestReadyOnceTheFirstScreenIsShown(t *testing.T) {
	now, ready := time.Duration(0), 0
	p := newPulse(func() time.Duration { return now }, func() { ready++ })
	p.beat(false)
	if ready != 0 {
		t.Error("ready before anything is shown")
	}
	for _, shown := range []bool{true, true, false, true} { // a shell that crashes and comes back is no second start
		p.beat(shown)
	}
	if ready != 1 {
		t.Errorf("told %d times, want once", ready)
	}
}

func TestTheWatchdogStarvesWithTheAgentOnly(t *testing.T) {
	now := time.Duration(0)
	p := newPulse(func() time.Duration { return now }, func() {})
	for range 100 { // a warden whose agent beats now and then
		now += silence - time.Second
		if !p.well() {
			t.Fatal("starved though it beats")
		}
		p.beat(true)
	}
	now += silence
	if p.well() {
		t.Error("fed though the owner of the session is silent")
	}
	p.beat(true)
	if !p.well() {
		t.Error("it does not recover")
	}
}

// deaf is a warden that answers nothing before it is let.
type deaf struct {
	asked chan bool
	let   chan struct{}
}

func (d *deaf) Do(ctx context.Context, r sandbox.Request) (sandbox.Answer, []*os.File, error) {
	d.asked <- r.Beat.Shown
	select {
	case <-d.let:
	case <-ctx.Done():
	}
	return sandbox.Answer{}, nil, ctx.Err()
}

func (d *deaf) Events() <-chan sandbox.Event { return nil }

// A warden that does not answer must not stop the owner of the session, and
// what is shown at last must reach it.
func TestABeatNeverWaits(t *testing.T) {
	d := &deaf{asked: make(chan bool, 100), let: make(chan struct{})}
	shown := false
	b := beat(t.Context(), d, func() bool { return shown })
	for range 50 {
		b()
	}
	if got := <-d.asked; got {
		t.Error("shown before it was")
	}
	shown = true
	b()
	if n := len(d.asked); n != 0 {
		t.Errorf("%d more are under way beside the first", n)
	}
	close(d.let)
	for end := time.Now().Add(5 * time.Second); len(d.asked) == 0; b() { // the turns go on
		if time.Now().After(end) {
			t.Fatal("the screen that is shown is never told")
		}
	}
	if !<-d.asked {
		t.Error("told that nothing is shown")
	}
}
