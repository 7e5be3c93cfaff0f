package api

import (
	"context"
	"encoding/hex"
	"errors"
	"net/http"
	"time"

	"borne/controller/accounts"
	"borne/controller/passkeys"
	"borne/controller/store"
)

// PasskeyView is one passkey of the person's.
type PasskeyView struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Created time.Time  `json:"created"`
	Used    *time.Time `json:"used,omitempty" doc:"When it last let them in"`
}

// PasskeyList are the person's passkeys.
type PasskeyList struct {
	Passkeys []PasskeyView `json:"passkeys"`
	Possible bool          `json:"possible" doc:"One can be added: this controller knows its own address"`
	Recent   bool          `json:"recent" doc:"The person logged in a short while ago, and may add or remove one"`
}

// PasskeyAsk is what the browser is asked: the options of WebAuthn, as JSON.
type PasskeyAsk struct {
	Options string `json:"options"`
}

// PasskeyAnswer is what the browser answered, as JSON.
type PasskeyAnswer struct {
	Response string `json:"response" minLength:"2" maxLength:"16384"`
}

// PasskeyRequest adds a passkey.
type PasskeyRequest struct {
	Name     string `json:"name" minLength:"1" maxLength:"60"`
	Response string `json:"response" minLength:"2" maxLength:"16384"`
}

// PasskeyName renames one.
type PasskeyName struct {
	Name string `json:"name" minLength:"1" maxLength:"60"`
}

// recently is how young a session must be to change what opens the account: a
// computer that was left open must not become somebody else's way in.
const recently = 30 * time.Minute

type askOut struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      PasskeyAsk
}

type passkeyLoginIn struct {
	Plain  string `cookie:"borne-passkey"`
	Secure string `cookie:"__Host-borne-passkey"`
	Body   PasskeyAnswer
}

type passkeyAddIn struct {
	Plain  string `cookie:"borne-passkey"`
	Secure string `cookie:"__Host-borne-passkey"`
	Body   PasskeyRequest
}

type passkeyIn struct {
	Key string `path:"key" maxLength:"2048"`
}

type passkeyNameIn struct {
	Key  string `path:"key" maxLength:"2048"`
	Body PasskeyName
}

type sessionOut struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      Me
}

type addedOut struct {
	SetCookie []http.Cookie `header:"Set-Cookie"`
	Body      PasskeyList
}

func errNoPasskeys() *problem {
	return newProblem(http.StatusNotFound, "Les clés d’accès demandent que l’adresse de la console soit écrite dans sa configuration (console.url).")
}

func errPasskey() *problem {
	return newProblem(http.StatusUnauthorized, "Cette clé d’accès n’ouvre aucun compte ici, ou la demande a expiré. Réessayez, ou demandez un lien de connexion.")
}

func errRate() *problem {
	return &problem{Status: http.StatusTooManyRequests, Detail: "Trop d’essais. Attendez une minute, puis réessayez.", header: http.Header{"Retry-After": {"60"}}}
}

func errNotRecent() *problem {
	return newProblem(http.StatusForbidden, "Pour changer ce qui ouvre votre compte, déconnectez-vous et connectez-vous de nouveau : il faut l’avoir fait depuis moins de 30 minutes.")
}

func (a *API) askLogin(context.Context, *nothing) (*askOut, error) {
	if a.Passkeys == nil {
		return nil, errNoPasskeys()
	}
	options, pending, err := a.Passkeys.BeginLogin()
	if err != nil {
		return nil, a.fail(opAskPasskey, err)
	}
	return a.ask(opAskPasskey, "passkey-login", options, pending)
}

func (a *API) ask(op, purpose string, options []byte, v any) (*askOut, error) {
	ticket, err := a.tickets.seal(purpose, v)
	if err != nil {
		return nil, a.fail(op, err)
	}
	return &askOut{SetCookie: []http.Cookie{a.step("passkey", ticket)}, Body: PasskeyAsk{Options: string(options)}}, nil
}

func (a *API) loginPasskey(ctx context.Context, in *passkeyLoginIn) (*sessionOut, error) {
	if a.Passkeys == nil {
		return nil, errNoPasskeys()
	}
	value, p, err := a.admitPasskey(ctx, in)
	switch {
	case errors.Is(err, accounts.ErrUnknown), errors.Is(err, passkeys.ErrRefused), errors.Is(err, errTicket):
		a.Log.Warn("no login by passkey", "error", err)
		if a.Accounts.Failed(address(ctx)) {
			return nil, errRate()
		}
		return nil, errPasskey()
	case err != nil:
		return nil, a.fail(opPasskey, err)
	}
	return &sessionOut{SetCookie: []http.Cookie{a.step("passkey", ""), a.cookie(value, 0)}, Body: a.meOf(p)}, nil
}

func (a *API) admitPasskey(ctx context.Context, in *passkeyLoginIn) (cookie string, p accounts.Person, err error) {
	var pending passkeys.Pending
	spend, err := a.tickets.open("passkey-login", a.ticket(in.Plain, in.Secure), &pending)
	if err != nil {
		return "", p, err
	}
	var was store.Item[store.Passkey]
	_, key, err := a.Passkeys.FinishLogin(pending, []byte(in.Body.Response), func(key []byte, owner string) (passkeys.Owner, error) {
		it, name, err := a.Accounts.Passkey(ctx, key)
		if err == nil && it.Row.User != owner {
			err = accounts.ErrUnknown
		}
		was = it
		return passkeys.Owner{ID: it.Row.User, Name: name, Keys: []passkeys.Key{{ID: key, Doc: it.Row.Doc}}}, err
	})
	if err != nil {
		return "", p, err
	}
	if !spend() {
		return "", p, errTicket
	}
	return a.Accounts.LoginPasskey(ctx, was, key.Doc, address(ctx))
}

