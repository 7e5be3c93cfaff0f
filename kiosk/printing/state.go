// Package printing is the pure machine of one terminal's print jobs: what a
// person is asked, what is set aside, when a document goes to the printer, and
// what it costs in the end. It does no input or output and reads no clock: time
// arrives in events, and everything it wants done leaves as asks that run only
// after the new state is durable.
//
// A job goes offered → held → reserving → reserved → submitting → submitted →
// printing, and leaves the state with exactly one final record: settled,
// refunded or doubtful. The step to submitting is durable before a byte goes to
// the printer, and nothing ever leads back from there but the printer's or the
// press's own word that it did not take the document: after a crash the printer
// is asked (finding), and when it cannot tell, staff decide. Nothing is sent
// twice.
package printing

import (
	"maps"
	"slices"
	"time"

	"borne/controller/wire"
	"borne/kiosk/printjob"
)

// Schema is the version of State's JSON (see Decode).
const Schema = 1

// State is everything about printing that the terminal must remember.
type State struct {
	Schema int     `json:"schema"`
	Limits Limits  `json:"limits"`
	Jobs   []Job   `json:"jobs,omitempty"` // in the order of their offers; Encode leaves out what is not durable
	Hour   []Spent `json:"hour,omitempty"` // of sessions without a badge, oldest first

	Live Live `json:"-"`
}

// Limits is the part of a policy that the machine obeys. The agent makes them
// anew when the policy or the day changes.
type Limits struct {
	Enabled bool `json:"enabled"`
	Session int  `json:"session"` // pages of one session; 0: none
	Job     int  `json:"job"`     // printed sides of one job; 0: no limit
	Hour    int  `json:"hour"`    // pages of all sessions without a badge within 60 minutes; 0: no limit
	Offline int  `json:"offline"` // pages of a session with a badge while the ledger cannot be reached

	Prices Prices `json:"prices"`

	Colour     bool          `json:"colour"` // may be chosen
	Duplex     Duplex        `json:"duplex,omitempty"`
	Copies     int           `json:"copies"`               // at most; 0 counts as 1
	HoldAll    bool          `json:"holdAll,omitempty"`    // every job waits for staff
	HoldOver   int           `json:"holdOver,omitempty"`   // jobs of more printed sides wait; 0: none for that
	HoldColour bool          `json:"holdColour,omitempty"` // jobs in colour wait
	Silent     Silent        `json:"silent,omitempty"`     // what is done and not counted
	Queue      bool          `json:"queue,omitempty"`      // documents wait for the printer in a queue of this machine's
	Finish     time.Duration `json:"finish"`               // how long a session's end waits for documents under way
}

// Prices are what one printed side costs: policy.Printing.Cost(1, colour, duplex).
type Prices struct {
	Black        wire.Units `json:"black"`
	BlackDuplex  wire.Units `json:"blackDuplex"`
	Colour       wire.Units `json:"colour"`
	ColourDuplex wire.Units `json:"colourDuplex"`
}

// Duplex is the rule about both sides; its values are policy.Duplex's.
type Duplex string

// Rules about both sides.
const (
	DuplexFree   Duplex = ""
	DuplexNever  Duplex = "never"
	DuplexAlways Duplex = "always" // whenever the printer can
)

// Silent is the rule for printers that tell no count; its values are policy.Silent's.
type Silent string

// Rules for silent printers.
const (
	SilentCharge Silent = ""
	SilentFree   Silent = "free"
	SilentStaff  Silent = "staff"
)

// Stage is where a job stands.
type Stage string

// Stages. From StageReserving on a job is durable.
const (
	StageOffered    Stage = "offered"    // the person is asked, or will be
	StageHeld       Stage = "held"       // waits for staff
	StageReserving  Stage = "reserving"  // the ledger is asked and may have set the cost aside
	StageReserved   Stage = "reserved"   // waits for the printer
	StageSubmitting Stage = "submitting" // the press may be sending it
	StageFinding    Stage = "finding"    // it may be at the printer, which is asked
	StageSubmitted  Stage = "submitted"  // the printer has it, under the number Remote
	StagePrinting   Stage = "printing"   // and told something about it
)

