package api

import (
	"context"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"

	"borne/controller/accounts"
	"borne/controller/compliance"
	"borne/controller/policy"
	"borne/controller/store"
)

type policyOut struct {
	ETag string `header:"ETag"`
	Body PolicyView
}

type policyIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body PolicyRequest
}

type policyAllIn struct {
	Body PolicyRequest
}

func (a *API) allPolicy(ctx context.Context, _ *nothing) (*policyOut, error) {
	return a.readPolicy(ctx, opAllPolicy, place{})
}

func (a *API) sitePolicy(ctx context.Context, in *byID) (*policyOut, error) {
	return a.readPolicy(ctx, opSitePolicy, place{site: in.ID})
}

func (a *API) spacePolicy(ctx context.Context, in *byID) (*policyOut, error) {
	return a.readPolicy(ctx, opSpacePolicy, place{site: siteOf(ctx), space: in.ID})
}

func (a *API) terminalPolicy(ctx context.Context, in *byID) (*policyOut, error) {
	return a.readPolicy(ctx, opTerminalPolicy, place{site: siteOf(ctx), terminal: in.ID})
}

func (a *API) putAllPolicy(ctx context.Context, in *policyAllIn) (*policyOut, error) {
	return a.writePolicy(ctx, opPutAll, in.Body, place{})
}

func (a *API) putSitePolicy(ctx context.Context, in *policyIn) (*policyOut, error) {
	return a.writePolicy(ctx, opPutSite, in.Body, place{site: in.ID})
}

func (a *API) putSpacePolicy(ctx context.Context, in *policyIn) (*policyOut, error) {
	return a.writePolicy(ctx, opPutSpace, in.Body, place{site: siteOf(ctx), space: in.ID})
}

func (a *API) putTerminalPolicy(ctx context.Context, in *policyIn) (*policyOut, error) {
	return a.writePolicy(ctx, opPutTerminal, in.Body, place{site: siteOf(ctx), terminal: in.ID})
}

func (a *API) readPolicy(ctx context.Context, op string, at place) (*policyOut, error) {
	var v PolicyView
	err := a.Store.View(ctx, func(tx store.Tx) error {
		where, err := at.find(tx)
		if err != nil {
			return err
		}
		v, err = a.policyView(tx, where, person(ctx))
		return err
	})
	if err != nil {
		return nil, a.fail(op, err)
	}
	return &policyOut{ETag: etag(v.Rev), Body: v}, nil
}

func (a *API) policyView(tx store.Tx, at place, p accounts.Person) (PolicyView, error) {
	v := PolicyView{Level: at.level(), Own: []string{}, Applied: []AppliedView{}}
	row, err := store.Get[store.PolicyRow](tx, at.id())
	switch {
	case err == nil:
		v.Rev, v.Changed = row.Rev, timed(row.Row.Changed)
		v.By = names{tx: tx, by: map[string]string{}}.of(row.Row.By)
		if v.Own, err = ownSections(row.Row.Doc); err != nil {
			return v, err
		}
	case !errors.Is(err, store.ErrNotFound):
		return v, err
	}
	if v.Policy, v.Origin, err = origins(tx, at); err != nil {
		return v, err
	}
	if v.Levels, err = at.levels(tx); err != nil {
		return v, err
	}
	if v.Rollout, err = a.rolloutView(tx, at.id(), p); err != nil {
		return v, err
	}
	below, err := at.terminals(tx)
	if err != nil {
		return v, err
	}
	for _, it := range below {
		if !p.Sees(it.Site) {
			continue
		}
		wanted, err := compliance.Effective(tx, it)
		if err != nil {
			return v, err
		}
		x := AppliedView{Terminal: it.ID, Name: it.Row.Name, Wanted: wanted.Version, Applied: it.Row.Policy, Refused: it.Row.PolicyError}
		if back, err := compliance.Reverted(tx, it); err != nil {
			return v, err
		} else if back != nil {
			x.Reverted = back.Why
		}
		v.Applied = append(v.Applied, x)
	}
	return v, nil
}

func (a *API) writePolicy(ctx context.Context, op string, r PolicyRequest, at place) (*policyOut, error) {
	rev, err := revOf(ctx)
	if err != nil {
		return nil, err
	}
	next, err := r.doc()
	if err != nil {
		return nil, err
	}
	v, err := a.changeLayer(ctx, op, change{place: at, rev: rev, note: strings.TrimSpace(r.Note), slow: !r.AtOnce,
		next: func(store.Tx, json.RawMessage) (map[string]json.RawMessage, error) { return next, nil }})
	if err != nil {
		return nil, err
	}
	return &policyOut{ETag: etag(v.Rev), Body: v}, nil
}

// doc is the document of the layer that a request asks for.
func (r *PolicyRequest) doc() (map[string]json.RawMessage, error) {
	own := slices.Compact(slices.Sorted(slices.Values(r.Own)))
	emptyNotNil(reflect.ValueOf(&r.Policy).Elem())
	for i := range r.Policy.Filter.Categories { // the one of the list that is there is written when the layers are merged
		r.Policy.Filter.Categories[i].Digest = ""
	}
	r.Policy.Hours.School.Breaks = []policy.Break{} // and so are the school holidays
	n := &r.Policy.Notice                           // its number and what is near, too
	n.Number, n.Since, n.Keep, r.Policy.Help.Places = 0, "", policy.Keep{}, []policy.HelpPlace{}
	return layerDoc(r.Policy, own)
}
