package warden

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"

	"golang.org/x/sys/unix"
)

// wardenChild is the real role in a process of its own, so that it can be killed.
func wardenChild(dir string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c := lightConfigIn(dir, 2)
	c.Agent = Agent{Argv: []string{"/proc/self/exe", "agent-child", c.State + "/agent"}, Env: []string{"PATH=/usr/bin:/bin"}}
	c.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	if err := Trust(c.State, wire.KeySet{SignKeys: [][]byte{controllerKey().Public().(ed25519.PublicKey)}}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := Run(ctx, c); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// stages of agentChild's life, each told in a file of its own once it begins.
var stages = []string{"started", "preparing", "prepared", "admitting", "admitted", "wiping", "wiped", "signed"}

// agentChild does what an agent does with a session, and says how far it is.
func agentChild(dir string) int {
	c, err := sandbox.NewClient(os.NewFile(3, "warden"))
	if err != nil {
		return 1
	}
	tell := func(stage string) { os.WriteFile(dir+"/"+stage, nil, 0o600) }
	run := func(r sandbox.Request) sandbox.Answer {
		a, _, err := c.Do(context.Background(), r)
		if err != nil {
			// A warden that is killed may be seen to be gone a moment before this
			// process dies of it.
			if !errors.Is(err, sandbox.ErrClosed) {
				os.WriteFile(dir+"/error", []byte(err.Error()), 0o600)
			}
			os.Exit(1)
		}
		return a
	}
	st, _ := os.ReadFile("/proc/self/status")
	os.WriteFile(dir+"/status", st, 0o600)
	tell("started")
	p, err := signedPolicy(controllerKey())
	if err != nil {
		return 1
	}
	tell("preparing")
	a := run(sandbox.Request{Prepare: &p})
	if b, err := json.Marshal(a.Sandbox); err == nil {
		os.WriteFile(dir+"/info", b, 0o600)
	}
	tell("prepared")
	stop, _ := os.ReadFile(dir + "/stop") // the stage to stay in
	if string(stop) == "prepared" {
		select {}
	}
	tell("admitting")
	run(sandbox.Request{Admit: &sandbox.Admit{Sandbox: a.Sandbox.Sandbox, Session: "session-1"}})
	tell("admitted")
	if exists(dir+"/hold") || string(stop) == "admitted" { // stay in the session
		select {}
	}
	tell("wiping")
	a = run(sandbox.Request{Wipe: &sandbox.Wipe{Session: "session-1", Attempt: 1}})
	b, _ := json.Marshal(a.Wiped)
	os.WriteFile(dir+"/evidence", b, 0o600)
	tell("wiped")
	if string(stop) == "wiped" {
		select {}
	}
	run(sandbox.Request{Sign: &sandbox.Sign{Kind: wire.ReceiptSession, Terminal: "t1", Session: "session-1", Permit: "p1", Nonce: make([]byte, 16), At: time.Now()}})
	tell("signed")
	select {}
}

// pressChild stands for the roles that print. It says over its socket who it is and what it was told, and over the
// channel, if it has one, the same.
func pressChild(args []string) int {
	flags := map[string]string{}
	for i := 0; i+1 < len(args); i += 2 {
		flags[args[i]] = args[i+1]
	}
	l, err := net.Listen("unix", flags["-socket"])
	if err != nil || os.Chmod(flags["-socket"], 0o666) != nil {
		return 1
	}
	self := fmt.Sprintf("%d %v", os.Getuid(), flags)
	if flags["-channel"] == "3" {
		c, err := sandbox.FromFile(os.NewFile(3, "channel"))
		if err != nil || c.Send([]byte(self)) != nil {
			return 1
		}
	}
	for {
		c, err := l.Accept()
		if err != nil {
			return 1
		}
		raw, err := c.(*net.UnixConn).SyscallConn()
		if err != nil {
			return 1
		}
		var peer *unix.Ucred
		raw.Control(func(fd uintptr) { peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
		if err != nil {
			return 1
		}
		fmt.Fprintf(c, "%s to %d", self, peer.Uid)
		c.Close()
	}
}

// TestSessionHasItsPrinter starts what prints under its own users, each with
// the one caller that it answers, and the press with its channel to the agent.
func TestSessionHasItsPrinter(t *testing.T) {
	c := lightConfig(t, 10)
	c.Press, c.Count, c.Preview = []string{"press-child"}, []string{"press-child"}, []string{"press-child"}
	c.Programs = func(j Job) ([]Program, error) {
		list, err := sleeper(j)
		return slices.Concat(j.Printing.before(j), j.Printing.behind(j), list), err
	}
	w := openTest(t, c)
	info, files, err := w.prepare(t.Context(), lightPlan())
	must(t, err)
	defer sandbox.CloseAll(files)
	b := w.boxes[info.Sandbox]
	if len(files) != 3 {
		t.Fatalf("the agent gets %d descriptors, want the browser's two and the press's", len(files))
	}
	flags := func(socket string, caller int, more ...string) map[string]string {
		m := map[string]string{"-socket": socket, "-uids": fmt.Sprintf("%d-%d", caller, caller)}
		for i := 0; i < len(more); i += 2 {
			m[more[i]] = more[i+1]
		}
		return m
	}
	press := fmt.Sprintf("%d %v", b.uids.press, flags(printSocket, b.uids.browser, "-channel", "3", "-counter", countSocket, "-preview", previewSocket))
	for socket, want := range map[string]string{
		printSocket:   press,
		countSocket:   fmt.Sprintf("%d %v", b.uids.counter, flags(countSocket, b.uids.press)),
		previewSocket: fmt.Sprintf("%d %v", b.uids.display, flags(previewSocket, b.uids.press, "-display", b.displayName(), "-authority", displayAuth)),
	} {
		waitFor(t, socket, func() bool {
			conn, err := net.Dial("unix", fmt.Sprintf("/proc/%d/root%s", b.pid, socket))
			if err != nil {
				return false
			}
			defer conn.Close()
			if said, _ := io.ReadAll(conn); string(said) != want+" to 0" {
				t.Fatalf("%s says %q, want %q", socket, said, want)
			}
			return true
		})
	}
	// The canary comes from the browser's user, as every document does.
	conn, err := w.dialPress(b)
	must(t, err)
	if said, _ := io.ReadAll(conn); string(said) != fmt.Sprintf("%s to %d", press, b.uids.browser) {
		t.Errorf("the press says %q to the warden", said)
	}
	conn.Close()
	agent, err := sandbox.FromFile(files[2])
	must(t, err)
	defer agent.Close()
	said, _, err := agent.Receive(make([]byte, sandbox.MaxFrame+1))
	if err != nil || string(said) != press {
		t.Errorf("over the channel: %q, %v; want %q", said, err, press)
	}
	must(t, w.dropStandbys(t.Context()))
	if _, _, err := agent.Receive(make([]byte, sandbox.MaxFrame+1)); !errors.Is(err, sandbox.ErrClosed) {
		t.Errorf("the press outlives its sandbox: %v", err)
	}
}

func startWarden(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/proc/self/exe", "warden-child", dir)
	cmd.Stderr = t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}

func TestKillOfTheWardenLeavesNothing(t *testing.T) {
	for _, stage := range stages {
		t.Run(stage, func(t *testing.T) {
			c := lightConfig(t, 2)
			dir := strings.TrimSuffix(c.State, "/state")
			cmd := startWarden(t, dir)
			waitFor(t, stage, func() bool { return exists(c.State + "/agent/" + stage) })
			cmd.Process.Kill()
			cmd.Wait()
			w := openTest(t, c)
			assertNothingLeft(t, c)
			ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "session-1", Attempt: 1})
			if err != nil || ev.Failure != "" {
				t.Errorf("wipe after the kill: %s, %v", jsonString(ev), err)
			}
			if b, err := os.ReadFile(c.State + "/agent/error"); err == nil {
				t.Errorf("the agent failed: %s", b)
			}
		})
	}
}

// TestReceiptAfterAKillTellsTheSessionsLevel: the new warden verified nothing
// itself, and still must not lower what the session had.
func TestReceiptAfterAKillTellsTheSessionsLevel(t *testing.T) {
	for _, stage := range []string{"prepared", "admitted", "wiped"} {
		t.Run(stage, func(t *testing.T) {
			c := lightConfig(t, 2)
			must(t, os.MkdirAll(c.State+"/agent", 0o755))
			must(t, os.WriteFile(c.State+"/agent/stop", []byte(stage), 0o644))
			cmd := startWarden(t, strings.TrimSuffix(c.State, "/state"))
			waitFor(t, stage, func() bool { return exists(c.State + "/agent/" + stage) })
			var info sandbox.Info
			b, err := os.ReadFile(c.State + "/agent/info")
			must(t, err)
			must(t, json.Unmarshal(b, &info))
			cmd.Process.Kill()
			cmd.Wait()
			w := openTest(t, c)
			ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "session-1", Attempt: 2})
			must(t, err)
			env, _, err := w.ledger.sign(claim("session-1", "p1"))
			must(t, err)
			var r wire.Receipt
			must(t, json.Unmarshal(env.Payload, &r))
			if len(r.Props) != len(wire.Properties()) || jsonString(r.Props) != jsonString(info.Props) || r.Level != info.Level || ev.Level != info.Level {
				t.Errorf("the receipt says level %s with %s, the sandbox had %s with %s", r.Level, jsonString(r.Props), info.Level, jsonString(info.Props))
			}
		})
	}
}

