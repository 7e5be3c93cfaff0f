package printing_test

import (
	"slices"
	"testing"
	"time"

	"borne/controller/wire"
	. "borne/kiosk/printing"
	"borne/kiosk/printjob"
)

func another(id string, press, pages int) Offered {
	return Offered{ID: id, Session: "s1", Offer: printjob.Offer{Job: press, Format: printjob.PDF, Pages: pages}}
}

// print brings a job of some pages through, in its own session.
func (d *desk) print(session string, holder []byte, pages int) *desk {
	id := "p-" + session
	d.do(SessionBegan{Session: session, Holder: holder, Limits: d.s.Limits})
	d.do(Offered{ID: id, Session: session, Offer: printjob.Offer{Job: 1, Format: printjob.PDF, Pages: pages}}, Confirmed{id})
	d.do(Sent{session, printjob.Sent{Job: 1, Remote: 40}}, Progress{Job: id, State: printjob.Completed, Impressions: pages})
	return d.do(SessionEnded{Session: session}, PressGone{session})
}

func TestQuestion(t *testing.T) {
	d := newDesk(t, nil, nil).do(offer(12, printjob.Ticket{Duplex: printjob.LongEdge, Colour: true}))
	v := d.s.View(d.at)
	if v.Screen != Question || v.Impressions != 12 || v.Sheets != 6 || v.Cost != 2700 || v.Left != 2000 || v.Blocked != wire.PrintQuota || v.Scope != ScopeSession {
		t.Errorf("12 pages in colour, on both sides: %+v", v)
	}
	d.do(Confirmed{"j1"})
	if d.job().Stage != StageOffered {
		t.Errorf("too dear, and %s", d.job().Stage)
	}
	d.do(Chosen{"j1", printjob.Ticket{Duplex: printjob.LongEdge, NumberUp: 4}})
	if v = d.s.View(d.at); v.Cost != 900 || v.Blocked != "" || v.Ticket.NumberUp != 0 || v.Choice != (Choice{Colour: true, Duplex: true, Copies: 5, Pages: 12}) {
		t.Errorf("in black: %+v", v)
	}
	d.do(Chosen{"j1", printjob.Ticket{Pages: []printjob.Range{{From: 13, To: 14}}}})
	if got := d.s.View(d.at); got.Cost != 900 {
		t.Errorf("pages that there are not: %+v", got)
	}
	d.do(Chosen{"j1", printjob.Ticket{Duplex: printjob.LongEdge, Pages: []printjob.Range{{From: 3, To: 3}}, Copies: 9}})
	if v = d.s.View(d.at); v.Cost != 500 || v.Ticket.Duplex != printjob.OneSided || v.Ticket.Copies != 5 || v.Sheets != 5 {
		t.Errorf("one page, in too many copies: %+v", v)
	}
	d.wait(QuestionFor - time.Second)
	if len(d.records) > 0 || d.s.View(d.at).Answer != time.Second {
		t.Errorf("too early: %+v, %v", d.records, d.s.View(d.at).Answer)
	}
	d.wait(time.Second)
	if len(d.records) != 1 || d.records[0].Reason != wire.PrintUnanswered || len(asked[Drop](d)) != 1 || d.s.View(d.at).Reason != wire.PrintUnanswered {
		t.Errorf("nobody answers: %+v, %+v", d.records, d.asks)
	}
	// The second question's time begins when it is on screen.
	d = newDesk(t, nil, nil).do(another("j1", 1, 1), another("j2", 2, 1)).wait(time.Minute).wait(time.Minute)
	if len(d.records) != 1 || d.job().ID != "j2" || d.s.View(d.at).Answer != QuestionFor {
		t.Errorf("%+v, %+v", d.records, d.s.View(d.at))
	}
}

