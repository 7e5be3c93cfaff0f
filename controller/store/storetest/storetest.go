// Package storetest is the conformance suite that every backend of the store
// passes.
package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// Open opens a backend in dir. It is called again on the same dir to see what
// a restart finds.
type Open func(dir string, apply store.Applier) (store.Store, error)

// Run runs the suite. The test binary's TestMain must call Child first.
func Run(t *testing.T, open Open) {
	for name, test := range map[string]func(*testing.T, Open){
		"Rows": testRows, "Revisions": testRevisions, "List": testList, "Index": testIndex, "ListWhileChanging": testListWhileChanging,
		"DecideUndone": testDecideUndone, "DecideSerializable": testSerializable, "DecideSeesAcknowledged": testSees,
		"Snapshot": testSnapshot, "Replay": testReplay, "Gaps": testGaps, "Epochs": testEpochs, "EpochWhileIngesting": testEpochRace,
		"BadRecord": testBadRecord, "Restart": testRestart, "Crash": testCrash, "Backup": testBackup, "Typed": testTyped,
	} {
		t.Run(name, func(t *testing.T) { test(t, open) })
	}
}

// Apply counts each terminal's records, and writes each under its place: a
// record applied twice gives a conflict.
func Apply(tx store.Tx, terminal string, r wire.Record) error {
	if r.Kind == "bad" {
		return errors.New("cannot apply: this one is bad")
	}
	id := fmt.Sprintf("%s/%d/%06d", terminal, r.Epoch, r.Seq)
	return tx.Put(store.KindSession, store.Meta{ID: id, Site: "s", Scope: terminal}, r.Body, store.Index{Name: "terminal", Value: terminal})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func start(t *testing.T, open Open, dir string) store.Store {
	t.Helper()
	s, err := open(dir, Apply)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

func decide(t *testing.T, s store.Store, fn func(store.Tx) error) {
	t.Helper()
	must(t, s.Decide(t.Context(), fn))
}

func batch(epoch, from, to uint64) wire.Batch {
	b := wire.Batch{Epoch: epoch}
	for n := from; n <= to; n++ {
		b.Records = append(b.Records, wire.Record{Epoch: epoch, Seq: n, Kind: "x", At: time.Unix(int64(n), 0).UTC(), Body: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))})
	}
	return b
}

func grant(t *testing.T, s store.Store, terminal string, epoch uint64) {
	t.Helper()
	decide(t, s, func(tx store.Tx) error { return tx.SetCursor(terminal, store.Cursor{Epoch: epoch}) })
}

func ingest(t *testing.T, s store.Store, terminal string, b wire.Batch) store.Cursor {
	t.Helper()
	c, err := s.Ingest(t.Context(), terminal, b)
	must(t, err)
	return c
}

// ids returns the ids that List gives.
func ids(tx store.Tx, k store.Kind, from, to string, desc bool) (all []string) {
	for m := range tx.List(k, from, to, desc) {
		all = append(all, m.ID)
	}
	return all
}

func put(k store.Kind, id, doc string, x ...store.Index) func(store.Tx) error {
	return func(tx store.Tx) error {
		m, _, err := tx.Get(k, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return tx.Put(k, store.Meta{ID: id, Site: "s1", Scope: "c1", Rev: m.Rev}, json.RawMessage(doc), x...)
	}
}

func testRows(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	decide(t, s, put(store.KindSite, "a", `{"name":"é"}`))
	must(t, s.View(t.Context(), func(tx store.Tx) error {
		m, doc, err := tx.Get(store.KindSite, "a")
		must(t, err)
		if want := (store.Meta{ID: "a", Site: "s1", Scope: "c1", Rev: 1}); m != want || string(doc) != `{"name":"é"}` {
			t.Errorf("Get = %+v %s", m, doc)
		}
		if _, _, err := tx.Get(store.KindSpace, "a"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("another table has it too: %v", err)
		}
		if err := tx.Put(store.KindSite, store.Meta{ID: "b"}, json.RawMessage(`{}`)); err == nil {
			t.Error("View lets one write")
		}
		if _, _, err := tx.Get("no-table", "a"); err == nil || errors.Is(err, store.ErrNotFound) {
			t.Errorf("an unknown table gives %v", err)
		}
		return nil
	}))
	decide(t, s, func(tx store.Tx) error { return tx.Delete(store.KindSite, "a") })
	err := s.Decide(t.Context(), func(tx store.Tx) error { return tx.Delete(store.KindSite, "a") })
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("deleting twice gives %v", err)
	}
	for _, m := range []store.Meta{{}, {ID: "x\x00y"}} {
		if err := s.Decide(t.Context(), func(tx store.Tx) error { return tx.Put(store.KindSite, m, json.RawMessage(`{}`)) }); err == nil {
			t.Errorf("id %q is accepted", m.ID)
		}
	}
}

