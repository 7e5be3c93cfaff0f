package accounts_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/store"
)

func (w *world) withEmail(t *testing.T, name, email string) string {
	t.Helper()
	id, err := w.Create(ctx, audit.Controller, accounts.NewUser{Name: name, Email: email, Role: accounts.Observer, All: true})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestExternalPeople(t *testing.T) {
	w := start(t)
	ada := w.withEmail(t, "Ada", "Ada@example.fr")
	who := accounts.External{Issuer: "https://op.example", Subject: "s1", Email: "ada@EXAMPLE.fr", Verified: true, Token: "id.token.x"}
	n := 0
	login := func(e accounts.External) (string, accounts.Person, error) {
		n++ // another address each time: the limit is tested below
		return w.LoginExternal(ctx, e, fmt.Sprintf("192.0.2.%d", n))
	}
	for name, change := range map[string]func(*accounts.External){
		"unknown person":       func(e *accounts.External) { e.Email = "eve@example.fr" },
		"no address":           func(e *accounts.External) { e.Email = "" },
		"address not verified": func(e *accounts.External) { e.Verified = false },
	} {
		e := who
		change(&e)
		if _, _, err := login(e); !errors.Is(err, accounts.ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The Kelvin sign is no k, though Unicode folds it to one.
	w.withEmail(t, "Kim", "kim@example.fr")
	if _, _, err := login(accounts.External{Issuer: "https://op.example", Subject: "k", Email: "\u212aim@example.fr", Verified: true}); !errors.Is(err, accounts.ErrUnknown) {
		t.Errorf("a look-alike: %v", err)
	}
	cookie, p, err := login(who)
	if err != nil || p.ID != ada || p.Role != accounts.Observer {
		t.Fatalf("the first time: %+v, %v", p, err)
	}
	if got, err := w.Authenticate(ctx, cookie); err != nil || got.ID != ada {
		t.Errorf("the session: %+v, %v", got, err)
	}
	if hint, err := w.Logout(ctx, p); err != nil || hint != who.Token {
		t.Errorf("the logout: %q, %v", hint, err)
	}
	// Once linked the subject counts, whatever the address is now.
	later := who
	later.Email, later.Verified, later.Token = "ada@married.example", false, strings.Repeat("x", 9000)
	_, p, err = login(later)
	if err != nil || p.ID != ada {
		t.Errorf("with another address: %+v, %v", p, err)
	}
	if hint, err := w.Logout(ctx, p); err != nil || hint != "" {
		t.Errorf("an endless token is kept: %d bytes, %v", len(hint), err)
	}
	// Somebody who was given Ada's address is not Ada; another provider's Ada is.
	heir := who
	heir.Subject = "s2"
	if _, _, err := login(heir); !errors.Is(err, accounts.ErrUnknown) {
		t.Errorf("the heir of an address: %v", err)
	}
	heir.Issuer = "https://other.example"
	if _, p, err := login(heir); err != nil || p.ID != ada {
		t.Errorf("at another provider: %+v, %v", p, err)
	}
	if _, err := w.Create(ctx, "x", accounts.NewUser{Name: "B", Email: "ADA@example.fr", Role: accounts.DPO, All: true}); err == nil {
		t.Error("two open accounts have one address")
	}
	if err := w.Disable(ctx, audit.Controller, ada); err != nil {
		t.Fatal(err)
	}
	if _, _, err := login(who); !errors.Is(err, accounts.ErrUnknown) {
		t.Errorf("a disabled account: %v", err)
	}
	again := w.withEmail(t, "Ada", "ada@example.fr")
	if _, p, err := login(who); err != nil || p.ID != again {
		t.Errorf("a new account of the same person: %+v, %v", p, err)
	}
	linked := 0
	if err := w.st.View(ctx, func(tx store.Tx) error {
		for e, err := range store.List[store.AuditEntry](tx, "", "", false) {
			if err != nil {
				return err
			}
			if e.Row.Action == "identity.linked" {
				linked++
			}
		}
		return nil
	}); err != nil || linked != 3 {
		t.Errorf("%d links are in the audit, %v", linked, err)
	}
}

// TestStrangersAreLimited, and lock nobody out.
func TestStrangersAreLimited(t *testing.T) {
	w := start(t)
	w.withEmail(t, "Ada", "ada@example.fr")
	e := accounts.External{Issuer: "i", Subject: "s", Email: "eve@example.fr", Verified: true}
	for i := range 12 {
		want := accounts.ErrUnknown
		if i >= 10 {
			want = accounts.ErrRate
		}
		if _, _, err := w.LoginExternal(ctx, e, "192.0.2.1"); !errors.Is(err, want) {
			t.Errorf("attempt %d: %v, want %v", i, err, want)
		}
	}
	e.Email = "ada@example.fr"
	if _, _, err := w.LoginExternal(ctx, e, "192.0.2.1"); err != nil {
		t.Errorf("whoever has an account, from the same address: %v", err)
	}
}
