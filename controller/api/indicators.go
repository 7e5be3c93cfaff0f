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

	"borne/controller/accounts"
	"borne/controller/directory"
	"borne/controller/policy"
	"borne/controller/report"
	"borne/controller/store"
)

// Asked is what every report of indicators is asked with.
type Asked struct {
	From    string `query:"from" maxLength:"10" doc:"First local day, 2026-09-01; the first of this month when empty, or of the last month that is over when small counts are hidden"`
	To      string `query:"to" maxLength:"10" doc:"Last local day, included; the last of that month when empty"`
	By      string `query:"by" maxLength:"20" doc:"What has a line: site, territoire, type, group, day, week, month, year or school-year; nothing when empty"`
	Of      string `query:"of" maxLength:"220" doc:"site:ID, territoire:NAME, type:TYPE or group:ID; everything that one may see when empty"`
	Guarded bool   `query:"guarded" doc:"Hide counts of fewer than five people also from who may see them: for what is shown to others"`
}

type indicatorsIn struct {
	Asked
	Offset int `query:"offset" minimum:"0" maximum:"100000"`
	Limit  int `query:"limit" minimum:"1" maximum:"500" default:"200"`
}

// seesAll tells whether somebody may see counts of few people.
func seesAll(p accounts.Person) bool {
	return p.Role == accounts.Administrator || p.Role == accounts.DPO
}

func (a *API) indicators(ctx context.Context, in *indicatorsIn) (*out[IndicatorsReport], error) {
	var v IndicatorsReport
	err := a.Store.View(ctx, func(tx store.Tx) error {
		q, price, err := a.question(tx, person(ctx), in.Asked, in.Guarded || !seesAll(person(ctx)))
		if err != nil {
			return err
		}
		r, err := a.reports.Read(tx, q)
		if err != nil {
			return err
		}
		all, err := report.PlacesOf(tx)
		if err != nil {
			return err
		}
		v = IndicatorsReport{From: q.From, To: q.To, By: string(q.By), Of: in.Of, Guarded: q.Guard, All: seesAll(person(ctx)), Over: a.over().Format(time.DateOnly), Price: price, Lines: []IndicatorLine{}, Count: len(r.Lines),
			Total: figuresOf(r.Total, q.Guard, price), Choices: choices(all, person(ctx))}
		for i, l := range r.Lines {
			if i >= in.Offset && len(v.Lines) < in.Limit {
				v.Lines = append(v.Lines, IndicatorLine{Key: l.Key, Name: l.Name, Sum: figuresOf(l.Indicators, q.Guard, price)})
			}
		}
		if end := in.Offset + len(v.Lines); end < len(r.Lines) {
			v.Next = end
		}
		return nil
	})
	if err != nil {
		return nil, a.fail(opIndicators, a.asProblem(err))
	}
	return answer(v), nil
}

// warmYears is how much the console's page of indicators offers.
const warmYears = 5

// WarmReports reads what reports of the last years are made of: so that nobody waits
// for it who asks for the first one.
func (a *API) WarmReports(ctx context.Context) error {
	return a.Store.View(ctx, func(tx store.Tx) error {
		first := monthOf(a.Now().In(policy.Location()))
		in := Asked{From: first.AddDate(-warmYears, 0, 0).Format(time.DateOnly), To: first.AddDate(0, 1, -1).Format(time.DateOnly), By: string(report.BySite)}
		q, _, err := a.question(tx, accounts.Person{Role: accounts.Administrator}, in, false)
		if err != nil {
			return err
		}
		_, err = a.reports.Read(tx, q)
		return err
	})
}

// question reads what is asked, of the places that the person sees.
func (a *API) question(tx store.Tx, p accounts.Person, in Asked, guard bool) (q report.Query, price float64, err error) {
	q = report.Query{By: report.By(in.By), Guard: guard, Now: a.Now(), Zone: policy.Location()}
	q.Over = func(month string) bool { return directory.Over(month, q.Now) }
	all, err := report.PlacesOf(tx)
	if err != nil {
		return q, 0, err
	}
	figures, err := energyNow(tx)
	if err != nil {
		return q, 0, err
	}
	q.Model = func(machine string) store.EnergyModel { return report.ModelOf(figures.Row, machine) }
	first := monthOf(q.Now.In(q.Zone))
	if guard {
		first = monthOf(a.over())
	}
	if q.From = in.From; q.From == "" {
		q.From = first.Format(time.DateOnly)
	}
	if q.To = in.To; q.To == "" {
		q.To = first.AddDate(0, 1, -1).Format(time.DateOnly)
	}
	if !slices.Contains(report.Ways(), q.By) {
		return q, 0, unfit("query.by", "choisissez parmi : site, territoire, type, group, day, week, month, year, school-year, ou rien")
	}
	what, which, _ := strings.Cut(in.Of, ":")
	for _, x := range all {
		if !p.Sees(x.ID) {
			continue
		}
		mine := false
		switch what {
		case "":
			mine = true
		case "site":
			mine = x.ID == which
		case "territoire":
			mine = x.Territoire == which
		case "type":
			mine = x.Type == which
		case "group":
			mine = slices.ContainsFunc(x.Groups, func(g report.PlaceGroup) bool { return g.ID == which })
		default:
			return q, 0, unfit("query.of", "écrivez site:…, territoire:…, type:… ou group:…, ou rien pour tous les lieux")
		}
		if mine {
			q.Places = append(q.Places, x)
		}
	}
	if len(q.Places) == 0 && in.Of != "" {
		return q, 0, errNotFound()
	}
	return q, figures.Row.Price, nil
}

