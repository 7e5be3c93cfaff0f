package oidc_test

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"borne/controller/oidc"
)

// hostile is a provider that lies in one thing at a time: a real one does not.
type hostile struct {
	*httptest.Server
	key, other *rsa.PrivateKey
	nonce      string
	id, info   map[string]any              // over the honest claims
	sign       func(map[string]any) string // the ID token; nil: RS256
	signInfo   func(map[string]any) string // the userinfo; nil: RS256
	userinfo   func(w http.ResponseWriter) // instead of a signed one
	document   func(map[string]any)        // changes the discovery
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func jws(alg string, c map[string]any, sign func(input string) []byte) string {
	head, _ := json.Marshal(map[string]string{"alg": alg, "kid": "k"})
	body, _ := json.Marshal(c)
	input := b64(head) + "." + b64(body)
	return input + "." + b64(sign(input))
}

func rs256(key *rsa.PrivateKey) func(map[string]any) string {
	return func(c map[string]any) string {
		return jws("RS256", c, func(input string) []byte {
			h := sha256.Sum256([]byte(input))
			sig, _ := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, h[:])
			return sig
		})
	}
}

func none(c map[string]any) string { return jws("none", c, func(string) []byte { return nil }) }

func hs256(secret []byte) func(map[string]any) string {
	return func(c map[string]any) string {
		return jws("HS256", c, func(input string) []byte {
			m := hmac.New(sha256.New, secret)
			m.Write([]byte(input))
			return m.Sum(nil)
		})
	}
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newHostile(t *testing.T, key, other *rsa.PrivateKey) *hostile {
	t.Helper()
	h := &hostile{key: key, other: other}
	mux := http.NewServeMux()
	write := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		d := map[string]any{"issuer": h.URL, "authorization_endpoint": h.URL + "/auth", "token_endpoint": h.URL + "/token", "jwks_uri": h.URL + "/jwks",
			"userinfo_endpoint": h.URL + "/me", "id_token_signing_alg_values_supported": []string{"RS256", "HS256", "none"}}
		if h.document != nil {
			h.document(d)
		}
		write(w, d)
	})
	mux.HandleFunc("/jwks", func(w http.ResponseWriter, _ *http.Request) {
		write(w, map[string]any{"keys": []any{map[string]string{"kty": "RSA", "kid": "k", "use": "sig", "n": b64(h.key.N.Bytes()), "e": b64(big.NewInt(int64(h.key.E)).Bytes())}}})
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, _ *http.Request) {
		c := map[string]any{"iss": h.URL, "sub": "s", "aud": "borne", "exp": time.Now().Add(time.Minute).Unix(), "iat": time.Now().Unix(), "nonce": h.nonce}
		for k, v := range h.id {
			c[k] = v
		}
		sign := h.sign
		if sign == nil {
			sign = rs256(h.key)
		}
		write(w, map[string]any{"access_token": "access", "token_type": "Bearer", "id_token": sign(c)})
	})
	mux.HandleFunc("/me", func(w http.ResponseWriter, _ *http.Request) {
		if h.userinfo != nil {
			h.userinfo(w)
			return
		}
		c := map[string]any{"iss": h.URL, "aud": "borne", "sub": "s", "email": "a@example.fr", "email_verified": true}
		for k, v := range h.info {
			c[k] = v
		}
		sign := h.signInfo
		if sign == nil {
			sign = rs256(h.key)
		}
		w.Header().Set("Content-Type", "application/jwt")
		fmt.Fprint(w, sign(c))
	})
	h.Server = httptest.NewServer(mux)
	t.Cleanup(h.Close)
	return h
}

