package stand

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process keeps one program running, as a service manager does: it is started
// again when it ends, until the stand goes down.
type process struct {
	name string
	argv []string
	env  []string
	out  io.Writer

	mu      sync.Mutex
	cmd     *exec.Cmd
	starts  int
	started chan struct{} // closed and replaced at each start
	stop    context.CancelFunc
	done    chan struct{}
}

func newProcess(name string, out io.Writer, env []string, argv ...string) *process {
	return &process{name: name, argv: argv, env: env, out: out, started: make(chan struct{}), done: make(chan struct{})}
}

// start runs the program until stopped.
func (p *process) start() error {
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	first := make(chan error, 1)
	go func() {
		defer close(p.done)
		for ctx.Err() == nil {
			cmd := exec.Command(p.argv[0], p.argv[1:]...)
			cmd.Stdout, cmd.Stderr = p.out, p.out
			cmd.Env = append(os.Environ(), p.env...)
			// A group of its own: Ctrl-C in the shell reaches us alone, and we end it in order.
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			err := cmd.Start()
			p.mu.Lock()
			p.cmd = cmd
			if err == nil {
				p.starts++
				close(p.started)
				p.started = make(chan struct{})
			}
			p.mu.Unlock()
			select {
			case first <- err:
			default:
			}
			if err != nil {
				return
			}
			cmd.Wait()
			select {
			case <-ctx.Done():
			case <-time.After(500 * time.Millisecond): // as RestartSec= does
			}
		}
	}()
	if err := <-first; err != nil {
		return fmt.Errorf("cannot start %s: %w", p.name, err)
	}
	return nil
}

// kill ends the program at once, as a power cut would; it is started again.
func (p *process) kill() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil {
		return errors.New("cannot kill: not running")
	}
	return p.cmd.Process.Kill()
}

// pid of the program that runs now; 0 when none does.
func (p *process) pid() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil || p.cmd.Process == nil {
		return 0
	}
	return p.cmd.Process.Pid
}

// end asks the program to stop, and kills it when it takes longer than wait.
func (p *process) end(wait time.Duration) {
	if p.stop == nil {
		return
	}
	p.stop()
	p.mu.Lock()
	cmd := p.cmd
	p.mu.Unlock()
	if cmd != nil && cmd.Process != nil {
		cmd.Process.Signal(syscall.SIGTERM)
	}
	select {
	case <-p.done:
	case <-time.After(wait):
		if cmd != nil && cmd.Process != nil {
			cmd.Process.Kill()
		}
		<-p.done
	}
}
