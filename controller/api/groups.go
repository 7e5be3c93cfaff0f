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
	"borne/controller/policy"
	"borne/controller/store"
)

// maxGroups bounds the groups of sites.
const maxGroups = 200

type groupIn struct{ Body GroupRequest }

type groupPutIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body GroupRequest
}

type groupDropIn struct {
	ID string `path:"id" maxLength:"200"`
}

type groupOut struct {
	ETag string `header:"ETag"`
	Body GroupView
}

func (a *API) groups(ctx context.Context, _ *nothing) (*out[GroupsView], error) {
	v := GroupsView{Groups: []GroupView{}}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		v.Groups = v.Groups[:0]
		for g, err := range store.List[store.SiteGroup](tx, "", "", false) {
			if err != nil {
				return err
			}
			one, err := groupView(tx, g, person(ctx))
			if err != nil {
				return err
			}
			if len(one.Sites) > 0 || person(ctx).Everywhere() {
				v.Groups = append(v.Groups, one)
			}
		}
		return nil
	})
	if err != nil {
		return nil, a.fail(opGroups, err)
	}
	slices.SortFunc(v.Groups, func(x, y GroupView) int { return strings.Compare(x.Name+x.ID, y.Name+y.ID) })
	return answer(v), nil
}

func groupView(tx store.Tx, g store.Item[store.SiteGroup], p accounts.Person) (GroupView, error) {
	v := GroupView{ID: g.ID, Rev: g.Rev, Name: g.Row.Name, Sites: []PlaceChoice{}, Own: []string{}}
	for _, id := range g.Row.Sites {
		s, err := store.Get[store.Site](tx, id)
		if err != nil {
			return v, err
		}
		if p.Sees(id) {
			v.Sites = append(v.Sites, PlaceChoice{id, s.Row.Name})
		}
	}
	slices.SortFunc(v.Sites, func(x, y PlaceChoice) int { return strings.Compare(x.Name+x.ID, y.Name+y.ID) })
	row, err := store.Get[store.PolicyRow](tx, g.ID)
	if errors.Is(err, store.ErrNotFound) {
		return v, nil
	}
	if err == nil {
		v.Own, err = ownSections(row.Row.Doc)
	}
	return v, err
}

func (a *API) createGroup(ctx context.Context, in *groupIn) (*groupOut, error) {
	return a.saveGroup(ctx, opCreateGroup, newID(), 0, in.Body)
}

func (a *API) putGroup(ctx context.Context, in *groupPutIn) (*groupOut, error) {
	rev, err := revOf(ctx)
	if err != nil {
		return nil, err
	}
	if rev == 0 {
		return nil, errStale(ctx)
	}
	return a.saveGroup(ctx, opPutGroup, in.ID, rev, in.Body)
}

// saveGroup writes a group's name and sites; rev 0 makes a new one. Sites that
// come or go have other rules from then on, and people other sites.
func (a *API) saveGroup(ctx context.Context, op, id string, rev uint64, r GroupRequest) (*groupOut, error) {
	var v GroupView
	var moved []string
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		g := store.Item[store.SiteGroup]{Meta: store.Meta{ID: id}, Row: store.SiteGroup{Created: a.Now().UTC()}}
		action := "group.created"
		if rev > 0 {
			found, err := store.Get[store.SiteGroup](tx, id)
			if err != nil {
				return err
			}
			if found.Rev != rev {
				return errStale(ctx)
			}
			g, action = found, "group.changed"
		}
		was := g.Row.Sites
		g.Row.Name = strings.TrimSpace(r.Name)
		g.Row.Sites = slices.Compact(slices.Sorted(slices.Values(r.Sites)))
		if err := a.checkGroup(tx, g); err != nil {
			return err
		}
		moved = append(without(was, g.Row.Sites), without(g.Row.Sites, was)...)
		err := a.regroup(tx, id, moved, func() error { return store.Put(tx, g) })
		if err != nil {
			return err
		}
		if g, err = store.Get[store.SiteGroup](tx, id); err != nil {
			return err
		}
		if v, err = groupView(tx, g, person(ctx)); err != nil {
			return err
		}
		return a.auditGroup(ctx, tx, action, g)
	})
	if errors.Is(err, store.ErrConflict) {
		err = errStale(ctx)
	}
	if err != nil {
		return nil, a.fail(op, err)
	}
	for _, site := range moved {
		a.publish(ctx, site, "")
	}
	return &groupOut{ETag: etag(v.Rev), Body: v}, nil
}

