package mfrc522_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"borne/hw"
	cardkeys "borne/hw/card"
	"borne/hw/mfrc522"
	"borne/hw/sim"
)

// provingRig is a rig whose reader asks cards what they prove.
type provingRig struct {
	*rig
	r    *mfrc522.Reader
	keys cardkeys.Keys
	logs bytes.Buffer
}

func newProvingRig(t testing.TB, seed uint64, keys func(cardkeys.Keys) cardkeys.Keys) *provingRig {
	t.Helper()
	all, err := sim.DemoKeys()
	if err != nil {
		t.Fatal(err)
	}
	if keys != nil {
		all = keys(all)
	}
	g := &provingRig{rig: newRig(t), keys: all}
	g.chip = sim.NewMFRC522(g.clk, seed)
	counters, err := cardkeys.NewCounters(64)
	if err != nil {
		t.Fatal(err)
	}
	p, err := cardkeys.NewProver(all, cardkeys.Options{Badge: g.key, Counters: counters})
	if err != nil {
		t.Fatal(err)
	}
	port, err := g.chip.Open()
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(&g.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if g.r, err = mfrc522.Open(t.Context(), port, mfrc522.Options{Clock: g.clk, Prove: p, Log: log}, g.key); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.r.Close() })
	return g
}

func (g *provingRig) ntag(t testing.TB, n sim.NTAG424) *sim.Card {
	t.Helper()
	n.Keys = g.keys
	if n.Busy == 0 {
		n.Busy = 3 * time.Millisecond
	}
	k, err := sim.NewNTAG424(n)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (g *provingRig) tap(t testing.TB, cards ...*sim.Card) hw.Tap {
	t.Helper()
	g.chip.Put(0, cards...)
	tap, err := g.next(t, g.r, 3*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	return tap
}

func (g *provingRig) leave(t testing.TB) {
	t.Helper()
	g.chip.Put(0)
	if tap, err := g.next(t, g.r, time.Second); !errors.Is(err, context.Canceled) {
		t.Fatalf("%d badges in an empty field, error %v", len(tap.Badges), err)
	}
}

func sunOnly(k cardkeys.Keys) cardkeys.Keys    { return cardkeys.Keys{SUN: k.SUN} }
func mutualOnly(k cardkeys.Keys) cardkeys.Keys { return cardkeys.Keys{Mutual: k.Mutual} }
func noPrivacy(k cardkeys.Keys) cardkeys.Keys  { return cardkeys.Keys{Mutual: k.Mutual, SUN: k.SUN} }
func withInput(k cardkeys.Keys) cardkeys.Keys {
	s := *k.SUN
	s.Input = s.PICC
	return cardkeys.Keys{SUN: &s}
}

var badge7 = []byte{4, 0x95, 0x8C, 0xAA, 0x5C, 0x5E, 0x80}
