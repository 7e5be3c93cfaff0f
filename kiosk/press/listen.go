package press

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"syscall"
)

// maxConns bounds the connections at once.
const maxConns = 16

// UIDs are the users who may print, both ends included.
type UIDs struct{ From, To int }

// Listen makes the socket at path, which a person's programs may connect to;
// connections of users outside allowed are closed unanswered.
func Listen(path string, allowed UIDs, log *slog.Logger) (net.Listener, error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("cannot replace the printer's socket: %w", err)
	}
	ln, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("cannot make the printer's socket: %w", err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		ln.Close()
		return nil, fmt.Errorf("cannot open the printer's socket to the session: %w", err)
	}
	return limit(ln, func(c net.Conn) bool {
		uid, err := peer(c)
		if err == nil && uid >= allowed.From && uid <= allowed.To {
			return true
		}
		log.Warn("connection to the session's printer refused", "uid", uid, "err", err)
		return false
	}), nil
}

// ListenTCP is for tests of the protocol: the kernel tells nobody's name over
// TCP, so it serves this machine alone and whoever is on it.
func ListenTCP(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %.60q: %w", address, err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("cannot listen on %.60q: only an address of this machine's loopback will do, 127.0.0.1:8631 for example", address)
	}
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	return limit(ln, func(net.Conn) bool { return true }), nil
}

func limit(ln net.Listener, may func(net.Conn) bool) net.Listener {
	return &listener{Listener: ln, may: may, slots: make(chan struct{}, maxConns)}
}

type listener struct {
	net.Listener
	may   func(net.Conn) bool
	slots chan struct{}
}

// Accept returns the next connection that may, never more than maxConns at once.
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
			return &counted{Conn: c, slots: l.slots}, nil
		default:
			c.Close()
		}
	}
}

// counted gives its slot back once.
type counted struct {
	net.Conn
	slots chan struct{}
}

func (c *counted) Close() error {
	err := c.Conn.Close()
	if !errors.Is(err, net.ErrClosed) {
		<-c.slots
	}
	return err
}

// peer asks the kernel whose process is at the other end.
func peer(c net.Conn) (int, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return -1, errors.New("not a Unix socket")
	}
	raw, err := u.SyscallConn()
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
