package warden

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"borne/controller/wire"
)

// level sums properties up: full only if every one of wire.Properties holds.
func level(props []wire.Property) wire.Level {
	if (wire.Receipt{Props: props}).FullClaim() {
		return wire.LevelFull
	}
	return wire.LevelReduced
}

// members lists the processes that live in b's PID namespace or below it.
func (b *box) members() ([]process, error) {
	all, err := allProcesses()
	if err != nil {
		return nil, err
	}
	byPID := map[int]process{}
	for _, p := range all {
		byPID[p.pid] = p
	}
	var in []process
	for _, p := range all {
		// Chromium makes PID namespaces of its own below the sandbox's, so the
		// line of parents tells, and it cannot leave the namespace.
		for q, n := p, 0; n < 64; n++ {
			if q.pid == b.pid {
				in = append(in, p)
				break
			}
			next, ok := byPID[atoi(q.fields["PPid"])]
			if !ok {
				break
			}
			q = next
		}
	}
	return in, nil
}

func atoi(s string) int {
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil {
		return -1
	}
	return n
}

// properties verifies each property of full isolation on the running sandbox,
// from outside it.
func (w *warden) properties(ctx context.Context, b *box) []wire.Property {
	seccomp := w.seccomp(ctx, b) // waits for a renderer: then all processes are there
	in, err := b.members()
	programs := in[:0:0]
	for _, p := range in {
		if p.pid != b.pid && !p.zombie() {
			programs = append(programs, p)
		}
	}
	if b.asker != nil && err == nil && len(programs) > 0 { // the session's resolver is held to the same
		in, err = b.asker.members()
		for _, p := range in {
			if p.pid != b.asker.pid && !p.zombie() {
				programs = append(programs, p)
			}
		}
	}
	if err != nil || len(programs) == 0 {
		detail := "no process of the sandbox is there"
		if err != nil {
			detail = err.Error()
		}
		var props []wire.Property
		for _, n := range wire.Properties() {
			props = append(props, wire.Property{Name: n, Detail: detail})
		}
		return props
	}
	prop := func(name string, held bool, detail string) wire.Property {
		return wire.Property{Name: name, Held: held, Detail: detail}
	}
	props := []wire.Property{w.ownUID(b, programs)}
	for _, n := range []struct{ prop, kind string }{{wire.PropPID, "pid"}, {wire.PropMount, "mnt"}, {wire.PropIPC, "ipc"}, {wire.PropNet, "net"}} {
		props = append(props, ownNamespace(n.prop, n.kind, b.pid))
	}
	fw := prop(wire.PropFirewall, true, "table "+b.rules.table+" read back from nftables")
	if err := b.rules.verify(ctx); err != nil {
		fw = prop(wire.PropFirewall, false, err.Error())
	}
	props = append(props, fw, writableTmpfs(b.pid))
	props = append(props, limitHeld(b.group, wire.PropMemory, "memory", "memory.limit_in_bytes", "memory.max"),
		limitHeld(b.group, wire.PropPids, "pids", "pids.max", "pids.max"), cpuHeld(b.group))
	props = append(props, every(wire.PropCore, programs, noCore), swapOff(b.group))
	props = append(props, every(wire.PropNoNewPrivs, programs, func(p process) string {
		if p.fields["NoNewPrivs"] != "1" {
			return "NoNewPrivs is " + p.fields["NoNewPrivs"]
		}
		return ""
	}), every(wire.PropCaps, programs, noCaps), seccomp, w.ownDisplay(b, programs))
	return props
}

// every holds a property when check finds nothing against it in any process.
func every(name string, list []process, check func(process) string) wire.Property {
	for _, p := range list {
		if bad := check(p); bad != "" {
			return wire.Property{Name: name, Detail: fmt.Sprintf("process %d (%s): %s", p.pid, p.name, bad)}
		}
	}
	return wire.Property{Name: name, Held: true, Detail: fmt.Sprintf("read from %d processes", len(list))}
}

