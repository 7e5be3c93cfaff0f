package api

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/wire"
)

// events reads the feed's events, one after another.
func (w *world) events(t *testing.T, cookie string) (next func() (name, data string), closed func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	req, _ := http.NewRequestWithContext(ctx, "GET", w.URL+"/api/live", nil)
	req.AddCookie(&http.Cookie{Name: "borne", Value: cookie})
	res, err := w.Client().Do(req)
	if err != nil || res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%v, %v", err, res)
	}
	t.Cleanup(func() { cancel(); res.Body.Close() })
	lines := bufio.NewScanner(res.Body)
	return func() (name, data string) {
		for lines.Scan() {
			l := lines.Text()
			switch {
			case strings.HasPrefix(l, "event: "):
				name = l[7:]
			case strings.HasPrefix(l, "data: "):
				data = l[6:]
			case strings.HasPrefix(l, ":"):
				name = "heartbeat"
			case l == "" && name != "":
				return name, data
			}
		}
		return "end", ""
	}, cancel
}

func TestLiveFeed(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Reception, "a")
	next, _ := w.events(t, cookie)
	want := func(name, has string) {
		t.Helper()
		for {
			n, data := next()
			if n == "heartbeat" && name != n {
				continue
			}
			if n != name || !strings.Contains(data, has) {
				t.Fatalf("event %s %s, want %s with %s", n, data, name, has)
			}
			return
		}
	}
	want("hello", `"generation":3`)
	<-w.live.got
	// Only site a's terminals are told, and a burst is told once.
	w.live.set("b-1", LiveState{Online: true, Status: wire.Status{Phase: "welcome"}})
	w.live.set("a-1", LiveState{Online: true, Status: wire.Status{Phase: "welcome"}})
	w.live.set("a-1", LiveState{Online: true, Status: wire.Status{Phase: "active", Session: "s9", Left: 600}})
	want("terminal", `"id":"a-1"`)
	w.live.set("a-1", LiveState{})
	want("terminal", `"state":"offline"`)
	want("heartbeat", "")
	// Whoever fell behind is told to read everything anew.
	w.live.lag()
	want("hello", "time")
	<-w.live.got
	w.live.set("a-1", LiveState{Online: true, Status: wire.Status{Phase: "closed", Reason: "closed"}})
	want("terminal", `"reason":"closed"`)
	// After the logout nothing is told.
	if a := w.do(cookie, "POST", "/api/logout", nil); a.StatusCode != 200 {
		t.Fatal(a.Status)
	}
	want("end", "")
	if len(w.api.streams) != 0 {
		waitFor(t, func() bool { return len(w.api.streams) == 0 })
	}
}

func TestLiveFeedsAreBounded(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Correspondant)
	for range maxStreams {
		w.api.streams <- struct{}{}
	}
	if a := w.do(cookie, "GET", "/api/live", nil); a.StatusCode != 503 || a.Header.Get("Retry-After") == "" {
		t.Errorf("one feed too many: %s", a.Status)
	}
}

func waitFor(t *testing.T, ok func() bool) {
	t.Helper()
	end := time.Now().Add(10 * time.Second)
	for !ok() {
		if time.Now().After(end) {
			t.Fatal("it does not happen")
		}
		time.Sleep(time.Millisecond)
	}
}
