package session_test

import (
	"slices"
	"testing"
	"time"

	"borne/controller/wire"
	. "borne/kiosk/session"
)

// menu opens the staff's menu with these rights.
func (w *world) menu(may ...wire.StaffDo) { w.send(StaffCame{By: "Accueil", May: may}, 0) }

func (w *world) does(d wire.StaffDo) { w.send(StaffDid{Do: d}, 0) }

// closing ticks with the hours around a closing.
func (w *world) closing(closes, guard time.Time) {
	f := w.tick(time.Second, 0)
	f.Until, f.Guard = closes, guard
	if f.Open = w.at.Wall.Before(closes); !f.Open {
		f.Since, f.Until = closes, closes.Add(14*time.Hour)
	}
	w.send(f, 0)
}

func (w *world) staffRecords() (n int) {
	for _, r := range w.kept {
		if r.Kind == wire.KindStaff {
			n++
		}
	}
	return n
}

func TestNobodyDoesWhatTheyWereNotGiven(t *testing.T) {
	for _, phase := range []func(*testing.T) *world{ready, active} {
		w := phase(t)
		for _, d := range append(wire.StaffRights(), wire.StaffReopen) { // no menu
			w.does(d)
		}
		w.menu() // a badge without rights
		if !w.state.Menu(w.at) {
			t.Fatal("the menu does not open")
		}
		for _, d := range append(wire.StaffRights(), wire.StaffReopen) {
			w.send(StaffDid{Do: d, Jobs: 3}, 0)
			if got := w.state.Offers(w.at, 3); len(got) != 0 {
				t.Errorf("offers %v without a right", got)
			}
		}
		for _, d := range wire.StaffRights() { // each right alone gives nothing else
			w.menu(d)
			for _, o := range w.state.Offers(w.at, 3) {
				if o != d {
					t.Errorf("with the right %s the menu offers %s", d, o)
				}
			}
		}
		if n := w.staffRecords(); n != 0 || w.state.Shut != nil || w.state.Stay != nil || w.state.Live.Anew {
			t.Errorf("%d records, state %+v", n, w.state)
		}
	}
}

func TestTheMenuGoesAwayByItselfAndOverNothingThatRuns(t *testing.T) {
	w := ready(t)
	w.menu(wire.StaffRights()...)
	w.pass(29*time.Second, 0)
	if !w.state.Menu(w.at) {
		t.Error("gone before 30 seconds")
	}
	w.does(wire.StaffCall) // a choice begins the time anew
	w.pass(29*time.Second, 0)
	if !w.state.Menu(w.at) || !w.state.Live.Staff.Called {
		t.Error("gone, or forgot, after a choice")
	}
	w.pass(2*time.Second, 0)
	if w.state.Menu(w.at) || w.state.Live.Staff != nil {
		t.Error("still open after 30 seconds of nothing")
	}
	// Nothing that is under way is covered.
	w.begin(t)
	w.send(Acted{Do: End}, 0)
	w.want(t, Wiping)
	w.menu(wire.StaffRights()...)
	w.send(StaffAsks{}, 0)
	if w.state.Covered(w.at) {
		t.Error("the menu covers a wipe")
	}
	w.drive()
	w.want(t, Thanks)
	w.menu(wire.StaffRights()...)
	w.send(StaffLeft{}, 0)
	if w.state.Covered(w.at) {
		t.Error("it does not go away")
	}
}

func TestPressesOfBehindTheMenuDoNothing(t *testing.T) {
	w := active(t)
	w.menu(wire.StaffCall)
	w.send(Acted{Do: End}, 0)
	w.send(Tapped{Holder: []byte{9}}, 0)
	w.want(t, Active)
	if w.state.Live.Warn.Kind != "" {
		t.Errorf("a badge behind the menu warns: %v", w.state.Live.Warn.Kind)
	}
}

func TestThePersonBehindTheMenuIsNotCutShort(t *testing.T) {
	w := active(t)
	w.pass(3*time.Minute, 3*time.Minute+time.Second)
	w.want(t, Warning) // are you there?
	for range 8 {      // staff stand before it for four minutes
		w.menu(wire.StaffCall)
		w.pass(29*time.Second, time.Hour)
	}
	w.want(t, Warning)
	w.send(StaffLeft{}, 0)
	w.pass(30*time.Second, time.Hour)
	w.want(t, Warning) // the whole grace is theirs again
	w.send(Acted{Do: StillHere}, 0)
	w.want(t, Active)
}

