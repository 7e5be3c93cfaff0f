package printing

import (
	"time"

	"borne/controller/wire"
	"borne/kiosk/printjob"
)

// Event is a fact with the time it happened.
type Event struct {
	At   Instant
	Fact Fact
}

// Instant is a time as the terminal knows it: session.Instant converts to it.
type Instant struct {
	Mono    time.Duration // since the process began; never goes back
	Wall    time.Time
	Trusted bool // the wall clock can be believed
}

// Fact is what happened. One that means nothing where a job stands leaves the
// state as it is.
type Fact interface{ fact() }

// SessionBegan is a person at work; Holder is h1 of their badge, if they showed
// one.
type SessionBegan struct {
	Session string
	Holder  []byte
	Limits  Limits
	Pages   int // of this session, in place of Limits.Session; 0: as the limits say
}

// SessionEnded takes back whatever was not decided. Documents that are on their
// way to the printer go on for Limits.Finish, while Busy says so; with Now they
// do not. The agent kills the press afterwards and tells PressGone.
type SessionEnded struct {
	Session string
	Now     bool
}

// Ruled brings the limits of another policy, or of another day.
type Ruled struct{ Limits Limits }

// Offered is a document of the press. ID is a fresh random id of the agent's.
type Offered struct {
	ID      string
	Session string
	Offer   printjob.Offer
}

// Refused is a document that the press did not take.
type Refused struct {
	Session string
	Why     printjob.Why
}

// Withdrawn is a job that the person's program cancelled.
type Withdrawn struct {
	Session string
	Press   int
}

// Chosen is how the person wishes a job: the whole ticket. NumberUp stays as
// their program asked.
type Chosen struct {
	Job    string
	Ticket printjob.Ticket
}

// Confirmed is the person's yes.
type Confirmed struct{ Job string }

// Declined is the person's no, or their cancel of a job under way.
type Declined struct{ Job string }

// Dismissed is the person who has read what became of the last job.
type Dismissed struct{}

// Released lets a held job be printed. Command is the console command's id, or
// empty for a badge of staff at the terminal.
type Released struct {
	Job     string
	Command string
}

// StaffRefused refuses a held job, the same way.
type StaffRefused struct {
	Job     string
	Command string
	Text    string // for the person
}

// Granted gives a session more pages; an empty Session is the running one.
type Granted struct {
	Session string
	Pages   int
	Command string
}

// Answered is the ledger's answer to AskLedger.
type Answered struct{ Answer wire.PrintAnswer }

// LedgerLost tells that the ledger cannot be reached: questions under way have
// no answer.
type LedgerLost struct{}

// Sent is what the press says of a Submit.
type Sent struct {
	Session string
	Sent    printjob.Sent
}

// PressGone is a press that lives no more, and its documents with it.
type PressGone struct{ Session string }

// Progress is what the printer says of a job that is followed.
type Progress struct {
	Job         string
	State       printjob.State
	Impressions int      // job-impressions-completed; 0 or less: not told
	Sheets      int      // job-media-sheets-completed; the same
	Reasons     []string // why the printer or the job stands still, as IPP names it
	Stopping    bool     // job-state-reasons has processing-to-stop-point: the engine goes on
	Estimated   bool     // the counts are guessed: a CUPS queue stands before the printer
}

// PrinterLost tells that a job that is followed or looked for cannot be: the
// printer does not answer or, with Forgotten, answers that it does not know the
// job.
type PrinterLost struct {
	Job       string
	Forgotten bool
}

// Found answers Find; Remote 0 says that the printer has no job of that name.
// When it does not answer at all that is PrinterLost.
type Found struct {
	Job    string
	Remote int
}

// PrinterReady is how the printer is now.
type PrinterReady struct {
	Accepting bool // false: it cannot be reached, or takes no job
	Colour    bool
	Duplex    bool
	Copies    int // at most; 0: it does not tell
	Reasons   []string
}

// Tick comes about once a second.
type Tick struct{}

func (SessionBegan) fact() {}
func (SessionEnded) fact() {}
func (Ruled) fact()        {}
func (Offered) fact()      {}
func (Refused) fact()      {}
func (Withdrawn) fact()    {}
func (Chosen) fact()       {}
func (Confirmed) fact()    {}
func (Declined) fact()     {}
func (Dismissed) fact()    {}
func (Released) fact()     {}
func (StaffRefused) fact() {}
func (Granted) fact()      {}
func (Answered) fact()     {}
func (LedgerLost) fact()   {}
func (Sent) fact()         {}
func (PressGone) fact()    {}
func (Progress) fact()     {}
func (PrinterLost) fact()  {}
func (Found) fact()        {}
func (PrinterReady) fact() {}
func (Tick) fact()         {}

// Ask is something to do once the state that asks for it is durable.
type Ask interface{ ask() }

// AskLedger asks the ledger → Answered, or LedgerLost. Without units it only
// asks what is left.
type AskLedger struct{ Ask wire.PrintAsk }

// Submit lets the press of Session send a document → Sent, or PressGone. The
// agent adds the printer's address and pin.
type Submit struct {
	ID      string // the job's
	Session string
	Job     int // the press's number
	Name    string
	Ticket  printjob.Ticket
}

// Drop erases a document in the press of Session. No answer. Gently is of one that
// is being sent: it is not sent again, and its Sent still comes.
type Drop struct {
	Session string
	Job     int
	Gently  bool
}

// Follow asks the printer about its job Remote, about once a second, until
// Unfollow → Progress, PrinterLost.
type Follow struct {
	Job    string
	Name   string // that the printer must show for it
	Remote int
}

// Unfollow ends Follow and Find. No answer.
type Unfollow struct{ Job string }

// Find asks the printer once for its job of that name → Found, or PrinterLost.
type Find struct {
	Job  string
	Name string
}

// Cancel asks the printer to stop its job Remote. What it then printed is told
// by Progress.
type Cancel struct {
	Job    string
	Name   string // that the printer must show for it
	Remote int
}

// ShowStatus tells the programs of Session how a job stands. No answer.
type ShowStatus struct {
	Session string
	Status  printjob.Status
}

func (AskLedger) ask()  {}
func (Submit) ask()     {}
func (Drop) ask()       {}
func (Follow) ask()     {}
func (Unfollow) ask()   {}
func (Find) ask()       {}
func (Cancel) ask()     {}
func (ShowStatus) ask() {}