// Stages lists every stage.
func Stages() []Stage {
	return []Stage{StageOffered, StageHeld, StageReserving, StageReserved, StageSubmitting, StageFinding, StageSubmitted, StagePrinting}
}

// durable tells whether a job of this stage outlives the process.
func (s Stage) durable() bool { return s != StageOffered && s != StageHeld }

// engaged tells whether a job of this stage has the printer for itself.
func (s Stage) engaged() bool {
	return s == StageSubmitting || s == StageFinding || s == StageSubmitted || s == StagePrinting
}

// Job is one document on its way.
type Job struct {
	ID       string          `json:"id"`
	Session  string          `json:"session"`
	Holder   []byte          `json:"holder,omitempty"` // h1 of the badge
	Press    int             `json:"press"`            // the press's number
	Stage    Stage           `json:"stage"`
	Format   printjob.Format `json:"format"`
	Pages    int             `json:"pages"`  // of the document
	Want     printjob.Ticket `json:"want"`   // as the person wishes it
	Ticket   printjob.Ticket `json:"ticket"` // as it is printed: bent to the rules
	Asked    int             `json:"asked"`  // printed sides
	Sheets   int             `json:"sheets"` // of paper, as asked
	Side     wire.Units      `json:"side"`   // price of a printed side
	Reserved wire.Units      `json:"reserved,omitempty"`
	Granted  bool            `json:"granted,omitempty"` // by the ledger, or on the allowance
	Offline  bool            `json:"offline,omitempty"` // on the terminal's own allowance
	Silent   Silent          `json:"silent,omitempty"`
	Remote   int             `json:"remote,omitempty"` // the printer's number
	Cancel   wire.Reason     `json:"cancel,omitempty"` // why the printer is asked to stop it
	Since    time.Time       `json:"since"`            // when it was offered or, held, confirmed

	// What the printer told.
	Done      int            `json:"done,omitempty"` // printed sides, the most that was told
	DoneSheet int            `json:"doneSheet,omitempty"`
	Ended     printjob.State `json:"ended,omitempty"` // its last word, if it spoke it
	Estimated bool           `json:"estimated,omitempty"`
	Counts    bool           `json:"counts,omitempty"` // it told a number of sides, be it none
	Began     bool           `json:"began,omitempty"`  // its engine worked on it

	Live JobLive `json:"-"`
}

// JobLive is what this process knows of a job.
type JobLive struct {
	From     time.Duration // when the stage began
	Changed  time.Duration // last sign of life: a choice, a printed side, another state
	Again    time.Duration // when it is asked or sent again; 0: never
	Tried    time.Duration // first attempt to send it; 0: none
	Missing  time.Duration // since when the printer says that it has no such job; 0: it does not
	Lost     time.Duration // since when the printer does not answer; 0: it does
	Over     time.Duration // when Ended came
	State    printjob.State
	Reasons  []string // of the printer
	Stopping bool     // cancelled or aborted, and its engine goes on
}

// Spent is a charge within the last hour.
type Spent struct {
	Units  wire.Units    `json:"units"`
	Wall   time.Time     `json:"wall"`
	Unsure bool          `json:"unsure,omitempty"` // Wall was not trusted
	Mono   time.Duration `json:"-"`                // of this process; may be before it began
}

// Live is what this process knows and the next one learns anew. Sessions do
// not outlive the process either.
type Live struct {
	Session *Session              // that prints; nil: nobody
	Printer *PrinterReady         // as last told; nil: not yet
	Facing  string                // the job whose question is on screen
	Last    *Result               // what the person reads about the job before
	Away    map[string]wire.Units // by badge, what it printed on the allowance since the ledger was heard last
}

