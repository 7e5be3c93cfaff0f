package audit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"borne/controller/audit"
	"borne/controller/store"
	"borne/controller/store/bolt"
	"borne/controller/wire"
)

var t0 = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

func open(t *testing.T) store.Store {
	t.Helper()
	st, err := bolt.Open(bolt.Config{Dir: t.TempDir(), Apply: func(store.Tx, string, wire.Record) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

func decide(t *testing.T, st store.Store, fn func(store.Tx) error) {
	t.Helper()
	if err := st.Decide(context.Background(), fn); err != nil {
		t.Fatal(err)
	}
}

func fill(t *testing.T, st store.Store, n int) {
	t.Helper()
	decide(t, st, func(tx store.Tx) error {
		for i := range n {
			e := audit.Entry{At: t0.Add(time.Duration(i) * time.Hour), Actor: "u1", Action: "policy.changed", Site: "s1", Target: fmt.Sprint("t", i), Detail: "hours"}
			if err := audit.Append(tx, e); err != nil {
				return err
			}
		}
		return nil
	})
}

func verify(t *testing.T, st store.Store, want *audit.Head) (audit.Head, error) {
	t.Helper()
	var h audit.Head
	var verr error
	if err := st.View(context.Background(), func(tx store.Tx) error { h, verr = audit.Verify(tx, want); return nil }); err != nil {
		t.Fatal(err)
	}
	return h, verr
}

func TestChainHolds(t *testing.T) {
	st := open(t)
	if h, err := verify(t, st, nil); err != nil || h.Seq != 0 {
		t.Errorf("an empty audit: %v, %v", h, err)
	}
	fill(t, st, 5)
	h, err := verify(t, st, nil)
	if err != nil || h.Seq != 5 {
		t.Fatalf("head %v, %v", h, err)
	}
	again, err := audit.ParseHead(h.String())
	if err != nil || again.String() != h.String() {
		t.Errorf("ParseHead(%q) = %v, %v", h, again, err)
	}
	fill(t, st, 1)
	if _, err := verify(t, st, &again); err != nil {
		t.Errorf("the chain grew, and no longer fits the head noted before: %v", err)
	}
	for _, s := range []string{"", "5", "x:00", "5:zz", "5:00"} {
		if _, err := audit.ParseHead(s); err == nil {
			t.Errorf("ParseHead(%q) gives no error", s)
		}
	}
}

// swap puts two entries into each other's places.
func swap(a, b int) func(store.Tx) error {
	return func(tx store.Tx) error {
		x, err := store.Get[store.AuditEntry](tx, fmt.Sprintf("%020d", a))
		if err != nil {
			return err
		}
		y, err := store.Get[store.AuditEntry](tx, fmt.Sprintf("%020d", b))
		if err != nil {
			return err
		}
		x.Row, y.Row = y.Row, x.Row
		return errors.Join(store.Put(tx, x), store.Put(tx, y))
	}
}

// TestTampering changes, removes and moves entries the way somebody with the
// file in hands could, and wants the place named.
func TestTampering(t *testing.T) {
	change := func(fn func(*store.Item[store.AuditEntry])) func(store.Tx) error {
		return func(tx store.Tx) error {
			return store.Update(tx, fmt.Sprintf("%020d", 3), func(it *store.Item[store.AuditEntry]) error { fn(it); return nil })
		}
	}
	for name, c := range map[string]struct {
		do  func(store.Tx) error
		seq uint64
	}{
		"detail": {change(func(it *store.Item[store.AuditEntry]) { it.Row.Detail = "session" }), 3},
		"actor":  {change(func(it *store.Item[store.AuditEntry]) { it.Row.Actor = "u2" }), 3},
		"time":   {change(func(it *store.Item[store.AuditEntry]) { it.Row.At = it.Row.At.Add(time.Minute) }), 3},
		"site":   {change(func(it *store.Item[store.AuditEntry]) { it.Site = "s2" }), 3},
		"fields": {change(func(it *store.Item[store.AuditEntry]) { it.Row.Target, it.Row.Detail = "t2h", "ours" }), 3},
		"prev":   {change(func(it *store.Item[store.AuditEntry]) { it.Row.Prev[0] ^= 1 }), 3},
		"hash":   {change(func(it *store.Item[store.AuditEntry]) { it.Row.Hash[0] ^= 1 }), 3},
		"last detail": {func(tx store.Tx) error {
			return store.Update(tx, fmt.Sprintf("%020d", 5), func(it *store.Item[store.AuditEntry]) error { it.Row.Detail = "session"; return nil })
		}, 5},
		"last removed":     {func(tx store.Tx) error { return tx.Delete(store.KindAudit, fmt.Sprintf("%020d", 5)) }, 5},
		"last two swapped": {swap(4, 5), 4},
		"two swapped":      {swap(2, 3), 2},
		"all removed": {func(tx store.Tx) error {
			var err error
			for i := range 5 {
				err = errors.Join(err, tx.Delete(store.KindAudit, fmt.Sprintf("%020d", i+1)))
			}
			return err
		}, 1},
		"removed": {func(tx store.Tx) error { return tx.Delete(store.KindAudit, fmt.Sprintf("%020d", 3)) }, 3},
		"first removed": {func(tx store.Tx) error {
			return errors.Join(tx.Delete(store.KindAudit, fmt.Sprintf("%020d", 1)), tx.Delete(store.KindAudit, fmt.Sprintf("%020d", 2)))
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			st := open(t)
			fill(t, st, 5)
			decide(t, st, c.do)
			_, err := verify(t, st, nil)
			var b *audit.Broken
			if !errors.As(err, &b) || !errors.Is(err, audit.ErrBroken) || b.Seq != c.seq {
				t.Errorf("Verify gives %v, want entry %d named", err, c.seq)
			}
		})
	}
}

func TestNotedHeadShowsACutTailAndANewChain(t *testing.T) {
	st, other := open(t), open(t)
	fill(t, st, 5)
	h, _ := verify(t, st, nil)
	var b *audit.Broken
	decide(t, st, func(tx store.Tx) error { // with the end that is noted in the store itself
		four, err := store.Get[store.AuditEntry](tx, fmt.Sprintf("%020d", 4))
		if err != nil {
			return err
		}
		return errors.Join(tx.Delete(store.KindAudit, fmt.Sprintf("%020d", 5)), store.Update(tx, store.AuditHeadID, func(it *store.Item[store.AuditHead]) error {
			it.Row = store.AuditHead{Seq: 4, Hash: four.Row.Hash}
			return nil
		}))
	})
	if _, err := verify(t, st, nil); err != nil {
		t.Errorf("a tail that was cut with its noted end cannot show without a head noted elsewhere, yet: %v", err)
	}
	if _, err := verify(t, st, &h); !errors.As(err, &b) || b.Seq != 5 {
		t.Errorf("a cut tail gives %v", err)
	}
	fill(t, other, 4)
	decide(t, other, func(tx store.Tx) error { return audit.Append(tx, audit.Entry{At: t0, Actor: "u9", Action: "anew"}) })
	if _, err := verify(t, other, &h); !errors.As(err, &b) || b.Seq != 5 {
		t.Errorf("a chain written anew gives %v", err)
	}
}

// TestCutTailShows: the newest entries are noted apart, and what comes after them
// does not hide that they are gone.
func TestCutTailShows(t *testing.T) {
	st := open(t)
	fill(t, st, 5)
	cut := func(n int) func(store.Tx) error {
		return func(tx store.Tx) error { return tx.Delete(store.KindAudit, fmt.Sprintf("%020d", n)) }
	}
	var b *audit.Broken
	decide(t, st, cut(5))
	if _, err := verify(t, st, nil); !errors.As(err, &b) || b.Seq != 5 {
		t.Errorf("without the last: %v", err)
	}
	decide(t, st, cut(4))
	if _, err := verify(t, st, nil); !errors.As(err, &b) || b.Seq != 4 {
		t.Errorf("without the last two: %v", err)
	}
	fill(t, st, 2)
	if _, err := verify(t, st, nil); !errors.As(err, &b) || b.Seq != 4 {
		t.Errorf("later entries hide it: %v", err)
	}
	decide(t, st, func(tx store.Tx) error { return tx.Delete(store.KindHead, store.AuditHeadID) })
	if _, err := verify(t, st, nil); !errors.Is(err, audit.ErrBroken) {
		t.Errorf("without the noted end: %v", err)
	}
}

func TestPurgeKeepsTheChainProvable(t *testing.T) {
	st := open(t)
	fill(t, st, 6)
	before, _ := verify(t, st, nil)
	var n int
	decide(t, st, func(tx store.Tx) (err error) {
		n, err = audit.Purge(tx, t0.Add(3*time.Hour), t0.AddDate(3, 0, 0))
		return err
	})
	if n != 3 {
		t.Errorf("%d entries went, want 3", n)
	}
	if _, err := verify(t, st, &before); err != nil {
		t.Errorf("after a purge: %v", err)
	}
	decide(t, st, func(tx store.Tx) (err error) {
		n, err = audit.Purge(tx, t0.AddDate(9, 0, 0), t0.AddDate(9, 0, 0))
		return err
	})
	// A head that was noted before what is kept accuses nobody.
	if _, err := verify(t, st, &audit.Head{Seq: 2, Hash: before.Hash}); !errors.Is(err, audit.ErrOld) || errors.Is(err, audit.ErrBroken) {
		t.Errorf("an old head: %v", err)
	}
	if h, err := verify(t, st, nil); err != nil || n != 3 || h.Seq != 8 {
		t.Errorf("after a second purge (%d went): %v, %v", n, h, err)
	}
	// Somebody who cuts one more than the purge says so.
	decide(t, st, func(tx store.Tx) error { return tx.Delete(store.KindAudit, fmt.Sprintf("%020d", 7)) })
	if _, err := verify(t, st, nil); !errors.Is(err, audit.ErrBroken) {
		t.Errorf("a cut after a purge gives %v", err)
	}
}

// TestForgedEntryWithItsOwnHash puts an entry in that is sound by itself: only
// the one after it tells.
func TestForgedEntryWithItsOwnHash(t *testing.T) {
	st, other := open(t), open(t)
	fill(t, st, 5)
	fill(t, other, 2)
	decide(t, other, func(tx store.Tx) error {
		return audit.Append(tx, audit.Entry{At: t0.Add(2 * time.Hour), Actor: "u9", Action: "policy.changed", Site: "s1", Target: "t2", Detail: "hours"})
	})
	id := fmt.Sprintf("%020d", 3)
	var forged store.Item[store.AuditEntry]
	decide(t, other, func(tx store.Tx) (err error) { forged, err = store.Get[store.AuditEntry](tx, id); return err })
	decide(t, st, func(tx store.Tx) error {
		return store.Update(tx, id, func(it *store.Item[store.AuditEntry]) error { it.Row = forged.Row; return nil })
	})
	var b *audit.Broken
	if _, err := verify(t, st, nil); !errors.As(err, &b) || b.Seq != 4 {
		t.Errorf("a forged entry gives %v", err)
	}
}
