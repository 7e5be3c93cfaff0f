package fleettest

import (
	"net/http"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/kiosk/shell"
)

type bulkView struct {
	ID     string
	Counts struct{ Pending, Delivered, Done, Refused, Expired, LeftOut int }
	Lines  []struct{ Terminal, State, Answer string }
}

// TestOneCommandToSeveralTerminals: what a preview showed is what real terminals
// get, and each tells what became of it: at once, or when it is back.
func TestOneCommandToSeveralTerminals(t *testing.T) {
	w := newWorld(t)
	used, free, away := w.install("Poste 1"), w.install("Poste 2"), w.install("Poste 3")
	used.open('k')
	away.net.Set(false)
	until(t, "the third is away", func() bool { return !w.console.terminal(away.id).Online })
	until(t, "the first is seen in use", func() bool { return w.console.terminal(used.id).State == "in-use" })
	in := map[string]any{"kind": "end", "sites": []string{w.site}, "spaces": []string{}, "terminals": []string{}}
	var shown struct {
		Fingerprint                    string
		Terminals, Sites, Cut, Offline int
		Hits                           []struct {
			Terminal           string
			Hit, Cuts, Offline bool
		}
	}
	w.console.call(http.MethodPost, "/api/bulk/preview", in, &shown)
	if shown.Terminals != 2 || shown.Sites != 1 || shown.Cut != 1 || shown.Offline != 1 || len(shown.Hits) != 3 {
		t.Fatalf("the preview: %+v", shown)
	}

	// Somebody sits down at the second: their session was not shown, and is not hit.
	free.open('n')
	until(t, "the second is seen in use", func() bool { return w.console.terminal(free.id).State == "in-use" })
	in["fingerprint"] = shown.Fingerprint
	if code := w.console.ask(http.MethodPost, "/api/bulk", in, nil, ""); code != http.StatusConflict {
		t.Fatalf("what was not shown is hit: %d", code)
	}
	free.sync()
	if s := free.screen().Screen; s != shell.SessionPage {
		t.Errorf("the second shows %s", s)
	}
	free.Press(shell.End)
	free.ends(wire.EndButton)
	free.Tick(2 * time.Minute)
	until(t, "the second is free again", func() bool { free.Tick(0); return w.console.terminal(free.id).State == "free" })

	w.console.call(http.MethodPost, "/api/bulk/preview", in2(in), &shown)
	in["fingerprint"] = shown.Fingerprint
	var sent bulkView
	begun := time.Now()
	w.console.call(http.MethodPost, "/api/bulk", in, &sent)
	used.ends(wire.EndCommand)
	read := func() (v bulkView) {
		w.console.call(http.MethodGet, "/api/bulk/"+sent.ID, nil, &v)
		return v
	}
	until(t, "the first has told", func() bool { return read().Counts.Done == 1 })
	t.Logf("from sending to the first terminal's answer on the page: %s", time.Since(begun))
	if v := read(); v.Counts.Pending != 1 || v.Counts.LeftOut != 1 {
		t.Errorf("%+v", v)
	}

	// The third has nobody when it is back: it refuses, and says why.
	away.net.Set(true)
	until(t, "the third is back", func() bool { away.Tick(0); return w.console.terminal(away.id).Online })
	until(t, "the third has told", func() bool { away.Tick(0); return read().Counts.Refused == 1 })
	for _, l := range read().Lines {
		if l.Terminal == away.id && (l.State != "refused" || l.Answer != "no-session") {
			t.Errorf("the third: %+v", l)
		}
	}
}

// in2 is a request without the fingerprint of the one before.
func in2(in map[string]any) map[string]any {
	out := map[string]any{}
	for k, v := range in {
		if k != "fingerprint" {
			out[k] = v
		}
	}
	return out
}
