package printing

import (
	"bytes"
	"slices"

	"borne/controller/wire"
	"borne/kiosk/printjob"
)

// began makes room for a person. Whoever was before has no press any more.
func (m *machine) began(f SessionBegan) {
	if x := m.s.Live.Session; x != nil {
		if x.ID == f.Session {
			m.ruled(f.Limits)
			return
		}
		m.pressGone(x.ID)
	}
	m.s.Live.Last = nil
	m.s.Live.Session = &Session{ID: f.Session, Holder: bytes.Clone(f.Holder), Pages: max(f.Pages, 0)}
	m.ruled(f.Limits)
}

// ended takes back what was not decided, and lets what was go on for a while.
func (m *machine) ended(f SessionEnded) {
	x := m.session(f.Session)
	if x == nil {
		return
	}
	if !x.Ended {
		x.Ended, x.FinishBy = true, m.at.Mono+max(m.s.Limits.Finish, 0)
	}
	for _, id := range m.ids() {
		if j := m.theirs(id); j != nil && (j.Stage == StageOffered || j.Stage == StageHeld || j.Stage == StageReserving) {
			m.end(j, wire.PrintRefunded, wire.PrintEnded, 0)
		}
	}
	if f.Now || m.at.Mono >= x.FinishBy {
		m.recall(x.ID)
	}
}

// recall ends what needs the press: it is about to be killed.
func (m *machine) recall(session string) {
	for _, id := range m.ids() {
		j := m.job(id)
		if j == nil || j.Session != session {
			continue
		}
		switch j.Stage {
		case StageOffered, StageHeld, StageReserving, StageReserved:
			m.end(j, wire.PrintRefunded, wire.PrintEnded, 0)
		case StageSubmitting:
			m.find(j) // it may have gone
		case StageFinding, StageSubmitted, StagePrinting: // the printer has it, or is asked
		}
	}
}

func (m *machine) pressGone(session string) {
	m.recall(session)
	m.callBack(session)
	if m.session(session) != nil {
		m.s.Live.Session, m.s.Live.Last = nil, nil
	}
}

// callBack stops what a queue of this machine's still holds of a session that is
// over: its document would outlive it.
func (m *machine) callBack(session string) {
	for _, id := range m.ids() {
		if j := m.job(id); j != nil && m.s.Limits.Queue && j.Session == session && (j.Stage == StageSubmitted || j.Stage == StagePrinting) {
			m.cancel(j, wire.PrintEnded)
		}
	}
}

// ruled takes new limits. Jobs that were confirmed keep what they were told.
func (m *machine) ruled(l Limits) {
	m.s.Limits = l
	m.bendAll()
	if l.Enabled {
		return
	}
	for _, id := range m.ids() {
		if j := m.job(id); j != nil && j.Stage == StageOffered {
			m.end(j, wire.PrintRefunded, wire.PrintRefused, 0)
		}
	}
}

// offered takes a document. What cannot be asked about is erased at once.
func (m *machine) offered(f Offered) {
	x, o := m.session(f.Session), f.Offer
	if x == nil || f.ID == "" || m.job(f.ID) != nil || m.press(f.Session, o.Job) != nil {
		if x == nil || m.press(f.Session, o.Job) == nil { // the same offer again erases nothing
			m.ask(Drop{Session: f.Session, Job: o.Job})
		}
		return
	}
	why := printjob.Why("")
	switch {
	case !m.s.Limits.Enabled || x.Ended:
		why = printjob.WhyNotHere
	case len(m.s.Jobs) >= MaxJobs || x.Offers >= maxOffers:
		why = printjob.WhyFull
	case o.Pages < 1 || !o.Ticket.Valid():
		why = printjob.WhyUnreadable
	case o.Pages > printjob.MaxPages:
		why = printjob.WhyTooMany
	}
	if why != "" {
		m.tell(Result{Outcome: wire.PrintRefunded, Why: why, Pages: o.Pages})
		m.ask(ShowStatus{Session: f.Session, Status: printjob.Status{Job: o.Job, State: printjob.Aborted, Why: string(why)}})
		m.ask(Drop{Session: f.Session, Job: o.Job})
		return
	}
	j := Job{ID: f.ID, Session: f.Session, Holder: x.Holder, Press: o.Job, Format: o.Format, Pages: o.Pages, Want: o.Ticket, Since: m.at.Wall.UTC()}
	if j.Want.Selected(j.Pages) == 0 {
		j.Want.Pages = nil // pages that the document does not have: the person is asked about all of it
	}
	x.Offers++
	m.bend(&j)
	m.s.Jobs = append(m.s.Jobs, j)
	m.enter(&m.s.Jobs[len(m.s.Jobs)-1], StageOffered)
	m.s.Live.Last = nil
	m.wonder(&m.s.Jobs[len(m.s.Jobs)-1])
}

