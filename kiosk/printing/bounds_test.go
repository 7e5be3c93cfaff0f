package printing_test

import (
	"fmt"
	"testing"
	"time"

	"borne/controller/wire"
	. "borne/kiosk/printing"
	"borne/kiosk/printjob"
)

// TestPagesGivenToOneAreNotTheNexts: a grant that comes late is nobody's.
func TestPagesGivenToOneAreNotTheNexts(t *testing.T) {
	d := newDesk(t, nil, nil)
	before := d.s.View(d.at).Left
	d.do(Granted{Session: "another", Pages: 5, Command: "c1"})
	if got := d.s.View(d.at).Left; got != before {
		t.Errorf("%d left, want %d", got, before)
	}
	d.do(Granted{Session: "s1", Pages: 5, Command: "c2"})
	if got := d.s.View(d.at).Left; got != before+500 {
		t.Errorf("%d left after a grant of theirs, want %d", got, before+500)
	}
}

// TestMorePagesThanWereCounted: a printer that counts the document otherwise is stopped.
func TestMorePagesThanWereCounted(t *testing.T) {
	d := at(t, StagePrinting).do(says(printjob.Processing, 6))
	if len(asked[Cancel](d)) != 0 {
		t.Fatal("it is stopped at the last side that was asked for")
	}
	d.do(says(printjob.Processing, 7))
	if len(asked[Cancel](d)) != 1 {
		t.Error("it prints on")
	}
	d.do(says(printjob.Canceled, 8)).wait(QuietFor)
	if r := d.records[0]; r.Outcome != wire.PrintSettled || r.Charged != 450 || r.Impressions != 8 {
		t.Errorf("%+v", r)
	}
}

// TestWhoeverRefillsFindsNobodysPages: a printer that stands still is waited for while its
// person is there, and not for long once they have left.
func TestWhoeverRefillsFindsNobodysPages(t *testing.T) {
	empty := func(state printjob.State) Progress {
		p := says(state, 2)
		p.Reasons = []string{"media-empty-error"}
		return p
	}
	for _, state := range []printjob.State{printjob.Stopped, printjob.Processing} {
		d := at(t, StagePrinting).do(empty(state)).wait(LeftFor + time.Minute)
		if len(asked[Cancel](d)) != 0 {
			t.Errorf("%v: it is stopped while its person waits", state)
		}
		d.do(SessionEnded{Session: "s1", Now: true}, PressGone{"s1"}).wait(LeftFor)
		if len(asked[Cancel](d)) != 1 {
			t.Errorf("%v: it waits for a refill", state)
		}
	}
}

// TestAQueueOfOurOwnHoldsNothingAfterwards: documents in a queue of this machine's are
// waited for as those in the press are, and then taken back.
func TestAQueueOfOurOwnHoldsNothingAfterwards(t *testing.T) {
	for _, queue := range []bool{false, true} {
		d := newDesk(t, nil, func(l *Limits) { l.Queue, l.Finish = queue, time.Minute }).do(offer(3, printjob.Ticket{}))
		d.do(Confirmed{"j1"}, Sent{"s1", printjob.Sent{Job: 1, Remote: 12}}, says(printjob.Processing, -1), SessionEnded{Session: "s1"})
		if d.s.Busy() != queue {
			t.Errorf("queue %v: busy %v", queue, d.s.Busy())
		}
		if d.wait(59 * time.Second); len(asked[Cancel](d)) != 0 {
			t.Errorf("queue %v: stopped before its time", queue)
		}
		if d.wait(time.Second); (len(asked[Cancel](d)) > 0) != queue {
			t.Errorf("queue %v: %d cancels", queue, len(asked[Cancel](d)))
		}
	}
}

// TestACancelReachesThePress: a press that waits at a busy printer waits no longer.
func TestACancelReachesThePress(t *testing.T) {
	d := at(t, StageSubmitting).do(Declined{"j1"})
	drops := asked[Drop](d)
	if len(drops) != 1 || !drops[0].Gently || drops[0].Job != 1 {
		t.Fatalf("%+v", drops)
	}
	d.do(Sent{"s1", printjob.Sent{Job: 1, Why: printjob.WhyCut}})
	if r := d.records[0]; r.Outcome != wire.PrintRefunded || r.Reason != wire.PrintCancelled {
		t.Errorf("%+v", r)
	}
}

// TestStartingAgainStartsNoAllowance: what a badge printed offline counts in its next session too.
func TestStartingAgainStartsNoAllowance(t *testing.T) {
	badge := []byte{1}
	d := newDesk(t, badge, func(l *Limits) { l.Offline = 4 }).do(offer(3, printjob.Ticket{}), LedgerLost{}, Confirmed{"j1"}, LedgerLost{})
	d.do(Sent{"s1", printjob.Sent{Job: 1, Remote: 12}}, says(printjob.Completed, 3))
	next := func(holder []byte) wire.Units {
		d.do(SessionEnded{Session: "s1", Now: true}, PressGone{"s1"}, SessionBegan{Session: "s2", Holder: holder, Limits: d.s.Limits}, LedgerLost{})
		return d.s.View(d.at).Left
	}
	if len(d.records) != 1 || d.records[0].Charged != 300 {
		t.Fatalf("%+v", d.records)
	}
	if got := next(badge); got != 100 {
		t.Errorf("%d left of an allowance of 400, want 100", got)
	}
	d.do(SessionEnded{Session: "s2", Now: true}, PressGone{"s2"})
	if got := next([]byte{2}); got != 400 {
		t.Errorf("another badge has %d, want 400", got)
	}
}

// TestOffersAreBounded: each leaves a record, and a program may offer all day.
func TestOffersAreBounded(t *testing.T) {
	d := newDesk(t, nil, nil)
	for n := 1; n <= 400; n++ {
		d.do(Offered{ID: fmt.Sprint("x", n), Session: "s1", Offer: printjob.Offer{Job: n, Format: printjob.PDF, Pages: 1}}, Withdrawn{"s1", n})
	}
	if len(d.records) != 200 {
		t.Errorf("%d records", len(d.records))
	}
}

// TestStaffsWordIsRead by whoever is refused.
func TestStaffsWordIsRead(t *testing.T) {
	d := at(t, StageHeld).do(StaffRefused{Job: "j1", Text: "Trop de pages ce matin"})
	if v := d.s.View(d.at); v.Text != "Trop de pages ce matin" || v.Screen != NotDone {
		t.Errorf("%+v", v)
	}
}
