package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

type awakeIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body AwakeRequest
}

// holdAwake asks each terminal of a space to stay awake: whoever opens the place for
// an evening sees no terminals, and knows the place. Each order is a command of its
// terminal's, with its own entry in the audit.
func (a *API) holdAwake(ctx context.Context, in *awakeIn) (*out[AwakeView], error) {
	var ids []string
	err := a.Store.View(ctx, func(tx store.Tx) error {
		ids = ids[:0]
		for it, err := range store.Find[store.Terminal](tx, "space", in.ID) {
			if err != nil {
				return err
			}
			ids = append(ids, it.ID)
		}
		return nil
	})
	if err != nil {
		return nil, a.fail(opAwake, err)
	}
	var v AwakeView
	o := Order{Kind: wire.CmdAwake, By: person(ctx).ID}
	if n := in.Body.Minutes; n > 0 {
		o.Until = a.Now().UTC().Add(time.Duration(n) * time.Minute).Truncate(time.Minute)
		v.Until = timed(o.Until)
	}
	for _, o.Terminal = range ids {
		switch _, err := a.Orders.Order(ctx, o); {
		case errors.Is(err, ErrRefused): // it is not in service: nobody misses it
			continue
		case err != nil: // those before are told; asking again does no harm
			return nil, a.fail(opAwake, err)
		}
		if live, _ := a.Live.Live(o.Terminal); live.Online {
			v.Told++
		} else {
			v.Away++
		}
	}
	if v.Told+v.Away == 0 {
		return nil, newProblem(http.StatusConflict, "Aucun poste de cet espace n’est en service.")
	}
	return answer(v), nil
}
