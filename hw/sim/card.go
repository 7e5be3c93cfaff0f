package sim

import (
	"math/rand/v2"
	"slices"
	"time"
)

// Card is an ISO/IEC 14443-3 type A card. Its fields are set before it is put
// into a field.
type Card struct {
	UID    []byte // 4, 7 or 10 bytes
	Random bool   // draws a new 4-byte UID beginning with 0x08 at each power-up
	SAK    byte   // of the complete UID; bit 3 is ignored

	from, until time.Duration // in the field; until 0: until lifted
	powered     bool
	ready       time.Duration // when it will answer, after power-up
	state       cardState
	star        bool // came from HALT: READY*, ACTIVE*
	level       int
	dep         *dep       // nil: no ISO/IEC 14443-4, whatever SAK says
	rnd         *rand.Rand // the card's own, when it has dep
}

type cardState uint8

const (
	cardIdle cardState = iota
	cardReady
	cardActive
	cardHalt
	cardProtocol // ISO/IEC 14443-4
)

// cardStart is what cards take to be ready once the field is there (6.2.3).
const cardStart = 5 * time.Millisecond

// in tells whether the card is in the field at t.
func (k *Card) in(t time.Duration) bool { return t >= k.from && (k.until == 0 || t < k.until) }

// power follows the field.
func (k *Card) power(on bool, now time.Duration, rnd *rand.Rand) {
	if on == k.powered {
		return
	}
	k.powered, k.state, k.star, k.level = on, cardIdle, false, 0
	if on {
		k.ready = now + cardStart
		if k.dep != nil {
			k.rnd = rand.New(rand.NewPCG(rnd.Uint64(), rnd.Uint64()))
		}
		if k.Random {
			k.UID = []byte{0x08, byte(rnd.Uint32()), byte(rnd.Uint32()), byte(rnd.Uint32())}
		}
	}
}

// busy is what the card takes to answer the frame it has just heard.
func (k *Card) busy() time.Duration {
	if k.state != cardProtocol {
		return 0
	}
	return k.dep.busy
}

// levels is the number of cascade levels: 1, 2 or 3 for 4, 7 or 10 bytes.
func (k *Card) levels() int { return (len(k.UID) - 1) / 3 }

// part is the 5 bytes of a cascade level, 6.5.4.
func (k *Card) part(level int) []byte {
	var p []byte
	if level < k.levels()-1 {
		p = append([]byte{0x88}, k.UID[level*3:level*3+3]...)
	} else {
		p = slices.Clone(k.UID[level*3 : level*3+4])
	}
	return append(p, p[0]^p[1]^p[2]^p[3])
}

// unpack returns a byte string's bits in the order of the air, 0 or 1 each.
func unpack(b []byte) []byte {
	out := make([]byte, 0, len(b)*8)
	for _, x := range b {
		for i := range 8 {
			out = append(out, x>>i&1)
		}
	}
	return out
}

// pack is unpack's inverse, the first bit going to bit align.
func pack(bits []byte, align int) []byte {
	out := make([]byte, (align+len(bits)+7)/8)
	for i, b := range bits {
		out[(align+i)/8] |= b << ((align + i) % 8)
	}
	return out
}

// answer is the card's state machine (6.3): it takes the bits that it heard and
// returns its answer's, or nil.
func (k *Card) answer(bits []byte, parityOK bool, now time.Duration) []byte {
	if !k.powered || now < k.ready {
		return nil
	}
	if k.state == cardProtocol {
		return k.protocol(bits, parityOK)
	}
	if len(bits) == 7 {
		return k.short(pack(bits, 0)[0])
	}
	d := pack(bits, 0)
	switch k.state {
	case cardReady:
		if parityOK && len(d) >= 2 && d[0] == 0x93+2*byte(k.level) {
			if a := k.anticollision(bits, d); a != nil {
				return a
			}
		}
		k.fallBack()
	case cardActive:
		if crc := crcA([]byte{0x50, 0}); parityOK && slices.Equal(d, []byte{0x50, 0, crc[0], crc[1]}) && len(bits) == 32 {
			k.state, k.star, k.level = cardHalt, true, 0
			return nil
		}
		if parityOK {
			if a := k.activate(d, len(bits)); a != nil {
				return a
			}
		}
		k.fallBack()
	}
	return nil
}

// short answers REQA and WUPA.
func (k *Card) short(cmd byte) []byte {
	wake := k.state == cardIdle && (cmd == 0x26 || cmd == 0x52) || k.state == cardHalt && cmd == 0x52
	if !wake {
		k.fallBack()
		return nil
	}
	k.state, k.level = cardReady, 0
	// ATQA: UID size in bits 7 and 8, bit-frame anticollision in bit 3 (6.5.2).
	return unpack([]byte{byte(k.levels()-1)<<6 | 0x04, 0x00})
}

// fallBack is what any unexpected frame does to a card.
func (k *Card) fallBack() {
	if k.state == cardHalt {
		return
	}
	k.state, k.level = cardIdle, 0
	if k.star {
		k.state = cardHalt
	}
}

// anticollision answers ANTICOLLISION and SELECT of the current level.
func (k *Card) anticollision(bits, d []byte) []byte {
	me := k.part(k.level)
	nvb := d[1]
	if nvb == 0x70 {
		if len(bits) != 72 || !slices.Equal(d[2:7], me) {
			return nil
		}
		if crc := crcA(d[:7]); d[7] != crc[0] || d[8] != crc[1] {
			return nil
		}
		sak := k.SAK &^ 0x04
		if k.level < k.levels()-1 {
			sak = 0x04
			k.level++
		} else {
			k.state = cardActive
		}
		crc := crcA([]byte{sak})
		return unpack([]byte{sak, crc[0], crc[1]})
	}
	known := int(nvb>>4)*8 + int(nvb&0x0F) - 16
	mine := unpack(me)
	if nvb&0x0F > 7 || known < 0 || known >= len(mine) || len(bits) != 16+known || !slices.Equal(bits[16:], mine[:known]) {
		return nil
	}
	return mine[known:]
}

func crcA(b []byte) [2]byte {
	w := uint16(0x6363)
	for _, x := range b {
		for i := range 8 {
			bit := uint16(x>>i&1) ^ w&1
			w >>= 1
			if bit != 0 {
				w ^= 0x8408
			}
		}
	}
	return [2]byte{byte(w), byte(w >> 8)}
}
