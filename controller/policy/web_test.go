package policy

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestReaches(t *testing.T) {
	p := Default()
	p.Web.Blocked = []string{"*"}
	if !slices.ContainsFunc(p.Check(), func(x Problem) bool { return x.Field == "web.allowed" }) {
		t.Error("everything blocked is accepted")
	}
	p.Web.Allowed = []string{"https://caf.fr", "https://francetravail.fr", "ameli.fr", "gouv.fr", "service-public.fr", "hautesavoie.fr:443/"}
	if found := p.Check(); len(found) > 0 {
		t.Errorf("allowed over blocked: %+v", found)
	}
	p.Web.Allowed[0] = ".caf.fr" // this host only: not www.caf.fr
	if found := p.Check(); len(found) != 1 || found[0].Field != "portal.tiles.0.url" {
		t.Errorf("an exact host: %+v", found)
	}
}

// TestNobodyGetsThrough: each way to lock everyone out is refused in its own
// field, with a sentence that says why.
func TestNobodyGetsThrough(t *testing.T) {
	for _, c := range []struct {
		field, says string
		change      func(*Policy)
	}{
		{"web.blocked.0", "personne n’irait nulle part", func(p *Policy) { p.Web.Blocked = []string{"*"} }},
		{"web.blocked.1", "personne n’irait nulle part", func(p *Policy) { p.Web.Blocked = []string{"example.org", "*://*/*"} }},
		{"web.blocked.0", "personne n’irait nulle part", func(p *Policy) { p.Web.Blocked = []string{"https://*"} }},
		{"web.allowed", "Aucun service", func(p *Policy) { p.Web.Blocked = []string{"*"} }},
		{"web.allowed", "Aucun service", func(p *Policy) { p.Web.Allowed = []string{"example.org"} }},
		{"web.allowed.0", "réglages du navigateur", func(p *Policy) { p.Web.Allowed = []string{"*"} }},
		{"web.allowed.0", "réglages du navigateur", func(p *Policy) { p.Web.Allowed = []string{"*://*"} }},
		{"web.allowed.1", "seuls http", func(p *Policy) { p.Web.Allowed = []string{"caf.fr", "chrome://*"} }},
		{"web.allowed.0", "seuls http", func(p *Policy) { p.Web.Allowed = []string{"file:///*"} }},
		{"web.allowed.0", "nom complet", func(p *Policy) { p.Web.Allowed = []string{"javascript:*"} }},
		{"web.allowed.0", "Il manque le nom", func(p *Policy) { p.Web.Allowed = []string{"https:///x"} }},
		{"web.allowed.0", "80 et 443", func(p *Policy) { p.Web.Allowed = []string{"caf.fr:8443"} }},
		{"portal.tiles.0.url", "port 8443", func(p *Policy) { p.Portal.Tiles[0].URL = "https://www.caf.fr:8443/" }},
		{"portal.tiles.0.url", "réseau privé", func(p *Policy) { p.Portal.Tiles[0].URL = "http://192.168.1.10/ent" }},
		{"portal.tiles.0.url", "réseau privé", func(p *Policy) { p.Portal.Tiles[0].URL = "http://localhost/" }},
		{"portal.tiles.0.url", "réseau privé", func(p *Policy) { p.Portal.Tiles[0].URL = "https://127.0.0.1/" }},
		{"portal.tiles.0.url", "réseau privé", func(p *Policy) { p.Portal.Tiles[0].URL = "https://[2001:db8::1]/" }},
		{"portal.tiles.0.url", "réseau privé", func(p *Policy) { p.Portal.Tiles[0].URL = "http://ent.local/" }},
		{"portal.tiles.0.url", "sites permis", func(p *Policy) { p.Web.Allowed = []string{"francetravail.fr"} }},
		{"portal.tiles.0.url", "la ligne « www.caf.fr »", func(p *Policy) { p.Web.Blocked = []string{"example.org", "www.caf.fr"} }},
		{"portal.tiles.0.url", "la ligne « www.caf.fr »", func(p *Policy) {
			p.Web.Allowed, p.Web.Blocked = []string{"fr"}, []string{"www.caf.fr"}
		}},
		{"session.minMinutes", "la plus longue en dure 4", func(p *Policy) {
			p.Hours.Weekly = [7][]Span{{}, {{From: 480, To: 484}}, {{From: 600, To: 602}}}
		}},
		{"hours", "jamais ouvert", func(p *Policy) { p.Hours = Hours{Exceptions: []Exception{{Day: "2026-12-25", Spans: []Span{}}}} }},
		{"hours", "sont passées", func(p *Policy) {
			p.Hours = Hours{Exceptions: []Exception{{Day: "2026-03-01", Spans: []Span{{480, 1080}}}}}
		}},
	} {
		p := Default()
		p.Portal.Tiles = slices.Clone(p.Portal.Tiles)
		c.change(&p)
		found := p.CheckAt(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Location())
		if !slices.ContainsFunc(found, func(x Problem) bool { return x.Field == c.field && strings.Contains(x.Sentence, c.says) }) {
			t.Errorf("%s, %q: found %+v", c.field, c.says, found)
		}
	}
	// And what only looks so is let through.
	for name, change := range map[string]func(*Policy){
		"a narrow list":                  func(p *Policy) { p.Web.Allowed = []string{"fr"} },
		"blocked beside the services":    func(p *Policy) { p.Web.Blocked = []string{"example.org", "www.caf.fr/forum"} },
		"everything but what is allowed": func(p *Policy) { p.Web.Allowed, p.Web.Blocked = []string{"fr"}, []string{"*"} },
		"a port behind a proxy": func(p *Policy) {
			p.Portal.Tiles[0].URL, p.Network.Proxy = "https://www.caf.fr:8443/", "http://10.1.2.3:3128"
		},
		"a private network that is named": func(p *Policy) {
			p.Portal.Tiles[0].URL, p.Network.Private = "http://10.1.2.9/", []string{"10.1.2.0/24"}
		},
		"one evening to come": func(p *Policy) {
			p.Hours = Hours{Exceptions: []Exception{{Day: "2026-12-01", Spans: []Span{{1080, 1200}}}}}
		},
		"short, but over night": func(p *Policy) { p.Hours.Weekly = [7][]Span{{{From: 1437, To: 1440}}, {{From: 0, To: 240}}} },
		"open at any hour":      func(p *Policy) { p.Hours = Hours{Always: true} },
	} {
		p := Default()
		p.Portal.Tiles = slices.Clone(p.Portal.Tiles)
		change(&p)
		if found := p.CheckAt(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC), Location()); len(found) > 0 {
			t.Errorf("%s: %+v", name, found)
		}
	}
}

