package agent

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/printing"
)

// The printer that rules name has to answer once before it is used. Until then the
// one before prints on, so that a wrong address costs nobody a page; staff are told
// after a while, and it goes on being asked, for somebody may only have to switch it
// on. It takes over between two sessions, once no job is at the one before.

// deviceWithin is how long the printer of the rules may be silent before staff know.
const deviceWithin = 5 * time.Minute

// askDevice is how often it is asked in that time; later as often as a printer is
// looked at while nobody is here.
const askDevice = 10 * time.Second

// source is the printer that is used, and the one that rules want instead.
type source struct {
	now    Printer // nil: nothing is printed here
	is     policy.NamedPrinter
	close  func() error // of now; nil: it is not the agent's to close
	silent string       // reason that staff were told of next; empty: none
	next   *candidate   // nil: now is the one that is wanted
}

// candidate is a printer that has to answer first.
type candidate struct {
	is     policy.NamedPrinter
	p      Printer // nil: rules and file name none
	close  func() error
	look   PrinterLook
	answer bool // it has answered: look is something
	since  time.Duration
	asking bool
	again  time.Duration
	why    string // reason, when it does not answer
}

// keptDevice is what the journal holds of it.
type keptDevice struct {
	Is     policy.NamedPrinter `json:"is"` // zero: that of the terminal's file
	Silent string              `json:"silent,omitempty"`
}

func (k keptDevice) encode() []byte {
	b, err := json.Marshal(k)
	if err != nil { // none of its fields can fail
		return []byte("{}")
	}
	return b
}

// recoverDevice takes up the printer that was used before.
func (a *Agent) recoverDevice(found []byte) {
	d := &a.source
	if found == nil {
		d.now = a.parts.Printer
		return
	}
	var k keptDevice
	if err := json.Unmarshal(found, &k); err != nil {
		a.log.Error("what is known of the printer is not readable", "error", err)
	}
	a.paper.recorded.State = "unknown" // what was told in another life may be over
	d.is, d.silent = k.Is, k.Silent
	var err error
	if d.now, d.close, err = a.openDevice(k.Is); err != nil {
		a.log.Error("the printer of the rules cannot be used", "error", err)
	}
}

// openDevice opens a printer of rules, or takes that of the terminal's file.
func (a *Agent) openDevice(is policy.NamedPrinter) (Printer, func() error, error) {
	switch {
	case is.URI == "":
		return a.parts.Printer, nil, nil
	case a.parts.Printers == nil:
		return nil, nil, errors.New("cannot open the printer of the rules: this terminal takes none from them")
	}
	p, err := a.parts.Printers(is)
	if err != nil {
		return nil, nil, err
	}
	return p, p.Close, nil
}

// tickDevice comes once a second.
func (a *Agent) tickDevice(work context.Context) {
	d := &a.source
	if want := a.policy.Printer; a.policy.Version > 0 && (d.next == nil && !want.Same(d.is) || d.next != nil && !want.Same(d.next.is)) {
		a.wantDevice(work, want)
	}
	if d.next == nil && a.policy.Version > 0 {
		a.tellSilent(work, "") // what another life told is over
	}
	if n := d.next; n != nil {
		a.askNext(work, n)
		a.changeDevice(work, n)
	}
	a.recordPrinter(work)
}

// wantDevice begins with another printer, or with none when the one that is used is
// wanted again.
func (a *Agent) wantDevice(work context.Context, want policy.NamedPrinter) {
	d := &a.source
	if n := d.next; n != nil {
		if n.close != nil {
			a.workers.Go(func() { a.closeDevice(n.close) })
		}
		a.tellSilent(work, "")
	}
	if d.next = nil; want.Same(d.is) {
		return
	}
	a.log.Info("another printer is wanted", "address", want.URI)
	n := &candidate{is: want, since: a.now().Mono, why: wire.PrinterNewSilent}
	var err error
	if n.p, n.close, err = a.openDevice(want); err != nil {
		a.log.Error("the printer of the rules cannot be used", "error", err)
	}
	n.answer = n.p == nil && err == nil // none is wanted: nobody has to answer
	d.next = n
}