// wonder asks the ledger what a badge has left, before the person is asked.
func (m *machine) wonder(j *Job) {
	if len(j.Holder) > 0 {
		j.Live.Again = m.at.Mono + AskAgain
		m.ask(AskLedger{wire.PrintAsk{Job: j.ID, Session: j.Session, Holder: j.Holder}})
	}
}

// question is the job that the person is asked about: the oldest that waits.
func (s State) question() *Job {
	x := s.Live.Session
	if x == nil {
		return nil
	}
	i := slices.IndexFunc(s.Jobs, func(j Job) bool { return j.Session == x.ID && j.Stage == StageOffered })
	if i < 0 {
		return nil
	}
	return &s.Jobs[i]
}

// face begins the time of a question when it comes on screen.
func (m *machine) face() {
	id := ""
	if q := m.s.question(); q != nil {
		if id = q.ID; id != m.s.Live.Facing {
			q.Live.Changed = m.at.Mono
		}
	}
	m.s.Live.Facing = id
}

// tickQuestion runs only for the one on screen.
func (m *machine) tickQuestion(j *Job) {
	if j.ID != m.s.Live.Facing {
		return
	}
	if m.since(j.Live.Changed) >= QuestionFor {
		m.end(j, wire.PrintRefunded, wire.PrintUnanswered, 0)
		return
	}
	if x := m.session(j.Session); x != nil && x.Away && m.at.Mono >= j.Live.Again {
		m.wonder(j)
	}
}

// chosen takes the person's wishes.
func (m *machine) chosen(f Chosen) {
	j := m.theirs(f.Job)
	if j == nil || j.Stage != StageOffered || !f.Ticket.Valid() || f.Ticket.Selected(j.Pages) == 0 {
		return
	}
	f.Ticket.NumberUp = j.Want.NumberUp
	f.Ticket.Pages = slices.Clone(f.Ticket.Pages)
	j.Want, j.Live.Changed = f.Ticket, m.at.Mono
	m.bend(j)
}

// bend makes the ticket that is printed out of the one that is wished.
func (m *machine) bend(j *Job) {
	l, p, t := m.s.Limits, m.s.Live.Printer, j.Want
	able := p == nil || p.Duplex
	t.Copies = min(max(t.Copies, 1), max(l.Copies, 1))
	if p != nil && p.Copies > 0 {
		t.Copies = min(t.Copies, p.Copies)
	}
	t.Colour = t.Colour && l.Colour && (p == nil || p.Colour)
	switch {
	case l.Duplex == DuplexNever || !able:
		t.Duplex = printjob.OneSided
	case l.Duplex == DuplexAlways && t.Duplex == printjob.OneSided:
		t.Duplex = printjob.LongEdge
	}
	if t.Impressions(j.Pages) == t.Copies {
		t.Duplex = printjob.OneSided // a single side has no back
	}
	j.Ticket, j.Asked, j.Sheets, j.Side = t, t.Impressions(j.Pages), t.Sheets(j.Pages), l.price(t)
}

