package wedge

import (
	"fmt"
	"slices"

	"borne/hw"
)

// Format says how a reader types a card's number. Readers are set to one of them
// by their maker, by switches or by a card; there is no way to ask.
type Format string

// Formats. Those that leave digits out, or that cannot show all of a long UID,
// give badges of hw.AssuranceTruncated: two cards may share such a number.
const (
	// Dec10: ten decimal digits, the value of four bytes, first byte highest
	// ("0004158902"). The common setting of 125 kHz readers (the last four of
	// EM4100's five bytes) and of many MIFARE readers (four of a UID's four,
	// seven or ten). Truncated.
	Dec10 Format = "dec10"
	// Dec10Rev: the same, last byte highest. Truncated.
	Dec10Rev Format = "dec10rev"
	// Dec8: eight decimal digits, the value of three bytes, at most 16777215. Truncated.
	Dec8 Format = "dec8"
	// Facility: three digits of one byte and five of two ("063,30199" or
	// "06330199"), as Wiegand 26 divides them. Truncated.
	Facility Format = "facility"
	// Hex: 8, 14 or 20 hexadecimal digits, the whole UID in its order.
	Hex Format = "hex"
	// HexRev: the same, last byte first.
	HexRev Format = "hexrev"
	// Hex8: always eight hexadecimal digits, whatever the card's length. Truncated.
	Hex8 Format = "hex8"
	// Hex8Rev: the same, last byte first. Truncated.
	Hex8Rev Format = "hex8rev"
)

// Formats lists them all.
func Formats() []Format {
	return []Format{Dec10, Dec10Rev, Dec8, Facility, Hex, HexRev, Hex8, Hex8Rev}
}

// maxChars is the longest number of any format: ten bytes in hexadecimal.
const maxChars = 20

// uidMax is the longest UID (ISO/IEC 14443-3).
const uidMax = 10

// Assurance is what a reading in this format proves.
func (f Format) Assurance() hw.Assurance {
	if f == Hex || f == HexRev {
		return hw.AssuranceUID
	}
	return hw.AssuranceTruncated
}

// decode turns typed characters into a number's bytes in out and returns how many.
// Errors name no digit.
func (f Format) decode(typed []byte, out *[uidMax]byte) (int, error) {
	digits := func(ok bool) error {
		if ok {
			return nil
		}
		return fmt.Errorf("%d characters are no %s number", len(typed), f)
	}
	switch f {
	case Dec10, Dec10Rev, Dec8:
		want, bytes := 10, 4
		if f == Dec8 {
			want, bytes = 8, 3
		}
		v, ok := decimal(typed)
		if err := digits(ok && len(typed) == want && v < 1<<(8*bytes)); err != nil {
			return 0, err
		}
		bigEndian(out[:bytes], v)
		if f == Dec10Rev {
			slices.Reverse(out[:bytes])
		}
		return bytes, nil
	case Facility:
		comma := len(typed) == 9 && typed[3] == ','
		if err := digits(comma || len(typed) == 8); err != nil {
			return 0, err
		}
		hi, ok1 := decimal(typed[:3])
		lo, ok2 := decimal(typed[len(typed)-5:])
		if err := digits(ok1 && ok2 && hi < 1<<8 && lo < 1<<16); err != nil {
			return 0, err
		}
		bigEndian(out[:3], hi<<16|lo)
		return 3, nil
	case Hex, HexRev, Hex8, Hex8Rev:
		short := f == Hex8 || f == Hex8Rev
		if n := len(typed); n != 8 && (short || n != 14 && n != 20) {
			return 0, digits(false)
		}
		n := len(typed) / 2
		for i := range n {
			h, ok1 := nibble(typed[2*i])
			l, ok2 := nibble(typed[2*i+1])
			if !ok1 || !ok2 {
				clear(out[:])
				return 0, digits(false)
			}
			out[i] = h<<4 | l
		}
		if f == HexRev || f == Hex8Rev {
			slices.Reverse(out[:n])
		}
		return n, nil
	}
	return 0, fmt.Errorf("there is no format %q", string(f))
}

// decimal reads at most ten digits.
func decimal(b []byte) (v uint64, ok bool) {
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + uint64(c-'0')
	}
	return v, len(b) > 0 && len(b) <= 10
}

func bigEndian(out []byte, v uint64) {
	for i := len(out) - 1; i >= 0; i-- {
		out[i], v = byte(v), v>>8
	}
}

func nibble(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
