package warden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"borne/controller/wire"
)

// count is what one structural check found.
type count struct {
	n     int
	where string // the first thing found
	err   error  // why the number proves nothing
}

func (c *count) add(where string) {
	if c.n++; c.n == 1 {
		c.where = where
	}
}

// join adds what another look found.
func (c *count) join(o *count) {
	if c.where == "" {
		c.where = o.where
	}
	if c.n += o.n; c.err == nil {
		c.err = o.err
	}
}

// target says what an examination looks for.
type target struct {
	since  time.Time // wall clock: files changed from then on are newer
	boxes  []*box    // whose namespaces must be gone
	seek   []*seeker // canaries in files
	settle bool      // what may pass by itself is looked at again
}

// settleFor bounds how long an examination waits for what may pass.
const settleFor = 500 * time.Millisecond

func noCounts() map[string]*count {
	out := map[string]*count{}
	for _, n := range wire.RequiredChecks() {
		out[n] = &count{}
	}
	return out
}

// examine looks from outside for everything of this instance's sandboxes.
func (w *warden) examine(ctx context.Context, t target) map[string]*count {
	out, settled := w.lookLive(ctx, t)
	if t.settle && !settled {
		w.warn("a wipe looks again at what may pass", out)
		for deadline := time.Now().Add(settleFor); !settled && time.Now().Before(deadline) && ctx.Err() == nil; {
			time.Sleep(20 * time.Millisecond)
			out, settled = w.lookLive(ctx, t)
		}
	}
	var look sync.WaitGroup
	look.Go(func() { w.seekMemory(t.seek) })
	look.Go(func() { w.lookIPC(out[wire.CheckIPC]) })
	w.lookFiles(out, t)
	if len(t.seek) > 0 {
		seekEnvironments(t.seek[0])
	}
	look.Wait()
	return out
}

// warn tells who stands in the way. Of files it tells nothing: their names are
// the person's.
func (w *warden) warn(what string, out map[string]*count) {
	for _, n := range []string{wire.CheckProcesses, wire.CheckMounts, wire.CheckNetns, wire.CheckIPC} {
		if c := out[n]; c.n > 0 || c.err != nil {
			w.c.Log.Warn(what, "check", n, "count", c.n, "where", c.where, "error", c.err)
		}
	}
}

// lookLive looks at processes, mounts and the network. What it finds may be on
// its way out, and has not settled then; a process of a session's uid has: the
// kill has waited for it.
func (w *warden) lookLive(ctx context.Context, t target) (out map[string]*count, settled bool) {
	out = noCounts()
	net, network := &count{}, make(chan struct{})
	go func() { w.lookNetwork(ctx, net); close(network) }()
	all, err := allProcesses()
	var spaces map[string][]mountEntry
	if err == nil {
		spaces, err = mountsByNamespace(all)
	}
	if err != nil {
		for _, n := range []string{wire.CheckProcesses, wire.CheckMounts, wire.CheckNetns, wire.CheckIPC} {
			out[n].err = err
		}
	}
	ids := w.spacesOf(t.boxes)
	own := w.lookProcesses(out, all, ids)
	w.lookMounts(out, spaces, ids)
	<-network
	out[wire.CheckNetns].join(net)
	settled = true
	for _, c := range out {
		settled = settled && c.n == 0 && c.err == nil
	}
	return out, settled || own > 0
}

func (w *warden) own(kind string) string {
	id, err := namespace(os.Getpid(), kind)
	if err != nil {
		return ""
	}
	return id
}

// lookProcesses finds processes by uid and by namespace, whoever their parent
// is. It returns how many have a uid of the pool.
func (w *warden) lookProcesses(out map[string]*count, all []process, ids map[string]space) (own int) {
	pool, beside := w.c.pool(), w.beside()
	for _, p := range all {
		if p.hasUID(pool) && !p.zombie() && !beside.holds(p) {
			own++
			out[wire.CheckProcesses].add(fmt.Sprintf("process %d (%.20q) of uid %d", p.pid, p.name, p.uids[0]))
		}
		for _, kind := range nsKinds {
			id, err := namespace(p.pid, kind)
			if s, ok := ids[id]; err != nil || !ok || !s.holds(p.pid) {
				continue
			}
			c := out[wire.CheckProcesses]
			switch kind {
			case "mnt":
				c = out[wire.CheckMounts]
			case "net":
				c = out[wire.CheckNetns]
			case "ipc":
				c = out[wire.CheckIPC]
			}
			if kind == "uts" {
				continue // holds a name, nothing else
			}
			c.add(fmt.Sprintf("process %d (%.20q) lives in %s", p.pid, p.name, id))
		}
	}
	return own
}

// lookMounts finds the sandboxes' mounts, and namespaces that a mount keeps.
func (w *warden) lookMounts(out map[string]*count, spaces map[string][]mountEntry, ids map[string]space) {
	beside := w.beside()
	for ns, mounts := range spaces {
		own := ""
		if b := beside.mount(ns); b != nil {
			own = b.spec.Mark
		}
		for _, m := range mounts {
			if strings.HasPrefix(m.source, w.c.mark()) && m.source != own {
				out[wire.CheckMounts].add(fmt.Sprintf("%s in %s", m.point, ns))
			}
			if kind := ids[m.root].kind; m.fs == "nsfs" && kind != "" {
				c := out[wire.CheckMounts]
				if kind == "net" {
					c = out[wire.CheckNetns]
				}
				c.add(fmt.Sprintf("%s is kept at %s", m.root, m.point))
			}
		}
	}
}

