package warden

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/kiosk/sandbox"
)

// callerChild asks at a door, tells what came of it, and lives until its input ends.
func callerChild(path string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	f, err := sandbox.Collect(ctx, path)
	if err != nil {
		fmt.Println("refused:", err)
		return 1
	}
	defer f.Close()
	fmt.Println("in")
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// falseDoorChild opens a door that is not root's.
func falseDoorChild(path string) int {
	ln, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer ln.Close()
	fmt.Println("in")
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// calling is a child role that runs as uid, humble or not. It returns its
// first line.
func calling(t *testing.T, uid int, humble bool, role, path string) (string, io.Closer, *exec.Cmd) {
	t.Helper()
	argv := []string{"setpriv", fmt.Sprintf("--reuid=%d", uid), fmt.Sprintf("--regid=%d", uid), "--clear-groups"}
	if humble {
		argv = append(argv, "--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], append(argv[1:], self, role, path)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	line, _ := bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(line), in, cmd
}

// doorFolder is a folder that every user may pass through, for the test binary too.
func doorFolder(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIP: the warden's role needs root")
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{filepath.Dir(dir), filepath.Dir(self), filepath.Dir(filepath.Dir(self))} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestOnlyTheAgentGetsThroughItsDoorAndOnlyOne(t *testing.T) {
	const agent = 300700
	path := filepath.Join(doorFolder(t), "door")
	d, err := openDoor(path, agent, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	hand := func() (<-chan life, *sandbox.Conn) {
		ours, theirs, err := sandbox.Pair()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ours.Close() })
		got := make(chan life, 1)
		go func() {
			defer theirs.Close()
			if l, err := d.hand(ctx, theirs); err == nil {
				got <- l
			}
		}()
		return got, ours
	}
	got, ours := hand()
	for who, c := range map[string]struct {
		uid    int
		humble bool
	}{"another user": {agent + 1, true}, "root": {0, true}, "the agent's user, with privileges to gain": {agent, false}} {
		if said, _, _ := calling(t, c.uid, c.humble, "caller-child", path); !strings.HasPrefix(said, "refused") {
			t.Errorf("%s: %q", who, said)
		}
	}
	select {
	case <-got:
		t.Fatal("one of them was taken for the agent")
	default:
	}
	said, in, cmd := calling(t, agent, true, "caller-child", path)
	if said != "in" {
		t.Fatalf("the agent: %q", said)
	}
	first := <-got
	if said, _, _ := calling(t, agent, true, "caller-child", path); !strings.HasPrefix(said, "refused") {
		t.Errorf("a second agent beside the first: %q", said)
	}
	in.Close()
	if _, _, err := ours.Receive(make([]byte, sandbox.MaxFrame+1)); !errors.Is(err, sandbox.ErrClosed) {
		t.Errorf("the agent's end lives on: %v", err)
	}
	<-first.ended
	first.signal(syscall.SIGKILL) // reaches nobody any more
	cmd.Wait()

	got, _ = hand()
	if said, _, cmd = calling(t, agent, true, "caller-child", path); said != "in" {
		t.Fatalf("the agent after the first: %q", said)
	}
	second := <-got
	second.signal(syscall.SIGKILL)
	<-second.ended
	if err := cmd.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("the second agent ended with %v", err)
	}
}

func TestAnAgentTakesNothingFromADoorThatIsNotRoots(t *testing.T) {
	dir := doorFolder(t)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "door")
	if said, _, _ := calling(t, 300701, true, "false-door-child", path); said != "in" {
		t.Fatal(said)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
	defer cancel()
	if f, err := sandbox.Collect(ctx, path); err == nil {
		f.Close()
		t.Error("it takes a connection")
	}
}

func TestHumbleStatus(t *testing.T) {
	good := map[string]string{"Uid": "61000\t61000\t61000\t61000", "Gid": "61000\t61000\t61000\t61000", "Groups": "61000", "NoNewPrivs": "1",
		"CapInh": "0000000000000000", "CapPrm": "0000000000000000", "CapEff": "0000000000000000", "CapBnd": "0000000000000000", "CapAmb": "0000000000000000"}
	if err := humbleStatus(good, 61000); err != nil {
		t.Fatal(err)
	}
	for k, v := range map[string]string{"Uid": "61000\t61000\t0\t61000", "Gid": "61000\t0\t61000\t61000", "Groups": "61000 6", "NoNewPrivs": "0",
		"CapInh": "1", "CapPrm": "0000000000000400", "CapEff": "0000000000000400", "CapBnd": "000001ffffffffff", "CapAmb": ""} {
		bad := maps.Clone(good)
		bad[k] = v
		if humbleStatus(bad, 61000) == nil {
			t.Errorf("%s %q is taken", k, v)
		}
	}
}
