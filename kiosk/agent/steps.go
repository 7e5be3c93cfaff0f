package agent

import (
	"bytes"
	"context"

	"borne/controller/wire"
	"borne/kiosk/journal"
	"borne/kiosk/printing"
	"borne/kiosk/session"
)

// extra is what a step changes beside the session's state.
type extra struct {
	command *journal.Applied
	policy  *journal.Policy
	head    *wire.ChainHead
	records []wire.Record
	prints  *printStep
	network *networks
	printer []byte // which one is used from now on; nil: as it was
	beat    bool   // what is saved is to be kept now
}

// printStep is a step of the print jobs' machine.
type printStep struct {
	next    printing.State
	encoded []byte
	asks    []printing.Ask
}

// apply steps the machine and makes the step durable.
func (a *Agent) apply(work context.Context, f session.Fact) { a.applyWith(work, f, extra{}) }

// applyWith does nothing while an earlier step waits for the disk: the
// machine's own deadlines bring back whatever result is missed. It tells
// whether the step was taken.
func (a *Agent) applyWith(work context.Context, f session.Fact, x extra) bool {
	if a.stuck != nil && !a.unstick(work) {
		return false
	}
	next, effects, records := session.Step(a.state, session.Event{At: a.now(), Fact: f})
	if err := a.commit(work, next, effects, records, x); err != nil {
		a.log.Error("the journal cannot be written; the terminal waits", "error", err)
		return false
	}
	return true
}

// commit writes what is durable about a step, then lets its effects go.
func (a *Agent) commit(work context.Context, next session.State, effects []session.Effect, records []wire.Record, x extra) error {
	enc, err := session.Encode(next)
	if err != nil {
		return err
	}
	at := a.now()
	s := &step{next: next, encoded: enc, effects: effects, prints: x.prints, commit: journal.Step{State: enc, Records: append(records, x.records...),
		Permits: next.Usable(at), Command: x.command, Policy: x.policy, Chain: x.head}}
	if p := x.prints; p != nil {
		if p.encoded, err = printing.Encode(p.next); err != nil {
			return err
		}
		if !bytes.Equal(p.encoded, a.printsEncoded) {
			s.commit.Prints = p.encoded
		}
	}
	if x.network != nil {
		s.networks, s.commit.Network = x.network, x.network.encode()
	}
	s.commit.Printer = x.printer
	if x.beat {
		s.commit.Energy = a.beat(true)
	}
	if s.commit.Energy != nil || len(s.commit.Records) > 0 || x.command != nil || x.policy != nil || x.head != nil || s.commit.Prints != nil || s.commit.Network != nil || x.printer != nil || !bytes.Equal(enc, a.encoded) {
		if s.commit.Energy == nil {
			s.commit.Energy = a.beat(false)
		}
		if err := a.parts.Journal.Commit(s.commit); err != nil {
			a.stuck, a.stuckAt = s, at.Mono
			return err
		}
	}
	a.take(work, s)
	return nil
}

// take makes a durable step the present.
func (a *Agent) take(work context.Context, s *step) {
	if s.next.Phase != a.state.Phase {
		a.log.Info("phase", "from", a.state.Phase, "to", s.next.Phase, "reason", s.next.Reason)
	}
	before := a.state
	a.state, a.encoded = s.next, s.encoded
	if s.networks != nil {
		a.networks = *s.networks
	}
	for _, e := range s.effects {
		a.perform(work, e)
	}
	if p := s.prints; p != nil {
		a.logPrints(p.next.Jobs)
		a.prints, a.printsEncoded = p.next, p.encoded
		for _, ask := range p.asks {
			a.performPrint(work, ask)
		}
		a.printsMoved(work)
	}
	a.callMoved(before)
	a.sessionMoved(work, before)
	a.gone(before)
}

// unstick tries again to write the step that waits.
func (a *Agent) unstick(work context.Context) bool {
	if err := a.parts.Journal.Commit(a.stuck.commit); err != nil {
		return false
	}
	s := a.stuck
	a.stuck = nil
	a.log.Info("the journal can be written again")
	a.take(work, s)
	if gone := a.erased; gone != "" {
		a.erased = ""
		a.apply(work, session.Lost{Session: gone})
	}
	return true
}
