package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"pgregory.net/rapid"
)

// openMinute is the reference: it looks at each span of the days around.
func openMinute(h Hours, t time.Time, loc *time.Location, seen map[string]time.Time) bool {
	if h.Always {
		return true
	}
	at := func(on time.Time, minutes int) time.Time {
		key := fmt.Sprint(on.Unix(), minutes)
		if _, ok := seen[key]; !ok {
			seen[key] = byMinutes(on, minutes, loc)
		}
		return seen[key]
	}
	for d := -3; d <= 1; d++ {
		y, m, day := t.In(loc).Date()
		on := time.Date(y, m, day+d, 12, 0, 0, 0, loc)
		spans := h.Weekly[on.Weekday()]
		for _, e := range h.Exceptions {
			if e.Day == on.Format(dayLayout) {
				spans = e.Spans
			}
		}
		for _, s := range spans {
			if !t.Before(at(on, s.From)) && t.Before(at(on, s.To)) {
				return true
			}
		}
	}
	return false
}

// byMinutes finds the first instant whose wall clock is at or past the minutes,
// by walking through the hours of UTC.
func byMinutes(on time.Time, minutes int, loc *time.Location) time.Time {
	y, m, d := on.Date()
	want := time.Date(y, m, d, 0, minutes, 0, 0, time.UTC)
	for u := want.Add(-4 * time.Hour); ; u = u.Add(time.Minute) {
		w := u.In(loc)
		if shown := time.Date(w.Year(), w.Month(), w.Day(), w.Hour(), w.Minute(), 0, 0, time.UTC); !shown.Before(want) {
			return w
		}
	}
}

func drawHours(t *rapid.T, days []string) (h Hours) {
	spans := rapid.Custom(func(t *rapid.T) []Span {
		var all []Span
		at := rapid.IntRange(0, 1439).Draw(t, "from")
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			if at >= 1440 {
				break
			}
			to := at + rapid.IntRange(1, 900).Draw(t, "length")
			all = append(all, Span{at, to})
			at = to + rapid.IntRange(0, 200).Draw(t, "pause")
		}
		return all
	})
	for i := range h.Weekly {
		h.Weekly[i] = spans.Draw(t, "weekly")
	}
	for i, d := range days {
		if rapid.Bool().Draw(t, "exception") {
			h.Exceptions = append(h.Exceptions, Exception{Day: d, Spans: spans.Draw(t, "spans"), Why: fmt.Sprint("raison ", i)})
		}
	}
	return h
}

// TestAtAgainstMinutes: At agrees with a walk minute by minute, in weeks with
// and without a change of the clocks.
func TestAtAgainstMinutes(t *testing.T) {
	paris := Location()
	if paris.String() != "Europe/Paris" {
		t.Fatalf("time zone %s", paris)
	}
	rapid.Check(t, func(t *rapid.T) {
		week := rapid.SampledFrom([]string{"2026-03-28", "2026-10-24", "2026-07-13", "2026-12-31", "2028-02-28"}).Draw(t, "week")
		first, err := time.ParseInLocation(dayLayout, week, paris)
		if err != nil {
			t.Fatal(err)
		}
		h := drawHours(t, []string{week, first.AddDate(0, 0, 1).Format(dayLayout)})
		at := first.Add(time.Duration(rapid.IntRange(0, 2*24*60).Draw(t, "minute")) * time.Minute)
		got, seen := h.At(at, paris), map[string]time.Time{}
		if want := openMinute(h, at, paris, seen); got.Open != want {
			t.Fatalf("%v: open %v, want %v; %+v", at, got.Open, want, got)
		}
		limit := at.Add(40 * time.Hour)
		u := at
		for u.Before(limit) && openMinute(h, u, paris, seen) == got.Open {
			u = u.Add(time.Minute)
		}
		switch {
		case u.Before(limit) && !got.Until.Equal(u):
			t.Fatalf("%v: open %v until %v, want %v", at, got.Open, got.Until, u)
		case !u.Before(limit) && !got.Until.IsZero() && got.Until.Before(limit):
			t.Fatalf("%v: open %v until %v, but it lasts past %v", at, got.Open, got.Until, limit)
		}
	})
}

