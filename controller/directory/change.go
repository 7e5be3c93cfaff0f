package directory

import (
	"fmt"
	"time"

	"borne/controller/store"
)

// Give hands a day badge out until a time, which is the closing at the latest:
// it comes back by itself then. why is a code when it cannot be given.
func (d *Directory) Give(tx store.Tx, h store.Item[store.Holder], until time.Time, by string) (why string, err error) {
	now := d.now().UTC()
	switch {
	case h.Row.Kind != store.HolderDay:
		return WhyNotDay, nil
	case now.Before(h.Row.Until):
		return WhyGiven, nil
	case !now.Before(until):
		return WhyLate, nil
	}
	begin(&h.Row, now, until.UTC())
	if err := store.Put(tx, h); err != nil {
		return "", fmt.Errorf("cannot give a day badge: %w", err)
	}
	return "", d.note(tx, h, by, "badge.given", "")
}

// Return takes a day badge back. One that is there already stays there.
func (d *Directory) Return(tx store.Tx, h store.Item[store.Holder], by string) (why string, err error) {
	if h.Row.Kind != store.HolderDay {
		return WhyNotDay, nil
	}
	if !d.now().Before(h.Row.Until) {
		return "", nil
	}
	end(&h.Row, d.now().UTC())
	if err := store.Put(tx, h); err != nil {
		return "", fmt.Errorf("cannot take a day badge back: %w", err)
	}
	return "", d.note(tx, h, by, "badge.returned", "")
}

// Rights are what staff may change about a badge.
type Rights struct {
	Group    string
	Sites    []string
	Disabled bool
	Lost     bool
	Expires  time.Time
}

// RightsOf are a holder's.
func RightsOf(h store.Holder) Rights {
	return Rights{Group: h.Group, Sites: h.Sites, Disabled: h.Disabled, Lost: !h.Lost.IsZero(), Expires: h.Expires}
}

// Change gives a badge other rights.
func (d *Directory) Change(tx store.Tx, h store.Item[store.Holder], r Rights, by string) (store.Item[store.Holder], error) {
	was := RightsOf(h.Row)
	h.Row.Group, h.Row.Sites, h.Row.Disabled, h.Row.Expires = r.Group, r.Sites, r.Disabled, r.Expires.UTC()
	if r.Expires.IsZero() {
		h.Row.Expires = time.Time{}
	}
	action := "badge.changed"
	switch {
	case r.Lost && !was.Lost:
		h.Row.Lost, action = day(d.now()), "badge.lost"
		end(&h.Row, d.now().UTC())
	case !r.Lost && was.Lost:
		h.Row.Lost, action = time.Time{}, "badge.found"
	}
	if err := store.Put(tx, h); err != nil {
		return h, fmt.Errorf("cannot change a badge: %w", err)
	}
	h.Rev++
	return h, d.note(tx, h, by, action, "")
}
