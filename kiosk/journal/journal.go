// Package journal is the terminal's memory: the session's state and the
// records for the controller, written in one transaction a step and synced to
// the disk before anything is done. It is the only user of bbolt on this side.
//
// Records carry (epoch, seq), dense within an epoch. They stay for some days
// after they were acknowledged, so that a controller restored from an older
// backup can have them again.
package journal

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	bolt "go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"

	"borne/controller/wire"
)

// Schema is the version of the file's layout.
const Schema = 1

// Errors that callers tell apart.
var (
	// ErrBusy reports that another process has the journal open.
	ErrBusy = errors.New("journal in use")
	// ErrNewer reports a journal that a newer version wrote.
	ErrNewer = errors.New("journal of a newer version")
	// ErrFull reports that the disk has no room; nothing was written.
	ErrFull = errors.New("no room on the disk")
)

// Options of a journal. Zero values take the defaults.
type Options struct {
	Keep  time.Duration // how long acknowledged records stay; 30 days
	Clock Clock         // nil: never trusted, and nothing is ever dropped
	Wait  time.Duration // for another process to let go of the file; 1 s
}

// Clock tells the wall time and whether it can be trusted.
type Clock interface {
	Now() (wall time.Time, trusted bool)
}

// Journal is an open journal. Its methods may be called from any goroutine.
type Journal struct {
	db      *bolt.DB
	opt     Options
	found   Found
	changed chan struct{}

	mu   sync.Mutex // guards meta, the copy of what the file says
	meta meta
}

// Found is what was in the journal when it was opened.
type Found struct {
	State   []byte         // the session's state; nil in a new journal
	Prints  []byte         // the print jobs' state; nil when nothing was ever printed
	Energy  []byte         // what was saved since the last record of it; nil when that was never written
	Network []byte         // what is known of networks that were tried; nil when none ever was
	Printer []byte         // which printer is used; nil when it never was another than that of the terminal's file
	Policy  *wire.Envelope // last policy that was applied, verbatim
	Welcome *wire.Welcome  // last word of the controller
	// Damaged says that an unreadable journal was moved aside to this path, and
	// that no state was committed since.
	Damaged string
}

// meta is kept as one value of the file.
type meta struct {
	Epoch   uint64         `json:"epoch"`
	Seq     uint64         `json:"seq"`
	Acked   uint64         `json:"acked"`
	Chain   wire.ChainHead `json:"chain"`
	Policy  uint64         `json:"policy"`
	Permits int            `json:"permits"`
	Wall    time.Time      `json:"wall"` // last time that was trusted
	Damaged string         `json:"damaged,omitempty"`
}

// The file's buckets and keys.
const (
	bMeta     = "meta"
	bRecords  = "records"  // epoch‖seq → record without its place
	bAcks     = "acks"     // epoch‖seq → when everything up to it was acknowledged
	bCommands = "commands" // id → expiry
	kSchema   = "schema"
	kMeta     = "meta"
	kState    = "state"
	kPrints   = "prints"
	kEnergy   = "energy"
	kNetwork  = "network"
	kPrinter  = "printer"
	kPolicy   = "policy"
	kWelcome  = "welcome"
)

// Open opens or makes the journal at path. A file that cannot be read is moved
// aside, never deleted, and Found().Damaged names it.
func Open(path string, opt Options) (*Journal, error) {
	if opt.Keep <= 0 {
		opt.Keep = 30 * 24 * time.Hour
	}
	if opt.Wait <= 0 {
		opt.Wait = time.Second
	}
	aside, err := asides(path)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		damaged := ""
		if len(aside) > 0 { // the power went between moving aside and making the new one
			damaged = aside[len(aside)-1]
		}
		if err := create(path, damaged); err != nil {
			return nil, err
		}
	}
	j, err := open(path, opt)
	if err == nil || errors.Is(err, ErrBusy) || errors.Is(err, ErrNewer) || errors.Is(err, os.ErrPermission) || isFull(err) {
		return j, err
	}
	to := fmt.Sprintf("%s.damaged-%d", path, len(aside)+1)
	if e := os.Rename(path, to); e != nil {
		return nil, fmt.Errorf("cannot move the damaged journal aside: %w (it is damaged: %w)", e, err)
	}
	if err := create(path, to); err != nil {
		return nil, err
	}
	return open(path, opt)
}

