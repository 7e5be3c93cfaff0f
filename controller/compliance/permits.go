package compliance

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// forgotten is how many permit numbers are left out after a restore: those that
// may have been granted after the backup was made.
const forgotten = 100_000

// GrantPermits returns every permit that the terminal may hold: those granted
// by this generation and not consumed, filled up to the policy's prefetch. None
// in quarantine, and no new one while a begun session has no verified receipt.
func (r *Rules) GrantPermits(tx store.Tx, id string) ([]wire.Envelope, error) {
	t, err := store.Get[store.Terminal](tx, id)
	if err != nil {
		return nil, err
	}
	if t.Row.State != store.StateActive || (t.Row.Sim && r.cfg.RefuseSim) {
		return nil, nil
	}
	gen, err := Generation(tx)
	if err != nil {
		return nil, err
	}
	now := r.cfg.Now().UTC()
	var held []wire.Envelope
	for p, err := range store.Find[store.PermitRow](tx, "held", id) {
		if err != nil {
			return nil, err
		}
		// A terminal drops those of an older generation with the first newer one:
		// counted as held they would leave it almost none until they expire.
		if p.Row.Generation == gen && now.Before(p.Row.NotAfter) {
			held = append(held, p.Row.Envelope)
		}
	}
	if t.Row.Owes != "" {
		return held, nil
	}
	p, err := Effective(tx, t)
	if err != nil {
		return nil, err
	}
	want := min(p.Permits.Prefetch, wire.MaxPermits) - len(held)
	if want <= 0 {
		return held, nil
	}
	if t.Row.Generation != gen {
		if t.Row.Generation != 0 {
			t.Row.LastPermit += forgotten
			t.Row.Forgot = t.Row.LastPermit
		}
		t.Row.Generation = gen
	}
	for range want {
		t.Row.LastPermit++
		nonce := make([]byte, nonceBytes)
		rand.Read(nonce)
		permit := wire.Permit{ID: NewID("p"), Terminal: id, N: t.Row.LastPermit, Nonce: nonce,
			NotAfter: now.Add(time.Duration(p.Permits.ValidHours) * time.Hour), Generation: gen}
		env, err := r.cfg.Sign.SignPermit(permit)
		if err != nil {
			return nil, fmt.Errorf("cannot sign a permit: %w", err)
		}
		row := store.PermitRow{Terminal: id, N: permit.N, Nonce: nonce, Granted: now, NotAfter: permit.NotAfter, Generation: gen, State: store.PermitGranted, Envelope: env}
		if err := store.Put(tx, store.Item[store.PermitRow]{Meta: store.Meta{ID: permit.ID, Site: t.Site, Scope: id}, Row: row}); err != nil {
			return nil, err
		}
		held = append(held, env)
	}
	return held, store.Put(tx, t)
}

// consume marks the permit of a begun session. It returns why the terminal has
// to stop, or "".
func (r *Rules) consume(tx store.Tx, t *terminal, b wire.Begun) (wire.Reason, string, error) {
	p, err := store.Get[store.PermitRow](tx, b.Permit)
	if errors.Is(err, store.ErrNotFound) {
		gen, err := Generation(tx)
		if err != nil {
			return "", "", err
		}
		// Before a restore this controller may have granted it, and not know.
		if b.Permit == "" || gen == 1 || (t.Row.Generation == gen && b.N > t.Row.Forgot) {
			return wire.QuarReceiptForged, "session " + b.Session + " began with a permit that was never granted", nil
		}
		// Dated now, or retention would forget at once that it was used.
		now := r.cfg.Now().UTC()
		p = store.Item[store.PermitRow]{Meta: store.Meta{ID: b.Permit, Site: t.Site, Scope: t.ID},
			Row: store.PermitRow{Terminal: t.ID, N: b.N, Granted: now, NotAfter: now, State: store.PermitGranted}}
		t.Row.LastPermit = max(t.Row.LastPermit, b.N)
	} else if err != nil {
		return "", "", err
	}
	switch {
	case p.Row.Terminal != t.ID:
		return wire.QuarClone, "session " + b.Session + " began with a permit of another terminal", nil
	case p.Row.State == store.PermitVoid:
		return wire.QuarReceiptStale, "session " + b.Session + " began with a permit that is void", nil
	case p.Row.State != store.PermitGranted:
		return wire.QuarClone, "permit " + p.ID + " was used for two sessions", nil
	}
	p.Row.State, p.Row.Session = store.PermitConsumed, b.Session
	return "", "", store.Put(tx, p)
}

// VoidPermits makes every held permit void: the terminal's keys changed.
func VoidPermits(tx store.Tx, id string) error {
	for p, err := range store.Find[store.PermitRow](tx, "held", id) {
		if err != nil {
			return err
		}
		p.Row.State = store.PermitVoid
		if err := store.Put(tx, p); err != nil {
			return err
		}
	}
	return nil
}

// seenEvery is how fresh LastSeen is kept on the disk while a terminal is
// connected: each tick of each terminal would be a write for nothing.
const seenEvery = 10 * time.Minute

