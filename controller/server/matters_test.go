package server

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/fleet"
	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
)

// TestMattersAreFollowedThroughADay looks minute by minute from the morning to the
// evening: a terminal whose cable is pulled, one that cannot wipe and is switched
// off, a controller that is restarted meanwhile, and a calendar that is missing.
func TestMattersAreFollowedThroughADay(t *testing.T) {
	zone := policy.Location()
	now := time.Date(2026, 3, 2, 7, 0, 0, 0, zone)
	c := settings(t, fresh(t))
	c.Now = func() time.Time { return now }
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	decide := func(fn func(store.Tx) error) {
		t.Helper()
		if err := s.st.Decide(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	school, err := json.Marshal(map[string]any{"hours": map[string]any{"school": policy.School{Zone: policy.ZoneA, Mode: policy.ModeClosed}}})
	if err != nil {
		t.Fatal(err)
	}
	decide(func(tx store.Tx) error {
		if err := store.Put(tx, store.Item[store.Site]{Meta: store.Meta{ID: "s", Site: "s"}, Row: store.Site{Name: "S"}}); err != nil {
			return err
		}
		if err := store.Put(tx, store.Item[store.PolicyRow]{Meta: store.Meta{ID: "s", Site: "s"}, Row: store.PolicyRow{Layer: "site", Doc: school, Version: 2}}); err != nil {
			return err
		}
		for _, id := range []string{"cable", "wipe"} {
			if err := store.Put(tx, store.Item[store.Terminal]{Meta: store.Meta{ID: id, Site: "s", Scope: "e"}, Row: store.Terminal{Space: "e", Name: id, State: store.StateActive, LastSeen: now}}); err != nil {
				return err
			}
		}
		return store.Put(tx, store.Item[store.PrintJob]{Meta: store.Meta{ID: "j", Site: "s", Scope: "cable"}, Row: store.PrintJob{Job: "j", Terminal: "cable", At: now, Outcome: wire.PrintDoubtful}})
	})
	live := map[string]fleet.LiveState{}
	says := func(id, phase, reason string) {
		live[id] = fleet.LiveState{Online: true, Since: now, LastSeen: now, Status: wire.Status{Phase: phase, Reason: reason, Metrics: wire.StatusGauges{ClockSure: true}}}
	}
	gone := func(id string) { l := live[id]; l.Online, l.LastSeen = false, now; live[id] = l }
	changes := []string{}
	at := func(h, m int) bool { return now.Equal(time.Date(2026, 3, 2, h, m, 0, 0, zone)) }
	began := func() *matters {
		return newMatters(s.core, func(id string) (fleet.LiveState, bool) { l, ok := live[id]; return l, ok }, func(id string) { changes = append(changes, id) })
	}
	m, was := began(), map[string]bool{}
	told := []string{}
	for ; !at(12, 0); now = now.Add(time.Minute) {
		switch {
		case at(7, 0):
			says("cable", "welcome", "")
			says("wipe", "welcome", "")
		case at(7, 30): // closed until 8: nobody is told
			gone("cable")
		case at(9, 0):
			says("wipe", "broken", "wipe-failed")
		case at(9, 5): // somebody switches it off: that mends nothing
			gone("wipe")
		case at(9, 10): // and the controller restarts
			clear(live)
			m = began()
		case at(10, 0):
			says("wipe", "starting", "")
		case at(10, 1):
			says("wipe", "welcome", "")
		case at(11, 0):
			says("cable", "welcome", "")
		}
		if err := m.look(ctx, nil); err != nil {
			t.Fatal(err)
		}
		is := map[string]bool{}
		decide(func(tx store.Tx) error {
			clear(is)
			for it, err := range store.Find[store.Matter](tx, "open", "yes") {
				if err != nil {
					return err
				}
				is[it.Row.Terminal+":"+it.Row.Code] = true
			}
			return nil
		})
		var lines []string
		for k := range is {
			if !was[k] {
				lines = append(lines, now.Format("15:04")+" +"+k)
			}
		}
		for k := range was {
			if !is[k] {
				lines = append(lines, now.Format("15:04")+" -"+k)
			}
		}
		slices.Sort(lines)
		told, was = append(told, lines...), is
	}
	want := "07:00 +:calendar-ending, 07:00 +cable:prints-decide, 08:15 +cable:offline, 09:00 +wipe:wipe-failed, 09:25 +wipe:offline, " +
		"10:00 -wipe:offline, 10:01 -wipe:wipe-failed, 11:00 -cable:offline"
	if got := strings.Join(told, ", "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if !slices.Contains(changes, "cable") || !slices.Contains(changes, "wipe") {
		t.Errorf("consoles heard of %v", changes)
	}
	// The wipe that failed is one matter all along, and since it failed.
	decide(func(tx store.Tx) error {
		n := 0
		for it, err := range store.List[store.Matter](tx, "", "", false) {
			if err != nil {
				return err
			}
			if it.Row.Code != "wipe-failed" {
				continue
			}
			if n++; !it.Row.Since.Equal(time.Date(2026, 3, 2, 9, 0, 0, 0, zone)) || it.Site != "s" || it.Scope != "wipe" {
				t.Errorf("%+v", it)
			}
		}
		if n != 1 {
			t.Errorf("%d matters of one failed wipe", n)
		}
		return nil
	})
}

// TestMattersHearOfWhatChanged runs the loop: a change is looked at without waiting
// for the minute, and nothing is left behind.
func TestMattersHearOfWhatChanged(t *testing.T) {
	c := settings(t, fresh(t))
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.st.Decide(ctx, func(tx store.Tx) error {
		return store.Put(tx, store.Item[store.Terminal]{Meta: store.Meta{ID: "t", Site: "s"}, Row: store.Terminal{State: store.StateQuarantined, Reason: wire.QuarClone}})
	})
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan string, 4)
	m := newMatters(s.core, func(string) (fleet.LiveState, bool) { return fleet.LiveState{}, false }, func(id string) { heard <- id })
	changes := make(chan string)
	run, stop := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		m.run(run, func() (<-chan string, func()) { return changes, func() {} })
	}()
	changes <- "t"
	if id := <-heard; id != "t" {
		t.Error(id)
	}
	stop()
	<-done
}
