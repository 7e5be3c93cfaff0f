// Package watchdog drives the kernel's watchdogs (/dev/watchdogN): a timer in
// hardware that restarts the machine unless it is fed.
//
// Opening one starts it. Close stops it, if the kernel lets it be stopped
// (nowayout=0); a process that dies without Close leaves it running, which is
// what it is for.
package watchdog

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
	"unsafe"

	"borne/hw"

	"golang.org/x/sys/unix"
)

// PathPattern is what a watchdog's node is called.
const PathPattern = `/dev/watchdog[0-9]{1,2}`

// Limits of a timeout. The Raspberry Pi's hardware stops at 15 s; under a few
// seconds a busy SD card looks like a hang.
const (
	MinTimeout     = 5 * time.Second
	MaxTimeout     = 10 * time.Minute
	DefaultTimeout = 15 * time.Second
)

// Cause is why the machine started, as far as its watchdog knows: the flags of
// WDIOC_GETBOOTSTATUS. Zero: nothing to tell.
type Cause uint32

// Causes (WDIOF_… in linux/watchdog.h).
const (
	CauseOverheat   Cause = 0x0001
	CauseUnderPower Cause = 0x0010
	CauseReset      Cause = 0x0020 // the watchdog fired
	CauseOverPower  Cause = 0x0040
)

// String names the causes in English, for logs.
func (c Cause) String() string {
	var out []string
	for _, n := range []struct {
		c    Cause
		name string
	}{{CauseReset, "watchdog fired"}, {CauseOverheat, "overheating"}, {CauseUnderPower, "power too low"}, {CauseOverPower, "power too high"}} {
		if c&n.c != 0 {
			out = append(out, n.name)
		}
	}
	if rest := c &^ (CauseOverheat | CauseUnderPower | CauseReset | CauseOverPower); rest != 0 {
		out = append(out, fmt.Sprintf("flags 0x%x", uint32(rest)))
	}
	if len(out) == 0 {
		return "not told"
	}
	return strings.Join(out, ", ")
}

// Options tune a watchdog.
type Options struct {
	Name    string        // for errors; default: the path
	Timeout time.Duration // it fires when not fed so long; MinTimeout to MaxTimeout; default 15 s
}

// Watchdog is a watchdog that runs. Safe for concurrent use.
type Watchdog struct {
	name     string
	sys      string // its folder in sysfs
	identity string
	timeout  time.Duration
	cause    Cause
	magic    bool // it can be stopped by a V

	mu     sync.Mutex
	f      *os.File
	closed bool
}

// Open starts the watchdog at path.
func Open(path string, opts Options) (*Watchdog, error) {
	if opts.Name == "" {
		opts.Name = path
	}
	if opts.Timeout == 0 {
		opts.Timeout = DefaultTimeout
	}
	fail := func(err error) (*Watchdog, error) {
		return nil, fmt.Errorf("cannot open watchdog %s: %w", opts.Name, err)
	}
	switch {
	case !regexp.MustCompile("^" + PathPattern + "$").MatchString(path):
		return fail(fmt.Errorf("%q is no watchdog; write /dev/watchdog0 or another /dev/watchdogN", path))
	case opts.Timeout < MinTimeout || opts.Timeout > MaxTimeout:
		return fail(fmt.Errorf("option timeout is %v; it must be between %v and %v", opts.Timeout, MinTimeout, MaxTimeout))
	}
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fail(fmt.Errorf("%w: %s does not exist; enable it (dtparam=watchdog=on in config.txt on a Pi), or remove it from the configuration", hw.ErrAbsent, path))
	case errors.Is(err, unix.EBUSY):
		return fail(fmt.Errorf("another program feeds it already; is it systemd (RuntimeWatchdogSec in system.conf)? Leave it to one of the two: %w", err))
	case errors.Is(err, fs.ErrPermission):
		return fail(fmt.Errorf("%w; give %s to the agent's user with a udev rule", err, path))
	case err != nil:
		return fail(err)
	}
	w := &Watchdog{name: opts.Name, sys: filepath.Join("/sys/class/watchdog", filepath.Base(path)), f: f}
	if err := w.start(opts.Timeout); err != nil {
		return fail(errors.Join(err, w.Close())) // it runs since it was opened
	}
	return w, nil
}

