package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/store"
)

type bulkPlanIn struct{ Body BulkRequest }

type bulkIn struct{ Body BulkOrder }

func (a *API) previewBulk(ctx context.Context, in *bulkPlanIn) (*out[BulkPreview], error) {
	p := person(ctx)
	if err := checkBulk(p, in.Body); err != nil {
		return nil, err
	}
	var v BulkPreview
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		v, err = a.planBulk(tx, p, in.Body)
		return err
	})
	if err != nil {
		return nil, a.fail(opBulkPlan, err)
	}
	return answer(v), nil
}

// sendBulk sends what was shown or nothing: the plan is made anew inside the
// transaction that keeps the commands.
func (a *API) sendBulk(ctx context.Context, in *bulkIn) (*out[BulkView], error) {
	p, reason := person(ctx), strings.TrimSpace(in.Body.Reason)
	if err := checkBulk(p, in.Body.BulkRequest); err != nil {
		return nil, err
	}
	c, suffix := a.bulkCommand(in.Body.BulkRequest), newID()
	var it store.Item[store.Bulk]
	var hit []string
	var v BulkView
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		now := a.Now().UTC()
		plan, err := a.planBulk(tx, p, in.Body.BulkRequest)
		if err != nil {
			return err
		}
		switch {
		case plan.Terminals == 0:
			return invalid("body.sites", "aucun de ces postes ne peut recevoir cette commande en ce moment")
		case plan.Fingerprint != in.Body.Fingerprint:
			return newProblem(http.StatusConflict, "La situation a changé depuis l’aperçu : rien n’a été envoyé. Regardez de nouveau qui est concerné.")
		}
		it = store.Item[store.Bulk]{Meta: store.Meta{ID: store.TimeID(now, suffix)}, Row: store.Bulk{Kind: c.Kind, Text: c.Text, Reason: reason, By: p.ID, Issued: now}}
		hit = nil
		for _, h := range plan.Hits {
			target := store.BulkTarget{Terminal: h.Terminal, Why: h.Why}
			if h.Hit {
				target.Command, err = a.Orders.Issue(tx, Order{Terminal: h.Terminal, Kind: c.Kind, Text: c.Text, Until: c.Until, By: p.ID})
				if err != nil {
					return err
				}
				hit = append(hit, h.Terminal)
			}
			it.Row.Targets = append(it.Row.Targets, target)
		}
		if err := store.Put(tx, it); err != nil {
			return err
		}
		detail := fmt.Sprintf("%s, %d postes de %d lieux", c.Kind, plan.Terminals, plan.Sites)
		if plan.Cut > 0 {
			detail += fmt.Sprintf(", %d sessions interrompues", plan.Cut)
		}
		if reason != "" {
			detail += ": " + reason
		}
		for _, site := range sitesHit(plan) { // whoever answers for one of them reads of it
			if err := audit.Append(tx, audit.Entry{At: now, Actor: p.ID, Action: "bulk", Site: site, Target: it.ID, Detail: detail}); err != nil {
				return err
			}
		}
		v, err = a.bulkView(tx, it, p)
		return err
	})
	if err != nil {
		return nil, a.fail(opBulk, err)
	}
	a.Orders.Send(hit...)
	return answer(v), nil
}

// sitesHit are the sites of those that are hit.
func sitesHit(v BulkPreview) []string {
	var sites []string
	for _, h := range v.Hits {
		if h.Hit && !slices.Contains(sites, h.Site) {
			sites = append(sites, h.Site)
		}
	}
	return sites
}

// maxBulksRead bounds how many one page looks through.
const maxBulksRead = 100

