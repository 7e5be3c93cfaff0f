package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"borne/controller/accounts"
	"borne/controller/directory"
	"borne/controller/ldap"
	"borne/controller/store"
)

// Staff is the Département's directory: which of these logins are staff.
type Staff interface {
	Staff(ctx context.Context, logins []string) (map[string]bool, error)
}

// vouched refuses a badge of staff for whom the directory does not name. It is asked
// before anything is decided: no decision waits for a network.
func (a *API) vouched(ctx context.Context, login string) error {
	p := person(ctx)
	switch {
	case p.Role != accounts.Administrator && p.Role != accounts.Correspondant:
		return errForbidden()
	case a.Staff == nil:
		return newProblem(http.StatusConflict, "Aucun annuaire du Département n’est configuré : les badges d’agents se suivent par lui.")
	case !ldap.ValidLogin(login):
		return unfit("body.login", "écrivez l’identifiant de l’agent, tel que l’annuaire du Département le connaît")
	}
	named, err := a.Staff.Staff(ctx, []string{login})
	if errors.Is(err, ldap.ErrUnavailable) {
		a.Log.Error("cannot ask the directory about a member of staff", "error", err)
		return newProblem(http.StatusServiceUnavailable, "L’annuaire du Département ne répond pas : réessayez dans quelques minutes.")
	}
	if err != nil {
		return a.fail(opBadgeWindow, err)
	}
	if !named[login] {
		return unfit("body.login", "l’annuaire du Département ne connaît pas d’agent de ce nom dans le groupe prévu")
	}
	return nil
}

// staffBadges lists those of the sites that a person sees, by login.
func staffBadges(at *places, who accounts.Person, a *API) ([]StaffBadgeView, error) {
	list := []StaffBadgeView{}
	if who.Role != accounts.Administrator && who.Role != accounts.Correspondant {
		return list, nil
	}
	all, err := directory.StaffBadges(at.tx)
	if err != nil {
		return nil, err
	}
	for _, it := range all {
		if !who.Sees(it.Site) {
			continue
		}
		name, err := at.site(it.Site)
		if err != nil {
			return nil, err
		}
		list = append(list, StaffBadgeView{ID: it.ID, Login: it.Row.Login, Site: it.Site, SiteName: name, Asked: it.Row.Good, Valid: directory.HasRight(it.Row, a.Now())})
	}
	slices.SortFunc(list, func(x, y StaffBadgeView) int { return strings.Compare(x.Login+x.SiteName, y.Login+y.SiteName) })
	return list, nil
}

type staffIn struct {
	ID    string `path:"id" maxLength:"200"`
	Badge string `path:"badge" maxLength:"40"`
}

func (a *API) dropStaff(ctx context.Context, in *staffIn) (*nothing, error) {
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.StaffBadge](tx, in.Badge)
		if err != nil {
			return err
		}
		if it.Site != in.ID {
			return errNotFound()
		}
		return a.Directory.DropStaff(tx, it, person(ctx).ID)
	})
	return nil, a.fail(opDropStaff, err)
}
