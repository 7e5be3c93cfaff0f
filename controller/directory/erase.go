package directory

import (
	"errors"
	"fmt"
	"time"

	"borne/controller/requisition"
	"borne/controller/store"
)

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
// older is nobody's any more. Of a day badge it is what the last one to have it
// left: those before are others.
func (d *Directory) Kept(tx store.Tx, h store.Item[store.Holder]) (Kept, error) {
	return keptOf(tx, h)
}

func keptOf(tx store.Tx, h store.Item[store.Holder]) (Kept, error) {
	k, turn := Kept{Holder: h}, lastTurn(h.Row)
	for m, err := range store.List[store.MonthKey](tx, "", "", false) {
		if err != nil {
			return k, err
		}
		session, account := fmt.Sprintf("%x", pseudonym(m.Row.Key, h.ID, turn, "")), fmt.Sprintf("%x", pseudonym(m.Row.Key, h.ID, turn, ledgerUse))
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
//
// While a hold names rows of the holder, it is refused whole with a Held: half an
// erasure would tell the person that nothing is left.
func (d *Directory) Erase(tx store.Tx, h store.Item[store.Holder], by string) (Kept, error) {
	if err := d.held(tx, h); err != nil {
		return Kept{Holder: h}, err
	}
	k, err := takeAway(tx, h, d.now())
	if err != nil {
		return k, err
	}
	return k, d.note(tx, h, by, "badge.erased", "")
}

// Held refuses an erasure: rows of the holder wait for a réquisition (RGPD, article 17
// § 3 b). It names neither the réquisition nor who made it: whoever asks for the
// erasure of a badge need not learn of an inquiry.
type Held struct{ Until time.Time } // when the last hold ends by itself

func (e *Held) Error() string {
	return "cannot erase a badge: the law asks to keep rows of it, at most until " + e.Until.Format(time.DateOnly)
}

func (d *Directory) held(tx store.Tx, h store.Item[store.Holder]) error {
	all, err := requisition.Now(tx, d.now())
	if err != nil || len(all) == 0 {
		return err
	}
	k, err := keptOf(tx, h)
	if err != nil {
		return err
	}
	found, usage := all.Of("account").On(h.Site), all.Of("usage")
	for _, s := range k.Sessions {
		found = append(found, usage.On(s.Site)...)
	}
	for _, j := range k.Jobs {
		found = append(found, usage.On(j.Site)...)
	}
	if len(found) == 0 {
		return nil
	}
	return &Held{Until: found.Until()}
}

// EraseAgain does in a store that was restored from an older backup what Erase did
// at that time: that backup still holds the month's key and the badge's name in its
// sessions, jobs and presences. Without the holder there is nobody to look for.
func EraseAgain(tx store.Tx, id string, at time.Time) error {
	h, err := store.Get[store.Holder](tx, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err == nil {
		_, err = takeAway(tx, h, at)
	}
	return err
}

// takeAway is Erase without its note.
func takeAway(tx store.Tx, h store.Item[store.Holder], at time.Time) (Kept, error) {
	k, err := keptOf(tx, h)
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
		if err := store.Erase(tx, store.KindAccount, a.ID, at); err != nil {
			return k, fmt.Errorf("cannot erase a badge's pages: %w", err)
		}
	}
	if err := store.Erase(tx, store.KindHolder, h.ID, at); err != nil {
		return k, fmt.Errorf("cannot erase a badge: %w", err)
	}
	return k, nil
}
