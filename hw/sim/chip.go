package sim

import (
	"math/rand/v2"
	"sync"
	"time"
)

// Registers the model gives a meaning to; the others are plain memory. Section
// numbers below are those of the MFRC522 product data sheet, Rev. 3.9.
const (
	rCommand    = 0x01
	rComIrq     = 0x04
	rDivIrq     = 0x05
	rError      = 0x06
	rStatus1    = 0x07
	rFIFOData   = 0x09
	rFIFOLevel  = 0x0A
	rControl    = 0x0C
	rBitFraming = 0x0D
	rColl       = 0x0E
	rMode       = 0x11
	rTxControl  = 0x14
	rTMode      = 0x2A
	rTPrescaler = 0x2B
	rTReloadHi  = 0x2C
	rTReloadLo  = 0x2D
	rVersion    = 0x37
)

const (
	fifoSize = 64
	// oscillatorStart is how long a chip takes to come out of reset (8.8.2).
	oscillatorStart = 38 * time.Microsecond
	// bitTime is one bit at 106 kbit/s: 128 periods of 13.56 MHz.
	bitTime = 9440 * time.Nanosecond
	// frameDelay is the time from a reader's frame to the card's answer (6.2.1.1).
	frameDelay = 87 * time.Microsecond
)

// Faults are what goes wrong with a simulated reader. The zero value is health.
type Faults struct {
	BitErrors    float64 // probability that a bit of a frame flips on the air, both ways
	Drop         float64 // probability that a card's answer is lost
	PullAt       int     // cards are pulled in the middle of the n-th answer from now; 0: never
	BrownOutAt   int     // the chip resets itself at the n-th transfer from now; 0: never
	StuckMISO    bool    // MISO reads MISOLevel whatever the chip says
	MISOLevel    byte    // 0x00 or 0xFF
	BusError     error   // every transfer fails with it
	Hang         bool    // the chip ignores commands (an MFRC522: its timer too; a PN532 is never ready) until its reset pin or power
	BlockBus     bool    // transfers block until this is cleared or the port closes
	ChipIdentity byte    // VersionReg, or the PN532's IC; 0: the right one

	// Of the PN532 alone.
	Garble  int           // that many of its next frames arrive with a wrong checksum
	Relist  bool          // InDeselect leaves cards without ISO/IEC 14443-4 awake: they are listed again and again
	Stretch time.Duration // each transfer takes so much longer (I²C clock stretching)
}

// MFRC522 is a register-level model of the reader chip with cards before it. It
// computes what happened since the last transfer when the next one comes, so
// that it needs no goroutine and no CPU between them. Safe for concurrent use.
type MFRC522 struct {
	clk Clock

	mu        sync.Mutex
	unblocked *sync.Cond // BlockBus, plugged or a port changed
	ether
	reg     [64]byte
	fifo    []byte
	hung    bool
	held    bool // reset pin is low
	plugged bool
	ports   int // open
	life    int // counts unplugs: ports of an earlier life are dead

	resetDone  time.Duration
	timerRuns  bool
	timerEnd   time.Duration
	pending    func() // end of the answer
	pendingEnd time.Duration
	transfers  uint64
	frames     uint64
}

// NewMFRC522 returns a healthy, powered chip without cards. The same seed makes
// the same faults.
func NewMFRC522(clk Clock, seed uint64) *MFRC522 {
	c := &MFRC522{clk: clk, ether: ether{rnd: rand.New(rand.NewPCG(seed, 0))}, plugged: true}
	c.unblocked = sync.NewCond(&c.mu)
	c.reset(clk.Now())
	return c
}

// SetFaults replaces the chip's faults; counters start from now.
func (c *MFRC522) SetFaults(f Faults) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults, c.hung = f, f.Hang
	c.unblocked.Broadcast()
}

// Put replaces the cards in the field; they leave after hold, or stay until
// replaced when it is 0.
func (c *MFRC522) Put(hold time.Duration, cards ...*Card) {
	now := c.clk.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sweep(now)
	for _, k := range cards {
		k.from, k.until = now, 0
		if hold > 0 {
			k.until = now + hold
		}
		k.powered = false
		k.power(c.antenna(), now, c.rnd)
	}
	c.cards = cards
}

// Transfers is how many SPI transfers the chip has seen.
func (c *MFRC522) Transfers() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.transfers
}

// Frames is how many frames the chip has sent over the air.
func (c *MFRC522) Frames() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frames
}

// OpenPorts is how many ports are open.
func (c *MFRC522) OpenPorts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ports
}

