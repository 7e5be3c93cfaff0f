// Package bolt keeps the controller's rows in one bbolt file. What terminals
// report is first made durable in a journal beside it (one write and one sync
// for all who wait), then applied behind: rows, cursor and journal position in
// one transaction.
package bolt

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"go.etcd.io/bbolt"

	"borne/controller/store"
)

// Config says where the store is and how records become rows.
type Config struct {
	Dir     string        // made with mode 0700 when missing
	Apply   store.Applier // runs in the transaction that moves the cursor; nil leaves records in the journal
	Log     *slog.Logger
	Journal int64         // bytes of the journal; 16 MiB when 0
	Wait    time.Duration // for another process to let go of the file; 1 s when 0
	Retry   time.Duration // until a full disk is tried again; 1 s when 0
}

// Names of the files in Config.Dir.
const (
	fileDB      = "borne.db"
	fileJournal = "ingest.journal"
	restoring   = fileDB + ".restoring"
)

var (
	bucketMeta    = []byte("meta")
	bucketCursors = []byte("cursors")
	keySchema     = []byte("schema")
	keyApplied    = []byte("applied")
)

// Store implements store.Store.
type Store struct {
	cfg Config
	db  *bbolt.DB
	jr  *journal

	submit chan *submission
	stop   chan struct{} // closed by Close: no new submission
	done   sync.WaitGroup

	mu       sync.Mutex
	changed  *sync.Cond              // queue, applied, applyErr or closed changed
	cursors  map[string]store.Cursor // durable, perhaps not applied yet
	pending  map[string]int          // submissions not applied yet, by terminal
	queue    []entry                 // durable, not applied yet
	written  uint64                  // last durable position
	applied  uint64
	applyErr error
	closed   bool
}

// migration brings the file from the schema below to its own number, which is
// its place in the list.
type migration func(*bbolt.Tx) error

func migrations() []migration {
	return []migration{
		func(tx *bbolt.Tx) error {
			for _, b := range [][]byte{bucketMeta, bucketCursors} {
				if _, err := tx.CreateBucketIfNotExists(b); err != nil {
					return err
				}
			}
			for _, r := range store.Rows() {
				for _, b := range [][]byte{rowBucket(r.Table()), indexBucket(r.Table())} {
					if _, err := tx.CreateBucketIfNotExists(b); err != nil {
						return err
					}
				}
			}
			return nil
		},
		tables(store.KindAccount, store.KindPrintJob, store.KindGrant, store.KindPrinter, store.KindSupply), // printing
		tables(store.KindHours, store.KindMail),     // changes of hours, mails about them
		tables(store.KindEnergy, store.KindFigures), // energy
		indicators,
		tables(store.KindIdentity), // people of an OpenID provider
		energySites,
		tables(store.KindBadgeWindow, store.KindDayCode),
		tables(store.KindMatter, store.KindCalendar), // what somebody has to see to; school holidays, which no step had added
		tables(store.KindPasskey),                    // passkeys
		tables(store.KindErasure),                    // what was erased on request
		auditHead,
		tables(store.KindPolicyChange),                                       // versions of the rules
		tables(store.KindWatch, store.KindTold),                              // who is told of that by mail
		tables(store.KindRollout),                                            // how far a change of them has come
		tables(store.KindSiteGroup, store.KindToken, store.KindConsent),      // groups of sites, keys of the API, what heads are asked
		tables(store.KindHook, store.KindHookPost),                           // other systems that are told
		tables(store.KindNetwork),                                            // networks that terminals put back
		tables(store.KindHold, store.KindTraffic, store.KindTrafficDecision), // réquisitions
		tables(store.KindBulk),                                               // commands to several terminals
		tables(store.KindNotice, store.KindHelpPlace, store.KindHelpFile, store.KindHelpNear), // what people are told; where they are helped
		tables(store.KindStaffBadge), // badges of staff, by the Département's directory
		energyMonths,
	}
}

// auditHead notes where the chain of a file ends that was made before that was.
func auditHead(btx *bbolt.Tx) error {
	if err := tables(store.KindHead)(btx); err != nil {
		return err
	}
	t := &tx{b: btx}
	last, err := store.First(store.List[store.AuditEntry](t, "", "", true))
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return store.Put(t, store.Item[store.AuditHead]{Meta: store.Meta{ID: store.AuditHeadID}, Row: store.AuditHead{Seq: last.Row.Seq, Hash: last.Row.Hash}})
}

