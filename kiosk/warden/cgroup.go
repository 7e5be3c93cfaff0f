package warden

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cgroups makes one control group per sandbox, in the second version's
// hierarchy where that has the controllers, else in the first version's.
type cgroups struct {
	prefix string            // of every group's name: the instance's tag
	v2     string            // folder of the v2 hierarchy to make groups in; "" without one
	full   bool              // v2 has memory, pids and cpu
	v1     map[string]string // controller → mount point, when not full
}

var controllers = []string{"memory", "pids", "cpu"}

// findCgroups looks at what is mounted. procRoot is /proc.
func findCgroups(procRoot, prefix string) (*cgroups, error) {
	c := &cgroups{prefix: prefix, v1: map[string]string{}}
	b, err := os.ReadFile(procRoot + "/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("cannot look for control groups: %w", err)
	}
	for _, m := range parseMounts(string(b)) {
		switch m.fs {
		case "cgroup2":
			if c.v2 == "" {
				c.v2 = m.point
			}
		case "cgroup":
			for _, name := range controllers {
				if strings.Contains(","+m.superOpts+",", ","+name+",") {
					c.v1[name] = m.point
				}
			}
		}
	}
	if c.v2 != "" {
		c.delegate(procRoot)
	}
	return c, nil
}

// delegate makes the three controllers usable: below the group that a service
// manager delegated to us, else below the root. A group that holds processes
// cannot hand controllers down, so a delegated warden moves into a leaf first;
// in a group that is not its own, it moves nobody.
func (c *cgroups) delegate(procRoot string) {
	dir := c.v2
	if b, err := os.ReadFile(procRoot + "/self/cgroup"); err == nil {
		for line := range strings.Lines(string(b)) {
			p, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
			if own := filepath.Join(c.v2, strings.TrimSuffix(p, "/warden")); ok && delegated(own) {
				dir = own
			}
		}
	}
	have, err := os.ReadFile(dir + "/cgroup.controllers")
	if err != nil {
		return
	}
	for _, name := range controllers {
		if !strings.Contains(" "+strings.TrimSpace(string(have))+" ", " "+name+" ") {
			return // groups are still made at the root, for cgroup.kill
		}
	}
	if dir != c.v2 {
		leaf := dir + "/warden"
		if os.Mkdir(leaf, 0o755) != nil && !exists(leaf) {
			return
		}
		moveAll(dir, leaf)
	}
	if os.WriteFile(dir+"/cgroup.subtree_control", []byte("+memory +pids +cpu"), 0) == nil {
		c.v2, c.full = dir, true
	}
}

// delegated tells whether systemd gave the group away (Delegate=yes), which it
// marks by an attribute (systemd.resource-control(5), CGROUP_DELEGATION.md).
func delegated(dir string) bool {
	b := make([]byte, 8)
	for _, name := range []string{"user.delegate", "trusted.delegate"} {
		if n, err := unix.Getxattr(dir, name, b); err == nil && string(b[:n]) == "1" {
			return true
		}
	}
	return false
}

