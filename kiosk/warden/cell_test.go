package warden

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"borne/controller/wire"

	"golang.org/x/sys/unix"
)

// cellChild is the first process of a mount namespace: it has a mount there, leaves a
// process that sees it, and shuts itself into an empty folder. It stays as long
// as its standard input is open.
func cellChild(dir, source string) int {
	other := exec.Command("/bin/sleep", "600")
	err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount(source, dir, "tmpfs", 0, "size=1m"),
		os.Mkdir(dir+"/cell", 0o700),
		other.Start(),
		unix.Chroot(dir+"/cell"), unix.Chdir("/"))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("shut", other.Process.Pid)
	io.Copy(io.Discard, os.Stdin)
	return 0
}

// TestRemainsInACell: of an earlier sandbox lives a process with a root of its own, as
// Chromium's renderers have, with the lowest number of all in there. What the others see
// is found, and both are ended.
func TestRemainsInACell(t *testing.T) {
	w := openTest(t, lightConfig(t, 15))
	self, err := os.Executable()
	must(t, err)
	c := exec.Command(self, "cell-child", t.TempDir(), w.c.mark()+"earlier")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	_, err = c.StdinPipe()
	must(t, err)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	line, _ := bufio.NewReader(out).ReadString('\n')
	cell, other := c.Process.Pid, 0
	if _, err := fmt.Sscanf(line, "shut %d", &other); err != nil {
		t.Fatalf("no process in a cell: %s", line)
	}
	seeing, err := os.FindProcess(other)
	must(t, err)
	t.Cleanup(func() { seeing.Kill(); c.Process.Kill(); c.Wait() })
	if w.seesMark(cell) || !w.seesMark(other) {
		t.Fatalf("the one in the cell sees the mount (%t), or the other does not (%t)", w.seesMark(cell), w.seesMark(other))
	}

	found := noCounts()
	all, err := allProcesses()
	must(t, err)
	spaces, err := mountsByNamespace(all)
	must(t, err)
	w.lookMounts(found, spaces, nil)
	if m := found[wire.CheckMounts]; m.n != 1 || !strings.Contains(m.where, " in mnt:[") {
		t.Errorf("found %d mounts at %q, want 1", m.n, m.where)
	}
	// The one that is known by the other's eyes goes first, whatever their numbers.
	pids, err := w.marked(false)
	if err != nil || len(pids) != 1 || pids[0] != cell {
		t.Errorf("to end at first: %v, %v; want %d", pids, err, cell)
	}
	must(t, w.sweep(t.Context(), false))
	for _, pid := range []int{cell, other} {
		if p, err := readProcess(pid); err == nil && !p.zombie() {
			t.Errorf("process %d lives on", pid)
		}
	}
}
