package mfrc522_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"borne/hw"
	cardkeys "borne/hw/card"
	"borne/hw/mfrc522"
	"borne/hw/sim"
)

func TestAssurance(t *testing.T) {
	for name, c := range map[string]struct {
		keys func(cardkeys.Keys) cardkeys.Keys
		card sim.NTAG424
		want hw.Badge
	}{
		"mutual":                  {nil, sim.NTAG424{}, hw.Badge{Assurance: hw.AssuranceMutual}},
		"mutual, random ID":       {nil, sim.NTAG424{RandomID: true}, hw.Badge{Assurance: hw.AssuranceMutual}},
		"mutual, told by SUN":     {noPrivacy, sim.NTAG424{RandomID: true}, hw.Badge{Assurance: hw.AssuranceMutual, Counter: 1}},
		"SUN":                     {sunOnly, sim.NTAG424{}, hw.Badge{Assurance: hw.AssuranceDynamic, Counter: 1}},
		"SUN, random ID":          {sunOnly, sim.NTAG424{RandomID: true}, hw.Badge{Assurance: hw.AssuranceDynamic, Counter: 1}},
		"SUN with input":          {withInput, sim.NTAG424{}, hw.Badge{Assurance: hw.AssuranceDynamic, Counter: 1}},
		"more time":               {nil, sim.NTAG424{WTX: 3, Busy: 30 * time.Millisecond}, hw.Badge{Assurance: hw.AssuranceMutual}},
		"clone":                   {nil, sim.NTAG424{Clone: true}, hw.Badge{Assurance: hw.AssuranceUID, Suspect: true}},
		"clone, SUN":              {sunOnly, sim.NTAG424{Clone: true}, hw.Badge{Assurance: hw.AssuranceUID, Suspect: true}},
		"clone that only refuses": {mutualOnly, sim.NTAG424{Clone: true}, hw.Badge{Assurance: hw.AssuranceUID}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newProvingRig(t, 1, c.keys)
			c.card.UID = badge7
			start := g.clk.Now()
			tap := g.tap(t, g.ntag(t, c.card))
			c.want.Key, c.want.Bytes = g.key(badge7), 7
			if len(tap.Badges) != 1 || tap.Badges[0] != c.want {
				t.Fatalf("%+v, want %+v", tap.Badges, c.want)
			}
			t.Logf("%v from card to tap", tap.At-start)
			if _, err := g.next(t, g.r, 2*time.Second); !errors.Is(err, context.Canceled) {
				t.Fatalf("a card that stays fired again (error %v)", err)
			}
		})
	}
}

func TestCardsWithoutKeysAreUIDs(t *testing.T) {
	g := newProvingRig(t, 1, nil)
	// No ISO/IEC 14443-4; the same though SAK promises it; one without our application.
	for i, k := range []*sim.Card{{UID: badge7, SAK: 0x08}, {UID: badge7, SAK: 0x20}, sim.NewPhone()} {
		tap := g.tap(t, k)
		if len(tap.Badges) != 1 || tap.Badges[0].Assurance != hw.AssuranceUID || tap.Badges[0].Suspect || tap.Badges[0].Random != k.Random {
			t.Fatalf("card %d: %+v", i, tap.Badges)
		}
		if !k.Random && tap.Badges[0].Key != g.key(badge7) {
			t.Fatalf("card %d is somebody else", i)
		}
		if _, err := g.next(t, g.r, 2*time.Second); !errors.Is(err, context.Canceled) {
			t.Fatalf("card %d: one that stays fired again (error %v)", i, err)
		}
		if n := bytes.Count(g.logs.Bytes(), []byte("before it was asked all")); i == 1 && n != 3 {
			t.Fatalf("a card without ISO/IEC 14443-4 was asked %d times, want once in each of 3 looks", n)
		}
		g.leave(t)
	}
}

func TestOneMessagePerVisitAndItsCountRises(t *testing.T) {
	g := newProvingRig(t, 1, sunOnly)
	var count uint32
	k := g.ntag(t, sim.NTAG424{UID: badge7, Counter: &count})
	for visit := uint32(1); visit <= 3; visit++ {
		tap := g.tap(t, k)
		if tap.Badges[0].Assurance != hw.AssuranceDynamic || tap.Badges[0].Counter != visit {
			t.Fatalf("visit %d: %+v", visit, tap.Badges[0])
		}
		if _, err := g.next(t, g.r, 5*time.Second); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if count != visit {
			t.Fatalf("%d messages in %d visits", count, visit)
		}
		g.leave(t)
	}
	count = 1 // a copy of an earlier message
	if b := g.tap(t, k).Badges[0]; b.Assurance != hw.AssuranceUID || !b.Suspect || b.Key != g.key(badge7) {
		t.Fatalf("a count that goes back gave %+v", b)
	}
}

