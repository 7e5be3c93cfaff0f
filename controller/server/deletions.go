package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"borne/controller/directory"
	"borne/controller/retention"
	"borne/controller/store"
	"borne/controller/store/bolt"
)

// allDeletions is what is known to have been erased on request: by the file that
// was given, and by the store that is replaced. told says whether one of them told.
// A store that cannot tell is refused, unless there is a file or r goes on without.
func allDeletions(c Config, r Restoration) (all []store.Erasure, told bool, err error) {
	if all, err = readDeletions(r.Deletions); err != nil {
		return nil, false, err
	}
	told = r.Deletions != nil
	if r.Look {
		return all, told, nil
	}
	present, there, err := presentDeletions(c.State)
	switch {
	case errors.Is(err, bolt.ErrInUse):
		return nil, false, fmt.Errorf("cannot restore into %s: %w", c.State, err)
	case err != nil && !told && !r.WithoutDeletions:
		return nil, false, fmt.Errorf("cannot restore over the store in %s: it cannot tell what was erased on request since the backup (%w); give -deletions with what export deletions wrote last, "+
			"or say -without-deletions: what was erased since is back then, and has to be erased anew", c.State, err)
	case err != nil:
		c.Log.Warn("the store that is replaced cannot tell what was erased since the backup", "error", err)
		return all, told, nil
	}
	return append(all, present...), told || there, nil
}

// presentDeletions is what the store that a restore replaces knows of: it is read
// as it lies there, for it may be damaged, and stays as it is.
func presentDeletions(state string) (all []store.Erasure, there bool, err error) {
	if _, err := os.Stat(databaseOf(state)); errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	err = bolt.Read(databaseOf(state), func(tx store.Tx) (err error) {
		all, err = retention.Erasures(tx)
		return err
	})
	return all, err == nil, err
}

// maxDeletions bounds a file of deletions, in bytes.
const maxDeletions = 64 << 20

func readDeletions(r io.Reader) ([]store.Erasure, error) {
	if r == nil {
		return nil, nil
	}
	b, err := io.ReadAll(io.LimitReader(r, maxDeletions+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read the deletions: %w", err)
	}
	if len(b) > maxDeletions {
		return nil, fmt.Errorf("cannot use the deletions: they pass %d MiB", maxDeletions>>20)
	}
	return retention.ParseErasures(b)
}

// undo hands what is erased again to the room that knows what else names it.
func undo(tx store.Tx, k store.Kind, id string, at time.Time) error {
	if k == store.KindHolder {
		return directory.EraseAgain(tx, id, at)
	}
	return nil
}
