package config

import (
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// OIDC is the OpenID provider that lets people in. Its zero value is none.
type OIDC struct {
	Issuer   string
	ClientID string
	Secret   string // a file's path, not the secret
	Name     string // on the button
	Scopes   []string
	JSON     bool // userinfo is plain JSON
	Vouched  bool // the provider vouches for every address
	PKCE     bool
}

type oidcFile struct {
	Issuer   string   `toml:"issuer"`
	ClientID string   `toml:"client_id"`
	Secret   string   `toml:"client_secret_file"`
	Name     string   `toml:"name"`
	Scopes   []string `toml:"scopes"`
	UserInfo string   `toml:"userinfo"`
	Verified string   `toml:"email_verified"`
	PKCE     bool     `toml:"pkce"`
}

func oidcDefaults() oidcFile {
	return oidcFile{Name: "ProConnect", Scopes: []string{"openid", "email"}, UserInfo: "jwt", Verified: "claim", PKCE: true}
}

// check is strict about what is written even when no issuer is: a mistake that
// is found on the day that it is turned on is found too late.
func (f oidcFile) check(console Console, bad func(key, value, want string)) OIDC {
	o := OIDC{Issuer: f.Issuer, ClientID: f.ClientID, Secret: f.Secret, Name: strings.TrimSpace(f.Name), Scopes: f.Scopes,
		JSON: f.UserInfo == "json", Vouched: f.Verified == "always", PKCE: f.PKCE}
	if f.UserInfo != "jwt" && f.UserInfo != "json" {
		bad("oidc.userinfo", f.UserInfo, `write "jwt" or "json"`)
	}
	if f.Verified != "claim" && f.Verified != "always" {
		bad("oidc.email_verified", f.Verified, `write "claim" or "always"`)
	}
	if o.Name == "" || len(o.Name) > 60 {
		bad("oidc.name", f.Name, "write the provider's name, as people know it")
	}
	if !slices.Contains(f.Scopes, "openid") || !slices.Contains(f.Scopes, "email") || slices.ContainsFunc(f.Scopes, func(s string) bool { return s == "" || strings.ContainsAny(s, " \t\"\\") }) {
		bad("oidc.scopes", strings.Join(f.Scopes, " "), `write "openid", "email" and what else the provider wants, each by itself`)
	}
	if f.Issuer == "" {
		if f.ClientID != "" || f.Secret != "" {
			bad("oidc.issuer", f.Issuer, "write the provider's issuer, or no client either")
		}
		return OIDC{}
	}
	if !secure(f.Issuer) {
		bad("oidc.issuer", f.Issuer, "write the provider's issuer as its documentation has it, such as https://auth.example.gouv.fr/api/v2")
	}
	if f.ClientID == "" {
		bad("oidc.client_id", f.ClientID, "write the name that the provider gave this controller")
	}
	if !filepath.IsAbs(f.Secret) {
		bad("oidc.client_secret_file", f.Secret, "write the whole path of a file that holds the secret")
	}
	if console.URL == "" {
		bad("console.url", console.URL, "with [oidc] write the console's address: the provider sends people back to it")
	}
	return o
}

// secure tells whether an address is https, or http on this machine.
func secure(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}