// A card beside it that cannot be asked does not have a badge asked again.
func TestAskedOnceBesideAnother(t *testing.T) {
	g := newProvingRig(t, 1, sunOnly)
	var count uint32
	tap := g.tap(t, g.ntag(t, sim.NTAG424{UID: badge7, Counter: &count}), &sim.Card{UID: []byte{1, 2, 3, 4}, SAK: 0x20})
	if len(tap.Badges) != 2 || count != 1 {
		t.Fatalf("%d badges, asked %d times", len(tap.Badges), count)
	}
	for _, b := range tap.Badges {
		if want := map[bool]hw.Assurance{true: hw.AssuranceDynamic, false: hw.AssuranceUID}[b.Key == g.key(badge7)]; b.Assurance != want {
			t.Fatalf("%+v", b)
		}
	}
}

// Several cards at once, random ones among them.
func TestPurse(t *testing.T) {
	g := newProvingRig(t, 1, nil)
	other := []byte{4, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66}
	a := g.ntag(t, sim.NTAG424{UID: badge7, RandomID: true})
	b := g.ntag(t, sim.NTAG424{UID: other, RandomID: true})
	plain := &sim.Card{UID: []byte{1, 2, 3, 4}, SAK: 0x08}
	first := g.tap(t, a, plain)
	if len(first.Badges) != 2 || !slices.ContainsFunc(first.Badges, func(x hw.Badge) bool { return x.Key == g.key(badge7) && x.Assurance == hw.AssuranceMutual }) {
		t.Fatalf("%+v", first.Badges)
	}
	purse := []*sim.Card{plain, a}
	for _, in := range []*sim.Card{b, sim.NewPhone()} {
		purse = append(purse, in)
		tap := g.tap(t, purse...)
		if got := tap.Badges[0]; in == b && got.Key != g.key(other) || in != b && !got.Random {
			t.Fatalf("entered %+v", got)
		}
		if !slices.ContainsFunc(tap.Badges[1:], func(x hw.Badge) bool { return x.Key == g.key(badge7) && x.Assurance == hw.AssuranceMutual }) {
			t.Fatalf("the first badge is not said to stay: %+v", tap.Badges)
		}
	}
	// All but the second badge leave: nothing enters by that.
	g.chip.Put(0, b)
	if tap, err := g.next(t, g.r, 2*time.Second); !errors.Is(err, context.Canceled) {
		t.Fatalf("a badge that stayed fired again: %+v (error %v)", tap.Badges, err)
	}
	tap := g.tap(t, b, a)
	if len(tap.Badges) != 2 || tap.Badges[0].Key != g.key(badge7) || tap.Badges[1].Key != g.key(other) {
		t.Fatalf("%+v", tap.Badges)
	}
}

