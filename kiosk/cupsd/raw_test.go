package cupsd

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

const (
	patience = 60 * time.Second // for what must come; no measure
	nobody   = 65534
)

// unprivileged runs a test again as nobody, in a folder of nobody's in memory,
// when it runs as root: cupsd is to run without rights. False: it has been run.
func unprivileged(t *testing.T) bool {
	t.Helper()
	if _, err := look(); err != nil {
		t.Skip("SKIP: cupsd is not installed; run scripts/setup")
	}
	if _, err := os.Stat(DefaultDriver); err != nil {
		t.Skip("SKIP: cups-filters is not installed; run scripts/setup")
	}
	if os.Geteuid() != 0 {
		return true
	}
	dir, err := os.MkdirTemp("/dev/shm", "cupsd")
	if err != nil {
		t.Skip("SKIP: there is no folder in memory at /dev/shm")
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chown(dir, nobody, nobody); err != nil {
		t.Fatal(err)
	}
	c := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=5m")
	c.Dir = dir
	c.Env = append(os.Environ(), "TMPDIR="+dir)
	c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody, Groups: []uint32{}}}
	out, err := c.CombinedOutput()
	if t.Logf("as nobody:\n%s", out); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(out, []byte("--- SKIP")) {
		t.Skip("SKIP: " + t.Name() + " as nobody")
	}
	return false
}

// raw is a printer that takes bytes at a port, such as 9100, and never speaks.
type raw struct {
	ln   net.Listener
	slow chan struct{} // closed when it begins to read

	mu   sync.Mutex
	jobs [][]byte // one a connection that ended
	open int
}

// startRaw starts one. One that is stuck takes no byte before release.
func startRaw(t *testing.T, stuck bool) *raw {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &raw{ln: ln, slow: make(chan struct{})}
	if !stuck {
		close(r.slow)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			c.(*net.TCPConn).SetReadBuffer(4 << 10)
			all.Go(func() { r.take(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		r.release()
		all.Wait()
	})
	return r
}

func (r *raw) release() {
	r.mu.Lock()
	defer r.mu.Unlock()
	select {
	case <-r.slow:
	default:
		close(r.slow)
	}
}

func (r *raw) take(c net.Conn) {
	defer c.Close()
	r.count(1)
	defer r.count(-1)
	<-r.slow
	c.SetReadDeadline(time.Now().Add(patience))
	b, _ := io.ReadAll(c)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.jobs = append(r.jobs, b)
}

func (r *raw) count(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open += n
}

func (r *raw) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open > 0
}

func (r *raw) printed() [][]byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.jobs
}

func (r *raw) uri() string { return Scheme + "socket://" + r.ln.Addr().String() }

// until looks again and again: cupsd tells nothing by itself.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: it never comes", what)
		}
	}
}

// holding lists the files below dir that hold one of the words, in their bytes or
// their names.
func holding(t *testing.T, dir string, words ...string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			if os.IsNotExist(err) {
				return nil
			}
			return err
		}
		var b []byte
		if d.Type().IsRegular() {
			if b, err = os.ReadFile(path); err != nil && !os.IsNotExist(err) {
				return err
			}
		}
		for _, w := range words {
			if strings.Contains(path, w) || bytes.Contains(b, []byte(w)) {
				found = append(found, fmt.Sprintf("%s in %s", w, path))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// files lists the regular files in a folder.
func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range all {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// running lists the processes that a queue in dir started, but cupsd itself.
func running(t *testing.T, dir string, cupsd int) []int {
	t.Helper()
	all, err := os.ReadDir("/proc")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, e := range all {
		var pid int
		if n, err := fmt.Sscan(e.Name(), &pid); n != 1 || err != nil {
			continue
		}
		if pid != cupsd && marked(pid, dir) && !zombie(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}
