package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/store"
	"borne/controller/wire"
)

// numberA is the printed number of site a's badge, numberB of site b's.
const (
	numberA = "572001034"
	numberB = "123456786"
)

func h1Of(site string) []byte { return bytes.Repeat([]byte(site), wire.H1Size) }

// badged puts a badge of each site there, if it was erased, a window and a page of
// codes.
func (w *world) badged() {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		for site, number := range map[string]string{"a": numberA, "b": numberB} {
			if _, err := store.First(store.Find[store.Holder](tx, "number", number)); err == nil {
				continue
			}
			h := store.Holder{H2: "h2" + site, Kind: store.HolderDay, Number: number, Sites: nil, Created: t0, Seen: "2026-03"}
			if err := put(tx, store.Meta{ID: "holder-" + site, Site: site}, h); err != nil {
				return err
			}
		}
		if _, err := store.Get[store.BadgeWindow](tx, "w-a"); err != nil {
			if err := put(tx, store.Meta{ID: "w-a", Site: "a", Scope: "a-1"}, store.BadgeWindow{Action: "find", Until: t0}); err != nil {
				return err
			}
		}
		if _, err := store.Get[store.StaffBadge](tx, "staff-a"); err != nil {
			if err := put(tx, store.Meta{ID: "staff-a", Site: "a"}, store.StaffBadge{H2: "h2staff", Login: "anna", Made: t0, Good: t0}); err != nil {
				return err
			}
		}
		if _, err := store.First(store.Find[store.DayCode](tx, "sheet", "sheet-a")); err != nil {
			return put(tx, store.Meta{ID: "code-a", Site: "a"}, store.DayCode{Sheet: "sheet-a", Until: t0.Add(time.Hour)})
		}
		return nil
	})
}

func TestEnrollingFromTheConsole(t *testing.T) {
	w := start(t)
	rec := w.as(accounts.Reception, "a")
	win := decode[WindowView](t, w.do(rec, "POST", "/api/terminals/a-1/badges", WindowRequest{Action: "enrol", Kind: "permanent", Here: true, Group: "Famille", Expires: "2027-06-30"}), 202)
	path := "/api/terminals/a-1/badges/" + win.ID
	if v := decode[WindowView](t, w.do(rec, "GET", path, nil), 200); v.Done || v.Number != "" {
		t.Errorf("before a badge: %+v", v)
	}
	w.decide(func(tx store.Tx) error {
		_, err := w.dir.Ask(tx, "a-1", wire.BadgeAsk{ID: "q", Window: win.ID, Holder: h1Of("a")})
		return err
	})
	v := decode[WindowView](t, w.do(rec, "GET", path, nil), 200)
	if !v.Done || v.Reason != "" || len(v.Number) != 9 {
		t.Fatalf("after a badge: %+v", v)
	}
	if a := w.do(w.as(accounts.Reception, "b"), "GET", path, nil); a.StatusCode != 403 {
		t.Errorf("another place's reception: %s", a.Status)
	}
	if a := w.do(w.as(accounts.Reception, "b"), "GET", "/api/terminals/b-1/badges/"+win.ID, nil); a.StatusCode != 404 {
		t.Errorf("another place's terminal: %s", a.Status)
	}
	all := decode[BadgesView](t, w.do(rec, "GET", "/api/badges", nil), 200)
	if len(all.Badges) != 1 || all.Badges[0].Number != v.Number || all.Badges[0].Group != "Famille" || !slices.Equal(all.Badges[0].Sites, []string{"a"}) {
		t.Errorf("the page shows %+v", all)
	}
	if other := decode[BadgesView](t, w.do(w.as(accounts.Reception, "b"), "GET", "/api/badges", nil), 200); len(other.Badges) != 0 {
		t.Errorf("the other place's page shows %+v", other)
	}
	lost := decode[BadgeView](t, w.do(rec, "POST", "/api/badges/"+v.Number+"/lost", BadgeLost{Lost: true}), 200)
	if !lost.Lost {
		t.Errorf("lost: %+v", lost)
	}
	w.decide(func(tx store.Tx) error {
		ans, err := w.dir.Ask(tx, "a-1", wire.BadgeAsk{ID: "q", Holder: h1Of("a")})
		if ans.Reason != wire.RefuseBadgeLost {
			t.Errorf("a lost badge: %+v", ans)
		}
		return err
	})
	for i, c := range []struct {
		cookie string
		body   any
		status int
		says   string
	}{
		{rec, WindowRequest{Action: "enrol"}, 422, "body.kind"},
		{rec, WindowRequest{Action: "enrol", Kind: "permanent"}, 422, "body.here"},
		{rec, WindowRequest{Action: "enrol", Kind: "day", Expires: "2026-03-01"}, 422, "body.expires"},
		{rec, WindowRequest{Action: "enrol", Kind: "day", Expires: "demain"}, 422, "body.expires"},
		{rec, WindowRequest{Action: "find", Here: true}, 422, "body.action"},
		{rec, WindowRequest{Action: "enrol", Kind: "day", Group: "=1"}, 422, "body.group"},
		{rec, WindowRequest{Action: "find", Group: "x"}, 422, "body.action"},
		{rec, WindowRequest{Action: "burn"}, 422, "body.action"},
		{rec, `{"action":"find","by":"x"}`, 422, "body.by"},
		{w.as(accounts.DPO, "a"), WindowRequest{Action: "enrol", Kind: "day"}, 403, ""},
		{w.as(accounts.DPO, "a"), WindowRequest{Action: "find"}, 202, ""},
		{w.as(accounts.Administrator), WindowRequest{Action: "enrol", Kind: "permanent"}, 202, ""},
	} {
		if a := w.do(c.cookie, "POST", "/api/terminals/a-1/badges", c.body); a.StatusCode != c.status || !strings.Contains(string(a.body), c.says) {
			t.Errorf("case %d: %s %s", i, a.Status, a.body)
		}
	}
	w.live.set("a-1", LiveState{})
	if a := w.do(rec, "POST", "/api/terminals/a-1/badges", WindowRequest{Action: "find"}); a.StatusCode != 409 {
		t.Errorf("a terminal that is away: %s", a.Status)
	}
}

