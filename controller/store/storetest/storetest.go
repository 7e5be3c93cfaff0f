// Package storetest is the conformance suite that every backend of the store
// passes.
package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
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
