package bolt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt"

	"borne/controller/store"
	"borne/controller/wire"
)

// Limits of one group: what one write of the journal and one transaction behind
// it carry.
const (
	groupBytes = 2 << 20
	groupCount = 1024
)

type submission struct {
	terminal string
	batch    wire.Batch
	result   chan result // buffered: nobody has to wait for it
}

type result struct {
	cursor store.Cursor
	err    error
}

// entry is the payload of one frame: records that were new when it was written.
type entry struct {
	Terminal string        `json:"t"`
	Records  []wire.Record `json:"r"`
	Gaps     uint64        `json:"g,omitempty"` // new ones
	pos      uint64
}

// Ingest implements store.Store.
func (s *Store) Ingest(ctx context.Context, terminal string, b wire.Batch) (store.Cursor, error) {
	if terminal == "" || len(b.Records) == 0 {
		return store.Cursor{}, errors.New("cannot ingest: no terminal, or no record")
	}
	sub := &submission{terminal: terminal, batch: b, result: make(chan result, 1)}
	select {
	case s.submit <- sub:
	case <-s.stop:
		return store.Cursor{}, errClosed
	case <-ctx.Done():
		return store.Cursor{}, fmt.Errorf("cannot ingest: %w", context.Cause(ctx))
	}
	select {
	case r := <-sub.result:
		return r.cursor, r.err
	case <-s.stop: // the write loop may have ended without seeing it
		select {
		case r := <-sub.result:
			return r.cursor, r.err
		default:
			return store.Cursor{}, errClosed
		}
	case <-ctx.Done():
		return store.Cursor{}, fmt.Errorf("cannot ingest: %w", context.Cause(ctx))
	}
}

func (s *Store) writeLoop() {
	for {
		var group []*submission
		select {
		case sub := <-s.submit:
			group = append(group, sub)
		case <-s.stop:
			return
		}
		for more := true; more && len(group) < groupCount; {
			select {
			case sub := <-s.submit:
				group = append(group, sub)
			default:
				more = false
			}
		}
		for len(group) > 0 {
			group = group[s.writeGroup(group):]
		}
	}
}

// writeGroup makes the first submissions of group durable with one write, and
// returns how many it took.
func (s *Store) writeGroup(group []*submission) (took int) {
	results := make([]result, 0, len(group))
	next := map[string]store.Cursor{} // as it will be once the group is durable
	var entries []entry
	var buf []byte
	pos, sum := s.jr.pos, s.jr.sum

	s.mu.Lock()
	for _, sub := range group {
		cur, ok := next[sub.terminal]
		if !ok {
			cur = s.cursors[sub.terminal]
		}
		e, after, err := admit(cur, sub)
		if err == nil && len(e.Records) > 0 {
			var body []byte
			if body, err = json.Marshal(e); err == nil && len(body) > maxPayload {
				err = fmt.Errorf("cannot ingest: a batch of %d bytes passes the limit of %d", len(body), maxPayload)
			}
			if err == nil {
				if len(buf) > 0 && len(buf)+frameHeader+len(body) > groupBytes {
					break
				}
				pos++
				e.pos = pos
				buf, sum = appendFrame(buf, pos, sum, body)
				entries = append(entries, e)
			}
		}
		if err == nil {
			next[sub.terminal] = after
		}
		results = append(results, result{after, err})
	}
	for _, e := range entries {
		s.pending[e.Terminal]++ // before unlocking: see decideOnce
	}
	var err error
	for len(entries) > 0 && !s.jr.room(len(buf)) {
		if len(s.queue) == 0 {
			if s.jr.off == 0 {
				err = fmt.Errorf("cannot ingest: %d bytes do not fit in the journal of %d", len(buf), s.jr.size)
				break
			}
			s.jr.rewind()
			continue
		}
		if s.closed || s.applyErr != nil {
			err = s.applyErr
			if err == nil {
				err = errClosed
			}
			break
		}
		s.changed.Wait()
	}
	s.mu.Unlock()

	if err == nil && len(entries) > 0 {
		err = s.jr.write(buf, pos, sum)
	}

	s.mu.Lock()
	if err == nil {
		for terminal, c := range next {
			s.cursors[terminal] = c
		}
		s.queue = append(s.queue, entries...)
		s.written = max(s.written, pos)
	} else {
		for _, e := range entries {
			s.unpend(e.Terminal)
		}
	}
	s.changed.Broadcast()
	s.mu.Unlock()

	for i, r := range results {
		if err != nil && r.err == nil {
			r = result{err: err}
		}
		group[i].result <- r
	}
	return len(results)
}

// admit returns the records of sub that are new, and the cursor behind them.
func admit(cur store.Cursor, sub *submission) (entry, store.Cursor, error) {
	e := entry{Terminal: sub.terminal}
	if sub.batch.Epoch != cur.Epoch {
		return e, cur, fmt.Errorf("cannot ingest records of epoch %d: terminal %s is in epoch %d: %w", sub.batch.Epoch, sub.terminal, cur.Epoch, store.ErrConflict)
	}
	after := cur
	for _, r := range sub.batch.Records {
		if r.Epoch != cur.Epoch {
			return e, cur, fmt.Errorf("cannot ingest a record of epoch %d in a batch of epoch %d: %w", r.Epoch, cur.Epoch, store.ErrConflict)
		}
		if r.Seq <= after.Seq {
			continue
		}
		after.Gaps += r.Seq - after.Seq - 1
		after.Seq = r.Seq
		e.Records = append(e.Records, r)
	}
	e.Gaps = after.Gaps - cur.Gaps
	return e, after, nil
}