func TestAt(t *testing.T) {
	paris := Location()
	h := Default().Hours
	h.Exceptions = []Exception{{Day: "2026-12-25", Why: "Noël"}, {Day: "2026-12-26", Spans: []Span{{22 * 60, 26 * 60}}, Why: "Soirée"}}
	for _, c := range []struct{ at, until, why string }{
		{"2026-12-24 09:00", "o 2026-12-24 18:00", ""},
		{"2026-12-24 18:00", "c 2026-12-26 22:00", ""},
		{"2026-12-25 10:00", "c 2026-12-26 22:00", "Noël"},
		{"2026-12-27 01:59", "o 2026-12-27 02:00", "Soirée"},
		{"2026-12-27 02:00", "c 2026-12-28 08:00", ""},
	} {
		at, err := time.ParseInLocation("2006-01-02 15:04", c.at, paris)
		if err != nil {
			t.Fatal(err)
		}
		o := h.At(at, paris)
		got := map[bool]string{true: "o ", false: "c "}[o.Open] + o.Until.Format("2006-01-02 15:04")
		if got != c.until || o.Why != c.why {
			t.Errorf("%s: %s (%s), want %s (%s)", c.at, got, o.Why, c.until, c.why)
		}
	}
	far := Hours{Weekly: [7][]Span{{{-1 << 30, 1 << 30}}, {{0, 1 << 30}}, {{1 << 30, 1<<30 + 60}}}}
	if o := far.At(time.Now(), paris); o.Open || !o.Until.IsZero() {
		t.Errorf("spans that Check refuses open: %+v", o)
	}
	if o := (Hours{}).At(time.Now(), paris); o.Open || !o.Until.IsZero() {
		t.Errorf("no hours at all: %+v", o)
	}
	if o := (Hours{Always: true}).At(time.Now(), paris); !o.Open || !o.Until.IsZero() {
		t.Errorf("always open: %+v", o)
	}
}

func TestCheck(t *testing.T) {
	if found := Default().Check(); len(found) > 0 {
		t.Fatalf("the default policy: %+v", found)
	}
	for field, change := range map[string]func(*Policy){
		"session.minutes":        func(p *Policy) { p.Session.Minutes = 0 },
		"session.maxMinutes":     func(p *Policy) { p.Session.MaxMinutes = 10 },
		"session.minMinutes":     func(p *Policy) { p.Session.MinMinutes = 50 },
		"session.graceSeconds":   func(p *Policy) { p.Session.GraceSeconds = 0 },
		"session.warnMinutes.1":  func(p *Policy) { p.Session.WarnMinutes = []int{5, -1} },
		"access.proof":           func(p *Policy) { p.Access.Proof = "blood" },
		"access.badgeRequired":   func(p *Policy) { p.Access.BadgeRequired = true },
		"languages":              func(p *Policy) { p.Languages = nil },
		"languages.0":            func(p *Policy) { p.Languages = []string{"xx"} },
		"profile":                func(p *Policy) { p.Profile = "" },
		"hours":                  func(p *Policy) { p.Hours = Hours{} },
		"hours.weekly.1.1":       func(p *Policy) { p.Hours.Weekly[1] = []Span{{480, 720}, {700, 800}} },
		"hours.weekly.2.0":       func(p *Policy) { p.Hours.Weekly[2] = []Span{{480, 480}} },
		"hours.weekly.3":         func(p *Policy) { p.Hours.Weekly[3] = []Span{{1200, 1440 + 500}} },
		"hours.exceptions.0.day": func(p *Policy) { p.Hours.Exceptions = []Exception{{Day: "2026-02-30"}} },
		"portal.tiles":           func(p *Policy) { p.Portal.Tiles = nil },
		"portal.title":           func(p *Policy) { p.Portal.Title = "" },
		"portal.tiles.0.url":     func(p *Policy) { p.Portal.Tiles[0].URL = "javascript:alert(1)" },
		"portal.tiles.0.name":    func(p *Policy) { p.Portal.Tiles[0].Name = "" },
		"portal.tiles.1.url":     func(p *Policy) { p.Web.Blocked = []string{"francetravail.fr"} },
		"web.allowed":            func(p *Policy) { p.Web.Allowed = []string{"example.org"} },
		"web.blocked.0":          func(p *Policy) { p.Web.Blocked = []string{"a b"} },
		"permits.prefetch":       func(p *Policy) { p.Permits.Prefetch = 0 },
		"permits.validHours":     func(p *Policy) { p.Permits.ValidHours = 0 },
		"permits.receiptWithin":  func(p *Policy) { p.Permits.ReceiptWithin = 60 },
		"printing":               func(p *Policy) { p.Printing = Printing{Enabled: true} },
		"isolation.memoryMb":     func(p *Policy) { p.Isolation.MemoryMB = 10 },
		"keyboard.layout":        func(p *Policy) { p.Keyboard.Layout = "fr; rm" },
		"network.resolver":       func(p *Policy) { p.Network.Resolver = "dns.example" },
		"network.private.0":      func(p *Policy) { p.Network.Private = []string{"0.0.0.0/0"} },
		"network.proxy":          func(p *Policy) { p.Network.Proxy = "proxy" },
		"network.ca.0":           func(p *Policy) { p.Network.CA = []string{"no"} },
		"network.pac":            func(p *Policy) { p.Network.PAC, p.Network.Proxy = "http://10.1.2.3/x.pac", "http://10.1.2.3:3128" },
		"network.proxies.0":      func(p *Policy) { p.Network.Proxies = []string{"proxy.local:3128"} },
		"network.reasons.0":      func(p *Policy) { p.Network.Reasons = []Because{{Why: strings.Repeat("x", 201)}} },
		"network":                func(p *Policy) { p.Network.Proxies = make([]string, maxProxies+1) },
		"filter.categories.0":    func(p *Policy) { p.Filter.Categories = []Category{{Name: "../x", Digest: "d"}} },
		"filter.categories.1":    func(p *Policy) { p.Filter.Categories = []Category{{"adult", "d"}, {"adult", "d"}} },
		"filter.allow.0":         func(p *Policy) { p.Filter.Allow = []string{"https://www.caf.fr"} },
		"filter.block.0":         func(p *Policy) { p.Filter.Block = []string{"com"} },
		"filter":                 func(p *Policy) { p.Filter.Block = make([]string, maxItems+1) },
	} {
		p := Default()
		p.Portal.Tiles = slices.Clone(p.Portal.Tiles)
		change(&p)
		found := p.Check()
		if !slices.ContainsFunc(found, func(x Problem) bool { return x.Field == field && x.Sentence != "" }) {
			t.Errorf("%s: found %+v", field, found)
		}
	}
}

