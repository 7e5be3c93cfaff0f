package sealed_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"borne/kiosk/sealed"

	"golang.org/x/sys/unix"
)

func words(w io.Writer) error { _, err := io.WriteString(w, "hello"); return err }

func TestMake(t *testing.T) {
	f, err := sealed.Make("words", words)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n, err := sealed.Size(f); n != 5 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	if _, err := f.WriteAt([]byte("j"), 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("it is written to: %v", err)
	}
	if err := f.Truncate(1); !errors.Is(err, unix.EPERM) {
		t.Errorf("it is cut: %v", err)
	}
	if err := f.Truncate(9); !errors.Is(err, unix.EPERM) {
		t.Errorf("it grows: %v", err)
	}
	if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, 0); !errors.Is(err, unix.EPERM) {
		t.Errorf("it takes other seals: %v", err)
	}
}

// TestAgain reads without moving the place of the other descriptor.
func TestAgain(t *testing.T) {
	f, err := sealed.Make("words", words)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Seek(2, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	g, err := sealed.Again(f)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if b, err := io.ReadAll(g); string(b) != "hello" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
	if at, err := f.Seek(0, io.SeekCurrent); at != 2 || err != nil {
		t.Errorf("the place moved to %d, %v", at, err)
	}
	if _, err := g.Write([]byte("x")); !errors.Is(err, unix.EBADF) {
		t.Errorf("what is opened again can be written to: %v", err)
	}
}

// TestOpen refuses what somebody can still change.
func TestOpen(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if _, err := sealed.Size(file); !errors.Is(err, sealed.ErrOpen) {
		t.Errorf("a file: %v", err)
	}
	for _, some := range []int{0, unix.F_SEAL_WRITE, unix.F_SEAL_WRITE | unix.F_SEAL_GROW, unix.F_SEAL_SHRINK | unix.F_SEAL_GROW, unix.F_SEAL_FUTURE_WRITE | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW} {
		fd, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		if err != nil {
			t.Fatal(err)
		}
		f := os.NewFile(uintptr(fd), "x")
		if _, err := unix.FcntlInt(f.Fd(), unix.F_ADD_SEALS, some); err != nil {
			t.Fatal(err)
		}
		if _, err := sealed.Size(f); !errors.Is(err, sealed.ErrOpen) {
			t.Errorf("with seals %#x: %v", some, err)
		}
		if err := sealed.Seal(f); err != nil {
			t.Errorf("with seals %#x: %v", some, err)
		}
		if _, err := sealed.Size(f); err != nil {
			t.Error(err)
		}
		f.Close()
		if _, err := sealed.Again(f); err == nil {
			t.Error("a closed file is opened again")
		}
	}
}

// TestFails leaves no descriptor when what is written fails.
func TestFails(t *testing.T) {
	mine := errors.New("mine")
	before, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	if f, err := sealed.Make("x", func(io.Writer) error { return mine }); f != nil || !errors.Is(err, mine) {
		t.Errorf("%v, %v", f, err)
	}
	if after, err := os.ReadDir("/proc/self/fd"); err != nil || len(after) != len(before) {
		t.Errorf("%d descriptors, and %d before; %v", len(after), len(before), err)
	}
}
