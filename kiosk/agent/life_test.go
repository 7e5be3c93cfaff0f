package agent_test

import (
	"errors"
	"os"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/kiosk/agent/agenttest"
	"borne/kiosk/session"
	"borne/kiosk/shell"
)

func TestAStandbyFollowsLanguageAndPolicy(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	made := func(n int) {
		t.Helper()
		b.until("a standby is made", func() bool { return b.Warden.Prepared() == n })
	}
	made(1)
	b.Tick(time.Second)
	b.PressWith(shell.Action{Do: shell.SetLang, Lang: "en"})
	made(2)
	p := rules()
	p.Version = 2
	b.must(b.c.Policy(p))
	made(3)
	b.active()
	if got := b.Warden.Prepared(); got != 3 {
		t.Errorf("%d sandboxes were made: the standby was not used", got)
	}
	b.Press(shell.End)
	b.see(shell.Thanks)
	made(4) // while the thanks are still read, for whoever comes next
	b.Browsers.Last().Crash()
	made(5)
	b.Press(shell.Again)
	b.see(shell.Welcome)
}

func TestASessionThatCannotBeOpenedIsWiped(t *testing.T) {
	b := newBed(t, nil)
	b.Browsers.Fail(errors.New("cannot show anything"))
	b.ready()
	b.begin()
	if v := b.see(shell.Thanks); v.Wipe.Reason != string(wire.EndFailed) {
		t.Errorf("ended for %s", v.Wipe.Reason)
	}
	b.proven(1)
}

// TestNoStandbyIsOutOfService: nobody is invited to begin what cannot begin, and
// the terminal comes back by itself.
func TestNoStandbyIsOutOfService(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.active()
	b.Browsers.Fail(errors.New("cannot show anything"))
	b.Press(shell.End)
	b.see(shell.Thanks)
	b.Press(shell.Again)
	b.until("the terminal says that it is out of service", func() bool {
		b.Tick(time.Second)
		v, _ := b.Shell.View()
		return v.Screen == shell.Broken && v.Reason == string(wire.OutStandby)
	})
	b.waitAlerts("no-standby", 1)
	b.Browsers.Fail(nil)
	b.until("it is in service again", func() bool {
		b.Tick(time.Second)
		v, _ := b.Shell.View()
		return v.Screen == shell.Welcome
	})
	b.active()
}

func TestIdleAndAPlayingVideo(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.active()
	b.Stage.SetIdle(time.Hour)
	b.Browsers.Used().SetPlaying(true)
	b.Tick(time.Second)
	b.until("it was asked what plays", func() bool { return b.Browsers.Used().Asked() > 0 })
	b.Pass(200 * time.Second)
	if v, _ := b.Shell.View(); v.Screen != shell.SessionPage {
		t.Fatalf("screen %s while a video plays", v.Screen)
	}
	b.Browsers.Used().SetPlaying(false)
	// The silence is heard when it is asked for again, and taken in when it is
	// asked for once more: only one question is under way at a time.
	asked := b.Browsers.Used().Asked()
	b.until("the silence is heard", func() bool { b.Tick(0); return b.Browsers.Used().Asked() > asked+1 })
	for range 300 { // idle time counts from the last time that it played
		if v, _ := b.Shell.View(); v.Screen == shell.WarningPage {
			break
		}
		b.Tick(time.Second)
	}
	v := b.see(shell.WarningPage)
	if v.Warning.Kind != "idle" || v.Warning.OfSeconds != 60 {
		t.Errorf("warning %+v", v.Warning)
	}
	b.Press(shell.StillHere)
	b.see(shell.SessionPage)
}

func TestAFullDiskHidesTheSessionAndRecovers(t *testing.T) {
	full := &agenttest.Disk{}
	b := newBed(t, func(o *agenttest.Options) { o.Disk = full })
	b.ready()
	b.active()
	full.Fill(true)
	b.Press(shell.End)
	if v := b.see(shell.Broken); v.Reason != string(wire.OutDisk) {
		t.Errorf("broken for %s", v.Reason)
	}
	b.until("the session is covered", func() bool { return !b.Stage.Session() })
	b.Pass(20 * time.Second)
	b.until("the sandbox is destroyed", func() bool { return len(b.Warden.Dirty()) == 0 })
	if _, r := b.ledger(); len(r) != 0 {
		t.Errorf("receipts %v were written on a full disk", r)
	}
	full.Fill(false)
	b.Tick(time.Second)
	b.see(shell.Thanks)
	b.proven(1)
}

