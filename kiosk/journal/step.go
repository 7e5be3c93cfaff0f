package journal

import (
	"encoding/json"
	"fmt"
	"time"

	bolt "go.etcd.io/bbolt"

	"borne/controller/wire"
)

// Step is everything that one step of the session changes: all of it becomes
// durable, or none.
type Step struct {
	State   []byte          // the session's state, encoded
	Prints  []byte          // the print jobs' state, encoded; nil: as it was
	Energy  []byte          // what was saved since the last record of it, encoded; nil: as it was
	Network []byte          // what is known of networks that were tried, encoded; nil: as it was
	Printer []byte          // which printer is used from now on, encoded; nil: as it was
	Records []wire.Record   // in order; their Epoch and Seq are given here
	Permits int             // that are held, told in Hello
	Command *Applied        // that this step applied
	Policy  *Policy         // that this step applied
	Chain   *wire.ChainHead // of the receipt in Records
}

// Applied is a command that must not be applied again.
type Applied struct {
	ID       string
	NotAfter time.Time
}

// Policy is a policy with its version, which is read here by nobody.
type Policy struct {
	Version  uint64
	Envelope wire.Envelope
}

// maxCommands bounds the ids of commands that are remembered.
const maxCommands = 1024

// Commit makes a step durable. After an error nothing of it is there, and it
// can be tried again.
func (j *Journal) Commit(s Step) error {
	err := j.update("write the journal", func(tx *bolt.Tx, m *meta) error {
		if err := tx.Bucket([]byte(bMeta)).Put([]byte(kState), s.State); err != nil {
			return err
		}
		if s.Prints != nil {
			if err := tx.Bucket([]byte(bMeta)).Put([]byte(kPrints), s.Prints); err != nil {
				return err
			}
		}
		if s.Energy != nil {
			if err := tx.Bucket([]byte(bMeta)).Put([]byte(kEnergy), s.Energy); err != nil {
				return err
			}
		}
		if s.Network != nil {
			if err := tx.Bucket([]byte(bMeta)).Put([]byte(kNetwork), s.Network); err != nil {
				return err
			}
		}
		if s.Printer != nil {
			if err := tx.Bucket([]byte(bMeta)).Put([]byte(kPrinter), s.Printer); err != nil {
				return err
			}
		}
		m.Damaged = ""
		m.Permits = s.Permits
		if s.Chain != nil {
			m.Chain = *s.Chain
		}
		if s.Policy != nil {
			m.Policy = s.Policy.Version
			if err := put(tx, kPolicy, s.Policy.Envelope); err != nil {
				return err
			}
		}
		if s.Command != nil {
			if err := remember(tx, m.Wall, *s.Command); err != nil {
				return err
			}
		}
		return j.append(tx, m, s.Records)
	})
	if err == nil && len(s.Records) > 0 {
		j.notify()
	}
	return err
}

func (j *Journal) append(tx *bolt.Tx, m *meta, records []wire.Record) error {
	for _, r := range records {
		if len(r.Body) > wire.MaxRecord {
			return fmt.Errorf("a %s record of %d bytes passes the limit of %d", r.Kind, len(r.Body), wire.MaxRecord)
		}
		m.Seq++
		r.Epoch, r.Seq = 0, 0 // the key tells them
		b, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("cannot encode a %s record: %w", r.Kind, err)
		}
		if err := tx.Bucket([]byte(bRecords)).Put(key(m.Epoch, m.Seq), b); err != nil {
			return err
		}
	}
	return nil
}

// remember keeps a command's id until it can no longer be sent again.
func remember(tx *bolt.Tx, now time.Time, a Applied) error {
	b := tx.Bucket([]byte(bCommands))
	var lapsed [][]byte
	var oldest []byte
	var first time.Time
	n := 0
	c := b.Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		var t time.Time
		if err := t.UnmarshalBinary(v); err != nil {
			return err
		}
		n++
		if !now.IsZero() && t.Add(24*time.Hour).Before(now) {
			lapsed = append(lapsed, append([]byte{}, k...))
		}
		if oldest == nil || t.Before(first) {
			oldest, first = append([]byte{}, k...), t
		}
	}
	if len(lapsed) == 0 && n >= maxCommands {
		lapsed = append(lapsed, oldest)
	}
	for _, k := range lapsed {
		if err := b.Delete(k); err != nil {
			return err
		}
	}
	v, err := a.NotAfter.UTC().MarshalBinary()
	if err != nil {
		return fmt.Errorf("cannot encode the expiry of command %s: %w", a.ID, err)
	}
	return b.Put([]byte(a.ID), v)
}

// Applied tells whether a command was applied before.
func (j *Journal) Applied(id string) (bool, error) {
	found := false
	if id == "" {
		return false, nil
	}
	err := j.db.View(func(tx *bolt.Tx) error {
		found = tx.Bucket([]byte(bCommands)).Get([]byte(id)) != nil
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("cannot look for command %s in the journal: %w", id, err)
	}
	return found, nil
}

func (j *Journal) notify() {
	select {
	case j.changed <- struct{}{}:
	default: // one is waiting
	}
}
