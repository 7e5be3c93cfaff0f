package warden

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// InitRole is the hidden argument that makes this binary a sandbox's PID 1.
const InitRole = "sandbox-init"

// Descriptors of PID 1, given by the warden.
const (
	fdControl = 3 // the spec, then nothing: it ends when the warden ends
	fdStatus  = 4
	fdPipeIn  = 5 // the first that is given: the browser's debugging pipe reads commands here
	fdPipeOut = 6 // … and writes answers here
)

// maxGiven bounds the descriptors that are given.
const maxGiven = 4

// InitMain is the main function of a sandbox's PID 1. It returns the exit code.
// Only the warden calls it, inside fresh namespaces.
func InitMain() int {
	// Privileges are a thread's: every child must come from the thread that
	// gave them up.
	runtime.LockOSThread()
	control, out := os.NewFile(fdControl, "control"), os.NewFile(fdStatus, "status")
	for fd := fdControl; fd < fdPipeIn+maxGiven; fd++ {
		unix.CloseOnExec(fd)
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "cannot be a sandbox's first process: only the warden starts this role")
		return 2
	}
	if err := initRun(control, out); err != nil {
		json.NewEncoder(out).Encode(status{Error: err.Error()})
		return 1
	}
	return 0
}

func initRun(control, out *os.File) error {
	s, err := readSpec(control)
	if err != nil {
		return err
	}
	// The warden's end of this pipe closes when it dies, whatever kills it.
	go func() {
		io.Copy(io.Discard, control)
		os.Exit(0) // and the kernel ends the whole PID namespace
	}()
	if s.Given < 0 || s.Given > maxGiven {
		return fmt.Errorf("cannot start: %d descriptors are given, at most %d can be", s.Given, maxGiven)
	}
	if err := buildRoot(s); err != nil {
		return err
	}
	if err := dropPrivileges(); err != nil {
		return err
	}
	if err := filterCalls(); err != nil {
		return err
	}
	r := newReaper(s.Given)
	for _, p := range s.Programs {
		if err := r.run(p); err != nil {
			return err
		}
	}
	// Nobody but its program may hold one: the agent must see it end.
	for n := range s.Given {
		unix.Close(fdPipeIn + n)
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	r.quiet()
	if err := json.NewEncoder(out).Encode(status{Ready: true}); err != nil {
		return fmt.Errorf("cannot report: %w", err)
	}
	return r.vitalGone()
}

// dropPrivileges makes this thread's children unable to gain any privilege.
func dropPrivileges() error {
	// 1 rather than 0: a core_pattern that is a pipe ignores 0, and treats 1
	// as "never" (core(5), fs/coredump.c). filterCalls keeps it there.
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{Cur: 1, Max: 1}); err != nil {
		return fmt.Errorf("cannot forbid core dumps: %w", err)
	}
	for c := 0; c <= unix.CAP_LAST_CAP; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil && err != unix.EINVAL {
			return fmt.Errorf("cannot drop capability %d: %w", c, err)
		}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot set no_new_privs: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot become undumpable: %w", err)
	}
	return nil
}

// dropCapabilities gives up what root still has: nothing needs it any more.
func dropCapabilities() error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capset(&hdr, &data[0]); err != nil {
		return fmt.Errorf("cannot drop capabilities: %w", err)
	}
	return nil
}

// reaper starts programs and collects every child of the namespace.
type reaper struct {
	mu    sync.Mutex // held from fork to registration, so that no exit is missed
	kids  map[int]*child
	vital chan error
	logs  *tail
	null  *os.File
	given []uintptr
}

type child struct {
	program Program
	done    chan syscall.WaitStatus
}

func newReaper(given int) *reaper {
	r := &reaper{kids: map[int]*child{}, vital: make(chan error, 1), logs: &tail{}}
	for n := range given {
		r.given = append(r.given, uintptr(fdPipeIn+n))
	}
	go r.reap()
	return r
}