// TestPressingTeamKeepsNobodysSession: the question for the PIN is anybody's to open,
// and an idle session ends behind it as it would have.
func TestPressingTeamKeepsNobodysSession(t *testing.T) {
	w := active(t)
	w.pass(3*time.Minute, 3*time.Minute+time.Second)
	w.want(t, Warning)
	for range int(limits().Grace/(10*time.Second)) + 1 {
		w.send(StaffAsks{}, 0)
		if w.state.Phase == Warning && !w.state.Asking(w.at) {
			t.Fatal("there is no question for the PIN")
		}
		w.pass(10*time.Second, time.Hour)
	}
	w.drive()
	if got := last[wire.Ended](t, w, wire.KindEnded); got.Reason != wire.EndIdle {
		t.Errorf("ended by %s", got.Reason)
	}
	// And without a warning yet: pressing it for the sixth part of an hour is no use
	// of the session, when nothing else is touched.
	w = active(t)
	for range 30 {
		if w.state.Phase == Active {
			w.send(StaffAsks{}, 0)
		}
		w.pass(20*time.Second, time.Hour)
	}
	if w.state.Phase.InSession() {
		t.Error("an idle session lives on by the question for the PIN")
	}
}

// TestWarningsAreNotBehindTheMenu: time that runs out, a closing and a new start are
// read by the person when they are told, not when the menu goes away.
func TestWarningsAreNotBehindTheMenu(t *testing.T) {
	cover := map[string]func(*world){
		"menu":     func(w *world) { w.menu(wire.StaffCall) },
		"question": func(w *world) { w.send(StaffAsks{}, 0) },
	}
	for name, open := range cover {
		w := active(t)
		for w.state.Phase == Active { // until the time is told
			open(w)
			w.pass(5*time.Second, 0)
		}
		if w.state.Live.Warn.Kind != WarnTime || w.state.Covered(w.at) {
			t.Errorf("%s: warned of %q, covered: %t", name, w.state.Live.Warn.Kind, w.state.Covered(w.at))
		}
		w = active(t)
		closes := w.at.Wall.Add(5*time.Minute + 3*time.Second)
		w.closing(closes, closes)
		open(w)
		for range 5 {
			w.closing(closes, closes)
		}
		if w.state.Live.Warn.Kind != WarnClosing || w.state.Covered(w.at) {
			t.Errorf("%s: warned of %q, covered: %t", name, w.state.Live.Warn.Kind, w.state.Covered(w.at))
		}
	}
	w := active(t)
	w.menu(wire.StaffRestart)
	w.does(wire.StaffRestart)
	w.send(StaffAsks{}, 0)
	w.pass(time.Second, 0)
	if w.state.Live.Warn.Kind != WarnAnew || w.state.Covered(w.at) {
		t.Errorf("a new start: warned of %q, covered: %t", w.state.Live.Warn.Kind, w.state.Covered(w.at))
	}
}

func TestClosingNowLeavesTheGraceAndOpensAgainByItself(t *testing.T) {
	w := active(t)
	w.menu(wire.StaffClose)
	w.does(wire.StaffClose)
	if got := last[wire.StaffDone](t, w, wire.KindStaff); got.Do != wire.StaffClose || got.By != "Accueil" {
		t.Errorf("recorded %+v", got)
	}
	w.pass(time.Second, 0)
	w.want(t, Warning)
	if w.state.Live.Warn.Kind != WarnClosing {
		t.Errorf("warned of %q", w.state.Live.Warn.Kind)
	}
	w.pass(limits().Grace-3*time.Second, 0)
	w.want(t, Warning)
	w.pass(4*time.Second, 0)
	w.want(t, Wiping)
	w.drive()
	if got := last[wire.Ended](t, w, wire.KindEnded); got.Reason != wire.EndClosing {
		t.Errorf("ended by %s", got.Reason)
	}
	w.pass(30*time.Second, 0)
	w.want(t, Closed)
	if w.state.Reason != wire.RefuseShut {
		t.Errorf("closed: %s", w.state.Reason)
	}
	w.boot() // a restart opens nothing
	w.drive()
	w.pass(2*time.Second, 0)
	w.want(t, Closed)
	w.sureDay = false // the hours close; the next opening is no business of theirs
	w.pass(time.Second, 0)
	w.sureDay = true
	w.pass(time.Second, 0)
	w.want(t, Welcome)
}

