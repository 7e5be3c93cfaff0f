package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// RolloutState is what becomes of a rollout.
type RolloutState string

// States of a rollout. While it runs or is held, terminals that it did not reach
// keep the rules before.
const (
	RolloutRunning RolloutState = "running"
	RolloutHeld    RolloutState = "held"    // somebody said: no further for now
	RolloutDone    RolloutState = "done"    // all have the new rules
	RolloutBack    RolloutState = "back"    // somebody went back
	RolloutStopped RolloutState = "stopped" // a terminal could not take it: all are back
)

// Rollout is how far a layer's last change has come that goes to a few terminals
// first. Meta.ID is the layer's. Hours are no part of it: they change at once.
type Rollout struct {
	State   RolloutState    `json:"state" inventory:"what becomes of it;none-personal;life"`
	Change  string          `json:"change" inventory:"which publication it is;none-personal;life"`
	Before  json.RawMessage `json:"before" inventory:"the layer's rules before, without its hours;none-personal;life"`
	Prior   uint64          `json:"prior" inventory:"version of those;none-personal;life"`
	Version uint64          `json:"version" inventory:"version of the new rules, newer at each step;none-personal;life"`
	Order   []string        `json:"order" inventory:"the terminals that it changes, first ones first;none-personal;life"`
	Members []RolloutMember `json:"members" inventory:"those that have the new rules;none-personal;life"`
	Step    int             `json:"step" inventory:"which step it is at;none-personal;life"`
	Fresh   int             `json:"fresh" inventory:"how many had them before this step;none-personal;life"`
	Since   time.Time       `json:"since" inventory:"when this step began;none-personal;life"`
	Dwell   int             `json:"dwell" inventory:"seconds that a terminal has to do well;none-personal;life"`
	Within  int             `json:"within" inventory:"seconds in which a terminal has to take it, or be back;none-personal;life"`
	Culprit string          `json:"culprit,omitempty" inventory:"the terminal that stopped it;none-personal;life"`
	Why     string          `json:"why,omitempty" inventory:"why it stopped;none-personal;life"`
	Detail  string          `json:"detail,omitempty" inventory:"what that terminal said;none-personal;life"`
}

// RolloutMember is a terminal that a rollout has reached.
type RolloutMember struct {
	Terminal string    `json:"terminal" inventory:"which;none-personal;life"`
	Since    time.Time `json:"since" inventory:"since when it could have taken the new rules;none-personal;life"`
	Applied  time.Time `json:"applied,omitzero" inventory:"since when it does well with them;none-personal;life"`
	Away     time.Time `json:"away,omitzero" inventory:"since when it is away;none-personal;life"`
	Met      bool      `json:"met,omitempty" inventory:"it was connected since;none-personal;life"`
	Proved   bool      `json:"proved,omitempty" inventory:"it did well for long enough;none-personal;life"`
	Out      bool      `json:"out,omitempty" inventory:"it was out of service before;none-personal;life"`
	Silent   bool      `json:"silent,omitempty" inventory:"the printer of its rules did not answer before;none-personal;life"`
	Refused  string    `json:"refused,omitempty" inventory:"what it had refused before;none-personal;life"`
}

func (Rollout) Table() Kind { return KindRollout }

// Indexes: active, while terminals are held back.
func (r Rollout) Indexes() []Index {
	if !r.Active() {
		return nil
	}
	return []Index{{"active", "yes"}}
}

// Active tells whether some terminals keep the rules before.
func (r Rollout) Active() bool { return r.State == RolloutRunning || r.State == RolloutHeld }

// Holds tells whether a terminal keeps the rules before. One that came later waits
// until all have the new ones.
func (r Rollout) Holds(terminal string) bool {
	return r.Active() && !slices.ContainsFunc(r.Members, func(m RolloutMember) bool { return m.Terminal == terminal })
}

// WithHoursOf is a layer's document with what changes at once of another state of it:
// the hours and the PIN, which other people change and no history of rules has, and
// the staff's rights at the terminal. Who may release prints is taken from, at once.
func WithHoursOf(doc, other json.RawMessage) (json.RawMessage, error) {
	a, b := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if err := json.Unmarshal(doc, &a); err != nil {
		return nil, fmt.Errorf("cannot read a layer of the policy: %w", err)
	}
	if err := json.Unmarshal(other, &b); err != nil {
		return nil, fmt.Errorf("cannot read a layer of the policy: %w", err)
	}
	for _, own := range []string{"hours", "pin", "team"} {
		delete(a, own)
		if x, ok := b[own]; ok {
			a[own] = x
		}
	}
	if err := KeepStaff(a, b); err != nil {
		return nil, fmt.Errorf("cannot read a layer of the policy: %w", err)
	}
	return json.Marshal(a)
}

// WithoutHours is a layer's document as the history of rules has it.
func WithoutHours(doc json.RawMessage) (json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	if err := json.Unmarshal(doc, &all); err != nil {
		return nil, fmt.Errorf("cannot read a layer of the policy: %w", err)
	}
	delete(all, "hours")
	delete(all, "pin")
	return json.Marshal(all)
}

// KeepStaff leaves, of the badges that release prints in a, those that b names too.
func KeepStaff(a, b map[string]json.RawMessage) error {
	if a["printing"] == nil || b["printing"] == nil {
		return nil
	}
	type badge struct {
		Badge string `json:"badge"`
	}
	var old map[string]json.RawMessage
	var was struct {
		Staff []json.RawMessage `json:"staff"`
	}
	var is struct {
		Staff []badge `json:"staff"`
	}
	if err := errors.Join(json.Unmarshal(a["printing"], &old), json.Unmarshal(a["printing"], &was), json.Unmarshal(b["printing"], &is)); err != nil {
		return err
	}
	kept := []json.RawMessage{}
	for _, raw := range was.Staff {
		var x badge
		if err := json.Unmarshal(raw, &x); err != nil {
			return err
		}
		if slices.Contains(is.Staff, x) {
			kept = append(kept, raw)
		}
	}
	if len(kept) == len(was.Staff) {
		return nil
	}
	var err error
	if old["staff"], err = json.Marshal(kept); err == nil {
		a["printing"], err = json.Marshal(old)
	}
	return err
}
