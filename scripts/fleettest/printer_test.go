package fleettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"borne/controller/attend"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
	"borne/kiosk/agent/agenttest"
	"borne/kiosk/cli"
	"borne/kiosk/printer"
	"borne/kiosk/printer/printertest"
	"borne/kiosk/printjob"
	"borne/kiosk/shell"
	"borne/ui/catalogues"
)

// silentWithin is how long a printer of the rules may be silent, by default.
const silentWithin = 5 * time.Minute

// hall is the network with a site's printers, by host:port.
type hall map[string]*printertest.Printer

// add switches a real printer on; it is at an address of the site.
func (h hall) add(t *testing.T, host, model string) *printertest.Printer {
	t.Helper()
	p, err := printertest.Start(printertest.Options{Args: []string{"-m", model}})
	if errors.Is(err, printertest.ErrMissing) {
		t.Skip("SKIP: ", err)
	}
	must(t, err)
	t.Cleanup(func() { p.Close() })
	h[host+":631"] = p
	return p
}

// dial connects to whatever is at an address: nobody answers at the others.
func (h hall) dial(ctx context.Context, uri string) (net.Conn, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return nil, err
	}
	p := h[u.Host+":631"]
	if p == nil {
		return nil, fmt.Errorf("dial %s: no route to host", u.Host)
	}
	return printer.Dial(ctx, p.URI())
}

// print prints a document of the session as its press does: the order, a connection
// of the agent's, and the printer's number of the job.
func (x *terminal) print(n, pages int) (uri string, remote int) {
	x.t.Helper()
	p := x.Warden.Press()
	if p == nil {
		x.t.Fatal("the session has no press")
	}
	await := func(what string, want func(printjob.ToPress) bool) printjob.ToPress {
		x.t.Helper()
		f, err := p.Await(soon, want)
		if err != nil {
			x.t.Fatalf("waiting for %s: %v", what, err)
		}
		return f
	}
	must(x.t, p.Offer(n, pages, printjob.Ticket{}))
	v := x.wait("the question", func(v shell.View) bool { return v.Screen == shell.PrintPage && v.Print.Stage == shell.StageQuestion })
	x.PressWith(shell.Action{Do: shell.PrintIt, Job: v.Print.Job, Print: v.Print.Choice})
	order := await("the order to send", func(f printjob.ToPress) bool { return f.Submit != nil }).Submit
	must(x.t, p.Say(printjob.FromPress{Dial: &printjob.Dial{ID: n}}))
	if d := await("a connection", func(f printjob.ToPress) bool { return f.Dialled != nil }).Dialled; d.Err != "" {
		x.t.Fatalf("no connection: %s", d.Err)
	}
	f := p.Line()
	if f == nil {
		x.t.Fatal("no connection came")
	}
	conn, err := net.FileConn(f)
	f.Close()
	must(x.t, err)
	doc := printertest.PDF(pages, "page", 0)
	sent, err := printer.Submit(x.t.Context(), conn, printer.Target{URI: order.URI, Pin: order.Pin},
		printer.Order{Name: order.Name, Format: printjob.PDF, Ticket: order.Ticket, Doc: bytes.NewReader(doc), Size: int64(len(doc))})
	must(x.t, err)
	sent.Job = n
	must(x.t, p.Say(printjob.FromPress{Sent: &sent}))
	return order.URI, sent.Remote
}

// printer is what the controller knows of the terminal's printer.
func (x *terminal) printer() (state wire.PrinterState, model string, troubles []string) {
	x.t.Helper()
	must(x.t, x.w.ctl.store().View(context.Background(), func(tx store.Tx) error {
		it, err := store.Get[store.PrinterRow](tx, x.id)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		state, model = it.Row.State, it.Row.Model
		return err
	}))
	if p := x.w.console.terminal(x.id).Printer; p != nil {
		troubles = p.Troubles
	}
	return state, model, troubles
}

