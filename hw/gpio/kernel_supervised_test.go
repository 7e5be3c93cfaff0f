package gpio_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/clock"
	"borne/hw/gpio"
	"borne/hw/supervise"
)

// cycles: Linux 6.1 never frees the numbers of a chip that goes while its lines
// are held (gpiod_free_commit sees no chip, and gpiod_free keeps its reference),
// and has 512 of them. Each loss is found out within the heartbeat, a second.
const cycles = 15

// A chip that comes and goes under the supervisors of the agent.
func TestKernelReplugged(t *testing.T) {
	chip := newChip(t, "usb")
	files, routines := descriptors(t), runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cfg := func(name string) supervise.Config {
		return supervise.Config{Name: name, Device: "gpio:usb", Clock: clock.NewMonotonic(), MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond}
	}
	opts := options()
	opts.Debounce = gpio.NoDebounce
	in, err := supervise.StartInput(ctx, cfg("case"), func(ctx context.Context) (hw.Input, error) {
		i, err := gpio.OpenInput(ctx, chip.address("1"), opts)
		if err != nil {
			return nil, err
		}
		return i, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := supervise.StartOutput(ctx, cfg("relay"), func(ctx context.Context) (hw.Output, error) {
		o, err := gpio.OpenOutput(ctx, chip.address("2"), options())
		if err != nil {
			return nil, err
		}
		return o, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	drain := func(s <-chan hw.Status) {
		for range s {
		}
	}
	go drain(in.Status())
	go drain(out.Status())
	level := func(want hw.Level) {
		t.Helper()
		late := time.After(20 * time.Second)
		for {
			select {
			case l := <-in.Levels():
				if l == want {
					return
				}
			case <-late:
				t.Fatalf("the contact is never %v", want)
			}
		}
	}
	switched := func(l hw.Level) {
		t.Helper()
		want := map[hw.Level]string{hw.On: "1", hw.Off: "0"}[l]
		for end := time.Now().Add(20 * time.Second); ; runtime.Gosched() {
			_, err := out.Set(t.Context(), l)
			if err == nil && chip.value(2) == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the relay is never %v: %v", l, err)
			}
		}
	}
	for n := range cycles {
		level(hw.Off)
		chip.pull(1, true)
		level(hw.On)
		switched([]hw.Level{hw.On, hw.Off}[n%2])
		chip.unplug()
		level(hw.Unknown)
		if l, err := out.Set(t.Context(), hw.Off); l != hw.Unknown || !errors.Is(err, hw.ErrAbsent) {
			t.Fatalf("cycle %d: unplugged, Set = %v, %v", n, l, err)
		}
		chip.plug()
	}
	cancel()
	<-in.Done()
	<-out.Done()
	if n := descriptors(t); n != files {
		t.Errorf("%d descriptors, %d before", n, files)
	}
	for n := 0; runtime.NumGoroutine() > routines && n < 1e5; n++ {
		runtime.Gosched() // those on their way out
	}
	if n := runtime.NumGoroutine(); n > routines {
		t.Errorf("%d goroutines, %d before", n, routines)
	}
}
