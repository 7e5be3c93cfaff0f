package shell

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gorilla/websocket"
)

const patience = 5 * time.Second

func start(t *testing.T) *Server { return startLogged(t, nil) }

func startLogged(t *testing.T, log *slog.Logger) *Server {
	t.Helper()
	s, err := New(fstest.MapFS{
		"index.html": {Data: []byte("<!doctype html><title>Borne</title>")},
		"app.js":     {Data: []byte("'use strict'")},
	}, log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

// ask sends one request as the browser would, changed by edit.
func ask(t *testing.T, s *Server, path string, c *http.Cookie, edit func(*http.Request)) *http.Response {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, s.Origin()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if c != nil {
		r.AddCookie(c)
	}
	if edit != nil {
		edit(r)
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// login spends the token and returns the page's cookie.
func login(t *testing.T, s *Server) *http.Cookie {
	t.Helper()
	resp := ask(t, s, "/", s.Cookie(), nil)
	if resp.StatusCode != http.StatusOK || len(resp.Cookies()) != 1 {
		t.Fatalf("first page: %s, %d cookies", resp.Status, len(resp.Cookies()))
	}
	return resp.Cookies()[0]
}

func open(t *testing.T, s *Server, c *http.Cookie) *websocket.Conn {
	t.Helper()
	ws, resp, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(s.Origin(), "http")+"/ws",
		http.Header{"Origin": {s.Origin()}, "Cookie": {c.Name + "=" + c.Value}})
	if err != nil {
		t.Fatalf("cannot open the socket: %v (%v)", err, resp)
	}
	t.Cleanup(func() { ws.Close() })
	ws.SetReadDeadline(time.Now().Add(patience))
	return ws
}

func next(t *testing.T, ws *websocket.Conn) View {
	t.Helper()
	var v View
	if err := ws.ReadJSON(&v); err != nil {
		t.Fatalf("no view: %v", err)
	}
	return v
}

func TestTokenIsSpentOnce(t *testing.T) {
	s := start(t)
	token := s.Cookie()
	resp := ask(t, s, "/", token, nil)
	page := resp.Cookies()[0]
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != 200 || !strings.Contains(string(body), "Borne") {
		t.Fatalf("with the token: %s, %q", resp.Status, body)
	}
	if !page.HttpOnly || page.SameSite != http.SameSiteStrictMode || page.Value == token.Value {
		t.Errorf("page's cookie: %+v", page)
	}
	// A browser whose first request was cut off asks again with the token.
	again := ask(t, s, "/", token, nil)
	if again.StatusCode != http.StatusOK || again.Cookies()[0].Value != page.Value {
		t.Errorf("the token again, before the page's cookie was seen: %s, want the same cookie", again.Status)
	}
	if got := ask(t, s, "/app.js", page, nil).StatusCode; got != http.StatusOK {
		t.Errorf("with the page's cookie: %d", got)
	}
	if got := ask(t, s, "/", token, nil).StatusCode; got != http.StatusForbidden {
		t.Errorf("the token after its exchange: %d", got)
	}
	fresh := s.Cookie()
	if got := ask(t, s, "/app.js", page, nil).StatusCode; got != http.StatusForbidden {
		t.Errorf("the old browser's cookie after a new token: %d", got)
	}
	if got := ask(t, s, "/", fresh, nil).StatusCode; got != http.StatusOK {
		t.Errorf("new token: %d", got)
	}
}

// The shell's browser starts on our address before it can be handed the token:
// that one refusal is no warning, every other one is.
func TestOnlyTheExpectedRefusalIsQuiet(t *testing.T) {
	var out strings.Builder
	var mu sync.Mutex
	s := startLogged(t, slog.New(slog.NewTextHandler(writer(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return out.Write(b)
	}), nil)))
	said := func() string { mu.Lock(); defer mu.Unlock(); return out.String() }
	refused := func(path string, c *http.Cookie) {
		t.Helper()
		if resp := ask(t, s, path, c, nil); resp.StatusCode != http.StatusForbidden {
			t.Fatalf("%s: %s", path, resp.Status)
		}
	}
	token := s.Cookie()
	refused("/", nil)
	if got := said(); got != "" {
		t.Errorf("the browser's first request is told of: %s", got)
	}
	for i, warns := range []func(){
		func() { refused("/app.js", nil) },
		func() { refused("/", &http.Cookie{Name: cookieName, Value: "other"}) },
		func() {
			resp := ask(t, s, "/", token, nil)
			if resp.StatusCode != http.StatusOK {
				t.Fatalf("with the token: %s", resp.Status)
			}
			ask(t, s, "/app.js", resp.Cookies()[0], nil)
			refused("/", nil) // the token is spent: somebody else
		},
	} {
		warns()
		if n := strings.Count(said(), "level=WARN"); n != i+1 {
			t.Errorf("%d warnings after %d requests that nobody expects: %s", n, i+1, said())
		}
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

func TestOnlyOurPageIsServed(t *testing.T) {
	s := start(t)
	page := login(t, s)
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(s.Origin(), "http://"))
	for name, c := range map[string]struct {
		cookie *http.Cookie
		path   string
		edit   func(*http.Request)
		want   int
	}{
		"ours":              {page, "/app.js", nil, 200},
		"ours, with origin": {page, "/app.js", func(r *http.Request) { r.Header.Set("Origin", s.Origin()) }, 200},
		"no cookie":         {nil, "/", nil, 403},
		"wrong cookie":      {&http.Cookie{Name: cookieName, Value: "x"}, "/", nil, 403},
		"empty cookie":      {&http.Cookie{Name: cookieName, Value: ""}, "/", nil, 403},
		"rebound name":      {page, "/app.js", func(r *http.Request) { r.Host = "evil.example:" + port }, 403},
		"localhost by name": {page, "/app.js", func(r *http.Request) { r.Host = "localhost:" + port }, 403},
		"foreign origin":    {page, "/app.js", func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, 403},
		"null origin":       {page, "/app.js", func(r *http.Request) { r.Header.Set("Origin", "null") }, 403},
		"two origins":       {page, "/app.js", func(r *http.Request) { r.Header["Origin"] = []string{s.Origin(), "null"} }, 403},
		"cross-site fetch":  {page, "/app.js", func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") }, 403},
		"post":              {page, "/app.js", func(r *http.Request) { r.Method = http.MethodPost }, 405},
		"socket, no origin": {page, "/ws", nil, 403},
		"missing file":      {page, "/nothing", nil, 404},
		"climbing out":      {page, "/../server.go", nil, 404},
	} {
		t.Run(name, func(t *testing.T) {
			resp := ask(t, s, c.path, c.cookie, c.edit)
			if resp.StatusCode != c.want {
				t.Errorf("got %d, want %d", resp.StatusCode, c.want)
			}
			// A 404 of net/http's file server loses Cache-Control on purpose.
			if resp.Header.Get("Cache-Control") != "no-store" && c.want != 404 || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "default-src 'none'") {
				t.Errorf("headers: %v", resp.Header)
			}
		})
	}
}

func TestSocketShowsTheLatestView(t *testing.T) {
	s := start(t)
	s.Show(View{Screen: Starting})
	s.Show(View{Screen: Welcome, Place: Place{Site: "Collège"}})
	ws := open(t, s, login(t, s))
	if v := next(t, ws); v.Screen != Welcome || v.Place.Site != "Collège" {
		t.Fatalf("first view: %+v", v)
	}
	// Coalesced: whatever is skipped, the last one arrives.
	for i := range 500 {
		s.Show(View{Screen: SessionPage, Bar: &Bar{LeftSeconds: 499 - i}})
	}
	for v := next(t, ws); v.Bar == nil || v.Bar.LeftSeconds != 0; {
		v = next(t, ws)
	}
	if !s.Connected() {
		t.Error("not connected")
	}
}

func TestActionsArrive(t *testing.T) {
	s := start(t)
	ws := open(t, s, login(t, s))
	for _, a := range []Action{{Do: Begin}, {Do: SetLang, Lang: "fr-x-facile"}, {Do: End}} {
		if err := ws.WriteJSON(a); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-s.Actions():
			if got != a {
				t.Errorf("got %+v, want %+v", got, a)
			}
		case <-time.After(patience):
			t.Fatal("no action")
		}
	}
}

func TestBadActionEndsTheSocket(t *testing.T) {
	s := start(t)
	page := login(t, s)
	for _, bad := range []string{`{"do":"format"}`, strings.Repeat(" ", MaxAction+1), `nothing`} {
		ws := open(t, s, page)
		if err := ws.WriteMessage(websocket.TextMessage, []byte(bad)); err != nil {
			t.Fatal(err)
		}
		if _, _, err := ws.ReadMessage(); err == nil {
			t.Errorf("%.20q: the socket goes on", bad)
		} else if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
			t.Errorf("%.20q: not closed", bad)
		}
	}
	select {
	case a := <-s.Actions():
		t.Errorf("action %+v came through", a)
	default:
	}
}

func TestNewestSocketWins(t *testing.T) {
	s := start(t)
	s.Show(View{Screen: Welcome})
	page := login(t, s)
	first := open(t, s, page)
	next(t, first)
	second := open(t, s, page)
	if v := next(t, second); v.Screen != Welcome {
		t.Errorf("second: %+v", v)
	}
	if _, _, err := first.ReadMessage(); err == nil {
		t.Error("the first socket goes on")
	}
	s.Cookie() // a new browser is started: the old one's socket ends
	if _, _, err := second.ReadMessage(); err == nil {
		t.Error("the second socket outlives its browser")
	}
}

func TestServeEndsWithItsSockets(t *testing.T) {
	s, err := New(fstest.MapFS{"index.html": {Data: []byte("x")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	s.Show(View{Screen: Welcome})
	ws := open(t, s, login(t, s))
	next(t, ws)
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, _, err := ws.ReadMessage(); err == nil {
		t.Error("the socket outlives the server")
	}
}

func TestParseAction(t *testing.T) {
	for _, d := range Known() {
		in := `{"do":"` + string(d) + `"}`
		if d == SetLang {
			in = `{"do":"lang","lang":"en"}`
		}
		if d == Code {
			in = `{"do":"code","code":"acde-2345"}`
		}
		if d == StaffPIN {
			in = `{"do":"staff-pin","pin":"730194"}`
		}
		if d == PrintIt || d == PrintSet {
			in = `{"do":"` + string(d) + `","job":"J-1_a","print":{"copies":2,"duplex":true,"colour":true,"range":"1-3, 5; 7"}}`
		}
		if a, err := ParseAction([]byte(in)); err != nil || a.Do != d {
			t.Errorf("%s: %+v, %v", in, a, err)
		}
	}
	for _, bad := range []string{``, `null`, `{}`, `[]`, `{"do":"Begin"}`, `{"do":"begin","x":1}`, `{"do":"begin"} {}`, `{"do":"begin"}x`,
		`{"do":"code"}`, `{"do":"staff-pin"}`, `{"do":"staff","pin":"730194"}`, `{"do":"staff-pin","pin":730194}`, `{"do":"staff-pin","pin":"` + strings.Repeat("1", 33) + `"}`, `{"do":"begin","code":"ACDE2345"}`, `{"do":"code","code":"` + strings.Repeat("A", 33) + `"}`,
		`{"do":"lang"}`, `{"do":"begin","lang":"fr"}`, `{"do":"lang","lang":"fr-"}`, `{"do":"lang","lang":"../x"}`, `{"do":1}`,
		`{"do":"lang","lang":"` + strings.Repeat("a", 40) + `"}`,
		`{"do":"begin","job":"1"}`, `{"do":"begin","print":{"copies":1}}`, `{"do":"print"}`, `{"do":"print-set","job":"1"}`,
		`{"do":"print","print":{"copies":0}}`, `{"do":"print","print":{"copies":100}}`, `{"do":"print","print":{"copies":-1}}`,
		`{"do":"print","print":{"copies":1,"range":"1-x"}}`, `{"do":"print","print":{"copies":1,"range":"` + strings.Repeat("1,", 61) + `"}}`,
		`{"do":"print","print":{"copies":1,"name":"secret.pdf"}}`, `{"do":"print","lang":"fr","print":{"copies":1}}`,
		`{"do":"print-cancel","print":{"copies":1}}`, `{"do":"print-ok","job":"../1"}`, `{"do":"print-ok","job":"` + strings.Repeat("a", 65) + `"}`} {
		a, err := ParseAction([]byte(bad))
		if !errors.Is(err, ErrAction) {
			t.Errorf("%s: %+v, %v", bad, a, err)
		}
		if err != nil && strings.Contains(err.Error(), "730194") { // it is logged
			t.Errorf("%s: the error repeats the PIN: %v", bad, err)
		}
	}
}

func FuzzParseAction(f *testing.F) {
	for _, s := range []string{`{"do":"begin"}`, `{"do":"lang","lang":"fr-x-facile"}`, `{"do":"lang","lang":"é"}`, `{"do":`, `{"DO":"begin"}`,
		`{"do":"print","job":"a1","print":{"copies":2,"duplex":true,"range":"1-3, 5"}}`, `{"do":"print-cancel","job":"a1"}`, `{"do":"staff-pin","pin":"730194"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := ParseAction(b)
		if err != nil {
			if a != (Action{}) || !errors.Is(err, ErrAction) {
				t.Fatalf("%+v with %v", a, err)
			}
			return
		}
		again, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		if b, err := ParseAction(again); err != nil || a != b {
			t.Fatalf("%+v becomes %+v, %v", a, b, err)
		}
	})
}
