package hwtest_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/card"
	"borne/hw/devices"
	"borne/hw/hwtest"
	"borne/hw/sim"
)

// The production driver, unmodified, on the simulated chip's three buses.
func TestPN532OnSimulator(t *testing.T) {
	sets, selects := 2000, 40_000
	if testing.Short() {
		sets, selects = 200, 400
	}
	for n, bus := range []string{"spi", "i2c", "uart"} {
		t.Run(bus, func(t *testing.T) {
			hwtest.ReaderSuite{Sets: sets, Selects: selects, Seed: 20261126 + uint64(n), Open: func(t *testing.T) *hwtest.Rig {
				g, _ := openPN532(t, bus, nil)
				return g
			}}.Run(t)
		})
	}
}

// The same with cards that prove who they are, also behind random IDs.
func TestPN532ProvesOnSimulator(t *testing.T) {
	sets, selects := 500, 1500
	if testing.Short() {
		sets, selects = 60, 100
	}
	for name, c := range map[string]struct {
		bus    string
		keys   func(*card.Keys)
		want   hw.Assurance
		random bool
	}{
		"mutual":    {"spi", func(*card.Keys) {}, hw.AssuranceMutual, false},
		"SUN":       {"i2c", func(k *card.Keys) { k.Mutual, k.Privacy = nil, nil }, hw.AssuranceDynamic, false},
		"random ID": {"uart", func(*card.Keys) {}, hw.AssuranceMutual, true},
	} {
		t.Run(name, func(t *testing.T) {
			hwtest.ReaderSuite{Sets: sets, Selects: selects, Seed: 20261127, Open: func(t *testing.T) *hwtest.Rig {
				keys, err := sim.DemoKeys()
				if err != nil {
					t.Fatal(err)
				}
				c.keys(&keys)
				counters, err := card.NewCounters(1000)
				if err != nil {
					t.Fatal(err)
				}
				prover, err := card.NewProver(keys, card.Options{Badge: badgeKey(t), Counters: counters})
				if err != nil {
					t.Fatal(err)
				}
				g, bench := openPN532(t, c.bus, prover)
				var count uint32
				g.Present = func(uids ...[]byte) {
					var cards []*sim.Card
					for _, u := range uids {
						k := &sim.Card{UID: u, SAK: 0x08}
						if len(u) == 7 {
							if k, err = sim.NewNTAG424(sim.NTAG424{UID: u, Keys: keys, RandomID: c.random, Counter: &count}); err != nil {
								t.Fatal(err)
							}
						}
						cards = append(cards, k)
					}
					bench.PN532().Put(0, cards...)
				}
				g.Proves = func(uid []byte) hw.Assurance {
					if len(uid) == 7 {
						return c.want
					}
					return hw.AssuranceUID
				}
				if c.random {
					g.Noise = nil // what does not get through stays a random UID, which is nobody's
				}
				return g
			}}.Run(t)
		})
	}
}

// A chip that does not put memory cards to sleep lists them for ever (libnfc, issue
// 476): a look ends all the same, and the tap comes with the first. Sets of one
// card; two that are found in one list as well.
func TestPN532ThatListsAgainAndAgain(t *testing.T) {
	sets, selects := 500, 2000
	if testing.Short() {
		sets, selects = 60, 100
	}
	for name, proves := range map[string]bool{"UIDs": false, "proofs": true} {
		rig := func(t *testing.T) (*hwtest.Rig, *sim.Bench) {
			var prover hw.Prover
			if proves {
				prover = demoProver(t)
			}
			g, bench := openPN532(t, "spi", prover)
			bench.PN532().SetFaults(sim.Faults{Relist: true})
			g.Noise = func(rate float64) { bench.PN532().SetFaults(sim.Faults{Relist: true, BitErrors: rate}) }
			return g, bench
		}
		t.Run(name, func(t *testing.T) {
			hwtest.ReaderSuite{Sets: sets, Selects: selects, Seed: 20261128, Open: func(t *testing.T) *hwtest.Rig {
				g, _ := rig(t)
				g.Single = true
				return g
			}}.Run(t)
		})
		t.Run(name+" at the first look", func(t *testing.T) {
			for _, set := range [][][]byte{{{1, 2, 3, 4}}, {{4, 1, 2, 3, 4, 5, 6}}, {{1, 2, 3, 4}, {1, 2, 3, 5}}} {
				g, bench := rig(t)
				g.Present(set...)
				before := bench.PN532().Transfers()
				ctx, cancel := g.Within(5 * time.Second)
				defer cancel()
				tap, err := g.Reader.Next(ctx)
				if err != nil || len(tap.Badges) != len(set) {
					t.Fatalf("%d cards: tap %+v, error %v", len(set), tap, err)
				}
				t.Logf("%d cards: %d transfers", len(set), bench.PN532().Transfers()-before)
				if tap.At > 300*time.Millisecond { // of the simulated clock: three looks take longer
					t.Errorf("%d cards: the tap comes after %v", len(set), tap.At)
				}
			}
		})
	}
}

