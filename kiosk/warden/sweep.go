package warden

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sweep ends and removes all that belongs to this instance's sandboxes, known
// to this process or not, but what a wipe leaves beside. At a start it also ends whatever runs under one of
// this terminal's uids. Running it twice does no harm.
func (w *warden) sweep(ctx context.Context, atStart bool) error {
	if err := w.sweepProcesses(ctx, atStart); err != nil {
		return err
	}
	return w.sweepNetwork(ctx)
}

// sweepProcesses ends every process, and removes the control groups.
func (w *warden) sweepProcesses(ctx context.Context, atStart bool) error {
	deadline := time.Now().Add(10 * time.Second)
	if err := w.killMarked(ctx, deadline, atStart); err != nil {
		return err
	}
	beside := w.beside()
	if err := w.groups.sweep(deadline, beside.group); err != nil {
		return err
	}
	if len(beside) == 0 {
		os.Remove(w.rootDir())
	}
	return nil
}

// sweepNetwork removes every link, and then every firewall table.
func (w *warden) sweepNetwork(ctx context.Context) error {
	beside := w.beside()
	if err := beside.sweepLinks(w.c.tag()); err != nil {
		return err
	}
	return beside.sweepTables(ctx, w.c.tag())
}

// rootDir is the empty folder that each box builds its root on, in its own
// mount namespace.
func (w *warden) rootDir() string { return w.c.Run + "/root" }

// killMarked ends every process that lives among this instance's mounts, until
// none is left. All of a PID namespace dies with its first process, but an
// orphan of a warden that was killed is not a child of this one.
func (w *warden) killMarked(ctx context.Context, deadline time.Time, byUID bool) error {
	for {
		pids, err := w.marked(byUID)
		if err != nil {
			return err
		}
		if len(pids) == 0 {
			return nil
		}
		for _, pid := range pids {
			killIf(pid, func() bool { return w.isMarked(pid, byUID) })
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return fmt.Errorf("cannot end processes %v of an earlier sandbox", pids)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// killIf ends process pid if it still is what it was taken for: a number that
// was read a moment ago may be another process's by now, and root's word ends
// any. The descriptor holds the process; what it is, is asked after that.
func killIf(pid int, still func() bool) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return // it ended
	}
	defer unix.Close(fd)
	if still() {
		unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
}

// isMarked looks at one process as marked does at all.
func (w *warden) isMarked(pid int, byUID bool) bool {
	p, err := readProcess(pid)
	if err != nil || pid == os.Getpid() {
		return false
	}
	if byUID && w.orphan(p) {
		return true
	}
	ns, err := namespace(pid, "mnt")
	if err != nil || w.beside().mount(ns) != nil || ns == w.own("mnt") {
		return false
	}
	if w.seesMark(pid) {
		return true
	}
	all, err := allProcesses()
	if err != nil {
		return false
	}
	spaces, err := mountsByNamespace(all)
	return err == nil && w.hasMark(spaces[ns])
}

// marked lists the processes that live among this instance's mounts, and with
// byUID those of its uids. Whoever does not see those mounts, having a root of
// its own, is known by others that do: as long as there is one, they are not
// told.
func (w *warden) marked(byUID bool) ([]int, error) {
	all, err := allProcesses()
	if err != nil {
		return nil, err
	}
	spaces, err := mountsByNamespace(all)
	if err != nil {
		return nil, err
	}
	// A sandbox's mount that somebody attached in our own namespace is found by
	// the examination; who lives here is the machine, not the session.
	beside, own := w.beside(), w.own("mnt")
	var orphans, blind, seeing []int
	for _, p := range all {
		if p.pid == os.Getpid() || p.zombie() || p.sealed {
			continue
		}
		ns, err := namespace(p.pid, "mnt")
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		switch in := beside.mount(ns) == nil && ns != own && w.hasMark(spaces[ns]); {
		case byUID && w.orphan(p):
			orphans = append(orphans, p.pid)
		case in && w.seesMark(p.pid):
			seeing = append(seeing, p.pid)
		case in:
			blind = append(blind, p.pid)
		}
	}
	if len(blind) > 0 {
		return append(orphans, blind...), nil
	}
	return append(orphans, seeing...), nil
}

// seesMark tells whether a process is shown a mount of this instance's.
func (w *warden) seesMark(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	return err == nil && w.hasMark(parseMounts(string(b)))
}

// orphan tells a process that a start ends: of a session, of the agent or of
// the shell. The outer X server is not one: it was started just before.
func (w *warden) orphan(p process) bool {
	return p.hasUID(w.c.pool()) || p.hasUID(uidRange{w.c.UIDBase + offAgent, w.c.UIDBase + offShell})
}

func (w *warden) hasMark(mounts []mountEntry) bool {
	for _, m := range mounts {
		if strings.HasPrefix(m.source, w.c.mark()) {
			return true
		}
	}
	return false
}

var errNoSandbox = errors.New("cannot find that sandbox: it ended, or was never made; prepare another one")
