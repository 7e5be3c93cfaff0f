package agent_test

import (
	"testing"
	"time"

	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/shell"
)

func TestTheCallButtonTellsStaff(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.active() // in a session too
	press := func() { b.CallStaff(hw.On); b.CallStaff(hw.Off) }
	b.CallStaff(hw.Unknown) // as a contact begins
	b.CallStaff(hw.Off)
	press()
	b.waitAlerts("call", 1)
	for range 5 { // somebody who presses and presses is one call
		b.Tick(time.Second)
		press()
	}
	b.Pass(30 * time.Second)
	press()
	b.waitAlerts("call", 2)
	b.Press(shell.End)
	b.see(shell.Thanks)
	n := 0
	for _, r := range b.records(wire.KindAlert) {
		if string(r.Body) == `{"code":"call"}` {
			n++
		}
	}
	if n != 2 {
		t.Errorf("%d calls are told, want 2", n)
	}
}
