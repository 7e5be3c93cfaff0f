package stage

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/kiosk/x11"

	"golang.org/x/sys/unix"
)

// TestServerCanGainNothing: what a session's display sends, a server that is
// not root's must not turn into more.
func TestServerCanGainNothing(t *testing.T) {
	srv := startServer(t, "xvfb")
	n, err := strconv.Atoi(x11.Number(srv.Display()))
	if err != nil {
		t.Fatal(err)
	}
	pid := lockHolder(n)
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil || !strings.Contains(string(b), "NoNewPrivs:\t1\n") {
		t.Errorf("the server may gain privileges: %v", err)
	}
	// In a session of its own it has no terminal whose keys it could type.
	if sid, err := unix.Getsid(pid); err != nil || sid != pid {
		t.Errorf("the server %d is in session %d, %v", pid, sid, err)
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

func TestServerIsClosedToOthers(t *testing.T) {
	srv := startServer(t, "xvfb")
	if _, err := Open(testContext(t), Config{Display: srv.Display()}); err == nil {
		t.Fatal("the display takes connections without its cookie")
	}
	sockets, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sockets, []byte("@"+x11.Sockets+"/X"+x11.Number(srv.Display())+"\n")) {
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
	cmd, err := ServerConfig{Dir: dir, UID: testUID, Width: 1, Height: 1}.command("xorg", make([]byte, x11.CookieLen), 60)
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
			x, err := x11.Dial(testContext(t), s.Display(), s.Authority(os.Getuid()))
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
	number, _ := strconv.Atoi(x11.Number(srv.Display()))
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
	for _, p := range []string{lockPath(number), filepath.Join(x11.Sockets, "X"+strconv.Itoa(number))} {
		if _, err := os.Lstat(p); err == nil {
			t.Errorf("%s is left behind", p)
		}
	}
}
