package mfrc522

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"

	"borne/hw/sim"

	"periph.io/x/conn/v3/spi"
)

func testReader(t testing.TB, port spi.PortCloser, clk Clock) (*Reader, error) {
	t.Helper()
	return Open(t.Context(), port, Options{Clock: clk}, func([]byte) (k [32]byte) { return k })
}

// Selects under bit errors: a wrong UID must never come out, and a clean air
// must always give the right one.
func TestNoiseNeverGivesWrongUID(t *testing.T) {
	const each = 5000 // 20,000 under noise
	uids := [][]byte{{4, 0x95, 0x8C, 0xAA}, {4, 0x95, 0x8C, 0xAA, 0x5C, 0x5E, 0x80}, {4, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99}}
	for i, rate := range []float64{0, 0.0005, 0.002, 0.01, 0.03} {
		t.Run(fmt.Sprint(rate), func(t *testing.T) {
			clk := sim.NewVirtualClock()
			chip := sim.NewMFRC522(clk, uint64(i))
			port, err := chip.Open()
			if err != nil {
				t.Fatal(err)
			}
			r, err := testReader(t, port, clk)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			chip.SetFaults(sim.Faults{BitErrors: rate})
			right := 0
			for n := range each {
				want := uids[n%len(uids)]
				chip.Put(0, &sim.Card{UID: want, SAK: 0x20})
				if err := r.field(t.Context(), true); err != nil {
					t.Fatal(err)
				}
				var u uid
				err := r.selectCard(t.Context(), cmdREQA, &u)
				switch {
				case err == nil && !bytes.Equal(u.b[:u.n], want):
					t.Fatalf("select %d gave a wrong UID of %d bytes", n, u.n)
				case err == nil:
					right++
				case !errors.Is(err, errFrame) && !errors.Is(err, errNoCard):
					t.Fatalf("select %d: %v", n, err)
				}
				if err := r.field(t.Context(), false); err != nil {
					t.Fatal(err)
				}
			}
			t.Logf("%d of %d selects right, 0 wrong", right, each)
			if rate == 0 && right != each || right == 0 {
				t.Fatalf("%d of %d selects right", right, each)
			}
		})
	}
}

// FuzzFrames feeds the parsers with anything, as answers to whatever they asked.
// They must not panic, must learn at least a bit a round, and must never accept
// a part whose check byte is wrong.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{4, 0}, byte(0), byte(0))
	f.Add([]byte{4, 0x95, 0x8C, 0xAA, 0xB7, 0x20, 0xFC, 0x70}, byte(0), byte(0))
	f.Add([]byte{0x88, 4, 0x95, 0x8C, 0x95, 0x04, 0xDA, 0x17, 0xAA, 0x5C, 0x5E, 0x80, 0x28}, byte(5), byte(0))
	f.Add([]byte{4, 0x95, 0x8C, 0xAA, 0xB7, 0x20, 0xFC, 0x71}, byte(0), byte(0)) // half a checksum
	f.Add([]byte{4, 0x95, 0x8C, 0xAA, 0xB7, 0x20, 0xFD, 0x70}, byte(0), byte(0))
	f.Add([]byte{4, 0x95, 0x8C, 0xAA, 0xB7, 0x04, 0xDA, 0x17}, byte(0), byte(0)) // cascade without its tag
	f.Add(slices.Repeat([]byte{0xFF}, 64), byte(32), byte(7))
	f.Fuzz(func(t *testing.T, air []byte, coll, last byte) {
		_ = checkATQA(response{data: air, last: int(last & 7), coll: int(coll)})
		var u uid
		for level := range maxLevels {
			var p part
			for round := 0; ; round++ {
				if round > maxRounds {
					t.Fatal("anticollision does not end")
				}
				var req [7]byte
				n, bits := p.request(&req, level)
				if n < 2 || n > len(req) || bits != p.known%8 || int(req[1]>>4)*8+int(req[1]&7) != 16+p.known {
					t.Fatalf("request of %d bytes, NVB %02x, with %d bits known", n, req[1], p.known)
				}
				want := min(5-p.known/8, len(air))
				res := response{data: air[:want], last: int(last & 7)}
				if coll > 0 && round == 0 {
					res.coll = int(coll)
				}
				before := p.known
				asked := p.id
				done, err := p.apply(res)
				if err != nil {
					return
				}
				air = air[want:]
				for b := range before {
					if asked[b/8]>>(b%8)&1 != p.id[b/8]>>(b%8)&1 {
						t.Fatalf("known bit %d changed", b)
					}
				}
				if done {
					break
				}
				if p.known <= before {
					t.Fatalf("no bit learnt: %d, then %d", before, p.known)
				}
			}
			if p.id[0]^p.id[1]^p.id[2]^p.id[3] != p.id[4] {
				t.Fatal("accepted a wrong check byte")
			}
			n := min(3, len(air))
			more, err := parseSAK(response{data: air[:n], last: int(last & 7)}, &p, level)
			if err != nil {
				return
			}
			if crc := crcA(air[:1]); crc[0] != air[1] || crc[1] != air[2] {
				t.Fatal("accepted a wrong SAK checksum")
			}
			if more && (p.id[0] != cascadeTag || level == maxLevels-1) {
				t.Fatal("accepted a cascade without its tag")
			}
			air = air[n:]
			u.add(&p, more)
			if !more {
				if u.n != 4+3*level {
					t.Fatalf("UID of %d bytes at level %d", u.n, level+1)
				}
				return
			}
		}
		t.Fatal("more levels than there are")
	})
}

func BenchmarkSelect7(b *testing.B) {
	clk := sim.NewVirtualClock()
	chip := sim.NewMFRC522(clk, 1)
	port, err := chip.Open()
	if err != nil {
		b.Fatal(err)
	}
	r, err := testReader(b, port, clk)
	if err != nil {
		b.Fatal(err)
	}
	card := &sim.Card{UID: []byte{4, 0x95, 0x8C, 0xAA, 0x5C, 0x5E, 0x80}, SAK: 0x20}
	start, tx := clk.Now(), chip.Transfers()
	for b.Loop() {
		chip.Put(0, card)
		if err := r.field(b.Context(), true); err != nil {
			b.Fatal(err)
		}
		var u uid
		if err := r.selectCard(b.Context(), cmdREQA, &u); err != nil {
			b.Fatal(err)
		}
		if err := r.field(b.Context(), false); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((clk.Now()-start).Microseconds())/float64(b.N), "virtual-µs/select")
	b.ReportMetric(float64(chip.Transfers()-tx)/float64(b.N), "transfers/select")
}
