package warden

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/sandbox"
)

// TestMain gives the test binary the roles that the real one has.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case InitRole:
			os.Exit(InitMain())
		case "warden-child":
			os.Exit(wardenChild(os.Args[2]))
		case "resolver-child":
			os.Exit(resolverChild())
		case "press-child":
			os.Exit(pressChild(os.Args[2:]))
		case "filter-child":
			os.Exit(filterChild())
		case "caller-child":
			os.Exit(callerChild(os.Args[2]))
		case "false-door-child":
			os.Exit(falseDoorChild(os.Args[2]))
		case "agent-child":
			os.Exit(agentChild(os.Args[2]))
		case "cell-child":
			os.Exit(cellChild(os.Args[2], os.Args[3]))
		}
	}
	os.Exit(m.Run())
}

// sleeper stands for a browser: it holds files, and lives until it is killed.
func sleeper(j Job) ([]Program, error) {
	return []Program{{Name: "sleeper", UID: j.Browser, Gets: browserPipe, Vital: true, Env: []string{"PATH=/usr/bin:/bin", canaryEnv + "=" + j.Canary},
		Argv: []string{"/bin/sh", "-c", "echo secret > /tmp/left; echo secret > /home/session/left; mkfifo /tmp/fifo; ln -s /etc /tmp/link; sleep 3600"}}}, nil
}

// lightConfig is an instance of its own, without display and browser. n keeps
// apart the uids and addresses of tests.
func lightConfig(t testing.TB, n int) Config {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: the warden's role needs root")
	}
	dir := t.TempDir()
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // the agent's uid passes through
		t.Fatal(err)
	}
	return lightConfigIn(dir, n)
}

func lightConfigIn(dir string, n int) Config {
	return Config{State: dir + "/state", Run: dir + "/run", UIDBase: 300000 + 200*n, Net: netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 99, byte(n), 0}), 24),
		Resolver: netip.MustParseAddr("192.0.2.53"), Programs: sleeper, ShellPrograms: sleeper, Build: "test",
		Places: []string{dir, "/dev/shm"}, Plan: func(p policy.Policy, ask sandbox.Prepare) (Plan, error) {
			plan := lightPlan()
			plan.Profile, plan.Lang, plan.Probe = p.Profile, ask.Lang, ask.Probe
			return plan, nil
		}}
}

// controllerKey signs the policies of these tests.
func controllerKey() ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
}

// signedPolicy asks for a standby by a policy of the tests' controller.
func signedPolicy(key ed25519.PrivateKey) (sandbox.Prepare, error) {
	e, err := wire.Seal(key, wire.DomainPolicy, policy.Policy{Version: 1, Profile: "open"})
	return sandbox.Prepare{Policy: e, Lang: "fr", Width: 800, Height: 600}, err
}

func testLog(t testing.TB) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

func openTest(t testing.TB, c Config) *warden {
	t.Helper()
	if c.Log == nil {
		c.Log = testLog(t)
	}
	w, done, err := open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(done)
	return w
}

func lightPlan() Plan {
	return Plan{Profile: "open", Lang: "fr", Browser: []byte("{}"), Home: "about:blank", Width: 800, Height: 600,
		Limits: Limits{MemoryMB: 128, TmpfsMB: 16, MaxProcs: 32}}
}

func mustPrepare(t testing.TB, w *warden) *sandbox.Info {
	t.Helper()
	info, files, err := w.prepare(t.Context(), lightPlan())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sandbox.CloseAll(files) })
	return info
}

func TestPrepareAdmitWipe(t *testing.T) {
	w := openTest(t, lightConfig(t, 1))
	info := mustPrepare(t, w)
	waitFor(t, "the session's files", func() bool {
		return exists(fmt.Sprintf("/proc/%d/root/tmp/link", w.boxes[info.Sandbox].pid))
	})
	if _, err := w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "one"}); err != nil {
		t.Fatal(err)
	}
	ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "one", Attempt: 1})
	if err != nil {
		t.Fatal(err)
	}
	if ev.Failure != "" {
		t.Errorf("failure %q", ev.Failure)
	}
	want := map[string]bool{wire.CheckProcesses: true, wire.CheckMounts: true, wire.CheckUIDFiles: true, wire.CheckFresh: true, wire.CheckNetns: true,
		wire.CheckIPC: true, checkCanaryFile: true, checkCanaryEnv: true}
	for _, c := range ev.Checks {
		t.Logf("%+v", c)
		if want[c.Name] && (c.Result != wire.Clean || c.Before == 0) {
			t.Errorf("check %s: %+v, want clean with something before", c.Name, c)
		}
	}
	again, err := w.wipe(t.Context(), sandbox.Wipe{Session: "one", Attempt: 2})
	if err != nil || again.Failure != "" {
		t.Errorf("a second wipe: %+v, %v", again, err)
	}
	for _, c := range again.Checks {
		if strings.HasPrefix(c.Name, "canary-") && c.Result != wire.NotPlanted {
			t.Errorf("check %s after a wipe: %+v, want not-planted", c.Name, c)
		}
	}
	assertNothingLeft(t, w.c)
}

// assertNothingLeft looks by itself, not through the code under test.
func assertNothingLeft(t testing.TB, c Config) {
	t.Helper()
	if left := leftovers(c); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

func leftovers(c Config) []string {
	var left []string
	pids, _ := filepath.Glob("/proc/[0-9]*")
	for _, p := range pids {
		st, err := os.ReadFile(p + "/status")
		if err != nil {
			continue
		}
		if strings.Contains(string(st), "State:\tZ") {
			continue // over; whoever started it has not looked yet
		}
		for line := range strings.Lines(string(st)) {
			var r, e int
			if n, _ := fmt.Sscanf(line, "Uid: %d %d", &r, &e); n == 2 && (r >= c.UIDBase && r < c.UIDBase+70) {
				left = append(left, p+" of uid "+fmt.Sprint(r))
			}
		}
		if m, err := os.ReadFile(p + "/mountinfo"); err == nil && strings.Contains(string(m), c.mark()) {
			left = append(left, p+" has mounts")
		}
	}
	ifs, _ := filepath.Glob("/sys/class/net/bn" + c.tag() + "*")
	left = append(left, ifs...)
	groups, _ := filepath.Glob("/sys/fs/cgroup/*/borne-" + c.tag() + "*")
	left = append(left, groups...)
	if out, err := nft(context.Background(), "", "list", "tables"); err == nil && strings.Contains(string(out), c.tag()) {
		left = append(left, "firewall tables")
	}
	return left
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func props(list []wire.Property) map[string]wire.Property {
	out := map[string]wire.Property{}
	for _, p := range list {
		out[p.Name] = p
	}
	return out
}

func jsonString(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}
