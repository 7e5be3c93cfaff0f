package store

import "time"

// Identity links an account to a person of an OpenID provider. Meta.ID is the
// digest of issuer and subject, so that one person is never two accounts.
type Identity struct {
	User    string    `json:"user" inventory:"whose account it opens;public-task;account"`
	Issuer  string    `json:"issuer" inventory:"provider that vouches for them;public-task;account"`
	Subject string    `json:"subject" inventory:"their name at that provider, to know them again;public-task;account"`
	Created time.Time `json:"created" inventory:"when they first came that way;public-task;account"`
	Used    time.Time `json:"used,omitzero" inventory:"when they last came that way;public-task;account"`
}

func (Identity) Table() Kind { return KindIdentity }

// Indexes: user.
func (i Identity) Indexes() []Index { return []Index{{"user", i.User}} }
