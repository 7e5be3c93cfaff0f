package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/policy"
	"borne/controller/store"
)

type policyOut struct {
	ETag string `header:"ETag"`
	Body PolicyView
}

type policyIn struct {
	ID      string `path:"id" maxLength:"200"`
	IfMatch string `header:"If-Match" doc:"The ETag of the policy that was read; \"0\" when nothing was set here yet"`
	Body    PolicyRequest
}

func (a *API) sitePolicy(ctx context.Context, in *byID) (*policyOut, error) {
	return a.readPolicy(ctx, opSitePolicy, in.ID, "")
}

func (a *API) spacePolicy(ctx context.Context, in *byID) (*policyOut, error) {
	return a.readPolicy(ctx, opSpacePolicy, siteOf(ctx), in.ID)
}

func (a *API) putSitePolicy(ctx context.Context, in *policyIn) (*policyOut, error) {
	return a.writePolicy(ctx, opPutSite, in, in.ID, "")
}

func (a *API) putSpacePolicy(ctx context.Context, in *policyIn) (*policyOut, error) {
	return a.writePolicy(ctx, opPutSpace, in, siteOf(ctx), in.ID)
}

func (a *API) readPolicy(ctx context.Context, op, site, space string) (*policyOut, error) {
	var v PolicyView
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		v, err = policyView(tx, site, space)
		return err
	})
	if err != nil {
		return nil, a.fail(op, err)
	}
	return &policyOut{ETag: etag(v.Rev), Body: v}, nil
}

func policyView(tx store.Tx, site, space string) (PolicyView, error) {
	v := PolicyView{Level: layerOf(space), Own: []string{}, Applied: []AppliedView{}}
	id := layerID(site, space)
	row, err := store.Get[store.PolicyRow](tx, id)
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
	if v.Policy, err = Effective(tx, site, space, ""); err != nil {
		return v, err
	}
	for it, err := range store.List[store.Terminal](tx, "", "", false) {
		if err != nil {
			return v, err
		}
		if it.Site != site || (space != "" && it.Row.Space != space) || it.Row.State == store.StateWaiting || it.Row.State == store.StateRevoked {
			continue
		}
		wanted, err := Effective(tx, site, it.Row.Space, it.ID)
		if err != nil {
			return v, err
		}
		v.Applied = append(v.Applied, AppliedView{Terminal: it.ID, Wanted: wanted.Version, Applied: it.Row.Policy, Refused: it.Row.PolicyError})
	}
	return v, nil
}

func (a *API) writePolicy(ctx context.Context, op string, in *policyIn, site, space string) (*policyOut, error) {
	rev, err := revOf(in.IfMatch)
	if err != nil {
		return nil, err
	}
	own := slices.Compact(slices.Sorted(slices.Values(in.Body.Own)))
	emptyNotNil(reflect.ValueOf(&in.Body.Policy).Elem())
	for i := range in.Body.Policy.Filter.Categories { // the one of the list that is there is written when the layers are merged
		in.Body.Policy.Filter.Categories[i].Digest = ""
	}
	in.Body.Policy.Hours.School.Breaks = []policy.Break{} // and so are the school holidays
	next, err := layerDoc(in.Body.Policy, own)
	if err != nil {
		return nil, err
	}
	v, err := a.changeLayer(ctx, op, change{site: site, space: space, rev: rev,
		next: func(store.Tx, json.RawMessage) (map[string]json.RawMessage, error) { return next, nil }})
	if err != nil {
		return nil, err
	}
	return &policyOut{ETag: etag(v.Rev), Body: v}, nil
}

// change is one layer's change: next makes its sections of those that it has.
type change struct {
	site, space string
	rev         uint64
	note        string // why the hours change, in the person's words
	next        func(tx store.Tx, was json.RawMessage) (map[string]json.RawMessage, error)
}

// changeLayer makes a change, and has the terminals below apply it.
func (a *API) changeLayer(ctx context.Context, op string, c change) (v PolicyView, err error) {
	err = a.Store.Decide(ctx, func(tx store.Tx) (err error) {
		v, err = a.change(ctx, tx, c)
		return err
	})
	if errors.Is(err, store.ErrConflict) {
		err = errStale()
	}
	if err != nil {
		return v, a.fail(op, err)
	}
	a.publish(ctx, c.site, c.space)
	return v, nil
}

func (a *API) publish(ctx context.Context, site, space string) {
	if err := a.Publisher.Publish(ctx, site, space); err != nil {
		// It is kept, and terminals get it when they connect: not a reason to fail.
		a.Log.Error("cannot push the policy", "site", site, "space", space, "error", err)
	}
}

