package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"borne/controller/compliance"
	"borne/controller/policy"
	"borne/controller/store"
)

// sectionPIN is the PIN's part of a layer. It is set by an operation of its own, by
// other people than the rest, and no answer has it.
const sectionPIN = "pin"

// AtTerminal begins the actor of a deed at a terminal's own menu: the function of
// the badge, or that it was the PIN, follows.
const AtTerminal = "staff/"

// PINView tells whether staff have a PIN at a place's terminals. It tells nothing of it.
type PINView struct {
	Set  bool       `json:"set" doc:"There is one, here or above"`
	Own  bool       `json:"own" doc:"This place says so itself"`
	From string     `json:"from,omitempty" enum:"global,site,space,terminal" doc:"Whose PIN it is"`
	At   *time.Time `json:"at,omitempty" doc:"Since when"`
}

// PINRequest sets, takes away or inherits a PIN.
type PINRequest struct {
	What string `json:"what" enum:"set,none,inherit"`
	PIN  string `json:"pin,omitempty" maxLength:"12" doc:"With set: 6 to 12 digits"`
}

type pinIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body PINRequest
}

func (a *API) sitePIN(ctx context.Context, in *byID) (*out[PINView], error) {
	return a.readPIN(ctx, opSitePIN, place{site: in.ID})
}

func (a *API) spacePIN(ctx context.Context, in *byID) (*out[PINView], error) {
	return a.readPIN(ctx, opSpacePIN, place{site: siteOf(ctx), space: in.ID})
}

func (a *API) terminalPIN(ctx context.Context, in *byID) (*out[PINView], error) {
	return a.readPIN(ctx, opTerminalPIN, place{site: siteOf(ctx), terminal: in.ID})
}

func (a *API) putSitePIN(ctx context.Context, in *pinIn) (*out[PINView], error) {
	return a.writePIN(ctx, opPutSitePIN, in.Body, place{site: in.ID})
}

func (a *API) putSpacePIN(ctx context.Context, in *pinIn) (*out[PINView], error) {
	return a.writePIN(ctx, opPutSpacePIN, in.Body, place{site: siteOf(ctx), space: in.ID})
}

func (a *API) putTerminalPIN(ctx context.Context, in *pinIn) (*out[PINView], error) {
	return a.writePIN(ctx, opPutTerminalPIN, in.Body, place{site: siteOf(ctx), terminal: in.ID})
}

func (a *API) readPIN(ctx context.Context, op string, at place) (*out[PINView], error) {
	var v PINView
	err := a.Store.View(ctx, func(tx store.Tx) error {
		at, err := at.find(tx)
		if err != nil {
			return err
		}
		v = PINView{}
		p, from, err := compliance.Origins(tx, store.Item[store.Terminal]{Meta: store.Meta{ID: at.terminal, Site: at.site}, Row: store.Terminal{Space: at.space}})
		if err != nil {
			return err
		}
		if v.Set = p.PIN.There(); v.Set {
			v.From, v.At = from[sectionPIN+".hash"], timed(p.PIN.Set)
		}
		row, err := store.Get[store.PolicyRow](tx, at.id())
		if err == nil {
			v.Own = section(row.Row.Doc, sectionPIN) != nil
		} else if !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return nil
	})
	if err != nil {
		return nil, a.fail(op, err)
	}
	return answer(v), nil
}

func (a *API) writePIN(ctx context.Context, op string, r PINRequest, at place) (*out[PINView], error) {
	var raw json.RawMessage
	var err error
	switch {
	case (r.What == "set") != (r.PIN != ""):
		return nil, wrongPIN("donnez un code avec « set », et seulement alors")
	case r.What == "set":
		if policy.CheckPIN(r.PIN) != nil {
			return nil, wrongPIN("de 6 à 12 chiffres, et pas une suite comme 123456 ou 000000 : tout le monde les essaie d’abord")
		}
		salt := make([]byte, 16)
		rand.Read(salt) // never fails since Go 1.24
		p, err := policy.HashPIN(r.PIN, salt, a.Now())
		if err != nil {
			return nil, a.fail(op, err)
		}
		raw, err = json.Marshal(p)
		if err != nil {
			return nil, a.fail(op, err)
		}
	case r.What == "none":
		if raw, err = json.Marshal(policy.PIN{Set: a.Now().UTC()}); err != nil {
			return nil, a.fail(op, err)
		}
	}
	_, err = a.changeLayer(ctx, op, change{place: at, pin: true, next: func(_ store.Tx, was json.RawMessage) (map[string]json.RawMessage, error) {
		all := map[string]json.RawMessage{}
		if err := json.Unmarshal(was, &all); err != nil {
			return nil, err
		}
		if delete(all, sectionPIN); raw != nil {
			all[sectionPIN] = raw
		}
		return all, nil
	}})
	if err != nil {
		return nil, err
	}
	return a.readPIN(ctx, op, at)
}

func wrongPIN(why string) *problem {
	return newProblem(http.StatusUnprocessableEntity, "Ce code ne convient pas.", field{"body.pin", why})
}

// keepPIN leaves the PIN of a layer as it is.
func keepPIN(next map[string]json.RawMessage, was json.RawMessage) {
	if delete(next, sectionPIN); section(was, sectionPIN) != nil {
		next[sectionPIN] = section(was, sectionPIN)
	}
}
