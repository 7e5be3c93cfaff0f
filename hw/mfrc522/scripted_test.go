package mfrc522

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/sim"

	"periph.io/x/conn/v3"
	"periph.io/x/conn/v3/physic"
	"periph.io/x/conn/v3/spi"
)

// scriptedPort is a healthy, deaf chip until it is armed: then whatever is read
// comes from a script, over and over, but for the registers that prove health.
type scriptedPort struct {
	clk    *sim.VirtualClock
	armed  bool
	once   bool // silence after the script's end
	script []byte
	n      int
	closed bool
}

func (p *scriptedPort) String() string                    { return "scripted" }
func (p *scriptedPort) Close() error                      { p.closed = true; return nil }
func (p *scriptedPort) LimitSpeed(physic.Frequency) error { return nil }
func (p *scriptedPort) Duplex() conn.Duplex               { return conn.Full }
func (p *scriptedPort) TxPackets([]spi.Packet) error      { return errors.New("not used") }
func (p *scriptedPort) Connect(physic.Frequency, spi.Mode, int) (spi.Conn, error) {
	return p, nil
}

func (p *scriptedPort) Tx(w, r []byte) error {
	p.clk.Advance(20 * time.Microsecond)
	if r == nil {
		return nil
	}
	reg := w[0] >> 1 & 0x3F
	for i := 1; i < len(r); i++ {
		switch {
		case reg == regCommand:
			r[i] = 0
		case reg == regVersion:
			r[i] = 0x92
		case reg == regTPrescaler:
			r[i] = sentinelTimer
		case p.armed && len(p.script) > 0 && (!p.once || p.n < len(p.script)):
			r[i] = p.script[p.n%len(p.script)]
			p.n++
		case reg == regComIrq:
			r[i] = irqTimer
		default:
			r[i] = 0
		}
	}
	return nil
}

// silence and heard are one exchange's reads, in the driver's order.
func silence() []byte { return []byte{irqTimer, 0} }

func heard(errBits byte, b ...byte) []byte {
	if errBits&errBytes != 0 {
		return []byte{irqRx | irqErr, errBits, byte(len(b)), 0}
	}
	return append([]byte{irqRx, errBits, byte(len(b)), 0}, b...)
}

func atqa() []byte { return heard(0, 0x04, 0x00) }
func sdd() []byte  { return heard(0, 0x04, 0x95, 0x8C, 0xAA, 0xB7) }
func sak() []byte  { return heard(0, 0x20, 0xFC, 0x70) }

// oneCard is the reads of a card that is selected and halted.
func oneCard() []byte { return slices.Concat(atqa(), sdd(), sak(), silence()) }

func scriptedReader(t *testing.T, script ...[]byte) (*Reader, *scriptedPort) {
	t.Helper()
	p := &scriptedPort{clk: sim.NewVirtualClock(), script: slices.Concat(script...), once: true}
	r, err := testReader(t, p, p.clk)
	if err != nil {
		t.Fatal(err)
	}
	p.armed = true
	return r, p
}

func TestErrorBitsSpoilAnswers(t *testing.T) {
	for name, bit := range map[string]byte{"overflow": errOverflow, "CRC": errCRC, "parity": errParity, "protocol": errProtocol} {
		for where, script := range map[string][]byte{
			"ATQA":          heard(bit, 4, 0),
			"anticollision": slices.Concat(atqa(), heard(bit, 0x04, 0x95, 0x8C, 0xAA, 0xB7)),
			"SAK":           slices.Concat(atqa(), sdd(), heard(bit, 0x20, 0xFC, 0x70)),
		} {
			// The bytes are there, and right, to whoever reads them all the same.
			r, _ := scriptedReader(t, script, []byte{0x04, 0x95, 0x8C, 0xAA, 0xB7})
			var u uid
			if err := r.selectCard(t.Context(), cmdREQA, &u); !errors.Is(err, errFrame) {
				t.Errorf("%s error in %s: %v, want an unreadable frame", name, where, err)
			}
		}
	}
}

