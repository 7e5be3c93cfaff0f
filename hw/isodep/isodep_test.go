package isodep

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestParseATS(t *testing.T) {
	ms := func(f float64) time.Duration { return time.Duration(f * 1e6) }
	for _, c := range []struct {
		b    []byte
		want ATS
	}{
		{[]byte{1}, ATS{32, ms(4.832), 0}},
		{[]byte{2, 0x08}, ATS{256, ms(4.832), 0}},
		{[]byte{2, 0x0F}, ATS{256, ms(4.832), 0}},
		{[]byte{6, 0x77, 0x77, 0x71, 0x02, 0x80}, ATS{128, ms(38.66), ms(0.604)}}, // NTAG 424 DNA's
		{[]byte{3, 0x20, 0xFF}, ATS{16, ms(4.832), 0}},                            // reserved codes
		{[]byte{3, 0x25, 0xE0}, ATS{64, ms(4948.8), 0}},
		{[]byte{3, 0x45, 0x02}, ATS{64, ms(4.832), 0}}, // TC alone is no TB
	} {
		got, err := ParseATS(c.b)
		near := func(a, b time.Duration) bool { return (a - b).Abs() <= b/1000+time.Microsecond }
		if err != nil || got.FSC != c.want.FSC || !near(got.FWT, c.want.FWT) || !near(got.SFGT, c.want.SFGT) {
			t.Errorf("% x: %+v, error %v; want %+v", c.b, got, err, c.want)
		}
	}
	for _, b := range [][]byte{nil, {0}, {2}, {1, 2}, {2, 0x10}, {3, 0x30, 1}, {4, 0x70, 1, 2}} {
		if _, err := ParseATS(b); !errors.Is(err, ErrGarbled) {
			t.Errorf("% x: error %v", b, err)
		}
	}
}

func TestTransmitBothWaysChained(t *testing.T) {
	for _, fsci := range []byte{0, 2, 5, 8} {
		for _, size := range []int{1, 12, 13, 14, 60, 61, 62, 200, 261} {
			for _, reply := range []int{0, 58, 59, 60, 200, 256} {
				c := card(reply)
				c.ats[1] = 0x70 | fsci
				a := &air{card: c}
				s, err := Activate(t.Context(), a, &noSleep{})
				if err != nil {
					t.Fatal(err)
				}
				for range 3 { // block numbers go on
					got, err := s.Transmit(t.Context(), command(size))
					if err != nil || !bytes.Equal(got, echo(reply)(command(size))) {
						t.Fatalf("FSCI %d, %d bytes, %d back: %d bytes, error %v", fsci, size, reply, len(got), err)
					}
				}
				if err := s.Deselect(t.Context()); err != nil || !c.deselect || c.ran != 3 {
					t.Fatalf("deselect: %v; %d commands", err, c.ran)
				}
				if want := min(frameSize(fsci), FrameSize); a.largest > want {
					t.Fatalf("a frame of %d bytes, FSC %d", a.largest, want)
				}
				if s.tx != [FrameSize]byte{} || s.rx != [FrameSize]byte{} {
					t.Fatal("bytes stayed in the buffers")
				}
				if _, err := s.Transmit(t.Context(), command(1)); !errors.Is(err, ErrLost) {
					t.Fatalf("after deselecting: %v", err)
				}
			}
		}
	}
}

// Each frame of a dialogue is once lost or spoilt, in each direction: the answer
// is the right one, and no command is carried out twice.
func TestOneFaultAnywhereIsMended(t *testing.T) {
	faults := map[string]func([]byte) []byte{
		"lost":     func([]byte) []byte { return nil },
		"CRC":      func(f []byte) []byte { f[len(f)-1] ^= 1; return f },
		"PCB":      func(f []byte) []byte { f[0] ^= 0x40; return f },
		"cut":      func(f []byte) []byte { return f[:1] },
		"too long": func(f []byte) []byte { return append(f, bytes.Repeat([]byte{0x55}, 70)...) }, // zeros would pass the checksum
	}
	run := func(fault func(int, bool, []byte) []byte) (frames int, err error) {
		c := card(150)
		c.wtx = 1
		a := &air{card: c}
		s, err := Activate(t.Context(), a, &noSleep{})
		if err != nil {
			t.Fatal(err)
		}
		a.fault, a.n = fault, 0
		for i := range 2 {
			got, err := s.Transmit(t.Context(), command(150))
			if err != nil {
				return a.n, err
			}
			if !bytes.Equal(got, echo(150)(command(150))) || c.ran != i+1 {
				t.Fatalf("command %d: %d bytes, %d carried out", i, len(got), c.ran)
			}
		}
		n := a.n
		return n, s.Deselect(t.Context())
	}
	frames, err := run(nil)
	if err != nil || frames < 12 {
		t.Fatalf("%d frames, %v", frames, err)
	}
	for name, f := range faults {
		for _, toCard := range []bool{true, false} {
			for at := 1; at <= frames; at++ {
				if _, err := run(func(n int, to bool, b []byte) []byte {
					if n == at && to == toCard {
						return f(b)
					}
					return b
				}); err != nil {
					t.Errorf("%s, to card %v, frame %d: %v", name, toCard, at, err)
				}
			}
		}
	}
}

