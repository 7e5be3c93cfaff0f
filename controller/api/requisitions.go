package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"borne/controller/accounts"
	"borne/controller/policy"
	"borne/controller/requisition"
	"borne/controller/retention"
	"borne/controller/store"
)

func (a *API) requisitions(ctx context.Context, _ *nothing) (*out[RequisitionsView], error) {
	rules := retention.At(a.Retention, a.Now())
	v := RequisitionsView{Classes: a.classes(rules), Limit: rules.HoldDays()}
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		people := names{tx: tx, by: map[string]string{}}
		if v.Holds, err = a.holds(tx, people, person(ctx)); err != nil {
			return err
		}
		if v.Traffic, err = a.traffic(tx, people, person(ctx)); err != nil {
			return err
		}
		v.Waiting, err = a.waiting(tx)
		return err
	})
	if err != nil {
		return nil, a.fail(opRequisitions, err)
	}
	return answer(v), nil
}

// journal names, in place of a table, what terminals sent: it lies in the ingest
// journal until its place there is used again, and then in the tables.
const journal = "journal"

// classes is the inventory as whoever makes a réquisition would ask for it: what is
// about people, by how long it is kept.
func (a *API) classes(rules retention.Rules) []ClassView {
	all := []ClassView{}
	for _, class := range append(requisition.Classes(), "minutes", "life") {
		c := ClassView{Class: class, Tables: []TableView{}, Waits: slices.Contains(requisition.Classes(), class)}
		c.Days, _ = rules.Days(class)
		for _, f := range a.Inventory {
			if f.Retention != class || f.Basis == "none-personal" {
				continue
			}
			table := f.Table
			if strings.HasPrefix(table, "record ") {
				table = journal
			}
			i := slices.IndexFunc(c.Tables, func(t TableView) bool { return t.Table == table })
			if i < 0 {
				i = len(c.Tables)
				c.Tables = append(c.Tables, TableView{Table: table, Purposes: []string{}, Waits: a.Waiting[store.Kind(table)] == class})
			}
			t := &c.Tables[i]
			if !slices.Contains(t.Purposes, f.Purpose) {
				t.Purposes = append(t.Purposes, f.Purpose)
			}
		}
		if len(c.Tables) > 0 {
			all = append(all, c)
		}
	}
	return all
}