func TestBent(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(*Limits)
		printer *PrinterReady
		duplex  printjob.Duplex
		colour  bool
		copies  int
	}{
		"as wished":          {nil, nil, printjob.ShortEdge, true, 4},
		"no colour":          {func(l *Limits) { l.Colour = false }, nil, printjob.ShortEdge, false, 4},
		"never both":         {func(l *Limits) { l.Duplex = DuplexNever }, nil, printjob.OneSided, true, 4},
		"always both":        {func(l *Limits) { l.Duplex = DuplexAlways }, nil, printjob.ShortEdge, true, 4},
		"two copies":         {func(l *Limits) { l.Copies = 2 }, nil, printjob.ShortEdge, true, 2},
		"no word on copies":  {func(l *Limits) { l.Copies = 0 }, nil, printjob.ShortEdge, true, 1},
		"a plain printer":    {nil, &PrinterReady{Accepting: true}, printjob.OneSided, false, 4},
		"always, but it can": {func(l *Limits) { l.Duplex = DuplexAlways }, &PrinterReady{Accepting: true, Copies: 3, Colour: true}, printjob.OneSided, true, 3},
	} {
		d := newDesk(t, nil, c.change)
		if c.printer != nil {
			d.do(*c.printer)
		}
		d.do(offer(4, printjob.Ticket{Copies: 4, Duplex: printjob.ShortEdge, Colour: true}))
		if got := d.job().Ticket; got.Duplex != c.duplex || got.Colour != c.colour || got.Copies != c.copies {
			t.Errorf("%s: %+v", name, got)
		}
		if v := d.s.View(d.at); (v.Bent == wire.PrintNoColour) == c.colour {
			t.Errorf("%s: told %q", name, v.Bent)
		}
	}
	d := newDesk(t, nil, func(l *Limits) { l.Duplex = DuplexAlways }).do(offer(4, printjob.Ticket{}))
	if d.job().Ticket.Duplex != printjob.LongEdge || d.job().Reserved != 0 || d.s.View(d.at).Cost != 300 {
		t.Errorf("always on both sides: %+v", d.job())
	}
	d.do(PrinterReady{Accepting: true})
	if d.job().Ticket.Duplex != printjob.OneSided || d.s.View(d.at).Cost != 400 {
		t.Errorf("it cannot, after all: %+v", d.job())
	}
}

func TestHold(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Limits)
		ticket printjob.Ticket
		held   bool
	}{
		"none":        {nil, printjob.Ticket{}, false},
		"all":         {func(l *Limits) { l.HoldAll = true }, printjob.Ticket{}, true},
		"over":        {func(l *Limits) { l.HoldOver = 5 }, printjob.Ticket{}, true},
		"not over":    {func(l *Limits) { l.HoldOver = 6 }, printjob.Ticket{}, false},
		"in colour":   {func(l *Limits) { l.HoldColour = true }, printjob.Ticket{Colour: true}, true},
		"not colour":  {func(l *Limits) { l.HoldColour = true }, printjob.Ticket{}, false},
		"over copies": {func(l *Limits) { l.HoldOver = 11 }, printjob.Ticket{Copies: 2}, true},
	} {
		d := newDesk(t, nil, c.change).do(offer(6, c.ticket), Confirmed{"j1"})
		q := d.s.Waiting()
		if (len(q) == 1) != c.held || c.held && (q[0].Job != "j1" || q[0].Impressions != d.job().Asked || q[0].Since != start.Wall) {
			t.Errorf("%s: waiting %+v", name, q)
		}
		if sent := len(asked[Submit](d)) == 1; sent == c.held {
			t.Errorf("%s: sent %v", name, sent)
		}
	}
	d := at(t, StageHeld)
	if v := d.s.View(d.at); v.Screen != OnHold || v.Left != 2000-450 {
		t.Errorf("%+v", v)
	}
	d.do(Released{"other", "c1"}, Released{"j1", "c2"}, Released{"j1", "c3"})
	if len(d.done) != 3 || d.done[0].Done || !d.done[1].Done || d.done[2].Done || d.job().Stage != StageSubmitting {
		t.Errorf("%+v, %s", d.done, d.job().Stage)
	}
	d = at(t, StageHeld).do(StaffRefused{"j1", "c1", ""})
	if len(d.records) != 1 || d.records[0].Reason != wire.PrintRefused || !d.done[0].Done || d.s.View(d.at).Left != 2000 {
		t.Errorf("%+v, %+v", d.records, d.done)
	}
}