func TestNetworkExceptions(t *testing.T) {
	for name, n := range map[string]Network{
		"resolver lo": {Resolver: "127.0.0.53"}, "resolver 6": {Resolver: "::1"}, "resolver mapped": {Resolver: "::ffff:10.0.0.1"}, "metadata": {Private: []string{"169.254.0.0/16"}},
		"around it": {Private: []string{"169.0.0.0/8"}}, "multicast": {Private: []string{"224.0.0.0/8"}}, "loopback": {Private: []string{"127.0.0.0/8"}},
		"v6": {Private: []string{"fd00::/8"}}, "proxy md": {Proxy: "http://169.254.169.254:80"}, "proxy name": {Proxy: "http://proxy.local:3128"},
		"proxy user": {Proxy: "http://u:p@10.0.0.1:3128"}, "proxy https": {Proxy: "https://10.0.0.1:3128"}, "door lo": {Proxies: []string{"127.0.0.1:80"}},
		"door mapped": {Proxies: []string{"[::ffff:127.0.0.1]:80"}}, "pac file": {PAC: "file:///etc/x.pac"}, "pac lo": {PAC: "http://127.0.0.1/x.pac"},
		"pac script": {PAC: "javascript:1"}, "pac html": {PAC: "data:text/html,x"}, "pac long": {PAC: pacData + "," + strings.Repeat("x", maxPAC)},
	} {
		p := Default()
		p.Network = n
		if len(p.Check()) == 0 {
			t.Errorf("%s is accepted", name)
		}
	}
	p := Default()
	p.Network = Network{Resolver: "10.1.2.1", Private: []string{"10.1.2.0/24", "172.16.0.0/12"}, PAC: "http://10.1.2.9/proxy.pac", Proxies: []string{"10.1.2.4:3128", "10.1.2.3:3128"},
		Reasons: []Because{{Of: "10.1.2.0/24", Why: "ENT de l’établissement"}}}
	if bad := p.Check(); len(bad) > 0 {
		t.Errorf("a school's network: %+v", bad)
	}
	if got := strings.Join(p.Network.Doors(), " "); got != "10.1.2.3:3128 10.1.2.4:3128 10.1.2.9:80" {
		t.Errorf("doors %s", got)
	}
	p.Network = Network{Proxy: "http://10.1.2.3:3128/", PAC: ""}
	if bad := p.Check(); len(bad) > 0 || strings.Join(p.Network.Doors(), " ") != "10.1.2.3:3128" {
		t.Errorf("%+v, doors %v", bad, p.Network.Doors())
	}
	p.Network = Network{PAC: "https://pac.example.org/x.pac"} // a name: the resolver decides where it leads
	if bad := p.Check(); len(bad) > 0 || len(p.Network.Doors()) > 0 {
		t.Errorf("%+v, doors %v", bad, p.Network.Doors())
	}
}

