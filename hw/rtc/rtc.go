// Package rtc reads and sets real-time clocks (/dev/rtcN), has them wake the
// machine, and says whether what they read can be trusted.
//
// Reading and waking go through sysfs, which several programs may use at once;
// the node, which only one may hold, is opened for a moment to set the time and
// to ask about the battery. Clocks are in UTC.
package rtc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"borne/hw"

	"golang.org/x/sys/unix"
)

// PathPattern is what a clock's node is called.
const PathPattern = `/dev/rtc[0-9]{1,2}`

// kernel is what a clock is asked through; the tests' own has a kernel's manners.
type kernel interface {
	// Get and Set reach an attribute in sysfs (Documentation/ABI/testing/sysfs-class-rtc).
	Get(attribute string) (string, error)
	Set(attribute, value string) error
	// SetTime and Voltage are RTC_SET_TIME and RTC_VL_READ on the node.
	SetTime(time.Time) error
	Voltage() (uint32, error)
}

// RTC is one real-time clock. It holds nothing open.
type RTC struct {
	path string
	k    kernel
	now  func() time.Time
}

// Open finds the clock of a node.
func Open(path string) (*RTC, error) {
	if !regexp.MustCompile("^" + PathPattern + "$").MatchString(path) {
		return nil, fmt.Errorf("cannot open clock %q: write /dev/rtc0 or another /dev/rtcN", path)
	}
	r := &RTC{path: path, k: linux{dev: path, sys: filepath.Join("/sys/class/rtc", filepath.Base(path))}, now: time.Now}
	if _, err := r.k.Get("name"); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("cannot open clock %s: %w: the kernel knows none of that name; this board may have no real-time clock, or its overlay is missing in config.txt (dtoverlay=i2c-rtc,…)", path, hw.ErrAbsent)
		}
		return nil, fmt.Errorf("cannot open clock %s: %w", path, err)
	}
	return r, nil
}

// String returns the clock's node.
func (r *RTC) String() string { return r.path }

// Driver is the name of the clock's driver and device, such as "rtc-ds1307 1-0068".
func (r *RTC) Driver() (string, error) {
	s, err := r.k.Get("name")
	if err != nil {
		return "", fmt.Errorf("cannot read clock %s: %w", r.path, err)
	}
	return s, nil
}

// Time reads the clock.
func (r *RTC) Time() (time.Time, error) {
	s, err := r.k.Get("since_epoch")
	if errors.Is(err, unix.EINVAL) {
		return time.Time{}, fmt.Errorf("cannot read clock %s: it has lost its time; replace its battery, and let NTP set it: %w", r.path, err)
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot read clock %s: %w", r.path, err)
	}
	t, err := epoch(s)
	if err != nil {
		return t, fmt.Errorf("cannot read clock %s: %w", r.path, err)
	}
	return t, nil
}

// epoch reads seconds since 1970, of a time that a clock may have.
func epoch(s string) (time.Time, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > 1<<33 {
		return time.Time{}, fmt.Errorf("%.24q is no time", s)
	}
	return time.Unix(n, 0).UTC(), nil
}

// readBack is how far a clock that was just set may read from what was set.
const readBack = 2 * time.Second

// SetTime sets the clock, and reads it back.
func (r *RTC) SetTime(t time.Time) error {
	t = t.UTC().Truncate(time.Second)
	if err := r.k.SetTime(t); err != nil {
		return fmt.Errorf("cannot set clock %s: %w", r.path, explain(err))
	}
	got, err := r.Time()
	if err != nil {
		return err
	}
	if d := got.Sub(t); d < 0 || d > readBack {
		return fmt.Errorf("cannot set clock %s: it reads %s right after it was set to %s; replace it", r.path, got.Format(time.DateTime), t.Format(time.DateTime))
	}
	return nil
}

// explain adds the fix to errors of the system that have one.
func explain(err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("another program holds it: %w", err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w; it needs root, or a udev rule that gives it to the agent's group", err)
	}
	return err
}

// linux is the kernel.
type linux struct{ sys, dev string }

// attributeSize bounds what an attribute may hold.
const attributeSize = 256

func (l linux) Get(attribute string) (string, error) {
	f, err := os.Open(filepath.Join(l.sys, attribute))
	if err != nil {
		return "", err
	}
	defer f.Close()
	var b [attributeSize]byte
	n, err := f.Read(b[:])
	if err != nil && err != io.EOF { // an alarm that is not set is empty
		return "", err
	}
	return strings.TrimSpace(string(b[:n])), nil
}

func (l linux) Set(attribute, value string) error {
	f, err := os.OpenFile(filepath.Join(l.sys, attribute), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

// rtcVLRead is _IOR('p', 0x13, unsigned int) of linux/rtc.h.
const rtcVLRead = 2<<30 | 4<<16 | 'p'<<8 | 0x13

func (l linux) Voltage() (flags uint32, err error) {
	err = l.node(func(fd int) error {
		if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), rtcVLRead, uintptr(unsafe.Pointer(&flags))); errno != 0 {
			return errno
		}
		return nil
	})
	return flags, err
}

func (l linux) SetTime(t time.Time) error {
	return l.node(func(fd int) error {
		return unix.IoctlSetRTCTime(fd, &unix.RTCTime{
			Sec: int32(t.Second()), Min: int32(t.Minute()), Hour: int32(t.Hour()),
			Mday: int32(t.Day()), Mon: int32(t.Month()) - 1, Year: int32(t.Year()) - 1900, // as in struct tm
		})
	})
}

// node opens the clock's node for a moment.
func (l linux) node(f func(fd int) error) error {
	fd, err := unix.Open(l.dev, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &fs.PathError{Op: "open", Path: l.dev, Err: err}
	}
	return errors.Join(f(fd), unix.Close(fd))
}
