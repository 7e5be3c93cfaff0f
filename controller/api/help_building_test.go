package api

import (
	"net/http"
	"reflect"
	"strings"
	"testing"

	"borne/controller/accounts"
	"borne/controller/wire"
)

// TestBuildingStaffAnswerCalls: they see who calls in their places, answer, and learn
// nothing else of the terminals, nor of those of another place.
func TestBuildingStaffAnswerCalls(t *testing.T) {
	w := start(t)
	guard := w.as(accounts.Building, "a")
	w.calls(&wire.HelpCall{ID: aCall, At: t0, Times: 1})
	f := decode[Fleet](t, w.do(guard, "GET", "/api/fleet", nil), 200)
	if len(f.Sites) != 1 || len(f.Sites[0].Spaces) != 1 || len(f.Sites[0].Spaces[0].Terminals) != 1 {
		t.Fatalf("they see no call: %+v", f)
	}
	b := f.Sites[0].Spaces[0].Terminals[0]
	if b.Help == nil || b.Help.ID != aCall || b.Name == "" {
		t.Errorf("the call: %+v", b)
	}
	b.Help = nil
	if want := (TerminalBrief{ID: b.ID, Name: b.Name, Site: b.Site, Space: b.Space, State: InUse, Online: true, Missing: []string{}, Devices: []wire.Device{}}); !reflect.DeepEqual(b, want) {
		t.Errorf("they see more than a call: %+v", b)
	}
	next, _ := w.events(t, guard)
	want := func(has string) {
		t.Helper()
		for {
			switch name, data := next(); {
			case name == "heartbeat":
			case name != "terminal" || !strings.Contains(data, has) || strings.Contains(data, `"id":"b-1"`) || strings.Contains(data, "s77"):
				t.Fatalf("event %s %s, want a call with %s", name, data, has)
			default:
				return
			}
		}
	}
	if name, _ := next(); name != "hello" {
		t.Fatalf("the feed begins with %s", name)
	}
	<-w.live.got
	call := func(terminal, session, phase string, h *wire.HelpCall) {
		w.live.set(terminal, LiveState{Online: true, LastSeen: t0, Status: wire.Status{Phase: phase, Session: session, Help: h}})
	}
	call("b-1", "s77", "active", &wire.HelpCall{ID: "ffeeddccbbaa0099", At: t0, Times: 1})
	call("a-1", "s77", "active", &wire.HelpCall{ID: aCall, At: t0, Coming: true, Times: 1})
	want(`"coming":true`)
	call("a-1", "", "welcome", nil)
	want(`"online":true`) // that it is over
	for _, phase := range []string{"active", "thanks", "welcome"} {
		call("a-1", "s77", phase, nil) // is no business of theirs
	}
	for beats := 0; beats < int(3*gather/w.api.Heartbeat)+3; beats++ { // longer than changes are gathered for
		if name, data := next(); name != "heartbeat" {
			t.Fatalf("they are told of what is no call: %s %s", name, data)
		}
	}
	call("a-1", "s77", "active", &wire.HelpCall{ID: aCall, At: t0, Times: 3})
	want(`"times":3`)
	decode[Accepted](t, w.do(guard, "POST", "/api/terminals/a-1/help", HelpAnswer{Call: aCall}), http.StatusAccepted)
	if a := w.do(guard, "POST", "/api/terminals/b-1/help", HelpAnswer{Call: "ffeeddccbbaa0099"}); a.StatusCode != 403 && a.StatusCode != 404 {
		t.Errorf("another place's call is answered: %s", a.Status)
	}
}
