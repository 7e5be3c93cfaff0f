package agent_test

import (
	"errors"
	"testing"
	"time"

	"borne/kiosk/agent/agenttest"
	"borne/kiosk/shell"
)

// New signing keys or a new identity count from a new start on, and that may
// not cost anybody their session.
func TestAWantedRestartWaitsForTheSessionsEnd(t *testing.T) {
	anew, why := make(chan error), errors.New("the keys were replaced")
	b := newBed(t, func(o *agenttest.Options) { o.Anew = anew })
	b.ready()
	b.active()
	select {
	case anew <- why:
	case <-time.After(soon):
		t.Fatal("nobody hears of it")
	}
	b.Tick(time.Second)
	b.Tick(time.Second)
	select {
	case <-b.Ended():
		t.Fatal("the session was cut off")
	default:
	}
	b.Press(shell.End)
	b.see(shell.Thanks) // still somebody's screen
	b.Press(shell.Again)
	select {
	case <-b.Ended():
	case <-time.After(soon):
		t.Fatal("it does not start again though nobody is here")
	}
	if err := b.Err(); !errors.Is(err, why) {
		t.Errorf("ended with %v", err)
	}
	b.must(b.Journal.Close())
	b.start()
	b.proven(1)
}