func testRevisions(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	at := func(rev uint64) error {
		return s.Decide(t.Context(), func(tx store.Tx) error {
			return tx.Put(store.KindSite, store.Meta{ID: "a", Rev: rev}, json.RawMessage(`{}`))
		})
	}
	for i, c := range []struct {
		rev uint64
		ok  bool
	}{{1, false}, {0, true}, {0, false}, {1, true}, {1, false}, {3, false}, {2, true}} {
		if err := at(c.rev); (err == nil) != c.ok || (err != nil && !errors.Is(err, store.ErrConflict)) {
			t.Errorf("step %d: Put at revision %d gives %v", i, c.rev, err)
		}
	}
}

func testList(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	decide(t, s, func(tx store.Tx) error {
		for _, id := range []string{"b", "a", "c", "ab", "d"} {
			must(t, put(store.KindSite, id, `{}`)(tx))
		}
		return nil
	})
	for _, c := range []struct {
		from, to string
		desc     bool
		want     []string
	}{
		{"", "", false, []string{"a", "ab", "b", "c", "d"}},
		{"", "", true, []string{"d", "c", "b", "ab", "a"}},
		{"ab", "c", false, []string{"ab", "b"}},
		{"ab", "c", true, []string{"b", "ab"}},
		{"bb", "", true, []string{"d", "c"}},
		{"", "b", true, []string{"ab", "a"}},
		{"e", "", false, nil},
		{"e", "", true, nil},
		{"c", "b", false, nil},
		{"c", "b", true, nil},
		{"", "zz", true, []string{"d", "c", "b", "ab", "a"}},
	} {
		must(t, s.View(t.Context(), func(tx store.Tx) error {
			if got := ids(tx, store.KindSite, c.from, c.to, c.desc); !slices.Equal(got, c.want) {
				t.Errorf("List(%q, %q, %v) = %v, want %v", c.from, c.to, c.desc, got, c.want)
			}
			return nil
		}))
	}
}

