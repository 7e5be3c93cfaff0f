package retention_test

import (
	"bytes"
	"testing"
	"time"

	"borne/controller/retention"
	"borne/controller/store"
)

func TestErasuresAreReadBackAndBounded(t *testing.T) {
	all := []store.Erasure{{Kind: "holder", Row: "a", At: t0}, {Kind: "user", Row: "b", At: t0.Add(time.Hour)}}
	var b bytes.Buffer
	if err := retention.WriteErasures(&b, all); err != nil {
		t.Fatal(err)
	}
	got, err := retention.ParseErasures(b.Bytes())
	if err != nil || len(got) != 2 || got[1] != all[1] {
		t.Errorf("%+v %v", got, err)
	}
	for _, s := range []string{"x", `{"kind":"audit","row":"1","at":"2026-01-10T09:00:00Z"}`, `{"kind":"holder","row":"","at":"2026-01-10T09:00:00Z"}`, `{"kind":"nothing","row":"1","at":"2026-01-10T09:00:00Z"}`,
		`{"kind":"holder","row":"1","at":"0001-01-01T00:00:00Z"}`, `{"kind":"holder","row":"1","at":"2026-01-10T09:00:00Z","more":1}`, `{"kind":"holder","row":"1","at":"2026-01-10T09:00:00Z"}{}`} {
		if _, err := retention.ParseErasures([]byte(s)); err == nil {
			t.Errorf("%s is taken", s)
		}
	}
}

func FuzzParseErasures(f *testing.F) {
	f.Add([]byte(`{"kind":"holder","row":"1","at":"2026-01-10T09:00:00Z"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := retention.ParseErasures(b)
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := retention.WriteErasures(&again, all); err != nil {
			return // years that RFC 3339 does not have
		}
		if back, err := retention.ParseErasures(again.Bytes()); err != nil || len(back) != len(all) {
			t.Errorf("%q: %v", b, err)
		}
	})
}
