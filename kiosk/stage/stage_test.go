package stage

import (
	"bytes"
	"context"
	"image/color"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

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
	x, err := dial(testContext(t), srv.Display(), srv.Authority(os.Getuid()))
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
	session := c.window(xproto.Window(s.Container()), 0, 0, 800, 528, rgb(blue))
	if got := at(t, s, 400, 300); got != green {
		t.Fatalf("a standby is seen: %v", got)
	}
	if err := s.ShowSession(); err != nil {
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

func TestSessionDisplayThatComesLate(t *testing.T) {
	srv := startServer(t, "xvfb")
	s := openStage(t, srv)
	c := newClient(t, srv)
	if err := s.ShowSession(); err != nil {
		t.Fatal(err)
	}
	session := c.window(xproto.Window(s.Container()), 0, 0, 800, 528, rgb(blue))
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
	session := c.window(xproto.Window(s.Container()), 0, 0, 800, 528, rgb(blue))
	_ = session
	if err := s.ShowSession(); err != nil {
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

func TestServerEndsAndIsMissed(t *testing.T) {
	srv := startServer(t, "xvfb")
	s := openStage(t, srv)
	srv.Stop()
	select {
	case err := <-s.Gone():
		if err == nil {
			t.Fatal("gone without a reason")
		}
	case <-time.After(10 * time.Second):
		t.Fatal("the server's end was not seen")
	}
	if _, err := s.Idle(); err == nil {
		t.Fatal("a dead display is idle")
	}
	if err := s.ShowShell(); err == nil {
		t.Fatal("a dead display shows the shell")
	}
	if srv.Err() == nil {
		t.Fatal("the server ended without a word")
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

func TestServerIsClosedToOthers(t *testing.T) {
	srv := startServer(t, "xvfb")
	if _, err := Open(testContext(t), Config{Display: srv.Display()}); err == nil {
		t.Fatal("the display takes connections without its cookie")
	}
	sockets, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sockets, []byte("@"+socketDir+"/X"+displayNumber(srv.Display())+"\n")) {
		t.Fatal("the display listens on an abstract socket, which no mount namespace hides")
	}
	st, err := os.Stat(srv.Authority(os.Getuid()))
	if err != nil {
		t.Fatal(err)
	}
	if st.Mode().Perm() != 0o600 || int(st.Sys().(*syscall.Stat_t).Uid) != os.Getuid() {
		t.Fatalf("the authority file has mode %v", st.Mode())
	}
}

func TestExistingDisplayAndNestedServer(t *testing.T) {
	needX(t, "Xephyr")
	outer := startServer(t, "xvfb")
	t.Setenv("DISPLAY", outer.Display())
	t.Setenv("XAUTHORITY", outer.Authority(os.Getuid()))
	var log bytes.Buffer
	dir := t.TempDir()
	os.Chmod(filepath.Dir(dir), 0o755)
	os.Chmod(dir, 0o755)
	nested, err := Start(context.Background(), ServerConfig{Kind: "auto", Width: 640, Height: 480, Dir: dir, UID: serverUID(),
		Clients: []int{os.Getuid()}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer nested.Stop()
	if nested.Kind() != "xephyr" || !strings.Contains(log.String(), "kind=xephyr") {
		t.Fatalf("chose %s, and said %s", nested.Kind(), log.String())
	}
	s := openStage(t, nested)
	if w, h := s.ScreenSize(); w != 640 || h != 480 {
		t.Fatalf("a screen of %d by %d", w, h)
	}
	existing, err := Start(context.Background(), ServerConfig{Kind: outer.Display(), Dir: t.TempDir(), Clients: []int{os.Getuid()}})
	if err != nil {
		t.Fatal(err)
	}
	openStage(t, existing)
	existing.Stop()
}

func TestChoose(t *testing.T) {
	for _, c := range []struct{ kind, display, want string }{
		{"auto", "", "xvfb"}, {"", ":3", "xephyr"}, {"auto", ":0", "xephyr"}, {"xvfb", ":0", "xvfb"},
		{"xorg", "", "xorg"}, {":7", "", ":7"}, {"xephyr", "", ""}, {":7;id", "", ""}, {"wayland", "", ""},
	} {
		got, why, err := choose(c.kind, c.display)
		if got != c.want || (err != nil) != (c.want == "") || err == nil && why == "" {
			t.Errorf("choose(%q, %q) = %q, %q, %v", c.kind, c.display, got, why, err)
		}
	}
}

func TestXorgCommand(t *testing.T) {
	needX(t, "Xorg")
	dir := t.TempDir()
	cmd, err := ServerConfig{Dir: dir, UID: testUID, Width: 1, Height: 1}.command("xorg", make([]byte, cookieLen), 60)
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Join(cmd.Args, " ")
	for _, want := range []string{"-nolisten tcp", "-noreset", "-novtswitch", "-configdir " + dir} {
		if !strings.Contains(line, want) {
			t.Errorf("%q lacks %q", line, want)
		}
	}
}

// Several terminals start on one machine at once: each gets a display of its own.
func TestServersStartedAtOnce(t *testing.T) {
	needX(t, "Xvfb")
	const n = 4
	got := make(chan string, n)
	for range n {
		dir := t.TempDir()
		os.Chmod(filepath.Dir(dir), 0o755)
		os.Chmod(dir, 0o755)
		go func() {
			s, err := Start(context.Background(), ServerConfig{Kind: "xvfb", Width: 64, Height: 64, Dir: dir, UID: serverUID(), Clients: []int{os.Getuid()}})
			if err != nil {
				t.Error(err)
				got <- ""
				return
			}
			t.Cleanup(s.Stop)
			x, err := dial(testContext(t), s.Display(), s.Authority(os.Getuid()))
			if err != nil {
				t.Error(err)
			} else {
				x.Close()
			}
			got <- s.Display()
		}()
	}
	seen := map[string]bool{}
	for range n {
		seen[<-got] = true
	}
	if len(seen) != n {
		t.Fatalf("%d servers share displays %v", n, seen)
	}
}

func TestKilledServerLeavesNothing(t *testing.T) {
	srv := startServer(t, "xvfb")
	number, _ := strconv.Atoi(displayNumber(srv.Display()))
	pid := lockHolder(number)
	if pid == 0 {
		t.Fatal("the server holds no lock")
	}
	syscall.Kill(pid, syscall.SIGKILL)
	select {
	case <-srv.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the server's death was not seen")
	}
	for _, p := range []string{lockPath(number), filepath.Join(socketDir, "X"+strconv.Itoa(number))} {
		if _, err := os.Lstat(p); err == nil {
			t.Errorf("%s is left behind", p)
		}
	}
}

func FuzzParseAuthority(f *testing.F) {
	f.Add(wild(make([]byte, 16)).encode())
	f.Add([]byte{1, 0, 0, 4, 'h', 'o', 's', 't', 0, 1, '0', 0, 0, 0, 0})
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		all, err := parseAuthority(b)
		if err != nil {
			return
		}
		var again []byte
		for _, a := range all {
			again = append(again, a.encode()...)
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("%x read and written is %x", b, again)
		}
	})
}

func keyOf(s *Stage, sym xproto.Keysym) (xproto.Keycode, bool, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.keys.find(sym)
}
