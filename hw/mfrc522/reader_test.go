package mfrc522_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/mfrc522"
	"borne/hw/sim"

	"periph.io/x/conn/v3/gpio"
	"periph.io/x/conn/v3/physic"
)

type rig struct {
	clk  *sim.VirtualClock
	chip *sim.MFRC522
	key  hw.BadgeKey
}

func newRig(t testing.TB) *rig {
	t.Helper()
	key, err := hw.NewBadgeKey(slices.Repeat([]byte{7}, 32))
	if err != nil {
		t.Fatal(err)
	}
	clk := sim.NewVirtualClock()
	return &rig{clk: clk, chip: sim.NewMFRC522(clk, 1), key: key}
}

func (g *rig) open(t testing.TB, reset gpio.PinOut) (*mfrc522.Reader, error) {
	t.Helper()
	port, err := g.chip.Open()
	if err != nil {
		t.Fatal(err)
	}
	r, err := mfrc522.Open(t.Context(), port, mfrc522.Options{Clock: g.clk, Reset: reset}, g.key)
	if err == nil {
		t.Cleanup(func() { r.Close() })
	}
	return r, err
}

func (g *rig) mustOpen(t testing.TB, reset gpio.PinOut) *mfrc522.Reader {
	t.Helper()
	r, err := g.open(t, reset)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// next waits at most d of virtual time.
func (g *rig) next(t testing.TB, r *mfrc522.Reader, d time.Duration) (hw.Tap, error) {
	t.Helper()
	ctx, cancel := g.clk.Context(t.Context(), d)
	defer cancel()
	return r.Next(ctx)
}

func card(uid ...byte) *sim.Card { return &sim.Card{UID: uid, SAK: 0x20} }

func TestBrownOutAtEveryTransfer(t *testing.T) {
	// Wherever the chip loses its configuration, the badge is still read once
	// the driver has noticed, and never a wrong one.
	want := newRig(t).key([]byte{4, 0x95, 0x8C, 0xAA, 0x5C, 0x5E, 0x80})
	for at := 1; at <= 80; at++ {
		g := newRig(t)
		r := g.mustOpen(t, nil)
		g.chip.SetFaults(sim.Faults{BrownOutAt: at})
		g.chip.Put(0, card(4, 0x95, 0x8C, 0xAA, 0x5C, 0x5E, 0x80))
		tap, err := g.next(t, r, 2*time.Second)
		if err != nil {
			t.Fatalf("brown-out at transfer %d: %v", at, err)
		}
		if len(tap.Badges) != 1 || tap.Badges[0].Key != want {
			t.Fatalf("brown-out at transfer %d: %d badges", at, len(tap.Badges))
		}
	}
}

func TestCardPulledMidFrame(t *testing.T) {
	// A card pulled at any frame gives either nothing or, once back, itself.
	for at := 1; at <= 8; at++ {
		g := newRig(t)
		r := g.mustOpen(t, nil)
		uid := []byte{4, 1, 2, 3, 4, 5, 6, 7, 8, 9}
		g.chip.SetFaults(sim.Faults{PullAt: at})
		g.chip.Put(0, card(uid...))
		if at <= 7 { // ATQA and two answers a level: pulled before the last SAK
			if tap, err := g.next(t, r, time.Second); !errors.Is(err, context.Canceled) {
				t.Fatalf("pulled at answer %d: %d badges, error %v", at, len(tap.Badges), err)
			}
			g.chip.Put(0, card(uid...))
		}
		tap, err := g.next(t, r, time.Second)
		if err != nil || len(tap.Badges) != 1 || tap.Badges[0].Key != g.key(uid) {
			t.Fatalf("pulled at answer %d, then back: %d badges, error %v", at, len(tap.Badges), err)
		}
	}
}

func TestFaultsAreNamed(t *testing.T) {
	for _, c := range []struct {
		name   string
		faults sim.Faults
		is     error
		says   string
	}{
		{"MISO low", sim.Faults{StuckMISO: true, MISOLevel: 0x00}, hw.ErrAbsent, "check its wiring"},
		{"MISO high", sim.Faults{StuckMISO: true, MISOLevel: 0xFF}, nil, "MISO"},
		{"bus error", sim.Faults{BusError: syscall.EIO}, syscall.EIO, "cannot talk on SPI"},
		{"other chip", sim.Faults{ChipIdentity: 0x42}, nil, "0x42"},
		{"hang", sim.Faults{Hang: true}, nil, "no end of exchange"},
	} {
		t.Run("at opening/"+c.name, func(t *testing.T) {
			g := newRig(t)
			g.chip.SetFaults(c.faults)
			_, err := g.open(t, nil)
			if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) || !strings.HasPrefix(err.Error(), "cannot open reader") {
				t.Fatalf("error %v, want one that says %q and is %v", err, c.says, c.is)
			}
			if n := g.chip.OpenPorts(); n != 0 {
				t.Fatalf("%d ports left open after a failed opening", n)
			}
		})
		if c.faults.ChipIdentity != 0 {
			continue // chips do not change while open
		}
		t.Run("while open/"+c.name, func(t *testing.T) {
			g := newRig(t)
			r := g.mustOpen(t, nil)
			g.chip.SetFaults(c.faults)
			_, err := g.next(t, r, 5*time.Second)
			if err == nil || errors.Is(err, context.Canceled) || c.is == syscall.EIO && !errors.Is(err, syscall.EIO) {
				t.Fatalf("error %v, want the fault's", err)
			}
		})
	}
}

