package store

import "time"

// Watch is what one user wants to be told of by mail. Meta.ID is the user's id.
type Watch struct {
	On      bool      `json:"on" inventory:"whether this user wants mails;public-task;account"`
	Level   string    `json:"level" inventory:"the least urgent that this user wants to hear of;public-task;account"`
	Sites   []string  `json:"sites,omitempty" inventory:"of which sites, empty for all that this user sees;public-task;account"`
	Night   bool      `json:"night,omitempty" inventory:"urgent ones at any hour;public-task;account"`
	Changed time.Time `json:"changed" inventory:"when it changed last;public-task;account"`
}

// Told is that one user was told of one matter. Meta.ID is the matter's id and the
// user's, Meta.Scope the matter's.
type Told struct {
	Matter string    `json:"matter" inventory:"which matter it was;none-personal;minutes"`
	User   string    `json:"user" inventory:"user who was told;public-task;minutes"`
	Level  string    `json:"level" inventory:"how urgent it was then;none-personal;minutes"`
	Last   time.Time `json:"last" inventory:"when this user was told last;public-task;minutes"`
	Over   time.Time `json:"over,omitzero" inventory:"when this user was told that it was over;public-task;minutes"`
}

func (Watch) Table() Kind      { return KindWatch }
func (Watch) Indexes() []Index { return nil }
func (Told) Table() Kind       { return KindTold }

// Indexes: user.
func (t Told) Indexes() []Index { return []Index{{"user", t.User}} }
