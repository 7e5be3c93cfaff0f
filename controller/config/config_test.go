package config_test

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"borne/controller/config"
)

func TestExampleHoldsTheDefaults(t *testing.T) {
	got, err := config.Parse([]byte(config.Example()))
	if err != nil {
		t.Fatal(err)
	}
	want, err := config.Parse(nil)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the example gives\n%+v, nothing gives\n%+v", got, want)
	}
}

func TestValues(t *testing.T) {
	c, err := config.Parse([]byte(`
state = "/srv/borne"
log_level = "debug"
[console]
listen = ":443"
cert = "/etc/c.pem"
key = "/etc/k.pem"
url = "https://bornes.example.fr/"
[calendars]
address = "https://mirror.example.fr/Zone-{zone}.ics"
proxy = "http://proxy.example.fr:3128"
proxy_decides = true
private = true
[[retention]]
from = "2026-09-01"
usage = 90
security = 365
account = 365
audit = 365
technical = 60
`))
	if err != nil {
		t.Fatal(err)
	}
	if k := c.Calendars; k.Of("B") != "https://mirror.example.fr/Zone-B.ics" || k.Proxy.Host != "proxy.example.fr:3128" || !k.Private {
		t.Errorf("%+v", k)
	}
	if c.State != "/srv/borne" || !c.Console.TLS() || c.Console.URL != "https://bornes.example.fr" || c.LogLevel.String() != "DEBUG" ||
		len(c.Retention) != 1 || c.Retention[0].Usage != 90 || c.Idle != 2*time.Hour {
		t.Errorf("%+v", c)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"stat = \"/x\"": `line 1: unknown key "stat"`,
		"# c\n[console]\nlisten = \":1\"\nlisen=1":  `line 4: unknown key "console.lisen"`,
		"\n[consol]\nlisten = \":1\"":               `line 2: unknown key "consol"`,
		"STATE = \"/x\"":                            `write "state"`,
		"state = ":                                  "line 1",
		"state = 3":                                 "state",
		"state = \"here\"":                          "write a whole path",
		"log = \"xml\"":                             `log = "xml"`,
		"log_level = \"loud\"":                      "log_level",
		"[console]\nlisten = \"8080\"":              "console.listen",
		"[console]\nlisten = \":8080\"":             "loopback only",
		"[console]\ncert = \"/c\"":                  "cert and key go together",
		"[console]\nurl = \"bornes\"":               "console.url",
		"[terminals]\nlisten = \"host:port\"":       "terminals.listen",
		"[login]\nidle_minutes = 0":                 "login.idle_minutes",
		"[[retention]]\nfrom = \"soon\"\nusage = 1": "retention[0].from",
		"[calendars]\naddress = \"http://x/\"":      "calendars.address",
		"[calendars]\nproxy = \"proxy:3128\"":       "calendars.proxy",
		"[calendars]\nproxy_decides = true":         "calendars.proxy_decides",
		"[webhooks]\nproxy_decides = true":          "webhooks.proxy_decides",
		"[acme]\ndirectory = \"https://a/dir\"":     "acme.accept_terms",
		"[acme]\ndirectory = \"http://a/dir\"\naccept_terms = true\n[console]\nurl = \"https://b.example\"":                               "acme.directory",
		"[acme]\ndirectory = \"https://a/dir\"\naccept_terms = true\n[console]\nurl = \"https://192.0.2.1\"":                              "write a name",
		"[acme]\ndirectory = \"https://a/dir\"\naccept_terms = true\n[console]\nurl = \"https://b.example\"\ncert = \"/c\"\nkey = \"/k\"": "not both",
		"[acme]\neab_key_id = \"x\"": "go together",
		"[proxy]\ntrusted = [\"10.0.0.1\"]\n[console]\nurl = \"https://b.example\"":                      "proxy.trusted[0]",
		"[proxy]\ntrusted = [\"10.0.0.1/8\"]\n[console]\nurl = \"https://b.example\"":                    "proxy.trusted[0]",
		"[proxy]\ntrusted = [\"0.0.0.0/0\"]\n[console]\nurl = \"https://b.example\"":                     "everybody would be believed",
		"[proxy]\ntrusted = [\"10.0.0.1/32\"]":                                                           "console.url",
		"[console]\nlisten = \"unix:/run/x.sock\"":                                                       "console.url",
		"[console]\nlisten = \"unix:x.sock\"\nurl = \"https://b.example\"":                               "whole path",
		"[console]\nlisten = \"unix:/x.sock\"\nurl = \"https://b.example\"\ncert = \"/c\"\nkey = \"/k\"": "leave cert and key out",
		"[security]\ncontact = [\"x@example.fr\"]\nexpires = \"2027-01-01\"":                             "security.contact[0]",
		"[security]\ncontact = [\"mailto:x@example.fr\"]":                                                "go together",
		"[security]\ncontact = [\"mailto:x@example.fr\\nExpires: never\"]\nexpires = \"2027-01-01\"":     "security.contact[0]",
		strings.Repeat("#", config.MaxFile+1):                                                            "passes",
	} {
		_, err := config.Parse([]byte(text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q gives %v, want %q", text, err, want)
		}
	}
}

// TestTheDirectoryOfStaff: nothing goes in the clear, and nothing is half said.
func TestTheDirectoryOfStaff(t *testing.T) {
	good := map[string]string{"address": `"ldaps://annuaire.example.fr"`, "bind_dn": `"CN=borne,DC=example,DC=fr"`, "password_file": `"/etc/borne/ldap"`,
		"base": `"DC=example,DC=fr"`, "filter": `"(&(sAMAccountName={login})(memberOf=CN=Borne,DC=example,DC=fr))"`}
	text := func(change map[string]string) string {
		lines := maps.Clone(good)
		maps.Copy(lines, change)
		s := "[ldap]\n"
		for k, v := range lines {
			if v != "" {
				s += k + " = " + v + "\n"
			}
		}
		return s
	}
	c, err := config.Parse([]byte(text(map[string]string{"every_minutes": "5"})))
	if err != nil || c.LDAP.Every != 5*time.Minute || c.LDAP.Address != "ldaps://annuaire.example.fr" || c.LDAP.BindDN == "" || c.LDAP.Password != "/etc/borne/ldap" || c.LDAP.Base == "" || c.LDAP.Filter == "" {
		t.Errorf("%+v, %v", c.LDAP, err)
	}
	if _, err := config.Parse([]byte(text(map[string]string{"address": `"ldap://annuaire.example.fr"`, "starttls": "true"}))); err != nil {
		t.Error(err)
	}
	for key, change := range map[string]map[string]string{
		"ldap.address":       {"address": `"ldap://annuaire.example.fr"`},
		"ldap.bind_dn":       {"bind_dn": ""},
		"ldap.password_file": {"password_file": `"ldap"`},
		"ldap.base":          {"base": ""},
		"ldap.filter":        {"filter": `"(uid=anna)"`},
		"ldap.ca":            {"ca": `"ca.pem"`},
		"ldap.every_minutes": {"every_minutes": "0"},
		"password":           {"password": `"x"`},
	} {
		if _, err := config.Parse([]byte(text(change))); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s: %v", key, err)
		}
	}
	for _, change := range []map[string]string{{"address": ""}, {"address": `"ldaps://x"`, "starttls": "true"}} {
		if _, err := config.Parse([]byte(text(change))); err == nil || !strings.Contains(err.Error(), "ldap.address") {
			t.Errorf("%v: %v", change, err)
		}
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.toml")
	if _, err := config.Load(path); err == nil || !strings.Contains(err.Error(), "borne-controller init") {
		t.Errorf("a missing file gives %v", err)
	}
	if err := os.WriteFile(path, []byte("x = 1"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path); err == nil || !strings.HasPrefix(err.Error(), "cannot load "+path) {
		t.Errorf("a wrong file gives %v", err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(config.Example()))
	f.Add([]byte("[console]\nlisten=1"))
	f.Add([]byte("a.b.c = [[]]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := config.Parse(b); err == nil && !filepath.IsAbs(c.State) {
			t.Errorf("state %q is taken", c.State)
		}
	})
}
