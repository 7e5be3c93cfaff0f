package kills

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// being is one process, told apart from a later one of the same number.
type being struct {
	pid   int
	start string
}

// life is what is known of a process.
type life struct {
	being
	parent int
	name   string
	uid    int
}

// living lists the processes of the terminal's uids.
func living() ([]life, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	var all []life
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		l, err := examine(pid)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ESRCH):
		case err != nil:
			return nil, err
		case l.uid >= uidBase && l.uid <= uidLast:
			all = append(all, l)
		}
	}
	return all, nil
}

func examine(pid int) (life, error) {
	at := filepath.Join("/proc", strconv.Itoa(pid))
	l := life{being: being{pid: pid}}
	stat, err := os.ReadFile(at + "/stat")
	if err != nil {
		return l, err
	}
	open, end := bytes.IndexByte(stat, '('), bytes.LastIndexByte(stat, ')')
	f := strings.Fields(string(stat[end+1:]))
	if open < 0 || len(f) < 20 {
		return l, fmt.Errorf("cannot read /proc/%d/stat", pid)
	}
	if f[0] == "Z" {
		return l, fs.ErrNotExist // ended; its parent has not looked yet
	}
	l.name, l.start = string(stat[open+1:end]), f[19]
	if l.parent, err = strconv.Atoi(f[1]); err != nil {
		return l, err
	}
	status, err := os.ReadFile(at + "/status")
	if err != nil {
		return l, err
	}
	_, after, _ := strings.Cut(string(status), "\nUid:")
	if f = strings.Fields(after); len(f) == 0 {
		return l, fmt.Errorf("cannot read /proc/%d/status", pid)
	}
	if l.uid, err = strconv.Atoi(f[0]); err != nil {
		return l, err
	}
	return l, nil
}

// session tells a process of a session's sandbox from the agent, the shell and
// the terminal's display.
func (l life) session() bool { return l.uid >= uidBase+10 }

// agent returns the agent's process.
func (p *post) agent() (int, bool) {
	_, warden := p.stand.Pids()
	all, err := living()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, l := range all {
		if l.uid == uidBase && (l.parent == warden || l.pid == p.stand.Agent()) {
			return l.pid, true
		}
	}
	return 0, false
}

// tag names this instance in namespaces' links, tables and mounts.
func (p *post) tag() string {
	h := sha256.Sum256([]byte(filepath.Join(p.dir, "terminal")))
	return hex.EncodeToString(h[:3])
}

// ticks is the time since boot as the kernel dates the start of a process:
// hundredths of a second (USER_HZ), in proc_pid_stat(5).
func ticks() (uint64, error) {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		return 0, err
	}
	return uint64(ts.Nano()) / 1e7, nil
}

// gone checks that nothing that lived at the kill lives on: no process of a
// session, nor any that began before kill (in ticks), none of its files. Numbers
// of namespaces prove nothing: the kernel gives those of dead ones again.
func (p *post) gone(before []life, kill uint64) {
	p.t.Helper()
	now, err := living()
	if err != nil {
		p.t.Fatal(err)
	}
	for _, l := range now {
		start, err := strconv.ParseUint(l.start, 10, 64)
		if err != nil {
			p.t.Fatalf("cannot read when process %d began: %v", l.pid, err)
		}
		if l.session() && start <= kill {
			p.t.Errorf("process %d (%s, uid %d) of a session began before the kill", l.pid, l.name, l.uid)
		}
	}
	for _, b := range before {
		if !b.session() {
			continue
		}
		if l, err := examine(b.pid); err == nil && l.being == b.being {
			p.t.Errorf("process %d (%s, uid %d) of before the kill lives on", b.pid, b.name, b.uid)
		}
	}
	if links := p.lines("bn"+p.tag(), "ip", "-o", "link"); len(links) > 1 {
		p.t.Errorf("network links beside the standby's: %q", links)
	}
	for _, dir := range []string{p.dir, "/dev/shm", "/tmp", "/run"} {
		p.noFiles(dir, uidBase+10)
	}
}

// lines returns what a program prints, but only the lines that hold a word.
func (p *post) lines(word, program string, args ...string) []string {
	p.t.Helper()
	out, err := exec.Command(program, args...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s: %v: %s", program, err, out)
	}
	var found []string
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, word) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	return found
}

// noFiles fails for each file below dir whose owner is one of the terminal's,
// from the uid on.
func (p *post) noFiles(dir string, from int) {
	p.t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if path == "/proc" || path == "/sys" || from == uidBase && path == p.dir {
			return filepath.SkipDir
		}
		if err != nil {
			return nil // it went while we looked
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		switch {
		case !ok || int(st.Uid) < from || int(st.Uid) > uidLast:
		case int(st.Uid) == uidBase+2 && strings.HasPrefix(path, "/tmp/.X"):
			// An X server that is killed leaves its lock and its socket, which hold
			// nothing of anybody's; a later start takes them away.
			p.t.Logf("the killed display left %s", path)
		default:
			p.t.Errorf("%s belongs to uid %d", path, st.Uid)
		}
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		p.t.Errorf("cannot look through %s: %v", dir, err)
	}
}

// nothingLeft looks, once everything is down, for whatever is still there.
func (p *post) nothingLeft() {
	p.t.Helper()
	p.eventually("no process is left", 60*time.Second, func() error {
		all, err := living()
		if err == nil && len(all) > 0 {
			err = fmt.Errorf("%+v", all)
		}
		return err
	})
	for _, look := range [][]string{{"bn" + p.tag(), "ip", "-o", "link"}, {p.tag(), "nft", "list", "tables"}, {p.dir, "cat", "/proc/self/mountinfo"},
		{p.tag(), "cat", "/proc/self/mountinfo"}} {
		if left := p.lines(look[0], look[1], look[2:]...); len(left) > 0 {
			p.t.Errorf("left: %q", left)
		}
	}
	p.noFiles("/", uidBase)
}
