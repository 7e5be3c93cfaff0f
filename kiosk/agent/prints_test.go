package agent_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/agent"
	"borne/kiosk/agent/agenttest"
	"borne/kiosk/printing"
	"borne/kiosk/printjob"
	"borne/kiosk/shell"
)

// paperBed is a terminal with a printer, and somebody at work.
func paperBed(t *testing.T, change func(*policy.Policy)) (*bed, *agenttest.Printer) {
	t.Helper()
	printer := agenttest.NewPrinter()
	b := newBed(t, func(o *agenttest.Options) { o.Printer = printer })
	b.ready()
	p := rules()
	p.Version, p.Printing.Enabled = 2, true
	if change != nil {
		change(&p)
	}
	b.must(b.c.Policy(p))
	b.waitPolicy(2)
	b.see(shell.Welcome)
	b.active()
	return b, printer
}

func (b *bed) press() *agenttest.Press {
	b.t.Helper()
	p := b.Warden.Press()
	if p == nil {
		b.t.Fatal("the session has no press")
	}
	return p
}

func (b *bed) told(p *agenttest.Press, what string, want func(printjob.ToPress) bool) printjob.ToPress {
	b.t.Helper()
	f, err := p.Await(soon, want)
	if err != nil {
		b.t.Fatalf("waiting for %s: %v", what, err)
	}
	return f
}

func (b *bed) question() shell.View {
	b.t.Helper()
	v, err := b.Wait(soon, func(v shell.View) bool { return v.Screen == shell.PrintPage && v.Print.Stage == shell.StageQuestion })
	if err != nil {
		b.t.Fatalf("waiting for the question: %v", err)
	}
	return v
}

// printed lists the final records of print jobs.
func (b *bed) printed() (all []wire.Printed) {
	b.t.Helper()
	for _, r := range b.records(wire.KindPrint) {
		var p wire.Printed
		b.must(json.Unmarshal(r.Body, &p))
		all = append(all, p)
	}
	return all
}

func (b *bed) onePrinted() wire.Printed {
	b.t.Helper()
	b.until("the job's record", func() bool { b.Tick(time.Second); return len(b.printed()) == 1 })
	return b.printed()[0]
}

func submitted(f printjob.ToPress) bool { return f.Submit != nil }

// confirm answers the question with yes, and gives what the press is told.
func (b *bed) confirm(v shell.View) printjob.Submit {
	b.t.Helper()
	b.PressWith(shell.Action{Do: shell.PrintIt, Job: v.Print.Job, Print: v.Print.Choice})
	return *b.told(b.press(), "the order to send", submitted).Submit
}

