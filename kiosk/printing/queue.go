package printing

import (
	"borne/controller/wire"
	"borne/kiosk/printjob"
)

// reserve sets the cost of a confirmed job aside: with the ledger for a badge,
// here for everybody else.
func (m *machine) reserve(j *Job) {
	if len(j.Holder) == 0 {
		j.Granted = true
		m.enter(j, StageReserved)
		return
	}
	m.enter(j, StageReserving)
	m.ask(AskLedger{wire.PrintAsk{Job: j.ID, Session: j.Session, Holder: j.Holder, Units: j.Reserved}})
}

// answered takes the ledger's word.
func (m *machine) answered(a wire.PrintAnswer) {
	j := m.theirs(a.Job)
	if j == nil {
		return // over already: its record tells the ledger
	}
	x := m.s.Live.Session
	x.Away = false
	if x.Offline == 0 {
		delete(m.s.Live.Away, string(x.Holder)) // the badge's sessions before told of theirs: records come in order
	}
	left := a.Left
	for _, k := range m.s.Jobs {
		if k.Session == x.ID && k.Offline {
			left -= k.Reserved // the ledger does not know of it yet
		}
	}
	x.Left, x.Month = &left, a.Month
	if j.Stage != StageReserving {
		return
	}
	switch {
	case a.Granted:
		j.Granted = true
		m.enter(j, StageReserved)
	case a.Reason != "": // without a reason it answers the question of before: what is left
		m.end(j, wire.PrintRefunded, a.Reason, 0)
	}
}

// ledgerLost leaves what is asked without an answer.
func (m *machine) ledgerLost() {
	if x := m.s.Live.Session; x != nil && len(x.Holder) > 0 {
		x.Away = true
	}
	for _, id := range m.ids() {
		if j := m.job(id); j != nil && j.Stage == StageReserving {
			m.unanswered(j)
		}
	}
}

// unanswered prints on the terminal's own allowance, or not at all. The ledger
// may have set the cost aside even so: the record says the job's cost, and to
// whom, so it is charged once either way.
func (m *machine) unanswered(j *Job) {
	x := m.session(j.Session)
	if x == nil {
		m.end(j, wire.PrintRefunded, wire.PrintEnded, 0)
		return
	}
	x.Away = true
	if _, used := m.s.used(); used+j.Reserved > wire.Units(m.s.Limits.Offline)*wire.UnitsPerPage {
		m.end(j, wire.PrintRefunded, wire.PrintOffline, 0)
		return
	}
	j.Offline, j.Granted = true, true
	if x.Left != nil {
		*x.Left -= j.Reserved
	}
	m.enter(j, StageReserved)
}

// pump gives the printer the next document, one at a time.
func (m *machine) pump() {
	for _, j := range m.s.Jobs {
		if j.Stage.engaged() {
			return
		}
	}
	if p := m.s.Live.Printer; p != nil && !p.Accepting {
		return
	}
	for i := range m.s.Jobs {
		j := &m.s.Jobs[i]
		if j.Stage != StageReserved || m.at.Mono < j.Live.Again || m.session(j.Session) == nil {
			continue
		}
		if j.Live.Tried == 0 {
			j.Live.Tried = max(m.at.Mono, 1)
		}
		m.enter(j, StageSubmitting)
		m.ask(Submit{ID: j.ID, Session: j.Session, Job: j.Press, Name: name(j.ID), Ticket: j.Ticket})
		return
	}
}

// name is what the printer and its log see of a job: nothing of the person, and
// enough to find it again.
func name(id string) string {
	if len(id) > 16 {
		id = id[:16]
	}
	return "borne-" + id
}

// tickReserved gives a job up that no printer takes.
func (m *machine) tickReserved(j *Job) {
	p := m.s.Live.Printer
	away := p != nil && !p.Accepting
	switch {
	case away && j.Live.Tried == 0:
		j.Live.Tried = max(m.at.Mono, 1) // its time runs from here
	case j.Live.Tried > 0 && m.since(j.Live.Tried) >= RetryFor && (away || j.Live.Again > 0):
		m.end(j, wire.PrintRefunded, wire.PrintUnreachable, 0)
	case !away && j.Live.Again == 0:
		j.Live.Tried = 0 // it only waits for its turn
	}
}

// sent takes the press's word about a document.
func (m *machine) sent(f Sent) {
	j := m.press(f.Session, f.Sent.Job)
	if j == nil || j.Stage != StageSubmitting && j.Stage != StageFinding {
		return
	}
	switch s := f.Sent; {
	case s.Remote > 0 && !m.follows(s.Remote):
		m.follow(j, s.Remote)
	case s.Remote > 0 || s.Unsure:
		// The number is another job's: a press that a document took over may say anything.
		if j.Stage == StageSubmitting {
			m.find(j)
		}
	case j.Cancel != "":
		m.end(j, wire.PrintRefunded, j.Cancel, 0)
	case s.Why == printjob.WhyNoPrinter && j.Stage == StageSubmitting && m.since(j.Live.Tried) < RetryFor:
		m.enter(j, StageReserved) // it is sure that nothing was taken: the same document may go again
		j.Live.Again = m.at.Mono + RetryAfter
	case s.Why == printjob.WhyNoPrinter || s.Why == printjob.WhyUntrusted || s.Why == printjob.WhyCut:
		m.end(j, wire.PrintRefunded, wire.PrintUnreachable, 0)
	default:
		m.end(j, wire.PrintRefunded, wire.PrintPrinter, 0)
	}
}

// follows tells whether another job has that number.
func (m *machine) follows(remote int) bool {
	for _, j := range m.s.Jobs {
		if j.Remote == remote {
			return true
		}
	}
	return false
}

// ready takes how the printer is.
func (m *machine) ready(f PrinterReady) {
	p := f
	p.Reasons = bounded(f.Reasons)
	m.s.Live.Printer = &p
	m.bendAll()
}

// bounded keeps a printer's words short.
func bounded(in []string) []string {
	var out []string
	for _, s := range in {
		if len(out) < 16 && s != "" && s != "none" && len(s) <= 64 {
			out = append(out, s)
		}
	}
	return out
}

// find looks for a job that may be at the printer.
func (m *machine) find(j *Job) {
	m.enter(j, StageFinding)
	m.seek(j)
}

func (m *machine) seek(j *Job) {
	j.Live.Again = m.at.Mono + FindAgain
	m.ask(Find{Job: j.ID, Name: name(j.ID)})
}

func (m *machine) found(f Found) {
	j := m.job(f.Job)
	if j == nil || j.Stage != StageFinding {
		return
	}
	switch {
	case f.Remote > 0 && !m.follows(f.Remote):
		m.follow(j, f.Remote)
	case j.Live.Missing == 0:
		j.Live.Missing = max(m.at.Mono, 1)
	}
}

// tickFinding asks again, and gives up in time. A printer that knows no such job
// may have printed it and forgotten it: only staff can tell.
func (m *machine) tickFinding(j *Job) {
	switch {
	case j.Live.Missing > 0 && m.since(j.Live.Missing) >= MissingFor:
		m.end(j, wire.PrintDoubtful, wire.PrintLost, 0)
	case m.since(j.Live.From) >= FindWithin:
		m.end(j, wire.PrintDoubtful, wire.PrintUnreachable, 0)
	case m.at.Mono >= j.Live.Again:
		m.seek(j)
	}
}

func (m *machine) follow(j *Job, remote int) {
	j.Remote = remote
	m.enter(j, StageSubmitted)
	m.ask(Follow{Job: j.ID, Name: name(j.ID), Remote: remote})
	if j.Cancel != "" {
		m.stop(j)
	}
}
