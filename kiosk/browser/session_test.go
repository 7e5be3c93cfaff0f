package browser

import (
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

func openSession(t *testing.T, html string) (*Session, *chromium) {
	t.Helper()
	needChromium(t)
	c := startChromium(t, startDisplay(t), nil, append(SessionFlags(), "about:blank")...)
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

func TestSessionBrowser(t *testing.T) {
	s, c := openSession(t, "<!doctype html><title>Portail</title><h1>Bonjour</h1>")
	ctx := testContext(t, 60*time.Second)

	t.Run("portal painted", func(t *testing.T) {
		if u := frontURL(ctx, s); u != PortalURL {
			t.Fatalf("in front: %q, want the portal", u)
		}
		if n := s.Tabs(); n != 1 {
			t.Fatalf("%d tabs, want 1", n)
		}
	})
	t.Run("back and home", func(t *testing.T) {
		front, err := s.front(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.p.Call(ctx, front, "Page.navigate", map[string]any{"url": "data:text/html,<p>ailleurs"}, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the page is left", func() bool { return frontURL(ctx, s) == "data:text/html,<p>ailleurs" })
		if err := s.Back(ctx); err != nil {
			t.Fatal(err)
		}
		eventually(t, "back on the portal", func() bool { return frontURL(ctx, s) == PortalURL })
		if err := s.p.Call(ctx, "", "Target.createTarget", map[string]any{"url": "data:text/html,<p>onglet"}, nil); err != nil {
			t.Fatal(err)
		}
		eventually(t, "a second tab in front", func() bool { return frontURL(ctx, s) == "data:text/html,<p>onglet" })
		if err := s.Home(ctx); err != nil {
			t.Fatal(err)
		}
		eventually(t, "home shows the portal's tab", func() bool { return frontURL(ctx, s) == PortalURL && s.Tabs() == 2 })
	})
	t.Run("last tab leads to the portal", func(t *testing.T) {
		press(t, c.display, "ctrl+w") // the portal's; the other tab stays
		eventually(t, "one tab is left", func() bool { return s.Tabs() == 1 })
		for range 3 {
			before := s.pages()
			press(t, c.display, "ctrl+w")
			eventually(t, "a new tab", func() bool {
				now := s.pages()
				return len(now) == 1 && now[0].session != before[0].session
			})
			if err := s.Painted(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if u := frontURL(ctx, s); u != PortalURL {
			t.Fatalf("in front: %q, want the portal", u)
		}
	})
	t.Run("only our two pages are answered", func(t *testing.T) {
		front, err := s.front(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var status int
		err = s.eval(ctx, front, 0, "fetch('/autre', {method: 'GET'}).then(r => r.status, () => -1)", &status)
		if err != nil || status != -1 { // the portal's own CSP lets it fetch nothing
			t.Fatalf("fetch from the portal: status %d, %v", status, err)
		}
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
