package pn532

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/sim"
)

type rig struct {
	clk  *sim.VirtualClock
	chip *sim.PN532
	r    *Reader
}

func plain(u []byte) (k [32]byte) { copy(k[:], u); return k }

func buses() []string { return []string{"spi", "i2c", "uart"} }

// openOn opens the driver on a bus of a simulated chip.
func openOn(t testing.TB, bus string, clk *sim.VirtualClock, chip *sim.PN532, o Options) (*Reader, error) {
	t.Helper()
	o.Clock = clk
	switch bus {
	case "spi":
		p, err := chip.OpenSPI()
		if err != nil {
			t.Fatal(err)
		}
		return OpenSPI(t.Context(), p, o, plain)
	case "i2c":
		p, err := chip.OpenI2C()
		if err != nil {
			t.Fatal(err)
		}
		return OpenI2C(t.Context(), p, o, plain)
	}
	p, err := chip.OpenUART()
	if err != nil {
		t.Fatal(err)
	}
	return OpenUART(t.Context(), p, o, plain)
}

// onEach runs a test on each bus.
func onEach(t *testing.T, f func(t *testing.T, g *rig)) {
	for _, bus := range buses() {
		t.Run(bus, func(t *testing.T) {
			g := &rig{clk: sim.NewVirtualClock()}
			g.chip = sim.NewPN532(g.clk, 1)
			var err error
			if g.r, err = openOn(t, bus, g.clk, g.chip, Options{Reset: g.chip.ResetPin()}); err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := g.r.Close(); err != nil || g.chip.OpenPorts() != 0 {
					t.Errorf("%d ports open after Close, error %v", g.chip.OpenPorts(), err)
				}
			}()
			f(t, g)
		})
	}
}

func (g *rig) next(t *testing.T, d time.Duration) (hw.Tap, error) {
	ctx, cancel := g.clk.Context(t.Context(), d)
	defer cancel()
	return g.r.Next(ctx)
}

func (g *rig) reads(t *testing.T) {
	t.Helper()
	u := []byte{4, 0x95, 0x8C, 0xAA, 0x5C, 0x5E, 0x80}
	g.chip.Put(0, &sim.Card{UID: u, SAK: 0x08})
	start := g.clk.Now()
	tap, err := g.next(t, 4*time.Second)
	if err != nil || len(tap.Badges) != 1 || tap.Badges[0].Key != plain(u) || tap.Badges[0].Bytes != 7 {
		t.Fatalf("%+v, error %v", tap.Badges, err)
	}
	t.Logf("read after %v", tap.At-start)
	g.chip.Put(0)
	if _, err := g.next(t, time.Second); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestFaultsThatPass(t *testing.T) {
	for name, f := range map[string]sim.Faults{
		"brown-out":         {BrownOutAt: 40},
		"wrong checksums":   {Garble: 2},
		"clock stretching":  {Stretch: 2 * time.Millisecond},
		"lost answers":      {Drop: 0.3},
		"hung, has a reset": {Hang: true},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, g *rig) {
				g.reads(t)
				g.chip.SetFaults(f)
				g.reads(t)
			})
		})
	}
}

