package printing

import (
	"encoding/json"
	"slices"
	"time"

	"borne/controller/wire"
	"borne/kiosk/printjob"
)

// machine is one step under way: the new state and what leaves with it.
type machine struct {
	s       State
	at      Instant
	asks    []Ask
	records []wire.Record
}

// Step is the machine. It is total: a fact that means nothing where a job
// stands leaves the state as it is. The records carry no epoch and no seq: the
// journal gives them in the transaction that stores the state. The asks run, in
// order, only after that commit.
func Step(s State, e Event) (State, []Ask, []wire.Record) {
	m := &machine{s: s.clone(), at: e.At}
	switch f := e.Fact.(type) {
	case SessionBegan:
		m.began(f)
	case SessionEnded:
		m.ended(f)
	case Ruled:
		m.ruled(f.Limits)
	case Offered:
		m.offered(f)
	case Refused:
		if x := m.session(f.Session); x != nil {
			m.tell(Result{Outcome: wire.PrintRefunded, Why: f.Why})
		}
	case Withdrawn:
		if j := m.press(f.Session, f.Press); j != nil {
			m.cancel(j, wire.PrintCancelled)
		}
	case Chosen:
		m.chosen(f)
	case Confirmed:
		m.confirmed(f.Job)
	case Declined:
		if j := m.theirs(f.Job); j != nil {
			m.cancel(j, wire.PrintCancelled)
		}
	case Dismissed:
		m.s.Live.Last = nil
	case Released:
		m.released(f)
	case StaffRefused:
		m.staffRefused(f)
	case Granted:
		m.granted(f)
	case Answered:
		m.answered(f.Answer)
	case LedgerLost:
		m.ledgerLost()
	case Sent:
		m.sent(f)
	case PressGone:
		m.pressGone(f.Session)
	case Progress:
		m.progress(f)
	case PrinterLost:
		m.printerLost(f)
	case Found:
		m.found(f)
	case PrinterReady:
		m.ready(f)
	case Tick:
		m.tick()
	}
	m.pump()
	m.face()
	return m.s, m.asks, m.records
}

func (m *machine) ask(a Ask) { m.asks = append(m.asks, a) }

// record adds a fact for the controller.
func (m *machine) record(kind string, body any) {
	b, err := json.Marshal(body)
	if err != nil { // none of the bodies here can fail to marshal; nothing may be lost even so
		b = []byte(`{"error":"cannot encode"}`)
	}
	m.records = append(m.records, wire.Record{Kind: kind, At: m.at.Wall.UTC(), Unsure: !m.at.Trusted, Body: b})
}

// done answers a console command.
func (m *machine) done(command, refused string) {
	if command != "" {
		m.record(wire.KindCommand, wire.CommandDone{ID: command, Done: refused == "", Reason: refused})
	}
}

// job finds a job by its id. The pointer is good until a job comes or leaves.
func (m *machine) job(id string) *Job {
	i := slices.IndexFunc(m.s.Jobs, func(j Job) bool { return j.ID == id })
	if i < 0 {
		return nil
	}
	return &m.s.Jobs[i]
}

// theirs is a job of the person who sits here.
func (m *machine) theirs(id string) *Job {
	if j := m.job(id); j != nil && m.session(j.Session) != nil {
		return j
	}
	return nil
}

// press finds the job of a running session by the press's number.
func (m *machine) press(session string, n int) *Job {
	if m.session(session) == nil {
		return nil
	}
	i := slices.IndexFunc(m.s.Jobs, func(j Job) bool { return j.Session == session && j.Press == n })
	if i < 0 {
		return nil
	}
	return &m.s.Jobs[i]
}

// session is the running session, if it is that one.
func (m *machine) session(id string) *Session {
	if x := m.s.Live.Session; x != nil && x.ID == id {
		return x
	}
	return nil
}

// ids lists the jobs, so that a walk may take some away.
func (m *machine) ids() []string {
	ids := make([]string, len(m.s.Jobs))
	for i, j := range m.s.Jobs {
		ids[i] = j.ID
	}
	return ids
}

// enter moves a job to a stage and tells the session's programs.
func (m *machine) enter(j *Job, s Stage) {
	j.Stage = s
	j.Live = JobLive{From: m.at.Mono, Changed: m.at.Mono, Tried: j.Live.Tried}
	m.status(*j, statusOf(s), "")
}

func statusOf(s Stage) printjob.State {
	switch s {
	case StageOffered, StageHeld:
		return printjob.Held
	case StageReserving, StageReserved:
		return printjob.Pending
	case StageSubmitting, StageFinding, StageSubmitted, StagePrinting:
	}
	return printjob.Processing
}

