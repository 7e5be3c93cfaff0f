package printing_test

import (
	"testing"
	"time"

	"borne/controller/wire"
	. "borne/kiosk/printing"
	"borne/kiosk/printjob"
)

func says(state printjob.State, n int) Progress {
	return Progress{Job: "j1", State: state, Impressions: n}
}

// TestSettlement is the table of what a job costs: 6 sides, on both sides of
// the sheet at 75, so 450 are set aside.
func TestSettlement(t *testing.T) {
	done, work, stop := printjob.Completed, printjob.Processing, printjob.Stopped
	for name, c := range map[string]struct {
		silent      Silent
		then        func(d *desk)
		outcome     wire.Outcome
		reason      wire.Reason
		charged     wire.Units
		impressions int
		sheets      int
		estimated   bool
	}{
		"printed":             {"", func(d *desk) { d.do(says(work, 3), says(done, 6)) }, wire.PrintSettled, "", 450, 6, 4, false},
		"printed, late count": {"", func(d *desk) { d.do(says(done, 4)).wait(time.Second).do(says(done, 6)) }, wire.PrintSettled, "", 450, 6, 4, false},
		"more than asked":     {"", func(d *desk) { d.do(says(done, 9)) }, wire.PrintSettled, "", 450, 9, 4, false},
		"fewer than asked":    {"", func(d *desk) { d.do(says(done, 5)).wait(QuietFor) }, wire.PrintSettled, "", 375, 5, 3, false},
		"sheets only":         {"", func(d *desk) { d.do(Progress{Job: "j1", State: done, Impressions: -1, Sheets: 4}); d.wait(QuietFor) }, wire.PrintSettled, "", 450, 6, 4, true},
		"sheets only, a jam": {"", func(d *desk) {
			d.do(Progress{Job: "j1", State: printjob.Aborted, Impressions: -1, Sheets: 1})
			d.wait(QuietFor)
		}, wire.PrintSettled, wire.PrintPrinter, 150, 2, 1, true},
		"sheets are told": {"", func(d *desk) { d.do(Progress{Job: "j1", State: done, Impressions: 6, Sheets: 4}) }, wire.PrintSettled, "", 450, 6, 4, false},
		"a queue guesses": {"", func(d *desk) { d.do(Progress{Job: "j1", State: done, Impressions: 6, Estimated: true}) }, wire.PrintSettled, "", 450, 6, 4, true},
		"jam at 3":        {"", func(d *desk) { d.do(says(stop, 3)).wait(time.Minute).do(says(printjob.Aborted, 3)).wait(QuietFor) }, wire.PrintSettled, wire.PrintPrinter, 225, 3, 2, false},
		"paper out, refilled": {"", func(d *desk) {
			d.do(says(stop, 2)).wait(StuckFor - time.Second).do(says(work, 2)).wait(time.Minute).do(says(done, 6))
		}, wire.PrintSettled, "", 450, 6, 4, false},
		"counts go back":        {"", func(d *desk) { d.do(says(work, 5), says(printjob.Aborted, 0)).wait(QuietFor) }, wire.PrintSettled, wire.PrintPrinter, 375, 5, 3, false},
		"aborted before a side": {"", func(d *desk) { d.do(says(printjob.Aborted, 0)).wait(QuietFor) }, wire.PrintDoubtful, wire.PrintPrinter, 0, 0, 0, false},
		"silent, charged":       {"", func(d *desk) { d.do(says(done, 0)).wait(QuietFor) }, wire.PrintSettled, wire.PrintSilent, 450, 6, 4, true},
		"silent, below nothing": {"", func(d *desk) { d.do(says(done, -2)).wait(QuietFor) }, wire.PrintSettled, wire.PrintSilent, 450, 6, 4, true},
		"silent, free":          {SilentFree, func(d *desk) { d.do(says(done, 0)).wait(QuietFor) }, wire.PrintSettled, wire.PrintSilent, 0, 6, 4, true},
		"silent, staff":         {SilentStaff, func(d *desk) { d.do(says(done, 0)).wait(QuietFor) }, wire.PrintDoubtful, wire.PrintSilent, 0, 0, 0, false},
		"cancelled": {"", func(d *desk) { d.do(says(work, 2), Declined{"j1"}, says(printjob.Canceled, 2)).wait(QuietFor) },
			wire.PrintSettled, wire.PrintCancelled, 150, 2, 1, false},
		"cancelled, the engine goes on": {"", func(d *desk) {
			d.do(says(work, 2), Declined{"j1"}, says(printjob.Canceled, 2)).wait(2 * time.Second).do(says(printjob.Canceled, 3)).wait(2 * time.Second).do(says(printjob.Canceled, 4)).wait(QuietFor)
		}, wire.PrintSettled, wire.PrintCancelled, 300, 4, 3, false},
		"cancelled, to the stop point": {"", func(d *desk) {
			d.do(says(work, 2), Declined{"j1"}, Progress{Job: "j1", State: printjob.Canceled, Impressions: 2, Stopping: true}).wait(time.Minute)
			d.do(Progress{Job: "j1", State: printjob.Canceled, Impressions: 5}).wait(QuietFor)
		}, wire.PrintSettled, wire.PrintCancelled, 375, 5, 3, false},
		"stopping for ever": {"", func(d *desk) {
			d.do(says(work, 2), Declined{"j1"}, Progress{Job: "j1", State: printjob.Canceled, Impressions: 2, Stopping: true}).wait(StoppingFor)
		}, wire.PrintSettled, wire.PrintCancelled, 150, 2, 1, false},
		"cancelled in time": {"", func(d *desk) { d.do(Declined{"j1"}, says(printjob.Canceled, 0)).wait(QuietFor) }, wire.PrintRefunded, wire.PrintCancelled, 0, 0, 0, false},
		"cancelled, and it never counts": {"", func(d *desk) {
			d.do(Progress{Job: "j1", State: work, Impressions: -1, Sheets: -1}, Declined{"j1"}, Progress{Job: "j1", State: printjob.Canceled, Impressions: -1, Sheets: -1}).wait(QuietFor)
		}, wire.PrintDoubtful, wire.PrintSilent, 0, 0, 0, false},
		"cancelled before it began, and it never counts": {"", func(d *desk) {
			d.do(Progress{Job: "j1", State: printjob.Pending, Impressions: -1, Sheets: -1}, Declined{"j1"}, Progress{Job: "j1", State: printjob.Canceled, Impressions: -1, Sheets: -1}).wait(QuietFor)
		}, wire.PrintRefunded, wire.PrintCancelled, 0, 0, 0, false},
		"cancelled too late":     {"", func(d *desk) { d.do(says(work, 5), Declined{"j1"}, says(done, 6)) }, wire.PrintSettled, "", 450, 6, 4, false},
		"cancelled at its panel": {"", func(d *desk) { d.do(says(printjob.Canceled, 1)).wait(QuietFor) }, wire.PrintSettled, wire.PrintPrinter, 75, 1, 1, false},
		"forgotten":              {"", func(d *desk) { d.do(says(work, 2), PrinterLost{Job: "j1", Forgotten: true}) }, wire.PrintDoubtful, wire.PrintLost, 0, 2, 0, false},
		"forgotten, all printed": {"", func(d *desk) { d.do(says(work, 6), PrinterLost{Job: "j1", Forgotten: true}) }, wire.PrintSettled, "", 450, 6, 4, false},
		"forgotten, over": {"", func(d *desk) { d.do(says(work, 2), says(printjob.Aborted, 2), PrinterLost{Job: "j1", Forgotten: true}) },
			wire.PrintSettled, wire.PrintPrinter, 150, 2, 1, false},
		"unreachable": {"", func(d *desk) { d.do(says(work, 2), PrinterLost{Job: "j1"}).wait(LostFor) }, wire.PrintDoubtful, wire.PrintUnreachable, 0, 2, 0, false},
		"away for a time": {"", func(d *desk) {
			d.do(says(work, 2), PrinterLost{Job: "j1"}).wait(LostFor - time.Second).do(says(done, 6))
		}, wire.PrintSettled, "", 450, 6, 4, false},
		"nobody refills": {"", func(d *desk) {
			d.do(says(stop, 2)).wait(StuckFor)
			if got := asked[Cancel](d); len(got) != 1 {
				d.t.Errorf("cancels %+v", got)
			}
			d.do(says(printjob.Canceled, 2)).wait(QuietFor)
		}, wire.PrintSettled, wire.PrintPrinter, 150, 2, 1, false},
		"and it does not listen": {"", func(d *desk) { d.do(says(stop, 2)).wait(StuckFor).wait(StuckFor) }, wire.PrintDoubtful, wire.PrintLost, 0, 2, 0, false},
		"after a power cut":      {"", func(d *desk) { d.do(says(work, 2)).cut(time.Minute).do(says(done, 6)) }, wire.PrintSettled, "", 450, 6, 4, false},
		"cut at its last word": {"", func(d *desk) {
			d.do(says(work, 2), says(printjob.Aborted, 2)).cut(time.Minute).wait(QuietFor).do(says(printjob.Aborted, 3)).wait(QuietFor)
		}, wire.PrintSettled, wire.PrintPrinter, 225, 3, 2, false},
		"cut, and it forgot": {"", func(d *desk) {
			d.do(says(work, 2), says(printjob.Aborted, 2)).cut(time.Minute).do(PrinterLost{Job: "j1", Forgotten: true})
		}, wire.PrintSettled, wire.PrintPrinter, 150, 2, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, nil, func(l *Limits) { l.Silent = c.silent }).do(offer(3, printjob.Ticket{Copies: 2, Duplex: printjob.LongEdge}))
			d.do(Confirmed{"j1"}, Sent{"s1", printjob.Sent{Job: 1, Remote: 12}})
			if j := d.job(); j.Asked != 6 || j.Sheets != 4 || j.Reserved != 450 {
				t.Fatalf("3 pages in 2 copies on both sides: %+v", j)
			}
			c.then(d)
			if len(d.records) != 1 || len(d.s.Jobs) > 0 {
				t.Fatalf("records %+v, jobs %+v", d.records, d.s.Jobs)
			}
			p := d.records[0]
			if p.Outcome != c.outcome || p.Reason != c.reason || p.Charged != c.charged || p.Reserved != 450 || p.Impressions != c.impressions || p.Estimated != c.estimated || p.Sheets != c.sheets {
				t.Errorf("got %+v", p)
			}
			if n := len(asked[Submit](d)); n > 1 {
				t.Errorf("it is sent %d times", n)
			}
			if d.s.Live.Session == nil {
				return
			}
			want := 2000 - c.charged
			if c.outcome == wire.PrintDoubtful {
				want = 2000 - 450
			}
			if v := d.s.View(d.at); v.Left != want || v.GivenBack != 450-(2000-want) || (v.Screen == Done) != (c.outcome == wire.PrintSettled) || v.Doubtful != (c.outcome == wire.PrintDoubtful) {
				t.Errorf("the person reads %+v, want %d left", v, want)
			}
		})
	}
}

