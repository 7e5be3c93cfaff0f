package ldap_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"borne/controller/ldap"
	"borne/controller/ldap/ldaptest"
)

func config(s *ldaptest.Slapd) ldap.Config {
	return ldap.Config{Address: s.LDAPS, TLS: &tls.Config{RootCAs: s.Roots}, BindDN: ldaptest.Reader, Password: ldaptest.Password, Base: ldaptest.Base, Filter: ldaptest.Filter}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, c ldap.Config) *ldap.Directory {
	t.Helper()
	d, err := ldap.New(c)
	must(t, err)
	return d
}

// TestARightFollowsTheGroup asks a real slapd: whoever is in the group is staff, and
// is none any more as soon as they leave it, or the directory.
func TestARightFollowsTheGroup(t *testing.T) {
	s := ldaptest.Start(t)
	d := open(t, config(s))
	anna, bruno := s.Person("anna"), s.Person("bruno")
	s.Person("claire")
	s.Join(anna)
	s.Join(bruno)
	// A login is a value, whatever signs it has: it opens no other filter.
	odd := s.Person("o'neil (rh) \\ x")
	s.Join(odd)
	ask := func(want string) {
		t.Helper()
		logins := []string{"anna", "bruno", "claire", "dora", "o'neil (rh) \\ x", "anna)(uid=claire", "x)(|(uid=anna"}
		found, err := d.Staff(t.Context(), logins)
		must(t, err)
		var got []string
		for _, l := range logins {
			if found[l] {
				got = append(got, l)
			}
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("staff are %q, want %q", strings.Join(got, ", "), want)
		}
	}
	ask(`anna, bruno, o'neil (rh) \ x`)
	s.Leave(anna)
	ask(`bruno, o'neil (rh) \ x`)
	s.Remove(bruno)
	ask(`o'neil (rh) \ x`)
	s.Join(anna)
	ask(`anna, o'neil (rh) \ x`)
	before := runtime.NumGoroutine()
	for range 20 {
		if _, err := d.Staff(t.Context(), []string{"anna"}); err != nil {
			t.Fatal(err)
		}
	}
	for until := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before+2 && time.Now().Before(until); runtime.Gosched() {
	}
	if n := runtime.NumGoroutine(); n > before+2 {
		t.Errorf("20 questions leave %d goroutines, there were %d", n, before)
	}
}

// TestNothingIsKnownInDoubt: with any error nobody's right is known, so that nobody
// loses or gets one by a fault.
func TestNothingIsKnownInDoubt(t *testing.T) {
	s := ldaptest.Start(t)
	s.Join(s.Person("anna"))
	starttls := config(s)
	starttls.Address, starttls.StartTLS = s.Plain, true
	if found, err := open(t, starttls).Staff(t.Context(), []string{"anna"}); err != nil || !found["anna"] {
		t.Errorf("with StartTLS: %v, %v", found, err)
	}
	for name, change := range map[string]func(*ldap.Config){
		"another authority": func(c *ldap.Config) { c.TLS = &tls.Config{RootCAs: x509.NewCertPool()} },
		"the system's":      func(c *ldap.Config) { c.TLS = nil },
		"another name":      func(c *ldap.Config) { c.Address = strings.Replace(c.Address, "127.0.0.1", "localhost", 1) },
		"wrong password":    func(c *ldap.Config) { c.Password += "x" },
		"no such account":   func(c *ldap.Config) { c.BindDN = "cn=other," + ldaptest.Base },
		"no such base":      func(c *ldap.Config) { c.Base = "dc=other,dc=fr" },
		"two entries":       func(c *ldap.Config) { c.Filter = "(|(uid={login})(uid=personne))" },
		"many entries":      func(c *ldap.Config) { c.Filter = "(|(objectClass=*)(uid={login}))" },
	} {
		c := config(s)
		change(&c)
		found, err := open(t, c).Staff(t.Context(), []string{"anna"})
		if !errors.Is(err, ldap.ErrUnavailable) || found != nil || !strings.HasPrefix(err.Error(), "cannot ") || strings.Contains(err.Error(), ldaptest.Password) {
			t.Errorf("%s: %v, %v", name, found, err)
		}
	}
	// The reading account sees who is in the group, and no password.
	c := config(s)
	c.Filter = "(&(uid={login})(userPassword=*))"
	if found, err := open(t, c).Staff(t.Context(), []string{"anna"}); err != nil || found["anna"] {
		t.Errorf("passwords are read: %v, %v", found, err)
	}
	d := open(t, config(s))
	if _, err := d.Staff(t.Context(), []string{"*"}); err == nil {
		t.Error("a star is a login")
	}
	if _, err := d.Staff(t.Context(), make([]string, 1001)); err == nil {
		t.Error("any number of people")
	}
	s.Stop()
	if found, err := d.Staff(t.Context(), []string{"anna"}); !errors.Is(err, ldap.ErrUnavailable) || found != nil {
		t.Errorf("it is gone: %v, %v", found, err)
	}
}

