package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

// applet is what a card with ISO/IEC 14443-4 runs.
type applet interface {
	// reset is what power-up does; rnd is the card's own generator.
	reset(rnd *rand.Rand)
	// apdu carries out one command and says how long that takes.
	apdu(cmd []byte) (answer []byte, busy time.Duration)
}

// dep is the card's side of ISO/IEC 14443-4 (7.5, rules for the PICC).
type dep struct {
	app     applet
	wtx     int // requests for more time before each answer
	num     byte
	fsd     int
	cmd     []byte
	rest    []byte // of the answer
	last    []byte // block sent
	pending int
	busy    time.Duration // before the next answer
	work    time.Duration // of the command: also before it asks for more time again
}

const (
	depI   = 0x02
	depACK = 0xA2
	depWTX = 0xF2
	depDSL = 0xC2
	// depWTXM is how much more the card asks for.
	depWTXM = 2
	maxAPDU = 261
)

// ats is NTAG 424 DNA's (NT4H2421Gx, 8.5.2: TL T0 TA TB TC and one historical byte).
func (d *dep) ats() []byte { return []byte{0x06, 0x77, 0x77, 0x71, 0x02, 0x80} }

// rats activates the card; nil: no RATS.
func (d *dep) rats(b []byte, rnd *rand.Rand) []byte {
	if len(b) != 2 || b[0] != 0xE0 || b[1]&0x0F == 15 {
		return nil
	}
	sizes := []int{16, 24, 32, 40, 48, 64, 96, 128, 256}
	d.num, d.fsd = 1, sizes[min(int(b[1]>>4), len(sizes)-1)]
	d.cmd, d.rest, d.last, d.pending, d.busy, d.work = nil, nil, nil, 0, 0, 0
	d.app.reset(rnd)
	return d.ats()
}

// block answers one block without its CRC; over: it was DESELECT.
func (d *dep) block(b []byte) (answer []byte, over bool) {
	d.busy = 0
	switch {
	case len(b) == 1 && b[0] == depDSL:
		return []byte{depDSL}, true
	case len(b) == 2 && b[0] == depWTX && b[1] == depWTXM && d.pending > 0:
		d.pending--
		d.busy = d.work
		return d.next(), false
	case b[0]&0xEE == depI: // no CID, no NAD
		d.num ^= 1
		if d.cmd = append(d.cmd, b[1:]...); len(d.cmd) > maxAPDU {
			d.cmd = nil
			return nil, false
		}
		if b[0]&0x10 != 0 {
			d.last = []byte{depACK | d.num}
			return d.last, false
		}
		d.rest, d.work = d.app.apdu(d.cmd)
		d.busy = d.work
		d.cmd, d.pending = nil, d.wtx
		return d.next(), false
	case len(b) == 1 && b[0]&0xEE == depACK: // R(ACK) and R(NAK)
		switch nak := b[0]&0x10 != 0; {
		case b[0]&1 == d.num:
			return d.last, false
		case nak:
			return []byte{depACK | d.num}, false
		case len(d.rest) > 0:
			d.num ^= 1
			return d.next(), false
		}
	}
	return nil, false
}

func (d *dep) next() []byte {
	if d.pending > 0 {
		d.last = []byte{depWTX, depWTXM}
		return d.last
	}
	n := min(d.fsd-3, len(d.rest))
	d.last = append([]byte{depI | d.num}, d.rest[:n]...)
	if d.rest = d.rest[n:]; len(d.rest) > 0 {
		d.last[0] |= 0x10
	}
	return d.last
}

// protocol answers a frame in the states that RATS leads to and from.
func (k *Card) protocol(bits []byte, parityOK bool) []byte {
	b := pack(bits, 0)
	n := len(b) - 2
	if !parityOK || len(bits)%8 != 0 || n < 1 {
		return nil
	}
	if crc := crcA(b[:n]); crc[0] != b[n] || crc[1] != b[n+1] {
		return nil
	}
	answer, over := k.dep.block(b[:n])
	if over {
		k.state, k.star, k.level = cardHalt, true, 0
	}
	if answer == nil {
		return nil
	}
	crc := crcA(answer)
	return unpack(append(slices.Clone(answer), crc[:]...))
}

// activate answers RATS.
func (k *Card) activate(d []byte, bits int) []byte {
	n := len(d) - 2
	if k.dep == nil || bits%8 != 0 || n < 1 {
		return nil
	}
	if crc := crcA(d[:n]); crc[0] != d[n] || crc[1] != d[n+1] {
		return nil
	}
	ats := k.dep.rats(d[:n], k.rnd)
	if ats == nil {
		return nil
	}
	k.state = cardProtocol
	crc := crcA(ats)
	return unpack(append(ats, crc[:]...))
}

// noApplet is a card that speaks ISO/IEC 14443-4 and has no application of ours,
// as a telephone.
type noApplet struct{}

func (noApplet) reset(*rand.Rand) {}

func (noApplet) apdu([]byte) ([]byte, time.Duration) { return []byte{0x6A, 0x82}, 0 }

// NewPhone returns a card that speaks ISO/IEC 14443-4, has a random UID and no
// application of ours.
func NewPhone() *Card {
	return &Card{UID: []byte{0x08, 0, 0, 0}, Random: true, SAK: 0x20, dep: &dep{app: noApplet{}}}
}
