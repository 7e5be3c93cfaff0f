package pn532

import (
	"errors"
	"fmt"
)

// Frames of UM0701-02, 6.2.1. Everything in this file takes bytes from a wire that
// anything may be on: it checks before it believes, and is fuzzed.

const (
	toChip   = 0xD4 // TFI
	fromChip = 0xD5
	tfiError = 0x7F // of the error frame, 6.2.1.5

	maxData  = 265             // bytes of an extended frame, TFI included (6.2.1.2)
	maxFrame = maxData + 3 + 8 // preamble and start code, lengths and checksums, postamble; one to spare
	ackBytes = 6               // 6.2.1.3
	overhead = 3 + 5 + 2       // of a frame that may be extended
	noFrame  = 255             // LEN and LCS that announce an extended one
)

var (
	errChip = errors.New("reader chip fault")
	errCard = errors.New("the card is lost") // the reader is well
)

type kind uint8

const (
	kindInfo kind = iota
	kindACK
	kindNACK
	kindError // the chip did not understand
)

// ackFrame also aborts what the chip is doing (6.2.1.3); nackFrame asks for its
// answer again (6.2.1.4).
func ackFrame() []byte  { return []byte{0, 0, 0xFF, 0x00, 0xFF, 0} }
func nackFrame() []byte { return []byte{0, 0, 0xFF, 0xFF, 0x00, 0} }

// span finds the first frame in b. n is its length from skip on, checksums and
// all; 0 while there is no whole one. What skip passes over is no frame's.
func span(b []byte) (skip, n int) {
	for skip = 0; skip+1 < len(b); skip++ {
		if b[skip] != 0x00 || b[skip+1] != 0xFF {
			continue
		}
		h := b[skip+2:]
		if len(h) < 2 {
			return skip, 0
		}
		size := 4 // start code, LEN, LCS
		switch {
		case h[0] == 0x00 && h[1] == 0xFF, h[0] == 0xFF && h[1] == 0x00:
		case h[0] == noFrame && h[1] == noFrame:
			if len(h) < 5 {
				return skip, 0
			}
			data := int(h[2])<<8 | int(h[3])
			if h[2]+h[3]+h[4] != 0 || data < 1 || data > maxData {
				continue
			}
			size += 3 + data + 1
		case h[0]+h[1] == 0:
			size += int(h[0]) + 1
		default: // no length: these two bytes began nothing
			continue
		}
		if skip+size > len(b) {
			return skip, 0
		}
		return skip, size
	}
	return skip, 0
}

// parse reads the frame that b begins with. data is an information frame's, after
// TFI, in b's memory.
func parse(b []byte) (k kind, data []byte, err error) {
	bad := func(why string) (kind, []byte, error) {
		return 0, nil, fmt.Errorf("%w: a frame with %s; check the wiring, and lower the bus's speed", errChip, why)
	}
	skip, n := span(b)
	if n == 0 || skip > 2 {
		return bad("no start code or a wrong length")
	}
	b = b[skip+2 : skip+n]
	switch {
	case b[0] == 0x00 && b[1] == 0xFF:
		return kindACK, nil, nil
	case b[0] == 0xFF && b[1] == 0x00:
		return kindNACK, nil, nil
	case b[0] == noFrame && b[1] == noFrame:
		b = b[5:]
	default:
		b = b[2:]
	}
	sum := byte(0)
	for _, x := range b { // DCS included
		sum += x
	}
	b = b[:len(b)-1]
	switch {
	case sum != 0:
		return bad("a wrong checksum")
	case len(b) == 1 && b[0] == tfiError:
		return kindError, nil, nil
	case len(b) < 2 || b[0] != fromChip:
		return bad("another sender")
	}
	return kindInfo, b[1:], nil
}

// build writes a normal information frame with a command and its arguments into
// dst, which has room, and returns its length.
func build(dst []byte, cmd byte, args ...[]byte) (int, error) {
	n := 2
	for _, a := range args {
		n += len(a)
	}
	if n > noFrame || n+7 > len(dst) {
		return 0, fmt.Errorf("cannot send a command of %d bytes: the limit is %d", n, noFrame)
	}
	b := append(dst[:0], 0x00, 0x00, 0xFF, byte(n), -byte(n), toChip, cmd)
	for _, a := range args {
		b = append(b, a...)
	}
	sum := byte(0)
	for _, x := range b[5:] {
		sum += x
	}
	b = append(b, -sum, 0x00)
	return len(b), nil
}
