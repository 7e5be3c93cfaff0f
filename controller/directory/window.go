package directory

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"borne/controller/audit"
	"borne/controller/store"
	"borne/controller/wire"
)

// What the next badge at a terminal is for.
const (
	ActionEnrol  = "enrol"  // it becomes known
	ActionGive   = "give"   // a day badge, for today
	ActionReturn = "return" // a day badge comes back
	ActionFind   = "find"   // its number is looked up, to show, export or erase it
)

// Actions lists them.
func Actions() []string { return []string{ActionEnrol, ActionGive, ActionReturn, ActionFind} }

// WindowFor is how long a terminal waits for the badge.
const WindowFor = time.Minute

// Reasons why a window did not end well, beside those of wire: keys "badge.why.<code>"
// of the catalogues.
const (
	WhyKnown   = "known"    // enrolled already; its number is told
	WhyNotDay  = "not-day"  // no day badge
	WhyGiven   = "given"    // somebody has it today
	WhyUnknown = "unknown"  // not enrolled
	WhyOther   = "other"    // of another place
	WhyLate    = "too-late" // the place is closed for today
	WhyAgain   = "again"    // staff opened another window at the terminal
	WhyStaff   = "staff"    // the badge is one of staff
)

// Open keeps that the next badge at a terminal is for staff. id is its
// command's. An older window of the terminal is over.
func (d *Directory) Open(tx store.Tx, t store.Meta, id string, w store.BadgeWindow) error {
	var older []store.Item[store.BadgeWindow]
	for it, err := range store.List[store.BadgeWindow](tx, "", "", false) { // those of some minutes: few
		if err != nil {
			return fmt.Errorf("cannot end the window before: %w", err)
		}
		if it.Scope == t.ID && !it.Row.Done {
			older = append(older, it)
		}
	}
	for _, it := range older {
		it.Row.Done, it.Row.Reason = true, WhyAgain
		if err := store.Put(tx, it); err != nil {
			return fmt.Errorf("cannot end the window before: %w", err)
		}
	}
	w.Until, w.Done, w.Number, w.Reason = d.now().UTC().Add(WindowFor), false, "", ""
	return store.Put(tx, store.Item[store.BadgeWindow]{Meta: store.Meta{ID: id, Site: t.Site, Scope: t.ID}, Row: w})
}

// windowed does what staff opened a window for, with the badge that came. The
// same badge again gets the same answer. Whoever holds it out is told little.
func (d *Directory) windowed(tx store.Tx, t store.Meta, a wire.BadgeAsk) (wire.Reason, error) {
	it, err := store.Get[store.BadgeWindow](tx, a.Window)
	if errors.Is(err, store.ErrNotFound) || err == nil && it.Scope != t.ID {
		return wire.RefuseUnknownBadge, nil
	}
	if err != nil {
		return "", err
	}
	w := &it.Row
	switch {
	case w.Done && w.Reason == "":
		return "", nil // asked again: the answer was lost
	case w.Done, d.now().After(w.Until):
		return wire.RefuseUnknownBadge, nil
	}
	w.Done = true
	if a.Cannot != "" {
		w.Reason = string(a.Cannot)
	} else if w.Number, w.Reason, err = d.act(tx, it, a.Holder); err != nil {
		return "", err
	}
	if err := store.Put(tx, it); err != nil {
		return "", fmt.Errorf("cannot keep what became of a badge: %w", err)
	}
	if w.Reason != "" {
		return wire.RefuseUnknownBadge, nil
	}
	return "", nil
}

// act does a window's action and returns the badge's number, or why not.
func (d *Directory) act(tx store.Tx, w store.Item[store.BadgeWindow], h1 []byte) (number, why string, err error) {
	h, err := d.find(tx, h1)
	known := err == nil && h.Row.Number != ""
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return "", "", err
	}
	if w.Row.Action == ActionEnrol {
		if known && h.Site != w.Site {
			return "", WhyOther, nil // where, and which one, is that place's matter
		}
		if known {
			return h.Row.Number, WhyKnown, nil
		}
		if w.Row.Kind == store.HolderStaff {
			why, err = d.enrolStaff(tx, w, h1)
			return "", why, err
		}
		if _, err := d.staffBadge(tx, h1); !errors.Is(err, store.ErrNotFound) {
			return "", WhyStaff, err
		}
		return d.enrol(tx, w, h, h1)
	}
	switch {
	case !known:
		return "", WhyUnknown, nil
	case h.Site != w.Site:
		return "", WhyOther, nil
	}
	switch w.Row.Action {
	case ActionFind:
	case ActionGive:
		why, err = d.Give(tx, h, w.Row.Expires, w.Row.By)
	case ActionReturn:
		why, err = d.Return(tx, h, w.Row.By)
	default:
		return "", "", fmt.Errorf("cannot use a badge for %q", w.Row.Action)
	}
	return h.Row.Number, why, err
}

// enrol makes a badge known. One that came before where any badge opens keeps its
// random id, so that nobody is counted twice in its month.
func (d *Directory) enrol(tx store.Tx, w store.Item[store.BadgeWindow], h store.Item[store.Holder], h1 []byte) (number, why string, err error) {
	now := d.now().UTC()
	if h.ID == "" {
		h = store.Item[store.Holder]{Meta: store.Meta{ID: newID()}, Row: store.Holder{H2: d.h2(h1)}}
	}
	if number, err = newNumber(tx); err != nil {
		return "", "", err
	}
	h.Site = w.Site
	h.Row.Kind, h.Row.Number, h.Row.Group, h.Row.Expires, h.Row.Created = w.Row.Kind, number, w.Row.Group, w.Row.Expires, day(now)
	if w.Row.Here || w.Row.Kind == store.HolderDay {
		h.Row.Sites = []string{w.Site}
	}
	if err := store.Put(tx, h); err != nil {
		return "", "", fmt.Errorf("cannot enrol a badge: %w", err)
	}
	return number, "", d.note(tx, h, w.Row.By, "badge.enrolled", string(w.Row.Kind))
}

// note records a deed on a badge by its number, which stands for nobody.
func (d *Directory) note(tx store.Tx, h store.Item[store.Holder], by, action, detail string) error {
	return audit.Append(tx, audit.Entry{At: d.now(), Actor: by, Action: action, Site: h.Site, Target: h.Row.Number, Detail: detail})
}

func newID() string {
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}
