package session_test

import (
	"encoding/json"
	"testing"
	"time"

	"borne/controller/wire"
	. "borne/kiosk/session"
)

// until sends ticks with a closing time, a second apart, and returns when each
// warning came, in what was left until the closing.
func (w *world) until(closes time.Time, d time.Duration) (warned []time.Duration) {
	for end := w.at.Mono + d; w.at.Mono < end; {
		f := w.tick(time.Second, 0)
		f.Until = closes
		was := w.state.Phase
		w.send(f, 0)
		if w.state.Phase == Warning && was != Warning && w.state.Live.Warn.Kind == WarnClosing {
			warned = append(warned, closes.Sub(w.at.Wall))
			w.send(Acted{Do: Dismiss}, 0)
		}
	}
	return warned
}

func TestClosingIsSaidAtTenFiveAndOneMinutes(t *testing.T) {
	w := ready(t)
	l := limits()
	l.Minutes, l.Max, l.Warn = 2*time.Hour, 2*time.Hour, []time.Duration{3 * time.Minute} // the person's own warnings are others
	w.send(Ruled{Limits: l}, 0)
	w.begin(t)
	closes := w.at.Wall.Add(30 * time.Minute)
	warned := w.until(closes, 31*time.Minute)
	want := []time.Duration{10 * time.Minute, 5 * time.Minute, time.Minute}
	if len(warned) != 3 || warned[0] != want[0] || warned[1] != want[1] || warned[2] != want[2] {
		t.Errorf("warned at %v before the closing, want %v", warned, want)
	}
	w.drive()
	if got := last[wire.Ended](t, w, wire.KindEnded); got.Reason != wire.EndClosing {
		t.Errorf("ended by %q", got.Reason)
	}
}

func TestNewHoursWarnWhoeverIsThere(t *testing.T) {
	w := ready(t)
	l := limits()
	l.Minutes, l.Max = 2*time.Hour, 2*time.Hour
	w.send(Ruled{Limits: l}, 0)
	w.begin(t)
	closes := w.at.Wall.Add(100 * time.Minute)
	if warned := w.until(closes, 5*time.Minute); len(warned) != 0 {
		t.Fatalf("warned at %v though nothing is near", warned)
	}
	closes = w.at.Wall.Add(40 * time.Minute)
	if warned := w.until(closes, 5*time.Minute); len(warned) != 1 {
		t.Errorf("new hours that close earlier: warned at %v, want once", warned)
	}
	closes = w.at.Wall.Add(90 * time.Minute)
	if warned := w.until(closes, 5*time.Minute); len(warned) != 0 {
		t.Errorf("hours that close later: warned at %v", warned)
	}
	// New hours under which it is closed already leave the grace, and say so.
	w.sureDay = false
	w.send(w.tick(time.Second, 0), 0)
	w.want(t, Warning)
	if w.state.Live.Warn.Kind != WarnClosing || w.state.Live.Left != limits().Grace {
		t.Errorf("%+v, left %s", w.state.Live.Warn, w.state.Live.Left)
	}
	w.pass(limits().Grace+time.Second, 0)
	w.drive()
	if got := last[wire.Ended](t, w, wire.KindEnded); got.Reason != wire.EndClosing {
		t.Errorf("ended by %q", got.Reason)
	}
}

func TestPrintingMayFinishAtClosing(t *testing.T) {
	w := active(t)
	w.send(Sending{Session: "s1", Busy: true}, 0)
	w.sureDay = false
	w.pass(limits().Grace+2*time.Second, 0)
	w.want(t, Ending)
	w.pass(limits().Finish/2, 0)
	w.want(t, Ending)
	w.send(Sending{Session: "s1"}, 0)
	w.want(t, Wiping)
}

// hoursSince sends a tick of hours that began some time ago.
func (w *world) hoursSince(open bool, since time.Duration) {
	f := w.tick(time.Second, 0)
	f.Open, f.Since, f.Vacant = open, w.at.Wall.Add(-since), w.at.Wall.Add(-since)
	if w.staffed {
		f.Vacant = time.Time{}
	}
	w.send(f, 0)
}

