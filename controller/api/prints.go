package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"slices"
	"strings"

	"borne/controller/accounts"
	"borne/controller/ledger"
	"borne/controller/store"
	"borne/controller/wire"
)

// places looks up terminals and sites, each once.
type places struct {
	tx        store.Tx
	people    names
	terminals map[string]store.Item[store.Terminal]
	sites     map[string]string
}

func newPlaces(tx store.Tx) *places {
	return &places{tx: tx, people: names{tx: tx, by: map[string]string{}}, terminals: map[string]store.Item[store.Terminal]{}, sites: map[string]string{}}
}

func (p *places) terminal(id string) (store.Item[store.Terminal], error) {
	if it, ok := p.terminals[id]; ok {
		return it, nil
	}
	it, err := store.Get[store.Terminal](p.tx, id)
	if err == nil {
		p.terminals[id] = it
	}
	return it, err
}

func (p *places) site(id string) (string, error) {
	if name, ok := p.sites[id]; ok {
		return name, nil
	}
	s, err := store.Get[store.Site](p.tx, id)
	if err == nil {
		p.sites[id] = s.Row.Name
	}
	return s.Row.Name, err
}

// maxWaiting bounds each of the two lists.
const maxWaiting = 200

func (a *API) prints(ctx context.Context, _ *nothing) (*out[PrintsView], error) {
	var v PrintsView
	who := person(ctx)
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		at := newPlaces(tx)
		if v.Waiting, err = a.waitingPrints(at, who); err != nil {
			return err
		}
		v.Decide = []PrintJobView{}
		for j, err := range store.Find[store.PrintJob](tx, "open", "yes") {
			if err != nil {
				return err
			}
			if len(v.Decide) == maxWaiting {
				break
			}
			if !who.Sees(j.Site) || !ledger.Doubtful(j.Row, a.Now()) {
				continue
			}
			view, err := at.job(j)
			if err != nil {
				return err
			}
			v.Decide = append(v.Decide, view)
		}
		return nil
	})
	if err != nil {
		return nil, a.fail(opPrints, err)
	}
	return answer(v), nil
}

// waitingPrints lists what the terminals that are connected say now.
func (a *API) waitingPrints(at *places, who accounts.Person) ([]WaitingPrint, error) {
	all := []WaitingPrint{}
	for it, err := range store.List[store.Terminal](at.tx, "", "", false) {
		if err != nil {
			return nil, err
		}
		live, _ := a.Live.Live(it.ID)
		if !live.Online || len(live.Status.Prints) == 0 || !who.Sees(it.Site) {
			continue
		}
		site, err := at.site(it.Site)
		if err != nil {
			return nil, err
		}
		for _, w := range live.Status.Prints {
			all = append(all, WaitingPrint{Terminal: it.ID, Name: it.Row.Name, Site: it.Site, SiteName: site, Job: w.Job, Impressions: w.Impressions,
				Sheets: w.Sheets, Colour: w.Colour, Since: w.Since.UTC()})
		}
	}
	slices.SortStableFunc(all, func(x, y WaitingPrint) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.Terminal, y.Terminal))
	})
	return all[:min(len(all), maxWaiting)], nil
}

// job is a print job as staff see it.
func (p *places) job(j store.Item[store.PrintJob]) (PrintJobView, error) {
	r := j.Row
	v := PrintJobView{ID: j.ID, Job: r.Job, Session: r.Session, Terminal: r.Terminal, Name: r.Terminal, Site: j.Site, At: r.At, State: string(r.Outcome),
		Reason: string(r.Reason), Asked: r.Asked, Impressions: r.Impressions, Sheets: r.Sheets, Colour: r.Colour, Duplex: r.Duplex, Reserved: int(r.Reserved),
		Charged: int(r.Charged), Estimated: r.Estimated, Offline: r.Offline, Decided: timed(r.Decided), By: p.people.of(r.By), Why: r.Why}
	switch {
	case !r.Decided.IsZero():
		v.State = "decided"
	case r.Outcome == "":
		v.State = "reserved"
	}
	t, err := p.terminal(r.Terminal)
	if err == nil {
		v.Name = t.Row.Name
	} else if !errors.Is(err, store.ErrNotFound) {
		return v, err
	}
	if v.SiteName, err = p.site(j.Site); errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return v, err
}

type jobsIn struct {
	ID      string `path:"id" maxLength:"200"`
	Before  string `query:"before" maxLength:"200" doc:"Next of the page before; empty for the newest"`
	Limit   int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
	Session string `query:"session" maxLength:"64" doc:"Only this session's"`
}

func (a *API) printJobs(ctx context.Context, in *jobsIn) (*out[PrintJobPage], error) {
	var p PrintJobPage
	err := a.Store.View(ctx, func(tx store.Tx) error {
		p = PrintJobPage{Jobs: []PrintJobView{}}
		at := newPlaces(tx)
		rows := store.FindRange[store.PrintJob](tx, "terminal", in.ID, "", in.Before, true)
		if in.Session != "" {
			rows = only(store.FindRange[store.PrintJob](tx, "session", in.Session, "", in.Before, true), in.ID)
		}
		return paged(rows, in.Limit, &p.Next, func(it store.Item[store.PrintJob]) error {
			v, err := at.job(it)
			p.Jobs = append(p.Jobs, v)
			return err
		})
	})
	if err != nil {
		return nil, a.fail(opPrintJobs, err)
	}
	return answer(p), nil
}

