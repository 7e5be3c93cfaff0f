package journal

import (
	"bytes"
	"encoding/json"
	"testing"

	"borne/controller/wire"
)

// TestABadgeIsForgottenOnceItArrived: the badge's key leaves the journal's
// records with their acknowledgement, and nothing else of them does.
func TestABadgeIsForgottenOnceItArrived(t *testing.T) {
	p := path(t)
	j := mustOpen(t, p, start())
	if err := j.Welcomed(wire.Welcome{Epoch: 1}); err != nil {
		t.Fatal(err)
	}
	holder := bytes.Repeat([]byte{0xb7}, 32)
	for _, s := range []string{"one", "two"} {
		body, err := json.Marshal(wire.Begun{Session: s, Permit: "p-" + s, Holder: holder})
		if err != nil {
			t.Fatal(err)
		}
		if err := j.Commit(Step{State: []byte("x"), Records: []wire.Record{{Kind: wire.KindBegun, Body: body}}}); err != nil {
			t.Fatal(err)
		}
	}
	body, err := json.Marshal(wire.Printed{Job: "j", Session: "one", Charged: 300, Holder: holder})
	if err != nil {
		t.Fatal(err)
	}
	if err := j.Commit(Step{State: []byte("x"), Records: []wire.Record{{Kind: wire.KindPrint, Body: body}}}); err != nil {
		t.Fatal(err)
	}
	if err := j.Acked(1, 1); err != nil {
		t.Fatal(err)
	}
	rs, err := j.After(0, 10)
	if err != nil || len(rs) != 3 {
		t.Fatalf("%d records, %v", len(rs), err)
	}
	for i, want := range []struct {
		session string
		holder  []byte
	}{{"one", nil}, {"two", holder}} {
		var b wire.Begun
		if err := json.Unmarshal(rs[i].Body, &b); err != nil || b.Session != want.session || b.Permit != "p-"+want.session || !bytes.Equal(b.Holder, want.holder) {
			t.Errorf("record %d is %+v, %v; want session %s with holder %x", i+1, b, err, want.session, want.holder)
		}
	}
	for i, want := range [][]byte{holder, nil} {
		if i == 1 {
			if err := j.Acked(1, 3); err != nil {
				t.Fatal(err)
			}
			if rs, err = j.After(0, 10); err != nil {
				t.Fatal(err)
			}
		}
		var p wire.Printed
		if err := json.Unmarshal(rs[2].Body, &p); err != nil || p.Job != "j" || p.Charged != 300 || !bytes.Equal(p.Holder, want) {
			t.Errorf("the print job is %+v, %v; want holder %x", p, err, want)
		}
	}
}