func testIndex(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	at := func(v string) store.Index { return store.Index{Name: "at", Value: v} }
	find := func(v, from, to string, desc bool) (got []string) {
		must(t, s.View(t.Context(), func(tx store.Tx) error {
			for m, doc := range tx.ByIndex(store.KindSite, "at", v, from, to, desc) {
				got = append(got, m.ID+string(doc))
			}
			return nil
		}))
		return got
	}
	expect := func(what string, got []string, want ...string) {
		t.Helper()
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	decide(t, s, put(store.KindSite, "1", `1`, at("x")))
	decide(t, s, put(store.KindSite, "2", `2`, at("x"), at("y")))
	decide(t, s, put(store.KindSite, "3", `3`, at("xx")))
	decide(t, s, put(store.KindSite, "4", `4`, at("x")))
	decide(t, s, put(store.KindSpace, "5", `5`, at("x")))
	expect("by index", find("x", "", "", false), "11", "22", "44")
	expect("from the end", find("x", "", "", true), "44", "22", "11")
	expect("a range", find("x", "2", "4", false), "22")
	expect("a range from the end", find("x", "2", "", true), "44", "22")
	expect("another value", find("y", "", "", false), "22")
	decide(t, s, put(store.KindSite, "2", `9`, at("y")))
	expect("after a change", find("x", "", "", false), "11", "44")
	expect("after a change, there", find("y", "", "", false), "29")
	decide(t, s, func(tx store.Tx) error { return tx.Delete(store.KindSite, "2") })
	expect("after a deletion", find("y", "", "", false))
	if err := s.Decide(t.Context(), put(store.KindSite, "6", `6`, at("a\x00b"))); err == nil {
		t.Error("a zero byte in an index value is accepted")
	}
}

func testListWhileChanging(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	for _, desc := range []bool{false, true} {
		decide(t, s, func(tx store.Tx) error {
			for i := range 300 {
				must(t, put(store.KindSite, fmt.Sprintf("%04d", i), `{}`, store.Index{Name: "i", Value: "v"})(tx))
			}
			return nil
		})
		decide(t, s, func(tx store.Tx) error {
			n := 0
			for m := range tx.List(store.KindSite, "", "", desc) {
				if n++; n%2 == 0 {
					must(t, tx.Delete(store.KindSite, m.ID))
				} else {
					must(t, put(store.KindSite, m.ID, `{"seen":true,"and":"longer than it was before"}`, store.Index{Name: "i", Value: "v"})(tx))
				}
			}
			if n != 300 {
				t.Errorf("desc %v: %d rows seen, want 300", desc, n)
			}
			for m := range tx.ByIndex(store.KindSite, "i", "v", "", "", desc) {
				must(t, tx.Delete(store.KindSite, m.ID))
			}
			if left := ids(tx, store.KindSite, "", "", false); len(left) > 0 {
				t.Errorf("desc %v: left %v", desc, left)
			}
			return nil
		})
	}
}

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

func testRestart(t *testing.T, open Open) {
	dir := t.TempDir()
	s := start(t, open, dir)
	grant(t, s, "t", 3)
	ingest(t, s, "t", batch(3, 1, 4))
	must(t, s.Close())
	if _, err := s.Ingest(t.Context(), "t", batch(3, 5, 5)); err == nil {
		t.Error("a closed store takes records")
	}
	if err := s.Decide(t.Context(), func(store.Tx) error { return nil }); err == nil {
		t.Error("a closed store decides")
	}
	s = start(t, open, dir)
	expectRecords(t, s, "t", 3, 4, 0)
	ingest(t, s, "t", batch(3, 3, 7))
	expectRecords(t, s, "t", 3, 7, 0)
	if other, err := open(dir, Apply); err == nil {
		other.Close()
		t.Error("two stores opened the same folder")
	}
}

func testBackup(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	grant(t, s, "t", 1)
	ingest(t, s, "t", batch(1, 1, 20))
	to := filepath.Join(t.TempDir(), "borne.db")
	must(t, s.Backup(t.Context(), to))
	ingest(t, s, "t", batch(1, 21, 22))
	copied := start(t, open, filepath.Dir(to))
	expectRecords(t, copied, "t", 1, 20, 0)
	expectRecords(t, s, "t", 1, 22, 0)
	if err := s.Backup(t.Context(), filepath.Join(t.TempDir(), "no", "folder")); err == nil {
		t.Error("a backup into no folder succeeds")
	}
}

func testTyped(t *testing.T, open Open) {
	s := start(t, open, t.TempDir())
	decide(t, s, func(tx store.Tx) error {
		for i, space := range []string{"e1", "e2", "e1"} {
			id := fmt.Sprintf("t%d", i)
			must(t, store.Put(tx, store.Item[store.Terminal]{Meta: store.Meta{ID: id, Site: "s"}, Row: store.Terminal{Space: space, Name: "Poste " + id}}))
		}
		must(t, store.Update(tx, "t0", func(it *store.Item[store.Terminal]) error { it.Row.Space = "e2"; return nil }))
		got := map[string][]string{}
		for _, space := range []string{"e1", "e2"} {
			for it, err := range store.Find[store.Terminal](tx, "space", space) {
				must(t, err)
				got[space] = append(got[space], it.ID)
			}
		}
		if !slices.Equal(got["e1"], []string{"t2"}) || !slices.Equal(got["e2"], []string{"t0", "t1"}) {
			t.Errorf("found %v", got)
		}
		if _, err := store.First(store.Find[store.Terminal](tx, "space", "e3")); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("First of nothing gives %v", err)
		}
		must(t, tx.Put(store.KindTerminal, store.Meta{ID: "odd"}, json.RawMessage(`{"name":4}`)))
		if _, err := store.Get[store.Terminal](tx, "odd"); err == nil {
			t.Error("a row of another shape is read")
		}
		return nil
	})
}
