package browser

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

func TestMain(m *testing.M) {
	if IsStandin(os.Args) {
		os.Exit(StandinMain(os.Args, os.Stderr))
	}
	os.Exit(m.Run())
}

const testToken = "9f6c7d1a2b3c4d5e"

// shellPage answers only who has the token.
func shellPage(t *testing.T) (*httptest.Server, chan *http.Request) {
	t.Helper()
	seen := make(chan *http.Request, 64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case seen <- r:
		default:
		}
		if c, err := r.Cookie("borne"); err != nil || c.Value != testToken {
			http.Error(w, "no", http.StatusForbidden)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write([]byte("<!doctype html><title>Borne</title><h1>Bienvenue</h1><script>console.log('said by the page')</script>"))
	}))
	t.Cleanup(srv.Close)
	return srv, seen
}

func shellPolicy(t *testing.T, origin string) []byte {
	t.Helper()
	b, err := ShellPolicy(origin)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestShellFromABlankPage(t *testing.T) {
	needChromium(t)
	srv, _ := shellPage(t)
	c := startChromium(t, startDisplay(t), shellPolicy(t, srv.URL), "--kiosk", "about:blank")
	s, err := OpenShell(testContext(t, 40*time.Second), ShellConfig{Pipe: c.pipe, URL: srv.URL + "/", Cookie: "borne", Token: testToken})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var heading string
	if err := s.Eval(testContext(t, 10*time.Second), "document.querySelector('h1').textContent", &heading); err != nil || heading != "Bienvenue" {
		t.Fatalf("the page says %q, %v", heading, err)
	}
}

func openShell(t *testing.T) (*Shell, *chromium, chan *http.Request) {
	t.Helper()
	needChromium(t)
	srv, seen := shellPage(t)
	c := startChromium(t, startDisplay(t), shellPolicy(t, srv.URL), ShellFlags(srv.URL)...)
	s, err := OpenShell(testContext(t, 40*time.Second), ShellConfig{Pipe: c.pipe, URL: srv.URL + "/", Cookie: "borne", Token: testToken})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, c, seen
}

// standins gives the paths of the stand-ins that this process runs.
func standins(t *testing.T) (paths []string) {
	t.Helper()
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, p := range all {
		if b, err := os.ReadFile(p); err == nil && strings.HasSuffix(strings.SplitN(string(b), "\x00", 2)[0], "/"+StandinName) {
			if st, err := os.ReadFile(filepath.Join(filepath.Dir(p), "status")); err == nil && strings.Contains(string(st), "PPid:\t"+strconv.Itoa(os.Getpid())+"\n") {
				paths = append(paths, strings.SplitN(string(b), "\x00", 2)[0])
			}
		}
	}
	return paths
}

func TestShell(t *testing.T) {
	before := runtime.NumGoroutine()
	s, c, seen := openShell(t)
	ctx := testContext(t, 30*time.Second)

	for len(seen) > 0 {
		if r := <-seen; strings.Contains(r.URL.String(), testToken) || r.URL.Path == "/" && r.Header.Get("Cookie") != "borne="+testToken && r.Header.Get("Cookie") != "" {
			t.Fatalf("a request for %s with cookie %q", r.URL, r.Header.Get("Cookie"))
		}
	}
	var heading, cookie string
	if err := s.Eval(ctx, "document.querySelector('h1').textContent", &heading); err != nil || heading != "Bienvenue" {
		t.Fatalf("the page says %q, %v", heading, err)
	}
	if err := s.Eval(ctx, "document.cookie", &cookie); err != nil || cookie != "" {
		t.Fatalf("the page can read the token: %q, %v", cookie, err)
	}
	if err := s.Eval(ctx, "null.x", nil); err == nil {
		t.Fatal("an error in the page is no error")
	}
	running := standins(t)
	if len(running) != 1 {
		t.Fatalf("stand-ins: %v", running)
	}
	// No byte of the secret is in any argument or environment of ours.
	all, _ := filepath.Glob("/proc/[0-9]*/[ce][mn][dv]*")
	for _, p := range all {
		if b, err := os.ReadFile(p); err == nil && (strings.Contains(string(b), testToken) || strings.Contains(string(b), s.relay.path[len(relayPath):])) {
			t.Errorf("%s holds a secret", p)
		}
	}
	// The port is closed, and nothing else listens for a debugger.
	if conn, err := net.Dial("tcp", s.relay.ln.Addr().String()); err == nil {
		conn.Close()
		t.Error("the relay's port is still open")
	}
	// Bind is refused: what it binds is there for every page.
	if err := s.within(ctx, func() error { return s.ui.Bind("quit", func() {}) }); err == nil {
		t.Error("lorca could bind a function")
	}

	// A crash: the call that waits ends, and the owner is told.
	hung := make(chan error, 1)
	go func() { hung <- s.Eval(ctx, "new Promise(() => {})", nil) }()
	crashed := make(chan time.Time, 1)
	go func() {
		crashed <- time.Now()
		c.pipe.Call(ctx, s.session, "Page.crash", nil, nil)
	}()
	select {
	case err := <-s.Gone():
		if err == nil {
			t.Fatal("gone without a reason")
		}
		t.Log("crash seen after", time.Since(<-crashed))
	case <-time.After(10 * time.Second):
		t.Fatal("the crash was not seen")
	}
	if err := <-hung; err == nil {
		t.Fatal("a call into a crashed page succeeded")
	}
	s.Close()
	<-c.exited
	eventually(t, "the stand-in ends", func() bool { return len(standins(t)) == 0 })
	if _, err := os.Stat(filepath.Dir(running[0])); err == nil {
		t.Error("a folder is left behind")
	}
	http.DefaultClient.CloseIdleConnections()
	eventually(t, "no goroutine is left", func() bool { return runtime.NumGoroutine() <= before+6 })
}

func TestShellProcessDeath(t *testing.T) {
	s, c, _ := openShell(t)
	c.cmd.Process.Kill()
	select {
	case err := <-s.Gone():
		if err == nil {
			t.Fatal("gone without a reason")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the death of the browser was not seen")
	}
}

func TestShellFrozenPage(t *testing.T) {
	needChromium(t)
	srv, _ := shellPage(t)
	c := startChromium(t, startDisplay(t), shellPolicy(t, srv.URL), ShellFlags(srv.URL)...)
	s, err := OpenShell(testContext(t, 40*time.Second), ShellConfig{Pipe: c.pipe, URL: srv.URL + "/", Cookie: "borne", Token: testToken, Beat: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	go s.Eval(testContext(t, 20*time.Second), "for (;;) {}", nil)
	select {
	case err := <-s.Gone():
		if err == nil {
			t.Fatal("gone without a reason")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("a frozen page was not seen")
	}
}

func TestShellOpensOnlyLoopback(t *testing.T) {
	for _, u := range []string{"http://192.0.2.1/", "https://127.0.0.1/", "http://127.0.0.1.example.org/", "file:///etc/passwd", "%"} {
		p, _ := newFake(t)
		s := &Shell{p: p}
		if err := s.handOver(context.Background(), ShellConfig{URL: u}); err == nil {
			t.Errorf("%q was taken", u)
		}
	}
}

func TestRelayTakesOneClient(t *testing.T) {
	dial := func(url, origin string) error {
		c, _, err := websocket.DefaultDialer.Dial(url, http.Header{"Origin": {origin}})
		if err == nil {
			t.Cleanup(func() { c.Close() })
		}
		return err
	}
	p, _ := newFake(t)
	r, err := newRelay(p, "T")
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if dial("ws://"+r.ln.Addr().String()+relayPath+strings.Repeat("0", 32), "http://127.0.0.1") == nil {
		t.Fatal("a guessed path was served")
	}
	if err := dial(r.address(), "http://127.0.0.1"); err != nil {
		t.Fatal(err)
	}
	if dial(r.address(), "http://127.0.0.1") == nil {
		t.Fatal("a second client was served")
	}

	p2, _ := newFake(t)
	r2, err := newRelay(p2, "T")
	if err != nil {
		t.Fatal(err)
	}
	if dial(r2.address(), "http://evil.example") == nil {
		t.Fatal("a foreign origin was served")
	}
	<-r2.done // whoever knew the path is not given a second try
}

func TestPaintedWaitsForItsScreen(t *testing.T) {
	s, _, _ := openShell(t)
	ctx := testContext(t, 30*time.Second)
	if err := s.Eval(ctx, "document.body.dataset.screen = 'session', setTimeout(() => { document.body.dataset.screen = 'wiping' }, 200), 1", nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Painted(ctx, "wiping"); err != nil {
		t.Fatal(err)
	}
	var now string
	if err := s.Eval(ctx, "document.body.dataset.screen", &now); err != nil || now != "wiping" {
		t.Errorf("painted while the page shows %q, %v", now, err)
	}
	short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	if err := s.Painted(short, "thanks"); err == nil {
		t.Error("painted though the page shows something else")
	}
	if err := s.Painted(ctx, "thanks"); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("a screen that never comes: %v", err)
	}
}
