package isodep

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// picc is a card that follows the rules of 7.5 for PICCs and answers each
// command with reply(command).
type picc struct {
	ats      []byte
	reply    func(cmd []byte) []byte
	wtx      int // asks for more time so often before each answer
	wtxm     byte
	fsd      int
	active   bool
	num      byte
	cmd      []byte
	rest     []byte // of the answer, still to be sent
	last     []byte
	pending  int
	ran      int // commands carried out
	waits    []time.Duration
	deaf     bool
	deselect bool
}

func (c *picc) frame(tx []byte) []byte {
	n := len(tx) - 2
	if n < 1 || c.deaf {
		return nil
	}
	if crc := CRCA(tx[:n]); crc[0] != tx[n] || crc[1] != tx[n+1] {
		return nil
	}
	b := tx[:n]
	switch {
	case !c.active:
		if len(b) == 2 && b[0] == cmdRATS {
			c.active, c.num, c.fsd = true, 1, frameSize(b[1]>>4)
			return sealed(c.ats)
		}
		return nil
	case b[0] == pcbDSL:
		c.active, c.deselect = false, true
		return sealed([]byte{pcbDSL})
	case b[0] == pcbWTX:
		if c.pending == 0 || len(b) != 2 || b[1] != c.wtxm {
			return nil
		}
		c.pending--
		return c.next()
	case b[0]&0xE2 == pcbI:
		c.num ^= 1 // rule D
		c.cmd = append(c.cmd, b[1:]...)
		if b[0]&bitMore != 0 {
			return c.say([]byte{pcbACK | c.num})
		}
		c.ran++
		c.rest = c.reply(slices.Clone(c.cmd))
		c.cmd = nil
		c.pending = c.wtx
		return c.next()
	case b[0]&0xE2 == pcbACK&0xE2: // R-block
		if b[0]&bitNum == c.num {
			return sealed(c.last) // rule 11
		}
		if b[0]&bitMore != 0 {
			return sealed([]byte{pcbACK | c.num}) // rule 12
		}
		if len(c.rest) > 0 {
			c.num ^= 1 // rule E
			return c.next()
		}
	}
	return nil
}

// next sends a request for time or the next part of the answer.
func (c *picc) next() []byte {
	if c.pending > 0 {
		return c.say([]byte{pcbWTX, c.wtxm})
	}
	n := min(c.fsd-3, len(c.rest))
	pcb := pcbI | c.num
	if n < len(c.rest) {
		pcb |= bitMore
	}
	b := append([]byte{pcb}, c.rest[:n]...)
	c.rest = c.rest[n:]
	return c.say(b)
}

func (c *picc) say(b []byte) []byte {
	c.last = b
	return sealed(b)
}

func sealed(b []byte) []byte {
	crc := CRCA(b)
	return append(slices.Clone(b), crc[:]...)
}

// air carries frames and spoils some.
type air struct {
	card    *picc
	n       int
	fault   func(n int, toCard bool, f []byte) []byte // nil frame: lost
	largest int
	err     error // of the reader, at frame errAt
	errAt   int
}

func (a *air) Exchange(ctx context.Context, tx, rx []byte, timeout time.Duration) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	a.n++
	if a.n == a.errAt {
		return 0, a.err
	}
	a.largest = max(a.largest, len(tx))
	a.card.waits = append(a.card.waits, timeout)
	f := slices.Clone(tx)
	if a.fault != nil {
		f = a.fault(a.n, true, f)
	}
	if f == nil {
		return 0, ErrSilent
	}
	f = a.card.frame(f)
	if f != nil && a.fault != nil {
		f = a.fault(a.n, false, f)
	}
	if f == nil {
		return 0, ErrSilent
	}
	if len(f) > len(rx) {
		return 0, fmt.Errorf("%w: overflow", ErrGarbled)
	}
	return copy(rx, f), nil
}

type noSleep struct{ slept time.Duration }

func (s *noSleep) Sleep(_ context.Context, d time.Duration) error { s.slept += d; return nil }

func echo(size int) func([]byte) []byte {
	return func(cmd []byte) []byte {
		out := make([]byte, size)
		for i := range out {
			out[i] = cmd[i%len(cmd)] + byte(i)
		}
		return append(out, 0x90, 0)
	}
}

func command(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func card(reply int) *picc {
	return &picc{ats: []byte{5, 0x75, 0x77, 0x81, 0x02}, reply: echo(reply), wtxm: 3}
}
