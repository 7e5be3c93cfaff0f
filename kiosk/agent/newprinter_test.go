package agent_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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

const (
	firstPrinter  = "ipp://10.9.9.1/ipp/print"
	secondPrinter = "ipp://10.9.9.2/ipp/print"
)

// named is a printer at an address of its own.
type named struct {
	*agenttest.Printer
	uri string
}

func (n named) URI() string { return n.uri }

// hallBed is a terminal whose file names one printer, with two more on its network.
func hallBed(t *testing.T) (b *bed, own *agenttest.Printer, hall map[string]*agenttest.Printer) {
	t.Helper()
	own, hall = agenttest.NewPrinter(), map[string]*agenttest.Printer{firstPrinter: agenttest.NewPrinter(), secondPrinter: agenttest.NewPrinter()}
	own.SetStatus(wire.Printer{State: wire.PrinterReady, Model: "Own"})
	for uri, p := range hall {
		p.SetStatus(wire.Printer{State: wire.PrinterReady, Model: uri})
	}
	b = newBed(t, func(o *agenttest.Options) {
		o.Printer = own
		o.Printers = func(d policy.NamedPrinter) (agent.OpenedPrinter, error) { return named{hall[d.URI], d.URI}, nil }
	})
	b.ready()
	b.wants(2, "")
	return b, own, hall
}

// wants publishes rules that name a printer.
func (b *bed) wants(version uint64, uri string) {
	b.t.Helper()
	p := rules()
	p.Version, p.Printing.Enabled, p.Printer.URI = version, true, uri
	b.must(b.c.Policy(p))
	b.waitPolicy(version)
}

// printers lists what was recorded of printers: model, state and reasons.
func (b *bed) printers() (all []string) {
	for _, r := range b.records(wire.KindPrinter) {
		var p wire.Printer
		b.must(json.Unmarshal(r.Body, &p))
		all = append(all, strings.TrimSpace(fmt.Sprint(p.Model, " ", p.State, " ", strings.Join(p.Reasons, ","))))
	}
	return all
}

func (b *bed) lastPrinter(want string) {
	b.t.Helper()
	b.until("the last word about the printer is "+want, func() bool {
		b.Tick(time.Second)
		all := b.printers()
		return len(all) > 0 && all[len(all)-1] == want
	})
}

// awaited waits until the printer that is wanted has answered, and a moment more.
func (b *bed) awaited(p *agenttest.Printer) {
	b.t.Helper()
	b.until("the printer of the rules has answered", func() bool { b.Tick(time.Second); return p.Looks() > 0 })
	for range 3 {
		b.Tick(time.Second)
	}
}

// page prints one page and tells which printer was to get it.
func (b *bed) page(n int, printer *agenttest.Printer) string {
	b.t.Helper()
	p := b.press()
	b.must(p.Offer(n, 1, printjob.Ticket{}))
	order := b.confirm(b.question())
	id := printer.Take(order.Name)
	b.must(p.Say(printjob.FromPress{Sent: &printjob.Sent{Job: n, Remote: id}}))
	before := len(b.printed())
	printer.Tell(id, printing.Progress{State: printjob.Completed, Impressions: 1, Sheets: 1})
	b.until("the page is counted", func() bool { b.Tick(time.Second); return len(b.printed()) == before+1 })
	return order.URI
}

// leave ends the session, and comes back to the welcome screen.
func (b *bed) leave() {
	b.t.Helper()
	b.Press(shell.End)
	b.see(shell.Thanks)
	b.Press(shell.Again)
	b.see(shell.Welcome)
}

