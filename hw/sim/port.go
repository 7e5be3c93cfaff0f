package sim

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"borne/hw"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/pin"
	"periph.io/x/conn/v3/spi"
)

// portName is how the simulated port names itself.
const portName = "sim:mfrc522"

// transferOverhead is what a transfer costs besides its bits on a Pi (one ioctl).
const transferOverhead = 20 * time.Microsecond

// advancer is a clock on which somebody has to spend the time that things take.
type advancer interface{ Advance(time.Duration) }

// Open opens the SPI port that the chip is on; it fails while it is unplugged.
func (c *MFRC522) Open() (spi.PortCloser, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.plugged {
		return nil, fmt.Errorf("cannot open %s: %w: the reader is unplugged; plug it in on the bench", portName, hw.ErrAbsent)
	}
	c.ports++
	return &port{chip: c, life: c.life}, nil
}

// port implements spi.PortCloser and, once connected, spi.Conn.
type port struct {
	chip      *MFRC522
	life      int
	freq      physic.Frequency
	limit     physic.Frequency
	connected bool
	closed    bool
}

func (p *port) String() string { return portName }

func (p *port) Close() error {
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

func (p *port) LimitSpeed(f physic.Frequency) error {
	if f <= 0 {
		return fmt.Errorf("cannot limit the port's speed to %s", f)
	}
	p.chip.mu.Lock()
	defer p.chip.mu.Unlock()
	p.limit = f
	return nil
}

// Connect refuses what the chip cannot do (8.1.2).
func (p *port) Connect(f physic.Frequency, mode spi.Mode, bits int) (spi.Conn, error) {
	p.chip.mu.Lock()
	defer p.chip.mu.Unlock()
	switch {
	case p.connected:
		return nil, errors.New("cannot connect twice to one port")
	case f <= 0 || f > 10*physic.MegaHertz || mode != spi.Mode0 || bits != 8:
		return nil, fmt.Errorf("cannot connect at %s, %s, %d bits: the chip takes at most 10MHz, Mode0, 8 bits", f, mode, bits)
	}
	p.connected, p.freq = true, f
	if p.limit > 0 {
		p.freq = min(f, p.limit)
	}
	return p, nil
}

func (p *port) Duplex() conn.Duplex { return conn.Full }

func (p *port) TxPackets(pk []spi.Packet) error {
	for _, k := range pk {
		if err := p.Tx(k.W, k.R); err != nil {
			return err
		}
	}
	return nil
}

// Tx is one transfer with chip select asserted (8.1.2).
func (p *port) Tx(w, r []byte) error {
	c := p.chip
	if len(w) == 0 || len(r) != 0 && len(r) != len(w) {
		return fmt.Errorf("cannot transfer %d bytes out and %d in", len(w), len(r))
	}
	if a, ok := c.clk.(advancer); ok {
		a.Advance(transferOverhead + p.freq.Period()*time.Duration(len(w)*8))
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
	c.sweep(now)
	c.transfer(w, r, now)
	if c.faults.StuckMISO {
		for i := range r {
			r[i] = c.faults.MISOLevel
		}
	}
	return nil
}

// transfer moves bytes to or from the registers; MISO lags by one byte. A chip
// held in reset hears and says nothing.
func (c *MFRC522) transfer(w, r []byte, now time.Duration) {
	clear(r)
	if c.held {
		return
	}
	if w[0]&0x80 == 0 {
		for _, v := range w[1:] {
			c.writeReg(w[0]>>1&0x3F, v, now)
		}
		return
	}
	for i := 0; i+1 < len(w); i++ {
		v := c.readReg(w[i]>>1&0x3F, now)
		if i+1 < len(r) {
			r[i+1] = v
		}
	}
}

// ResetPin returns the chip's NRSTPD line.
func (c *MFRC522) ResetPin() gpio.PinOut { return &resetPin{chip: c} }

type resetPin struct{ chip resettable }

// resettable is a chip with a reset line.
type resettable interface{ hold(down bool) }

func (p *resetPin) String() string   { return "sim:NRSTPD" }
func (p *resetPin) Name() string     { return "NRSTPD" }
func (p *resetPin) Number() int      { return -1 }
func (p *resetPin) Function() string { return string(p.Func()) }
func (p *resetPin) Func() pin.Func   { return gpio.OUT }
func (p *resetPin) Halt() error      { return nil }
func (p *resetPin) PWM(gpio.Duty, physic.Frequency) error {
	return errors.New("cannot modulate a reset pin")
}

func (p *resetPin) Out(l gpio.Level) error {
	p.chip.hold(l == gpio.Low)
	return nil
}

// hold is the reset line: the chip is in reset while it is down.
func (c *MFRC522) hold(down bool) {
	now := c.clk.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.plugged {
		return // the line is there, the chip is not
	}
	c.held = down
	c.hung = false // the fault is cured until SetFaults says otherwise
	c.reset(now)
}
