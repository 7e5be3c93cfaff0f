package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/consent"
	"borne/controller/notice"
	"borne/controller/policy"
	"borne/controller/rollout"
	"borne/controller/store"
)

// change is one layer's change: next makes its sections of those that it has.
type change struct {
	place
	rev  uint64
	note string // why, in the person's words
	slow bool   // a few terminals get it first
	back bool   // to older rules: they give nobody a right again that was taken since
	pin  bool   // it is about the PIN alone, whatever the revision: any other change leaves it as it is
	next func(tx store.Tx, was json.RawMessage) (map[string]json.RawMessage, error)
}

// changeLayer makes a change, and has the terminals below apply it.
func (a *API) changeLayer(ctx context.Context, op string, c change) (v PolicyView, err error) {
	err = a.Store.Decide(ctx, func(tx store.Tx) (err error) {
		v, err = a.change(ctx, tx, c)
		return err
	})
	if errors.Is(err, store.ErrConflict) {
		err = errStale(ctx)
	}
	if err != nil {
		return v, a.fail(op, err)
	}
	a.publishPlace(ctx, c.place)
	return v, nil
}

// publishPlace has the terminals of a place apply what holds for them now.
func (a *API) publishPlace(ctx context.Context, p place) {
	if p.group == "" {
		a.publish(ctx, p.site, p.space)
		return
	}
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		p, err = p.find(tx)
		return err
	})
	if err != nil {
		a.Log.Error("cannot push the policy", "group", p.group, "error", err)
	}
	for _, site := range p.of {
		a.publish(ctx, site, "")
	}
}

func (a *API) publish(ctx context.Context, site, space string) {
	if err := a.Publisher.Publish(ctx, site, space); err != nil {
		// It is kept, and terminals get it when they connect: not a reason to fail.
		a.Log.Error("cannot push the policy", "site", site, "space", space, "error", err)
	}
}