func (r *reaper) reap() {
	for {
		var ws syscall.WaitStatus
		pid, err := syscall.Wait4(-1, &ws, 0, nil)
		if err == syscall.ECHILD {
			time.Sleep(10 * time.Millisecond) // before the first child
			continue
		}
		if err != nil || (!ws.Exited() && !ws.Signaled()) {
			continue
		}
		r.mu.Lock()
		if c := r.kids[pid]; c != nil {
			delete(r.kids, pid)
			c.done <- ws
			if c.program.Vital {
				select {
				case r.vital <- fmt.Errorf("%s ended (status %#x)", c.program.Name, uint32(ws)):
				default:
				}
			}
		}
		r.mu.Unlock()
	}
}

// run starts p and waits until it is ready, at most 20 s.
func (r *reaper) run(p Program) error {
	if r.null == nil {
		f, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
		if err != nil {
			return fmt.Errorf("cannot start %s: %w", p.Name, err)
		}
		r.null = f
	}
	logR, logW, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", p.Name, err)
	}
	defer logW.Close()
	go r.logs.read(logR)
	files := []uintptr{r.null.Fd(), r.null.Fd(), logW.Fd()}
	var readyR *os.File
	switch {
	case len(p.Gets) > 0:
		for _, n := range p.Gets {
			if n < 0 || n >= len(r.given) {
				return fmt.Errorf("cannot start %s: it wants descriptor %d of %d", p.Name, n, len(r.given))
			}
			files = append(files, r.given[n])
		}
	case p.Wait == WaitDisplay:
		pr, pw, err := os.Pipe()
		if err != nil {
			return fmt.Errorf("cannot start %s: %w", p.Name, err)
		}
		defer pr.Close()
		defer pw.Close()
		readyR = pr
		files = append(files, pw.Fd())
	}
	c := &child{p, make(chan syscall.WaitStatus, 1)}
	r.mu.Lock()
	pid, err := syscall.ForkExec(p.Argv[0], p.Argv, &syscall.ProcAttr{Dir: "/", Env: p.Env, Files: files, Sys: &syscall.SysProcAttr{
		Setsid: true, Credential: &syscall.Credential{Uid: uint32(p.UID), Gid: uint32(p.UID), Groups: []uint32{}}}})
	if err == nil {
		r.kids[pid] = c
	}
	r.mu.Unlock()
	if err != nil {
		return fmt.Errorf("cannot start %s (%s): %w", p.Name, p.Argv[0], err)
	}
	if err := r.await(p, c, readyR); err != nil {
		return fmt.Errorf("cannot start %s: %w; it said: %s", p.Name, err, r.logs)
	}
	for _, path := range p.Drop {
		if err := drop(path); err != nil {
			return err
		}
	}
	return nil
}

func (r *reaper) await(p Program, c *child, ready *os.File) error {
	limit := time.After(20 * time.Second)
	said := make(chan error, 1)
	switch p.Wait {
	case WaitNone:
		return nil
	case WaitDisplay:
		go func() {
			// To the end of the line: a server that cannot write all of it ends.
			_, err := bufio.NewReader(io.LimitReader(ready, 32)).ReadString('\n')
			said <- err
		}()
	}
	select {
	case ws := <-c.done:
		if p.Wait == WaitTry || (p.Wait == WaitExit && ws.ExitStatus() == 0) {
			return nil
		}
		return fmt.Errorf("it ended (status %#x)", uint32(ws))
	case err := <-said:
		return err
	case <-limit:
		return errors.New("it is not ready after 20 s")
	}
}

// quiet stops keeping what programs say: from now on it may tell of a person.
func (r *reaper) quiet() { r.logs.stop() }

func (r *reaper) vitalGone() error { return <-r.vital }

// tail keeps the last words of the programs, for a start that fails.
type tail struct {
	mu  sync.Mutex
	b   []byte
	off bool
}

func (t *tail) read(f *os.File) {
	defer f.Close()
	buf := make([]byte, 4096)
	for {
		n, err := f.Read(buf)
		if err != nil {
			return
		}
		t.mu.Lock()
		if !t.off {
			t.b = append(t.b, buf[:n]...)
			if len(t.b) > 2048 {
				t.b = append([]byte(nil), t.b[len(t.b)-2048:]...)
			}
		}
		t.mu.Unlock()
		clear(buf[:n])
	}
}

func (t *tail) stop() {
	t.mu.Lock()
	clear(t.b)
	t.b, t.off = nil, true
	t.mu.Unlock()
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.ToValidUTF8(string(t.b), "?")
}