// Connected counts time during which a terminal was connected against the
// deadline of the receipt that it owes. Time without a connection never counts.
func (r *Rules) Connected(tx store.Tx, id string, d time.Duration) error {
	t, err := store.Get[store.Terminal](tx, id)
	if err != nil {
		return err
	}
	now := r.cfg.Now().UTC()
	if t.Row.Owes == "" && now.Sub(t.Row.LastSeen).Abs() < seenEvery {
		return nil
	}
	t.Row.LastSeen = now
	if t.Row.Owes != "" {
		p, err := Effective(tx, t)
		if err != nil {
			return err
		}
		if t.Row.OwedFor += int(d / time.Second); t.Row.OwedFor > p.Permits.ReceiptWithin*60 {
			if err := r.quarantine(tx, &t, wire.QuarReceiptMissing, fmt.Sprintf("session %s has no receipt after %d minutes", t.Row.Owes, t.Row.OwedFor/60), ""); err != nil {
				return err
			}
		}
	}
	return store.Put(tx, t)
}

// Hello compares what a terminal says it holds with what is known of it, and
// returns where it goes on. Quarantine, epoch and cursor are decided here.
func (r *Rules) Hello(tx store.Tx, id string, h wire.Hello) (wire.Welcome, error) {
	t, err := store.Get[store.Terminal](tx, id)
	if err != nil {
		return wire.Welcome{}, err
	}
	cur, err := tx.Cursor(id)
	if err != nil {
		return wire.Welcome{}, err
	}
	gen, err := Generation(tx)
	if err != nil {
		return wire.Welcome{}, err
	}
	next, back := resume(cur, h, gen)
	if back {
		if err := r.quarantine(tx, &t, wire.QuarRolledBack, fmt.Sprintf("it is at record %d of epoch %d, and had sent record %d of epoch %d", h.Seq, h.Epoch, cur.Seq, cur.Epoch), ""); err != nil {
			return wire.Welcome{}, err
		}
	}
	if next != cur {
		if err := tx.SetCursor(id, next); err != nil {
			return wire.Welcome{}, err
		}
	}
	if known := t.Row.Chain; h.Chain.Segment == known.Segment && known.Index > 0 {
		switch {
		case h.Chain.Index < known.Index:
			err = r.quarantine(tx, &t, wire.QuarRolledBack, fmt.Sprintf("its chain is at receipt %d, and was at %d", h.Chain.Index, known.Index), "")
		case h.Chain.Index == known.Index && !bytes.Equal(h.Chain.Digest, known.Digest):
			err = r.quarantine(tx, &t, wire.QuarClone, fmt.Sprintf("two receipts are number %d of its chain", known.Index), "")
		}
		if err != nil {
			return wire.Welcome{}, err
		}
	}
	if h.Sim != t.Row.Sim || (h.Sim && r.cfg.RefuseSim) {
		if err := r.quarantine(tx, &t, wire.QuarReceiptSim, "simulated hardware", ""); err != nil {
			return wire.Welcome{}, err
		}
	}
	now := r.cfg.Now().UTC()
	t.Row.Epoch, t.Row.Boot, t.Row.Build, t.Row.LastSeen = next.Epoch, short(h.Boot), short(h.Build), now
	t.Row.Protocol = min(h.Protocol, wire.Protocol)
	if t.Row.Trust = nil; len(h.Trust) == sha256.Size {
		t.Row.Trust = h.Trust
	}
	if err := meets(tx, t, h.Policy); err != nil {
		return wire.Welcome{}, err
	}
	return r.welcome(tx, t, gen, next), store.Put(tx, t)
}

// Stopped is what a machine is told that is turned away as a clone: that it is
// in quarantine, or it would use up the permits it holds. Nothing changes here,
// and with the cursor at 0 nothing counts as delivered there.
func (r *Rules) Stopped(tx store.Tx, id string, h wire.Hello) (wire.Welcome, error) {
	t, err := store.Get[store.Terminal](tx, id)
	if err != nil {
		return wire.Welcome{}, err
	}
	gen, err := Generation(tx)
	if err != nil {
		return wire.Welcome{}, err
	}
	t.Row.Protocol = min(h.Protocol, wire.Protocol)
	return r.welcome(tx, t, gen, store.Cursor{Epoch: h.Epoch}), nil
}

func (r *Rules) welcome(tx store.Tx, t terminal, gen uint64, from store.Cursor) wire.Welcome {
	w := wire.Welcome{Protocol: t.Row.Protocol, Generation: gen, Epoch: from.Epoch, Cursor: from.Seq, Time: r.cfg.Now().UTC(), Terminal: t.Row.Name}
	if t.Row.State == store.StateQuarantined {
		w.Quarantine = string(t.Row.Reason)
	}
	if s, err := store.Get[store.Site](tx, t.Site); err == nil {
		w.Site, w.Phone = s.Row.Name, s.Row.Phone
	}
	if s, err := store.Get[store.Space](tx, t.Row.Space); err == nil {
		w.Place, w.Contact = s.Row.Name, s.Row.Contact
	}
	return w
}

func short(s string) string { return s[:min(len(s), 80)] }

// resume returns the cursor to go on from, and whether the terminal's journal
// is older than what it had sent.
func resume(cur store.Cursor, h wire.Hello, generation uint64) (next store.Cursor, back bool) {
	switch {
	case cur.Epoch == h.Epoch && cur.Epoch != 0 && h.Seq >= cur.Seq:
		return cur, false
	case cur.Epoch == 0 && h.Epoch == 0:
		return store.Cursor{Epoch: 1}, false
	case h.Epoch > cur.Epoch && generation > 1:
		return store.Cursor{Epoch: h.Epoch}, false // granted after the backup: it sends all of it again
	case h.Epoch > cur.Epoch:
		return store.Cursor{Epoch: h.Epoch + 1}, false
	case h.Epoch < cur.Epoch && cur.Seq == 0:
		return cur, false // the welcome that granted it was lost
	default:
		return store.Cursor{Epoch: cur.Epoch + 1}, true
	}
}