func TestMerge(t *testing.T) {
	base := Default()
	p, origin, err := Merge(base, Layer{"site", json.RawMessage(`{"session":{"minutes":30},"portal":{"tiles":[{"name":"X","url":"https://x.fr/","hint":"","icon":""}]}}`)},
		Layer{}, Layer{"space", json.RawMessage(`{"session":{"minutes":20,"idleSeconds":90},"keyboard":null}`)})
	if err != nil {
		t.Fatal(err)
	}
	if p.Session.Minutes != 20 || p.Session.IdleSeconds != 90 || p.Session.MaxMinutes != base.Session.MaxMinutes || len(p.Portal.Tiles) != 1 || p.Keyboard != (Keyboard{}) {
		t.Errorf("merged %+v", p)
	}
	for k, want := range map[string]string{"session.minutes": "space", "session.idleSeconds": "space", "session.maxMinutes": "", "portal.tiles": "site"} {
		if got, ok := origin[k]; !ok || got != want {
			t.Errorf("%s comes from %q, want %q", k, got, want)
		}
	}
	if slices.ContainsFunc(slices.Collect(maps.Keys(origin)), func(k string) bool { return strings.HasPrefix(k, "keyboard") }) {
		t.Error("a value taken away has an origin")
	}
	for _, bad := range []string{`[]`, `{"sesion":{}}`, `{"session":{"minutes":"long"}}`, `{`, `7`} {
		if _, _, err := Merge(base, Layer{"site", json.RawMessage(bad)}); err == nil {
			t.Errorf("%s is merged", bad)
		}
	}
}

// TestMergePatch runs the examples of RFC 7396, appendix A, that have an object
// as patch.
func TestMergePatch(t *testing.T) {
	for _, c := range [][3]string{
		{`{"a":"b"}`, `{"a":"c"}`, `{"a":"c"}`}, {`{"a":"b"}`, `{"b":"c"}`, `{"a":"b","b":"c"}`},
		{`{"a":"b"}`, `{"a":null}`, `{}`}, {`{"a":"b","b":"c"}`, `{"a":null}`, `{"b":"c"}`},
		{`{"a":["b"]}`, `{"a":"c"}`, `{"a":"c"}`}, {`{"a":"c"}`, `{"a":["b"]}`, `{"a":["b"]}`},
		{`{"a":{"b":"c"}}`, `{"a":{"b":"d","c":null}}`, `{"a":{"b":"d"}}`}, {`{"a":[{"b":"c"}]}`, `{"a":[1]}`, `{"a":[1]}`},
		{`{"e":null}`, `{"a":1}`, `{"a":1,"e":null}`}, {`[1,2]`, `{"a":"b","c":null}`, `{"a":"b"}`},
		{`{}`, `{"a":{"bb":{"ccc":null}}}`, `{"a":{"bb":{}}}`},
	} {
		var target any
		var patch map[string]any
		if err := json.Unmarshal([]byte(c[0]), &target); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(c[1]), &patch); err != nil {
			t.Fatal(err)
		}
		got, err := json.Marshal(apply(target, patch, "", "x", map[string]string{}))
		if err != nil || string(got) != c[2] {
			t.Errorf("%s + %s = %s %v, want %s", c[0], c[1], got, err, c[2])
		}
	}
}

func FuzzPolicy(f *testing.F) {
	doc, err := json.Marshal(Default())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(doc)
	f.Add([]byte(`{"hours":{"weekly":[[{"from":-5,"to":9999999}]],"exceptions":[{"day":"x"}]},"session":null}`))
	f.Add([]byte(`{"web":{"allowed":[":", "://", "*"]},"portal":{"tiles":[{"url":"http://[::1"}]}}`))
	f.Fuzz(func(t *testing.T, doc []byte) {
		if _, _, err := Merge(Default(), Layer{"site", doc}); err != nil {
			return
		}
		if p, err := Parse(doc); err == nil {
			ok := len(p.Check()) == 0
			o := p.Hours.At(time.Unix(1e9, 0), time.UTC)
			if ok && !o.Open && o.Until.IsZero() && !slices.ContainsFunc(p.Hours.Exceptions, func(Exception) bool { return true }) {
				t.Fatalf("a policy that passes never opens: %s", doc)
			}
		}
	})
}
