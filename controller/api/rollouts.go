package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/compliance"
	"borne/controller/rollout"
	"borne/controller/store"
	"borne/controller/wire"
)

type rolloutIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body RolloutRequest
}

type rolloutAllIn struct{ Body RolloutRequest }

func (a *API) allRollout(ctx context.Context, in *rolloutAllIn) (*policyOut, error) {
	return a.orderRollout(ctx, opAllRollout, in.Body, place{})
}

func (a *API) siteRollout(ctx context.Context, in *rolloutIn) (*policyOut, error) {
	return a.orderRollout(ctx, opSiteRollout, in.Body, place{site: in.ID})
}

func (a *API) spaceRollout(ctx context.Context, in *rolloutIn) (*policyOut, error) {
	return a.orderRollout(ctx, opSpaceRollout, in.Body, place{site: siteOf(ctx), space: in.ID})
}

func (a *API) groupRollout(ctx context.Context, in *rolloutIn) (*policyOut, error) {
	return a.orderRollout(ctx, opGroupRollout, in.Body, place{group: in.ID})
}

// seen is how terminals are now, for a rollout.
func (a *API) seen(tx store.Tx) func(string) rollout.Seen {
	return func(id string) rollout.Seen {
		t, err := store.Get[store.Terminal](tx, id)
		if err != nil || t.Row.State == store.StateRevoked || t.Row.State == store.StateWaiting {
			return rollout.Seen{Gone: true}
		}
		live, _ := a.Live.Live(id)
		state, reason := StateOf(t.Row, live, a.Now())
		s := rollout.Seen{Online: live.Online, Asleep: state == Asleep, Applied: t.Row.Policy, Refused: t.Row.PolicyError}
		if live.Online && live.Status.Policy > 0 {
			if p := live.Status.Printer; p != nil {
				s.Silent = slices.Contains(p.Reasons, wire.PrinterNewSilent) || slices.Contains(p.Reasons, wire.PrinterNewStranger)
			}
			s.Applied, s.Refused, s.Busy = live.Status.Policy, live.Status.Refused, live.Status.Session != ""
		}
		if back, err := compliance.Reverted(tx, t); err == nil && back != nil {
			s.Back, s.Refused = back.Version, back.Why
		}
		// Who is being updated or looked after is not out of service because of rules.
		s.Out = state == Quarantined || state == Out && !slices.Contains([]string{string(wire.OutStaff), "updating", "maintenance"}, reason)
		return s
	}
}

// stage has a layer's change reach a few of its terminals first. It answers whether
// it does: a change for one terminal does not need it.
func (a *API) stage(tx store.Tx, layer store.Item[store.PolicyRow], change string, prior uint64, before []byte, changed []under, now time.Time) (bool, error) {
	if a.Dwell <= 0 || len(changed) < 2 {
		return false, nil
	}
	seen := a.seen(tx)
	// Those that can show something come first; then any, but not one place after the other.
	rank := map[string]string{}
	for _, x := range changed {
		s := seen(x.ID)
		sum := sha256.Sum256([]byte(change + x.ID))
		if rank[x.ID] = "b" + string(sum[:]); s.Online && !s.Out {
			rank[x.ID] = "a" + string(sum[:])
		}
	}
	r := store.Rollout{Change: change, Prior: max(prior, 1), Dwell: int(a.Dwell / time.Second), Within: int(a.Within / time.Second)}
	for _, x := range changed {
		r.Order = append(r.Order, x.ID)
	}
	slices.SortFunc(r.Order, func(x, y string) int { return strings.Compare(rank[x], rank[y]) })
	var err error
	if r.Before, err = store.WithHoursOf(before, []byte("{}")); err != nil {
		return false, err
	}
	return true, rollout.Begin(tx, layer, r, now, seen)
}

// running is the rollout of a layer that has not reached all yet.
func running(tx store.Tx, layer string) (bool, error) {
	r, err := store.Get[store.Rollout](tx, layer)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return r.Row.Active(), err
}

