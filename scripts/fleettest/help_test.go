package fleettest

import (
	"bufio"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/hw"
	"borne/kiosk/shell"
)

// seen is what a page of staff hears of a terminal over the live feed.
type seen struct {
	ID   string
	Help *struct {
		ID, By string
		Coming bool
		Times  int
	}
}

// feed opens the live feed as a page does.
func (c *console) feed() <-chan seen {
	c.ctl.t.Helper()
	srv, client := c.login()
	req, err := http.NewRequestWithContext(c.ctl.t.Context(), http.MethodGet, srv.ConsoleURL()+"/api/live", nil)
	must(c.ctl.t, err)
	res, err := (&http.Client{Jar: client.Jar}).Do(req)
	must(c.ctl.t, err)
	c.ctl.t.Cleanup(func() { res.Body.Close() })
	all, open := make(chan seen, 1000), make(chan struct{})
	go func() {
		defer close(all)
		event := ""
		for s := bufio.NewScanner(res.Body); s.Scan(); {
			if name, ok := strings.CutPrefix(s.Text(), "event: "); ok {
				if event = name; event == "hello" {
					close(open)
				}
			}
			if data, ok := strings.CutPrefix(s.Text(), "data: "); ok && event == "terminal" {
				var t seen
				if json.Unmarshal([]byte(data), &t) == nil {
					all <- t
				}
			}
		}
	}()
	<-open
	return all
}

// hears waits for what a page hears, and returns how long that took.
func hears(t *testing.T, all <-chan seen, what string, ok func(seen) bool) (seen, time.Duration) {
	t.Helper()
	begun := time.Now()
	end := time.After(soon)
	for {
		select {
		case s := <-all:
			if ok(s) {
				return s, time.Since(begun)
			}
		case <-end:
			t.Fatalf("no page hears of %s", what)
		}
	}
}

// TestHelpIsAskedForAndComes: a button at a real terminal reaches staff's page over
// the live feed of a real controller, and their answer is on the terminal's screen.
func TestHelpIsAskedForAndComes(t *testing.T) {
	w := newWorld(t)
	x := w.install("Poste 1")
	page := w.console.feed()
	asked := func(s seen) bool { return s.ID == x.id && s.Help != nil && !s.Help.Coming }
	quiet := func(s seen) bool { return s.ID == x.id && s.Help == nil }
	path := "/api/terminals/" + x.id + "/help"

	x.open('k')
	x.Press(shell.CallHelp)
	call, took := hears(t, page, "the page's button", asked)
	t.Logf("from the button on the screen to staff's page: %s", took)
	x.wait("that it was asked", func(v shell.View) bool { return v.Help != nil && v.Help.State == shell.HelpAsked })
	begun := time.Now()
	w.console.call(http.MethodPost, path, map[string]any{"call": call.Help.ID, "done": false}, nil)
	x.wait("that somebody comes", func(v shell.View) bool { return v.Help != nil && v.Help.State == shell.HelpComing })
	t.Logf("from staff's answer to the person's screen: %s", time.Since(begun))
	coming, _ := hears(t, page, "who comes", func(s seen) bool { return s.Help != nil && s.Help.Coming })
	if coming.Help.By == "" || coming.Help.ID != call.Help.ID {
		t.Errorf("%+v", coming.Help)
	}
	w.console.call(http.MethodPost, path, map[string]any{"call": call.Help.ID, "done": true}, nil)
	hears(t, page, "its end", quiet)
	x.wait("that it is over", func(v shell.View) bool { return v.Help == nil })

	// The button on the case, and the session ends before anybody comes.
	x.Tick(time.Minute)
	x.CallStaff(hw.On)
	second, took := hears(t, page, "the button on the case", asked)
	t.Logf("from the button on the case to staff's page: %s", took)
	if second.Help.ID == call.Help.ID {
		t.Error("another call has the id of the one before")
	}
	x.CallStaff(hw.Off)
	x.Press(shell.End)
	hears(t, page, "the end of the session", quiet)
	if code := w.console.ask(http.MethodPost, path, map[string]any{"call": second.Help.ID, "done": false}, nil, ""); code != http.StatusConflict {
		t.Errorf("whoever has gone is answered: %d", code)
	}
	x.ends("button")
	x.delivered()
	var r struct {
		Total struct{ Help *int }
	}
	from, to := begun.In(policy.Location()).Format(time.DateOnly), time.Now().In(policy.Location()).Format(time.DateOnly)
	w.console.call(http.MethodGet, "/api/indicators?from="+from+"&to="+to, nil, &r)
	if r.Total.Help == nil || *r.Total.Help != 2 {
		t.Errorf("the indicators do not count two calls: %v", r.Total.Help)
	}
}
