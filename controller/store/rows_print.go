package store

import (
	"time"

	"borne/controller/wire"
)

// Account is what one badge's quota has left in one calendar month. Meta.ID is
// made with that month's key (directory.Account): two months' accounts cannot be
// linked once the key is gone, and none leads to a session.
type Account struct {
	Month   string     `json:"month" inventory:"calendar month of the quota;public-task;account"`
	Charged wire.Units `json:"charged" inventory:"cost;public-task;account"`                                 // of the month
	Extra   wire.Units `json:"extra,omitempty" inventory:"pages that staff gave on top;public-task;account"` // in the month
	// Days holds the last days only: a quota looks at today.
	Days map[string]AccountDay `json:"days,omitempty" inventory:"the same by local day, for the last days;public-task;account"`
}

// AccountDay is one local day of an account.
type AccountDay struct {
	Charged wire.Units `json:"charged"`
	Extra   wire.Units `json:"extra,omitempty"`
}

// PrintJob is one job of a terminal that the ledger knows: reserved, or told.
// Meta.ID is TimeID, Meta.Scope the terminal.
type PrintJob struct {
	Job         string       `json:"job" inventory:"random id of a print job;public-task;usage"`
	Session     string       `json:"session" inventory:"random id, never an identity;public-task;usage"`
	Terminal    string       `json:"terminal" inventory:"where it was;public-task;usage"`
	At          time.Time    `json:"at" inventory:"when it was asked for;public-task;usage"`
	Day         string       `json:"day" inventory:"local day whose quota it counts in;public-task;usage"`
	Told        time.Time    `json:"told,omitzero" inventory:"when the terminal told its end first;public-task;usage"`
	Outcome     wire.Outcome `json:"outcome,omitempty" inventory:"what became of the job;public-task;usage"` // empty while it is reserved only
	Reason      wire.Reason  `json:"reason,omitempty" inventory:"why it was not printed whole;public-task;usage"`
	Asked       int          `json:"asked,omitempty" inventory:"printed sides that were asked for;public-task;usage"`
	Impressions int          `json:"impressions,omitempty" inventory:"printed sides;public-task;usage"`
	Sheets      int          `json:"sheets,omitempty" inventory:"sheets of paper;public-task;usage"`
	Colour      bool         `json:"colour,omitempty" inventory:"in colour;public-task;usage"`
	Duplex      bool         `json:"duplex,omitempty" inventory:"on both sides;public-task;usage"`
	Reserved    wire.Units   `json:"reserved,omitempty" inventory:"cost that was set aside;public-task;usage"`
	Charged     wire.Units   `json:"charged,omitempty" inventory:"cost;public-task;usage"`
	Estimated   bool         `json:"estimated,omitempty" inventory:"the printer told no count;none-personal;usage"`
	Offline     bool         `json:"offline,omitempty" inventory:"printed on the terminal's own allowance;public-task;usage"`
	// Account is there only while something is set aside in it.
	Account string    `json:"account,omitempty" inventory:"account of the badge in the ledger;public-task;account"`
	Decided time.Time `json:"decided,omitzero" inventory:"when staff decided what a doubtful job costs;public-task;usage"`
	By      string    `json:"by,omitempty" inventory:"who decided;public-task;audit"`
	Why     string    `json:"why,omitempty" inventory:"why it was decided so;public-task;audit"`
}

// Open tells whether something may still be set aside for the job.
func (p PrintJob) Open() bool {
	return p.Decided.IsZero() && p.Outcome != wire.PrintSettled && p.Outcome != wire.PrintRefunded
}

// Grant is pages that staff gave to a session on top of its quota. Meta.ID is
// TimeID, Meta.Scope the terminal.
type Grant struct {
	Session  string     `json:"session" inventory:"random id, never an identity;public-task;usage"`
	Terminal string     `json:"terminal" inventory:"where it was;public-task;usage"`
	At       time.Time  `json:"at" inventory:"when;public-task;usage"`
	Units    wire.Units `json:"units" inventory:"pages that staff gave on top;public-task;usage"`
	By       string     `json:"by" inventory:"user who gave them;public-task;audit"`
	Why      string     `json:"why" inventory:"why they were given;public-task;audit"`
	Taken    bool       `json:"taken,omitempty" inventory:"the session's badge has them;public-task;usage"`
}

// PrinterRow is a terminal's printer, as it was told last. Meta.ID and
// Meta.Scope are the terminal.
type PrinterRow struct {
	Terminal string            `json:"terminal" inventory:"where it is;none-personal;technical"`
	State    wire.PrinterState `json:"state" inventory:"whether it can print;none-personal;technical"`
	Reasons  []string          `json:"reasons,omitempty" inventory:"what it lacks, as IPP names it;none-personal;technical"`
	Model    string            `json:"model,omitempty" inventory:"make and model;none-personal;technical"`
	Supplies []wire.Supply     `json:"supplies,omitempty" inventory:"levels of paper, toner, ink;none-personal;technical"`
	Counter  int               `json:"counter,omitempty" inventory:"impressions of its whole life;none-personal;technical"`
	Estimate bool              `json:"estimate,omitempty" inventory:"its counts are estimated;none-personal;technical"`
	Since    time.Time         `json:"since" inventory:"since when;none-personal;technical"` // State and Reasons
	At       time.Time         `json:"at" inventory:"when it was told;none-personal;technical"`
}

// SupplyDay is the levels of one printer's supplies at the end of a local day,
// for the forecast. Meta.ID is RollupID, Meta.Scope the terminal.
type SupplyDay struct {
	Day      string         `json:"day" inventory:"local day;none-personal;technical"`
	Terminal string         `json:"terminal" inventory:"where it is;none-personal;technical"`
	Levels   map[string]int `json:"levels" inventory:"levels of paper, toner, ink;none-personal;technical"`
}

func (Account) Table() Kind      { return KindAccount }
func (Account) Indexes() []Index { return nil }
func (PrintJob) Table() Kind     { return KindPrintJob }

// Indexes: job (JobKey), terminal, session, open ("yes") while something waits
// for an end, and account while something is set aside in it.
func (p PrintJob) Indexes() []Index {
	ix := []Index{{"job", JobKey(p.Terminal, p.Job)}, {"terminal", p.Terminal}}
	if p.Session != "" {
		ix = append(ix, Index{"session", p.Session})
	}
	if p.Open() {
		ix = append(ix, Index{"open", "yes"})
	}
	if p.Account != "" {
		ix = append(ix, Index{"account", p.Account})
	}
	return ix
}

// JobKey is the value of PrintJob's index "job": ids are the terminals' own.
func JobKey(terminal, job string) string { return terminal + "/" + job }

func (Grant) Table() Kind { return KindGrant }

// Indexes: session.
func (g Grant) Indexes() []Index    { return []Index{{"session", g.Session}} }
func (PrinterRow) Table() Kind      { return KindPrinter }
func (PrinterRow) Indexes() []Index { return nil }
func (SupplyDay) Table() Kind       { return KindSupply }

// Indexes: terminal.
func (s SupplyDay) Indexes() []Index { return []Index{{"terminal", s.Terminal}} }
