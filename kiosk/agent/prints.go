package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"reflect"
	"slices"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/printing"
	"borne/kiosk/printjob"
	"borne/kiosk/session"
	"borne/kiosk/shell"
)

// paper is what the agent knows of printing beside the jobs themselves.
type paper struct {
	look     PrinterLook
	looked   bool          // look is something
	lookAt   time.Duration // when the printer is looked at next
	looking  bool
	recorded wire.Printer // last one that was told to the controller for good

	following map[string]context.CancelFunc // jobs at the printer, by job
	dials     int                           // connections that are being made for the press
	busy      bool                          // a document is on its way, as the session was last told

	shown    string // job whose first pages were asked for; empty: none
	painted  bool   // and they are in sight
	blind    bool   // or cannot be
	read     string // page that the person has put away: job and stage
	called   string // job whose page the person asked for
	typed    string // pages as the person typed them, of job typedFor
	typedFor string
	wrong    bool // they cannot be read
}

// print steps the print jobs' machine and makes the step durable.
func (a *Agent) print(work context.Context, f printing.Fact, x extra) bool {
	if a.stuck != nil && !a.unstick(work) {
		return false
	}
	next, asks, records := printing.Step(a.prints, printing.Event{At: printing.Instant(a.now()), Fact: f})
	x.records = append(records, x.records...)
	x.prints = &printStep{next: next, asks: asks}
	if err := a.commit(work, a.state, nil, nil, x); err != nil {
		a.log.Error("the journal cannot be written; printing waits", "error", err)
		return false
	}
	return true
}

// logPrints tells how jobs move on: numbers, and nothing of a document.
func (a *Agent) logPrints(now []printing.Job) {
	before := a.prints.Jobs
	at := func(all []printing.Job, id string) printing.Stage {
		if i := slices.IndexFunc(all, func(j printing.Job) bool { return j.ID == id }); i >= 0 {
			return all[i].Stage
		}
		return ""
	}
	for _, j := range now {
		if was := at(before, j.ID); was != j.Stage {
			a.log.Info("print", "job", j.ID, "from", was, "to", j.Stage, "sides", j.Asked)
		}
	}
	for _, j := range before {
		if at(now, j.ID) == "" {
			a.log.Info("print", "job", j.ID, "from", j.Stage, "to", "over")
		}
	}
}

// later brings a fact about printing from a worker to the owner, unless watch is
// over: nobody asks any more.
func (a *Agent) later(work, watch context.Context, f printing.Fact) {
	a.deliver(watch, result{then: func(a *Agent) {
		if watch.Err() == nil {
			a.print(work, f, extra{})
		}
	}})
}

// sessionMoved tells the print jobs that a session began, ends or is over.
func (a *Agent) sessionMoved(work context.Context, before session.State) {
	now := a.state
	switch {
	case now.Run != nil && (before.Run == nil || before.Run.ID != now.Run.ID) && now.Phase.InSession():
		a.paper.read, a.paper.called = "", ""
		a.paper.lookAt = 0 // whoever begins is told what the printer lacks before they try
		a.print(work, printing.SessionBegan{Session: now.Run.ID, Holder: now.Run.Holder, Limits: a.printLimits(), Pages: a.ownPages(now.Run.Holder)}, extra{})
	case before.Run != nil && before.Phase.InSession() && (now.Phase == session.Ending && before.Phase != session.Ending || !now.Phase.InSession()):
		a.print(work, printing.SessionEnded{Session: before.Run.ID, Now: now.Phase != session.Ending}, extra{})
	}
}

// printsMoved tells the session whether a document is still on its way.
func (a *Agent) printsMoved(work context.Context) {
	busy := a.prints.Busy()
	if busy == a.paper.busy || a.state.Run == nil {
		return
	}
	a.paper.busy = busy
	a.apply(work, session.Sending{Session: a.state.Run.ID, Busy: busy})
}

// printLimits is the part of the policy that print jobs obey today.
func (a *Agent) printLimits() printing.Limits {
	at := a.now()
	p := a.policy.Printing.Filled()
	q := p.QuotaAt(at.Wall, policy.Location())
	sec := func(n int) time.Duration { return time.Duration(n) * time.Second }
	cost := func(colour, duplex bool) wire.Units { return wire.Units(p.Cost(1, colour, duplex)) }
	l := printing.Limits{Enabled: p.Enabled && a.source.now != nil, Session: q.PagesPerSession, Job: q.PagesPerJob, Hour: q.PagesPerHour, Offline: p.OfflinePages,
		Prices: printing.Prices{Black: cost(false, false), BlackDuplex: cost(false, true), Colour: cost(true, false), ColourDuplex: cost(true, true)},
		Colour: p.Colour, Duplex: printing.Duplex(p.Duplex), Copies: p.Copies, HoldAll: p.Hold == policy.HoldAlways, HoldColour: p.Hold == policy.HoldColour,
		Silent: printing.Silent(p.Silent), Queue: a.paper.look.Status.Estimate, Finish: sec(p.FinishSeconds)}
	if p.Hold == policy.HoldOver {
		l.HoldOver = p.HoldOver
	}
	return l
}

