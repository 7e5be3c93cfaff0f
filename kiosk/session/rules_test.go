package session_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"borne/controller/wire"
	. "borne/kiosk/session"
)

// drive does every effect that was asked, without a mishap.
func (w *world) drive() {
	for n := 0; len(w.pending) > 0 && n < 20; n++ {
		e := w.pending[0]
		w.pending = w.pending[1:]
		if f := w.perform(e, false); f != nil {
			w.send(f, 0)
		}
	}
}

// ready is a world that stands on Welcome.
func ready(t *testing.T) *world {
	t.Helper()
	w := newWorld()
	w.send(Ruled{Limits: limits()}, 0)
	w.send(w.grant(4), 0)
	w.send(w.tick(time.Second, 0), 0)
	w.drive()
	w.want(t, Welcome)
	return w
}

// active is a world with a person's session.
func active(t *testing.T) *world {
	t.Helper()
	w := ready(t)
	w.begin(t)
	return w
}

// begin has somebody begin the session s1.
func (w *world) begin(t *testing.T) {
	t.Helper()
	w.send(Acted{Do: Begin}, 0)
	w.want(t, Charter)
	w.send(Acted{Do: Accept, Session: "s1"}, 0)
	w.want(t, Opening)
	w.drive()
	w.want(t, Active)
}

func (w *world) want(t *testing.T, p Phase) {
	t.Helper()
	if w.state.Phase != p {
		t.Fatalf("phase %s (%s), want %s", w.state.Phase, w.state.Reason, p)
	}
	if w.bad != "" {
		t.Fatal(w.bad)
	}
}

// last decodes the last record of a kind.
func last[T any](t *testing.T, w *world, kind string) T {
	t.Helper()
	var v T
	for i := len(w.kept) - 1; i >= 0; i-- {
		if w.kept[i].Kind == kind {
			if err := json.Unmarshal(w.kept[i].Body, &v); err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Fatalf("no %s record", kind)
	return v
}

func (w *world) pass(d time.Duration, idle time.Duration) {
	for end := w.at.Mono + d; w.at.Mono < end; {
		w.send(w.tick(time.Second, idle), 0)
	}
}

func TestEveryEndHasItsReasonAndReceipt(t *testing.T) {
	cmd := func(k wire.CommandKind) Fact { return Commanded{Command: wire.Command{ID: "c", Kind: k}} }
	cases := []struct {
		name string
		do   func(w *world)
		want wire.Reason
	}{
		{"button", func(w *world) { w.send(Acted{Do: End}, 0) }, wire.EndButton},
		{"arrived", func(w *world) { w.send(Acted{Do: Arrived}, 0) }, wire.EndArrived},
		{"another badge says it arrived", func(w *world) { w.send(Tapped{Holder: []byte{9}}, 0); w.send(Acted{Do: Arrived}, 0) }, wire.EndBadge},
		{"another badge, nobody answers", func(w *world) { w.send(Tapped{Holder: []byte{9}}, 0); w.pass(time.Minute, 0) }, wire.EndBadge},
		{"idle", func(w *world) { w.pass(4*time.Minute, time.Hour) }, wire.EndIdle},
		{"time", func(w *world) { w.pass(10*time.Minute, 0) }, wire.EndTime},
		{"closing", func(w *world) { w.sureDay = false; w.pass(time.Minute+time.Second, 0) }, wire.EndClosing},
		{"tamper", func(w *world) { w.send(Case{Contact: ContactOpen}, 0) }, wire.EndTamper},
		{"crash", func(w *world) { w.send(Lost{Session: "s1"}, 0) }, wire.EndCrash},
		{"warden", func(w *world) { w.send(Lost{Warden: true}, 0) }, wire.EndWarden},
		{"command end", func(w *world) { w.send(cmd(wire.CmdEnd), 0) }, wire.EndCommand},
		{"command wipe", func(w *world) { w.send(cmd(wire.CmdWipe), 0) }, wire.EndCommand},
		{"restart", func(w *world) { w.boot() }, wire.EndRestart},
		{"shutdown", func(w *world) { w.send(Stop{}, 0) }, wire.EndShutdown},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := active(t)
			c.do(w)
			w.want(t, Wiping)
			w.drive()
			if got := last[wire.Ended](t, w, wire.KindEnded); got.Reason != c.want || got.Session != "s1" || got.Wipes != 1 {
				t.Errorf("ended %+v, want reason %s", got, c.want)
			}
			if _, r := w.ledger(); r["p1"] != 1 || w.bad != "" {
				t.Errorf("receipts %v; %s", r, w.bad)
			}
		})
	}
}

