// Package isodep is the half-duplex block protocol of contactless cards
// (ISO/IEC 14443-4:2018) for readers that leave it to software: activation,
// blocks, chaining both ways, waiting times, repetition after errors,
// deactivation. It has no I/O of its own.
package isodep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"borne/hw"
)

// Exchanger sends one frame and receives the answer into rx, checksums included
// both ways. It returns ErrSilent when no answer begins within timeout, and
// ErrGarbled for one that cannot be read: both are tried again. ErrLost, when it
// will not try any more, and any other error, which is the reader's, end the
// session. Neither tx nor rx may be kept.
type Exchanger interface {
	Exchange(ctx context.Context, tx, rx []byte, timeout time.Duration) (int, error)
}

// Sleeper waits.
type Sleeper interface {
	Sleep(ctx context.Context, d time.Duration) error
}

// Errors.
var (
	ErrSilent  = errors.New("no answer")
	ErrGarbled = errors.New("unreadable answer")
	// ErrLost: the card does not answer any more, or not by the protocol.
	ErrLost = errors.New("card lost")
)

const (
	// FrameSize is our largest frame, CRC included: the FIFO of small readers.
	FrameSize = 64
	fsdi      = 5 // stands for it (5.1)

	cmdRATS = 0xE0

	pcbI    = 0x02 // 7.1.1
	pcbACK  = 0xA2
	pcbNAK  = 0xB2
	pcbWTX  = 0xF2
	pcbDSL  = 0xC2
	bitMore = 0x10
	bitNum  = 0x01

	maxResponse = 256 + 2 // short APDU
	maxCommand  = 5 + 255 + 1
	maxErrors   = 3  // answers in a row that cannot be used, for one block
	maxWTX      = 12 // requests for more time, for one command
	maxBlocks   = 300
	wtxmLimit   = 59 // 7.3
)

var (
	activationFWT = periods(71680) // of ATS and DESELECT: FWT of activation (5.6.1, 8)
	extraFWT      = periods(49152) // what readers add to FWT (7.2)
	maxFWT        = integer(14)    // 7.2
)

// Session is an activated card. For one goroutine.
type Session struct {
	ex    Exchanger
	ats   ATS
	num   byte // current block number
	dead  error
	tx    [FrameSize]byte
	rx    [FrameSize]byte
	txLen int
}

var _ hw.Link = (*Session)(nil)

