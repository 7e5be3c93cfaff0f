package usb

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// maxUevent is the kernel's own limit of what it says at once (UEVENT_BUFFER_SIZE), and a path.
const maxUevent = 8 << 10

// Uevent is one thing that the kernel tells of a device.
type Uevent struct {
	Action string            // add, remove, bind, change …
	Path   string            // below the root of the tree of devices
	Values map[string]string // SUBSYSTEM, DEVTYPE …
}

var errUevent = errors.New("no event of the kernel")

// ParseUevent reads "ACTION@PATH", then KEY=VALUE, each ended by a zero.
func ParseUevent(b []byte) (Uevent, error) {
	if len(b) == 0 || len(b) > maxUevent || b[len(b)-1] != 0 {
		return Uevent{}, fmt.Errorf("cannot read %d bytes: %w", len(b), errUevent)
	}
	lines := bytes.Split(b[:len(b)-1], []byte{0})
	action, path, ok := strings.Cut(string(lines[0]), "@")
	if !ok || action == "" || !strings.HasPrefix(path, "/") {
		return Uevent{}, fmt.Errorf("cannot read %.40q: %w", lines[0], errUevent)
	}
	u := Uevent{Action: action, Path: path, Values: map[string]string{}}
	for _, l := range lines[1:] {
		k, v, ok := strings.Cut(string(l), "=")
		if !ok || k == "" {
			return Uevent{}, fmt.Errorf("cannot read %.40q: %w", l, errUevent)
		}
		u.Values[k] = v
	}
	return u, nil
}

// Device tells whether u is about a whole USB device, and not one of its interfaces.
func (u Uevent) Device() bool {
	return u.Values["SUBSYSTEM"] == "usb" && u.Values["DEVTYPE"] == "usb_device"
}

// Listener hears the kernel's events.
type Listener struct{ f *os.File }

// Listen opens the kernel's events (netlink(7), NETLINK_KOBJECT_UEVENT).
func Listen() (*Listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		return nil, fmt.Errorf("cannot hear of USB devices: %w", err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: 1}); err != nil { // the kernel's own, not udev's
		unix.Close(fd)
		return nil, fmt.Errorf("cannot hear of USB devices: %w", err)
	}
	return &Listener{os.NewFile(uintptr(fd), "uevents")}, nil
}

// Close ends a Next that waits.
func (l *Listener) Close() error { return l.f.Close() }

// Next returns when something changed among the USB devices, or may have: when
// events were lost too. What else the kernel tells is passed over.
func (l *Listener) Next() error { return l.next(Uevent.Device) }

// next waits for an event that matters. Whatever somebody other than the
// kernel says is passed over.
func (l *Listener) next(matters func(Uevent) bool) error {
	raw, err := l.f.SyscallConn()
	if err != nil {
		return fmt.Errorf("cannot hear of USB devices: %w", err)
	}
	buf := make([]byte, maxUevent+1)
	for {
		var n int
		var from unix.Sockaddr
		var no error
		if err := raw.Read(func(fd uintptr) bool {
			n, from, no = unix.Recvfrom(int(fd), buf, 0)
			return no != unix.EAGAIN
		}); err != nil {
			return fmt.Errorf("cannot hear of USB devices: %w", err)
		}
		switch k, ok := from.(*unix.SockaddrNetlink); {
		case no == unix.ENOBUFS:
			return nil
		case no == unix.EINTR:
			continue
		case no != nil:
			return fmt.Errorf("cannot hear of USB devices: %w", no)
		case !ok || k.Pid != 0:
			continue
		}
		if u, err := ParseUevent(buf[:n]); err == nil && matters(u) {
			return nil
		}
	}
}
