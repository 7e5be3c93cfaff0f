package api

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"borne/controller/accounts"
	"borne/controller/directory"
	"borne/controller/report"
	"borne/controller/store"
)

// opOf is the operation of a row of the table.
func opOf(acc Access) string {
	for op, other := range Table() {
		if other.Pattern() == acc.Pattern() {
			return op
		}
	}
	return ""
}

// tag is the version, between quotes, of what a change of the world is about: site
// a's badge, or the first hook.
func (w *world) tag(op string) string {
	w.t.Helper()
	if op == opBadgeRights {
		return w.badgeTag(numberA)
	}
	var tag string
	err := w.st.View(context.Background(), func(tx store.Tx) error {
		h, err := store.Get[store.Hook](tx, "hook-1")
		if err == nil {
			tag = hookTag(h.Row)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return strconv.Quote(tag)
}

func (w *world) badgeTag(number string) string {
	w.t.Helper()
	var tag string
	err := w.st.View(context.Background(), func(tx store.Tx) error {
		h, err := directory.Badge(tx, number)
		if err == nil {
			tag = badgeTag(h.Row)
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return strconv.Quote(tag)
}

// readPath is a path at which a GET finds something.
func (w *world) readPath(acc Access) string {
	ids := map[Scope]string{ScopeSite: "a", ScopeSpace: "a-hall", ScopeTerminal: "a-1", ScopeReceipt: "r-a", ScopePrint: "j-a", ScopeMatter: "m-a", ScopeBadge: numberA}
	id := ids[acc.Scope]
	if strings.HasPrefix(acc.Path, "/api/groups/") {
		id = "g-ab"
	}
	return strings.NewReplacer("{document}", "registre", "{bulk}", w.bulked(), "{id}", id, "{window}", "w-a").Replace(acc.Path)
}

// bulked sends one command to several terminals, and returns its id.
func (w *world) bulked() string {
	w.t.Helper()
	root := w.as(accounts.Administrator)
	r := BulkRequest{Kind: "identify", Sites: []string{}, Spaces: []string{}, Terminals: []string{"a-1"}}
	p := decode[BulkPreview](w.t, w.do(root, "POST", "/api/bulk/preview", r), 200)
	return decode[BulkView](w.t, w.do(root, "POST", "/api/bulk", BulkOrder{BulkRequest: r, Fingerprint: p.Fingerprint}), 202).ID
}

// TestEveryReadHasATag asks each GET twice, the second time with what the first gave.
func TestEveryReadHasATag(t *testing.T) {
	w := start(t)
	w.badged()
	w.hooked()
	w.grouped("g-ab", "a", "b")
	without := untagged()
	cookies := map[accounts.Role]string{accounts.Administrator: w.as(accounts.Administrator)}
	n := 0
	for _, op := range slices.Sorted(maps.Keys(Table())) {
		acc := Table()[op]
		if acc.Method != http.MethodGet {
			continue
		}
		if why, ok := without[op]; ok {
			if len(why) < 10 {
				t.Errorf("%s has no tag, and no reason", acc.Pattern())
			}
			delete(without, op)
			continue
		}
		cookie, path := cookies[accounts.Administrator], w.readPath(acc)
		first := w.do(cookie, "GET", path, nil)
		tag := first.Header.Get("ETag")
		if first.StatusCode != 200 || opaque(tag) == "" || strings.HasPrefix(tag, "W/") || len(first.body) == 0 {
			t.Errorf("%s: %s, ETag %s, %d bytes: %.200s", acc.Pattern(), first.Status, tag, len(first.body), first.body)
			continue
		}
		for _, same := range []string{tag, "W/" + tag, `"x", ` + tag, `W/"a,b" ,W/` + tag, "*"} {
			a := w.do(cookie, "GET", path, nil, "If-None-Match", same)
			if a.StatusCode != 304 || len(a.body) > 0 || a.Header.Get("ETag") != tag || a.Header.Get("Content-Type") != "" || a.Header.Get("Cache-Control") != first.Header.Get("Cache-Control") {
				t.Errorf("%s with %s: %s, %v, %d bytes", acc.Pattern(), same, a.Status, a.Header, len(a.body))
				break
			}
		}
		for _, other := range []string{`"x"`, opaque(tag), `"` + opaque(tag), tag[:len(tag)-1], `"x` + opaque(tag) + `"`} {
			if a := w.do(cookie, "GET", path, nil, "If-None-Match", other); a.StatusCode != 200 || string(a.body) != string(first.body) {
				t.Errorf("%s with %s: %s", acc.Pattern(), other, a.Status)
			}
		}
		if a := w.do(cookie, "HEAD", path, nil); a.StatusCode != 200 || a.Header.Get("ETag") != tag {
			t.Errorf("HEAD %s: %s, %s", acc.Path, a.Status, a.Header.Get("ETag"))
		}
		if acc.Scope != ScopeNone { // what one knows opens nothing
			if a := w.do("", "GET", path, nil, "If-None-Match", tag); a.StatusCode != 401 || a.Header.Get("ETag") != "" {
				t.Errorf("%s as nobody: %s", acc.Pattern(), a.Status)
			}
		}
		n++
	}
	for op := range without {
		t.Errorf("%s has no tag by name, and is no GET", op)
	}
	t.Logf("%d reads", n)
}

// TestTagsFollowWhatIsSeen: what changes has another tag, and each person their own.
func TestTagsFollowWhatIsSeen(t *testing.T) {
	w := start(t)
	root, cor := w.as(accounts.Administrator), w.as(accounts.Correspondant, "a")
	all, some := w.do(root, "GET", "/api/fleet", nil).Header.Get("ETag"), w.do(cor, "GET", "/api/fleet", nil).Header.Get("ETag")
	if all == some {
		t.Errorf("who sees two sites and who sees one have the tag %s", all)
	}
	rules := w.do(cor, "GET", "/api/sites/a/policy", nil)
	w.live.set("a-1", LiveState{})
	w.decide(func(tx store.Tx) error {
		return store.Update(tx, "a-1", func(it *store.Item[store.Terminal]) error { it.Row.Name = "Poste 9"; return nil })
	})
	if a := w.do(root, "GET", "/api/fleet", nil, "If-None-Match", all); a.StatusCode != 200 {
		t.Errorf("another name: %s", a.Status)
	}
	// The terminals below are in the answer too: it has another tag, of the same revision.
	now := w.do(cor, "GET", "/api/sites/a/policy", nil, "If-None-Match", rules.Header.Get("ETag"))
	if now.StatusCode != 200 || now.Header.Get("ETag")[:3] != rules.Header.Get("ETag")[:3] || !strings.HasPrefix(now.Header.Get("ETag"), `"0.`) {
		t.Errorf("%s: %s, then %s", now.Status, rules.Header.Get("ETag"), now.Header.Get("ETag"))
	}
	// …and whoever read the one before changes the rules all the same.
	if a := w.do(cor, "PUT", "/api/sites/a/policy", PolicyRequest{Own: []string{"web"}, Policy: fresh()}, "If-Match", rules.Header.Get("ETag")); a.StatusCode != 200 {
		t.Errorf("%s %s", a.Status, a.body)
	}
}

// TestEveryChangeSaysWhoWins: each PUT and PATCH names its version or a reason why
// it has none, and those that demand one refuse what names none, or another.
func TestEveryChangeSaysWhoWins(t *testing.T) {
	w := start(t)
	w.badged()
	w.hooked()
	w.grouped("g-ab", "a", "b")
	root := w.as(accounts.Administrator)
	said := versions()
	rules, hours := PolicyRequest{Own: []string{"web"}, Policy: fresh()}, HoursRequest{Hours: fresh().Hours}
	bodies := map[string]any{opPutAll: rules, opPutGroupPolicy: rules, opPutSite: rules, opPutSpace: rules, opPutTerminal: rules,
		opUndoAllPolicy: UndoRequest{ID: "v-global"}, opUndoGroup: UndoRequest{ID: "v-g-ab"}, opUndoSitePolicy: UndoRequest{ID: "v-a"}, opUndoSpacePolicy: UndoRequest{ID: "v-a-hall"}, opUndoTerminal: UndoRequest{ID: "v-a-1"},
		opPutSiteHours: hours, opPutSpaceHours: hours, opUndoSite: UndoRequest{ID: "h-a"}, opUndoSpace: UndoRequest{ID: "h-a-hall"},
		opPutFigures: EnergyFiguresRequest{Price: 0.2, Models: report.DefaultFigures().Models},
		opPutAccount: AccountRequest{Name: "Lou", Role: "observer", All: true, Sites: []string{}, Groups: []string{}},
		opPutGroup:   GroupRequest{Name: "Tous", Sites: []string{"a", "b"}}, opBadgeRights: BadgeChange{Group: "Senior", Sites: []string{}}, opPutHook: aHook(),
		opPutSiteCard: SiteRequest{Name: "Collège du Lac", Kind: "college", Commune: "Annecy"}, opPutSpaceCard: SpaceRequest{Name: "Salle"}}
	for _, op := range slices.Sorted(maps.Keys(Table())) {
		acc, v := Table()[op], said[op]
		delete(said, op)
		changes := acc.Method == http.MethodPut || acc.Method == http.MethodPatch
		switch {
		case acc.Method == http.MethodGet:
			if v != (version{}) {
				t.Errorf("%s changes nothing, and names a version", acc.Pattern())
			}
			continue
		case changes && (v.Of == "") == (len(v.Last) < 10):
			t.Errorf("%s: say in versions() what it is a version of, or why the last one wins: %+v", acc.Pattern(), v)
			continue
		}
		account := w.somebody()
		w.grouped("g-ab", "a", "b") // one route removes it
		path, match := w.changed(acc, account)
		if v.Of == "" {
			a := w.do(root, acc.Method, path, nil, "If-Match", `"0"`)
			if a.StatusCode != 412 && a.StatusCode != 403 && acc.Scope != ScopeNone {
				t.Errorf("%s compares nothing, and takes If-Match: %s %s", acc.Pattern(), a.Status, a.body)
			}
			continue
		}
		body, ok := bodies[op]
		if !ok && acc.Method != http.MethodDelete {
			t.Errorf("%s demands a version: give this test a body for it", acc.Pattern())
			continue
		}
		for _, c := range []struct {
			name, given string
			status      int
		}{{"none", "", 428}, {"any", "*", 428}, {"another", `"999"`, 412}, {"no tag", "0", 412}} {
			a := w.do(root, acc.Method, path, body, "If-Match", c.given)
			var p problemBody
			if err := json.Unmarshal(a.body, &p); err != nil || a.StatusCode != c.status || p.Title != "Modifié entre-temps" || !strings.Contains(p.Detail, v.Of) {
				t.Errorf("%s with %s: %s %+v", acc.Pattern(), c.name, a.Status, p)
			}
		}
		// What a GET gave, and what a proxy that compresses made of it.
		if a := w.do(root, acc.Method, path, body, "If-Match", "W/"+strings.TrimSuffix(match, `"`)+`.0123456789ab"`); a.StatusCode >= 300 {
			t.Errorf("%s with the version that is there, %s: %s %s", acc.Pattern(), match, a.Status, a.body)
		}
		want := 412 // it has changed
		if acc.Method == http.MethodDelete {
			want = 404
		}
		if a := w.do(root, acc.Method, path, body, "If-Match", match); a.StatusCode != want {
			t.Errorf("%s twice with the same version: %s %s", acc.Pattern(), a.Status, a.body)
		}
	}
	for op := range said {
		t.Errorf("%s has a version and no route", op)
	}
}

// changed is where a change finds something, and the version of what it finds.
func (w *world) changed(acc Access, account string) (path, match string) {
	w.t.Helper()
	ids := map[Scope]string{ScopeSite: "a", ScopeSpace: "a-hall", ScopeTerminal: "a-1", ScopeReceipt: "r-a", ScopePrint: "j-a", ScopeMatter: "m-a", ScopeBadge: numberA}
	id, op := ids[acc.Scope], opOf(acc)
	switch {
	case strings.HasPrefix(acc.Path, "/api/groups/"):
		id = "g-ab"
	case strings.HasPrefix(acc.Path, "/api/accounts/"):
		id = account
	}
	switch layer := id; op {
	case opPutAccount, opDropAccount:
		match = w.rowRev(store.KindUser, account)
	case opPutGroup, opDropGroup:
		match = w.rowRev(store.KindSiteGroup, "g-ab")
	case opPutFigures:
		match = `"0"`
	case opPutSiteCard:
		match = w.rowRev(store.KindSite, id)
	case opPutSpaceCard:
		match = w.rowRev(store.KindSpace, id)
	case opBadgeRights, opPutHook:
		match = w.tag(op)
	default:
		if strings.HasPrefix(acc.Path, "/api/policy") {
			layer = store.PolicyGlobal
		}
		match = w.rev(layer)
	}
	return strings.NewReplacer("{hook}", "hook-1", "{key}", "none", "{zone}", "A", "{id}", id, "{job}", "w1", "{window}", "w-a", "{sheet}", "sheet-a", "{agreement}", "none", "{token}", "none", "{hold}", "hold-a").Replace(acc.Path), match
}
