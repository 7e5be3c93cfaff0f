package cupsd

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is one cupsd.
type process struct {
	cmd   *exec.Cmd
	says  *head
	ended chan struct{} // closed when it is gone
}

// begin ends what was left, writes everything anew and starts cupsd. It returns
// once cupsd answers.
func (s *Server) begin(ctx context.Context) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	if err := endLeft(s.cfg.Dir); err != nil {
		return nil, err
	}
	if err := s.write(); err != nil {
		return nil, err
	}
	etc := filepath.Join(s.cfg.Dir, "etc")
	cmd := exec.Command(s.bin, "-f", "-c", filepath.Join(etc, "cupsd.conf"), "-s", filepath.Join(etc, "cups-files.conf"))
	cmd.Dir = s.cfg.Dir
	cmd.Env = []string{mark(s.cfg.Dir), "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + s.cfg.Dir, "TMPDIR=" + filepath.Join(s.cfg.Dir, "tmp"),
		"LANG=C.UTF-8", "DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent"} // it tells nobody on the bus
	says := new(head)
	cmd.Stdout, cmd.Stderr = says, says
	cmd.WaitDelay = stopTime // its filters inherit nothing of it, but nobody waits for ever
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	ended, err := start(cmd)
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, says: says, ended: ended}
	for {
		c, err := new(net.Dialer).DialContext(ctx, "unix", socket(s.cfg.Dir))
		if err == nil {
			c.Close()
			return p, nil
		}
		select {
		case <-p.ended:
			return nil, fmt.Errorf("cupsd ended at once: %q", says.text)
		case <-ctx.Done():
			p.end()
			return nil, fmt.Errorf("cupsd does not answer: %w", ctx.Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// start starts a program from a thread that stays until it ends: the signal of its
// parent's death comes when that thread ends (prctl(2)).
func start(c *exec.Cmd) (ended chan struct{}, err error) {
	ended = make(chan struct{})
	begun := make(chan error)
	go func() {
		defer close(ended)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := c.Start()
		begun <- err
		if err == nil {
			c.Wait()
		}
	}()
	return ended, <-begun
}

// end asks cupsd to stop, which also stops what prints, and does not wait for ever.
func (p *process) end() {
	p.cmd.Process.Signal(syscall.SIGTERM)
	t := time.NewTimer(stopTime)
	defer t.Stop()
	select {
	case <-p.ended:
	case <-t.C:
		p.cmd.Process.Kill()
		<-p.ended
	}
}

// head keeps the first words of cupsd: about its configuration, before any job.
type head struct{ text []byte }

func (h *head) Write(b []byte) (int, error) {
	h.text = append(h.text, b[:min(len(b), 512-len(h.text))]...)
	return len(b), nil
}

// mark is in the environment of cupsd and of all that it starts: cupsd itself
// gives it to its filters.
func mark(dir string) string { return "CUPS_SERVERROOT=" + filepath.Join(dir, "etc") }

// endLeft ends what a cupsd in dir left behind: filters and backends outlive one
// that was killed, and still hold documents.
func endLeft(dir string) error {
	deadline := time.Now().Add(goneTime)
	for {
		left, err := kill(dir)
		if err != nil || left == 0 {
			return err
		}
		if time.Now().After(deadline) {
			return errors.New("cannot end what an earlier print queue left running")
		}
		time.Sleep(5 * time.Millisecond) // /proc tells nothing by itself
	}
}

// kill sends SIGKILL to each process with the mark, and counts them.
func kill(dir string) (int, error) {
	all, err := os.ReadDir("/proc")
	if err != nil {
		return 0, fmt.Errorf("cannot look for what an earlier print queue left: %w", err)
	}
	n := 0
	for _, e := range all {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		p, err := os.FindProcess(pid) // holds on to this very process: its number may become another's
		if err != nil {
			continue
		}
		if marked(pid, dir) && p.Kill() == nil && !zombie(pid) {
			n++
		}
		p.Release()
	}
	return n, nil
}

// marked reads another process's environment: only those of our own uid show it.
func marked(pid int, dir string) bool {
	env, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "environ"))
	if err != nil {
		return false
	}
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if string(v) == mark(dir) {
			return true
		}
	}
	return false
}

// zombie tells that a process is gone, and only its parent does not know yet.
func zombie(pid int) bool {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	_, after, ok := strings.Cut(string(b[bytes.LastIndexByte(b, ')')+1:]), " ")
	return err != nil || ok && strings.HasPrefix(after, "Z")
}