func (a *API) recent(p accounts.Person) bool { return a.Now().Sub(p.Since) < recently }

func (a *API) passkeyList(ctx context.Context) (v PasskeyList, err error) {
	p := person(ctx)
	v = PasskeyList{Passkeys: []PasskeyView{}, Possible: a.Passkeys != nil, Recent: a.recent(p)}
	all, err := a.Accounts.Passkeys(ctx, p.ID)
	for _, k := range all {
		v.Passkeys = append(v.Passkeys, PasskeyView{ID: k.ID, Name: k.Row.Name, Created: k.Row.Created, Used: timed(k.Row.Used)})
	}
	return v, err
}

func (a *API) myPasskeys(ctx context.Context, _ *nothing) (*out[PasskeyList], error) {
	v, err := a.passkeyList(ctx)
	if err != nil {
		return nil, a.fail(opPasskeys, err)
	}
	return answer(v), nil
}

// adding is what a ticket for a new passkey holds: whose it becomes.
type adding struct {
	User    string           `json:"u"`
	Pending passkeys.Pending `json:"p"`
}

func (a *API) owner(ctx context.Context) (o passkeys.Owner, err error) {
	p := person(ctx)
	o = passkeys.Owner{ID: p.ID, Name: p.Name}
	all, err := a.Accounts.Passkeys(ctx, p.ID)
	for _, k := range all {
		id, err := hex.DecodeString(k.ID)
		if err != nil {
			return o, err
		}
		o.Keys = append(o.Keys, passkeys.Key{ID: id, Doc: k.Row.Doc})
	}
	return o, err
}

func (a *API) askNewPasskey(ctx context.Context, _ *nothing) (*askOut, error) {
	switch {
	case a.Passkeys == nil:
		return nil, errNoPasskeys()
	case !a.recent(person(ctx)):
		return nil, errNotRecent()
	}
	o, err := a.owner(ctx)
	if err != nil {
		return nil, a.fail(opAskNewPasskey, err)
	}
	options, pending, err := a.Passkeys.BeginAdd(o)
	if err != nil {
		return nil, a.fail(opAskNewPasskey, err)
	}
	return a.ask(opAskNewPasskey, "passkey-add", options, adding{User: o.ID, Pending: pending})
}

func (a *API) addPasskey(ctx context.Context, in *passkeyAddIn) (*addedOut, error) {
	switch {
	case a.Passkeys == nil:
		return nil, errNoPasskeys()
	case !a.recent(person(ctx)):
		return nil, errNotRecent()
	}
	var t adding
	spend, err := a.tickets.open("passkey-add", a.ticket(in.Plain, in.Secure), &t)
	if err != nil || t.User != person(ctx).ID {
		return nil, newProblem(http.StatusConflict, "Cette demande a expiré. Recommencez l’ajout de la clé d’accès.")
	}
	o, err := a.owner(ctx)
	if err != nil {
		return nil, a.fail(opAddPasskey, err)
	}
	k, err := a.Passkeys.FinishAdd(o, t.Pending, []byte(in.Body.Response))
	if errors.Is(err, passkeys.ErrRefused) {
		a.Log.Warn("a passkey is refused", "error", err)
		return nil, newProblem(http.StatusUnprocessableEntity, "Votre appareil n’a pas donné de clé d’accès utilisable : elle doit s’ouvrir par un code, une empreinte ou un visage.")
	}
	if err != nil {
		return nil, a.fail(opAddPasskey, err)
	}
	if !spend() {
		return nil, newProblem(http.StatusConflict, "Cette demande a déjà servi. Recommencez l’ajout de la clé d’accès.")
	}
	err = a.Accounts.AddPasskey(ctx, o.ID, k.ID, in.Body.Name, k.Doc)
	switch {
	case errors.Is(err, accounts.ErrMany):
		return nil, newProblem(http.StatusConflict, "Vous avez déjà vingt clés d’accès. Supprimez-en une d’abord.")
	case errors.Is(err, store.ErrConflict):
		return nil, newProblem(http.StatusConflict, "Cette clé d’accès est déjà enregistrée.")
	case err != nil:
		return nil, a.fail(opAddPasskey, err)
	}
	v, err := a.passkeyList(ctx)
	if err != nil {
		return nil, a.fail(opAddPasskey, err)
	}
	return &addedOut{SetCookie: []http.Cookie{a.step("passkey", "")}, Body: v}, nil
}

func (a *API) renamePasskey(ctx context.Context, in *passkeyNameIn) (*out[PasskeyList], error) {
	if err := a.Accounts.RenamePasskey(ctx, person(ctx).ID, in.Key, in.Body.Name); err != nil {
		return nil, a.fail(opNamePasskey, err)
	}
	return a.myPasskeys(ctx, nil)
}

func (a *API) removePasskey(ctx context.Context, in *passkeyIn) (*out[PasskeyList], error) {
	if !a.recent(person(ctx)) {
		return nil, errNotRecent()
	}
	err := a.Accounts.RemovePasskey(ctx, person(ctx).ID, in.Key, person(ctx).Login)
	if errors.Is(err, accounts.ErrLastWay) {
		return nil, newProblem(http.StatusConflict, "C’est votre seule façon d’entrer : sans elle il faudrait demander un lien. Ajoutez d’abord une autre clé d’accès.")
	}
	if err != nil {
		return nil, a.fail(opDropPasskey, err)
	}
	return a.myPasskeys(ctx, nil)
}
