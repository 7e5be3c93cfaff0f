package browser

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"borne/controller/policy"
	"context"
	"log/slog"
	"os/exec"
	"testing"
	"time"
)

// eventually waits for a condition that the browser brings about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func press(t *testing.T, display, key string) {
	t.Helper()
	cmd := exec.Command("xdotool", "key", key)
	cmd.Env = []string{"DISPLAY=" + display}
	if err := cmd.Run(); err != nil {
		t.Fatalf("xdotool key %s: %v", key, err)
	}
}

// frontURL reads the address of the tab in front; the product never does.
func frontURL(ctx context.Context, s *Session) string {
	front, err := s.front(ctx)
	if err != nil {
		return ""
	}
	var u string
	if s.eval(ctx, front, 0, "location.href", &u) != nil {
		return ""
	}
	return u
}

// openSession opens a real session with the real policy, but for the loopback
// addresses that the test's own server is on.
func openSession(t *testing.T, html string) (*Session, *chromium) {
	t.Helper()
	needChromium(t)
	b, err := SessionPolicy(SessionPolicyInput{Policy: policy.Default()})
	m := decoded(t, b, err)
	delete(m, "LoopbackNetworkBlockedForUrls")
	m["URLBlocklist"] = slices.DeleteFunc(list(m, "URLBlocklist"), func(s string) bool { return s == "127.0.0.1" })
	if b, err = encode(m); err != nil {
		t.Fatal(err)
	}
	c := startChromium(t, startDisplay(t), b, append(SessionFlags(), "--autoplay-policy=no-user-gesture-required", "about:blank")...)
	ctx := testContext(t, 30*time.Second)
	s, err := NewSession(ctx, c.pipe, SessionConfig{Portal: []byte(html), Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.Painted(ctx); err != nil {
		t.Fatal(err)
	}
	return s, c
}

func openTab(t *testing.T, s *Session, url string) {
	t.Helper()
	if err := s.p.Call(testContext(t, 10*time.Second), "", "Target.createTarget", map[string]any{"url": url}, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the tab is in front", func() bool { return frontURL(testContext(t, 5*time.Second), s) == url })
}

// someSite has pages that do what the pages of a démarche do.
func someSite(t *testing.T) (url string, release func()) {
	t.Helper()
	wait := make(chan struct{})
	mux := http.NewServeMux()
	page := func(path, html string) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			io.WriteString(w, "<!doctype html><title>Site</title>"+html)
		})
	}
	page("/a", `<h1>A</h1>`)
	page("/son", `<audio id=a src="/son.wav" loop autoplay></audio>`)
	page("/fond", `<audio id=a src="/son.wav" loop autoplay muted></audio>`)
	page("/cadre", `<iframe src="http://localhost:0/"></iframe><iframe src="/son"></iframe>`)
	page("/envoi", `<script>fetch('/recu', {method: 'POST', body: 'x'.repeat(1000)})</script>`)
	page("/secret", `<script>
  const m = ['marker', 'of', 'memory', 'nobody', 'keeps'].join('\u005f');
  document.title = m; history.pushState(null, '', '?q=' + m);
</script>`)
	mux.HandleFunc("GET /recu", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /son.wav", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "audio/wav")
		const n = 8000 * 4
		b := append([]byte("RIFF"), 0, 0, 0, 0)
		b = append(b, "WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00data"...)
		b = binary.LittleEndian.AppendUint32(b, n)
		for i := range n {
			b = append(b, byte(128+40*(i/8%2)))
		}
		binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
		w.Write(b)
	})
	mux.HandleFunc("POST /recu", func(w http.ResponseWriter, r *http.Request) { <-wait })
	srv := httptest.NewServer(mux)
	release = sync.OnceFunc(func() { close(wait) })
	t.Cleanup(func() { release(); srv.Close() })
	return srv.URL, release
}

