package fleettest

import (
	"maps"
	"strings"
	"time"

	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/session"
	"borne/kiosk/shell"
)

// truth is what the people at one terminal lived through, counted from what
// they pressed and saw and from nothing else.
type truth struct {
	begun   int
	badged  int // of them
	ends    map[wire.Reason]int
	refused map[wire.Reason]int
}

func newTruth() truth { return truth{ends: map[wire.Reason]int{}, refused: map[wire.Reason]int{}} }

func (h truth) ended() (n int) {
	for v := range maps.Values(h.ends) {
		n += v
	}
	return n
}

// settle lets the terminal come to a stand, and counts the end screen that
// somebody reads on the way. Time stands still while something is awaited.
func (x *terminal) settle() shell.View {
	x.t.Helper()
	for looked := false; ; {
		v := x.wait("a stand", func(v shell.View) bool {
			switch v.Screen {
			case "", shell.Starting, shell.OpeningPage, shell.Wiping:
				return false
			}
			return true
		})
		switch {
		case v.Screen == shell.Thanks:
			x.truth.ends[wire.Reason(v.Wipe.Reason)]++
			x.Press(shell.Again)
			x.sync()
		case !looked: // the hours are known from a tick on
			x.Tick(time.Second)
			x.sync()
			looked = true
		default:
			return v
		}
	}
}

// begin brings a person to the charter.
func (x *terminal) begin(badge byte) {
	x.t.Helper()
	if badge != 0 {
		x.Tap(badge)
	} else {
		x.Press(shell.Begin)
	}
	x.sync()
	x.see(shell.CharterPage)
	x.badge = badge != 0
}

// accept consumes a permit.
func (x *terminal) accept() {
	x.t.Helper()
	x.Press(shell.Accept)
	x.sync()
	switch v := x.screen(); v.Screen {
	case shell.OpeningPage, shell.SessionPage, shell.WarningPage, shell.Wiping, shell.Thanks:
		x.truth.begun++
		if x.badge {
			x.truth.badged++
		}
	default:
		x.t.Fatalf("%s: the charter was accepted, and the screen is %s", x.name, v.Screen)
	}
}

// open brings a person into a session.
func (x *terminal) open(badge byte) {
	x.t.Helper()
	x.begin(badge)
	x.accept()
	x.see(shell.SessionPage, shell.WarningPage) // a message of staff may cover it at once
}

// play is one whole session, ended by the button.
func (x *terminal) play() {
	x.t.Helper()
	x.open(0)
	x.Press(shell.End)
	x.ends(wire.EndButton)
}

// ends waits for the end screen, and tells whether it names the reason.
func (x *terminal) ends(want wire.Reason) {
	x.t.Helper()
	before := x.truth.ends[want]
	x.see(shell.Thanks)
	x.settle()
	if x.truth.ends[want] != before+1 {
		x.t.Fatalf("%s: the session did not end for %s: %v", x.name, want, x.truth.ends)
	}
}

// caught runs do, waits until the warden is at the verb, and cuts the power there.
func (x *terminal) caught(verb string, do func()) {
	x.t.Helper()
	reached, release := x.Warden.Hold(verb)
	defer release()
	do()
	select {
	case <-reached:
	case <-time.After(soon):
		x.t.Fatalf("%s: %s is never asked for", x.name, verb)
	}
	x.kill()
}

// alerts counts the alerts of a code in the journal.
func (x *terminal) alerts(code string) (n int) {
	x.t.Helper()
	for _, r := range x.records() {
		if r.Kind == wire.KindAlert && strings.Contains(string(r.Body), `"`+code+`"`) {
			n++
		}
	}
	return n
}

// failWipes ends the session while n wipes find something.
func (x *terminal) failWipes(n int) {
	x.t.Helper()
	before := x.alerts("wipe-attempt-failed")
	x.Warden.FailWipes(n)
	x.Press(shell.End)
	for i := range n {
		until(x.t, x.name+" tells that a wipe failed", func() bool { return x.alerts("wipe-attempt-failed") > before+i })
		x.sync()
		x.Tick(session.RetryAfter)
	}
}

