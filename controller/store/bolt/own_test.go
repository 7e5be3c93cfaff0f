package bolt

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"go.etcd.io/bbolt"

	"borne/controller/store"
	"borne/controller/store/storetest"
)

func rowsWritten(tb testing.TB) (all [][]byte) {
	for _, r := range []row{
		{Rev: 1, Doc: json.RawMessage(`{}`)}, {Site: "s", Rev: 20, Doc: json.RawMessage(`{"a":{"b":1}}`)},
		{Site: "s", Scope: "c-1", Rev: 1 << 63, Index: []store.Index{{Name: "site", Value: "x"}, {Name: "held", Value: ""}}, Doc: json.RawMessage(`{"d":"}"}`)},
		{Site: "é", Rev: 3, Doc: json.RawMessage(`{}`)}, {Scope: `"\\`, Rev: 3, Doc: json.RawMessage(`{}`)}, {Rev: 3, Index: []store.Index{{Name: "a", Value: "<é>"}}, Doc: json.RawMessage(`{}`)},
	} {
		b, err := json.Marshal(r)
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, b)
	}
	return all
}

// TestOwn: rows that Put wrote are read without a decoder, and as it reads them.
func TestOwn(t *testing.T) {
	for i, b := range rowsWritten(t) {
		var want row
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		got, ok := own(b)
		if ok != (i < 3) || ok && !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read %v as %+v", b, ok, got)
		}
		if got, err := parse("k", "id", b); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s is read as %+v: %v", b, got, err)
		}
	}
	for _, s := range []string{"", "{", `{"r":1,"d":{}`, `{"r":01,"d":{}}`, `{"r":+1,"d":{}}`, `{"r":-1,"d":{}}`, `{"s":"a" ,"r":1,"d":{}}`, `{"r":1,"x":[],"d":{}}`, `{"r":1,"d":1}`, `{"r":1,"d":null}`} {
		if r, ok := own([]byte(s)); ok {
			t.Errorf("%q is read as %+v", s, r)
		}
	}
}

// TestVersionOfADamagedTable: whoever keeps what was listed learns that it is not all.
func TestVersionOfADamagedTable(t *testing.T) {
	s, err := Open(Config{Dir: t.TempDir(), Apply: storetest.Apply})
	must(t, err)
	defer s.Close()
	must(t, s.Decide(t.Context(), func(tx store.Tx) error {
		return tx.Put(store.KindRollupMonth, store.Meta{ID: "2026-03/t"}, json.RawMessage(`{}`))
	}))
	var before, after uint64
	see := func(tx store.Tx) error {
		before = tx.Version(store.KindRollupMonth, "2026-03")
		for range tx.List(store.KindRollupMonth, "", "", false) {
		}
		after = tx.Version(store.KindRollupMonth, "2026-03")
		return nil
	}
	if must(t, s.View(t.Context(), see)); before == 0 || after != before {
		t.Errorf("version %d, then %d", before, after)
	}
	must(t, s.db.Update(func(tx *bbolt.Tx) error {
		return tx.Bucket(rowBucket(store.KindRollupMonth)).Put([]byte("2026-03/t"), []byte(`{"r":1,"d":{`))
	}))
	if err := s.View(t.Context(), see); err == nil || after != math.MaxUint64 {
		t.Errorf("a damaged row: version %d, %v", after, err)
	}
}

// FuzzOwn: wherever both can read a row, they read the same; a row whose document is
// none is refused by whoever decodes that.
func FuzzOwn(f *testing.F) {
	for _, b := range rowsWritten(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got, ok := own(b)
		if !ok || !json.Valid(got.Doc) {
			return
		}
		var want row
		if err := json.Unmarshal(b, &want); err != nil {
			t.Fatalf("%q is read as %+v, and encoding/json says %v", b, got, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q is read as %+v, and by encoding/json as %+v", b, got, want)
		}
	})
}