func TestRightsOfABadge(t *testing.T) {
	w := start(t)
	w.badged()
	adm, cor, rec := w.as(accounts.Administrator), w.as(accounts.Correspondant, "a"), w.as(accounts.Reception, "a")
	w.decide(func(tx store.Tx) error {
		return store.Update(tx, "holder-a", func(it *store.Item[store.Holder]) error { it.Row.Kind = store.HolderPermanent; return nil })
	})
	for i, c := range []struct {
		cookie string
		body   any
		status int
		says   string
	}{
		{adm, BadgeChange{Group: "Famille", Sites: []string{"a", "b"}, Expires: "2027-06-30"}, 200, `"expires":"2027-06-30T22:00:00Z"`},
		{cor, BadgeChange{Group: "Senior", Sites: []string{"a", "b"}, Expires: "2027-06-30"}, 200, `"group":"Senior"`},
		{cor, BadgeChange{Sites: []string{"a"}}, 422, "body.sites"},
		{cor, BadgeChange{Sites: []string{}}, 422, "body.sites"},
		{adm, BadgeChange{Sites: []string{"none"}}, 422, "body.sites"},
		{adm, BadgeChange{Sites: []string{}, Expires: "2020-01-01"}, 422, "body.expires"},
		{adm, BadgeChange{Sites: []string{}, Group: "a;b"}, 422, "body.group"},
		{adm, `{"group":"","sites":[],"disabled":false,"expires":"","number":"1"}`, 422, "body.number"},
		{rec, BadgeChange{Sites: []string{"a", "b"}}, 403, ""},
	} {
		if a := w.do(c.cookie, "PUT", "/api/badges/"+numberA, c.body, "If-Match", w.tag(opBadgeRights)); a.StatusCode != c.status || !strings.Contains(string(a.body), c.says) {
			t.Errorf("case %d: %s %s", i, a.Status, a.body)
		}
	}
	if a := w.do(cor, "PUT", "/api/badges/"+numberB, BadgeChange{Sites: []string{}}, "If-Match", `"0"`); a.StatusCode != 403 {
		t.Errorf("another place's badge: %s", a.Status)
	}
	if a := w.do(adm, "PUT", "/api/badges/holder-a", BadgeChange{Sites: []string{}}, "If-Match", `"0"`); a.StatusCode != 404 {
		t.Errorf("by the holder's id: %s", a.Status)
	}
	if a := w.do(rec, "POST", "/api/badges/"+numberA+"/day", BadgeDay{Given: true}); a.StatusCode != 409 {
		t.Errorf("a permanent badge is given: %s", a.Status)
	}
}

