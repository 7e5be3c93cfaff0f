package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"borne/controller/audit"
	"borne/controller/pki"
	"borne/controller/retention"
	"borne/controller/store"
	"borne/controller/store/bolt"
)

// Restoration says what is restored, and how.
type Restoration struct {
	Backup io.Reader // already decrypted
	// Replace sets aside what the state folder holds; without it only an empty one
	// is taken.
	Replace bool
	// Look verifies the backup and changes nothing.
	Look bool
	// Deletions is what was erased on request, as Export wrote it: from the machine
	// that is lost. What the folder's present store knows is used without it.
	Deletions io.Reader
	// WithoutDeletions goes on although the present store cannot tell what was erased,
	// and Deletions do not either.
	WithoutDeletions bool
}

// Restored is what a restore did, or would do.
type Restored struct {
	At      time.Time // when the backup was made
	Version string    // of the controller that made it
	Audit   audit.Head
	Purged  int // rows whose time passed since
	Erased  int // rows that were erased on request since
	Holds   int // holds for a réquisition that the backup did not have as they stand now
	// Told says whether something told what was erased on request since.
	Told bool
	// Aside are the files that were there: with all that was deleted on time or on
	// request since, for nobody deletes anything in them. They go as a whole at AsideUntil.
	Aside      []string
	AsideUntil time.Time
}

// Restore puts a backup into a state folder. It refuses one that holds a store
// already, unless Replace is set: the store that was there is then kept beside
// it. Nothing is replaced before the backup is proven whole: its sums, its keys,
// its store and its audit. What went since it was made goes again, before
// anybody is served. The generation rises, so that terminals send again what the
// backup does not hold, and policies get newer versions than any that was ever
// pushed.
func Restore(ctx context.Context, c Config, r Restoration) (done Restored, err error) {
	c = c.complete()
	state, now := c.State, c.Now()
	if _, err := os.Stat(databaseOf(state)); err == nil && !r.Replace && !r.Look {
		return done, fmt.Errorf("cannot restore into %s: %w; take an empty folder, or say -replace (what is there is kept beside it)", state, ErrExists)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return done, fmt.Errorf("cannot restore: %w", err)
	}
	known, err := sinceBackup(c, r)
	if err != nil {
		return done, err
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return done, fmt.Errorf("cannot restore: %w", err)
	}
	dir, remove, err := temporary(state, "restore")
	if err != nil {
		return done, fmt.Errorf("cannot restore: %w", err)
	}
	defer remove()
	m, err := unpack(r.Backup, dir)
	if err != nil {
		return done, err
	}
	fresh := filepath.Join(dir, "fresh.db")
	done, err = prove(ctx, c, dir, fresh, m, known)
	done.Told, done.AsideUntil = known.told, goneBy(now)
	if err != nil || r.Look {
		return done, err
	}
	keys := filepath.Join(dir, "keys")
	older, err := fromBefore(keys, keysDir(state))
	if err != nil {
		return done, err
	}
	if done.Aside, err = bolt.Restore(fresh, storeDir(state), now); err != nil || older {
		return done, err
	}
	set, err := placeKeys(keys, keysDir(state), now)
	if set != "" {
		done.Aside = append(done.Aside, set)
	}
	if err != nil {
		return done, fmt.Errorf("%w; the store is replaced already, and what was there is set aside as %s", err, strings.Join(done.Aside, ", "))
	}
	return done, nil
}