// Session is what a person has used.
type Session struct {
	ID       string
	Holder   []byte
	Pages    int         // in place of Limits.Session; 0: as the limits say
	Charged  wire.Units  // by jobs that are over
	Granted  wire.Units  // by staff, beside the limits
	Grants   []string    // commands that granted
	Offline  wire.Units  // part of Charged that was printed on the allowance
	Offers   int         // documents that were asked about
	Left     *wire.Units // what the ledger leaves; nil: not told
	Month    bool        // it is the month's pages that are the fewest
	Away     bool        // the ledger cannot be reached
	Ended    bool
	FinishBy time.Duration // with Ended
}

// Result is what became of the session's last job.
type Result struct {
	Job         string // empty: refused before it was one
	Outcome     wire.Outcome
	Reason      wire.Reason
	Why         printjob.Why
	Pages       int
	Asked       int
	Impressions int
	Sheets      int
	Ticket      printjob.Ticket
	Charged     wire.Units
	GivenBack   wire.Units
	Estimated   bool
	Text        string // staff's, with a refusal
	Until       time.Duration
}

// Times and bounds of the machine's own.
const (
	MaxJobs      = 16              // at once
	maxHour      = 200             // charges told apart
	maxGrants    = 64              // of one session
	maxOffers    = 200             // the same: each leaves a record
	maxAway      = 256             // badges whose offline pages are told apart
	QuestionFor  = 2 * time.Minute // unanswered
	AnswerWithin = 10 * time.Second
	AskAgain     = 10 * time.Second // the ledger, while a question is on screen and it is away
	RetryAfter   = 5 * time.Second  // a printer that took nothing
	RetryFor     = 2 * time.Minute
	SubmitWithin = 10 * time.Minute // of a document to the printer
	FindAgain    = 10 * time.Second
	FindWithin   = 10 * time.Minute // a printer that does not answer
	MissingFor   = 30 * time.Second // a printer that says that it has no such job, and may still be reading it
	LostFor      = 10 * time.Minute
	QuietFor     = 3 * time.Second // the count after the printer's last word
	StoppingFor  = 2 * time.Minute // the same, while its engine goes on
	StuckFor     = 30 * time.Minute
	LeftFor      = 2 * time.Minute // the same, when its person has left: what a refill would print is nobody's to find
	WorkingFor   = 3 * time.Hour   // without a sign, but at work
	LongestFor   = 6 * time.Hour   // whatever it says
	CancelAgain  = 10 * time.Second
	ResultFor    = 30 * time.Second
	window       = time.Hour
	maxSide      = 2000 // units: ten times the price of colour, doubled; keeps costs within 32 bits
	maxDone      = printjob.MaxPages * printjob.MaxCopies
)

// clone keeps Step from writing into what its caller holds. Slices inside jobs
// are replaced, never written into.
func (s State) clone() State {
	s.Jobs = slices.Clone(s.Jobs)
	s.Hour = slices.Clone(s.Hour)
	s.Live.Session = copied(s.Live.Session)
	s.Live.Away = maps.Clone(s.Live.Away)
	if x := s.Live.Session; x != nil {
		x.Grants = slices.Clone(x.Grants)
		x.Left = copied(x.Left)
	}
	return s
}

func copied[T any](p *T) *T {
	if p == nil {
		return nil
	}
	c := *p
	return &c
}

// price is what one side of a ticket costs.
func (l Limits) price(t printjob.Ticket) wire.Units {
	p := l.Prices
	side := p.Black
	switch duplex := t.Duplex != printjob.OneSided; {
	case t.Colour && duplex:
		side = p.ColourDuplex
	case t.Colour:
		side = p.Colour
	case duplex:
		side = p.BlackDuplex
	}
	return min(max(side, 1), maxSide)
}

// holds tells whether a job waits for staff.
func (l Limits) holds(j Job) bool {
	return l.HoldAll || l.HoldOver > 0 && j.Asked > l.HoldOver || l.HoldColour && j.Ticket.Colour
}