func TestErrorBitsAreLookedAtBeforeBytes(t *testing.T) {
	r, _ := scriptedReader(t, atqa(), []byte{irqRx, errParity, 5, 0, 0x04, 0x95, 0x8C, 0xAA, 0xB7}, sak())
	var u uid
	if err := r.selectCard(t.Context(), cmdREQA, &u); !errors.Is(err, errFrame) {
		t.Fatalf("a parity error passed: %v", err)
	}
}

func TestInventoryKnowsWhenItIsComplete(t *testing.T) {
	bad := heard(errParity, 4, 0)
	for name, c := range map[string]struct {
		script   [][]byte
		found    int
		complete bool
	}{
		"nobody":                           {[][]byte{silence()}, 0, true},
		"one card":                         {[][]byte{oneCard(), silence()}, 1, true},
		"unreadable, then read":            {[][]byte{bad, silence(), oneCard(), silence()}, 1, true},
		"unreadable, then silent":          {[][]byte{bad, silence(), silence(), silence()}, 0, false},
		"one card, then an unreadable one": {[][]byte{oneCard(), bad, bad, bad, bad}, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, _ := scriptedReader(t, c.script...)
			found := 0
			complete, err := r.inventory(t.Context(), count(&found))
			if err != nil || found != c.found || complete != c.complete {
				t.Errorf("%d cards, complete %v, error %v; want %d, %v", found, complete, err, c.found, c.complete)
			}
		})
	}
}

// count is a meeting that leaves its card to be halted.
func count(n *int) meeting {
	return func(context.Context, *uid) (parting, error) {
		*n++
		return selected, nil
	}
}

func TestHalfAPurseIsNotReportedAtOnce(t *testing.T) {
	bad := heard(errParity, 4, 0)
	look := slices.Concat(oneCard(), bad, bad, bad, bad)
	r, p := scriptedReader(t, look, look, look)
	ctx, cancel := p.clk.Context(t.Context(), time.Second)
	defer cancel()
	tap, err := r.Next(ctx)
	if err != nil || len(tap.Badges) != 1 || tap.At < 2*r.opts.Poll {
		t.Fatalf("%d badges at %v, error %v; want one at the third look", len(tap.Badges), tap.At, err)
	}
	// A card that missed its HLTA is found twice and is still one.
	r, p = scriptedReader(t, oneCard(), oneCard(), silence())
	ctx, cancel = p.clk.Context(t.Context(), time.Second)
	defer cancel()
	if tap, err := r.Next(ctx); err != nil || len(tap.Badges) != 1 {
		t.Fatalf("%d badges, error %v; want one", len(tap.Badges), err)
	}
}

func TestJammerCannotHoldALook(t *testing.T) {
	// Cards that answer late and collide at each of 32 bits, over and over.
	late := func(b []byte) []byte { return append([]byte{0, 0}, b...) }
	card := late(atqa())
	for bit := range 32 {
		card = append(card, late(heard(errCollision, make([]byte, 5-bit/8)...))...)
		card = append(card, byte(bit%8+1))
	}
	card = slices.Concat(card, late(heard(0, 0)), late(sak()), late(silence()))
	r, p := scriptedReader(t, card)
	p.once = false
	start, found := p.clk.Now(), 0
	complete, err := r.inventory(t.Context(), count(&found))
	if took := p.clk.Now() - start; err != nil || complete || found == 0 || took < lookDeadline || took > lookDeadline+500*time.Millisecond {
		t.Fatalf("%d cards, complete %v after %v, error %v", found, complete, took, err)
	}
}

func TestSentinelSeesLostConfiguration(t *testing.T) {
	clk := sim.NewVirtualClock()
	chip := sim.NewMFRC522(clk, 1)
	port, err := chip.Open()
	if err != nil {
		t.Fatal(err)
	}
	r, err := testReader(t, port, clk)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if err := r.sentinel(); err != nil {
		t.Fatal(err)
	}
	chip.SetFaults(sim.Faults{BrownOutAt: 1})
	if err := r.sentinel(); !errors.Is(err, errChip) {
		t.Fatalf("error %v, want a chip fault", err)
	}
}

