package wedge

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"unsafe"

	"borne/hw"

	"golang.org/x/sys/unix"
)

// ioctl numbers of linux/input.h: _IOC(dir, 'E', nr, size).
const (
	eviocgrab     = 1<<30 | 4<<16 | 'E'<<8 | 0x90 // _IOW('E', 0x90, int)
	eviocsclockid = 1<<30 | 4<<16 | 'E'<<8 | 0xa0 // _IOW('E', 0xa0, int)
	keyBytes      = 96                            // KEY_CNT is 0x300
	eviocgkeybits = 2<<30 | keyBytes<<16 | 'E'<<8 | (0x20 + evKey)
)

// grab opens the event device at path, checks that it is a keyboard with digits,
// has it tell times on the monotonic clock, and takes it for us alone.
func grab(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %s does not exist; plug the reader in, and see ls /dev/input/by-id", hw.ErrAbsent, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w; give the reader to the agent's user with a udev rule (see the README)", err)
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return nil, fmt.Errorf("%w: %w", hw.ErrAbsent, err)
	case err != nil:
		return nil, err
	}
	conn, err := f.SyscallConn()
	if err == nil {
		var inner error
		err = conn.Control(func(fd uintptr) { inner = take(fd, path) })
		err = errors.Join(err, inner)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func take(fd uintptr, path string) error {
	var keys [keyBytes]byte
	if err := ioctl(fd, eviocgkeybits, unsafe.Pointer(&keys)); err != nil {
		return fmt.Errorf("%s is no input device: %w; name one of /dev/input/by-id", path, err)
	}
	for code := 2; code <= 11; code++ { // KEY_1 to KEY_0
		if keys[code/8]&(1<<(code%8)) == 0 {
			return fmt.Errorf("%s has no digit keys: it is no reader that types; name its event device in /dev/input/by-id (…-event-kbd)", path)
		}
	}
	clock := int32(unix.CLOCK_MONOTONIC)
	if err := ioctl(fd, eviocsclockid, unsafe.Pointer(&clock)); err != nil {
		return fmt.Errorf("the kernel does not give its keys' times: %w", err)
	}
	// The argument is a value, not an address (input_ioctl, EVIOCGRAB).
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, eviocgrab, 1); errno != 0 {
		if errno == unix.EBUSY {
			return fmt.Errorf("another program has grabbed it; stop that one: %w", errno)
		}
		return fmt.Errorf("it cannot be grabbed: %w", errno)
	}
	return nil
}

func ioctl(fd, request uintptr, arg unsafe.Pointer) error {
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, fd, request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