func TestTheShellsBrowserComesBack(t *testing.T) {
	pages := &agenttest.Pages{}
	b := newBed(t, func(o *agenttest.Options) { o.Pages = pages })
	b.until("the shell is opened", func() bool { return pages.Opened() == 1 })
	began := time.Now()
	pages.Lose()
	b.until("the shell is opened again", func() bool { return pages.Opened() == 2 })
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestASecondAgentIsRefused(t *testing.T) {
	b := newBed(t, nil)
	if _, err := b.Peek(); err == nil {
		t.Fatal("two agents on one state folder")
	}
	b.kill()
	b.must(os.Chmod(b.dir, 0o700))
	b.start()
}

func TestThreeFailedWipesAndALift(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	reach(b, session.Broken)
	b.must(b.c.Command(wire.Command{ID: "lift", Kind: wire.CmdLift, Nonce: []byte("nonce-of-lift"), NotAfter: b.later()}))
	b.see(shell.Thanks)
	b.Press(shell.Again)
	b.see(shell.Welcome)
	b.proven(1)
	if e := last[wire.Ended](b, wire.KindEnded); e.Wipes != 1 || e.Reason != wire.EndButton {
		t.Errorf("%+v", e)
	}
	if d := last[wire.CommandDone](b, wire.KindCommand); d.ID != "lift" || !d.Done {
		t.Errorf("%+v", d)
	}
	if h, _ := b.Journal.Hello(); h.Chain.Segment != 2 || h.Chain.Index != 1 {
		t.Errorf("chain %+v", h.Chain)
	}
}

func TestAMissingBrowserThatWasInstalled(t *testing.T) {
	b := newBed(t, func(o *agenttest.Options) { o.Fault = wire.OutBrowser })
	b.Warden.Uninstall(true)
	b.kill()
	b.start()
	if v := b.see(shell.Broken); v.Reason != string(wire.OutBrowser) {
		t.Errorf("broken for %s", v.Reason)
	}
	b.Warden.Uninstall(false)
	b.Pass(session.SurveyAgain + 2*time.Second)
	b.see(shell.Closed)
}

func TestAWipeWaitsForNobody(t *testing.T) {
	b := newBed(t, nil)
	reached, release := b.Warden.Hold("prepare")
	defer release()
	b.ready()
	<-reached // the standby is being made, and that hangs
	b.begin()
	b.see(shell.OpeningPage)
	b.must(b.c.Command(wire.Command{ID: "w", Kind: wire.CmdWipe, NotAfter: b.later()}))
	if v := b.see(shell.Thanks); v.Wipe.Reason != string(wire.EndCommand) {
		t.Errorf("ended for %s", v.Wipe.Reason)
	}
	b.Press(shell.Again)
	b.see(shell.Welcome)
	b.active() // and the next one is served
}

// With memory for it, the next person's browser waits beside the session, and a
// wipe leaves it for them.
func TestAStandbyWaitsBesideTheSession(t *testing.T) {
	b := newBed(t, func(o *agenttest.Options) { o.Spare = true })
	made := func(n int) {
		t.Helper()
		b.until("a standby is made", func() bool { return b.Warden.Prepared() == n })
	}
	b.ready()
	made(1)
	b.active()
	b.until("the session is seen", b.Stage.Session)
	first := b.Stage.Window()
	b.Tick(time.Second)
	if got := b.Warden.Prepared(); got != 1 {
		t.Fatalf("%d sandboxes were made at once: the session's own first pages come first", got)
	}
	b.Pass(6 * time.Second)
	made(2)
	b.until("the standby is open", func() bool { return b.Browsers.Last().Canary() != "" })
	waits := b.Browsers.Last()
	b.Press(shell.End)
	b.see(shell.Thanks)
	b.proven(1)
	if waits.Closed() {
		t.Fatal("the standby went with the session")
	}
	b.active()
	b.until("the session is seen", b.Stage.Session)
	if b.Stage.Window() == first {
		t.Error("the next session is drawn into the window of the one before")
	}
	b.Pass(6 * time.Second)
	made(3)

	// A wipe that finds something takes everything with it.
	b.until("the standby is open", func() bool { return b.Browsers.Last().Canary() != "" && b.Browsers.Last() != waits })
	waits = b.Browsers.Last()
	b.Warden.FailWipes(1)
	b.Press(shell.End)
	b.until("the standby goes", waits.Closed)
	b.until("the second try is clean", func() bool { b.Tick(time.Second); v, _ := b.Shell.View(); return v.Screen == shell.Thanks })
	b.proven(2)
	made(4)
}

// Rules that change while somebody works are the next one's.
func TestAStandbyBesideASessionFollowsThePolicy(t *testing.T) {
	b := newBed(t, func(o *agenttest.Options) { o.Spare = true })
	b.ready()
	b.active()
	b.Pass(6 * time.Second)
	b.until("a standby is made", func() bool { return b.Warden.Prepared() == 2 })
	p := rules()
	p.Version = 2
	b.must(b.c.Policy(p))
	b.until("another one", func() bool { b.Tick(time.Second); return b.Warden.Prepared() == 3 })
	b.until("the session is seen", b.Stage.Session)
	b.Press(shell.End)
	b.see(shell.Thanks)
	b.proven(1)
}
