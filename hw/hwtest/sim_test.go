package hwtest_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/card"
	"borne/hw/devices"
	"borne/hw/hwtest"
	"borne/hw/sim"
)

// The production driver, unmodified, on the register-level simulator.
func TestMFRC522OnSimulator(t *testing.T) {
	sets, selects := 5000, 100_000
	if testing.Short() {
		sets, selects = 500, 1000
	}
	hwtest.ReaderSuite{Sets: sets, Selects: selects, Seed: 20261122, Open: openSim}.Run(t)
}

// The same with cards that prove who they are: mutually, by messages, and behind
// random IDs.
func TestMFRC522ProvesOnSimulator(t *testing.T) {
	sets, selects := 1000, 4000
	if testing.Short() {
		sets, selects = 100, 200
	}
	for name, c := range map[string]struct {
		keys   func(*card.Keys)
		want   hw.Assurance
		random bool
	}{
		"mutual":    {func(*card.Keys) {}, hw.AssuranceMutual, false},
		"SUN":       {func(k *card.Keys) { k.Mutual, k.Privacy = nil, nil }, hw.AssuranceDynamic, false},
		"random ID": {func(*card.Keys) {}, hw.AssuranceMutual, true},
	} {
		t.Run(name, func(t *testing.T) {
			hwtest.ReaderSuite{Sets: sets, Selects: selects, Seed: 20261125, Open: func(t *testing.T) *hwtest.Rig {
				keys, err := sim.DemoKeys()
				if err != nil {
					t.Fatal(err)
				}
				c.keys(&keys)
				return openProving(t, keys, c.want, c.random)
			}}.Run(t)
		})
	}
}

func openProving(t *testing.T, keys card.Keys, want hw.Assurance, random bool) *hwtest.Rig {
	counters, err := card.NewCounters(1000)
	if err != nil {
		t.Fatal(err)
	}
	prover, err := card.NewProver(keys, card.Options{Badge: badgeKey(t), Counters: counters})
	if err != nil {
		t.Fatal(err)
	}
	g, bench := open(t, prover)
	var count uint32
	g.Present = func(uids ...[]byte) {
		var cards []*sim.Card
		for _, u := range uids {
			k := &sim.Card{UID: u, SAK: 0x08}
			if len(u) == 7 {
				if k, err = sim.NewNTAG424(sim.NTAG424{UID: u, Keys: keys, RandomID: random, Counter: &count}); err != nil {
					t.Fatal(err)
				}
			}
			cards = append(cards, k)
		}
		bench.Chip().Put(0, cards...)
	}
	g.Proves = func(uid []byte) hw.Assurance {
		if len(uid) == 7 {
			return want
		}
		return hw.AssuranceUID
	}
	if random {
		g.Noise = nil // what does not get through stays a random UID, which is nobody's
	}
	return g
}

func openSim(t *testing.T) *hwtest.Rig {
	g, _ := open(t, nil)
	return g
}

func badgeKey(t *testing.T) hw.BadgeKey {
	key, err := hw.NewBadgeKey(bytes.Repeat([]byte{0xA5}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func open(t *testing.T, prover hw.Prover) (*hwtest.Rig, *sim.Bench) {
	clk := sim.NewVirtualClock()
	bench := sim.NewBench(clk, 7)
	key := badgeKey(t)
	var logs bytes.Buffer
	dev, err := hw.ParseDevice("sim:mfrc522?gain=48&poll=50ms")
	if err != nil {
		t.Fatal(err)
	}
	// The lines of 25,000 visits are not what is looked at: a megabyte is enough.
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
		Visit:  300 * time.Millisecond,
		Logs:   logs.Bytes,
		Noise:  func(rate float64) { bench.Chip().SetFaults(sim.Faults{BitErrors: rate}) },
		Unplug: bench.UnplugReader,
	}, bench
}

// limited stops writing at a megabyte.
type limited struct{ b *bytes.Buffer }

func (l limited) Write(p []byte) (int, error) {
	if l.b.Len()+len(p) > 1<<20 {
		return io.Discard.Write(p)
	}
	return l.b.Write(p)
}

func TestOutputOnSimulator(t *testing.T) {
	hwtest.OutputSuite{Open: func(t *testing.T) *hwtest.OutputRig {
		bench := sim.NewBench(sim.NewVirtualClock(), 1)
		o, err := bench.Output("relay")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { o.Close() })
		return &hwtest.OutputRig{Output: o, Safe: hw.Off, Load: func() hw.Level {
			if bench.State().Outputs["relay"] == "on" {
				return hw.On
			}
			return hw.Off
		}}
	}}.Run(t)
}

func TestInputOnSimulator(t *testing.T) {
	hwtest.InputSuite{Open: func(t *testing.T) *hwtest.InputRig {
		bench := sim.NewBench(sim.NewVirtualClock(), 1)
		in := bench.Call()
		t.Cleanup(func() { in.Close() })
		return &hwtest.InputRig{Input: in, Drive: func(l hw.Level) {
			if l == hw.On {
				bench.PressCall()
			} else {
				bench.ReleaseCall()
			}
		}}
	}}.Run(t)
}

func TestScreenOnSimulator(t *testing.T) {
	hwtest.ScreenSuite{Open: func(t *testing.T) *hwtest.ScreenRig {
		bench := sim.NewBench(sim.NewVirtualClock(), 1)
		return &hwtest.ScreenRig{Screen: bench.Screen(), Seen: func() hw.Level {
			if bench.State().Screen == "on" {
				return hw.On
			}
			return hw.Off
		}}
	}}.Run(t)
}
