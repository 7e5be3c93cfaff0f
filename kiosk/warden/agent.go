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

// superviseAgent keeps an agent running until ctx ends. Whenever one dies,
// every sandbox is destroyed before the next one starts.
func (w *warden) superviseAgent(ctx context.Context) error {
	wait := backoffFirst
	for ctx.Err() == nil {
		began := time.Now()
		err := w.runAgent(ctx)
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

// runAgent starts the agent and serves it until it ends. When ctx ends, the
// agent is asked to stop, and still served while it does.
func (w *warden) runAgent(ctx context.Context) error {
	conn, theirs, err := sandbox.Pair()
	if err != nil {
		return err
	}
	defer conn.Close()
	uid := uint32(w.c.UIDBase + offAgent)
	cmd := exec.Command(w.c.Agent.Argv[0], w.c.Agent.Argv[1:]...)
	cmd.Env = w.c.Agent.Env
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{theirs}
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL,
		Credential: &syscall.Credential{Uid: uid, Gid: uid, Groups: []uint32{}}}
	err = w.humble.do(cmd.Start)
	theirs.Close()
	if err != nil {
		return fmt.Errorf("cannot start the agent: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	served := make(chan struct{})
	go func() {
		// Not ctx: a wipe at a shutdown must still be served.
		w.serve(context.WithoutCancel(ctx), conn)
		close(served)
	}()
	select {
	case err = <-ended:
	case <-served: // it closed its socket: it cannot work any more
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		if err := w.destroyAll(end); err != nil {
			w.c.Log.Error("sandboxes are left", "error", err)
		}
		cancel()
		select { // it most often is ending, and its status tells why
		case err = <-ended:
		case <-time.After(2 * time.Second):
			cmd.Process.Kill()
			err = <-ended
		}
	case <-ctx.Done():
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err = <-ended:
		case <-time.After(stopLimit):
			cmd.Process.Kill()
			err = errors.Join(errors.New("the agent did not stop in time"), <-ended)
		}
	}
	conn.Close()
	<-served
	return err
}
