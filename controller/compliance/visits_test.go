package compliance

import (
	"encoding/json"
	"maps"
	"reflect"
	"testing"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// stay has somebody sit there from a local time on.
func (w *world) stay(from string, minutes int, change func(*wire.Begun), reason wire.Reason) {
	w.t.Helper()
	begun := paris(w.t, from)
	b := wire.Begun{Session: "s" + begun.Format(time.RFC3339), Lang: "fr", Profile: "parents"}
	if change != nil {
		change(&b)
	}
	e := wire.Ended{Session: b.Session, Reason: reason, Seconds: minutes * 60}
	w.now = begun.Add(time.Duration(minutes) * time.Minute)
	w.file(wire.KindBegun, begun, b)
	w.file(wire.KindEnded, w.now, e)
	w.file(wire.KindEnded, w.now, e) // told twice: the second changes nothing
}

// file sends a record of a time.
func (w *world) file(kind string, at time.Time, body any) {
	w.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		w.t.Fatal(err)
	}
	w.seq++
	rec := wire.Record{Epoch: 1, Seq: w.seq, Kind: kind, At: at.UTC(), Body: b}
	w.decide(func(tx store.Tx) error { return w.rules.Apply(tx, "t1", rec) })
}

func (w *world) figures(unit string) (day store.Rollup) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		if len(unit) == len("2006-01") {
			it, err := store.Get[store.RollupMonth](tx, store.RollupID(unit, "t1"))
			day = store.Rollup(it.Row)
			return err
		}
		it, err := store.Get[store.Rollup](tx, store.RollupID(unit, "t1"))
		day = it.Row
		return err
	})
	return day
}

const schoolHours = `{"hours":{"guarded":true,"duty":[[],[{"from":480,"to":1020}],[{"from":480,"to":1020}],[],[],[],[]],` +
	`"weekly":[[],[{"from":480,"to":1200}],[{"from":480,"to":1200}],[],[],[],[]],"agreements":[{"from":"2026-03-01","to":"2026-03-31"}]}}`

// TestVisits: what a day and its month know of the sessions that ended in it.
func TestVisits(t *testing.T) {
	w := newWorld(t, nil)
	w.layer("s1", 2, schoolHours)
	w.stay("2026-03-02 10:40:00", 50, nil, wire.EndButton) // Monday: 20 minutes at 10, 30 at 11
	w.stay("2026-03-02 17:30:00", 4, func(b *wire.Begun) { b.Lang = "ar" }, wire.EndIdle)
	w.stay("2026-03-02 18:00:00", 0, nil, wire.EndFailed)   // never opened
	w.stay("2026-03-02 23:50:00", 20, nil, wire.EndButton)  // ends on Tuesday
	w.stay("2026-03-31 08:00:00", 5, nil, wire.EndShutdown) // the month's last day
	w.stay("2026-04-06 17:30:00", 10, nil, wire.EndButton)  // nobody agreed any more; it was there all the same
	w.stay("2026-10-25 01:30:00", 120, nil, wire.EndButton) // 02:00 to 03:00 comes twice
	w.stay("2026-03-29 01:30:00", 60, nil, wire.EndButton)  // 02:00 to 03:00 is skipped
	monday, tuesday := w.figures("2026-03-02"), w.figures("2026-03-03")
	if monday.Visits != 2 || monday.Sessions != 3 || monday.Outside != 1 || monday.Stay != 54*60 || monday.Hours[10] != 1 || monday.Hours[17] != 1 ||
		monday.Use[10] != 1200 || monday.Use[11] != 1800 || monday.Use[17] != 240 || monday.Use[23] != 600 || monday.Langs["ar"] != 1 || monday.Profiles["parents"] != 2 {
		t.Errorf("Monday: %+v", monday)
	}
	if tuesday.Visits != 1 || tuesday.Hours[23] != 1 || tuesday.Use[0] != 600 || tuesday.Lengths[store.LengthClass(1200)] != 1 {
		t.Errorf("Tuesday: %+v", tuesday)
	}
	if d := w.figures("2026-10-25"); d.Use[1] != 1800 || d.Use[2] != 5400 || d.Hours[1] != 1 {
		t.Errorf("the day of 25 hours: %+v", d)
	}
	if d := w.figures("2026-03-29"); d.Use[1] != 1800 || d.Use[3] != 1800 || d.Use[2] != 0 {
		t.Errorf("the day of 23 hours: %+v", d)
	}
	if d := w.figures("2026-04-06"); d.Outside != 0 || d.Visits != 1 {
		t.Errorf("after the agreement's end: %+v", d)
	}
	march := store.Rollup{Day: "2026-03", Terminal: "t1"}
	for _, day := range []string{"2026-03-02", "2026-03-03", "2026-03-29", "2026-03-31"} {
		march.Add(w.figures(day), 1)
	}
	if got := w.figures("2026-03"); !reflect.DeepEqual(got, march) {
		t.Errorf("March is\n%+v, its days\n%+v", got, march)
	}
	if march.Hours.Sum() != march.Visits || march.Visits != 5 {
		t.Errorf("%d visits, %d with an hour", march.Visits, march.Hours.Sum())
	}
}

