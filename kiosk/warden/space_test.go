package warden

import (
	"os/exec"
	"syscall"
	"testing"

	"borne/controller/wire"
)

// TestANamespacesNumberIsGivenAgain: a process that began after a sandbox's
// death is not in it, though its namespaces bear the same numbers.
func TestANamespacesNumberIsGivenAgain(t *testing.T) {
	before := ticks()
	cmd := exec.Command("/usr/bin/unshare", "--mount", "--ipc", "--net", "/bin/sleep", "600")
	must(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	w := &warden{c: Config{UIDBase: 302500}}
	ns := map[string]string{}
	waitFor(t, "the namespaces", func() bool {
		for _, kind := range []string{"mnt", "ipc", "net"} {
			id, err := namespace(cmd.Process.Pid, kind)
			if err != nil || id == w.own(kind) {
				return false
			}
			ns[kind] = id
		}
		return true
	})
	waitFor(t, "another tick", func() bool { return ticks() > before+2 })
	for _, c := range []struct {
		name  string
		ended uint64
		found int
	}{{"alive", 0, 1}, {"killed since", ticks(), 1}, {"dead before", before, 0}} {
		b := &box{ns: ns}
		b.ended.Store(c.ended)
		all, err := allProcesses()
		must(t, err)
		out := map[string]*count{}
		for _, n := range wire.RequiredChecks() {
			out[n] = &count{}
		}
		w.lookProcesses(out, all, w.spacesOf([]*box{b}))
		for _, check := range []string{wire.CheckMounts, wire.CheckIPC, wire.CheckNetns} {
			if out[check].n != c.found {
				t.Errorf("%s: %s finds %d (%s), want %d", c.name, check, out[check].n, out[check].where, c.found)
			}
		}
	}
}

// TestANumberThatIsAnothersByNowIsSpared: between reading a process's number
// and ending it, the number may have passed to another process.
func TestANumberThatIsAnothersByNowIsSpared(t *testing.T) {
	c := lightConfig(t, 16)
	w := &warden{c: c}
	stranger, orphan := startAs(t, c.UIDBase-1), startAs(t, c.UIDBase+offBrowsers)
	for _, cmd := range []*exec.Cmd{stranger, orphan} {
		killIf(cmd.Process.Pid, func() bool { return w.isMarked(cmd.Process.Pid, true) })
	}
	err := orphan.Wait()
	if s, ok := orphan.ProcessState.Sys().(syscall.WaitStatus); !ok || s.Signal() != syscall.SIGKILL {
		t.Errorf("what still is an orphan ended with %v", err)
	}
	if p, err := readProcess(stranger.Process.Pid); err != nil || p.zombie() {
		t.Errorf("a stranger is ended: %v", err)
	}
}
