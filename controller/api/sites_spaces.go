package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"borne/controller/audit"
	"borne/controller/store"
)

type spaceIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body SpaceRequest
}

type spacePutIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body SpaceRequest
}

type spaceOut struct {
	ETag string `header:"ETag"`
	Body SpaceCard
}

// spaceRow reads a request about a space of a site.
func spaceRow(tx store.Tx, site, id string, was store.Space, r SpaceRequest) (store.Space, error) {
	was.Name, was.Contact = neat(r.Name), neat(r.Contact)
	if n := len([]rune(was.Name)); n < 2 || n > 80 {
		return was, unfit("body.name", "donnez à l’espace un nom de 2 à 80 lettres, par exemple « Hall »")
	}
	for o, err := range store.List[store.Space](tx, "", "", false) {
		if err != nil {
			return was, err
		}
		if o.Site == site && o.ID != id && o.Row.Closed.IsZero() && strings.EqualFold(o.Row.Name, was.Name) {
			return was, unfit("body.name", "un espace de ce lieu porte déjà ce nom")
		}
	}
	return was, nil
}

// MakeSpace makes a space of a site, and records who asked for it.
func MakeSpace(tx store.Tx, site string, r SpaceRequest, by string, now time.Time) (id string, row store.Space, err error) {
	s, err := store.Get[store.Site](tx, site)
	if err != nil {
		return "", row, err
	}
	if !s.Row.Closed.IsZero() {
		return "", row, errClosed()
	}
	id = newID()
	if row, err = spaceRow(tx, site, id, row, r); err != nil {
		return "", row, err
	}
	if err = store.Put(tx, store.Item[store.Space]{Meta: store.Meta{ID: id, Site: site, Scope: id}, Row: row}); err != nil {
		return "", row, err
	}
	return id, row, audit.Append(tx, audit.Entry{At: now.UTC(), Actor: by, Action: "space.created", Site: site, Scope: id, Target: id, Detail: row.Name})
}

func errClosed() *problem {
	return newProblem(http.StatusConflict, "Ce lieu est fermé. Rouvrez-le d’abord.")
}

func (a *API) createSpace(ctx context.Context, in *spaceIn) (*spaceOut, error) {
	var id string
	err := a.Store.Decide(ctx, func(tx store.Tx) (err error) {
		id, _, err = MakeSpace(tx, in.ID, in.Body, person(ctx).ID, a.Now())
		return err
	})
	return a.oneSpace(ctx, opCreateSpace, id, err)
}

func (a *API) oneSpace(ctx context.Context, op, id string, err error) (*spaceOut, error) {
	var it store.Item[store.Space]
	if err == nil {
		err = a.Store.View(ctx, func(tx store.Tx) (err error) { it, err = store.Get[store.Space](tx, id); return err })
	}
	if errors.Is(err, store.ErrConflict) {
		err = staleOf("cet espace")
	}
	if err != nil {
		return nil, a.fail(op, err)
	}
	return &spaceOut{etag(it.Rev), spaceCard(it)}, nil
}

func (a *API) putSpace(ctx context.Context, in *spacePutIn) (*spaceOut, error) {
	rev, err := revOf(ctx)
	if err != nil {
		return nil, err
	}
	err = a.Store.Decide(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.Space](tx, in.ID)
		if err != nil {
			return err
		}
		if it.Rev != rev {
			return errStale(ctx)
		}
		row, err := spaceRow(tx, it.Site, in.ID, it.Row, in.Body)
		if err != nil || row == it.Row {
			return err
		}
		it.Row = row
		if err := store.Put(tx, it); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: a.Now().UTC(), Actor: person(ctx).ID, Action: "space.changed", Site: it.Site, Scope: it.ID, Target: it.ID, Detail: row.Name})
	})
	if err == nil {
		err = a.greet(ctx, siteOf(ctx))
	}
	return a.oneSpace(ctx, opPutSpaceCard, in.ID, err)
}

func (a *API) closeSpace(ctx context.Context, in *closedIn) (*spaceOut, error) {
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.Space](tx, in.ID)
		if err != nil || in.Body.Closed == !it.Row.Closed.IsZero() {
			return err
		}
		action := "space.opened"
		it.Row.Closed = time.Time{}
		if in.Body.Closed {
			if err := vacate(tx, it.Site, in.ID); err != nil {
				return err
			}
			it.Row.Closed, action = a.Now().UTC(), "space.closed"
		} else if _, err := spaceRow(tx, it.Site, in.ID, it.Row, SpaceRequest{Name: it.Row.Name, Contact: it.Row.Contact}); err != nil {
			return err
		}
		if err := store.Put(tx, it); err != nil {
			return err
		}
		return audit.Append(tx, audit.Entry{At: a.Now().UTC(), Actor: person(ctx).ID, Action: action, Site: it.Site, Scope: it.ID, Target: it.ID, Detail: it.Row.Name})
	})
	return a.oneSpace(ctx, opCloseSpace, in.ID, err)
}