func TestAPageIsPrintedAndCounted(t *testing.T) {
	b, printer := paperBed(t, nil)
	p := b.press()
	b.Tick(time.Second)
	can := b.told(p, "what can be printed", func(f printjob.ToPress) bool { return f.Printer != nil && f.Printer.Accepting && f.Printer.Duplex })
	if can.Printer.Colour || can.Printer.Copies != 5 {
		t.Errorf("the press is told %+v: colour is not allowed here, five copies are", can.Printer)
	}
	b.must(p.Offer(1, 3, printjob.Ticket{Copies: 2, Duplex: printjob.LongEdge, Colour: true}))
	v := b.question()
	if q := v.Print; q.Pages != 3 || q.Impressions != 6 || q.Sheets != 4 || q.Cost != 600 || q.Left != 1000 || q.Colour || !q.Preview || !q.CanDuplex {
		t.Errorf("the question is %+v", q)
	}
	show := b.told(p, "the first pages are asked for", func(f printjob.ToPress) bool { return f.Show != nil && f.Show.Job == 1 }).Show
	if width, height := b.Stage.Size(); show.Width != width-int(float64(width)*shell.PrintPanel) || show.Height != height {
		t.Errorf("they are to fill %d by %d", show.Width, show.Height)
	}
	b.must(p.Say(printjob.FromPress{Shown: &printjob.Shown{Job: 1, Pages: 3}}))
	b.until("the first pages beside the question", func() bool { return b.Stage.Beside() > 0 })

	dialled := func(f printjob.ToPress) bool { return f.Dialled != nil }
	b.must(p.Say(printjob.FromPress{Dial: &printjob.Dial{ID: 6}}))
	if d := b.told(p, "no connection: nothing is to be sent yet", dialled).Dialled; d.ID != 6 || d.Err != printjob.WhyNoPrinter {
		t.Errorf("dialled %+v", d)
	}
	order := b.confirm(v)
	if order.Job != 1 || order.URI != printer.URI() || order.Ticket.Copies != 2 || order.Ticket.Colour || order.Ticket.Duplex != printjob.LongEdge {
		t.Errorf("the order is %+v", order)
	}
	b.told(p, "the first pages go", func(f printjob.ToPress) bool { return f.Show != nil && f.Show.Job == 0 })
	b.must(p.Say(printjob.FromPress{Dial: &printjob.Dial{ID: 7}}))
	if d := b.told(p, "a connection", func(f printjob.ToPress) bool { return f.Dialled != nil }).Dialled; d.ID != 7 || d.Err != "" {
		t.Errorf("dialled %+v", d)
	}
	id := printer.Take(order.Name)
	b.must(p.Say(printjob.FromPress{Sent: &printjob.Sent{Job: 1, Remote: id}}))
	printer.Tell(id, printing.Progress{State: printjob.Processing, Impressions: 2, Sheets: 1})
	if _, err := b.Wait(soon, func(v shell.View) bool {
		return v.Screen == shell.SessionPage && v.Bar.Print != nil && v.Bar.Print.Stage == shell.BarPrinting && v.Bar.Print.Page == 3 && v.Bar.Print.Of == 6
	}); err != nil {
		t.Fatalf("the bar does not tell the third side of six: %v", err)
	}
	printer.Tell(id, printing.Progress{State: printjob.Completed, Impressions: 6, Sheets: 4})
	if got := b.onePrinted(); got.Outcome != wire.PrintSettled || got.Charged != 600 || got.Reserved != 600 || got.Impressions != 6 || got.Sheets != 4 || got.Asked != 6 || !got.Duplex || got.Colour || got.Job == "" {
		t.Errorf("the record is %+v", got)
	}
	b.until("four pages left", func() bool { v, _ := b.Shell.View(); return v.Bar != nil && v.Bar.PagesLeft == 4 })
	if len(printer.Names()) != 1 {
		t.Errorf("the printer has %v", printer.Names())
	}
}

// TestAnAgentThatDiesPrintsNothingTwice kills the agent at each step of a job:
// the document is never sent a second time, and each job has one last word.
func TestAnAgentThatDiesPrintsNothingTwice(t *testing.T) {
	for name, c := range map[string]struct {
		until string // how far the job comes before the kill
		taken bool   // the printer has it
		want  wire.Outcome
		cost  wire.Units
	}{
		"asked":               {"question", false, "", 0},
		"told to send":        {"submit", false, wire.PrintDoubtful, 0},
		"sent, nothing heard": {"submit", true, wire.PrintSettled, 300},
		"followed":            {"sent", true, wire.PrintSettled, 300},
	} {
		t.Run(name, func(t *testing.T) {
			b, printer := paperBed(t, nil)
			p := b.press()
			b.must(p.Offer(1, 3, printjob.Ticket{}))
			v := b.question()
			id := 0
			if c.until != "question" {
				order := b.confirm(v)
				if c.taken {
					id = printer.Take(order.Name)
				}
				if c.until == "sent" {
					b.must(p.Say(printjob.FromPress{Sent: &printjob.Sent{Job: 1, Remote: id}}))
					b.told(p, "it prints", func(f printjob.ToPress) bool { return f.Status != nil && f.Status.State == printjob.Processing })
				}
			}
			b.kill()
			b.Warden.Restart()
			if c.taken {
				printer.Tell(id, printing.Progress{State: printjob.Completed, Impressions: 3, Sheets: 3})
			}
			b.start()
			b.c.Welcome("")
			for i := 0; i < 900 && len(b.printed()) == 0; i += 5 {
				b.Tick(5 * time.Second)
			}
			if c.want == "" {
				if got := b.printed(); len(got) != 0 {
					t.Errorf("a question that nobody answered is recorded: %+v", got)
				}
			} else if got := b.onePrinted(); got.Outcome != c.want || got.Charged != c.cost {
				t.Errorf("the record is %+v, want %s for %d", got, c.want, c.cost)
			}
			if n := len(printer.Names()); n > 1 || c.taken && n != 1 {
				t.Errorf("the printer got %d jobs", n)
			}
		})
	}
}