func noCaps(p process) string {
	for _, set := range []string{"CapInh", "CapAmb"} {
		if strings.Trim(p.fields[set], "0") != "" {
			return set + " is " + p.fields[set]
		}
	}
	// Chromium's own sandbox lives in user namespaces below: capabilities there
	// are over nothing but themselves, and the machine's are judged here.
	// One that has ended since it was read was such a one too: Chromium tries
	// namespaces out in a child of a moment.
	in, err := namespace(p.pid, "user")
	if gone(err) {
		return ""
	}
	if ours, err2 := namespace(os.Getpid(), "user"); err == nil && err2 == nil && in != ours {
		return ""
	}
	for _, set := range []string{"CapPrm", "CapEff", "CapBnd"} {
		if strings.Trim(p.fields[set], "0") != "" {
			return set + " is " + p.fields[set]
		}
	}
	return ""
}

// noCore reads the limit from /proc: prlimit(2) on another uid's process needs
// a capability that a container's root may lack.
func noCore(p process) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", p.pid))
	if gone(err) {
		return ""
	}
	if err != nil {
		return err.Error()
	}
	for line := range strings.Lines(string(b)) {
		rest, ok := strings.CutPrefix(line, "Max core file size")
		f := strings.Fields(rest)
		// Exactly 1: no file is that short, and a core_pattern that is a pipe
		// takes it for "never", while it ignores 0 (fs/coredump.c).
		if ok && len(f) > 1 && f[0] == "1" && f[1] == "1" {
			return ""
		}
		if ok {
			return "core limit is " + strings.TrimSpace(rest)
		}
	}
	return "no core limit is stated"
}

func (w *warden) ownUID(b *box, programs []process) wire.Property {
	pool := w.c.pool()
	return every(wire.PropUID, programs, func(p process) string {
		for _, u := range p.uids {
			if !pool.has(u) || !b.uids.has(u) {
				return fmt.Sprintf("runs as uid %d", u)
			}
		}
		return ""
	})
}

func ownNamespace(prop, kind string, pid int) wire.Property {
	theirs, err := namespace(pid, kind)
	if err != nil {
		return wire.Property{Name: prop, Detail: err.Error()}
	}
	ours, err := namespace(os.Getpid(), kind)
	if err != nil {
		return wire.Property{Name: prop, Detail: err.Error()}
	}
	return wire.Property{Name: prop, Held: theirs != ours, Detail: theirs}
}

// writableTmpfs reads every mount of the sandbox: what can be written is a
// tmpfs with a size and an inode limit.
func writableTmpfs(pid int) wire.Property {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		return wire.Property{Name: wire.PropTmpfs, Detail: err.Error()}
	}
	n := 0
	for _, m := range parseMounts(string(b)) {
		super := "," + m.superOpts
		switch {
		case m.option("ro") || m.fs == "proc":
		case strings.HasPrefix(m.point, "/dev/") && m.fs == "devtmpfs": // single device nodes, no folder
		case m.fs == "tmpfs" && strings.Contains(super, ",size=") && strings.Contains(super, ",nr_inodes="):
			n++
		default:
			return wire.Property{Name: wire.PropTmpfs, Detail: fmt.Sprintf("%s (%s) is writable", m.point, m.fs)}
		}
	}
	return wire.Property{Name: wire.PropTmpfs, Held: n > 0, Detail: fmt.Sprintf("%d tmpfs with size and inode limits", n)}
}

func limitHeld(g *group, prop, controller, v1, v2 string) wire.Property {
	v := g.read(controller, v1, v2)
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil || n <= 0 || n > 1<<45 {
		return wire.Property{Name: prop, Detail: orElse(g.notes[controller], "limit reads "+strconv.Quote(v))}
	}
	return wire.Property{Name: prop, Held: true, Detail: fmt.Sprintf("%s, cgroup v%d", v, g.version)}
}

