package agent

import (
	"context"
	"errors"
	"slices"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/printing"
	"borne/kiosk/printjob"
	"borne/kiosk/session"
	"borne/kiosk/shell"
)

// How often the printer is looked at, and how long a look may take.
const (
	lookInSession = 10 * time.Second
	lookIdle      = 2 * time.Minute
	lookWithin    = 25 * time.Second
)

// lookAtPrinter asks the printer how it is, now and then.
func (a *Agent) lookAtPrinter(work context.Context) {
	at := a.now().Mono
	p, pr := &a.paper, a.source.now
	if pr == nil || p.looking || at < p.lookAt {
		return
	}
	p.looking, p.lookAt = true, at+lookIdle
	if a.state.Phase.InSession() || a.state.Phase == session.Charter {
		p.lookAt = at + lookInSession
	}
	a.worker(work, func() result {
		ctx, cancel := context.WithTimeout(work, lookWithin)
		defer cancel()
		l, err := pr.Look(ctx)
		return result{then: func(a *Agent) {
			if err != nil {
				l = PrinterLook{Status: wire.Printer{State: wire.PrinterLost}}
				if errors.Is(err, ErrStranger) {
					l.Status.Reasons = []string{wire.PrinterUntrusted}
				}
			}
			if was := a.paper.look.Status.State; was != l.Status.State {
				a.log.Info("printer", "was", was, "is", l.Status.State, "reasons", l.Status.Reasons, "error", err)
			}
			a.sawPrinter(work, l)
		}}
	})
}

// sawPrinter takes a look at the printer. What changed for long becomes a record:
// staff see paper and toner run low.
func (a *Agent) sawPrinter(work context.Context, l PrinterLook) {
	p := &a.paper
	p.looking = false
	if l.Status.State == wire.PrinterLost && p.looked {
		l.Formats, l.Ready.Colour, l.Ready.Duplex, l.Ready.Copies = p.look.Formats, p.look.Ready.Colour, p.look.Ready.Duplex, p.look.Ready.Copies
		l.Status.Model, l.Status.Supplies, l.Status.Counter, l.Status.Estimate = p.look.Status.Model, p.look.Status.Supplies, p.look.Status.Counter, p.look.Status.Estimate
	}
	p.look, p.looked = l, true
	x := extra{}
	told := a.toldOfPrinter()
	if lasting := lastingPart(told); !samePrinter(lasting, lastingPart(p.recorded)) {
		x.records = []wire.Record{draft(a.now(), wire.KindPrinter, told)}
	}
	if a.print(work, l.Ready, x) && len(x.records) > 0 {
		p.recorded = told
	}
	a.tellPress(a.boxes.current())
}

// lastingPart is what of a printer's state is worth a record: that it works at
// this moment is not, nor each sheet it has printed.
func lastingPart(s wire.Printer) wire.Printer {
	if s.State == wire.PrinterBusy {
		s.State = wire.PrinterReady
	}
	s.Counter = 0
	return s
}

func samePrinter(a, b wire.Printer) bool {
	return a.State == b.State && a.Model == b.Model && a.Estimate == b.Estimate && slices.Equal(a.Reasons, b.Reasons) && slices.Equal(a.Supplies, b.Supplies)
}

// tellPress tells the press of a sandbox what can be printed here now.
func (a *Agent) tellPress(b *box) {
	if b == nil || b.press == nil {
		return
	}
	l, rules := a.paper.look, a.policy.Printing
	p := printjob.Printer{Accepting: true, Formats: l.Formats, Colour: l.Ready.Colour && rules.Colour, Duplex: l.Ready.Duplex && rules.Duplex != policy.DuplexNever,
		Copies: max(1, a.prints.Limits.Copies), Reasons: bounded(l.Status.Reasons)}
	if l.Ready.Copies > 0 {
		p.Copies = min(p.Copies, l.Ready.Copies)
	}
	if len(p.Formats) == 0 {
		p.Formats = []printjob.Format{printjob.PDF} // until the printer was seen: nearly all take it
	}
	switch {
	case a.source.now == nil || !rules.Enabled:
		p.Accepting, p.Why = false, printjob.WhyNotHere
	case l.Status.State == wire.PrinterLost:
		p.Accepting, p.Why = false, printjob.WhyNoPrinter
	}
	b.press.tell(printjob.ToPress{Printer: &p}, nil)
}

// bounded keeps what is passed on within a frame.
func bounded(reasons []string) []string {
	const most = 16
	var out []string
	for _, r := range reasons[:min(len(reasons), most)] {
		out = append(out, r[:min(len(r), 64)])
	}
	return out
}

// panel is the column from which a job's first pages are seen.
func (a *Agent) panel() int {
	width, _ := a.parts.Stage.Size()
	return int(float64(width) * shell.PrintPanel)
}

// showPages has the first pages of the document in question painted on the
// session's display, and taken away once it is no more.
func (a *Agent) showPages() {
	p := &a.paper
	b := a.boxes.current()
	if b == nil || b.press == nil {
		p.shown, p.painted, p.blind = "", false, false
		return
	}
	v := a.prints.View(printing.Instant(a.now()))
	want := ""
	if v.Screen == printing.Question && a.state.Phase == session.Active {
		want = v.Job
	}
	if want == p.shown {
		return
	}
	p.shown, p.painted, p.blind = want, false, false
	show := printjob.Show{}
	if want != "" {
		width, height := a.parts.Stage.Size()
		show = printjob.Show{Job: v.Press, Width: width - a.panel(), Height: height}
	}
	b.press.tell(printjob.ToPress{Show: &show}, nil)
}
