package hwtest_test

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/devices"
	"borne/hw/hwtest"
	"borne/hw/sim"
)

// The production driver, unmodified, on the register-level simulator.
func TestMFRC522OnSimulator(t *testing.T) {
	sets, selects := 5000, 20000
	if testing.Short() {
		sets, selects = 500, 1000
	}
	hwtest.ReaderSuite{Sets: sets, Selects: selects, Seed: 20261122, Open: openSim}.Run(t)
}

func openSim(t *testing.T) *hwtest.Rig {
	clk := sim.NewVirtualClock()
	bench := sim.NewBench(clk, 7)
	key, err := hw.NewBadgeKey(bytes.Repeat([]byte{0xA5}, 32))
	if err != nil {
		t.Fatal(err)
	}
	var logs bytes.Buffer
	dev, err := hw.ParseDevice("sim:mfrc522?gain=48&poll=50ms")
	if err != nil {
		t.Fatal(err)
	}
	// The lines of 25,000 visits are not what is looked at: a megabyte is enough.
	log := slog.New(slog.NewJSONHandler(limited{&logs}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r, err := devices.OpenReader(t.Context(), dev, devices.Env{Bench: bench, Clock: clk, Key: key, Log: log})
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
	}
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
