package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"borne/controller/audit"
	"borne/controller/policy"
	"borne/controller/store"
)

type placeIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body PlaceRequest
}

type codeIn struct {
	ID   string `path:"id" maxLength:"200"`
	Code string `path:"code" maxLength:"64" doc:"Id of the code, not the code"`
}

// cancelEnrol makes a code worthless that nobody has used.
func (a *API) cancelEnrol(ctx context.Context, in *codeIn) (*nothing, error) {
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.EnrolCode](tx, in.Code)
		if err != nil {
			return err
		}
		if it.Site != in.ID {
			return errNotFound()
		}
		if !it.Row.Used.IsZero() {
			return newProblem(http.StatusConflict, "Ce code a déjà servi : le poste est installé.")
		}
		if err := tx.Delete(store.KindCode, it.ID); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: a.Now().UTC(), Actor: person(ctx).ID, Action: "enrol.cancelled", Site: it.Site, Scope: it.Row.Space, Target: it.Row.Replaces, Detail: it.Row.Name})
	})
	return nil, a.fail(opCancelEnrol, err)
}

// revoke shuts a terminal out: only an installation code that replaces it brings its
// name and history back.
func (a *API) revoke(ctx context.Context, in *byID) (*nothing, error) {
	var it store.Item[store.Terminal]
	err := a.Store.View(ctx, func(tx store.Tx) (err error) { it, err = store.Get[store.Terminal](tx, in.ID); return err })
	if err == nil && it.Row.State != store.StateRevoked {
		err = a.Revoke(ctx, in.ID, person(ctx).ID)
	}
	return nil, a.fail(opRevoke, err)
}

// placeTerminal renames a terminal, or moves it to another space of its site. Its
// history stays the site's, which is why it goes to no other one. No version is asked
// for: a terminal's row changes all the time as it works.
func (a *API) placeTerminal(ctx context.Context, in *placeIn) (*out[TerminalCard], error) {
	var it store.Item[store.Terminal]
	changed := false
	err := a.Store.Decide(ctx, func(tx store.Tx) (err error) {
		changed = false
		if it, err = store.Get[store.Terminal](tx, in.ID); err != nil {
			return err
		}
		name, moves := neat(in.Body.Name), in.Body.Space != it.Row.Space
		if name == it.Row.Name && !moves {
			return nil
		}
		if err := checkPlace(tx, it, name, in.Body.Space); err != nil {
			return err
		}
		e := audit.Entry{At: a.Now().UTC(), Actor: person(ctx).ID, Action: "terminal.renamed", Site: it.Site, Scope: in.Body.Space, Target: it.ID, Detail: name}
		if name != it.Row.Name {
			e.Detail = it.Row.Name + " → " + name
		}
		it.Row.Name = name
		if moves {
			e.Action = "terminal.moved"
			err = move(tx, it, in.Body.Space)
		} else {
			err = store.Put(tx, it)
		}
		if err != nil {
			return err
		}
		changed = true
		it, err = store.Get[store.Terminal](tx, in.ID)
		return errors.Join(err, audit.Append(tx, e))
	})
	if err != nil {
		return nil, a.fail(opPlaceTerminal, err)
	}
	if changed {
		a.publish(ctx, it.Site, "")
		a.Live.Greet(in.ID)
		a.Live.Changed(in.ID)
	}
	return answer(terminalCard(it)), nil
}

// checkPlace refuses a name that another terminal of the space has, and a space that
// is not there.
func checkPlace(tx store.Tx, it store.Item[store.Terminal], name, space string) error {
	s, err := store.Get[store.Space](tx, space)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	if err != nil || s.Site != it.Site || !s.Row.Closed.IsZero() {
		return unfit("body.space", "cet espace n’existe pas dans ce lieu")
	}
	if name == "" {
		return unfit("body.name", "donnez un nom au poste, par exemple « Poste 1 »")
	}
	for o, err := range store.Find[store.Terminal](tx, "space", space) {
		if err != nil {
			return err
		}
		if o.ID != it.ID && strings.EqualFold(o.Row.Name, name) && o.Row.State != store.StateRevoked {
			return unfit("body.name", "un poste de cet espace porte déjà ce nom")
		}
	}
	return nil
}

// move has a terminal stand in another space. Its rules are that space's from now on:
// they get a new version, and must be as sound as before.
func move(tx store.Tx, it store.Item[store.Terminal], space string) error {
	for _, layer := range []string{it.Row.Space, space} {
		if busy, err := running(tx, layer); err != nil {
			return err
		} else if busy {
			return newProblem(http.StatusConflict, "Un changement des règles de l’espace est en cours de déploiement. Attendez sa fin, ou décidez-en d’abord sur la page de ses règles.")
		}
	}
	was, _, err := origins(tx, place{site: it.Site, space: it.Row.Space, terminal: it.ID})
	if err != nil {
		return err
	}
	it.Row.Space, it.Scope = space, space
	if err := store.Put(tx, it); err != nil {
		return err
	}
	set, err := store.Get[store.Setting](tx, store.SettingController)
	if err != nil {
		return err
	}
	version := set.Row.NextPolicy()
	if err := store.Put(tx, set); err != nil {
		return err
	}
	if err := store.Update(tx, it.Site, func(s *store.Item[store.Site]) error { s.Row.Rules = version; return nil }); err != nil {
		return err
	}
	is, _, err := origins(tx, place{site: it.Site, space: space, terminal: it.ID})
	if err != nil {
		return err
	}
	before := was.Check()
	found := slices.DeleteFunc(is.Check(), func(f policy.Problem) bool { return slices.Contains(before, f) })
	if len(found) == 0 {
		return nil
	}
	return newProblem(http.StatusUnprocessableEntity, "Les règles propres à ce poste ne conviendraient pas avec celles de cet espace : changez-les d’abord.", wrong(found)...)
}