func TestRunServesAnAgentWithoutPrivileges(t *testing.T) {
	c := lightConfig(t, 2)
	cmd := startWarden(t, strings.TrimSuffix(c.State, "/state"))
	waitFor(t, "signed", func() bool { return exists(c.State + "/agent/signed") })
	b, err := os.ReadFile(c.State + "/agent/status")
	if err != nil {
		t.Fatal(err)
	}
	p, err := parseStatus(1, b)
	if err != nil {
		t.Fatal(err)
	}
	if bad := noCaps(p); bad != "" || p.fields["NoNewPrivs"] != "1" || p.uids[0] != c.UIDBase {
		t.Errorf("the agent has %s, no_new_privs %s, uid %d", bad, p.fields["NoNewPrivs"], p.uids[0])
	}
	var ev sandbox.Evidence
	b, err = os.ReadFile(c.State + "/agent/evidence")
	if err != nil || json.Unmarshal(b, &ev) != nil || ev.Failure != "" {
		t.Errorf("evidence %s, %v", b, err)
	}
	cmd.Process.Signal(syscall.SIGTERM)
	if err := cmd.Wait(); err == nil || strings.Contains(err.Error(), "status 1") {
		t.Logf("ended: %v", err)
	}
	assertNothingLeft(t, c)
}

