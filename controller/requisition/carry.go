package requisition

import (
	"errors"
	"fmt"
	"time"

	"borne/controller/audit"
	"borne/controller/store"
)

// actionRestored tells that a hold was not in the backup that was restored, or stood
// otherwise there.
const actionRestored = "hold.restored"

// Known is what a store knows of holds and of traffic data: a restore takes it from
// the store that it replaces, so that no older backup lets go of what waits, or opens
// again what a DPO closed.
type Known struct {
	Holds   []Hold
	Traffic []store.Item[store.TrafficDecision] // one at most
}

// Read takes it from a store, of an older format too.
func Read(tx store.Tx) (k Known, err error) {
	if k.Holds, err = List(tx); err != nil {
		return k, err
	}
	for it, err := range store.List[store.TrafficDecision](tx, "", "", false) {
		if err != nil {
			return k, err
		}
		k.Traffic = append(k.Traffic, it)
	}
	return k, nil
}

// Carry writes it into a restored backup, and returns how many holds that changed.
func (k Known) Carry(tx store.Tx, now time.Time) (n int, err error) {
	for _, h := range k.Holds {
		was, err := store.Get[store.Hold](tx, h.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return n, err
		}
		if err == nil && newest(was.Row).Equal(newest(h.Row)) {
			continue
		}
		n++
		h.Rev = was.Rev
		if err := store.Put(tx, h); err != nil {
			return n, fmt.Errorf("cannot keep a hold: %w", err)
		}
		e := audit.Entry{At: now, Actor: audit.Controller, Action: actionRestored, Target: h.ID, Detail: detail(h.Row)}
		if err := audit.Append(tx, e); err != nil {
			return n, err
		}
	}
	for _, d := range k.Traffic {
		was, err := store.Get[store.TrafficDecision](tx, d.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return n, err
		}
		if !d.Row.At.After(was.Row.At) {
			continue
		}
		d.Rev = was.Rev
		if err := store.Put(tx, d); err != nil {
			return n, fmt.Errorf("cannot keep the decision about traffic data: %w", err)
		}
	}
	return n, nil
}

// newest is when something was done last to a hold.
func newest(h store.Hold) time.Time {
	last := h.AskedAt
	for _, t := range []time.Time{h.ConfirmedAt, h.EndAskedAt, h.LiftedAt, h.Closed} {
		if t.After(last) {
			last = t
		}
	}
	return last
}