func TestSessionBrowser(t *testing.T) {
	s, c := openSession(t, "<!doctype html><title>Portail</title><h1>Bonjour</h1>")
	ctx := testContext(t, 90*time.Second)
	site, release := someSite(t)

	t.Run("portal painted", func(t *testing.T) {
		if u := frontURL(ctx, s); u != PortalURL {
			t.Fatalf("in front: %q, want the portal", u)
		}
		eventually(t, "one tab is left", func() bool { return s.Tabs() == 1 })
	})
	t.Run("back and home", func(t *testing.T) {
		front, err := s.front(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.p.Call(ctx, front, "Page.navigate", map[string]any{"url": site + "/a"}, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the portal is left", func() bool { return frontURL(ctx, s) == site+"/a" })
		if err := s.Back(ctx); err != nil {
			t.Fatal(err)
		}
		eventually(t, "back on the portal", func() bool { return frontURL(ctx, s) == PortalURL })
		openTab(t, s, site+"/a")
		eventually(t, "two tabs", func() bool { return s.Tabs() == 2 })
		if err := s.Back(ctx); err != nil { // no page before: the portal's tab
			t.Fatal(err)
		}
		eventually(t, "back leads to the portal's tab", func() bool { return frontURL(ctx, s) == PortalURL && s.Tabs() == 2 })
	})
	t.Run("last tab leads to the portal", func(t *testing.T) {
		press(t, c.display, "ctrl+w") // the portal's; the other tab stays
		eventually(t, "one tab is left", func() bool { return s.Tabs() == 1 })
		for range 3 {
			before := s.pages()
			press(t, c.display, "ctrl+w")
			eventually(t, "a new tab", func() bool {
				now := s.pages()
				return len(now) == 1 && now[0].target != before[0].target
			})
			if err := s.Painted(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if u := frontURL(ctx, s); u != PortalURL {
			t.Fatalf("in front: %q, want the portal", u)
		}
	})
	t.Run("a new tab is the portal", func(t *testing.T) {
		press(t, c.display, "ctrl+t")
		eventually(t, "two tabs", func() bool { return s.Tabs() == 2 && frontURL(ctx, s) == PortalURL })
		press(t, c.display, "ctrl+w")
		eventually(t, "one tab", func() bool { return s.Tabs() == 1 })
	})
	t.Run("developer tools stay shut", func(t *testing.T) {
		press(t, c.display, "ctrl+shift+i")
		press(t, c.display, "F12")
		openTab(t, s, site+"/a")
		press(t, c.display, "F12")
		openTab(t, s, site+"/son") // so that the keys before have been acted on
		for _, x := range s.list(func(*tab) bool { return true }) {
			if !x.page {
				t.Errorf("beside the tabs there is %+v", x)
			}
		}
	})
	t.Run("playing", func(t *testing.T) {
		eventually(t, "sound is heard of", func() bool { return s.Playing(ctx) })
		press(t, c.display, "ctrl+w")
		eventually(t, "silence", func() bool { return !s.Playing(ctx) })
		openTab(t, s, site+"/fond")
		front, err := s.front(ctx)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the muted loop runs", func() bool {
			var on bool
			return s.eval(ctx, front, 0, "!a.paused && a.readyState >= 3", &on) == nil && on
		})
		if s.Playing(ctx) {
			t.Error("a muted loop counts as a person")
		}
		openTab(t, s, site+"/cadre")
		eventually(t, "sound in a frame is heard of", func() bool { return s.Playing(ctx) })
	})
	t.Run("uploading", func(t *testing.T) {
		if n := s.Uploading(); n != 0 {
			t.Fatalf("%d uploads before any", n)
		}
		openTab(t, s, site+"/a") // followed before it sends: a page that sends at once may be missed
		front, err := s.front(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.p.Call(ctx, front, "Page.navigate", map[string]any{"url": site + "/envoi"}, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the upload is seen", func() bool { return s.Uploading() == 1 })
		release()
		eventually(t, "its end is seen", func() bool { return s.Uploading() == 0 })
	})
	t.Run("nothing of the pages stays here", func(t *testing.T) {
		openTab(t, s, site+"/a")
		front, err := s.front(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.p.Call(ctx, front, "Page.navigate", map[string]any{"url": site + "/secret"}, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the title is set", func() bool {
			var done bool
			return s.eval(ctx, front, 0, "document.title.length > 20 && location.search.length > 20", &done) == nil && done
		})
		if err := s.Back(ctx); err != nil {
			t.Fatal(err)
		}
		s.Playing(ctx)
		// What passed meanwhile is overwritten with the next event at the latest.
		openTab(t, s, site+"/a")
		eventually(t, "this process has forgotten", func() bool { return !inMemory(t, "marker", "of", "memory", "nobody", "keeps") })
	})
	t.Run("canary", func(t *testing.T) {
		if s.PlantWebCanary(ctx, "');alert(1)//xxxxxxxxxxx") == nil {
			t.Error("a marker that is a script was taken")
		}
		before, marker := s.Tabs(), "canari-0123456789abcdef"
		if err := s.PlantWebCanary(ctx, marker); err != nil {
			t.Fatal(err)
		}
		eventually(t, "its tab is closed", func() bool { return s.Tabs() == before })
		// It has reached the profile: what the wipe must destroy.
		profile := "/proc/" + strconv.Itoa(c.cmd.Process.Pid) + "/environ"
		env, err := os.ReadFile(profile)
		if err != nil {
			t.Fatal(err)
		}
		var home string
		for _, v := range strings.Split(string(env), "\x00") {
			if h, ok := strings.CutPrefix(v, "HOME="); ok {
				home = h
			}
		}
		eventually(t, "the marker is in the profile's files", func() bool {
			out, _ := exec.Command("grep", "-rlaF", "--", marker, home).Output()
			return strings.Contains(string(out), "IndexedDB") && strings.Contains(string(out), "CacheStorage")
		})
		// Nobody else's page may be served from that origin.
		if err := s.p.Call(ctx, "", "Target.createTarget", map[string]any{"url": CanaryOrigin + "/"}, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the origin is dead", func() bool {
			front, err := s.front(ctx)
			var title string
			return err == nil && s.eval(ctx, front, 0, "document.readyState === 'complete' ? document.title : ''", &title) == nil && title != "" && title != "canari"
		})
	})
	t.Run("gone when the process dies", func(t *testing.T) {
		c.cmd.Process.Kill()
		select {
		case err := <-s.Gone():
			if err == nil {
				t.Fatal("gone without a reason")
			}
		case <-time.After(10 * time.Second):
			t.Fatal("the death of the browser was not seen")
		}
	})
}

// inMemory looks for words joined by "_" in this process's memory, without
// ever holding them joined itself.
func inMemory(t *testing.T, words ...string) bool {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		t.Fatal(err)
	}
	mem, err := os.Open("/proc/self/mem")
	if err != nil {
		t.Fatal(err)
	}
	defer mem.Close()
	buf := make([]byte, 1<<20)
	defer clear(buf)
	for line := range strings.Lines(string(maps)) {
		var from, to int64
		var perm string
		if n, _ := fmt.Sscanf(line, "%x-%x %s", &from, &to, &perm); n != 3 || !strings.HasPrefix(perm, "rw") {
			continue
		}
		for at := from; at < to; at += int64(len(buf)) - 64 {
			n, err := mem.ReadAt(buf[:min(int64(len(buf)), to-at)], at)
			if err != nil && n == 0 {
				break
			}
			for rest := buf[:n]; ; {
				i := bytes.Index(rest, []byte(words[0]+"_"))
				if i < 0 {
					break
				}
				rest = rest[i+len(words[0])+1:]
				if follows(rest, words[1:]) {
					self := uintptr(unsafe.Pointer(&buf[0]))
					where := uintptr(at) + uintptr(n-len(rest))
					if where < self || where >= self+uintptr(len(buf)) { // not our own copy
						return true
					}
				}
			}
		}
	}
	return false
}

func follows(b []byte, words []string) bool {
	for i, w := range words {
		if !bytes.HasPrefix(b, []byte(w)) {
			return false
		}
		b = b[len(w):]
		if i < len(words)-1 {
			if !bytes.HasPrefix(b, []byte("_")) {
				return false
			}
			b = b[1:]
		}
	}
	return true
}
