package retention

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"borne/controller/store"
)

// maxErasures bounds what one file may ask to erase again.
const maxErasures = 1 << 20

// Erasures is everything that was erased on request, oldest first.
func Erasures(tx store.Tx) ([]store.Erasure, error) {
	var all []store.Erasure
	for it, err := range store.List[store.Erasure](tx, "", "", false) {
		if err != nil {
			return nil, err
		}
		all = append(all, it.Row)
	}
	return all, nil
}

// WriteErasures writes them one a line, for a file that is kept away from the
// machine: a restore there needs it.
func WriteErasures(w io.Writer, all []store.Erasure) error {
	e := json.NewEncoder(w)
	for _, one := range all {
		if err := e.Encode(one); err != nil {
			return fmt.Errorf("cannot write the deletions: %w", err)
		}
	}
	return nil
}

// ParseErasures reads what WriteErasures wrote.
func ParseErasures(b []byte) ([]store.Erasure, error) {
	var all []store.Erasure
	for i, line := range bytes.Split(b, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		d := json.NewDecoder(bytes.NewReader(line))
		d.DisallowUnknownFields()
		var e store.Erasure
		if err := d.Decode(&e); err != nil {
			return nil, fmt.Errorf("cannot read the deletions, line %d: %w", i+1, err)
		}
		if !erasable(e.Kind) || e.Row == "" || len(e.Row) > 200 || e.At.IsZero() || d.More() {
			return nil, fmt.Errorf("cannot use the deletions, line %d: it names no row that could have been erased", i+1)
		}
		if all = append(all, e); len(all) > maxErasures {
			return nil, errors.New("cannot use the deletions: they are too many")
		}
	}
	return all, nil
}

// erasable tells whether rows of a table are ever erased on request: a file that
// asks to erase the audit is no log of deletions.
func erasable(kind string) bool {
	switch store.Kind(kind) {
	case store.KindAudit, store.KindErasure, store.KindPurge, store.KindSetting, store.KindTerminal, store.KindReceipt, store.KindPermit:
		return false
	}
	for _, r := range store.Rows() {
		if string(r.Table()) == kind {
			return true
		}
	}
	return false
}

// Undo takes a row away as the room that knows it does, with all that names it
// elsewhere; it leaves alone what needs no more than its deletion.
type Undo func(tx store.Tx, k store.Kind, id string, at time.Time) error

// Again erases what was erased after a backup was made, in its restored copy, and
// returns how many rows were there to be erased. undo comes before each row goes:
// what it has to look for is found through that row.
func Again(tx store.Tx, all []store.Erasure, since time.Time, undo Undo) (int, error) {
	n := 0
	for _, e := range all {
		if e.At.Before(since) || !erasable(e.Kind) {
			continue
		}
		if _, _, err := tx.Get(store.Kind(e.Kind), e.Row); err == nil {
			n++
		} else if !errors.Is(err, store.ErrNotFound) {
			return n, err
		}
		if err := undo(tx, store.Kind(e.Kind), e.Row, e.At); err != nil {
			return n, fmt.Errorf("cannot erase again what names a row of table %s: %w", e.Kind, err)
		}
		if err := store.Erase(tx, store.Kind(e.Kind), e.Row, e.At); err != nil {
			return n, fmt.Errorf("cannot erase a row of table %s again: %w", e.Kind, err)
		}
	}
	return n, nil
}
