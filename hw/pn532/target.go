package pn532

import "fmt"

const (
	maxUID     = 10
	sakCascade = 0x04 // SAK bit 3: the UID is not complete (ISO/IEC 14443-3, 6.5.3.4)
	sakISODEP  = 0x20 // SAK bit 6: ISO/IEC 14443-4
	cascadeTag = 0x88 // first byte of an incomplete UID part, 6.5.4
)

// target is a card as InListPassiveTarget describes it (7.3.5).
type target struct {
	tg  byte // the chip's number of it
	sak byte
	ats bool // it is activated: ISO/IEC 14443-4
	odd bool // its ATQA announces a UID of another size
	n   int
	uid [maxUID]byte
}

// parseTargets reads an answer to InListPassiveTarget: NbTg and as many cards of
// type A, not one byte less or more. rats: the chip activates those that promise
// ISO/IEC 14443-4.
func parseTargets(b []byte, limit int, rats bool, into *[2]target) (n int, err error) {
	bad := func(why string, a ...any) (int, error) {
		*into = [2]target{}
		return 0, fmt.Errorf("%w: a list of cards with "+why, append([]any{errCard}, a...)...)
	}
	if len(b) < 1 || int(b[0]) > limit || limit > len(into) {
		return bad("a wrong number of them")
	}
	n, b = int(b[0]), b[1:]
	for i := range n {
		if len(b) < 5 {
			return bad("%d bytes for one", len(b))
		}
		t := target{tg: b[0], sak: b[3], n: int(b[4])}
		// SENS_RES comes high byte first; bits 7 and 8 of its low one are the UID's
		// size (ISO/IEC 14443-3, 6.5.2), or anything where cards answered together.
		t.odd = int(b[2]>>6) != (t.n-4)/3
		b = b[5:]
		switch {
		case t.tg != byte(i+1):
			return bad("number %d where %d belongs", t.tg, i+1)
		case t.n != 4 && t.n != 7 && t.n != 10, len(b) < t.n:
			return bad("a UID of %d bytes", t.n)
		case t.sak&sakCascade != 0:
			return bad("a UID that is not complete")
		case t.n == 4 && b[0] == cascadeTag, t.n == 7 && b[3] == cascadeTag:
			return bad("a cascade tag inside a UID of %d bytes", t.n)
		}
		copy(t.uid[:], b[:t.n])
		b = b[t.n:]
		into[i] = t
		// The ATS of a card that promises ISO/IEC 14443-4; its first byte counts itself.
		if rats && t.sak&sakISODEP != 0 {
			if len(b) == 0 {
				return bad("no ATS")
			}
			if size := int(b[0]); size < 1 || size > len(b) || size > 32 {
				return bad("an ATS of %d bytes", size)
			}
			into[i].ats = true
			b = b[b[0]:]
		}
	}
	if len(b) != 0 {
		return bad("%d bytes too many", len(b))
	}
	return n, nil
}
