package compliance

import (
	"testing"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// TestTrafficInTheJournalIsDroppedWithoutADecision: a record that was durable when the
// decision ended is applied after it.
func TestTrafficInTheJournalIsDroppedWithoutADecision(t *testing.T) {
	w := newWorld(t, nil)
	count := func() (n int) {
		w.decide(func(tx store.Tx) error {
			n = 0
			for _, k := range []store.Kind{store.KindTraffic, store.KindRecord} {
				for range tx.List(k, "", "", false) {
					n++
				}
			}
			return nil
		})
		return n
	}
	now := time.Now()
	for i, on := range []bool{false, true, false} {
		w.decide(func(tx store.Tx) error {
			it, err := store.Get[store.TrafficDecision](tx, store.TrafficDecisionID)
			if err != nil {
				it.Meta = store.Meta{ID: store.TrafficDecisionID}
			}
			it.Row.On = on
			return store.Put(tx, it)
		})
		before := count()
		w.record(wire.KindTraffic, wire.Traffic{Session: "s", Address: "203.0.113.7", Begun: now, Ended: now})
		if kept := count() > before; kept != on {
			t.Errorf("step %d: decided %v, kept %v", i, on, kept)
		}
	}
}
