package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"borne/controller/store"
	"borne/controller/wire"
)

func testReplay(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	grant(t, s, "t", 1)
	for _, b := range []wire.Batch{batch(1, 1, 3), batch(1, 1, 3), batch(1, 2, 5), batch(1, 5, 5)} {
		ingest(t, s, "t", b)
	}
	if c := ingest(t, s, "t", batch(1, 4, 6)); c != (store.Cursor{Epoch: 1, Seq: 6}) {
		t.Errorf("cursor %+v", c)
	}
	expectRecords(t, s, "t", 1, 6, 0)
}

// expectRecords checks that each record is there once, and that no record of a
// replay was kept apart because it came twice.
func expectRecords(t *testing.T, s store.Store, terminal string, epoch, last, gaps uint64) {
	t.Helper()
	decide(t, s, func(tx store.Tx) error {
		c, err := tx.Cursor(terminal)
		must(t, err)
		n := uint64(0)
		for range tx.ByIndex(store.KindSession, "terminal", terminal, "", "", false) {
			n++
		}
		if c.Epoch != epoch || c.Seq != last || c.Gaps != gaps || n != last-gaps {
			t.Errorf("%s: cursor %+v and %d records, want epoch %d, %d records and %d gaps", terminal, c, n, epoch, last-gaps, gaps)
		}
		for m := range tx.List(store.KindRecord, "", "", false) {
			t.Errorf("%s was applied twice", m.ID)
		}
		return nil
	})
}

func testGaps(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	grant(t, s, "t", 1)
	ingest(t, s, "t", batch(1, 1, 2))
	if c := ingest(t, s, "t", batch(1, 5, 6)); c != (store.Cursor{Epoch: 1, Seq: 6, Gaps: 2}) {
		t.Errorf("cursor %+v", c)
	}
	ingest(t, s, "t", batch(1, 3, 4)) // too late: they are at or below the cursor
	expectRecords(t, s, "t", 1, 6, 2)
}

func testEpochs(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	if _, err := s.Ingest(t.Context(), "t", batch(1, 1, 1)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("records without an epoch granted: %v", err)
	}
	grant(t, s, "t", 1)
	ingest(t, s, "t", batch(1, 1, 9))
	grant(t, s, "t", 2)
	if _, err := s.Ingest(t.Context(), "t", batch(1, 10, 10)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("records of the epoch before: %v", err)
	}
	if c := ingest(t, s, "t", batch(2, 1, 2)); c != (store.Cursor{Epoch: 2, Seq: 2}) {
		t.Errorf("cursor %+v", c)
	}
	mixed := batch(2, 3, 4)
	mixed.Records[1].Epoch = 1
	if _, err := s.Ingest(t.Context(), "t", mixed); !errors.Is(err, store.ErrConflict) {
		t.Errorf("two epochs in a batch: %v", err)
	}
}

// testEpochRace: whatever was acknowledged under an epoch is applied under it.
func testEpochRace(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	grant(t, s, "t", 1)
	acked := map[uint64]uint64{}
	var wg sync.WaitGroup
	wg.Go(func() {
		for epoch := uint64(1); epoch <= 4; {
			c, err := s.Ingest(context.Background(), "t", batch(epoch, acked[epoch]+1, acked[epoch]+1))
			switch {
			case errors.Is(err, store.ErrConflict):
				epoch++
			case err != nil:
				t.Error(err)
				return
			default:
				acked[epoch] = c.Seq
			}
		}
	})
	for epoch := uint64(2); epoch <= 5; epoch++ {
		grant(t, s, "t", epoch)
	}
	wg.Wait()
	decide(t, s, func(tx store.Tx) error {
		for epoch, n := range acked {
			if got := ids(tx, store.KindSession, fmt.Sprintf("t/%d/", epoch), fmt.Sprintf("t/%d/~", epoch), false); uint64(len(got)) != n {
				t.Errorf("epoch %d: %d records, %d were acknowledged", epoch, len(got), n)
			}
		}
		return nil
	})
}

func testBadRecord(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	grant(t, s, "t", 1)
	decide(t, s, func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.Terminal]{Meta: store.Meta{ID: "t", Site: "s1", Scope: "e1"}})
	})
	b := batch(1, 1, 3)
	b.Records[1].Kind = "bad"
	ingest(t, s, "t", b)
	decide(t, s, func(tx store.Tx) error {
		if got := ids(tx, store.KindSession, "", "", false); len(got) != 2 {
			t.Errorf("one bad record among three leaves %v", got)
		}
		n := 0
		for it, err := range store.List[store.RecordRow](tx, "", "", false) {
			must(t, err)
			if n++; it.Row.Record.Seq != 2 || it.Row.Record.Kind != "bad" || it.Site != "s1" || it.Scope != "t" {
				t.Errorf("kept %+v", it)
			}
		}
		if n != 1 {
			t.Errorf("%d bad records kept, want 1", n)
		}
		return nil
	})
}
