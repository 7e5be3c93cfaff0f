package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"time"

	"borne/controller/accounts"
	outbox "borne/controller/mail"
	"borne/controller/policy"
	"borne/controller/store"
)

// How long a link for somebody else works: one that is mailed waits to be read.
const (
	mailedFor = 72 * time.Hour
	shownFor  = time.Hour
)

type peopleIn struct {
	Before string `query:"before" maxLength:"200" doc:"Next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"100"`
}

type inviteIn struct{ Body InviteRequest }

type accountPutIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body AccountRequest
}

type accountDropIn struct {
	ID string `path:"id" maxLength:"200"`
}

type accountLinkIn struct {
	ID   string `path:"id" maxLength:"200"`
	Body LinkRequest
}

type accountOut struct {
	ETag string `header:"ETag"`
	Body AccountView
}

func (a *API) people(ctx context.Context, in *peopleIn) (*out[AccountsView], error) {
	v := AccountsView{Mails: a.Mails, Recent: a.recent(person(ctx))}
	if a.Provider != nil {
		v.Provider = a.ProviderName
	}
	err := a.Store.View(ctx, func(tx store.Tx) error {
		v.Accounts, v.Next = []AccountView{}, ""
		return paged(store.List[store.User](tx, "", in.Before, true), in.Limit, &v.Next, func(it store.Item[store.User]) error {
			one, err := a.accountView(tx, it, person(ctx))
			v.Accounts = append(v.Accounts, one)
			return err
		})
	})
	if err != nil {
		return nil, a.fail(opPeople, err)
	}
	return answer(v), nil
}

func (a *API) accountView(tx store.Tx, it store.Item[store.User], me accounts.Person) (AccountView, error) {
	u := it.Row
	v := AccountView{ID: it.ID, Rev: it.Rev, Name: u.Name, Email: u.Email, Role: u.Role, All: len(u.Sites)+len(u.Groups) == 0, Suspended: u.Disabled, Created: u.Created, LastLogin: timed(u.LastSeen), Me: it.ID == me.ID}
	var err error
	if v.Sites, v.Groups, err = scopeView(tx, u.Sites, u.Groups); err != nil {
		return v, err
	}
	for _, err := range store.Find[store.Passkey](tx, "user", it.ID) {
		if err != nil {
			return v, err
		}
		v.Passkeys++
	}
	for _, err := range store.Find[store.Identity](tx, "user", it.ID) {
		if err != nil {
			return v, err
		}
		v.Provider = true
	}
	until, err := accounts.LinkUntil(tx, it.ID, a.Now())
	v.LinkUntil = timed(until)
	return v, err
}

// scopeView names the sites and groups of a role; those that are gone by their ids.
func scopeView(tx store.Tx, sites, groups []string) (s, g []PlaceChoice, err error) {
	s, g = []PlaceChoice{}, []PlaceChoice{}
	for _, id := range sites {
		it, err := store.Get[store.Site](tx, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, nil, err
		}
		s = append(s, PlaceChoice{id, orID(it.Row.Name, id)})
	}
	for _, id := range groups {
		it, err := store.Get[store.SiteGroup](tx, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, nil, err
		}
		g = append(g, PlaceChoice{id, orID(it.Row.Name, id)})
	}
	return s, g, nil
}

func orID(name, id string) string {
	if name == "" {
		return id
	}
	return name
}

// newUser reads an account as somebody wants it, and says in French what it lacks.
func (r AccountRequest) newUser() (accounts.NewUser, error) {
	n := accounts.NewUser{Name: strings.TrimSpace(r.Name), Email: strings.TrimSpace(r.Email), Role: accounts.Role(r.Role), Sites: r.Sites, Groups: r.Groups, All: r.All}
	if n.Name == "" {
		return n, unfit("body.name", "donnez le nom de la personne")
	}
	if n.Email != "" {
		if parsed, err := mail.ParseAddress(n.Email); err != nil || parsed.Address != n.Email {
			return n, unfit("body.email", "ce n’est pas une adresse électronique, par exemple prenom.nom@hautesavoie.fr")
		}
	}
	return n, scoped(r.All, r.Sites, r.Groups)
}

func scoped(all bool, sites, groups []string) error {
	switch some := len(sites)+len(groups) > 0; {
	case !all && !some:
		return unfit("body.sites", "choisissez au moins un lieu ou un groupe de lieux, ou « tous les lieux »")
	case all && some:
		return unfit("body.all", "choisissez : tous les lieux, ou certains d’entre eux")
	}
	return nil
}

// notRecent refuses what changes who may log in, from a session of long ago.
func (a *API) notRecent(ctx context.Context) error {
	if a.recent(person(ctx)) {
		return nil
	}
	return newProblem(http.StatusForbidden, "Pour changer qui peut se connecter, déconnectez-vous et connectez-vous de nouveau : il faut l’avoir fait depuis moins de 30 minutes.")
}

