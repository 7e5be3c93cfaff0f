package bolt

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strings"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"borne/controller/store"
)

// row is what a bucket holds under a row's id. The index entries are repeated
// so that a change can take the old ones away.
type row struct {
	Site  string          `json:"s,omitempty"`
	Scope string          `json:"c,omitempty"`
	Rev   uint64          `json:"r"`
	Index []store.Index   `json:"x,omitempty"`
	Doc   json.RawMessage `json:"d"`
}

type tx struct {
	b       *bbolt.Tx
	cursors map[string]store.Cursor // set in this transaction; nil when read only
	changes int                     // so that a running List finds its place again
	err     error                   // of an iteration, which has no other way to tell
	older   bool                    // the file is of an older format: a table that it lacks is empty

	// Deletions wait for the end: bbolt's cursors loop for ever on buckets whose
	// pages have all become empty within the transaction.
	dead map[deadKey]bool

	touched map[string]bool // months and days whose rows change: see store.Dated
}

type deadKey struct {
	b   *bbolt.Bucket
	key string
}

func (t *tx) get(b *bbolt.Bucket, key []byte) []byte {
	if t.dead[deadKey{b, string(key)}] {
		return nil
	}
	return b.Get(key)
}

func (t *tx) put(b *bbolt.Bucket, key, v []byte) error {
	delete(t.dead, deadKey{b, string(key)})
	return b.Put(key, v)
}

func (t *tx) del(b *bbolt.Bucket, key []byte) error {
	if !t.b.Writable() {
		return bolterrors.ErrTxNotWritable
	}
	if t.dead == nil {
		t.dead = map[deadKey]bool{}
	}
	t.dead[deadKey{b, string(key)}] = true
	return nil
}

// flush carries the deletions out: the last thing before a commit.
func (t *tx) flush() error {
	for d := range t.dead {
		if err := d.b.Delete([]byte(d.key)); err != nil {
			return fmt.Errorf("cannot delete: %w", err)
		}
	}
	t.dead = nil
	return t.noteVersions()
}

func rowBucket(k store.Kind) []byte   { return []byte("r/" + k) }
func indexBucket(k store.Kind) []byte { return []byte("x/" + k) }

func (t *tx) buckets(k store.Kind) (rows, index *bbolt.Bucket, err error) {
	rows, index = t.b.Bucket(rowBucket(k)), t.b.Bucket(indexBucket(k))
	if rows == nil || index == nil {
		return nil, nil, fmt.Errorf("cannot use table %q: there is none", k)
	}
	return rows, index, nil
}

func (t *tx) read(b *bbolt.Bucket, k store.Kind, id string) (row, error) {
	v := t.get(b, []byte(id))
	if v == nil {
		return row{}, fmt.Errorf("cannot find %s %q: %w", k, id, store.ErrNotFound)
	}
	return parse(k, id, v)
}

func parse(k store.Kind, id string, v []byte) (row, error) {
	if r, ok := own(v); ok {
		return r, nil
	}
	var r row
	if err := json.Unmarshal(v, &r); err != nil { // copies: v dies with the transaction
		return r, fmt.Errorf("cannot read %s %q: %w; restore a backup", k, id, err)
	}
	return r, nil
}

// Get implements store.Tx.
func (t *tx) Get(k store.Kind, id string) (store.Meta, json.RawMessage, error) {
	rows, _, err := t.buckets(k)
	if err != nil {
		return store.Meta{}, nil, err
	}
	r, err := t.read(rows, k, id)
	if err != nil {
		return store.Meta{}, nil, err
	}
	return store.Meta{ID: id, Site: r.Site, Scope: r.Scope, Rev: r.Rev}, r.Doc, nil
}

// Put implements store.Tx.
func (t *tx) Put(k store.Kind, m store.Meta, doc json.RawMessage, index ...store.Index) error {
	rows, ix, err := t.buckets(k)
	if err != nil {
		return err
	}
	if m.ID == "" || strings.Contains(m.ID, "\x00") {
		return fmt.Errorf("cannot put %s %q: an id is some text without zero bytes", k, m.ID)
	}
	var old row
	if v := t.get(rows, []byte(m.ID)); v != nil {
		if old, err = parse(k, m.ID, v); err != nil {
			return err
		}
	}
	if old.Rev != m.Rev {
		return fmt.Errorf("cannot put %s %q: it is at revision %d, not %d: %w", k, m.ID, old.Rev, m.Rev, store.ErrConflict)
	}
	for _, x := range index {
		if x.Name == "" || strings.Contains(x.Name+x.Value, "\x00") {
			return fmt.Errorf("cannot put %s %q: index %q %q", k, m.ID, x.Name, x.Value)
		}
	}
	v, err := json.Marshal(row{Site: m.Site, Scope: m.Scope, Rev: m.Rev + 1, Index: index, Doc: doc})
	if err != nil {
		return fmt.Errorf("cannot put %s %q: %w", k, m.ID, err)
	}
	t.changed(k, m.ID)
	for _, x := range old.Index {
		if err := t.del(ix, indexKey(x.Name, x.Value, m.ID)); err != nil {
			return fmt.Errorf("cannot put %s %q: %w", k, m.ID, err)
		}
	}
	for _, x := range index {
		if err := t.put(ix, indexKey(x.Name, x.Value, m.ID), []byte{}); err != nil {
			return fmt.Errorf("cannot put %s %q: %w", k, m.ID, err)
		}
	}
	if err := t.put(rows, []byte(m.ID), v); err != nil {
		return fmt.Errorf("cannot put %s %q: %w", k, m.ID, err)
	}
	return nil
}

