package pn532

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"borne/hw"

	"golang.org/x/sys/unix"
)

// A real terminal of the kernel's: bytes pass unchanged both ways, reads do not
// wait, and a line that hangs up is an error.
func TestSerialOnATerminal(t *testing.T) {
	master, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("SKIP: no pseudo terminals here: %v", err)
	}
	open := true
	defer func() {
		if open {
			unix.Close(master)
		}
	}()
	if err := unix.IoctlSetPointerInt(master, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetUint32(master, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	p, err := OpenSerial(fmt.Sprintf("/dev/pts/%d", n))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	var in [512]byte
	if n, err := p.Read(in[:]); n != 0 || err != nil {
		t.Fatalf("an idle line gives %d bytes, error %v", n, err)
	}
	if _, err := p.Write(all); err != nil {
		t.Fatal(err)
	}
	if got := gather(t, func(b []byte) (int, error) { return unix.Read(master, b) }, len(all)); !bytes.Equal(got, all) {
		t.Fatalf("what was written arrives as % X", got)
	}
	if _, err := unix.Write(master, all); err != nil {
		t.Fatal(err)
	}
	if got := gather(t, p.Read, len(all)); !bytes.Equal(got, all) {
		t.Fatalf("what was sent is read as % X", got)
	}
	unix.Close(master)
	open = false
	for range 100 {
		if _, err = p.Read(in[:]); err != nil {
			return
		}
	}
	t.Fatal("a line that hung up reads as an idle one")
}

// gather reads n bytes from a source that does not wait.
func gather(t *testing.T, read func([]byte) (int, error), n int) []byte {
	var got []byte
	b := make([]byte, 512)
	for deadline := time.Now().Add(10 * time.Second); len(got) < n && time.Now().Before(deadline); {
		k, err := read(b)
		if err != nil && !errors.Is(err, unix.EAGAIN) {
			t.Fatal(err)
		}
		got = append(got, b[:max(0, k)]...)
	}
	return got
}

func TestSerialThatIsNone(t *testing.T) {
	if _, err := OpenSerial("/dev/ttyS999"); !errors.Is(err, hw.ErrAbsent) || !strings.Contains(err.Error(), "enable_uart=1") {
		t.Errorf("error %v", err)
	}
	if _, err := OpenSerial("/dev/null"); err == nil || !strings.Contains(err.Error(), "/dev/null is no serial line") {
		t.Errorf("error %v", err)
	}
}
