package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"borne/controller/audit"
	"borne/controller/lists"
	"borne/controller/pki"
	"borne/controller/store"
	"borne/controller/store/bolt"
)

// Folders and files below the state folder.
func storeDir(state string) string { return filepath.Join(state, "store") }
func keysDir(state string) string  { return filepath.Join(state, "keys") }
func listsDir(state string) lists.Folder {
	return lists.Folder(filepath.Join(state, "lists"))
}
func socketPath(state string) string { return filepath.Join(state, "control.sock") }
func databaseOf(state string) string { return filepath.Join(storeDir(state), "borne.db") }

// ErrExists reports a state folder that holds something already.
var ErrExists = errors.New("there is one already")

// Init makes the keys and the store of a new controller.
func Init(ctx context.Context, state, name string, now time.Time) error {
	if _, err := os.Stat(databaseOf(state)); err == nil {
		return fmt.Errorf("cannot set up a controller in %s: %w", state, ErrExists)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot set up a controller in %s: %w", state, err)
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return fmt.Errorf("cannot make the state folder: %w", err)
	}
	// Keys first: a folder with keys and without a store is completed by the next run.
	if _, err := pki.Open(keysDir(state), time.Now); err != nil {
		if err := pki.Init(keysDir(state), now); err != nil {
			return err
		}
	}
	// No Applier: records that wait in a journal stay there until the whole
	// controller can judge them.
	st, err := bolt.Open(bolt.Config{Dir: storeDir(state)})
	if err != nil {
		return err
	}
	err = st.Decide(ctx, func(tx store.Tx) error {
		row := store.Setting{Generation: 1, Created: now.UTC(), Name: name}
		if err := store.Put(tx, store.Item[store.Setting]{Meta: store.Meta{ID: store.SettingController}, Row: row}); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, Actor: audit.Controller, Action: "controller.created"})
	})
	return errors.Join(err, st.Close())
}
