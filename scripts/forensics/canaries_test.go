package forensics

import (
	"crypto/rand"
	"fmt"
	"strings"

	"borne/scripts/scan"
)

// letters that lie on the same keys of AZERTY and QWERTY, so that a canary that
// is typed arrives as it is. They are the digits of numbers here.
const letters = "bcdefghijk"

// canaries names everything that one run plants: one marker that the search
// looks for, then the cycle, the sink, and letters of that canary alone. Values
// are never printed: whoever prints one plants it.
type canaries struct{ marker string }

const (
	cycleLetters = 4
	sinkLetters  = 2
	ownLetters   = 6
)

func newCanaries() canaries { return canaries{draw(16)} }

// draw returns random letters. They begin with a rare one.
func draw(n int) string {
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = letters[int(b[i])%len(letters)]
	}
	return string(b)
}

func number(n, width int) string {
	digits := []byte(fmt.Sprintf("%0*d", width, n))
	for i := range digits {
		digits[i] = letters[digits[i]-'0']
	}
	return string(digits)
}

// value is a new canary.
func (c canaries) value(cycle, sink int) string {
	return c.marker + number(cycle, cycleLetters) + number(sink, sinkLetters) + draw(ownLetters)
}

// of tells which canary a hit is of. A part of one that was cut off is nobody's.
func (c canaries) of(h scan.Hit) (cycle, sink int, ok bool) {
	if len(h.Rest) < cycleLetters+sinkLetters {
		return 0, 0, false
	}
	n := 0
	for i := range cycleLetters + sinkLetters {
		d := strings.IndexByte(letters, h.Rest[i])
		if d < 0 {
			return 0, 0, false
		}
		n = 10*n + d
	}
	return n / 100, n % 100, n%100 < len(sinks())
}