func TestThreeFailedWipesTakeItOutOfService(t *testing.T) {
	w := active(t)
	w.send(Acted{Do: End}, 0)
	fail := func() {
		for range MaxWipes {
			w.want(t, Wiping)
			e := w.pending[len(w.pending)-1]
			w.pending = nil
			w.send(w.perform(e, true), 0)
			w.pass(RetryAfter, 0)
		}
	}
	fail()
	w.want(t, Broken)
	if w.state.Reason != wire.OutWipe {
		t.Fatalf("reason %s", w.state.Reason)
	}
	w.pass(20*time.Minute, 0)
	w.send(Tapped{Holder: []byte{1}}, 0)
	w.want(t, Broken)
	if got := last[wire.Refused](t, w, wire.KindRefused); got.Reason != wire.RefuseBroken {
		t.Errorf("refused %s", got.Reason)
	}
	w.send(Commanded{Command: wire.Command{ID: "c1", Kind: wire.CmdBack}}, 0)
	if got := last[wire.CommandDone](t, w, wire.KindCommand); got.Done {
		t.Error("a dirty terminal was put back in service")
	}
	// A lift proves the session's wipe first, then its own challenge.
	w.send(Commanded{Command: wire.Command{ID: "c2", Kind: wire.CmdLift, Nonce: []byte{7}}}, 0)
	w.want(t, Wiping)
	w.drive()
	w.want(t, Thanks)
	w.pass(20*time.Second, 0)
	w.want(t, Challenge)
	w.drive()
	w.want(t, Welcome)
	if got := last[wire.CommandDone](t, w, wire.KindCommand); got.ID != "c2" || !got.Done {
		t.Errorf("%+v", got)
	}
	if got := last[wire.Ended](t, w, wire.KindEnded); got.Wipes != 1 {
		t.Errorf("%+v", got)
	}
}

func TestAFailedSweepStaysOut(t *testing.T) {
	w := ready(t)
	w.send(Commanded{Command: wire.Command{ID: "c", Kind: wire.CmdWipe}}, 0)
	for range MaxWipes {
		w.want(t, Wiping)
		e := w.pending[len(w.pending)-1]
		w.send(Wiped{Effect: e.ID + 1}, 0) // another effect's result says nothing
		w.want(t, Wiping)
		w.send(w.perform(e, true), 0)
		w.pass(RetryAfter, 0)
	}
	w.want(t, Broken)
	w.boot() // a restart tries again, by itself
	w.want(t, Wiping)
	w.drive()
	w.want(t, Welcome)
}

func TestAReceiptOfSomethingElseProvesNothing(t *testing.T) {
	for name, spoil := range map[string]func(*wire.Receipt){
		"session": func(r *wire.Receipt) { r.Session = "s0" },
		"permit":  func(r *wire.Receipt) { r.Permit = "p0" },
		"nonce":   func(r *wire.Receipt) { r.Nonce = []byte{0} },
		"kind":    func(r *wire.Receipt) { r.Kind = wire.ReceiptChallenge },
		"found":   func(r *wire.Receipt) { r.Checks[0].Result = wire.Found },
		"missing": func(r *wire.Receipt) { r.Checks = r.Checks[1:] },
	} {
		t.Run(name, func(t *testing.T) {
			w := active(t)
			w.send(Acted{Do: End}, 0)
			e := w.pending[len(w.pending)-1]
			f := w.perform(e, false).(Wiped)
			var r wire.Receipt
			if err := json.Unmarshal(f.Receipt.Payload, &r); err != nil {
				t.Fatal(err)
			}
			spoil(&r)
			env, _ := wire.Seal(w.key, wire.DomainReceipt, r)
			f.Receipt = &env
			w.send(f, 0)
			if w.state.Phase != Wiping || w.state.Wipe.Failed != 1 {
				t.Errorf("phase %s: the receipt was believed", w.state.Phase)
			}
		})
	}
}

