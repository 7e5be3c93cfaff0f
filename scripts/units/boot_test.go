package units

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/controller/wire"
)

// booted is a systemd with the terminal's units, in namespaces of its own.
type booted struct {
	t   *testing.T
	pid string
	log *bytes.Buffer
}

// TestTerminalUnderSystemd starts the shipped units under systemd itself, with
// the real program: that their hardening lets it work, that each role dies and
// comes back as it should, and that a stop leaves nothing.
func TestTerminalUnderSystemd(t *testing.T) {
	b := boot(t)
	b.wait("both units are up", func() bool { return b.up("borne-kiosk") && b.up("borne-agent") })
	b.wait("the isolation is measured", func() bool { return b.in("test", "-s", "/run/borne-kiosk/survey.json") == nil })
	for _, missing := range b.missing() {
		// The small machine may have none of the controllers, nor decide on the swap of the real one.
		if !slices.Contains([]string{wire.PropMemory, wire.PropPids, wire.PropCPU, wire.PropSwap}, missing) {
			t.Errorf("under its units the terminal misses %s", missing)
		}
	}
	warden, agent := b.main("borne-kiosk"), b.main("borne-agent")

	b.kill(agent)
	b.wait("another agent", func() bool { return b.up("borne-agent") && b.main("borne-agent") != agent })
	if b.main("borne-kiosk") != warden {
		t.Error("the warden went with the agent")
	}
	agent = b.main("borne-agent")

	b.kill(warden)
	b.wait("another warden and another agent", func() bool {
		return b.up("borne-kiosk") && b.up("borne-agent") && b.main("borne-kiosk") != warden && b.main("borne-agent") != agent
	})
	b.mustNotReboot()
	if err := b.in("systemctl", "stop", "borne-kiosk"); err != nil {
		t.Fatalf("the terminal does not stop: %v", err)
	}
	if b.up("borne-kiosk") || b.up("borne-agent") {
		t.Error("a unit lives on")
	}
	if out := b.out("sh", "-c", `ps -eo uid=,args= | awk '$1 >= 61000 && $1 < 61090'`); out != "" {
		t.Errorf("left: %s", out)
	}
}

func boot(t *testing.T) *booted {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: a systemd of the test's own needs root")
	}
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		t.Skip("SKIP: systemd is missing; install Debian's package systemd (scripts/setup does)")
	}
	bin := os.Getenv("BORNE_BIN")
	if bin == "" {
		bin = "../../bin"
	}
	program, err := filepath.Abs(filepath.Join(bin, "borne-kiosk"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v: run make build first", err)
	}
	paths := make([]string, 2)
	for i, p := range []string{"boot.sh", folder} {
		if paths[i], err = filepath.Abs(p); err != nil {
			t.Fatal(err)
		}
	}
	group := cgroup(t)
	log := &bytes.Buffer{}
	cmd := exec.Command("unshare", "--cgroup", "--pid", "--fork", "--kill-child", "--mount", "--net", "--ipc", "--uts",
		"/bin/sh", paths[0], t.TempDir(), paths[1], program)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, UseCgroupFD: true, CgroupFD: int(group.Fd())}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	b := &booted{t: t, log: log}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() {
		if t.Failed() && b.pid != "" {
			t.Logf("logs:\n%s", b.out("sh", "-c", "tail -n 40 /run/borne-*.log"))
		}
		cmd.Process.Kill() // its child, which is the first process in there, dies with it
		<-done
		if t.Failed() {
			t.Logf("systemd:\n%s", log)
		}
	})
	end := time.Now().Add(60 * time.Second)
	for b.pid == "" || b.in("systemctl", "list-jobs") != nil {
		select {
		case err := <-done:
			done <- err
			if strings.Contains(log.String(), "permission denied") || strings.Contains(log.String(), "Operation not permitted") {
				t.Skipf("SKIP: this machine lets nobody start a systemd of their own:\n%s", log)
			}
			t.Fatalf("no systemd: %v", err)
		case <-time.After(100 * time.Millisecond):
		}
		out, _ := exec.Command("pgrep", "-P", strconv.Itoa(cmd.Process.Pid)).Output()
		b.pid = strings.TrimSpace(string(out))
		if time.Now().After(end) {
			t.Fatal("systemd does not answer")
		}
	}
	return b
}