// TestASilentDirectory neither keeps the controller waiting, when that ends, nor
// fills its memory.
func TestASilentDirectory(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	taken := make(chan net.Conn, 8)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			taken <- c
		}
	}()
	d := open(t, ldap.Config{Address: "ldap://" + l.Addr().String(), StartTLS: true, BindDN: ldaptest.Reader, Password: ldaptest.Password, Base: ldaptest.Base, Filter: ldaptest.Filter})
	ctx, cancel := context.WithCancel(t.Context())
	over := make(chan error, 1)
	go func() { _, err := d.Staff(ctx, []string{"anna"}); over <- err }()
	c := <-taken
	cancel()
	if err := <-over; !errors.Is(err, ldap.ErrUnavailable) {
		t.Errorf("silent: %v", err)
	}
	c.Close()
	// A message that claims two gigabytes.
	go func() { _, err := d.Staff(t.Context(), []string{"anna"}); over <- err }()
	c = <-taken
	defer c.Close()
	if _, err := c.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, c)
	if err := <-over; !errors.Is(err, ldap.ErrUnavailable) {
		t.Errorf("two gigabytes: %v", err)
	}
}

func TestConfigurations(t *testing.T) {
	good := ldap.Config{Address: "ldaps://annuaire.exemple.fr", BindDN: ldaptest.Reader, Password: ldaptest.Password, Base: ldaptest.Base, Filter: ldaptest.Filter}
	open(t, good)
	for name, change := range map[string]func(*ldap.Config){
		"in the clear":          func(c *ldap.Config) { c.Address = "ldap://annuaire.exemple.fr" },
		"StartTLS and ldaps":    func(c *ldap.Config) { c.StartTLS = true },
		"no host":               func(c *ldap.Config) { c.Address = "ldaps://" },
		"a path":                func(c *ldap.Config) { c.Address += "/dc=x" },
		"another protocol":      func(c *ldap.Config) { c.Address = "https://annuaire.exemple.fr" },
		"no password":           func(c *ldap.Config) { c.Password = "" },
		"no account":            func(c *ldap.Config) { c.BindDN = "" },
		"no base":               func(c *ldap.Config) { c.Base = "" },
		"a base that is none":   func(c *ldap.Config) { c.Base = "exemple" },
		"no login":              func(c *ldap.Config) { c.Filter = "(uid=anna)" },
		"a filter that is none": func(c *ldap.Config) { c.Filter = "(uid={login}" },
	} {
		c := good
		change(&c)
		if _, err := ldap.New(c); err == nil || !strings.HasPrefix(err.Error(), "cannot ") || strings.Contains(err.Error(), ldaptest.Password) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, l := range []string{"", "*", "a*", " a", "a ", "a\nb", "a\x00", "\xff", strings.Repeat("a", 65)} {
		if ldap.ValidLogin(l) {
			t.Errorf("%q is a login", l)
		}
	}
}