func TestASessionThatEndsTakesBackWhatNobodyDecided(t *testing.T) {
	b, printer := paperBed(t, nil)
	p := b.press()
	b.must(p.Offer(1, 3, printjob.Ticket{}))
	b.question()
	b.Press(shell.End)
	b.see(shell.Thanks)
	if !p.Ended(soon) {
		t.Error("the press's channel stays")
	}
	if got := b.onePrinted(); got.Outcome != wire.PrintRefunded || got.Reason != wire.PrintEnded || got.Reserved != 0 || got.Charged != 0 || len(printer.Names()) > 0 {
		t.Errorf("recorded %+v, printed %v", got, printer.Names())
	}
	b.proven(1)
}

// TestAnEndWaitsForTheDocument: a document under way is waited for, and what it
// costs is told after the wipe.
func TestAnEndWaitsForTheDocument(t *testing.T) {
	b, printer := paperBed(t, nil)
	p := b.press()
	b.must(p.Offer(1, 3, printjob.Ticket{}))
	order := b.confirm(b.question())
	b.Press(shell.End)
	if v := b.see(shell.SessionPage); v.Bar == nil {
		t.Fatal("no bar")
	}
	if _, err := b.Wait(soon, func(v shell.View) bool { return v.Bar != nil && v.Bar.Ending }); err != nil {
		t.Fatalf("the end does not wait: %v", err)
	}
	id := printer.Take(order.Name)
	b.must(p.Say(printjob.FromPress{Sent: &printjob.Sent{Job: 1, Remote: id}}))
	b.see(shell.Thanks)
	printer.Tell(id, printing.Progress{State: printjob.Aborted, Impressions: 2, Sheets: 2})
	if got := b.onePrinted(); got.Outcome != wire.PrintSettled || got.Charged != 200 || got.Reserved != 300 {
		t.Errorf("the record is %+v", got)
	}
	b.proven(1)
}

