package server

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"borne/controller/audit"
	"borne/controller/store"
)

// Names inside a backup.
const (
	backupManifest = "manifest.json"
	backupStore    = "borne.db"
	backupKeys     = "keys/"
	backupSums     = "sums.json" // the last: only a whole backup has it
)

// limits on what a backup may bring.
const (
	maxKeyFile  = 64 << 10
	maxKeyFiles = 64
	maxFiles    = maxKeyFiles + 3
	maxDatabase = 1 << 40
)

// backupFormat is 2 since backups say what their files hash to.
const backupFormat = 2

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
	dir, remove, err := temporary(c.cfg.State, "backup")
	if err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	defer remove()
	db := filepath.Join(dir, backupStore)
	at := c.now() // before the copy: what is erased while it is made is erased again
	if err := c.st.Backup(ctx, db); err != nil {
		return err
	}
	t := &archiver{Writer: tar.NewWriter(w), at: c.now(), sums: map[string]string{}}
	if err := t.addJSON(backupManifest, manifest{Format: backupFormat, Version: c.version, At: at.UTC()}); err != nil {
		return err
	}
	keys, err := os.ReadDir(keysDir(c.cfg.State))
	if err != nil {
		return fmt.Errorf("cannot back up the keys: %w", err)
	}
	for _, k := range keys {
		if k.Type().IsRegular() {
			if err := t.addFile(backupKeys+k.Name(), filepath.Join(keysDir(c.cfg.State), k.Name())); err != nil {
				return err
			}
		}
	}
	if err := t.addFile(backupStore, db); err != nil {
		return err
	}
	if err := t.addJSON(backupSums, t.sums); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	return c.st.Decide(ctx, func(tx store.Tx) error {
		return audit.Append(tx, audit.Entry{At: c.now(), Actor: audit.Controller, Action: "backup.made"})
	})
}

// archiver writes files and what they hash to.
type archiver struct {
	*tar.Writer
	at   time.Time
	sums map[string]string
}

func (t *archiver) add(name string, size int64, r io.Reader) error {
	if err := t.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: size, ModTime: t.at}); err != nil {
		return fmt.Errorf("cannot back up %s: %w", name, err)
	}
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(t, h), r); err != nil {
		return fmt.Errorf("cannot back up %s: %w", name, err)
	}
	t.sums[name] = hex.EncodeToString(h.Sum(nil))
	return nil
}

func (t *archiver) addJSON(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	return t.add(name, int64(len(b)), bytes.NewReader(b))
}

func (t *archiver) addFile(name, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("cannot back up: %w", err)
	}
	return t.add(name, st.Size(), f)
}

// FetchBackup writes the backup of the controller that serves this state folder;
// ok is false when none does.
func FetchBackup(ctx context.Context, state string, w io.Writer) (ok bool, err error) {
	return receive(ctx, state, "/backup", "the backup", w)
}