// change writes a layer within a transaction, checked as it will hold.
func (a *API) change(ctx context.Context, tx store.Tx, c change) (PolicyView, error) {
	p, now, id := person(ctx), a.Now().UTC(), layerID(c.site, c.space)
	none := PolicyView{}
	row, err := store.Get[store.PolicyRow](tx, id)
	if errors.Is(err, store.ErrNotFound) {
		row = store.Item[store.PolicyRow]{Meta: store.Meta{ID: id, Site: c.site, Scope: c.space}, Row: store.PolicyRow{Doc: []byte("{}")}}
	} else if err != nil {
		return none, err
	}
	if row.Rev != c.rev {
		return none, errStale()
	}
	next, err := c.next(tx, row.Row.Doc)
	if err != nil {
		return none, err
	}
	changed, err := changedSections(row.Row.Doc, next)
	if err != nil {
		return none, err
	}
	doc, err := json.Marshal(next)
	if err != nil {
		return none, err
	}
	set, err := store.Get[store.Setting](tx, store.SettingController)
	if err != nil {
		return none, err
	}
	set.Row.Policy++
	if err := store.Put(tx, set); err != nil {
		return none, err
	}
	was, err := Effective(tx, c.site, c.space, "")
	if err != nil {
		return none, err
	}
	before := section(row.Row.Doc, "hours")
	row.Row = store.PolicyRow{Layer: layerOf(c.space), Doc: doc, Version: set.Row.Policy, Changed: now, By: p.ID}
	if err := store.Put(tx, row); err != nil {
		return none, err
	}
	v, err := policyView(tx, c.site, c.space)
	if err != nil {
		return none, err
	}
	if p.Role == accounts.Building && was.Hours.Guarded && (!v.Policy.Hours.Guarded || !reflect.DeepEqual(was.Hours.Duty, v.Policy.Hours.Duty)) {
		return none, newProblem(http.StatusForbidden, "Ce lieu n’ouvre en dehors des heures du personnel qu’avec un accord : seul le correspondant ou l’administrateur peut changer cela, ou ces heures.")
	}
	found := v.Policy.Check()
	if slices.Contains(changed, "hours") { // hours that were sound once may have passed since: no reason to refuse the rest
		found = unlessBefore(v.Policy.CheckAt(now, policy.Location()), was.CheckAt(now, policy.Location()))
	}
	if bad := wrong(found); len(bad) > 0 {
		return none, newProblem(http.StatusUnprocessableEntity, "Certaines règles ne conviennent pas.", bad...)
	}
	// A site's change reaches spaces that hold other sections: they must stay sound too.
	if err := validBelow(tx, c.site, c.space); err != nil {
		return none, err
	}
	if slices.Contains(changed, "hours") {
		m := store.Meta{ID: store.TimeID(now, newID()), Site: c.site, Scope: c.space}
		err := store.Put(tx, store.Item[store.HoursChange]{Meta: m, Row: store.HoursChange{Layer: id, At: now, By: p.ID, Note: c.note,
			Said: list(policy.Describe(was.Hours, v.Policy.Hours)), Before: before}})
		if err != nil {
			return none, err
		}
	}
	return v, audit.Append(tx, audit.Entry{At: now, Actor: p.ID, Action: "policy.changed", Site: c.site, Scope: c.space, Target: id,
		Detail: strings.Join(changed, " ")})
}

// unlessBefore leaves out that nobody holds a key where that was so before: who
// closes one afternoon is not asked for it then. It is warned of all the same.
func unlessBefore(found, before []policy.Problem) []policy.Problem {
	keyless := func(p policy.Problem) bool { return p.Field == policy.FieldKeys }
	if !slices.ContainsFunc(before, keyless) {
		return found
	}
	return slices.DeleteFunc(found, keyless)
}

// section is one section of a layer's document; nil when it inherits it.
func section(doc json.RawMessage, name string) json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal(doc, &all) != nil {
		return nil
	}
	return all[name]
}

// validBelow checks the spaces that inherit from the site.
func validBelow(tx store.Tx, site, space string) error {
	if space != "" {
		return nil
	}
	for it, err := range store.List[store.Space](tx, "", "", false) {
		if err != nil {
			return err
		}
		if it.Site != site {
			continue
		}
		p, err := Effective(tx, site, it.ID, "")
		if err != nil {
			return err
		}
		if bad := wrong(p.Check()); len(bad) > 0 {
			return newProblem(http.StatusUnprocessableEntity,
				fmt.Sprintf("Ces règles ne conviennent pas à l’espace « %s », qui en fixe d’autres : changez-les d’abord là-bas.", it.Row.Name), bad...)
		}
	}
	return nil
}

// changedSections lists the sections whose text differs between the layer as it
// is and as it shall be.
func changedSections(was json.RawMessage, next map[string]json.RawMessage) ([]string, error) {
	old := map[string]json.RawMessage{}
	if err := json.Unmarshal(was, &old); err != nil {
		return nil, fmt.Errorf("cannot read a layer of the policy: %w", err)
	}
	var changed []string
	for _, s := range sections() {
		if !bytes.Equal(compact(old[s]), compact(next[s])) {
			changed = append(changed, s)
		}
	}
	return changed, nil
}

func compact(b json.RawMessage) []byte {
	var out bytes.Buffer
	if json.Compact(&out, b) != nil {
		return nil
	}
	return out.Bytes()
}

func layerID(site, space string) string {
	if space != "" {
		return space
	}
	return site
}

func layerOf(space string) string {
	if space != "" {
		return "space"
	}
	return "site"
}

func etag(rev uint64) string { return strconv.Quote(strconv.FormatUint(rev, 10)) }

func revOf(ifMatch string) (uint64, error) {
	if ifMatch == "" {
		return 0, newProblem(http.StatusPreconditionRequired, "La demande ne dit pas quelle version des règles elle change. Rechargez la page.")
	}
	rev, err := strconv.ParseUint(strings.Trim(strings.TrimPrefix(ifMatch, "W/"), `"`), 10, 64)
	if err != nil {
		return 0, errStale()
	}
	return rev, nil
}

func errStale() *problem {
	return newProblem(http.StatusPreconditionFailed, "Quelqu’un a changé ces règles entre-temps. Rechargez la page, puis refaites votre changement.")
}