// prove opens the unpacked backup beside everything, and writes what is to be
// restored into fresh: the backup without what went since.
func prove(ctx context.Context, c Config, dir, fresh string, m manifest, known since) (done Restored, err error) {
	done = Restored{At: m.At, Version: m.Version}
	keys := filepath.Join(dir, "keys")
	if _, err := os.Stat(keys); err == nil {
		if _, err := pki.Open(keys, c.Now); err != nil {
			return done, fmt.Errorf("cannot use the backup's keys: %w", err)
		}
	}
	if err := bolt.Check(filepath.Join(dir, "store", backupStore)); err != nil {
		return done, fmt.Errorf("cannot use the backup: %w", err)
	}
	// No Applier: nothing may be judged before the controller serves.
	st, err := bolt.Open(bolt.Config{Dir: filepath.Join(dir, "store"), Journal: 64 << 10, Log: c.Log})
	if err != nil {
		return done, fmt.Errorf("cannot use the backup: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	err = st.View(ctx, func(tx store.Tx) (err error) {
		if _, err := store.Get[store.Setting](tx, store.SettingController); err != nil {
			return fmt.Errorf("it is no controller's: %w", err)
		}
		if err := store.Readable(tx); err != nil {
			return err
		}
		done.Audit, err = audit.Verify(tx, nil)
		return err
	})
	if err != nil {
		return done, fmt.Errorf("cannot use the backup: %w", err)
	}
	err = st.Decide(ctx, func(tx store.Tx) (err error) {
		if done.Erased, err = retention.Again(tx, known.erasures, m.At, undo); err != nil {
			return err
		}
		if done.Holds, err = known.requisitions.Carry(tx, c.Now()); err != nil {
			return err
		}
		return afterRestore(tx, c.Now())
	})
	if err != nil {
		return done, fmt.Errorf("cannot restore: %w", err)
	}
	if done.Purged, err = retention.Run(ctx, st, kept(c.Config), purges(), c.Now(), c.Log); err != nil {
		return done, fmt.Errorf("cannot restore: %w", err)
	}
	// Compacted: pages of rows that just went are in no file that stays.
	return done, st.Backup(ctx, fresh)
}

// policyLeap is added to the policy version at each restore: more changes than
// a backup can ever be behind.
const policyLeap = 1 << 20

// afterRestore prepares what terminals are told next; the store's own restore
// counts the generation up when it puts the file in its place.
func afterRestore(tx store.Tx, now time.Time) error {
	set, err := store.Get[store.Setting](tx, store.SettingController)
	if err != nil {
		return err
	}
	set.Row.Policy += policyLeap
	if err := store.Put(tx, set); err != nil {
		return err
	}
	// The layer under all others carries the new version to every terminal: what
	// they were pushed after the backup was made is then older.
	row, err := store.Get[store.PolicyRow](tx, store.PolicyGlobal)
	if errors.Is(err, store.ErrNotFound) {
		row = store.Item[store.PolicyRow]{Meta: store.Meta{ID: store.PolicyGlobal}, Row: store.PolicyRow{Layer: "global", Doc: []byte("{}")}}
	} else if err != nil {
		return err
	}
	row.Row.Version, row.Row.Changed, row.Row.By = set.Row.Policy, now.UTC(), audit.Controller
	if err := store.Put(tx, row); err != nil {
		return err
	}
	return audit.Append(tx, audit.Entry{At: now, Actor: audit.Controller, Action: "controller.restored", Detail: fmt.Sprint("generation ", set.Row.Generation+1)})
}

// fromBefore tells whether keys of a rollover are there that the backup does not
// know: the terminals believe those, and none of the backup's may replace them.
func fromBefore(backup, present string) (bool, error) {
	old, err := pki.Steps(backup)
	if err != nil {
		return false, fmt.Errorf("cannot restore: %w", err)
	}
	now, err := pki.Steps(present)
	if err != nil {
		return false, fmt.Errorf("cannot restore over keys that cannot be read: %w; move them away first", err)
	}
	return now > old, nil
}

// placeKeys puts the backup's keys in their place. A backup brings the set that
// its terminals pinned: keys that are there already are set aside, since two
// sets mixed would leave half the fleet outside.
func placeKeys(from, to string, now time.Time) (aside string, err error) {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // a backup made without keys: those that are there serve
	}
	if err != nil {
		return aside, fmt.Errorf("cannot restore the keys: %w", err)
	}
	if _, err := os.Stat(to); err == nil {
		aside = to + beforeMark + now.UTC().Format(beforeTime)
		if err := os.Rename(to, aside); err != nil {
			return "", fmt.Errorf("cannot set the present keys aside: %w", err)
		}
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return aside, fmt.Errorf("cannot restore the keys: %w", err)
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return aside, fmt.Errorf("cannot restore the keys: %w", err)
		}
	}
	return aside, nil
}
