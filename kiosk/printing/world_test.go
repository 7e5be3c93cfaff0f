package printing_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"borne/controller/wire"
	. "borne/kiosk/printing"
	"borne/kiosk/printjob"
)

// world is what surrounds the machine: a disk that keeps what was committed,
// people, a press, a printer that really prints, and a ledger with its own
// books. The properties are about this world, not about what the machine says
// of itself.
type world struct {
	r       *rand.Rand
	kind    bool // nothing ever happens of which nobody could tell the truth
	clocks  bool // the wall clock jumps, and cannot always be believed
	limits  Limits
	disk    []byte
	s       State
	real    time.Duration // true time, over all processes
	bootAt  time.Duration
	skew    time.Duration
	trusted bool

	session  string
	holder   []byte
	granted  map[string]wire.Units
	pressed  int // last number of this session's press
	docs     map[string]*doc
	order    []string
	followed map[string]int
	results  []Fact
	printer  *printer
	ledger   *ledger
	toLedger []wire.Printed // committed records that did not arrive yet
	finals   []final
	nextID   int
	crashes  int
	reached  map[Stage]int

	log []string
	bad string // first broken promise
}

// doc is one document, and what really became of it.
type doc struct {
	id      string
	session string
	holder  bool
	press   int
	ticket  printjob.Ticket // as submitted
	pages   int
	sent    int // how often the printer took it
	hanging bool
	erased  bool
	durable bool
	over    bool // its final status was shown
	pj      *pjob
	told    bool // the printer's last word was delivered, with the true count
	finals  int
	heard   int // sides, in the last word that was delivered
}

type final struct {
	at   time.Duration
	anon bool
	p    wire.Printed
}

var prices = Prices{Black: 100, BlackDuplex: 75, Colour: 300, ColourDuplex: 225}

func newWorld(seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 77))
	w := &world{r: r, kind: r.IntN(2) == 0, clocks: r.IntN(3) == 0, trusted: true, docs: map[string]*doc{}, followed: map[string]int{},
		granted: map[string]wire.Units{}, printer: &printer{up: true}, ledger: &ledger{up: true, quota: 2500, jobs: map[string]*entry{}, paid: map[string]wire.Units{}}, reached: map[Stage]int{}}
	w.limits = Limits{Enabled: true, Session: 20, Job: 30, Hour: 30, Offline: 6, Prices: prices, Colour: r.IntN(4) > 0, Copies: 3,
		Duplex: []Duplex{DuplexFree, DuplexFree, DuplexNever, DuplexAlways}[r.IntN(4)], Silent: []Silent{SilentCharge, SilentFree, SilentStaff}[r.IntN(3)], Finish: time.Minute}
	switch r.IntN(5) {
	case 0:
		w.limits.HoldAll = true
	case 1:
		w.limits.HoldOver = 4
	case 2:
		w.limits.HoldColour = true
	}
	w.boot()
	return w
}

func (w *world) at() Instant {
	return Instant{Mono: w.real - w.bootAt + time.Second, Wall: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC).Add(w.real + w.skew), Trusted: w.trusted}
}

func (w *world) chance(n int) bool { return w.r.IntN(n) == 0 }

func (w *world) note(format string, a ...any) {
	w.log = append(w.log, fmt.Sprintf("%8s ", w.real)+fmt.Sprintf(format, a...))
}

func (w *world) broken(format string, a ...any) {
	if w.bad == "" {
		w.bad = fmt.Sprintf(format, a...)
	}
}

// boot starts a process from what the disk holds. The press and its documents
// died with the one before, and so did the session.
func (w *world) boot() {
	for _, d := range w.docs {
		d.hanging, d.erased = false, true
	}
	w.session, w.results = "", nil
	clear(w.followed)
	w.bootAt = w.real
	s := New()
	if w.disk != nil {
		var err error
		if s, err = Decode(w.disk); err != nil {
			w.broken("the disk's state cannot be read: %v", err)
		}
	}
	next, asks, records := Recover(s, w.at())
	w.commit(next, records)
	for _, a := range asks {
		w.perform(a, true)
	}
}

