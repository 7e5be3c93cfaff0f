package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"borne/controller/audit"
	"borne/controller/store"
)

// maxHooks bounds how many systems are told.
const maxHooks = 10

// HookView is another system that is told of what is to be seen to.
type HookView struct {
	ID      string     `json:"id"`
	Rev     string     `json:"rev" doc:"Between quotes, the If-Match of a change"`
	Name    string     `json:"name"`
	Address string     `json:"address"`
	On      bool       `json:"on"`
	Level   string     `json:"level" enum:"urgent,soon,notice" doc:"The least urgent"`
	Sites   []string   `json:"sites" doc:"Ids; empty for all"`
	Night   bool       `json:"night" doc:"Urgent ones at any hour; the others wait until the place opens"`
	Sent    *time.Time `json:"sent,omitempty" doc:"When it took a post last"`
	Failed  *time.Time `json:"failed,omitempty" doc:"When it did not take the last one"`
	Error   string     `json:"error,omitempty" doc:"Why, in French"`
	Waiting int        `json:"waiting" doc:"Posts that wait for it; each is tried for a day"`
	Key     string     `json:"key,omitempty" doc:"What its posts are signed with (HMAC-SHA-256 of time, dot and body, in Borne-Signature): told when it is made, and never again"`
}

// HookList are all of them.
type HookList struct {
	Hooks []HookView `json:"hooks"`
}

// HookRequest makes or changes one.
type HookRequest struct {
	Name    string   `json:"name" minLength:"1" maxLength:"60"`
	Address string   `json:"address" minLength:"1" maxLength:"1000" doc:"Starts with https://"`
	On      bool     `json:"on"`
	Level   string   `json:"level" enum:"urgent,soon,notice"`
	Sites   []string `json:"sites" maxItems:"500"`
	Night   bool     `json:"night"`
}

type hookBody struct{ Body HookRequest }

type hookID struct {
	Hook string `path:"hook" maxLength:"64"`
}

type hookIn struct {
	Hook string `path:"hook" maxLength:"64"`
	Body HookRequest
}

func hookView(tx store.Tx, h store.Item[store.Hook]) (HookView, error) {
	r := h.Row
	v := HookView{ID: h.ID, Rev: hookTag(h.Row), Name: r.Name, Address: r.Address, On: r.On, Level: r.Level, Sites: list(r.Sites), Night: r.Night, Sent: timed(r.Sent), Failed: timed(r.Failed), Error: r.Error}
	for _, err := range store.Find[store.HookPost](tx, "hook", h.ID) {
		if err != nil {
			return v, err
		}
		v.Waiting++
	}
	return v, nil
}

func (a *API) hooks(ctx context.Context, _ *nothing) (*out[HookList], error) {
	var all HookList
	err := a.Store.View(ctx, func(tx store.Tx) error {
		all.Hooks = []HookView{}
		for h, err := range store.List[store.Hook](tx, "", "", false) {
			if err != nil {
				return err
			}
			v, err := hookView(tx, h)
			if err != nil {
				return err
			}
			all.Hooks = append(all.Hooks, v)
		}
		slices.SortFunc(all.Hooks, func(x, y HookView) int { return strings.Compare(x.Name+x.ID, y.Name+y.ID) })
		return nil
	})
	if err != nil {
		return nil, a.fail(opHooks, err)
	}
	return answer(all), nil
}

// fill puts what was asked for into a row. The audit says which system, not where:
// some have their password in the address.
func (a *API) fill(ctx context.Context, tx store.Tx, h *store.Item[store.Hook], in HookRequest, action string) error {
	name := strings.TrimSpace(in.Name)
	if name == "" {
		return invalid("body.name", "donnez-lui un nom")
	}
	address := strings.TrimSpace(in.Address)
	if err := a.Hooks.CheckHook(address); err != nil {
		var said interface{ French() string }
		if errors.As(err, &said) {
			return invalid("body.address", said.French())
		}
		return err
	}
	for _, id := range in.Sites {
		if _, err := store.Get[store.Site](tx, id); errors.Is(err, store.ErrNotFound) {
			return invalid("body.sites", "un de ces lieux n’existe pas")
		} else if err != nil {
			return err
		}
	}
	sites := slices.Clone(in.Sites)
	slices.Sort(sites)
	r := &h.Row
	if r.Address != address {
		r.Error, r.Failed, r.Sent = "", time.Time{}, time.Time{}
	}
	r.Name, r.Address, r.On, r.Level, r.Sites, r.Night = name, address, in.On, in.Level, slices.Compact(sites), in.Night
	r.By, r.Changed = person(ctx).ID, a.Now().UTC()
	if err := store.Put(tx, *h); err != nil {
		return err
	}
	return a.hookDone(ctx, tx, *h, action)
}