// sender hands a link on: by mail, or to who asked for it.
func (a *API) sender(how string, shown *AccountLink) (time.Duration, accounts.Send) {
	switch how {
	case "mail":
		return mailedFor, func(tx store.Tx, u store.Item[store.User], token string, expires time.Time) error {
			if !a.Mails {
				return errNoMails()
			}
			if u.Row.Email == "" {
				return unfit("body.email", "écrivez l’adresse à laquelle envoyer le lien")
			}
			shown.Expires = timed(expires)
			subject, text := a.invitation(u, token, expires)
			return outbox.Queue(tx, store.Meta{ID: "link-" + newID()}, u.Row.Email, subject, text, a.Now())
		}
	case "link":
		return shownFor, func(_ store.Tx, _ store.Item[store.User], token string, expires time.Time) error {
			shown.Link, shown.Expires = a.URL()+"/#login="+token, timed(expires)
			return nil
		}
	}
	return 0, nil
}

// invitation is the mail with a link.
func (a *API) invitation(u store.Item[store.User], token string, expires time.Time) (subject, text string) {
	until := expires.In(policy.Location())
	what := "Un compte vous attend sur la console des bornes d’accès à internet du Département."
	subject = "Votre compte sur la console des bornes"
	if !u.Row.LastSeen.IsZero() {
		subject, what = "Votre lien de connexion à la console des bornes", "Voici un nouveau lien pour vous connecter à la console des bornes."
	}
	return subject, fmt.Sprintf("Bonjour,\n\n%s\n\nPour vous connecter :\n%s/#login=%s\n\nCe lien est pour vous seul. Il sert une seule fois, jusqu’au %s à %s. Une fois connecté, ajoutez une clé d’accès dans « Mon compte » : vous n’aurez plus besoin de lien.\n\nSi vous n’attendiez pas ce message, ne faites rien.\n",
		what, a.URL(), token, policy.Day(until), policy.Clock(until.Hour()*60+until.Minute()))
}

func (a *API) invite(ctx context.Context, in *inviteIn) (*out[AccountLink], error) {
	if err := a.notRecent(ctx); err != nil {
		return nil, err
	}
	n, err := in.Body.newUser()
	if err != nil {
		return nil, err
	}
	var v AccountLink
	valid, send := a.sender(in.Body.How, &v)
	id, err := a.Accounts.Invite(ctx, person(ctx), n, valid, send)
	if err != nil {
		return nil, a.accountFail(opInvite, err)
	}
	return a.linked(ctx, opInvite, id, v)
}

func (a *API) linked(ctx context.Context, op, id string, v AccountLink) (*out[AccountLink], error) {
	err := a.Store.View(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.User](tx, id)
		if err != nil {
			return err
		}
		v.Account, err = a.accountView(tx, it, person(ctx))
		return err
	})
	if err != nil {
		return nil, a.fail(op, err)
	}
	return answer(v), nil
}

func (a *API) accountFail(op string, err error) error {
	switch {
	case errors.Is(err, accounts.ErrLast):
		err = newProblem(http.StatusConflict, "C’est le dernier compte de l’équipe du Département qui a tous les lieux : sans lui, personne ne pourrait plus en ouvrir d’autres. Créez-en un autre d’abord.")
	case errors.Is(err, accounts.ErrOwn):
		err = newProblem(http.StatusForbidden, "Personne ne change ses propres droits, ni ne ferme son propre compte. Demandez à un autre membre de l’équipe du Département.")
	case errors.Is(err, accounts.ErrEmail):
		err = unfit("body.email", "un autre compte ouvert a déjà cette adresse : une adresse n’ouvre qu’un compte")
	case errors.Is(err, accounts.ErrStale), errors.Is(err, store.ErrConflict):
		err = staleOf(versions()[op].Of)
	case errors.Is(err, accounts.ErrDisabled):
		err = newProblem(http.StatusConflict, "Ce compte est suspendu : un lien ne l’ouvrirait pas. Rétablissez-le d’abord.")
	}
	return a.fail(op, err)
}

func (a *API) putAccount(ctx context.Context, in *accountPutIn) (*accountOut, error) {
	rev, err := revOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.notRecent(ctx); err != nil {
		return nil, err
	}
	n, err := in.Body.newUser()
	if err != nil {
		return nil, err
	}
	if err := a.Accounts.Change(ctx, person(ctx), in.ID, rev, n, in.Body.Suspended); err != nil {
		return nil, a.accountFail(opPutAccount, err)
	}
	v, err := a.linked(ctx, opPutAccount, in.ID, AccountLink{})
	if err != nil {
		return nil, err
	}
	return &accountOut{ETag: etag(v.Body.Account.Rev), Body: v.Body.Account}, nil
}