func (a *API) auditGroup(ctx context.Context, tx store.Tx, action string, g store.Item[store.SiteGroup]) error {
	e := audit.Entry{At: a.Now(), Actor: person(ctx).ID, Action: action, Target: g.ID}
	e.Detail = fmt.Sprintf("%s (%s)", g.Row.Name, strings.Join(g.Row.Sites, ", "))
	if len(e.Detail) > 400 {
		e.Detail = fmt.Sprintf("%s (%d)", g.Row.Name, len(g.Row.Sites))
	}
	return audit.Append(tx, e)
}

// checkGroup refuses a name that another group has, sites that are not there, and
// rules of two groups for one site.
func (a *API) checkGroup(tx store.Tx, g store.Item[store.SiteGroup]) error {
	n := 0
	for o, err := range store.List[store.SiteGroup](tx, "", "", false) {
		if err != nil {
			return err
		}
		n++
		if o.ID != g.ID && strings.EqualFold(o.Row.Name, g.Row.Name) {
			return unfit("body.name", "un autre groupe porte déjà ce nom : choisissez-en un autre")
		}
	}
	if g.Rev == 0 && n >= maxGroups {
		return newProblem(http.StatusConflict, fmt.Sprintf("Il y a déjà %d groupes de lieux. Supprimez-en un d’abord.", maxGroups))
	}
	if g.Row.Name == "" {
		return unfit("body.name", "donnez un nom au groupe, par exemple « Collèges du Chablais »")
	}
	for i, id := range g.Row.Sites {
		if _, err := store.Get[store.Site](tx, id); errors.Is(err, store.ErrNotFound) {
			return unfit(fmt.Sprintf("body.sites[%d]", i), "ce lieu n’existe pas, ou plus : retirez-le du groupe")
		} else if err != nil {
			return err
		}
	}
	row, err := store.Get[store.PolicyRow](tx, g.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	own, err := ownSections(row.Row.Doc)
	if err != nil {
		return err
	}
	return oneGroupEach(tx, g.ID, g.Row.Sites, own)
}

// oneGroupEach refuses that two groups of one site set the same section: which of
// them held would depend on nothing that a person sees.
func oneGroupEach(tx store.Tx, group string, sites, own []string) error {
	for _, site := range sites {
		for o, err := range store.Find[store.SiteGroup](tx, "site", site) {
			if err != nil {
				return err
			}
			if o.ID == group {
				continue
			}
			row, err := store.Get[store.PolicyRow](tx, o.ID)
			if errors.Is(err, store.ErrNotFound) {
				continue
			}
			if err != nil {
				return err
			}
			theirs, err := ownSections(row.Row.Doc)
			if err != nil {
				return err
			}
			if i := slices.IndexFunc(theirs, func(s string) bool { return slices.Contains(own, s) }); i >= 0 {
				s, err := store.Get[store.Site](tx, site)
				if err != nil {
					return err
				}
				return newProblem(http.StatusConflict, fmt.Sprintf("Le lieu « %s » est aussi dans le groupe « %s », qui fixe déjà la même partie des règles (%s). Un lieu ne peut pas recevoir cette partie de deux groupes : retirez-la de l’un des deux, ou retirez le lieu de l’un des deux groupes.",
					s.Row.Name, o.Row.Name, sectionFrench(theirs[i])), field{"body.own", theirs[i]})
			}
		}
	}
	return nil
}

// sectionFrench is what the console calls a section.
func sectionFrench(s string) string {
	names := map[string]string{"profile": "profil", "languages": "langues", "session": "session", "hours": "horaires", "access": "accès", "web": "navigation", "portal": "page d’accueil",
		"printing": "impression", "printer": "imprimante", "permits": "autorisations", "isolation": "isolement", "keyboard": "clavier", "network": "réseau", "filter": "protection", "energy": "énergie"}
	if n := names[s]; n != "" {
		return n
	}
	return s
}

// regroup has sites come to a group or leave it: their rules get a new version,
// and must be as sound as before.
func (a *API) regroup(tx store.Tx, group string, sites []string, write func() error) error {
	if busy, err := running(tx, group); err != nil {
		return err
	} else if busy && len(sites) > 0 {
		return newProblem(http.StatusConflict, "Un changement des règles de ce groupe est en cours de déploiement. Attendez sa fin, ou décidez-en d’abord sur la page « Règles ».")
	}
	places, before, err := soundness(tx, sites)
	if err != nil {
		return err
	}
	if err := write(); err != nil {
		return err
	}
	if len(sites) > 0 {
		set, err := store.Get[store.Setting](tx, store.SettingController)
		if err != nil {
			return err
		}
		version := set.Row.NextPolicy()
		if err := store.Put(tx, set); err != nil {
			return err
		}
		for _, id := range sites {
			if err := store.Update(tx, id, func(s *store.Item[store.Site]) error { s.Row.Rules = version; return nil }); err != nil {
				return err
			}
		}
	}
	for i, p := range places {
		e, _, err := origins(tx, p)
		if err != nil {
			return err
		}
		found := slices.DeleteFunc(e.Check(), func(f policy.Problem) bool { return slices.Contains(before[i], f) })
		if len(found) == 0 {
			continue
		}
		names, err := p.levels(tx)
		if err != nil {
			return err
		}
		return newProblem(http.StatusUnprocessableEntity,
			fmt.Sprintf("Les règles de « %s » ne conviendraient plus avec celles du groupe : changez-les d’abord.", names[len(names)-1].Name), wrong(found)...)
	}
	return nil
}

// soundness is what is wrong now in some sites and below.
func soundness(tx store.Tx, sites []string) (places []place, found [][]policy.Problem, err error) {
	for _, site := range sites {
		below, err := place{site: site}.below(tx)
		if err != nil {
			return nil, nil, err
		}
		places = append(append(places, place{site: site}), below...)
	}
	for _, p := range places {
		e, _, err := origins(tx, p)
		if err != nil {
			return nil, nil, err
		}
		found = append(found, e.Check())
	}
	return places, found, nil
}

// removeGroup deletes a group and its rules, unless somebody holds a role on it.
func (a *API) removeGroup(ctx context.Context, in *groupDropIn) (*out[GroupsView], error) {
	rev, err := revOf(ctx)
	if err != nil {
		return nil, err
	}
	var sites []string
	err = a.Store.Decide(ctx, func(tx store.Tx) error {
		g, err := store.Get[store.SiteGroup](tx, in.ID)
		if err != nil {
			return err
		}
		if g.Rev != rev {
			return errStale(ctx)
		}
		held, err := accounts.GroupHolders(tx, in.ID)
		if err != nil {
			return err
		}
		if len(held) > 0 {
			return newProblem(http.StatusConflict, "Ce groupe sert encore à dire où des personnes ont leur rôle ("+strings.Join(held[:min(len(held), 5)], ", ")+"). Changez d’abord leurs comptes.")
		}
		sites = g.Row.Sites
		err = a.regroup(tx, in.ID, sites, func() error {
			for _, k := range []store.Kind{store.KindPolicy, store.KindRollout} {
				if err := tx.Delete(k, in.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
			}
			return tx.Delete(store.KindSiteGroup, in.ID)
		})
		if err != nil {
			return err
		}
		return a.auditGroup(ctx, tx, "group.removed", g)
	})
	if err != nil {
		return nil, a.fail(opDropGroup, err)
	}
	for _, site := range sites {
		a.publish(ctx, site, "")
	}
	return a.groups(ctx, nil)
}

// inGroup lets those read a group's rules whose sites inherit them: to others it is
// not there, as it is not in their list.
func (a *API) inGroup(ctx context.Context, op, id string) error {
	var g store.Item[store.SiteGroup]
	err := a.Store.View(ctx, func(tx store.Tx) (err error) { g, err = store.Get[store.SiteGroup](tx, id); return err })
	if err == nil && !person(ctx).Everywhere() && !slices.ContainsFunc(g.Row.Sites, person(ctx).Sees) {
		return errNotFound()
	}
	return a.fail(op, err)
}

func (a *API) groupPolicy(ctx context.Context, in *byID) (*policyOut, error) {
	if err := a.inGroup(ctx, opGroupPolicy, in.ID); err != nil {
		return nil, err
	}
	return a.readPolicy(ctx, opGroupPolicy, place{group: in.ID})
}

func (a *API) putGroupPolicy(ctx context.Context, in *policyIn) (*policyOut, error) {
	return a.writePolicy(ctx, opPutGroupPolicy, in.Body, place{group: in.ID})
}

func (a *API) previewGroupPolicy(ctx context.Context, in *policyPreviewIn) (*out[PolicyPreview], error) {
	return a.previewPolicy(ctx, opPreviewGroup, in.Body, place{group: in.ID})
}

func (a *API) groupPolicyChanges(ctx context.Context, in *page) (*out[PolicyChanges], error) {
	if err := a.inGroup(ctx, opGroupVersions, in.ID); err != nil {
		return nil, err
	}
	return a.policyChanges(ctx, opGroupVersions, place{group: in.ID}, in.Before, in.Limit)
}

func (a *API) undoGroupPolicy(ctx context.Context, in *undoIn) (*policyOut, error) {
	return a.undoPolicy(ctx, opUndoGroup, in.Body.ID, place{group: in.ID})
}
