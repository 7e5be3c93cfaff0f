package retention_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"borne/controller/retention"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

var (
	ctx = context.Background()
	t0  = time.Date(2026, 1, 10, 9, 0, 0, 0, time.UTC)
)

func open(t *testing.T) store.Store {
	t.Helper()
	st, err := bolt.Open(bolt.Config{Dir: t.TempDir(), Apply: func(store.Tx, string, wire.Record) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func put[T store.Row](t *testing.T, st store.Store, rows map[string]T) {
	t.Helper()
	err := st.Decide(ctx, func(tx store.Tx) error {
		for id, r := range rows {
			if err := store.Put(tx, store.Item[T]{Meta: store.Meta{ID: id, Site: "s"}, Row: r}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func count(t *testing.T, st store.Store, k store.Kind) (n int) {
	t.Helper()
	if err := st.View(ctx, func(tx store.Tx) error {
		n = 0
		for range tx.List(k, "", "", false) {
			n++
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return n
}

// TestClockMovesOn lets years pass, and wants each class gone on its day and
// not the day before.
func TestClockMovesOn(t *testing.T) {
	st := open(t)
	rules := []retention.Rules{
		{From: t0.AddDate(-1, 0, 0), Usage: 100, Security: 300, Account: 200, Audit: 400, Technical: 50},
		{From: t0.AddDate(0, 0, 80), Usage: 90, Security: 300, Account: 200, Audit: 400, Technical: 50}, // decided later
	}
	put(t, st, map[string]store.SessionRow{store.TimeID(t0, "a"): {Session: "a", Terminal: "t"}, store.TimeID(t0.AddDate(0, 0, 30), "b"): {Session: "b", Terminal: "t"}})
	put(t, st, map[string]store.ReceiptRow{store.TimeID(t0, "d"): {Terminal: "t", Digest: "d"}})
	put(t, st, map[string]store.RecordRow{store.TimeID(t0, "r"): {Terminal: "t"}})
	put(t, st, map[string]store.PermitRow{
		"proven": {Terminal: "t", NotAfter: t0, State: store.PermitProven}, "owed": {Terminal: "t", NotAfter: t0, State: store.PermitConsumed}})
	put(t, st, map[string]store.CommandRow{"c": {Terminal: "t", Issued: t0, NotAfter: t0, Status: store.CommandDone}})
	put(t, st, map[string]store.EnrolCode{"code": {Expires: t0}})
	put(t, st, map[string]store.User{"gone": {Role: "reception", Created: t0}, "admin": {Role: "administrator", Created: t0},
		"seen": {Role: "reception", Created: t0, LastSeen: t0.AddDate(0, 0, 150)}})

	want := map[store.Kind]int{store.KindSession: 2, store.KindReceipt: 1, store.KindRecord: 1, store.KindPermit: 2, store.KindCommand: 1,
		store.KindCode: 1, store.KindUser: 3}
	for _, step := range []struct {
		day  int
		gone map[store.Kind]int
	}{
		{1, nil},
		{2, map[store.Kind]int{store.KindCode: 1}},
		{50, nil},
		{51, map[store.Kind]int{store.KindRecord: 1}},
		{79, nil},
		{91, map[store.Kind]int{store.KindSession: 1}}, // the new rule: 90 days
		{121, map[store.Kind]int{store.KindSession: 1}},
		{201, map[store.Kind]int{store.KindUser: 1}},
		{301, map[store.Kind]int{store.KindReceipt: 1, store.KindPermit: 1}},
		{401, map[store.Kind]int{store.KindCommand: 1, store.KindUser: 1}},
	} {
		if _, err := retention.Run(ctx, st, rules, retention.Tables(), t0.AddDate(0, 0, step.day), slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		for k, n := range step.gone {
			want[k] -= n
		}
		for k, n := range want {
			if got := count(t, st, k); got != n {
				t.Errorf("day %d: table %s has %d rows, want %d", step.day, k, got, n)
			}
		}
	}
	// Each deletion of the last 400 days is in the log, with its class and count.
	if n := count(t, st, store.KindPurge); n == 0 {
		t.Error("nothing was logged")
	}
	err := st.View(ctx, func(tx store.Tx) error {
		for it, err := range store.List[store.Purge](tx, "", "", false) {
			if err != nil {
				return err
			}
			if it.Row.Count != 1 || it.Row.Class == "" || it.Row.What == "" || it.Row.Before.IsZero() {
				t.Errorf("the log says %+v", it.Row)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAnErasureOutlivesEveryBackup: a backup may be as old as the sessions and the
// accounts that are kept, and its restore erases by this log.
func TestAnErasureOutlivesEveryBackup(t *testing.T) {
	for name, r := range map[string]retention.Rules{
		"accounts": {Usage: 100, Security: 100, Account: 200, Audit: 50, Technical: 50},
		"usage":    {Usage: 200, Security: 100, Account: 100, Audit: 50, Technical: 50},
		"audit":    {Usage: 100, Security: 100, Account: 100, Audit: 200, Technical: 50},
	} {
		st := open(t)
		put(t, st, map[string]store.Erasure{store.TimeID(t0, "holder/a"): {Kind: "holder", Row: "a", At: t0}})
		for _, step := range []struct{ day, left int }{{200, 1}, {201, 0}} {
			run(t, st, r, step.day)
			if n := count(t, st, store.KindErasure); n != step.left {
				t.Errorf("%s, day %d: %d erasures, want %d", name, step.day, n, step.left)
			}
		}
	}
}

func run(t *testing.T, st store.Store, r retention.Rules, day int) {
	t.Helper()
	if _, err := retention.Run(ctx, st, []retention.Rules{r}, retention.Tables(), t0.AddDate(0, 0, day), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
}

// TestATableThatFailsKeepsNoOtherFromItsPurge: rules that nobody can read any more
// are told, and what comes after them goes on its day all the same.
func TestATableThatFailsKeepsNoOtherFromItsPurge(t *testing.T) {
	st := open(t)
	put(t, st, map[string]store.PolicyRow{"broken": {Layer: "site", Doc: []byte(`"no rules"`)}})
	put(t, st, map[string]store.HoursChange{store.TimeID(t0, "h"): {}})
	put(t, st, map[string]store.Erasure{store.TimeID(t0, "holder/a"): {Kind: "holder", Row: "a", At: t0}})
	n, err := retention.Run(ctx, st, nil, append(retention.Tables(), retention.Purge{Class: "nothing", Table: store.KindSite}), t0.AddDate(3, 0, 0), slog.New(slog.DiscardHandler))
	if n != 2 || count(t, st, store.KindHours) != 0 || count(t, st, store.KindErasure) != 0 {
		t.Errorf("%d rows went; hours %d, erasures %d", n, count(t, st, store.KindHours), count(t, st, store.KindErasure))
	}
	for _, want := range []string{"the rules of broken", `class "nothing"`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not tell %q", err, want)
		}
	}
}

func TestManyRowsGoInChunksAndAddUp(t *testing.T) {
	st := open(t)
	rows := map[string]store.RecordRow{}
	for i := range 2*retention.Chunk + 3 {
		rows[store.TimeID(t0, fmt.Sprintf("%05d", i))] = store.RecordRow{Terminal: "t"}
	}
	put(t, st, rows)
	now := t0.AddDate(2, 0, 0)
	n, err := retention.Run(ctx, st, nil, retention.Tables(), now, slog.New(slog.DiscardHandler))
	if err != nil || n != len(rows) {
		t.Fatalf("%d rows went of %d: %v", n, len(rows), err)
	}
	err = st.View(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.Purge](tx, store.TimeID(now, "record"))
		if err == nil && it.Row.Count != len(rows) {
			t.Errorf("the log says %d of %d", it.Row.Count, len(rows))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRulesAreDated(t *testing.T) {
	a, b := retention.Rules{From: t0, Usage: 40}, retention.Rules{From: t0.AddDate(1, 0, 0), Usage: 50}
	for _, c := range []struct {
		at   time.Time
		want int
	}{{t0.Add(-1), retention.Default().Usage}, {t0, 40}, {b.From.Add(-1), 40}, {b.From, 50}} {
		if got := retention.At([]retention.Rules{b, a}, c.at).Usage; got != c.want {
			t.Errorf("at %v usage is %d days, want %d", c.at, got, c.want)
		}
	}
	if err := retention.Default().Check(); err != nil {
		t.Error(err)
	}
	if _, err := retention.Run(ctx, open(t), []retention.Rules{{Usage: 1}}, nil, t0, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("a class of one day is taken")
	}
}