func cpuHeld(g *group) wire.Property {
	v := g.read("cpu", "cpu.cfs_quota_us", "cpu.max")
	n := atoi(strings.Fields(v + " x")[0])
	if n <= 0 {
		return wire.Property{Name: wire.PropCPU, Detail: orElse(g.notes["cpu"], "quota reads "+strconv.Quote(v))}
	}
	return wire.Property{Name: wire.PropCPU, Held: true, Detail: fmt.Sprintf("%d µs of each 100000, cgroup v%d", n, g.version)}
}

// swapOff: the machine has no swap, or the group may not use it.
func swapOff(g *group) wire.Property {
	b, err := os.ReadFile("/proc/swaps")
	if err == nil && strings.Count(strings.TrimSpace(string(b)), "\n") == 0 {
		return wire.Property{Name: wire.PropSwap, Held: true, Detail: "no swap is in use"}
	}
	if v := g.read("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"); v != "" &&
		((g.version == 2 && v == "0") || (g.version == 1 && v == g.read("memory", "memory.limit_in_bytes", ""))) {
		return wire.Property{Name: wire.PropSwap, Held: true, Detail: "the control group may not swap"}
	}
	return wire.Property{Name: wire.PropSwap, Detail: "swap is in use and the control group cannot forbid it: turn it off (swapoff -a, and /etc/fstab), or use zram only"}
}

// seccomp waits for a renderer of Chromium's and reads its filter mode.
func (w *warden) seccomp(ctx context.Context, b *box) wire.Property {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	runs := false
	for _, p := range b.spec.Programs {
		runs = runs || p.Argv[0] == w.c.Chromium
	}
	if !runs {
		return wire.Property{Name: wire.PropSeccomp, Detail: "no browser runs here"}
	}
	detail := "no renderer process appeared"
	for b.alive() {
		in, err := b.members()
		if err != nil {
			return wire.Property{Name: wire.PropSeccomp, Detail: err.Error()}
		}
		for _, p := range in {
			if p.fields["Seccomp"] == "" || !strings.Contains(cmdline(p.pid), "--type=renderer") {
				continue
			}
			if ownFilter(p, w.filters) {
				return wire.Property{Name: wire.PropSeccomp, Held: true, Detail: fmt.Sprintf("renderer %d has Seccomp: 2, %s filters", p.pid, p.fields["Seccomp_filters"])}
			}
			detail = fmt.Sprintf("renderer %d has Seccomp: %s, filters: %q: allow user namespaces (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns)",
				p.pid, p.fields["Seccomp"], p.fields["Seccomp_filters"])
		}
		select {
		case <-ctx.Done():
			return wire.Property{Name: wire.PropSeccomp, Detail: detail}
		case <-time.After(20 * time.Millisecond):
		}
	}
	return wire.Property{Name: wire.PropSeccomp, Detail: "the sandbox ended"}
}

// ownFilter tells whether p filters its calls more than the warden made it do:
// each program of a sandbox has the warden's own filters, and filterCalls' one.
func ownFilter(p process, wardens int) bool {
	return p.fields["Seccomp"] == "2" && atoi(p.fields["Seccomp_filters"]) > wardens+1
}

func cmdline(pid int) string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(string(b), "\x00", " ")
}

// ownDisplay: a display server of the sandbox's own, under another uid than
// the browser, and no way to the outer one.
func (w *warden) ownDisplay(b *box, programs []process) wire.Property {
	p := wire.Property{Name: wire.PropDisplay}
	if w.c.Display.Name == "" {
		p.Detail = "no display is configured"
		return p
	}
	server := 0
	for _, q := range programs {
		if q.uids[0] == b.uids.display && q.name == "Xephyr" {
			server = q.pid
		}
	}
	if server == 0 {
		p.Detail = "no display server runs in the sandbox"
		return p
	}
	if exists(fmt.Sprintf("/proc/%d/root%s", b.pid, w.c.Display.socket())) {
		p.Detail = "the outer display's socket is visible in the sandbox"
		return p
	}
	p.Held, p.Detail = true, fmt.Sprintf("Xephyr %d on :%d; the outer socket is not there", server, b.inner)
	return p
}

func orElse(s, def string) string {
	if s != "" {
		return s
	}
	return def
}
