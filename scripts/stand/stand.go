// Package stand puts up a controller and one terminal with simulated hardware,
// from the two binaries, in one folder: what `make run` shows and what the
// end-to-end test plays on. It does what an administrator would do by hand:
// write both configurations, make the keys, seed, start, enrol.
package stand

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Options say where and how. Dir and Bin are required.
type Options struct {
	Dir      string // folder of everything that is written; kept between runs
	Bin      string // folder of borne-controller and borne-kiosk
	Chromium string // the browser's program; empty: where Debian puts it
	Resolver string // DNS server of the sessions; empty: the machine's own
	Display  string // see the terminal's configuration; empty: "auto"
	Apart    bool   // the agent is started beside the terminal, as its unit does
	UIDBase  int    // accounts of the terminal; 0: the default
	Standby  *int   // MB of memory from which a standby waits beside a session; nil: the default
	Net      string // network of the sessions; empty: the default
	Console  int    // port of the console; 0: a free one
	Uplink   int    // port of the terminals' listener; 0: a free one. A folder that is used again needs the same one.
	Bench    int    // port of the bench; 0: a free one
	Printer  string // ipp:// address; empty: none
	Log      io.Writer
	Progress func(string) // a sentence for whoever waits; nil: silent
}

// Stand is what runs.
type Stand struct {
	opt        Options
	controller *process
	terminal   *process
	agent      *process // nil unless it is apart

	ConsoleURL string
	BenchURL   string
	uplink     string // address of the terminals' listener
}

// Up starts both. Call Down when done, even after an error.
func Up(ctx context.Context, opt Options) (*Stand, error) {
	s := &Stand{opt: opt}
	if s.opt.Progress == nil {
		s.opt.Progress = func(string) {}
	}
	if os.Geteuid() != 0 {
		return s, errors.New("cannot start a terminal: its sandboxes need root; run it as root or with sudo")
	}
	for _, name := range []string{"borne-controller", "borne-kiosk"} {
		if _, err := os.Stat(filepath.Join(opt.Bin, name)); err != nil {
			return s, fmt.Errorf("cannot start: %s is missing, run make build: %w", name, err)
		}
	}
	if err := s.configure(); err != nil {
		return s, err
	}
	for _, step := range []func(context.Context) error{s.startController, s.enrol, s.startTerminal} {
		if err := step(ctx); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *Stand) path(name string) string { return filepath.Join(s.opt.Dir, name) }

// configure writes both files, on ports that are free now.
func (s *Stand) configure() error {
	ports, err := free(s.opt.Console, s.opt.Uplink, s.opt.Bench)
	if err != nil {
		return err
	}
	s.ConsoleURL = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	s.uplink = fmt.Sprintf("127.0.0.1:%d", ports[1])
	s.BenchURL = fmt.Sprintf("http://127.0.0.1:%d", ports[2])
	controller := fmt.Sprintf("state = %q\ndemo = true\n[console]\nlisten = \"127.0.0.1:%d\"\nurl = %q\n[terminals]\nlisten = %q\n[metrics]\nlisten = \"\"\n",
		s.path("controller"), ports[0], s.ConsoleURL, s.uplink)
	display := s.opt.Display
	if display == "" {
		display = "auto"
	}
	kiosk := fmt.Sprintf("state = %q\nrun = %q\ncontroller = %q\ndisplay = %q\nsim = true\nsim_listen = \"127.0.0.1:%d\"\nresolver = %q\n",
		s.path("terminal"), s.path("run"), "https://"+s.uplink, display, ports[2], s.opt.Resolver)
	if s.opt.UIDBase != 0 {
		kiosk += fmt.Sprintf("uid_base = %d\n", s.opt.UIDBase)
	}
	if s.opt.Chromium != "" {
		kiosk += fmt.Sprintf("chromium = %q\n", s.opt.Chromium)
	}
	if s.opt.Standby != nil {
		kiosk += fmt.Sprintf("standby_mb = %d\n", *s.opt.Standby)
	}
	if s.opt.Printer != "" {
		kiosk += fmt.Sprintf("printer = %q\n", s.opt.Printer)
	}
	if s.opt.Net != "" {
		kiosk += fmt.Sprintf("net = %q\n", s.opt.Net)
	}
	kiosk += "[devices]\nbadge-reader = \"sim:mfrc522\"\ncase = \"sim:case\"\ncall = \"sim:call\"\nalarm = \"sim:alarm\"\n" +
		"light = \"sim:output?name=light\"\nscreen-1 = \"sim:screen\"\n" +
		"presence = \"sim:presence\"\nmains = \"sim:output?name=mains\"\nclock = \"sim:rtc\"\n"
	// The roles of the terminal that are not root must be able to pass through.
	if err := os.MkdirAll(s.opt.Dir, 0o755); err != nil {
		return fmt.Errorf("cannot make the folder: %w", err)
	}
	if err := os.Chmod(s.opt.Dir, 0o755); err != nil {
		return fmt.Errorf("cannot open the folder to the terminal's roles: %w", err)
	}
	for name, text := range map[string]string{"controller.toml": controller, "kiosk.toml": kiosk} {
		if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("cannot write %s: %w", name, err)
		}
	}
	return nil
}

