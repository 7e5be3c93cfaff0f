package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"borne/controller/audit"
	"borne/controller/report"
	"borne/controller/store"
)

// power is how a terminal saves energy, as it says while it is connected. What is
// wrong is what somebody found who looks each minute: see report.Night.
func power(t store.Terminal, live LiveState) *PowerBrief {
	b := PowerBrief{}
	switch p := live.Status.Power; {
	case !live.Online:
		b.Wakes = timed(t.Wakes)
	case p != nil:
		b.State, b.Dark, b.Blind, b.Held, b.Alarm = string(p.Power), p.Dark, p.Blind, timed(p.Held), p.Alarm
	}
	if t.Power != "" && (t.Power == report.PowerAwake) == live.Online { // what is over is not told until somebody looks again
		b.Trouble, b.Since = t.Power, timed(t.PowerSince)
	}
	if b == (PowerBrief{}) {
		return nil
	}
	return &b
}

type energyIn struct {
	ID   string `path:"id" maxLength:"200"`
	From string `query:"from" maxLength:"10" doc:"First local day, 2006-01-02; the first of this month when empty"`
	To   string `query:"to" maxLength:"10" doc:"Last local day, included; today when empty"`
}

// energyDays bounds a report.
const energyDays = 400

// energyNow returns the figures in force, and their revision.
func energyNow(tx store.Tx) (store.Item[store.EnergyFigures], error) {
	it, err := store.Get[store.EnergyFigures](tx, store.SettingController)
	if errors.Is(err, store.ErrNotFound) {
		return store.Item[store.EnergyFigures]{Meta: store.Meta{ID: store.SettingController}, Row: report.DefaultFigures()}, nil
	}
	return it, err
}

// span reads the days asked for.
func (in *energyIn) span(today time.Time) (from, to string, err error) {
	from, to = in.From, in.To
	if from == "" {
		from = today.AddDate(0, 0, 1-today.Day()).Format(time.DateOnly)
	}
	if to == "" {
		to = today.Format(time.DateOnly)
	}
	a, err1 := time.Parse(time.DateOnly, from)
	b, err2 := time.Parse(time.DateOnly, to)
	switch {
	case err1 != nil:
		return "", "", newProblem(http.StatusUnprocessableEntity, "Certains champs ne conviennent pas.", field{"query.from", "écrivez le jour comme 2026-09-01"})
	case err2 != nil:
		return "", "", newProblem(http.StatusUnprocessableEntity, "Certains champs ne conviennent pas.", field{"query.to", "écrivez le jour comme 2026-09-30"})
	case b.Before(a):
		return "", "", newProblem(http.StatusUnprocessableEntity, "Certains champs ne conviennent pas.", field{"query.to", "le dernier jour est avant le premier"})
	case b.Sub(a) >= energyDays*24*time.Hour:
		return "", "", newProblem(http.StatusUnprocessableEntity, "Certains champs ne conviennent pas.", field{"query.to", fmt.Sprintf("%d jours au plus", energyDays)})
	}
	return from, to, nil
}

func (a *API) energy(ctx context.Context, in *energyIn) (*out[EnergyReport], error) {
	v := EnergyReport{Site: in.ID}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		site, err := store.Get[store.Site](tx, in.ID)
		if err != nil {
			return err
		}
		zone, err := zoneOf(site.Row)
		if err != nil {
			return err
		}
		if v.From, v.To, err = in.span(a.Now().In(zone)); err != nil {
			return err
		}
		v.Terminals, v.Measured, v.Told = []EnergyTerminal{}, 0, 0
		return a.energyOf(tx, in.ID, &v)
	})
	if err != nil {
		return nil, a.fail(opEnergy, err)
	}
	slices.SortFunc(v.Terminals, func(x, y EnergyTerminal) int {
		return cmp.Or(strings.Compare(x.SpaceName, y.SpaceName), strings.Compare(x.Name, y.Name))
	})
	return answer(v), nil
}

func (a *API) energyOf(tx store.Tx, site string, v *EnergyReport) error {
	figures, err := energyNow(tx)
	if err != nil {
		return err
	}
	v.Price = figures.Row.Price
	terminals, spaces := map[string]store.Terminal{}, map[string]string{}
	for it, err := range store.List[store.Terminal](tx, "", "", false) {
		if err != nil {
			return err
		}
		if it.Site == site {
			terminals[it.ID] = it.Row
		}
	}
	for it, err := range store.List[store.Space](tx, "", "", false) {
		if err != nil {
			return err
		}
		if it.Site == site {
			spaces[it.ID] = it.Row.Name
		}
	}
	sums, err := report.EnergyDays(tx, site, v.From, v.To, func(id string) store.EnergyModel {
		return report.ModelOf(figures.Row, terminals[id].Machine)
	})
	if err != nil {
		return err
	}
	var total report.Energy
	for id, e := range sums {
		t, ok := terminals[id]
		if !ok { // it moved to another site since: what it did here counts
			t.Name = id
		}
		total = total.Add(e)
		if e.Days > 0 {
			v.Told++
		}
		if e.Basis() == report.BasisMeasured {
			v.Measured++
		}
		m := report.ModelOf(figures.Row, t.Machine)
		v.Terminals = append(v.Terminals, EnergyTerminal{Terminal: id, Name: t.Name, SpaceName: spaces[t.Space], Model: m.Key, ModelName: m.Name,
			Sum: energySum(e, v.Price)})
	}
	v.Total = energySum(total, v.Price)
	return nil
}

