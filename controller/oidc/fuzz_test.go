package oidc

import (
	"net/url"
	"strings"
	"testing"
)

func FuzzClaims(f *testing.F) {
	for _, s := range []string{`{"sub":"s","email":"a@b.fr","email_verified":true}`, `{"sub":"s","email_verified":"true"}`, `{"sub":1}`, `{"email":"a\u0000@b"}`, `[]`, ``} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := readClaims(b)
		if err != nil {
			if c != (claims{}) {
				t.Errorf("refused, and yet %+v", c)
			}
			return
		}
		if c.Subject == "" || len(c.Subject) > 255 || len(c.Email) > 254 || strings.ContainsAny(c.Email, "\r\n\x00") {
			t.Errorf("%q gives %+v", b, c)
		}
	})
}

func FuzzReturn(f *testing.F) {
	f.Add("code=c&state=s&iss=i", "s")
	f.Add("state=s&error=access_denied", "s")
	f.Add("code=c&code=d&state=", "")
	f.Fuzz(func(t *testing.T, query, state string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		p := New(Config{Issuer: "i"})
		code, err := p.read(&known{}, Attempt{State: state}, q)
		if err == nil && (code == "" || state == "" || q.Get("state") != state || q.Get("error") != "") {
			t.Errorf("%q with state %q gives code %q", query, state, code)
		}
	})
}
