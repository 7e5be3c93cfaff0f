package agent_test

import (
	"encoding/json"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/shell"
	"borne/kiosk/uplink"
)

// calls counts the calls for help that are told once and for all.
func (b *bed) calls() (n int) {
	for _, r := range b.records(wire.KindAlert) {
		if string(r.Body) == `{"code":"call"}` {
			n++
		}
	}
	return n
}

// called waits for what the person is told about their call; "" is nothing.
func (b *bed) called(want shell.HelpState) {
	b.t.Helper()
	b.until("help is "+string(want), func() bool {
		b.Tick(0)
		v, _ := b.Shell.View()
		return v.Help == nil && want == "" || v.Help != nil && v.Help.State == want
	})
}

// answered waits for what became of a command.
func (b *bed) answered(id string) (d wire.CommandDone) {
	b.t.Helper()
	b.until(id+" is answered", func() bool {
		for _, r := range b.records(wire.KindCommand) {
			d = wire.CommandDone{}
			b.must(json.Unmarshal(r.Body, &d))
			if d.ID == id {
				return true
			}
		}
		return false
	})
	return d
}

func (b *bed) help() wire.HelpCall {
	b.t.Helper()
	b.Tick(0)
	h := b.c.Status().Help
	if h == nil {
		b.t.Fatal("the controller is not told that somebody waits")
	}
	return *h
}

func TestTheCallButtonTellsStaff(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.active() // in a session too
	press := func() { b.CallStaff(hw.On); b.CallStaff(hw.Off) }
	b.CallStaff(hw.Unknown) // as a contact begins
	b.CallStaff(hw.Off)
	b.called("")
	press()
	b.waitAlerts("call", 1)
	b.called(shell.HelpAsked)
	first := b.help()
	if !wire.ValidHelpID(first.ID) || first.Coming || first.Times != 1 {
		t.Errorf("%+v", first)
	}
	for range 5 { // somebody who presses and presses is one call
		b.Tick(time.Second)
		press()
	}
	b.Pass(30 * time.Second)
	press() // staff hear of it anew
	if again := b.help(); again.ID != first.ID || again.Times != 2 {
		t.Errorf("pressed again: %+v", again)
	}
	b.Press(shell.End)
	b.see(shell.Thanks)
	b.called("") // whoever waited has gone
	if h := b.c.Status().Help; h != nil {
		t.Errorf("after the session somebody waits still: %+v", h)
	}
	press() // and this is somebody else
	b.waitAlerts("call", 2)
	if n := b.calls(); n != 2 {
		t.Errorf("%d calls are told, want 2", n)
	}
}

func TestSomebodyComes(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.Press(shell.CallHelp) // nobody's session is needed to ask
	b.called(shell.HelpAsked)
	id := b.help().ID
	for name, job := range map[string]string{"other": "0123456789abcdef", "none": ""} {
		b.must(b.c.Command(wire.Command{ID: name, Kind: wire.CmdHelpComing, Job: job, NotAfter: b.later()}))
		if d := b.answered(name); d.Done || d.Reason != "help-over" {
			t.Errorf("an answer to another call: %+v", d)
		}
	}
	b.called(shell.HelpAsked)
	b.must(b.c.Command(wire.Command{ID: "coming", Kind: wire.CmdHelpComing, Job: id, NotAfter: b.later()}))
	if d := b.answered("coming"); !d.Done {
		t.Errorf("%+v", d)
	}
	b.called(shell.HelpComing)
	b.Pass(10 * time.Minute) // whoever is coming is not late
	b.called(shell.HelpComing)
	if !b.help().Coming {
		t.Error("the controller does not hear that the person knows")
	}
	b.must(b.c.Command(wire.Command{ID: "done", Kind: wire.CmdHelpDone, Job: id, NotAfter: b.later()}))
	b.called("")
	b.must(b.c.Command(wire.Command{ID: "late", Kind: wire.CmdHelpComing, Job: id, NotAfter: b.later()}))
	if d := b.answered("late"); d.Done {
		t.Error("a call that is over is answered")
	}
	b.called("")
}

// TestSomebodySaidSoAndDidNotCome: the person can ask again, and reads another way.
func TestSomebodySaidSoAndDidNotCome(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.Press(shell.CallHelp)
	b.called(shell.HelpAsked)
	id := b.help().ID
	coming := func(name string) {
		t.Helper()
		b.must(b.c.Command(wire.Command{ID: name, Kind: wire.CmdHelpComing, Job: id, NotAfter: b.later()}))
		b.answered(name)
		b.called(shell.HelpComing)
	}
	coming("first")
	b.Press(shell.CallHelp) // at once is no new call
	b.called(shell.HelpComing)
	b.Pass(4 * time.Minute)
	b.Press(shell.CallHelp)
	b.until("staff hear of it again", func() bool { h := b.help(); return h.Times == 2 && !h.Coming })
	coming("second")
	b.Pass(15 * time.Minute)
	b.called(shell.HelpLate)
}

func TestNobodyAnswers(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.Press(shell.CallHelp)
	b.called(shell.HelpAsked)
	b.c.Say(uplink.Event{Welcome: &wire.Welcome{Protocol: 1, Generation: 1, Epoch: 1, Terminal: "Poste 1", Site: "Collège", Phone: "04 50 00 00 00"}})
	b.Pass(3 * time.Minute)
	b.called(shell.HelpLate)
	if v, _ := b.Shell.View(); v.Help.Phone != "04 50 00 00 00" {
		t.Errorf("%+v", v.Help)
	}
	b.Press(shell.NoHelp)
	b.called("")
	b.Press(shell.CallHelp) // after all: the button answers, and one person is counted once
	b.called(shell.HelpAsked)
	b.Press(shell.NoHelp)
	b.Press(shell.CallHelp)
	b.called(shell.HelpAsked)
	if n := b.calls(); n != 2 {
		t.Errorf("%d calls are told, want 2", n)
	}
	b.c.Say(uplink.Event{Offline: &uplink.Offline{}})
	b.called(shell.HelpOffline)
	b.c.Welcome("")
	b.called(shell.HelpAsked)
	b.Pass(30 * time.Minute) // they have gone
	b.called("")
}

// TestCallingIsNoPresence: the button is on the warning too. It does not answer for the
// person whether they are there, since it would show a session to whoever came next;
// whoever pressed it stands before the terminal when it is over, and staff still come.
func TestCallingIsNoPresence(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.active()
	wait := func(screen shell.Screen) {
		t.Helper()
		b.until("the screen is "+string(screen), func() bool {
			b.Tick(time.Second)
			v, _ := b.Shell.View()
			return v.Screen == screen
		})
	}
	b.Stage.SetIdle(time.Hour)
	wait(shell.WarningPage)
	b.Press(shell.CallHelp)
	b.called(shell.HelpAsked)
	if v, _ := b.Shell.View(); v.Screen != shell.WarningPage {
		t.Fatalf("the call uncovers the session: %s", v.Screen)
	}
	id := b.help().ID
	wait(shell.Thanks)
	b.called(shell.HelpAsked)
	if got := b.help().ID; got != id {
		t.Errorf("another call stands: %s", got)
	}
	// A call of long before is nobody's any more.
	b.Press(shell.NoHelp)
	b.called("")
	b.Press(shell.Again)
	b.see(shell.Welcome)
	b.Stage.SetIdle(0)
	b.active()
	b.Press(shell.CallHelp)
	b.called(shell.HelpAsked)
	b.Pass(4 * time.Minute)
	b.Stage.SetIdle(time.Hour)
	wait(shell.Thanks)
	b.called("")
}
