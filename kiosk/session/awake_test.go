package session_test

import (
	"encoding/json"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/kiosk/session"
)

// TestAHoldIsBoundedAndOutlivesAStart: staff hold a terminal awake for an
// evening, not for ever, and in whatever phase it is.
func TestAHoldIsBoundedAndOutlivesAStart(t *testing.T) {
	now := time.Date(2026, 3, 4, 18, 0, 0, 0, time.UTC)
	for _, p := range session.Phases() {
		s := session.New()
		s.Phase = p
		hold := func(until time.Time, reason string) {
			t.Helper()
			next, _, records := session.Step(s, session.Event{At: session.Instant{Mono: time.Hour, Wall: now, Trusted: true},
				Fact: session.Commanded{Command: wire.Command{ID: "c", Kind: wire.CmdAwake, Until: until}}})
			var d wire.CommandDone
			if len(records) != 1 || json.Unmarshal(records[0].Body, &d) != nil || d.Reason != reason || d.Done != (reason == "") {
				t.Errorf("%s: held until %v: %+v", p, until, records)
			}
			s = next
		}
		hold(now.Add(24*time.Hour+time.Second), "too-long")
		if !s.Awake.IsZero() {
			t.Errorf("%s: what is refused holds until %v", p, s.Awake)
		}
		hold(now.Add(3*time.Hour), "")
		enc, err := session.Encode(s)
		if err != nil {
			t.Fatal(err)
		}
		if s, err = session.Decode(enc); err != nil || !s.Awake.Equal(now.Add(3*time.Hour)) {
			t.Errorf("%s: after a start held until %v, %v", p, s.Awake, err)
		}
		late := func(trusted bool) session.State {
			stands := s
			stands.Phase = session.Closed
			next, _, _ := session.Step(stands, session.Event{At: session.Instant{Mono: 2 * time.Hour, Wall: now.Add(4 * time.Hour), Trusted: trusted}, Fact: session.Tick{Sure: true, Open: true}})
			return next
		}
		if late(false).Awake.IsZero() || !late(true).Awake.IsZero() {
			t.Errorf("%s: when it is over: %v by a wrong clock, %v", p, late(false).Awake, late(true).Awake)
		}
		hold(time.Time{}, "")
		if !s.Awake.IsZero() {
			t.Errorf("%s: released, and held until %v", p, s.Awake)
		}
	}
}
