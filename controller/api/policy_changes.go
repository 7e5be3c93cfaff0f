package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"borne/controller/compliance"
	"borne/controller/policy"
	"borne/controller/store"
)

type policyAllUndoIn struct {
	Body UndoRequest
}

type policyPreviewIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body PolicyRequest
}

type policyAllPreviewIn struct{ Body PolicyRequest }

func (a *API) previewAllPolicy(ctx context.Context, in *policyAllPreviewIn) (*out[PolicyPreview], error) {
	return a.previewPolicy(ctx, opPreviewAll, in.Body, place{})
}

func (a *API) previewSitePolicy(ctx context.Context, in *policyPreviewIn) (*out[PolicyPreview], error) {
	return a.previewPolicy(ctx, opPreviewSitePolicy, in.Body, place{site: in.ID})
}

func (a *API) previewSpacePolicy(ctx context.Context, in *policyPreviewIn) (*out[PolicyPreview], error) {
	return a.previewPolicy(ctx, opPreviewSpacePolicy, in.Body, place{site: siteOf(ctx), space: in.ID})
}

func (a *API) previewTerminalPolicy(ctx context.Context, in *policyPreviewIn) (*out[PolicyPreview], error) {
	return a.previewPolicy(ctx, opPreviewTerminal, in.Body, place{site: siteOf(ctx), terminal: in.ID})
}

func (a *API) allPolicyChanges(ctx context.Context, in *auditIn) (*out[PolicyChanges], error) {
	return a.policyChanges(ctx, opAllVersions, place{}, in.Before, in.Limit)
}

func (a *API) sitePolicyChanges(ctx context.Context, in *page) (*out[PolicyChanges], error) {
	return a.policyChanges(ctx, opSiteVersions, place{site: in.ID}, in.Before, in.Limit)
}

func (a *API) spacePolicyChanges(ctx context.Context, in *page) (*out[PolicyChanges], error) {
	return a.policyChanges(ctx, opSpaceVersions, place{site: siteOf(ctx), space: in.ID}, in.Before, in.Limit)
}

func (a *API) terminalPolicyChanges(ctx context.Context, in *page) (*out[PolicyChanges], error) {
	return a.policyChanges(ctx, opTerminalVersions, place{site: siteOf(ctx), terminal: in.ID}, in.Before, in.Limit)
}

func (a *API) undoAllPolicy(ctx context.Context, in *policyAllUndoIn) (*policyOut, error) {
	return a.undoPolicy(ctx, opUndoAllPolicy, in.Body.ID, place{})
}

func (a *API) undoSitePolicy(ctx context.Context, in *undoIn) (*policyOut, error) {
	return a.undoPolicy(ctx, opUndoSitePolicy, in.Body.ID, place{site: in.ID})
}

func (a *API) undoSpacePolicy(ctx context.Context, in *undoIn) (*policyOut, error) {
	return a.undoPolicy(ctx, opUndoSpacePolicy, in.Body.ID, place{site: siteOf(ctx), space: in.ID})
}

func (a *API) undoTerminalPolicy(ctx context.Context, in *undoIn) (*policyOut, error) {
	return a.undoPolicy(ctx, opUndoTerminal, in.Body.ID, place{site: siteOf(ctx), terminal: in.ID})
}

// errLook takes a transaction back that was made to see what it would give.
var errLook = errors.New("only looked at")

// previewPolicy makes the change, looks at what it gives, and takes it back: what
// is shown and refused is what publishing shows and refuses.
func (a *API) previewPolicy(ctx context.Context, op string, r PolicyRequest, at place) (*out[PolicyPreview], error) {
	next, err := r.doc()
	if err != nil {
		return nil, err
	}
	var v PolicyPreview
	err = a.Store.Decide(ctx, func(tx store.Tx) error {
		where, err := at.find(tx)
		if err != nil {
			return err
		}
		row, err := store.Get[store.PolicyRow](tx, where.id())
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		had, err := ownSections(orEmpty(row.Row.Doc))
		if err != nil {
			return err
		}
		was, _, err := origins(tx, where)
		if err != nil {
			return err
		}
		before, err := obeyed(tx, where)
		if err != nil {
			return err
		}
		is, err := a.change(ctx, tx, change{place: where, rev: row.Rev,
			next: func(store.Tx, json.RawMessage) (map[string]json.RawMessage, error) { return next, nil }})
		if err != nil {
			return err
		}
		after, err := obeyed(tx, where)
		if err != nil {
			return err
		}
		v = PolicyPreview{Hours: list(policy.Describe(was.Hours, is.Policy.Hours)), Set: without(is.Own, had), Left: without(had, is.Own), Hits: []HitView{}}
		if v.Changes, err = differences(was, is.Policy); err != nil {
			return err
		}
		if v.Hits, err = hits(tx, before, after); err != nil {
			return err
		}
		n := 0
		for _, h := range v.Hits {
			n += len(h.Terminals)
		}
		v.Staged = a.Dwell > 0 && n > 1 && stepwise(v)
		return errLook
	})
	if !errors.Is(err, errLook) {
		return nil, a.fail(op, err)
	}
	return answer(v), nil
}

func orEmpty(doc json.RawMessage) json.RawMessage {
	if len(doc) == 0 {
		return json.RawMessage("{}")
	}
	return doc
}

func without(all, those []string) []string {
	return list(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(those, s) }))
}

// under is a terminal and what it obeys.
type under struct {
	store.Item[store.Terminal]
	policy policy.Policy
}