func TestDeathOfTheAgentEndsItsSandboxes(t *testing.T) {
	c := lightConfig(t, 2)
	if err := os.MkdirAll(c.State+"/agent", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(c.State+"/agent/hold", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	child := startWarden(t, strings.TrimSuffix(c.State, "/state"))
	agent := c.State + "/agent/"
	waitFor(t, "admitted", func() bool { return exists(agent + "admitted") })
	first := processesOf(t, uidRange{c.UIDBase, c.UIDBase})
	inside := processesOf(t, c.pool())
	if len(first) != 1 || len(inside) == 0 {
		t.Fatalf("agents %v, in the sandbox %v", first, inside)
	}
	for _, s := range stages {
		os.Remove(agent + s)
	}
	syscall.Kill(first[0], syscall.SIGKILL)
	waitFor(t, "a new agent", func() bool { return exists(agent + "started") })
	for _, pid := range inside {
		if p, err := readProcess(pid); err == nil && p.hasUID(c.pool()) && !p.zombie() {
			t.Errorf("process %d of the sandbox lives on", pid)
		}
	}
	waitFor(t, "a new session", func() bool { return exists(agent + "admitted") })
	child.Process.Kill()
	child.Wait()
	openTest(t, c) // sweeps
}

func processesOf(t *testing.T, r uidRange) []int {
	t.Helper()
	all, err := allProcesses()
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, p := range all {
		if p.hasUID(r) && !p.zombie() {
			pids = append(pids, p.pid)
		}
	}
	return pids
}

func TestSecondWardenIsRefused(t *testing.T) {
	c := lightConfig(t, 3)
	openTest(t, c)
	_, _, err := open(t.Context(), c)
	if err == nil || !strings.Contains(err.Error(), "another warden runs on it") {
		t.Errorf("error %v", err)
	}
}

// startAs starts a program that sleeps, as uid.
func startAs(t *testing.T, uid int) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/usr/bin/sleep", "600")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid), Groups: []uint32{}}}
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	return cmd
}
