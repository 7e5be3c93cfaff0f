package accounts_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"borne/controller/accounts"
	"borne/controller/audit"
	"borne/controller/store"
)

func TestPasskeysOfAnAccount(t *testing.T) {
	w := start(t)
	ada, eve := w.withEmail(t, "Ada", "ada@example.fr"), w.withEmail(t, "Eve", "")
	add := func(user, key string) error {
		return w.AddPasskey(ctx, user, []byte(key), " Téléphone ", json.RawMessage(`{"n":0}`))
	}
	id := func(key string) string { return hex.EncodeToString([]byte(key)) }
	if err := errors.Join(add(ada, "k1"), add(ada, "k2")); err != nil {
		t.Fatal(err)
	}
	if err := add(eve, "k1"); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a passkey that another account has: %v", err)
	}
	for name, err := range map[string]error{"rename": w.RenamePasskey(ctx, eve, id("k1"), "x"), "remove": w.RemovePasskey(ctx, eve, id("k1"), ""), "remove none": w.RemovePasskey(ctx, ada, "none", "")} {
		if !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s another's passkey: %v", name, err)
		}
	}
	if err := w.RenamePasskey(ctx, ada, id("k1"), "Clé du bureau"); err != nil {
		t.Fatal(err)
	}
	was, name, err := w.Passkey(ctx, []byte("k1"))
	if err != nil || name != "Ada" || was.Row.Name != "Clé du bureau" || was.Row.User != ada {
		t.Errorf("%+v, %q, %v", was, name, err)
	}
	cookie, p, err := w.LoginPasskey(ctx, was, json.RawMessage(`{"n":1}`), "192.0.2.7")
	if err != nil || p.ID != ada {
		t.Errorf("the login: %+v, %v", p, err)
	}
	thief, _, err := w.LoginExternal(ctx, accounts.External{Issuer: "i", Subject: "s", Email: "ada@example.fr", Verified: true}, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.LoginPasskey(ctx, was, json.RawMessage(`{"n":1}`), "192.0.2.7"); !errors.Is(err, accounts.ErrUnknown) {
		t.Errorf("two logins by one answer: %v", err)
	}
	if err := w.RemovePasskey(ctx, ada, id("k2"), p.Login); err != nil {
		t.Fatal(err)
	}
	// Whoever removes a key stays, and everybody else who is in goes.
	if _, err := w.Authenticate(ctx, cookie); err != nil {
		t.Errorf("the session that removed it: %v", err)
	}
	if _, err := w.Authenticate(ctx, thief); !errors.Is(err, accounts.ErrLogin) {
		t.Errorf("another session of the account: %v", err)
	}
	if err := add(eve, "only"); err != nil {
		t.Fatal(err)
	}
	if err := w.RemovePasskey(ctx, eve, id("only"), ""); !errors.Is(err, accounts.ErrLastWay) {
		t.Errorf("the last way in: %v", err)
	}
	for _, now := range []string{"", "another"} { // the provider that knew her is not asked any more
		if err := accounts.New(w.st, accounts.Options{Issuer: now, Now: w.clock}).RemovePasskey(ctx, ada, id("k1"), p.Login); !errors.Is(err, accounts.ErrLastWay) {
			t.Errorf("the last way in while the provider is %q: %v", now, err)
		}
	}
	if err := w.RemovePasskey(ctx, ada, id("k1"), p.Login); err != nil {
		t.Errorf("with another way in: %v", err)
	}
	for i := range 19 {
		if err := add(eve, fmt.Sprint("e", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := add(eve, "e20"); !errors.Is(err, accounts.ErrMany) {
		t.Errorf("one more: %v", err)
	}
	if err := w.Disable(ctx, audit.Controller, eve); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.Passkey(ctx, []byte("e1")); !errors.Is(err, accounts.ErrUnknown) {
		t.Errorf("a disabled account's: %v", err)
	}
}
