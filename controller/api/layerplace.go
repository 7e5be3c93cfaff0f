package api

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"borne/controller/compliance"
	"borne/controller/policy"
	"borne/controller/store"
)

// place is whose rules are meant: a site's, a space's, a terminal's, a group of
// sites', or those of the whole Département when all of it is empty.
type place struct {
	site, space, terminal string
	group                 string   // without the three above
	of                    []string // the group's sites, once found
}

// id is the id of the place's layer.
func (p place) id() string {
	switch {
	case p.terminal != "":
		return p.terminal
	case p.space != "":
		return p.space
	case p.site != "":
		return p.site
	case p.group != "":
		return p.group
	}
	return store.PolicyGlobal
}

func (p place) level() string {
	switch {
	case p.terminal != "":
		return compliance.LayerTerminal
	case p.space != "":
		return compliance.LayerSpace
	case p.site != "":
		return compliance.LayerSite
	case p.group != "":
		return compliance.LayerGroup
	}
	return compliance.LayerGlobal
}

// find says in which space a terminal stands, and which sites a group has.
func (p place) find(tx store.Tx) (place, error) {
	if p.group != "" {
		g, err := store.Get[store.SiteGroup](tx, p.group)
		p.of = g.Row.Sites
		return p, err
	}
	if p.terminal == "" {
		return p, nil
	}
	t, err := store.Get[store.Terminal](tx, p.terminal)
	p.site, p.space = t.Site, t.Row.Space
	return p, err
}

// origins is the policy that holds there, and where its values come from.
func origins(tx store.Tx, p place) (policy.Policy, map[string]string, error) {
	if p.group != "" {
		v, from, err := compliance.GroupOrigins(tx, p.group)
		emptyNotNil(reflect.ValueOf(&v).Elem())
		return v, from, err
	}
	v, from, err := compliance.Origins(tx, store.Item[store.Terminal]{Meta: store.Meta{ID: p.terminal, Site: p.site}, Row: store.Terminal{Space: p.space}})
	v.PIN = policy.PIN{} // nobody reads it back
	maps.DeleteFunc(from, func(path, _ string) bool { return strings.HasPrefix(path, sectionPIN+".") })
	emptyNotNil(reflect.ValueOf(&v).Elem())
	return v, from, err
}

// levels are the place and those above it, by name.
func (p place) levels(tx store.Tx) ([]LevelView, error) {
	all := []LevelView{{Level: compliance.LayerGlobal, Name: "Département"}}
	add := func(level, id string, name func(store.Tx, string) (string, error)) error {
		if id == "" {
			return nil
		}
		n, err := name(tx, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		all = append(all, LevelView{level, id, n})
		return nil
	}
	groups, err := p.groups(tx)
	if err != nil {
		return nil, err
	}
	for _, g := range groups {
		all = append(all, LevelView{compliance.LayerGroup, g.ID, g.Row.Name})
	}
	err = errors.Join(
		add(compliance.LayerSite, p.site, func(tx store.Tx, id string) (string, error) {
			it, err := store.Get[store.Site](tx, id)
			return it.Row.Name, err
		}),
		add(compliance.LayerSpace, p.space, func(tx store.Tx, id string) (string, error) {
			it, err := store.Get[store.Space](tx, id)
			return it.Row.Name, err
		}),
		add(compliance.LayerTerminal, p.terminal, func(tx store.Tx, id string) (string, error) {
			it, err := store.Get[store.Terminal](tx, id)
			return it.Row.Name, err
		}))
	return all, err
}

// groups are the place itself when it is a group, or those that its site is in.
func (p place) groups(tx store.Tx) (all []store.Item[store.SiteGroup], err error) {
	if p.group != "" {
		g, err := store.Get[store.SiteGroup](tx, p.group)
		return append(all, g), err
	}
	if p.site == "" {
		return nil, nil
	}
	for g, err := range store.Find[store.SiteGroup](tx, "site", p.site) {
		if err != nil {
			return nil, err
		}
		all = append(all, g)
	}
	return all, nil
}

// has tells whether a site is in this place, or this place in it.
func (p place) has(site string) bool {
	if p.group != "" {
		return slices.Contains(p.of, site)
	}
	return p.site == "" || site == p.site
}

// holds tells whether a terminal is in this place.
func (p place) holds(it store.Item[store.Terminal]) bool {
	return p.has(it.Site) && (p.space == "" || it.Row.Space == p.space) && (p.terminal == "" || it.ID == p.terminal)
}

// terminals are those that obey the place's rules.
func (p place) terminals(tx store.Tx) ([]store.Item[store.Terminal], error) {
	var all []store.Item[store.Terminal]
	for it, err := range store.List[store.Terminal](tx, "", "", false) {
		if err != nil {
			return nil, err
		}
		if p.holds(it) && it.Row.State != store.StateWaiting && it.Row.State != store.StateRevoked {
			all = append(all, it)
		}
	}
	return all, nil
}

// below are the places that inherit from this one and may set rules of their own.
func (p place) below(tx store.Tx) ([]place, error) {
	var all []place
	if p.terminal != "" {
		return nil, nil
	}
	if p.site == "" {
		for it, err := range store.List[store.Site](tx, "", "", false) {
			if err != nil {
				return nil, err
			}
			if p.has(it.ID) {
				all = append(all, place{site: it.ID})
			}
		}
	}
	if p.space == "" {
		for it, err := range store.List[store.Space](tx, "", "", false) {
			if err != nil {
				return nil, err
			}
			if p.has(it.Site) {
				all = append(all, place{site: it.Site, space: it.ID})
			}
		}
	}
	// Most terminals set nothing: their rules are their space's.
	for it, err := range store.List[store.Terminal](tx, "", "", false) {
		if err != nil {
			return nil, err
		}
		if !p.holds(it) {
			continue
		}
		if _, err := store.Get[store.PolicyRow](tx, it.ID); err == nil {
			all = append(all, place{site: it.Site, space: it.Row.Space, terminal: it.ID})
		} else if !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
	}
	return all, nil
}

// belowProblems are what is wrong now in the places below, by layer.
func belowProblems(tx store.Tx, p place) (map[string][]policy.Problem, error) {
	all, err := p.below(tx)
	if err != nil {
		return nil, err
	}
	found := map[string][]policy.Problem{}
	for _, x := range all {
		e, _, err := origins(tx, x)
		if err != nil {
			return nil, err
		}
		found[x.id()] = e.Check()
	}
	return found, nil
}

// validBelow refuses a change that would break what holds in a place below; what
// was wrong there before is no reason.
func validBelow(tx store.Tx, p place, before map[string][]policy.Problem) error {
	all, err := p.below(tx)
	if err != nil {
		return err
	}
	for _, x := range all {
		e, _, err := origins(tx, x)
		if err != nil {
			return err
		}
		found := slices.DeleteFunc(e.Check(), func(f policy.Problem) bool { return slices.Contains(before[x.id()], f) })
		if len(found) == 0 {
			continue
		}
		names, err := x.levels(tx)
		if err != nil {
			return err
		}
		what := map[string]string{compliance.LayerSite: "au lieu", compliance.LayerSpace: "à l’espace", compliance.LayerTerminal: "au poste"}[x.level()]
		return newProblem(http.StatusUnprocessableEntity,
			fmt.Sprintf("Ces règles ne conviennent pas %s « %s », qui en fixe d’autres : changez-les d’abord là-bas.", what, names[len(names)-1].Name), wrong(found)...)
	}
	return nil
}
