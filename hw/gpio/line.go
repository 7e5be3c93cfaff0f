package gpio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"borne/hw"

	"github.com/warthog618/go-gpiocdev/uapi"
	"golang.org/x/sys/unix"
)

// consumer is who the kernel says holds our lines (gpioinfo shows it).
const consumer = "borne"

// Bias is the pull of a line.
type Bias uint8

// Biases. The zero value leaves what is set.
const (
	BiasAsIs Bias = iota
	BiasUp
	BiasDown
	BiasOff
)

// config is what is asked of a line in one request: direction, first value,
// polarity and pull take effect together, so that an output never shows
// another level in between.
type config struct {
	output    bool
	value     bool // of an output, in its own polarity
	activeLow bool
	bias      Bias
	edges     bool
	debounce  time.Duration
}

func (c config) uapi() uapi.LineConfig {
	var out uapi.LineConfig
	out.Flags = uapi.LineFlagV2Input
	if c.output {
		out.Flags = uapi.LineFlagV2Output
		v := uapi.OutputValues(uapi.LineBitmap(0))
		if c.value {
			v = uapi.OutputValues(uapi.LineBitmap(1))
		}
		out.AddAttribute(uapi.LineConfigAttribute{Attr: v.Encode(), Mask: 1})
	}
	if c.activeLow {
		out.Flags |= uapi.LineFlagV2ActiveLow
	}
	if c.edges {
		out.Flags |= uapi.LineFlagV2EdgeBoth
	}
	switch c.bias {
	case BiasUp:
		out.Flags |= uapi.LineFlagV2BiasPullUp
	case BiasDown:
		out.Flags |= uapi.LineFlagV2BiasPullDown
	case BiasOff:
		out.Flags |= uapi.LineFlagV2BiasDisabled
	}
	if c.debounce > 0 {
		out.AddAttribute(uapi.LineConfigAttribute{Attr: uapi.DebouncePeriod(c.debounce).Encode(), Mask: 1})
	}
	return out
}

// wire is a requested line, as Output and Input see it.
type wire interface {
	Get() (bool, error)
	Set(bool) error
	// Edge waits for an edge at most so long and says when it happened, on the
	// monotonic clock; without one ok is false.
	Edge(wait time.Duration) (at time.Duration, ok bool, err error)
	Close() error
}

// line is a wire over the kernel's character device, uAPI v2 (Linux 5.10).
//
// It reads events itself, through the runtime's poller, rather than by
// go-gpiocdev's watcher: that one spins at full speed once its chip is gone
// (a hang-up that no read clears), and costs a thread a line.
type line struct {
	f      *os.File
	chip   string // its label
	closed atomic.Bool

	mu    sync.Mutex // events between batches
	queue []time.Duration
}

// request asks for the line of an address.
func request(a Address, c config) (*line, error) {
	ch, err := findChip(a.Chip)
	if err != nil {
		return nil, err
	}
	defer ch.close()
	o, err := ch.offset(a.Line)
	if err != nil {
		return nil, err
	}
	r := uapi.LineRequest{Lines: 1, Config: c.uapi()}
	r.Offsets[0] = uint32(o)
	copy(r.Consumer[:len(r.Consumer)-1], consumer)
	if err := uapi.GetLine(ch.f.Fd(), &r); err != nil {
		return nil, refused(ch, o, err)
	}
	if err := unix.SetNonblock(int(r.Fd), true); err != nil {
		return nil, errors.Join(err, unix.Close(int(r.Fd)))
	}
	return &line{f: os.NewFile(uintptr(r.Fd), a.String()), chip: ch.label}, nil
}

// refused says why a line cannot be had.
func refused(c *chip, offset int, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY):
		holder := "another program or the kernel"
		if info, ierr := uapi.GetLineInfoV2(c.f.Fd(), offset); ierr == nil && info.Consumer[0] != 0 {
			holder = fmt.Sprintf("%q", text(info.Consumer[:]))
		}
		return fmt.Errorf("line %d of chip %s is in use by %s; use another pin, or remove what uses it (an overlay in config.txt?): %w", offset, c, holder, err)
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return denied(err)
	}
	return fmt.Errorf("the kernel refuses line %d of chip %s: %w", offset, c, err)
}

// control runs one ioctl on the line.
func (l *line) control(f func(fd uintptr) error) error {
	conn, err := l.f.SyscallConn()
	if err != nil {
		return l.lost(err)
	}
	var inner error
	if err := conn.Control(func(fd uintptr) { inner = f(fd) }); err != nil {
		return l.lost(err)
	}
	return l.lost(inner)
}

// lost turns what the system says of a line that is gone into hw's errors. The
// kernel answers ENODEV once the chip was unbound or unplugged.
func (l *line) lost(err error) error {
	switch {
	case err == nil:
		return nil
	case l.closed.Load(): // the runtime has several errors for it, and does not export all
		return hw.ErrClosed
	case errors.Is(err, unix.ENODEV), errors.Is(err, unix.ENXIO):
		return fmt.Errorf("%w: its GPIO chip is gone: %w", hw.ErrAbsent, err)
	}
	return err
}

// Get reads the line's level, in its polarity.
func (l *line) Get() (bool, error) {
	v := uapi.LineValues{Mask: 1}
	err := l.control(func(fd uintptr) error { return uapi.GetLineValuesV2(fd, &v) })
	return v.Get(0) == 1, err
}

// Set drives the line, in its polarity.
func (l *line) Set(on bool) error {
	v := uapi.LineValues{Mask: 1}
	if on {
		v.Bits = 1
	}
	return l.control(func(fd uintptr) error { return uapi.SetLineValuesV2(fd, v) })
}

// configure changes the line without giving it up.
func (l *line) configure(c config) error {
	u := c.uapi()
	return l.control(func(fd uintptr) error { return uapi.SetLineConfigV2(fd, &u) })
}

// Sizes of struct gpio_v2_line_event (linux/gpio.h), and how many the kernel
// keeps for a line.
const (
	eventSize  = 48
	eventQueue = 16
)

// Edge implements wire.
func (l *line) Edge(wait time.Duration) (time.Duration, bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 {
		// The poller does not even look once a deadline has passed.
		if err := l.f.SetReadDeadline(time.Now().Add(max(wait, time.Millisecond))); err != nil {
			return 0, false, l.lost(err)
		}
		var buf [eventSize * eventQueue]byte
		n, err := l.f.Read(buf[:])
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return 0, false, nil
		case err != nil:
			return 0, false, l.lost(err)
		}
		l.queue = stamps(buf[:n])
		if len(l.queue) == 0 {
			return 0, false, fmt.Errorf("the kernel gave an event of %d bytes", n)
		}
	}
	at := l.queue[0]
	l.queue = l.queue[1:]
	return at, true, nil
}

// stamps takes the times of a batch of events.
func stamps(b []byte) []time.Duration {
	var out []time.Duration
	for ; len(b) >= eventSize; b = b[eventSize:] {
		out = append(out, time.Duration(binary.NativeEndian.Uint64(b)))
	}
	return out
}

// interrupt ends an Edge that waits, as if its time had passed.
func (l *line) interrupt() error { return l.lost(l.f.SetReadDeadline(time.Now())) }

// Close gives the line back to the kernel.
func (l *line) Close() error {
	if l.closed.Swap(true) {
		return nil
	}
	return l.f.Close()
}

// monotonic is the clock of the kernel's events (CLOCK_MONOTONIC since Linux 5.7).
func monotonic() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts); err != nil {
		return 0
	}
	return time.Duration(ts.Nano())
}
