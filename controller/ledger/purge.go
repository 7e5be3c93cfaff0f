package ledger

import (
	"errors"
	"time"

	"borne/controller/retention"
	"borne/controller/store"
)

// Purges are the deletions of the ledger's tables.
func Purges() []retention.Purge {
	return []retention.Purge{{Class: "account", Table: store.KindAccount, Delete: Forget}}
}

// Forget deletes accounts of months whose key is destroyed, with what was still
// set aside in them, and the days of the others that are past. It returns how
// many accounts changed.
func Forget(tx store.Tx, _, now time.Time) (int, error) {
	type change struct {
		it   account
		gone bool
	}
	var all []change
	for a, err := range store.List[store.Account](tx, "", "", false) {
		if err != nil {
			return 0, err
		}
		if len(all) == retention.Chunk {
			break
		}
		if _, err := store.Get[store.MonthKey](tx, a.Row.Month); errors.Is(err, store.ErrNotFound) {
			all = append(all, change{a, true})
			continue
		} else if err != nil {
			return 0, err
		}
		if prune(&a.Row, now) {
			all = append(all, change{a, false})
		}
	}
	for _, c := range all {
		if !c.gone {
			if err := store.Put(tx, c.it); err != nil {
				return 0, err
			}
			continue
		}
		if err := release(tx, c.it.ID); err != nil {
			return 0, err
		}
		if err := tx.Delete(store.KindAccount, c.it.ID); err != nil {
			return 0, err
		}
	}
	return len(all), nil
}

// prune takes the days away that no quota looks at any more.
func prune(a *store.Account, now time.Time) bool {
	changed := false
	for day := range a.Days {
		if noon(day).Before(now.AddDate(0, 0, -keepDays)) {
			delete(a.Days, day)
			changed = true
		}
	}
	return changed
}

// release takes an account out of the jobs that are open in it.
func release(tx store.Tx, id string) error {
	var open []job
	for j, err := range store.Find[store.PrintJob](tx, "account", id) {
		if err != nil {
			return err
		}
		open = append(open, j)
	}
	for _, j := range open {
		j.Row.Account = ""
		if err := store.Put(tx, j); err != nil {
			return err
		}
	}
	return nil
}