func TestDayBadgesAndCodesEndAtTheClosing(t *testing.T) {
	w := start(t)
	w.badged()
	rec := w.as(accounts.Reception, "b")
	closes := t0.Add(9 * time.Hour) // 18:00 in Paris, by the default policy
	v := decode[BadgeView](t, w.do(rec, "POST", "/api/badges/"+numberB+"/day", BadgeDay{Given: true}), 200)
	if v.Until == nil || !v.Until.Equal(closes) {
		t.Errorf("given until %v", v.Until)
	}
	if a := w.do(rec, "POST", "/api/badges/"+numberB+"/day", BadgeDay{Given: true}); a.StatusCode != 409 {
		t.Errorf("given twice: %s", a.Status)
	}
	if v = decode[BadgeView](t, w.do(rec, "POST", "/api/badges/"+numberB+"/day", BadgeDay{}), 200); v.Until != nil {
		t.Errorf("returned, and given until %v", v.Until)
	}
	c := decode[CodesView](t, w.do(rec, "POST", "/api/sites/b/day-codes", CodesRequest{N: 5, Group: "Famille"}), 201)
	if len(c.Codes) != 5 || !c.Until.Equal(closes) {
		t.Errorf("codes %+v", c)
	}
	w.decide(func(tx store.Tx) error {
		ans, err := w.dir.Ask(tx, "b-1", wire.BadgeAsk{ID: "q", Code: c.Codes[0]})
		if !ans.Allowed {
			t.Errorf("a fresh code: %+v", ans)
		}
		return err
	})
	all := w.do(rec, "GET", "/api/badge-desk", nil)
	if p := decode[BadgeDesk](t, all, 200); len(p.Codes) != 1 || p.Codes[0].Left != 4 || p.Codes[0].Sheet != c.Sheet {
		t.Errorf("the page shows %+v", p.Codes)
	}
	for _, code := range c.Codes {
		if strings.Contains(string(all.body), code) {
			t.Error("a code is told again")
		}
	}
	if a := w.do(rec, "POST", "/api/sites/b/day-codes/"+c.Sheet+"/cancel", nil); a.StatusCode != http.StatusNoContent {
		t.Errorf("cancelled: %s %s", a.Status, a.body)
	}
	w.later(10 * time.Hour)
	rec = w.as(accounts.Reception, "b")
	for path, body := range map[string]any{"/api/badges/" + numberB + "/day": BadgeDay{Given: true}, "/api/sites/b/day-codes": CodesRequest{N: 5}} {
		if a := w.do(rec, "POST", path, body); a.StatusCode != 409 || !strings.Contains(string(a.body), "déjà fermé") {
			t.Errorf("%s after the closing: %s %s", path, a.Status, a.body)
		}
	}
	w.later(5*24*time.Hour + 14*time.Hour) // a Sunday, which has no hours: what is given for it ends with it
	rec = w.as(accounts.Reception, "b")
	if c := decode[CodesView](t, w.do(rec, "POST", "/api/sites/b/day-codes", CodesRequest{N: 5}), 201); !c.Until.Equal(t0.Add(6*24*time.Hour + 15*time.Hour)) {
		t.Errorf("codes of a Sunday until %v", c.Until)
	}
	if a := w.do(rec, "POST", "/api/sites/b/day-codes", CodesRequest{N: 61}); a.StatusCode != 422 {
		t.Errorf("61 codes: %s", a.Status)
	}
}

