package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"borne/controller/accounts"
	"borne/controller/compliance"
	"borne/controller/config"
	"borne/controller/directory"
	"borne/controller/ledger"
	"borne/controller/pki"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/store/bolt"
)

// Config is the file's, and what the program adds.
type Config struct {
	config.Config
	Version string
	Files   fs.FS            // the built console; nil for none
	Log     *slog.Logger     // nil for silence
	Now     func() time.Time // nil for time.Now
	Env     func(string) string
	// Ticker makes the tickers that terminals' deadlines are counted by; nil: time.NewTicker.
	Ticker func(d time.Duration) (ticks <-chan time.Time, stop func())
	Roots  *x509.CertPool // that sites with calendars are believed by; nil: the system's
}

// core is an open controller without its listeners: what the command line works
// on while nobody serves.
type core struct {
	cfg     config.Config
	version string
	log     *slog.Logger
	now     func() time.Time
	zone    *time.Location
	roots   *x509.CertPool
	ticker  func(time.Duration) (<-chan time.Time, func())
	keys    *pki.PKI
	st      store.Store
	acc     *accounts.Service
	rules   *compliance.Rules
	badges  *directory.Directory
	ledger  *ledger.Ledger
	// changing is held while keys change or are copied.
	changing sync.Mutex
	// consoleAddr is where the console really listens: port 0 is chosen late.
	consoleAddr func() string
	// wake makes connected terminals look again; nobody is while nobody serves.
	wake func(terminals ...string)
	// reconnect makes them say hello again.
	reconnect func()
}

// complete fills in what a caller left out.
func (c Config) complete() Config {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

func openCore(c Config) (*core, error) {
	c = c.complete()
	if _, err := os.Stat(databaseOf(c.State)); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot open the controller: there is none in %s; run borne-controller init, or restore a backup", c.State)
	}
	if fi, err := os.Stat(c.State); err != nil || fi.Mode().Perm()&0o022 != 0 {
		return nil, fmt.Errorf("cannot open the controller: others may write into %s; run chmod 700 on it", c.State)
	}
	keys, err := pki.Open(keysDir(c.State), c.Now)
	if err != nil {
		return nil, err
	}
	badges, err := directory.New(keys.Pepper("directory"), c.Now)
	if err != nil {
		return nil, err
	}
	pages := ledger.New(ledger.Config{Now: c.Now, Account: badges.Account, Group: badges.Group, Policy: compliance.Effective})
	rules := newRules(c, keys, pages)
	st, err := bolt.Open(bolt.Config{Dir: storeDir(c.State), Apply: rules.Apply, Log: c.Log})
	if err != nil {
		return nil, err
	}
	// Only whoever holds the store changes keys: a step that was taken until then counts.
	if err := keys.Reload(); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	if err := keys.Sweep(); err != nil { // a power cut came before it
		c.Log.Error("old keys are left", "error", err)
	}
	if err := sweep(c.State); err != nil {
		c.Log.Error("copies of the store are left that a backup or a restore made before it was killed; delete them", "error", err)
	}
	if old := aside(c.State); len(old) > 0 {
		c.Log.Warn("what a restore set aside still holds what was erased, and keys; delete it once a backup of this controller was made and looked at; it goes by itself after 30 days", "files", old)
	}
	return &core{cfg: c.Config, version: c.Version, log: c.Log, now: c.Now, zone: policy.Location(), roots: c.Roots, ticker: c.Ticker, keys: keys, st: st, rules: rules, badges: badges, ledger: pages,
		acc:         accounts.New(st, accounts.Options{Issuer: c.OIDC.Issuer, Idle: c.Idle, Absolute: c.Absolute, Now: c.Now}),
		consoleAddr: func() string { return c.Console.Listen }, wake: func(...string) {}, reconnect: func() {}}, nil
}

// Offline runs one request on a controller that does not serve.
func Offline(ctx context.Context, c Config, req Request) (Reply, error) {
	k, err := openCore(c)
	if err != nil {
		return Reply{}, err
	}
	r := k.Do(ctx, req)
	if err := k.st.Close(); err != nil {
		return r, fmt.Errorf("cannot close the store: %w", err)
	}
	return r, nil
}

// OfflineBackup writes a backup of a controller that does not serve.
func OfflineBackup(ctx context.Context, c Config, w io.Writer) error {
	k, err := openCore(c)
	if err != nil {
		return err
	}
	return errors.Join(k.backup(ctx, w), k.st.Close())
}
