package printing_test

import (
	"flag"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"borne/controller/wire"
	. "borne/kiosk/printing"
	"borne/kiosk/printjob"
)

var (
	modelSeed = flag.Uint64("model.seed", 0, "seed of the first history; 0: of the clock")
	histories = flag.Int("model.histories", 10000, "how many histories are played")
)

// TestModel plays random histories of people, staff, a press, a printer, a
// ledger and power cuts, and holds what the machine says against what the
// printer really printed and the ledger's books.
func TestModel(t *testing.T) {
	seed := *modelSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	n := *histories
	if testing.Short() {
		n /= 20
	}
	var mu sync.Mutex
	reached, outcomes, crashes, jobs := map[Stage]int{}, map[wire.Outcome]int{}, 0, 0
	reasons := map[wire.Reason]int{}
	var wg sync.WaitGroup
	failed := make(chan *world, 1)
	const workers = 2
	for k := range workers {
		wg.Go(func() {
			for i := k; i < n; i += workers {
				w := play(seed + uint64(i))
				mu.Lock()
				for s, c := range w.reached {
					reached[s] += c
				}
				for _, f := range w.finals {
					outcomes[f.p.Outcome]++
					reasons[f.p.Reason]++
				}
				crashes, jobs = crashes+w.crashes, jobs+len(w.docs)
				mu.Unlock()
				if w.bad != "" {
					w.note("-model.seed=%d -model.histories=1", seed+uint64(i))
					select {
					case failed <- w:
					default:
					}
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case w := <-failed:
		from := max(0, len(w.log)-150)
		t.Fatalf("%s\nkind %v clocks %v limits %+v\n%s", w.bad, w.kind, w.clocks, w.limits, strings.Join(w.log[from:], "\n"))
	default:
	}
	t.Logf("seed %d: %d histories, %d jobs, %d power cuts, outcomes %v, reasons %v", seed, n, jobs, crashes, outcomes, reasons)
	// The properties are worth nothing if the histories do not go anywhere.
	for _, s := range Stages() {
		if reached[s] == 0 {
			t.Errorf("no history reached %s", s)
		}
	}
	for _, o := range []wire.Outcome{wire.PrintSettled, wire.PrintRefunded, wire.PrintDoubtful} {
		if outcomes[o] == 0 {
			t.Errorf("no job was %s", o)
		}
	}
	for _, r := range []wire.Reason{"", wire.PrintCancelled, wire.PrintEnded, wire.PrintQuota, wire.PrintOffline, wire.PrintRefused, wire.PrintUnanswered,
		wire.PrintPrinter, wire.PrintUnreachable, wire.PrintLost, wire.PrintSilent} {
		if reasons[r] == 0 {
			t.Errorf("no job ended with reason %q", r)
		}
	}
}

// play is one history, to its end.
func play(seed uint64) *world {
	w := newWorld(seed)
	for n := 30 + w.r.IntN(50); n > 0 && w.bad == ""; n-- {
		w.act()
	}
	w.drain()
	w.judgeAll()
	return w
}

// act does one thing.
func (w *world) act() {
	w.real += time.Duration(w.r.IntN(4)) * 500 * time.Millisecond
	if w.session == "" && !w.chance(4) {
		w.sit()
		return
	}
	switch n := w.r.IntN(100); {
	case n < 8:
		w.offer()
	case n < 12:
		w.smooth()
	case n < 27:
		w.answer()
	case n < 32:
		w.staff()
	case n < 52:
		w.deliver()
	case n < 72:
		w.printer.run(w.r.IntN(6))
		w.pollAll()
	case n < 84:
		w.tick(time.Duration(w.r.IntN(5000)) * time.Millisecond)
	case n < 87:
		w.tick(time.Duration(w.r.IntN(200)) * time.Second)
	case n < 88:
		if !w.kind {
			w.tick(time.Duration(w.r.IntN(60)) * time.Minute)
		}
	case n < 91:
		w.fault()
	case n < 94:
		w.ledger.up = w.chance(2)
	case n < 95:
		w.forward()
	case n < 97:
		w.leave()
	case n < 98:
		if w.session != "" && !w.kind {
			w.killPress()
		}
	case n < 99:
		w.send(PrinterReady{Accepting: w.printer.up, Colour: !w.chance(4), Duplex: !w.chance(4), Copies: w.r.IntN(4)})
	default:
		if w.clocks {
			w.skew += time.Duration(w.r.IntN(7200)-3600) * time.Second
			w.trusted = w.chance(2)
		}
	}
}

// smooth prints one document from the offer to the paper, unless something is in
// the way.
func (w *world) smooth() {
	w.offer()
	session := w.session
	for n := 0; n < 12 && w.session == session && w.bad == ""; n++ {
		switch v := w.s.View(w.at()); v.Screen {
		case Question:
			w.send(Confirmed{v.Job})
			if n > 8 {
				return
			}
		case OnHold:
			w.send(Released{Job: v.Job})
		case Queued, Sending:
			w.deliver()
		case AtWork, Stopped:
			w.printer.run(w.r.IntN(8))
			w.pollAll()
		case Nothing, Done, NotDone:
			return
		}
	}
}

func (w *world) tick(d time.Duration) {
	w.real += d
	if w.kind { // the printer is heard about once a second, and its engine takes one for a side
		w.printer.finish(int(d / time.Second))
		w.pollAll()
	}
	w.send(Tick{})
}

func (w *world) sit() {
	w.session, w.holder, w.pressed = "s"+w.fresh(), nil, 0
	if w.chance(2) {
		w.holder = []byte{1, 2, 3}
	}
	w.send(SessionBegan{Session: w.session, Holder: w.holder, Limits: w.limits})
}

// leave ends the session: it waits for documents on their way, and kills the press.
func (w *world) leave() {
	if w.session == "" {
		return
	}
	id := w.session
	w.send(SessionEnded{Session: id, Now: w.chance(3)})
	for n := 0; w.session == id && w.s.Busy() && n < 20; n++ {
		w.deliver()
		w.tick(10 * time.Second)
	}
	if w.session != id {
		return // a power cut
	}
	if w.s.Busy() {
		w.broken("the session's end would wait for ever")
	}
	w.killPress()
}

func (w *world) killPress() {
	id := w.session
	for _, d := range w.docs {
		if d.session == id {
			d.hanging, d.erased = false, true
		}
	}
	w.send(PressGone{Session: id})
	w.session = "" // whatever the machine does: the sandbox is gone
	for i := 0; i < len(w.results); i++ {
		if s, ok := w.results[i].(Sent); ok && s.Session == id && w.chance(2) { // its last words may still be read
			w.results = slices.Delete(w.results, i, i+1)
			i--
		}
	}
}

func (w *world) offer() {
	if w.session == "" {
		return
	}
	w.pressed++
	d := &doc{id: w.fresh(), session: w.session, holder: len(w.holder) > 0, press: w.pressed, pages: 1 + w.r.IntN(8)}
	w.docs[d.id], w.order = d, append(w.order, d.id)
	w.send(Offered{ID: d.id, Session: w.session, Offer: printjob.Offer{Job: d.press, Format: printjob.PDF, Pages: d.pages, Ticket: w.ticket(d.pages)}})
}

func (w *world) ticket(pages int) printjob.Ticket {
	t := printjob.Ticket{Copies: w.r.IntN(3), Colour: w.chance(3), Duplex: []printjob.Duplex{printjob.OneSided, printjob.LongEdge, printjob.ShortEdge}[w.r.IntN(3)]}
	if w.chance(3) {
		from := 1 + w.r.IntN(pages)
		t.Pages = []printjob.Range{{From: from, To: from + w.r.IntN(pages-from+1)}}
	}
	return t
}

// some is one of the documents, more often a late one.
func (w *world) some() string {
	if len(w.order) == 0 {
		return "nothing"
	}
	if w.chance(5) {
		return w.order[w.r.IntN(len(w.order))]
	}
	return w.order[max(0, len(w.order)-1-w.r.IntN(2))]
}

// answer is the person at the screen.
func (w *world) answer() {
	v := w.s.View(w.at())
	id := v.Job
	if id == "" || w.chance(8) {
		id = w.some()
	}
	switch n := w.r.IntN(10); {
	case n < 6:
		w.send(Confirmed{id})
		if j := slices.IndexFunc(w.s.Jobs, func(j Job) bool { return j.ID == id && j.Stage == StageOffered }); j >= 0 && v.Job == id && v.Screen == Question && v.Blocked == "" && w.session != "" {
			w.broken("job %s: the yes that was on screen is not taken", id)
		}
	case n < 7:
		w.send(Chosen{id, w.ticket(8)})
	case n < 8:
		w.send(Declined{id})
	case n < 9 && w.session != "":
		w.send(Withdrawn{w.session, 1 + w.r.IntN(max(w.pressed, 1))})
	default:
		w.send(Dismissed{})
	}
}

func (w *world) staff() {
	id := w.some()
	if q := w.s.Waiting(); len(q) > 0 {
		id = q[w.r.IntN(len(q))].Job
	}
	switch w.r.IntN(6) {
	case 0:
		w.send(StaffRefused{Job: id})
	case 1:
		if session, before := w.session, w.crashes; session != "" {
			w.send(Granted{Pages: 3, Command: "c" + w.fresh()})
			if w.crashes == before {
				w.granted[session] += 300
			}
		}
	default:
		w.send(Released{Job: id})
	}
}

// deliver hands one answer over.
func (w *world) deliver() {
	if len(w.results) == 0 {
		return
	}
	i := w.r.IntN(len(w.results))
	f := w.results[i]
	w.results = slices.Delete(w.results, i, i+1)
	w.send(f)
	if w.chance(10) {
		w.send(f) // and once more: nothing comes of it
	}
}

func (w *world) pollAll() {
	ids := make([]string, 0, len(w.followed))
	for id := range w.followed {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if _, still := w.followed[id]; still {
			w.send(w.poll(id))
		}
	}
	for _, d := range w.docs { // a press that hung may go on
		if d.hanging && d.session == w.session && w.printer.up && w.chance(3) {
			d.hanging = false
			w.take(d, "borne-"+d.id)
			if w.chance(2) {
				w.results = append(w.results, Sent{d.session, printjob.Sent{Job: d.press, Remote: d.pj.remote}})
			}
		}
	}
}

func (w *world) fault() {
	switch n := w.r.IntN(6); {
	case n < 2:
		w.printer.stuck = !w.printer.stuck
	case w.kind:
	case n < 4:
		w.printer.up = !w.printer.up
		w.send(PrinterReady{Accepting: w.printer.up, Colour: true, Duplex: true})
	case n < 5:
		for _, j := range w.printer.jobs { // switched off and on
			if w.chance(3) {
				j.forgotten, j.late = true, 0
			}
		}
	default:
		if len(w.printer.jobs) > 0 { // somebody at its panel
			w.printer.cancel(100+w.r.IntN(len(w.printer.jobs)), 2)
		}
	}
}

// forward lets the ledger have some of the records.
func (w *world) forward() {
	for len(w.toLedger) > 0 && !w.chance(4) {
		w.ledger.printed(w.toLedger[0])
		w.toLedger = w.toLedger[1:]
	}
}

// drain mends everything and lets time pass.
func (w *world) drain() {
	w.leave()
	w.printer.up, w.printer.stuck, w.ledger.up = true, false, true
	for n := 0; n < 100 && w.bad == "" && (len(w.s.Jobs) > 0 || n == 0); n++ {
		w.printer.run(20)
		for len(w.results) > 0 && w.bad == "" {
			w.deliver()
		}
		w.pollAll()
		step := 4 * time.Second
		if n > 20 {
			step = 10 * time.Minute
		}
		w.tick(step)
	}
	for len(w.toLedger) > 0 {
		w.forward()
	}
}

// look asks what the screens ask, after every step.
func (w *world) look() {
	v := w.s.View(w.at())
	if v.Left < 0 || v.GivenBack < 0 || v.Printed < 0 {
		w.broken("the screen shows less than nothing: %+v", v)
	}
	if d := w.docs[v.Job]; v.Job != "" && (d == nil || d.session != w.session) {
		w.broken("the screen of session %q shows job %s", w.session, v.Job)
	}
	engaged := 0
	for _, j := range w.s.Jobs {
		if j.Stage == StageSubmitting || j.Stage == StageFinding || j.Stage == StageSubmitted || j.Stage == StagePrinting {
			engaged++
		}
	}
	if engaged > 1 {
		w.broken("%d jobs have the printer at once", engaged)
	}
}
