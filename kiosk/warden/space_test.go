package warden

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// TestANumberThatWasGivenAgain: a service that starts with a mount namespace of its own
// before a sandbox's end was seen may have the number that the sandbox's had.
func TestANumberThatWasGivenAgain(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("SKIP: namespaces need root")
	}
	cmd := exec.Command("sleep", "60")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	pid := cmd.Process.Pid
	id := mountNamespace(pid)
	if id == 0 {
		t.Skip("SKIP: this kernel has no number of a mount namespace for good (Linux 6.11)")
	}
	if own := mountNamespace(os.Getpid()); own == 0 || own == id {
		t.Fatalf("the numbers of two namespaces are %d and %d", own, id)
	}
	later := ticks() + 1000 // the sandbox's end, seen after the process began
	for _, c := range []struct {
		s    space
		want bool
	}{
		{space{kind: "mnt", until: later, mount: id + 1}, false}, // another one had the number before
		{space{kind: "mnt", until: later, mount: id}, true},
		{space{kind: "mnt", until: 1, mount: id}, true}, // whenever it began
		{space{kind: "mnt", until: later}, true},        // an older kernel tells by time
		{space{kind: "mnt", until: 1}, false},
		{space{kind: "ipc", until: later, mount: id + 1}, true},
		{space{kind: "mnt", mount: id + 1}, true}, // a living sandbox has its number to itself
	} {
		if got := c.s.holds(pid); got != c.want {
			t.Errorf("%+v holds it: %v, want %v", c.s, got, c.want)
		}
	}
}