// lookFiles reads every place once, for both checks of files.
func (w *warden) lookFiles(out map[string]*count, t target) {
	owned, fresh := out[wire.CheckUIDFiles], out[wire.CheckFresh]
	pool, all := w.c.pool(), w.c.all()
	seen := map[[2]uint64]bool{} // a file reached by two roots counts once
	enter := func(st *unix.Stat_t) bool {
		// A folder that none of our uids can pass through holds nothing of theirs.
		return st.Mode&0o001 != 0 || all.has(int(st.Uid)) || all.has(int(st.Gid))
	}
	usual := w.usual()
	wk := newWalker(enter, func(e entry) {
		mine := all.has(int(e.st.Uid)) || all.has(int(e.st.Gid))
		new := changed(e.st, t.since)
		for i, s := range t.seek {
			// The agent's own files may hold the marker that it chose.
			if new && (i == 0 || int(e.st.Uid) != w.c.UIDBase+offAgent) {
				s.entry(e, mine)
			}
		}
		if !mine || seen[[2]uint64{e.st.Dev, e.st.Ino}] {
			return
		}
		seen[[2]uint64{e.st.Dev, e.st.Ino}] = true
		// Where, but not what: evidence is kept, and a name is the person's.
		if pool.has(int(e.st.Uid)) || pool.has(int(e.st.Gid)) {
			owned.add(fmt.Sprintf("a file of uid %d in %s", e.st.Uid, e.root))
		}
		if new && !expected(usual, e) {
			fresh.add(fmt.Sprintf("a newer file of uid %d in %s", e.st.Uid, e.root))
		}
	})
	defer wk.forget()
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		wk.stop("%w", err)
	}
	for _, r := range roots(append([]string{w.c.State, w.c.Run}, w.c.Places...), parseMounts(string(mounts))) {
		wk.root(r)
	}
	owned.err, fresh.err = wk.trouble, wk.trouble
}

// usual lists what a terminal's own roles may write while a session runs.
// Its contents are searched for canaries all the same.
func (w *warden) usual() []string {
	list := []string{w.state + "/agent", w.run}
	if n, err := w.c.Display.number(); err == nil {
		list = append(list, w.c.Display.socket(), fmt.Sprintf("/tmp/.X%d-lock", n))
		if w.c.Display.Authority != "" {
			list = append(list, w.c.Display.Authority)
		}
	}
	return list
}

// expected tells whether the entry is one of those, or below one.
func expected(usual []string, e entry) bool {
	return slices.ContainsFunc(usual, func(p string) bool {
		dir, name := filepath.Split(p)
		return e.path == p || strings.HasPrefix(e.path, p) && e.path[len(p)] == '/' || e.name == name && e.path == filepath.Clean(dir)
	})
}

// lookIPC finds System V objects and POSIX message queues of the pool's uids.
// POSIX shared memory and semaphores are files of /dev/shm.
func (w *warden) lookIPC(c *count) {
	pool := w.c.pool()
	for _, kind := range []string{"shm", "msg", "sem"} {
		b, err := os.ReadFile("/proc/sysvipc/" + kind)
		if errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without System V objects
		}
		if err != nil {
			c.err = fmt.Errorf("cannot read IPC objects: %w", err)
			return
		}
		for _, id := range parseSysV(string(b), pool) {
			c.add(kind + " " + id)
		}
	}
	names, err := queues(pool)
	if err != nil {
		c.err = err
	}
	for _, n := range names {
		c.add("message queue " + n)
	}
}

// parseSysV returns the ids whose owner or maker is in r (proc_sysvipc(5)).
func parseSysV(s string, r uidRange) []string {
	var cols []string
	var ids []string
	for line := range strings.Lines(s) {
		f := strings.Fields(line)
		if cols == nil {
			cols = f
			continue
		}
		id, hit := "", false
		for i, name := range cols {
			if i >= len(f) {
				break
			}
			switch name {
			case "shmid", "msqid", "semid":
				id = f[i]
			case "uid", "cuid":
				hit = hit || r.has(atoi(f[i]))
			}
		}
		if hit {
			ids = append(ids, id)
		}
	}
	return ids
}

// queues reads the POSIX message queues through a mount that is attached nowhere.
func queues(r uidRange) ([]string, error) {
	ctx, err := unix.Fsopen("mqueue", unix.FSOPEN_CLOEXEC)
	if err != nil {
		if err == unix.ENODEV {
			return nil, nil // a kernel without them
		}
		return nil, fmt.Errorf("cannot read message queues: %w", err)
	}
	defer unix.Close(ctx)
	if err := unix.FsconfigCreate(ctx); err != nil {
		return nil, fmt.Errorf("cannot read message queues: %w", err)
	}
	mnt, err := unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot read message queues: %w", err)
	}
	defer unix.Close(mnt)
	fd, err := unix.Openat(mnt, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot read message queues: %w", err)
	}
	var names []string
	wk := newWalker(func(*unix.Stat_t) bool { return false }, func(e entry) {
		if r.has(int(e.st.Uid)) {
			names = append(names, fmt.Sprintf("of uid %d", e.st.Uid)) // its name is the person's
		}
	})
	defer wk.forget()
	wk.tree(fd, "mqueue")
	return names, wk.trouble
}

// lookNetwork finds links and firewall tables of this instance's sandboxes.
func (w *warden) lookNetwork(ctx context.Context, c *count) {
	ours, err := links(w.c.tag())
	if err != nil {
		c.err = err
		return
	}
	beside := w.beside()
	for _, l := range ours {
		if !beside.link(l) {
			c.add("interface " + l.Attrs().Name)
		}
	}
	names, err := tables(ctx, w.c.tag())
	if err != nil {
		c.err = err
		return
	}
	for _, n := range names {
		if !beside.table(n) {
			c.add("firewall table " + n)
		}
	}
}
