package store

import (
	"encoding/json"
	"time"
)

// HoursChange is one change of a place's hours, to tell who made it and to go
// back before it. Meta.ID is TimeID, Meta.Scope the space when it was a space's.
type HoursChange struct {
	Layer  string          `json:"layer" inventory:"site or space whose hours they are;none-personal;audit"`
	At     time.Time       `json:"at" inventory:"when;public-task;audit"`
	By     string          `json:"by" inventory:"user who changed them;public-task;audit"`
	Note   string          `json:"note,omitempty" inventory:"why, in the user's words;public-task;audit"`
	Said   []string        `json:"said" inventory:"what changed, in sentences;public-task;audit"`
	Before json.RawMessage `json:"before,omitempty" inventory:"the hours before, their agreements included, empty when they were inherited;public-task;audit"`
}

func (HoursChange) Table() Kind { return KindHours }

// Indexes: layer.
func (h HoursChange) Indexes() []Index { return []Index{{"layer", h.Layer}} }