func TestClosedByMistakeItOpensAgain(t *testing.T) {
	w := ready(t)
	w.menu(wire.StaffClose)
	w.does(wire.StaffClose)
	w.want(t, Closed)
	w.menu(wire.StaffClose, wire.StaffStay)
	if got := w.state.Offers(w.at, 0); !slices.Equal(got, []wire.StaffDo{wire.StaffReopen}) {
		t.Errorf("offers %v", got)
	}
	w.does(wire.StaffReopen)
	w.want(t, Welcome)
}

func TestStayingOpenEndsWithTheGuard(t *testing.T) {
	for name, c := range map[string]struct {
		guard time.Duration // after the closing
		want  []time.Duration
	}{
		"an agreement until half past": {30 * time.Minute, []time.Duration{30 * time.Minute}},
		"nobody agreed":                {0, nil},
		"no guard":                     {3 * time.Hour, []time.Duration{time.Hour, 2 * time.Hour, 3 * time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			w := ready(t)
			closes := w.at.Wall.Add(10 * time.Minute).Truncate(time.Minute)
			guard := closes.Add(c.guard)
			var got []time.Duration
			for range 5 {
				w.closing(closes, guard)
				w.menu(wire.StaffStay)
				if to := w.state.StayTo(w.at); !to.IsZero() {
					got = append(got, to.Sub(closes))
				}
				w.does(wire.StaffStay)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("stays until %v after the closing, want %v", got, c.want)
			}
			end := closes
			if len(c.want) > 0 {
				end = closes.Add(c.want[len(c.want)-1])
			}
			for w.at.Wall.Before(end.Add(-2 * time.Second)) {
				w.closing(closes, guard)
			}
			w.want(t, Welcome)
			for range 4 {
				w.closing(closes, guard)
			}
			w.want(t, Closed)
		})
	}
}

func TestASuspendedAgreementEndsAStay(t *testing.T) {
	w := ready(t)
	closes := w.at.Wall.Add(2 * time.Minute).Truncate(time.Minute)
	w.closing(closes, closes.Add(time.Hour))
	w.menu(wire.StaffStay)
	w.does(wire.StaffStay)
	for w.at.Wall.Before(closes.Add(5 * time.Minute)) {
		w.closing(closes, closes.Add(time.Hour))
	}
	w.want(t, Welcome)
	w.closing(closes, closes) // nobody agrees any more
	w.want(t, Closed)
}

func TestAnArmedAlarmIsAboveStaff(t *testing.T) {
	w := ready(t)
	closes := w.at.Wall.Add(2 * time.Minute).Truncate(time.Minute)
	w.closing(closes, closes.Add(time.Hour))
	w.menu(wire.StaffStay)
	w.does(wire.StaffStay)
	w.send(Alarm{Contact: ContactClosed}, 0)
	w.closing(closes, closes.Add(time.Hour))
	was := w.state.Phase
	w.send(Neighbours{Armed: true}, 0)
	w.want(t, Closed)
	if w.state.Reason != wire.RefuseAlarm {
		t.Errorf("closed: %s (before %s)", w.state.Reason, was)
	}
}

func TestTimeIsGivenWithinBounds(t *testing.T) {
	w := active(t)
	l := limits()
	l.Receipt = 3 * time.Hour
	w.send(Ruled{Limits: l}, 0)
	left := w.state.Live.Left
	for range 9 {
		w.menu(wire.StaffTime)
		w.does(wire.StaffTime)
	}
	if got := w.state.Live.Left - left; got != MaxGiven {
		t.Errorf("%s given, want %s", got, MaxGiven)
	}
	if n := w.staffRecords(); n != 4 {
		t.Errorf("%d records, want 4", n)
	}
}

func TestARestartEndsCleanlyFirst(t *testing.T) {
	asked := func(w *world) bool {
		return slices.ContainsFunc(w.pending, func(e Effect) bool { _, ok := e.Ask.(DoRestart); return ok })
	}
	w := active(t)
	w.menu(wire.StaffRestart)
	w.does(wire.StaffRestart)
	w.pass(time.Second, 0)
	w.want(t, Warning)
	if w.state.Live.Warn.Kind != WarnAnew || asked(w) {
		t.Errorf("warned of %q", w.state.Live.Warn.Kind)
	}
	w.pass(limits().Grace+time.Second, 0)
	w.want(t, Wiping)
	w.drive()
	if got := last[wire.Ended](t, w, wire.KindEnded); got.Reason != wire.EndCommand {
		t.Errorf("ended by %s", got.Reason)
	}
	w.pass(limits().Thanks+2*time.Second, 0)
	if w.want(t, Closed); !asked(w) || w.state.Reason != wire.RefuseAnew {
		t.Errorf("no restart: %s", w.state.Reason)
	}
	w.boot()
	w.drive()
	w.pass(2*time.Second, 0)
	w.want(t, Welcome)
}

