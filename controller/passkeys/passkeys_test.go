package passkeys_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"borne/controller/passkeys"
	"borne/controller/passkeys/passkeystest"
)

func device(t testing.TB) *passkeystest.Device {
	t.Helper()
	return passkeystest.New(t, "https://bornes.example.fr", "bornes.example.fr", "u1")
}

func party(t testing.TB) *passkeys.Party {
	t.Helper()
	p, err := passkeys.New("https://bornes.example.fr")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func add(t testing.TB, p *passkeys.Party, d *passkeystest.Device) (passkeys.Key, error) {
	t.Helper()
	o := passkeys.Owner{ID: "u1", Name: "Ada"}
	options, pending, err := p.BeginAdd(o)
	if err != nil {
		t.Fatal(err)
	}
	return p.FinishAdd(o, pending, d.Make(t, options))
}

func login(t testing.TB, p *passkeys.Party, d *passkeystest.Device, k passkeys.Key) (string, passkeys.Key, error) {
	t.Helper()
	options, pending, err := p.BeginLogin()
	if err != nil {
		t.Fatal(err)
	}
	return p.FinishLogin(pending, d.Login(t, options), func(key []byte, owner string) (passkeys.Owner, error) {
		if !bytes.Equal(key, k.ID) {
			return passkeys.Owner{}, passkeys.ErrRefused
		}
		return passkeys.Owner{ID: "u1", Name: "Ada", Keys: []passkeys.Key{k}}, nil
	})
}

func TestPasskey(t *testing.T) {
	p, d := party(t), device(t)
	options, _, err := p.BeginAdd(passkeys.Owner{ID: "u1", Name: "Ada"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"residentKey":"required"`, `"userVerification":"required"`, `"id":"bornes.example.fr"`, `"attestation":"none"`} {
		if !strings.Contains(string(options), want) {
			t.Errorf("the options lack %s: %s", want, options)
		}
	}
	k, err := add(t, p, d)
	if err != nil || !bytes.Equal(k.ID, d.ID) {
		t.Fatalf("%+v, %v", k, err)
	}
	if options, _, err = p.BeginAdd(passkeys.Owner{ID: "u1", Name: "Ada", Keys: []passkeys.Key{k}}); err != nil || !strings.Contains(string(options), base64.RawURLEncoding.EncodeToString(d.ID)) {
		t.Errorf("a device is asked for a second key: %s, %v", options, err)
	}
	for range 2 {
		d.Counter++
		owner, next, err := login(t, p, d, k)
		if err != nil || owner != "u1" {
			t.Fatalf("%q, %v", owner, err)
		}
		k = next
	}
	if _, _, err := login(t, p, d, k); !errors.Is(err, passkeys.ErrRefused) || !strings.Contains(err.Error(), "copy") {
		t.Errorf("a counter that stands still: %v", err)
	}
	d.Counter = 9
	for name, lie := range map[string]func(*passkeystest.Device){
		"another origin":       func(d *passkeystest.Device) { d.Origin = "https://bornes.example.evil" },
		"a part of the origin": func(d *passkeystest.Device) { d.Origin = "http://bornes.example.fr" },
		"another party":        func(d *passkeystest.Device) { d.Party = "example.fr" },
		"nobody verified":      func(d *passkeystest.Device) { d.Flags = 1 },
		"nobody present":       func(d *passkeystest.Device) { d.Flags = 4 },
		"another owner":        func(d *passkeystest.Device) { d.Owner = "u2" },
		"no owner":             func(d *passkeystest.Device) { d.Owner = "" },
		"another challenge":    func(d *passkeystest.Device) { d.Challenge = base64.RawURLEncoding.EncodeToString(make([]byte, 32)) },
		"another key":          func(d *passkeystest.Device) { d.Key = device(t).Key },
		"an unknown passkey":   func(d *passkeystest.Device) { d.ID = []byte("another one here") },
	} {
		liar := *d
		lie(&liar)
		if owner, _, err := login(t, p, &liar, k); !errors.Is(err, passkeys.ErrRefused) {
			t.Errorf("%s: logged in as %q, %v", name, owner, err)
		}
		if name == "another key" || strings.Contains(name, "owner") || name == "an unknown passkey" {
			continue
		}
		if _, err := add(t, p, &liar); !errors.Is(err, passkeys.ErrRefused) {
			t.Errorf("%s: the key is kept: %v", name, err)
		}
	}
	if _, _, err := login(t, p, d, k); err != nil {
		t.Errorf("and the truth: %v", err)
	}
	for at, want := range map[string]bool{"": false, "https://bornes.example.fr": true, "http://bornes.example.fr": false, "http://localhost:8080": true, "https://192.0.2.1": false} {
		if passkeys.Possible(at) != want {
			t.Errorf("passkeys at %q: %v", at, !want)
		}
	}
	if _, err := passkeys.New("bornes"); err == nil {
		t.Error("passkeys without an address")
	}
}

func FuzzAnswers(f *testing.F) {
	p, d := party(f), device(f)
	o := passkeys.Owner{ID: "u1", Name: "Ada"}
	adding, one, err := p.BeginAdd(o)
	if err != nil {
		f.Fatal(err)
	}
	entering, two, err := p.BeginLogin()
	if err != nil {
		f.Fatal(err)
	}
	made := d.Make(f, adding)
	k, err := p.FinishAdd(o, one, made)
	if err != nil {
		f.Fatal(err)
	}
	o.Keys = []passkeys.Key{k}
	f.Add(made)
	f.Add(d.Login(f, entering))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k, err := p.FinishAdd(o, one, b); err == nil && len(k.ID) == 0 {
			t.Error("a passkey without a name")
		}
		if owner, _, err := p.FinishLogin(two, b, func([]byte, string) (passkeys.Owner, error) { return o, nil }); err == nil && owner != "u1" {
			t.Errorf("logged in as %q", owner)
		}
	})
}