// endings are the ways in which a session ends. Each takes a terminal with a
// session on its screen and leaves one that wipes, thanks, or is switched off
// and on again, and returns the reason that the end screen must name.
func endings() map[string]func(*terminal) wire.Reason {
	return map[string]func(*terminal) wire.Reason{
		"button":  func(x *terminal) wire.Reason { x.Press(shell.End); return wire.EndButton },
		"arrived": func(x *terminal) wire.Reason { x.Press(shell.Arrived); return wire.EndArrived },
		"badge": func(x *terminal) wire.Reason {
			x.Tap('z')
			x.wait("the question whether anybody is there", func(v shell.View) bool { return v.Warning != nil && v.Warning.Kind == "idle" })
			x.Press(shell.Arrived)
			return wire.EndBadge
		},
		"idle": func(x *terminal) wire.Reason {
			x.Stage.SetIdle(time.Hour)
			defer x.Stage.SetIdle(0)
			x.Tick(200 * time.Second)
			x.wait("the idle warning", func(v shell.View) bool { return v.Warning != nil && v.Warning.Kind == "idle" })
			x.Tick(61 * time.Second)
			return wire.EndIdle
		},
		"time": func(x *terminal) wire.Reason {
			for range 10 { // a free neighbour gives more, up to the policy's end
				x.Tick(16 * time.Minute)
				x.sync()
				if s := x.screen().Screen; s != shell.SessionPage && s != shell.WarningPage {
					break
				}
			}
			return wire.EndTime
		},
		"tamper": func(x *terminal) wire.Reason {
			x.Case(hw.On)
			x.see(shell.Thanks)
			x.Case(hw.Off)
			return wire.EndTamper
		},
		"crash": func(x *terminal) wire.Reason { x.Browsers.Used().Crash(); return wire.EndCrash },
		"lost":  func(x *terminal) wire.Reason { x.Warden.Lose(); return wire.EndCrash },
		"killed": func(x *terminal) wire.Reason {
			x.kill()
			x.on()
			return wire.EndRestart
		},
		"killed and cut off": func(x *terminal) wire.Reason {
			x.net.Set(false) // no farewell reaches the controller
			x.kill()
			x.on()
			return wire.EndRestart
		},
		"killed in an upload": func(x *terminal) wire.Reason {
			x.Browsers.Used().SetUploading(1)
			x.Tick(time.Second)
			x.Press(shell.End)
			x.wait("the end of the upload", func(v shell.View) bool { return v.Bar != nil && v.Bar.Ending })
			x.kill()
			x.on()
			return wire.EndButton
		},
		"killed in the wipe": func(x *terminal) wire.Reason {
			x.caught("wipe", func() { x.Press(shell.End) })
			x.on()
			return wire.EndButton
		},
		"killed before the signature": func(x *terminal) wire.Reason {
			x.caught("sign", func() { x.Press(shell.Arrived) })
			x.on()
			return wire.EndArrived
		},
		"killed at any moment of the wipe": func(x *terminal) wire.Reason {
			x.Press(shell.End)
			x.sync()
			if v := x.screen(); v.Screen == shell.Thanks {
				return wire.EndButton
			}
			x.kill()
			x.on()
			if x.settle(); x.truth.ended() < x.truth.begun { // the receipt was committed before the kill
				x.truth.ends[wire.EndButton]++
			}
			return ""
		},
		"warden": func(x *terminal) wire.Reason {
			x.Warden.Restart()
			select {
			case <-x.Ended():
			case <-time.After(soon):
				x.t.Fatalf("%s goes on without a warden", x.name)
			}
			<-x.linked
			must(x.t, x.Journal.Close())
			x.on()
			return wire.EndWarden
		},
		"stopped": func(x *terminal) wire.Reason {
			must(x.t, x.Stop())
			<-x.linked
			x.truth.ends[wire.EndShutdown]++ // nobody reads the end screen of a machine that stops
			x.on()
			return ""
		},
		"a wipe fails once":  func(x *terminal) wire.Reason { x.failWipes(1); return wire.EndButton },
		"a wipe fails twice": func(x *terminal) wire.Reason { x.failWipes(2); return wire.EndButton },
		"a wipe fails for good, and after a kill": func(x *terminal) wire.Reason {
			x.failWipes(session.MaxWipes)
			if v := x.see(shell.Broken); v.Reason != string(wire.OutWipe) {
				x.t.Errorf("%s is broken for %s", x.name, v.Reason)
			}
			x.kill()
			x.on()
			return wire.EndButton
		},
		"the disk is full": func(x *terminal) wire.Reason {
			x.disk.Fill(true)
			x.Press(shell.End)
			x.wait("a full disk", func(v shell.View) bool { return v.Screen == shell.Broken && v.Reason == string(wire.OutDisk) })
			x.disk.Fill(false)
			x.Tick(time.Second)
			return wire.EndButton
		},
	}
}
