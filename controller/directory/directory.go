// Package directory knows badges without knowing people. A terminal sends
// h1 = HMAC(key of its group of sites, UID). Here only h2 = HMAC(pepper, h1) is
// kept, beside a random holder id; and sessions carry only
// HMAC(key of the calendar month, holder id), whose key is destroyed on time,
// so that nobody can follow a holder from one month to another.
package directory

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"borne/controller/store"
)

// h1Size is the length of h1: HMAC-SHA256.
const h1Size = sha256.Size

// lateDays is how long after its end a month's records may still come: longer
// than terminals keep what was not acknowledged to them.
const lateDays = 45

const monthLayout = "2006-01"

// Directory turns badges into pseudonyms.
type Directory struct {
	pepper []byte
	now    func() time.Time
}

// New returns the directory whose pepper this is: 32 bytes that are never on a
// terminal, nor in the store.
func New(pepper []byte, now func() time.Time) (*Directory, error) {
	if len(pepper) != 32 {
		return nil, fmt.Errorf("cannot use the badge directory: the pepper has %d bytes, want 32; restore it from a backup", len(pepper))
	}
	return &Directory{pepper: pepper, now: now}, nil
}

// Pseudonym returns what a session of that time carries for the badge: the same
// for one holder within a calendar month, unlinkable between months. It is
// empty when the month's key is destroyed already, or when the time is absurd
// (a clock that was not set): then the session counts, without a holder. So it
// is for a day badge that nobody had been given then.
func (d *Directory) Pseudonym(tx store.Tx, h1 []byte, at time.Time) ([]byte, error) {
	return d.name(tx, h1, at, at, "")
}

// Account returns the badge's account in the print ledger for the month of filed,
// on the terms of Pseudonym; whose a day badge was, at tells. It differs from the sessions' pseudonym: without
// the month's key nobody can tell whose sessions an account paid for, and with
// it gone nobody can tell that two months' accounts are one holder's.
func (d *Directory) Account(tx store.Tx, h1 []byte, filed, at time.Time) ([]byte, error) {
	return d.name(tx, h1, filed, at, ledgerUse)
}

func (d *Directory) name(tx store.Tx, h1 []byte, filed, at time.Time, of string) ([]byte, error) {
	if len(h1) == 0 {
		return nil, nil
	}
	if len(h1) != h1Size {
		return nil, fmt.Errorf("cannot use a badge's h1 of %d bytes: want %d", len(h1), h1Size)
	}
	now := d.now().UTC()
	filed = filed.UTC()
	if over(filed.Format(monthLayout), now) || filed.After(now.AddDate(0, 0, 2)) {
		return nil, nil
	}
	key, err := monthKey(tx, filed.Format(monthLayout), now)
	if err != nil {
		return nil, err
	}
	h, err := d.holder(tx, h1, filed, now)
	if err != nil {
		return nil, err
	}
	turn := ""
	if h.Row.Kind == store.HolderDay {
		slack := time.Duration(0)
		if of == ledgerUse {
			slack = stillPrints
		}
		if turn = turnAt(h.Row.Turns, at, slack); turn == "" {
			return nil, nil
		}
	}
	return pseudonym(key, h.ID, turn, of), nil
}

// ledgerUse keeps the ledger's names apart from the sessions'.
const ledgerUse = "ledger/"

// pseudonym is a holder's name in the month of a key. A day badge has another
// one each turn.
func pseudonym(key []byte, id, turn, of string) []byte {
	if turn != "" {
		id += "/" + turn
	}
	return mac(key, []byte(of+id))[:16]
}

func (d *Directory) holder(tx store.Tx, h1 []byte, at, now time.Time) (store.Item[store.Holder], error) {
	month := at.Format(monthLayout)
	it, err := d.find(tx, h1)
	if errors.Is(err, store.ErrNotFound) {
		it = store.Item[store.Holder]{Meta: store.Meta{ID: newID()}, Row: store.Holder{H2: d.h2(h1), Created: day(now)}}
	} else if err != nil {
		return it, fmt.Errorf("cannot find a badge holder: %w", err)
	}
	if it.Row.Seen < month {
		it.Row.Seen = month
		if err := store.Put(tx, it); err != nil {
			return it, fmt.Errorf("cannot keep a badge holder: %w", err)
		}
	}
	return it, nil
}

// day blurs a time: the hour at which a badge came first is nobody's business.
func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

func monthKey(tx store.Tx, month string, now time.Time) ([]byte, error) {
	it, err := store.Get[store.MonthKey](tx, month)
	if err == nil {
		return it.Row.Key, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("cannot read the key of month %s: %w", month, err)
	}
	key := make([]byte, 32)
	rand.Read(key)
	it = store.Item[store.MonthKey]{Meta: store.Meta{ID: month}, Row: store.MonthKey{Key: key, Created: now}}
	if err := store.Put(tx, it); err != nil {
		return nil, fmt.Errorf("cannot keep the key of month %s: %w", month, err)
	}
	return key, nil
}

// over tells whether a month's key is, or has to be, destroyed.
func over(month string, now time.Time) bool {
	first, err := time.Parse(monthLayout, month)
	return err != nil || now.After(first.AddDate(0, 1, lateDays))
}

// Over tells whether a month (2006-01) is over for good: its key is destroyed, or
// about to be.
func Over(month string, now time.Time) bool { return over(month, now.UTC()) }

// DestroyKeys deletes the keys of the months that are over, and returns how many.
func DestroyKeys(tx store.Tx, now time.Time) (int, error) {
	var gone []string
	for it, err := range store.List[store.MonthKey](tx, "", "", false) {
		if err != nil {
			return 0, err
		}
		if over(it.ID, now.UTC()) {
			gone = append(gone, it.ID)
		}
	}
	for _, id := range gone {
		if err := tx.Delete(store.KindMonthKey, id); err != nil {
			return 0, err
		}
	}
	return len(gone), nil
}

// Forget deletes at most limit holders whose badge was last used, or enrolled,
// before the month of before, and those of codes whose late records can no longer
// come. It returns how many.
func Forget(tx store.Tx, before, now time.Time, limit int) (int, error) {
	month := before.UTC().Format(monthLayout)
	var gone []string
	for it, err := range store.List[store.Holder](tx, "", "", false) {
		if err != nil {
			return 0, err
		}
		code := it.Row.Kind == store.HolderCode && it.Row.Until.Before(now.AddDate(0, 0, -lateDays))
		last := max(it.Row.Seen, it.Row.Created.Format(monthLayout))
		if (last < month || code) && len(gone) < limit {
			gone = append(gone, it.ID)
		}
	}
	for _, id := range gone {
		if err := tx.Delete(store.KindHolder, id); err != nil {
			return 0, err
		}
	}
	return len(gone), nil
}

func mac(key, msg []byte) []byte {
	m := hmac.New(sha256.New, key)
	m.Write(msg)
	return m.Sum(nil)
}
