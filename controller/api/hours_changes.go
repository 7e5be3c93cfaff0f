package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"borne/controller/store"
)

type undoIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body UndoRequest
}

type applyIn struct{ Body ApplyRequest }

func (a *API) siteHoursChanges(ctx context.Context, in *page) (*out[HoursChanges], error) {
	return a.hoursChanges(ctx, opSiteChanges, in.ID, in.Before, in.Limit)
}

func (a *API) spaceHoursChanges(ctx context.Context, in *page) (*out[HoursChanges], error) {
	return a.hoursChanges(ctx, opSpaceChanges, in.ID, in.Before, in.Limit)
}

func (a *API) undoSiteHours(ctx context.Context, in *undoIn) (*hoursOut, error) {
	return a.undoHours(ctx, opUndoSite, in, in.ID, "")
}

func (a *API) undoSpaceHours(ctx context.Context, in *undoIn) (*hoursOut, error) {
	return a.undoHours(ctx, opUndoSpace, in, siteOf(ctx), in.ID)
}

func (a *API) hoursChanges(ctx context.Context, op, layer, before string, limit int) (*out[HoursChanges], error) {
	v := HoursChanges{Changes: []HoursChangeView{}}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		who := names{tx: tx, by: map[string]string{}}
		return paged(store.FindRange[store.HoursChange](tx, "layer", layer, "", before, true), limit, &v.Next, func(it store.Item[store.HoursChange]) error {
			v.Changes = append(v.Changes, HoursChangeView{ID: it.ID, At: it.Row.At, By: who.of(it.Row.By), Sentences: list(it.Row.Said), Note: it.Row.Note})
			return nil
		})
	})
	if err != nil {
		return nil, a.fail(op, err)
	}
	return answer(v), nil
}

// undoHours goes back to the hours before a change; that is a change too.
func (a *API) undoHours(ctx context.Context, op string, in *undoIn, site, space string) (*hoursOut, error) {
	rev, err := revOf(ctx)
	if err != nil {
		return nil, err
	}
	return a.setHours(ctx, op, change{place: place{site: site, space: space}, rev: rev, note: "Retour en arrière",
		next: func(tx store.Tx, was json.RawMessage) (map[string]json.RawMessage, error) {
			row, err := store.Get[store.HoursChange](tx, in.Body.ID)
			if errors.Is(err, store.ErrNotFound) || err == nil && row.Row.Layer != (place{site: site, space: space}).id() {
				return nil, newProblem(http.StatusNotFound, "Ce changement n’est plus dans l’historique de ces horaires.")
			}
			if err != nil {
				return nil, err
			}
			return withHours(was, row.Row.Before)
		}})
}

// applyHours gives several sites the same hours: all of them, or none. Each site
// keeps what is of its own people: who agreed and holds the key, whether that is
// asked at all, and who helps meanwhile.
func (a *API) applyHours(ctx context.Context, in *applyIn) (*out[Applied], error) {
	p := person(ctx)
	sites := slices.Compact(slices.Sorted(slices.Values(in.Body.Sites)))
	v := Applied{}
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		v = Applied{Applied: []string{}, Problems: []SiteProblem{}}
		for _, site := range sites {
			s, err := store.Get[store.Site](tx, site)
			if errors.Is(err, store.ErrNotFound) || err == nil && !p.Sees(site) {
				v.Problems = append(v.Problems, SiteProblem{Site: site, Message: "Ce lieu n’existe pas, ou plus."})
				continue
			}
			if err != nil {
				return err
			}
			row, err := store.Get[store.PolicyRow](tx, site)
			if err != nil && !errors.Is(err, store.ErrNotFound) {
				return err
			}
			_, err = a.change(ctx, tx, change{place: place{site: site}, rev: row.Rev, note: "Mêmes horaires pour plusieurs lieux",
				next: func(tx store.Tx, was json.RawMessage) (map[string]json.RawMessage, error) {
					mine, err := Effective(tx, site, "", "")
					if err != nil {
						return nil, err
					}
					h := in.Body.Hours
					h.Agreements, h.Guarded, h.Meanwhile = mine.Hours.Agreements, mine.Hours.Guarded, mine.Hours.Meanwhile
					if h.Guarded { // what an agreement is asked for goes with it: without its duty a collège would be closed
						h.Duty = mine.Hours.Duty
					}
					own, err := hoursDoc(&h)
					if err != nil {
						return nil, err
					}
					return withHours(was, own)
				}})
			var bad *problem
			switch {
			case errors.As(err, &bad):
				v.Problems = append(v.Problems, SiteProblem{Site: site, Name: s.Row.Name, Message: first(bad)})
			case err != nil:
				return err
			default:
				v.Applied = append(v.Applied, site)
			}
		}
		if len(v.Problems) > 0 {
			return errNotAll // nothing of it is kept
		}
		return nil
	})
	switch {
	case errors.Is(err, errNotAll):
		v.Applied = []string{}
		return answer(v), nil
	case err != nil:
		return nil, a.fail(opApplyHours, err)
	}
	for _, site := range v.Applied {
		a.publish(ctx, site, "")
	}
	return answer(v), nil
}

// errNotAll takes a transaction back whose sites cannot all be changed.
var errNotAll = errors.New("not every site can have these hours")

// first is what a problem says of the first field, or all of it.
func first(p *problem) string {
	if len(p.Fields) > 0 {
		return p.Fields[0].Message
	}
	return p.Detail
}