func TestNothingStaysInTheBuffers(t *testing.T) {
	r, p := scriptedReader(t, oneCard(), silence())
	ctx, cancel := p.clk.Context(t.Context(), time.Second)
	defer cancel()
	var seen []byte
	r.key = func(u []byte) [32]byte { seen = u; return [32]byte{1} }
	if _, err := r.Next(ctx); err != nil {
		t.Fatal(err)
	}
	if len(seen) != 4 || slices.ContainsFunc(seen, func(b byte) bool { return b != 0 }) {
		t.Errorf("the UID lent to the key function has %d bytes and was not zeroed", len(seen))
	}
	if r.bus.w != [fifoSize + 1]byte{} || r.bus.r != [fifoSize + 1]byte{} {
		t.Error("bytes stayed in the bus's buffers")
	}
}

// FuzzHostileChip lets anything answer on the bus: the driver must end in bounded
// virtual time, close its port, keep no byte and never report more than it may.
func FuzzHostileChip(f *testing.F) {
	f.Add([]byte{0x92}, false)
	f.Add(slices.Concat(oneCard(), silence()), false)
	f.Add(slices.Concat(atqa(), heard(errCollision, 0x04, 0x95, 0, 0, 0), []byte{12}, sdd(), sak()), false)
	r := rand.New(rand.NewPCG(1, 2))
	long := make([]byte, 512)
	for i := range long {
		long[i] = byte(r.Uint32())
	}
	f.Add(long, false)
	f.Add(slices.Concat(oneCard(), silence()), true)
	f.Fuzz(func(t *testing.T, script []byte, proving bool) {
		clk := sim.NewVirtualClock()
		p := &scriptedPort{clk: clk, script: script}
		ctx, cancel := clk.Context(t.Context(), time.Second)
		defer cancel()
		var lent [][]byte
		opts := Options{Clock: clk}
		if proving {
			opts.Prove = asking{}
		}
		rd, err := Open(ctx, p, opts, func(u []byte) (k [32]byte) {
			if n := len(u); n != 4 && n != 7 && n != 10 {
				t.Fatalf("UID of %d bytes", n)
			}
			copy(k[:], u)
			lent = append(lent, u)
			return k
		})
		if err != nil {
			t.Fatal(err)
		}
		p.armed = true
		start := clk.Now()
		tap, err := rd.Next(ctx)
		if err == nil && (len(tap.Badges) == 0 || len(tap.Badges) > maxCards) {
			t.Fatalf("%d badges", len(tap.Badges))
		}
		for _, b := range tap.Badges {
			if !proving && b.Assurance != hw.AssuranceUID {
				t.Fatalf("assurance %d without being asked", b.Assurance)
			}
		}
		if clk.Now()-start > 2*time.Second {
			t.Fatalf("it took %v", clk.Now()-start)
		}
		if err := rd.Close(); err != nil || !p.closed {
			t.Fatalf("port left open: %v", err)
		}
		if _, err := rd.Next(t.Context()); !errors.Is(err, hw.ErrClosed) {
			t.Fatalf("error %v after closing", err)
		}
		if rd.bus.w != [fifoSize + 1]byte{} || rd.bus.r != [fifoSize + 1]byte{} {
			t.Fatal("bytes stayed in the bus's buffers")
		}
		for _, u := range lent {
			if slices.ContainsFunc(u, func(b byte) bool { return b != 0 }) {
				t.Fatal("a UID was not zeroed")
			}
		}
	})
}

// asking is a prover that believes whatever card answers, with another UID.
type asking struct{}

func (asking) Prove(ctx context.Context, card hw.Link, uid []byte) (hw.Proof, error) {
	if n := len(uid); n != 4 && n != 7 && n != 10 {
		return hw.Proof{}, errors.New("a UID of another length")
	}
	b, err := card.Transmit(ctx, make([]byte, 100))
	if err != nil {
		return hw.Proof{UID: []byte{1, 2, 3, 4, 5, 6, 7}}, err
	}
	return hw.Proof{Assurance: hw.AssuranceMutual, Counter: uint32(len(b)), UID: []byte{1, 2, 3, 4, 5, 6, 7}, Suspect: len(b)%2 == 1}, nil
}
