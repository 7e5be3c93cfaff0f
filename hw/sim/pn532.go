package sim

import (
	"math/rand/v2"
	"sync"
	"time"
)

// PN532 is a model of the reader chip at the level of its frames (UM0701-02, whose
// sections are cited), with cards before it. It is on whichever of its buses is
// opened. Like MFRC522 it needs no goroutine; safe for concurrent use.
type PN532 struct {
	clk Clock

	mu        sync.Mutex
	unblocked *sync.Cond // BlockBus, plugged or a port changed
	ether
	hung    bool
	held    bool // reset pin is low
	plugged bool
	ports   int
	life    int // counts unplugs: ports of an earlier life are dead

	awake   time.Duration // from when on it hears; 0: it sleeps
	normal  bool          // SAMConfiguration was sent: "low Vbat" mode is over (3.1)
	field   bool
	params  byte
	retries byte
	targets []pnTarget

	out       []pnFrame
	last      []byte // frame sent, for NACK
	transfers uint64
}

// pnFrame is what the chip has to say, and when.
type pnFrame struct {
	at time.Duration
	b  []byte
}

const (
	pnOscillator = 1500 * time.Microsecond // from waking to hearing
	pnACKTime    = 200 * time.Microsecond
	pnThink      = 300 * time.Microsecond
	never        = time.Duration(1<<63 - 1)
)

// NewPN532 returns a healthy, powered chip without cards. The same seed makes the
// same faults.
func NewPN532(clk Clock, seed uint64) *PN532 {
	c := &PN532{clk: clk, ether: ether{rnd: rand.New(rand.NewPCG(seed, 532))}, plugged: true}
	c.unblocked = sync.NewCond(&c.mu)
	c.reset(clk.Now())
	return c
}

// SetFaults replaces the chip's faults; counters start from now.
func (c *PN532) SetFaults(f Faults) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults, c.hung = f, f.Hang
	c.unblocked.Broadcast()
}

// Put replaces the cards in the field; they leave after hold, or stay until
// replaced when it is 0.
func (c *PN532) Put(hold time.Duration, cards ...*Card) {
	now := c.clk.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, k := range cards {
		k.from, k.until = now, 0
		if hold > 0 {
			k.until = now + hold
		}
		k.powered = false
		k.power(c.field, now, c.rnd)
	}
	c.cards = cards
}

// Transfers is how many transfers the chip has seen.
func (c *PN532) Transfers() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.transfers
}

// OpenPorts is how many ports are open.
func (c *PN532) OpenPorts() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ports
}

// Field tells whether the antenna is on.
func (c *PN532) Field() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.field
}

