package store

import (
	"encoding/json"
	"time"
)

// NetworkRow is how a terminal does with the network of its rules. Meta.ID is the
// terminal's. The Wi-Fi's key and other secrets are in no rules.
type NetworkRow struct {
	Held    json.RawMessage `json:"held,omitempty" inventory:"the network that it last obeyed;none-personal;life"`
	Refused string          `json:"refused,omitempty" inventory:"which network it put back;none-personal;life"` // policy.Network.TrialKey
	Version uint64          `json:"version,omitempty" inventory:"version of those rules;none-personal;life"`
	At      time.Time       `json:"at,omitzero" inventory:"when it put it back;none-personal;life"`
	Sent    []SentNetwork   `json:"sent,omitempty" inventory:"the networks last sent to it;none-personal;life"`
	Why     string          `json:"why,omitempty" inventory:"why it put it back, for staff;none-personal;life"`
}

// SentNetwork is a network that a terminal was sent, from a version on.
type SentNetwork struct {
	Version uint64          `json:"version" inventory:"version of those rules;none-personal;life"`
	Network json.RawMessage `json:"network" inventory:"the network itself;none-personal;life"`
}

func (NetworkRow) Table() Kind      { return KindNetwork }
func (NetworkRow) Indexes() []Index { return nil }
