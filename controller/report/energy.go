package report

import (
	"fmt"
	"time"

	"borne/controller/store"
)

// Basis is what figures of energy rest on.
type Basis string

// Bases.
const (
	BasisNone      Basis = "none"      // nothing was told
	BasisEstimated Basis = "estimated" // watts of the model, by time
	BasisMeasured  Basis = "measured"  // a meter's
	BasisMixed     Basis = "mixed"     // some days a meter's, some estimated
)

// Energy is what terminals did in some days, and what they drew. What is saved is
// always an estimate: nobody measured the terminal that stays on.
type Energy struct {
	Lit, Dark, Low, Halted, Off int // seconds

	UsedWh   float64
	AlwaysWh float64 // the same terminals lit all that time; a power cut saves nothing and is left out
	Days     int     // of terminals that told something
	Measured int     // of these, days whose whole time a meter covers
	Odd      int     // records that were cut or refused
}

// On is how many seconds it was on.
func (e Energy) On() int { return e.Lit + e.Dark + e.Low }

// SavedWh is what always being on would have drawn on top; below 0 where the
// model's watts are set too low.
func (e Energy) SavedWh() float64 { return e.AlwaysWh - e.UsedWh }

// Basis is what UsedWh rests on.
func (e Energy) Basis() Basis {
	switch {
	case e.Days == 0:
		return BasisNone
	case e.Measured == e.Days:
		return BasisMeasured
	case e.Measured == 0:
		return BasisEstimated
	}
	return BasisMixed
}

// Add adds what others did.
func (e Energy) Add(o Energy) Energy {
	e.Lit, e.Dark, e.Low, e.Halted, e.Off = e.Lit+o.Lit, e.Dark+o.Dark, e.Low+o.Low, e.Halted+o.Halted, e.Off+o.Off
	e.UsedWh, e.AlwaysWh = e.UsedWh+o.UsedWh, e.AlwaysWh+o.AlwaysWh
	e.Days, e.Measured, e.Odd = e.Days+o.Days, e.Measured+o.Measured, e.Odd+o.Odd
	return e
}

// slack is how many seconds of a day a meter may miss: it is read a moment after
// the terminal starts.
const slack = 300

// EnergyOf is one day of a terminal. A day that a meter covers is what the meter
// says; one that it covers in part is estimated whole, so that no figure is half of
// each.
func EnergyOf(d store.EnergyDay, m store.EnergyModel) Energy {
	e := Energy{Lit: d.Lit, Dark: d.Dark, Low: d.Low, Halted: d.Halted, Off: d.Off, Odd: d.Odd}
	known := e.On() + e.Halted
	if known+e.Off == 0 {
		return e
	}
	e.Days = 1
	e.AlwaysWh = float64(known) * (m.Board + m.Screen) / 3600
	if d.Metered > 0 && d.Metered >= known-min(slack, known/10) {
		e.UsedWh, e.Measured = d.Wh, 1
		return e
	}
	e.UsedWh = (float64(d.Lit)*(m.Board+m.Screen) + float64(d.Dark)*(m.Board+m.Standby) +
		float64(d.Low)*(m.Low+m.Standby) + float64(d.Halted)*(m.Halted+m.Standby)) / 3600
	return e
}

// EnergyDays adds up the days from one to another, both included, for the terminals
// of a site, by terminal.
func EnergyDays(tx store.Tx, site, from, to string, model func(terminal string) store.EnergyModel) (map[string]Energy, error) {
	after, err := time.Parse(time.DateOnly, to)
	if err != nil {
		return nil, fmt.Errorf("cannot report up to day %.20q: %w", to, err)
	}
	all := map[string]Energy{}
	last := store.RollupID(after.AddDate(0, 0, 1).Format(time.DateOnly), "")
	for it, err := range store.FindRange[store.EnergyDay](tx, "site", site, store.RollupID(from, ""), last, false) {
		if err != nil {
			return nil, fmt.Errorf("cannot read the days' energy: %w", err)
		}
		all[it.Row.Terminal] = all[it.Row.Terminal].Add(EnergyOf(it.Row, model(it.Row.Terminal)))
	}
	return all, nil
}