func TestGivingUpIsBounded(t *testing.T) {
	for name, set := range map[string]func(*picc, *air){
		"silent":           func(c *picc, _ *air) { c.deaf = true },
		"all spoilt":       func(_ *picc, a *air) { a.fault = func(_ int, _ bool, f []byte) []byte { f[0] ^= 1; return f } },
		"WTX storm":        func(c *picc, _ *air) { c.wtx = 1 << 30 },
		"WTX of 0":         func(c *picc, _ *air) { c.wtx, c.wtxm = 1, 0 },
		"WTX of 60":        func(c *picc, _ *air) { c.wtx, c.wtxm = 1, 60 },
		"endless answer":   func(c *picc, _ *air) { c.reply = echo(100_000) },
		"empty, for ever":  func(_ *picc, a *air) { a.fault = always(t, pcbI|bitMore) },
		"ACKs, for ever":   func(_ *picc, a *air) { a.fault = always(t, pcbACK) },
		"NAKs, for ever":   func(_ *picc, a *air) { a.fault = always(t, pcbNAK) },
		"CIDs, for ever":   func(_ *picc, a *air) { a.fault = always(t, pcbI|0x08) },
		"answers too soon": func(_ *picc, a *air) { a.fault = always(t, pcbI) },
	} {
		t.Run(name, func(t *testing.T) {
			c := card(10)
			a := &air{card: c}
			s, err := Activate(t.Context(), a, &noSleep{})
			if err != nil {
				t.Fatal(err)
			}
			a.n = 0
			set(c, a)
			_, err = s.Transmit(t.Context(), command(100))
			most := maxBlocks
			if name == "WTX storm" {
				most = maxWTX + 10
			}
			if !errors.Is(err, ErrLost) || a.n > most {
				t.Fatalf("error %v after %d frames", err, a.n)
			}
			n := a.n
			if _, again := s.Transmit(t.Context(), command(1)); again == nil || a.n != n {
				t.Errorf("a dead session sends: %v", again)
			}
		})
	}
}

// always answers any frame with one PCB of either number.
func always(t *testing.T, pcb byte) func(int, bool, []byte) []byte {
	return func(n int, toCard bool, f []byte) []byte {
		if toCard {
			return f
		}
		return sealed([]byte{pcb | byte(n+1)&1})
	}
}

func TestTimes(t *testing.T) {
	c := card(1)
	c.ats = []byte{5, 0x75, 0x77, 0x41, 0x02} // FWI 4, SFGI 1
	c.wtx, c.wtxm = 1, 10
	clk := &noSleep{}
	s, err := Activate(t.Context(), &air{card: c}, clk)
	if err != nil || clk.slept != integer(1) {
		t.Fatalf("slept %v, error %v", clk.slept, err)
	}
	if _, err := s.Transmit(t.Context(), command(3)); err != nil {
		t.Fatal(err)
	}
	fwt := integer(4)
	want := []time.Duration{activationFWT + extraFWT, fwt + extraFWT, 10*fwt + extraFWT}
	if !slices.Equal(c.waits, want) {
		t.Errorf("waited %v, want %v", c.waits, want)
	}
}