type bulkPage struct {
	Before string `query:"before" maxLength:"200" doc:"Next of the page before; empty for the newest"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

func (a *API) bulks(ctx context.Context, in *bulkPage) (*out[BulkList], error) {
	p := person(ctx)
	all := BulkList{Bulks: []BulkBrief{}}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		all = BulkList{Bulks: []BulkBrief{}}
		seen, last := 0, ""
		for it, err := range store.List[store.Bulk](tx, "", in.Before, true) {
			if err != nil {
				return err
			}
			if seen == maxBulksRead { // many of others' sites: the next page goes on
				all.Next = last
				break
			}
			seen, last = seen+1, it.ID
			v, err := a.bulkView(tx, it, p)
			if err != nil {
				return err
			}
			if len(v.Lines) == 0 {
				continue // of others' sites
			}
			if len(all.Bulks) == in.Limit {
				all.Next = all.Bulks[in.Limit-1].ID
				break
			}
			all.Bulks = append(all.Bulks, v.BulkBrief)
		}
		return nil
	})
	if err != nil {
		return nil, a.fail(opBulks, err)
	}
	return answer(all), nil
}

type bulkOneIn struct {
	Bulk string `path:"bulk" maxLength:"200"`
}

func (a *API) bulk(ctx context.Context, in *bulkOneIn) (*out[BulkView], error) {
	var v BulkView
	err := a.Store.View(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.Bulk](tx, in.Bulk)
		if err != nil {
			return err
		}
		if v, err = a.bulkView(tx, it, person(ctx)); err == nil && len(v.Lines) == 0 {
			return store.ErrNotFound
		}
		return err
	})
	if err != nil {
		return nil, a.fail(opBulkOne, err)
	}
	return answer(v), nil
}

// bulkView is a bulk as far as the person sees its terminals: what became of each
// is in its own row of the commands, and nowhere twice.
func (a *API) bulkView(tx store.Tx, it store.Item[store.Bulk], p accounts.Person) (BulkView, error) {
	r := it.Row
	at := newPlaces(tx)
	v := BulkView{BulkBrief: BulkBrief{ID: it.ID, Kind: string(r.Kind), Text: r.Text, Reason: r.Reason, By: at.people.of(r.By), Issued: r.Issued.UTC()}, Lines: []BulkLine{}}
	for _, target := range r.Targets {
		t, err := store.Get[store.Terminal](tx, target.Terminal)
		if errors.Is(err, store.ErrNotFound) || err == nil && !p.Sees(t.Site) {
			continue
		}
		if err != nil {
			return v, err
		}
		h, err := a.hit(at, t, string(r.Kind))
		if err != nil {
			return v, err
		}
		l := BulkLine{Terminal: t.ID, Name: h.Name, SiteName: h.SiteName, SpaceName: h.SpaceName, State: "left-out", Answer: target.Why, Online: !h.Offline}
		if target.Command != "" {
			c, err := store.Get[store.CommandRow](tx, target.Command)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return v, err
			}
			l.State, l.Answer, l.Changed, l.Expires = a.stateOf(c.Row), c.Row.Answer, timed(c.Row.Changed), timed(c.Row.NotAfter)
		}
		v.Counts.add(l.State)
		v.Lines = append(v.Lines, l)
	}
	return v, nil
}

func (c *BulkCounts) add(state string) {
	switch store.CommandStatus(state) {
	case store.CommandPending:
		c.Pending++
	case store.CommandDelivered:
		c.Delivered++
	case store.CommandDone:
		c.Done++
	case store.CommandRefused:
		c.Refused++
	case store.CommandExpired:
		c.Expired++
	default:
		c.LeftOut++
	}
}

// stateOf is what became of a command. One that no terminal came to fetch is over
// at its time, though nobody was there to write that down.
func (a *API) stateOf(c store.CommandRow) string {
	if slices.Contains([]store.CommandStatus{store.CommandPending, store.CommandDelivered}, c.Status) && !c.NotAfter.IsZero() && a.Now().After(c.NotAfter) {
		return string(store.CommandExpired)
	}
	if c.Status == "" { // deleted with its class
		return string(store.CommandExpired)
	}
	return string(c.Status)
}