// Under noise a badge may prove less, never more, and is never somebody else or
// a suspect; a copy never passes.
func TestNoiseNeverUpgrades(t *testing.T) {
	each := 400
	if testing.Short() {
		each = 40
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	for _, keys := range []struct {
		name string
		set  func(cardkeys.Keys) cardkeys.Keys
		most hw.Assurance
	}{{"all", nil, hw.AssuranceMutual}, {"SUN", sunOnly, hw.AssuranceDynamic}} {
		for _, rate := range []float64{0, 0.0002, 0.001, 0.003, 0.01} {
			t.Run(fmt.Sprint(keys.name, rate), func(t *testing.T) {
				g := newProvingRig(t, 3, keys.set)
				read, full := 0, 0
				for n := range each {
					uid := []byte{4, byte(rnd.Uint32()), byte(rnd.Uint32()), 1, 2, 3, byte(n)}
					clone, random, plain := n%4 == 1, n%4 == 2, n%4 == 3
					k := &sim.Card{UID: uid, SAK: 0x20}
					if !plain {
						k = g.ntag(t, sim.NTAG424{UID: uid, Clone: clone, RandomID: random})
					}
					g.chip.SetFaults(sim.Faults{BitErrors: rate})
					g.chip.Put(0, k)
					tap, err := g.next(t, g.r, time.Second)
					g.chip.SetFaults(sim.Faults{})
					if err != nil && !errors.Is(err, context.Canceled) {
						t.Fatalf("presentation %d: %v", n, err)
					}
					for _, b := range tap.Badges {
						read++
						most := keys.most
						if clone || plain {
							most = hw.AssuranceUID
						}
						known := b.Key == g.key(uid) || random && b.Random
						if b.Assurance > most || !known || b.Suspect && !clone || b.Random && b.Assurance != hw.AssuranceUID {
							t.Fatalf("presentation %d (clone %v, random %v, plain %v): %+v", n, clone, random, plain, b)
						}
						if b.Assurance == keys.most {
							full++
						}
					}
					g.leave(t)
				}
				t.Logf("%d of %d read, %d of %d proven, 0 wrong", read, each, full, each/2)
				if read == 0 || rate == 0 && (read != each || full != each/2) {
					t.Fatal("too little was read")
				}
			})
		}
	}
}

func TestPulledMidProof(t *testing.T) {
	// Every answer of selection and proof in turn.
	for _, random := range []bool{false, true} {
		for at := 1; at <= 30; at++ {
			g := newProvingRig(t, uint64(at), nil)
			k := g.ntag(t, sim.NTAG424{UID: badge7, RandomID: random})
			g.chip.SetFaults(sim.Faults{PullAt: at})
			g.chip.Put(0, k)
			tap, err := g.next(t, g.r, time.Second)
			g.chip.SetFaults(sim.Faults{})
			if err == nil {
				if b := tap.Badges[0]; len(tap.Badges) != 1 || b.Key != g.key(badge7) || b.Suspect || b.Assurance != hw.AssuranceMutual {
					t.Fatalf("pulled at answer %d: %+v", at, tap.Badges)
				}
				continue // it was all said
			}
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("pulled at answer %d: %v", at, err)
			}
			if b := g.tap(t, k).Badges[0]; b.Key != g.key(badge7) || b.Assurance != hw.AssuranceMutual {
				t.Fatalf("pulled at answer %d, then back: %+v", at, b)
			}
		}
	}
}

func TestLostAnswersAreAskedAgain(t *testing.T) {
	proven := 0
	for seed := range uint64(40) {
		g := newProvingRig(t, seed, nil)
		g.chip.SetFaults(sim.Faults{Drop: 0.05})
		b := g.tap(t, g.ntag(t, sim.NTAG424{UID: badge7})).Badges[0]
		if b.Key != g.key(badge7) || b.Suspect {
			t.Fatalf("seed %d: %+v", seed, b)
		}
		if b.Assurance == hw.AssuranceMutual {
			proven++
		}
	}
	if t.Logf("%d of 40 proven", proven); proven < 35 {
		t.Fatalf("%d of 40 proven with one answer of twenty lost", proven)
	}
}

func TestBrownOutMidProof(t *testing.T) {
	for at := 1; at <= 400; at += 3 {
		g := newProvingRig(t, 1, nil)
		g.chip.SetFaults(sim.Faults{BrownOutAt: at})
		if b := g.tap(t, g.ntag(t, sim.NTAG424{UID: badge7})).Badges[0]; b.Key != g.key(badge7) || b.Suspect || b.Assurance < hw.AssuranceUID {
			t.Fatalf("brown-out at transfer %d: %+v", at, b)
		}
	}
}

// A proof that is broken off leaves the reader as it was: its silence is 3 ms.
func TestContextEndsMidProof(t *testing.T) {
	for cut := time.Millisecond; cut < 100*time.Millisecond; cut += 1700 * time.Microsecond {
		g := newProvingRig(t, 1, nil)
		k := g.ntag(t, sim.NTAG424{UID: badge7})
		g.chip.Put(0, k)
		if _, err := g.next(t, g.r, cut); err == nil {
			break
		} else if !errors.Is(err, context.Canceled) {
			t.Fatalf("after %v: %v", cut, err)
		}
		g.leave(t)
		g.chip.Put(0, k)
		tap, err := g.next(t, g.r, time.Second)
		if err != nil || tap.Badges[0].Assurance != hw.AssuranceMutual {
			t.Fatalf("after %v: %+v, error %v", cut, tap.Badges, err)
		}
		if bytes.Contains(g.logs.Bytes(), []byte("resetting")) {
			t.Fatalf("after %v: the chip had to be reset", cut)
		}
	}
}

