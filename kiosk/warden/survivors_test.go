package warden

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"

	"golang.org/x/sys/unix"
)

// Each kind of survivor is planted for real, outside the sandbox, where a wipe
// must find it and say so.
func TestSurvivorsAreFound(t *testing.T) {
	for _, tc := range []struct {
		check string
		plant func(t *testing.T, w *warden)
	}{
		{wire.CheckProcesses, plantDaemon},
		{wire.CheckMounts, plantMount},
		{wire.CheckUIDFiles, func(t *testing.T, w *warden) { plantOwned(t, w.c.Places[0]+"/a/b", w.c.pool().from+3, 0) }},
		{wire.CheckFresh, func(t *testing.T, w *warden) { plantOwned(t, w.c.Places[0]+"/shm", w.c.UIDBase+offShell, 0) }},
		{wire.CheckIPC, func(t *testing.T, w *warden) {
			drop, err := plantSegment(w.c.pool().from + 5)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(drop)
		}},
		{wire.CheckIPC, plantQueue},
		{wire.CheckNetns, plantNetns},
	} {
		t.Run(tc.check, func(t *testing.T) {
			w := openTest(t, lightConfig(t, 4))
			info := mustPrepare(t, w)
			if _, err := w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "s"}); err != nil {
				t.Fatal(err)
			}
			tc.plant(t, w)
			ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "s", Attempt: 1})
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range ev.Checks {
				if c.Name == tc.check && c.Result != wire.Found {
					t.Errorf("%+v, want found", c)
				}
			}
			if !strings.HasPrefix(ev.Failure, "found: ") {
				t.Errorf("failure %q", ev.Failure)
			}
		})
	}
}

// plantDaemon starts a process of the pool that left its session and parent.
func plantDaemon(t *testing.T, w *warden) {
	uid := uint32(w.c.pool().from + 7)
	cmd := exec.Command("/bin/sh", "-c", "setsid sleep 600 & echo $!")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{}}}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	pid := 0
	fmt.Fscan(bufio.NewReader(out), &pid)
	out.Close()
	cmd.Wait()
	t.Cleanup(func() { syscall.Kill(pid, syscall.SIGKILL) })
}

// plantMount keeps the sandbox's mount namespace alive by a bind mount, which
// no process lives in.
func plantMount(t *testing.T, w *warden) {
	b := w.living()[0]
	plantNamespace(t, w, fmt.Sprintf("/proc/%d/ns/mnt", b.pid))
}

func plantNetns(t *testing.T, w *warden) {
	b := w.living()[0]
	plantNamespace(t, w, fmt.Sprintf("/proc/%d/ns/net", b.pid))
}

func plantNamespace(t *testing.T, w *warden, from string) {
	dir := w.c.Places[0] + "/private"
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	// A mount namespace's file can only be bound below a private mount.
	must(t, unix.Mount(dir, dir, "", unix.MS_BIND, ""))
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	must(t, unix.Mount("", dir, "", unix.MS_PRIVATE, ""))
	must(t, os.WriteFile(dir+"/ns", nil, 0o600))
	err := unix.Mount(from, dir+"/ns", "", unix.MS_BIND, "")
	if errors.Is(err, unix.EINVAL) && strings.HasSuffix(from, "/ns/mnt") {
		// A mount namespace can only be bound in one with a lower number, and Linux
		// 6.18 gives numbers out per CPU: when these tests run in a namespace that is
		// itself young, the sandbox's may be the lower one.
		t.Skip("SKIP: the kernel does not bind this mount namespace in the one that the test runs in")
	}
	must(t, err)
}

func plantOwned(t *testing.T, path string, uid, gid int) {
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte("left"), 0o600))
	must(t, os.Lchown(path, uid, gid))
}

