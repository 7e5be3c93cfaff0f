package api

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"borne/controller/policy"
	"borne/controller/report"
	"borne/controller/store"
	"borne/controller/wire"
)

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

// troubles lists what somebody must do at a printer now; days tells of a supply
// how many days are left.
func troubles(p printerNow, days map[string]int) []PrinterTrouble {
	all := []PrinterTrouble{}
	for _, t := range report.PrinterTroubles(p.Printer, days) {
		all = append(all, PrinterTrouble{Code: t.Code, Supply: t.Supply, Days: t.Days, Since: timed(p.since)})
	}
	return all
}

// forecast tells how many days are left of each supply, where that is known.
func (a *API) forecast(tx store.Tx, terminal string, supplies []wire.Supply) (map[string]int, error) {
	return report.Forecast(tx, terminal, supplies, a.Now().In(policy.Location()))
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