func TestLedger(t *testing.T) {
	holder := []byte{7, 7}
	d := newDesk(t, holder, nil).do(offer(4, printjob.Ticket{}))
	got := asked[AskLedger](d)
	if len(got) != 1 || got[0].Ask.Units != 0 || got[0].Ask.Job != "j1" || !slices.Equal(got[0].Ask.Holder, holder) {
		t.Fatalf("before the question: %+v", d.asks)
	}
	d.do(Answered{wire.PrintAnswer{Job: "j1", Left: 300}})
	if v := d.s.View(d.at); v.Left != 300 || v.Blocked != wire.PrintQuota || v.Scope != ScopeLedger {
		t.Errorf("%+v", v)
	}
	d.do(Chosen{"j1", printjob.Ticket{Pages: []printjob.Range{{From: 1, To: 2}}}}, Confirmed{"j1"})
	if got = asked[AskLedger](d); len(got) != 2 || got[1].Ask.Units != 200 || d.job().Stage != StageReserving || len(asked[Submit](d)) > 0 {
		t.Fatalf("%+v, %s", d.asks, d.job().Stage)
	}
	d.do(Answered{wire.PrintAnswer{Job: "j1", Left: 300}}) // of the question before
	if d.job().Stage != StageReserving {
		t.Errorf("an old answer decides: %s", d.job().Stage)
	}
	d.do(Answered{wire.PrintAnswer{Job: "j1", Granted: true, Left: 100}})
	if d.job().Stage != StageSubmitting || d.s.View(d.at).Left != 100 {
		t.Errorf("%s, %+v", d.job().Stage, d.s.View(d.at))
	}
	d.do(Sent{"s1", printjob.Sent{Job: 1, Remote: 1}}, says(printjob.Aborted, 1)).wait(QuietFor)
	if v := d.s.View(d.at); v.Left != 200 || v.GivenBack != 100 || len(d.records) != 1 || !slices.Equal(d.records[0].Holder, holder) || d.records[0].Offline {
		t.Errorf("a page is given back: %+v, %+v", v, d.records)
	}
	d = newDesk(t, holder, nil).do(offer(4, printjob.Ticket{}), Confirmed{"j1"}, Answered{wire.PrintAnswer{Job: "j1", Left: 100, Reason: wire.PrintQuota}})
	if len(d.records) != 1 || d.records[0].Outcome != wire.PrintRefunded || d.records[0].Reason != wire.PrintQuota || d.s.View(d.at).Left != 100 {
		t.Errorf("%+v", d.records)
	}
	// Whoever only looked has no place in the ledger's records.
	d = newDesk(t, holder, nil).do(offer(4, printjob.Ticket{}), Declined{"j1"})
	if len(d.records[0].Holder) > 0 {
		t.Errorf("%+v", d.records[0])
	}
}

func TestOffline(t *testing.T) {
	holder := []byte{7}
	d := newDesk(t, holder, nil).do(offer(4, printjob.Ticket{}), Confirmed{"j1"}).wait(AnswerWithin)
	if j := d.job(); j.Stage != StageSubmitting || !j.Offline {
		t.Fatalf("%+v", j)
	}
	if v := d.s.View(d.at); v.Left != 100 || v.Scope != ScopeOffline || !v.Offline {
		t.Errorf("5 pages on the allowance, 4 taken: %+v", v)
	}
	d.do(Answered{wire.PrintAnswer{Job: "j1", Reason: wire.PrintQuota, Left: 0}}) // too late: it prints already
	if len(d.records) > 0 {
		t.Errorf("%+v", d.records)
	}
	d.do(LedgerLost{}, Sent{"s1", printjob.Sent{Job: 1, Remote: 1}}, says(printjob.Aborted, 3)).wait(QuietFor)
	if p := d.records[0]; !p.Offline || p.Charged != 300 || len(p.Holder) == 0 {
		t.Errorf("%+v", p)
	}
	d.do(another("j2", 2, 3), LedgerLost{})
	if v := d.s.View(d.at); v.Blocked != wire.PrintOffline && v.Blocked != wire.PrintQuota {
		t.Errorf("3 of 2 pages: %+v", v)
	}
	d.do(Chosen{"j2", printjob.Ticket{}}).wait(AskAgain)
	if got := asked[AskLedger](d); got[len(got)-1].Ask.Job != "j2" || len(got) < 4 {
		t.Errorf("the ledger is not asked again: %+v", got)
	}
	d = newDesk(t, holder, nil).do(offer(6, printjob.Ticket{}), Confirmed{"j1"}, LedgerLost{})
	if len(d.records) != 1 || d.records[0].Reason != wire.PrintOffline || len(asked[Submit](d)) > 0 {
		t.Errorf("6 of 5 pages: %+v", d.records)
	}
	// Nobody's pages are nobody's to ask about.
	d = newDesk(t, nil, nil).do(LedgerLost{}, offer(6, printjob.Ticket{}), Confirmed{"j1"})
	if len(asked[AskLedger](d)) > 0 || d.job().Stage != StageSubmitting {
		t.Errorf("without a badge: %+v", d.asks)
	}
}