// change writes a layer within a transaction, checked as it will hold.
func (a *API) change(ctx context.Context, tx store.Tx, c change) (PolicyView, error) {
	p, now := person(ctx), a.Now().UTC()
	none := PolicyView{}
	var err error
	if c.place, err = c.find(tx); err != nil {
		return none, err
	}
	id := c.id()
	row, err := store.Get[store.PolicyRow](tx, id)
	if errors.Is(err, store.ErrNotFound) {
		row = store.Item[store.PolicyRow]{Meta: store.Meta{ID: id, Site: c.site, Scope: c.space}, Row: store.PolicyRow{Doc: []byte("{}")}}
	} else if err != nil {
		return none, err
	}
	if row.Rev != c.rev && !c.pin {
		return none, errStale(ctx)
	}
	next, err := c.next(tx, row.Row.Doc)
	if err != nil {
		return none, err
	}
	if !c.pin {
		keepPIN(next, row.Row.Doc)
	}
	was, _, err := origins(tx, c.place)
	if err != nil {
		return none, err
	}
	var older []string
	if c.back {
		if older, err = changedSections(row.Row.Doc, next); err == nil {
			err = neverAgain(next, row.Row.Doc, was)
		}
		if err != nil {
			return none, err
		}
	}
	ask, err := a.carried(tx, c.site, was.Hours, next, now, p)
	if err != nil {
		return none, err
	}
	changed, err := changedSections(row.Row.Doc, next)
	if err != nil {
		return none, err
	}
	if len(older) > 0 && len(changed) == 0 {
		return none, newProblem(http.StatusUnprocessableEntity, "Il n’y a rien à reprendre de ces règles d’avant : un badge ou un droit retiré à l’équipe ne revient pas ainsi. Donnez-le de nouveau dans « L’équipe, devant le poste ».")
	}
	rules := without(changed, []string{"hours"})
	steps := without(rules, []string{sectionTeam}) // what may go to a few terminals first
	busy, err := running(tx, id)
	if err != nil {
		return none, err
	}
	if busy && len(steps) > 0 {
		return none, newProblem(http.StatusConflict, "Un changement de ces règles est en cours de déploiement. Attendez sa fin, ou décidez-en d’abord : « Continuer maintenant » ou « Revenir en arrière ».")
	}
	var obeying []under
	if c.slow && a.Dwell > 0 && len(steps) > 0 {
		if obeying, err = obeyed(tx, c.place); err != nil {
			return none, err
		}
	}
	doc, err := json.Marshal(next)
	if err != nil {
		return none, err
	}
	set, err := store.Get[store.Setting](tx, store.SettingController)
	if err != nil {
		return none, err
	}
	prior := row.Row.Version
	if slices.ContainsFunc(changed, changesAtOnce) { // whoever keeps the rules before has a part of these, too
		prior = set.Row.NextPolicy()
	}
	set.Row.NextPolicy()
	if err := store.Put(tx, set); err != nil {
		return none, err
	}
	if slices.Contains(changed, "hours") && (c.site == "" || c.terminal != "") {
		return none, newProblem(http.StatusUnprocessableEntity, "Les horaires se règlent pour un lieu ou pour un espace, sur la page « Horaires ».", field{"body.own", "la partie « hours » ne se fixe pas ici"})
	}
	if c.group != "" {
		if err := oneGroupEach(tx, c.group, c.of, slices.Collect(maps.Keys(next))); err != nil {
			return none, err
		}
	}
	if slices.Contains(changed, "notice") && (c.group != "" || c.space != "" || c.terminal != "") {
		return none, newProblem(http.StatusUnprocessableEntity, "La charte et l’information se règlent pour le Département ou pour un lieu.", field{"body.own", "la partie « notice » ne se fixe pas ici"})
	}
	sound, err := belowProblems(tx, c.place)
	if err != nil {
		return none, err
	}
	before := row.Row.Doc
	row.Row = store.PolicyRow{Layer: c.level(), Doc: doc, Version: set.Row.Policy, Changed: now, By: p.ID}
	if err := store.Put(tx, row); err != nil {
		return none, err
	}
	if slices.Contains(changed, "notice") {
		if err := notice.Set(tx, id, next["notice"], set.Row.Policy, p.ID, now); err != nil {
			return none, err
		}
	}
	v, err := a.policyView(tx, c.place, p)
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
	// A change reaches places that hold other sections: they must stay sound too.
	if err := validBelow(tx, c.place, sound); err != nil {
		return none, err
	}
	said := policy.Describe(was.Hours, v.Policy.Hours)
	if slices.Contains(changed, "hours") && (len(said) > 0 || c.note != "" || (section(before, "hours") == nil) != (section(doc, "hours") == nil)) {
		m := store.Meta{ID: store.TimeID(now, newID()), Site: c.site, Scope: c.space}
		err := store.Put(tx, store.Item[store.HoursChange]{Meta: m, Row: store.HoursChange{Layer: id, At: now, By: p.ID, Note: c.note,
			Said: list(said), Before: section(before, "hours")}})
		if err != nil {
			return none, err
		}
	}
	kept, err := keepVersion(tx, c, row.Row, before, rules, was, v.Policy)
	if err != nil {
		return none, err
	}
	switch {
	case busy:
		err = rollout.Hours(tx, id, now)
	case len(obeying) > 1:
		var obey []under
		if obey, err = obeyed(tx, c.place); err != nil {
			return none, err
		}
		if obey, err = hit(obeying, obey); err != nil {
			return none, err
		}
		_, err = a.stage(tx, row, kept, prior, before, obey, now)
	}
	if err != nil {
		return none, err
	}
	for _, agreement := range ask {
		if err := consent.Ask(tx, c.site, agreement, p.ID, a.URL(), now); err != nil {
			return none, err
		}
	}
	if v, err = a.policyView(tx, c.place, p); err != nil {
		return none, err
	}
	if c.pin {
		return v, audit.Append(tx, audit.Entry{At: now, Actor: p.ID, Action: "policy.pin", Site: c.site, Scope: c.space, Target: id})
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

// changedSections lists the sections that differ between the layer as it is and as
// it shall be. A form writes a section anew in its own order, which changes nothing.
func changedSections(was json.RawMessage, next map[string]json.RawMessage) ([]string, error) {
	old := map[string]json.RawMessage{}
	if err := json.Unmarshal(was, &old); err != nil {
		return nil, fmt.Errorf("cannot read a layer of the policy: %w", err)
	}
	var changed []string
	for _, s := range sections() {
		same, err := sameSection(s, old[s], next[s])
		if err != nil {
			return nil, err
		}
		if !same {
			changed = append(changed, s)
		}
	}
	return changed, nil
}

// sameSection compares what two texts of a section say; nil is inherited.
func sameSection(name string, a, b json.RawMessage) (bool, error) {
	if a == nil || b == nil {
		return a == nil && b == nil, nil
	}
	var read [2]policy.Policy
	for i, raw := range []json.RawMessage{a, b} {
		if err := json.Unmarshal(fmt.Appendf(nil, "{%q:%s}", name, raw), &read[i]); err != nil {
			return false, fmt.Errorf("cannot read a layer of the policy: %w", err)
		}
		emptyNotNil(reflect.ValueOf(&read[i]).Elem())
	}
	return reflect.DeepEqual(read[0], read[1]), nil
}
