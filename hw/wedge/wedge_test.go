package wedge

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/clock"
)

// press is an event as the kernel writes it.
func press(e event) []byte {
	var b []byte
	sec, usec := uint64(e.at/time.Second), uint64(e.at%time.Second/time.Microsecond)
	if wordSize == 8 {
		b = binary.NativeEndian.AppendUint64(binary.NativeEndian.AppendUint64(b, sec), usec)
	} else {
		b = binary.NativeEndian.AppendUint32(binary.NativeEndian.AppendUint32(b, uint32(sec)), uint32(usec))
	}
	b = binary.NativeEndian.AppendUint16(b, e.kind)
	b = binary.NativeEndian.AppendUint16(b, e.code)
	return binary.NativeEndian.AppendUint32(b, uint32(e.value))
}

// hand types on a reader's wire, on its own clock.
type hand struct {
	t    *testing.T
	w    *os.File
	at   time.Duration
	step time.Duration
}

func (h *hand) code(c uint16) {
	var b []byte
	for _, v := range []int32{1, 2, 0} { // pressed, repeated, released
		b = append(b, press(event{h.at, evKey, c, v})...)
		b = append(b, press(event{h.at, evSyn, 0, 0})...)
	}
	if _, err := h.w.Write(b); err != nil {
		h.t.Fatal(err)
	}
	h.at += h.step
}

func (h *hand) types(s string) {
	codes := map[rune]uint16{'\n': keyEnter, '\t': keyTab, ',': 51, 'A': 30, 'B': 48, 'C': 46, 'D': 32, 'E': 18, 'F': 33, 'Q': 16, 'x': 45, '0': 11, '^': 42}
	for _, r := range s {
		c, ok := codes[r]
		if !ok {
			c = uint16(r-'1') + 2
		}
		h.code(c)
	}
}

