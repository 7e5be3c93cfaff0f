package report_test

import (
	"math"
	"strings"
	"testing"

	"borne/controller/report"
	"borne/controller/store"
)

func TestModelOf(t *testing.T) {
	f := report.DefaultFigures()
	for machine, want := range map[string]string{
		"Raspberry Pi 4 Model B Rev 1.5": "pi4", "Raspberry Pi 400 Rev 1.0": "pi4", "Raspberry Pi Compute Module 4 Rev 1.1": "pi4",
		"Raspberry Pi 5 Model B Rev 1.0": "pi5", "Raspberry Pi 500 Rev 1.0": "pi5", "OptiPlex 7050": "pc", "HP EliteDesk 800 G3 DM 35W": "pc",
		"Raspberry Pi 3 Model B": "other", "Radxa ROCK 4C+": "other", "unknown": "other", "": "other",
	} {
		if got := report.ModelOf(f, machine); got.Key != want {
			t.Errorf("%q is a %s, want %s", machine, got.Key, want)
		}
	}
}

func TestDefaultFiguresAreSound(t *testing.T) {
	f := report.DefaultFigures()
	if bad := report.CheckFigures(f); len(bad) > 0 {
		t.Errorf("%v", bad)
	}
	for _, m := range f.Models {
		if m.Source == "" {
			t.Errorf("%s has no source", m.Key)
		}
	}
}

func TestFiguresAreChecked(t *testing.T) {
	for want, change := range map[string]func(*store.EnergyFigures){
		"price":             func(f *store.EnergyFigures) { f.Price = 0 },
		"models":            func(f *store.EnergyFigures) { f.Models = nil },
		"models[0].key":     func(f *store.EnergyFigures) { f.Models[0].Key = f.Models[1].Key + "" },
		"models[1].board":   func(f *store.EnergyFigures) { f.Models[1].Board = math.NaN() },
		"models[1].halted":  func(f *store.EnergyFigures) { f.Models[1].Halted = 4 },
		"models[0].low":     func(f *store.EnergyFigures) { f.Models[0].Low = 4 },
		"models[2].standby": func(f *store.EnergyFigures) { f.Models[2].Standby = 21 },
		"models[3].screen":  func(f *store.EnergyFigures) { f.Models[3].Screen = -1 },
		"models[2].name":    func(f *store.EnergyFigures) { f.Models[2].Name = strings.Repeat("é", 61) },
		"models[0].match":   func(f *store.EnergyFigures) { f.Models[0].Match = []string{" "} },
	} {
		f := report.DefaultFigures()
		change(&f)
		bad := report.CheckFigures(f)
		if want == "models[0].key" {
			want = "models[1].key" // the second of the two is told
		}
		if bad[want] == "" {
			t.Errorf("%s is not told: %v", want, bad)
		}
	}
	f := report.DefaultFigures()
	f.Models = f.Models[:3]
	if bad := report.CheckFigures(f); bad["models"] == "" {
		t.Error("figures without a model for all others are taken")
	}
}

// A Pi 4 with a monitor, open for 10 hours, dark for 1, then off by plan: by hand.
func TestEnergyOfADay(t *testing.T) {
	m := report.ModelOf(report.DefaultFigures(), "Raspberry Pi 4 Model B")
	d := store.EnergyDay{Lit: 10 * 3600, Dark: 3600, Halted: 13 * 3600}
	e := report.EnergyOf(d, m)
	if used, always := 10*23.1+1*3.6+13*0.62, 24*23.1; math.Abs(e.UsedWh-used) > 1e-9 || math.Abs(e.AlwaysWh-always) > 1e-9 || e.Basis() != report.BasisEstimated {
		t.Errorf("%g of %g Wh, want %g of %g: %s", e.UsedWh, e.AlwaysWh, used, always, e.Basis())
	}
	// A meter that covers the day is believed; what is saved stays an estimate.
	d.Wh, d.Metered = 240, 24*3600-60
	if e = report.EnergyOf(d, m); e.UsedWh != 240 || e.Basis() != report.BasisMeasured || math.Abs(e.SavedWh()-(24*23.1-240)) > 1e-9 {
		t.Errorf("measured: %+v, %s", e, e.Basis())
	}
	// One that covers half of it is not: no figure is half of each.
	d.Metered = 12 * 3600
	if e = report.EnergyOf(d, m); e.Measured != 0 || math.Abs(e.UsedWh-(10*23.1+3.6+13*0.62)) > 1e-9 {
		t.Errorf("half measured: %+v", e)
	}
	// A power cut saves nothing.
	if e = report.EnergyOf(store.EnergyDay{Off: 86400}, m); e.UsedWh != 0 || e.SavedWh() != 0 || e.Days != 1 || e.Off != 86400 {
		t.Errorf("without power: %+v", e)
	}
	if e = report.EnergyOf(store.EnergyDay{Odd: 1}, m); e.Basis() != report.BasisNone || e.Odd != 1 {
		t.Errorf("a day of odd records alone: %+v", e)
	}
	sum := report.EnergyOf(store.EnergyDay{Lit: 3600, Wh: 20, Metered: 3600}, m).Add(report.EnergyOf(store.EnergyDay{Lit: 3600}, m))
	if sum.Basis() != report.BasisMixed || sum.Days != 2 || sum.Measured != 1 || sum.Lit != 7200 || math.Abs(sum.UsedWh-43.1) > 1e-9 {
		t.Errorf("a sum of both: %+v", sum)
	}
}
