package directory

import (
	"errors"
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
	h.Row.Turn, h.Row.Until = newID(), until.UTC()
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
	h.Row.Until = time.Time{}
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
		h.Row.Lost, h.Row.Until, action = day(d.now()), time.Time{}, "badge.lost"
	case !r.Lost && was.Lost:
		h.Row.Lost, action = time.Time{}, "badge.found"
	}
	if err := store.Put(tx, h); err != nil {
		return h, fmt.Errorf("cannot change a badge: %w", err)
	}
	h.Rev++
	return h, d.note(tx, h, by, action, "")
}

// Kept is everything that is kept about one holder: what an export hands out and
// what an erasure takes away.
type Kept struct {
	Holder   store.Item[store.Holder]
	Sessions []store.Item[store.SessionRow]
	Accounts []store.Item[store.Account]
	Jobs     []store.Item[store.PrintJob]
	// Presences are where the holder was counted, each month.
	Presences []store.Item[store.Presence]
}

// Kept finds what the holder has in the months whose keys still exist: what is
// older is nobody's any more.
func (d *Directory) Kept(tx store.Tx, h store.Item[store.Holder]) (Kept, error) {
	k := Kept{Holder: h}
	for m, err := range store.List[store.MonthKey](tx, "", "", false) {
		if err != nil {
			return k, err
		}
		session, account := fmt.Sprintf("%x", pseudonym(m.Row.Key, h, "")), fmt.Sprintf("%x", pseudonym(m.Row.Key, h, ledgerUse))
		for s, err := range store.Find[store.SessionRow](tx, "holder", session) {
			if err != nil {
				return k, err
			}
			k.Sessions = append(k.Sessions, s)
		}
		from := store.PresenceID(m.ID, session, "")
		for p, err := range store.List[store.Presence](tx, from, from+"\xff", false) {
			if err != nil {
				return k, err
			}
			k.Presences = append(k.Presences, p)
		}
		a, err := store.Get[store.Account](tx, account)
		if err == nil {
			k.Accounts = append(k.Accounts, a)
		} else if !errors.Is(err, store.ErrNotFound) {
			return k, err
		}
		for j, err := range store.Find[store.PrintJob](tx, "account", account) {
			if err != nil {
				return k, err
			}
			k.Jobs = append(k.Jobs, j)
		}
	}
	return k, nil
}

// Erase takes a holder away, and its name from what stays for the figures: its
// sessions become sessions without a badge. The badge is unknown from then on, and
// after a restore of an older backup too.
func (d *Directory) Erase(tx store.Tx, h store.Item[store.Holder], by string) (Kept, error) {
	k, err := d.Kept(tx, h)
	if err != nil {
		return k, err
	}
	for _, s := range k.Sessions {
		s.Row.Holder = ""
		if err := store.Put(tx, s); err != nil {
			return k, fmt.Errorf("cannot take a badge from its sessions: %w", err)
		}
	}
	for _, j := range k.Jobs {
		j.Row.Account = ""
		if err := store.Put(tx, j); err != nil {
			return k, fmt.Errorf("cannot take a badge from its print jobs: %w", err)
		}
	}
	nobody := map[string]string{} // by month: whoever was there stays counted, as nobody's
	for _, p := range k.Presences {
		if nobody[p.Row.Month] == "" {
			nobody[p.Row.Month] = newID()
		}
		if err := tx.Delete(store.KindPresence, p.ID); err != nil {
			return k, fmt.Errorf("cannot take a badge from the figures: %w", err)
		}
		p.Row.Holder, p.Rev = nobody[p.Row.Month], 0
		p.ID = store.PresenceID(p.Row.Month, p.Row.Holder, p.Site)
		if err := store.Put(tx, p); err != nil {
			return k, fmt.Errorf("cannot take a badge from the figures: %w", err)
		}
	}
	for _, a := range k.Accounts {
		if err := store.Erase(tx, store.KindAccount, a.ID, d.now()); err != nil {
			return k, fmt.Errorf("cannot erase a badge's pages: %w", err)
		}
	}
	if err := store.Erase(tx, store.KindHolder, h.ID, d.now()); err != nil {
		return k, fmt.Errorf("cannot erase a badge: %w", err)
	}
	return k, d.note(tx, h, by, "badge.erased", "")
}
