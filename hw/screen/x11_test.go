package screen

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/hwtest"
)

// need skips a test, visibly, whose programs are not installed.
func need(t *testing.T, names ...string) {
	t.Helper()
	for _, n := range names {
		if _, err := exec.LookPath(n); err != nil {
			t.Skip("SKIP: " + n + " is not installed")
		}
	}
}

// tail keeps a program's last lines for whoever waits for one, and for failures.
type tail struct {
	lines chan string
	all   bytes.Buffer
}

// start runs a server until the test ends, and returns what it writes.
func start(t *testing.T, cmd *exec.Cmd) *tail {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	out := &tail{lines: make(chan string, 1024)}
	read := make(chan struct{})
	go func() {
		defer close(read)
		s := bufio.NewScanner(r)
		for s.Scan() {
			out.all.WriteString(s.Text() + "\n")
			select {
			case out.lines <- s.Text():
			default:
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait() // it was asked to end: whatever it says
		<-read
		r.Close()
		if t.Failed() {
			t.Log(out.all.String())
		}
	})
	return out
}

// startX starts an X server on a display that it chooses itself, with a cookie.
func startX(t *testing.T, out func(extra []string) *exec.Cmd, cookie []byte) (X11, *tail) {
	t.Helper()
	auth := filepath.Join(t.TempDir(), "authority")
	if err := os.WriteFile(auth, authority("", cookie), 0o600); err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := out([]string{"-displayfd", "3", "-auth", auth, "-nolisten", "tcp", "-noreset"})
	cmd.ExtraFiles = []*os.File{w}
	lines := start(t, cmd)
	w.Close()
	if err := r.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("%s did not start: %v", cmd.Path, err)
	}
	return X11{Display: ":" + strings.TrimSpace(number), Authority: auth}, lines
}

// authority is an entry for a display, or for all.
func authority(display string, cookie []byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, 65535) // FamilyWild
	for _, f := range []string{"", display, cookieName, string(cookie)} {
		b = append(binary.BigEndian.AppendUint16(b, uint16(len(f))), f...)
	}
	return b
}

func newCookie() []byte {
	c := make([]byte, cookieLen)
	rand.Read(c)
	return c
}