func TestStaffRelease(t *testing.T) {
	const badge = 7
	key := [32]byte{badge} // as Tap makes it
	sum := sha256.Sum256(key[:])
	held := func(p *policy.Policy) {
		p.Printing.Hold, p.Printing.Staff = policy.HoldAlways, []policy.Staff{{Name: "Accueil", Badge: hex.EncodeToString(sum[:])}}
	}
	wait := func(b *bed) string {
		t.Helper()
		b.must(b.press().Offer(1, 2, printjob.Ticket{}))
		v := b.question()
		b.PressWith(shell.Action{Do: shell.PrintIt, Job: v.Print.Job, Print: v.Print.Choice})
		v, err := b.Wait(soon, func(v shell.View) bool { return v.Screen == shell.PrintPage && v.Print.Stage == shell.StageHeld })
		if err != nil {
			t.Fatalf("it is not held: %v", err)
		}
		if v.Print.Staff != "Accueil" {
			t.Errorf("ask %q", v.Print.Staff)
		}
		b.until("the console sees it", func() bool {
			b.Tick(time.Second)
			s := b.c.Status()
			return len(s.Prints) == 1 && s.Prints[0].Job == v.Print.Job && s.Prints[0].Impressions == 2
		})
		return v.Print.Job
	}
	t.Run("badge", func(t *testing.T) {
		b, _ := paperBed(t, held)
		wait(b)
		b.Tap(badge)
		b.told(b.press(), "the order to send", submitted)
	})
	t.Run("another badge", func(t *testing.T) {
		b, _ := paperBed(t, held)
		wait(b)
		b.Tap(8)
		b.see(shell.WarningPage) // somebody else wants to begin
		if len(b.c.Status().Prints) != 1 {
			t.Error("it is released")
		}
	})
	for name, access := range map[string]policy.Access{"by the directory": {}, "by the directory, where badges begin": {KnownBadges: true}} {
		t.Run(name, func(t *testing.T) {
			b, _ := paperBed(t, func(p *policy.Policy) {
				held(p)
				p.Printing.Staff[0].Badge, p.Access = hex.EncodeToString(make([]byte, 32)), access
			})
			b.c.Directory(func(a wire.BadgeAsk) *wire.BadgeAnswer {
				return &wire.BadgeAnswer{Staff: a.Holder[0] == 's', Allowed: a.Holder[0] == 'h', Reason: map[bool]wire.Reason{false: wire.RefuseUnknownBadge}[a.Holder[0] == 'h']}
			})
			wait(b)
			if b.Tap('n'); !access.KnownBadges {
				b.Tap('h') // known, and no badge begins here
			}
			b.until("they were asked about", func() bool { return len(b.c.Tapped()) > 0 })
			b.Tick(time.Second)
			if len(b.c.Status().Prints) != 1 {
				t.Error("anybody's badge releases it")
			}
			b.Tap('s')
			b.told(b.press(), "the order to send", submitted)
			if v, _ := b.Shell.View(); v.Warning != nil {
				t.Errorf("a badge of staff ends the session: %+v", v.Warning)
			}
			b.c.Directory(nil) // nobody can be asked: nobody is staff
			asked := len(b.c.Tapped())
			if b.Tap('s'); !access.KnownBadges && len(b.c.Tapped()) != asked {
				t.Error("with nothing to release, and no badges taken, it is asked about")
			}
		})
	}
	t.Run("console", func(t *testing.T) {
		b, _ := paperBed(t, held)
		job := wait(b)
		b.must(b.c.Command(wire.Command{ID: "c1", Kind: wire.CmdPrint, Job: job, NotAfter: b.later()}))
		b.told(b.press(), "the order to send", submitted)
		b.until("the command's record", func() bool { return len(b.records(wire.KindCommand)) == 1 })
	})
	t.Run("refused", func(t *testing.T) {
		b, _ := paperBed(t, held)
		job := wait(b)
		b.must(b.c.Command(wire.Command{ID: "c1", Kind: wire.CmdNoPrint, Job: job, NotAfter: b.later()}))
		b.told(b.press(), "it is erased", func(f printjob.ToPress) bool { return f.Drop != nil && f.Drop.Job == 1 })
		if _, err := b.Wait(soon, func(v shell.View) bool { return v.Print != nil && v.Print.Stage == shell.StageRefused }); err != nil {
			t.Errorf("the person is not told: %v", err)
		}
	})
}

func TestMorePagesFromStaff(t *testing.T) {
	b, _ := paperBed(t, func(p *policy.Policy) { p.Printing.PagesPerSession = 2 })
	b.must(b.press().Offer(1, 3, printjob.Ticket{}))
	if v := b.question(); v.Print.Reason != string(wire.PrintQuota) || v.Print.Left != 200 {
		t.Errorf("the question is %+v", v.Print)
	}
	b.must(b.c.Command(wire.Command{ID: "c1", Kind: wire.CmdPages, Pages: 5, NotAfter: b.later()}))
	if _, err := b.Wait(soon, func(v shell.View) bool { return v.Print != nil && v.Print.Reason == "" && v.Print.Left == 700 }); err != nil {
		t.Fatalf("no more pages: %v", err)
	}
}

