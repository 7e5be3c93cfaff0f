package agent_test

import (
	"slices"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/shell"
)

func TestWhatIsPluggedInIsToldToStaff(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.active() // in a session too
	b.Warden.Plug("usb-storage", "1-1.3")
	b.waitAlerts("usb-storage", 1)
	for range 5 { // somebody who plugs and plugs is one alert
		b.Warden.Plug("usb-storage", "1-1.3")
		b.Tick(time.Second)
	}
	b.Warden.Plug("usb-replugged", "1-1.1")
	b.waitAlerts("usb-replugged", 1)
	b.Pass(30 * time.Second)
	b.Warden.Plug("usb-storage", "2-1")
	b.waitAlerts("usb-storage", 2)
	b.Press(shell.End)
	b.see(shell.Thanks)
	var bodies []string
	for _, r := range b.records(wire.KindAlert) {
		bodies = append(bodies, string(r.Body))
	}
	want := []string{`{"code":"usb-storage","detail":"1-1.3"}`, `{"code":"usb-replugged","detail":"1-1.1"}`, `{"code":"usb-storage","detail":"2-1"}`}
	if !slices.Equal(bodies, want) {
		t.Errorf("told %q, want %q", bodies, want)
	}
}

func TestPortsOpenWhileStaffHavePutTheTerminalOutAndNotForAnOpenCase(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.Case(hw.Off)
	b.Case(hw.On)
	b.see(shell.Maintenance)
	if said := b.Warden.Ports(); len(said) != 0 {
		t.Fatalf("an open case opens the ports: %v", said)
	}
	b.Case(hw.Off)
	b.see(shell.Welcome)
	said := func(want ...bool) {
		t.Helper()
		b.until("the ports follow", func() bool { return slices.Equal(b.Warden.Ports(), want) })
	}
	b.must(b.c.Command(wire.Command{ID: "out", Kind: wire.CmdOut, Text: "Clavier à changer", NotAfter: b.later()}))
	b.see(shell.Maintenance)
	said(true)
	b.must(b.c.Command(wire.Command{ID: "back", Kind: wire.CmdBack, NotAfter: b.later()}))
	b.see(shell.Welcome)
	said(true, false)
}
