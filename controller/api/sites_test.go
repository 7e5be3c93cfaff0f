package api

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"borne/controller/accounts"
	"borne/controller/store"
)

func (w *world) sites(cookie string) map[string]SiteCard {
	w.t.Helper()
	all := map[string]SiteCard{}
	for _, s := range decode[SitesView](w.t, w.do(cookie, "GET", "/api/sites", nil), 200).Sites {
		all[s.Name] = s
	}
	return all
}

func (w *world) fields(a answered) map[string]string {
	w.t.Helper()
	var p struct {
		Errors []struct{ Location, Message string }
	}
	if err := json.Unmarshal(a.body, &p); err != nil {
		w.t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range p.Errors {
		all[e.Location] += e.Message + "\n"
	}
	return all
}

func aSite() SiteRequest {
	lat, lon := 45.9, 6.12
	return SiteRequest{Name: "Collège Les Aravis", Kind: "college", Commune: "Thônes", UAI: "0750654D", Address: "1 rue du Lac", Phone: "04 50 00 00 00", Head: "ce.0750654d@ac-grenoble.fr", Lat: &lat, Lon: &lon}
}

// TestASiteFromNothingToClosed goes through a site's life, as a page would.
func TestASiteFromNothingToClosed(t *testing.T) {
	w := start(t)
	admin := w.as(accounts.Administrator)
	made := decode[SiteCard](t, w.do(admin, "POST", "/api/sites", aSite()), 201)
	if made.UAI != "0750654D" || made.Lat == nil || *made.Lat != 45.9 || made.Head == "" || made.Closed != nil {
		t.Errorf("%+v", made)
	}
	at := "/api/sites/" + made.ID
	space := decode[SpaceCard](t, w.do(admin, "POST", at+"/spaces", SpaceRequest{Name: "Hall"}), 201)
	if a := w.do(admin, "POST", at+"/spaces", SpaceRequest{Name: "hall"}); a.StatusCode != 422 || w.fields(a)["body.name"] == "" {
		t.Errorf("two spaces of one name: %s %s", a.Status, a.body)
	}
	renamed := decode[SpaceCard](t, w.do(admin, "PUT", "/api/spaces/"+space.ID, SpaceRequest{Name: "Accueil"}, "If-Match", fmt.Sprintf("%q", fmt.Sprint(space.Rev))), 200)
	if renamed.Name != "Accueil" {
		t.Errorf("%+v", renamed)
	}
	if a := w.do(admin, "PUT", "/api/spaces/"+space.ID, SpaceRequest{Name: "Ailleurs"}, "If-Match", fmt.Sprintf("%q", fmt.Sprint(space.Rev))); a.StatusCode != 412 {
		t.Errorf("a change of an older space: %s", a.Status)
	}
	change := aSite()
	change.Name = "Collège des Aravis"
	if a := w.do(admin, "PUT", at, change, "If-Match", `"99"`); a.StatusCode != 412 {
		t.Errorf("a change of another version: %s", a.Status)
	}
	if v := decode[SiteCard](t, w.do(admin, "PUT", at, change, "If-Match", fmt.Sprintf("%q", fmt.Sprint(made.Rev))), 200); v.Name != change.Name || len(v.Spaces) != 1 {
		t.Errorf("%+v", v)
	}
	code := decode[EnrolCode](t, w.do(admin, "POST", at+"/enrol-codes", EnrolRequest{Space: space.ID, Name: "Poste 1"}), 201)
	if codes := w.sites(admin)[change.Name].Codes; len(codes) != 1 || codes[0].ID != code.ID || codes[0].State != "waiting" || codes[0].By == "" {
		t.Errorf("%+v", codes)
	}
	if all := w.do(admin, "GET", "/api/sites", nil); strings.Contains(string(all.body), code.Code) || strings.Contains(string(all.body), strings.ReplaceAll(code.Code, "-", "")) {
		t.Error("the list tells the code itself")
	}
	if a := w.do(admin, "DELETE", "/api/sites/a/enrol-codes/"+code.ID, nil); a.StatusCode != 404 {
		t.Errorf("another site's code: %s", a.Status)
	}
	if a := w.do(admin, "DELETE", at+"/enrol-codes/"+code.ID, nil); a.StatusCode != 204 {
		t.Errorf("%s %s", a.Status, a.body)
	}
	if codes := w.sites(admin)[change.Name].Codes; len(codes) != 0 {
		t.Errorf("the code is there still: %+v", codes)
	}
	decode[EnrolCode](t, w.do(admin, "POST", at+"/enrol-codes", EnrolRequest{Space: space.ID, Name: "Poste 1"}), 201)
	if v := decode[SiteCard](t, w.do(admin, "PUT", at+"/closed", ClosedRequest{Closed: true}), 200); v.Closed == nil || len(v.Codes) != 0 {
		t.Errorf("%+v", v)
	}
	for _, s := range decode[Fleet](t, w.do(admin, "GET", "/api/fleet", nil), 200).Sites {
		if s.ID == made.ID {
			t.Error("a closed site is in the fleet")
		}
	}
	for path, body := range map[string]any{"/spaces": SpaceRequest{Name: "CDI"}, "/enrol-codes": EnrolRequest{Space: space.ID, Name: "Poste 2"}} {
		if a := w.do(admin, "POST", at+path, body); a.StatusCode != 409 {
			t.Errorf("%s of a closed site: %s", path, a.Status)
		}
	}
	// Its number is free for its successor, and then no more for itself.
	decode[SiteCard](t, w.do(admin, "POST", "/api/sites", aSite()), 201)
	if a := w.do(admin, "PUT", at+"/closed", ClosedRequest{}); a.StatusCode != 422 || w.fields(a)["body.uai"] == "" {
		t.Errorf("two sites of one number: %s %s", a.Status, a.body)
	}
}

func TestAPlaceWithTerminalsDoesNotClose(t *testing.T) {
	w := start(t)
	admin := w.as(accounts.Administrator)
	for _, path := range []string{"/api/sites/a/closed", "/api/spaces/a-hall/closed"} {
		if a := w.do(admin, "PUT", path, ClosedRequest{Closed: true}); a.StatusCode != 409 || !strings.Contains(string(a.body), "Poste 1") {
			t.Errorf("%s: %s %s", path, a.Status, a.body)
		}
	}
	if a := w.do(admin, "POST", "/api/terminals/a-1/revoke", nil); a.StatusCode != 204 {
		t.Fatal(a.Status)
	}
	for _, path := range []string{"/api/spaces/a-hall/closed", "/api/sites/a/closed"} {
		if a := w.do(admin, "PUT", path, ClosedRequest{Closed: true}); a.StatusCode != 200 {
			t.Errorf("%s: %s %s", path, a.Status, a.body)
		}
	}
}

func TestASitesFieldsAreTold(t *testing.T) {
	w := start(t)
	admin := w.as(accounts.Administrator)
	bad := aSite()
	bad.UAI, bad.Phone, bad.Head, bad.Lon, bad.Name, bad.Commune = "0750654E", "demain", "nobody", nil, "collège  A", "annecy"
	got := w.fields(w.do(admin, "POST", "/api/sites", bad))
	for _, f := range []string{"body.uai", "body.phone", "body.head", "body.lon", "body.name"} {
		if got[f] == "" {
			t.Errorf("nothing is said of %s: %v", f, got)
		}
	}
}

// TestACorrespondantSetsUpTheirSite: what is in it, and how to reach it; not what it
// is called, nor who agrees for it.
func TestACorrespondantSetsUpTheirSite(t *testing.T) {
	w := start(t)
	cor := w.as(accounts.Correspondant, "a")
	all := w.sites(cor)
	if len(all) != 1 || all["Collège a"].ID != "a" {
		t.Fatalf("%+v", all)
	}
	if decode[SitesView](t, w.do(cor, "GET", "/api/sites", nil), 200).Steps != nil {
		t.Error("first steps for somebody who cannot take them")
	}
	s := all["Collège a"]
	r := s.SiteRequest
	r.Phone, r.Address = "04 50 11 22 33", "2 rue du Lac"
	if a := w.do(cor, "PUT", "/api/sites/a", r, "If-Match", fmt.Sprintf("%q", fmt.Sprint(s.Rev))); a.StatusCode != 200 {
		t.Errorf("%s %s", a.Status, a.body)
	}
	s = w.sites(cor)["Collège a"]
	for what, change := range map[string]func(*SiteRequest){"name": func(r *SiteRequest) { r.Name = "Lycée" }, "head": func(r *SiteRequest) { r.Head = "me@example.fr" }, "uai": func(r *SiteRequest) { r.UAI = "0750654D" }} {
		r := s.SiteRequest
		change(&r)
		if a := w.do(cor, "PUT", "/api/sites/a", r, "If-Match", fmt.Sprintf("%q", fmt.Sprint(s.Rev))); a.StatusCode != 403 {
			t.Errorf("a correspondant changes its %s: %s", what, a.Status)
		}
	}
	if head := decode[Fleet](t, w.do(w.as(accounts.Observer), "GET", "/api/fleet", nil), 200).Sites[0].Head; head != "" {
		t.Error("an observer reads the head's address")
	}
}

func TestATerminalMovesWithinItsSite(t *testing.T) {
	w := start(t)
	cor := w.as(accounts.Correspondant, "a")
	space := decode[SpaceCard](t, w.do(cor, "POST", "/api/sites/a/spaces", SpaceRequest{Name: "CDI"}), 201)
	before := w.policyOf("a-1")
	moved := decode[TerminalCard](t, w.do(cor, "PUT", "/api/terminals/a-1/place", PlaceRequest{Name: "Poste du CDI", Space: space.ID}), 200)
	if moved.Space != space.ID || moved.Name != "Poste du CDI" {
		t.Errorf("%+v", moved)
	}
	if now := w.policyOf("a-1"); now <= before {
		t.Errorf("its rules are version %d, as before (%d): it would not take them", now, before)
	}
	f := decode[Fleet](t, w.do(cor, "GET", "/api/fleet", nil), 200).Sites[0]
	if f.Spaces[0].ID == space.ID && len(f.Spaces[0].Terminals) != 1 || f.Spaces[1].ID == space.ID && len(f.Spaces[1].Terminals) != 1 {
		t.Errorf("%+v", f)
	}
	if a := w.do(cor, "PUT", "/api/terminals/a-1/place", PlaceRequest{Name: "Poste 1", Space: "b-hall"}); a.StatusCode != 422 {
		t.Errorf("to another site: %s", a.Status)
	}
}

func (w *world) policyOf(terminal string) (version uint64) {
	w.t.Helper()
	err := w.st.View(context.Background(), func(tx store.Tx) error {
		it, err := store.Get[store.Terminal](tx, terminal)
		if err != nil {
			return err
		}
		p, err := Effective(tx, it.Site, it.Row.Space, terminal)
		version = p.Version
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return version
}

func TestSitesComeInWholeOrNotAtAll(t *testing.T) {
	w := start(t)
	admin := w.as(accounts.Administrator)
	bring := func(csv string, check bool) answered {
		return w.do(admin, "POST", "/api/sites-file", SitesImport{CSV: csv, Check: check})
	}
	head := "nom;type;commune;uai;telephone;espaces\n"
	bad := bring(head+"Collège Neuf;collège;Cluses;0750654D;;Hall\nPMS;pms;Cluses;;hier;x\nCollège c;collège;Cluses;0750654E;;\n", false)
	got := w.fields(bad)
	if bad.StatusCode != 422 || !strings.Contains(got["body.csv.3"], "Ligne 3 : telephone") || !strings.Contains(got["body.csv.3"], "espaces") || !strings.Contains(got["body.csv.4"], "uai") {
		t.Errorf("%s %v", bad.Status, got)
	}
	if len(w.sites(admin)) != 2 {
		t.Error("something of a wrong file came in")
	}
	good := head + "Collège Neuf;collège;Cluses;0750654D;;Hall|CDI\ncollège a;collège;annecy;;04 50 00 00 09;Hall\n"
	for _, check := range []bool{true, false} {
		v := decode[SitesImported](t, bring(good, check), 200)
		if v != (SitesImported{Created: 1, Changed: 1, Spaces: 2}) {
			t.Errorf("check %v: %+v", check, v)
		}
		if n := len(w.sites(admin)); check && n != 2 || !check && n != 3 {
			t.Errorf("check %v: %d sites", check, n)
		}
	}
	if s := w.sites(admin)["collège a"]; s.ID != "a" || s.Phone != "04 50 00 00 09" || len(s.Spaces) != 1 {
		t.Errorf("%+v", s)
	}
	// What goes out comes in again, and changes nothing.
	file := decode[SitesFile](t, w.do(admin, "GET", "/api/sites-file", nil), 200).CSV
	if v := decode[SitesImported](t, bring(file, false), 200); v != (SitesImported{Same: 3}) {
		t.Errorf("%+v of\n%s", v, file)
	}
}

func TestFirstSteps(t *testing.T) {
	w := start(t)
	admin := w.as(accounts.Administrator)
	steps := func() Steps { return *decode[SitesView](t, w.do(admin, "GET", "/api/sites", nil), 200).Steps }
	if s := steps(); s != (Steps{Site: true, Space: true}) {
		t.Errorf("%+v", s)
	}
	if a := w.do(admin, "PUT", "/api/sites/a/policy", PolicyRequest{Own: []string{"hours"}, Policy: fresh()}, "If-Match", w.rev("a")); a.StatusCode != 200 {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	if s := steps(); !s.Hours || s.Rules {
		t.Errorf("%+v", s)
	}
}
