package stage

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/kiosk/x11"

	"github.com/jezek/xgb/xproto"
	"github.com/jezek/xgb/xtest"
)

// screen is a screen that is not there (xserver-xorg-video-dummy), for a real Xorg.
const screen = `Section "Device"
	Identifier "d"
	Driver "dummy"
EndSection
Section "Monitor"
	Identifier "m"
	HorizSync 5-1000
	VertRefresh 5-200
EndSection
Section "Screen"
	Identifier "s"
	Device "d"
	Monitor "m"
	DefaultDepth 24
	SubSection "Display"
		Depth 24
		Modes "1280x800"
	EndSubSection
EndSection
`

// TestNoKeyEndsXorg starts a real Xorg as the terminal does, and presses what
// would end it, on a keymap that still has that key.
func TestNoKeyEndsXorg(t *testing.T) {
	needX(t, "Xorg")
	needX(t, "setxkbmap")
	if _, err := os.Stat("/usr/lib/xorg/modules/drivers/dummy_drv.so"); err != nil {
		t.Skip("SKIP: no screen for a real Xorg; install xserver-xorg-video-dummy (scripts/setup does)")
	}
	if os.Geteuid() != 0 {
		t.Skip("SKIP: a real Xorg needs root, as on a terminal")
	}
	if !ends(t, `Section "ServerFlags"
	Option "DontVTSwitch" "true"
EndSection
`) {
		t.Fatal("Xorg is not ended by the keys even where nothing forbids it: this test shows nothing")
	}
	if ends(t, "") {
		t.Error("Ctrl+Alt+Backspace ends the terminal's display")
	}
}

// ends tells whether Ctrl+Alt+Backspace ends an Xorg with this configuration;
// empty: the terminal's own.
func ends(t *testing.T, config string) bool {
	t.Helper()
	dir := t.TempDir()
	cookie := make([]byte, x11.CookieLen)
	const number = lastDisplay
	cmd, err := ServerConfig{Dir: dir, UID: os.Getuid()}.command("xorg", cookie, number)
	if err != nil {
		t.Fatal(err)
	}
	if config != "" {
		if err := os.WriteFile(filepath.Join(dir, "xorg.conf.d", "10-borne.conf"), []byte(config), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "screen.conf"), []byte(screen), 0o644); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "log")
	cmd.Args = append(cmd.Args, "-config", filepath.Join(dir, "screen.conf"), "-logfile", log)
	s := &Server{kind: "xorg", dir: dir, done: make(chan struct{}), stop: make(chan struct{})}
	if err := s.run(t.Context(), cmd, number, cookie); err != nil {
		t.Skipf("SKIP: this machine starts no real Xorg: %v", err)
	}
	defer s.Stop()
	auth := filepath.Join(dir, "client")
	if err := x11.WriteAuthority(auth, cookie, os.Getuid()); err != nil {
		t.Fatal(err)
	}
	if config == "" {
		said, err := os.ReadFile(log)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`(**) Option "DontVTSwitch" "true"`, `(**) Option "DontZap" "true"`} {
			if !bytes.Contains(said, []byte(want)) {
				t.Errorf("Xorg did not take %s", want)
			}
		}
		for line := range strings.Lines(string(said)) {
			if strings.Contains(line, "(EE) Parse error") || strings.Contains(line, "is not used") || strings.Contains(line, "not a valid keyword") {
				t.Errorf("Xorg says: %s", line)
			}
		}
	}
	set := exec.Command("setxkbmap", "-layout", "us", "-option", "terminate:ctrl_alt_bksp")
	set.Env = []string{"PATH=" + os.Getenv("PATH"), "DISPLAY=" + s.display, "XAUTHORITY=" + auth}
	if out, err := set.CombinedOutput(); err != nil {
		t.Fatalf("setxkbmap: %v: %s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	x, err := x11.Connect(ctx, s.display, cookie)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	if err := xtest.Init(x); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []byte{xproto.KeyPress, xproto.KeyRelease} {
		for _, code := range []byte{37, 64, 22} { // Ctrl, Alt, Backspace
			xtest.FakeInput(x, kind, code, 0, 0, 0, 0, 0)
		}
	}
	// Its answer comes after the keys, or never.
	xproto.GetInputFocus(x).Reply()
	if config == "" {
		_, err := xproto.GetInputFocus(x).Reply()
		return err != nil
	}
	select {
	case <-s.done:
		return true
	case <-ctx.Done():
		return false
	}
}
