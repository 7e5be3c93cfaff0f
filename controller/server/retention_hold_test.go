package server

import (
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"borne/controller/requisition"
	"borne/controller/retention"
	"borne/controller/store"
	"borne/controller/store/bolt"
)

// years is a store in which each class has a row of day 0 on the sites held and free,
// and a clock.
type years struct {
	t     *testing.T
	st    store.Store
	rules retention.Rules
	gone  map[string]int // by table/site: the day on which its row was seen gone
}

var day0 = time.Date(2026, 1, 10, 9, 0, 0, 0, time.UTC)

func day(n int) time.Time { return day0.AddDate(0, 0, n) }

// due are the tables whose rows have a site, with the day on which each goes by the
// rules of newYears.
func due() map[store.Kind]int {
	return map[store.Kind]int{
		store.KindRecord: 51, store.KindPrinter: 51, store.KindMatter: 51, // technical
		store.KindSession: 101, store.KindPrintJob: 101, store.KindGrant: 101, // usage
		store.KindTraffic: 151,
		store.KindHolder:  222,                        // account: 200 days, and the month of its last use is over
		store.KindReceipt: 301, store.KindPermit: 301, // security
		store.KindCommand: 401, store.KindHours: 401, store.KindPolicyChange: 401, // audit
	}
}

func newYears(t *testing.T) *years {
	t.Helper()
	st, err := bolt.Open(bolt.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	y := &years{t: t, st: st, rules: retention.Rules{Usage: 100, Security: 300, Account: 200, Audit: 400, Technical: 50, Traffic: 150, Hold: 300}, gone: map[string]int{}}
	y.decide(func(tx store.Tx) error {
		err := errors.Join(
			one(tx, "", "controller", store.Setting{Generation: 1}),
			one(tx, "", store.TrafficDecisionID, store.TrafficDecision{On: true}),
			one(tx, "", "2026-01", store.MonthKey{Key: []byte("k")}),
			one(tx, "", "ask", store.User{Role: "administrator", Created: day(-9)}), one(tx, "", "confirm", store.User{Role: "dpo", Created: day(-9)}))
		for _, s := range []string{"held", "free"} {
			id := store.TimeID(day0, s)
			err = errors.Join(err,
				one(tx, s, s, store.Site{Name: s}),
				one(tx, s, id, store.SessionRow{Session: s, Terminal: "t"}), one(tx, s, id, store.PrintJob{Job: s}), one(tx, s, id, store.Grant{Session: s}),
				one(tx, s, id, store.ReceiptRow{Terminal: "t", Digest: s}), one(tx, s, id, store.PermitRow{Terminal: "t", NotAfter: day0, State: store.PermitProven}),
				one(tx, s, id, store.RecordRow{Terminal: "t"}), one(tx, s, id, store.PrinterRow{At: day0}), one(tx, s, id, store.Matter{Ended: day0}),
				one(tx, s, id, store.CommandRow{Terminal: "t", Issued: day0, NotAfter: day0, Status: store.CommandDone}),
				one(tx, s, id, store.HoursChange{}), one(tx, s, id, store.PolicyChange{}),
				one(tx, s, id, store.Holder{Seen: "2026-01", Created: day0}), one(tx, s, id, store.Traffic{Session: s}))
		}
		return err
	})
	return y
}

func one[T store.Row](tx store.Tx, site, id string, row T) error {
	return store.Put(tx, store.Item[T]{Meta: store.Meta{ID: id, Site: site}, Row: row})
}

func (y *years) decide(fn func(store.Tx) error) {
	y.t.Helper()
	if err := y.st.Decide(ctx, fn); err != nil {
		y.t.Fatal(err)
	}
}

// run lets retention run on a day, and notes what is gone then.
func (y *years) run(n int) {
	y.t.Helper()
	if _, err := retention.Run(ctx, y.st, []retention.Rules{y.rules}, purges(), day(n), slog.New(slog.DiscardHandler)); err != nil {
		y.t.Fatalf("day %d: %v", n, err)
	}
	y.decide(func(tx store.Tx) error {
		for k := range due() {
			for _, s := range []string{"held", "free"} {
				key := string(k) + "/" + s
				_, _, err := tx.Get(k, store.TimeID(day0, s))
				if errors.Is(err, store.ErrNotFound) && y.gone[key] == 0 {
					y.gone[key] = n
				} else if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
			}
		}
		return nil
	})
}

// hold asks for a hold of the site held and confirms it.
func (y *years) hold(from, to int, classes ...string) (id string) {
	y.t.Helper()
	y.decide(func(tx store.Tx) error {
		h, err := requisition.Ask(tx, store.Hold{Reference: "PV 2026/1", Authority: "Parquet", Sites: []string{"held"}, Classes: classes, Begins: day(from), Ends: day(to), AskedBy: "ask"},
			y.rules.HoldDays(), day(from), day(from))
		if err == nil {
			id = h.ID
			_, err = requisition.Confirm(tx, h.ID, "confirm", day(from))
		}
		return err
	})
	return id
}

// through runs on the day before each of these days, and on it.
func (y *years) through(from int, days ...int) {
	for d := range maps.Values(due()) {
		days = append(days, d)
	}
	for _, d := range slices.Compact(slices.Sorted(slices.Values(days))) {
		if d > from {
			y.run(d - 1)
			y.run(d)
		}
	}
}

func (y *years) check(name string, want func(k store.Kind, site string, due int) int) {
	y.t.Helper()
	for k, d := range due() {
		for _, s := range []string{"held", "free"} {
			if got := y.gone[string(k)+"/"+s]; got != want(k, s, d) {
				y.t.Errorf("%s: the row of %s on %s went on day %d, want %d", name, k, s, got, want(k, s, d))
			}
		}
	}
}

// TestEachClassGoesOnItsDay, and not the day before.
func TestEachClassGoesOnItsDay(t *testing.T) {
	y := newYears(t)
	y.through(0)
	y.check("without a hold", func(_ store.Kind, _ string, due int) int { return due })
	waiting := retention.Waiting(purges())
	for k := range due() {
		if waiting[k] == "" {
			t.Errorf("rows of %s have a site and wait for no hold", k)
		}
	}
	if len(waiting) != len(due()) {
		t.Errorf("of %v only %d are tested", waiting, len(due()))
	}
}

// TestEachClassWaitsForAHold: exactly the rows of the site and classes that it names,
// and the month's key not. On the day on which it ends what was due goes, what is due
// later goes on its own day, and the log told of those that waited.
func TestEachClassWaitsForAHold(t *testing.T) {
	const from, to = 40, 330
	y := newYears(t)
	y.run(from)
	id := y.hold(from, to, requisition.Classes()...)
	y.through(from, to)
	y.check("with a hold", func(_ store.Kind, site string, due int) int {
		if site == "held" && due < to {
			return to
		}
		return due
	})
	held := map[string]int{}
	y.decide(func(tx store.Tx) error {
		clear(held)
		for it, err := range store.List[store.Purge](tx, "", "", false) {
			if err != nil {
				return err
			}
			if it.Row.Held == 0 {
				continue
			}
			held[it.Row.What]++
			if it.Row.Held != 1 || it.Row.Count != 0 || !slices.Equal(it.Row.Holds, []string{id}) || it.Row.At.Before(day(from)) || !it.Row.At.Before(day(to)) {
				t.Errorf("the log says %+v", it.Row)
			}
		}
		if _, err := store.Get[store.MonthKey](tx, "2026-01"); !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("the key of a month waited: %w", err)
		}
		h, err := store.Get[store.Hold](tx, id)
		if err == nil && h.Row.Closed.IsZero() {
			t.Error("nobody noted that the hold ended by itself")
		}
		return err
	})
	for k, d := range due() {
		if told := held[string(k)] > 0; told != (d < to) {
			t.Errorf("%s is due on day %d, and the log tells that it waited: %v", k, d, told)
		}
	}
	t.Logf("days on which the log told of a waiting row, by table: %v", held)
}