func TestQuarantineLetsThePersonFinish(t *testing.T) {
	w := active(t)
	w.send(Commanded{Command: wire.Command{ID: "c", Kind: wire.CmdQuarantine, Reason: wire.QuarReceiptMissing}}, 0)
	w.want(t, Active)
	w.send(Acted{Do: End}, 0)
	w.drive()
	w.want(t, Thanks)
	w.send(Acted{Do: Again}, 0)
	w.want(t, Quarantined)
	w.send(Acted{Do: Begin}, 0)
	w.want(t, Quarantined)
	w.send(Commanded{Command: wire.Command{ID: "l", Kind: wire.CmdLift, Nonce: []byte{3}}}, 0)
	w.want(t, Challenge)
	w.drive()
	w.want(t, Quarantined) // its clean receipt lifts, by the controller's word
	w.send(Commanded{Command: wire.Command{ID: "r", Kind: wire.CmdRelease}}, 0)
	w.want(t, Closed) // what it held before counts no more
	w.send(w.grant(1), 0)
	w.want(t, Welcome)
	if n := len(w.state.Permits); n != 1 {
		t.Errorf("%d permits after the quarantine, 1 was sent", n)
	}
	w.send(Welcomed{Quarantine: wire.QuarRolledBack}, 0)
	w.want(t, Quarantined)
	w.send(Welcomed{}, 0)
	if w.want(t, Closed); w.state.Reason != wire.RefuseNoPermit {
		t.Errorf("closed for %s", w.state.Reason)
	}
}

func TestIdleNeedsAnAnswer(t *testing.T) {
	w := active(t)
	w.pass(3*time.Minute, time.Hour)
	w.want(t, Warning)
	if w.state.Live.Warn.Kind != WarnIdle || w.state.Live.Warn.Of != time.Minute {
		t.Fatalf("%+v", w.state.Live.Warn)
	}
	w.send(w.tick(time.Second, 0), 0) // a mouse that is pushed is not an answer
	w.send(Acted{Do: Dismiss}, 0)
	w.want(t, Warning)
	w.send(Acted{Do: StillHere}, 0)
	w.want(t, Active)
	w.pass(90*time.Second, time.Hour)
	w.want(t, Active)
}

func TestAPlayingVideoIsAPerson(t *testing.T) {
	w := active(t)
	w.state.Limits.Warn = nil
	for range 300 {
		f := w.tick(time.Second, time.Hour)
		f.Playing = true
		w.send(f, 0)
	}
	w.want(t, Active)
}

func TestTimeIsExtendedUpToTheCap(t *testing.T) {
	w := active(t)
	w.send(Neighbours{OtherFree: true}, 0)
	kinds := map[WarnKind]int{}
	for range 20*60 + 2 {
		w.send(w.tick(time.Second, 0), 0)
		if w.state.Phase == Warning {
			kinds[w.state.Live.Warn.Kind]++
			w.send(Acted{Do: Dismiss}, 0)
		}
	}
	w.want(t, Wiping)
	w.drive()
	got := last[wire.Ended](t, w, wire.KindEnded)
	if got.Reason != wire.EndTime || got.Seconds != 20*60 || got.Active != got.Seconds {
		t.Errorf("%+v", got)
	}
	if kinds[WarnExtended] != 2 || kinds[WarnTime] != 4 {
		t.Errorf("warnings %v, want two extensions, two warnings before the first end and one before each later one (the extension itself tells five minutes)", kinds)
	}
}

func TestAnEndWaitsForAnUpload(t *testing.T) {
	w := active(t)
	up := func() Tick { f := w.tick(time.Second, 0); f.Uploading = true; return f }
	w.send(up(), 0)
	w.send(Acted{Do: End}, 0)
	w.want(t, Ending)
	w.send(up(), 0)
	w.want(t, Ending)
	for range 10 {
		w.send(up(), 0)
	}
	w.want(t, Wiping)
	w = active(t)
	w.send(up(), 0)
	w.send(Acted{Do: Arrived}, 0)
	w.want(t, Wiping) // whoever arrives waits for nobody's upload
}

