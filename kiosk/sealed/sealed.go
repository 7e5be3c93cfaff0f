// Package sealed passes bytes between the programs of a sandbox in memory that
// nobody can change any more (memfd_create(2), F_ADD_SEALS in fcntl(2)): what
// was counted is what is printed.
package sealed

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

const seals = unix.F_SEAL_WRITE | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW

// ErrOpen reports a file that can still be changed.
var ErrOpen = errors.New("it is no sealed memory")

// Make makes a file of what write writes. Its name is what /proc shows.
func Make(name string, write func(io.Writer) error) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("cannot make a file in memory: %w", err)
	}
	f := os.NewFile(uintptr(fd), name)
	if err := write(f); err != nil {
		f.Close()
		return nil, err
	}
	if err := Seal(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Seal ends all changes to f, which memfd_create made with MFD_ALLOW_SEALING.
func Seal(f *os.File) error {
	if _, err := control(f, unix.F_ADD_SEALS, seals|unix.F_SEAL_SEAL); err != nil {
		return fmt.Errorf("cannot seal a file in memory: %w", err)
	}
	return nil
}

// Size is how many bytes f has; ErrOpen when it is not sealed.
func Size(f *os.File) (int64, error) {
	got, err := control(f, unix.F_GET_SEALS, 0)
	if err != nil || got&seals != seals {
		return 0, fmt.Errorf("cannot use a document: %w", ErrOpen)
	}
	i, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("cannot use a document: %w", err)
	}
	return i.Size(), nil
}

// Again opens f's bytes anew, for reading only, with an offset of its own: one
// descriptor passed on shares the offset of the other, and who reads through it
// would change what the other sends.
func Again(f *os.File) (*os.File, error) {
	var again *os.File
	err := withFD(f, func(fd int) error {
		var err error
		again, err = os.Open(fmt.Sprintf("/proc/self/fd/%d", fd))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("cannot open a document again: %w", err)
	}
	return again, nil
}

func control(f *os.File, cmd, arg int) (int, error) {
	n := 0
	err := withFD(f, func(fd int) error {
		var err error
		n, err = unix.FcntlInt(uintptr(fd), cmd, arg)
		return err
	})
	return n, err
}

// withFD calls do while f cannot be closed.
func withFD(f *os.File, do func(fd int) error) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var said error
	if err := raw.Control(func(fd uintptr) { said = do(int(fd)) }); err != nil {
		return err
	}
	return said
}
