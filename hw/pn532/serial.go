package pn532

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"borne/hw"

	"golang.org/x/sys/unix"
)

// port is a serial line of the kernel's, read without waiting: the driver polls.
type port struct {
	fd   int
	path string
}

// OpenSerial opens a serial device for us alone, raw, at 115200 bauds 8N1 without
// flow control, as HSU begins (UM0701-02, 6.2.3).
func OpenSerial(path string) (Serial, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENXIO), errors.Is(err, unix.ENODEV):
		return nil, fmt.Errorf("%w: %s does not exist; enable the UART (enable_uart=1 in config.txt on a Pi, and no console on it in cmdline.txt) and restart, or plug the adapter in", hw.ErrAbsent, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w; give %s to the agent's user with a udev rule (see the README)", err, path)
	case err != nil:
		return nil, err
	}
	p := &port{fd, path}
	if err := p.raw(); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is no serial line: %w; name one of /dev/ttyAMA*, /dev/ttyS*, /dev/ttyUSB*", path, err), p.Close())
	}
	return p, nil
}

// raw is cfmakeraw(3) at 115200 bauds, with reads that do not wait.
func (p *port) raw() error {
	t, err := unix.IoctlGetTermios(p.fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON | unix.IXOFF
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB | unix.CSTOPB | unix.CRTSCTS | unix.CBAUD
	t.Cflag |= unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B115200
	t.Ispeed, t.Ospeed = unix.B115200, unix.B115200
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 0, 0
	if err := unix.IoctlSetTermios(p.fd, unix.TCSETS, t); err != nil {
		return err
	}
	if err := unix.IoctlSetInt(p.fd, unix.TIOCEXCL, 0); err != nil {
		return err
	}
	return unix.IoctlSetInt(p.fd, unix.TCFLSH, unix.TCIOFLUSH)
}

func (p *port) String() string { return p.path }

func (p *port) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	n, err := unix.Read(p.fd, b)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	if n > 0 {
		return n, nil
	}
	// 0 is both "nothing yet" and "hung up"; poll(2) tells which.
	f := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
	if _, err := unix.Poll(f, 0); err == nil && f[0].Revents&(unix.POLLHUP|unix.POLLERR|unix.POLLNVAL) != 0 {
		return 0, fmt.Errorf("%s hung up: %w", p.path, unix.EIO)
	}
	return 0, nil
}

// writeWait bounds a write: a frame is far smaller than the kernel's buffer, so
// that only a dead adapter takes longer.
const writeWait = 500 * time.Millisecond

func (p *port) Write(b []byte) (int, error) {
	done := 0
	for done < len(b) {
		n, err := unix.Write(p.fd, b[done:])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			f := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLOUT}}
			if n, err := unix.Poll(f, int(writeWait/time.Millisecond)); n == 0 && err == nil {
				return done, fmt.Errorf("%s takes no bytes: %w", p.path, unix.ETIMEDOUT)
			}
			continue
		case err != nil:
			return done, err
		}
		done += n
	}
	return done, nil
}

func (p *port) Close() error { return unix.Close(p.fd) }
