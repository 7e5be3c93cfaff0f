// Package audit keeps the hash-chained record of what people and the
// controller did. An entry is written in the transaction of the deed itself:
// neither is kept without the other.
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"borne/controller/store"
)

// Controller is the actor of what no person asked for.
const Controller = "controller"

// actionPurged marks the entry that lets the chain begin later than at 1.
const actionPurged = "audit.purged"

// Entry is one deed to record.
type Entry struct {
	At     time.Time
	Actor  string // a user's id, or Controller
	Action string // dotted, e.g. "policy.changed": key "audit.<action>" of the catalogues
	Site   string // where it belongs; empty for the whole Département
	Scope  string
	Target string // id of what it was done to
	Detail string // what changed, short; never a secret, never a badge
}

// Head is where the chain ends. Kept elsewhere (a printout, a mail to the
// DPO), it shows whether the newest entries were cut off.
type Head struct {
	Seq  uint64
	Hash []byte
}

// String writes the head as people copy it.
func (h Head) String() string { return fmt.Sprintf("%d:%s", h.Seq, hex.EncodeToString(h.Hash)) }

// ParseHead reads what String wrote.
func ParseHead(s string) (Head, error) {
	seq, sum, ok := strings.Cut(s, ":")
	n, err := strconv.ParseUint(seq, 10, 64)
	b, err2 := hex.DecodeString(sum)
	if !ok || err != nil || err2 != nil || len(b) != sha256.Size {
		return Head{}, fmt.Errorf("cannot read the head %q: write it as number:hash, as audit verify printed it", s)
	}
	return Head{Seq: n, Hash: b}, nil
}

// ErrBroken is what every Broken is.
var ErrBroken = errors.New("the audit's chain is broken")

// Broken locates the first entry that does not fit.
type Broken struct {
	Seq uint64
	Why string
}

func (b *Broken) Error() string {
	return fmt.Sprintf("entry %d: %s", b.Seq, b.Why)
}

// Unwrap makes errors.Is(err, ErrBroken) true.
func (b *Broken) Unwrap() error { return ErrBroken }

// Append adds the entry to the chain, inside the caller's transaction.
func Append(tx store.Tx, e Entry) error {
	head, err := Last(tx)
	if err != nil {
		return err
	}
	row := store.AuditEntry{Seq: head.Seq + 1, At: e.At.UTC().Truncate(time.Millisecond), Actor: e.Actor, Action: e.Action,
		Target: e.Target, Detail: e.Detail, Prev: head.Hash}
	m := store.Meta{ID: id(row.Seq), Site: e.Site, Scope: e.Scope}
	row.Hash = hash(m, row)
	if err := store.Put(tx, store.Item[store.AuditEntry]{Meta: m, Row: row}); err != nil {
		return fmt.Errorf("cannot record %s in the audit: %w", e.Action, err)
	}
	end, err := store.Get[store.AuditHead](tx, store.AuditHeadID)
	if errors.Is(err, store.ErrNotFound) {
		end.Meta, err = store.Meta{ID: store.AuditHeadID}, nil
	}
	if err == nil {
		end.Row = store.AuditHead{Seq: row.Seq, Hash: row.Hash}
		err = store.Put(tx, end)
	}
	if err != nil {
		return fmt.Errorf("cannot record %s in the audit: %w", e.Action, err)
	}
	return nil
}

// Last returns the chain's head; its zero value for an empty audit. It is the one
// that was noted with the newest entry: where that entry is gone, the next one
// does not hide it.
func Last(tx store.Tx) (Head, error) {
	end, err := store.Get[store.AuditHead](tx, store.AuditHeadID)
	if err == nil {
		return Head{Seq: end.Row.Seq, Hash: end.Row.Hash}, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return Head{}, fmt.Errorf("cannot find where the audit ends: %w", err)
	}
	it, err := store.First(store.List[store.AuditEntry](tx, "", "", true))
	if errors.Is(err, store.ErrNotFound) {
		return Head{}, nil
	}
	if err != nil {
		return Head{}, fmt.Errorf("cannot find the audit's last entry: %w", err)
	}
	return Head{Seq: it.Row.Seq, Hash: it.Row.Hash}, nil
}

// ErrOld says that a head was noted before the oldest entry that is kept: nothing
// is wrong, and it can no longer be compared.
var ErrOld = errors.New("the entry that was noted is older than what is kept: it can no longer be compared; the chain that is kept is whole")