// TestThePrinterOfTheRulesTakesOverBetweenSessions: whoever is at work prints on with
// the one before; the next has the new one, through a restart too; without one in the
// rules that of the terminal's file is back.
func TestThePrinterOfTheRulesTakesOverBetweenSessions(t *testing.T) {
	b, own, hall := hallBed(t)
	b.lastPrinter("Own ready")
	b.active()
	b.wants(3, firstPrinter)
	b.awaited(hall[firstPrinter])
	if got := b.page(1, own); got != own.URI() {
		t.Errorf("a page of the session that goes on is for %s", got)
	}
	// One that is still at the printer when its session is over is followed there.
	p := b.press()
	b.must(p.Offer(2, 1, printjob.Ticket{}))
	order := b.confirm(b.question())
	id := own.Take(order.Name)
	b.must(p.Say(printjob.FromPress{Sent: &printjob.Sent{Job: 2, Remote: id}}))
	b.told(p, "it prints", func(f printjob.ToPress) bool { return f.Status != nil && f.Status.State == printjob.Processing })
	b.leave()
	for range 5 {
		b.Tick(time.Second)
	}
	if all := b.printers(); all[len(all)-1] != "Own ready" {
		t.Errorf("while a page is being printed: %q", all)
	}
	own.Tell(id, printing.Progress{State: printjob.Completed, Impressions: 1, Sheets: 1})
	b.lastPrinter(firstPrinter + " ready")
	if got := b.printed(); len(got) != 2 || got[1].Outcome != wire.PrintSettled {
		t.Errorf("the pages are counted as %+v", got)
	}
	b.active()
	if got := b.page(1, hall[firstPrinter]); got != firstPrinter {
		t.Errorf("the next session's page is for %s", got)
	}
	b.leave()
	b.kill()
	b.Warden.Restart()
	hall[firstPrinter].SetError(errors.New("it is off")) // who has proven itself need not do so again
	b.start()
	b.c.Welcome("")
	b.lastPrinter("lost")
	hall[firstPrinter].SetError(nil)
	b.Tick(3 * time.Minute)
	b.lastPrinter(firstPrinter + " ready")
	was := hall[firstPrinter].Closed()
	b.wants(4, secondPrinter)
	b.lastPrinter(secondPrinter + " ready")
	b.until("the printer that nobody needs is closed", func() bool { return hall[firstPrinter].Closed() == was+1 })
	b.wants(5, "")
	b.lastPrinter("Own ready")
}

// TestANewPrinterThatIsSilentIsNotUsed: the one before prints on, staff are told after a
// while and not before, and once it answers it is used, and nothing is wrong any more.
func TestANewPrinterThatIsSilentIsNotUsed(t *testing.T) {
	b, own, hall := hallBed(t)
	b.lastPrinter("Own ready")
	first := hall[firstPrinter]
	first.SetError(errors.New("no route to host"))
	b.wants(3, firstPrinter)
	b.Tick(time.Second)
	for range 9 {
		b.Tick(30 * time.Second)
	}
	if all := b.printers(); slices.ContainsFunc(all, func(s string) bool { return strings.Contains(s, wire.PrinterNewSilent) }) {
		t.Fatalf("staff are told too early: %q", all)
	}
	b.Tick(30 * time.Second)
	b.lastPrinter("Own ready " + wire.PrinterNewSilent)
	b.until("the status says so too", func() bool {
		s := b.c.Status()
		return s.Printer != nil && s.Printer.State == wire.PrinterReady && slices.Equal(s.Printer.Reasons, []string{wire.PrinterNewSilent})
	})
	b.active()
	if got := b.page(1, own); got != own.URI() {
		t.Errorf("a page is for %s", got)
	}
	b.leave()
	first.SetError(agent.ErrStranger)
	b.Tick(3 * time.Minute)
	b.lastPrinter("Own ready " + wire.PrinterNewStranger)
	first.SetError(nil)
	b.Tick(3 * time.Minute)
	b.lastPrinter(firstPrinter + " ready")
}

// TestRulesThatTakeASilentPrinterBackAreQuiet, also where there was none before.
func TestRulesThatTakeASilentPrinterBackAreQuiet(t *testing.T) {
	first := agenttest.NewPrinter()
	first.SetError(errors.New("no route to host"))
	b := newBed(t, func(o *agenttest.Options) {
		o.Printers = func(d policy.NamedPrinter) (agent.OpenedPrinter, error) { return named{first, d.URI}, nil }
	})
	b.ready()
	b.wants(2, firstPrinter)
	b.Tick(time.Second)
	b.Tick(6 * time.Minute)
	b.lastPrinter("lost " + wire.PrinterNewSilent)
	b.kill()
	b.Warden.Restart()
	b.start()
	b.c.Welcome("")
	b.Tick(time.Second)
	if all := b.printers(); all[len(all)-1] != "lost "+wire.PrinterNewSilent {
		t.Errorf("after a restart: %q", all)
	}
	b.wants(3, "")
	b.lastPrinter("")
}
