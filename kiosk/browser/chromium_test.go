package browser

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	chromiumPath = "/usr/lib/chromium/chromium"
	testUID      = 61901 // nobody's: Chromium keeps its sandbox only when it is not root
)

// chromium is one real browser on its own virtual display.
type chromium struct {
	pipe    *Pipe
	display string
	cmd     *exec.Cmd
	exited  chan struct{}
}

// needChromium skips where the tests cannot give Chromium a user of its own.
func needChromium(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("SKIP: -short leaves the real browser out")
	}
	if os.Getuid() != 0 {
		t.Skip("SKIP: only root can start Chromium as another user")
	}
	for _, p := range []string{chromiumPath, "/usr/bin/Xvfb"} {
		if _, err := os.Stat(p); err != nil {
			t.Skip("SKIP: " + p + " is not installed")
		}
	}
}

// startDisplay runs an Xvfb that ends with the test.
func startDisplay(t *testing.T) string {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{w}
	start(t, cmd)
	w.Close()
	if err := r.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		t.Fatalf("Xvfb named no display: %v", err)
	}
	return ":" + strings.TrimSpace(line)
}

// start runs cmd in a process group that dies with the test.
func start(t *testing.T, cmd *exec.Cmd) chan struct{} {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { cmd.Wait(); close(exited) }()
	t.Cleanup(func() {
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-exited
	})
	return exited
}

// openDir makes a folder that the test's user may write to.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "borne-browser-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, testUID, testUID); err != nil {
		t.Fatal(err)
	}
	return dir
}

// startChromium runs Chromium as an unprivileged user on display. A policy,
// when given, is bound over /etc/chromium in a mount namespace of its own.
func startChromium(t *testing.T, display string, policy []byte, args ...string) *chromium {
	t.Helper()
	dir := openDir(t)
	cr, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r, cw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	etc := filepath.Join(dir, "etc")
	if err := os.MkdirAll(filepath.Join(etc, "policies/managed"), 0o755); err != nil {
		t.Fatal(err)
	}
	if policy != nil {
		if err := os.WriteFile(filepath.Join(etc, "policies/managed/borne.json"), policy, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	script := fmt.Sprintf(`mount --bind %s /etc/chromium && exec setpriv --reuid %d --regid %d --clear-groups --no-new-privs -- "$@"`, etc, testUID, testUID)
	all := append([]string{"--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh", chromiumPath,
		"--remote-debugging-pipe", "--user-data-dir=" + filepath.Join(dir, "profile"), "--no-first-run",
		"--password-store=basic", "--window-size=1200,700", "--window-position=0,0"}, args...)
	cmd := exec.Command("unshare", all...)
	cmd.Env = []string{"HOME=" + dir, "XDG_RUNTIME_DIR=" + dir, "PATH=/usr/bin:/bin", "LANG=C.UTF-8", "DISPLAY=" + display}
	cmd.ExtraFiles = []*os.File{cr, cw}
	if os.Getenv("BORNE_TEST_CHROMIUM_LOG") != "" {
		cmd.Stderr = os.Stderr
	} else {
		cmd.Stderr = io.Discard
	}
	exited := start(t, cmd)
	cr.Close()
	cw.Close()
	p, err := NewPipe(r, w)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return &chromium{pipe: p, display: display, cmd: cmd, exited: exited}
}

func testContext(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}
