// Package retention deletes on time. Each stored field names its class in the
// data inventory; how long a class is kept is dated policy: a rule holds from
// its day on, and the one before it stays written down.
package retention

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"borne/controller/requisition"
	"borne/controller/store"
)

// Rules say how many days each class is kept, from a day on.
type Rules struct {
	From      time.Time
	Usage     int // sessions
	Security  int // receipts, permits
	Account   int // accounts and badge holders without use
	Audit     int // the audit, commands, this log
	Technical int // boots, refusals, alerts
	Traffic   int // traffic data, once a decision is on; 0 for defaultTraffic
	Hold      int // how long a hold may stand at most; 0 for defaultHold
}

const (
	// defaultTraffic is the year that article L. 34-1, II bis, 3° of the CPCE gives.
	defaultTraffic = 365
	// defaultHold is what article 16 of the Budapest Convention on Cybercrime gives for
	// data to be preserved: 90 days, and another hold after it where that is due.
	defaultHold = 90
	maxYear     = 366
)

// HoldDays is how long a hold may stand at most.
func (r Rules) HoldDays() int { return cmp.Or(r.Hold, defaultHold) }

// Days is how long a class is kept; false for one that is not kept for days.
func (r Rules) Days(class string) (int, bool) {
	days, ok := map[string]int{"usage": r.Usage, "security": r.Security, "account": r.Account, "audit": r.Audit, "technical": r.Technical,
		"traffic": cmp.Or(r.Traffic, defaultTraffic)}[class]
	return days, ok
}

// Default is what holds when nothing else was decided.
func Default() Rules {
	return Rules{Usage: 396, Security: 1096, Account: 396, Audit: 366, Technical: 183}
}

// minimum days of a class: below it, the product could not work or prove.
const minimum = 30

// Check refuses rules that would delete what is still needed.
func (r Rules) Check() error {
	for name, days := range map[string]int{"usage": r.Usage, "security": r.Security, "account": r.Account, "audit": r.Audit, "technical": r.Technical} {
		if days < minimum || days > 3660 {
			return fmt.Errorf("cannot keep class %s for %d days: between %d and 3660", name, days, minimum)
		}
	}
	for name, days := range map[string]int{"traffic data": r.Traffic, "held rows": r.Hold} {
		if days < 0 || days > maxYear {
			return fmt.Errorf("cannot keep %s for %d days: at most %d", name, days, maxYear)
		}
	}
	return nil
}

// At returns the rules that hold at a time: the last that began before it, or
// Default.
func At(all []Rules, now time.Time) Rules {
	all = slices.SortedFunc(slices.Values(all), func(x, y Rules) int { return x.From.Compare(y.From) })
	r := Default()
	for _, next := range all {
		if !next.From.After(now) {
			r = next
		}
	}
	return r
}

// Chunk bounds one transaction: terminals must not wait for a purge.
const Chunk = 500

// keepCodes is how long an expired enrolment code stays: long enough to tell
// somebody that it expired, rather than that it never was.
const keepCodes = 24 * time.Hour

// Purge deletes one table's rows that are older than what its class allows.
type Purge struct {
	Class string // usage, security, account, audit, technical, minutes
	Table store.Kind
	// Outlives are classes that its rows outlive when those are kept longer.
	Outlives []string
	// Waits says that its rows have a site and wait while a hold names it with the
	// class. Delete then deletes, of that table, each row that it lists at most once.
	Waits bool
	// Delete takes away at most Chunk rows, and returns how many.
	Delete func(tx store.Tx, before, now time.Time) (int, error)
}

// Tables are the purges of the tables that need nothing but their own rows.
// Other rooms add theirs: see Run.
func Tables() []Purge {
	return []Purge{
		{Class: "usage", Table: store.KindSession, Waits: true, Delete: byTime[store.SessionRow]},
		{Class: "usage", Table: store.KindPrintJob, Waits: true, Delete: byTime[store.PrintJob]},
		{Class: "usage", Table: store.KindGrant, Waits: true, Delete: byTime[store.Grant]},
		{Class: "technical", Table: store.KindPrinter, Waits: true, Delete: printers},
		{Class: "technical", Table: store.KindSupply, Delete: supplies},
		{Class: "security", Table: store.KindReceipt, Waits: true, Delete: byTime[store.ReceiptRow]},
		{Class: "security", Table: store.KindPermit, Waits: true, Delete: permits},
		{Class: "technical", Table: store.KindRecord, Waits: true, Delete: byTime[store.RecordRow]},
		{Class: "account", Table: store.KindUser, Delete: users},
		{Class: "minutes", Table: store.KindCode, Delete: codes},
		{Class: "audit", Table: store.KindCommand, Waits: true, Delete: commands},
		{Class: "audit", Table: store.KindBulk, Delete: byTime[store.Bulk]},
		{Class: "account", Table: store.KindPolicy, Delete: agreements},
		{Class: "audit", Table: store.KindHours, Waits: true, Delete: byTime[store.HoursChange]},
		{Class: "audit", Table: store.KindPolicyChange, Waits: true, Delete: byTime[store.PolicyChange]},
		{Class: "traffic", Table: store.KindTraffic, Waits: true, Delete: traffic},
		{Class: "audit", Table: store.KindHold, Delete: holds},
		{Class: "audit", Table: store.KindPurge, Delete: byTime[store.Purge]},
		// A backup may be as old as what is kept longest of a person: one that is restored
		// erases by this log.
		{Class: "audit", Table: store.KindErasure, Outlives: []string{"account", "usage"}, Delete: byTime[store.Erasure]},
	}
}