func TestThePagesOfABadgeAreTheLedgers(t *testing.T) {
	printer := agenttest.NewPrinter()
	b := newBed(t, func(o *agenttest.Options) { o.Printer = printer })
	b.c.Ledger(func(a wire.PrintAsk) *wire.PrintAnswer {
		return &wire.PrintAnswer{Job: a.Job, Granted: a.Units > 0 && a.Units <= 400, Left: 400 - min(a.Units, 400)}
	})
	b.ready()
	p := rules()
	p.Version, p.Printing.Enabled = 2, true
	b.must(b.c.Policy(p))
	b.waitPolicy(2)
	b.Tap(3)
	b.see(shell.CharterPage)
	b.Press(shell.Accept)
	b.see(shell.SessionPage)
	b.must(b.press().Offer(1, 3, printjob.Ticket{}))
	v, err := b.Wait(soon, func(v shell.View) bool {
		return v.Print != nil && v.Print.Left == 400 && v.Print.LeftScope == shell.ScopeDay
	})
	if err != nil {
		t.Fatalf("the ledger's word is not shown: %v", err)
	}
	b.confirm(v)
	asked := b.c.Asked()
	last := asked[len(asked)-1]
	if last.Units != 300 || len(last.Holder) != 32 || last.Job != v.Print.Job {
		t.Errorf("the ledger was asked %+v", last)
	}
}

func TestThePrinterIsSeen(t *testing.T) {
	b, printer := paperBed(t, nil)
	printer.SetStatus(wire.Printer{State: wire.PrinterStopped, Reasons: []string{"media-empty-error"}, Supplies: []wire.Supply{{Name: "Noir", Kind: "toner", Level: 7, Low: true}}})
	b.Pass(12 * time.Second)
	v, err := b.Wait(soon, func(v shell.View) bool {
		return v.Bar != nil && v.Bar.Print != nil && v.Bar.Print.Stage == shell.BarPrinter
	})
	if err != nil || len(v.Bar.Print.Reasons) != 1 || v.Bar.Print.Reasons[0] != "media-empty-error" {
		t.Fatalf("the person is not told before they try: %+v, %v", v.Bar, err)
	}
	b.until("staff see it", func() bool {
		s := b.c.Status()
		return s.Printer != nil && s.Printer.State == wire.PrinterStopped && len(s.Printer.Supplies) == 1
	})
	printer.SetError(agent.ErrStranger)
	b.Pass(12 * time.Second)
	if _, err := b.Wait(soon, func(v shell.View) bool {
		return v.Bar != nil && v.Bar.Print != nil && len(v.Bar.Print.Reasons) == 1 && v.Bar.Print.Reasons[0] == wire.PrinterUntrusted
	}); err != nil {
		t.Errorf("another printer is told of as %v", err)
	}
	printer.SetError(nil)
	b.Pass(12 * time.Second)
	b.until("it is back", func() bool {
		b.Tick(time.Second)
		s := b.c.Status()
		return s.Printer != nil && s.Printer.State == wire.PrinterStopped
	})
	n := len(b.records(wire.KindPrinter))
	printer.SetStatus(wire.Printer{State: wire.PrinterStopped, Reasons: []string{"media-empty-error"}, Counter: 99, Supplies: []wire.Supply{{Name: "Noir", Kind: "toner", Level: 7, Low: true}}})
	b.Pass(12 * time.Second)
	if got := len(b.records(wire.KindPrinter)); got != n || n == 0 {
		t.Errorf("%d records of the printer, then %d: the same state again is none", n, got)
	}
}