func (a *API) removeAccount(ctx context.Context, in *accountDropIn) (*nothing, error) {
	rev, err := revOf(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.notRecent(ctx); err != nil {
		return nil, err
	}
	if err := a.Accounts.Remove(ctx, person(ctx), in.ID, rev); err != nil {
		return nil, a.accountFail(opDropAccount, err)
	}
	return nil, nil
}

func (a *API) accountLink(ctx context.Context, in *accountLinkIn) (*out[AccountLink], error) {
	if err := a.notRecent(ctx); err != nil {
		return nil, err
	}
	var v AccountLink
	valid, send := a.sender(in.Body.How, &v)
	if err := a.Accounts.LinkFor(ctx, person(ctx), in.ID, valid, in.Body.Forget, send); err != nil {
		return nil, a.accountFail(opAccountLink, err)
	}
	return a.linked(ctx, opAccountLink, in.ID, v)
}

type tokenIn struct{ Body TokenRequest }

type tokenDropIn struct {
	Token string `path:"token" maxLength:"200"`
}

func (a *API) tokens(ctx context.Context, in *peopleIn) (*out[TokensView], error) {
	var v TokensView
	err := a.Store.View(ctx, func(tx store.Tx) error {
		v.Tokens, v.Next = []TokenView{}, ""
		who := names{tx: tx, by: map[string]string{}}
		return paged(store.List[store.Token](tx, "", in.Before, true), in.Limit, &v.Next, func(it store.Item[store.Token]) error {
			one, err := a.tokenView(tx, it, who)
			v.Tokens = append(v.Tokens, one)
			return err
		})
	})
	if err != nil {
		return nil, a.fail(opTokens, err)
	}
	return answer(v), nil
}

func (a *API) tokenView(tx store.Tx, it store.Item[store.Token], who names) (TokenView, error) {
	r := it.Row
	v := TokenView{ID: it.ID, Name: r.Name, Role: r.Role, All: len(r.Sites)+len(r.Groups) == 0, By: who.of(r.By), Created: r.Created, Expires: r.Expires, Used: timed(r.Used), Revoked: timed(r.Revoked)}
	var err error
	if v.Sites, v.Groups, err = scopeView(tx, r.Sites, r.Groups); err != nil {
		return v, err
	}
	v.Works, err = accounts.TokenWorks(tx, it, a.Now())
	return v, err
}

func (a *API) makeToken(ctx context.Context, in *tokenIn) (*out[TokenMade], error) {
	if err := a.notRecent(ctx); err != nil {
		return nil, err
	}
	r := in.Body
	if strings.TrimSpace(r.Name) == "" {
		return nil, unfit("body.name", "dites à quoi sert la clé, par exemple « Export vers l’observatoire »")
	}
	if err := scoped(r.All, r.Sites, r.Groups); err != nil {
		return nil, err
	}
	id, key, err := a.Accounts.MakeToken(ctx, person(ctx), accounts.NewToken{Name: r.Name, Role: accounts.Role(r.Role), Sites: r.Sites, Groups: r.Groups, All: r.All, Days: r.Days})
	if errors.Is(err, accounts.ErrTokens) {
		err = newProblem(http.StatusConflict, "Il y a déjà cent clés. Révoquez-en une d’abord.")
	}
	if err != nil {
		return nil, a.fail(opMakeToken, err)
	}
	v := TokenMade{Key: key}
	err = a.Store.View(ctx, func(tx store.Tx) error {
		it, err := store.Get[store.Token](tx, id)
		if err != nil {
			return err
		}
		v.Token, err = a.tokenView(tx, it, names{tx: tx, by: map[string]string{}})
		return err
	})
	if err != nil {
		return nil, a.fail(opMakeToken, err)
	}
	return answer(v), nil
}

func (a *API) revokeToken(ctx context.Context, in *tokenDropIn) (*out[TokensView], error) {
	if err := a.Accounts.RevokeToken(ctx, person(ctx), in.Token); err != nil {
		return nil, a.fail(opRevokeToken, err)
	}
	return a.tokens(ctx, &peopleIn{Limit: 200})
}

// forPeople tells whether a route is for people alone: what a program does with its
// key, it does not do to accounts, to keys, or in a head's name.
func forPeople(op string, acc Access) bool {
	return acc.Scope == ScopeSelf && op != opMe || strings.HasPrefix(acc.Path, "/api/me/") || slices.Contains([]string{opPeople, opInvite, opPutAccount, opDropAccount, opAccountLink, opTokens, opMakeToken, opRevokeToken, opDecideConsent, opLive,
		opAskHold, opConfirmHold, opLiftHold, opTraffic}, op)
}