// plug connects or disconnects the chip; ports that were open stay dead.
func (c *MFRC522) plug(in bool) {
	now := c.clk.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if in == c.plugged {
		return
	}
	c.plugged = in
	if !in {
		c.life++
	}
	c.hung = false // power cures it
	c.reset(now)
	c.unblocked.Broadcast()
}

// reset is what power-up, the reset pin and SoftReset do (8.8, 10.3.1.10).
func (c *MFRC522) reset(now time.Duration) {
	c.reg = [64]byte{
		rCommand: 0x20, 0x02: 0x80, rComIrq: 0x14, rStatus1: 0x21, rControl: 0x10, rColl: 0xA0,
		rMode: 0x3F, rTxControl: 0x80, 0x16: 0x10, 0x17: 0x84, 0x18: 0x84, 0x19: 0x4D, 0x21: 0xFF, 0x22: 0xFF,
		0x24: 0x26, 0x26: 0x48, 0x27: 0x88, 0x28: 0x20, 0x29: 0x20,
	}
	c.fifo, c.pending, c.timerRuns = nil, nil, false
	c.resetDone = now + oscillatorStart
	for _, k := range c.cards {
		k.power(false, now, c.rnd)
	}
}

func (c *MFRC522) antenna() bool { return c.reg[rTxControl]&0x03 != 0 }

// sweep brings the model up to now.
func (c *MFRC522) sweep(now time.Duration) {
	for _, k := range c.cards {
		if !k.in(now) {
			k.power(false, now, c.rnd)
		}
	}
	if c.hung {
		return
	}
	if c.pending != nil && now >= c.pendingEnd {
		f := c.pending
		c.pending = nil
		f()
	}
	if c.timerRuns && now >= c.timerEnd {
		c.timerRuns = false
		c.reg[rComIrq] |= 0x01
	}
}

func (c *MFRC522) readReg(a byte, now time.Duration) byte {
	switch a {
	case rCommand:
		if now < c.resetDone {
			return c.reg[a] | 0x10
		}
	case rFIFOData:
		if len(c.fifo) == 0 {
			return 0
		}
		v := c.fifo[0]
		c.fifo = c.fifo[1:]
		return v
	case rFIFOLevel:
		return byte(len(c.fifo))
	case rBitFraming:
		return c.reg[a] & 0x77 // StartSend is write-only
	case rVersion:
		if c.faults.ChipIdentity != 0 {
			return c.faults.ChipIdentity
		}
		return 0x92
	}
	return c.reg[a]
}

func (c *MFRC522) writeReg(a, v byte, now time.Duration) {
	if now < c.resetDone {
		return // nothing can be written while the oscillator starts
	}
	switch a {
	case rCommand:
		c.command(v, now)
	case rComIrq, rDivIrq: // Set1, Set2: set or clear the marked bits
		if v&0x80 != 0 {
			c.reg[a] |= v & 0x7F
		} else {
			c.reg[a] &^= v & 0x7F
		}
	case rFIFOData:
		if len(c.fifo) >= fifoSize {
			c.reg[rError] |= 0x10
			return
		}
		c.fifo = append(c.fifo, v)
	case rFIFOLevel:
		if v&0x80 != 0 {
			c.fifo = nil
			c.reg[rError] &^= 0x10
		}
	case rBitFraming:
		c.reg[a] = v & 0x77
		if v&0x80 != 0 && c.reg[rCommand]&0x0F == 0x0C && !c.hung {
			c.transceive(now)
		}
	case rColl: // only ValuesAfterColl can be written
		c.reg[a] = c.reg[a]&0x7F | v&0x80
	case rTxControl:
		c.reg[a] = v
		for _, k := range c.cards {
			k.power(c.antenna() && k.in(now), now, c.rnd)
		}
	case rError, rStatus1, rControl, rVersion: // read-only
	default:
		c.reg[a] = v
	}
}

// command starts or cancels a command (10.3).
func (c *MFRC522) command(v byte, now time.Duration) {
	if c.hung {
		return
	}
	switch v & 0x0F {
	case 0x0F:
		c.reset(now)
		return
	case 0x07: // NoCmdChange
		return
	}
	c.pending, c.timerRuns = nil, false
	c.reg[rCommand] = v & 0x3F
}

// startTimer starts the timer at the end of a transmission (8.5).
func (c *MFRC522) startTimer(at time.Duration) {
	if c.reg[rTMode]&0x80 == 0 {
		return
	}
	pre := int64(c.reg[rTMode]&0x0F)<<8 | int64(c.reg[rTPrescaler])
	reload := int64(c.reg[rTReloadHi])<<8 | int64(c.reg[rTReloadLo])
	c.timerEnd = at + time.Duration((2*pre+1)*(reload+1)*100_000/1356)
	c.timerRuns = true
}