// rulePrints brings other rules, or those of another day, to the print jobs.
func (a *Agent) rulePrints(work context.Context) {
	if l := a.printLimits(); !reflect.DeepEqual(l, a.prints.Limits) {
		a.print(work, printing.Ruled{Limits: l}, extra{})
		a.tellPress(a.boxes.current())
	}
}

// tickPrints comes once a second.
func (a *Agent) tickPrints(work context.Context) {
	if len(a.prints.Jobs) > 0 || a.state.Phase.InSession() {
		a.print(work, printing.Tick{}, extra{})
	}
	a.rulePrints(work)
	a.tickDevice(work)
	a.lookAtPrinter(work)
	a.showPages()
}

// linkPress takes over the channel to the press of a sandbox. It is called from
// a worker, before anybody else sees the box.
func (a *Agent) linkPress(work context.Context, b *box, f *os.File) error {
	link, err := newPressLink(work, f, a.log, func(f printjob.FromPress) {
		a.deliver(work, result{then: func(a *Agent) { a.pressed(work, b, f) }})
	}, func() {
		a.deliver(work, result{then: func(a *Agent) {
			b.press = nil
			if b.session != "" {
				a.print(work, printing.PressGone{Session: b.session}, extra{})
			}
		}})
	})
	if err != nil {
		return err
	}
	b.press = link
	a.deliver(work, result{then: func(a *Agent) { a.tellPress(b) }})
	return nil
}

// recoverPrints goes on from what the journal holds of print jobs.
func (a *Agent) recoverPrints(found []byte) (printing.State, []printing.Ask, []wire.Record) {
	s := printing.New()
	if found != nil {
		var err error
		if s, err = printing.Decode(found); err != nil {
			a.log.Error("the state of printing is not usable", "error", err)
		}
	}
	return printing.Recover(s, printing.Instant(a.now()))
}

// pressed takes what a press says. Only that of the running session counts:
// nobody has used a standby.
func (a *Agent) pressed(work context.Context, b *box, f printjob.FromPress) {
	if b != a.boxes.current() || b.session == "" {
		return
	}
	switch {
	case f.Offer != nil:
		var id [16]byte
		rand.Read(id[:]) // never fails since Go 1.24
		a.print(work, printing.Offered{ID: hex.EncodeToString(id[:]), Session: b.session, Offer: *f.Offer}, extra{})
		a.showPages()
	case f.Refused != nil:
		a.print(work, printing.Refused{Session: b.session, Why: f.Refused.Why}, extra{})
	case f.Withdrawn != nil:
		a.print(work, printing.Withdrawn{Session: b.session, Press: f.Withdrawn.Job}, extra{})
	case f.Sent != nil:
		a.print(work, printing.Sent{Session: b.session, Sent: *f.Sent}, extra{})
	case f.Dial != nil:
		a.dial(work, b, f.Dial.ID)
	case f.Shown != nil:
		if v := a.prints.View(printing.Instant(a.now())); v.Job == a.paper.shown && v.Press == f.Shown.Job {
			a.paper.painted, a.paper.blind = f.Shown.Pages > 0, f.Shown.Pages == 0
			a.log.Info("first pages", "job", v.Job, "painted", f.Shown.Pages)
		}
	}
}

// dialWithin bounds a connection to the printer, which may have to wake up.
const dialWithin = 20 * time.Second

// maxDials bounds the connections that are being made for a press.
const maxDials = 4

// dial hands the press a connection to the printer, and to nothing else, while it
// was told to send something: a press that was taken over reaches it no other time.
func (a *Agent) dial(work context.Context, b *box, id int) {
	link := b.press
	sends := slices.ContainsFunc(a.prints.Jobs, func(j printing.Job) bool { return j.Session == b.session && j.Stage == printing.StageSubmitting })
	if !sends || a.paper.dials >= maxDials {
		link.tell(printjob.ToPress{Dialled: &printjob.Dialled{ID: id, Err: printjob.WhyNoPrinter}}, nil)
		return
	}
	p := a.source.now
	if p == nil {
		link.tell(printjob.ToPress{Dialled: &printjob.Dialled{ID: id, Err: printjob.WhyNoPrinter}}, nil)
		return
	}
	a.paper.dials++
	a.workers.Go(func() {
		defer a.deliver(work, result{then: func(a *Agent) { a.paper.dials-- }})
		ctx, cancel := context.WithTimeout(work, dialWithin)
		defer cancel()
		d := printjob.Dialled{ID: id}
		f, err := p.Dial(ctx)
		if err != nil {
			a.log.Warn("the printer cannot be reached", "error", err)
			d.Err = printjob.WhyNoPrinter
		}
		link.tell(printjob.ToPress{Dialled: &d}, f)
	})
}

