// Package consoletest has tests play the console in a real browser, before a real
// controller: the pages as they are in the source, on loopback, in folders of the
// test's own.
package consoletest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/controller/server"
)

// Soon bounds every wait: what takes longer does not happen.
const Soon = 30 * time.Second

// Must ends the test with an error.
func Must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Console is the console, built.
type Console struct {
	Root string // of the project
	UI   string // its folder of pages
	Dist string // what a controller serves
}

// Build builds the console from its source, and not of some other day; it skips
// the test where there is no browser to play it in.
func Build(t *testing.T) Console {
	t.Helper()
	root, err := filepath.Abs("../..")
	Must(t, err)
	c := Console{Root: root, UI: filepath.Join(root, "ui"), Dist: filepath.Join(t.TempDir(), "dist")}
	for _, need := range []string{"/usr/bin/chromium", filepath.Join(c.UI, "node_modules", "playwright-core"), filepath.Join(c.UI, "node_modules", "vite")} {
		if _, err := os.Stat(need); err != nil {
			t.Skipf("SKIP: no browser to play in: %s is missing (apt install chromium, npm ci in ui/)", need)
		}
	}
	build := exec.Command("node", filepath.Join(c.UI, "node_modules", "vite", "bin", "vite.js"), "build", "--config", "vite.console.config.ts", "--outDir", c.Dist, "--minify", "false", "--logLevel", "error")
	build.Dir = c.UI
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the console: %v\n%s", err, out)
	}
	return c
}

// Folder is one whose path is short enough for a socket's.
func Folder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "borne")
	Must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Serve runs a controller until the test ends, with the demonstration's places.
func Serve(t *testing.T, c server.Config) *server.Server {
	t.Helper()
	srv := Run(t, c)
	if r := srv.Do(context.Background(), server.Request{Op: server.OpSeedDemo}); r.Error != "" {
		t.Fatal(r.Error)
	}
	return srv
}

// Run runs a controller until the test ends, as it was set up: there is nothing in it.
func Run(t *testing.T, c server.Config) *server.Server {
	t.Helper()
	srv, err := server.New(c)
	Must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case <-done:
		case <-time.After(Soon):
			t.Error("the controller does not end")
		}
	})
	return srv
}

// Link is a one-time login link; args are those of the command line.
func Link(t *testing.T, srv *server.Server, args map[string]string) string {
	t.Helper()
	r := srv.Do(context.Background(), server.Request{Op: server.OpLink, Args: args})
	if r.Error != "" {
		t.Fatal(r.Error)
	}
	url, _, _ := strings.Cut(r.Text, "\n")
	return url
}

// Player is somebody at a browser, who plays scenes.
type Player struct {
	t   *testing.T
	in  io.WriteCloser
	out *bufio.Scanner
}

// Answer is how a scene went.
type Answer struct {
	Error   string
	Actions int
	MS      int
	Said    string // what the page showed, where the scene reads it
}

// Open starts a script of scenes, which opens the browser. The environment tells
// it where the pages' modules are (UI) and what the test adds.
func (c Console) Open(t *testing.T, script string, env ...string) *Player {
	t.Helper()
	cmd := exec.Command("node", filepath.Join(c.Root, script))
	cmd.Env = append(append(os.Environ(), "UI="+c.UI), env...)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	Must(t, err)
	out, err := cmd.StdoutPipe()
	Must(t, err)
	Must(t, cmd.Start())
	p := &Player{t: t, in: in, out: bufio.NewScanner(out)}
	t.Cleanup(func() {
		in.Close()
		done := make(chan struct{})
		go func() { cmd.Wait(); close(done) }()
		select {
		case <-done:
		case <-time.After(Soon):
			if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				t.Error(err)
			}
			<-done
		}
	})
	if a := p.answer("start"); a.Error != "" {
		t.Fatal(a.Error)
	}
	return p
}

func (p *Player) answer(what string) Answer {
	p.t.Helper()
	if !p.out.Scan() {
		p.t.Fatalf("%s: the browser is gone: %v", what, p.out.Err())
	}
	var a Answer
	if err := json.Unmarshal(p.out.Bytes(), &a); err != nil {
		p.t.Fatalf("%s: %v: %s", what, err, p.out.Bytes())
	}
	return a
}

// Play plays a scene; more holds names and values in turn. One that fails ends
// the test, with a picture in BORNE_SHOTS where the script can take one.
func (p *Player) Play(scene string, more ...any) Answer {
	p.t.Helper()
	line := map[string]any{"scene": scene}
	for i := 0; i < len(more); i += 2 {
		line[more[i].(string)] = more[i+1]
	}
	b, err := json.Marshal(line)
	Must(p.t, err)
	if _, err := p.in.Write(append(b, '\n')); err != nil {
		p.t.Fatalf("%s: %v", scene, err)
	}
	a := p.answer(scene)
	if a.Error != "" {
		if dir := os.Getenv("BORNE_SHOTS"); dir != "" && scene != "shot" {
			p.Play("shot", "path", filepath.Join(dir, scene+".png"))
		}
		p.t.Fatalf("%s: %s", scene, a.Error)
	}
	return a
}
