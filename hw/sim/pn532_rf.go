package sim

import (
	"slices"
	"time"
)

// pnTarget is a card that the chip has selected.
type pnTarget struct {
	dep bool // RATS was answered
	num byte // of the next block
	cmd []byte
	out []byte // of its answer, not yet fetched
}

const (
	pnSilence  = 2 * time.Millisecond // waited for an answer's beginning
	pnExchange = 300 * time.Millisecond
	pnRepeats  = 2 // of blocks that were not understood (MxRtyCOM, item 4)
	pnPart     = 262
)

// air sends a frame and returns what came back, whether it was clean, and when
// all that was over.
func (c *PN532) air(bits []byte, t time.Duration) (answer []byte, coll int, clean bool, end time.Duration) {
	sent := t + time.Duration(len(bits))*bitTime
	answers, busy := c.hear(bits, t)
	if len(answers) == 0 {
		return nil, -1, false, sent + pnSilence
	}
	answer, coll = superpose(answers)
	parityErr := c.noise(answer, 0, coll)
	answer, coll = c.pulled(answer, coll, t)
	return answer, coll, !parityErr, sent + frameDelay + busy + time.Duration(len(answer)*9/8)*bitTime
}

// framed does the same with whole bytes and CRCs; nil: nothing that can be used.
func (c *PN532) framed(b []byte, t time.Duration) ([]byte, time.Duration) {
	crc := crcA(b)
	bits, coll, clean, end := c.air(unpack(append(slices.Clone(b), crc[:]...)), t)
	d := pack(bits, 0)
	n := len(d) - 2
	if !clean || coll >= 0 || len(bits)%8 != 0 || n < 1 {
		return nil, end
	}
	if crc := crcA(d[:n]); crc[0] != d[n] || crc[1] != d[n+1] {
		return nil, end
	}
	return d[:n], end
}

// list is InListPassiveTarget (7.3.5).
func (c *PN532) list(most int, now time.Duration) ([]byte, time.Duration) {
	out := []byte{0}
	c.targets = nil
	if !c.field {
		c.antenna(true, now) // by itself, as the chip does
	}
	t := now
	for misses := 0; len(c.targets) < most; {
		if n := len(c.targets); n > 0 {
			t += c.sleep(n-1, t)
		}
		d, dep, end := c.one(t)
		t = end
		if d == nil {
			if misses == int(c.retries) {
				break
			}
			if misses++; c.retries == 0xFF && t > now+pnExchange {
				return nil, never // nobody will come that this model could see
			}
			continue
		}
		c.targets = append(c.targets, pnTarget{dep: dep})
		out[0]++
		out = append(append(out, out[0]), d...)
	}
	return out, t - now
}

// one selects a card: SENS_RES, SEL_RES, NFCID1 with its length, ATS.
func (c *PN532) one(t time.Duration) (d []byte, dep bool, end time.Duration) {
	atqa, _, clean, t := c.air(unpack([]byte{0x26})[:7], t)
	if len(atqa) != 16 || !clean {
		return nil, false, t
	}
	a := pack(atqa, 0)
	var uid []byte
	for level := range 3 {
		part, sak, end := c.level(byte(0x93+2*level), t)
		t = end
		if part == nil {
			return nil, false, t
		}
		if sak&0x04 != 0 {
			if part[0] != 0x88 {
				return nil, false, t
			}
			uid = append(uid, part[1:4]...)
			continue
		}
		uid = append(uid, part[:4]...)
		d = append([]byte{a[1], a[0], sak, byte(len(uid))}, uid...)
		if c.params&0x10 == 0 || sak&0x20 == 0 {
			return d, false, t
		}
		ats, end := c.framed([]byte{0xE0, 0x50}, t) // FSDI 5: 64 bytes
		if len(ats) == 0 || int(ats[0]) != len(ats) {
			return nil, false, end
		}
		return append(d, ats...), true, end
	}
	return nil, false, t
}

