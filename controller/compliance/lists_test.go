package compliance

import (
	"testing"

	"borne/controller/store"
	"borne/controller/wire"
)

// TestPolicyNamesTheListOfNow: a layer names a category; the list that is there
// makes its digest and a newer version.
func TestPolicyNamesTheListOfNow(t *testing.T) {
	w := newWorld(t, nil)
	w.layer(store.PolicyGlobal, 7, `{"filter":{"categories":[{"name":"adult","digest":"stale"},{"name":"drogue"}],"allow":[],"block":[]}}`)
	effective := func() (version uint64, digests [2]string, problems int) {
		w.decide(func(tx store.Tx) error {
			it, err := store.Get[store.Terminal](tx, "t1")
			if err != nil {
				return err
			}
			p, err := Effective(tx, it)
			if err != nil {
				return err
			}
			version, problems = p.Version, len(p.Check())
			for i, k := range p.Filter.Categories {
				digests[i] = k.Digest
			}
			return nil
		})
		return version, digests, problems
	}
	if v, d, n := effective(); v != 7 || d != [2]string{} || n != 2 {
		t.Errorf("without lists: version %d, digests %q, %d problems", v, d, n)
	}
	list := func(name, digest string, version uint64) {
		w.decide(func(tx store.Tx) error {
			return store.Put(tx, store.Item[store.ListRow]{Meta: store.Meta{ID: name}, Row: store.ListRow{Digest: digest, Version: version}})
		})
	}
	list("adult", "a1", 8)
	list("drogue", "d1", 6)
	list("malware", "m1", 30) // nobody names it
	if v, d, n := effective(); v != 8 || d != [2]string{"a1", "d1"} || n != 0 {
		t.Errorf("with lists: version %d, digests %q, %d problems", v, d, n)
	}
}

// TestFilteredCountsGoToTheDay: a session's row, which may bear a pseudonym,
// holds nothing of it.
func TestFilteredCountsGoToTheDay(t *testing.T) {
	w := newWorld(t, nil)
	s := w.begin(w.permits()[0])
	w.record(wire.KindEnded, wire.Ended{Session: s, Reason: wire.EndButton, Seconds: 60,
		Filtered: map[string]int{"adult": 3, "local": 1, "www.example.org": 9, "huge": 1 << 40, "negative": -4}})
	var got map[string]int
	w.decide(func(tx store.Tx) error {
		for it, err := range store.List[store.Rollup](tx, "", "", false) {
			if err != nil {
				return err
			}
			got = it.Row.Filtered
		}
		return nil
	})
	if got["adult"] != 3 || got["local"] != 1 || got["huge"] != maxFiltered || got["negative"] != 0 {
		t.Errorf("%v", got)
	}
	for k := range got {
		if k == "www.example.org" {
			t.Errorf("a name is kept: %v", got)
		}
	}
}
