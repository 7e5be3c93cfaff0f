package store

import "time"

// Holder is a badge holder: rights and nothing else. Meta.ID is random; the
// badge is known only by h2, which needs a pepper that is never on a terminal.
type Holder struct {
	H2       string    `json:"h2" inventory:"HMAC of the badge's h1: finds the holder, tells nothing;public-task;account"`
	Disabled bool      `json:"disabled,omitempty" inventory:"may no longer begin a session;public-task;account"`
	Created  time.Time `json:"created" inventory:"when the badge was given;public-task;account"`
	Seen     string    `json:"seen" inventory:"last month of use, to delete unused badges;public-task;account"`
}

// MonthKey makes the pseudonyms of one calendar month (Meta.ID, 2006-01). Once
// it is destroyed, nobody can link two months' sessions to one holder.
type MonthKey struct {
	Key     []byte    `json:"key" inventory:"key of that month's pseudonyms;public-task;technical"`
	Created time.Time `json:"created" inventory:"when it came to be;none-personal;technical"`
}

// Purge tells that rows were deleted on time. Meta.ID is TimeID.
type Purge struct {
	At     time.Time `json:"at" inventory:"when;none-personal;audit"`
	Class  string    `json:"class" inventory:"retention class;none-personal;audit"`
	What   string    `json:"what" inventory:"table;none-personal;audit"`
	Before time.Time `json:"before" inventory:"everything older went;none-personal;audit"`
	Count  int       `json:"count" inventory:"how many rows;none-personal;audit"`
}

func (Holder) Table() Kind { return KindHolder }

// Indexes: h2.
func (h Holder) Indexes() []Index { return []Index{{"h2", h.H2}} }
func (MonthKey) Table() Kind      { return KindMonthKey }
func (MonthKey) Indexes() []Index { return nil }
func (Purge) Table() Kind         { return KindPurge }
func (Purge) Indexes() []Index    { return nil }