// performPrint does what the print jobs' machine asks.
func (a *Agent) performPrint(work context.Context, ask printing.Ask) {
	switch ask := ask.(type) {
	case printing.AskLedger:
		if a.parts.Uplink == nil || !a.parts.Uplink.Ask(ask.Ask) {
			a.worker(work, func() result { return result{then: func(a *Agent) { a.print(work, printing.LedgerLost{}, extra{}) }} })
		}
	case printing.Submit:
		p := a.source.now
		link := a.linkOf(ask.Session)
		if p == nil || link == nil {
			a.worker(work, func() result {
				return result{then: func(a *Agent) { a.print(work, printing.PressGone{Session: ask.Session}, extra{}) }}
			})
			return
		}
		link.tell(printjob.ToPress{Submit: &printjob.Submit{Job: ask.Job, Name: ask.Name, URI: p.URI(), Pin: p.Pin(), Ticket: ask.Ticket}}, nil)
	case printing.Drop:
		if link := a.linkOf(ask.Session); link != nil {
			link.tell(printjob.ToPress{Drop: &printjob.Drop{Job: ask.Job, Gently: ask.Gently}}, nil)
		}
	case printing.ShowStatus:
		if link := a.linkOf(ask.Session); link != nil {
			link.tell(printjob.ToPress{Status: &ask.Status}, nil)
		}
	case printing.Follow:
		a.followJob(work, ask)
	case printing.Unfollow:
		a.unfollow(ask.Job)
	case printing.Find:
		a.find(work, ask)
	case printing.Cancel:
		a.log.Info("print stopped", "job", ask.Job)
		a.cancelJob(work, ask)
	}
}

// linkOf is the channel to the press of a session; nil when it is gone.
func (a *Agent) linkOf(sess string) *pressLink {
	if b := a.boxes.current(); b != nil && b.session == sess {
		return b.press
	}
	return nil
}

// released lets jobs that wait for staff be printed when a badge of theirs is
// held to the reader. It tells whether the badge is one and something waited.
func (a *Agent) released(work context.Context, key []byte) bool {
	waiting := a.prints.Waiting()
	if len(waiting) == 0 {
		return false
	}
	if badge := digest(key); !slices.ContainsFunc(a.policy.Printing.Staff, func(s policy.Staff) bool { return s.Badge == badge }) {
		return false
	}
	return a.release(work)
}

// release lets all jobs that wait for staff be printed. It tells whether one did.
func (a *Agent) release(work context.Context) bool {
	waiting := a.prints.Waiting()
	for _, w := range waiting {
		a.print(work, printing.Released{Job: w.Job}, extra{})
	}
	return len(waiting) > 0
}

// printCommand takes a command about printing. Its record is the machine's.
func (a *Agent) printCommand(work context.Context, c wire.Command, x extra) bool {
	switch c.Kind {
	case wire.CmdPrint:
		a.print(work, printing.Released{Job: c.Job, Command: c.ID}, x)
	case wire.CmdNoPrint:
		a.print(work, printing.StaffRefused{Job: c.Job, Command: c.ID, Text: c.Text}, x)
	case wire.CmdPages:
		a.print(work, printing.Granted{Session: c.Session, Pages: c.Pages, Command: c.ID}, x)
	default:
		return false
	}
	return true
}

// actedOnPrint takes what a person pressed on the page about printing.
func (a *Agent) actedOnPrint(work context.Context, act shell.Action) bool {
	v := a.prints.View(printing.Instant(a.now()))
	p := &a.paper
	switch act.Do {
	case shell.PrintSet, shell.PrintIt:
		if v.Screen != printing.Question || v.Job != act.Job {
			return true // too late: another question is on the screen
		}
		pages, err := printjob.ParseRanges(act.Print.Range, v.Pages)
		p.typed, p.typedFor, p.wrong = act.Print.Range, v.Job, err != nil
		if err != nil {
			return true
		}
		t := v.Ticket
		t.Copies, t.Colour, t.Pages = act.Print.Copies, act.Print.Colour, pages
		switch {
		case !act.Print.Duplex:
			t.Duplex = printjob.OneSided
		case t.Duplex == printjob.OneSided:
			t.Duplex = printjob.LongEdge
		}
		a.print(work, printing.Chosen{Job: v.Job, Ticket: t}, extra{})
		if act.Do == shell.PrintIt {
			a.print(work, printing.Confirmed{Job: v.Job}, extra{})
		}
	case shell.PrintCancel:
		if v.Job == act.Job {
			a.print(work, printing.Declined{Job: act.Job}, extra{})
		}
	case shell.PrintOK:
		p.read, p.called = page(v), ""
		if len(a.prints.Jobs) == 0 {
			a.print(work, printing.Dismissed{}, extra{})
		}
	case shell.PrintShow:
		p.read, p.called = "", v.Job
	default:
		return false
	}
	a.showPages()
	return true
}

// page names what a page about printing tells, so that one that was read does
// not come back by itself.
func page(v printing.View) string { return v.Job + " " + string(v.Screen) + " " + string(v.Reason) }