func (w *world) alerts(code string) (n int) {
	for _, r := range w.kept {
		var a wire.Alert
		if r.Kind == wire.KindAlert && json.Unmarshal(r.Body, &a) == nil && a.Code == code {
			n++
		}
	}
	return n
}

func TestAlarmThatIsArmedWhenThePlaceOpens(t *testing.T) {
	w := ready(t)
	w.send(Alarm{Contact: ContactOpen}, 0)
	w.want(t, Closed)
	opened := w.at.Wall
	tick := func() {
		f := w.tick(20*time.Second, 0)
		f.Since = opened
		w.send(f, 0)
	}
	tick()
	if n := w.alerts("alarm-armed"); n != 0 {
		t.Errorf("told %d times in the first minute", n)
	}
	for range 20 {
		tick()
	}
	w.want(t, Closed)
	if n := w.alerts("alarm-armed"); n != 1 || w.state.Reason != wire.RefuseAlarm {
		t.Errorf("told %d times for one opening, closed because of %q", n, w.state.Reason)
	}
	w.boot() // and not again after a restart
	w.drive()
	w.send(Alarm{Contact: ContactOpen}, 0)
	tick()
	if n := w.alerts("alarm-armed"); n != 1 {
		t.Errorf("told %d times after a restart", n)
	}
	w.send(Alarm{Contact: ContactClosed}, 0)
	tick()
	w.want(t, Welcome)
}

func TestAlarmThatIsNotArmedAfterClosing(t *testing.T) {
	w := ready(t)
	w.send(Alarm{Contact: ContactClosed}, 0)
	w.hoursSince(false, 29*time.Minute)
	if !w.state.WatchesAlarm(w.at) {
		t.Error("it may go off before anybody could be told")
	}
	if n := w.alerts("alarm-unarmed"); n != 0 {
		t.Errorf("told %d times before half an hour", n)
	}
	w.hoursSince(false, 31*time.Minute)
	w.hoursSince(false, 31*time.Minute+time.Second)
	if n := w.alerts("alarm-unarmed"); n != 1 || w.state.WatchesAlarm(w.at) {
		t.Errorf("told %d times, still watched: %v", n, w.state.WatchesAlarm(w.at))
	}
	// While the building's staff is there, after the public has left, nobody is told.
	w = ready(t)
	w.staffed = true
	w.send(Alarm{Contact: ContactClosed}, 0)
	w.hoursSince(false, time.Hour)
	if n := w.alerts("alarm-unarmed"); n != 0 {
		t.Errorf("told %d times with staff there", n)
	}
	// Where no contact is, nobody is told anything.
	w = ready(t)
	w.hoursSince(false, time.Minute)
	if w.state.WatchesAlarm(w.at) {
		t.Error("it stays on for a contact that is not there")
	}
	w.hoursSince(false, time.Hour)
	if n := w.alerts("alarm-unarmed"); n != 0 {
		t.Errorf("told %d times without a contact", n)
	}
	// A clock that is not sure says nothing about a closing.
	w = ready(t)
	w.send(Alarm{Contact: ContactClosed}, 0)
	w.at.Trusted = false
	w.hoursSince(false, time.Hour)
	if n := w.alerts("alarm-unarmed"); n != 0 {
		t.Errorf("told %d times with an unsure clock", n)
	}
}

func TestAlarmOfTheSpaceClosesAllItsTerminals(t *testing.T) {
	w := active(t)
	w.send(Neighbours{Armed: true}, 0)
	w.want(t, Wiping)
	w.drive()
	w.pass(limits().Thanks+time.Second, 0)
	w.want(t, Closed)
	if w.state.Reason != wire.RefuseAlarm {
		t.Errorf("closed because of %q", w.state.Reason)
	}
	if w.alerts("alarm-armed") != 0 {
		t.Error("a terminal without the contact tells of the alarm")
	}
	w.send(Neighbours{}, 0)
	w.want(t, Welcome)
}