// TestHour: starting again, as a person or as a terminal, does not start the
// count again.
func TestHour(t *testing.T) {
	left := func(d *desk) wire.Units {
		d.do(SessionBegan{Session: "look", Limits: d.s.Limits})
		v := d.s.View(d.at)
		d.do(PressGone{"look"})
		return v.Left
	}
	fill := func() *desk {
		d := newDesk(t, nil, func(l *Limits) { l.Hour = 25 })
		return d.print("a", nil, 15).wait(20*time.Minute).print("b", nil, 6)
	}
	d := fill()
	if got := left(d); got != 400 {
		t.Fatalf("%d left of 25 pages after 15 and 6", got)
	}
	d.print("c", []byte{1}, 5) // a badge's are its own
	if got := left(d); got != 400 {
		t.Errorf("a badge's pages count: %d left", got)
	}
	if d.do(SessionBegan{Session: "s1", Limits: d.s.Limits}, another("j1", 1, 5)); d.s.View(d.at).Blocked != wire.PrintQuotaHour || d.s.View(d.at).Scope != ScopeHour {
		t.Errorf("%+v", d.s.View(d.at))
	}
	d.wait(39 * time.Minute)
	if got := left(d); got != 400 {
		t.Errorf("after 59 minutes: %d", got)
	}
	if got := left(d.wait(time.Minute)); got != 1900 {
		t.Errorf("after 60 minutes: %d", got)
	}
	if got := left(fill().cut(39 * time.Minute)); got != 400 {
		t.Errorf("over a restart of 39 minutes: %d", got)
	}
	if got := left(fill().cut(40 * time.Minute)); got != 1900 {
		t.Errorf("over a restart of 40 minutes: %d", got)
	}
	if got := left(fill().cut(10 * time.Minute).cut(10 * time.Minute).wait(20 * time.Minute)); got != 1900 {
		t.Errorf("over two restarts: %d", got)
	}
	d = fill()
	d.at.Trusted = false
	if got := left(d.cut(3 * time.Hour)); got != 400 {
		t.Errorf("a clock that cannot be trusted: %d", got)
	}
	if got := left(d.wait(59 * time.Minute)); got != 400 {
		t.Errorf("59 minutes later: %d", got)
	}
	if got := left(d.wait(time.Minute)); got != 2000 {
		t.Errorf("60 minutes later: %d", got)
	}
	if got := left(fill().cut(-24 * time.Hour)); got != 400 {
		t.Errorf("a clock that went back: %d", got)
	}
	d = newDesk(t, nil, func(l *Limits) { l.Hour = 25 })
	for range 300 {
		d.print("x", nil, 1).wait(time.Second)
	}
	if len(d.s.Hour) > 200 || left(d) != 0 {
		t.Errorf("%d charges, %d left", len(d.s.Hour), left(d))
	}
}