// TestAHoldOfOneClassHoldsNoOther, and one that is lifted holds nothing from the next
// run on.
func TestAHoldOfOneClassHoldsNoOther(t *testing.T) {
	y := newYears(t)
	y.run(40)
	id := y.hold(40, 330, "usage")
	for _, d := range []int{51, 101} {
		y.run(d)
	}
	y.decide(func(tx store.Tx) error { _, err := requisition.Lift(tx, id, "ask", day(119)); return err })
	y.run(119) // one person alone lets nothing go
	y.decide(func(tx store.Tx) error { _, err := requisition.Lift(tx, id, "confirm", day(120)); return err })
	y.through(120, 121)
	y.check("lifted", func(k store.Kind, site string, due int) int {
		if site == "held" && due == 101 {
			return 120
		}
		return due
	})
}

// TestManyHeldRowsAndManyThatGo: more than one chunk of each, mixed.
func TestManyHeldRowsAndManyThatGo(t *testing.T) {
	y := newYears(t)
	y.decide(func(tx store.Tx) error {
		for i := range 2*retention.Chunk + 7 {
			for _, s := range []string{"held", "free"} {
				if err := one(tx, s, store.TimeID(day0.Add(time.Duration(i+1)*time.Second), s), store.RecordRow{Terminal: "t"}); err != nil {
					return err
				}
			}
		}
		return nil
	})
	y.run(40)
	y.hold(40, 60, "technical")
	count := func() (n int) {
		y.decide(func(tx store.Tx) error {
			n = 0
			for range tx.List(store.KindRecord, "", "", false) {
				n++
			}
			return nil
		})
		return n
	}
	const each = 2*retention.Chunk + 8
	for _, step := range []struct{ day, left int }{{50, 2 * each}, {52, each}, {53, each}, {60, 0}} {
		if y.run(step.day); count() != step.left {
			t.Errorf("day %d: %d rows, want %d", step.day, count(), step.left)
		}
	}
	y.decide(func(tx store.Tx) error {
		it, err := store.Get[store.Purge](tx, store.TimeID(day(53).Truncate(24*time.Hour), "record-held"))
		if err == nil && it.Row.Held != each {
			t.Errorf("the log says that %d wait", it.Row.Held)
		}
		return err
	})
}
