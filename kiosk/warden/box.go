package warden

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"borne/controller/wire"

	"golang.org/x/sys/unix"
)

// box is one set of namespaces with its PID 1.
type box struct {
	id    string
	probe bool // nobody is ever admitted to it
	slot  int  // -1 for the shell's
	uids  boxUIDs
	pid   int // of its PID 1, in the warden's namespace
	pidfd int
	group *group
	link  *linkNet
	asker *box // its resolver, in namespaces of its own; nil for none
	rules *rules
	ns    map[string]string // kind → identity
	mount uint64            // of its mount namespace, which the kernel never gives again; 0: the kernel has none
	spec  spec
	began time.Time // wall clock
	mono  time.Time // for elapsed time only

	canaries canaries
	cookie   []byte // of its own display
	inner    int    // number of its own display
	props    []wire.Property

	control *os.File // PID 1 lives as long as this is open
	done    chan struct{}
	ended   atomic.Uint64 // when it was killed, or seen to have died, in ticks since boot
	heard   chan struct{} // closed when PID 1 has said its last word

	mu       sync.Mutex
	wanted   bool // its end was asked for
	sess     string
	why      string  // what its first process said of its end
	searched *search // after a wipe that it waited beside; nil for none
}

type boxUIDs struct{ browser, display, press, resolver, counter int }

// has tells whether uid is one of them.
func (u boxUIDs) has(uid int) bool {
	return uid != 0 && (uid == u.browser || uid == u.display || uid == u.press || uid == u.resolver || uid == u.counter)
}

// nsKinds are the namespaces that a sandbox has for itself.
var nsKinds = []string{"pid", "mnt", "ipc", "uts", "net"}

// start makes the namespaces and runs PID 1 in them, which waits for its spec.
// files are for the programs that ask for them: a browser's ends of its pipe.
func (w *warden) start(b *box, files []*os.File, ownNet bool) (statusR *os.File, err error) {
	controlR, controlW, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("cannot start a sandbox: %w", err)
	}
	statusR, statusW, err := os.Pipe()
	if err != nil {
		controlR.Close()
		controlW.Close()
		return nil, fmt.Errorf("cannot start a sandbox: %w", err)
	}
	defer controlR.Close()
	defer statusW.Close()
	flags := uintptr(syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWUTS)
	if ownNet {
		flags |= syscall.CLONE_NEWNET
	}
	b.spec.Given = len(files)
	cmd := exec.Command(w.c.Self[0], w.c.Self[1:]...)
	cmd.Env = []string{"PATH=/usr/bin:/bin", "GOMAXPROCS=1", "GOTRACEBACK=none"}
	cmd.ExtraFiles = append([]*os.File{controlR, statusW}, files...)
	cmd.Dir = "/"
	pidfd := -1
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags, Pdeathsig: syscall.SIGKILL, Setsid: true, PidFD: &pidfd}
	if err := w.spawn.do(cmd.Start); err != nil {
		controlW.Close()
		statusR.Close()
		return nil, fmt.Errorf("cannot start a sandbox: %w", err)
	}
	b.pid, b.pidfd, b.control, b.done = cmd.Process.Pid, pidfd, controlW, make(chan struct{})
	go func() {
		cmd.Wait() // returns when the kernel has ended all of the namespace
		b.ended.CompareAndSwap(0, ticks())
		close(b.done)
	}()
	b.ns = map[string]string{}
	for _, kind := range nsKinds {
		if kind == "net" && !ownNet {
			continue // the machine's: everybody lives there
		}
		id, err := namespace(b.pid, kind)
		if err != nil {
			statusR.Close()
			return nil, err
		}
		b.ns[kind] = id
		if kind == "mnt" {
			b.mount = mountNamespace(b.pid)
		}
	}
	return statusR, nil
}

// tell gives PID 1 its spec, and waits until all its programs are ready.
func (b *box) tell(ctx context.Context, statusR *os.File) (err error) {
	defer func() {
		if err != nil {
			statusR.Close()
			return
		}
		b.heard = make(chan struct{})
		go func() { b.listen(statusR); close(b.heard) }()
	}()
	text, err := json.Marshal(b.spec)
	if err != nil {
		return fmt.Errorf("cannot describe the sandbox: %w", err)
	}
	if len(text) > maxSpec {
		return fmt.Errorf("cannot describe the sandbox: %d bytes pass the limit of %d", len(text), maxSpec)
	}
	if deadline, ok := ctx.Deadline(); ok {
		b.control.SetWriteDeadline(deadline)
		statusR.SetReadDeadline(deadline)
	}
	stop := context.AfterFunc(ctx, func() { statusR.SetReadDeadline(time.Unix(1, 0)); b.control.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := b.control.Write(text); err != nil {
		return fmt.Errorf("cannot describe the sandbox: %w", err)
	}
	line, err := bufio.NewReader(io.LimitReader(statusR, 16<<10)).ReadBytes('\n')
	if err != nil {
		if ctx.Err() != nil {
			return fmt.Errorf("cannot wait for the sandbox: %w", ctx.Err())
		}
		return errors.New("cannot start a sandbox: its first process ended")
	}
	var st status
	if err := json.Unmarshal(line, &st); err != nil {
		return fmt.Errorf("cannot start a sandbox: %w", err)
	}
	if !st.Ready {
		return errors.New(st.Error)
	}
	return nil
}

// listen keeps what PID 1 says when it ends, and returns when it has ended.
func (b *box) listen(statusR *os.File) {
	defer statusR.Close()
	statusR.SetReadDeadline(time.Time{})
	var st status
	if json.NewDecoder(io.LimitReader(statusR, 16<<10)).Decode(&st) == nil {
		b.mu.Lock()
		b.why = st.Error
		b.mu.Unlock()
	}
}

func (b *box) reason() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.why
}

// strike ends every process of the box, and waits for none.
func (b *box) strike() {
	b.mu.Lock()
	b.wanted = true
	b.mu.Unlock()
	if b.pid == 0 {
		return
	}
	b.ended.CompareAndSwap(0, ticks())
	if b.group != nil {
		b.group.unthrottle() // dying takes time on a processor too
	}
	if b.pidfd >= 0 {
		unix.PidfdSendSignal(b.pidfd, unix.SIGKILL, nil, 0)
	}
	if b.control != nil {
		b.control.Close()
	}
}

// kill ends every process of the box, and waits until they are gone.
func (b *box) kill(deadline time.Time) error {
	b.strike()
	if b.pid == 0 {
		return nil
	}
	select {
	case <-b.done:
	case <-time.After(time.Until(deadline)):
		return fmt.Errorf("cannot end sandbox %s: its first process %d is still there", b.id, b.pid)
	}
	if b.pidfd >= 0 {
		unix.Close(b.pidfd)
		b.pidfd = -1
	}
	return nil
}

// alive tells whether PID 1 still runs.
func (b *box) alive() bool {
	select {
	case <-b.done:
		return false
	default:
		return b.pid != 0
	}
}

func (b *box) session() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.sess
}

func (b *box) lost() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.wanted
}

func randomID() string {
	var b [8]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
