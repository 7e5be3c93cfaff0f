package mfrc522

import (
	"fmt"
	"sync"

	"borne/hw"

	"periph.io/x/conn/v3/spi"
)

// bus speaks registers over SPI (8.1.2). Its buffers see every byte of a UID,
// so each transfer leaves them zeroed.
type bus struct {
	mu     sync.Mutex // Close may come from another goroutine than Next
	port   spi.PortCloser
	conn   spi.Conn
	closed bool
	w, r   [fifoSize + 1]byte
}

// tx sends the first n bytes of b.w and fills b.r; mu is held.
func (b *bus) tx(n int, read bool) error {
	if b.closed {
		return hw.ErrClosed
	}
	r := b.r[:n]
	if !read {
		r = nil
	}
	if err := b.conn.Tx(b.w[:n], r); err != nil {
		return fmt.Errorf("cannot talk on SPI: %w", err)
	}
	return nil
}

func (b *bus) wipe(n int) {
	clear(b.w[:n])
	clear(b.r[:n])
}

// write writes all of v to one register (8.1.2.2).
func (b *bus) write(reg byte, v ...byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.w[0] = reg << 1
	n := 1 + copy(b.w[1:], v)
	defer b.wipe(n)
	return b.tx(n, false)
}

// read reads one register len(dst) times (8.1.2.1): the answer to each address
// byte arrives with the next byte.
func (b *bus) read(reg byte, dst []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := len(dst) + 1
	for i := range len(dst) {
		b.w[i] = reg<<1 | 0x80
	}
	b.w[n-1] = 0
	defer b.wipe(n)
	if err := b.tx(n, true); err != nil {
		return err
	}
	copy(dst, b.r[1:n])
	return nil
}

func (b *bus) readOne(reg byte) (byte, error) {
	var v [1]byte
	err := b.read(reg, v[:])
	return v[0], err
}

func (b *bus) writeAll(s []setting) error {
	for _, x := range s {
		if err := b.write(x.reg, x.val); err != nil {
			return err
		}
	}
	return nil
}

// close closes the port once; later transfers fail with hw.ErrClosed.
func (b *bus) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	b.closed = true
	return b.port.Close()
}