// TestNotTaken: what the printer surely did not take is tried again for a while
// when that may help, and costs nothing in the end.
func TestNotTaken(t *testing.T) {
	no := func(w printjob.Why) Sent { return Sent{"s1", printjob.Sent{Job: 1, Why: w}} }
	d := at(t, StageSubmitting).do(no(printjob.WhyNoPrinter))
	if v := d.s.View(d.at); v.Screen != Queued || !d.s.Busy() {
		t.Errorf("a busy printer: %+v", v)
	}
	d.wait(RetryAfter - time.Second)
	if n := len(asked[Submit](d)); n != 1 {
		t.Errorf("%d attempts at once", n)
	}
	d.wait(time.Second).do(Sent{"s1", printjob.Sent{Job: 1, Remote: 12}}, says(printjob.Completed, 6))
	if n := len(asked[Submit](d)); n != 2 || len(d.records) != 1 || d.records[0].Charged != 450 {
		t.Errorf("%d attempts, %+v", n, d.records)
	}
	d = at(t, StageSubmitting)
	for range 30 {
		d.do(no(printjob.WhyNoPrinter)).wait(RetryAfter)
	}
	if len(d.records) != 1 || d.records[0].Outcome != wire.PrintRefunded || d.records[0].Reason != wire.PrintUnreachable {
		t.Errorf("down for ever: %+v", d.records)
	}
	for why, reason := range map[printjob.Why]wire.Reason{printjob.WhyRejected: wire.PrintPrinter, printjob.WhyUntrusted: wire.PrintUnreachable, printjob.WhyCut: wire.PrintUnreachable} {
		d := at(t, StageSubmitting).do(no(why))
		if len(d.records) != 1 || d.records[0].Outcome != wire.PrintRefunded || d.records[0].Reason != reason || d.s.View(d.at).Left != 2000 {
			t.Errorf("%s: %+v", why, d.records)
		}
	}
	d = at(t, StageSubmitting).do(Declined{"j1"}, no(printjob.WhyNoPrinter))
	if len(d.records) != 1 || d.records[0].Reason != wire.PrintCancelled {
		t.Errorf("cancelled before it was taken: %+v", d.records)
	}
	d = at(t, StageSubmitting).do(Declined{"j1"}, Sent{"s1", printjob.Sent{Job: 1, Remote: 12}})
	if got := asked[Cancel](d); len(got) != 1 {
		t.Errorf("cancelled while it was sent: %+v", d.asks)
	}
	d.wait(CancelAgain)
	if got := asked[Cancel](d); len(got) != 2 {
		t.Errorf("the printer did not hear: %+v", got)
	}
	d = at(t, StageOffered).do(PrinterReady{Accepting: true}, Confirmed{"j1"}, no(printjob.WhyNoPrinter), PrinterReady{}).wait(RetryFor)
	if len(d.records) != 1 || d.records[0].Reason != wire.PrintUnreachable {
		t.Errorf("a printer that went away: %+v", d.records)
	}
}