func TestFaultsThatStay(t *testing.T) {
	for name, f := range map[string]sim.Faults{
		"stuck low":  {StuckMISO: true},
		"stuck high": {StuckMISO: true, MISOLevel: 0xFF},
		"EIO":        {BusError: syscall.EIO},
		"garbage":    {Garble: 1 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			onEach(t, func(t *testing.T, g *rig) {
				g.chip.SetFaults(f)
				start := g.clk.Now()
				_, err := g.next(t, time.Minute)
				if err == nil || errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "cannot read badges on sim:pn532") {
					t.Fatalf("error %v", err)
				}
				if took := g.clk.Now() - start; took > 5*time.Second {
					t.Fatalf("it took %v to say so", took)
				}
				g.chip.SetFaults(sim.Faults{})
			})
		})
	}
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	for _, bus := range buses() {
		for name, c := range map[string]struct {
			faults sim.Faults
			want   string
			absent bool
		}{
			"another chip": {sim.Faults{ChipIdentity: 0x33}, "is no PN532 (it says IC 0x33", false},
			"nobody":       {sim.Faults{Hang: true}, "no PN532 answers", true},
			"no bus":       {sim.Faults{BusError: syscall.EIO}, "cannot talk on", false},
		} {
			clk := sim.NewVirtualClock()
			chip := sim.NewPN532(clk, 1)
			chip.SetFaults(c.faults)
			_, err := openOn(t, bus, clk, chip, Options{Name: "pn532:/dev/x"})
			if err == nil || !strings.HasPrefix(err.Error(), "cannot open reader pn532:/dev/x: ") || !strings.Contains(err.Error(), c.want) || errors.Is(err, hw.ErrAbsent) != (c.absent || bus == "i2c" && c.faults.BusError != nil) {
				t.Errorf("%s, %s: error %v", bus, name, err)
			}
			if chip.OpenPorts() != 0 {
				t.Errorf("%s, %s: the port stayed open", bus, name)
			}
		}
	}
}

// A context that ends in the middle of a command frees the chip, and the field
// does not stay on.
func TestContextFreesTheChip(t *testing.T) {
	onEach(t, func(t *testing.T, g *rig) {
		for d := time.Millisecond; d < 60*time.Millisecond; d += 3 * time.Millisecond {
			g.clk.Advance(g.r.opts.Poll)
			if _, err := g.next(t, d); !errors.Is(err, context.Canceled) {
				t.Fatalf("after %v: error %v", d, err)
			}
			if g.chip.Field() {
				t.Fatalf("after %v the field is on", d)
			}
		}
		g.reads(t)
	})
}

func TestCardPulledInTheMiddle(t *testing.T) {
	onEach(t, func(t *testing.T, g *rig) {
		for at := range 8 {
			g.chip.SetFaults(sim.Faults{PullAt: at + 1})
			g.chip.Put(0, &sim.Card{UID: []byte{1, 2, 3, 4}, SAK: 0x08})
			tap, err := g.next(t, time.Second)
			if err == nil && (len(tap.Badges) != 1 || tap.Badges[0].Key != plain([]byte{1, 2, 3, 4})) {
				t.Fatalf("pulled at answer %d: %+v", at+1, tap.Badges)
			}
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatalf("pulled at answer %d: %v", at+1, err)
			}
			g.chip.SetFaults(sim.Faults{})
			g.chip.Put(0)
			if _, err := g.next(t, time.Second); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
		}
		g.reads(t)
	})
}

// Selects under bit errors: a wrong UID must never come out.
func TestNoiseNeverGivesWrongUID(t *testing.T) {
	each := 4000
	if testing.Short() {
		each = 300
	}
	uids := [][]byte{{4, 0x95, 0x8C, 0xAA}, {4, 0x95, 0x8C, 0xAA, 0x5C, 0x5E, 0x80}, {4, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99}}
	onEach(t, func(t *testing.T, g *rig) {
		for _, rate := range []float64{0.0005, 0.002, 0.01, 0.03} {
			g.chip.SetFaults(sim.Faults{BitErrors: rate})
			right := 0
			for n := range each {
				u := uids[n%len(uids)]
				g.chip.Put(0, &sim.Card{UID: slices.Clone(u), SAK: 0x08})
				seen, _, err := g.r.survey(t.Context(), false)
				if err != nil {
					t.Fatal(err)
				}
				for _, s := range seen {
					if s.Shown != plain(u) {
						t.Fatalf("rate %v, look %d: a wrong UID of %d bytes", rate, n, s.Badge.Bytes)
					}
					right++
				}
			}
			t.Logf("bit error rate %v: %d of %d read, 0 wrong", rate, right, each)
			if right == 0 && rate < 0.02 {
				t.Fatal("nothing was read")
			}
		}
	})
}

// hostile is a wire on which anything may answer.
type hostile struct {
	clk    *sim.VirtualClock
	script []byte
	n      int
	cmd    byte
	closed bool
	acked  bool
}