func (a *API) hookDone(ctx context.Context, tx store.Tx, h store.Item[store.Hook], action string) error {
	return audit.Append(tx, audit.Entry{At: a.Now(), Actor: person(ctx).ID, Action: action, Target: h.ID, Detail: h.Row.Name})
}

// changeHook changes one row and answers what it is then.
func (a *API) changeHook(ctx context.Context, op, id string, change func(store.Tx, *store.Item[store.Hook]) error) (*out[HookView], error) {
	var v HookView
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		h, err := store.Get[store.Hook](tx, id)
		if err != nil {
			return err
		}
		if err := change(tx, &h); err != nil {
			return err
		}
		if h, err = store.Get[store.Hook](tx, id); err != nil {
			return err
		}
		v, err = hookView(tx, h)
		return err
	})
	if err != nil {
		return nil, a.fail(op, err)
	}
	return answer(v), nil
}

func (a *API) addHook(ctx context.Context, in *hookBody) (*out[HookView], error) {
	var v HookView
	id := newID()
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		n := 0
		for _, err := range store.List[store.Hook](tx, "", "", false) {
			if err != nil {
				return err
			}
			n++
		}
		if n >= maxHooks {
			return newProblem(http.StatusConflict, "Dix systèmes sont déjà prévenus. Supprimez-en un d’abord.")
		}
		h := store.Item[store.Hook]{Meta: store.Meta{ID: id}}
		if err := a.fill(ctx, tx, &h, in.Body, "hook.added"); err != nil {
			return err
		}
		var err error
		v, err = hookView(tx, h)
		return err
	})
	if err != nil {
		return nil, a.fail(opAddHook, err)
	}
	v.Key = a.Hooks.HookKey(id, 0)
	return answer(v), nil
}

// hookTag is the version of what people set: its row says also what was sent.
func hookTag(h store.Hook) string {
	return tagOf(HookRequest{h.Name, h.Address, h.On, h.Level, list(h.Sites), h.Night})
}

func (a *API) putHook(ctx context.Context, in *hookIn) (*out[HookView], error) {
	return a.changeHook(ctx, opPutHook, in.Hook, func(tx store.Tx, h *store.Item[store.Hook]) error {
		if err := matches(ctx, hookTag(h.Row)); err != nil {
			return err
		}
		return a.fill(ctx, tx, h, in.Body, "hook.changed")
	})
}

func (a *API) renewHookKey(ctx context.Context, in *hookID) (*out[HookView], error) {
	turn := 0
	v, err := a.changeHook(ctx, opHookKey, in.Hook, func(tx store.Tx, h *store.Item[store.Hook]) error {
		h.Row.Turn++
		turn, h.Row.By, h.Row.Changed = h.Row.Turn, person(ctx).ID, a.Now().UTC()
		if err := store.Put(tx, *h); err != nil {
			return err
		}
		return a.hookDone(ctx, tx, *h, "hook.key")
	})
	if err != nil {
		return nil, err
	}
	v.Body.Key = a.Hooks.HookKey(in.Hook, turn)
	return v, nil
}

func (a *API) tryHook(ctx context.Context, in *hookID) (*out[HookView], error) {
	return a.changeHook(ctx, opTryHook, in.Hook, func(tx store.Tx, h *store.Item[store.Hook]) error {
		for p, err := range store.Find[store.HookPost](tx, "hook", h.ID) {
			if err != nil {
				return err
			}
			if p.Row.Test {
				return nil // it is on its way
			}
		}
		return a.Hooks.TryHook(tx, h.ID)
	})
}

func (a *API) dropHook(ctx context.Context, in *hookID) (*nothing, error) {
	err := a.Store.Decide(ctx, func(tx store.Tx) error {
		h, err := store.Get[store.Hook](tx, in.Hook)
		if err != nil {
			return err
		}
		var posts []string
		for p, err := range store.Find[store.HookPost](tx, "hook", h.ID) {
			if err != nil {
				return err
			}
			posts = append(posts, p.ID)
		}
		for _, id := range posts {
			if err := tx.Delete(store.KindHookPost, id); err != nil {
				return err
			}
		}
		if err := tx.Delete(store.KindHook, h.ID); err != nil {
			return err
		}
		return a.hookDone(ctx, tx, h, "hook.removed")
	})
	return nil, a.fail(opDropHook, err)
}
