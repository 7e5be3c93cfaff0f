package compliance

import (
	"fmt"
	"testing"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

func TestPrinterIsKept(t *testing.T) {
	w := newWorld(t, nil)
	read := func() (p store.PrinterRow, days []store.SupplyDay) {
		w.decide(func(tx store.Tx) error {
			it, err := store.Get[store.PrinterRow](tx, "t1")
			p, days = it.Row, nil
			for d, err := range store.Find[store.SupplyDay](tx, "terminal", "t1") {
				if err != nil {
					return err
				}
				days = append(days, d.Row)
			}
			return err
		})
		return p, days
	}
	toner := func(level int) []wire.Supply { return []wire.Supply{{Name: "Noir", Kind: "toner", Level: level}} }
	w.record(wire.KindPrinter, wire.Printer{State: wire.PrinterReady, Model: "M 500", Supplies: append(toner(80), wire.Supply{Name: "Bac", Kind: "paper", Level: wire.LevelSome})})
	since := w.now
	w.record(wire.KindPrinter, wire.Printer{State: wire.PrinterReady, Supplies: toner(78)})
	p, days := read()
	if p.State != wire.PrinterReady || !p.Since.Equal(since) || len(p.Supplies) != 1 || p.Supplies[0].Level != 78 {
		t.Errorf("the printer is %+v", p)
	}
	if len(days) != 1 || days[0].Day != "2026-03-02" || len(days[0].Levels) != 1 || days[0].Levels["Noir"] != 78 {
		t.Errorf("its levels are %+v", days)
	}
	w.now = w.now.AddDate(0, 0, 1)
	w.record(wire.KindPrinter, wire.Printer{State: wire.PrinterStopped, Reasons: []string{"media-empty"}, Supplies: toner(70)})
	if p, days = read(); p.State != wire.PrinterStopped || !p.Since.Equal(w.now) || len(days) != 2 || days[1].Levels["Noir"] != 70 {
		t.Errorf("the next day it is %+v, %+v", p, days)
	}
	// What a terminal that was away tells late is no news.
	late := w.now.AddDate(0, 0, -2)
	w.decide(func(tx store.Tx) error {
		return w.rules.Apply(tx, "t1", wire.Record{Epoch: 1, Seq: 90, Kind: wire.KindPrinter, At: late, Body: []byte(`{"state":"ready","supplies":[{"name":"Noir","level":90}]}`)})
	})
	if p, days = read(); p.State != wire.PrinterStopped || len(days) != 3 || days[0].Levels["Noir"] != 90 {
		t.Errorf("after a late record it is %+v, %+v", p, days)
	}
	// A printer that says too much is cut short.
	var many wire.Printer
	many.State = "ready"
	for i := range 200 {
		many.Supplies = append(many.Supplies, wire.Supply{Name: fmt.Sprint("Encre ", i), Level: 1000 * i})
		many.Reasons = append(many.Reasons, fmt.Sprintf("%0200d", i))
	}
	w.now = w.now.Add(time.Hour)
	w.record(wire.KindPrinter, many)
	if p, days = read(); len(p.Supplies) != wire.MaxSupplies || len(p.Reasons) != wire.MaxReasons || len(p.Reasons[0]) > 100 || p.Supplies[5].Level != wire.LevelUnknown || len(days[2].Levels) > wire.MaxSupplies {
		t.Errorf("%d supplies, %d reasons", len(p.Supplies), len(p.Reasons))
	}
}
