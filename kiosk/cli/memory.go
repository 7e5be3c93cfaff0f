package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// memoryMB is what this terminal may fill: the machine's memory, or the least
// limit of the control groups that it lives in. root is /.
func memoryMB(root string) (int, error) {
	b, err := os.ReadFile(filepath.Join(root, "proc/meminfo"))
	if err != nil {
		return 0, fmt.Errorf("cannot tell how much memory there is: %w", err)
	}
	kb := int64(0)
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemTotal:" {
			kb, err = strconv.ParseInt(f[1], 10, 64)
		}
	}
	if err != nil || kb <= 0 {
		return 0, fmt.Errorf("cannot tell how much memory there is: no MemTotal in /proc/meminfo (%v)", err)
	}
	most := kb << 10
	groups, err := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	if err != nil {
		return int(most >> 20), nil // a kernel without control groups
	}
	for line := range strings.Lines(string(groups)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		base, name := "sys/fs/cgroup", "memory.max" // the second version
		if strings.Contains(","+f[1]+",", ",memory,") {
			base, name = "sys/fs/cgroup/memory", "memory.limit_in_bytes"
		} else if f[1] != "" {
			continue
		}
		for dir := filepath.Clean("/" + f[2]); ; dir = filepath.Dir(dir) {
			b, err := os.ReadFile(filepath.Join(root, base, dir, name))
			if n, bad := strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64); err == nil && bad == nil { // "max" is no number
				most = min(most, n)
			}
			if dir == "/" {
				break
			}
		}
	}
	return int(most >> 20), nil
}

// spare tells whether the next person's browser is made ready beside a running
// session. A machine that cannot tell its memory has too little.
func spare(c *call) bool {
	mb, err := memoryMB("/")
	on := err == nil && mb >= c.cfg.StandbyMB
	c.log.Info("memory", "mb", mb, "standby_mb", c.cfg.StandbyMB, "standby beside a session", on, "err", err)
	return on
}
