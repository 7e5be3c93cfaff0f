package fleettest

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
)

// reached waits until each terminal obeys what it is told, and n of them something
// newer than the others.
func (w *world) reached(n int) {
	w.t.Helper()
	until(w.t, fmt.Sprintf("%d terminals have the new rules", n), func() bool {
		newest, with := uint64(0), 0
		for _, a := range w.console.policy(w.site).Applied {
			if a.Applied != a.Wanted {
				return false
			}
			if a.Applied > newest {
				newest, with = a.Applied, 0
			}
			if a.Applied == newest {
				with++
			}
		}
		return with == n
	})
}

// TestRulesReachOneTerminalFirst: real agents get what their step says, through
// restarts of the controller, and all of them the rules before when it goes back.
func TestRulesReachOneTerminalFirst(t *testing.T) {
	w := newWorld(t)
	for i := range 4 {
		w.install(fmt.Sprintf("Poste %d", i+1))
	}
	path := "/api/sites/" + w.site + "/policy"
	publish := func(minutes int) {
		t.Helper()
		v := w.console.policy(w.site)
		v.Policy.Session.Minutes = minutes
		in := map[string]any{"own": []string{"session"}, "policy": v.Policy}
		if code := w.console.ask(http.MethodPut, path, in, nil, strconv.FormatUint(v.Rev, 10)); code != http.StatusOK {
			t.Fatalf("publish: %d", code)
		}
	}
	order := func(action string) {
		t.Helper()
		if code := w.console.ask(http.MethodPost, path+"/rollout", map[string]string{"action": action}, nil, ""); code != http.StatusOK {
			t.Fatalf("%s: %d", action, code)
		}
	}
	w.reached(4)
	publish(25)
	w.reached(1)
	w.ctl.kill()
	w.ctl.start()
	w.reached(1)
	order("continue")
	w.reached(2)
	order("back")
	w.reached(4)
	if v := w.console.policy(w.site); v.Policy.Session.Minutes == 25 {
		t.Error("it did not go back")
	}
	publish(30)
	w.reached(1)
	for _, n := range []int{2, 4, 4} {
		order("continue")
		w.reached(n)
	}
}
