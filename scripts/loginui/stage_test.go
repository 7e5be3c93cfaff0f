package loginui

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
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

	"borne/controller/config"
	"borne/controller/oidc/oidctest"
	"borne/controller/server"
)

// soon bounds every wait: what takes longer does not happen.
const soon = 30 * time.Second

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stage is a real controller with the console as it is now, a real OpenID
// provider, and a browser.
type stage struct {
	t       *testing.T
	srv     *server.Server
	console string
	in      io.WriteCloser
	out     *bufio.Scanner
}

// port is one that was free a moment ago: provider and controller have to know
// each other's address before either listens.
func port(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

func newStage(t *testing.T, people map[string]oidctest.Claims) *stage {
	t.Helper()
	root, err := filepath.Abs("../..")
	must(t, err)
	ui := filepath.Join(root, "ui")
	for _, need := range []string{"/usr/bin/chromium", filepath.Join(ui, "node_modules", "playwright-core"), filepath.Join(ui, "node_modules", "vite")} {
		if _, err := os.Stat(need); err != nil {
			t.Skipf("SKIP: no browser to log in with: %s is missing (apt install chromium, npm ci in ui/)", need)
		}
	}
	p := port(t)
	s := &stage{t: t, console: fmt.Sprintf("http://localhost:%d", p)}
	issuer := oidctest.Start(t, root, people, s.console+"/api/login/oidc/return", s.console+"/api/logout/return")

	dir, err := os.MkdirTemp("", "login") // short enough for a socket's path
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	dist := filepath.Join(dir, "dist")
	// What is played is the source, not a build of some other day.
	build := exec.Command("node", filepath.Join(ui, "node_modules", "vite", "bin", "vite.js"), "build", "--config", "vite.console.config.ts", "--outDir", dist, "--minify", "false", "--logLevel", "error")
	build.Dir = ui
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the console: %v\n%s", err, out)
	}
	state, key := filepath.Join(dir, "state"), filepath.Join(dir, "secret")
	must(t, os.WriteFile(key, []byte(oidctest.Secret+"\n"), 0o600))
	must(t, server.Init(context.Background(), state, "Haute-Savoie", time.Now()))
	cfg, err := config.Parse(fmt.Appendf(nil, "state = %q\ndemo = true\n[console]\nlisten = \"127.0.0.1:%d\"\nurl = %q\n[terminals]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"\"\n"+
		"[oidc]\nissuer = %q\nclient_id = %q\nclient_secret_file = %q\n", state, p, s.console, issuer, oidctest.Client, key))
	must(t, err)
	s.srv, err = server.New(server.Config{Config: cfg, Version: "loginui", Files: os.DirFS(dist)})
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(soon):
			t.Error("the controller does not end")
		}
	})
	if r := s.srv.Do(ctx, server.Request{Op: server.OpSeedDemo}); r.Error != "" {
		t.Fatal(r.Error)
	}
	s.browser(root, ui)
	return s
}

// link is a one-time login link; args are those of the command line.
func (s *stage) link(args map[string]string) string {
	s.t.Helper()
	r := s.srv.Do(context.Background(), server.Request{Op: server.OpLink, Args: args})
	if r.Error != "" {
		s.t.Fatal(r.Error)
	}
	url, _, _ := strings.Cut(r.Text, "\n")
	return url
}

func (s *stage) browser(root, ui string) {
	s.t.Helper()
	cmd := exec.Command("node", filepath.Join(root, "scripts", "loginui", "player.mjs"))
	cmd.Env = append(os.Environ(), "UI="+ui, "CONSOLE="+s.console)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	must(s.t, err)
	out, err := cmd.StdoutPipe()
	must(s.t, err)
	must(s.t, cmd.Start())
	s.in, s.out = in, bufio.NewScanner(out)
	s.t.Cleanup(func() {
		in.Close()
		done := make(chan struct{})
		go func() { cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(soon):
			if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				s.t.Error(err)
			}
			<-done
		}
	})
	s.answer("start")
}

func (s *stage) answer(what string) {
	s.t.Helper()
	if !s.out.Scan() {
		s.t.Fatalf("%s: the browser is gone: %v", what, s.out.Err())
	}
	var a struct{ Error string }
	if err := json.Unmarshal(s.out.Bytes(), &a); err != nil {
		s.t.Fatalf("%s: %v: %s", what, err, s.out.Bytes())
	}
	if a.Error != "" {
		s.t.Fatalf("%s: %s", what, a.Error)
	}
}

// play has the person play a scene; more holds names and values in turn.
func (s *stage) play(scene string, more ...string) {
	s.t.Helper()
	line := map[string]string{"scene": scene}
	for i := 0; i < len(more); i += 2 {
		line[more[i]] = more[i+1]
	}
	b, err := json.Marshal(line)
	must(s.t, err)
	if _, err := s.in.Write(append(b, '\n')); err != nil {
		s.t.Fatalf("%s: %v", scene, err)
	}
	s.answer(scene)
}