// monthOf is the first day of a day's month.
func monthOf(day time.Time) time.Time { return day.AddDate(0, 0, 1-day.Day()) }

// over is the last local day of the last month of which nothing can come any more.
func (a *API) over() time.Time {
	now := a.Now()
	for first := monthOf(now.In(policy.Location())); ; first = first.AddDate(0, -1, 0) {
		if directory.Over(first.Format("2006-01"), now) {
			return first.AddDate(0, 1, -1)
		}
	}
}

func unfit(at, why string) *problem {
	return newProblem(http.StatusUnprocessableEntity, "Certains champs ne conviennent pas.", field{at, why})
}

// asProblem says in French what a question lacks.
func (a *API) asProblem(err error) error {
	switch {
	case errors.Is(err, report.ErrEarly):
		day := a.over().Format("02/01/2006")
		return unfit("query.to", "choisissez une période qui finit le "+day+" ou avant : les postes peuvent encore envoyer ce qui s’est passé depuis, et un rapport sans les petits nombres ne prend que des mois complets")
	case errors.Is(err, report.ErrMonths):
		return unfit("query.from", "choisissez des mois entiers, du premier au dernier jour : sur moins, un petit nombre de personnes se verrait")
	case errors.Is(err, report.ErrSpan):
		return unfit("query.to", fmt.Sprintf("choisissez deux jours qui existent, le dernier après le premier, sur %d mois au plus (%d jours au plus par jour ou par semaine)", report.MaxMonths, report.MaxDays))
	}
	return err
}

// figuresOf is what may be told.
func figuresOf(i report.Indicators, guard bool, price float64) Indicators {
	u := i.Use
	tell := func(n, hidden int) *int {
		if guard && n == 0 && hidden > 0 {
			return nil
		}
		return &n
	}
	v := Indicators{Sites: i.Sites, Colleges: i.Colleges, Shared: i.Shared, OpenSeconds: i.Seconds, OutsideSeconds: i.Outside,
		Visits: tell(u.Visits, i.Hidden.Visits), OutsideVisits: tell(u.Outside, i.Hidden.Outside+i.Hidden.Visits), Badges: []BadgeCount{},
		Begun: u.Hours[:], Use: u.Use[:], Untold: []int{}, Unsure: tell(u.Unsure, i.Hidden.Unsure+i.Hidden.Visits), Langs: []Counted{}, Pages: tell(u.Pages, i.Hidden.Pages+i.Hidden.Visits),
		Help: tell(u.Help, i.Hidden.Help), Refusals: tell(u.Refusals, i.Hidden.Refusals), Energy: energySum(i.Energy, price),
		Hidden: HiddenFigures{i.Hidden.Visits, i.Hidden.Outside, i.Hidden.Hours, i.Hidden.Langs, i.Hidden.Smiles, i.Hidden.Pages, i.Hidden.Help, i.Hidden.Refusals}}
	for h, n := range i.Hidden.Hour {
		if guard && u.Hours[h] == 0 && (n > 0 || u.Visits == 0 && i.Hidden.Visits > 0) {
			v.Untold = append(v.Untold, h)
		}
	}
	// Whoever answers was promised that nobody reads who did: not even an administrator.
	if good, said := i.Smiles(); !report.Small(said) {
		if v.Answers = tell(said, i.Hidden.Smiles+i.Hidden.Visits); v.Answers != nil && !report.Small(good) {
			v.Good = &good
		}
	}
	if !guard {
		v.Badged = &u.Badged
	}
	if u.Visits > 0 {
		mean := i.Mean()
		v.MeanSeconds = &mean
	}
	if u.Visits > 0 && !report.Small(u.Visits) { // of fewer, it is a person's
		median := report.Median(u.Lengths)
		v.MedianSeconds = &median
	}
	for _, l := range report.Top(u.Langs, len(u.Langs)) {
		v.Langs = append(v.Langs, Counted{l, u.Langs[l]})
	}
	for _, h := range i.Holders {
		b := BadgeCount{Month: h.Month, Part: h.Hidden, Ended: h.Ended}
		if h.Known && !(h.Hidden && h.Count == 0) {
			b.Count = &h.Count
		}
		v.Badges = append(v.Badges, b)
	}
	return v
}

func choices(all []report.Place, p accounts.Person) IndicatorPlaces {
	v := IndicatorPlaces{Sites: []PlaceChoice{}, Territoires: []string{}, Types: []string{}, Groups: []PlaceChoice{}}
	add := func(to *[]string, s string) {
		if s != "" && !slices.Contains(*to, s) {
			*to = append(*to, s)
		}
	}
	for _, x := range all {
		if p.Sees(x.ID) {
			v.Sites = append(v.Sites, PlaceChoice{x.ID, x.Name})
			add(&v.Territoires, x.Territoire)
			add(&v.Types, x.Type)
			for _, g := range x.Groups {
				if c := (PlaceChoice{g.ID, g.Name}); !slices.Contains(v.Groups, c) {
					v.Groups = append(v.Groups, c)
				}
			}
		}
	}
	for _, all := range [][]PlaceChoice{v.Sites, v.Groups} {
		slices.SortFunc(all, func(x, y PlaceChoice) int {
			return cmp.Or(strings.Compare(x.Name, y.Name), strings.Compare(x.ID, y.ID))
		})
	}
	slices.Sort(v.Territoires)
	slices.Sort(v.Types)
	return v
}
