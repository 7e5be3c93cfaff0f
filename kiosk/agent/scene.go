package agent

import (
	"cmp"
	"context"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/session"
	"borne/kiosk/shell"
)

// scene is what is to be seen: the session, or the shell's screen.
type scene struct {
	session bool
	beside  int    // column from which the session's display is seen beside the shell's page; 0: not
	window  uint32 // of the session
	screen  shell.Screen
}

// paintWithin bounds how long the session stays in sight while the shell's
// page paints what comes over it. No wipe waits for it.
const paintWithin = 300 * time.Millisecond

// show brings screen, display and controller in step with the state.
func (a *Agent) show(work context.Context) {
	at := a.now()
	v := ViewOf(a.state, at, a.face())
	v.Help = a.help(at)
	a.printPage(&v)
	if p := a.staffPage(at); p != nil && a.stuck == nil {
		v = staffView(v, p, a.state)
	}
	a.parts.Shell.Show(v)
	want := scene{screen: v.Screen}
	if b := a.boxes.current(); b != nil && (a.state.Phase == session.Active || a.state.Phase == session.Ending) && a.stuck == nil {
		want.window = b.window
		switch {
		case v.Screen == shell.StaffPage: // it covers the whole session
		case v.Screen != shell.PrintPage:
			want.session = true
		case v.Print != nil && v.Print.Preview && a.paper.painted:
			want.beside = a.panel()
		}
	}
	select {
	case <-a.scene: // an older wish
	default:
	}
	a.scene <- want
	a.report(at)
}

// direct shows the session or the shell, off the owner's goroutine: a display
// that hangs must not stop the session's time.
func (a *Agent) direct(work context.Context) {
	shown := scene{}
	fresh := true
	for {
		select {
		case <-work.Done():
			return
		case want := <-a.scene:
			if want.session == shown.session && want.beside == shown.beside && want.window == shown.window && !fresh {
				continue
			}
			show := a.parts.Stage.ShowShell
			switch {
			case want.session:
				show = func() error { return a.parts.Stage.ShowSession(want.window) }
			case want.beside > 0:
				a.painted(work, want.screen)
				show = func() error { return a.parts.Stage.ShowBeside(want.window, want.beside) }
			default:
				a.painted(work, want.screen)
			}
			if err := show(); err != nil {
				a.log.Error("the display does not follow", "session", want.session, "error", err)
				continue
			}
			shown, fresh = want, false
		}
	}
}

// painted waits a moment for the page to show screen, so that nobody sees the
// session's bar alone in between.
func (a *Agent) painted(work context.Context, screen shell.Screen) {
	p, ok := a.parts.Pages.(interface {
		Painted(context.Context, shell.Screen) error
	})
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(work, paintWithin)
	defer cancel()
	if err := p.Painted(ctx, screen); err != nil {
		a.log.Debug("the shell is shown before it is painted", "screen", screen, "error", err)
	}
}

// keepShell keeps the shell's browser on the screen.
func (a *Agent) keepShell(work context.Context) {
	failed := 0 // times in a row
	const first = 10 * time.Millisecond
	for wait := first; work.Err() == nil; {
		open, cancel := context.WithTimeout(work, 45*time.Second)
		lost, err := a.parts.Pages.Open(open)
		cancel()
		if err == nil {
			wait, failed = first, 0
			a.log.Info("the shell is shown")
			select {
			case err = <-lost:
			case <-work.Done():
				return
			}
		}
		a.log.Error("the shell's browser is started again", "error", err, "in", wait)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-work.Done():
			t.Stop()
			return
		}
		// One that was killed is back at once; one that is not installed fills no log.
		if failed++; failed > 10 {
			wait = min(2*wait, time.Minute)
		} else {
			wait = min(4*wait, 2*time.Second)
		}
	}
}

// face is what the view needs beside the state.
func (a *Agent) face() Face {
	f := Face{Place: shell.Place{Site: a.welcome.Site, Space: a.welcome.Place, Terminal: a.welcome.Terminal, Help: a.welcome.Contact},
		Access: a.policy.Access, Hours: a.policy.Hours, Notice: a.policy.Notice, Help: a.policy.Help, Offline: !a.online, Door: a.atTheDoor(a.now().Mono), Sim: a.cfg.Sim, Dim: a.energy.state.Dim, PIN: a.policy.PIN.There()}
	if a.policy.Printing.Enabled {
		f.Pages = cmp.Or(a.ownPages(a.holder()), a.policy.Printing.QuotaAt(a.now().Wall, policy.Location()).PagesPerSession)
	}
	if a.stuck != nil {
		f.Stuck = wire.OutDisk
	}
	return f
}
