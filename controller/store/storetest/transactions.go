package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"

	"borne/controller/store"
)

func testDecideUndone(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	stop := errors.New("stop")
	err := s.Decide(t.Context(), func(tx store.Tx) error {
		must(t, put(store.KindSite, "a", `{}`)(tx))
		must(t, tx.SetCursor("t", store.Cursor{Epoch: 7}))
		return stop
	})
	if !errors.Is(err, stop) {
		t.Errorf("Decide = %v", err)
	}
	func() {
		defer func() { _ = recover() }()
		_ = s.Decide(t.Context(), func(tx store.Tx) error {
			must(t, put(store.KindSite, "b", `{}`)(tx))
			panic("in a transaction")
		})
	}()
	must(t, s.View(t.Context(), func(tx store.Tx) error {
		if got := ids(tx, store.KindSite, "", "", false); len(got) > 0 {
			t.Errorf("left behind: %v", got)
		}
		if c, _ := tx.Cursor("t"); c != (store.Cursor{}) {
			t.Errorf("cursor left behind: %+v", c)
		}
		return nil
	}))
	if _, err := s.Ingest(t.Context(), "t", batch(7, 1, 1)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an epoch that was never granted is taken: %v", err)
	}
	decide(t, s, put(store.KindSite, "c", `{}`)) // the store still works
}

func testSerializable(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	decide(t, s, put(store.KindSite, "n", `0`))
	const people, times = 8, 12
	var wg sync.WaitGroup
	for range people {
		wg.Go(func() {
			for range times {
				if err := s.Decide(context.Background(), func(tx store.Tx) error {
					m, doc, err := tx.Get(store.KindSite, "n")
					if err != nil {
						return err
					}
					var n int
					if err := json.Unmarshal(doc, &n); err != nil {
						return err
					}
					return tx.Put(store.KindSite, m, json.RawMessage(fmt.Sprint(n+1)))
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	must(t, s.View(t.Context(), func(tx store.Tx) error {
		if _, doc, _ := tx.Get(store.KindSite, "n"); string(doc) != fmt.Sprint(people*times) {
			t.Errorf("counted %s, want %d", doc, people*times)
		}
		return nil
	}))
}

func testSees(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	grant(t, s, "t", 1)
	for n := uint64(1); n <= 30; n++ {
		c := ingest(t, s, "t", batch(1, n, n))
		decide(t, s, func(tx store.Tx) error {
			got, err := tx.Cursor("t")
			must(t, err)
			if got != c || len(ids(tx, store.KindSession, "", "", false)) != int(n) {
				t.Errorf("Decide sees cursor %+v after %+v was acknowledged", got, c)
			}
			return nil
		})
	}
}

func testSnapshot(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	must(t, s.View(t.Context(), func(tx store.Tx) error {
		decideDone := make(chan error, 1)
		go func() { decideDone <- s.Decide(context.Background(), put(store.KindSite, "a", `{}`)) }()
		must(t, <-decideDone)
		if got := ids(tx, store.KindSite, "", "", false); len(got) > 0 {
			t.Errorf("a snapshot changes: %v", got)
		}
		return nil
	}))
}
