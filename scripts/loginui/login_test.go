// Package loginui logs people in with a real browser: a real controller with the
// console of this source, and a real OpenID provider by the rules of ProConnect.
package loginui

import (
	"context"
	"slices"
	"testing"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/demo"
	"borne/controller/oidc/oidctest"
	"borne/controller/store"
)

// TestLogin plays everything at one stage: a console takes long to build.
func TestLogin(t *testing.T) {
	yes, no := true, false
	s := newStage(t, map[string]oidctest.Claims{"camille": {Email: "camille@example.fr", Verified: &yes},
		"sacha": {Email: "sacha@example.fr", Verified: &no}, "eve": {Email: "eve@example.fr", Verified: &yes}})
	t.Run("passkeys", func(t *testing.T) {
		s.t = t
		s.Play("adds", "url", s.link(map[string]string{"name": "Ambre Tissot", "role": "building", "sites": demo.Site}), "name", "Ambre Tissot", "key", "Téléphone", "renamed", "Mon téléphone")
		s.Play("passkey", "name", "Ambre Tissot")
		s.Play("unverified", "says", "n’ouvre aucun compte")
	})
	t.Run("invited", func(t *testing.T) { s.t = t; invited(t, s) })
	t.Run("head", func(t *testing.T) { s.t = t; head(t, s) })
	t.Run("provider", func(t *testing.T) { s.t = t; provider(t, s) })
}

func provider(t *testing.T, s *stage) {
	ctx := context.Background()
	create := func(name, email string) string {
		id, err := s.srv.Accounts().Create(ctx, audit.Controller, accounts.NewUser{Name: name, Email: email, Role: accounts.Administrator, All: true})
		must(t, err)
		return id
	}
	id := create("Camille Perrollaz", "camille@example.fr")
	create("Sacha Vuillermoz", "sacha@example.fr")

	s.Play("refused", "login", "eve", "says", "Aucun compte ouvert ici")
	s.Play("refused", "login", "sacha", "says", "Aucun compte ouvert ici")
	s.Play("refused", "login", "", "says", "Vous avez interrompu")
	s.Play("stale", "says", "commencé dans un autre navigateur")
	s.Play("login", "login", "camille", "name", "Camille Perrollaz")
	s.Play("use", "door", "Preuves", "link", "Données conservées")
	s.Play("logout", "says", "déconnecté de la console et du fournisseur")
	// The provider asks again: the logout was there too.
	s.Play("login", "login", "camille", "name", "Camille Perrollaz")
	s.Play("logout", "says", "déconnecté de la console et du fournisseur")

	var did []string
	must(t, s.srv.Store().View(ctx, func(tx store.Tx) error {
		for e, err := range store.List[store.AuditEntry](tx, "", "", false) {
			if err != nil {
				return err
			}
			if e.Row.Actor == id {
				did = append(did, e.Row.Action+" "+e.Row.Detail)
			}
		}
		return nil
	}))
	did = slices.DeleteFunc(did, func(s string) bool { return s == "logout " })
	if len(did) != 3 || did[0][:len("identity.linked")] != "identity.linked" || did[1] != "login oidc 127.0.0.1" || did[2] != "login oidc 127.0.0.1" {
		t.Errorf("the audit says %q", did)
	}
}
