package api

import (
	"context"
	"errors"
	"net/http"

	"borne/controller/accounts"
)

type loginIn struct{ Body LoginRequest }

type loginOut struct {
	SetCookie http.Cookie `header:"Set-Cookie"`
	Body      Me
}

func (a *API) login(ctx context.Context, in *loginIn) (*loginOut, error) {
	value, p, err := a.Accounts.Redeem(ctx, in.Body.Token, address(ctx))
	switch {
	case errors.Is(err, accounts.ErrRate):
		return nil, &problem{Status: http.StatusTooManyRequests, Detail: "Trop d’essais. Attendez une minute, puis réessayez.",
			header: http.Header{"Retry-After": {"60"}}}
	case errors.Is(err, accounts.ErrLink):
		return nil, newProblem(http.StatusUnauthorized, "Ce lien de connexion n’est plus valable : il sert une seule fois, et pour un temps limité. Demandez-en un autre.")
	case err != nil:
		return nil, a.fail(opLogin, err)
	}
	return &loginOut{SetCookie: a.cookie(value, 0), Body: a.meOf(p)}, nil
}

// cookie is the session's: a session cookie in the browser, so that closing it
// ends it there too. age < 0 deletes it.
func (a *API) cookie(value string, age int) http.Cookie {
	return http.Cookie{Name: cookieName(a.Secure), Value: value, Path: "/", HttpOnly: true, Secure: a.Secure,
		SameSite: http.SameSiteStrictMode, MaxAge: age}
}

func (a *API) logout(ctx context.Context, _ *nothing) (*away, error) {
	hint, err := a.Accounts.Logout(ctx, person(ctx))
	if err != nil {
		return nil, a.fail(opLogout, err)
	}
	to := &away{SetCookie: []http.Cookie{a.cookie("", -1)}}
	address, ticket, err := a.leaveProvider(ctx, hint)
	if err != nil {
		a.Log.Warn("no logout at the provider", "error", err)
	}
	to.Body.Address, to.SetCookie = address, append(to.SetCookie, ticket...)
	return to, nil
}

func (a *API) me(ctx context.Context, _ *nothing) (*out[Me], error) {
	return answer(a.meOf(person(ctx))), nil
}

func (a *API) meOf(p accounts.Person) Me {
	return Me{ID: p.ID, Name: p.Name, Role: string(p.Role), Sites: list(p.Sites), All: p.Everywhere(), Expires: p.Expires, Version: a.Version, Demo: a.Demo}
}

// list makes an empty list of a nil one: the document says that lists are never null.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}
