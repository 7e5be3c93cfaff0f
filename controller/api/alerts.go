package api

import (
	"context"
	"errors"
	"slices"

	"borne/controller/store"
)

// AlertsView is what the person wants to be told of by mail.
type AlertsView struct {
	On    bool     `json:"on"`
	Level string   `json:"level" enum:"urgent,soon,notice" doc:"The least urgent"`
	Sites []string `json:"sites" doc:"Ids; empty for all that the person sees"`
	Night bool     `json:"night" doc:"Urgent ones at any hour; the others wait until the place opens"`
	Email string   `json:"email,omitempty" doc:"Where to; empty when the account has no address"`
	Mails bool     `json:"mails" doc:"A mail server is configured"`
}

// AlertsRequest changes it.
type AlertsRequest struct {
	On    bool     `json:"on"`
	Level string   `json:"level" enum:"urgent,soon,notice"`
	Sites []string `json:"sites" maxItems:"500"`
	Night bool     `json:"night"`
}

type alertsIn struct{ Body AlertsRequest }

func (a *API) alertsOf(tx store.Tx, user string) (AlertsView, store.Item[store.Watch], error) {
	w, err := store.Get[store.Watch](tx, user)
	if errors.Is(err, store.ErrNotFound) {
		w, err = store.Item[store.Watch]{Meta: store.Meta{ID: user}, Row: store.Watch{Level: "soon"}}, nil
	}
	if err != nil {
		return AlertsView{}, w, err
	}
	u, err := store.Get[store.User](tx, user)
	return AlertsView{On: w.Row.On, Level: w.Row.Level, Sites: list(w.Row.Sites), Night: w.Row.Night, Email: u.Row.Email, Mails: a.Mails}, w, err
}

func (a *API) myAlerts(ctx context.Context, _ *nothing) (*out[AlertsView], error) {
	var v AlertsView
	err := a.Store.View(ctx, func(tx store.Tx) (err error) {
		v, _, err = a.alertsOf(tx, person(ctx).ID)
		return err
	})
	if err != nil {
		return nil, a.fail(opAlerts, err)
	}
	return answer(v), nil
}

func (a *API) putAlerts(ctx context.Context, in *alertsIn) (*out[AlertsView], error) {
	who := person(ctx)
	var v AlertsView
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		now, w, err := a.alertsOf(tx, who.ID)
		if err != nil {
			return err
		}
		if in.Body.On && now.Email == "" {
			return invalid("body.on", "votre compte n’a pas d’adresse : demandez à un administrateur de l’ajouter")
		}
		for _, id := range in.Body.Sites {
			if _, err := store.Get[store.Site](tx, id); errors.Is(err, store.ErrNotFound) || err == nil && !who.Sees(id) {
				return invalid("body.sites", "un de ces lieux n’existe pas, ou n’est pas à vous")
			} else if err != nil {
				return err
			}
		}
		sites := slices.Clone(in.Body.Sites)
		slices.Sort(sites)
		w.Row = store.Watch{On: in.Body.On, Level: in.Body.Level, Sites: slices.Compact(sites), Night: in.Body.Night, Changed: a.Now().UTC()}
		if err := store.Put(tx, w); err != nil {
			return err
		}
		v, _, err = a.alertsOf(tx, who.ID)
		return err
	})
	if err != nil {
		return nil, a.fail(opPutAlerts, err)
	}
	return answer(v), nil
}