// TestXorgDPMS switches a monitor of the real Xorg by its real DPMS extension.
// Xvfb, Xephyr and Xorg's dummy driver offer none, so that the last step, the
// monitor, is testdata/monitor.c.
func TestXorgDPMS(t *testing.T) {
	need(t, "gcc", "Xorg", "xset")
	if _, err := os.Stat("/usr/lib/xorg/modules/drivers/dummy_drv.so"); err != nil {
		t.Skip("SKIP: xserver-xorg-video-dummy is not installed")
	}
	if os.Getuid() != 0 {
		t.Skip("SKIP: Xorg takes a configuration from elsewhere only from root")
	}
	dir := t.TempDir()
	modules := filepath.Join(dir, "modules", "extensions")
	if err := os.MkdirAll(modules, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-o", filepath.Join(modules, "libmonitor.so"), "testdata/monitor.c").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	conf := filepath.Join(dir, "xorg.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, `
Section "Files"
	ModulePath "%s,/usr/lib/xorg/modules"
EndSection
Section "Module"
	Load "monitor"
EndSection
Section "ServerFlags"
	Option "AutoAddDevices" "false"
	Option "AutoEnableDevices" "false"
EndSection
Section "Device"
	Identifier "card"
	Driver "dummy"
EndSection
Section "Screen"
	Identifier "screen"
	Device "card"
EndSection
`, filepath.Dir(modules)), 0o600); err != nil {
		t.Fatal(err)
	}
	cookie := newCookie()
	x, out := startX(t, func(extra []string) *exec.Cmd {
		return exec.Command("Xorg", append([]string{"-config", conf, "-logfile", filepath.Join(dir, "log"), "-novtswitch", "-sharevts"}, extra...)...)
	}, cookie)
	fds := descriptors(t)
	// level waits for what reached the monitor.
	level := func(want string) {
		t.Helper()
		limit := time.After(20 * time.Second)
		for {
			select {
			case l := <-out.lines:
				if strings.HasSuffix(l, "monitor: level "+want) { // disabling DPMS sends 0 once more
					return
				}
			case <-limit:
				t.Fatalf("level %s did not reach the monitor", want)
			}
		}
	}
	light := func(on bool) {
		t.Helper()
		if l, err := x.Light(t.Context(), on); err != nil || l != wanted(on) {
			t.Fatalf("light %v: %v, %v", on, l, err)
		}
	}
	for range 3 {
		light(false)
		level("3")
		light(true)
		level("0")
	}
	light(true) // what is lit already
	light(false)
	level("3")
	if n := descriptors(t); n != fds {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
	hwtest.ScreenSuite{Open: func(t *testing.T) *hwtest.ScreenRig {
		light(true)
		return &hwtest.ScreenRig{Screen: x, Seen: func() hw.Level {
			see := exec.Command("xset", "-display", x.Display, "q")
			see.Env = append(os.Environ(), "XAUTHORITY="+x.Authority)
			s, err := see.CombinedOutput()
			if err != nil {
				t.Fatalf("xset: %v: %s", err, s)
			}
			return wanted(!strings.Contains(string(s), "Monitor is Off"))
		}}
	}}.Run(t)
	wrong := filepath.Join(dir, "wrong")
	if err := os.WriteFile(wrong, authority(x.Display[1:], newCookie()), 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := (X11{Display: x.Display, Authority: wrong}).Light(t.Context(), true); l != hw.Unknown || err == nil || !strings.Contains(err.Error(), "refuses us") {
		t.Errorf("with a wrong cookie: %v, %v", l, err)
	}
}

func TestXvfbHasNoDPMS(t *testing.T) {
	need(t, "Xvfb")
	x, _ := startX(t, func(extra []string) *exec.Cmd { return exec.Command("Xvfb", extra...) }, newCookie())
	if l, err := x.Light(t.Context(), false); l != hw.Unknown || err == nil || !strings.Contains(err.Error(), "has no DPMS") {
		t.Errorf("%v, %v", l, err)
	}
}

func TestDeadX11(t *testing.T) {
	dir := t.TempDir()
	x := X11{Display: ":7", sockets: dir}
	if _, err := x.Light(t.Context(), true); err == nil || !strings.Contains(err.Error(), "display :7") || !strings.Contains(err.Error(), "running") {
		t.Errorf("no server: %v", err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "X7"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := x.Light(ctx, true); err == nil { // it never answers
		t.Error("a server that says nothing was believed")
	}
	for _, bad := range []string{"", ":", "host:1", ":1.0", ":/../x"} {
		if _, err := (X11{Display: bad, sockets: dir}).Light(t.Context(), true); err == nil || !strings.Contains(err.Error(), ":N") {
			t.Errorf("display %q: %v", bad, err)
		}
	}
}

func TestFindCookie(t *testing.T) {
	c := newCookie()
	file := append(authority("12", newCookie()), authority("1", c)...)
	if got, err := findCookie(file, "1"); err != nil || !bytes.Equal(got, c) {
		t.Errorf("%v", err)
	}
	if _, err := findCookie(file, "2"); err == nil || !strings.Contains(err.Error(), "no cookie for display :2") {
		t.Errorf("%v", err)
	}
	if _, err := findCookie(file[:len(file)-1], "1"); err == nil || !strings.Contains(err.Error(), "cut off") {
		t.Errorf("%v", err)
	}
}

func FuzzFindCookie(f *testing.F) {
	f.Add(authority("1", newCookie()), "1")
	f.Add([]byte{0, 0, 0xff, 0xff}, "")
	f.Fuzz(func(t *testing.T, b []byte, display string) {
		if c, err := findCookie(b, display); err == nil && (len(c) != cookieLen || !bytes.Contains(b, c)) {
			t.Fatalf("cookie %x", c)
		}
	})
}

// recorded is a peer whose answers were fixed beforehand.
type recorded struct {
	io.Reader
	wrote int
}

func (r *recorded) Write(p []byte) (int, error) { r.wrote += len(p); return len(p), nil }

// xReplies is a server's side of a whole conversation.
func xReplies(level byte, enabled bool) []byte {
	b := append([]byte{1, 0, 11, 0, 0, 0, 1, 0}, 0, 0, 0, 0)
	reply := func(seq byte, body ...byte) {
		b = append(b, append(append([]byte{1, 0, seq, 0, 0, 0, 0, 0}, body...), make([]byte, 24-len(body))...)...)
	}
	b = append(b, append([]byte{34}, make([]byte, 31)...)...) // MappingNotify, sent to everybody
	reply(1, 1, 130)
	reply(2, 1)
	state := byte(0)
	if enabled {
		state = 1
	}
	reply(6, level, 0, state)
	reply(8, 0, 0, 0)
	return b
}

func TestX11ReadsBack(t *testing.T) {
	for _, c := range []struct {
		level   byte
		enabled bool
		want    hw.Level
	}{{3, true, hw.Off}, {1, true, hw.Off}, {0, true, hw.On}, {3, false, hw.On}} {
		if l, err := talkX11(&recorded{Reader: bytes.NewReader(xReplies(c.level, c.enabled))}, nil, false); err != nil || l != c.want {
			t.Errorf("%+v: %v, %v", c, l, err)
		}
	}
	refused := append(xReplies(3, true)[:12+32+64], append([]byte{0, 8, 5, 0, 0, 0, 0, 0, 6, 0, 130}, make([]byte, 21)...)...)
	if _, err := talkX11(&recorded{Reader: bytes.NewReader(refused)}, nil, false); err == nil || !strings.Contains(err.Error(), "refuses request 130.6: error 8") {
		t.Errorf("%v", err)
	}
}

func FuzzX11(f *testing.F) {
	f.Add(xReplies(3, true), true)
	f.Add(xReplies(0, true), false)
	f.Add(append([]byte{0, 3, 11, 0, 0, 0, 1, 0}, 'n', 'o', '!', 0), false)
	f.Add(append([]byte{1, 0, 11, 0, 0, 0, 0, 0}, bytes.Repeat([]byte{35, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, 8)...), true)
	f.Fuzz(func(t *testing.T, b []byte, on bool) {
		p := &recorded{Reader: bytes.NewReader(b)}
		l, err := talkX11(p, nil, on)
		if err != nil && l != hw.Unknown || p.wrote > 256 || err != nil && len(err.Error()) > 1000 {
			t.Fatalf("%v, %v after writing %d bytes", l, err, p.wrote)
		}
	})
}

func descriptors(t *testing.T) int {
	t.Helper()
	e, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(e)
}
