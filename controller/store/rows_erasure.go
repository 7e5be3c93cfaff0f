package store

import (
	"errors"
	"time"
)

// Erasure notes a row that was erased before its time, so that a restore of an
// older backup erases it again. It names the row by its random id and holds
// nothing of it. Meta.ID is TimeID of its time, table and row.
type Erasure struct {
	Kind string    `json:"kind" inventory:"table of the row that was erased;none-personal;audit"`
	Row  string    `json:"row" inventory:"random id of that row, which no longer names anything;none-personal;audit"`
	At   time.Time `json:"at" inventory:"when it was erased;none-personal;audit"`
}

func (Erasure) Table() Kind      { return KindErasure }
func (Erasure) Indexes() []Index { return nil }

// Erase deletes a row on somebody's request and notes that, so that no restore
// brings it back. A row that is not there any more is no error.
func Erase(tx Tx, k Kind, id string, now time.Time) error {
	if err := tx.Delete(k, id); err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	it := Item[Erasure]{Meta: Meta{ID: TimeID(now, string(k)+"/"+id)}, Row: Erasure{Kind: string(k), Row: id, At: now.UTC()}}
	if old, err := Get[Erasure](tx, it.ID); err == nil {
		it.Meta = old.Meta
	} else if !errors.Is(err, ErrNotFound) {
		return err
	}
	return Put(tx, it)
}
