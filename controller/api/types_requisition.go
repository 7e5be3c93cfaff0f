package api

import "time"

// RequisitionsView is what a réquisition can obtain, and which rows wait for one.
type RequisitionsView struct {
	Classes []ClassView   `json:"classes" doc:"What is kept of people, by retention class, from the data inventory"`
	Holds   []HoldView    `json:"holds" doc:"Newest first; one that was over is told as long as the audit is kept"`
	Limit   int           `json:"limit" doc:"Days that a hold may stand at most, by the policy"`
	Traffic TrafficView   `json:"traffic"`
	Waiting []WaitingView `json:"waiting" doc:"Rows that should have gone and wait, as the last run of each table counted them"`
}

// ClassView is one retention class, as far as it is about people.
type ClassView struct {
	Class  string      `json:"class"`
	Days   int         `json:"days,omitempty" doc:"How long it is kept; absent where that is no number of days"`
	Tables []TableView `json:"tables"`
	Waits  bool        `json:"waits" doc:"A hold can name it"`
}

// TableView is what a table keeps about people in one class.
type TableView struct {
	Table    string   `json:"table"`
	Waits    bool     `json:"waits" doc:"Its rows have a site, and can wait"`
	Purposes []string `json:"purposes" doc:"Of its fields; their sentences are in the catalogues under purpose.<text>"`
}

// HoldView is rows that wait, or might.
type HoldView struct {
	ID          string     `json:"id"`
	Reference   string     `json:"reference"`
	Authority   string     `json:"authority"`
	Sites       []Named    `json:"sites"`
	Classes     []string   `json:"classes"`
	From        string     `json:"from" doc:"First day"`
	To          string     `json:"to" doc:"Last day: it ends by itself after it"`
	State       string     `json:"state" enum:"asked,planned,standing,lifted,withdrawn,ended,lapsed"`
	AskedBy     string     `json:"askedBy"`
	AskedAt     time.Time  `json:"askedAt"`
	ConfirmedBy string     `json:"confirmedBy,omitempty"`
	ConfirmedAt *time.Time `json:"confirmedAt,omitempty"`
	EndAskedBy  string     `json:"endAskedBy,omitempty" doc:"Who asked for its end: somebody else confirms that"`
	EndAskedAt  *time.Time `json:"endAskedAt,omitempty"`
	EndMine     bool       `json:"endMine" doc:"The asker of its end is whoever reads this"`
	LiftedBy    string     `json:"liftedBy,omitempty"`
	LiftedAt    *time.Time `json:"liftedAt,omitempty"`
	Mine        bool       `json:"mine" doc:"The person asked for it: somebody else confirms it"`
}

// Named is an id and what people call it.
type Named struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// WaitingView is how many rows of a table wait.
type WaitingView struct {
	Table string    `json:"table"`
	Class string    `json:"class"`
	Rows  int       `json:"rows"`
	At    time.Time `json:"at"`
}

// TrafficView is the decision about traffic data.
type TrafficView struct {
	On        bool       `json:"on"`
	Day       string     `json:"day,omitempty" doc:"Of the decision; absent when none was ever taken"`
	Reference string     `json:"reference,omitempty"`
	By        string     `json:"by,omitempty"`
	At        *time.Time `json:"at,omitempty"`
	Days      int        `json:"days" doc:"How long it would be kept"`
	May       bool       `json:"may" doc:"The person may decide: a DPO of the whole Département"`
}

// HoldRequest asks that rows wait.
type HoldRequest struct {
	Reference string   `json:"reference" maxLength:"80" doc:"Of the réquisition: never the name of a person"`
	Authority string   `json:"authority" maxLength:"120"`
	Sites     []string `json:"sites" maxItems:"100"`
	Classes   []string `json:"classes" maxItems:"10"`
	From      string   `json:"from" maxLength:"10" doc:"First day, such as 2026-12-01"`
	To        string   `json:"to" maxLength:"10" doc:"Last day"`
}

// TrafficRequest is a decision about traffic data.
type TrafficRequest struct {
	On        bool   `json:"on"`
	Day       string `json:"day" maxLength:"10" doc:"Of the decision, such as 2026-12-01"`
	Reference string `json:"reference" maxLength:"80"`
}

// DeletionPage is a page of the log of deletions.
type DeletionPage struct {
	Entries []DeletionView `json:"entries"`
	Next    string         `json:"next,omitempty" doc:"Ask with before= this for older ones"`
}

// DeletionView is one entry: rows that went, or that should have gone and wait.
type DeletionView struct {
	At    time.Time `json:"at"`
	Class string    `json:"class"`
	Table string    `json:"table"`
	Count int       `json:"count"`
	Held  int       `json:"held,omitempty"`
	Holds []string  `json:"holds" doc:"References of the réquisitions for which rows wait"`
}