func TestLostAnswersOnlyDelay(t *testing.T) {
	for seed := range uint64(50) {
		g := newRig(t)
		g.chip = sim.NewMFRC522(g.clk, seed)
		r := g.mustOpen(t, nil)
		g.chip.SetFaults(sim.Faults{Drop: 0.2})
		uid := []byte{4, 1, 2, 3, 4, 5, byte(seed)}
		g.chip.Put(0, card(uid...))
		tap, err := g.next(t, r, 10*time.Second)
		if err != nil || len(tap.Badges) != 1 || tap.Badges[0].Key != g.key(uid) {
			t.Fatalf("seed %d: %d badges, error %v", seed, len(tap.Badges), err)
		}
	}
}

func TestPowerRevivesHungChip(t *testing.T) {
	clk := sim.NewVirtualClock()
	b := sim.NewBench(clk, 1)
	b.Chip().SetFaults(sim.Faults{Hang: true})
	g := &rig{clk: clk, chip: b.Chip(), key: newRig(t).key}
	if _, err := g.open(t, nil); err == nil {
		t.Fatal("a hung chip opened")
	}
	b.UnplugReader()
	b.PlugReader()
	g.mustOpen(t, nil)
}

func TestResetPinRevivesHungChip(t *testing.T) {
	g := newRig(t)
	r := g.mustOpen(t, g.chip.ResetPin())
	g.chip.SetFaults(sim.Faults{Hang: true})
	g.chip.Put(0, card(1, 2, 3, 4))
	tap, err := g.next(t, r, 2*time.Second)
	if err != nil || len(tap.Badges) != 1 {
		t.Fatalf("%d badges, error %v; want the card after a hard reset", len(tap.Badges), err)
	}
}

func TestLeavingNeedsSeveralMisses(t *testing.T) {
	g := newRig(t)
	r := g.mustOpen(t, nil)
	a := card(1, 2, 3, 4)
	g.chip.Put(0, a)
	if _, err := g.next(t, r, time.Second); err != nil {
		t.Fatal(err)
	}
	// Away for two looks of three: still the same visit.
	g.chip.Put(0)
	if _, err := g.next(t, r, 150*time.Millisecond); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want no tap", err)
	}
	g.chip.Put(0, a)
	if _, err := g.next(t, r, time.Second); !errors.Is(err, context.Canceled) {
		t.Fatalf("a card that slipped for two looks fired again (error %v)", err)
	}
	// Away for longer: a new visit.
	g.chip.Put(0)
	if _, err := g.next(t, r, time.Second); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	g.chip.Put(0, a)
	if tap, err := g.next(t, r, time.Second); err != nil || len(tap.Badges) != 1 {
		t.Fatalf("%d badges, error %v; want the returning card", len(tap.Badges), err)
	}
}

