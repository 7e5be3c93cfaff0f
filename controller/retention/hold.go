package retention

import (
	"encoding/json"
	"errors"
	"iter"
	"maps"
	"slices"
	"time"

	"borne/controller/requisition"
	"borne/controller/store"
)

// waiting is a transaction in which rows of one table that a hold names do not go. A
// purge sees each of them once, deletes it in vain, and sees it no more: by that it
// is known how many should have gone.
type waiting struct {
	store.Tx
	table store.Kind
	held  requisition.Held
	rows  map[string][]string // by id of a row: the holds that it waits for; kept between chunks
	spare int                 // deletions in vain, in this transaction
}

func (w *waiting) Delete(k store.Kind, id string) error {
	if k != w.table {
		return w.Tx.Delete(k, id)
	}
	m, _, err := w.Tx.Get(k, id)
	if err != nil {
		return err
	}
	on := w.held.On(m.Site)
	if len(on) == 0 {
		return w.Tx.Delete(k, id)
	}
	if w.rows[id] == nil {
		for _, h := range on {
			w.rows[id] = append(w.rows[id], h.ID)
		}
	}
	w.spare++
	return nil
}

// List hides the rows of which it is known already that they wait.
func (w *waiting) List(k store.Kind, from, to string, desc bool) iter.Seq2[store.Meta, json.RawMessage] {
	rows := w.Tx.List(k, from, to, desc)
	if k != w.table {
		return rows
	}
	return func(yield func(store.Meta, json.RawMessage) bool) {
		for m, doc := range rows {
			if w.rows[m.ID] == nil && !yield(m, doc) {
				return
			}
		}
	}
}

// Waiting are the tables whose rows can wait for a hold, those that have a site, with
// the class that a hold has to name.
func Waiting(purges []Purge) map[store.Kind]string {
	all := map[store.Kind]string{}
	for _, p := range purges {
		if p.Waits {
			all[p.Table] = p.Class
		}
	}
	return all
}

// noteHeld tells once a day, in the log of deletions, how many rows of a table should
// have gone and wait for which holds.
func (p Purge) noteHeld(tx store.Tx, before, now time.Time, rows map[string][]string) error {
	if len(rows) == 0 {
		return nil
	}
	holds := map[string]bool{}
	for _, ids := range rows {
		for _, id := range ids {
			holds[id] = true
		}
	}
	id := store.TimeID(now.UTC().Truncate(24*time.Hour), string(p.Table)+"-held")
	it, err := store.Get[store.Purge](tx, id)
	if errors.Is(err, store.ErrNotFound) {
		it.Meta, err = store.Meta{ID: id}, nil
	}
	if err != nil {
		return err
	}
	row := store.Purge{At: now.UTC(), Class: p.Class, What: string(p.Table), Before: before.UTC(), Held: len(rows), Holds: slices.Sorted(maps.Keys(holds))}
	if it.Rev > 0 && it.Row.Held == row.Held && slices.Equal(it.Row.Holds, row.Holds) {
		return nil
	}
	it.Row = row
	return store.Put(tx, it)
}

// traffic deletes traffic data on its day, and all of it once a decision is against
// keeping any: what a hold names waits even then.
func traffic(tx store.Tx, before, now time.Time) (int, error) {
	d, err := requisition.Traffic(tx)
	if err != nil {
		return 0, err
	}
	if !d.On {
		return where(tx, "", "", func(store.Item[store.Traffic]) bool { return true })
	}
	return byTime[store.Traffic](tx, before, now)
}

// holds deletes holds that were over before a time.
func holds(tx store.Tx, before, _ time.Time) (int, error) {
	return where(tx, "", "", func(it store.Item[store.Hold]) bool {
		over := it.Row.Closed
		if !it.Row.LiftedAt.IsZero() {
			over = it.Row.LiftedAt
		}
		return !over.IsZero() && over.Before(before)
	})
}