func plantQueue(t *testing.T, w *warden) {
	name, err := unix.BytePtrFromString("borne-test-" + w.c.tag())
	must(t, err)
	fd, _, e := unix.Syscall6(unix.SYS_MQ_OPEN, ptr(name), unix.O_CREAT|unix.O_RDWR, 0o600, 0, 0, 0)
	if e != 0 {
		t.Fatal(e)
	}
	t.Cleanup(func() {
		unix.Close(int(fd))
		unix.Syscall(unix.SYS_MQ_UNLINK, ptr(name), 0, 0)
	})
	must(t, unix.Fchown(int(fd), w.c.pool().from, 0))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestWalkOfHostileTrees(t *testing.T) {
	outside := t.TempDir()
	must(t, os.WriteFile(outside+"/secret", nil, 0o600))
	all := func(*unix.Stat_t) bool { return true }
	seen := func(dir string, change func(*walker)) (names []string, trouble error) {
		wk := newWalker(all, func(e entry) { names = append(names, strings.Clone(e.name)) })
		if change != nil {
			change(wk)
		}
		wk.root(dir)
		return names, wk.trouble
	}
	t.Run("links and pipes", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.Symlink(outside, dir+"/link"))
		must(t, unix.Mkfifo(dir+"/fifo", 0o600))
		must(t, os.Symlink("link/secret", dir+"/deeper"))
		names, trouble := seen(dir, nil)
		if len(names) != 3 || trouble != nil {
			t.Errorf("saw %q, %v", names, trouble)
		}
	})
	t.Run("huge", func(t *testing.T) {
		dir := t.TempDir()
		for i := range 300 {
			must(t, os.WriteFile(fmt.Sprintf("%s/%d", dir, i), nil, 0o600))
		}
		if _, trouble := seen(dir, func(w *walker) { w.entries = 299 }); trouble == nil {
			t.Error("a tree past the cap is examined as if it were whole")
		}
		if names, trouble := seen(dir, func(w *walker) { w.entries = 300 }); trouble != nil || len(names) != 300 {
			t.Errorf("saw %d, %v", len(names), trouble)
		}
		if _, trouble := seen(dir, func(w *walker) { w.deadline = time.Now().Add(-time.Second); w.entries = 257 }); trouble == nil {
			t.Error("a tree past the time is examined as if it were whole")
		}
	})
	t.Run("deep", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.MkdirAll(dir+strings.Repeat("/d", maxDepth+2), 0o700))
		if _, trouble := seen(dir, nil); trouble == nil || !strings.Contains(trouble.Error(), "deeper than") {
			t.Errorf("trouble %v", trouble)
		}
	})
	t.Run("another mount", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.Mkdir(dir+"/m", 0o700))
		must(t, unix.Mount("borne-test", dir+"/m", "tmpfs", 0, "size=1m"))
		t.Cleanup(func() { unix.Unmount(dir+"/m", unix.MNT_DETACH) })
		must(t, os.WriteFile(dir+"/m/inside", nil, 0o600))
		names, trouble := seen(dir, nil)
		if len(names) != 1 || trouble != nil {
			t.Errorf("saw %q, %v", names, trouble)
		}
		mounts, err := os.ReadFile("/proc/self/mountinfo")
		must(t, err)
		found := false
		for _, r := range roots(nil, parseMounts(string(mounts))) {
			found = found || r == dir+"/m"
		}
		if !found {
			t.Error("a writable mount is no root of its own")
		}
	})
	t.Run("swapped under its feet", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.Mkdir(dir+"/d", 0o700))
		wk := newWalker(all, nil)
		wk.visit = func(e entry) { // between the look and the opening
			if e.name == "d" {
				must(t, os.Remove(dir+"/d"))
				must(t, os.Symlink(outside, dir+"/d"))
			}
			if e.name == "secret" {
				t.Error("the walk left its tree")
			}
		}
		wk.root(dir)
		if wk.trouble == nil || !strings.Contains(wk.trouble.Error(), "changes while it is read") {
			t.Errorf("trouble %v", wk.trouble)
		}
	})
	t.Run("removed under its feet", func(t *testing.T) {
		dir := t.TempDir()
		must(t, os.Mkdir(dir+"/d", 0o700))
		wk := newWalker(all, nil)
		wk.visit = func(entry) { os.Remove(dir + "/d") }
		wk.root(dir)
		if wk.trouble != nil {
			t.Error(wk.trouble)
		}
	})
}

// TestHostileSessionIsWiped fills its sandbox with all that could trip the
// warden, and forks while it is killed.
func TestHostileSessionIsWiped(t *testing.T) {
	c := lightConfig(t, 5)
	c.Programs = func(j Job) ([]Program, error) {
		script := `cd /home/session; ln -s / root; mkfifo pipe; d=.; for i in $(seq 300); do d=$d/d; mkdir $d 2>/dev/null; done
for i in $(seq 500); do : > f$i; done; ln -s /etc/passwd /tmp/.X11-unix/X1 2>/dev/null
dd if=/dev/zero of=/tmp/full bs=1M count=64 2>/dev/null; : > /tmp/.done
f() { setsid sh -c 'while :; do sleep 0.01 & done' & }; f; f; sleep 3600`
		return []Program{{Name: "hostile", UID: j.Browser, Gets: browserPipe, Vital: true, Env: []string{"PATH=/usr/bin:/bin", canaryEnv + "=" + j.Canary}, Argv: []string{"/bin/sh", "-c", script}}}, nil
	}
	w := openTest(t, c)
	info := mustPrepare(t, w)
	b := w.boxes[info.Sandbox]
	waitFor(t, "the hostile session", func() bool {
		return exists(fmt.Sprintf("/proc/%d/root/tmp/.done", b.pid)) || exists(fmt.Sprintf("/proc/%d/root/tmp/full", b.pid))
	})
	if _, err := w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "h"}); err != nil {
		t.Fatal(err)
	}
	ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "h", Attempt: 1})
	if err != nil || ev.Failure != "" {
		t.Fatalf("%s, %v", jsonString(ev), err)
	}
	assertNothingLeft(t, c)
}

