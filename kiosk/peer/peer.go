// Package peer listens on Unix sockets inside a sandbox and lets in only whom
// the kernel says is allowed (SO_PEERCRED in unix(7)).
package peer

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"

	"borne/kiosk/sandbox"
)

// UIDs are the users who may connect, both ends included.
type UIDs struct{ From, To int }

// ParseUIDs reads "FROM-TO".
func ParseUIDs(s string) (UIDs, error) {
	from, to, ok := strings.Cut(s, "-")
	a, errA := strconv.Atoi(from)
	b, errB := strconv.Atoi(to)
	if !ok || errA != nil || errB != nil || a > b || a < 0 {
		return UIDs{}, fmt.Errorf("cannot read the users %.40q: write them as FROM-TO", s)
	}
	return UIDs{a, b}, nil
}

func (u UIDs) has(uid int) bool { return uid >= u.From && uid <= u.To }

// Listen makes a socket at path, "unix" or "unixpacket", that anybody may
// connect to; Only looks at who they are.
func Listen(network, path string) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot replace the socket: %w", err)
	}
	ln, err := net.Listen(network, path)
	if err != nil {
		return nil, fmt.Errorf("cannot make a socket: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		ln.Close()
		return nil, fmt.Errorf("cannot open a socket to the session: %w", err)
	}
	return ln, nil
}

// Only lets in connections of allowed users, at most so many at once.
func Only(ln net.Listener, allowed UIDs, most int, log *slog.Logger) net.Listener {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return Limit(ln, most, func(c net.Conn) bool {
		uid, err := -1, error(errNotUnix)
		if u, ok := c.(*net.UnixConn); ok {
			uid, err = UID(u)
		}
		if err == nil && allowed.has(uid) {
			return true
		}
		log.Warn("connection refused", "socket", ln.Addr().String(), "uid", uid, "error", err)
		return false
	})
}

var errNotUnix = errors.New("it is no Unix socket")

// Limit lets in the connections that may, at most so many at once. The others
// are closed unanswered.
func Limit(ln net.Listener, most int, may func(net.Conn) bool) net.Listener {
	return &listener{ln, may, make(chan struct{}, most)}
}

type listener struct {
	net.Listener
	may   func(net.Conn) bool
	slots chan struct{}
}

// Accept returns the next connection that may.
func (l *listener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if !l.may(c) {
			c.Close()
			continue
		}
		select {
		case l.slots <- struct{}{}:
			return &Conn{Conn: c, slots: l.slots}, nil
		default:
			c.Close()
		}
	}
}

// Conn is an accepted connection. It gives its slot back once.
type Conn struct {
	net.Conn
	slots chan struct{}
}

// Close ends the connection.
func (c *Conn) Close() error {
	err := c.Conn.Close()
	if !errors.Is(err, net.ErrClosed) {
		<-c.slots
	}
	return err
}

// UID asks the kernel whose process is at the other end.
func UID(c *net.UnixConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	uid := -1
	var got error
	err = raw.Control(func(fd uintptr) {
		cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		if got = err; err == nil {
			uid = int(cred.Uid)
		}
	})
	return uid, errors.Join(err, got)
}

// Frames speaks in frames over a second descriptor of c, a "unixpacket"
// connection; both are to be closed.
func Frames(c net.Conn) (*sandbox.Conn, error) {
	if in, ok := c.(*Conn); ok {
		c = in.Conn
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("cannot use a connection: %w", errNotUnix)
	}
	f, err := u.File()
	if err != nil {
		return nil, fmt.Errorf("cannot use a connection: %w", err)
	}
	return sandbox.FromFile(f)
}
