package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// Identity is who came back.
type Identity struct {
	Issuer   string
	Subject  string // names the person at the issuer, for ever
	Email    string
	Verified bool   // the address is theirs
	IDToken  string // to log out at the provider
}

// Finish ends the login that the attempt began: q is the query that the provider
// sent the browser back with.
func (p *Provider) Finish(ctx context.Context, a Attempt, q url.Values) (who Identity, err error) {
	k, err := p.learn(ctx)
	if err != nil {
		return who, err
	}
	code, err := p.read(k, a, q)
	if err != nil {
		return who, err
	}
	select {
	case p.exchanges <- struct{}{}:
		defer func() { <-p.exchanges }()
	case <-ctx.Done():
		return who, fmt.Errorf("cannot ask the provider: %w: %w", ErrUnavailable, ctx.Err())
	}
	ctx = goidc.ClientContext(ctx, p.client)
	var opts []oauth2.AuthCodeOption
	if !p.cfg.NoPKCE {
		opts = append(opts, oauth2.VerifierOption(a.Verifier))
	}
	token, err := k.oauth.Exchange(ctx, code, opts...)
	if err != nil {
		var said *oauth2.RetrieveError
		if errors.As(err, &said) && said.Response != nil && said.Response.StatusCode < 500 {
			return who, refused("the code", err)
		}
		return who, fmt.Errorf("cannot exchange the code: %w: %w", ErrUnavailable, err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := k.ids.Verify(ctx, raw)
	if err != nil {
		return who, refused("the ID token", err)
	}
	if err := p.checkID(id, a, token.AccessToken); err != nil {
		return who, refused("the ID token", err)
	}
	info, err := p.userinfo(ctx, k, token.AccessToken)
	if err != nil {
		return who, err
	}
	// OpenID Connect Core 5.3.2: without the same subject it may be somebody else's.
	if info.Subject != id.Subject {
		return who, refused("the userinfo", errors.New("it is about another subject than the ID token"))
	}
	return Identity{Issuer: id.Issuer, Subject: id.Subject, Email: info.Email, Verified: info.Email != "" && (p.cfg.Vouched || bool(info.Verified)), IDToken: raw}, nil
}

func refused(what string, err error) error {
	return fmt.Errorf("cannot believe %s: %w: %w", what, ErrRefused, err)
}

// read takes the code out of the return's query.
func (p *Provider) read(k *known, a Attempt, q url.Values) (code string, err error) {
	for name, all := range q {
		if len(all) != 1 || len(all[0]) > maxParam {
			return "", refused("the return", fmt.Errorf("parameter %.40q is there twice, or too long", name))
		}
	}
	if a.State == "" || subtle.ConstantTimeCompare([]byte(q.Get("state")), []byte(a.State)) != 1 {
		return "", refused("the return", errors.New("it has another state"))
	}
	// RFC 9207: which provider answered, where several could.
	if iss := q.Get("iss"); (iss != "" || k.issParam) && iss != p.cfg.Issuer {
		return "", refused("the return", fmt.Errorf("it says to come from %.200q", iss))
	}
	switch e := q.Get("error"); e {
	case "":
	case "access_denied", "login_required", "interaction_required":
		return "", fmt.Errorf("cannot log in: %w", ErrCancelled)
	default:
		return "", refused("the return", fmt.Errorf("the provider says %.100q", e))
	}
	if code = q.Get("code"); code == "" {
		return "", refused("the return", errors.New("it has no code"))
	}
	return code, nil
}

// checkID does what the library leaves to its caller.
func (p *Provider) checkID(id *goidc.IDToken, a Attempt, access string) error {
	if a.Nonce == "" || subtle.ConstantTimeCompare([]byte(id.Nonce), []byte(a.Nonce)) != 1 {
		return errors.New("it has another nonce")
	}
	var more struct {
		Party string `json:"azp"`
	}
	if err := id.Claims(&more); err != nil {
		return err
	}
	if (len(id.Audience) > 1 || more.Party != "") && more.Party != p.cfg.ClientID {
		return errors.New("it was issued to another client")
	}
	if id.Subject == "" || len(id.Subject) > 255 { // OpenID Connect Core 2
		return errors.New("its subject is empty or too long")
	}
	if id.AccessTokenHash != "" {
		return id.VerifyAccessToken(access)
	}
	return nil
}

// userinfo asks the provider who the person is.
func (p *Provider) userinfo(ctx context.Context, k *known, access string) (c claims, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.userinfo, nil)
	if err != nil {
		return c, fmt.Errorf("cannot ask for the userinfo: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+access)
	res, err := p.client.Do(req)
	if err != nil {
		return c, fmt.Errorf("cannot ask for the userinfo: %w: %w", ErrUnavailable, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return c, fmt.Errorf("cannot read the userinfo: %w: %w", ErrUnavailable, err)
	}
	if res.StatusCode != http.StatusOK {
		return c, refused("the userinfo", errors.New(res.Status))
	}
	kind, _, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	if err != nil {
		return c, refused("the userinfo", err)
	}
	switch {
	case kind == "application/jwt":
		return p.signed(ctx, k, strings.TrimSpace(string(b)))
	case kind == "application/json" && p.cfg.JSON:
		return readClaims(b)
	}
	return c, refused("the userinfo", fmt.Errorf("%.60q is not what the configuration expects", kind))
}

// signed reads userinfo that is a JWT: the library would believe any that its
// provider signed, for whomever it was.
func (p *Provider) signed(ctx context.Context, k *known, raw string) (c claims, err error) {
	t, err := k.infos.Verify(ctx, raw)
	if err != nil {
		return c, refused("the userinfo", err)
	}
	// Unlike an ID token it need not say when it ends; when it does, that counts.
	if !t.Expiry.IsZero() && t.Expiry.Unix() != 0 && p.cfg.Now().After(t.Expiry.Add(time.Minute)) {
		return c, refused("the userinfo", errors.New("it is over"))
	}
	var doc json.RawMessage
	if err := t.Claims(&doc); err != nil {
		return c, refused("the userinfo", err)
	}
	return readClaims(doc)
}

// claims is what is read of userinfo; there is more in it, and none of it counts.
type claims struct {
	Subject  string `json:"sub"`
	Email    string `json:"email"`
	Verified truth  `json:"email_verified"`
}

// truth is true, or "true": some providers write the second.
type truth bool

func (v *truth) UnmarshalJSON(b []byte) error {
	if !slices.Contains([]string{`true`, `false`, `"true"`, `"false"`, `null`}, string(b)) {
		return fmt.Errorf("%.20q is neither true nor false", b)
	}
	*v = strings.Trim(string(b), `"`) == "true"
	return nil
}

func readClaims(b []byte) (c claims, err error) {
	if err := json.Unmarshal(b, &c); err != nil {
		return claims{}, refused("the userinfo", err)
	}
	c.Email = strings.TrimSpace(c.Email)
	if c.Subject == "" || len(c.Subject) > 255 || len(c.Email) > 254 || strings.ContainsFunc(c.Email, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return claims{}, refused("the userinfo", errors.New("its subject or its address is empty, too long or no text"))
	}
	return c, nil
}