func (a *API) holds(tx store.Tx, people names, me accounts.Person) ([]HoldView, error) {
	all, err := requisition.List(tx)
	if err != nil {
		return nil, err
	}
	views := []HoldView{}
	at := newPlaces(tx)
	for _, h := range slices.Backward(all) {
		v, err := a.hold(at, people, me, h)
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, nil
}

func (a *API) hold(at *places, people names, me accounts.Person, h requisition.Hold) (HoldView, error) {
	r, zone := h.Row, policy.Location()
	v := HoldView{ID: h.ID, Reference: r.Reference, Authority: r.Authority, Sites: []Named{}, Classes: r.Classes, State: string(requisition.StateOf(r, a.Now())),
		From: r.Begins.In(zone).Format(time.DateOnly), To: r.Ends.In(zone).AddDate(0, 0, -1).Format(time.DateOnly),
		AskedBy: people.of(r.AskedBy), AskedAt: r.AskedAt, ConfirmedBy: people.of(r.ConfirmedBy), ConfirmedAt: timed(r.ConfirmedAt),
		EndAskedBy: people.of(r.EndAskedBy), EndAskedAt: timed(r.EndAskedAt), EndMine: r.EndAskedBy == me.ID,
		LiftedBy: people.of(r.LiftedBy), LiftedAt: timed(r.LiftedAt), Mine: r.AskedBy == me.ID}
	for _, s := range r.Sites {
		name, err := at.site(s)
		if err != nil {
			return v, err
		}
		v.Sites = append(v.Sites, Named{ID: s, Name: name})
	}
	return v, nil
}

func (a *API) traffic(tx store.Tx, people names, me accounts.Person) (TrafficView, error) {
	d, err := requisition.Traffic(tx)
	days, _ := retention.At(a.Retention, a.Now()).Days("traffic")
	return TrafficView{On: d.On, Day: d.Day, Reference: d.Reference, By: people.of(d.By), At: timed(d.At), Days: days, May: me.Holds("", accounts.DPO)}, err
}

// waiting is what the log of deletions says of today: each run of a table, once an
// hour, writes how many rows wait.
func (a *API) waiting(tx store.Tx) ([]WaitingView, error) {
	all := []WaitingView{}
	now, err := requisition.Now(tx, a.Now())
	if err != nil || len(now) == 0 {
		return all, err
	}
	for it, err := range store.List[store.Purge](tx, store.TimeID(a.Now().UTC().Truncate(24*time.Hour), ""), "", false) {
		if err != nil {
			return nil, err
		}
		if it.Row.Held > 0 {
			all = append(all, WaitingView{Table: it.Row.What, Class: it.Row.Class, Rows: it.Row.Held, At: it.Row.At})
		}
	}
	return all, nil
}

type holdIn struct{ Body HoldRequest }

func (a *API) askHold(ctx context.Context, in *holdIn) (*out[HoldView], error) {
	b, zone := in.Body, policy.Location()
	from, err := time.ParseInLocation(time.DateOnly, b.From, zone)
	if err != nil {
		return nil, unfit("body.from", "écrivez la date ainsi : 2026-12-01")
	}
	to, err := time.ParseInLocation(time.DateOnly, b.To, zone)
	if err != nil {
		return nil, unfit("body.to", "écrivez la date ainsi : 2027-02-28")
	}
	now := a.Now()
	y, m, d := now.In(zone).Date()
	today := time.Date(y, m, d, 0, 0, 0, 0, zone)
	limit := retention.At(a.Retention, now).HoldDays()
	return a.onHold(ctx, opAskHold, limit, func(tx store.Tx) (requisition.Hold, error) {
		return requisition.Ask(tx, store.Hold{Reference: b.Reference, Authority: b.Authority, Sites: b.Sites, Classes: b.Classes,
			Begins: from, Ends: to.AddDate(0, 0, 1), AskedBy: person(ctx).ID}, limit, today, now)
	})
}

type byHold struct {
	Hold string `path:"hold" maxLength:"64"`
}

func (a *API) confirmHold(ctx context.Context, in *byHold) (*out[HoldView], error) {
	return a.onHold(ctx, opConfirmHold, 0, func(tx store.Tx) (requisition.Hold, error) {
		return requisition.Confirm(tx, in.Hold, person(ctx).ID, a.Now())
	})
}

func (a *API) liftHold(ctx context.Context, in *byHold) (*out[HoldView], error) {
	return a.onHold(ctx, opLiftHold, 0, func(tx store.Tx) (requisition.Hold, error) {
		return requisition.Lift(tx, in.Hold, person(ctx).ID, a.Now())
	})
}

// onHold does something to a hold, and answers how it stands then.
func (a *API) onHold(ctx context.Context, op string, limit int, do func(store.Tx) (requisition.Hold, error)) (*out[HoldView], error) {
	var v HoldView
	if person(ctx).Token {
		return nil, errProgram()
	}
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		it, err := do(tx)
		if err != nil {
			return err
		}
		v, err = a.hold(newPlaces(tx), names{tx: tx, by: map[string]string{}}, person(ctx), it)
		return err
	})
	if err != nil {
		return nil, a.fail(op, asHoldProblem(err, limit))
	}
	return answer(v), nil
}

// errProgram refuses a key of the API: two people are two people.
func errProgram() *problem {
	return newProblem(http.StatusForbidden, "Une clé d’accès de programme ne peut ni demander, ni confirmer, ni lever un gel, ni décider des données de trafic : une personne connectée le fait.")
}

