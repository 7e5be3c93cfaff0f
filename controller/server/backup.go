package server

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"borne/controller/audit"
	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/store/bolt"
)

// Names inside a backup.
const (
	backupManifest = "manifest.json"
	backupStore    = "borne.db"
	backupKeys     = "keys/"
)

// limits on what a backup may bring.
const (
	maxKeyFile  = 64 << 10
	maxKeyFiles = 64
	maxDatabase = 1 << 40
)

type manifest struct {
	Format  int       `json:"format"`
	Version string    `json:"version"`
	At      time.Time `json:"at"`
}

// backup writes a consistent copy of the store, and the keys, as a tar archive.
// Without the keys every terminal would have to be enrolled anew: whoever holds
// a backup can speak for the controller, and the guides say how to keep it.
func (c *core) backup(ctx context.Context, w io.Writer) error {
	c.changing.Lock()
	defer c.changing.Unlock()
	dir, err := os.MkdirTemp(c.cfg.State, "backup-")
	if err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	defer os.RemoveAll(dir)
	db := filepath.Join(dir, backupStore)
	if err := c.st.Backup(ctx, db); err != nil {
		return err
	}
	t := tar.NewWriter(w)
	m, err := json.Marshal(manifest{Format: 1, Version: c.version, At: c.now().UTC()})
	if err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	if err := t.WriteHeader(&tar.Header{Name: backupManifest, Mode: 0o600, Size: int64(len(m)), ModTime: c.now()}); err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	if _, err := t.Write(m); err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	keys, err := os.ReadDir(keysDir(c.cfg.State))
	if err != nil {
		return fmt.Errorf("cannot back up the keys: %w", err)
	}
	for _, k := range keys {
		if k.Type().IsRegular() {
			if err := addFile(t, backupKeys+k.Name(), filepath.Join(keysDir(c.cfg.State), k.Name())); err != nil {
				return err
			}
		}
	}
	if err := addFile(t, backupStore, db); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	return c.st.Decide(ctx, func(tx store.Tx) error {
		return audit.Append(tx, audit.Entry{At: c.now(), Actor: audit.Controller, Action: "backup.made"})
	})
}

func addFile(t *tar.Writer, name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: st.Size(), ModTime: st.ModTime()}); err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	if _, err := io.Copy(t, f); err != nil {
		return fmt.Errorf("cannot back up %s: %w", name, err)
	}
	return nil
}

// FetchBackup writes the backup of the controller that serves this state folder;
// ok is false when none does.
func FetchBackup(ctx context.Context, state string, w io.Writer) (ok bool, err error) {
	res, ok, err := dial(ctx, state, http.MethodGet, "/backup", nil)
	if !ok || err != nil {
		return ok, err
	}
	defer res.Body.Close()
	if _, err := io.Copy(w, res.Body); err != nil {
		return true, fmt.Errorf("cannot fetch the backup: %w", err)
	}
	if done := res.Trailer.Get(backupDone); done != "yes" {
		return true, fmt.Errorf("cannot fetch the backup: it broke off %s", strings.TrimPrefix(done, "no: "))
	}
	return true, nil
}

// Restore puts a backup into a state folder. It refuses one that holds a store
// already, unless replace is set: the store that was there is then kept beside
// it. The generation rises, so that terminals send again what the backup does
// not hold, and policies get newer versions than any that was ever pushed.
func Restore(ctx context.Context, state string, backup io.Reader, replace bool, now time.Time) error {
	if _, err := os.Stat(databaseOf(state)); err == nil && !replace {
		return fmt.Errorf("cannot restore into %s: %w; take an empty folder, or say -replace (what is there is kept beside it)", state, ErrExists)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot restore: %w", err)
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return fmt.Errorf("cannot restore: %w", err)
	}
	dir, err := os.MkdirTemp(state, "restore-")
	if err != nil {
		return fmt.Errorf("cannot restore: %w", err)
	}
	defer os.RemoveAll(dir)
	if err := unpack(backup, dir); err != nil {
		return err
	}
	keys := filepath.Join(dir, "keys")
	if _, err := os.Stat(filepath.Join(dir, backupStore)); err != nil {
		return fmt.Errorf("cannot restore: the backup holds no store: %w", err)
	}
	if err := bolt.Restore(filepath.Join(dir, backupStore), storeDir(state), now); err != nil {
		return err
	}
	older, err := fromBefore(keys, keysDir(state))
	if err != nil {
		return err
	}
	if !older {
		if err := placeKeys(keys, keysDir(state), now); err != nil {
			return err
		}
	}
	st, err := bolt.Open(bolt.Config{Dir: storeDir(state)}) // no Applier: nothing may be judged before the controller serves
	if err != nil {
		return err
	}
	return errors.Join(st.Decide(ctx, func(tx store.Tx) error { return afterRestore(tx, now) }), st.Close())
}

// policyLeap is added to the policy version at each restore: more changes than
// a backup can ever be behind.
const policyLeap = 1 << 20

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
	return audit.Append(tx, audit.Entry{At: now, Actor: audit.Controller, Action: "controller.restored", Detail: fmt.Sprint("generation ", set.Row.Generation)})
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
func placeKeys(from, to string, now time.Time) error {
	entries, err := os.ReadDir(from)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // a backup made without keys: those that are there serve
	}
	if err != nil {
		return fmt.Errorf("cannot restore the keys: %w", err)
	}
	if _, err := os.Stat(to); err == nil {
		if err := os.Rename(to, to+".before-"+now.UTC().Format("20060102T150405")); err != nil {
			return fmt.Errorf("cannot set the present keys aside: %w", err)
		}
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		return fmt.Errorf("cannot restore the keys: %w", err)
	}
	for _, e := range entries {
		if err := os.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return fmt.Errorf("cannot restore the keys: %w", err)
		}
	}
	return nil
}

// unpack writes the archive's known files below dir, and refuses everything else.
func unpack(r io.Reader, dir string) error {
	t := tar.NewReader(r)
	seen := map[string]bool{}
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("cannot read the backup: %w", err)
		}
		key := strings.TrimPrefix(h.Name, backupKeys)
		limit := int64(maxKeyFile)
		switch {
		case h.Typeflag != tar.TypeReg || seen[h.Name] || len(seen) > maxKeyFiles:
			return fmt.Errorf("cannot use the backup: %.100q does not belong there", h.Name)
		case h.Name == backupStore:
			limit = maxDatabase
		case h.Name == backupManifest:
		case key == h.Name || key == "" || key != filepath.Base(key) || strings.HasPrefix(key, "."):
			return fmt.Errorf("cannot use the backup: %.100q does not belong there", h.Name)
		}
		if h.Size > limit {
			return fmt.Errorf("cannot use the backup: %.100q is too large", h.Name)
		}
		seen[h.Name] = true
		if err := unpackFile(t, filepath.Join(dir, filepath.FromSlash(h.Name)), h.Size); err != nil {
			return err
		}
	}
	b, err := os.ReadFile(filepath.Join(dir, backupManifest))
	if err != nil {
		return fmt.Errorf("cannot use the backup: it is not one of borne-controller: %w", err)
	}
	var m manifest
	if err := json.Unmarshal(b, &m); err != nil || m.Format != 1 {
		return fmt.Errorf("cannot use the backup: its format %d is not known here (made by version %.40q)", m.Format, m.Version)
	}
	return nil
}

func unpackFile(r io.Reader, path string, size int64) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("cannot unpack the backup: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("cannot unpack the backup: %w", err)
	}
	_, err = io.CopyN(f, r, size)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("cannot unpack the backup: %w", err)
	}
	return nil
}
