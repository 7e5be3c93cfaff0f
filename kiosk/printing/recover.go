package printing

import (
	"encoding/json"
	"fmt"
	"slices"

	"borne/controller/wire"
)

// Decode reads a state as the journal kept it. Of bytes that are no state of
// this schema whatever jobs can be read are kept as ones that may have been
// printed: Recover makes them doubtful, and none is sent. The error says why.
func Decode(b []byte) (State, error) {
	var s State
	if err := json.Unmarshal(b, &s); err != nil {
		return New(), fmt.Errorf("cannot read the state of printing: %w; its jobs are left to the ledger", err)
	}
	if len(s.Hour) > maxHour {
		s.Hour = s.Hour[len(s.Hour)-maxHour:]
	}
	if s.Schema != Schema {
		err := fmt.Errorf("cannot use a printing state of schema %d, want %d; its jobs are left to staff", s.Schema, Schema)
		for i := range s.Jobs {
			s.Jobs[i].Stage = "" // not one of ours
		}
		s.Schema, s.Limits = Schema, Limits{}
		s.Jobs = sound(s.Jobs)
		return s, err
	}
	s.Jobs = sound(s.Jobs)
	return s, nil
}

// sound leaves out jobs that are there twice or have no name, and distrusts
// those whose numbers cannot be: a damaged disk charges nobody.
func sound(in []Job) []Job {
	var out []Job
	for _, j := range in {
		if j.ID == "" || slices.ContainsFunc(out, func(k Job) bool { return k.ID == j.ID }) {
			continue
		}
		if !j.sane() {
			j.Stage, j.Remote = "", 0
			j.Reserved, j.Asked, j.Done = clamp(j.Reserved, 1<<30), clamp(j.Asked, maxDone), clamp(j.Done, maxDone)
			j.Sheets, j.DoneSheet = clamp(j.Sheets, maxDone), clamp(j.DoneSheet, maxDone)
		}
		out = append(out, j)
	}
	return out
}

func clamp[N ~int](n, most N) N { return min(max(n, 0), most) }

// Encode returns the durable part of a state.
func Encode(s State) ([]byte, error) {
	s.Jobs = slices.DeleteFunc(slices.Clone(s.Jobs), func(j Job) bool { return !j.Stage.durable() })
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the state of printing: %w", err)
	}
	return b, nil
}

// New is the state of a terminal that never printed.
func New() State { return State{Schema: Schema} }

// Recover turns the state of a process that is gone into one to go on from. Its
// session and its press died with it, and every document that was not at the
// printer. It is exhaustive over Stages; a stage that is not known is doubtful.
func Recover(s State, at Instant) (State, []Ask, []wire.Record) {
	m := &machine{s: s.clone(), at: at}
	m.s.Schema, m.s.Live = Schema, Live{}
	m.resume()
	for _, id := range m.ids() {
		j := m.job(id)
		if j == nil { // the same id twice: it ended already
			continue
		}
		j.Live = JobLive{}
		switch j.Stage {
		case StageOffered, StageHeld, StageReserving, StageReserved:
			// It was not sent. What the ledger may have set aside is free again.
			m.end(j, wire.PrintRefunded, wire.PrintEnded, 0)
		case StageSubmitting, StageFinding:
			m.find(j)
		case StageSubmitted, StagePrinting:
			if j.Remote < 1 {
				m.find(j)
				break
			}
			stage := j.Stage
			m.follow(j, j.Remote)
			j.Stage = stage
			if j.Ended != 0 {
				// Its engine may have gone on meanwhile: the printer is heard once more.
				j.Live.Over, j.Live.State, j.Live.Stopping = at.Mono, j.Ended, true
			}
		}
		if j = m.job(id); j != nil && !slices.Contains(Stages(), j.Stage) {
			m.end(j, wire.PrintDoubtful, wire.PrintLost, 0)
		}
	}
	return m.s, m.asks, m.records
}

// sane tells whether this machine could have written the job's numbers.
func (j Job) sane() bool {
	return j.Reserved >= 0 && j.Asked >= 0 && j.Asked <= maxDone && j.Done >= 0 && j.Done <= maxDone && j.Sheets >= 0 && j.Sheets <= maxDone &&
		j.DoneSheet >= 0 && j.DoneSheet <= maxDone && j.Side >= 1 && j.Side <= maxSide && j.Remote >= 0
}