func TestGranted(t *testing.T) {
	d := newDesk(t, nil, func(l *Limits) { l.Session, l.Hour = 2, 2 }).do(offer(4, printjob.Ticket{}))
	d.do(Granted{"", 3, "c1"}, Granted{"", 3, "c1"}, Granted{"", 5000, "c2"})
	if v := d.s.View(d.at); v.Left != 500 || v.Blocked != "" || len(d.done) != 3 || !d.done[1].Done || d.done[2].Done {
		t.Errorf("%+v, %+v", v, d.done)
	}
	d.do(SessionEnded{Session: "s1"}, Granted{"", 3, "c3"}, PressGone{"s1"}, Granted{"", 3, "c4"})
	if d.done[3].Done || d.done[4].Done || d.done[4].Reason != "no-session" {
		t.Errorf("%+v", d.done)
	}
	if d.do(SessionBegan{Session: "s2", Limits: d.s.Limits}); d.s.View(d.at).Left != 200 {
		t.Errorf("the next person has %d", d.s.View(d.at).Left)
	}
}

func TestRefusedOffers(t *testing.T) {
	d := newDesk(t, nil, func(l *Limits) { l.Enabled = false }).do(offer(1, printjob.Ticket{}))
	if v := d.s.View(d.at); v.Why != printjob.WhyNotHere || v.Screen != NotDone || len(asked[Drop](d)) != 1 || len(d.s.Jobs) > 0 {
		t.Errorf("printing is off: %+v, %+v", v, d.asks)
	}
	d = newDesk(t, nil, nil)
	for i := range MaxJobs + 1 {
		d.do(another(string(rune('a'+i)), i+1, 1))
	}
	if v := d.s.View(d.at); len(d.s.Jobs) != MaxJobs || len(asked[Drop](d)) != 1 || v.Screen != Question {
		t.Errorf("%d jobs", len(d.s.Jobs))
	}
	d = newDesk(t, nil, nil).do(Refused{"s1", printjob.WhyEncrypted})
	if v := d.s.View(d.at); v.Why != printjob.WhyEncrypted || v.Screen != NotDone {
		t.Errorf("%+v", v)
	}
	if d.wait(ResultFor); d.s.View(d.at).Screen != Nothing {
		t.Errorf("%+v stays", d.s.View(d.at))
	}
	d = newDesk(t, nil, nil).do(Offered{ID: "x", Session: "old", Offer: printjob.Offer{Job: 1, Pages: 1}})
	if len(d.s.Jobs) > 0 || len(asked[Drop](d)) != 1 {
		t.Errorf("another session's: %+v", d.asks)
	}
	d = newDesk(t, nil, nil).do(offer(2, printjob.Ticket{}), Ruled{})
	if len(d.records) != 1 || d.records[0].Reason != wire.PrintRefused {
		t.Errorf("printing is switched off: %+v", d.records)
	}
	d = newDesk(t, nil, func(l *Limits) { l.Job = 3 }).do(offer(2, printjob.Ticket{Copies: 2}))
	if v := d.s.View(d.at); v.Blocked != wire.PrintJobPages {
		t.Errorf("4 sides of 3: %+v", v)
	}
}