// On such a chip a memory card may hide another that proves who it is, in one list
// after the other: it is asked at the next look.
func TestPN532ThatListsAgainReadsBothCards(t *testing.T) {
	keys, err := sim.DemoKeys()
	if err != nil {
		t.Fatal(err)
	}
	g, bench := openPN532(t, "spi", demoProver(t))
	bench.PN532().SetFaults(sim.Faults{Relist: true})
	const visits = 200
	var count uint32
	proven := 0
	for n := range visits {
		uid := []byte{4, 1, 2, 3, 4, 5, byte(n)}
		k, err := sim.NewNTAG424(sim.NTAG424{UID: uid, Keys: keys, Counter: &count})
		if err != nil {
			t.Fatal(err)
		}
		bench.PN532().Put(0, k, &sim.Card{UID: []byte{1, 2, 3, byte(n)}, SAK: 0x08})
		ctx, cancel := g.Within(3 * time.Second)
		tap, err := g.Reader.Next(ctx)
		cancel()
		if err != nil || len(tap.Badges) != 2 {
			t.Fatalf("visit %d: %d badges, error %v", n, len(tap.Badges), err)
		}
		for _, b := range tap.Badges {
			if b.Key == g.Key(uid) && b.Assurance == hw.AssuranceMutual {
				proven++
			}
		}
		g.Present()
		ctx, cancel = g.Within(g.Visit)
		if _, err := g.Reader.Next(ctx); err == nil {
			t.Fatalf("visit %d: a tap of nobody", n)
		}
		cancel()
	}
	t.Logf("%d of %d proved who they are", proven, visits)
	if proven < visits*95/100 {
		t.Errorf("%d of %d only", proven, visits)
	}
}

func demoProver(t *testing.T) hw.Prover {
	keys, err := sim.DemoKeys()
	if err != nil {
		t.Fatal(err)
	}
	counters, err := card.NewCounters(1000)
	if err != nil {
		t.Fatal(err)
	}
	p, err := card.NewProver(keys, card.Options{Badge: badgeKey(t), Counters: counters})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func openPN532(t *testing.T, bus string, prover hw.Prover) (*hwtest.Rig, *sim.Bench) {
	clk := sim.NewVirtualClock()
	bench := sim.NewBench(clk, 7)
	key := badgeKey(t)
	var logs bytes.Buffer
	dev, err := hw.ParseDevice("sim:pn532?poll=50ms&bus=" + bus)
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(limited{&logs}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r, err := devices.OpenReader(t.Context(), dev, devices.Env{Bench: bench, Clock: clk, Key: key, Prove: prover, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return &hwtest.Rig{
		Reader: r,
		Key:    key,
		Present: func(uids ...[]byte) {
			if len(uids) == 0 {
				bench.Lift()
			} else if err := bench.Tap(0, uids...); err != nil {
				t.Fatal(err)
			}
		},
		Within: func(d time.Duration) (context.Context, context.CancelFunc) {
			return clk.Context(t.Context(), d)
		},
		Visit:  500 * time.Millisecond,
		Logs:   logs.Bytes,
		Noise:  func(rate float64) { bench.PN532().SetFaults(sim.Faults{BitErrors: rate}) },
		Unplug: bench.UnplugReader,
	}, bench
}
