package printing

import (
	"slices"
	"strings"
	"time"

	"borne/controller/wire"
	"borne/kiosk/printjob"
)

// Screen names what the person sees.
type Screen string

// Screens.
const (
	Nothing  Screen = ""         // no word about printing
	Question Screen = "question" // « 12 pages, recto verso, noir et blanc. Il vous en reste 8. »
	OnHold   Screen = "held"     // staff is to release it
	Queued   Screen = "queued"   // set aside, and another document is before it, or the printer is not there
	Sending  Screen = "sending"  // on its way
	AtWork   Screen = "printing" // Printed rises
	Stopped  Screen = "stopped"  // somebody must do something: Reasons say what
	Done     Screen = "done"     // Printed, Cost and GivenBack tell how it went
	NotDone  Screen = "refused"  // nothing was printed, or nobody can tell: Reason, or Why
)

// View is what the screen shows, without a word of any language.
type View struct {
	Screen      Screen
	Job         string
	Press       int // the press's number, for the preview
	Pages       int // of the document
	Impressions int // printed sides, as asked
	Sheets      int // of paper, as asked
	Ticket      printjob.Ticket
	Choice      Choice
	Cost        wire.Units  // of the whole job; on Done what was charged
	Left        wire.Units  // the least of what session, hour and ledger leave, before this job when it is a question
	Scope       Scope       // which limit Left comes from
	Blocked     wire.Reason // on Question: why the yes is not there
	Bent        wire.Reason // PrintNoColour: the person wished it, and it is not given
	Printed     int         // printed sides so far
	GivenBack   wire.Units
	Reason      wire.Reason
	Why         printjob.Why // in place of Reason, for what the press refused
	Reasons     []string     // what the printer lacks, as IPP names it
	Answer      time.Duration
	Cancelling  bool
	MayCancel   bool
	Doubtful    bool // nobody can tell what was printed: staff decide
	Estimated   bool
	Text        string // staff's, with a refusal
	Counts      bool   // the printer tells sides: Printed means something
	Offline     bool
	Others      int // further documents of this session on their way
}

// Scope names a limit on pages.
type Scope string

// Scopes.
const (
	ScopeSession Scope = "session"
	ScopeHour    Scope = "hour"    // of everybody without a badge here
	ScopeLedger  Scope = "ledger"  // of a badge, at all terminals
	ScopeMonth   Scope = "month"   // of the badge, by the ledger: the month leaves less than the day
	ScopeOffline Scope = "offline" // the allowance while the ledger cannot be reached
)

// Choice is what may be chosen in a question.
type Choice struct {
	Colour bool
	Duplex bool
	Copies int // at most
	Pages  int // pages are chosen from 1 to this
}

// View tells what to show the person who sits here; of others nothing.
func (s State) View(at Instant) View {
	x := s.Live.Session
	if x == nil {
		return View{}
	}
	left, _, scope := s.left(at)
	var best *Job
	mine := 0
	for i := range s.Jobs {
		j := &s.Jobs[i]
		if j.Session != x.ID {
			continue
		}
		if mine++; best == nil || rank(j.Stage) > rank(best.Stage) {
			best = j
		}
	}
	v := s.lastView(at)
	if best != nil {
		v = s.jobView(*best, at, mine-1)
	}
	v.Left, v.Scope = left, scope
	return v
}

// rank orders what is told first: questions, then what stands before a person's
// job, then what is furthest.
func rank(s Stage) int {
	switch s {
	case StageOffered:
		return 6
	case StageHeld:
		return 5
	case StageSubmitted, StagePrinting:
		return 4
	case StageFinding:
		return 3
	case StageSubmitting:
		return 2
	case StageReserving, StageReserved:
	}
	return 1
}