func (h *hostile) byte() byte {
	if len(h.script) == 0 {
		return 0
	}
	h.n++
	return h.script[(h.n-1)%len(h.script)]
}

func (h *hostile) send(f []byte) error {
	h.clk.Advance(100 * time.Microsecond)
	if len(f) > 7 {
		h.cmd, h.acked = f[6], false
	}
	return nil
}

// poll acknowledges, and answers with the script, mostly in frames that are right.
func (h *hostile) poll(dst []byte) (int, error) {
	h.clk.Advance(100 * time.Microsecond)
	if !h.acked {
		h.acked = true
		return copy(dst, ackFrame()), nil
	}
	switch h.cmd {
	case cmdGetFirmwareVersion:
		return h.info(dst, 0x32, 1, 6, 7), nil
	case cmdInListPassiveTarget, cmdInDataExchange:
		b := make([]byte, int(h.byte())%64)
		for i := range b {
			b[i] = h.byte()
		}
		if h.byte()%8 == 0 {
			return copy(dst, b), nil // no frame at all
		}
		return h.info(dst, b...), nil
	}
	return h.info(dst), nil
}

func (h *hostile) info(dst []byte, b ...byte) int {
	var f [maxFrame]byte
	n, err := build(f[:], h.cmd+1, b)
	if err != nil {
		panic(err)
	}
	f[5]++
	f[n-2]--
	return copy(dst, f[:n])
}

func (h *hostile) wake() error   { return nil }
func (h *hostile) forget() error { return nil }
func (h *hostile) Close() error  { h.closed = true; return nil }

// asker is a prover that talks, whatever comes back.
type asker struct{}

func (asker) Prove(ctx context.Context, l hw.Link, uid []byte) (hw.Proof, error) {
	for range 4 {
		if _, err := l.Transmit(ctx, make([]byte, 255)); err != nil {
			return hw.Proof{}, err
		}
	}
	return hw.Proof{Assurance: hw.AssuranceMutual}, nil
}

// FuzzHostileChip: the driver must end in bounded virtual time, close its port and
// report only what UIDs can be.
func FuzzHostileChip(f *testing.F) {
	f.Add([]byte{0}, false)
	f.Add([]byte{10, 1, 1, 0, 4, 8, 4, 9, 8, 7, 6, 1, 1, 0, 1}, false)
	f.Add([]byte{19, 1, 1, 3, 0x44, 0x20, 7, 4, 1, 2, 3, 4, 5, 6, 6, 0x77, 0x77, 0x71, 2, 0x80, 1, 3, 0x40, 1, 2, 1, 3, 0, 0x90, 0, 1}, true)
	f.Fuzz(func(t *testing.T, script []byte, proving bool) {
		clk := sim.NewVirtualClock()
		h := &hostile{clk: clk, script: script}
		var lent [][]byte
		o, err := Options{Clock: clk}.withDefaults("hostile")
		if err != nil {
			t.Fatal(err)
		}
		if proving {
			o.Prove = asker{}
		}
		r, err := open(t.Context(), h, o, func(u []byte) [32]byte {
			if n := len(u); n != 4 && n != 7 && n != 10 {
				t.Fatalf("UID of %d bytes", n)
			}
			lent = append(lent, u)
			return plain(u)
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := clk.Context(t.Context(), 3*time.Second)
		defer cancel()
		start := clk.Now()
		tap, err := r.Next(ctx)
		if err == nil && (len(tap.Badges) == 0 || len(tap.Badges) > maxCards) {
			t.Fatalf("%d badges", len(tap.Badges))
		}
		if took := clk.Now() - start; took > 4*time.Second {
			t.Fatalf("it took %v", took)
		}
		if err := r.Close(); err != nil || !h.closed {
			t.Fatalf("port left open: %v", err)
		}
		if _, err := r.Next(t.Context()); !errors.Is(err, hw.ErrClosed) {
			t.Fatalf("error %v after closing", err)
		}
		for _, u := range lent {
			if slices.ContainsFunc(u, func(b byte) bool { return b != 0 }) {
				t.Fatal("a UID was not zeroed")
			}
		}
	})
}
