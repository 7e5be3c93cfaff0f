package session

import (
	"encoding/json"
	"fmt"

	"borne/controller/wire"
)

// Decode reads a state as the journal kept it. Bytes that are no state of this
// schema give a state that wipes first, and an error that says why; whatever
// session they told of stays without its receipt, which the controller sees.
func Decode(b []byte) (State, error) {
	distrust := State{Schema: Schema, Dirty: true}
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		return distrust, fmt.Errorf("cannot read the session's state: %w; everything is wiped", err)
	}
	if s.Schema != Schema {
		// Ids of effects must not be used twice even then.
		distrust.Serial = s.Serial
		return distrust, fmt.Errorf("cannot use a session state of schema %d, want %d; everything is wiped", s.Schema, Schema)
	}
	return s, nil
}

// Encode returns the durable part of a state.
func Encode(s State) ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the session's state: %w", err)
	}
	return b, nil
}

// Recover turns the state of a process that is gone into one to go on from.
// Its sandboxes died or are orphans: whatever was dirty is wiped first, and
// the wipe owes the same receipt as before. It is exhaustive over Phases; a
// phase that is not known falls through to the wipe.
func Recover(s State, at Instant, boot wire.Boot) (State, []Effect, []wire.Record) {
	m := &machine{s: s.clone(), at: at}
	fresh := s.Phase == "" && s.Serial == 0 && !s.Dirty && s.Run == nil
	boot.Found = string(s.Phase)
	m.s.Schema, m.s.Live, m.s.Wipe = Schema, Live{}, nil
	m.s.Live.PINLast = at.Mono
	m.slow() // a restart is no way around the wait
	m.record(wire.KindBoot, boot)
	if s.Forget != "" {
		m.ask(DoForget{Permit: s.Forget}) // the process may have died between commit and effect
	}
	if m.s.Fault != wire.OutState {
		m.s.Fault = "" // measured anew
	}
	if fresh {
		m.stand()
		return m.s, m.effects, m.records
	}
	switch s.Phase {
	case Opening, Active, Warning, Ending:
		// The permit is consumed: the receipt is owed, whatever there was to see.
		m.s.Dirty = true
		m.restarted()
	case Wiping, Broken:
		// A wipe that had failed is tried again: a restart may have freed what held it.
		m.restarted()
	case Challenge:
		if m.s.Lift == nil {
			m.s.Dirty = true
		}
		m.restarted()
	case Starting, Welcome, Charter, Thanks, Closed, Quarantined, Updating, Maintenance:
		m.restarted()
	}
	if !m.s.known() {
		m.s.Dirty = true
		m.restarted()
	}
	return m.s, m.effects, m.records
}

// restarted goes on from a standstill: the owed wipe, the challenge, or the survey.
func (m *machine) restarted() {
	if r := m.s.Run; r != nil && r.Reason == "" {
		r.Reason = wire.EndRestart
	}
	if m.s.Run != nil {
		m.s.Dirty = true // a run is only ever dropped by its receipt
	}
	m.stand()
}

func (s State) known() bool {
	for _, p := range Phases() {
		if s.Phase == p {
			return true
		}
	}
	return false
}

// New is the state of a terminal that never ran.
func New() State { return State{Schema: Schema} }

// Unreadable is the state of a terminal whose journal could not be read: it stays
// out of service until a challenge proves it clean.
func Unreadable() State {
	return State{Schema: Schema, Dirty: true, Fault: wire.OutState}
}
