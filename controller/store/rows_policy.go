package store

import (
	"encoding/json"
	"time"
)

// PolicyChange is one publication of a layer's rules, to tell who made it and to
// go back before it. Meta.ID is TimeID, Meta.Scope the space when it was a
// space's or a terminal's. Hours are in none: HoursChange has theirs, and hours
// change at once, by other people.
type PolicyChange struct {
	Layer       string             `json:"layer" inventory:"global, or the site, space or terminal whose rules they are;none-personal;audit"`
	Version     uint64             `json:"version" inventory:"that it got;none-personal;audit"`
	At          time.Time          `json:"at" inventory:"when;public-task;audit"`
	By          string             `json:"by" inventory:"user who published them, or the controller;public-task;audit"`
	Note        string             `json:"note,omitempty" inventory:"why, in the user's words;public-task;audit"`
	Sections    []string           `json:"sections" inventory:"which parts were written;none-personal;audit"`
	Differences []PolicyDifference `json:"differences" inventory:"what changed there;public-task;audit"`
	Doc         json.RawMessage    `json:"doc" inventory:"the layer's rules from then on, without its hours;public-task;audit"`
	Before      json.RawMessage    `json:"before" inventory:"the layer's rules before, without its hours;public-task;audit"`
}

func (PolicyChange) Table() Kind { return KindPolicyChange }

// Indexes: layer.
func (c PolicyChange) Indexes() []Index { return []Index{{"layer", c.Layer}} }

// PolicyDifference is one value that differs; what is empty is not there.
type PolicyDifference struct {
	Path   string          `json:"path" inventory:"which value;none-personal;audit"`
	Before json.RawMessage `json:"before,omitempty" inventory:"the value before;public-task;audit"`
	After  json.RawMessage `json:"after,omitempty" inventory:"the value after;public-task;audit"`
}