// plug connects or disconnects the chip; ports that were open stay dead.
func (c *PN532) plug(in bool) {
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

// hold is RSTPDN.
func (c *PN532) hold(down bool) {
	now := c.clk.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.plugged {
		return
	}
	c.held, c.hung = down, false
	c.reset(now)
}

// reset is what power-up and RSTPDN do: asleep, in "low Vbat" mode, with retries
// that never end (7.3.1, item 5) and automatic RATS (7.2.9).
func (c *PN532) reset(now time.Duration) {
	c.awake, c.normal, c.params, c.retries = 0, false, 0x14, 0xFF
	c.targets, c.out, c.last = nil, nil, nil
	c.antenna(false, now)
}

func (c *PN532) antenna(on bool, now time.Duration) {
	c.field = on
	for _, k := range c.cards {
		k.power(on && k.in(now), now, c.rnd)
	}
}

// stir wakes the chip and tells whether it hears by now.
func (c *PN532) stir(now time.Duration) bool {
	if c.held {
		return false
	}
	if c.awake == 0 {
		c.awake = now + pnOscillator
	}
	return now >= c.awake
}

// take is a frame from the host.
func (c *PN532) take(b []byte, now time.Duration) {
	if c.hung {
		return
	}
	for _, k := range c.cards {
		if !k.in(now) {
			k.power(false, now, c.rnd)
		}
	}
	switch {
	case len(b) == 6 && b[3] == 0x00 && b[4] == 0xFF: // ACK aborts
		c.out, c.last = nil, nil
		return
	case len(b) == 6 && b[3] == 0xFF && b[4] == 0x00: // NACK
		if c.last != nil {
			c.out = []pnFrame{{now + pnACKTime, c.last}}
		}
		return
	}
	n := len(b) - 7
	if n < 2 || b[0]|b[1] != 0 || b[2] != 0xFF || int(b[3]) != n || b[3]+b[4] != 0 {
		return
	}
	sum := byte(0)
	for _, x := range b[5 : 6+n] {
		sum += x
	}
	if sum != 0 || b[5] != 0xD4 {
		return
	}
	c.last = nil
	if !c.normal && b[6] != 0x14 {
		return
	}
	c.out = []pnFrame{{now + pnACKTime, []byte{0, 0, 0xFF, 0x00, 0xFF, 0}}}
	answer, took := c.carryOut(b[6], b[7:5+n], now)
	if took == never {
		return
	}
	f := pnError()
	if answer != nil {
		f = pnInfo(append([]byte{0xD5, b[6] + 1}, answer...))
	}
	c.out = append(c.out, pnFrame{now + pnACKTime + pnThink + took, f})
}

// ready is the frame that can be read now, or nil; taken removes it.
func (c *PN532) ready(now time.Duration, taken bool) []byte {
	if c.hung || len(c.out) == 0 || now < c.out[0].at {
		return nil
	}
	b := c.out[0].b
	if !taken {
		return b
	}
	c.out = c.out[1:]
	if len(b) > 6 {
		c.last = b
		if c.faults.Garble > 0 {
			c.faults.Garble--
			b = append([]byte(nil), b...)
			b[len(b)-2] ^= 0x10
		}
	}
	return b
}

func pnError() []byte { return []byte{0, 0, 0xFF, 0x01, 0xFF, 0x7F, 0x81, 0} }

// pnInfo makes an information frame, extended where it must be (6.2.1.2).
func pnInfo(d []byte) []byte {
	n := len(d)
	b := []byte{0, 0, 0xFF, byte(n), -byte(n)}
	if n > 255 {
		b = []byte{0, 0, 0xFF, 0xFF, 0xFF, byte(n >> 8), byte(n), -(byte(n>>8) + byte(n))}
	}
	sum := byte(0)
	for _, x := range d {
		sum += x
	}
	return append(append(b, d...), -sum, 0)
}

// carryOut does a command (7); nil is a syntax error, never a command without end.
func (c *PN532) carryOut(cmd byte, a []byte, now time.Duration) ([]byte, time.Duration) {
	switch {
	case cmd == 0x14 && len(a) >= 1 && a[0] == 1: // SAMConfiguration, normal mode
		c.normal = true
		return []byte{}, 0
	case cmd == 0x02 && len(a) == 0:
		ic := byte(0x32)
		if c.faults.ChipIdentity != 0 {
			ic = c.faults.ChipIdentity
		}
		return []byte{ic, 1, 6, 7}, 0
	case cmd == 0x12 && len(a) == 1:
		c.params = a[0]
		return []byte{}, 0
	case cmd == 0x32 && len(a) == 2 && a[0] == 0x01:
		if on := a[1]&1 != 0; on != c.field {
			c.antenna(on, now)
		}
		return []byte{}, 0
	case cmd == 0x32 && len(a) == 4 && a[0] == 0x05:
		c.retries = a[3]
		return []byte{}, 0
	case cmd == 0x4A && len(a) == 2 && a[0] >= 1 && a[0] <= 2 && a[1] == 0:
		return c.list(int(a[0]), now)
	case cmd == 0x44 && len(a) == 1 && a[0] == 0:
		return []byte{0}, c.deselect(now)
	case cmd == 0x40 && len(a) >= 1:
		return c.exchange(a[0], a[1:], now)
	}
	return nil, 0
}
