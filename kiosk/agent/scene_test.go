package agent_test

import (
	"context"
	"testing"
	"time"

	"borne/kiosk/agent/agenttest"
	"borne/kiosk/shell"
)

// painter is a page that paints when the test lets it.
type painter struct {
	agenttest.Pages
	asked chan shell.Screen
	let   chan struct{}
}

func (p *painter) Painted(ctx context.Context, s shell.Screen) error {
	if s == shell.Wiping || s == shell.Thanks {
		p.asked <- s
		select {
		case <-p.let:
		case <-ctx.Done():
		}
	}
	return ctx.Err()
}

func TestTheSessionIsCoveredByAPaintedScreen(t *testing.T) {
	p := &painter{asked: make(chan shell.Screen, 8), let: make(chan struct{})}
	b := newBed(t, func(o *agenttest.Options) { o.Pages = p })
	b.ready()
	b.active()
	b.until("the session is on the display", b.Stage.Session)
	reached, release := b.Warden.Hold("wipe")
	b.Press(shell.End)
	<-reached // the wipe waits for no page
	select {
	case s := <-p.asked:
		if s != shell.Wiping {
			t.Errorf("waits for %s to be painted", s)
		}
	case <-time.After(soon):
		t.Error("nothing waits for the page")
	}
	if !b.Stage.Session() {
		t.Error("the shell came forward before it was painted")
	}
	close(p.let)
	b.until("the shell is on the display", func() bool { return !b.Stage.Session() })
	release()
	b.see(shell.Thanks)
}

func TestAPageThatNeverPaintsHidesNothingForLong(t *testing.T) {
	p := &painter{asked: make(chan shell.Screen, 8), let: make(chan struct{})}
	b := newBed(t, func(o *agenttest.Options) { o.Pages = p })
	b.ready()
	b.active()
	b.until("the session is on the display", b.Stage.Session)
	b.Press(shell.End)
	b.until("the shell is on the display all the same", func() bool { return !b.Stage.Session() })
	b.see(shell.Thanks)
}
