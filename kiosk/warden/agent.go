package warden

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"borne/kiosk/sandbox"
)

// Delays before the agent is started again, and the life that resets them.
const (
	backoffFirst = 200 * time.Millisecond
	backoffMost  = 15 * time.Second
	longLife     = time.Minute
	stopLimit    = 15 * time.Second // for the agent to wipe and end when asked to
)

// Agent says how the agent comes to life: as a child of the warden (Argv), or
// started by the service manager, as a unit of its own (Door).
type Agent struct {
	Argv  []string
	Env   []string
	Door  string        // Unix socket at which it collects its end of the connection; its folder is root's
	Open  func()        // called once, when the door is open; nil: nobody cares
	Setup sandbox.Setup // what it is given to work with, either way
}

func (a Agent) none() bool { return len(a.Argv) == 0 && a.Door == "" }

// life is a process that works as the agent.
type life struct {
	signal func(syscall.Signal)
	ended  <-chan error
}

// bearer puts one end of a connection into the hands of an agent.
type bearer func(ctx context.Context, theirs *os.File) (life, error)

// superviseAgent keeps an agent running until ctx ends. Whenever one dies,
// every sandbox is destroyed before the next one starts.
func (w *warden) superviseAgent(ctx context.Context) error {
	bear := w.child
	if w.c.Agent.Door != "" {
		d, err := openDoor(w.c.Agent.Door, w.c.UIDBase+offAgent, w.c.Log)
		if err != nil {
			return err
		}
		defer d.close()
		bear = d.hand
		if w.c.Agent.Open != nil {
			w.c.Agent.Open()
		}
	}
	wait := backoffFirst
	for ctx.Err() == nil {
		began := time.Now()
		err := w.runAgent(ctx, bear)
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		if err := w.destroyAll(end); err != nil {
			w.c.Log.Error("sandboxes are left", "error", err)
		}
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > longLife {
			wait = backoffFirst
		}
		w.c.Log.Error("the agent ended", "error", err, "again_in", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, backoffMost)
	}
	return nil
}

// child starts the agent as a child of this process, which can gain no privilege.
func (w *warden) child(_ context.Context, theirs *os.File) (life, error) {
	uid := uint32(w.c.UIDBase + offAgent)
	cmd := exec.Command(w.c.Agent.Argv[0], w.c.Agent.Argv[1:]...)
	cmd.Env = w.c.Agent.Env
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL,
		Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{}}}
	if err := w.humble.do(cmd.Start); err != nil {
		return life{}, fmt.Errorf("cannot start the agent: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return life{func(s syscall.Signal) { cmd.Process.Signal(s) }, ended}, nil
}

// runAgent brings an agent to life and serves it until it ends. When ctx ends,
// the agent is asked to stop, and still served while it does.
func (w *warden) runAgent(ctx context.Context, bear bearer) error {
	conn, theirs, err := sandbox.Pair()
	if err != nil {
		return err
	}
	defer conn.Close()
	agent, err := bear(ctx, theirs)
	theirs.Close()
	if err != nil {
		return err
	}
	served := make(chan struct{})
	go func() {
		// Not ctx: a wipe at a shutdown must still be served.
		w.serve(context.WithoutCancel(ctx), conn)
		close(served)
	}()
	select {
	case err = <-agent.ended:
	case <-served: // it closed its socket: it cannot work any more
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		if err := w.destroyAll(end); err != nil {
			w.c.Log.Error("sandboxes are left", "error", err)
		}
		cancel()
		select { // it most often is ending, and its status tells why
		case err = <-agent.ended:
		case <-time.After(2 * time.Second):
			agent.signal(syscall.SIGKILL)
			err = <-agent.ended
		}
	case <-ctx.Done():
		agent.signal(syscall.SIGTERM)
		select {
		case err = <-agent.ended:
		case <-time.After(stopLimit):
			agent.signal(syscall.SIGKILL)
			err = errors.Join(errors.New("the agent did not stop in time"), <-agent.ended)
		}
	}
	conn.Close()
	<-served
	w.ports(false)
	return err
}