// Verify walks the whole chain and returns its head, or a *Broken that names
// the first entry that was changed, added or removed. With a want that was
// noted before, it also shows whether the newest entries were cut off or the
// whole chain written anew.
func Verify(tx store.Tx, want *Head) (Head, error) {
	var prev Head
	var begins *Head // where the chain must begin when old entries were purged
	anchored, met := true, want == nil
	for it, err := range store.List[store.AuditEntry](tx, "", "", false) {
		if err != nil {
			return prev, &Broken{Seq: prev.Seq + 1, Why: err.Error()}
		}
		row := it.Row
		switch {
		case prev.Seq == 0 && row.Seq > 1:
			begins, anchored = &Head{Seq: row.Seq - 1, Hash: row.Prev}, false
		case row.Seq != prev.Seq+1:
			return prev, &Broken{Seq: prev.Seq + 1, Why: "it was removed"}
		case !bytes.Equal(row.Prev, prev.Hash):
			return prev, &Broken{Seq: row.Seq, Why: "it does not follow the entry before it: one of the two was changed"}
		}
		if it.ID != id(row.Seq) || !bytes.Equal(row.Hash, hash(it.Meta, row)) {
			return prev, &Broken{Seq: row.Seq, Why: "its content was changed"}
		}
		prev = Head{Seq: row.Seq, Hash: row.Hash}
		if begins != nil && row.Action == actionPurged && row.Actor == Controller && row.Detail == begins.String() {
			anchored = true
		}
		if want != nil && want.Seq == row.Seq {
			if !bytes.Equal(want.Hash, row.Hash) {
				return prev, &Broken{Seq: row.Seq, Why: "it is not the entry that was noted: the chain was written anew"}
			}
			met = true
		}
	}
	end, err := store.Get[store.AuditHead](tx, store.AuditHeadID)
	switch {
	case errors.Is(err, store.ErrNotFound) && prev.Seq == 0: // a new store
	case err != nil:
		return prev, &Broken{Seq: prev.Seq, Why: "nothing says any more that it is the newest: " + err.Error()}
	case prev.Seq < end.Row.Seq:
		return prev, &Broken{Seq: prev.Seq + 1, Why: fmt.Sprintf("it was removed: the newest entry written is %d", end.Row.Seq)}
	case prev.Seq > end.Row.Seq:
		return prev, &Broken{Seq: end.Row.Seq + 1, Why: "it was added behind the newest entry written"}
	case !bytes.Equal(prev.Hash, end.Row.Hash):
		return prev, &Broken{Seq: prev.Seq, Why: "it is not the newest entry as it was written"}
	}
	switch {
	case !anchored:
		return prev, &Broken{Seq: begins.Seq, Why: "the entries up to it were removed, and no retention run says so"}
	case !met && begins != nil && want.Seq == begins.Seq && bytes.Equal(want.Hash, begins.Hash): // the first that is kept follows it
	case !met && begins != nil && want.Seq <= begins.Seq:
		return prev, ErrOld
	case !met:
		return prev, &Broken{Seq: prev.Seq + 1, Why: fmt.Sprintf("the chain ends before the entry %d that was noted: the newest were removed", want.Seq)}
	}
	return prev, nil
}

// Purge deletes every entry older than before, but never the last, and records
// it so that Verify knows where the chain now begins. It returns how many went.
func Purge(tx store.Tx, before, now time.Time) (int, error) {
	head, err := Last(tx)
	if err != nil {
		return 0, err
	}
	var cut Head
	var ids []string
	for it, err := range store.List[store.AuditEntry](tx, "", id(head.Seq), false) {
		if err != nil {
			return 0, fmt.Errorf("cannot purge the audit: %w", err)
		}
		// The chain's order decides, not the clock: nothing behind a kept entry goes.
		if !it.Row.At.Before(before) {
			break
		}
		cut = Head{Seq: it.Row.Seq, Hash: it.Row.Hash}
		ids = append(ids, it.ID)
	}
	for _, i := range ids {
		if err := tx.Delete(store.KindAudit, i); err != nil {
			return 0, fmt.Errorf("cannot purge the audit: %w", err)
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	return len(ids), Append(tx, Entry{At: now, Actor: Controller, Action: actionPurged, Detail: cut.String()})
}

func id(seq uint64) string { return fmt.Sprintf("%020d", seq) }

// hash covers every field behind its length, so that no two entries share an
// encoding, and where the row belongs: moving it to another site shows.
func hash(m store.Meta, e store.AuditEntry) []byte {
	var b []byte
	for _, part := range [][]byte{[]byte("borne/audit/1"), []byte(id(e.Seq)), []byte(e.At.UTC().Format(time.RFC3339Nano)),
		[]byte(e.Actor), []byte(e.Action), []byte(m.Site), []byte(m.Scope), []byte(e.Target), []byte(e.Detail), e.Prev} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(part)))
		b = append(b, part...)
	}
	h := sha256.Sum256(b)
	return h[:]
}