func TestActivateFails(t *testing.T) {
	boom := errors.New("reader fault")
	for name, set := range map[string]struct {
		do func(*picc, *air)
		is error
	}{
		"silent":  {func(c *picc, _ *air) { c.deaf = true }, ErrLost},
		"bad ATS": {func(c *picc, _ *air) { c.ats = []byte{9, 1} }, ErrLost},
		"spoilt ATS": {func(_ *picc, a *air) {
			a.fault = func(n int, to bool, f []byte) []byte { f[0] ^= byte(1 &^ n); return f[:len(f)-n%2] }
		}, ErrLost},
		"reader":        {func(_ *picc, a *air) { a.err, a.errAt = boom, 1 }, boom},
		"reader, later": {func(c *picc, a *air) { c.deaf = true; a.err, a.errAt = boom, 2 }, boom},
	} {
		t.Run(name, func(t *testing.T) {
			c := card(1)
			a := &air{card: c}
			set.do(c, a)
			if _, err := Activate(t.Context(), a, &noSleep{}); !errors.Is(err, set.is) {
				t.Fatalf("error %v, want %v", err, set.is)
			}
			if a.n > 3 {
				t.Errorf("%d frames", a.n)
			}
		})
	}
	if c := card(1); c != nil { // a card whose ATS was lost is deselected, to be selected anew
		a := &air{card: c, fault: func(n int, to bool, f []byte) []byte {
			if n == 1 && !to {
				return nil
			}
			return f
		}}
		if _, err := Activate(t.Context(), a, &noSleep{}); !errors.Is(err, ErrLost) || !c.deselect {
			t.Errorf("deselected %v, error %v", c.deselect, err)
		}
	}
}

func TestReaderErrorsEndTheSession(t *testing.T) {
	boom := errors.New("reader fault")
	for at := 2; at <= 6; at++ {
		a := &air{card: card(150)}
		s, err := Activate(t.Context(), a, &noSleep{})
		if err != nil {
			t.Fatal(err)
		}
		a.err, a.errAt = boom, at
		if _, err := s.Transmit(t.Context(), command(150)); !errors.Is(err, boom) || errors.Is(err, ErrLost) {
			t.Errorf("frame %d: error %v", at, err)
		}
	}
	a := &air{card: card(150)}
	s, err := Activate(t.Context(), a, &noSleep{})
	if err != nil {
		t.Fatal(err)
	}
	a.n, a.err, a.errAt = 0, fmt.Errorf("%w: no time left", ErrLost), 1
	if _, err := s.Transmit(t.Context(), command(1)); !errors.Is(err, ErrLost) || a.n != 1 {
		t.Errorf("an exchanger that gives up was asked %d times (error %v)", a.n, err)
	}
	for _, n := range []int{0, maxCommand + 1} {
		if _, err := s.Transmit(t.Context(), make([]byte, n)); err == nil {
			t.Errorf("a command of %d bytes passed", n)
		}
	}
}

// FuzzSession lets anything answer: no panic, bounded exchanges, and no answer
// longer than a short command's.
func FuzzSession(f *testing.F) {
	f.Add([]byte{5, 5, 0x75, 0x77, 0x41, 0x02, 3, 0x02, 0x90, 0x00}, 3)
	f.Add([]byte{1, 1, 1, 0xA2, 3, 0x13, 1, 2, 2, 0xF2, 1, 3, 0x02, 0x90, 0}, 100)
	f.Fuzz(func(t *testing.T, script []byte, size int) {
		a := &scripted{b: script}
		s, err := Activate(t.Context(), a, &noSleep{})
		if err != nil {
			if !errors.Is(err, ErrLost) || a.n > 3 {
				t.Fatalf("error %v after %d frames", err, a.n)
			}
			return
		}
		b, err := s.Transmit(t.Context(), command(1+int(uint(size)%maxCommand)))
		if err != nil && !errors.Is(err, ErrLost) || len(b) > maxResponse || a.n > 1+maxBlocks {
			t.Fatalf("%d bytes, error %v, %d frames", len(b), err, a.n)
		}
		if err := s.Deselect(t.Context()); err != nil && !errors.Is(err, ErrLost) {
			t.Fatal(err)
		}
	})
}

// scripted answers lengths and bytes from a script, sealed, over and over.
type scripted struct {
	b    []byte
	i, n int
}

func (s *scripted) Exchange(_ context.Context, _, rx []byte, _ time.Duration) (int, error) {
	s.n++
	if len(s.b) == 0 {
		return 0, ErrSilent
	}
	n := int(s.b[s.i%len(s.b)]) % 70
	s.i++
	f := make([]byte, n)
	for i := range f {
		f[i] = s.b[s.i%len(s.b)]
		s.i++
	}
	if n == 0 {
		return 0, ErrSilent
	}
	return copy(rx, sealed(f)), nil
}