func TestExportAndErase(t *testing.T) {
	w := start(t)
	w.badged()
	w.decide(func(tx store.Tx) error { // the badge's real h2, and a session of it
		_, err := w.dir.Pseudonym(tx, h1Of("z"), t0)
		return err
	})
	dpo := w.as(accounts.DPO)
	name := ""
	w.decide(func(tx store.Tx) error {
		for it, err := range store.List[store.Holder](tx, "", "", false) {
			if err != nil {
				return err
			}
			if it.Row.Number == "" {
				it.Row.Number, it.Row.Kind, it.Site = "572001046", store.HolderPermanent, "a"
				if err := store.Put(tx, it); err != nil {
					return err
				}
			}
		}
		b, err := w.dir.Pseudonym(tx, h1Of("z"), t0)
		name = fmt.Sprintf("%x", b)
		if err != nil {
			return err
		}
		return put(tx, store.Meta{ID: "session-z", Site: "b", Scope: "b-1"}, store.SessionRow{Session: "sz", Terminal: "b-1", Begun: t0, Seconds: 60, Holder: name})
	})
	for method, path := range map[string]string{"GET": "/export", "POST": "/erase"} { // it was used at b as well
		for _, role := range []accounts.Role{accounts.DPO, accounts.Administrator} {
			if a := w.do(w.as(role, "a"), method, "/api/badges/572001046"+path, nil); a.StatusCode != 403 || !strings.Contains(string(a.body), "tout le Département") {
				t.Errorf("%s of a alone, %s: %s %s", role, path, a.Status, a.body)
			}
		}
		if a := w.do(w.as(accounts.DPO, "a", "b"), "GET", "/api/badges/572001046/export", nil); a.StatusCode != 200 {
			t.Errorf("a DPO of both: %s", a.Status)
		}
	}
	a := w.do(dpo, "GET", "/api/badges/572001046/export", nil)
	v := decode[BadgeExport](t, a, 200)
	if len(v.Sessions) != 1 || v.Sessions[0].Place != "Collège b" || v.Sessions[0].Seconds != 60 || strings.Contains(string(a.body), name) {
		t.Errorf("exported %s", a.body)
	}
	// Rows of one site wait for a réquisition: that of its sessions alone refuses it.
	for site, status := range map[string]int{"a": 200, "b": 409} {
		h := holdOf(site)
		h.Classes = []string{"usage"}
		adm := w.as(accounts.Administrator)
		asked := decode[HoldView](t, w.do(adm, "POST", "/api/requisitions", h), 201)
		w.do(dpo, "POST", "/api/requisitions/"+asked.ID+"/confirm", nil)
		if status != 200 {
			if a := w.do(dpo, "POST", "/api/badges/572001046/erase", nil); a.StatusCode != status {
				t.Errorf("a session at %s waits: %s", site, a.Status)
			}
			w.do(dpo, "POST", "/api/requisitions/"+asked.ID+"/lift", nil)
			w.do(adm, "POST", "/api/requisitions/"+asked.ID+"/lift", nil)
		}
	}
	if e := decode[Erased](t, w.do(dpo, "POST", "/api/badges/572001046/erase", nil), 200); e.Sessions != 1 {
		t.Errorf("erased %+v", e)
	}
	if a := w.do(dpo, "GET", "/api/badges/572001046/export", nil); a.StatusCode != 404 {
		t.Errorf("after its erasure: %s", a.Status)
	}
	if p := decode[AuditPage](t, w.do(dpo, "GET", "/api/audit", nil), 200); p.Entries[0].Action != "badge.erased" || !slices.ContainsFunc(p.Entries, func(e AuditView) bool { return e.Action == "badge.exported" }) {
		t.Errorf("the audit says %+v", p.Entries)
	}
}