// status tells the session's programs how a job stands.
func (m *machine) status(j Job, s printjob.State, why string) {
	if m.session(j.Session) != nil {
		m.ask(ShowStatus{Session: j.Session, Status: printjob.Status{Job: j.Press, State: s, Impressions: j.Done, Why: why}})
	}
}

// end is the one way out of the state: with the job's final record, and with
// whatever is not charged given back.
func (m *machine) end(j *Job, o wire.Outcome, why wire.Reason, charged wire.Units) {
	x := *j
	m.s.Jobs = slices.DeleteFunc(m.s.Jobs, func(k Job) bool { return k.ID == x.ID })
	charged = min(charged, x.Reserved)
	taken := charged // from the session and the hour
	if o == wire.PrintDoubtful {
		taken = x.Reserved // until staff decide, and they tell the ledger
	}
	p := wire.Printed{Job: x.ID, Session: x.Session, Outcome: o, Reason: why, Reserved: x.Reserved, Charged: charged, Impressions: x.Done, Sheets: x.DoneSheet,
		Asked: x.Asked, Colour: x.Ticket.Colour, Duplex: x.Ticket.Duplex != printjob.OneSided, Offline: x.Offline, Estimated: x.Estimated}
	if x.Stage.durable() {
		p.Holder = x.Holder // the ledger was asked, or must be told
	}
	m.record(wire.KindPrint, p)
	if len(x.Holder) == 0 {
		m.spend(taken)
	}
	if x.Offline {
		m.away(x.Holder, taken)
	}
	if t := m.session(x.Session); t != nil {
		if x.Offline {
			t.Offline += taken
		}
		t.Charged += taken
		if t.Left != nil && x.Granted {
			*t.Left += x.Reserved - taken
		}
		m.tell(Result{Job: x.ID, Outcome: o, Reason: why, Pages: x.Pages, Asked: x.Asked, Impressions: x.Done, Sheets: x.DoneSheet, Ticket: x.Ticket,
			Charged: taken, GivenBack: x.Reserved - taken, Estimated: x.Estimated})
		m.status(x, endOf(o, why), string(why))
		m.ask(Drop{Session: x.Session, Job: x.Press})
	}
	if x.Stage.engaged() {
		m.ask(Unfollow{Job: x.ID})
	}
}

// endOf is what the person's program reads in the end.
func endOf(o wire.Outcome, why wire.Reason) printjob.State {
	switch {
	case why == wire.PrintCancelled || why == wire.PrintEnded || why == wire.PrintUnanswered:
		return printjob.Canceled
	case o == wire.PrintSettled && why != wire.PrintPrinter:
		return printjob.Completed
	}
	return printjob.Aborted
}

// tell is what the person reads, for a while.
func (m *machine) tell(r Result) {
	r.Until = m.at.Mono + ResultFor
	m.s.Live.Last = &r
}

// tick moves every timer.
func (m *machine) tick() {
	m.trim()
	if r := m.s.Live.Last; r != nil && m.at.Mono >= r.Until {
		m.s.Live.Last = nil
	}
	if x := m.s.Live.Session; x != nil && x.Ended && m.at.Mono >= x.FinishBy {
		m.recall(x.ID)
		m.callBack(x.ID)
	}
	for _, id := range m.ids() {
		j := m.job(id)
		if j == nil {
			continue
		}
		switch j.Stage {
		case StageOffered:
			m.tickQuestion(j)
		case StageHeld:
		case StageReserving:
			if m.since(j.Live.From) >= AnswerWithin {
				m.unanswered(j)
			}
		case StageReserved:
			m.tickReserved(j)
		case StageSubmitting:
			if m.since(j.Live.From) >= SubmitWithin {
				m.ask(Drop{Session: j.Session, Job: j.Press}) // a press that hangs sends no more of it
				m.find(j)
			}
		case StageFinding:
			m.tickFinding(j)
		case StageSubmitted, StagePrinting:
			m.tickPrinting(j)
		}
	}
}

// away notes what a badge printed on the allowance: starting again must not start
// it again. When there are too many badges to tell apart, all share the most.
func (m *machine) away(holder []byte, u wire.Units) {
	if m.s.Live.Away == nil {
		m.s.Live.Away = map[string]wire.Units{}
	}
	k := string(holder)
	if _, known := m.s.Live.Away[k]; !known && len(m.s.Live.Away) >= maxAway {
		k = ""
	}
	m.s.Live.Away[k] += u
}

func (m *machine) since(t time.Duration) time.Duration { return m.at.Mono - t }
