package directory

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"time"

	"borne/controller/audit"
	"borne/controller/store"
	"borne/controller/wire"
)

// MaxCodes bounds one printed page, and maxLive the codes of a site that work at
// once: the fewer there are, the harder one is to guess.
const (
	MaxCodes = 60
	maxLive  = 600
)

// ErrCodes is too many codes at once.
var ErrCodes = errors.New("too many codes")

// ErrLate is codes for a day that is over.
var ErrLate = errors.New("the place is closed for today")

// retypeWithin is how long a code that was typed may be typed again at the same
// terminal: an answer can get lost, and a person hesitate before the charter.
const retypeWithin = 10 * time.Minute

// Codes makes n codes that each open one session of a site until a time. They are
// returned once, to be printed: only their HMAC is kept.
func (d *Directory) Codes(tx store.Tx, site, group string, n int, until time.Time, by string) (sheet string, codes []string, err error) {
	now := d.now().UTC()
	if !now.Before(until) {
		return "", nil, fmt.Errorf("cannot make codes until %s: %w", until.Format(time.RFC3339), ErrLate)
	}
	live := 0
	for it, err := range store.List[store.DayCode](tx, "", "", false) {
		if err != nil {
			return "", nil, err
		}
		if it.Site == site && it.Row.Used.IsZero() && now.Before(it.Row.Until) {
			live++
		}
	}
	if n < 1 || n > MaxCodes || live+n > maxLive {
		return "", nil, fmt.Errorf("cannot make %d codes beside %d that work: %w", n, live, ErrCodes)
	}
	sheet = newID()[:12]
	for range n {
		code, err := newCode()
		if err != nil {
			return "", nil, err
		}
		row := store.DayCode{Sheet: sheet, Group: group, By: by, Made: now, Until: until.UTC()}
		if err := store.Put(tx, store.Item[store.DayCode]{Meta: store.Meta{ID: d.codeID(site, code), Site: site}, Row: row}); err != nil {
			return "", nil, fmt.Errorf("cannot keep a code: %w", err)
		}
		codes = append(codes, code)
	}
	return sheet, codes, audit.Append(tx, audit.Entry{At: now, Actor: by, Action: "badge.codes", Site: site, Target: sheet, Detail: fmt.Sprint(n)})
}

func newCode() (string, error) {
	letters := wire.CodeLetters()
	b := make([]byte, wire.CodeLength)
	for i := range b {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			return "", fmt.Errorf("cannot draw a code: %w", err)
		}
		b[i] = letters[n.Int64()]
	}
	return string(b), nil
}

// codeID names a code's row. Finding it compares HMACs: the time that takes tells
// nothing of a code, since whoever guesses cannot choose what is compared.
func (d *Directory) codeID(site, code string) string {
	return hex.EncodeToString(mac(d.pepper, []byte("day-code/"+site+"/"+code)))
}

// redeem uses a code up, and returns what stands for h1 in its session. A code of
// another site is as unknown as one that never was.
func (d *Directory) redeem(tx store.Tx, t store.Meta, code string) ([]byte, wire.Reason, error) {
	now := d.now().UTC()
	it, err := store.Get[store.DayCode](tx, d.codeID(t.Site, code))
	if errors.Is(err, store.ErrNotFound) {
		return nil, wire.RefuseCodeWrong, nil
	}
	if err != nil {
		return nil, "", err
	}
	h1 := mac(d.pepper, []byte("day-code-holder/"+it.ID))
	switch {
	case !now.Before(it.Row.Until):
		return nil, wire.RefuseCodeLate, nil
	case it.Row.Used.IsZero():
	case it.Row.Where != t.ID || now.Sub(it.Row.Used) > retypeWithin:
		return nil, wire.RefuseCodeUsed, nil
	default: // typed again before its session began?
		h, err := store.Get[store.Holder](tx, it.Row.Holder)
		if errors.Is(err, store.ErrNotFound) || err == nil && h.Row.Seen != "" {
			return nil, wire.RefuseCodeUsed, nil
		}
		return h1, "", err
	}
	h := store.Item[store.Holder]{Meta: store.Meta{ID: newID(), Site: t.Site}, Row: store.Holder{H2: d.h2(h1), Kind: store.HolderCode,
		Group: it.Row.Group, Sites: []string{t.Site}, Until: it.Row.Until, Created: day(now)}}
	it.Row.Used, it.Row.Where, it.Row.Holder = now, t.ID, h.ID
	if err := errors.Join(store.Put(tx, h), store.Put(tx, it)); err != nil {
		return nil, "", fmt.Errorf("cannot use a code up: %w", err)
	}
	return h1, "", nil
}

// Cancel makes what is left of a printed page worthless, and returns how many
// codes that were.
func (d *Directory) Cancel(tx store.Tx, site, sheet, by string) (int, error) {
	var ids []string
	for it, err := range store.Find[store.DayCode](tx, "sheet", sheet) {
		if err != nil {
			return 0, err
		}
		if it.Site == site && it.Row.Used.IsZero() {
			ids = append(ids, it.ID)
		}
	}
	for _, id := range ids {
		if err := tx.Delete(store.KindDayCode, id); err != nil {
			return 0, err
		}
	}
	if len(ids) == 0 {
		return 0, fmt.Errorf("cannot cancel the codes of page %.20q: %w", sheet, store.ErrNotFound)
	}
	return len(ids), audit.Append(tx, audit.Entry{At: d.now(), Actor: by, Action: "badge.codes-cancelled", Site: site, Target: sheet, Detail: fmt.Sprint(len(ids))})
}

// SweepCodes deletes codes whose day has been over for a while.
func SweepCodes(tx store.Tx, before, _ time.Time) (int, error) {
	return sweep(tx, func(it store.Item[store.DayCode]) bool { return it.Row.Until.Before(before) })
}

// SweepWindows deletes what staff no longer wait for.
func SweepWindows(tx store.Tx, before, _ time.Time) (int, error) {
	return sweep(tx, func(it store.Item[store.BadgeWindow]) bool { return it.Row.Until.Before(before) })
}

// chunk bounds one transaction, as retention's does.
const chunk = 500

func sweep[T store.Row](tx store.Tx, old func(store.Item[T]) bool) (int, error) {
	var z T
	var ids []string
	for it, err := range store.List[T](tx, "", "", false) {
		if err != nil {
			return 0, err
		}
		if len(ids) < chunk && old(it) {
			ids = append(ids, it.ID)
		}
	}
	for _, id := range ids {
		if err := tx.Delete(z.Table(), id); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}
