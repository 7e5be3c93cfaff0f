package fleet

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// TestNoTrafficDataWhileNobodyDecided: a terminal that sends some is acknowledged, and
// not a byte of it is in any file of the store, neither before a decision nor after one
// against it. With one it is kept, checked, in its own table.
func TestNoTrafficDataWhileNobodyDecided(t *testing.T) {
	w := newWorld(t, nil)
	x := enrolled(w)
	p := x.connect(wire.Hello{Boot: "b"})
	epoch, now := p.welcome().Epoch, time.Now()
	seq := uint64(0)
	send := func(bodies ...any) {
		t.Helper()
		p.send(batch(epoch, seq+1, wire.KindTraffic, bodies...))
		for seq += uint64(len(bodies)); p.ack().Seq < seq; {
		}
	}
	decided := func(on bool) {
		w.decide(func(tx store.Tx) error {
			it, err := store.Get[store.TrafficDecision](tx, store.TrafficDecisionID)
			if err != nil {
				it.Meta = store.Meta{ID: store.TrafficDecisionID}
			}
			it.Row.On = on
			return store.Put(tx, it)
		})
	}
	rows := func() (all []store.Traffic, records int) {
		w.decide(func(tx store.Tx) error { // it waits until all is applied
			all, records = nil, 0
			for it, err := range store.List[store.Traffic](tx, "", "", false) {
				if err != nil {
					return err
				}
				all = append(all, it.Row)
			}
			for range tx.List(store.KindRecord, "", "", false) {
				records++
			}
			return nil
		})
		return all, records
	}
	of := func(address string) wire.Traffic {
		return wire.Traffic{Session: "s1", Address: address, Ports: "40000-40063", Begun: now, Ended: now}
	}
	found := func(s string) (in []string) {
		t.Helper()
		files, err := filepath.Glob(filepath.Join(w.dir, "*"))
		must(t, err)
		for _, f := range files {
			b, err := os.ReadFile(f)
			must(t, err)
			if bytes.Contains(b, []byte(s)) {
				in = append(in, filepath.Base(f))
			}
		}
		return in
	}
	send(of("203.0.113.77"), map[string]string{"page": "203.0.113.78"})
	decided(false)
	send(of("203.0.113.79"))
	if all, records := rows(); len(all) > 0 || records > 0 {
		t.Errorf("nobody decided, and %v and %d records are kept", all, records)
	}
	for _, a := range []string{"203.0.113.77", "203.0.113.78", "203.0.113.79"} {
		if in := found(a); len(in) > 0 {
			t.Errorf("%s is in %v", a, in)
		}
	}
	decided(true)
	send(of("203.0.113.80"), of("www.example.fr"), wire.Traffic{Session: "s2", Address: "203.0.113.81", Ports: "to www.example.fr", Begun: now, Ended: now}, map[string]string{"page": "x"})
	all, records := rows()
	if len(all) != 1 || records > 0 || all[0].Address != "203.0.113.80" || all[0].Session != "s1" || all[0].Terminal != x.resp.Terminal {
		t.Errorf("with a decision: %+v and %d records", all, records)
	}
	if len(found("203.0.113.80")) == 0 {
		t.Error("this test would not see what is kept")
	}
}