// Delete implements store.Tx.
func (t *tx) Delete(k store.Kind, id string) error {
	rows, ix, err := t.buckets(k)
	if err != nil {
		return err
	}
	old, err := t.read(rows, k, id)
	if err != nil {
		return err
	}
	t.changed(k, id)
	for _, x := range old.Index {
		if err := t.del(ix, indexKey(x.Name, x.Value, id)); err != nil {
			return fmt.Errorf("cannot delete %s %q: %w", k, id, err)
		}
	}
	if err := t.del(rows, []byte(id)); err != nil {
		return fmt.Errorf("cannot delete %s %q: %w", k, id, err)
	}
	return nil
}

// List implements store.Tx.
func (t *tx) List(k store.Kind, from, to string, desc bool) iter.Seq2[store.Meta, json.RawMessage] {
	return func(yield func(store.Meta, json.RawMessage) bool) {
		rows, _, err := t.buckets(k)
		if err != nil {
			if !t.older {
				t.err = err
			}
			return
		}
		t.scan(rows, nil, from, to, desc, func(key, v []byte) bool {
			r, err := parse(k, string(key), v)
			if err != nil {
				t.err = err
				return false
			}
			return yield(store.Meta{ID: string(key), Site: r.Site, Scope: r.Scope, Rev: r.Rev}, r.Doc)
		})
	}
}

// ByIndex implements store.Tx.
func (t *tx) ByIndex(k store.Kind, name, value, from, to string, desc bool) iter.Seq2[store.Meta, json.RawMessage] {
	return func(yield func(store.Meta, json.RawMessage) bool) {
		rows, ix, err := t.buckets(k)
		if err != nil {
			t.err = err
			return
		}
		prefix := indexKey(name, value, "")
		t.scan(ix, prefix, from, to, desc, func(key, _ []byte) bool {
			id := string(key[len(prefix):])
			r, err := t.read(rows, k, id)
			if err != nil {
				t.err = fmt.Errorf("cannot follow index %s of %s: %w", name, k, err)
				return false
			}
			return yield(store.Meta{ID: id, Site: r.Site, Scope: r.Scope, Rev: r.Rev}, r.Doc)
		})
	}
}

// scan calls fn with the keys prefix+[from, to), in order. fn may change the
// bucket: the cursor then finds its place again.
func (t *tx) scan(b *bbolt.Bucket, prefix []byte, from, to string, desc bool, fn func(k, v []byte) bool) {
	lower := append(bytes.Clone(prefix), from...)
	var upper []byte // exclusive; nil for the bucket's end
	switch {
	case to != "":
		upper = append(bytes.Clone(prefix), to...)
	case len(prefix) > 0:
		upper = bytes.Clone(prefix)
		upper[len(upper)-1]++ // prefix ends in a zero byte
	}
	c := b.Cursor()
	var k, v []byte
	before := func(end []byte) {
		if end == nil {
			k, v = c.Last()
		} else if k, v = c.Seek(end); k == nil {
			k, v = c.Last()
		}
		for k != nil && end != nil && bytes.Compare(k, end) >= 0 {
			k, v = c.Prev()
		}
	}
	if desc {
		before(upper)
	} else {
		k, v = c.Seek(lower)
	}
	for k != nil && bytes.Compare(k, lower) >= 0 && (upper == nil || bytes.Compare(k, upper) < 0) {
		last, n := bytes.Clone(k), t.changes
		if !t.dead[deadKey{b, string(k)}] && !fn(k, v) {
			return
		}
		switch {
		case desc && t.changes != n:
			before(last)
		case desc:
			k, v = c.Prev()
		case t.changes != n:
			if k, v = c.Seek(last); bytes.Equal(k, last) {
				k, v = c.Next()
			}
		default:
			k, v = c.Next()
		}
	}
}

// Cursor implements store.Tx.
func (t *tx) Cursor(terminal string) (store.Cursor, error) {
	var c store.Cursor
	v := t.b.Bucket(bucketCursors).Get([]byte(terminal))
	if v == nil {
		return c, nil
	}
	if err := json.Unmarshal(v, &c); err != nil {
		return c, fmt.Errorf("cannot read the cursor of %q: %w; restore a backup", terminal, err)
	}
	return c, nil
}

// SetCursor implements store.Tx.
func (t *tx) SetCursor(terminal string, c store.Cursor) error {
	if err := putCursor(t.b, terminal, c); err != nil {
		return err
	}
	t.cursors[terminal] = c
	return nil
}

func putCursor(b *bbolt.Tx, terminal string, c store.Cursor) error {
	v, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("cannot write the cursor of %q: %w", terminal, err)
	}
	if err := b.Bucket(bucketCursors).Put([]byte(terminal), v); err != nil {
		return fmt.Errorf("cannot write the cursor of %q: %w", terminal, err)
	}
	return nil
}

func indexKey(name, value, id string) []byte {
	return []byte(name + "\x00" + value + "\x00" + id)
}
