package warden

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"borne/kiosk/sandbox"

	"golang.org/x/sys/unix"
)

// door hands an agent that somebody else starts its end of a connection. Only
// the agent's user may open it, only a process without any privilege gets
// something, and only while no other agent lives.
type door struct {
	ln      *net.UnixListener
	uid     int
	callers chan caller // of no use to anybody while no agent is waited for
	log     *slog.Logger
	done    sync.WaitGroup
}

// caller is a process that may become the agent.
type caller struct {
	conn  *sandbox.Conn
	pidfd int
}

func (c caller) refuse() {
	c.conn.Close()
	unix.Close(c.pidfd)
}

var errTaken = errors.New("an agent lives already, or what it left is being destroyed")

// openDoor makes the socket at path. Between its making and its giving away it
// is root's alone.
func openDoor(path string, uid int, log *slog.Logger) (*door, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("cannot clear the agent's door: %w", err)
	}
	ln, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: path, Net: "unixpacket"})
	if err != nil {
		return nil, fmt.Errorf("cannot open the agent's door: %w", err)
	}
	if err = os.Chmod(path, 0o600); err == nil {
		err = os.Lchown(path, uid, uid)
	}
	if err != nil {
		ln.Close()
		return nil, fmt.Errorf("cannot give the agent its door: %w", err)
	}
	d := &door{ln: ln, uid: uid, callers: make(chan caller), log: log}
	d.done.Go(d.answer)
	return d, nil
}

func (d *door) close() {
	d.ln.Close()
	d.done.Wait()
}

// answer looks at each caller, until the door is closed.
func (d *door) answer() {
	for {
		c, err := d.ln.AcceptUnix()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			d.log.Error("the agent's door fails", "error", err)
			time.Sleep(time.Second) // out of descriptors, say: it passes, or it does not
			continue
		}
		who, err := d.admit(c)
		if err == nil {
			select {
			case d.callers <- who:
				continue
			default:
				who.refuse()
				err = errTaken
			}
		}
		d.log.Warn("a caller at the agent's door is refused", "error", err)
	}
}

// admit takes over c if who called is an agent.
func (d *door) admit(c *net.UnixConn) (caller, error) {
	conn := sandbox.NewConn(c)
	fd, err := conn.Peer(d.uid)
	if err != nil {
		conn.Close()
		return caller{}, err
	}
	who := caller{conn, fd}
	pid, err := pidOf(fd)
	if err == nil {
		err = humble(pid, d.uid)
	}
	if err == nil { // what was read is still about whoever called
		err = unix.PidfdSendSignal(fd, 0, nil, 0)
	}
	if err != nil {
		who.refuse()
		return caller{}, err
	}
	return who, nil
}

// hand waits for an agent and gives it theirs.
func (d *door) hand(ctx context.Context, theirs *os.File) (life, error) {
	select {
	case <-ctx.Done():
		return life{}, ctx.Err()
	case c := <-d.callers:
		err := c.conn.Send(sandbox.Greeting, theirs)
		c.conn.Close()
		if err != nil {
			unix.Close(c.pidfd)
			return life{}, fmt.Errorf("cannot give the agent its connection: %w", err)
		}
		ended := make(chan error, 1)
		var mu sync.Mutex // guards the descriptor: its number is another's once it is closed
		gone := false
		go func() {
			awaitEnd(c.pidfd)
			mu.Lock()
			gone = true
			unix.Close(c.pidfd)
			mu.Unlock()
			ended <- errors.New("its process ended; its own unit tells why")
		}()
		return life{func(s syscall.Signal) {
			mu.Lock()
			defer mu.Unlock()
			if !gone {
				unix.PidfdSendSignal(c.pidfd, s, nil, 0)
			}
		}, ended}, nil
	}
}

// awaitEnd returns when the process of a pidfd has ended.
func awaitEnd(pidfd int) {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, -1)
		if n > 0 || err != nil && err != unix.EINTR {
			return
		}
	}
}

// pidOf tells the number of a pidfd's process.
func pidOf(fd int) (int, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", fd))
	if err != nil {
		return 0, fmt.Errorf("cannot tell who calls: %w", err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "Pid:"); ok {
			if pid, err := strconv.Atoi(strings.TrimSpace(v)); err == nil && pid > 0 {
				return pid, nil
			}
		}
	}
	return 0, errors.New("cannot tell who calls: it ended, or lives in another process namespace")
}

// humble tells why process pid may not be the agent: it has to run as uid in
// every way, and be unable to gain a privilege. It is what the warden makes of
// its own child; a unit that was weakened is refused here.
func humble(pid, uid int) error {
	p, err := readProcess(pid)
	if err != nil {
		return fmt.Errorf("cannot look at process %d: %w", pid, err)
	}
	return humbleStatus(p.fields, uid)
}

func humbleStatus(status map[string]string, uid int) error {
	id := strconv.Itoa(uid)
	for _, k := range []string{"Uid", "Gid"} {
		f := strings.Fields(status[k])
		if len(f) != 4 || slices.ContainsFunc(f, func(s string) bool { return s != id }) {
			return fmt.Errorf("cannot take it for the agent: its %s is %.40q, want %s throughout", k, status[k], id)
		}
	}
	for _, g := range strings.Fields(status["Groups"]) {
		if g != id {
			return fmt.Errorf("cannot take it for the agent: it is in group %.20q; give devices to user %s instead", g, id)
		}
	}
	for _, k := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if n, err := strconv.ParseUint(strings.TrimSpace(status[k]), 16, 64); err != nil || n != 0 {
			return fmt.Errorf("cannot take it for the agent: %s is %.20q, want none; start it with the unit borne-agent", k, status[k])
		}
	}
	if strings.TrimSpace(status["NoNewPrivs"]) != "1" {
		return errors.New("cannot take it for the agent: it may gain privileges; start it with the unit borne-agent")
	}
	return nil
}
