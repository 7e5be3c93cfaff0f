package shell

import "fmt"

// PrintPanel is the share of the page's width, from its left edge, that the
// print screen keeps for words and buttons while Print.Preview is set; the
// window system shows the session's display, with its first pages, over the
// rest. On 1280 × 1024 and 1366 × 768 the words then have 700 pixels and an A4
// sheet beside them keeps more than half its real size.
const PrintPanel = 0.56

// Print is what the print screen shows: one job, one matter. It is pure data:
// no name, title or content of a document.
type Print struct {
	Stage   PrintStage `json:"stage"`
	Job     string     `json:"job"`               // comes back with the actions, so that a late press answers no other question
	Preview bool       `json:"preview,omitempty"` // the first pages are in sight beside PrintPanel, or will be in a moment

	Pages       int `json:"pages"`       // of the document
	Impressions int `json:"impressions"` // printed sides with these choices, all copies together
	Sheets      int `json:"sheets"`      // of paper, all copies together

	Choice            // what is chosen now; Copies 1 or more
	MaxCopies  int    `json:"maxCopies"`
	MaxPages   int    `json:"maxPages,omitempty"` // of one job; 0: no such limit
	CanDuplex  bool   `json:"canDuplex"`          // the person may choose
	MustDuplex bool   `json:"mustDuplex,omitempty"`
	CanColour  bool   `json:"canColour"`
	Wrong      bool   `json:"wrong,omitempty"` // the ranges that were typed cannot be read, and the ones before hold
	Cost       int    `json:"cost"`            // wire.Units: hundredths of a page; colour may cost more, both sides less
	Left       int    `json:"left"`            // wire.Units before this job; -1: no limit
	LeftScope  Scope  `json:"leftScope,omitempty"`
	Reason     string `json:"reason,omitempty"` // wire.Reason or printjob.Why: why it cannot be printed so, was refused or was not printed whole

	Reasons     []string `json:"reasons,omitempty"`     // printer-state-reasons, with StageTrouble; "offline" when it does not answer
	Page        int      `json:"page,omitempty"`        // side that is being printed, with StageWork
	Given       int      `json:"given,omitempty"`       // pages given back, with StageGiven
	Note        string   `json:"note,omitempty"`        // what staff wrote, with StageRefused
	Staff       string   `json:"staff,omitempty"`       // who releases it: a role's name from policy
	LeftSeconds int      `json:"leftSeconds,omitempty"` // until the question counts as a no
}

// Choice is how somebody wants it printed.
type Choice struct {
	Copies int    `json:"copies"`
	Duplex bool   `json:"duplex,omitempty"` // both sides of a sheet
	Colour bool   `json:"colour,omitempty"`
	Range  string `json:"range,omitempty"` // as typed: "1-3, 5"; empty: all pages
}

// PrintStage is what the print screen is about.
type PrintStage string

// Stages. With StageQuestion and a Reason the job cannot be printed as it is
// chosen: fewer pages, or none.
const (
	StageQuestion PrintStage = "question"
	StageHeld     PrintStage = "held"     // staff release it
	StageWork     PrintStage = "work"     // it is being printed: Page of Impressions
	StageRefused  PrintStage = "refused"  // it is not printed: Reason
	StageTrouble  PrintStage = "trouble"  // the printer waits for somebody: Reasons
	StageGiven    PrintStage = "given"    // it is over, and Given pages were not printed
	StageDoubtful PrintStage = "doubtful" // nobody can tell what was printed: staff decide
)

// Scope is the limit that Left comes from: the narrowest.
type Scope string

// Scopes.
const (
	ScopeSession Scope = "session"
	ScopeDay     Scope = "day"
	ScopeMonth   Scope = "month"
	ScopeHour    Scope = "hour"    // of this terminal, for everybody without a badge
	ScopeOffline Scope = "offline" // the allowance while the ledger cannot be reached
)

// BarPrint is what the session's bar tells of printing.
type BarPrint struct {
	Stage   BarStage `json:"stage"`
	Page    int      `json:"page,omitempty"` // that is being printed, with BarPrinting; 0: not known
	Of      int      `json:"of,omitempty"`
	Reasons []string `json:"reasons,omitempty"` // printer-state-reasons, with BarStopped and BarPrinter
	Given   int      `json:"given,omitempty"`   // with BarGiven
	Show    bool     `json:"show,omitempty"`    // PrintShow brings the job's page
}

// BarStage is where the job, or the printer, is.
type BarStage string

// Stages of the bar.
const (
	BarQueued   BarStage = "queued" // another document is before it
	BarSending  BarStage = "sending"
	BarPrinting BarStage = "printing"
	BarHeld     BarStage = "held"
	BarStopped  BarStage = "stopped" // the job waits for somebody at the printer
	BarDone     BarStage = "done"
	BarGiven    BarStage = "given"
	BarPrinter  BarStage = "printer" // no job: the printer cannot print now, before anybody tries
)

// Limits on what an action about printing holds.
const (
	maxJob    = 64
	maxRange  = 120
	maxCopies = 99 // printjob.MaxCopies
)

// checkPrint refuses an action with choices or a job that are out of bounds, or
// that belong to another action.
func (a Action) checkPrint() error {
	about, chooses := false, false
	switch a.Do {
	case PrintIt, PrintSet:
		about, chooses = true, true
	case PrintCancel, PrintOK, PrintShow:
		about = true
	}
	switch c := a.Print; {
	case !about && a.Job != "", !isJob(a.Job):
		return fmt.Errorf("cannot do %q with job %.40q: %w", a.Do, a.Job, ErrAction)
	case !chooses && c != (Choice{}), chooses && (c.Copies < 1 || c.Copies > maxCopies || !isRange(c.Range)):
		return fmt.Errorf("cannot do %q with such choices: %w", a.Do, ErrAction)
	}
	return nil
}

func isJob(s string) bool {
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return len(s) <= maxJob
}

// isRange tells whether s has only what printjob.ParseRanges may read; whether
// it is one, and of this document, is said there.
func isRange(s string) bool {
	for _, c := range []byte(s) {
		if !('0' <= c && c <= '9' || c == '-' || c == ',' || c == ';' || c == ' ') {
			return false
		}
	}
	return len(s) <= maxRange
}
