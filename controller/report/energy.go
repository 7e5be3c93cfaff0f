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
	e.add(&o)
	return e
}

func (e *Energy) add(o *Energy) {
	e.Lit, e.Dark, e.Low, e.Halted, e.Off = e.Lit+o.Lit, e.Dark+o.Dark, e.Low+o.Low, e.Halted+o.Halted, e.Off+o.Off
	e.UsedWh, e.AlwaysWh = e.UsedWh+o.UsedWh, e.AlwaysWh+o.AlwaysWh
	e.Days, e.Measured, e.Odd = e.Days+o.Days, e.Measured+o.Measured, e.Odd+o.Odd
}

// EnergyOf is one day of a terminal. A day that a meter covers is what the meter
// says; one that it covers in part is estimated whole, so that no figure is half of
// each.
func EnergyOf(d store.EnergyDay, m store.EnergyModel) Energy {
	var sum store.EnergyMonth
	sum.Add(d, 1)
	return energyOf(sum, m)
}

// energyOf is what days of a terminal come to.
func energyOf(sum store.EnergyMonth, m store.EnergyModel) (e Energy) {
	addEnergy(&e, &sum, &m)
	return e
}

// addEnergy adds what days of a terminal come to.
func addEnergy(e *Energy, sum *store.EnergyMonth, m *store.EnergyModel) {
	known := 0
	for _, p := range [...]*store.EnergyPart{&sum.Estimated, &sum.Metered} {
		e.Lit, e.Dark, e.Low, e.Halted, e.Off = e.Lit+p.Lit, e.Dark+p.Dark, e.Low+p.Low, e.Halted+p.Halted, e.Off+p.Off
		e.Days, e.Odd = e.Days+p.Days, e.Odd+p.Odd
		known += p.Lit + p.Dark + p.Low + p.Halted
	}
	e.Measured += sum.Metered.Days
	e.AlwaysWh += float64(known) * (m.Board + m.Screen) / 3600
	p := &sum.Estimated
	e.UsedWh += float64(sum.MilliWh)/1000 + (float64(p.Lit)*(m.Board+m.Screen)+float64(p.Dark)*(m.Board+m.Standby)+
		float64(p.Low)*(m.Low+m.Standby)+float64(p.Halted)*(m.Halted+m.Standby))/3600
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
