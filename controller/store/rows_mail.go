package store

import "time"

// Mail is a message that waits to be sent, or was sent a short while ago. Meta.ID
// names what it is about, so that it is sent once.
type Mail struct {
	To      string    `json:"to,omitempty" inventory:"address of who is told, erased once it is sent;public-task;minutes"`
	Subject string    `json:"subject,omitempty" inventory:"what it is about;none-personal;minutes"`
	Text    string    `json:"text,omitempty" inventory:"the message;none-personal;minutes"`
	Queued  time.Time `json:"queued" inventory:"since when it waits;none-personal;minutes"`
	Sent    time.Time `json:"sent,omitzero" inventory:"when it was sent;none-personal;minutes"`
	Tries   int       `json:"tries,omitempty" inventory:"attempts that failed;none-personal;minutes"`
	Next    time.Time `json:"next,omitzero" inventory:"when it is tried again;none-personal;minutes"`
}

func (Mail) Table() Kind      { return KindMail }
func (Mail) Indexes() []Index { return nil }