func moveAll(from, to string) {
	b, _ := os.ReadFile(from + "/cgroup.procs")
	for pid := range strings.FieldsSeq(string(b)) {
		os.WriteFile(to+"/cgroup.procs", []byte(pid), 0)
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// group is one sandbox's control group.
type group struct {
	dirs    []string          // in every hierarchy used
	by      map[string]string // controller → folder
	version int
	notes   map[string]string // controller → why it is missing
}

// make creates the group name with its limits. A limit that cannot be set is
// noted, and fails nothing: the property will say that it is not held.
func (c *cgroups) make(name string, memoryMB, procs int) *group {
	g := &group{by: map[string]string{}, notes: map[string]string{}, version: 1}
	name = c.prefix + "-" + name
	add := func(base string) (string, error) {
		d := filepath.Join(base, name)
		if err := os.Mkdir(d, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		g.dirs = append(g.dirs, d)
		return d, nil
	}
	if c.v2 != "" {
		if d, err := add(c.v2); err == nil && c.full {
			g.version = 2
			for _, n := range controllers {
				g.by[n] = d
			}
		}
	}
	for _, n := range controllers {
		if g.version == 2 {
			break
		}
		base, ok := c.v1[n]
		if !ok {
			g.notes[n] = "no " + n + " controller is mounted: boot with cgroup v2, or with cgroup_enable=memory on a Raspberry Pi"
			continue
		}
		d, err := add(base)
		if err != nil {
			g.notes[n] = err.Error()
			continue
		}
		g.by[n] = d
	}
	g.set(memoryMB, procs, max(50, 100*numCPU()-50)) // half a core stays for the agent and the shell
	return g
}

func (g *group) set(memoryMB, procs, percent int) {
	bytes := strconv.Itoa(memoryMB << 20)
	type limit struct{ controller, file, value string }
	limits := []limit{{"memory", "memory.limit_in_bytes", bytes}, {"memory", "memory.memsw.limit_in_bytes", bytes},
		{"memory", "memory.swappiness", "0"}, {"pids", "pids.max", strconv.Itoa(procs)},
		{"cpu", "cpu.cfs_period_us", "100000"}, {"cpu", "cpu.cfs_quota_us", strconv.Itoa(percent * 1000)}}
	if g.version == 2 {
		limits = []limit{{"memory", "memory.max", bytes}, {"memory", "memory.swap.max", "0"}, {"memory", "memory.oom.group", "0"},
			{"pids", "pids.max", strconv.Itoa(procs)}, {"cpu", "cpu.max", strconv.Itoa(percent*1000) + " 100000"}}
	}
	for _, l := range limits {
		d, ok := g.by[l.controller]
		if !ok {
			continue
		}
		if err := os.WriteFile(d+"/"+l.file, []byte(l.value), 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
			g.notes[l.controller] = err.Error()
		}
	}
}

// unthrottle lifts the limit on processor time.
func (g *group) unthrottle() {
	if d, ok := g.by["cpu"]; ok && g.version == 2 {
		os.WriteFile(d+"/cpu.max", []byte("max"), 0)
	} else if ok {
		os.WriteFile(d+"/cpu.cfs_quota_us", []byte("-1"), 0)
	}
}

// enter puts a process, and all it will start, into the group.
func (g *group) enter(pid int) error {
	for _, d := range g.dirs {
		if err := os.WriteFile(d+"/cgroup.procs", []byte(strconv.Itoa(pid)), 0); err != nil {
			return fmt.Errorf("cannot put the sandbox into its control group: %w", err)
		}
	}
	return nil
}

// read returns a limit as the kernel states it, "" when there is none.
func (g *group) read(controller, v1, v2 string) string {
	d, ok := g.by[controller]
	if !ok {
		return ""
	}
	name := v1
	if g.version == 2 {
		name = v2
	}
	b, err := os.ReadFile(d + "/" + name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// sweep kills all that is in any group of this instance, and removes them.
// Those that keep names, without the prefix, stay.
func (c *cgroups) sweep(deadline time.Time, keep func(name string) bool) error {
	bases := map[string]bool{}
	if c.v2 != "" {
		bases[c.v2] = true
	}
	for _, b := range c.v1 {
		bases[b] = true
	}
	for base := range bases {
		dirs, _ := filepath.Glob(filepath.Join(base, c.prefix+"-*"))
		for _, d := range dirs {
			if keep(strings.TrimPrefix(filepath.Base(d), c.prefix+"-")) {
				continue
			}
			if err := removeGroup(d, deadline); err != nil {
				return err
			}
		}
	}
	return nil
}

func removeGroup(dir string, deadline time.Time) error {
	for {
		// cgroup.kill gets every process at once; the first version has none,
		// so that a loop has to outrun whatever forks in there.
		os.WriteFile(dir+"/cgroup.kill", []byte("1"), 0)
		b, err := os.ReadFile(dir + "/cgroup.procs")
		for pid := range strings.FieldsSeq(string(b)) {
			if n, err := strconv.Atoi(pid); err == nil && n > 1 && n != os.Getpid() {
				killIf(n, func() bool {
					now, err := os.ReadFile(dir + "/cgroup.procs")
					return err == nil && slices.Contains(strings.Fields(string(now)), pid)
				})
			}
		}
		if err == nil && len(b) == 0 || errors.Is(err, fs.ErrNotExist) {
			err := os.Remove(dir)
			if err == nil || errors.Is(err, fs.ErrNotExist) {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("cannot remove control group %s: it still holds processes", dir)
		}
		time.Sleep(2 * time.Millisecond)
	}
}