func key(t *testing.T) hw.BadgeKey {
	t.Helper()
	k, err := hw.NewBadgeKey(bytes.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func open(t *testing.T, o Options) (*Reader, *hand, *bytes.Buffer) {
	t.Helper()
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	o.Clock = clock.NewMonotonic()
	o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o, err = o.withDefaults("test")
	if err != nil {
		t.Fatal(err)
	}
	r := newReader(pr, o, key(t))
	t.Cleanup(func() { r.Close(); pw.Close() })
	return r, &hand{t: t, w: pw, at: time.Hour, step: 5 * time.Millisecond}, &log
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		format Format
		end    End
		typed  string
		uid    string
		sure   hw.Assurance
	}{
		{Dec10, EndEnter, "0004158902\n", "003f75b6", hw.AssuranceTruncated},
		{Dec10, EndEnter, "4294967295\n", "ffffffff", hw.AssuranceTruncated},
		{Dec10Rev, EndTab, "0004158902\t", "b6753f00", hw.AssuranceTruncated},
		{Dec8, EndEnter, "04158902\n", "3f75b6", hw.AssuranceTruncated},
		{Facility, EndEnter, "06330134\n", "3f75b6", hw.AssuranceTruncated},
		{Facility, EndEnter, "063,30134\n", "3f75b6", hw.AssuranceTruncated},
		{Hex, EndEnter, "04958CAA\n", "04958caa", hw.AssuranceUID},
		{Hex, EndEnter, "0^4958CQ^Q5C5E80\n", "04958caa5c5e80", hw.AssuranceUID}, // shifted, and A as a French reader types it
		{HexRev, EndEnter, "805E5CAA8C9504\n", "04958caa5c5e80", hw.AssuranceUID},
		{Hex, EndTimeout, "04958CAA5C5E80112233", "04958caa5c5e80112233", hw.AssuranceUID},
		{Hex8, EndEnter, "04958CAA\n", "04958caa", hw.AssuranceTruncated},
		{Hex8Rev, EndEnter, "AA8C9504\n", "04958caa", hw.AssuranceTruncated},
	} {
		r, h, log := open(t, Options{Format: c.format, End: c.end})
		h.types(c.typed)
		tap, err := r.Next(t.Context())
		if err != nil {
			t.Fatalf("%s %q: %v", c.format, c.typed, err)
		}
		uid, _ := hex.DecodeString(c.uid)
		want := hw.Badge{Key: key(t)(uid), Bytes: len(uid), Assurance: c.sure}
		if len(tap.Badges) != 1 || tap.Badges[0] != want || tap.At <= 0 {
			t.Errorf("%s %q: %+v, want %+v", c.format, c.typed, tap, want)
		}
		said := fmt.Sprintf("%s %+v %v", log, tap, r.opts)
		for _, n := range []string{strings.Trim(c.typed, "\n\t"), c.uid, strings.ToUpper(c.uid)} {
			if strings.Contains(said, n) {
				t.Errorf("%s: the number is in %s", c.format, said)
			}
		}
		if r.typist.buf != [maxChars]byte{} {
			t.Errorf("%s: the number is kept", c.format)
		}
	}
}

// Each of these is passed over, and the card that follows is read.
func TestWhatIsNoNumber(t *testing.T) {
	for name, c := range map[string]struct {
		format Format
		typed  func(h *hand)
	}{
		"too short":         {Dec10, func(h *hand) { h.types("12345\n") }},
		"too long":          {Dec10, func(h *hand) { h.types(strings.Repeat("1", 300) + "\n") }},
		"eleven digits":     {Dec10, func(h *hand) { h.types("12345678901\n") }},
		"more than 4 bytes": {Dec10, func(h *hand) { h.types("4294967296\n") }},
		"more than 3 bytes": {Dec8, func(h *hand) { h.types("16777216\n") }},
		"five digits":       {Facility, func(h *hand) { h.types("12345\n") }},
		"nine digits":       {Facility, func(h *hand) { h.types("123445678\n") }},
		"facility 256":      {Facility, func(h *hand) { h.types("25600001\n") }},
		"card 65536":        {Facility, func(h *hand) { h.types("00165536\n") }},
		"letters":           {Dec10, func(h *hand) { h.types("00041589AB\n") }},
		"ten digits in hex": {Hex, func(h *hand) { h.types("1234567890\n") }},
		"7 bytes in hex8":   {Hex8, func(h *hand) { h.types("04958CAA5C5E80\n") }},
		"another key":       {Dec10, func(h *hand) { h.types("00041x58902\n") }},
		"only Enter":        {Dec10, func(h *hand) { h.types("\n\n\n") }},
		"a slow hand":       {Dec10, func(h *hand) { h.step = time.Second; h.types("0004158902\n"); h.step = 5 * time.Millisecond }},
		"a half, a pause":   {Dec10, func(h *hand) { h.types("00041"); h.at += time.Second; h.types("58902\n") }},
		"keys were lost": {Dec10, func(h *hand) {
			h.types("000")
			b := append(press(event{h.at, evSyn, synDropped, 0}), press(event{h.at, evKey, 5, 1})...)
			if _, err := h.w.Write(append(b, press(event{h.at, evSyn, 0, 0})...)); err != nil {
				h.t.Fatal(err)
			}
			h.types("4158902\n")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			r, h, log := open(t, Options{Format: c.format})
			c.typed(h)
			h.at += time.Minute
			good := map[Format]string{Dec10: "0000000001\n", Dec8: "00000001\n", Facility: "00000001\n", Hex: "00000001\n", Hex8: "00000001\n"}[c.format]
			h.types(good)
			tap, err := r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			uid := make([]byte, tap.Badges[0].Bytes)
			uid[len(uid)-1] = 1
			if tap.Badges[0].Key != key(t)(uid) {
				t.Errorf("another card was read; the log: %s", log)
			}
			for _, digits := range []string{"1234", "4158", "6777", "1655", "2560", "0495", "1111"} {
				if strings.Contains(log.String(), digits) {
					t.Errorf("digits in the log: %s", log)
				}
			}
		})
	}
}

// A number whose end never comes is forgotten, and said.
func TestNumberWithoutEnd(t *testing.T) {
	r, h, log := open(t, Options{Format: Dec10, Gap: MinGap})
	h.types("0004158902")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.opts.Log = slog.New(cancelOn{slog.NewTextHandler(log, nil), cancel})
	if tap, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("tap %v, error %v", tap, err)
	}
	if !strings.Contains(log.String(), "check option end") || r.typist.pending() {
		t.Errorf("the log: %s", log)
	}
}

// cancelOn ends a context at the first line that is logged.
type cancelOn struct {
	slog.Handler
	cancel func()
}

func (c cancelOn) Handle(ctx context.Context, r slog.Record) error {
	defer c.cancel()
	return c.Handler.Handle(ctx, r)
}

// A card that stays is one visit, whoever types it again and again.
func TestOneTapAVisit(t *testing.T) {
	r, h, _ := open(t, Options{})
	for range 5 {
		h.types("0000000001\n")
		h.at += time.Second
	}
	h.types("0000000002\n0000000001\n")
	h.at += 2 * time.Second
	h.types("0000000001\n")
	var got []byte
	for range 4 {
		tap, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for n := range byte(3) {
			if tap.Badges[0].Key == key(t)([]byte{0, 0, 0, n}) {
				got = append(got, n)
			}
		}
	}
	if !slices.Equal(got, []byte{1, 2, 1, 1}) {
		t.Errorf("taps %v", got)
	}
}

