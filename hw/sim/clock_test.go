package sim_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"borne/hw/sim"
)

func TestVirtualClockRunsTimersInOrder(t *testing.T) {
	c := sim.NewVirtualClock()
	var ran []time.Duration
	for _, d := range []time.Duration{3, 1, 2, 1} {
		c.AfterFunc(d*time.Second, func() { ran = append(ran, c.Now()) })
	}
	c.Advance(1500 * time.Millisecond)
	if want := []time.Duration{time.Second, time.Second}; !slices.Equal(ran, want) || c.Now() != 1500*time.Millisecond {
		t.Fatalf("timers ran at %v, now %v", ran, c.Now())
	}
	ctx, cancel := c.Context(t.Context(), time.Second)
	defer cancel()
	if err := c.Sleep(ctx, time.Minute); !errors.Is(err, context.Canceled) {
		t.Fatalf("a sleep past its context's end gave %v", err)
	}
	if len(ran) != 4 || !slices.IsSorted(ran) {
		t.Fatalf("timers ran at %v", ran)
	}
	before := c.Now()
	if err := c.Sleep(ctx, time.Minute); err == nil || c.Now() != before {
		t.Fatal("a sleep on an ended context moved the clock")
	}
}
