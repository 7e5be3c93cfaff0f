package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// MaxFiles bounds the descriptors beside one frame.
const MaxFiles = 4

// ErrClosed reports that the other side is gone.
var ErrClosed = errors.New("the connection is closed")

// Conn carries frames and descriptors over a SOCK_SEQPACKET socket: one packet
// a frame, so that no half frame is ever seen. Send is safe for concurrent use.
type Conn struct{ c *net.UnixConn }

// Pair returns the two ends of a fresh connection: one for this process, one
// to hand to a child. Both take frames of MaxFrame bytes.
func Pair() (*Conn, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a socket pair: %w", err)
	}
	for _, fd := range fds {
		// The kernel refuses a packet larger than the send buffer. The
		// unprivileged limit is smaller than MaxFrame on some machines,
		// so the warden sets both ends.
		if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, 4*MaxFrame) != nil {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 4*MaxFrame)
		}
	}
	theirs := os.NewFile(uintptr(fds[1]), "warden-socket")
	ours, err := FromFile(os.NewFile(uintptr(fds[0]), "agent-socket"))
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// FromFile takes over f, one end of a Pair.
func FromFile(f *os.File) (*Conn, error) {
	defer f.Close() // FileConn duplicates it
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("cannot use %s as a socket: %w", f.Name(), err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("cannot use %s: it is no Unix socket", f.Name())
	}
	return &Conn{u}, nil
}

// Send sends one frame with files beside it; the files stay the caller's.
func (c *Conn) Send(b []byte, files ...*os.File) error {
	if len(b) == 0 || len(b) > MaxFrame || len(files) > MaxFiles {
		return fmt.Errorf("cannot send %d bytes with %d files: %w", len(b), len(files), ErrFrame)
	}
	var oob []byte
	if len(files) > 0 {
		fds := make([]int, len(files))
		for i, f := range files {
			fds[i] = int(f.Fd())
		}
		oob = unix.UnixRights(fds...)
	}
	if _, _, err := c.c.WriteMsgUnix(b, oob, nil); err != nil {
		if errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("cannot send: %w", ErrClosed)
		}
		return fmt.Errorf("cannot send: %w", err)
	}
	return nil
}

// Receive returns the next frame and its files, which become the caller's.
// buf must hold MaxFrame+1 bytes; the frame lies in it. ErrClosed at the end;
// ErrFrame for a packet that is too large or carries too many files, after
// which the connection still works.
func (c *Conn) Receive(buf []byte) ([]byte, []*os.File, error) {
	oob := make([]byte, unix.CmsgSpace(4*MaxFiles))
	n, oobn, flags, _, err := c.c.ReadMsgUnix(buf, oob)
	if err != nil || (n == 0 && oobn == 0) {
		// A reset is how the kernel tells of a peer that died with unread bytes.
		return nil, nil, fmt.Errorf("cannot receive: %w", ErrClosed)
	}
	files, err := rights(oob[:oobn])
	if err == nil && (flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 || n > MaxFrame) {
		err = fmt.Errorf("cannot receive: a packet passes the limits: %w", ErrFrame)
	}
	if err != nil {
		CloseAll(files)
		return nil, nil, err
	}
	return buf[:n], files, nil
}

func rights(oob []byte) ([]*os.File, error) {
	if len(oob) == 0 {
		return nil, nil
	}
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("cannot receive: control message: %w: %w", ErrFrame, err)
	}
	var files []*os.File
	for _, m := range msgs {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			continue // some other control message
		}
		for _, fd := range fds {
			unix.CloseOnExec(fd)
			files = append(files, os.NewFile(uintptr(fd), "passed"))
		}
	}
	return files, nil
}

// Close closes the connection.
func (c *Conn) Close() error { return c.c.Close() }

// CloseAll closes files.
func CloseAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// PairFiles returns both ends of a fresh connection, to hand to two others.
// Each packet is one frame, with descriptors beside it: see FromFile.
func PairFiles() (a, b *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make a socket pair: %w", err)
	}
	return os.NewFile(uintptr(fds[0]), "channel"), os.NewFile(uintptr(fds[1]), "channel"), nil
}