func asides(path string) ([]string, error) {
	found, err := filepath.Glob(path + ".damaged-*")
	if err != nil {
		return nil, fmt.Errorf("cannot look for damaged journals beside %s: %w", path, err)
	}
	return found, nil
}

// create makes an empty journal under another name first: a power cut leaves
// either none or a whole one.
func create(path, damaged string) error {
	fail := func(err error) error { return fmt.Errorf("cannot make the journal %s: %w", path, full(err)) }
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fail(err)
	}
	db, err := bolt.Open(tmp, 0o600, &bolt.Options{Timeout: time.Second})
	if err != nil {
		return fail(err)
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, b := range []string{bMeta, bRecords, bAcks, bCommands} {
			if _, err := tx.CreateBucketIfNotExists([]byte(b)); err != nil {
				return err
			}
		}
		if err := tx.Bucket([]byte(bMeta)).Put([]byte(kSchema), u64(Schema)); err != nil {
			return err
		}
		return put(tx, kMeta, meta{Damaged: damaged})
	})
	if err = errors.Join(err, db.Close()); err != nil {
		return fail(err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fail(err)
	}
	if d, err := os.Open(filepath.Dir(path)); err == nil {
		err = errors.Join(d.Sync(), d.Close())
		if err != nil {
			return fail(err)
		}
	}
	return nil
}

// open opens a file and reads all of it once: what cannot be read is found
// now, and not in the middle of somebody's session.
func open(path string, opt Options) (j *Journal, err error) {
	j = &Journal{opt: opt, changed: make(chan struct{}, 1)}
	err = guarded(func() error {
		j.db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: opt.Wait, NoGrowSync: false})
		if err != nil {
			return err
		}
		return j.db.View(j.read)
	})
	if err == nil {
		return j, nil
	}
	if j.db != nil {
		_ = guarded(j.db.Close) // its first error is the one to tell
	}
	if errors.Is(err, bolterrors.ErrTimeout) {
		return nil, fmt.Errorf("cannot open the journal %s: another agent has it open; stop that one, or give this one a state folder of its own: %w", path, ErrBusy)
	}
	return nil, fmt.Errorf("cannot open the journal %s: %w", path, full(err))
}

// read checks the whole file and takes what is kept in memory.
func (j *Journal) read(tx *bolt.Tx) error {
	b := tx.Bucket([]byte(bMeta))
	if b == nil || tx.Bucket([]byte(bRecords)) == nil || tx.Bucket([]byte(bAcks)) == nil || tx.Bucket([]byte(bCommands)) == nil {
		return errors.New("it is not a journal")
	}
	raw := b.Get([]byte(kSchema))
	if len(raw) != 8 {
		return errors.New("it has no schema")
	}
	if s := binary.BigEndian.Uint64(raw); s > Schema {
		return fmt.Errorf("it has schema %d, this version knows %d; install the newer version again: %w", s, Schema, ErrNewer)
	} else if s < Schema {
		return fmt.Errorf("it has schema %d, which never existed", s)
	}
	if err := get(tx, kMeta, &j.meta); err != nil {
		return err
	}
	j.found = Found{Damaged: j.meta.Damaged}
	if s := b.Get([]byte(kState)); s != nil {
		j.found.State = append([]byte{}, s...)
	}
	if s := b.Get([]byte(kPrints)); s != nil {
		j.found.Prints = append([]byte{}, s...)
	}
	if s := b.Get([]byte(kEnergy)); s != nil {
		j.found.Energy = append([]byte{}, s...)
	}
	if s := b.Get([]byte(kNetwork)); s != nil {
		j.found.Network = append([]byte{}, s...)
	}
	if s := b.Get([]byte(kPrinter)); s != nil {
		j.found.Printer = append([]byte{}, s...)
	}
	if b.Get([]byte(kPolicy)) != nil {
		j.found.Policy = new(wire.Envelope)
		if err := get(tx, kPolicy, j.found.Policy); err != nil {
			return err
		}
	}
	if b.Get([]byte(kWelcome)) != nil {
		j.found.Welcome = new(wire.Welcome)
		if err := get(tx, kWelcome, j.found.Welcome); err != nil {
			return err
		}
	}
	return j.walk(tx)
}

