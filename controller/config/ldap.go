package config

import (
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// LDAP is the Département's directory, which tells who is staff. Its zero value is
// none.
type LDAP struct {
	Address  string
	StartTLS bool
	CA       string // PEM file of who vouches for it; empty: the system's authorities
	BindDN   string
	Password string // a file's path, not the password
	Base     string
	Filter   string
	Every    time.Duration
}

type ldapFile struct {
	Address  string `toml:"address"`
	StartTLS bool   `toml:"starttls"`
	CA       string `toml:"ca"`
	BindDN   string `toml:"bind_dn"`
	Password string `toml:"password_file"`
	Base     string `toml:"base"`
	Filter   string `toml:"filter"`
	Minutes  int    `toml:"every_minutes"`
}

func ldapDefaults() ldapFile { return ldapFile{Minutes: 15} }

// check looks at the form; what the directory itself would not take, its room tells
// when the controller starts.
func (f ldapFile) check(bad func(key, value, want string)) LDAP {
	c := LDAP{Address: f.Address, StartTLS: f.StartTLS, CA: f.CA, BindDN: f.BindDN, Password: f.Password, Base: f.Base, Filter: f.Filter, Every: time.Duration(f.Minutes) * time.Minute}
	if f.Minutes < 1 || f.Minutes > 24*60 {
		bad("ldap.every_minutes", fmt.Sprint(f.Minutes), "write 1 to 1440")
	}
	if f.CA != "" && !filepath.IsAbs(f.CA) {
		bad("ldap.ca", f.CA, "write the whole path of a PEM file")
	}
	if f.Address == "" {
		if f.BindDN != "" || f.Password != "" || f.Base != "" || f.Filter != "" || f.StartTLS {
			bad("ldap.address", f.Address, "write the directory's address, or none of its account, base and filter either")
		}
		return LDAP{}
	}
	u, err := url.Parse(f.Address)
	if err != nil || u.Hostname() == "" || u.Scheme != "ldaps" && !(u.Scheme == "ldap" && f.StartTLS) || u.Scheme == "ldaps" && f.StartTLS {
		bad("ldap.address", f.Address, "write ldaps://annuaire.example.fr, or ldap://… together with starttls = true: nothing goes in the clear")
	}
	if f.BindDN == "" {
		bad("ldap.bind_dn", f.BindDN, "write the name of an account that may read, and nothing else")
	}
	if !filepath.IsAbs(f.Password) {
		bad("ldap.password_file", f.Password, "write the whole path of a file that holds that account's password")
	}
	if f.Base == "" {
		bad("ldap.base", f.Base, "write below which name people are, such as OU=Agents,DC=example,DC=fr")
	}
	if !strings.Contains(f.Filter, "{login}") {
		bad("ldap.filter", f.Filter, "write what finds one member of staff, with {login} in it, such as (&(sAMAccountName={login})(memberOf=CN=Borne,OU=Groupes,DC=example,DC=fr))")
	}
	return c
}
