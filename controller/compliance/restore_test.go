package compliance

import (
	"testing"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// TestRestored: what a backup does not know is no reason to stop a terminal.
func TestRestored(t *testing.T) {
	w := newWorld(t, nil)
	old := w.permits()
	w.decide(func(tx store.Tx) error { // as the backup was before any permit
		for _, p := range old {
			if err := tx.Delete(store.KindPermit, p.ID); err != nil {
				return err
			}
		}
		if err := store.Update(tx, "t1", func(it *store.Item[store.Terminal]) error { it.Row.LastPermit = 0; return nil }); err != nil {
			return err
		}
		return store.Put(tx, store.Item[store.Setting]{Meta: store.Meta{ID: store.SettingController}, Row: store.Setting{Generation: 2}})
	})
	s := w.begin(old[0]) // sent again
	w.hand(w.receipt(s, old[0]))
	w.expect(store.StateActive, "")
	w.decide(func(tx store.Tx) error {
		p, err := store.Get[store.PermitRow](tx, old[0].ID)
		if p.Row.State != store.PermitProven || w.now.Sub(p.Row.NotAfter).Abs() > time.Hour {
			t.Errorf("a permit from after the backup is %s and ends %s: retention would forget that it was used", p.Row.State, p.Row.NotAfter)
		}
		return err
	})
	fresh := w.permits()
	if len(fresh) != 4 || fresh[0].N <= old[3].N || fresh[0].Generation != 2 {
		t.Errorf("permits of the new generation: %+v", fresh)
	}
	s = w.begin(old[1]) // still held by the terminal
	w.hand(w.receipt(s, old[1]))
	s = w.begin(fresh[0])
	w.hand(w.receipt(s, fresh[0]))
	w.expect(store.StateActive, "")
	w.begin(wire.Permit{ID: "mine", N: fresh[3].N + 1})
	w.expect(store.StateQuarantined, wire.QuarReceiptForged)
}

// TestRestoredPermits: a terminal drops what it holds of an older generation, so
// those permits are no part of what it may hold of the new one.
func TestRestoredPermits(t *testing.T) {
	w := newWorld(t, nil)
	old := w.permits()
	w.decide(func(tx store.Tx) error { // the backup knows all of them
		return store.Put(tx, store.Item[store.Setting]{Meta: store.Meta{ID: store.SettingController}, Row: store.Setting{Generation: 2}})
	})
	fresh := w.permits()
	if len(fresh) != len(old) {
		t.Errorf("%d permits after a restore, %d before", len(fresh), len(old))
	}
	for _, p := range fresh {
		if p.Generation != 2 {
			t.Errorf("permit %d is of generation %d", p.N, p.Generation)
		}
	}
	s := w.begin(old[0]) // in a session that began before the terminal heard of it
	w.hand(w.receipt(s, old[0]))
	w.expect(store.StateActive, "")
}

// TestForgottenChallenge: after a restore the answer to a challenge that the
// backup does not know stops nobody, and frees nobody.
func TestForgottenChallenge(t *testing.T) {
	w := newWorld(t, nil)
	answer := func() {
		r := w.receipt("", wire.Permit{ID: "20260302T090000.000Z-forgotten", Nonce: []byte("forgotten")})
		r.Kind, r.Segment, r.Index = wire.ReceiptChallenge, w.head.Segment+1, 1
		w.hand(r)
	}
	w.decide(func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.Setting]{Meta: store.Meta{ID: store.SettingController}, Row: store.Setting{Generation: 2}})
	})
	answer()
	w.expect(store.StateActive, "")
	p := w.permits()
	s := w.begin(p[0])
	w.hand(w.receipt(s, p[0])) // the chain goes on in its segment
	w.expect(store.StateActive, "")
	s = w.begin(p[1])
	answer()
	if owes := w.terminal().Owes; owes != s {
		t.Errorf("it pays the debt of session %s: %q is owed", s, owes)
	}
	w.hand(w.receipt(s, p[1]))
	w.decide(func(tx store.Tx) error { return w.rules.Quarantine(tx, "t1", wire.QuarStaff, "", "u1") })
	answer()
	w.expect(store.StateQuarantined, wire.QuarStaff)
	bad := w.receipt("", wire.Permit{ID: "forgotten", Nonce: []byte("forgotten")})
	bad.Kind, bad.Segment, bad.Index, bad.Checks[0].Result = wire.ReceiptChallenge, w.head.Segment+1, 1, wire.Found
	x := newWorld(t, nil)
	x.decide(func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.Setting]{Meta: store.Meta{ID: store.SettingController}, Row: store.Setting{Generation: 2}})
	})
	x.hand(bad)
	x.expect(store.StateQuarantined, wire.QuarReceiptFailed)
}