// over returns the time up to which a table's rows are over.
func (p Purge) over(r Rules, now time.Time) (time.Time, error) {
	first, err := r.before(p.Class, now)
	for _, class := range p.Outlives {
		t, err2 := r.before(class, now)
		if err = errors.Join(err, err2); t.Before(first) {
			first = t
		}
	}
	return first, err
}

// before returns the time up to which a class is over.
func (r Rules) before(class string, now time.Time) (time.Time, error) {
	days, ok := r.Days(class)
	switch {
	case class == "minutes":
		return now.Add(-keepCodes), nil
	case !ok:
		return time.Time{}, fmt.Errorf("no retention is known for class %q", class)
	}
	return now.AddDate(0, 0, -days), nil
}

// Run deletes everything whose time has passed, and writes what it deleted
// into the log of deletions. It returns how many rows went. A table that fails
// keeps no other one from its purge.
func Run(ctx context.Context, st store.Store, all []Rules, purges []Purge, now time.Time, log *slog.Logger) (int, error) {
	r := At(all, now)
	if err := r.Check(); err != nil {
		return 0, err
	}
	total, failed := 0, error(nil)
	if err := st.Decide(ctx, func(tx store.Tx) error { return requisition.Close(tx, now) }); err != nil {
		failed = fmt.Errorf("cannot note which holds ended: %w", err)
	}
	for _, p := range purges {
		if ctx.Err() != nil {
			return total, errors.Join(failed, fmt.Errorf("cannot delete old rows: %w", context.Cause(ctx)))
		}
		before, err := p.over(r, now)
		n := 0
		if err == nil {
			n, err = p.run(ctx, st, before, now)
		}
		total += n
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("cannot delete old rows of table %s: %w", p.Table, err))
		}
		if n > 0 {
			log.Info("retention deleted rows", "class", p.Class, "table", p.Table, "rows", n, "before", before)
		}
	}
	return total, failed
}

func (p Purge) run(ctx context.Context, st store.Store, before, now time.Time) (int, error) {
	total, rows := 0, map[string][]string{}
	for more := true; more; {
		n := 0
		err := st.Decide(ctx, func(tx store.Tx) (err error) {
			w := &waiting{Tx: tx, table: p.Table, rows: rows}
			if p.Waits {
				all, err := requisition.Now(tx, now)
				if err != nil {
					return err
				}
				w.held = all.Of(p.Class)
			}
			use := tx
			if len(w.held) > 0 {
				use = w
			}
			if n, err = p.Delete(use, before, now); err != nil {
				return err
			}
			more = n >= Chunk
			if n -= w.spare; n > 0 {
				err = p.note(tx, before, now, n)
			}
			if err == nil && !more {
				err = p.noteHeld(tx, before, now, rows)
			}
			return err
		})
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

// note writes the log in the transaction that deletes; chunks of one run add up.
func (p Purge) note(tx store.Tx, before, now time.Time, n int) error {
	id := store.TimeID(now, string(p.Table))
	it, err := store.Get[store.Purge](tx, id)
	if errors.Is(err, store.ErrNotFound) {
		it = store.Item[store.Purge]{Meta: store.Meta{ID: id}, Row: store.Purge{At: now.UTC(), Class: p.Class, What: string(p.Table), Before: before.UTC()}}
	} else if err != nil {
		return err
	}
	it.Row.Count += n
	return store.Put(tx, it)
}

// byTime deletes rows whose ids begin with their time.
func byTime[T store.Row](tx store.Tx, before, _ time.Time) (int, error) {
	return where(tx, "", store.TimeID(before, ""), func(store.Item[T]) bool { return true })
}

func where[T store.Row](tx store.Tx, from, to string, old func(store.Item[T]) bool) (int, error) {
	var z T
	var ids []string
	for it, err := range store.List[T](tx, from, to, false) {
		if err != nil {
			return 0, err
		}
		if len(ids) == Chunk {
			break
		}
		if old(it) {
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

func permits(tx store.Tx, before, _ time.Time) (int, error) {
	// One that was consumed and never proven is evidence against its terminal.
	return where(tx, "", "", func(it store.Item[store.PermitRow]) bool {
		return it.Row.NotAfter.Before(before) && it.Row.State != store.PermitConsumed
	})
}

func codes(tx store.Tx, before, _ time.Time) (int, error) {
	return where(tx, "", "", func(it store.Item[store.EnrolCode]) bool { return it.Row.Expires.Before(before) })
}

func commands(tx store.Tx, before, _ time.Time) (int, error) {
	return where(tx, "", "", func(it store.Item[store.CommandRow]) bool {
		open := it.Row.Status == store.CommandPending || it.Row.Status == store.CommandDelivered
		return it.Row.Issued.Before(before) && (!open || it.Row.NotAfter.Before(before))
	})
}

// printers deletes what was said of a printer that no longer says anything.
func printers(tx store.Tx, before, _ time.Time) (int, error) {
	return where(tx, "", "", func(it store.Item[store.PrinterRow]) bool { return it.Row.At.Before(before) })
}

// supplyDays is how long a printer's levels are kept: the forecast looks back no
// further.
const supplyDays = 60

func supplies(tx store.Tx, before, now time.Time) (int, error) {
	if look := now.AddDate(0, 0, -supplyDays); look.After(before) {
		before = look
	}
	return where(tx, "", store.RollupID(before.UTC().Format(time.DateOnly), ""), func(store.Item[store.SupplyDay]) bool { return true })
}

// administrator is accounts.Administrator.
const administrator = "administrator"

// users deletes accounts that nobody used, but never the administrators: the
// Département must not lock itself out.
func users(tx store.Tx, before, _ time.Time) (int, error) {
	return where(tx, "", "", func(it store.Item[store.User]) bool {
		last := it.Row.LastSeen
		if last.IsZero() {
			last = it.Row.Created
		}
		return last.Before(before) && it.Row.Role != administrator
	})
}