func TestAFileOfBadges(t *testing.T) {
	w := start(t)
	w.badged()
	adm, cor := w.as(accounts.Administrator), w.as(accounts.Correspondant, "a")
	w.decide(func(tx store.Tx) error {
		for _, s := range []string{"a", "b"} {
			if err := store.Update(tx, "holder-"+s, func(it *store.Item[store.Holder]) error { it.Row.Kind = store.HolderPermanent; return nil }); err != nil {
				return err
			}
		}
		return nil
	})
	file := decode[BadgesFile](t, w.do(adm, "GET", "/api/badges-file", nil), 200).CSV
	if strings.Count(file, "\n") != 3 || strings.Count(decode[BadgesFile](t, w.do(cor, "GET", "/api/badges-file", nil), 200).CSV, "\n") != 2 {
		t.Errorf("the file is\n%s", file)
	}
	changed := strings.Replace(strings.Replace(file, ";;;;valable", ";Famille;a;2027-06-30;valable", 1), ";;;;valable", ";;;;perdu", 1)
	if v := decode[Imported](t, w.do(adm, "POST", "/api/badges-file", BadgesImport{CSV: changed, Check: true}), 200); v.Changed != 2 {
		t.Errorf("looked at: %+v", v)
	}
	if p := decode[BadgesView](t, w.do(adm, "GET", "/api/badges", nil), 200); p.Badges[0].Lost || p.Badges[1].Lost || p.Badges[0].Expires != nil || p.Badges[1].Expires != nil {
		t.Errorf("a look changes %+v", p.Badges[0])
	}
	// A line that may not be, and a line that cannot be read: nothing counts.
	for cookie, file := range map[string]string{cor: changed, adm: changed + "x;;;;\n"} {
		a := w.do(cookie, "POST", "/api/badges-file", BadgesImport{CSV: file})
		if a.StatusCode != 422 || !strings.Contains(string(a.body), "Ligne ") || !strings.Contains(string(a.body), "rien n’a été importé") {
			t.Errorf("%s %s", a.Status, a.body)
		}
	}
	if p := decode[BadgesView](t, w.do(adm, "GET", "/api/badges", nil), 200); p.Badges[0].Lost || p.Badges[1].Lost || p.Badges[0].Expires != nil || p.Badges[1].Expires != nil {
		t.Errorf("a wrong file changes %+v", p.Badges)
	}
	other := "numero;groupe;lieux;expire;etat\n" + numberB + ";;;;perdu\n"
	if a := w.do(cor, "POST", "/api/badges-file", BadgesImport{CSV: other}); a.StatusCode != 422 || !strings.Contains(string(a.body), "n’est pas enrôlé dans vos lieux") {
		t.Errorf("another place's badge: %s %s", a.Status, a.body)
	}
	if v := decode[Imported](t, w.do(adm, "POST", "/api/badges-file", BadgesImport{CSV: changed}), 200); v.Changed != 2 || v.Lines != 2 {
		t.Errorf("imported: %+v", v)
	}
	if v := decode[Imported](t, w.do(adm, "POST", "/api/badges-file", BadgesImport{CSV: changed}), 200); v.Changed != 0 {
		t.Errorf("imported again: %+v", v)
	}
	// The file from before one was declared lost and one suspended makes neither good again.
	decode[BadgeView](t, w.do(adm, "PUT", "/api/badges/"+numberA, BadgeChange{Sites: []string{}, Disabled: true}, "If-Match", w.badgeTag(numberA)), 200)
	decode[BadgeView](t, w.do(adm, "PUT", "/api/badges/"+numberB, BadgeChange{Sites: []string{}, Disabled: true}, "If-Match", w.badgeTag(numberB)), 200)
	for _, check := range []bool{true, false} {
		if a := w.do(adm, "POST", "/api/badges-file", BadgesImport{CSV: file, Check: check}); a.StatusCode != 422 || strings.Count(string(a.body), "Ligne ") != 2 || !strings.Contains(string(a.body), "déclaré perdu") || !strings.Contains(string(a.body), "est suspendu") {
			t.Errorf("an old file: %s %s", a.Status, a.body)
		}
	}
	for _, b := range decode[BadgesView](t, w.do(adm, "GET", "/api/badges", nil), 200).Badges {
		if !b.Disabled || b.Lost != (b.Number == numberA) {
			t.Errorf("after an old file: %+v", b)
		}
	}
	now := decode[BadgesFile](t, w.do(adm, "GET", "/api/badges-file", nil), 200).CSV
	if v := decode[Imported](t, w.do(adm, "POST", "/api/badges-file", BadgesImport{CSV: now}), 200); v.Changed != 0 {
		t.Errorf("today's file: %+v", v)
	}
}