// Two numbers without an end between them, read late: the pause that the keys'
// own times tell divides them.
func TestTimeoutByKeyTimes(t *testing.T) {
	r, h, _ := open(t, Options{Format: Hex, End: EndTimeout})
	h.types("0000000A")
	h.at += time.Second
	h.types("0000000B")
	for _, want := range []byte{0xA, 0xB} {
		tap, err := r.Next(t.Context())
		if err != nil || tap.Badges[0].Key != key(t)([]byte{0, 0, 0, want}) {
			t.Fatalf("%+v, %v", tap, err)
		}
	}
}

func TestEnds(t *testing.T) {
	r, h, _ := open(t, Options{})
	before := r.Beat()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { _, err := r.Next(ctx); ended <- err }()
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	h.types("0000000001\n") // and it still works
	if _, err := r.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r.Beat() <= before {
		t.Error("the beat stands still")
	}
	go func() { _, err := r.Next(t.Context()); ended <- err }()
	if err := errors.Join(r.Close(), r.Close()); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, hw.ErrClosed) {
		t.Fatalf("error %v, want hw.ErrClosed", err)
	}
	r, h, _ = open(t, Options{Name: "wedge:/dev/input/event7"})
	if err := h.w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "cannot read badges on wedge:/dev/input/event7: ") {
		t.Fatalf("error %v", err)
	}
}

func TestRandomUID(t *testing.T) {
	for _, c := range []struct {
		format Format
		typed  string
		random bool
	}{
		{Hex, "08112233\n", true},
		{HexRev, "33221108\n", true},
		{HexRev, "08112233\n", false},
		{Hex, "08112233445566\n", false},
		// Four bytes of another number that begins with 08.
		{Hex8, "08112233\n", false},
		{Hex8Rev, "33221108\n", false},
		{Dec10, "0135340595\n", false},
		{Dec10Rev, "0857874696\n", false},
	} {
		r, h, _ := open(t, Options{Format: c.format})
		h.types(c.typed)
		if tap, err := r.Next(t.Context()); err != nil || tap.Badges[0].Random != c.random {
			t.Errorf("%s %q: %+v, %v; want random %v", c.format, c.typed, tap, err, c.random)
		}
	}
}

func TestBadOpenings(t *testing.T) {
	o := Options{Clock: clock.NewMonotonic()}
	for want, f := range map[string]func(*Options){
		"Options.Clock is nil":         func(o *Options) { o.Clock = nil },
		`option format is "dec11"`:     func(o *Options) { o.Format = "dec11" },
		`option end is "space"`:        func(o *Options) { o.End = "space" },
		"option gap is 1m0s":           func(o *Options) { o.Gap = time.Minute },
		"does not exist; plug":         func(*Options) {},
		"/dev/null is no input device": func(o *Options) { o.Name = "/dev/null" },
	} {
		o := o
		f(&o)
		path := "/dev/input/event9999"
		if o.Name != "" {
			path = o.Name
		}
		if _, err := Open(path, o, key(t)); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	if _, err := Open("/dev/input/event9999", o, nil); err == nil || !strings.Contains(err.Error(), "no badge key") {
		t.Errorf("error %v", err)
	}
	if _, err := Open("/dev/input/event9999", o, key(t)); !errors.Is(err, hw.ErrAbsent) {
		t.Errorf("error %v, want hw.ErrAbsent", err)
	}
}

// Whatever a device writes: no panic, no number of another length, nothing kept.
func FuzzTypist(f *testing.F) {
	for _, s := range []string{"0004158902", "04958CAA5C5E80", "063,30134"} {
		var b []byte
		for i, r := range s {
			b = append(b, press(event{time.Duration(i) * time.Millisecond, evKey, uint16(r-'0') + 1, 1})...)
		}
		f.Add(append(b, press(event{time.Second, evKey, keyEnter, 1})...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, format := range Formats() {
			for _, end := range Ends() {
				ty := typist{end: end, gap: DefaultGap}
				for rest := b; len(rest) >= eventSize; rest = rest[eventSize:] {
					if !ty.key(parseEvent(rest)) {
						continue
					}
					typed, err := ty.take()
					var u [uidMax]byte
					if err == nil {
						n, err := format.decode(typed, &u)
						if err == nil && !slices.Contains([]int{3, 4, 7, 10}, n) || err != nil && u != [uidMax]byte{} {
							t.Fatalf("%s: %d bytes, %x, error %v", format, n, u, err)
						}
					}
					ty.reset()
					if ty.buf != [maxChars]byte{} || ty.pending() {
						t.Fatal("a number is kept")
					}
				}
			}
		}
	})
}