// try types a PIN; it tells whether it was verified.
func (w *world) try(right bool) bool {
	w.send(StaffAsks{}, 0)
	n := w.state.Serial
	w.send(StaffTries{}, 0)
	if w.state.Serial == n {
		return false
	}
	w.pending = nil
	w.send(StaffTried{Right: right, May: []wire.StaffDo{wire.StaffCall}}, 0)
	return true
}

func TestWrongPINsWaitLongerAndLongerAndBadgesDoNot(t *testing.T) {
	w := ready(t)
	tried := 0
	for range 24 * 60 { // a day at the keyboard, a try a minute
		for range 3 {
			if w.try(false) {
				tried++
			}
		}
		w.at.Mono += time.Minute
	}
	// Five, then after 1 and 2 minutes, and one each 4 minutes: of a million PINs one in
	// eight is found in a year of that, and staff are told at every fifth.
	if tried < 355 || tried > 368 {
		t.Errorf("%d PINs tried in a day", tried)
	}
	if got := last[wire.Alert](t, w, wire.KindAlert); got.Code != wire.AlertPIN {
		t.Errorf("alert %+v", got)
	}
	w.menu(wire.StaffCall)
	if !w.state.Menu(w.at) {
		t.Error("wrong PINs lock a badge out")
	}
}

func TestPullingThePlugIsNoWayAroundTheWait(t *testing.T) {
	w := ready(t)
	for range PINTries - 1 {
		w.try(false)
	}
	w.send(StaffAsks{}, 0)
	w.send(StaffTries{}, 2) // the plug is pulled while it is verified
	w.drive()
	w.send(w.tick(time.Second, 0), 0)
	if w.try(true) {
		t.Error("a restart forgot the wrong PINs")
	}
	w.at.Mono += time.Minute
	if !w.try(true) || !w.state.Menu(w.at) || w.state.Tries != 0 {
		t.Errorf("the right PIN does not open: %d tries", w.state.Tries)
	}
	if got := w.state.Offers(w.at, 0); !slices.Equal(got, []wire.StaffDo{wire.StaffCall}) || w.state.Live.Staff.By != wire.ByPIN {
		t.Errorf("offers %v to %q", got, w.state.Live.Staff.By)
	}
}

func TestARightPINForNobody(t *testing.T) {
	w := ready(t)
	w.send(StaffTries{}, 0) // no question is open
	w.send(StaffAsks{}, 0)
	w.send(StaffTries{}, 0)
	w.pass(31*time.Second, 0) // they went away before the answer
	w.send(StaffTried{Right: true}, 0)
	if w.state.Covered(w.at) {
		t.Error("the menu opens for nobody")
	}
	plain, l := ready(t), limits()
	l.PIN = false
	plain.send(Ruled{Limits: l}, 0)
	plain.send(StaffAsks{}, 0)
	if plain.state.Covered(plain.at) {
		t.Error("asks for a PIN where there is none")
	}
}

// TestAClosingWithoutAClockEndsAtAnOpening: the first that comes once the time is
// known, although nobody saw the place closed in between.
func TestAClosingWithoutAClockEndsAtAnOpening(t *testing.T) {
	w := ready(t)
	w.at.Trusted = false
	w.send(w.tick(time.Second, 0), 0)
	w.menu(wire.StaffClose)
	w.does(wire.StaffClose)
	if w.state.Shut == nil || w.state.Shut.Sure {
		t.Fatalf("%+v", w.state.Shut)
	}
	w.at.Trusted = true
	open := func(since time.Time) {
		f := w.tick(time.Second, 0)
		f.Since = since
		w.send(f, 0)
	}
	open(w.at.Wall.Add(-time.Hour)) // the opening of that day is no new one
	w.want(t, Closed)
	w.at.Wall = w.at.Wall.Add(24 * time.Hour) // off over the night
	w.boot()
	w.drive()
	open(w.at.Wall.Add(-time.Hour))
	open(w.at.Wall.Add(-time.Hour))
	w.want(t, Welcome)
}