// TestOutsideByTheHoursThatHeldThen: a session is judged by the hours of its time,
// though it is told after they changed, and though what was worked out is kept.
func TestOutsideByTheHoursThatHeldThen(t *testing.T) {
	w := newWorld(t, nil)
	w.layer("s1", 2, schoolHours)
	w.stay("2026-03-02 17:30:00", 10, nil, wire.EndButton)
	// On the 9th duty is prolonged until 18:00: 17:30 is inside from then on.
	var section struct{ Hours json.RawMessage }
	if err := json.Unmarshal([]byte(schoolHours), &section); err != nil {
		t.Fatal(err)
	}
	w.now = paris(t, "2026-03-09 12:00:00")
	w.decide(func(tx store.Tx) error {
		row, err := store.Get[store.PolicyRow](tx, "s1")
		if err != nil {
			return err
		}
		row.Row.Doc, row.Row.Version = json.RawMessage(`{"hours":{"duty":[[],[{"from":480,"to":1080}],[{"from":480,"to":1080}],[],[],[],[]],"weekly":[[],[{"from":480,"to":1200}],[{"from":480,"to":1200}],[],[],[],[]]}}`), 3
		if err := store.Put(tx, row); err != nil {
			return err
		}
		return store.Put(tx, store.Item[store.HoursChange]{Meta: store.Meta{ID: store.TimeID(w.now, "x"), Site: "s1"}, Row: store.HoursChange{Layer: "s1", At: w.now, Before: section.Hours}})
	})
	w.stay("2026-03-03 17:30:00", 10, nil, wire.EndButton) // told late
	w.stay("2026-03-10 17:30:00", 10, nil, wire.EndButton)
	w.stay("2026-03-10 18:30:00", 10, nil, wire.EndButton)
	for day, want := range map[string]int{"2026-03-02": 1, "2026-03-03": 1, "2026-03-10": 1} {
		if got := w.figures(day); got.Outside != want {
			t.Errorf("%s: %d outside, want %d", day, got.Outside, want)
		}
	}
	if got := w.figures("2026-03-10"); got.Visits != 2 {
		t.Errorf("%+v", got)
	}
}

// TestPresence: a badge is present once a month and site, where a visit is counted;
// smileys belong to a day.
func TestPresence(t *testing.T) {
	w := newWorld(t, nil)
	held := func(h string) func(*wire.Begun) { return func(b *wire.Begun) { b.Holder = []byte(h) } }
	w.stay("2026-03-02 10:00:00", 5, held("aa"), wire.EndButton)
	w.stay("2026-03-03 10:00:00", 5, held("aa"), wire.EndButton)
	w.stay("2026-03-03 11:00:00", 5, held("bb"), wire.EndButton)
	w.stay("2026-04-01 11:00:00", 5, held("cc"), wire.EndButton)
	w.stay("2026-04-01 12:00:00", 0, held("dd"), wire.EndDeclined)
	w.stay("2026-04-01 13:00:00", 0, held("ee"), wire.EndFailed)
	noon := paris(t, "2026-03-03 12:00:00")
	w.file(wire.KindSmile, noon, wire.Smile{How: wire.SmileGood})
	w.file(wire.KindSmile, noon, wire.Smile{How: wire.SmileGood})
	w.file(wire.KindSmile, noon, wire.Smile{How: "<b>"})
	var ids []string
	w.decide(func(tx store.Tx) error {
		ids = nil
		for it, err := range store.List[store.Presence](tx, "", "", false) {
			if err != nil {
				return err
			}
			ids = append(ids, it.ID)
		}
		return nil
	})
	if !reflect.DeepEqual(ids, []string{"2026-03/aa/s1", "2026-03/bb/s1", "2026-04/cc/s1"}) {
		t.Errorf("present: %v", ids)
	}
	if d := w.figures("2026-03-03"); d.Badged != 2 || !maps.Equal(d.Smiles, map[string]int{"good": 2}) {
		t.Errorf("the day: %+v", d)
	}
	if n := w.kept(); n != 7 {
		t.Errorf("%d records are kept as they came, want the smiley that is none, and six ends that were told twice", n)
	}
}

// TestEachCallForHelpIsCountedOnce: on its day, also when it waited for a connection.
func TestEachCallForHelpIsCountedOnce(t *testing.T) {
	w := newWorld(t, nil)
	w.now = paris(t, "2026-03-05 08:00:00")
	w.file(wire.KindAlert, paris(t, "2026-03-03 12:00:00"), wire.Alert{Code: wire.AlertCall})
	w.file(wire.KindAlert, paris(t, "2026-03-03 12:20:00"), wire.Alert{Code: wire.AlertCall})
	w.file(wire.KindAlert, paris(t, "2026-03-04 12:00:00"), wire.Alert{Code: wire.AlertCall})
	w.file(wire.KindAlert, paris(t, "2026-03-03 12:30:00"), wire.Alert{Code: "case-open"})
	if d, m := w.figures("2026-03-03"), w.figures("2026-03"); d.Help != 2 || m.Help != 3 {
		t.Errorf("the day has %d calls, the month %d; want 2 and 3", d.Help, m.Help)
	}
}