func (s State) jobView(j Job, at Instant, others int) View {
	v := View{Job: j.ID, Press: j.Press, Pages: j.Pages, Impressions: j.Asked, Sheets: j.Sheets, Ticket: j.Ticket, Cost: j.cost(), Printed: j.Done,
		Cancelling: j.Cancel != "", MayCancel: j.Cancel == "" && j.Ended == 0, Estimated: j.Estimated, Counts: j.Counts, Offline: j.Offline, Others: others}
	if j.Want.Colour && !j.Ticket.Colour {
		v.Bent = wire.PrintNoColour
	}
	p := s.Live.Printer
	if p != nil {
		v.Reasons = p.Reasons
	}
	switch j.Stage {
	case StageOffered:
		v.Screen, v.Blocked = Question, s.blocked(j, at)
		v.Answer = max(QuestionFor-(at.Mono-j.Live.Changed), 0)
		v.Choice = s.choice(j)
	case StageHeld:
		v.Screen = OnHold
	case StageReserving:
		v.Screen = Sending
	case StageReserved:
		v.Screen = Queued
		if p != nil && !p.Accepting {
			v.Reason = wire.PrintUnreachable
		}
	case StageSubmitting, StageFinding:
		v.Screen = Sending
		if slices.ContainsFunc(v.Reasons, stops(at.Mono-j.Live.From >= stalled)) {
			v.Screen = Stopped // it prints while it reads, or does not even read
		}
	case StageSubmitted, StagePrinting:
		v.Screen = AtWork
		if len(j.Live.Reasons) > 0 {
			v.Reasons = j.Live.Reasons
		}
		switch {
		case j.Live.Lost > 0:
			v.Screen, v.Reason = Stopped, wire.PrintUnreachable
		case j.Live.State == printjob.Stopped || slices.ContainsFunc(j.Live.Reasons, stops(at.Mono-j.Live.Changed >= stalled)):
			v.Screen = Stopped
		}
	}
	return v
}

func (s State) choice(j Job) Choice {
	l, p := s.Limits, s.Live.Printer
	c := Choice{Colour: l.Colour && (p == nil || p.Colour), Duplex: l.Duplex == DuplexFree && (p == nil || p.Duplex), Copies: max(l.Copies, 1), Pages: j.Pages}
	if p != nil && p.Copies > 0 {
		c.Copies = min(c.Copies, p.Copies)
	}
	return c
}

func (s State) lastView(at Instant) View {
	r := s.Live.Last
	if r == nil || at.Mono >= r.Until {
		return View{}
	}
	v := View{Screen: Done, Job: r.Job, Pages: r.Pages, Impressions: r.Asked, Sheets: r.Sheets, Ticket: r.Ticket, Cost: r.Charged, Printed: r.Impressions,
		GivenBack: r.GivenBack, Reason: r.Reason, Why: r.Why, Estimated: r.Estimated, Text: r.Text, Doubtful: r.Outcome == wire.PrintDoubtful}
	if r.Outcome != wire.PrintSettled {
		v.Screen = NotDone
	}
	return v
}

// Busy tells whether a document of the session is still on its way to the
// printer: the session's end waits for it. It stops by itself, Limits.Finish
// after SessionEnded, when ticks come.
func (s State) Busy() bool {
	x := s.Live.Session
	if x == nil {
		return false
	}
	for _, j := range s.Jobs {
		if j.Session == x.ID && (j.Stage == StageReserved || j.Stage == StageSubmitting || s.Limits.Queue && j.Stage.engaged()) {
			return true
		}
	}
	return false
}

// Waiting lists the jobs that wait for staff, for the terminal's status.
func (s State) Waiting() []wire.PrintWaiting {
	var all []wire.PrintWaiting
	for _, j := range s.Jobs {
		if j.Stage == StageHeld {
			all = append(all, wire.PrintWaiting{Job: j.ID, Impressions: j.Asked, Sheets: j.Sheets, Colour: j.Ticket.Colour, Since: j.Since})
		}
	}
	return all
}

// stalled is how long no side may come out before a mere warning counts as what
// stops the printer.
const stalled = 10 * time.Second

// stops tells whether with a reason a printer prints nothing until somebody has
// come. Some leave the severity out, which is then an error (RFC 8011 §5.4.12); some
// call everything a warning; and many leave the job's own state as it was.
func stops(still bool) func(reason string) bool {
	return func(reason string) bool {
		word, warned := strings.CutSuffix(reason, "-warning")
		if _, told := strings.CutSuffix(reason, "-report"); told {
			return false
		}
		word, sure := strings.CutSuffix(word, "-error")
		switch word {
		case "media-jam", "cover-open", "door-open", "interlock-open", "input-tray-missing", "output-tray-missing", "output-area-full":
			return true // whatever they call it
		case "media-empty", "media-needed", "toner-empty", "marker-supply-empty", "marker-waste-full":
			return !warned || still // another tray may have paper
		}
		return sure
	}
}
