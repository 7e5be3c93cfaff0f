package store

import (
	"time"

	"borne/controller/wire"
)

// Bulk is a command that went to several terminals at once: what became of it is in
// each terminal's own row. Meta.ID is TimeID of its time and a random id.
type Bulk struct {
	Kind    wire.CommandKind `json:"kind" inventory:"what was asked of several terminals;none-personal;audit"`
	Text    string           `json:"text,omitempty" inventory:"message shown to people;public-task;audit"`
	Reason  string           `json:"reason,omitempty" inventory:"why it was asked;public-task;audit"`
	By      string           `json:"by" inventory:"user who asked;public-task;audit"`
	Issued  time.Time        `json:"issued" inventory:"when;none-personal;audit"`
	Targets []BulkTarget     `json:"targets" inventory:"which terminals, by which commands, and why not others;none-personal;audit"`
}

// BulkTarget is one terminal of a bulk.
type BulkTarget struct {
	Terminal string `json:"terminal"`
	Command  string `json:"command,omitempty"` // empty: it was left out
	Why      string `json:"why,omitempty"`     // reason code
}

func (Bulk) Table() Kind      { return KindBulk }
func (Bulk) Indexes() []Index { return nil }