func TestAnEndWaitsForADocumentOnItsWayToThePrinter(t *testing.T) {
	busy := func(w *world, on bool) Sending { return Sending{Session: w.state.Run.ID, Busy: on} }
	w := active(t)
	w.send(busy(w, true), 0)
	w.send(Acted{Do: End}, 0)
	w.want(t, Ending)
	w.send(Acted{Do: Arrived}, 0)
	w.send(w.tick(20*time.Second, 0), 0)
	w.want(t, Ending) // longer than for an upload
	w.send(Sending{Session: "another"}, 0)
	w.want(t, Ending)
	w.send(busy(w, false), 0)
	w.want(t, Wiping) // at once

	w = active(t)
	w.send(busy(w, true), 0)
	w.send(Acted{Do: End}, 0)
	for range 60 {
		w.want(t, Ending)
		w.send(w.tick(time.Second, 0), 0)
	}
	w.want(t, Wiping) // and never longer than that

	w = active(t)
	up := w.tick(time.Second, 0)
	up.Uploading = true
	w.send(busy(w, true), 0)
	w.send(up, 0)
	w.send(Acted{Do: End}, 0)
	w.send(up, 0)
	w.send(busy(w, false), 0)
	w.want(t, Ending) // the upload's own time is not over
	for range 10 {
		up = w.tick(time.Second, 0)
		up.Uploading = true
		w.send(up, 0)
	}
	w.want(t, Wiping)

	w = active(t)
	w.send(busy(w, true), 0)
	w.send(busy(w, false), 0)
	w.send(Acted{Do: End}, 0)
	w.want(t, Wiping)
}

func TestNoPermitNoSession(t *testing.T) {
	w := newWorld()
	w.send(Ruled{Limits: limits()}, 0)
	w.send(w.tick(time.Second, 0), 0)
	w.drive()
	w.want(t, Closed)
	w.send(Acted{Do: Begin}, 0)
	if w.want(t, Closed); last[wire.Refused](t, w, wire.KindRefused).Reason != wire.RefuseNoPermit || w.state.Live.Notice != wire.RefuseNoPermit {
		t.Error("refused without saying why")
	}
	w.send(w.grant(1), 0)
	w.want(t, Welcome)
	w.at.Wall = w.at.Wall.Add(100 * time.Hour)
	w.send(w.tick(time.Second, 0), 0)
	w.want(t, Closed) // it lapsed
	w.at.Trusted = false
	w.send(w.tick(time.Second, 0), 0)
	w.want(t, Welcome) // with an unsure clock only their number counts
}

func TestAnUnsureClockNeitherOpensNorCloses(t *testing.T) {
	w := ready(t)
	w.at.Trusted, w.sureDay = false, false
	w.send(w.tick(time.Second, 0), 0)
	w.want(t, Welcome)
	w.boot()
	w.drive()
	w.send(w.tick(time.Second, 0), 0)
	w.want(t, Welcome)
	w.at.Trusted = true
	w.send(w.tick(time.Second, 0), 0)
	w.want(t, Closed)
	w.at.Trusted, w.sureDay = false, true
	w.boot()
	w.drive()
	w.send(w.tick(time.Second, 0), 0)
	w.want(t, Closed)
}

func TestNobodyBeginsJustBeforeClosing(t *testing.T) {
	w := ready(t)
	f := w.tick(time.Second, 0)
	f.Until = w.at.Wall.Add(4 * time.Minute)
	w.send(f, 0)
	w.want(t, Welcome)
	w.send(Acted{Do: Begin}, 0)
	w.want(t, Welcome)
	if w.state.Live.Notice != wire.RefuseTooLate {
		t.Errorf("notice %q", w.state.Live.Notice)
	}
}

func TestClosingIsAnnounced(t *testing.T) {
	w := active(t)
	w.sureDay = false // a policy that closes at once
	w.send(w.tick(time.Second, 0), 0)
	w.want(t, Warning)
	if w.state.Live.Warn.Kind != WarnClosing || w.state.Live.Left != time.Minute {
		t.Fatalf("%+v left %s", w.state.Live.Warn, w.state.Live.Left)
	}
}

func TestABadgeWhereOneIsNeeded(t *testing.T) {
	w := ready(t)
	l := limits()
	l.BadgeRequired = true
	w.send(Ruled{Limits: l}, 0)
	w.send(Acted{Do: Begin}, 0)
	w.want(t, Welcome)
	w.send(Tapped{Refused: wire.RefuseManyBadges}, 0)
	w.want(t, Welcome)
	w.send(Tapped{Holder: []byte{5}}, 0)
	w.want(t, Charter)
	w.send(Acted{Do: Accept, Session: "s1"}, 0)
	if b := last[wire.Begun](t, w, wire.KindBegun); !bytes.Equal(b.Holder, []byte{5}) {
		t.Errorf("%+v", b)
	}
	w.drive()
	w.send(Tapped{Holder: []byte{5}}, 0) // one's own badge
	w.want(t, Active)
	w.send(Tapped{Refused: wire.RefuseUnknownBadge}, 0) // one that opens nothing
	w.want(t, Active)
}

