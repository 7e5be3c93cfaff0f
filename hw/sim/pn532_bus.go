package sim

import (
	"errors"
	"fmt"
	"math/bits"
	"syscall"
	"time"

	"borne/hw"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// pnPort is one opened bus of the chip.
type pnPort struct {
	chip   *PN532
	life   int
	closed bool
}

func (c *PN532) openPort() (*pnPort, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.plugged {
		return nil, fmt.Errorf("cannot open sim:pn532: %w: the reader is unplugged; plug it in on the bench", hw.ErrAbsent)
	}
	c.ports++
	return &pnPort{chip: c, life: c.life}, nil
}

func (p *pnPort) String() string { return "sim:pn532" }

// Close closes the port.
func (p *pnPort) Close() error {
	p.chip.mu.Lock()
	defer p.chip.mu.Unlock()
	if p.closed {
		return errors.New("cannot close the port twice")
	}
	p.closed = true
	p.chip.ports--
	p.chip.unblocked.Broadcast()
	return nil
}

// transfer spends the time that n bytes take and lets f have the chip, unless the
// bus fails.
func (p *pnPort) transfer(took time.Duration, f func(now time.Duration)) error {
	c := p.chip
	c.mu.Lock()
	stretch := c.faults.Stretch
	c.mu.Unlock()
	if a, ok := c.clk.(advancer); ok {
		a.Advance(transferOverhead + took + stretch)
	}
	now := c.clk.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.faults.BlockBus && !p.closed && c.plugged {
		c.unblocked.Wait()
		now = c.clk.Now()
	}
	c.transfers++
	switch {
	case p.closed:
		return syscall.EBADF
	case !c.plugged || p.life != c.life:
		return syscall.EIO
	case c.faults.BusError != nil:
		return c.faults.BusError
	}
	if c.faults.BrownOutAt > 0 {
		if c.faults.BrownOutAt--; c.faults.BrownOutAt == 0 {
			c.reset(now)
		}
	}
	f(now)
	return nil
}

// stuck overwrites what a line that is stuck would read as.
func (c *PN532) stuck(b []byte) {
	if c.faults.StuckMISO {
		for i := range b {
			b[i] = c.faults.MISOLevel
		}
	}
}

// OpenSPI opens the chip's SPI port; it fails while it is unplugged.
func (c *PN532) OpenSPI() (spi.PortCloser, error) {
	p, err := c.openPort()
	if err != nil {
		return nil, err
	}
	return &pnSPI{pnPort: p}, nil
}

type pnSPI struct {
	*pnPort
	freq physic.Frequency
}

func (p *pnSPI) LimitSpeed(f physic.Frequency) error {
	if f <= 0 {
		return fmt.Errorf("cannot limit the port's speed to %s", f)
	}
	return nil
}

// Connect refuses what the chip, or the Pi's controller, cannot do.
func (p *pnSPI) Connect(f physic.Frequency, mode spi.Mode, b int) (spi.Conn, error) {
	if p.freq != 0 || f <= 0 || f > 5*physic.MegaHertz || mode != spi.Mode0 || b != 8 {
		return nil, fmt.Errorf("cannot connect at %s, %s, %d bits: the chip takes at most 5MHz, Mode0, 8 bits, once", f, mode, b)
	}
	p.freq = f
	return p, nil
}

func (p *pnSPI) Duplex() conn.Duplex { return conn.Full }

func (p *pnSPI) TxPackets(pk []spi.Packet) error {
	for _, k := range pk {
		if err := p.Tx(k.W, k.R); err != nil {
			return err
		}
	}
	return nil
}

// Tx is one transfer with chip select asserted, lowest bit first (6.2.5).
func (p *pnSPI) Tx(w, r []byte) error {
	if len(w) == 0 || len(r) != 0 && len(r) != len(w) {
		return fmt.Errorf("cannot transfer %d bytes out and %d in", len(w), len(r))
	}
	return p.transfer(p.freq.Period()*time.Duration(8*len(w)), func(now time.Duration) {
		c := p.chip
		clear(r)
		if c.stir(now) {
			switch bits.Reverse8(w[0]) {
			case 0x01:
				b := make([]byte, len(w)-1)
				for i, x := range w[1:] {
					b[i] = bits.Reverse8(x)
				}
				c.take(b, now)
			case 0x02:
				if len(r) > 1 && c.ready(now, false) != nil {
					r[1] = bits.Reverse8(0x01)
				}
			case 0x03:
				if len(r) > 1 {
					for i, x := range c.ready(now, true) {
						if 1+i < len(r) {
							r[1+i] = bits.Reverse8(x)
						}
					}
				}
			}
		}
		c.stuck(r)
	})
}

// OpenI2C opens the chip's I²C bus; it fails while it is unplugged.
func (c *PN532) OpenI2C() (i2c.BusCloser, error) {
	p, err := c.openPort()
	if err != nil {
		return nil, err
	}
	return pnI2C{p}, nil
}

type pnI2C struct{ *pnPort }

func (p pnI2C) SetSpeed(physic.Frequency) error { return nil }

// Tx is a write, or a read that begins with the ready byte (6.2.4).
func (p pnI2C) Tx(addr uint16, w, r []byte) error {
	if addr != 0x24 {
		return syscall.EREMOTEIO
	}
	heard := true
	err := p.transfer(time.Duration(9*(1+len(w)+len(r)))*10*time.Microsecond, func(now time.Duration) {
		c := p.chip
		clear(r)
		if heard = c.stir(now); !heard {
			return
		}
		if len(w) > 0 {
			c.take(w, now)
		}
		if len(r) > 0 && c.ready(now, false) != nil {
			r[0] = 0x01
			if len(r) > 1 { // the ready byte alone takes nothing
				copy(r[1:], c.ready(now, true))
			}
		}
		c.stuck(r)
	})
	if err == nil && !heard {
		return syscall.EREMOTEIO // it does not acknowledge its address yet
	}
	return err
}

// OpenUART opens the chip's serial line; it fails while it is unplugged.
func (c *PN532) OpenUART() (*PN532Line, error) {
	p, err := c.openPort()
	if err != nil {
		return nil, err
	}
	return &PN532Line{pnPort: p}, nil
}

// PN532Line is the serial line to a chip. Read returns what has come, at once.
type PN532Line struct {
	*pnPort
	in   []byte // towards the chip
	rest []byte // from it, not yet read
}

// Write sends bytes at 115200 bauds. Those that come while the chip wakes are lost.
func (p *PN532Line) Write(b []byte) (int, error) {
	const perByte = 87 * time.Microsecond
	err := p.transfer(perByte*time.Duration(len(b)), func(now time.Duration) {
		if !p.chip.stir(now) {
			return
		}
		p.in = append(p.in, b...)
		for {
			for len(p.in) > 2 && (p.in[0] != 0 || p.in[1] != 0 || p.in[2] != 0xFF) {
				p.in = p.in[1:]
			}
			if len(p.in) < 6 {
				return
			}
			n := 6
			if p.in[3]+p.in[4] == 0 {
				n = 7 + int(p.in[3])
			}
			if len(p.in) < n {
				return
			}
			if p.in[3] == 0 { // an ACK: what was to be said is not said
				p.rest = nil
			}
			p.chip.take(p.in[:n], now)
			p.in = p.in[n:]
		}
	})
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

func (p *PN532Line) Read(b []byte) (n int, err error) {
	err = p.transfer(0, func(now time.Duration) {
		for f := p.chip.ready(now, true); f != nil; f = p.chip.ready(now, true) {
			p.rest = append(p.rest, f...)
		}
		if p.chip.faults.StuckMISO { // a line that is stuck carries no start bits, or breaks
			n = min(len(b), 4)
			p.chip.stuck(b[:n])
			return
		}
		n = copy(b, p.rest)
		p.rest = p.rest[n:]
	})
	return n, err
}

// ResetPin returns the chip's RSTPDN line.
func (c *PN532) ResetPin() gpio.PinOut { return &resetPin{chip: c} }

func (c *PN532) state() ReaderState {
	now := c.clk.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	return ReaderState{Plugged: c.plugged, Open: c.ports > 0, Field: c.plugged && c.field, UIDs: c.uids(now)}
}
