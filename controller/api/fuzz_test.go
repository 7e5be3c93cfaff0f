package api

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"borne/controller/accounts"
)

// withBody are the routes that take one, in an order of their own.
func withBody(w *world) []Access {
	var all []Access
	for _, acc := range Table() {
		p := w.api.huma.OpenAPI().Paths[acc.Path]
		var o *huma.Operation
		switch {
		case p == nil:
		case acc.Method == http.MethodPost:
			o = p.Post
		case acc.Method == http.MethodPut:
			o = p.Put
		}
		if o != nil && o.RequestBody != nil {
			all = append(all, acc)
		}
	}
	slices.SortFunc(all, func(x, y Access) int { return strings.Compare(x.Pattern(), y.Pattern()) })
	return all
}

// FuzzBody sends bodies to every route that takes one, as an administrator, through
// the whole handler: whatever comes is done or refused in a sentence, and nothing
// ends in an error of the inside.
func FuzzBody(f *testing.F) {
	w := startFor(f)
	w.badged()
	cookie := w.as(accounts.Administrator)
	routes := withBody(w)
	if len(routes) < 35 {
		f.Fatalf("only %d routes take a body", len(routes))
	}
	full, err := json.Marshal(PolicyRequest{Own: []string{"web"}, Policy: fresh()})
	if err != nil {
		f.Fatal(err)
	}
	for i := range routes {
		for _, seed := range []string{"{}", `{"kind":"message","text":"Bonjour","reason":"x"}`, `{"name":"Salle","kind":"pms","commune":"Cluses"}`, `{"action":"enrol","kind":"day","group":"a","expires":"2027-06-30"}`, `{"id":"h-a"}`, `{"minutes":60}`, `{"csv":"numero;groupe;lieux;expire;etat\n"}`,
			`{"session":"sa","pages":5,"reason":"dossier"}`, `{"token":"xxxxxxxxxxxxxxxxxxxxxx"}`, `{"response":"{}","name":"x"}`, `{"month":"2026-02"}`, `{"price":0.2,"models":[]}`, `{"text":"Mo-Fr 08:00-12:00"}`, `{"charge":0,"reason":"panne"}`, string(full)} {
			f.Add(uint8(i), []byte(seed))
		}
	}
	ids := map[Scope]string{ScopeSite: "a", ScopeSpace: "a-hall", ScopeTerminal: "a-1", ScopeReceipt: "r-a", ScopePrint: "j-a", ScopeMatter: "m-a", ScopeBadge: numberA}
	f.Fuzz(func(t *testing.T, route uint8, body []byte) {
		acc := routes[int(route)%len(routes)]
		if strings.HasPrefix(acc.Path, "/api/groups/") {
			ids[acc.Scope] = "g-ab"
			defer delete(ids, acc.Scope)
		}
		path := strings.NewReplacer("{hook}", "none", "{key}", "none", "{zone}", "A", "{id}", ids[acc.Scope], "{job}", "w1", "{window}", "w-a", "{sheet}", "sheet-a").Replace(acc.Path)
		w.t = t // the world was made for the target, which may not be asked here
		r := httptest.NewRequest(acc.Method, "http://bornes.example.fr"+path, strings.NewReader(string(body)))
		for name, v := range map[string]string{"X-Borne": "1", "Origin": "http://bornes.example.fr", "Content-Type": "application/json"} {
			r.Header.Set(name, v)
		}
		switch op := opOf(acc); {
		case op == opBadgeRights || op == opPutHook:
			r.Header.Set("If-Match", w.tag(op))
		case Versioned(op):
			r.Header.Set("If-Match", w.rev(layerOf(acc, ids)))
		}
		if acc.Path == "/api/calendars/{zone}" {
			r.Header.Set("Content-Type", "application/octet-stream")
		}
		r.AddCookie(&http.Cookie{Name: cookieName(false), Value: cookie})
		rec := httptest.NewRecorder()
		w.api.Handler().ServeHTTP(rec, r)
		if rec.Code >= 500 {
			t.Fatalf("%s: %d %s", acc.Pattern(), rec.Code, rec.Body)
		}
		if rec.Code >= 400 {
			var p struct{ Title, Detail string }
			if err := json.Unmarshal(rec.Body.Bytes(), &p); err != nil || p.Title == "" || p.Detail == "" {
				t.Fatalf("%s: %d without a sentence: %s", acc.Pattern(), rec.Code, rec.Body)
			}
		}
	})
}

// layerOf is the layer whose revision the route wants to hear.
func layerOf(acc Access, ids map[Scope]string) string {
	if strings.HasPrefix(acc.Path, "/api/policy") {
		return "global"
	}
	return ids[acc.Scope]
}

// FuzzStrict compares the strict decoder with the plain one: it takes less, and never
// something else.
func FuzzStrict(f *testing.F) {
	for _, s := range []string{`{"kind":"a"}`, `{"kind":"a","Kind":"b"}`, `{"kind":"a","kınd":"b"}`, `{"sites":["a"],"hours":{}}`, `[[[[]]]]`, `{"a":{"a":1,"A":2}}`, "\"\\u0000\"", `{} {}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []any{new(CommandRequest), new(PolicyRequest), new(BadgesImport), new(any)} {
			if err := strictJSON(b, v); err != nil {
				continue
			}
			plain := reflect.New(reflect.TypeOf(v).Elem()).Interface()
			if err := json.Unmarshal(b, plain); err != nil || !reflect.DeepEqual(plain, v) {
				t.Errorf("%q: %+v, %+v, %v", b, v, plain, err)
			}
			if c, ok := v.(*CommandRequest); ok && strings.ContainsAny(c.Reason, "\r\n\x00") {
				t.Errorf("%q is a reason", c.Reason)
			}
		}
	})
}

func TestStrictJSON(t *testing.T) {
	for body, want := range map[string]string{
		`{"kind":"identify"}`:                  "",
		`{"kind":"message","text":"a\nb"}`:     "", // a text of several lines
		`{"kind":"message","reason":"a\nb"}`:   "body.reason",
		`{"kind":"message","text":"a\u0000b"}`: "body.text",
		`{"kind":"message","text":"a\u202eb"}`: "body.text",
		`{"kind":"a","kind":"b"}`:              `"kind" is given twice`,
		`{"kind":"a","KIND":"b"}`:              `"KIND" is given twice`,
		`{"kind":"a","\u212aind":"b"}`:         "is given twice", // the Kelvin sign is a k to the decoder
		`{"Kind":"a"}`:                         `"Kind" is unknown`,
		`{"kind":"a"} {}`:                      "behind its end",
		`{"kind":` + strings.Repeat("[", 50):   "nested too deeply",
		"{\"kind\":\"a\xff\"}":                 "UTF-8",
	} {
		err := strictJSON([]byte(body), new(CommandRequest))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%.60q: %v, want %q", body, err, want)
		}
	}
	if err := strictJSON([]byte(`{"own":["a"],"policy":{"hours":{"Weekly":[]}}}`), new(PolicyRequest)); err == nil || !strings.Contains(err.Error(), "unknown") {
		t.Errorf("a field of another case deep inside: %v", err)
	}
}
