package server

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"borne/controller/config"
	"borne/controller/directory"
	"borne/controller/ldap/ldaptest"
	"borne/controller/store"
	"borne/controller/wire"
)

// TestABadgeOfStaffFollowsTheDirectory runs the controller beside a real slapd: the
// right is there with the group, goes when the person leaves it, and outlives a
// directory that is away.
func TestABadgeOfStaffFollowsTheDirectory(t *testing.T) {
	s := ldaptest.Start(t)
	anna := s.Person("anna")
	s.Join(anna)
	state := fresh(t)
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(ldaptest.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("state = %q\ndemo = true\n[console]\nlisten = \"127.0.0.1:0\"\n[terminals]\nlisten = \"127.0.0.1:0\"\n[ldap]\naddress = %q\nca = %q\nbind_dn = %q\npassword_file = %q\nbase = %q\nfilter = %q\n",
		state, s.LDAPS, s.CA, ldaptest.Reader, file, ldaptest.Base, ldaptest.Filter)
	c, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	srv, _ := running(t, Config{Config: c, Version: "test"})
	h1 := bytes.Repeat([]byte{7}, wire.H1Size)
	decide := func(fn func(tx store.Tx) error) {
		t.Helper()
		if err := srv.st.Decide(ctx, fn); err != nil {
			t.Fatal(err)
		}
	}
	decide(func(tx store.Tx) error {
		m := store.Meta{ID: "t1", Site: "s1", Scope: "e1"}
		if err := store.Put(tx, store.Item[store.Terminal]{Meta: m, Row: store.Terminal{State: store.StateActive, Space: "e1"}}); err != nil {
			return err
		}
		if err := srv.badges.Open(tx, m, "w", store.BadgeWindow{Action: directory.ActionEnrol, Kind: store.HolderStaff, Login: "anna", By: "u"}); err != nil {
			return err
		}
		a, err := srv.badges.Ask(tx, "t1", wire.BadgeAsk{ID: "q", Window: "w", Holder: h1})
		if !a.Allowed {
			t.Errorf("not enrolled: %+v", a)
		}
		return err
	})
	is := func(want bool, when string) {
		t.Helper()
		if err := srv.askStaff(ctx); err != nil && !strings.Contains(when, "away") {
			t.Errorf("%s: %v", when, err)
		}
		decide(func(tx store.Tx) error {
			a, err := srv.askBadge(tx, "t1", wire.BadgeAsk{ID: "q", Holder: h1})
			if a.Staff != want || a.Allowed {
				t.Errorf("%s: %+v", when, a)
			}
			return err
		})
	}
	is(true, "in the group")
	s.Leave(anna)
	is(false, "left the group")
	s.Join(anna)
	is(true, "back in the group")
	asked := time.Now()
	s.Remove(anna)
	is(false, "left the Département")
	s.Leave(anna) // the group still had the name of nobody
	s.Person("anna")
	s.Join(anna)
	is(true, "is here again")
	s.Stop()
	is(true, "the directory is away")
	decide(func(tx store.Tx) error {
		all, err := directory.StaffBadges(tx)
		if len(all) != 1 || all[0].Row.Good.Before(asked) || directory.HasRight(all[0].Row, time.Now().Add(25*time.Hour)) {
			t.Errorf("after a day without an answer: %+v", all)
		}
		return err
	})
}

// TestADirectoryThatCannotBe: what cannot work is told before anything is served.
func TestADirectoryThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := config.LDAP{Address: "ldaps://annuaire.example.fr", BindDN: "cn=borne", Password: file, Base: "dc=fr", Filter: "(uid={login})", Every: time.Minute}
	if d, err := openStaff(good); d == nil || err != nil {
		t.Fatal(err)
	}
	if d, err := openStaff(config.LDAP{}); d != nil || err != nil || asker(d) != nil {
		t.Errorf("none is %v, %v", d, err)
	}
	for name, change := range map[string]func(*config.LDAP){
		"no password": func(c *config.LDAP) { c.Password += "x" },
		"open to others": func(c *config.LDAP) {
			c.Password = filepath.Join(t.TempDir(), "open")
			os.WriteFile(c.Password, []byte("x"), 0o644)
		},
		"no authority":     func(c *config.LDAP) { c.CA = file },
		"no filter":        func(c *config.LDAP) { c.Filter = "(uid={login}" },
		"a base of no one": func(c *config.LDAP) { c.Base = "fr" },
	} {
		c := good
		change(&c)
		if _, err := openStaff(c); err == nil || !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
