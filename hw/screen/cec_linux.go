package screen

import (
	"io/fs"
	"unsafe"

	"golang.org/x/sys/unix"
)

// kernelCEC is a descriptor of /dev/cecN. Go's os.File would make it
// non-blocking, and a transmission would then return before it has happened.
type kernelCEC int

func openCEC(path string) (cecDevice, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return kernelCEC(fd), nil
}

func (k kernelCEC) ioctl(request uint32, arg []byte) error {
	for {
		_, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(k), uintptr(request), uintptr(unsafe.Pointer(&arg[0])))
		switch e {
		case 0:
			return nil
		case unix.EINTR:
			continue
		}
		return e
	}
}

func (k kernelCEC) Close() error { return unix.Close(int(k)) }