// TestSeekFindsCanaries: the search is the last line; it must find in memory,
// in files, by name, and as UTF-16.
func TestSeekFindsCanaries(t *testing.T) {
	c := newCanaries()
	wide := make([]byte, 0, 128)
	for _, ch := range c.value(canaryInFile) {
		wide = binary.LittleEndian.AppendUint16(wide, uint16(ch))
	}
	dir := t.TempDir()
	must(t, os.WriteFile(dir+"/wide", append(make([]byte, seekChunk-10), wide...), 0o600))
	must(t, os.WriteFile(dir+"/edge", append(make([]byte, seekChunk-10), c.value(canaryInEnv)...), 0o600))
	must(t, os.WriteFile(dir+"/"+c.token, nil, 0o600))
	s := newSeeker(c)
	wk := newWalker(func(*unix.Stat_t) bool { return true }, func(e entry) { s.entry(e, true) })
	wk.root(dir)
	if s.hits[""] == 0 || s.hits[canaryInEnv] == 0 || s.hits[canaryInFile] == 0 || s.trouble != nil {
		t.Errorf("hits %v, %v", s.hits, s.trouble)
	}
	// A process that read it and holds it in its heap.
	cmd := exec.Command("/bin/sh", "-c", `read v; w="$v$v"; echo ready; read x`)
	in, err := cmd.StdinPipe()
	must(t, err)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { in.Close(); cmd.Wait() })
	fmt.Fprintln(in, c.value(canaryInClipboard))
	_, err = bufio.NewReader(out).ReadString('\n')
	must(t, err)
	s = newSeeker(c)
	s.memory(cmd.Process.Pid)
	if s.hits[canaryInClipboard] == 0 || s.trouble != nil {
		t.Errorf("hits %v, %v", s.hits, s.trouble)
	}
	s = newSeeker(newCanaries())
	s.memory(cmd.Process.Pid)
	if len(s.hits) != 0 || s.trouble != nil {
		t.Errorf("finds what is not there: %v, %v", s.hits, s.trouble)
	}
	s = newSeeker(c)
	s.mem.Store(4096)
	s.memory(cmd.Process.Pid)
	if s.trouble == nil {
		t.Error("a search past its cap is told as whole")
	}
}

func TestAgentThatKeepsACanaryIsFound(t *testing.T) {
	w := openTest(t, lightConfig(t, 6))
	info := mustPrepare(t, w)
	b := w.boxes[info.Sandbox]
	if _, err := w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "k"}); err != nil {
		t.Fatal(err)
	}
	uid := uint32(w.c.UIDBase)
	cmd := exec.Command("/bin/sleep", "600")
	cmd.Env = []string{"KEPT=" + b.canaries.value(canaryInEnv)}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{}}}
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "k", Attempt: 1})
	must(t, err)
	if ev.Failure != "found: "+checkCanaryEnv {
		t.Errorf("failure %q", ev.Failure)
	}
}

// TestWebCanary: the agent may hold its own marker; the shell may not.
func TestWebCanary(t *testing.T) {
	const marker = "canary-0123456789abcdef"
	for name, tc := range map[string]struct {
		holder int
		want   wire.CheckResult
	}{"agent": {offAgent, wire.Clean}, "shell": {offShell, wire.Found}} {
		t.Run(name, func(t *testing.T) {
			c := lightConfig(t, 6)
			c.Programs = func(j Job) ([]Program, error) {
				return []Program{{Name: "browser", UID: j.Browser, Gets: browserPipe, Vital: true, Env: []string{"PATH=/usr/bin:/bin", canaryEnv + "=" + j.Canary},
					Argv: []string{"/bin/sh", "-c", "echo " + marker + " > /home/session/store; : > /tmp/done; sleep 3600"}}}, nil
			}
			w := openTest(t, c)
			info := mustPrepare(t, w)
			waitFor(t, "the store", func() bool { return exists(fmt.Sprintf("/proc/%d/root/tmp/done", w.boxes[info.Sandbox].pid)) })
			if _, err := w.admit(t.Context(), sandbox.Admit{Sandbox: info.Sandbox, Session: "k"}); err != nil {
				t.Fatal(err)
			}
			uid := uint32(c.UIDBase + tc.holder)
			cmd := exec.Command("/bin/sleep", "600")
			cmd.Env = []string{"KEPT=" + marker}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{}}}
			must(t, cmd.Start())
			t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
			ev, err := w.wipe(t.Context(), sandbox.Wipe{Session: "k", Attempt: 1, Web: marker})
			must(t, err)
			last := ev.Checks[len(ev.Checks)-1]
			if last.Name != checkCanaryWeb || last.Before == 0 || last.Result != tc.want {
				t.Errorf("%+v", last)
			}
		})
	}
}