// free returns the ports asked for; each 0 becomes one that nobody listens on.
func free(want ...int) ([]int, error) {
	for i, p := range want {
		if p != 0 {
			continue
		}
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("cannot find a free port: %w", err)
		}
		defer ln.Close()
		want[i] = ln.Addr().(*net.TCPAddr).Port
	}
	return want, nil
}

// Controller runs one command of borne-controller on this stand's
// configuration and returns what it printed.
func (s *Stand) Controller(ctx context.Context, words ...string) (string, error) {
	return s.command(ctx, "borne-controller", "controller.toml", words...)
}

// Terminal runs one command of borne-kiosk on this stand's configuration.
func (s *Stand) Terminal(ctx context.Context, words ...string) (string, error) {
	return s.command(ctx, "borne-kiosk", "kiosk.toml", words...)
}

func (s *Stand) command(ctx context.Context, bin, config string, words ...string) (string, error) {
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(s.opt.Bin, bin), append(words, "-config", s.path(config))...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("cannot run %s %s: %w\n%s", bin, strings.Join(words, " "), err, errs.String())
	}
	return out.String(), nil
}

func (s *Stand) startController(ctx context.Context) error {
	s.opt.Progress("Le contrôleur démarre…")
	for _, words := range [][]string{{"init"}, {"seed-demo"}} {
		if words[0] == "init" {
			if _, err := os.Stat(s.path("controller")); err == nil {
				continue // keys are made once
			}
		}
		if _, err := s.Controller(ctx, words...); err != nil {
			return err
		}
	}
	s.controller = newProcess("borne-controller", s.opt.Log, nil, filepath.Join(s.opt.Bin, "borne-controller"), "serve", "-config", s.path("controller.toml"))
	if err := s.controller.start(); err != nil {
		return err
	}
	return await(ctx, s.ConsoleURL+"/healthz", "the controller")
}

// enrol gives the terminal its identity, unless it has one from an earlier run.
func (s *Stand) enrol(ctx context.Context) error {
	if _, err := os.Stat(s.path("terminal/agent/identity")); err == nil {
		return nil
	}
	s.opt.Progress("Le poste s’enrôle…")
	out, err := s.Controller(ctx, "enrol-code", "-terminal", "demo-blanchard-hall-1")
	if err != nil {
		return err
	}
	_, err = s.Terminal(ctx, "enrol", strings.TrimSpace(out))
	return err
}

func (s *Stand) startTerminal(ctx context.Context) error {
	s.opt.Progress("Le poste démarre…")
	words := []string{filepath.Join(s.opt.Bin, "borne-kiosk"), "run", "-config", s.path("kiosk.toml")}
	if s.opt.Apart {
		words = append(words, "-apart")
	}
	s.terminal = newProcess("borne-kiosk", s.opt.Log, nil, words...)
	if err := s.terminal.start(); err != nil {
		return err
	}
	if s.opt.Apart {
		s.agent = newProcess("borne-agent", s.opt.Log, nil, append(s.Humbly(), filepath.Join(s.opt.Bin, "borne-kiosk"), "agent", "-door", s.path("run/agent.sock"))...)
		if err := s.agent.start(); err != nil {
			return err
		}
	}
	return await(ctx, s.BenchURL+"/sim/state", "the terminal")
}

// Program is the path of one of the two programs.
func (s *Stand) Program(name string) string { return filepath.Join(s.opt.Bin, name) }

// Humbly begins a command line that runs as the agent does: as its user, and
// unable to gain a privilege.
func (s *Stand) Humbly() []string {
	uid := strconv.Itoa(cmp.Or(s.opt.UIDBase, 61000))
	return []string{"setpriv", "--reuid=" + uid, "--regid=" + uid, "--clear-groups", "--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all"}
}

// LoginLink makes a one-time link to the console.
func (s *Stand) LoginLink(ctx context.Context) (string, error) {
	out, err := s.Controller(ctx, "user", "link")
	link, _, _ := strings.Cut(out, "\n") // a sentence for people follows
	return strings.TrimSpace(link), err
}

// KillTerminal ends the terminal as a power cut would; it starts again by itself.
func (s *Stand) KillTerminal() error { return s.terminal.kill() }

// KillController does the same to the controller.
func (s *Stand) KillController() error { return s.controller.kill() }

// Pids of the two programs that this stand runs.
func (s *Stand) Pids() (controller, terminal int) { return s.controller.pid(), s.terminal.pid() }

// Agent is the pid of an agent that is apart; 0 when none is.
func (s *Stand) Agent() int {
	if s.agent == nil {
		return 0
	}
	return s.agent.pid()
}

// await asks the address until it answers 200, or ctx ends.
func await(ctx context.Context, url, who string) error {
	var last error
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		r, err := http.DefaultClient.Do(req)
		if err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return nil
			}
			err = fmt.Errorf("it answers %s", r.Status)
		}
		last = err
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot reach %s at %s: %w", who, url, errors.Join(ctx.Err(), last))
		case <-tick.C:
		}
	}
}

// Down ends both in order: the terminal first, so that its last wipe is told.
func (s *Stand) Down() {
	if s.agent != nil {
		s.agent.end(100 * time.Second) // its unit stops before the terminal's does
	}
	if s.terminal != nil {
		s.terminal.end(100 * time.Second) // a session that ends waits for its wipe
	}
	if s.controller != nil {
		s.controller.end(15 * time.Second)
	}
}