func (s *Store) unpend(terminal string) {
	if s.pending[terminal]--; s.pending[terminal] <= 0 {
		delete(s.pending, terminal)
	}
}

func (s *Store) applyLoop() {
	if s.cfg.Apply == nil {
		return
	}
	for {
		s.mu.Lock()
		for len(s.queue) == 0 && !s.closed {
			s.changed.Wait()
		}
		if len(s.queue) == 0 {
			s.mu.Unlock()
			return
		}
		part := s.queue[:min(len(s.queue), groupCount)]
		s.mu.Unlock()

		err := s.apply(part)

		s.mu.Lock()
		s.applyErr = err
		if err == nil {
			for _, e := range part {
				s.unpend(e.Terminal)
			}
			s.applied = part[len(part)-1].pos
			if s.queue = s.queue[len(part):]; len(s.queue) == 0 {
				s.queue = nil // let the array go
			}
		}
		closed := s.closed
		s.changed.Broadcast()
		s.mu.Unlock()
		if err == nil {
			continue
		}
		s.cfg.Log.Error("records wait in the journal", "err", err, "records", len(part))
		if closed {
			return // the journal keeps them for the next run
		}
		select {
		case <-time.After(s.cfg.Retry):
		case <-s.stop:
		}
	}
}

// place is one record that cannot be applied.
type place struct {
	pos uint64
	i   int
}

// apply writes the entries' rows, cursors and position in one transaction. A
// record that the Applier refuses is kept as it is, or one bad record would
// stop every terminal.
func (s *Store) apply(part []entry) error {
	raw := map[place]bool{}
	for {
		var bad place
		var cause error
		err := s.db.Update(func(btx *bbolt.Tx) error {
			t := &tx{b: btx, cursors: map[string]store.Cursor{}}
			for _, e := range part {
				c, err := t.Cursor(e.Terminal)
				if err != nil {
					return err
				}
				for i, r := range e.Records {
					fn := s.cfg.Apply
					if raw[place{e.pos, i}] {
						fn = keepRaw
					}
					if err := fn(t, e.Terminal, r); err != nil {
						bad, cause = place{e.pos, i}, full(err)
						return cause
					}
					if t.err != nil {
						return t.err
					}
					c.Epoch, c.Seq = r.Epoch, r.Seq
				}
				c.Gaps += e.Gaps
				if err := putCursor(btx, e.Terminal, c); err != nil {
					return err
				}
			}
			if err := t.flush(); err != nil {
				return err
			}
			return putUint(btx.Bucket(bucketMeta), keyApplied, part[len(part)-1].pos)
		})
		if err == nil {
			return nil
		}
		if cause == nil || errors.Is(cause, store.ErrFull) || raw[bad] {
			return fmt.Errorf("cannot apply records: %w", full(err))
		}
		s.cfg.Log.Error("a record cannot be applied and is kept as it came", "err", cause, "position", bad.pos, "record", bad.i)
		raw[bad] = true
	}
}

func keepRaw(t store.Tx, terminal string, r wire.Record) error {
	id := store.TimeID(r.At, fmt.Sprintf("%s-%d-%d", terminal, r.Epoch, r.Seq))
	// The terminal's row itself may be what cannot be read: its place is enough.
	at, _, err := t.Get(store.KindTerminal, terminal)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return store.Put(t, store.Item[store.RecordRow]{Meta: store.Meta{ID: id, Site: at.Site, Scope: terminal}, Row: store.RecordRow{Terminal: terminal, Record: r}})
}

// recover reads the journal and queues what is not applied yet.
func (s *Store) recover() error {
	if err := s.db.View(func(btx *bbolt.Tx) error {
		s.applied = getUint(btx.Bucket(bucketMeta), keyApplied)
		return btx.Bucket(bucketCursors).ForEach(func(k, v []byte) error {
			var c store.Cursor
			if err := json.Unmarshal(v, &c); err != nil {
				return fmt.Errorf("cannot read the cursor of %q: %w; restore a backup", k, err)
			}
			s.cursors[string(k)] = c
			return nil
		})
	}); err != nil {
		return err
	}
	jr, found, damaged, err := openJournal(filepath.Join(s.cfg.Dir, fileJournal), s.cfg.Journal, s.applied)
	if err != nil {
		return err
	}
	if damaged > 0 {
		s.cfg.Log.Error("the journal is damaged: what it held behind the damage is dropped, and the terminals send it again; look at the disk", "frames", damaged)
	}
	s.jr, s.written = jr, s.applied
	for _, p := range found {
		if p.pos <= s.applied {
			continue
		}
		if p.pos != s.written+1 {
			jr.close()
			return fmt.Errorf("cannot open the store: the journal is at %d and the database at %d; restore a backup with the restore command, which puts both right", p.pos, s.applied)
		}
		var e entry
		err := json.Unmarshal(p.body, &e)
		if err == nil && len(e.Records) == 0 {
			err = errors.New("it holds no record")
		}
		if err != nil {
			jr.close()
			return fmt.Errorf("cannot read the journal at %d: %w; restore a backup", p.pos, err)
		}
		e.pos, s.written = p.pos, p.pos
		c := s.cursors[e.Terminal]
		last := e.Records[len(e.Records)-1]
		s.cursors[e.Terminal] = store.Cursor{Epoch: last.Epoch, Seq: last.Seq, Gaps: c.Gaps + e.Gaps}
		s.pending[e.Terminal]++
		s.queue = append(s.queue, e)
	}
	if s.jr.pos < s.applied { // a new journal beside an older database
		s.jr.pos, s.jr.off = s.applied, 0
	}
	return nil
}
