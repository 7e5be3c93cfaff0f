package api

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"borne/controller/policy"
	"borne/controller/report"
	"borne/controller/store"
	"borne/controller/wire"
)

// soon is how many days before a supply is used up the correspondant is told:
// long enough for an order to arrive.
const soon = 7

// printer returns what is known of a terminal's printer: as its status says
// while it is connected, as it told last otherwise.
func (a *API) printer(tx store.Tx, terminal string, live LiveState) (printerNow, bool, error) {
	it, err := store.Get[store.PrinterRow](tx, terminal)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return printerNow{}, false, err
	}
	r := it.Row
	p := printerNow{Printer: wire.Printer{State: r.State, Reasons: r.Reasons, Model: r.Model, Supplies: r.Supplies, Counter: r.Counter, Estimate: r.Estimate},
		since: r.Since, at: r.At}
	if s := live.Status.Printer; live.Online && s != nil {
		if s.State != r.State || !slices.Equal(s.Reasons, r.Reasons) {
			p.since = time.Time{} // its record is on its way
		}
		p.Printer, p.at = *s, live.LastSeen
	}
	return p, p.State != "", nil
}

// printerOf is the printer in a terminal's brief.
func (a *API) printerOf(tx store.Tx, terminal string, live LiveState) *PrinterBrief {
	p, ok, err := a.printer(tx, terminal, live)
	if err != nil {
		a.Log.Error("cannot read a printer", "terminal", terminal, "error", err)
	}
	if !ok {
		return nil
	}
	b := &PrinterBrief{State: string(p.State), Troubles: []string{}}
	for _, t := range troubles(p, nil) {
		if !slices.Contains(b.Troubles, t.Code) {
			b.Troubles = append(b.Troubles, t.Code)
		}
	}
	return b
}

// waiting counts the jobs that wait at a terminal that is there.
func waiting(live LiveState) int {
	if !live.Online {
		return 0
	}
	return len(live.Status.Prints)
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

// troubles lists what somebody must do at a printer now; days tells of a supply
// how many days are left.
func troubles(p printerNow, days map[string]int) []PrinterTrouble {
	all := []PrinterTrouble{}
	add := func(t PrinterTrouble) {
		t.Since = timed(p.since)
		if !slices.ContainsFunc(all, func(x PrinterTrouble) bool { return x.Code == t.Code && x.Supply == t.Supply }) {
			all = append(all, t)
		}
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

// forecast tells how many days are left of each supply, where that is known.
func (a *API) forecast(tx store.Tx, terminal string, supplies []wire.Supply) (map[string]int, error) {
	levels := map[string][]report.Level{}
	for d, err := range store.Find[store.SupplyDay](tx, "terminal", terminal) {
		if err != nil {
			return nil, err
		}
		for name, level := range d.Row.Levels {
			levels[name] = append(levels[name], report.Level{Day: d.Row.Day, Level: level})
		}
	}
	days := map[string]int{}
	for _, s := range supplies {
		if n, ok := report.DaysLeft(levels[s.Name], a.Now().In(policy.Location())); ok && s.Level != wire.LevelUnknown {
			days[s.Name] = n
		}
	}
	return days, nil
}

// printerTroubles lists the same as alerts of a terminal's page.
func (a *API) printerTroubles(tx store.Tx, terminal string) ([]AlertBrief, error) {
	live, _ := a.Live.Live(terminal)
	p, ok, err := a.printer(tx, terminal, live)
	if err != nil || !ok {
		return []AlertBrief{}, err
	}
	days, err := a.forecast(tx, terminal, p.Supplies)
	if err != nil {
		return nil, err
	}
	all := []AlertBrief{}
	for _, t := range troubles(p, days) {
		at := p.at
		if t.Since != nil {
			at = *t.Since
		}
		if !slices.ContainsFunc(all, func(x AlertBrief) bool { return x.Code == t.Code }) { // the page tells them by their code
			all = append(all, AlertBrief{At: at, Code: t.Code})
		}
	}
	return all, nil
}

func (a *API) printers(ctx context.Context, in *byID) (*out[SitePrinters], error) {
	v := SitePrinters{Site: in.ID}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		v.Printers = []PrinterView{}
		spaces := map[string]string{}
		for it, err := range store.List[store.Terminal](tx, "", "", false) {
			if err != nil {
				return err
			}
			if it.Site != in.ID {
				continue
			}
			if _, ok := spaces[it.Row.Space]; !ok {
				s, err := store.Get[store.Space](tx, it.Row.Space)
				if err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				spaces[it.Row.Space] = s.Row.Name
			}
			p, ok, err := a.printerView(tx, it, spaces[it.Row.Space])
			if err != nil {
				return err
			}
			if ok {
				v.Printers = append(v.Printers, p)
			}
		}
		return nil
	})
	if err != nil {
		return nil, a.fail(opPrinters, err)
	}
	slices.SortFunc(v.Printers, func(x, y PrinterView) int {
		return cmp.Or(cmp.Compare(x.SpaceName, y.SpaceName), cmp.Compare(x.Name, y.Name))
	})
	return answer(v), nil
}

func (a *API) printerView(tx store.Tx, it store.Item[store.Terminal], space string) (PrinterView, bool, error) {
	live, _ := a.Live.Live(it.ID)
	p, ok, err := a.printer(tx, it.ID, live)
	if err != nil || !ok {
		return PrinterView{}, false, err
	}
	days, err := a.forecast(tx, it.ID, p.Supplies)
	if err != nil {
		return PrinterView{}, false, err
	}
	v := PrinterView{Terminal: it.ID, Name: it.Row.Name, Space: it.Row.Space, SpaceName: space, Online: live.Online, State: string(p.State),
		Reasons: list(p.Reasons), Model: p.Model, Supplies: []SupplyView{}, Counter: p.Counter, Estimated: p.Estimate, Since: timed(p.since), At: timed(p.at),
		Troubles: troubles(p, days)}
	for _, s := range p.Supplies {
		sv := SupplyView{Name: s.Name, Kind: s.Kind, Level: s.Level, Low: s.Low}
		if n, ok := days[s.Name]; ok {
			sv.Days = &n
		}
		v.Supplies = append(v.Supplies, sv)
	}
	return v, true, nil
}