func (m *machine) bendAll() {
	for i := range m.s.Jobs {
		if j := &m.s.Jobs[i]; j.Stage == StageOffered {
			m.bend(j)
		}
	}
}

// cost is what the whole job costs.
func (j Job) cost() wire.Units { return j.Side * wire.Units(j.Asked) }

// blocked is why the person may not say yes; empty when they may.
func (s State) blocked(j Job, at Instant) wire.Reason {
	if s.Limits.Job > 0 && j.Asked > s.Limits.Job {
		return wire.PrintJobPages
	}
	if left, why, _ := s.left(at); j.cost() > left {
		return why
	}
	if p := s.Live.Printer; p != nil && !p.Accepting {
		return wire.PrintUnreachable
	}
	return ""
}

func (m *machine) confirmed(id string) {
	j := m.theirs(id)
	if j == nil || j.Stage != StageOffered || m.s.blocked(*j, m.at) != "" {
		return
	}
	j.Reserved, j.Silent = j.cost(), m.s.Limits.Silent
	if m.s.Limits.holds(*j) {
		j.Since = m.at.Wall.UTC()
		m.enter(j, StageHeld)
		return
	}
	m.reserve(j)
}

// released is staff's yes.
func (m *machine) released(f Released) {
	j := m.theirs(f.Job)
	if j == nil || j.Stage != StageHeld {
		m.done(f.Command, "no-job")
		return
	}
	m.done(f.Command, "")
	m.reserve(j)
}

// staffRefused is staff's no.
func (m *machine) staffRefused(f StaffRefused) {
	j := m.theirs(f.Job)
	if j == nil || j.Stage != StageHeld {
		m.done(f.Command, "no-job")
		return
	}
	m.done(f.Command, "")
	m.end(j, wire.PrintRefunded, wire.PrintRefused, 0)
	if r := m.s.Live.Last; r != nil && r.Job == f.Job {
		r.Text = f.Text
	}
}

// granted gives more pages: to the session, to the hour's window, and, by the
// console, to the badge's account, which the ledger knows by itself.
func (m *machine) granted(f Granted) {
	x := m.s.Live.Session
	switch {
	case x == nil || x.Ended, f.Session != "" && f.Session != x.ID: // the next person gets nothing of it
		m.done(f.Command, "no-session")
	case f.Pages < 1 || f.Pages > 1000 || len(x.Grants) >= maxGrants:
		m.done(f.Command, "too-many")
	case f.Command != "" && slices.Contains(x.Grants, f.Command):
		m.done(f.Command, "")
	default:
		x.Granted += wire.Units(f.Pages) * wire.UnitsPerPage
		x.Grants = append(x.Grants, f.Command)
		m.done(f.Command, "")
		if q := m.s.question(); q != nil {
			m.wonder(m.job(q.ID))
		}
	}
}

// cancel is the person's no, whatever the stage, or the machine's own.
func (m *machine) cancel(j *Job, why wire.Reason) {
	switch j.Stage {
	case StageOffered, StageHeld, StageReserving, StageReserved:
		m.end(j, wire.PrintRefunded, why, 0)
	case StageSubmitting, StageFinding: // the printer can be told once it has a number
		if j.Cancel == "" {
			j.Cancel = why
			if j.Stage == StageSubmitting {
				m.ask(Drop{Session: j.Session, Job: j.Press, Gently: true}) // a press that waits for its turn waits no longer
			}
		}
	case StageSubmitted, StagePrinting:
		if j.Ended != 0 {
			return
		}
		if j.Cancel == "" {
			j.Cancel = why
		}
		m.stop(j)
	}
}

// stop asks the printer to stop a job, and again until it has.
func (m *machine) stop(j *Job) {
	j.Live.Again = m.at.Mono + CancelAgain
	m.ask(Cancel{Job: j.ID, Name: name(j.ID), Remote: j.Remote})
}