// level resolves a cascade level bit by bit and selects it.
func (c *PN532) level(sel byte, t time.Duration) (part []byte, sak byte, end time.Duration) {
	var known []byte
	for len(known) < 40 {
		nvb := byte(0x20 + len(known)/8<<4 + len(known)%8)
		bits, coll, clean, end := c.air(append(unpack([]byte{sel, nvb}), known...), t)
		t = end
		if !clean || len(known)+len(bits) != 40 {
			return nil, 0, t
		}
		if coll < 0 {
			known = append(known, bits...)
			break
		}
		known = append(append(known, bits[:coll]...), byte(c.rnd.IntN(2)))
	}
	p := pack(known, 0)
	if p[0]^p[1]^p[2]^p[3] != p[4] {
		return nil, 0, t
	}
	d, t := c.framed(append([]byte{sel, 0x70}, p...), t)
	if len(d) != 1 {
		return nil, 0, t
	}
	return p, d[0], t
}

// sleep puts a card into HALT: HLTA, or S(DESELECT).
func (c *PN532) sleep(i int, t time.Duration) time.Duration {
	b := []byte{0x50, 0x00}
	if c.targets[i].dep {
		b = []byte{depDSL}
	}
	_, end := c.framed(b, t)
	return end - t
}

// deselect is InDeselect of all (7.3.10). Those listed before the last one sleep already.
func (c *PN532) deselect(now time.Duration) (took time.Duration) {
	if len(c.targets) == 0 {
		return 0
	}
	last := len(c.targets) - 1
	if !c.faults.Relist || c.targets[last].dep {
		took = c.sleep(last, now)
	}
	c.targets = nil
	for _, k := range c.cards {
		if c.faults.Relist && k.dep == nil && k.powered {
			k.state, k.star, k.level = cardIdle, false, 0
		}
	}
	return took
}

// exchange is InDataExchange (7.3.8): Status and data.
func (c *PN532) exchange(tg byte, data []byte, now time.Duration) ([]byte, time.Duration) {
	i := int(tg&0x3F) - 1
	if i < 0 || i >= len(c.targets) {
		return []byte{0x27}, 0 // not acceptable in this context
	}
	k := &c.targets[i]
	if !k.dep {
		return []byte{0x27}, 0
	}
	if len(k.out) == 0 {
		if k.cmd = append(k.cmd, data...); tg&0x40 != 0 {
			return []byte{0}, 0
		}
		answer, end, ok := c.apdu(k, k.cmd, now)
		k.cmd = nil
		if !ok {
			return []byte{0x01}, end - now // time out
		}
		k.out = answer
		return k.part(), end - now
	}
	return k.part(), 0
}

// part is as much of an answer as fits a frame.
func (k *pnTarget) part() []byte {
	n := min(pnPart, len(k.out))
	status := byte(0)
	if n < len(k.out) {
		status = 0x40
	}
	b := append([]byte{status}, k.out[:n]...)
	k.out = k.out[n:]
	return b
}

// apdu is ISO/IEC 14443-4 as the chip does it (7.5, rules for the PCD), in blocks
// that every card takes.
func (c *PN532) apdu(k *pnTarget, cmd []byte, t time.Duration) (answer []byte, end time.Duration, ok bool) {
	const chunk = 32
	var block []byte
	for start, rest := t, cmd; t-start < pnExchange; {
		n := min(chunk, len(rest))
		block = append([]byte{depI | k.num}, rest[:n]...)
		if rest = rest[n:]; len(rest) > 0 {
			block[0] |= 0x10
		}
		var d []byte
		if d, t = c.block(k, block, t); d == nil {
			return nil, t, false
		}
		k.num ^= 1
		if len(rest) > 0 {
			if d[0]&0xF6 != depACK&0xF6 {
				return nil, t, false
			}
			continue
		}
		for d[0]&0xEE == depI {
			answer = append(answer, d[1:]...)
			if d[0]&0x10 == 0 {
				return answer, t, true
			}
			if d, t = c.block(k, []byte{depACK | k.num}, t); d == nil {
				return nil, t, false
			}
			k.num ^= 1
		}
		return nil, t, false
	}
	return nil, t, false
}

// block sends one, grants more time, and asks again for what was not understood.
func (c *PN532) block(k *pnTarget, b []byte, t time.Duration) ([]byte, time.Duration) {
	first := b
	for bad := 0; bad <= pnRepeats; {
		d, end := c.framed(b, t)
		t = end
		switch {
		case d == nil:
			bad++
			b = []byte{depACK | 0x10 | k.num} // R(NAK)
		case len(d) == 2 && d[0] == depWTX:
			b = d
		case d[0]&0xF6 == depACK&0xF6 && d[0]&1 != k.num: // the block never arrived
			bad++
			b = first
		default:
			return d, t
		}
	}
	return nil, t
}