func energySum(e report.Energy, price float64) EnergySum {
	return EnergySum{OnSeconds: e.On(), LitSeconds: e.Lit, DarkSeconds: e.Dark, LowSeconds: e.Low, HaltedSeconds: e.Halted, OffSeconds: e.Off,
		UsedKwh: e.UsedWh / 1000, AlwaysKwh: e.AlwaysWh / 1000, SavedKwh: e.SavedWh() / 1000, SavedEuros: e.SavedWh() / 1000 * price,
		Basis: string(e.Basis()), Days: e.Days, MeasuredDays: e.Measured, Odd: e.Odd}
}

type figuresOut struct {
	ETag string `header:"ETag"`
	Body EnergyFiguresView
}

type figuresIn struct {
	Body EnergyFiguresRequest
}

func figuresView(tx store.Tx) (EnergyFiguresView, error) {
	it, err := energyNow(tx)
	v := EnergyFiguresView{Rev: it.Rev, Default: it.Rev == 0, Price: it.Row.Price, Models: it.Row.Models, Changed: timed(it.Row.Changed)}
	v.By = names{tx: tx, by: map[string]string{}}.of(it.Row.By)
	for i := range v.Models {
		v.Models[i].Match = list(v.Models[i].Match)
	}
	return v, err
}

func (a *API) figures(ctx context.Context, _ *nothing) (*figuresOut, error) {
	var v EnergyFiguresView
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		v, err = figuresView(tx)
		return err
	})
	if err != nil {
		return nil, a.fail(opFigures, err)
	}
	return &figuresOut{ETag: etag(v.Rev), Body: v}, nil
}

func (a *API) putFigures(ctx context.Context, in *figuresIn) (*figuresOut, error) {
	rev, err := revOf(ctx)
	if err != nil {
		return nil, err
	}
	next := store.EnergyFigures{Price: in.Body.Price, Models: in.Body.Models}
	for i := range next.Models {
		m := &next.Models[i]
		m.Name, m.Source, m.Match = strings.TrimSpace(m.Name), strings.TrimSpace(m.Source), list(m.Match)
	}
	if bad := report.CheckFigures(next); len(bad) > 0 {
		p := newProblem(http.StatusUnprocessableEntity, "Certains chiffres ne conviennent pas.")
		for at, why := range bad {
			p.Fields = append(p.Fields, field{"body." + at, why})
		}
		slices.SortFunc(p.Fields, func(x, y field) int { return strings.Compare(x.Location, y.Location) })
		return nil, p
	}
	who, now := person(ctx), a.Now().UTC()
	var v EnergyFiguresView
	err = a.Store.Decide(ctx, func(tx store.Tx) error {
		it, err := energyNow(tx)
		if err != nil {
			return err
		}
		if it.Rev != rev {
			return errStale(ctx)
		}
		said := figuresSaid(it.Row, next)
		next.Changed, next.By = now, who.ID
		it.Row = next
		if err := store.Put(tx, it); err != nil {
			return err
		}
		if err := audit.Append(tx, audit.Entry{At: now, Actor: who.ID, Action: "energy.figures", Target: it.ID, Detail: said}); err != nil {
			return err
		}
		v, err = figuresView(tx)
		return err
	})
	if errors.Is(err, store.ErrConflict) {
		err = errStale(ctx)
	}
	if err != nil {
		return nil, a.fail(opPutFigures, err)
	}
	return &figuresOut{ETag: etag(v.Rev), Body: v}, nil
}

// figuresSaid tells the audit what changed: the price, and which models.
func figuresSaid(was, next store.EnergyFigures) string {
	var said []string
	if was.Price != next.Price {
		said = append(said, fmt.Sprintf("price %g → %g", was.Price, next.Price))
	}
	for _, m := range next.Models {
		i := slices.IndexFunc(was.Models, func(o store.EnergyModel) bool { return o.Key == m.Key })
		if i < 0 || !sameModel(was.Models[i], m) {
			said = append(said, m.Key)
		}
	}
	for _, o := range was.Models {
		if !slices.ContainsFunc(next.Models, func(m store.EnergyModel) bool { return o.Key == m.Key }) {
			said = append(said, "-"+o.Key)
		}
	}
	return strings.Join(said, ", ")
}

func sameModel(a, b store.EnergyModel) bool {
	return a.Name == b.Name && a.Board == b.Board && a.Low == b.Low && a.Halted == b.Halted && a.Screen == b.Screen && a.Standby == b.Standby &&
		a.Source == b.Source && slices.Equal(a.Match, b.Match)
}