// tables adds tables to a file that was made before they were.
func tables(kinds ...store.Kind) migration {
	return func(tx *bbolt.Tx) error {
		for _, k := range kinds {
			for _, b := range [][]byte{rowBucket(k), indexBucket(k)} {
				if _, err := tx.CreateBucketIfNotExists(b); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// Open opens the store, and applies what the last run had acknowledged.
func Open(cfg Config) (*Store, error) { return open(cfg, migrations()) }

func open(cfg Config, steps []migration) (*Store, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Journal == 0 {
		cfg.Journal = 16 << 20
	}
	if cfg.Wait == 0 {
		cfg.Wait = time.Second
	}
	if cfg.Retry == 0 {
		cfg.Retry = time.Second
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot make the store's folder: %w", err)
	}
	db, err := openDB(filepath.Join(cfg.Dir, fileDB), cfg.Wait, steps)
	if err != nil {
		return nil, err
	}
	// A restore that was killed leaves a whole copy: whoever holds the store takes it away.
	for _, left := range []string{restoring, restoring + ".part"} {
		if err := os.Remove(filepath.Join(cfg.Dir, left)); err != nil && !errors.Is(err, os.ErrNotExist) {
			cfg.Log.Error("a copy of a restore that broke off is left", "error", err)
		}
	}
	s := &Store{cfg: cfg, db: db, submit: make(chan *submission, 1024), stop: make(chan struct{}),
		cursors: map[string]store.Cursor{}, pending: map[string]int{}}
	s.changed = sync.NewCond(&s.mu)
	if err := s.recover(); err != nil {
		db.Close()
		return nil, err
	}
	s.done.Add(2)
	go func() { defer s.done.Done(); s.writeLoop() }()
	go func() { defer s.done.Done(); s.applyLoop() }()
	return s, nil
}

// openDB opens and migrates the file. A file of a newer schema is left alone.
func openDB(path string, wait time.Duration, steps []migration) (*bbolt.DB, error) {
	// A larger map needs every View to end first: with this much address space
	// (no memory is used) a slow View does not stop the writers.
	space := int(min(int64(4<<30), math.MaxInt/16)) // 128 MB where addresses have 32 bits
	db, err := openFile(path, bbolt.Options{Timeout: wait, FreelistType: bbolt.FreelistMapType, InitialMmapSize: space})
	if errors.Is(err, ErrInUse) {
		return nil, fmt.Errorf("cannot open %s: %w", path, err)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open %s: %w; if the file is damaged, restore a backup", path, full(err))
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		var have uint64
		if b := tx.Bucket(bucketMeta); b != nil {
			have = getUint(b, keySchema)
		}
		if have > uint64(len(steps)) {
			return fmt.Errorf("cannot open %s: its format is %d and this program knows formats up to %d; install the newer version again, or restore a backup made before it: %w",
				path, have, len(steps), store.ErrNewer)
		}
		for n := have; n < uint64(len(steps)); n++ {
			if err := steps[n](tx); err != nil {
				return fmt.Errorf("cannot bring %s to format %d: %w", path, n+1, full(err))
			}
		}
		if have == uint64(len(steps)) {
			return nil
		}
		return putUint(tx.Bucket(bucketMeta), keySchema, uint64(len(steps)))
	})
	if err != nil {
		db.Close()
		return nil, err
	}
	return db, nil
}

// Decide implements store.Store.
func (s *Store) Decide(ctx context.Context, fn func(store.Tx) error) error {
	for {
		if err := s.caughtUp(ctx); err != nil {
			return err
		}
		again, err := s.decideOnce(fn)
		if !again {
			return err
		}
	}
}

// decideOnce tells to try again when a cursor that fn sets has records on
// their way: they were acknowledged under the cursor of before.
func (s *Store) decideOnce(fn func(store.Tx) error) (again bool, err error) {
	btx, err := s.db.Begin(true)
	if err != nil {
		return false, fmt.Errorf("cannot begin a transaction: %w", full(err))
	}
	defer btx.Rollback() // does nothing once committed
	t := &tx{b: btx, cursors: map[string]store.Cursor{}}
	if err := fn(t); err != nil {
		return false, full(err)
	}
	if t.err != nil {
		return false, full(t.err)
	}
	if t.changes == 0 && len(t.cursors) == 0 {
		return false, nil // nothing was decided: no page is written, the disk is left alone
	}
	if err := t.flush(); err != nil {
		return false, full(err)
	}
	if len(t.cursors) > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		for terminal := range t.cursors {
			if s.pending[terminal] > 0 {
				return true, nil
			}
		}
	}
	if err := btx.Commit(); err != nil {
		return false, fmt.Errorf("cannot commit: %w", full(err))
	}
	for terminal, c := range t.cursors {
		s.cursors[terminal] = c
	}
	return false, nil
}

// View implements store.Store.
func (s *Store) View(_ context.Context, fn func(store.Tx) error) error {
	return s.db.View(func(btx *bbolt.Tx) error {
		t := &tx{b: btx}
		if err := fn(t); err != nil {
			return err
		}
		return t.err
	})
}

// caughtUp waits until everything acknowledged before the call is applied.
func (s *Store) caughtUp(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.changed.Broadcast()
	})
	defer stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for want := s.written; s.applied < want && s.cfg.Apply != nil; s.changed.Wait() {
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("cannot wait for the terminals' records: %w", context.Cause(ctx))
		case s.applyErr != nil:
			return s.applyErr
		case s.closed:
			return errClosed
		}
	}
	if s.closed {
		return errClosed
	}
	return nil
}

// Close applies what was acknowledged, then closes the files.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.stop)
	s.changed.Broadcast()
	s.mu.Unlock()
	s.done.Wait()
	return errors.Join(s.jr.close(), s.db.Close())
}

var errClosed = errors.New("cannot use the store: it is closed")

// full turns the system's words for a full disk into store.ErrFull.
func full(err error) error {
	if err == nil || errors.Is(err, store.ErrFull) {
		return err
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w; free some space, nothing is lost meanwhile", store.ErrFull, err)
	}
	return err
}

func getUint(b *bbolt.Bucket, key []byte) uint64 {
	if v := b.Get(key); len(v) == 8 {
		return binary.BigEndian.Uint64(v)
	}
	return 0
}

func putUint(b *bbolt.Bucket, key []byte, n uint64) error {
	return b.Put(key, binary.BigEndian.AppendUint64(nil, n))
}
