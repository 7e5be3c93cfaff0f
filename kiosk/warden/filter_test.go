package warden

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// filterChild tries what no program of a sandbox may do, and what each may.
func filterChild() int {
	said := map[string]string{}
	note := func(what string, err error) {
		said[what] = "done"
		if err != nil {
			said[what] = err.Error()
		}
	}
	_, err := unix.AddKey("user", "borne", []byte("secret"), unix.KEY_SPEC_USER_KEYRING)
	note("add a key", err)
	_, err = unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true)
	note("find a keyring", err)
	_, err = unix.RequestKey("user", "borne", "", 0)
	note("ask for a key", err)
	none := unix.Rlimit{}
	_, _, e := unix.RawSyscall(unix.SYS_SETRLIMIT, unix.RLIMIT_CORE, uintptr(unsafe.Pointer(&none)), 0)
	note("set the core limit", asError(e))
	note("set the core limit anew", unix.Prlimit(0, unix.RLIMIT_CORE, &none, nil))
	note("read the core limit", unix.Prlimit(0, unix.RLIMIT_CORE, nil, &none))
	files := unix.Rlimit{Cur: 64, Max: 64}
	_, _, e = unix.RawSyscall(unix.SYS_SETRLIMIT, unix.RLIMIT_NOFILE, uintptr(unsafe.Pointer(&files)), 0)
	note("set another limit", asError(e))
	note("set another limit anew", unix.Prlimit(0, unix.RLIMIT_NOFILE, &files, nil))
	b, _ := json.Marshal(said)
	if os.WriteFile("/tmp/said.new", b, 0o600) != nil || os.Rename("/tmp/said.new", "/tmp/said") != nil {
		return 1
	}
	// Not select{}: with nobody left to wake it, the runtime calls that a deadlock.
	for {
		time.Sleep(time.Hour)
	}
}

func asError(e unix.Errno) error {
	if e == 0 {
		return nil
	}
	return e
}

func TestASessionLeavesNoKeyAndKeepsItsCoreLimit(t *testing.T) {
	c := lightConfig(t, 12)
	c.Press = []string{"filter-child"}
	c.Programs = func(j Job) ([]Program, error) {
		return []Program{{Name: "trier", Argv: j.Printing.Press, UID: j.Browser, Vital: true}}, nil
	}
	w := openTest(t, c)
	b := w.boxes[mustPrepare(t, w).Sandbox]
	path := fmt.Sprintf("/proc/%d/root/tmp/said", b.pid)
	waitFor(t, "the attempts", func() bool { return exists(path) })
	text, err := os.ReadFile(path)
	must(t, err)
	var said map[string]string
	must(t, json.Unmarshal(text, &said))
	for what, want := range map[string]string{
		"add a key": unix.ENOSYS.Error(), "find a keyring": unix.ENOSYS.Error(), "ask for a key": unix.ENOSYS.Error(),
		"set the core limit": unix.EPERM.Error(), "set the core limit anew": unix.EPERM.Error(),
		"read the core limit": "done", "set another limit": "done", "set another limit anew": "done",
	} {
		if said[what] != want {
			t.Errorf("%s: %s, want %s", what, said[what], want)
		}
	}
	all := props(w.properties(t.Context(), b))
	if p := all["no-core-dumps"]; !p.Held {
		t.Errorf("%+v", p)
	}
}

// TestACoreLimitOfZeroIsNoProtection: a core_pattern that is a pipe ignores it.
func TestACoreLimitOfZeroIsNoProtection(t *testing.T) {
	for limit, held := range map[string]bool{"1": true, "0": false} {
		cmd := exec.Command("/bin/sh", "-c", "ulimit -c "+limit+"; echo; exec sleep 600")
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
		if _, err := out.Read(make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		bad := noCore(process{pid: cmd.Process.Pid})
		if (bad == "") != held {
			t.Errorf("a limit of %s: %q", limit, bad)
		}
	}
}

func TestOnlyTheBrowsersOwnFilterCounts(t *testing.T) {
	for _, c := range []struct {
		mode, filters string
		wardens       int
		want          bool
	}{
		{"2", "1", 0, false}, // a browser without its sandbox has the warden's filter
		{"2", "2", 0, true}, {"2", "3", 1, true}, {"2", "2", 1, false}, {"2", "", 0, false}, {"0", "0", 0, false},
	} {
		if got := ownFilter(process{fields: map[string]string{"Seccomp": c.mode, "Seccomp_filters": c.filters}}, c.wardens); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