func obeyed(tx store.Tx, p place) ([]under, error) {
	below, err := p.terminals(tx)
	if err != nil {
		return nil, err
	}
	var all []under
	for _, it := range below {
		e, err := compliance.Effective(tx, it)
		if err != nil {
			return nil, err
		}
		all = append(all, under{it, e})
	}
	return all, nil
}

// hit lists the terminals whose rules are not the same after a change.
func hit(before, after []under) ([]under, error) {
	var all []under
	for i, x := range after {
		found, err := policy.Differences(before[i].policy, x.policy)
		if err != nil {
			return nil, err
		}
		if len(found) > 0 || len(policy.Describe(before[i].policy.Hours, x.policy.Hours)) > 0 {
			all = append(all, x)
		}
	}
	return all, nil
}

// hits tells how many terminals of which spaces have other rules after a change.
func hits(tx store.Tx, before, after []under) ([]HitView, error) {
	changed, err := hit(before, after)
	if err != nil {
		return nil, err
	}
	v := []HitView{}
	at := map[string]int{}
	for _, x := range changed {
		i, ok := at[x.Row.Space]
		if !ok {
			names, err := place{site: x.Site, space: x.Row.Space}.levels(tx)
			if err != nil {
				return nil, err
			}
			i = len(v)
			at[x.Row.Space] = i
			v = append(v, HitView{Site: x.Site, SiteName: names[len(names)-2].Name, Space: x.Row.Space, SpaceName: names[len(names)-1].Name, Terminals: []string{}})
		}
		v[i].Terminals = append(v[i].Terminals, x.Row.Name)
	}
	slices.SortFunc(v, func(x, y HitView) int {
		return strings.Compare(x.SiteName+"\x00"+x.SpaceName, y.SiteName+"\x00"+y.SpaceName)
	})
	return v, nil
}

func differences(was, is policy.Policy) ([]DifferenceView, error) {
	found, err := policy.Differences(was, is)
	if err != nil {
		return nil, err
	}
	v := []DifferenceView{}
	for _, d := range found {
		x := DifferenceView{Path: d.Path}
		if err := errors.Join(read(d.Before, &x.Before), read(d.After, &x.After)); err != nil {
			return nil, err
		}
		v = append(v, x)
	}
	return v, nil
}

func read(raw json.RawMessage, v *any) error {
	if len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, v)
}

// keepVersion keeps what was published, and tells under which id. Hours have a history of their own.
func keepVersion(tx store.Tx, c change, row store.PolicyRow, before json.RawMessage, changed []string, was, is policy.Policy) (id string, err error) {
	if len(changed) == 0 {
		return "", nil
	}
	old, err := withHours(before, nil)
	if err != nil {
		return "", err
	}
	doc, err := withHours(row.Doc, nil)
	if err != nil {
		return "", err
	}
	delete(old, sectionPIN)
	delete(doc, sectionPIN)
	found, err := policy.Differences(was, is)
	if err != nil {
		return "", err
	}
	v := store.PolicyChange{Layer: c.id(), Version: row.Version, At: row.Changed, By: row.By, Note: c.note, Sections: changed, Differences: []store.PolicyDifference{}}
	for _, d := range found {
		v.Differences = append(v.Differences, store.PolicyDifference(d))
	}
	if v.Before, err = json.Marshal(old); err != nil {
		return "", err
	}
	if v.Doc, err = json.Marshal(doc); err != nil {
		return "", err
	}
	id = store.TimeID(row.Changed, newID())
	return id, store.Put(tx, store.Item[store.PolicyChange]{Meta: store.Meta{ID: id, Site: c.site, Scope: c.space}, Row: v})
}

func (a *API) policyChanges(ctx context.Context, op string, at place, before string, limit int) (*out[PolicyChanges], error) {
	v := PolicyChanges{Changes: []PolicyChangeView{}}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		who := names{tx: tx, by: map[string]string{}}
		return paged(store.FindRange[store.PolicyChange](tx, "layer", at.id(), "", before, true), limit, &v.Next, func(it store.Item[store.PolicyChange]) error {
			c := PolicyChangeView{ID: it.ID, Version: it.Row.Version, At: it.Row.At, By: who.of(it.Row.By), Note: it.Row.Note, Sections: list(it.Row.Sections), Changes: []DifferenceView{}}
			for _, d := range it.Row.Differences {
				x := DifferenceView{Path: d.Path}
				if err := errors.Join(read(d.Before, &x.Before), read(d.After, &x.After)); err != nil {
					return err
				}
				c.Changes = append(c.Changes, x)
			}
			v.Changes = append(v.Changes, c)
			return nil
		})
	})
	if err != nil {
		return nil, a.fail(op, err)
	}
	return answer(v), nil
}

// undoPolicy goes back to the rules before a publication; that is one too. Hours
// stay as they are.
func (a *API) undoPolicy(ctx context.Context, op, id string, at place) (*policyOut, error) {
	rev, err := revOf(ctx)
	if err != nil {
		return nil, err
	}
	v, err := a.changeLayer(ctx, op, change{place: at, rev: rev, note: "Retour en arrière", back: true,
		next: func(tx store.Tx, was json.RawMessage) (map[string]json.RawMessage, error) {
			row, err := store.Get[store.PolicyChange](tx, id)
			if errors.Is(err, store.ErrNotFound) || err == nil && row.Row.Layer != at.id() {
				return nil, newProblem(http.StatusNotFound, "Cette version n’est plus dans l’historique de ces règles.")
			}
			if err != nil {
				return nil, err
			}
			return withHours(row.Row.Before, section(was, "hours"))
		}})
	if err != nil {
		return nil, err
	}
	return &policyOut{ETag: etag(v.Rev), Body: v}, nil
}