// commit makes one step durable.
func (w *world) commit(next State, records []wire.Record) {
	b, err := Encode(next)
	if err != nil {
		panic(err)
	}
	w.disk, w.s = b, next
	for _, j := range next.Jobs {
		w.reached[j.Stage]++
		if d := w.docs[j.ID]; d != nil && j.Stage != StageOffered && j.Stage != StageHeld {
			d.durable = true
		}
	}
	for _, r := range records {
		if r.Kind != wire.KindPrint {
			continue
		}
		var p wire.Printed
		if err := json.Unmarshal(r.Body, &p); err != nil {
			panic(err)
		}
		w.note("record %s %s %q reserved %d charged %d done %d", p.Job, p.Outcome, p.Reason, p.Reserved, p.Charged, p.Impressions)
		w.finals = append(w.finals, final{w.real, !w.docs[p.Job].holder, p})
		w.toLedger = append(w.toLedger, p)
		w.docs[p.Job].finals++
		w.judge(p)
	}
	w.books()
}

// send runs one event, maybe with a crash: before the commit, or after it with
// some of what was asked done, and no answer heard.
func (w *world) send(f Fact) {
	w.note("%T%+v", f, f)
	next, asks, records := Step(w.s, Event{At: w.at(), Fact: f})
	cut := w.r.IntN(150)
	if p, ok := f.(Progress); ok && cut > 0 {
		w.hear(p) // what a cut took away before it was durable is not known
	}
	if cut > 1 {
		w.commit(next, records)
		for _, a := range asks {
			w.perform(a, true)
		}
		w.look()
		return
	}
	w.crashes++
	if cut == 1 {
		w.commit(next, records)
		for _, a := range asks {
			if _, submit := a.(Submit); submit && w.kind || w.chance(2) {
				w.perform(a, false)
			}
		}
	}
	w.note("power cut %d", cut)
	w.real += time.Duration(w.r.IntN(120)) * time.Second
	w.boot()
}

// hear notes that the machine was told the truth about the end of a job.
func (w *world) hear(f Progress) {
	if d := w.docs[f.Job]; d != nil && d.pj != nil {
		d.heard = max(f.Impressions, 0)
		d.told = f.State.Over() && !f.Stopping && max(f.Impressions, 0) == d.pj.printed
	}
}

// perform does what was asked. answered: the process lives to hear the answer.
func (w *world) perform(a Ask, answered bool) {
	var got Fact
	switch a := a.(type) {
	case AskLedger:
		got = w.askLedger(a.Ask)
	case Submit:
		got = w.submit(a)
	case Drop:
		if d := w.pressDoc(a.Session, a.Job); d != nil {
			d.erased, d.hanging = true, false
		}
	case Follow:
		w.followed[a.Job] = a.Remote
		if pj := w.printer.remote(a.Remote); pj == nil || pj.name != a.Name || w.docs[a.Job].pj != pj {
			w.broken("job %s follows another's number %d", a.Job, a.Remote)
		}
	case Unfollow:
		delete(w.followed, a.Job)
	case Find:
		pj := w.printer.named(a.Name)
		switch {
		case !w.printer.up || !w.kind && w.chance(6):
			got = PrinterLost{Job: a.Job}
		case pj == nil || pj.forgotten:
			got = Found{Job: a.Job}
		default:
			got = Found{Job: a.Job, Remote: pj.remote}
		}
	case Cancel:
		if w.printer.up && (w.kind || !w.chance(4)) {
			w.printer.cancel(a.Remote, w.r.IntN(3))
		}
	case ShowStatus:
		if d := w.pressDoc(a.Session, a.Status.Job); d != nil {
			if d.over {
				w.broken("job %s has a status after its last one", d.id)
			}
			d.over = a.Status.State.Over()
		}
	}
	if got != nil && answered {
		w.results = append(w.results, got)
	}
}

