package report

import (
	"slices"
	"strings"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// soon is how many days before a supply is used up the correspondant is told:
// long enough for an order to arrive.
const soon = 7

// PrinterTrouble is one thing that somebody must do at a printer.
type PrinterTrouble struct {
	Code   string // reason code
	Supply string // which consumable
	Days   *int   // left of it
}

// keywords finds the trouble in a printer-state-reason (RFC 8011 §5.4.12, PWG
// 5100.13 §8): the first that begins like it. Severities (-report, -warning,
// -error) come at its end.
func keywords() []struct{ prefix, code string } {
	return []struct{ prefix, code string }{
		{"media-jam", "printer-jam"}, {"media-empty", "printer-paper"}, {"media-needed", "printer-paper"}, {"input-tray-missing", "printer-tray"},
		{"media-low", "printer-paper-low"}, {"door-open", "printer-door"}, {"cover-open", "printer-door"}, {"interlock-open", "printer-door"},
		{"toner-empty", "printer-toner"}, {"marker-supply-empty", "printer-toner"}, {"cartridge-missing", "printer-toner"},
		{"toner-low", "printer-toner-low"}, {"marker-supply-low", "printer-toner-low"}, {"marker-waste", "printer-waste"},
		{"output-area-full", "printer-full"}, {"output-area-almost-full", "printer-full"},
	}
}

// PrinterTroubles lists what somebody must do at a printer now; days tells of a
// supply how many days are left.
func PrinterTroubles(p wire.Printer, days map[string]int) []PrinterTrouble {
	all := []PrinterTrouble{}
	add := func(t PrinterTrouble) {
		if !slices.ContainsFunc(all, func(x PrinterTrouble) bool { return x.Code == t.Code && x.Supply == t.Supply }) {
			all = append(all, t)
		}
	}
	awaited := false
	for reason, code := range map[string]string{wire.PrinterNewSilent: "printer-new", wire.PrinterNewStranger: "printer-new-stranger"} {
		if slices.Contains(p.Reasons, reason) {
			awaited = true
			add(PrinterTrouble{Code: code})
		}
	}
	if p.State == wire.PrinterLost && awaited && p.Model == "" {
		return all // there was none before
	}
	if p.State == wire.PrinterLost {
		if slices.Contains(p.Reasons, wire.PrinterUntrusted) {
			add(PrinterTrouble{Code: "printer-stranger"})
		} else {
			add(PrinterTrouble{Code: "printer-lost"})
		}
		return all // what it said before is of no use now
	}
	for _, reason := range p.Reasons {
		for _, k := range keywords() {
			if strings.HasPrefix(reason, k.prefix) {
				add(PrinterTrouble{Code: k.code})
				break
			}
		}
	}
	if p.State == wire.PrinterStopped && len(all) == 0 {
		add(PrinterTrouble{Code: "printer-stopped"})
	}
	for _, s := range p.Supplies {
		left, known := days[s.Name]
		switch {
		case known && left <= soon:
			add(PrinterTrouble{Code: "printer-supply-soon", Supply: s.Name, Days: &left})
		case s.Low || s.Level == 0:
			add(PrinterTrouble{Code: "printer-supply-low", Supply: s.Name})
		}
	}
	return all
}

// Forecast tells how many days are left of each supply of a terminal's printer,
// where that is known.
func Forecast(tx store.Tx, terminal string, supplies []wire.Supply, today time.Time) (map[string]int, error) {
	levels := map[string][]Level{}
	for d, err := range store.Find[store.SupplyDay](tx, "terminal", terminal) {
		if err != nil {
			return nil, err
		}
		for name, level := range d.Row.Levels {
			levels[name] = append(levels[name], Level{Day: d.Row.Day, Level: level})
		}
	}
	days := map[string]int{}
	for _, s := range supplies {
		if n, ok := DaysLeft(levels[s.Name], today); ok && s.Level != wire.LevelUnknown {
			days[s.Name] = n
		}
	}
	return days, nil
}