// walk reads every record: dense in its epoch, and ending where meta says.
func (j *Journal) walk(tx *bolt.Tx) error {
	var epoch, seq uint64
	any := false
	c := tx.Bucket([]byte(bRecords)).Cursor()
	for k, v := c.First(); k != nil; k, v = c.Next() {
		e, s, ok := place(k)
		var r wire.Record
		if !ok || json.Unmarshal(v, &r) != nil {
			return fmt.Errorf("record %x cannot be read", k)
		}
		if any && e == epoch && s != seq+1 {
			return fmt.Errorf("records %d to %d of epoch %d are missing", seq+1, s-1, e)
		}
		epoch, seq, any = e, s, true
	}
	if epoch > j.meta.Epoch || any && epoch == j.meta.Epoch && seq != j.meta.Seq {
		return fmt.Errorf("the last record is %d of epoch %d, expected %d of epoch %d", seq, epoch, j.meta.Seq, j.meta.Epoch)
	}
	for _, b := range []string{bAcks, bCommands} {
		if err := tx.Bucket([]byte(b)).ForEach(func(_, v []byte) error { return new(time.Time).UnmarshalBinary(v) }); err != nil {
			return fmt.Errorf("%s cannot be read: %w", b, err)
		}
	}
	return nil
}

// Found returns what was in the journal when it was opened.
func (j *Journal) Found() Found { return j.found }

// Close closes the file. Nothing is lost when it is never called.
func (j *Journal) Close() error {
	if err := j.db.Close(); err != nil {
		return fmt.Errorf("cannot close the journal: %w", err)
	}
	return nil
}

// Floor is a time that is certainly past: the last one that was trusted.
func (j *Journal) Floor() time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.meta.Wall
}

// Unacked counts the records that the controller does not have yet.
func (j *Journal) Unacked() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.meta.Seq - min(j.meta.Acked, j.meta.Seq)
}

// update runs one transaction on the file and on its copy in memory together.
func (j *Journal) update(what string, f func(tx *bolt.Tx, m *meta) error) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := j.meta
	err := j.db.Update(func(tx *bolt.Tx) error {
		if err := f(tx, &m); err != nil {
			return err
		}
		if j.opt.Clock != nil {
			if now, sure := j.opt.Clock.Now(); sure {
				m.Wall = now.UTC()
			}
		}
		return put(tx, kMeta, m)
	})
	if err != nil {
		return fmt.Errorf("cannot %s: %w", what, full(err))
	}
	j.meta = m
	return nil
}

func put(tx *bolt.Tx, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot encode %s: %w", key, err)
	}
	return tx.Bucket([]byte(bMeta)).Put([]byte(key), b)
}

func get(tx *bolt.Tx, key string, v any) error {
	if err := json.Unmarshal(tx.Bucket([]byte(bMeta)).Get([]byte(key)), v); err != nil {
		return fmt.Errorf("%s cannot be read: %w", key, err)
	}
	return nil
}

func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func key(epoch, seq uint64) []byte { return binary.BigEndian.AppendUint64(u64(epoch), seq) }

func place(k []byte) (epoch, seq uint64, ok bool) {
	if len(k) != 16 {
		return 0, 0, false
	}
	return binary.BigEndian.Uint64(k), binary.BigEndian.Uint64(k[8:]), true
}

// isFull recognises a full disk. bbolt drops the cause of some errors and
// keeps only its words, so the words count too.
func isFull(err error) bool {
	if err == nil {
		return false
	}
	for _, no := range []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG} {
		if errors.Is(err, no) || strings.HasSuffix(err.Error(), no.Error()) {
			return true
		}
	}
	return errors.Is(err, ErrFull)
}

// full names a full disk, whatever the system calls it.
func full(err error) error {
	if isFull(err) && !errors.Is(err, ErrFull) {
		return fmt.Errorf("%w: %w; make room on the disk, the terminal goes on by itself", ErrFull, err)
	}
	return err
}
