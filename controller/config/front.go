package config

import (
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"
)

// Socket is the path of a listener that is a Unix socket; empty when it is none.
func (c Console) Socket() string {
	path, ok := strings.CutPrefix(c.Listen, "unix:")
	if !ok {
		return ""
	}
	return path
}

// Host is the name in the console's address, without its port.
func (c Console) Host() string {
	u, err := url.Parse(c.URL)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// ACME is who gives the console its certificate (RFC 8555). Its zero value is nobody.
type ACME struct {
	Directory string
	Email     string
	CA        string // PEM file of who vouches for the directory; empty: the system's authorities
	HTTP      string // where challenges over HTTP are answered; empty: over TLS only
	KeyID     string // external account, where the authority wants one
	KeyFile   string // its key, a file's path
}

type acmeFile struct {
	Directory string `toml:"directory"`
	Email     string `toml:"email"`
	Terms     bool   `toml:"accept_terms"`
	CA        string `toml:"ca"`
	HTTP      string `toml:"http_listen"`
	KeyID     string `toml:"eab_key_id"`
	KeyFile   string `toml:"eab_key_file"`
}

func (f acmeFile) check(c Console, bad func(key, value, want string)) ACME {
	for key, v := range map[string]string{"acme.ca": f.CA, "acme.eab_key_file": f.KeyFile} {
		if v != "" && !filepath.IsAbs(v) {
			bad(key, v, "write the whole path of a file")
		}
	}
	if f.HTTP != "" && !address(f.HTTP) {
		bad("acme.http_listen", f.HTTP, "write address:port, such as :80, or nothing")
	}
	if a, err := mail.ParseAddress(f.Email); f.Email != "" && (err != nil || a.Address != f.Email) {
		bad("acme.email", f.Email, "write the mail address that the authority warns, or nothing")
	}
	if (f.KeyID == "") != (f.KeyFile == "") {
		bad("acme.eab_key_id", f.KeyID, "eab_key_id and eab_key_file go together")
	}
	if f.Directory == "" {
		return ACME{}
	}
	if u, err := url.Parse(f.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		bad("acme.directory", f.Directory, "write the authority's directory, such as https://acme-v02.api.letsencrypt.org/directory")
	}
	if !f.Terms {
		bad("acme.accept_terms", "false", "read the authority's terms, then write true")
	}
	if c.Cert != "" {
		bad("acme.directory", f.Directory, "give cert and key or an ACME directory, not both")
	}
	if !strings.HasPrefix(c.URL, "https://") || c.Host() == "" {
		bad("console.url", c.URL, "with [acme] write the console's address: the certificate is for its name")
	} else if _, err := netip.ParseAddr(c.Host()); err == nil {
		bad("console.url", c.URL, "with [acme] write a name: the certificate is for it")
	}
	if c.Socket() != "" {
		bad("console.listen", c.Listen, "with [acme] the console speaks TLS itself: write address:port")
	}
	return ACME{f.Directory, f.Email, f.CA, f.HTTP, f.KeyID, f.KeyFile}
}

type proxyFile struct {
	Trusted []string `toml:"trusted"`
}

// maxTrusted bounds the networks of proxies.
const maxTrusted = 32

func (f proxyFile) check(c Console, bad func(key, value, want string)) []netip.Prefix {
	var all []netip.Prefix
	if len(f.Trusted) > maxTrusted {
		bad("proxy.trusted", fmt.Sprint(len(f.Trusted)), "name at most 32")
		return nil
	}
	for i, s := range f.Trusted {
		p, err := netip.ParsePrefix(s)
		if err != nil || p != p.Masked() || p.Addr().Is4In6() {
			bad(fmt.Sprintf("proxy.trusted[%d]", i), s, "write a network, such as 10.1.2.3/32")
			continue
		}
		if p.Bits() == 0 {
			bad(fmt.Sprintf("proxy.trusted[%d]", i), s, "everybody would be believed: write the proxy's own address")
			continue
		}
		all = append(all, p)
	}
	if (len(f.Trusted) > 0 || c.Socket() != "") && c.URL == "" {
		bad("console.url", c.URL, "behind a proxy write the console's address, as people type it")
	}
	if path := c.Socket(); c.Listen != "" && strings.HasPrefix(c.Listen, "unix:") && (!filepath.IsAbs(path) || len(path) > 100) {
		bad("console.listen", c.Listen, "write unix: and a whole path of 100 characters at most")
	}
	if c.Socket() != "" && c.Cert != "" {
		bad("console.cert", c.Cert, "on a Unix socket the proxy speaks TLS: leave cert and key out")
	}
	return all
}

// Security is what /.well-known/security.txt says (RFC 9116).
type Security struct {
	Contact   []string
	Expires   time.Time
	Policy    string
	Languages string
}

type securityFile struct {
	Contact   []string `toml:"contact"`
	Expires   string   `toml:"expires"`
	Policy    string   `toml:"policy"`
	Languages string   `toml:"languages"`
}

func (f securityFile) check(bad func(key, value, want string)) Security {
	s := Security{Contact: append([]string(nil), f.Contact...), Policy: f.Policy, Languages: f.Languages}
	for i, c := range f.Contact {
		u, err := url.Parse(c)
		if err != nil || len(c) > 300 || u.Scheme != "https" && u.Scheme != "mailto" && u.Scheme != "tel" || strings.ContainsAny(c, " \r\n\t") || u.Scheme == "https" && u.Host == "" || u.Scheme != "https" && u.Opaque == "" {
			bad(fmt.Sprintf("security.contact[%d]", i), c, "write mailto:…, https://… or tel:…")
		}
	}
	if len(f.Contact) > 10 {
		bad("security.contact", fmt.Sprint(len(f.Contact)), "name at most 10")
	}
	if u, err := url.Parse(f.Policy); f.Policy != "" && (err != nil || u.Scheme != "https" || u.Host == "" || strings.ContainsAny(f.Policy, " \r\n\t")) {
		bad("security.policy", f.Policy, "write an https address, or nothing")
	}
	if strings.ContainsFunc(f.Languages, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '-' && r != ',' && r != ' '
	}) {
		bad("security.languages", f.Languages, "write languages, such as fr, en")
	}
	if f.Expires != "" {
		day, err := time.Parse(time.DateOnly, f.Expires)
		if err != nil {
			bad("security.expires", f.Expires, "write the day until which it holds, such as 2027-06-30")
		}
		s.Expires = day
	}
	if (len(f.Contact) > 0) != (f.Expires != "") {
		bad("security.expires", f.Expires, "contact and expires go together (RFC 9116)")
	}
	if len(f.Contact) == 0 && f.Policy != "" {
		bad("security.contact", "", "say whom to write to, or nothing at all")
	}
	return s
}