// asHoldProblem says in French what was wrong.
func asHoldProblem(err error, limit int) error {
	var wrong *requisition.Invalid
	switch {
	case errors.Is(err, requisition.ErrSamePerson):
		return newProblem(http.StatusConflict, "Vous avez demandé ce gel : une autre personne, administrateur ou délégué à la protection des données, doit le confirmer.")
	case errors.Is(err, requisition.ErrNewAccount):
		return newProblem(http.StatusConflict, "Votre compte a été créé après cette demande : une autre personne doit la confirmer, ou il faut refaire la demande.")
	case errors.Is(err, requisition.ErrOver):
		return newProblem(http.StatusConflict, "Ce gel a changé entre-temps : relisez la page.")
	case errors.Is(err, requisition.ErrMany):
		return newProblem(http.StatusConflict, "Trop de gels sont ouverts. Levez ceux qui ne servent plus.")
	case errors.As(err, &wrong):
		return unfit("body."+wrong.Field, whyHold(wrong, limit))
	}
	return err
}

func whyHold(e *requisition.Invalid, limit int) string {
	switch e.Why {
	case requisition.WhyEmpty:
		return map[string]string{"reference": "écrivez la référence de la réquisition", "authority": "écrivez quelle autorité l’a faite",
			"sites": "choisissez au moins un lieu", "classes": "choisissez au moins une catégorie de données"}[e.Field]
	case requisition.WhyLong:
		return "c’est trop long"
	case requisition.WhySigns:
		return "un signe ne convient pas : écrivez sur une seule ligne"
	case requisition.WhyBegin:
		return "choisissez un jour à partir d’aujourd’hui, dans le mois qui vient"
	case requisition.WhyEnd:
		return "la fin vient avant le début"
	case requisition.WhyLimit:
		return fmt.Sprintf("%d jours au plus : un gel plus long se redemande", limit)
	}
	return "cette valeur n’existe pas"
}

type trafficIn struct{ Body TrafficRequest }

func (a *API) decideTraffic(ctx context.Context, in *trafficIn) (*out[TrafficView], error) {
	var v TrafficView
	if person(ctx).Token {
		return nil, errProgram()
	}
	me, today := person(ctx), a.Now().In(policy.Location()).Format(time.DateOnly)
	err := a.Store.Decide(ctx, func(tx store.Tx) (err error) {
		if err = requisition.Decide(tx, store.TrafficDecision{On: in.Body.On, Day: in.Body.Day, Reference: in.Body.Reference, By: me.ID}, today, a.Now()); err != nil {
			return err
		}
		v, err = a.traffic(tx, names{tx: tx, by: map[string]string{}}, me)
		return err
	})
	var wrong *requisition.Invalid
	switch {
	case errors.As(err, &wrong) && wrong.Field == "day":
		return nil, unfit("body.day", "écrivez le jour de la décision, passé ou d’aujourd’hui : 2026-12-01")
	case errors.As(err, &wrong) && wrong.Why == requisition.WhyEmpty:
		return nil, unfit("body.reference", "écrivez la référence de la décision")
	case err != nil:
		return nil, a.fail(opTraffic, asHoldProblem(err, 0))
	}
	return answer(v), nil
}

func (a *API) deletions(ctx context.Context, in *auditIn) (*out[DeletionPage], error) {
	p := DeletionPage{Entries: []DeletionView{}}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		p.Entries, p.Next = p.Entries[:0], ""
		return paged(store.List[store.Purge](tx, "", in.Before, true), in.Limit, &p.Next, func(it store.Item[store.Purge]) error {
			v := DeletionView{At: it.Row.At, Class: it.Row.Class, Table: it.Row.What, Count: it.Row.Count, Held: it.Row.Held, Holds: []string{}}
			for _, id := range it.Row.Holds {
				h, err := store.Get[store.Hold](tx, id)
				if err == nil {
					v.Holds = append(v.Holds, h.Row.Reference)
				} else if !errors.Is(err, store.ErrNotFound) {
					return err
				}
			}
			p.Entries = append(p.Entries, v)
			return nil
		})
	})
	if err != nil {
		return nil, a.fail(opDeletions, err)
	}
	return answer(p), nil
}

// lastHeld is the last day of what ends at a local midnight.
func lastHeld(until time.Time) string {
	return until.In(policy.Location()).Add(-time.Second).Format("02/01/2006")
}
