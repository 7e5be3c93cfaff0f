package journal

import (
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"borne/controller/wire"
)

// After returns at most limit records of the current epoch whose seq is
// greater than seq, acknowledged ones included as long as they are kept.
func (j *Journal) After(seq uint64, limit int) ([]wire.Record, error) {
	j.mu.Lock()
	epoch := j.meta.Epoch
	j.mu.Unlock()
	var out []wire.Record
	err := j.db.View(func(tx *bolt.Tx) error {
		c := tx.Bucket([]byte(bRecords)).Cursor()
		for k, v := c.Seek(key(epoch, seq+1)); k != nil && len(out) < limit; k, v = c.Next() {
			e, s, ok := place(k)
			if !ok || e != epoch {
				return nil
			}
			var r wire.Record
			if err := json.Unmarshal(v, &r); err != nil {
				return fmt.Errorf("record %d of epoch %d: %w", s, e, err)
			}
			r.Epoch, r.Seq = e, s
			out = append(out, r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("cannot read the journal's records: %w", err)
	}
	return out, nil
}

// Changed receives when a record was written since the last receive.
func (j *Journal) Changed() <-chan struct{} { return j.changed }

// Hello says where this terminal stands.
func (j *Journal) Hello() (wire.Hello, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := j.meta
	return wire.Hello{Epoch: m.Epoch, Seq: m.Seq, Chain: m.Chain, Policy: m.Policy, PermitsLeft: m.Permits}, nil
}

// Welcomed keeps the controller's word. A cursor before what was acknowledged
// is a restored controller: everything after it counts as not acknowledged
// again. A new epoch gives every record that was not acknowledged a new place.
func (j *Journal) Welcomed(w wire.Welcome) error {
	err := j.update("keep the controller's welcome", func(tx *bolt.Tx, m *meta) error {
		if err := put(tx, kWelcome, w); err != nil {
			return err
		}
		if w.Epoch != m.Epoch {
			return renumber(tx, m, w)
		}
		if w.Cursor > m.Seq {
			return fmt.Errorf("the controller has record %d of epoch %d and this journal ends at %d: an older copy of it is in use; in the console, replace this terminal", w.Cursor, w.Epoch, m.Seq)
		}
		if w.Cursor < m.Acked {
			m.Acked = w.Cursor
			return dropAcksAfter(tx, m.Epoch, w.Cursor)
		}
		return j.ack(tx, m, w.Cursor)
	})
	if err == nil {
		j.notify()
	}
	return err
}

func renumber(tx *bolt.Tx, m *meta, w wire.Welcome) error {
	if w.Epoch < m.Epoch {
		return fmt.Errorf("the controller gave epoch %d, which is before %d", w.Epoch, m.Epoch)
	}
	b := tx.Bucket([]byte(bRecords))
	var keys, values [][]byte
	c := b.Cursor()
	for k, v := c.Seek(key(m.Epoch, m.Acked+1)); k != nil; k, v = c.Next() {
		keys, values = append(keys, append([]byte{}, k...)), append(values, append([]byte{}, v...))
	}
	for _, k := range keys {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	m.Epoch, m.Seq, m.Acked = w.Epoch, w.Cursor, w.Cursor
	for _, v := range values {
		m.Seq++
		if err := b.Put(key(m.Epoch, m.Seq), v); err != nil {
			return err
		}
	}
	return nil
}

// Acked says that every record up to seq of epoch is durable at the controller.
func (j *Journal) Acked(epoch, seq uint64) error {
	j.mu.Lock()
	known := epoch == j.meta.Epoch && seq > j.meta.Acked
	j.mu.Unlock()
	if !known {
		return nil
	}
	return j.update("keep an acknowledgement", func(tx *bolt.Tx, m *meta) error {
		if epoch != m.Epoch {
			return nil
		}
		if seq > m.Seq {
			return fmt.Errorf("record %d of epoch %d was acknowledged, and the last one is %d", seq, epoch, m.Seq)
		}
		return j.ack(tx, m, seq)
	})
}

// ack notes when seq was acknowledged, and drops what has been long enough.
func (j *Journal) ack(tx *bolt.Tx, m *meta, seq uint64) error {
	if seq <= m.Acked {
		return nil
	}
	if err := forgetHolders(tx, m.Epoch, m.Acked+1, seq); err != nil {
		return err
	}
	m.Acked = seq
	now, sure := time.Time{}, false
	if j.opt.Clock != nil {
		now, sure = j.opt.Clock.Now()
	}
	if !sure {
		return nil // a later acknowledgement, with a sure clock, covers it
	}
	v, err := now.UTC().MarshalBinary()
	if err != nil {
		return fmt.Errorf("cannot encode the time of an acknowledgement: %w", err)
	}
	if err := tx.Bucket([]byte(bAcks)).Put(key(m.Epoch, seq), v); err != nil {
		return err
	}
	return prune(tx, now.Add(-j.opt.Keep))
}

// forgetHolders takes the badge's key out of records that have arrived: this
// terminal has no more use for it. A controller that is restored from an older
// backup then counts such a session without its badge.
func forgetHolders(tx *bolt.Tx, epoch, from, to uint64) error {
	b := tx.Bucket([]byte(bRecords))
	changed := map[string][]byte{}
	last := key(epoch, to)
	c := b.Cursor()
	for k, v := c.Seek(key(epoch, from)); k != nil && string(k) <= string(last); k, v = c.Next() {
		var r wire.Record
		if err := json.Unmarshal(v, &r); err != nil {
			return fmt.Errorf("cannot read a record that was acknowledged: %w", err)
		}
		body, err := withoutHolder(r)
		if err != nil {
			return err
		}
		if body == nil {
			continue
		}
		r.Body = body
		if changed[string(k)], err = json.Marshal(r); err != nil {
			return err
		}
	}
	for k, v := range changed {
		if err := b.Put([]byte(k), v); err != nil {
			return err
		}
	}
	return nil
}

// withoutHolder is a record's body without its badge's key; nil when it has
// none, or cannot be read, which is not ours to judge.
func withoutHolder(r wire.Record) (json.RawMessage, error) {
	switch r.Kind {
	case wire.KindBegun:
		var b wire.Begun
		if err := json.Unmarshal(r.Body, &b); err != nil || b.Holder == nil {
			return nil, nil
		}
		b.Holder = nil
		return json.Marshal(b)
	case wire.KindPrint:
		var p wire.Printed
		if err := json.Unmarshal(r.Body, &p); err != nil || p.Holder == nil {
			return nil, nil
		}
		p.Holder = nil
		return json.Marshal(p)
	}
	return nil, nil
}

// prune drops records that were acknowledged before a time, oldest first, and
// a bounded number at once: a commit must stay short.
func prune(tx *bolt.Tx, before time.Time) error {
	const most = 512
	acks, records := tx.Bucket([]byte(bAcks)), tx.Bucket([]byte(bRecords))
	var upTo []byte
	var old [][]byte
	c := acks.Cursor()
	for k, v := c.First(); k != nil && len(old) < most; k, v = c.Next() {
		var t time.Time
		if err := t.UnmarshalBinary(v); err != nil {
			return err
		}
		if !t.Before(before) {
			break
		}
		upTo = append([]byte{}, k...)
		old = append(old, upTo)
	}
	if upTo == nil {
		return nil
	}
	var gone [][]byte
	rc := records.Cursor()
	for k, _ := rc.First(); k != nil && string(k) <= string(upTo); k, _ = rc.Next() {
		if len(gone) == most { // the rest goes with the next acknowledgement: its mark stays
			old = old[:len(old)-1]
			break
		}
		gone = append(gone, append([]byte{}, k...))
	}
	for _, k := range gone {
		if err := records.Delete(k); err != nil {
			return err
		}
	}
	for _, k := range old {
		if err := acks.Delete(k); err != nil {
			return err
		}
	}
	return nil
}

func dropAcksAfter(tx *bolt.Tx, epoch, seq uint64) error {
	b := tx.Bucket([]byte(bAcks))
	var gone [][]byte
	c := b.Cursor()
	for k, _ := c.Seek(key(epoch, seq+1)); k != nil; k, _ = c.Next() {
		gone = append(gone, append([]byte{}, k...))
	}
	for _, k := range gone {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	return nil
}
