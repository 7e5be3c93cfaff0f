package wire

import (
	"strings"
	"time"
)

// Units are how the ledger counts: hundredths of a black page on one side. A
// policy may make colour dearer and both sides cheaper; whole pages stay exact.
type Units int

// UnitsPerPage makes pages of units.
const UnitsPerPage Units = 100

// Pages is how many whole pages u still buys, never less than none.
func (u Units) Pages() int { return max(0, int(u/UnitsPerPage)) }

// PrintAsk asks the ledger for pages of a badge's quota. Asking again with the
// same job gives the same answer. Without Units nothing is reserved, and the
// answer tells what is left.
type PrintAsk struct {
	Job     string `json:"job"`     // random id of the terminal's
	Session string `json:"session"` // which session prints
	Holder  []byte `json:"holder"`  // h1 of the badge
	Units   Units  `json:"units,omitempty"`
}

// PrintAnswer answers PrintAsk.
type PrintAnswer struct {
	Job     string `json:"job"`
	Granted bool   `json:"granted,omitempty"` // Units are reserved
	Left    Units  `json:"left"`              // after that, the least of what day and month leave
	Month   bool   `json:"month,omitempty"`   // it is the month that leaves the least
	Reason  Reason `json:"reason,omitempty"`  // why not
}

// Printed is the body of a record of kind print: how a job stands in the end.
// A later one of the same job replaces an earlier one.
type Printed struct {
	Job         string  `json:"job" inventory:"random id of a print job;public-task;usage"`
	Session     string  `json:"session" inventory:"random id, never an identity;public-task;usage"`
	Outcome     Outcome `json:"outcome" inventory:"what became of the job;public-task;usage"`
	Reason      Reason  `json:"reason,omitempty" inventory:"why it was not printed whole;public-task;usage"`
	Reserved    Units   `json:"reserved" inventory:"cost that was set aside;public-task;usage"`
	Charged     Units   `json:"charged" inventory:"cost;public-task;usage"`
	Impressions int     `json:"impressions" inventory:"printed sides;public-task;usage"`
	Sheets      int     `json:"sheets" inventory:"sheets of paper;public-task;usage"`
	Asked       int     `json:"asked" inventory:"printed sides that were asked for;public-task;usage"`
	Colour      bool    `json:"colour,omitempty" inventory:"in colour;public-task;usage"`
	Duplex      bool    `json:"duplex,omitempty" inventory:"on both sides;public-task;usage"`
	Offline     bool    `json:"offline,omitempty" inventory:"printed on the terminal's own allowance;public-task;usage"`
	Estimated   bool    `json:"estimated,omitempty" inventory:"the printer told no count;none-personal;usage"`
	// Holder is h1 of the badge. The controller replaces it by the ledger's own
	// random account before anything is stored.
	Holder []byte `json:"holder,omitempty" inventory:"account of the badge in the ledger;public-task;account"`
}

// Outcome is what became of a print job.
type Outcome string

// Outcomes.
const (
	PrintSettled  Outcome = "settled"  // charged what was printed
	PrintRefunded Outcome = "refunded" // nothing was printed, nothing is charged
	PrintDoubtful Outcome = "doubtful" // nobody can tell: staff decide, Reserved stays set aside
)

// Reasons about print jobs.
const (
	PrintCancelled   Reason = "print-cancelled"   // by the person
	PrintEnded       Reason = "print-ended"       // the session ended before it was sent
	PrintQuota       Reason = "print-quota"       // more pages than are left
	PrintQuotaHour   Reason = "print-quota-hour"  // more pages than this terminal gives in an hour
	PrintOffline     Reason = "print-offline"     // the ledger cannot be reached, and the allowance is used up
	PrintJobPages    Reason = "print-job-pages"   // more pages than one job may have
	PrintNoColour    Reason = "print-no-colour"   //
	PrintRefused     Reason = "print-refused"     // by staff
	PrintUnanswered  Reason = "print-unanswered"  // nobody answered the question
	PrintPrinter     Reason = "print-printer"     // the printer stopped it
	PrintUnreachable Reason = "print-unreachable" // the printer could not be reached
	PrintLost        Reason = "print-lost"        // the printer does not know it any more
	PrintSilent      Reason = "print-silent"      // done, says the printer, and tells no count
)

// PrintWaiting is a job that staff may release, as the status tells it.
type PrintWaiting struct {
	Job         string    `json:"job"`
	Impressions int       `json:"impressions"`
	Sheets      int       `json:"sheets"`
	Colour      bool      `json:"colour,omitempty"`
	Since       time.Time `json:"since"`
}