// only leaves out jobs of other terminals, which may name any session.
func only(rows iter.Seq2[store.Item[store.PrintJob], error], terminal string) iter.Seq2[store.Item[store.PrintJob], error] {
	return func(yield func(store.Item[store.PrintJob], error) bool) {
		for j, err := range rows {
			if err == nil && j.Row.Terminal != terminal {
				continue
			}
			if !yield(j, err) {
				return
			}
		}
	}
}

type printOrderIn struct {
	ID   string `path:"id" maxLength:"200"`
	Job  string `path:"job" maxLength:"64"`
	Body PrintOrder
}

func (a *API) orderPrint(ctx context.Context, in *printOrderIn) (*out[Accepted], error) {
	text := strings.TrimSpace(in.Body.Text)
	if err := short("body.text", text); err != nil {
		return nil, err
	}
	live, _ := a.Live.Live(in.ID)
	if !live.Online || !slices.ContainsFunc(live.Status.Prints, func(w wire.PrintWaiting) bool { return w.Job == in.Job }) {
		return nil, newProblem(http.StatusConflict, "Cette impression n’attend plus : la personne l’a annulée, ou quelqu’un a déjà répondu.")
	}
	o := Order{Terminal: in.ID, Kind: wire.CmdPrint, Job: in.Job, By: person(ctx).ID}
	if in.Body.Action == "refuse" {
		o.Kind, o.Text = wire.CmdNoPrint, text
	}
	id, err := a.Orders.Order(ctx, o)
	if errors.Is(err, ErrRefused) {
		a.Log.Info("print order refused", "terminal", in.ID, "error", err)
		return nil, newProblem(http.StatusConflict, "Ce poste ne peut pas recevoir d’ordre en ce moment : rechargez la page pour voir son état.")
	}
	if err != nil {
		return nil, a.fail(opPrintOrder, err)
	}
	return answer(Accepted{ID: id}), nil
}

type decisionIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body PrintDecision
}

func (a *API) decidePrint(ctx context.Context, in *decisionIn) (*out[PrintJobView], error) {
	reason := strings.TrimSpace(in.Body.Reason)
	if err := errors.Join(given("body.reason", reason), short("body.reason", reason)); err != nil {
		return nil, a.fail(opPrintDecide, err)
	}
	err := a.Prints.DecidePrint(ctx, in.ID, wire.Units(in.Body.Charge), person(ctx).ID, reason)
	switch {
	case errors.Is(err, ledger.ErrOver):
		return nil, newProblem(http.StatusConflict, "Il n’y a plus rien à décider pour cette impression : rechargez la page.")
	case errors.Is(err, ledger.ErrRange):
		return nil, invalid("body.charge", "comptez entre zéro et ce qui était mis de côté")
	case err != nil:
		return nil, a.fail(opPrintDecide, err)
	}
	var v PrintJobView
	err = a.Store.View(ctx, func(tx store.Tx) error {
		j, err := store.Get[store.PrintJob](tx, in.ID)
		if err == nil {
			v, err = newPlaces(tx).job(j)
		}
		return err
	})
	if err != nil {
		return nil, a.fail(opPrintDecide, err)
	}
	return answer(v), nil
}

type pagesIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body PagesRequest
}

func (a *API) grantPages(ctx context.Context, in *pagesIn) (*out[Accepted], error) {
	reason := strings.TrimSpace(in.Body.Reason)
	if err := errors.Join(given("body.reason", reason), short("body.reason", reason)); err != nil {
		return nil, a.fail(opPages, err)
	}
	id, err := a.Prints.GrantPages(ctx, in.ID, in.Body.Session, in.Body.Pages, person(ctx).ID, reason)
	switch {
	case errors.Is(err, ledger.ErrEnded):
		return nil, newProblem(http.StatusConflict, "Cette session est terminée : les pages n’ont pas été accordées.")
	case errors.Is(err, ErrRefused):
		return nil, newProblem(http.StatusConflict, "Ce poste ne peut pas recevoir d’ordre en ce moment : rechargez la page pour voir son état.")
	case errors.Is(err, ledger.ErrRange):
		return nil, invalid("body.pages", fmt.Sprintf("une session reçoit au plus %d pages en plus", ledger.MaxGrants))
	case err != nil:
		return nil, a.fail(opPages, err)
	}
	return answer(Accepted{ID: id}), nil
}

func invalid(location, message string) *problem {
	return newProblem(http.StatusUnprocessableEntity, "Certains champs ne conviennent pas.", field{location, message})
}

// given refuses a reason of blanks.
func given(location, s string) error {
	if s == "" {
		return invalid(location, "dites pourquoi, en quelques mots")
	}
	return nil
}

// short refuses a text that no terminal takes: it counts bytes.
func short(location, s string) error {
	if len(s) > wire.MaxText {
		return invalid(location, fmt.Sprintf("le texte est trop long : %d octets au plus", wire.MaxText))
	}
	return nil
}
