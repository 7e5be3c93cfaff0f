package card

import (
	"context"

	"borne/hw"
)

// Commands and status words (NT4H2421Gx, 8.4, 10; ISO/IEC 7816-4).
const (
	insGetCardUID = 0x51

	swOK       = 0x9000
	swEnd      = 0x6282 // end of file reached before Le bytes
	swDone     = 0x9100
	swMore     = 0x91AF
	maxAnswer  = 256 + 2
	wrongLe    = 0x6C00
	swMaskHigh = 0xFF00
)

// dialogue sends commands; every answer is limited and wiped after use.
type dialogue struct {
	ctx  context.Context
	card hw.Link
}

// send returns an answer's content and status word; 0 when there is none, or
// more than a short answer holds.
func (d *dialogue) send(apdu ...byte) ([]byte, uint16, error) {
	b, err := d.card.Transmit(d.ctx, apdu)
	if err != nil {
		clear(b)
		return nil, 0, err
	}
	if n := len(b); n >= 2 && n <= maxAnswer {
		return b[:n-2], uint16(b[n-2])<<8 | uint16(b[n-1]), nil
	}
	clear(b)
	return nil, 0, nil
}

// selectApplication selects the NDEF application by its name.
func (d *dialogue) selectApplication() (bool, error) {
	b, sw, err := d.send(0x00, 0xA4, 0x04, 0x00, 7, 0xD2, 0x76, 0x00, 0x00, 0x85, 0x01, 0x01, 0x00)
	clear(b)
	return sw == swOK, err
}

// readFile reads an elementary file in one command, so that the card makes one
// message; nil: it cannot be read.
func (d *dialogue) readFile(id uint16) ([]byte, error) {
	b, sw, err := d.send(0x00, 0xA4, 0x00, 0x0C, 2, byte(id>>8), byte(id))
	clear(b)
	if err != nil || sw != swOK {
		return nil, err
	}
	b, sw, err = d.send(0x00, 0xB0, 0x00, 0x00, 0x00)
	if err == nil && sw&swMaskHigh == wrongLe && byte(sw) != 0 { // it names the length that it has
		clear(b)
		b, sw, err = d.send(0x00, 0xB0, 0x00, 0x00, byte(sw))
	}
	if err != nil || sw != swOK && sw != swEnd {
		clear(b)
		return nil, err
	}
	return b, nil
}

// challenge starts AuthenticateEV2First with no capabilities (10.4.1).
func (d *dialogue) challenge(number byte) (c [16]byte, got verdict, err error) {
	b, sw, err := d.send(0x90, 0x71, 0x00, 0x00, 2, number, 0, 0)
	defer clear(b)
	switch {
	case err != nil || sw != swMore:
		return c, notOurs, err
	case len(b) != len(c):
		return c, wrong, nil
	}
	copy(c[:], b)
	return c, proven, nil
}

// answer sends the second part; a card that refuses has another key.
func (d *dialogue) answer(a [32]byte) (last [32]byte, got verdict, err error) {
	b, sw, err := d.send(append(append([]byte{0x90, 0xAF, 0x00, 0x00, byte(len(a))}, a[:]...), 0)...)
	defer clear(b)
	switch {
	case err != nil || sw != swDone:
		return last, notOurs, err
	case len(b) != len(last):
		return last, wrong, nil
	}
	copy(last[:], b)
	return last, proven, nil
}

// sealedUID asks for GetCardUID's answer; empty when the card refuses, which
// one that has just authenticated does not.
func (d *dialogue) sealedUID(mac [8]byte) ([]byte, error) {
	b, sw, err := d.send(append(append([]byte{0x90, insGetCardUID, 0x00, 0x00, byte(len(mac))}, mac[:]...), 0)...)
	if err != nil || sw != swDone {
		clear(b)
		return nil, err
	}
	return b, nil
}
