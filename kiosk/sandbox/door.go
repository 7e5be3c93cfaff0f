package sandbox

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Greeting is the frame beside which an agent that the service manager started
// gets its end of the connection.
var Greeting = []byte("borne")

// askAgain is the pause before a door that did not open is tried again.
const askAgain = 250 * time.Millisecond

// NewConn speaks over c, a socket of type unixpacket, which it takes over.
func NewConn(c *net.UnixConn) *Conn { return &Conn{c} }

// Collect asks at the warden's door for the agent's end of a connection, until
// it is given or ctx ends: a warden that still destroys an earlier agent's
// sandboxes lets nobody in.
func Collect(ctx context.Context, path string) (*os.File, error) {
	for {
		f, err := collect(ctx, path)
		if err == nil {
			return f, nil
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot get a connection to the warden; is the service borne-kiosk running, and this one no second agent? %w", err)
		case <-time.After(askAgain):
		}
	}
}

func collect(ctx context.Context, path string) (*os.File, error) {
	var d net.Dialer
	u, err := d.DialContext(ctx, "unixpacket", path)
	if err != nil {
		return nil, err
	}
	c := NewConn(u.(*net.UnixConn))
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.Close() })()
	fd, err := c.Peer(0) // whoever gives orders to the agent is root
	if err != nil {
		return nil, err
	}
	unix.Close(fd)
	b, files, err := c.Receive(make([]byte, MaxFrame+1))
	if err != nil {
		return nil, err
	}
	if string(b) != string(Greeting) || len(files) != 1 {
		CloseAll(files)
		return nil, fmt.Errorf("cannot take a connection from %d bytes and %d files: %w", len(b), len(files), ErrFrame)
	}
	return files[0], nil
}

// soPeerPidfd is SO_PEERPIDFD (Linux 6.5): the process itself, not its number.
const soPeerPidfd = 77

// Peer gives a pidfd of the process at the other end, which must be of user uid.
func (c *Conn) Peer(uid int) (int, error) {
	raw, err := c.c.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("cannot tell who is at the other end: %w", err)
	}
	var cred *unix.Ucred
	pidfd, no := -1, error(nil)
	if err := raw.Control(func(fd uintptr) {
		if cred, no = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); no != nil {
			return
		}
		if pidfd, no = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, soPeerPidfd); errors.Is(no, unix.ENOPROTOOPT) {
			pidfd, no = unix.PidfdOpen(int(cred.Pid), 0) // an older kernel; the caller looks at what it got
		}
	}); err != nil {
		no = err
	}
	if no != nil {
		return -1, fmt.Errorf("cannot tell who is at the other end: %w", no)
	}
	if int(cred.Uid) != uid || int(cred.Gid) != uid {
		unix.Close(pidfd)
		return -1, fmt.Errorf("cannot speak to user %d, group %d: want %d", cred.Uid, cred.Gid, uid)
	}
	return pidfd, nil
}
