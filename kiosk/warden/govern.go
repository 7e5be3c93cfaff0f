package warden

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"borne/kiosk/sandbox"
)

// cpufreqRoot is where Linux shows the processors' frequencies
// (Documentation/admin-guide/pm/cpufreq.rst).
const cpufreqRoot = "/sys/devices/system/cpu/cpufreq"

// saving is the governor that keeps the lowest frequency.
const saving = "powersave"

// governor slows the processor down and lets it go again. What it was before is
// kept here, and given back when the warden ends.
type governor struct {
	root string

	mu     sync.Mutex
	before map[string]string // by policy's folder; nil: not slowed by this warden
}

// set tells the governor that then reads; empty: there is none, as in most
// virtual machines.
func (g *governor) set(low bool) (string, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	dirs, err := filepath.Glob(filepath.Join(g.root, "policy[0-9]*"))
	if err != nil || len(dirs) == 0 {
		return "", nil // the pattern is ours
	}
	if low && g.before == nil {
		g.before = map[string]string{}
	}
	var said string
	var errs []error
	for _, dir := range dirs {
		now, err := g.one(dir, low)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		said = now
	}
	if err := errors.Join(errs...); err != nil {
		return said, fmt.Errorf("cannot govern the processor: %w", err)
	}
	if !low {
		g.before = nil
	}
	return said, nil
}

// pretend tells what a simulated terminal would do, and does nothing.
func (g *governor) pretend(low bool) *sandbox.Powered {
	p := &sandbox.Powered{Governor: saving, Sim: true}
	if dirs, err := filepath.Glob(filepath.Join(g.root, "policy[0-9]*")); !low && err == nil && len(dirs) > 0 {
		p.Governor, _ = readWord(filepath.Join(dirs[0], "scaling_governor")) // as it is, or nothing
	} else if !low {
		p.Governor = ""
	}
	return p
}

// one sets one group of processors, and reads it back.
func (g *governor) one(dir string, low bool) (string, error) {
	now, err := readWord(filepath.Join(dir, "scaling_governor"))
	if err != nil {
		return "", err
	}
	to := saving
	switch before, kept := g.before[dir]; {
	case low && !kept:
		g.before[dir] = now
	case !low && kept:
		to = before
	case !low && now != saving:
		return now, nil // as the machine has it
	case !low:
		// An earlier warden slowed it, and died before it gave it back.
		if to, err = usual(dir); err != nil {
			return "", err
		}
	}
	if to == now {
		return now, nil
	}
	f, err := os.OpenFile(filepath.Join(dir, "scaling_governor"), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(to)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	if now, err = readWord(filepath.Join(dir, "scaling_governor")); err == nil && now != to {
		err = fmt.Errorf("%s still reads %s after %s", filepath.Base(dir), now, to)
	}
	return now, err
}

// usual is the governor that a machine most likely has when nobody saves.
func usual(dir string) (string, error) {
	b, err := readShort(filepath.Join(dir, "scaling_available_governors"))
	if err != nil {
		return "", err
	}
	have := strings.Fields(b)
	for _, g := range []string{"schedutil", "ondemand", "conservative", "performance"} {
		if slices.Contains(have, g) {
			return g, nil
		}
	}
	return saving, nil
}

// governorShape is what a governor's name looks like (CPUFREQ_NAME_LEN in linux/cpufreq.h).
var governorShape = regexp.MustCompile(`^[a-z_]{1,15}$`)

// readWord reads a governor's name.
func readWord(path string) (string, error) {
	s, err := readShort(path)
	if err == nil && !governorShape.MatchString(s) {
		err = fmt.Errorf("%s reads %.20q, which is no governor", path, s)
	}
	return s, err
}

func readShort(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, 512))
	return strings.TrimSpace(string(b)), err
}
