package pn532

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"sync"

	"borne/hw"

	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// wire carries frames. Its buffers see every byte of a UID, so that each transfer
// leaves them zeroed.
type wire interface {
	send(frame []byte) error
	// poll reads a frame into dst when the chip has one; 0: not yet.
	poll(dst []byte) (int, error)
	// wake is what the chip needs after power-up and sleep, before a command.
	wake() error
	// forget drops what was received and not yet taken.
	forget() error
	Close() error
}

// bus guards a wire: Close may come from another goroutine than Next.
type bus struct {
	mu     sync.Mutex
	wire   wire
	closed bool
}

func (b *bus) do(f func() error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return hw.ErrClosed
	}
	return f()
}

func (b *bus) send(frame []byte) error { return b.do(func() error { return b.wire.send(frame) }) }

func (b *bus) poll(dst []byte) (n int, err error) {
	err = b.do(func() error {
		n, err = b.wire.poll(dst)
		return err
	})
	return n, err
}

// close says goodbye and closes the wire, once; later transfers fail with hw.ErrClosed.
func (b *bus) close(goodbye []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	// The chip may be gone: only the port's own error matters to the caller.
	_ = b.wire.send(goodbye)
	return b.wire.Close()
}

// spiWire: UM0701-02, 6.2.5. The chip sends and takes the lowest bit first, which
// few controllers can (the BCM2835's cannot): bytes are mirrored here.
type spiWire struct {
	port spi.PortCloser
	conn spi.Conn
	w, r [maxFrame + 1]byte
}

// First byte of each transfer.
const (
	spiWrite  = 0x01
	spiStatus = 0x02
	spiRead   = 0x03
)

func newSPI(port spi.PortCloser, f physic.Frequency) (*spiWire, error) {
	c, err := port.Connect(f, spi.Mode0, 8)
	if err != nil {
		return nil, err
	}
	return &spiWire{port: port, conn: c}, nil
}

// tx sends op and out, or reads into in.
func (s *spiWire) tx(op byte, out, in []byte) error {
	n := 1 + max(len(out), len(in))
	if n > len(s.w) {
		return fmt.Errorf("cannot transfer %d bytes: the limit is %d", n, len(s.w))
	}
	defer func() {
		clear(s.w[:n])
		clear(s.r[:n])
	}()
	s.w[0] = bits.Reverse8(op)
	for i, x := range out {
		s.w[1+i] = bits.Reverse8(x)
	}
	if err := s.conn.Tx(s.w[:n], s.r[:n]); err != nil {
		return fmt.Errorf("cannot talk on SPI: %w", err)
	}
	for i := range in {
		in[i] = bits.Reverse8(s.r[1+i])
	}
	return nil
}

func (s *spiWire) send(frame []byte) error { return s.tx(spiWrite, frame, nil) }

func (s *spiWire) poll(dst []byte) (int, error) {
	var status [1]byte
	// 0x01 alone is ready: 0xFF is a line that nothing drives.
	if err := s.tx(spiStatus, nil, status[:]); err != nil || status[0] != 0x01 {
		return 0, err
	}
	return len(dst), s.tx(spiRead, nil, dst)
}

// wake: chip select alone does it; the chip needs 2 ms then.
func (s *spiWire) wake() error {
	var status [1]byte
	return s.tx(spiStatus, nil, status[:])
}

func (s *spiWire) forget() error { return nil }
func (s *spiWire) Close() error  { return s.port.Close() }

// i2cAddress is 0x48 with its read bit cut off (UM0701-02, 6.2.4).
const i2cAddress = 0x24

// errAddress is what a chip that restarts looks like, and one that is not there:
// periph does not tell a byte that was not acknowledged from other failures.
var errAddress = fmt.Errorf("%w at I²C address 0x%02X", errChip, i2cAddress)

// i2cWire: each answer begins with a byte that says whether there is one.
type i2cWire struct {
	bus i2c.BusCloser
	r   [maxFrame + 1]byte
}

func (w *i2cWire) tx(out, in []byte) error {
	if err := w.bus.Tx(i2cAddress, out, in); err != nil {
		return fmt.Errorf("%w: cannot talk on I²C: %w", errAddress, err)
	}
	return nil
}

func (w *i2cWire) send(frame []byte) error { return w.tx(frame, nil) }

func (w *i2cWire) poll(dst []byte) (int, error) {
	var status [1]byte
	if err := w.tx(nil, status[:]); err != nil || status[0] != 0x01 {
		return 0, err
	}
	n := len(dst) + 1
	defer clear(w.r[:n])
	if err := w.tx(nil, w.r[:n]); err != nil || w.r[0] != 0x01 {
		return 0, err
	}
	return copy(dst, w.r[1:n]), nil
}

// wake: its own address wakes the chip, which may not acknowledge it then.
func (w *i2cWire) wake() error {
	var status [1]byte
	_ = w.tx(nil, status[:])
	return nil
}

func (w *i2cWire) forget() error { return nil }
func (w *i2cWire) Close() error  { return w.bus.Close() }

// Serial is a serial line at 115200 bauds, 8N1. Read returns at once, with 0 bytes
// when none has come.
type Serial interface {
	io.ReadWriteCloser
	String() string
}

// uartWire finds frames in a stream (UM0701-02, 6.2.3).
type uartWire struct {
	line Serial
	n    int
	in   [2 * maxFrame]byte
}

func (w *uartWire) write(b []byte) error {
	n, err := w.line.Write(b)
	if err == nil && n != len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("cannot talk on the serial line: %w", err)
	}
	return nil
}

func (w *uartWire) send(frame []byte) error { return w.write(frame) }

// fill takes what has come.
func (w *uartWire) fill() (int, error) {
	n, err := w.line.Read(w.in[w.n:])
	if err != nil && !errors.Is(err, io.EOF) {
		return 0, fmt.Errorf("cannot talk on the serial line: %w", err)
	}
	w.n += n
	return n, nil
}

// drop forgets the first n bytes.
func (w *uartWire) drop(n int) {
	rest := copy(w.in[:], w.in[n:w.n])
	clear(w.in[rest:w.n])
	w.n = rest
}

func (w *uartWire) poll(dst []byte) (int, error) {
	if _, err := w.fill(); err != nil {
		return 0, err
	}
	skip, n := span(w.in[:w.n])
	if n == 0 {
		w.drop(skip) // noise: never more than a frame's worth is kept
		return 0, nil
	}
	defer w.drop(skip + n)
	if n > len(dst) {
		return 0, fmt.Errorf("%w: a frame of %d bytes where %d are the most", errChip, n, len(dst))
	}
	return copy(dst, w.in[skip:skip+n]), nil
}

// wake: HSU needs edges and then silence for the oscillator: 0x55 and a long
// preamble, as long as 2 ms take at 115200 bauds (AN10609, HSU wake-up).
func (w *uartWire) wake() error {
	b := make([]byte, 2+24)
	b[0], b[1] = 0x55, 0x55
	return w.write(b)
}

func (w *uartWire) forget() error {
	w.drop(w.n)
	for range 64 { // more is no chip's
		n, err := w.fill()
		if w.drop(w.n); n == 0 || err != nil {
			return err
		}
	}
	return nil
}

func (w *uartWire) Close() error { return w.line.Close() }