// TestTheMoreSpecificWins: as Chromium decides between its two lists.
func TestTheMoreSpecificWins(t *testing.T) {
	for _, c := range []struct {
		allowed, blocked, page string
		reaches                bool
	}{
		{"", "", "https://caf.fr/", true},
		{"", "caf.fr", "https://www.caf.fr/", false},
		{"", ".caf.fr", "https://www.caf.fr/", true},
		{"", "caf.fr:80", "https://caf.fr/", true},
		{"caf.fr", "caf.fr", "https://caf.fr/", true},
		{"caf.fr", "www.caf.fr", "https://www.caf.fr/x", false},
		{"www.caf.fr", "caf.fr", "https://www.caf.fr/x", true},
		{"caf.fr", "caf.fr/forum", "https://caf.fr/forum/1", false},
		{"caf.fr", "caf.fr/forum", "https://caf.fr/", true},
		{"caf.fr/forum", "caf.fr", "https://caf.fr/forum/1", true},
		{"caf.fr", ".caf.fr", "https://caf.fr/", false},
		{"*.caf.fr", "*", "https://caf.fr/", true},
		{"http://caf.fr", "", "https://caf.fr/", false},
		{"https://caf.fr:443/", "", "https://caf.fr/", true},
	} {
		u, err := url.Parse(c.page)
		if err != nil {
			t.Fatal(err)
		}
		if got := (Web{Allowed: strings.Fields(c.allowed), Blocked: strings.Fields(c.blocked)}).Reaches(u); got != c.reaches {
			t.Errorf("allowed %q, blocked %q: %s is reached: %v", c.allowed, c.blocked, c.page, got)
		}
	}
}

// FuzzCheckWeb: whatever a policy holds, checking it ends, and is the same twice.
func FuzzCheckWeb(f *testing.F) {
	for _, v := range []string{"*", "caf.fr", "https://.caf.fr:443/x*", "chrome://*", "[::1]:80/", "javascript:*", "://", "http://*:*/*"} {
		f.Add(v, v, "https://"+v)
	}
	f.Fuzz(func(t *testing.T, allowed, blocked, page string) {
		p := Default()
		p.Web.Allowed, p.Web.Blocked = []string{allowed}, []string{blocked}
		p.Portal.Tiles = []Tile{{Name: "X", URL: page}}
		a, err := json.Marshal(p.Check())
		b, err2 := json.Marshal(p.Check())
		if err != nil || err2 != nil || string(a) != string(b) {
			t.Errorf("%s, then %s", a, b)
		}
		if len(p.Check()) > 0 {
			return
		}
		for _, open := range []string{"chrome://settings/", "file:///etc/passwd", "javascript:alert(1)"} {
			if u, err := url.Parse(open); err == nil && parsePattern(allowed).matches(u) {
				t.Errorf("%q is accepted, and lets %s through", allowed, open)
			}
		}
	})
}