func (a *API) rolloutView(tx store.Tx, layer string, p accounts.Person) (*RolloutView, error) {
	it, err := store.Get[store.Rollout](tx, layer)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r := it.Row
	v := &RolloutView{State: string(r.State), Step: r.Step + 1, Reached: len(r.Members), Of: len(r.Order), Since: r.Since, DwellMinutes: (r.Dwell + 59) / 60, Why: r.Why}
	for _, m := range r.Members {
		if m.Proved {
			v.Proved++
		}
	}
	if r.Culprit == "" {
		return v, nil
	}
	t, err := store.Get[store.Terminal](tx, r.Culprit)
	if errors.Is(err, store.ErrNotFound) || err == nil && !p.Sees(t.Site) {
		return v, nil
	}
	if err != nil {
		return nil, err
	}
	v.Culprit, v.CulpritName = t.ID, t.Row.Name
	v.Detail = r.Detail
	return v, nil
}

// orderRollout goes on at once, holds, or goes back.
func (a *API) orderRollout(ctx context.Context, op string, r RolloutRequest, at place) (*policyOut, error) {
	now, p := a.Now().UTC(), person(ctx)
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.Rollout](tx, at.id())
		if errors.Is(err, store.ErrNotFound) || err == nil && !it.Row.Active() {
			return newProblem(http.StatusConflict, "Aucun déploiement n’est en cours ici. Rechargez la page.")
		}
		if err != nil {
			return err
		}
		action := "policy.continue"
		switch r.Action {
		case "continue":
			err = rollout.Further(tx, at.id(), now, a.seen(tx))
		case "hold":
			action, it.Row.State = "policy.hold", store.RolloutHeld
			err = store.Put(tx, it)
		case "back":
			return rollout.Back(tx, at.id(), store.RolloutBack, p.ID, "Déploiement arrêté : retour en arrière", now)
		}
		if err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: now, Actor: p.ID, Action: action, Site: at.site, Scope: at.space, Target: at.id()})
	})
	if err != nil {
		return nil, a.fail(op, err)
	}
	a.publishPlace(ctx, at)
	return a.readPolicy(ctx, op, at)
}

// StepRollouts looks at every change that goes to a few terminals first.
func (a *API) StepRollouts(ctx context.Context) error {
	var open []store.Item[store.Rollout]
	err := a.Store.View(ctx, func(tx store.Tx) error {
		open = open[:0]
		for it, err := range store.Find[store.Rollout](tx, "active", "yes") {
			if err != nil {
				return err
			}
			open = append(open, it)
		}
		return nil
	})
	for _, it := range open {
		err = errors.Join(err, a.stepRollout(ctx, it))
	}
	return err
}

func (a *API) stepRollout(ctx context.Context, it store.Item[store.Rollout]) error {
	moved := false
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		moved = false
		now, seen := a.Now().UTC(), a.seen(tx)
		was, err := store.Get[store.Rollout](tx, it.ID)
		if err != nil {
			return err
		}
		is := was
		var what rollout.Outcome
		if is.Row, what = rollout.Step(was.Row, now, seen); !reflect.DeepEqual(is.Row, was.Row) {
			if err := store.Put(tx, is); err != nil {
				return err
			}
		}
		switch what {
		case rollout.Advance, rollout.Finish:
			moved = true
			return rollout.Further(tx, it.ID, now, seen)
		case rollout.Replace:
			moved = true
			return rollout.Others(tx, it.ID, now, seen)
		case rollout.Unproven:
			moved = true
			return rollout.Unproved(tx, it.ID, now)
		case rollout.Stop:
			moved = true
			return rollout.Back(tx, it.ID, store.RolloutStopped, audit.Controller, "Arrêt automatique : un poste ne supporte pas ces règles", now)
		}
		return nil
	})
	if err == nil && moved {
		a.publish(ctx, it.Site, it.Scope)
	}
	return err
}