// named publishes rules of the site that name a printer.
func (w *world) named(uri string) {
	w.t.Helper()
	w.publish(true, "printer", func(p *policy.Policy) { p.Printer = policy.NamedPrinter{URI: uri, Name: "Imprimante du hall"} })
}

// TestAPrinterOfTheRulesReplacesAnother: a real terminal prints on one real printer,
// then, because the console says so, on another, without a restart; a wrong address
// costs nobody a page, and staff read what is wrong until it is right again.
func TestAPrinterOfTheRulesReplacesAnother(t *testing.T) {
	w := newWorld(t)
	h := hall{}
	first, second := h.add(t, "10.20.30.1", "Un"), h.add(t, "10.20.30.2", "Deux")
	x := w.machine("Poste 1")
	x.parts = func(o *agenttest.Options) { o.Printers = cli.Printers(t.TempDir(), "", h.dial) }
	must(t, x.enrol(w.console.code(w.site, w.space, "Poste 1", "")))
	x.on()
	x.serves()
	w.publish(true, "printing", func(p *policy.Policy) { p.Printing.Enabled = true })
	const at = "ipp://10.20.30.%d/ipp/print"

	printed := 0
	page := func(want string, real *printertest.Printer, pages int) {
		t.Helper()
		x.Press(shell.Begin)
		x.see(shell.CharterPage)
		x.Press(shell.Accept)
		x.see(shell.SessionPage)
		uri, remote := x.print(1, pages)
		if uri != want {
			t.Fatalf("it is sent to %s, want %s", uri, want)
		}
		printed++
		until(t, "it came out, and is counted", func() bool {
			x.Tick(time.Second)
			n := 0
			for _, r := range x.records() {
				if r.Kind == "print" {
					n++
				}
			}
			return n == printed && len(real.Output(remote).Sides) == pages
		})
		x.Press(shell.End)
		x.see(shell.Thanks)
		x.Press(shell.Again)
		x.see(shell.Welcome)
	}
	uses := func(model string) {
		t.Helper()
		until(t, "the controller knows that it prints on "+model, func() bool {
			x.Tick(time.Second)
			state, seen, _ := x.printer()
			return state == wire.PrinterReady && strings.Contains(seen, model)
		})
	}
	troubles := func() string {
		x.Tick(time.Second)
		_, _, troubles := x.printer()
		return strings.Join(troubles, " ")
	}

	w.named(fmt.Sprintf(at, 1))
	uses("Un")
	page(fmt.Sprintf(at, 1), first, 2)
	w.named(fmt.Sprintf(at, 2))
	uses("Deux")
	page(fmt.Sprintf(at, 2), second, 3)
	if first.Jobs() != 1 || second.Jobs() != 1 {
		t.Errorf("the printers have %d and %d jobs", first.Jobs(), second.Jobs())
	}

	w.named(fmt.Sprintf(at, 9))
	until(t, "the terminal has the rules", func() bool {
		x.Tick(0)
		a := w.console.policy(w.site).Applied
		return len(a) == 1 && a[0].Applied == a[0].Wanted
	})
	x.Tick(time.Second)
	x.Pass(silentWithin)
	until(t, "the console says that the new printer is silent", func() bool { return troubles() == "printer-new" })
	uses("Deux")
	if say := attend.Say(store.Matter{Code: "printer-new"}, catalogues.French); !strings.Contains(say, "ne répond pas") || !strings.Contains(say, "garde celle d’avant") {
		t.Errorf("it says %q", say)
	}
	page(fmt.Sprintf(at, 2), second, 1)
	w.named(fmt.Sprintf(at, 2))
	until(t, "nothing is wrong any more", func() bool { return troubles() == "" })
	page(fmt.Sprintf(at, 2), second, 1)
	if first.Jobs() != 1 || second.Jobs() != 3 {
		t.Errorf("the printers have %d and %d jobs", first.Jobs(), second.Jobs())
	}
}
