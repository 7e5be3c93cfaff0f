package supervise_test

import (
	"context"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/sim"
	"borne/hw/supervise"
)

func TestThousandUnplugsLeaveNothing(t *testing.T) {
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)
	vclk := sim.NewVirtualClock()
	bench := sim.NewBench(vclk, 1)
	key, err := hw.NewBadgeKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	dev, err := hw.ParseDevice("sim:mfrc522")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := supervise.StartReader(ctx, config(newStepClock(), nil), func(ctx context.Context) (hw.Reader, error) {
		return devices.OpenReader(ctx, dev, devices.Env{Bench: bench, Clock: vclk, Key: key})
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		await(t, r.Status(), hw.Ready)
		if i%100 == 0 { // it really reads in between
			if err := bench.Tap(0, []byte{4, byte(i >> 8), byte(i), 1}); err != nil {
				t.Fatal(err)
			}
			select {
			case tap := <-r.Taps():
				if len(tap.Badges) != 1 {
					t.Fatalf("%d badges", len(tap.Badges))
				}
			case <-time.After(10 * time.Second):
				t.Fatalf("cycle %d: no tap", i)
			}
			bench.Lift()
		}
		bench.UnplugReader()
		if st := await(t, r.Status(), hw.Absent); !strings.Contains(st.Err, "unplugged") {
			t.Fatalf("cycle %d: status says %q", i, st.Err)
		}
		bench.PlugReader()
	}
	await(t, r.Status(), hw.Ready)
	cancel()
	ended(t, r.Done())
	if _, open := <-r.Taps(); open {
		t.Error("taps go on after the end")
	}
	if n := bench.Chip().OpenPorts(); n != 0 {
		t.Errorf("%d ports left open", n)
	}
	settled(t, goroutines)
	if n := descriptors(t); n > fds {
		t.Errorf("%d descriptors, %d before", n, fds)
	}
}

// In real time, a bus that blocks inside the kernel, with the production driver.
func TestBlockedBusIsFaultedAndComesBack(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	clk := clock.NewMonotonic()
	bench := sim.NewBench(clk, 1)
	key, err := hw.NewBadgeKey(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	dev, err := hw.ParseDevice("sim:mfrc522?poll=20ms")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg := supervise.Config{Name: "badge-reader", Device: dev.String(), Clock: clk, StallAfter: 200 * time.Millisecond, MinBackoff: time.Millisecond}
	r, err := supervise.StartReader(ctx, cfg, func(ctx context.Context) (hw.Reader, error) {
		return devices.OpenReader(ctx, dev, devices.Env{Bench: bench, Clock: clk, Key: key})
	})
	if err != nil {
		t.Fatal(err)
	}
	await(t, r.Status(), hw.Ready)
	bench.Chip().SetFaults(sim.Faults{BlockBus: true})
	await(t, r.Status(), hw.Faulted)
	bench.Chip().SetFaults(sim.Faults{})
	await(t, r.Status(), hw.Ready)
	if err := bench.Tap(0, []byte{1, 2, 3, 4}); err != nil {
		t.Fatal(err)
	}
	select {
	case tap := <-r.Taps():
		if len(tap.Badges) != 1 || tap.Badges[0].Key != key([]byte{1, 2, 3, 4}) {
			t.Fatalf("%d badges", len(tap.Badges))
		}
	case <-time.After(10 * time.Second):
		t.Fatal("no tap")
	}
	cancel()
	ended(t, r.Done())
	settled(t, goroutines)
	if n := bench.Chip().OpenPorts(); n != 0 {
		t.Errorf("%d ports left open", n)
	}
}

func TestInputIsUnknownWhileLost(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	bench := sim.NewBench(sim.NewVirtualClock(), 1)
	var current atomic.Pointer[hw.Input]
	gate := make(chan struct{})
	clk := newStepClock()
	clk.backoff = func(ctx context.Context) {
		select {
		case <-gate:
		case <-ctx.Done():
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in, err := supervise.StartInput(ctx, config(clk, nil), func(context.Context) (hw.Input, error) {
		c := bench.Case()
		current.Store(&c)
		return c, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	expect := func(want hw.Level) {
		t.Helper()
		select {
		case got := <-in.Levels():
			if got != want {
				t.Fatalf("level %d, want %d", got, want)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("level %d did not come", want)
		}
	}
	expect(hw.Unknown)
	expect(hw.Off)
	bench.OpenCase()
	expect(hw.On)
	if err := (*current.Load()).Close(); err != nil { // the device is lost
		t.Fatal(err)
	}
	expect(hw.Unknown)
	gate <- struct{}{}
	expect(hw.On)
	cancel()
	ended(t, in.Done())
	settled(t, goroutines)
}
