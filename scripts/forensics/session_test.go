package forensics

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// being is a process of the terminal's.
type being struct {
	pid, uid int
	parent   int
	began    uint64 // ticks since boot
	name     string
	argv     []string
}

// beings lists the processes of the terminal's uids.
func beings() (all []being) {
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		status, err := os.ReadFile(filepath.Join("/proc", e.Name(), "status"))
		if err != nil {
			continue // it ended
		}
		b := being{pid: pid, uid: -1}
		if stat, err := os.ReadFile(filepath.Join("/proc", e.Name(), "stat")); err == nil {
			if f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])); len(f) > 19 {
				b.parent, _ = strconv.Atoi(f[1])
				b.began, _ = strconv.ParseUint(f[19], 10, 64)
			}
		}
		for line := range strings.Lines(string(status)) {
			switch f := strings.Fields(line); f[0] {
			case "Name:":
				b.name = strings.TrimSpace(line[len("Name:"):])
			case "Uid:":
				b.uid, _ = strconv.Atoi(f[1])
			}
		}
		if b.uid < uidBase || b.uid > uidLast {
			continue
		}
		cmd, err := os.ReadFile(filepath.Join("/proc", e.Name(), "cmdline"))
		if err == nil && len(cmd) > 0 { // a zombie has none
			b.argv = strings.Split(string(cmd), "\x00")
			all = append(all, b)
		}
	}
	return all
}

// sessionProcesses are those of sandboxes: neither agent, nor shell, nor the
// terminal's display.
func (h *hall) sessionProcesses() (all []being) {
	for _, b := range beings() {
		if b.uid >= uidBase+10 {
			all = append(all, b)
		}
	}
	return all
}

// browserProcess is the session's browser itself. The next person's may wait
// beside it: the older one is the session's.
func (h *hall) browserProcess() (oldest being, err error) {
	err = errors.New("cannot find the session's browser")
	for _, b := range h.sessionProcesses() {
		if b.name == "chromium" && strings.HasSuffix(b.argv[0], "/chromium") && !strings.Contains(strings.Join(b.argv, " "), "--type=") &&
			(err != nil || b.began < oldest.began) {
			oldest, err = b, nil
		}
	}
	return oldest, err
}

// lives tells whether a process of that user is left.
func (h *hall) lives(uid int) bool {
	return slices.ContainsFunc(h.sessionProcesses(), func(b being) bool { return b.uid == uid })
}

// inSession prepares a program that runs in the session, with its user,
// namespaces and environment.
func (h *hall) inSession(b being, argv ...string) (*exec.Cmd, error) {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", b.pid))
	if err != nil {
		return nil, fmt.Errorf("cannot enter the session: %w", err)
	}
	uid := strconv.Itoa(b.uid)
	c := exec.CommandContext(h.ctx, "nsenter", append([]string{"--target", strconv.Itoa(b.pid), "--mount", "--pid", "--net", "--ipc", "--uts", "--",
		"/usr/bin/setpriv", "--reuid", uid, "--regid", uid, "--clear-groups", "--no-new-privs", "--inh-caps=-all"}, argv...)...)
	for _, kv := range strings.Split(string(env), "\x00") {
		if kv != "" && !strings.HasPrefix(kv, "BORNE_CANARY=") { // that one is the warden's
			c.Env = append(c.Env, kv)
		}
	}
	// What is not the sandbox's ends with this test, whatever ends that.
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c, nil
}

// plantPrograms has a program of the session plant, and returns which sinks
// refused. The program lives on until its sandbox ends.
func (h *hall) plantPrograms(b being, plan map[string]string) (map[string]string, error) {
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	defer self.Close()
	c, err := h.inSession(b, "/proc/self/fd/3", "-test.run=^$")
	if err != nil {
		return nil, err
	}
	in, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	var errs bytes.Buffer
	c.Env = append(c.Env, insideEnv+"=plant")
	c.ExtraFiles, c.Stdin, c.Stderr = []*os.File{self}, bytes.NewReader(in), &errs
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, fmt.Errorf("cannot run a program in the session: %w", err)
	}
	failed := map[string]string{}
	err = json.NewDecoder(out).Decode(&failed)
	go c.Wait() // it is killed with its sandbox
	if err != nil {
		return nil, fmt.Errorf("cannot run a program in the session: %w: %s", err, errs.String())
	}
	return failed, nil
}

// plantRoot writes what the session's own processes would write for it.
func (h *hall) plantRoot(b being, plan map[string]string) map[string]string {
	failed := map[string]string{}
	root := fmt.Sprintf("/proc/%d/root", b.pid)
	if err := write(fmt.Sprintf("%s/run/user/%d/dossier", root, b.uid), plan["runtime-dir"]); err != nil {
		failed["runtime-dir"] = err.Error()
	}
	if err := h.plantError(b, plan["stderr"]); err != nil {
		failed["stderr"] = err.Error()
	}
	return failed
}

// plantError writes on the browser's standard error, and waits until whoever
// reads that has taken it.
func (h *hall) plantError(b being, text string) error {
	f, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/2", b.pid), os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.WriteString("[ERROR:page.cc(1)] " + text + "\n"); err != nil {
		return err
	}
	return h.until(2*time.Second, func() error {
		n, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCINQ)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d bytes are not read", n)
		}
		return err
	})
}

// until asks again and again, until it is so or the time is up.
func (h *hall) until(within time.Duration, so func() error) error {
	end := time.Now().Add(within)
	for {
		err := so()
		if err == nil || time.Now().After(end) || h.ctx.Err() != nil {
			return errors.Join(err, h.ctx.Err())
		}
		time.Sleep(20 * time.Millisecond)
	}
}
