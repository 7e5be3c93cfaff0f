package sim

import (
	"errors"
	"fmt"
	"syscall"
)

// faultNames are the arguments of the action "fault", all of which may be left out.
func faultNames() []string {
	return []string{"bit_errors", "drop", "pull_at", "brown_out_at", "stuck_miso", "bus_error", "hang", "block", "identity"}
}

// maxCount bounds "the n-th from now".
const maxCount = 1 << 20

// doFault puts the reader's chip into a state of faults; what is left out is well.
func (b *Bench) doFault(args []byte) error {
	var a struct {
		BitErrors  float64 `json:"bit_errors"`
		Drop       float64 `json:"drop"`
		PullAt     int     `json:"pull_at"`
		BrownOutAt int     `json:"brown_out_at"`
		StuckMISO  string  `json:"stuck_miso"`
		BusError   bool    `json:"bus_error"`
		Hang       bool    `json:"hang"`
		Block      bool    `json:"block"`
		Identity   int     `json:"identity"`
	}
	if err := strict(args, &a, faultNames()...); err != nil {
		return err
	}
	switch {
	case a.BitErrors < 0 || a.BitErrors > 1, a.Drop < 0 || a.Drop > 1:
		return errors.New("bit_errors and drop are probabilities, from 0 to 1")
	case a.PullAt < 0 || a.PullAt > maxCount, a.BrownOutAt < 0 || a.BrownOutAt > maxCount:
		return fmt.Errorf("pull_at and brown_out_at count from now, from 0 (never) to %d", maxCount)
	case a.Identity < 0 || a.Identity > 0xFF:
		return errors.New("identity is a byte, from 0 (the right one) to 255")
	}
	f := Faults{BitErrors: a.BitErrors, Drop: a.Drop, PullAt: a.PullAt, BrownOutAt: a.BrownOutAt, Hang: a.Hang, BlockBus: a.Block, ChipIdentity: byte(a.Identity)}
	switch a.StuckMISO {
	case "":
	case "low":
		f.StuckMISO = true
	case "high":
		f.StuckMISO, f.MISOLevel = true, 0xFF
	default:
		return fmt.Errorf("stuck_miso is %.20q; it must be low or high", a.StuckMISO)
	}
	if a.BusError {
		f.BusError = syscall.EIO
	}
	b.mu.Lock()
	pn := b.usesPN
	b.mu.Unlock()
	if pn {
		b.pn.SetFaults(f)
	} else {
		b.chip.SetFaults(f)
	}
	return nil
}