// Activate sends RATS to the card that is selected and reads its ATS. A card
// that has answered it once does not do so again, so that one try is all
// (5.6.1.2); after an error the card is deselected as far as it goes.
func Activate(ctx context.Context, ex Exchanger, clk Sleeper) (*Session, error) {
	s := &Session{ex: ex, ats: ATS{FWT: activationFWT}}
	s.frame(cmdRATS, fsdi<<4) // CID 0
	b, err := s.exchange(ctx, activationFWT)
	if err == nil {
		s.ats, err = ParseATS(b)
	}
	if err != nil {
		if soft(err) {
			err = fmt.Errorf("%w: no ATS: %w", ErrLost, err)
			err = errors.Join(err, hard(s.Deselect(ctx)))
		}
		s.wipe()
		return nil, err
	}
	if s.ats.SFGT > 0 {
		if err := clk.Sleep(ctx, s.ats.SFGT); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// soft: the card's or the air's error, not the reader's.
func soft(err error) bool {
	return errors.Is(err, ErrSilent) || errors.Is(err, ErrGarbled) || errors.Is(err, ErrLost)
}

// again: worth another try.
func again(err error) bool { return soft(err) && !errors.Is(err, ErrLost) }

// hard keeps errors that are not soft.
func hard(err error) error {
	if err == nil || soft(err) {
		return nil
	}
	return err
}

// frame makes the next frame of a PCB and its information.
func (s *Session) frame(pcb byte, inf ...byte) {
	s.tx[0] = pcb
	n := 1 + copy(s.tx[1:FrameSize-2], inf)
	crc := CRCA(s.tx[:n])
	s.txLen = n + copy(s.tx[n:], crc[:])
}

// exchange sends the frame and returns the answer without its CRC.
func (s *Session) exchange(ctx context.Context, wait time.Duration) ([]byte, error) {
	clear(s.rx[:])
	n, err := s.ex.Exchange(ctx, s.tx[:s.txLen], s.rx[:], min(wait, maxFWT)+extraFWT)
	if err != nil {
		return nil, err
	}
	if n < 3 || n > len(s.rx) {
		return nil, fmt.Errorf("%w: %d bytes", ErrGarbled, n)
	}
	if crc := CRCA(s.rx[:n-2]); crc[0] != s.rx[n-2] || crc[1] != s.rx[n-1] {
		return nil, fmt.Errorf("%w: its checksum is wrong", ErrGarbled)
	}
	return s.rx[:n-2], nil
}

// wipe forgets what was said.
func (s *Session) wipe() {
	clear(s.tx[:])
	clear(s.rx[:])
}

// Transmit sends a command and returns its answer. After an error the session
// is over: later commands get the same error.
func (s *Session) Transmit(ctx context.Context, apdu []byte) ([]byte, error) {
	if s.dead != nil {
		return nil, s.dead
	}
	if len(apdu) == 0 || len(apdu) > maxCommand {
		return nil, fmt.Errorf("cannot send a command of %d bytes: 1 to %d are allowed", len(apdu), maxCommand)
	}
	defer s.wipe()
	b, err := s.transmit(ctx, apdu)
	if err != nil {
		clear(b[:cap(b)])
		s.dead = err
		return nil, err
	}
	return b, nil
}

func (s *Session) transmit(ctx context.Context, apdu []byte) (out []byte, err error) {
	t := turn{wtx: maxWTX}
	size := min(s.ats.FSC, FrameSize) - 3
	out = make([]byte, 0, maxResponse)
	for {
		n := min(size, len(apdu))
		pcb := pcbI | s.num
		if n < len(apdu) {
			pcb |= bitMore
		}
		b, err := s.block(ctx, &t, pcb, apdu[:n])
		if err != nil {
			return out, err
		}
		apdu = apdu[n:]
		if len(apdu) > 0 {
			continue // b is the card's acknowledgement
		}
		for {
			if len(out)+len(b)-1 > maxResponse {
				return out, fmt.Errorf("%w: its answer has more than %d bytes", ErrLost, maxResponse)
			}
			out = append(out, b[1:]...)
			if b[0]&bitMore == 0 {
				return out, nil
			}
			if b, err = s.block(ctx, &t, pcbACK|s.num, nil); err != nil {
				return out, err
			}
		}
	}
}

// turn is what one command may still use.
type turn struct{ wtx, blocks int }

// block sends a block and sees to it that the card's next one comes (7.5): an
// I-block, or R(ACK) after a block with more to come. It toggles the number.
func (s *Session) block(ctx context.Context, t *turn, pcb byte, inf []byte) ([]byte, error) {
	chaining := pcb&^bitNum == pcbI|bitMore
	wait := s.ats.FWT
	s.frame(pcb, inf...)
	for bad := 0; ; {
		if t.blocks++; t.blocks > maxBlocks {
			return nil, fmt.Errorf("%w: a command took more than %d blocks", ErrLost, maxBlocks)
		}
		b, err := s.exchange(ctx, wait)
		wait = s.ats.FWT
		if err != nil && !again(err) {
			return nil, err
		}
		if err == nil {
			switch p := b[0]; {
			case p == pcbI|s.num || p == pcbI|bitMore|s.num:
				if chaining {
					return nil, fmt.Errorf("%w: it answers in the middle of a command", ErrLost)
				}
				s.num ^= 1 // rule B
				return b, nil
			case p == pcbACK|s.num && len(b) == 1 && chaining:
				s.num ^= 1 // rules B and 7
				return b, nil
			case p == pcbACK|s.num^1 && len(b) == 1 && pcb&0xC0 == 0:
				// Rule 6: it did not get our block.
				err = fmt.Errorf("%w: it asks for the block again", ErrGarbled)
				if bad++; bad > maxErrors {
					return nil, fmt.Errorf("%w: %w", ErrLost, err)
				}
				s.frame(pcb, inf...)
				continue
			case p == pcbWTX && len(b) == 2: // no CID: power level bits are in the same byte
				m := b[1] & 0x3F
				if t.wtx--; m == 0 || m > wtxmLimit || t.wtx < 0 {
					return nil, fmt.Errorf("%w: it asks for too much time", ErrLost)
				}
				wait = s.ats.FWT * time.Duration(m) // for this block only (7.3)
				s.frame(pcbWTX, m)
				continue
			}
			err = fmt.Errorf("%w: a block of %d bytes that cannot come now", ErrGarbled, len(b))
		}
		if bad++; bad > maxErrors {
			return nil, fmt.Errorf("%w: %w", ErrLost, err)
		}
		if pcb&^bitNum == pcbACK {
			s.frame(pcb) // rule 5: the card is chaining
		} else {
			s.frame(pcbNAK | s.num) // rule 4
		}
	}
}

// Deselect ends the session: the card is then in HALT, as after HLTA (8). It may
// be called after errors, and returns ErrLost when the card does not answer.
func (s *Session) Deselect(ctx context.Context) error {
	defer s.wipe()
	s.dead = fmt.Errorf("%w: it was deselected", ErrLost)
	var last error
	for range 2 {
		s.frame(pcbDSL)
		b, err := s.exchange(ctx, activationFWT)
		switch {
		case err == nil && len(b) == 1 && b[0] == pcbDSL:
			return nil
		case err == nil:
			err = fmt.Errorf("%w: no answer to DESELECT", ErrGarbled)
		case !again(err):
			return err
		}
		last = err
	}
	return fmt.Errorf("%w: %w", ErrLost, last)
}