func (w *world) pressDoc(session string, n int) *doc {
	for _, d := range w.docs {
		if d.session == session && d.press == n {
			return d
		}
	}
	return nil
}

// submit is the press at work.
func (w *world) submit(a Submit) Fact {
	d := w.docs[a.ID]
	switch {
	case d.session != w.session || a.Session != w.session || d.press != a.Job:
		w.broken("job %s is sent by the press of session %q", a.ID, a.Session)
		return nil
	case d.erased:
		w.broken("job %s is sent after it was erased", a.ID)
	}
	d.ticket = a.Ticket
	if d.hanging {
		w.broken("job %s is sent while it is being sent", a.ID)
	}
	if !w.printer.up {
		return Sent{a.Session, printjob.Sent{Job: a.Job, Why: printjob.WhyNoPrinter}}
	}
	switch n := w.r.IntN(12); {
	case n == 0: // busy, or away for a moment
		return Sent{a.Session, printjob.Sent{Job: a.Job, Why: printjob.WhyNoPrinter}}
	case n == 1 && !w.kind:
		return Sent{a.Session, printjob.Sent{Job: a.Job, Why: printjob.WhyRejected}}
	case n == 2 && !w.kind: // the connection broke, and it is not there
		return Sent{a.Session, printjob.Sent{Job: a.Job, Why: printjob.WhyCut, Unsure: true}}
	case n == 3 && !w.kind: // it hangs, with nothing taken yet
		d.hanging = true
		return nil
	}
	w.take(d, a.Name)
	switch n := w.r.IntN(12); {
	case n == 0: // the answer is lost
		return Sent{a.Session, printjob.Sent{Job: a.Job, Why: printjob.WhyCut, Unsure: true}}
	case n == 1: // nobody answers
		return nil
	}
	return Sent{a.Session, printjob.Sent{Job: a.Job, Remote: d.pj.remote}}
}

// take is the printer that takes a document.
func (w *world) take(d *doc, name string) {
	if d.sent++; d.sent > 1 {
		w.broken("job %s is sent twice", d.id)
	}
	pj := &pjob{name: name, sides: d.ticket.Impressions(d.pages), state: printjob.Pending, abortAt: -1}
	if !w.kind {
		pj.silent = w.chance(5)
		pj.extra = max(0, w.r.IntN(12)-10)
	}
	if w.chance(8) {
		if pj.abortAt = w.r.IntN(pj.sides + 1); w.kind {
			pj.abortAt = max(pj.abortAt, 1)
		}
	}
	pj.flags = w.kind || w.chance(2)
	d.pj = pj
	w.printer.add(pj)
}

func (w *world) askLedger(a wire.PrintAsk) Fact {
	d := w.docs[a.Job]
	if len(a.Holder) == 0 || !d.holder {
		w.broken("the ledger is asked about job %s of nobody", a.Job)
	}
	if !w.ledger.up {
		if w.chance(3) { // it was asked, and its answer is lost
			w.ledger.ask(a)
		}
		if w.chance(5) {
			return nil
		}
		return LedgerLost{}
	}
	ans := w.ledger.ask(a)
	if w.chance(15) {
		return LedgerLost{}
	}
	return Answered{ans}
}

// poll is what following tells.
func (w *world) poll(id string) Fact {
	pj := w.printer.remote(w.followed[id])
	switch {
	case !w.printer.up:
		return PrinterLost{Job: id}
	case pj == nil || pj.forgotten:
		return PrinterLost{Job: id, Forgotten: true}
	}
	p := Progress{Job: id, State: pj.state, Impressions: pj.printed, Stopping: pj.state.Over() && pj.late > 0 && pj.flags}
	if pj.silent {
		p.Impressions = 0
	}
	if w.printer.stuck && !pj.state.Over() {
		p.State, p.Reasons = printjob.Stopped, []string{"media-empty"}
	}
	return p
}

func (w *world) fresh() string {
	w.nextID++
	return fmt.Sprintf("j%d", w.nextID)
}