func TestUnreadableStateNeedsAChallenge(t *testing.T) {
	w := newWorld()
	w.state = Unreadable()
	w.disk, _ = Encode(w.state)
	w.boot()
	w.want(t, Wiping)
	w.drive()
	w.want(t, Broken)
	w.boot()
	w.drive()
	if w.want(t, Broken); w.state.Reason != wire.OutState {
		t.Fatal(w.state.Reason)
	}
	w.send(Commanded{Command: wire.Command{ID: "l", Kind: wire.CmdLift, Nonce: []byte{3}}}, 0)
	w.drive()
	w.want(t, Closed)
}

func TestAnotherSchemaIsWiped(t *testing.T) {
	w := active(t)
	w.disk = bytes.Replace(w.disk, []byte(`"schema":1`), []byte(`"schema":99`), 1)
	s, err := Decode(w.disk)
	if err == nil || !s.Dirty || s.Serial != w.state.Serial {
		t.Fatalf("%v %+v", err, s)
	}
	next, effects, _ := Recover(s, w.at, wire.Boot{})
	if next.Phase != Wiping || len(effects) != 1 {
		t.Fatalf("%s %v", next.Phase, effects)
	}
}

func TestNobodyBeginsWithoutTheLists(t *testing.T) {
	w := ready(t)
	w.send(Protected{}, 0)
	w.want(t, Closed)
	if w.state.Reason != wire.RefuseNoLists {
		t.Errorf("reason %s", w.state.Reason)
	}
	w.send(Acted{Do: Begin}, 0)
	w.want(t, Closed)
	w.send(Protected{Ready: true}, 0)
	w.want(t, Welcome)
	// A person who works is not disturbed by a list that the rules ask for now.
	w = active(t)
	w.send(Protected{}, 0)
	w.want(t, Active)
	w.send(Acted{Do: End}, 0)
	w.drive()
	for range 60 {
		w.send(w.tick(time.Second, 0), 0)
	}
	w.want(t, Closed)
}

func TestRefusedSitesAreCountedByCategory(t *testing.T) {
	w := active(t)
	id := w.state.Run.ID
	w.send(Filtered{Session: id, Category: "adult", Count: 2}, 0)
	if l := w.state.Live; l.Refused != "adult" || l.RefusedTo <= w.at.Mono {
		t.Errorf("the person is told %q until %s", l.Refused, l.RefusedTo)
	}
	for _, f := range []Filtered{{Session: "another", Category: "adult", Count: 1}, {Session: id, Category: "WWW.example.org/x", Count: 1},
		{Session: id, Category: "sect", Count: 0}, {Session: id, Category: "games", Count: 1 << 30}} {
		w.send(f, 0)
	}
	for range 70 {
		w.send(w.tick(time.Second, 0), 0)
	}
	if got := w.state.Run.Filtered; got["adult"] != 2 { // after a whole minute it is durable
		t.Errorf("%v", got)
	}
	w.send(Filtered{Session: id, Category: "adult", Count: 1}, 0)
	w.send(Acted{Do: End}, 0)
	w.drive()
	got := last[wire.Ended](t, w, wire.KindEnded)
	if len(got.Filtered) != 2 || got.Filtered["adult"] != 3 || got.Filtered["games"] != 10000 {
		t.Errorf("%v", got.Filtered)
	}
}

// TestReadingOnStaysAtTheCharter: what becomes of one's data takes longer to read
// than the one sentence.
func TestReadingOnStaysAtTheCharter(t *testing.T) {
	w := ready(t)
	w.send(Acted{Do: Begin}, 0)
	w.want(t, Charter)
	for range 5 {
		w.send(w.tick(CharterFor-time.Second, 0), 0)
		w.want(t, Charter)
		w.send(Acted{Do: StillHere}, 0)
	}
	w.send(w.tick(CharterFor+time.Second, 0), 0)
	w.want(t, Welcome)
}
