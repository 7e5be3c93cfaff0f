package isodep

import (
	"fmt"
	"time"
)

// fc is the carrier: times are counted in its periods (ISO/IEC 14443-4).
const fc = 13_560_000

func periods(n int64) time.Duration { return time.Duration(n * int64(time.Second) / fc) }

// ATS is what a card's answer to select says and we use (ISO/IEC 14443-4, 5.2).
type ATS struct {
	FSC  int           // largest frame that the card takes, CRC included
	FWT  time.Duration // it answers a frame within
	SFGT time.Duration // it wants to be left alone after its ATS for
}

// frameSizes maps FSCI (5.2.3); larger codes are for later use, and read as 256.
func frameSize(fsci byte) int {
	sizes := []int{16, 24, 32, 40, 48, 64, 96, 128, 256}
	return sizes[min(int(fsci), len(sizes)-1)]
}

// integer is the times' formula (5.2.5): 256 · 16 / fc · 2^n.
func integer(n byte) time.Duration { return periods(256 * 16 << n) }

const (
	defaultFSCI = 2
	defaultFWI  = 4
	reserved    = 15 // of FWI and SFGI, to be read as the default
	maxATS      = 20 // TL to TC and 15 historical bytes fit; a card may send more than it should
)

// ParseATS reads an ATS without its CRC (5.2). All bytes but TL may be missing;
// those that T0 announces may not.
func ParseATS(b []byte) (ATS, error) {
	if len(b) == 0 || int(b[0]) != len(b) {
		return ATS{}, fmt.Errorf("%w: an ATS of %d bytes does not have its length in TL", ErrGarbled, len(b))
	}
	fsci, fwi, sfgi := byte(defaultFSCI), byte(defaultFWI), byte(0)
	if len(b) > 1 {
		t0 := b[1]
		fsci = t0 & 0x0F
		next := 2
		for _, bit := range []byte{0x10, 0x20, 0x40} { // TA, TB, TC
			if t0&bit == 0 {
				continue
			}
			if next == len(b) {
				return ATS{}, fmt.Errorf("%w: an ATS of %d bytes lacks what T0 announces", ErrGarbled, len(b))
			}
			// TA: bit rates; 106 kbit/s always works. TC: NAD and CID; neither is used.
			if bit == 0x20 {
				fwi, sfgi = b[next]>>4, b[next]&0x0F
			}
			next++
		}
	}
	if fwi == reserved {
		fwi = defaultFWI
	}
	a := ATS{FSC: frameSize(fsci), FWT: integer(fwi)}
	if sfgi != 0 && sfgi != reserved {
		a.SFGT = integer(sfgi)
	}
	return a, nil
}
