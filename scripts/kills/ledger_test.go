package kills

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// ledger is what the controller holds about the terminal.
type ledger struct {
	sessions   []sessionRow
	receipts   []receiptRow // in the order of the chain
	quarantine bool
	digests    map[string][]byte // by receipt's id: looked at already
}

type sessionRow struct {
	ID, Receipt, Reason string
	Started             time.Time
}

type receiptRow struct {
	ID, Kind, Session, Verdict, Reason, Detail string
	At                                         time.Time
	Segment, Index                             uint64
}

// read asks the controller for all of it.
func (p *post) read() error {
	var d struct {
		Gaps, Unacked  uint64
		Segment, Index uint64
		Quarantine     *struct{ Reason string }
		Terminal       struct{ Online bool }
	}
	if err := p.ask("GET", "/api/terminals/"+terminal, nil, &d); err != nil {
		return err
	}
	l := ledger{digests: p.ledger.digests, quarantine: d.Quarantine != nil}
	for before := ""; ; {
		var page struct {
			Sessions []sessionRow
			Next     string
		}
		if err := p.ask("GET", "/api/terminals/"+terminal+"/sessions?limit=100&before="+before, nil, &page); err != nil {
			return err
		}
		l.sessions = append(l.sessions, page.Sessions...)
		if before = page.Next; before == "" {
			break
		}
	}
	for before := ""; ; {
		var page struct {
			Receipts []receiptRow
			Next     string
		}
		if err := p.ask("GET", "/api/terminals/"+terminal+"/receipts?limit=100&before="+before, nil, &page); err != nil {
			return err
		}
		l.receipts = append(l.receipts, page.Receipts...)
		if before = page.Next; before == "" {
			break
		}
	}
	slices.SortFunc(l.sessions, func(a, b sessionRow) int { return a.Started.Compare(b.Started) })
	slices.SortFunc(l.receipts, func(a, b receiptRow) int {
		return cmp.Or(cmp.Compare(a.Segment, b.Segment), cmp.Compare(a.Index, b.Index))
	})
	p.ledger = l
	switch {
	case !d.Terminal.Online:
		return errors.New("the terminal is not connected")
	case d.Gaps != 0:
		return fmt.Errorf("%d records never arrived", d.Gaps)
	case d.Unacked != 0:
		return fmt.Errorf("%d records are not acknowledged yet", d.Unacked)
	}
	if n := len(l.receipts); n > 0 && (l.receipts[n-1].Segment != d.Segment || l.receipts[n-1].Index != d.Index) {
		return fmt.Errorf("the chain's head is %d-%d, its last receipt %d-%d", d.Segment, d.Index, l.receipts[n-1].Segment, l.receipts[n-1].Index)
	}
	return l.check()
}

// check finds what must never be: a session without exactly one accepted
// receipt, a chain that is broken, a session that began before the one before
// it was proven clean.
func (l ledger) check() error {
	var proof []receiptRow // of sessions, in the order of the chain
	for i, r := range l.receipts {
		if r.Verdict != "accepted" {
			return fmt.Errorf("receipt %d-%d is %s: %s %s", r.Segment, r.Index, r.Verdict, r.Reason, r.Detail)
		}
		next := receiptRow{Index: 1}
		if i > 0 {
			before := l.receipts[i-1]
			next = receiptRow{Segment: before.Segment, Index: before.Index + 1}
			if r.Kind == "challenge" && r.Index == 1 {
				next = receiptRow{Segment: before.Segment + 1, Index: 1}
			}
		}
		if r.Segment != next.Segment || r.Index != next.Index {
			return fmt.Errorf("the chain goes on with %d-%d, want %d-%d", r.Segment, r.Index, next.Segment, next.Index)
		}
		if r.Kind == "session" {
			proof = append(proof, r)
		}
	}
	if len(proof) != len(l.sessions) {
		return fmt.Errorf("%d sessions, %d receipts of sessions", len(l.sessions), len(proof))
	}
	for i, s := range l.sessions {
		switch r := proof[i]; {
		case r.Session != s.ID || s.Receipt != r.ID:
			return fmt.Errorf("session %d is %s with receipt %q; the chain's is of %s", i+1, s.ID, s.Receipt, r.Session)
		case s.Reason == "":
			return fmt.Errorf("session %s has not ended", s.ID)
		case r.At.Before(s.Started):
			return fmt.Errorf("session %s began after its receipt", s.ID)
		case i+1 < len(l.sessions) && l.sessions[i+1].Started.Before(r.At):
			return fmt.Errorf("session %s began before %s was proven clean", l.sessions[i+1].ID, s.ID)
		}
	}
	return nil
}

// proven waits until the controller holds what it must, and nothing else.
func (p *post) proven(quarantine bool) {
	p.t.Helper()
	p.eventually("one accepted receipt for each permit", 30*time.Second, func() error {
		err := p.read()
		if err == nil && p.ledger.quarantine != quarantine {
			err = fmt.Errorf("quarantined: %t", p.ledger.quarantine)
		}
		return err
	})
	if n := p.log.Opened(); len(p.ledger.sessions) < n {
		p.t.Fatalf("%d sessions were opened, the controller knows %d", n, len(p.ledger.sessions))
	}
	// Each link of the chain by its digest, and what its checks showed.
	var prev []byte
	for i, r := range p.ledger.receipts {
		if p.ledger.digests[r.ID] == nil {
			p.look(r, prev, i == 0)
		}
		prev = p.ledger.digests[r.ID]
	}
}

func (p *post) look(r receiptRow, prev []byte, first bool) {
	p.t.Helper()
	var v struct {
		Prev, Digest []byte
		Checks       []struct {
			Name, Result, Detail string
			After                int
		}
	}
	p.api("GET", "/api/receipts/"+r.ID, nil, &v)
	if !first && !bytes.Equal(v.Prev, prev) {
		p.t.Errorf("receipt %d-%d names %x before it, not %x", r.Segment, r.Index, v.Prev, prev)
	}
	if len(v.Checks) < 6 {
		p.t.Errorf("receipt %d-%d has %d checks only", r.Segment, r.Index, len(v.Checks))
	}
	for _, c := range v.Checks {
		if c.Result == "found" || c.Result == "inconclusive" || c.After != 0 {
			p.t.Errorf("receipt %d-%d: %+v", r.Segment, r.Index, c)
		}
	}
	p.ledger.digests[r.ID] = v.Digest
}