// Printer is how the terminal's printer is, as the status tells it.
type Printer struct {
	State    PrinterState `json:"state" inventory:"whether it can print;none-personal;technical"`
	Reasons  []string     `json:"reasons,omitempty" inventory:"what it lacks, as IPP names it;none-personal;technical"` // printer-state-reasons
	Model    string       `json:"model,omitempty" inventory:"make and model;none-personal;technical"`
	Supplies []Supply     `json:"supplies,omitempty" inventory:"levels of paper, toner, ink;none-personal;technical"`
	Counter  int          `json:"counter,omitempty" inventory:"impressions of its whole life;none-personal;technical"` // printer-impressions-completed; 0: not told
	Estimate bool         `json:"estimate,omitempty" inventory:"its counts are estimated;none-personal;technical"`     // a CUPS queue stands before it
}

// PrinterState is whether a printer can print.
type PrinterState string

// States of a printer.
const (
	PrinterReady   PrinterState = "ready"
	PrinterBusy    PrinterState = "busy"
	PrinterStopped PrinterState = "stopped" // somebody must do something: Reasons say what
	PrinterLost    PrinterState = "lost"    // it does not answer
)

// PrinterUntrusted is a reason of ours beside IPP's: with PrinterLost, it shows
// another key than before, and is not spoken to.
const PrinterUntrusted = "untrusted"

// Reasons of ours too, whatever the state: the printer that the rules name has not
// answered since they named it, or shows another key than theirs. The one before,
// if any, prints on.
const (
	PrinterNewSilent   = "new-silent"
	PrinterNewStranger = "new-untrusted"
)

// Supply is one consumable.
type Supply struct {
	Name  string `json:"name" inventory:"name of a consumable;none-personal;technical"`
	Kind  string `json:"kind" inventory:"kind of consumable;none-personal;technical"`                  // toner, ink, waste, drum, fuser, paper, staples, other
	Level int    `json:"level" inventory:"how full, in percent;none-personal;technical"`               // 0 to 100; for a waste box too: 100 is fine, 0 is full; or one of the levels below
	Low   bool   `json:"low,omitempty" inventory:"the printer says it is low;none-personal;technical"` //
}

// Levels of a supply that are no percentage.
const (
	LevelUnknown = -1 // the printer does not tell
	LevelSome    = -2 // something is left; how much, it does not tell
)

// Limits on what a terminal says of its printer and its jobs.
const (
	MaxJobID    = 64 // bytes of a print job's id
	MaxSupplies = 24
	MaxReasons  = 32
	maxWord     = 80       // bytes of a printer's own word
	maxCount    = 10000000 // sheets, impressions, units: more is a fault
)

// ValidJobID tells whether s can be a print job's id: letters, digits, dashes,
// underscores and dots, so that it stands in a path and in an index as it is.
func ValidJobID(s string) bool {
	if s == "" || len(s) > MaxJobID {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == '.') {
			return false
		}
	}
	return true
}

// Bounded is p without what no printer prints: figures are between nothing and
// what is absurd, and words are short.
func (p Printed) Bounded() Printed {
	for _, n := range []*int{&p.Impressions, &p.Sheets, &p.Asked, (*int)(&p.Reserved), (*int)(&p.Charged)} {
		*n = min(max(*n, 0), maxCount)
	}
	p.Session, p.Reason = word(p.Session), Reason(word(string(p.Reason)))
	return p
}

// Bounded is p with short lists of short words, and levels that mean something.
func (p Printer) Bounded() Printer {
	p.Model, p.State = word(p.Model), PrinterState(word(string(p.State)))
	p.Counter = max(p.Counter, 0)
	reasons := make([]string, 0, min(len(p.Reasons), MaxReasons))
	for _, r := range p.Reasons[:min(len(p.Reasons), MaxReasons)] {
		reasons = append(reasons, word(r))
	}
	supplies := make([]Supply, 0, min(len(p.Supplies), MaxSupplies))
	for _, s := range p.Supplies[:min(len(p.Supplies), MaxSupplies)] {
		s.Name, s.Kind = word(s.Name), word(s.Kind)
		if s.Level > 100 || s.Level < LevelSome {
			s.Level = LevelUnknown
		}
		supplies = append(supplies, s)
	}
	p.Reasons, p.Supplies = reasons, supplies
	return p
}

// Bounded is p as a list of jobs shows it.
func (p PrintWaiting) Bounded() PrintWaiting {
	p.Impressions, p.Sheets = min(max(p.Impressions, 0), maxCount), min(max(p.Sheets, 0), maxCount)
	return p
}

func word(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxWord)], "") }
