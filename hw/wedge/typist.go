package wedge

import (
	"encoding/binary"
	"errors"
	"time"
)

// End says what ends a number.
type End string

// Ends.
const (
	EndEnter   End = "enter"
	EndTab     End = "tab"
	EndTimeout End = "timeout" // nothing: the pause after it
)

// Ends lists them all.
func Ends() []End { return []End{EndEnter, EndTab, EndTimeout} }

// event is one struct input_event.
type event struct {
	at    time.Duration
	kind  uint16
	code  uint16
	value int32
}

// wordSize is a kernel word's size in struct input_event: two words of time come
// before type, code and value, also on 32-bit machines with 64-bit time
// (linux/input.h, __kernel_ulong_t).
const wordSize = 4 << (^uint(0) >> 63)

// eventSize is sizeof(struct input_event).
const eventSize = 2*wordSize + 8

// parseEvent reads one event of eventSize bytes.
func parseEvent(b []byte) event {
	var sec, usec uint64
	if wordSize == 8 {
		sec, usec = binary.NativeEndian.Uint64(b), binary.NativeEndian.Uint64(b[8:])
	} else {
		sec, usec = uint64(binary.NativeEndian.Uint32(b)), uint64(binary.NativeEndian.Uint32(b[4:]))
	}
	b = b[2*wordSize:]
	return event{
		at:    time.Duration(sec)*time.Second + time.Duration(usec)*time.Microsecond,
		kind:  binary.NativeEndian.Uint16(b),
		code:  binary.NativeEndian.Uint16(b[2:]),
		value: int32(binary.NativeEndian.Uint32(b[4:])),
	}
}

// What makes a reading no number. None names a digit.
var (
	errTooLong = errors.New("it typed more characters than any card has")
	errOdd     = errors.New("it pressed keys that are in no number")
	errLost    = errors.New("the kernel lost keys")
)

// typist collects the characters of one number. It keeps at most maxChars, and
// only until they are taken or too old.
type typist struct {
	end End
	gap time.Duration // between two keys of one number at most

	buf  [maxChars]byte
	n    int
	last time.Duration
	bad  error // this reading is no number, whatever comes
	deaf bool  // until the next report: the kernel's queue ran over
}

func (t *typist) reset() {
	clear(t.buf[:])
	t.n, t.bad = 0, nil
}

// pending tells whether a number has begun.
func (t *typist) pending() bool { return t.n > 0 || t.bad != nil }

// key takes an event. done says that a reading is complete: take it.
func (t *typist) key(e event) (done bool) {
	switch {
	case e.kind == evSyn && e.code == synDropped:
		t.deaf, t.bad = true, errLost
		return false
	case e.kind == evSyn:
		t.deaf = false
		return false
	case t.deaf, e.kind != evKey, e.value != 1, modifier(e.code): // releases and repeats type nothing
		return false
	}
	// A reader types as fast as it can: what stood there for long was no number.
	if t.late(e) {
		t.reset()
	}
	t.last = e.at
	switch {
	case e.code == keyEnter, e.code == keyKPEnter:
		return t.end == EndEnter && t.pending()
	case e.code == keyTab:
		return t.end == EndTab && t.pending()
	}
	switch c := char(e.code); {
	case t.bad != nil:
	case c == 0:
		t.bad = errOdd
	case t.n == maxChars:
		t.bad = errTooLong
	default:
		t.buf[t.n] = c
		t.n++
	}
	return false
}

// late tells whether the key comes too long after the last one to belong to its number.
func (t *typist) late(e event) bool {
	return t.pending() && e.kind == evKey && e.value == 1 && !modifier(e.code) && e.at-t.last > t.gap
}

// take returns what was typed, valid until reset, and what is wrong with it.
func (t *typist) take() ([]byte, error) { return t.buf[:t.n], t.bad }
