package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"borne/hw/sim"
)

// display notes what is done to it.
type display struct {
	mu   sync.Mutex
	done []string
}

func (d *display) note(format string, a ...any) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = append(d.done, fmt.Sprintf(format, a...))
	return nil
}
func (d *display) Move(x, y int) error          { return d.note("move %d %d", x, y) }
func (d *display) Click(x, y int, b byte) error { return d.note("click %d %d %d", x, y, b) }
func (d *display) Key(k string) error           { return d.note("key %s", k) }
func (d *display) Type(t string) error          { return d.note("type %s", t) }
func (d *display) Screenshot() (*image.RGBA, error) {
	img := image.NewRGBA(image.Rect(0, 0, 4, 3))
	img.Set(1, 2, color.RGBA{R: 200, A: 255})
	return img, nil
}

// wire is a network that can be cut.
type wire struct {
	mu  sync.Mutex
	cut bool
}

func (n *wire) Set(on bool) { n.mu.Lock(); n.cut = !on; n.mu.Unlock() }
func (n *wire) On() bool    { n.mu.Lock(); defer n.mu.Unlock(); return !n.cut }

type rig struct {
	*Server
	hw    *sim.Bench
	net   *wire
	on    *display
	power chan struct{}
}

func start(t *testing.T) rig {
	t.Helper()
	r := rig{hw: sim.NewBench(sim.NewVirtualClock(), 1), net: &wire{}, on: &display{}, power: make(chan struct{}, 1)}
	var err error
	r.Server, err = New(Config{Saving: func() Saving { return Saving{Power: "low", Relay: "off", Governor: "powersave"} }, Hardware: r.hw, Network: r.net, Power: func() { r.power <- struct{}{} }, Stage: func() Stage { return r.on },
		Files: fstest.MapFS{"bench.html": {Data: []byte("bench")}, "view.html": {Data: []byte("view")}}, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return r
}

func (r rig) send(t *testing.T, method, path, body string, edit func(*http.Request)) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, strings.TrimSuffix(r.URL(), "/bench.html")+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Borne", "1")
	if edit != nil {
		edit(req)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func (r rig) state(t *testing.T) State {
	t.Helper()
	code, body := r.send(t, "GET", "/sim/state", "", nil)
	var s State
	if err := json.Unmarshal([]byte(body), &s); err != nil || code != 200 {
		t.Fatalf("%d %q: %v", code, body, err)
	}
	return s
}

func TestGestures(t *testing.T) {
	r := start(t)
	if s := r.state(t); s.Case != "closed" || s.Reader != "plugged" || s.Network != "on" || s.Printer != "ready" || s.Call != "off" || s.Power != "on" || len(s.Badges) != 0 {
		t.Errorf("at the start: %+v", s)
	} else if s.Saving != (Saving{Power: "low", Relay: "off", Governor: "powersave"}) {
		t.Errorf("how it saves: %+v", s.Saving)
	}
	for _, c := range []struct {
		body string
		see  func(State) bool
	}{
		{`{"action":"tap","uids":["04a1b2c3d4e5f6","a1b2c3d4"]}`, func(s State) bool { return slices.Equal(s.Badges, []string{"04a1b2c3d4e5f6", "a1b2c3d4"}) }},
		{`{"action":"lift"}`, func(s State) bool { return len(s.Badges) == 0 }},
		{`{"action":"tap","uids":["04a1b2c3d4e5f6"],"kind":"ntag424"}`, func(s State) bool { return slices.Equal(s.Badges, []string{"04a1b2c3d4e5f6"}) }},
		{`{"action":"tap","uids":["a1b2c3d4"],"ms":1500}`, func(s State) bool { return len(s.Badges) == 1 }},
		{`{"action":"case","on":true}`, func(s State) bool { return s.Case == "open" }},
		{`{"action":"case","on":false}`, func(s State) bool { return s.Case == "closed" }},
		{`{"action":"present","on":true}`, func(s State) bool { return s.Present == "there" }},
		{`{"action":"present","on":false}`, func(s State) bool { return s.Present == "nobody" }},
		{`{"action":"reader","on":false}`, func(s State) bool { return s.Reader == "unplugged" }},
		{`{"action":"reader","on":true}`, func(s State) bool { return s.Reader == "plugged" }},
		{`{"action":"network","on":false}`, func(s State) bool { return s.Network == "off" }},
		{`{"action":"network","on":true}`, func(s State) bool { return s.Network == "on" }},
		{`{"action":"printer","jam":true}`, func(s State) bool { return s.Printer == "jammed" }},
		{`{"action":"printer","jam":false}`, func(s State) bool { return s.Printer == "ready" }},
		{`{"action":"call"}`, func(s State) bool { return s.Call == "on" }},
	} {
		if code, body := r.send(t, "POST", "/sim/do", c.body, nil); code != 204 {
			t.Fatalf("%s: %d %s", c.body, code, body)
		}
		if s := r.state(t); !c.see(s) {
			t.Errorf("after %s: %+v", c.body, s)
		}
	}
	if code, _ := r.send(t, "POST", "/sim/do", `{"action":"power"}`, nil); code != 202 {
		t.Errorf("power: %d", code)
	}
	<-r.power
}

func TestInputAndScreen(t *testing.T) {
	r := start(t)
	for body, want := range map[string]string{
		`{"type":"click","x":3,"y":4}`:            "click 3 4 1",
		`{"type":"click","x":0,"y":0,"button":3}`: "click 0 0 3",
		`{"type":"move","x":9,"y":8}`:             "move 9 8",
		`{"type":"key","key":"Return"}`:           "key Return",
		`{"type":"key","key":"ctrl+Up"}`:          "key ctrl+ArrowUp",
		`{"type":"key","key":"+"}`:                "key +",
		`{"type":"key","key":"space"}`:            "key  ",
		`{"type":"text","text":"été"}`:            "type été",
	} {
		r.on.done = nil
		if code, msg := r.send(t, "POST", "/sim/input", body, nil); code != 204 {
			t.Errorf("%s: %d %s", body, code, msg)
		}
		if !slices.Equal(r.on.done, []string{want}) {
			t.Errorf("%s: %q, want %q", body, r.on.done, want)
		}
	}
	code, body := r.send(t, "GET", "/sim/screen.png", "", nil)
	img, err := png.Decode(strings.NewReader(body))
	if code != 200 || err != nil {
		t.Fatalf("%d, %v", code, err)
	}
	if red, _, _, _ := img.At(1, 2).RGBA(); red>>8 != 200 || img.Bounds().Dx() != 4 {
		t.Errorf("picture %v, red %d", img.Bounds(), red>>8)
	}
}

func TestWithoutDisplay(t *testing.T) {
	r := start(t)
	r.c.Stage = func() Stage { return nil }
	if code, _ := r.send(t, "GET", "/sim/screen.png", "", nil); code != 503 {
		t.Errorf("screen: %d", code)
	}
	if code, _ := r.send(t, "POST", "/sim/input", `{"type":"move","x":1,"y":1}`, nil); code != 400 {
		t.Errorf("input: %d", code)
	}
}

func TestOnlyItsOwnPages(t *testing.T) {
	r := start(t)
	head := func(k, v string) func(*http.Request) { return func(q *http.Request) { q.Header.Set(k, v) } }
	own := strings.TrimSuffix(r.URL(), "/bench.html")
	for name, c := range map[string]struct {
		method, path string
		edit         func(*http.Request)
		want         int
	}{
		"page":               {"GET", "/bench.html", nil, 200},
		"view":               {"GET", "/view.html", nil, 200},
		"start":              {"GET", "/", nil, 302},
		"own origin":         {"POST", "/sim/do", head("Origin", own), 204},
		"without the header": {"POST", "/sim/do", func(q *http.Request) { q.Header.Del("X-Borne") }, 403},
		"foreign origin":     {"POST", "/sim/do", head("Origin", "https://evil.example"), 403},
		"rebound name":       {"GET", "/sim/screen.png", func(q *http.Request) { q.Host = "evil.example" }, 403},
		"foreign fetch":      {"GET", "/sim/screen.png", head("Sec-Fetch-Site", "cross-site"), 403},
		"foreign link": {"GET", "/bench.html", func(q *http.Request) {
			q.Header.Set("Sec-Fetch-Site", "cross-site")
			q.Header.Set("Sec-Fetch-Mode", "navigate")
		}, 200},
		"get a gesture": {"GET", "/sim/do", nil, 404},
	} {
		body := ""
		if c.method == "POST" {
			body = `{"action":"lift"}`
		}
		if code, _ := r.send(t, c.method, c.path, body, c.edit); code != c.want {
			t.Errorf("%s: %d, want %d", name, code, c.want)
		}
	}
}

func TestBadGesturesChangeNothing(t *testing.T) {
	r := start(t)
	before := r.state(t)
	for _, bad := range []string{``, `null`, `{}`, `[]`, `{"action":"explode"}`, `{"action":"tap"}`, `{"action":"tap","uids":[]}`, `{"action":"tap","uids":["zz"]}`,
		`{"action":"tap","uids":["0102"]}`, `{"action":"tap","uids":["a1b2c3d4"],"kind":"visa"}`, `{"action":"tap","uids":["a1b2c3d4"],"kind":"ntag424"}`, `{"action":"lift","kind":"uid"}`, `{"action":"tap","uids":["a1b2c3d4"],"ms":-1}`, `{"action":"tap","uids":["a1b2c3d4"],"ms":99999999999}`,
		`{"action":"case"}`, `{"action":"case","on":true,"jam":true}`, `{"action":"case","on":true,"x":1}`, `{"action":"lift","on":true}`,
		`{"action":"lift"} {}`, `{"action":"printer","on":true}`, `{"action":"power","ms":1}`,
		`{"action":"tap","uids":["01020304","01020305","01020306","01020307","01020308","01020309","0102030a","0102030b","0102030c"]}`} {
		if code, msg := r.send(t, "POST", "/sim/do", bad, nil); code != 400 || !strings.HasPrefix(msg, "cannot ") {
			t.Errorf("%s: %d %s", bad, code, msg)
		}
	}
	for _, bad := range []string{`{}`, `{"type":"click","x":1}`, `{"type":"move","x":1,"y":1,"button":1}`, `{"type":"key"}`, `{"type":"key","key":"a","x":1,"y":2}`,
		`{"type":"text","text":"` + strings.Repeat("x", maxText+1) + `"}`, `{"type":"click","x":1,"y":1,"button":9}`} {
		if code, _ := r.send(t, "POST", "/sim/input", bad, nil); code != 400 {
			t.Errorf("%s: %d", bad, code)
		}
	}
	if code, _ := r.send(t, "POST", "/sim/do", strings.Repeat(" ", maxBody+1), nil); code != 413 {
		t.Errorf("long body: %d", code)
	}
	if after := r.state(t); fmt.Sprint(after) != fmt.Sprint(before) || len(r.on.done) != 0 || len(r.power) != 0 {
		t.Errorf("%+v became %+v; %v", before, after, r.on.done)
	}
}

func TestLoopbackOnly(t *testing.T) {
	if s, err := New(Config{Hardware: sim.NewBench(sim.NewVirtualClock(), 1), Network: &wire{}, Power: func() {}, Files: fstest.MapFS{}, Listen: "0.0.0.0:0"}); err == nil {
		s.ln.Close()
		t.Error("it listens to everybody")
	}
	if _, err := New(Config{}); err == nil {
		t.Error("an empty bench is no error")
	}
}

func FuzzGesture(f *testing.F) {
	f.Add([]byte(`{"action":"tap","uids":["04a1b2c3"],"ms":1500}`))
	f.Add([]byte(`{"action":"case","on":null}`))
	f.Add([]byte(`{"ACTION":"lift","uids":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := ParseGesture(b)
		if err != nil {
			return
		}
		switch g.Action { // what do dereferences is there
		case "case", "reader", "network":
			if g.On == nil {
				t.Fatal("no on")
			}
		case "printer":
			if g.Jam == nil {
				t.Fatal("no jam")
			}
		}
	})
}

func FuzzInput(f *testing.F) {
	f.Add([]byte(`{"type":"click","x":1,"y":2,"button":1}`))
	f.Add([]byte(`{"type":"key","key":"+"}`))
	f.Add([]byte(`{"type":"key","key":"ctrl++"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		in, err := ParseInput(b)
		if err != nil {
			return
		}
		if in.Type == "key" && combo(in.Key) == "" {
			t.Fatal("the key is lost")
		}
		if (in.Type == "click" || in.Type == "move") && (in.X == nil || in.Y == nil) {
			t.Fatal("no place")
		}
		if _, err := json.Marshal(in); err != nil && !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
	})
}