func TestLiesAreRefused(t *testing.T) {
	public := func(h *hostile) []byte { return h.key.N.Bytes() }
	honest := "honest"
	key, other := newKey(t), newKey(t)
	for name, lie := range map[string]func(*hostile){
		honest:                        func(*hostile) {},
		"another audience":            func(h *hostile) { h.id = map[string]any{"aud": "another"} },
		"several audiences, no party": func(h *hostile) { h.id = map[string]any{"aud": []string{"borne", "another"}} },
		"another party":               func(h *hostile) { h.id = map[string]any{"azp": "another"} },
		"another issuer":              func(h *hostile) { h.id = map[string]any{"iss": "https://evil.example"} },
		"over":                        func(h *hostile) { h.id = map[string]any{"exp": time.Now().Add(-time.Minute).Unix()} },
		"another nonce":               func(h *hostile) { h.id = map[string]any{"nonce": "x"} },
		"no nonce":                    func(h *hostile) { h.id = map[string]any{"nonce": ""} },
		"no subject":                  func(h *hostile) { h.id = map[string]any{"sub": ""} },
		"another access token":        func(h *hostile) { h.id = map[string]any{"at_hash": "AAAA"} },
		"alg none":                    func(h *hostile) { h.sign = none },
		"signed with the public key":  func(h *hostile) { h.sign = hs256(public(h)) },
		"signed with the secret":      func(h *hostile) { h.sign = hs256([]byte("secret")) },
		"another key":                 func(h *hostile) { h.sign = rs256(h.other) },
		"no ID token":                 func(h *hostile) { h.sign = func(map[string]any) string { return "" } },
		"userinfo: another subject":   func(h *hostile) { h.info = map[string]any{"sub": "victim"} },
		"userinfo: another audience":  func(h *hostile) { h.info = map[string]any{"aud": "another"} },
		"userinfo: another issuer":    func(h *hostile) { h.info = map[string]any{"iss": "https://evil.example"} },
		"userinfo: over":              func(h *hostile) { h.info = map[string]any{"exp": time.Now().Add(-time.Hour).Unix()} },
		"userinfo: alg none":          func(h *hostile) { h.signInfo = none },
		"userinfo: another key":       func(h *hostile) { h.signInfo = rs256(h.other) },
		"userinfo: plain": func(h *hostile) {
			h.userinfo = func(w http.ResponseWriter) {
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, `{"sub":"s","email":"a@example.fr","email_verified":true}`)
			}
		},
		"userinfo: endless": func(h *hostile) {
			h.userinfo = func(w http.ResponseWriter) {
				w.Header().Set("Content-Type", "application/jwt")
				for range 40 {
					fmt.Fprint(w, strings.Repeat("a", 16<<10))
				}
			}
		},
		"userinfo: elsewhere": func(h *hostile) {
			h.userinfo = func(w http.ResponseWriter) { w.Header().Set("Location", "https://evil.example/"); w.WriteHeader(302) }
		},
		"an endpoint in the clear": func(h *hostile) {
			h.document = func(d map[string]any) { d["token_endpoint"] = "http://evil.example/token" }
		},
		"another issuer's document": func(h *hostile) { h.document = func(d map[string]any) { d["issuer"] = "https://evil.example" } },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t, key, other)
			lie(h)
			p := provider(t, h.URL, func(c *oidc.Config) { c.ClientSecret = "secret" })
			a, _, err := p.Begin(ctx)
			if err == nil {
				h.nonce = a.Nonce
				var who oidc.Identity
				who, err = p.Finish(ctx, a, url.Values{"code": {"c"}, "state": {a.State}})
				if name == honest && (err != nil || who.Subject != "s" || !who.Verified) {
					t.Fatalf("an honest provider: %+v, %v", who, err)
				}
			}
			if name != honest && !errors.Is(err, oidc.ErrRefused) && !errors.Is(err, oidc.ErrUnavailable) {
				t.Errorf("it is believed: %v", err)
			}
		})
	}
}

// TestSilentProvider: who waits behind one another is told at once, and a
// provider that comes back is asked again.
func TestSilentProvider(t *testing.T) {
	h := newHostile(t, newKey(t), nil)
	now, asked, down := time.Now(), 0, true
	p := provider(t, h.URL, func(c *oidc.Config) {
		c.Now = func() time.Time { return now }
		c.Transport = transport(func(r *http.Request) (*http.Response, error) {
			if asked++; down {
				return nil, errors.New("no route")
			}
			return http.DefaultTransport.RoundTrip(r)
		})
	})
	for range 3 {
		if _, _, err := p.Begin(ctx); !errors.Is(err, oidc.ErrUnavailable) {
			t.Errorf("a silent provider: %v", err)
		}
	}
	if asked != 1 {
		t.Errorf("it was asked %d times", asked)
	}
	now, down = now.Add(6*time.Second), false
	if _, _, err := p.Begin(ctx); err != nil || asked != 2 {
		t.Errorf("it is back: %v after %d questions", err, asked)
	}
	now, down = now.Add(13*time.Hour), true
	if _, _, err := p.Begin(ctx); err != nil || asked != 3 {
		t.Errorf("gone after it was known: %v after %d questions", err, asked)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
