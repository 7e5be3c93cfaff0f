package compliance

import (
	"encoding/json"
	"testing"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// TestOneBadgeInTwoPlaces: a badge that opens a session while it has one elsewhere
// is told at both terminals; one that walks from one to the other is not.
func TestOneBadgeInTwoPlaces(t *testing.T) {
	w := newWorld(t, nil)
	for _, id := range []string{"t2", "t3"} {
		w.decide(func(tx store.Tx) error {
			return store.Put(tx, store.Item[store.Terminal]{Meta: store.Meta{ID: id, Site: "s" + id[1:], Scope: "e"}, Row: store.Terminal{Space: "e", State: store.StateActive}})
		})
	}
	seq := uint64(0)
	tell := func(terminal, kind string, at time.Time, unsure bool, body any) {
		t.Helper()
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		seq++
		w.decide(func(tx store.Tx) error {
			return w.rules.Apply(tx, terminal, wire.Record{Epoch: 1, Seq: seq, Kind: kind, At: at, Unsure: unsure, Body: b})
		})
	}
	told := func() map[string]int {
		n := map[string]int{}
		w.decide(func(tx store.Tx) error {
			clear(n)
			for it, err := range store.List[store.RecordRow](tx, "", "", false) {
				if err != nil {
					return err
				}
				if string(it.Row.Record.Body) == `{"code":"badge-twice"}` {
					if it.Scope != it.Row.Terminal || it.Site == "" {
						t.Errorf("an alert lies at site %q, scope %q, for terminal %q", it.Site, it.Scope, it.Row.Terminal)
					}
					n[it.Row.Terminal]++
				}
			}
			return nil
		})
		return n
	}
	at := w.now
	begin := func(terminal, session, holder string, after time.Duration, unsure bool) {
		tell(terminal, wire.KindBegun, at.Add(after), unsure, wire.Begun{Session: session, Permit: "p-" + session, Holder: []byte(holder)})
	}
	end := func(terminal, session string, after time.Duration) {
		tell(terminal, wire.KindEnded, at.Add(after), false, wire.Ended{Session: session, Reason: wire.EndButton})
	}
	begin("t1", "a", "h1", 0, false)
	end("t1", "a", 10*time.Minute)
	begin("t2", "b", "h1", 11*time.Minute, false) // walked over
	end("t2", "b", 14*time.Minute)
	begin("t3", "c", "h2", 12*time.Minute, false) // somebody else
	begin("t1", "d", "", 12*time.Minute, false)   // nobody's badge
	end("t1", "d", 13*time.Minute)
	begin("t1", "e", "h1", 12*time.Minute, true) // nobody knows when
	end("t1", "e", 13*time.Minute)
	begin("t1", "f", "h2", 15*time.Minute, false) // c has not told its end yet: nobody knows
	end("t1", "f", 20*time.Minute)
	begin("t1", "f2", "h2", 70*time.Minute, false)
	end("t1", "f2", 80*time.Minute)
	if n := told(); len(n) != 0 {
		t.Fatalf("told %v, though no badge is known to have been in two places", n)
	}
	end("t3", "c", 60*time.Minute) // it had lost its link, and tells late
	if n := told(); n["t1"] != 1 || n["t3"] != 1 || n["t2"] != 0 {
		t.Fatalf("told %v, want t1 and t3 once", n)
	}
	begin("t2", "g", "h2", 30*time.Minute, false) // a third place
	end("t2", "g", 40*time.Minute)
	if n := told(); n["t2"] != 1 || n["t3"] != 1 || n["t1"] != 1 {
		t.Fatalf("told %v, want each terminal once a session", n)
	}
}
