// Package store is where the controller keeps everything: two verbs, Ingest
// for what terminals report and Decide for what people and rules decide. The
// same conformance suite (storetest) runs on each backend.
package store

import (
	"context"
	"encoding/json"
	"errors"
	"iter"

	"borne/controller/wire"
)

// Errors that callers tell apart.
var (
	ErrNotFound = errors.New("not found")
	ErrConflict = errors.New("changed meanwhile") // a Row's Rev is stale
	ErrFull     = errors.New("disk is full")
	ErrNewer    = errors.New("written by a newer version") // a downgrade is refused
)

// Store is one backend.
type Store interface {
	// Ingest makes a terminal's batch durable, then returns the new cursor.
	// Records at or below the cursor are ignored; a gap is stored and flagged.
	// They are applied behind: see Tx for who waits.
	Ingest(ctx context.Context, terminal string, b wire.Batch) (Cursor, error)
	// Decide runs fn in one serializable transaction. fn may run several times,
	// and does no I/O. It sees every record that was acknowledged before.
	Decide(ctx context.Context, fn func(Tx) error) error
	// View runs fn on one consistent snapshot, read only.
	View(ctx context.Context, fn func(Tx) error) error
	// Backup writes a consistent copy while the store serves.
	Backup(ctx context.Context, path string) error
	Close() error
}

// Cursor is how far a terminal's records are durable.
type Cursor struct {
	Epoch uint64 `json:"epoch"`
	Seq   uint64 `json:"seq"`
	Gaps  uint64 `json:"gaps"` // sequence numbers never received
}

// Kind names a table.
type Kind string

// Meta is on every row: where it belongs decides who may see it.
type Meta struct {
	ID    string `json:"id"`
	Site  string `json:"site"`  // id of the site; "" for the whole Département
	Scope string `json:"scope"` // id of the space or terminal within the site; "" for the site
	Rev   uint64 `json:"rev"`   // +1 at each Put; 0 for a new row
}

// Tx is one transaction. Rows are JSON documents in tables; List goes by id in
// byte order. Index values are strings under which ByIndex finds rows.
type Tx interface {
	Get(k Kind, id string) (Meta, json.RawMessage, error)
	// Put writes the row; m.Rev must be the row's present Rev (0: must not exist yet).
	Put(k Kind, m Meta, doc json.RawMessage, index ...Index) error
	Delete(k Kind, id string) error
	// List yields rows with ids in [from, to); "" is open. desc turns the order.
	List(k Kind, from, to string, desc bool) iter.Seq2[Meta, json.RawMessage]
	// ByIndex yields rows whose index name has the value, with ids in [from, to)
	// as List does.
	ByIndex(k Kind, name, value, from, to string, desc bool) iter.Seq2[Meta, json.RawMessage]
	// Version is when rows last changed of a month, a day or a table, as Dated says: those
	// whose id begins with of. It never returns to a number that
	// it had. 0: they never changed since it is noted. Once a
	// row could not be read in this transaction it is math.MaxUint64: what was listed is
	// not all, and View is about to tell why.
	Version(k Kind, of string) uint64
	// Cursor returns how far the terminal's records are durable and applied.
	Cursor(terminal string) (Cursor, error)
	SetCursor(terminal string, c Cursor) error
}

// Index is one name and value under which a row is found.
type Index struct{ Name, Value string }

// Applier turns one acknowledged record into rows, within the transaction that
// moves the applied cursor. It must be total: an unknown kind is kept as it is.
type Applier func(tx Tx, terminal string, r wire.Record) error
