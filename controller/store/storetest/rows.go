package storetest

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"borne/controller/store"
)

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