// TestBadgesArePaged walks through many badges: each comes once, in order of its
// number, of the person's sites alone, whatever is looked for.
func TestBadgesArePaged(t *testing.T) {
	w := start(t)
	w.badged()
	const many = 250
	w.decide(func(tx store.Tx) error {
		for i := range many {
			h := store.Holder{H2: fmt.Sprintf("many-%d", i), Kind: store.HolderPermanent, Number: fmt.Sprintf("%09d", 200000000+7*i), Group: []string{"", "Famille"}[i%2], Created: t0}
			if err := put(tx, store.Meta{ID: fmt.Sprintf("many-%03d", (i*37)%many), Site: []string{"a", "b"}[i%5/4]}, h); err != nil {
				return err
			}
		}
		return nil
	})
	walk := func(cookie, find string) (numbers []string, found, pages int) {
		for after := ""; ; pages++ {
			v := decode[BadgesView](t, w.do(cookie, "GET", "/api/badges?limit=60&after="+after+"&find="+url.QueryEscape(find), nil), 200)
			for _, b := range v.Badges {
				numbers = append(numbers, b.Number)
			}
			if found = v.Found; v.Next == "" || pages > 20 {
				return numbers, found, pages + 1
			}
			after = v.Next
		}
	}
	for _, c := range []struct {
		cookie, find string
		found, pages int
	}{
		{w.as(accounts.Administrator), "", many + 2, 5},
		{w.as(accounts.Reception, "a"), "", many*4/5 + 1, 4},
		{w.as(accounts.DPO, "b"), " collège B ", many/5 + 1, 1},
		{w.as(accounts.Administrator), "famille", many / 2, 3},
		{w.as(accounts.Administrator), "200 000 7", 15, 1},
		{w.as(accounts.Administrator), "none", 0, 1},
	} {
		numbers, found, pages := walk(c.cookie, c.find)
		if len(numbers) != c.found || found != c.found || pages != c.pages || !slices.IsSorted(numbers) || len(slices.Compact(slices.Clone(numbers))) != c.found {
			t.Errorf("%q: %d badges on %d pages, %d found, want %d on %d", c.find, len(numbers), pages, found, c.found, c.pages)
		}
	}
	for _, query := range []string{"limit=0", "limit=201", "after=" + strings.Repeat("1", 21), "find=" + strings.Repeat("x", 81)} {
		if a := w.do(w.as(accounts.Administrator), "GET", "/api/badges?"+query, nil); a.StatusCode != 422 {
			t.Errorf("%s: %s", query, a.Status)
		}
	}
}

// TestWhatTheRulesTakeAtADesk: the console warns before codes are printed that no
// terminal takes, and offers the groups that the printing rules name.
func TestWhatTheRulesTakeAtADesk(t *testing.T) {
	w := start(t)
	rec := w.as(accounts.Reception, "b")
	if v := decode[BadgeDesk](t, w.do(rec, "GET", "/api/badge-desk", nil), 200); len(v.Sites) != 1 || v.Sites[0].Site != "b" || v.Sites[0].Codes || v.Sites[0].Badges || len(v.Sites[0].Groups) != 0 {
		t.Errorf("with the usual rules: %+v", v)
	}
	w.decide(func(tx store.Tx) error {
		doc := `{"access":{"dayCodes":true,"knownBadges":true},"printing":{"groups":[{"name":"Famille","pagesPerSession":30}]}}`
		return put(tx, store.Meta{ID: "b", Site: "b"}, store.PolicyRow{Doc: json.RawMessage(doc), Version: 9})
	})
	if v := decode[BadgeDesk](t, w.do(rec, "GET", "/api/badge-desk", nil), 200); len(v.Sites) != 1 || !v.Sites[0].Codes || !v.Sites[0].Badges || !slices.Equal(v.Sites[0].Groups, []string{"Famille"}) {
		t.Errorf("with rules of its own: %+v", v)
	}
	if v := decode[BadgeDesk](t, w.do(w.as(accounts.Administrator), "GET", "/api/badge-desk", nil), 200); len(v.Sites) != 2 || v.Sites[0].Codes || !v.Sites[1].Codes {
		t.Errorf("all sites: %+v", v)
	}
}