// TestSessionEnds at every stage.
func TestSessionEnds(t *testing.T) {
	for _, stage := range Stages() {
		d := at(t, stage).do(SessionEnded{Session: "s1"})
		waits := stage == StageReserved || stage == StageSubmitting
		if d.s.Busy() != waits {
			t.Errorf("%s: busy %v", stage, d.s.Busy())
		}
		switch stage {
		case StageOffered, StageHeld, StageReserving:
			if len(d.records) != 1 || d.records[0].Reason != wire.PrintEnded || d.records[0].Outcome != wire.PrintRefunded {
				t.Errorf("%s: %+v", stage, d.records)
			}
		case StageReserved, StageSubmitting, StageFinding, StageSubmitted, StagePrinting:
			if len(d.records) > 0 {
				t.Errorf("%s: %+v", stage, d.records)
			}
		}
		if d.wait(time.Minute); d.s.Busy() {
			t.Errorf("%s: busy after a minute", stage)
		}
		if n := len(asked[Submit](d)); n > 2 {
			t.Errorf("%s: sent %d times", stage, n)
		}
		now := at(t, stage).do(SessionEnded{Session: "s1", Now: true})
		if now.s.Busy() {
			t.Errorf("%s: the end cannot wait, and does", stage)
		}
		d.do(PressGone{"s1"})
		if v := d.s.View(d.at); v.Screen != Nothing || v.Job != "" {
			t.Errorf("%s: the next person reads %+v", stage, v)
		}
	}
	d := at(t, StageSubmitting).do(SessionEnded{Session: "s1"}).wait(50*time.Second).do(Sent{"s1", printjob.Sent{Job: 1, Remote: 12}}, PressGone{"s1"})
	d.do(SessionBegan{Session: "s2", Limits: limits()}, says(printjob.Completed, 6))
	if len(d.records) != 1 || d.records[0].Charged != 450 || d.records[0].Session != "s1" || d.s.View(d.at).Left != 2000 || d.s.View(d.at).Screen != Nothing {
		t.Errorf("it settles in the next session: %+v, %+v", d.records, d.s.View(d.at))
	}
}

// TestOneAtATime: the second waits, in sight, and follows.
func TestOneAtATime(t *testing.T) {
	d := at(t, StagePrinting).do(another("j2", 2, 1), Confirmed{"j2"}, another("j3", 3, 1), Confirmed{"j3"})
	if n := len(asked[Submit](d)); n != 1 || d.s.View(d.at).Others != 2 {
		t.Errorf("%d sent, %+v", n, d.s.View(d.at))
	}
	d.do(says(printjob.Completed, 6))
	if got := asked[Submit](d); len(got) != 2 || got[1].ID != "j2" || got[1].Name != "borne-j2" {
		t.Errorf("%+v", got)
	}
	d.do(PrinterReady{}, Sent{"s1", printjob.Sent{Job: 2, Remote: 13}}, Progress{Job: "j2", State: printjob.Completed, Impressions: 1})
	if got := asked[Submit](d); len(got) != 2 || d.s.View(d.at).Reason != wire.PrintUnreachable {
		t.Errorf("sent to a printer that is away: %+v", got)
	}
	d.do(PrinterReady{Accepting: true})
	if got := asked[Submit](d); len(got) != 3 || got[2].ID != "j3" {
		t.Errorf("%+v", got)
	}
}

// TestPagesOfAGroup: a badge whose group has other pages than the rules give has
// them in its session, whatever the rules become, and nobody after it.
func TestPagesOfAGroup(t *testing.T) {
	d := newDesk(t, nil, func(l *Limits) { l.Session = 5 }) // whoever is here has five
	d.do(SessionEnded{Session: "s1"}, PressGone{"s1"})
	d.do(SessionBegan{Session: "s2", Holder: []byte{7}, Limits: d.s.Limits, Pages: 30})
	d.do(Offered{ID: "j2", Session: "s2", Offer: printjob.Offer{Job: 1, Format: printjob.PDF, Pages: 12}}, Answered{wire.PrintAnswer{Job: "j2", Left: 4000}})
	if v := d.s.View(d.at); v.Left != 3000 || v.Scope != ScopeSession || v.Blocked != "" {
		t.Errorf("30 pages of a session: %+v", v)
	}
	d.do(Ruled{Limits{Enabled: true, Session: 2, Prices: d.s.Limits.Prices}})
	if v := d.s.View(d.at); v.Left != 3000 {
		t.Errorf("with other rules: %+v", v)
	}
	d.do(Answered{wire.PrintAnswer{Job: "j2", Left: 700}})
	if v := d.s.View(d.at); v.Left != 700 || v.Scope != ScopeLedger || v.Blocked != wire.PrintQuota {
		t.Errorf("the ledger has fewer: %+v", v)
	}
	d.do(SessionEnded{Session: "s2"}, PressGone{"s2"}, SessionBegan{Session: "s3", Holder: []byte{8}, Limits: d.s.Limits})
	if v := d.s.View(d.at); v.Left != 200 {
		t.Errorf("the next person has %+v", v)
	}
}
