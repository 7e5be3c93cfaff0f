package stage

import (
	"bytes"
	"context"
	"errors"
	"image/color"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"borne/kiosk/x11"

	"github.com/jezek/xgb"
	"github.com/jezek/xgb/xproto"
)

const testUID = 61902

func testContext(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func needX(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := exec.LookPath(n); err != nil {
			t.Skip("SKIP: " + n + " is not installed")
		}
	}
}

// serverUID is another user's when that is possible.
func serverUID() int {
	if os.Getuid() == 0 {
		return testUID
	}
	return os.Getuid()
}

func startServer(t *testing.T, kind string) *Server {
	t.Helper()
	needX(t, "Xvfb")
	dir := t.TempDir()
	for d := dir; strings.HasPrefix(d, os.TempDir()+"/"); d = filepath.Dir(d) {
		os.Chmod(d, 0o755) // the server's user must reach its authority file
	}
	s, err := Start(context.Background(), ServerConfig{Kind: kind, Width: 800, Height: 600, Dir: dir, UID: serverUID(), Clients: []int{os.Getuid()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

func openStage(t *testing.T, srv *Server) *Stage {
	t.Helper()
	s, err := Open(testContext(t), Config{Display: srv.Display(), Authority: srv.Authority(os.Getuid()), BarHeight: 72})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(15 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("never happened: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// client is a program with windows: the shell's browser, or the session's display.
type client struct {
	t *testing.T
	x *xgb.Conn
}

func newClient(t *testing.T, srv *Server) *client {
	t.Helper()
	x, err := x11.Dial(testContext(t), srv.Display(), srv.Authority(os.Getuid()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	return &client{t, x}
}

func (c *client) window(parent xproto.Window, x, y int16, w, h uint16, rgb uint32) xproto.Window {
	c.t.Helper()
	id, err := xproto.NewWindowId(c.x)
	if err != nil {
		c.t.Fatal(err)
	}
	screen := xproto.Setup(c.x).DefaultScreen(c.x)
	if parent == 0 {
		parent = screen.Root
	}
	err = xproto.CreateWindowChecked(c.x, screen.RootDepth, id, parent, x, y, w, h, 0, xproto.WindowClassInputOutput, screen.RootVisual,
		xproto.CwBackPixel|xproto.CwEventMask, []uint32{rgb, xproto.EventMaskKeyPress | xproto.EventMaskFocusChange}).Check()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := xproto.MapWindowChecked(c.x, id).Check(); err != nil {
		c.t.Fatal(err)
	}
	return id
}

// keysUntil gives the keycodes that arrive before the given one.
func (c *client) keysUntil(last xproto.Keycode) []xproto.Keycode {
	c.t.Helper()
	got := make(chan []xproto.Keycode, 1)
	go func() {
		var codes []xproto.Keycode
		for {
			ev, err := c.x.WaitForEvent()
			if ev == nil && err == nil {
				return
			}
			if k, ok := ev.(xproto.KeyPressEvent); ok {
				if k.Detail == last {
					got <- codes
					return
				}
				codes = append(codes, k.Detail)
			}
		}
	}()
	select {
	case codes := <-got:
		return codes
	case <-time.After(15 * time.Second):
		c.t.Fatal("the awaited key never came")
		return nil
	}
}

func at(t *testing.T, s *Stage, x, y int) color.RGBA {
	t.Helper()
	img, err := s.Screenshot()
	if err != nil {
		t.Fatal(err)
	}
	return img.RGBAAt(x, y)
}

var (
	green = color.RGBA{0, 160, 0, 255}
	blue  = color.RGBA{0, 0, 200, 255}
	red   = color.RGBA{200, 0, 0, 255}
)

func rgb(c color.RGBA) uint32 { return uint32(c.R)<<16 | uint32(c.G)<<8 | uint32(c.B) }

func TestShowsShellAndSession(t *testing.T) {
	srv := startServer(t, "xvfb")
	s := openStage(t, srv)
	c := newClient(t, srv)
	if w, h := s.Size(); w != 800 || h != 528 {
		t.Fatalf("container of %d by %d", w, h)
	}
	shell := c.window(0, 30, 40, 200, 100, rgb(green))
	eventually(t, "the shell fills the screen", func() bool {
		return at(t, s, 0, 0) == green && at(t, s, 799, 599) == green
	})
	session := c.window(xproto.Window(s.Containers()[0]), 0, 0, 800, 528, rgb(blue))
	if got := at(t, s, 400, 300); got != green {
		t.Fatalf("a standby is seen: %v", got)
	}
	if err := s.ShowSession(s.Containers()[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the session below the bar", func() bool {
		return at(t, s, 400, 71) == green && at(t, s, 400, 72) == blue && at(t, s, 799, 599) == blue
	})
	focus := func() xproto.Window {
		r, err := xproto.GetInputFocus(c.x).Reply()
		if err != nil {
			t.Fatal(err)
		}
		return r.Focus
	}
	if focus() != session {
		t.Fatal("the session has no keyboard")
	}
	// The standby of the next person is drawn beside it, and not seen.
	standby := c.window(xproto.Window(s.Containers()[1]), 0, 0, 800, 528, rgb(red))
	if got := at(t, s, 400, 300); got != blue || focus() != session {
		t.Fatalf("the standby is seen: %v, or has the keyboard", got)
	}
	if err := s.ShowSession(s.Containers()[1]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the other session", func() bool { return at(t, s, 400, 72) == red && focus() == standby })
	if err := s.ShowSession(s.Containers()[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the first session again", func() bool { return at(t, s, 400, 72) == blue && focus() == session })
	if err := s.ShowSession(uint32(shell)); err == nil {
		t.Fatal("any window is taken for a session")
	}
	// A window that the shell opens meanwhile must not cover the session.
	popup := c.window(0, 0, 0, 100, 100, rgb(red))
	eventually(t, "the popup is placed", func() bool {
		g, err := xproto.GetGeometry(c.x, xproto.Drawable(popup)).Reply()
		return err == nil && g.X == 350 && g.Y == 250
	})
	if got := at(t, s, 400, 300); got != blue {
		t.Fatalf("the shell's popup covers the session: %v", got)
	}
	if err := s.ShowShell(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the shell whole, its popup centred", func() bool {
		return at(t, s, 400, 80) == green && at(t, s, 400, 300) == red && at(t, s, 349, 300) == green
	})
	if focus() != popup {
		t.Fatal("the shell's popup has no keyboard")
	}
	xproto.DestroyWindow(c.x, popup)
	eventually(t, "the keyboard is the shell's again", func() bool { return focus() == shell })

	// The shell cannot make itself smaller.
	xproto.ConfigureWindow(c.x, shell, xproto.ConfigWindowX|xproto.ConfigWindowWidth, []uint32{100, 50})
	c.x.Sync()
	eventually(t, "the shell stays", func() bool { return at(t, s, 0, 0) == green && at(t, s, 799, 599) == green })

	// A new shell takes the old one's place.
	xproto.DestroyWindow(c.x, shell)
	c.window(0, 0, 0, 10, 10, rgb(red))
	eventually(t, "the new shell fills the screen", func() bool { return at(t, s, 0, 0) == red && at(t, s, 799, 599) == red })
}

// TestShowsASessionBesideTheShell: what the session's display shows in its left
// part is seen to the right of the shell's page, which keeps the keyboard.
func TestShowsASessionBesideTheShell(t *testing.T) {
	srv := startServer(t, "xvfb")
	s := openStage(t, srv)
	c := newClient(t, srv)
	shell := c.window(0, 0, 0, 10, 10, rgb(green))
	box := s.Containers()[0]
	session := c.window(xproto.Window(box), 0, 0, 800, 528, rgb(blue))
	c.window(session, 0, 0, 300, 528, rgb(red)) // the first pages
	focus := func() xproto.Window {
		r, err := xproto.GetInputFocus(c.x).Reply()
		if err != nil {
			t.Fatal(err)
		}
		return r.Focus
	}
	if err := s.ShowSession(box); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the session", func() bool { return at(t, s, 10, 80) == red && at(t, s, 310, 80) == blue && focus() == session })
	if err := s.ShowBeside(box, 500); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the pages beside the shell", func() bool {
		return at(t, s, 499, 300) == green && at(t, s, 500, 300) == red && at(t, s, 799, 599) == red && at(t, s, 600, 71) == green && focus() == shell
	})
	if err := s.ShowSession(box); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the session in its place again", func() bool { return at(t, s, 10, 80) == red && at(t, s, 310, 80) == blue && focus() == session })
	if err := errors.Join(s.ShowBeside(box, 500), s.ShowShell()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the shell alone", func() bool { return at(t, s, 600, 300) == green && focus() == shell })
	if s.ShowBeside(box, 800) == nil || s.ShowBeside(box, -1) == nil || s.ShowBeside(uint32(shell), 10) == nil {
		t.Error("a place off the screen, or any window, is taken")
	}
}

func TestSessionDisplayThatComesLate(t *testing.T) {
	srv := startServer(t, "xvfb")
	s := openStage(t, srv)
	c := newClient(t, srv)
	if err := s.ShowSession(s.Containers()[0]); err != nil {
		t.Fatal(err)
	}
	session := c.window(xproto.Window(s.Containers()[0]), 0, 0, 800, 528, rgb(blue))
	eventually(t, "the keyboard goes to the session", func() bool {
		r, err := xproto.GetInputFocus(c.x).Reply()
		return err == nil && r.Focus == session
	})
}

func TestKeysThatTheShellNeverSees(t *testing.T) {
	srv := startServer(t, "xvfb")
	s := openStage(t, srv)
	c := newClient(t, srv)
	shell := c.window(0, 0, 0, 10, 10, rgb(green))
	eventually(t, "the shell has the keyboard", func() bool {
		r, err := xproto.GetInputFocus(c.x).Reply()
		return err == nil && r.Focus == shell
	})
	code := func(sym xproto.Keysym) xproto.Keycode {
		k, _, ok := keyOf(s, sym)
		if !ok {
			t.Fatalf("no key for %#x", uint32(sym))
		}
		return k
	}
	combos := []string{"ctrl+t", "ctrl+n", "ctrl+w", "ctrl+shift+n", "F11", "F1", "alt+F4", "ctrl+p", "shift+Escape", "ctrl+shift+i", "alt+ArrowLeft"}
	mods := []xproto.Keycode{code(0xffe1), code(0xffe3), code(0xffe9)}
	for _, lock := range []bool{false, true} {
		if err := s.setNumLock(lock); err != nil {
			t.Fatal(err)
		}
		for _, k := range append(combos, "x", "Tab") {
			if err := s.Key(k); err != nil {
				t.Fatal(err)
			}
		}
		var seen []xproto.Keycode
		for _, k := range c.keysUntil(code(keyTab)) {
			if k != code('x') && k != mods[0] && k != mods[1] && k != mods[2] && k != code(keyNumLock) {
				seen = append(seen, k)
			}
		}
		if len(seen) != 0 {
			t.Fatalf("with Num Lock %v the shell saw keycodes %v", lock, seen)
		}
	}
	// The session keeps its shortcuts.
	session := c.window(xproto.Window(s.Containers()[0]), 0, 0, 800, 528, rgb(blue))
	_ = session
	if err := s.ShowSession(s.Containers()[0]); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"ctrl+t", "Tab"} {
		if err := s.Key(k); err != nil {
			t.Fatal(err)
		}
	}
	if got := c.keysUntil(code(keyTab)); !bytes.Contains([]byte(string(codesText(got))), []byte(codesText([]xproto.Keycode{code('t')}))) {
		t.Fatalf("the session saw %v, without Ctrl+T", got)
	}
}

func codesText(codes []xproto.Keycode) string {
	var b strings.Builder
	for _, c := range codes {
		b.WriteString(" " + strconv.Itoa(int(c)) + " ")
	}
	return b.String()
}

func TestIdle(t *testing.T) {
	srv := startServer(t, "xvfb")
	s := openStage(t, srv)
	idle := func() time.Duration {
		d, err := s.Idle()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for _, act := range []func() error{
		func() error { return s.Key("a") },
		func() error { return s.Move(10, 10) },
		func() error { return s.Click(20, 20, 1) },
	} {
		eventually(t, "idle time grows", func() bool { return idle() > 300*time.Millisecond })
		before := idle()
		if err := act(); err != nil {
			t.Fatal(err)
		}
		if after := idle(); after >= before {
			t.Fatalf("input left idle time at %v, before %v", after, before)
		}
	}
}

func TestKeyboardLayout(t *testing.T) {
	needX(t, "setxkbmap", "xkbcomp")
	srv := startServer(t, "xvfb")
	s := openStage(t, srv)
	qwerty, _, _ := keyOf(s, 'q')
	if err := s.SetKeyboard(testContext(t), srv.Display(), srv.Authority(os.Getuid()), "fr", "", true); err != nil {
		t.Fatal(err)
	}
	if a, _, _ := keyOf(s, 'a'); a != qwerty {
		t.Fatalf("A is on key %d; AZERTY has it where Q was, %d", a, qwerty)
	}
	locked := func() bool {
		p, err := xproto.QueryPointer(s.x, s.root).Reply()
		if err != nil {
			t.Fatal(err)
		}
		return p.Mask&xproto.ModMask2 != 0
	}
	if !locked() {
		t.Fatal("Num Lock is off")
	}
	if err := s.SetKeyboard(testContext(t), srv.Display(), srv.Authority(os.Getuid()), "fr", "", false); err != nil {
		t.Fatal(err)
	}
	if locked() {
		t.Fatal("Num Lock stays on")
	}
	if err := s.Type("éà 12@"); err == nil {
		t.Fatal("a character behind AltGr was typed")
	}
	if err := s.Type("Bonjour é1"); err != nil {
		t.Fatal(err)
	}
	if err := s.SetKeyboard(testContext(t), srv.Display(), "", "fr;id", "", true); err == nil {
		t.Fatal("a layout that is no name was taken")
	}
}

func TestOneWindowManagerOnly(t *testing.T) {
	srv := startServer(t, "xvfb")
	openStage(t, srv)
	_, err := Open(testContext(t), Config{Display: srv.Display(), Authority: srv.Authority(os.Getuid())})
	if err == nil || !strings.Contains(err.Error(), "another window manager") {
		t.Fatalf("a second stage: %v", err)
	}
}

func keyOf(s *Stage, sym xproto.Keysym) (xproto.Keycode, bool, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys.find(sym)
}
