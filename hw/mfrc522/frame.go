package mfrc522

import (
	"errors"
	"fmt"

	"borne/hw/isodep"
)

// Frames of ISO/IEC 14443-3 (2018), clause 6. Everything in this file takes
// bytes that came through the air: it checks before it believes, and is fuzzed.

const (
	cmdREQA = 0x26 // 7-bit short frames, 6.4
	cmdWUPA = 0x52

	cascadeTag = 0x88 // first byte of an incomplete UID part, 6.5.4
	sakCascade = 0x04 // SAK bit 3: the UID is not complete, 6.5.3.4
	sakISODEP  = 0x20 // SAK bit 6: ISO/IEC 14443-4, 6.5.3.4

	nvbSelect = 0x70 // NVB of a SELECT: 7 whole bytes
	maxLevels = 3
	maxUID    = 10

	partBits = 32 // UID bits of one cascade level, check byte apart
)

// selCode returns SEL for a cascade level 0 to 2, 6.5.3.1.
func selCode(level int) byte { return 0x93 + 2*byte(level) }

var (
	errNoCard = errors.New("no card answers")
	errFrame  = errors.New("unreadable frame") // radio: the card may be read again
	errChip   = errors.New("reader chip fault")
)

// response is what the chip received: bytes, the number of valid bits in the
// last one (0: all 8), and the first collision's 1-based bit position (0: none).
// The data sheet says "in a received frame" (9.3.1.15): bytes sent in the request
// do not count, the alignment's bits in the first byte do, as NXP states for the
// sister chip MFRC631 (9.6.4).
type response struct {
	data []byte
	last int
	coll int
}

// crcA computes CRC_A, low byte first (ISO/IEC 14443-3, annex B).
func crcA(b []byte) [2]byte { return isodep.CRCA(b) }

// checkATQA accepts two whole bytes. Their content is not used: cards of
// several kinds answer at once, so collisions in it are normal, and the cascade
// is decided by SAK.
func checkATQA(r response) error {
	if len(r.data) != 2 || r.last != 0 {
		return fmt.Errorf("%w: ATQA of %d bytes, %d bits in the last", errFrame, len(r.data), r.last)
	}
	return nil
}

// part is one cascade level's 4 bytes and check byte while bits become known.
type part struct {
	id    [5]byte
	known int // valid bits, 0 to 40
}

// request writes the anticollision command for what is known into dst, and
// returns its length and the number of bits in its last byte (0: all 8), which
// is also the alignment of the answer.
func (p *part) request(dst *[7]byte, level int) (n, lastBits int) {
	whole, bits := p.known/8, p.known%8
	dst[0], dst[1] = selCode(level), byte(2+whole)<<4|byte(bits)
	n = 2 + copy(dst[2:], p.id[:(p.known+7)/8])
	return n, bits
}

// apply adds an answer's bits. After a collision it takes the branch of the
// cards whose colliding bit is 1, as 6.5.3.2 lets it, and done is false.
func (p *part) apply(r response) (done bool, err error) {
	whole, bits := p.known/8, p.known%8
	if p.known > partBits || len(r.data) != len(p.id)-whole || r.last != 0 {
		return false, fmt.Errorf("%w: anticollision answer of %d bytes, %d bits in the last, with %d bits known", errFrame, len(r.data), r.last, p.known)
	}
	pos := whole*8 + r.coll
	if r.coll != 0 && (pos <= p.known || pos > partBits) {
		return false, fmt.Errorf("%w: collision at bit %d with %d bits known", errFrame, pos, p.known)
	}
	// The first byte holds what was asked in its low bits.
	low := byte(1)<<bits - 1
	keep := p.id[whole] & low
	copy(p.id[whole:], r.data)
	p.id[whole] = p.id[whole]&^low | keep
	if r.coll == 0 {
		p.known = len(p.id) * 8
		if p.id[0]^p.id[1]^p.id[2]^p.id[3] != p.id[4] {
			return false, fmt.Errorf("%w: UID check byte is wrong", errFrame)
		}
		return true, nil
	}
	p.id[(pos-1)/8] |= 1 << ((pos - 1) % 8)
	p.known = pos
	for b := pos; b < len(p.id)*8; b++ {
		p.id[b/8] &^= 1 << (b % 8)
	}
	return false, nil
}

// selectFrame writes SELECT for a complete part: SEL, NVB, 5 bytes, CRC_A.
func (p *part) selectFrame(dst *[9]byte, level int) {
	dst[0], dst[1] = selCode(level), nvbSelect
	copy(dst[2:], p.id[:])
	crc := crcA(dst[:7])
	dst[7], dst[8] = crc[0], crc[1]
}

// parseSAK returns whether the UID goes on at the next cascade level.
func parseSAK(r response, p *part, level int) (more bool, err error) {
	if len(r.data) != 3 || r.last != 0 || r.coll != 0 {
		return false, fmt.Errorf("%w: SAK of %d bytes, %d bits in the last", errFrame, len(r.data), r.last)
	}
	if crc := crcA(r.data[:1]); crc[0] != r.data[1] || crc[1] != r.data[2] {
		return false, fmt.Errorf("%w: SAK checksum is wrong", errFrame)
	}
	if r.data[0]&sakCascade == 0 {
		return false, nil
	}
	if p.id[0] != cascadeTag || level == maxLevels-1 {
		return false, fmt.Errorf("%w: cascade announced at level %d without cascade tag", errFrame, level+1)
	}
	return true, nil
}

// uid collects the bytes of up to three parts, and SAK of the last.
type uid struct {
	b   [maxUID]byte
	n   int
	sak byte
}

// add appends a part's bytes: three after the cascade tag, else four.
func (u *uid) add(p *part, more bool) {
	src := p.id[:4]
	if more {
		src = p.id[1:4]
	}
	u.n += copy(u.b[u.n:], src)
}
