package api

import (
	"time"

	"borne/controller/policy"
)

// ConsentToken is the link of a mail to the head of an establishment.
type ConsentToken struct {
	Token string `json:"token" minLength:"16" maxLength:"64"`
}

// ConsentAnswer is what the head says, by the link.
type ConsentAnswer struct {
	Token  string `json:"token" minLength:"16" maxLength:"64"`
	Answer string `json:"answer" enum:"accepted,refused,suspended"`
}

// ConsentDecision is what a head says who is logged in.
type ConsentDecision struct {
	Answer string `json:"answer" enum:"accepted,refused,suspended"`
}

// ConsentAsked is what the head is asked about, all of it.
type ConsentAsked struct {
	Site     string         `json:"site" doc:"Its name"`
	Commune  string         `json:"commune"`
	From     string         `json:"from" doc:"First day"`
	To       string         `json:"to" doc:"Last day"`
	Key      string         `json:"key,omitempty" doc:"Who holds the key and sets the alarm again"`
	Answer   string         `json:"answer" enum:"asked,accepted,refused,suspended"`
	Answered string         `json:"answered,omitempty" doc:"On which day"`
	Expires  time.Time      `json:"expires" doc:"The link answers until then"`
	Places   []ConsentPlace `json:"places"`
}

// ConsentPlace is one place that opens under the agreement.
type ConsentPlace struct {
	Name     string                `json:"name"`
	Openings []policy.OpeningGroup `json:"openings" doc:"Every opening outside the staff's hours from today on, in French"`
}

// ConsentNeed is an agreement that the head will be asked about.
type ConsentNeed struct {
	From string `json:"from"`
	To   string `json:"to"`
	Head string `json:"head" doc:"Address that the message goes to"`
}

// ConsentView is what was asked about one agreement of the hours.
type ConsentView struct {
	Agreement string     `json:"agreement" doc:"Its id"`
	Asked     time.Time  `json:"asked"`
	Reminded  *time.Time `json:"reminded,omitempty"`
	Expires   time.Time  `json:"expires" doc:"The link answers until then; another one can be sent"`
}