// askNext asks the printer that is wanted, until it has answered once.
func (a *Agent) askNext(work context.Context, n *candidate) {
	at := a.now().Mono
	within := a.cfg.Printer
	if within == 0 {
		within = deviceWithin
	}
	late := at-n.since >= within
	if !n.answer && late && a.source.silent != n.why {
		a.log.Error("the new printer does not answer; the one before is kept", "address", n.is.URI, "since", at-n.since)
		a.tellSilent(work, n.why)
	}
	if n.answer || n.asking || n.p == nil || at < n.again {
		return
	}
	n.asking, n.again = true, at+askDevice
	if late {
		n.again = at + lookIdle
	}
	a.worker(work, func() result {
		ctx, cancel := context.WithTimeout(work, lookWithin)
		defer cancel()
		l, err := n.p.Look(ctx)
		return result{then: func(a *Agent) {
			n.asking = false
			switch {
			case err == nil:
				n.look, n.answer = l, true
			case errors.Is(err, ErrStranger):
				n.why = wire.PrinterNewStranger
			default:
				n.why = wire.PrinterNewSilent
			}
			if err != nil {
				a.log.Warn("the new printer does not answer", "address", n.is.URI, "error", err)
			}
		}}
	})
}

// changeDevice has the printer that answered take over, between two sessions and
// two jobs.
func (a *Agent) changeDevice(work context.Context, n *candidate) {
	d, p := &a.source, &a.paper
	if !n.answer || n.asking || !a.state.Phase.Standing() || len(a.prints.Jobs) > 0 || p.looking || p.dials > 0 {
		return
	}
	if !a.applyWith(work, nil, extra{printer: keptDevice{Is: n.is}.encode()}) {
		return // the disk is full: later
	}
	a.log.Info("the printer of the rules is used", "address", n.is.URI, "before", d.is.URI)
	if d.close != nil {
		old := d.close
		a.workers.Go(func() { a.closeDevice(old) })
	}
	*d = source{now: n.p, is: n.is, close: n.close}
	p.look, p.looked, p.lookAt = PrinterLook{}, false, 0
	if d.now != nil {
		a.sawPrinter(work, n.look)
	} else {
		a.print(work, printing.PrinterReady{}, extra{})
	}
	a.rulePrints(work)
	for _, b := range a.boxes.all() {
		a.tellPress(b)
	}
}

func (a *Agent) closeDevice(close func() error) {
	if err := close(); err != nil {
		a.log.Warn("a printer is not closed", "error", err)
	}
}

// closeDevices is for the end: nobody asks a printer any more.
func (a *Agent) closeDevices() {
	if c := a.source.close; c != nil {
		a.closeDevice(c)
	}
	if n := a.source.next; n != nil && n.close != nil {
		a.closeDevice(n.close)
	}
}

// tellSilent keeps what staff are told of the printer that is wanted.
func (a *Agent) tellSilent(work context.Context, why string) {
	d := &a.source
	if d.silent != why && a.applyWith(work, nil, extra{printer: keptDevice{Is: d.is, Silent: why}.encode()}) {
		d.silent = why
	}
}

// toldOfPrinter is how the printer is, as the controller is told; without one, and
// with none that is awaited, it has no state.
func (a *Agent) toldOfPrinter() wire.Printer {
	var s wire.Printer
	if a.paper.looked {
		s = a.paper.look.Status
	}
	if why := a.source.silent; why != "" {
		if s.State == "" {
			s.State = wire.PrinterLost
		}
		s.Reasons = append([]string{why}, slices.Clone(s.Reasons)...)
	}
	return s
}

// recordPrinter records what looks at the printer do not: that the one of the rules
// is silent, or not any more, and that there is none now.
func (a *Agent) recordPrinter(work context.Context) {
	p := &a.paper
	told := a.toldOfPrinter()
	if !p.looked && a.source.now != nil || samePrinter(lastingPart(told), lastingPart(p.recorded)) {
		return
	}
	if a.applyWith(work, nil, extra{records: []wire.Record{draft(a.now(), wire.KindPrinter, told)}}) {
		p.recorded = told
	}
}