// cgroup is a control group of the test's own, whose namespace systemd takes for the root.
func cgroup(t *testing.T) *os.File {
	t.Helper()
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 2 && f[2] == "cgroup2" {
			dir, err := os.MkdirTemp(f[1], "borne-units-")
			if err != nil {
				continue
			}
			t.Cleanup(func() { // its groups, the deepest first; the processes in them are on their way out
				for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
					exec.Command("find", dir, "-depth", "-type", "d", "-exec", "rmdir", "{}", "+").Run()
					if _, err := os.Stat(dir); err != nil {
						return
					}
				}
				t.Errorf("%s is left", dir)
			})
			f, err := os.Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { f.Close() })
			return f
		}
	}
	t.Skip("SKIP: no control groups of version 2 to put a systemd into")
	return nil
}

// command runs in there.
func (b *booted) command(argv ...string) *exec.Cmd {
	return exec.Command("nsenter", append([]string{"-t", b.pid, "-a", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"}, argv...)...)
}

func (b *booted) in(argv ...string) error { return b.command(argv...).Run() }

func (b *booted) out(argv ...string) string {
	b.t.Helper()
	out, err := b.command(argv...).Output()
	if err != nil {
		b.t.Errorf("%v: %v", argv, err)
	}
	return strings.TrimSpace(string(out))
}

func (b *booted) up(unit string) bool { return b.in("systemctl", "is-active", "--quiet", unit) == nil }

// main is the pid of a unit's first process, as seen in there.
func (b *booted) main(unit string) string {
	b.t.Helper()
	return b.out("systemctl", "show", "-p", "MainPID", "--value", unit)
}

func (b *booted) kill(pid string) {
	b.t.Helper()
	if err := b.in("kill", "-9", pid); err != nil {
		b.t.Fatal(err)
	}
}

func (b *booted) wait(what string, so func() bool) {
	b.t.Helper()
	for end := time.Now().Add(60 * time.Second); !so(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("not so within a minute: %s", what)
		}
	}
}

// mustNotReboot does what the kernel does for Ctrl+Alt+Del, and does it often.
func (b *booted) mustNotReboot() {
	b.t.Helper()
	if err := b.in("systemctl", "start", "ctrl-alt-del.target"); err == nil {
		b.t.Error("the target of Ctrl+Alt+Del is not masked")
	}
	// Each is answered before the next: signals that wait are one.
	if err := b.in("sh", "-ec", "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do kill -INT 1; systemctl show -p Version >/dev/null; done"); err != nil {
		b.t.Fatalf("Ctrl+Alt+Del ended the machine: %v", err)
	}
	if jobs := b.out("systemctl", "list-jobs", "--no-legend", "--plain"); strings.Contains(jobs, "reboot") || !b.up("borne-kiosk") {
		b.t.Errorf("Ctrl+Alt+Del: %q", jobs)
	}
	if core := b.out("systemctl", "show", "-p", "DefaultLimitCORE", "--value"); core != "1" {
		b.t.Errorf("programs may leave dumps of %s", core)
	}
}

// missing lists the properties of full isolation that do not hold in there.
func (b *booted) missing() []string {
	b.t.Helper()
	var s struct {
		Props []struct {
			Name string `json:"name"`
			Held bool   `json:"held"`
		} `json:"props"`
	}
	text := b.out("cat", "/run/borne-kiosk/survey.json")
	if err := json.Unmarshal([]byte(text), &s); err != nil || len(s.Props) < 10 {
		b.t.Fatal(fmt.Errorf("cannot read the survey %s: %w", text, err))
	}
	var list []string
	for _, p := range s.Props {
		if !p.Held {
			list = append(list, p.Name)
		}
	}
	return list
}