// TestFinding: whatever may have gone is looked for, never sent.
func TestFinding(t *testing.T) {
	d := at(t, StageFinding).do(Found{"j1", 12}, says(printjob.Completed, 6))
	if len(d.records) != 1 || d.records[0].Charged != 450 {
		t.Errorf("found: %+v", d.records)
	}
	d = at(t, StageFinding).do(Found{Job: "j1"}).wait(FindAgain)
	if n := len(asked[Find](d)); n != 2 || len(d.records) > 0 {
		t.Errorf("a printer that still reads: asked %d times, %+v", n, d.records)
	}
	d.do(Found{"j1", 12})
	if d.job().Remote != 12 {
		t.Errorf("found later: %+v", d.job())
	}
	d = at(t, StageFinding).do(Found{Job: "j1"}).wait(MissingFor)
	if len(d.records) != 1 || d.records[0].Outcome != wire.PrintDoubtful || d.records[0].Reason != wire.PrintLost {
		t.Errorf("not there: %+v", d.records)
	}
	d = at(t, StageFinding)
	for range 100 {
		d.do(PrinterLost{Job: "j1"}).wait(FindWithin / 100)
	}
	if len(d.records) != 1 || d.records[0].Outcome != wire.PrintDoubtful || d.records[0].Reason != wire.PrintUnreachable {
		t.Errorf("unreachable: %+v", d.records)
	}
	d = at(t, StageSubmitting).wait(SubmitWithin)
	if d.job().Stage != StageFinding || len(asked[Drop](d)) != 1 {
		t.Errorf("a press that hangs: %+v, %+v", d.job(), d.asks)
	}
	d.do(Sent{"s1", printjob.Sent{Job: 1, Remote: 12}})
	if d.job().Remote != 12 {
		t.Errorf("it answers late: %+v", d.job())
	}
	d = at(t, StageSubmitting).do(PressGone{"s1"})
	if d.job().Stage != StageFinding {
		t.Errorf("a press that died: %+v", d.job())
	}
	// A press may not claim another job's number.
	d = at(t, StagePrinting).do(Offered{ID: "j2", Session: "s1", Offer: printjob.Offer{Job: 2, Format: printjob.PDF, Pages: 1}}, Confirmed{"j2"}, PrinterLost{Job: "j1", Forgotten: true})
	d.do(Sent{"s1", printjob.Sent{Job: 2, Remote: 12}})
	if d.job().ID != "j2" || d.job().Stage != StageSubmitted {
		t.Errorf("a number that is free: %+v", d.job())
	}
	d.s.Jobs = append(d.s.Jobs, Job{ID: "j3", Session: "s1", Press: 3, Stage: StageSubmitting, Side: 100})
	d.do(Sent{"s1", printjob.Sent{Job: 3, Remote: 12}})
	if d.s.Jobs[1].Stage != StageFinding {
		t.Errorf("another's number: %+v", d.s.Jobs[1])
	}
}
