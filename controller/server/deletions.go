package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"borne/controller/directory"
	"borne/controller/requisition"
	"borne/controller/retention"
	"borne/controller/store"
	"borne/controller/store/bolt"
)

// since is what a backup cannot know: what was erased on request after it, and which
// rows wait for a réquisition.
type since struct {
	erasures     []store.Erasure
	requisitions requisition.Known
	told         bool // whether something told what was erased
}

// sinceBackup is what is known of that: by the file that was given, and by the store
// that is replaced. A store that cannot tell is refused, unless there is a file or r
// goes on without.
func sinceBackup(c Config, r Restoration) (k since, err error) {
	if k.erasures, err = readDeletions(r.Deletions); err != nil {
		return since{}, err
	}
	k.told = r.Deletions != nil
	if r.Look {
		return k, nil
	}
	present, err := presentSince(c.State)
	switch {
	case errors.Is(err, bolt.ErrInUse):
		return since{}, fmt.Errorf("cannot restore into %s: %w", c.State, err)
	case err != nil && !k.told && !r.WithoutDeletions:
		return since{}, fmt.Errorf("cannot restore over the store in %s: it cannot tell what was erased on request since the backup (%w); give -deletions with what export deletions wrote last, "+
			"or say -without-deletions: what was erased since is back then, and has to be erased anew", c.State, err)
	case err != nil:
		c.Log.Warn("the store that is replaced cannot tell what was erased since the backup, nor which rows wait for a requisition", "error", err)
		return k, nil
	}
	k.erasures, k.requisitions, k.told = append(k.erasures, present.erasures...), present.requisitions, k.told || present.told
	return k, nil
}

// presentSince is what the store that a restore replaces knows of: it is read as it
// lies there, for it may be damaged, and stays as it is.
func presentSince(state string) (k since, err error) {
	if _, err := os.Stat(databaseOf(state)); errors.Is(err, fs.ErrNotExist) {
		return since{}, nil
	}
	err = bolt.Read(databaseOf(state), func(tx store.Tx) (err error) {
		if k.erasures, err = retention.Erasures(tx); err == nil {
			k.requisitions, err = requisition.Read(tx)
		}
		return err
	})
	k.told = err == nil
	return k, err
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
