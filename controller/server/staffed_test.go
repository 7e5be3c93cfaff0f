package server

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"borne/controller/audit"
	"borne/controller/demo"
	"borne/controller/store"
	"borne/controller/wire"
)

// TestWhatStaffDidIsAudited: each act at a terminal's menu, with the function that
// did it, and once; what no version of ours says is kept, and audited by nobody.
func TestWhatStaffDidIsAudited(t *testing.T) {
	s, _ := running(t, settings(t, fresh(t)))
	if r := s.Do(ctx, Request{Op: OpSeedDemo}); r.Error != "" {
		t.Fatal(r.Error)
	}
	now := time.Now().UTC()
	seq := uint64(0)
	apply := func(at time.Time, d wire.StaffDone) {
		t.Helper()
		body, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		seq++
		err = s.st.Decide(ctx, func(tx store.Tx) error {
			return s.rules.Apply(tx, demo.Terminal, wire.Record{Epoch: 1, Seq: seq, Kind: wire.KindStaff, At: at, Body: body})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, do := range append(wire.StaffRights(), wire.StaffReopen) {
		apply(now, wire.StaffDone{Do: do, By: "Gar\ndien"})
		if e := lastDeed(t, s, "staff."); e.Row.Action != "staff."+string(do) || e.Row.Actor != "staff/Gardien" || e.Row.Target != demo.Terminal || e.Site != demo.Site || e.Row.Detail != "" {
			t.Errorf("%s: %+v", do, e)
		}
	}
	late := now.Add(-3 * time.Hour)
	apply(late, wire.StaffDone{Do: wire.StaffStay, By: wire.ByPIN, Until: time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC)})
	if e := lastDeed(t, s, "staff."); e.Row.Actor != "staff/PIN" || !strings.HasPrefix(e.Row.Detail, "→ 19:00 (") {
		t.Errorf("late: %+v", e)
	}
	before := lastDeed(t, s, "staff.")
	apply(now, wire.StaffDone{Do: "format", By: "x"})
	apply(now, wire.StaffDone{Do: wire.StaffCall, By: strings.Repeat("x", wire.MaxText+1)})
	if e := lastDeed(t, s, "staff."); e.Row.Seq != before.Row.Seq {
		t.Errorf("audited: %+v", e)
	}
	err := s.st.View(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.Terminal](tx, demo.Terminal)
		if err != nil {
			return err
		}
		if it.Row.Called.Sub(now).Abs() > time.Second {
			t.Errorf("called at %s", it.Row.Called)
		}
		_, err = audit.Verify(tx, nil)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
