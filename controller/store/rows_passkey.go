package store

import (
	"encoding/json"
	"time"
)

// Passkey is one passkey of an account. Meta.ID is the hex of the name that its
// device gave it.
type Passkey struct {
	User    string          `json:"user" inventory:"whose account it opens;public-task;account"`
	Name    string          `json:"name" inventory:"what its owner calls it;public-task;account"`
	Doc     json.RawMessage `json:"doc" inventory:"public key and counter, to believe its device;public-task;account"`
	Created time.Time       `json:"created" inventory:"when it was added;public-task;account"`
	Used    time.Time       `json:"used,omitzero" inventory:"when it last let somebody in;public-task;account"`
}

func (Passkey) Table() Kind { return KindPasskey }

// Indexes: user.
func (p Passkey) Indexes() []Index { return []Index{{"user", p.User}} }