func TestSecondCardJoinsFirst(t *testing.T) {
	g := newRig(t)
	r := g.mustOpen(t, nil)
	a, b := card(1, 2, 3, 4), card(1, 2, 3, 5)
	g.chip.Put(0, a)
	if _, err := g.next(t, r, time.Second); err != nil {
		t.Fatal(err)
	}
	g.chip.Put(0, a, b)
	tap, err := g.next(t, r, time.Second)
	if err != nil || len(tap.Badges) != 2 || tap.Badges[0].Key != g.key(b.UID) || tap.Badges[1].Key != g.key(a.UID) {
		t.Fatalf("%d badges, error %v; want the new card first, then the one that stayed", len(tap.Badges), err)
	}
}

func TestRandomUIDFiresOnce(t *testing.T) {
	g := newRig(t)
	r := g.mustOpen(t, nil)
	g.chip.Put(0, &sim.Card{Random: true, UID: []byte{8, 0, 0, 0}, SAK: 0x20})
	tap, err := g.next(t, r, time.Second)
	if err != nil || len(tap.Badges) != 1 || !tap.Badges[0].Random {
		t.Fatalf("%+v, error %v; want one badge marked random", tap.Badges, err)
	}
	if _, err := g.next(t, r, 2*time.Second); !errors.Is(err, context.Canceled) {
		t.Fatalf("a phone that stays fired again (error %v)", err)
	}
	// It slips for two looks of three, then leaves for good and returns.
	phone := &sim.Card{Random: true, UID: []byte{8, 0, 0, 0}, SAK: 0x20}
	g.chip.Put(0)
	if _, err := g.next(t, r, 150*time.Millisecond); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	g.chip.Put(0, phone)
	if _, err := g.next(t, r, time.Second); !errors.Is(err, context.Canceled) {
		t.Fatalf("a phone that slipped fired again (error %v)", err)
	}
	g.chip.Put(0)
	if _, err := g.next(t, r, time.Second); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	g.chip.Put(0, phone)
	if tap, err := g.next(t, r, time.Second); err != nil || len(tap.Badges) != 1 {
		t.Fatalf("%d badges, error %v; want the returning phone", len(tap.Badges), err)
	}
}

// The field costs power: it is on during a look only.
func TestFieldIsOffBetweenLooks(t *testing.T) {
	clk := sim.NewVirtualClock()
	b := sim.NewBench(clk, 1)
	g := &rig{clk: clk, chip: b.Chip(), key: newRig(t).key}
	r := g.mustOpen(t, nil)
	if b.State().Reader.Field {
		t.Fatal("the field is on after opening")
	}
	on := 0
	for i := range 50 { // every context ends at another place of a look
		if _, err := g.next(t, r, 100*time.Millisecond+time.Duration(i)*500*time.Microsecond); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if b.State().Reader.Field {
			on++
		}
	}
	if on > 0 {
		t.Fatalf("the field stayed on %d times of 50", on)
	}
	seen := false
	for d := time.Duration(0); d < 200*time.Millisecond; d += time.Millisecond {
		clk.AfterFunc(d, func() { seen = seen || b.State().Reader.Field })
	}
	if _, err := g.next(t, r, 300*time.Millisecond); !errors.Is(err, context.Canceled) || !seen {
		t.Fatalf("the field was never seen on (error %v)", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	g := newRig(t)
	for want, o := range map[string]mfrc522.Options{
		"option clock": {Clock: g.clk, Frequency: 20 * physic.MegaHertz},
		"option gain":  {Clock: g.clk, GainDB: 40},
		"option poll":  {Clock: g.clk, Poll: time.Millisecond},
		"Clock is nil": {},
	} {
		port, err := g.chip.Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := mfrc522.Open(t.Context(), port, o, g.key); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one naming %q", err, want)
		}
	}
	port, err := g.chip.Open()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mfrc522.Open(t.Context(), port, mfrc522.Options{Clock: g.clk}, nil); err == nil || !strings.Contains(err.Error(), "badge key") {
		t.Errorf("error %v, want one about the badge key", err)
	}
	if n := g.chip.OpenPorts(); n != 0 {
		t.Errorf("%d ports left open", n)
	}
}

func TestCloseEndsNext(t *testing.T) {
	g := newRig(t)
	r := g.mustOpen(t, nil)
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.next(t, r, time.Second); !errors.Is(err, hw.ErrClosed) {
		t.Fatalf("error %v, want hw.ErrClosed", err)
	}
	if err := r.Close(); err != nil {
		t.Fatalf("closing twice: %v", err)
	}
	if n := g.chip.OpenPorts(); n != 0 {
		t.Fatalf("%d ports left open", n)
	}
}