// start reads what the watchdog is and sets its time.
func (w *Watchdog) start(timeout time.Duration) error {
	var info struct {
		options, firmware uint32
		identity          [32]byte
	}
	if err := w.ioctl(wdiocGetSupport, unsafe.Pointer(&info)); err != nil {
		return fmt.Errorf("it is no watchdog: %w", err)
	}
	name, _, _ := bytes.Cut(info.identity[:], []byte{0})
	w.identity = strings.ToValidUTF8(string(name), "?")
	w.magic = info.options&wdiofMagicClose != 0
	var cause int32
	if err := w.ioctl(wdiocGetBootStatus, unsafe.Pointer(&cause)); err == nil { // not all have it
		w.cause = Cause(cause)
	}
	// Hardware rounds, and stops at what it can count: what it says then holds.
	seconds := int32(timeout / time.Second)
	if err := w.ioctl(wdiocSetTimeout, unsafe.Pointer(&seconds)); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("it does not take a timeout of %v; give a shorter one (a Raspberry Pi's stops at 15s): %w", timeout, err)
	}
	if err := w.ioctl(wdiocGetTimeout, unsafe.Pointer(&seconds)); err != nil {
		return fmt.Errorf("it does not tell its timeout: %w", err)
	}
	w.timeout = time.Duration(seconds) * time.Second
	if w.timeout < time.Second {
		return fmt.Errorf("it fires after %v, too soon to be fed", w.timeout)
	}
	return nil
}

// Identity is the name of the watchdog's hardware.
func (w *Watchdog) Identity() string { return w.identity }

// Timeout is how long it waits for food: what the hardware took, not what was asked.
func (w *Watchdog) Timeout() time.Duration { return w.timeout }

// Cause is why the machine started last.
func (w *Watchdog) Cause() Cause { return w.cause }

// Feed keeps it from firing for one more timeout.
func (w *Watchdog) Feed() error {
	var none int32
	if err := w.ioctl(wdiocKeepAlive, unsafe.Pointer(&none)); err != nil {
		return fmt.Errorf("cannot feed watchdog %s: %w", w.name, err)
	}
	return nil
}

// Close stops it. An error means that it may still run, and then the machine
// restarts within Timeout.
func (w *Watchdog) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return nil
	}
	w.closed = true
	_, err := w.f.Write([]byte("V")) // the magic character, last before closing
	err = errors.Join(err, w.f.Close())
	if err != nil {
		return fmt.Errorf("cannot stop watchdog %s: %w", w.name, err)
	}
	if s, rerr := os.ReadFile(filepath.Join(w.sys, "state")); rerr == nil && strings.TrimSpace(string(s)) == "active" {
		return fmt.Errorf("cannot stop watchdog %s: the kernel does not let it be stopped (nowayout), and it fires in %v unless somebody opens it", w.name, w.timeout)
	} else if rerr != nil && !w.magic {
		return fmt.Errorf("cannot stop watchdog %s: it knows no magic close, and may fire in %v", w.name, w.timeout)
	}
	return nil
}

// Numbers of linux/watchdog.h: _IOR or _IOWR('W', nr, …).
const (
	wdiocGetSupport    = 2<<30 | 40<<16 | 'W'<<8 // nr 0
	wdiocGetBootStatus = 2<<30 | 4<<16 | 'W'<<8 | 2
	wdiocKeepAlive     = 2<<30 | 4<<16 | 'W'<<8 | 5
	wdiocSetTimeout    = 3<<30 | 4<<16 | 'W'<<8 | 6
	wdiocGetTimeout    = 2<<30 | 4<<16 | 'W'<<8 | 7

	wdiofMagicClose = 0x0100
)

func (w *Watchdog) ioctl(request uintptr, arg unsafe.Pointer) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return hw.ErrClosed
	}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, w.f.Fd(), request, uintptr(arg)); errno != 0 {
		return errno
	}
	return nil
}
