package hoursui

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/controller/api"
	"borne/controller/config"
	"borne/controller/demo"
	"borne/controller/policy"
	"borne/controller/server"
)

// soon bounds every wait: what takes longer does not happen.
const soon = 30 * time.Second

// begun is when the play begins: an ordinary Wednesday, whose next Friday is no
// public holiday, so that « next Friday » means the same in each year's run.
var begun = time.Date(2027, time.March, 10, 9, 0, 0, 0, policy.Location())

// stage is a real controller with the console as it is now, and a browser.
type stage struct {
	t      *testing.T
	srv    *server.Server
	admin  *http.Client
	origin string

	in  io.WriteCloser
	out *bufio.Scanner
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newStage builds the console, starts the controller, seeds the demonstration,
// and opens the browser.
func newStage(t *testing.T) *stage {
	t.Helper()
	root, err := filepath.Abs("../..")
	must(t, err)
	ui := filepath.Join(root, "ui")
	for _, need := range []string{"/usr/bin/chromium", filepath.Join(ui, "node_modules", "playwright-core"), filepath.Join(ui, "node_modules", "vite")} {
		if _, err := os.Stat(need); err != nil {
			t.Skipf("SKIP: no browser to play in: %s is missing (apt install chromium, npm ci in ui/)", need)
		}
	}
	dir := t.TempDir()
	dist := filepath.Join(dir, "dist")
	// What is played is the source, not a build of some other day.
	build := exec.Command("node", filepath.Join(ui, "node_modules", "vite", "bin", "vite.js"), "build", "--config", "vite.console.config.ts", "--outDir", dist, "--minify", "false", "--logLevel", "error")
	build.Dir = ui
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("cannot build the console: %v\n%s", err, out)
	}

	s := &stage{t: t}
	state := shortDir(t)
	must(t, server.Init(context.Background(), state, "Haute-Savoie", begun))
	cfg, err := config.Parse(fmt.Appendf(nil, "state = %q\ndemo = true\n[console]\nlisten = \"127.0.0.1:0\"\n[terminals]\nlisten = \"127.0.0.1:0\"\n[metrics]\nlisten = \"\"\n", state))
	must(t, err)
	// The clock of the play goes as ours does.
	start := time.Now()
	s.srv, err = server.New(server.Config{Config: cfg, Version: "hoursui", Files: os.DirFS(dist), Now: func() time.Time { return begun.Add(time.Since(start)) }})
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
	s.login()
	s.browser(root, ui)
	return s
}

// shortDir is a folder whose path is short enough for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hours")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "state")
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

// staff is a link of the building's staff: of one site, and no other.
func (s *stage) staff() string {
	return s.link(map[string]string{"name": "Camille Perrollaz", "role": "building", "sites": demo.Site})
}

func (s *stage) login() {
	s.t.Helper()
	origin, token, _ := strings.Cut(s.link(nil), "/#login=")
	jar, err := cookiejar.New(nil)
	must(s.t, err)
	s.origin, s.admin = origin, &http.Client{Jar: jar, Timeout: soon}
	s.call("POST", "/api/login/link", map[string]string{"token": token}, nil)
}

// call asks the API as the administrator; in is a file when it is bytes.
func (s *stage) call(method, path string, in, out any, header ...string) {
	s.t.Helper()
	b, raw := in.([]byte)
	if !raw {
		var err error
		b, err = json.Marshal(in)
		must(s.t, err)
	}
	req, err := http.NewRequest(method, s.origin+path, bytes.NewReader(b))
	must(s.t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Borne", "1")
	req.Header.Set("Origin", s.origin)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if raw {
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	r, err := s.admin.Do(req)
	must(s.t, err)
	defer r.Body.Close()
	b, err = io.ReadAll(io.LimitReader(r.Body, 4<<20))
	must(s.t, err)
	if r.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %s", method, path, r.Status, b)
	}
	if out != nil {
		must(s.t, json.Unmarshal(b, out))
	}
}

// hours are those of the site, as the API has them.
func (s *stage) hours() api.HoursView { s.t.Helper(); return s.hoursOf(demo.Site) }

func (s *stage) hoursOf(site string) (v api.HoursView) {
	s.t.Helper()
	s.call("GET", "/api/sites/"+site+"/hours", nil, &v)
	return v
}

// set lets the site have these hours.
func (s *stage) set(change func(h *policy.Hours)) { s.t.Helper(); s.setOf(demo.Site, change) }

func (s *stage) setOf(site string, change func(h *policy.Hours)) {
	s.t.Helper()
	v := s.hoursOf(site)
	change(&v.Hours)
	b, err := json.Marshal(v.Hours)
	must(s.t, err)
	// The API takes empty lists, and no null: what is nil here is one of them.
	hours := json.RawMessage(bytes.ReplaceAll(b, []byte("null"), []byte("[]")))
	s.call("PUT", "/api/sites/"+site+"/hours", map[string]any{"hours": hours}, nil, "If-Match", fmt.Sprintf("%q", fmt.Sprint(v.Rev)))
}

func (s *stage) browser(root, ui string) {
	s.t.Helper()
	cmd := exec.Command("node", filepath.Join(root, "scripts", "hoursui", "player.mjs"))
	cmd.Env = append(os.Environ(), "UI="+ui, fmt.Sprintf("NOW=%d", begun.UnixMilli()))
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
	if a := s.answer("start"); a.Error != "" {
		s.t.Fatal(a.Error)
	}
}

// played is what a scene took.
type played struct {
	OK      bool
	Error   string
	Actions int
	MS      int
}

func (s *stage) answer(what string) played {
	s.t.Helper()
	if !s.out.Scan() {
		s.t.Fatalf("%s: the browser is gone: %v", what, s.out.Err())
	}
	var a played
	if err := json.Unmarshal(s.out.Bytes(), &a); err != nil {
		s.t.Fatalf("%s: %v: %s", what, err, s.out.Bytes())
	}
	return a
}

// play has the person play a scene; more holds names and values in turn.
func (s *stage) play(scene string, more ...any) played {
	s.t.Helper()
	line := map[string]any{"scene": scene}
	for i := 0; i < len(more); i += 2 {
		line[more[i].(string)] = more[i+1]
	}
	b, err := json.Marshal(line)
	must(s.t, err)
	if _, err := s.in.Write(append(b, '\n')); err != nil {
		s.t.Fatalf("%s: %v", scene, err)
	}
	a := s.answer(scene)
	if a.Error != "" {
		if dir := os.Getenv("BORNE_SHOTS"); dir != "" && scene != "shot" {
			s.play("shot", "path", filepath.Join(dir, scene+".png"))
		}
		s.t.Fatalf("%s: %s", scene, a.Error)
	}
	return a
}
