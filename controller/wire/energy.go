package wire

import "time"

// Power is how much a terminal is awake.
type Power string

// Powers.
const (
	PowerLit     Power = "lit"     // screen on
	PowerDim     Power = "dim"     // screen dimmed
	PowerDark    Power = "dark"    // screen off
	PowerLow     Power = "low"     // besides: relay off, printer asleep, processor slow
	PowerHalting Power = "halting" // about to be off, with an alarm of its clock
)

// PowerState is how a terminal saves energy now, as staff see it.
type PowerState struct {
	Power Power     `json:"power"`
	Dark  bool      `json:"dark"`            // the screen was seen to be dark
	Blind bool      `json:"blind,omitempty"` // nothing can see whether it is: its display's state cannot be read
	Held  time.Time `json:"held,omitzero"`   // staff hold it awake until then
	Wakes time.Time `json:"wakes,omitzero"`  // with PowerHalting: the alarm, as it read back
	Alarm string    `json:"alarm,omitempty"` // why its clock cannot wake it; empty: it can, or nobody asks it to
}

// Glows tells whether its screen shines, as far as anybody can know: one that was told
// to be dark, can be read and was not seen to be does.
func (p PowerState) Glows() bool {
	switch p.Power {
	case PowerLit, PowerDim:
		return true
	case PowerDark, PowerLow, PowerHalting:
		return !p.Dark && !p.Blind
	}
	return false // a newer terminal's word
}

// EnergyUse is the body of KindEnergy: what a terminal did between two instants
// of its clock, in whole seconds. The states add up to To - From, but for a
// clock that was set meanwhile.
type EnergyUse struct {
	From   time.Time `json:"from" inventory:"begin of what it tells;none-personal;technical"`
	To     time.Time `json:"to" inventory:"its end;none-personal;technical"`
	Lit    int       `json:"lit" inventory:"seconds with the screen on;none-personal;technical"`            // on, with its screen on or dimmed, or not seen to be dark
	Dark   int       `json:"dark" inventory:"seconds with the screen off;none-personal;technical"`          // on, with its screen off
	Low    int       `json:"low" inventory:"seconds in low power;none-personal;technical"`                  // on, in low power
	Halted int       `json:"halted" inventory:"seconds off by plan;none-personal;technical"`                // off by plan, until its alarm or a hand
	Off    int       `json:"off" inventory:"seconds off for another reason;none-personal;technical"`        // off for another reason: a power cut
	Wh     float64   `json:"wh,omitempty" inventory:"energy that a meter measured;none-personal;technical"` // measured by a meter for all of it; 0: none
}
