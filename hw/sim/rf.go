package sim

import (
	"math/rand/v2"
	"time"
)

// ether is what is between a reader's antenna and the cards before it.
type ether struct {
	rnd    *rand.Rand
	faults Faults
	cards  []*Card
}

// transceive sends the FIFO's content to the cards and schedules the end of
// their answers, superposed bit by bit as the antenna hears them.
func (c *MFRC522) transceive(now time.Duration) {
	data := c.fifo
	c.fifo = nil
	n := len(data) * 8
	if last := int(c.reg[rBitFraming] & 7); last != 0 {
		n -= 8 - last
	}
	if !c.antenna() || n <= 0 {
		return
	}
	c.frames++
	c.reg[rError] &= 0x10
	c.reg[rComIrq] |= 0x40 // TxIRq
	sent := now + time.Duration(n)*bitTime
	answers, busy := c.hear(unpack(data)[:n], now)
	if len(answers) == 0 {
		c.startTimer(sent)
		return
	}
	bits, coll := superpose(answers)
	align := int(c.reg[rBitFraming] >> 4 & 7)
	parityErr := c.noise(bits, align, coll)
	bits, coll = c.pulled(bits, coll, now)
	if len(bits) < 5 { // the timer stops at the fifth bit (8.5)
		c.startTimer(sent)
		return
	}
	c.pending = func() { c.received(bits, align, coll, parityErr) }
	begin := sent + frameDelay + busy
	c.pendingEnd = begin + time.Duration(len(bits)+len(bits)/8)*bitTime
	if busy > 0 { // the timer may end first
		if c.startTimer(sent); c.timerEnd > begin {
			c.timerRuns = false
		}
	}
}

// pulled cuts an answer short when the cards are pulled in the middle of it.
func (c *ether) pulled(bits []byte, coll int, now time.Duration) ([]byte, int) {
	if c.faults.PullAt == 0 {
		return bits, coll
	}
	if c.faults.PullAt--; c.faults.PullAt > 0 {
		return bits, coll
	}
	bits = bits[:c.rnd.IntN(len(bits))]
	if coll >= len(bits) {
		coll = -1
	}
	for _, k := range c.cards {
		k.power(false, now, c.rnd)
		k.until = max(now, 1)
	}
	return bits, coll
}

// hear gives each card the frame, with its own noise, and collects answers.
// busy is what the slowest of them takes.
func (c *ether) hear(bits []byte, now time.Duration) (answers [][]byte, busy time.Duration) {
	for _, k := range c.cards {
		if !k.in(now) {
			continue
		}
		heard := append([]byte(nil), bits...)
		parityErr := c.noise(heard, 0, -1)
		a := k.answer(heard, !parityErr, now)
		if a == nil || c.faults.Drop > 0 && c.rnd.Float64() < c.faults.Drop {
			continue
		}
		answers = append(answers, a)
		busy = max(busy, k.busy())
	}
	return answers, busy
}

// superpose merges answers: where a 0 and a 1 meet there is a collision (both
// halves of the Manchester bit are modulated). It returns the first one's index
// or -1.
func superpose(answers [][]byte) (bits []byte, coll int) {
	coll = -1
	for _, a := range answers {
		if len(a) > len(bits) {
			bits = append(bits, a[len(bits):]...)
		}
	}
	for _, a := range answers {
		for i, b := range a {
			if b != bits[i] && (coll < 0 || i < coll) {
				coll = i
			}
		}
	}
	return bits, coll
}

// noise flips bits and tells whether a parity bit gives it away: each whole byte
// carries one. A byte that began before the frame (align) or that comes after a
// collision is not checked (9.3.1.7, 9.3.1.14).
func (c *ether) noise(bits []byte, align, coll int) (parityErr bool) {
	rate := c.faults.BitErrors
	if rate == 0 {
		return false
	}
	flips := 0
	for i := range bits {
		if c.rnd.Float64() < rate {
			bits[i] ^= 1
			flips++
		}
		if (align+i)%8 != 7 {
			continue
		}
		if c.rnd.Float64() < rate { // the parity bit itself
			flips++
		}
		checked := (align == 0 || align+i > 7) && (coll < 0 || i < coll)
		parityErr = parityErr || checked && flips%2 == 1
		flips = 0
	}
	return parityErr
}

// received puts an answer into the registers.
func (c *MFRC522) received(bits []byte, align, coll int, parityErr bool) {
	c.reg[rColl] = c.reg[rColl]&0x80 | 0x20 // CollPosNotValid
	if coll >= 0 {
		c.reg[rError] |= 0x08
		// The alignment's bits count; the 32nd bit reads 0 (9.3.1.15).
		if pos := align + coll + 1; pos <= 32 {
			c.reg[rColl] = c.reg[rColl]&0x80 | byte(pos&0x1F)
		}
		if c.reg[rColl]&0x80 == 0 { // ValuesAfterColl
			clear(bits[coll:])
		}
	}
	if parityErr {
		c.reg[rError] |= 0x02
	}
	c.fifo = pack(bits, align)
	c.reg[rControl] = c.reg[rControl]&^7 | byte((align+len(bits))%8)
	c.reg[rComIrq] |= 0x20
	if c.reg[rError]&0x1F != 0 {
		c.reg[rComIrq] |= 0x02
	}
}
