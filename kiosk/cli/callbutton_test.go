package cli

import (
	"context"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/sim"
	"borne/kiosk/agent"
)

// TestTheCallButtonOfTheCaseReachesTheAgent: the pin that the terminal's file names is
// what the agent hears; scripts/fleettest goes on from there to staff's page.
func TestTheCallButtonOfTheCaseReachesTheAgent(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	mono := clock.NewMonotonic()
	bench := sim.NewBench(mono, 1)
	var p agent.Parts
	if err := devicesOf(ctx, call0(t, "[devices]\ncall = \"sim:call\"\n"), &p, bench, devices.Display{}, mono, make([]byte, hw.MinBadgeKey)); err != nil {
		t.Fatal(err)
	}
	if p.Call == nil {
		t.Fatal("the agent has no call button")
	}
	heard := func(want hw.Level) {
		t.Helper()
		end := time.After(20 * time.Second)
		for {
			select {
			case l := <-p.Call:
				if l == want {
					return
				}
			case <-p.Devices:
			case <-end:
				t.Fatalf("the agent never hears %v", want)
			}
		}
	}
	heard(hw.Off)
	bench.PressCall()
	heard(hw.On)
	bench.ReleaseCall()
	heard(hw.Off)
}