// A card that asks for ever more time does not hold the reader, nor one that
// keeps every rule and takes its time with each command.
func TestSlowCardIsBounded(t *testing.T) {
	for _, n := range []sim.NTAG424{{WTX: 1 << 20, Busy: 30 * time.Millisecond}, {WTX: 10, Busy: 35 * time.Millisecond}} {
		g := newProvingRig(t, 1, nil)
		n.UID = badge7
		start := g.clk.Now()
		tap := g.tap(t, g.ntag(t, n))
		if b := tap.Badges[0]; b.Assurance != hw.AssuranceUID || b.Suspect {
			t.Fatalf("%+v", b)
		}
		if took := g.clk.Now() - start; took > 2300*time.Millisecond {
			t.Fatalf("it took %v", took)
		}
	}
}

// What a card proved on entering is still said when another one joins it.
func TestProofHoldsForTheVisit(t *testing.T) {
	for _, random := range []bool{false, true} {
		g := newProvingRig(t, 1, sunOnly)
		other := []byte{4, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66}
		a, b := g.ntag(t, sim.NTAG424{UID: badge7, RandomID: random}), g.ntag(t, sim.NTAG424{UID: other, RandomID: random})
		want := g.tap(t, a).Badges[0]
		if want.Assurance != hw.AssuranceDynamic || want.Key != g.key(badge7) {
			t.Fatalf("%+v", want)
		}
		one, two := &sim.Card{UID: []byte{1, 2, 3, 4}, SAK: 0x08}, &sim.Card{UID: []byte{1, 2, 3, 5}, SAK: 0x08}
		if tap := g.tap(t, a, one); len(tap.Badges) != 2 || tap.Badges[1] != want {
			t.Fatalf("random %v: %+v", random, tap.Badges)
		}
		g.tap(t, a, one, b)
		// a leaves; who stays is known all the same.
		g.chip.Put(0, one, b)
		if tap, err := g.next(t, g.r, time.Second); !errors.Is(err, context.Canceled) {
			t.Fatalf("random %v: %+v, error %v", random, tap.Badges, err)
		}
		tap := g.tap(t, one, two, b)
		if len(tap.Badges) != 3 || tap.Badges[0].Key != g.key(two.UID) || !slices.ContainsFunc(tap.Badges[1:], func(x hw.Badge) bool {
			return x.Key == g.key(other) && x.Assurance == hw.AssuranceDynamic
		}) {
			t.Fatalf("random %v: %+v", random, tap.Badges)
		}
	}
}

// capture is a prover that keeps what it is lent and what it gives.
type capture struct{ lent, given []byte }

func (c *capture) Prove(_ context.Context, _ hw.Link, uid []byte) (hw.Proof, error) {
	c.lent, c.given = uid, slices.Clone(badge7)
	return hw.Proof{Assurance: hw.AssuranceMutual, UID: c.given}, nil
}

func TestUIDsOfAProofAreWiped(t *testing.T) {
	g := newRig(t)
	port, err := g.chip.Open()
	if err != nil {
		t.Fatal(err)
	}
	var c capture
	r, err := mfrc522.Open(t.Context(), port, mfrc522.Options{Clock: g.clk, Prove: &c}, g.key)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	g.chip.Put(0, sim.NewPhone())
	tap, err := g.next(t, r, time.Second)
	if err != nil || tap.Badges[0].Key != g.key(badge7) || tap.Badges[0].Random || tap.Badges[0].Bytes != 7 {
		t.Fatalf("%+v, error %v", tap.Badges, err)
	}
	if len(c.lent) != 4 || !slices.Equal(c.lent, make([]byte, 4)) || !slices.Equal(c.given, make([]byte, 7)) {
		t.Error("a UID was not zeroed")
	}
}

// Without a prover, a card that could prove something is read like any other.
func TestNoProverNoChange(t *testing.T) {
	frames := func(k *sim.Card) (uint64, uint64) {
		g := newRig(t)
		r := g.mustOpen(t, nil)
		g.chip.Put(0, k)
		if _, err := g.next(t, r, time.Second); err != nil {
			t.Fatal(err)
		}
		return g.chip.Frames(), g.chip.Transfers()
	}
	n, err := sim.NewNTAG424(sim.NTAG424{UID: badge7, Keys: cardkeys.Keys{}})
	if err != nil {
		t.Fatal(err)
	}
	f1, t1 := frames(n)
	f2, t2 := frames(&sim.Card{UID: badge7, SAK: 0x08})
	if f1 != f2 || t1 != t2 {
		t.Fatalf("%d frames and %d transfers, want %d and %d", f1, t1, f2, t2)
	}
}
