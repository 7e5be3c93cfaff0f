package api

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
)

// placesFile has an adviser in Annecy, a France services in Rumilly and a library
// without a position in Cluses.
const placesFile = "id,nom,commune,code_postal,adresse,latitude,longitude,telephone,horaires,date_maj,dispositif_programmes_nationaux\n" +
	"1,Les Romains,Annecy,74000,28 avenue du Stade,45.9075,6.1083,+33450000001,Mo-Fr 09:00-12:00,2026-02-02,Conseillers numériques\n" +
	"2,France services,Rumilly,74150,25 rue Charles de Gaulle,45.8664,5.9437,+33450000002,,2026-02-02,France Services\n" +
	"3,Médiathèque,Cluses,74300,1 place Haute,,,,un jour sur deux,2026-02-02,\n"

func TestPlacesOfHelpReachTheTerminals(t *testing.T) {
	w := start(t)
	adm := w.as(accounts.Administrator)
	if a := w.do(adm, "PUT", "/api/help-places", strings.Replace(placesFile, "45.9075", "beaucoup", 1)); a.StatusCode != 422 || !bytes.Contains(a.body, []byte("Ligne 2 : « latitude » doit être un nombre")) {
		t.Fatalf("a mistake: %s %s", a.Status, a.body)
	}
	if v := decode[HelpView](t, w.do(adm, "GET", "/api/help-places", nil), 200); v.Imported != nil || v.Places != 0 || len(v.Sites) != 2 || len(v.Sites[0].Near) != 0 {
		t.Fatalf("a file with a mistake counts: %+v", v)
	}
	want := HelpFound{Places: 3, Advisers: 1, France: 1, Placed: 2, Unread: []string{"Médiathèque"}}
	got := decode[HelpFound](t, w.do(adm, "PUT", "/api/help-places?check=true", placesFile), 200)
	if got.Places != want.Places || got.Advisers != want.Advisers || got.France != want.France || got.Placed != want.Placed || !slices.Equal(got.Unread, want.Unread) {
		t.Errorf("looked at: %+v", got)
	}
	if v := decode[HelpView](t, w.do(adm, "GET", "/api/help-places", nil), 200); v.Imported != nil {
		t.Fatal("looking imports")
	}
	decode[HelpFound](t, w.do(adm, "PUT", "/api/help-places", placesFile), 200)
	place := func(site string, at map[string]any) HelpSiteView {
		t.Helper()
		return decode[HelpSiteView](t, w.do(w.as(accounts.Correspondant, site), "PUT", "/api/sites/"+site+"/position", at), 200)
	}
	here := map[string]any{"lat": 45.9, "lon": 6.12}
	s := place("a", here)
	if len(s.Near) != 2 || s.Near[0].Name != "Les Romains" || s.Near[0].Kind != "adviser" || s.Near[0].Hours != "Mo-Fr 09:00-12:00" || s.Near[0].Metres < 1000 || s.Near[0].Metres > 1500 || s.Near[1].Hours != "" {
		t.Errorf("near a: %+v", s)
	}
	// The terminals get it with their rules, as many as the rules say.
	terminal := layer{w, adm, "/api/terminals/a-1/policy"}
	v, _ := terminal.read()
	if p := v.Policy.Help.Places; len(p) != 2 || p[0].Phone != "04 50 00 00 01" || !p[0].Known || p[1].Known || p[0].Hours.Weekly[time.Monday][0].From != 540 {
		t.Errorf("the terminal has %+v", p)
	}
	before := v.Policy.Version
	decode[PolicyView](t, layer{w, adm, "/api/sites/a/policy"}.set("help", func(r *PolicyRequest) { r.Policy.Help.Near = 1 }), 200)
	if v, _ = terminal.read(); len(v.Policy.Help.Places) != 1 || v.Policy.Version <= before {
		t.Errorf("of one place it has %d, version %d after %d", len(v.Policy.Help.Places), v.Policy.Version, before)
	}
	if _, there := v.Origin["help.places"]; there {
		t.Error("the places are some layer's")
	}
	if s := place("a", map[string]any{}); s.Placed || len(s.Near) != 1 || s.Near[0].Name != "Les Romains" || s.Near[0].Metres != 0 { // its commune is Annecy
		t.Errorf("without a position: %+v", s)
	}
	if a := w.do(adm, "PUT", "/api/sites/a/position", map[string]any{"lat": 45}); a.StatusCode != 422 {
		t.Errorf("half a position: %s", a.Status)
	}
	// A correspondant sees their own sites, and imports nothing.
	cor := w.as(accounts.Correspondant, "b")
	if v := decode[HelpView](t, w.do(cor, "GET", "/api/help-places", nil), 200); len(v.Sites) != 1 || v.Sites[0].ID != "b" || v.By == "" {
		t.Errorf("of site b: %+v", v)
	}
	if a := w.do(cor, "PUT", "/api/help-places", placesFile); a.StatusCode != 403 {
		t.Errorf("a correspondant imports: %s", a.Status)
	}
	// A shorter file takes places away.
	lines := strings.SplitAfter(placesFile, "\n")
	decode[HelpFound](t, w.do(adm, "PUT", "/api/help-places", lines[0]+lines[2]), 200)
	if s := place("a", here); len(s.Near) != 1 || s.Near[0].Name != "France services" {
		t.Errorf("after a shorter file: %+v", s)
	}
}

func TestEachTextIsNumberedAndKept(t *testing.T) {
	w := start(t)
	adm := w.as(accounts.Administrator)
	all, site := layer{w, adm, "/api/policy"}, layer{w, adm, "/api/sites/a/policy"}
	text := func(s string) func(*PolicyRequest) {
		return func(r *PolicyRequest) { r.Policy.Notice.DPO = s; r.Policy.Notice.Number = 77 }
	}
	told := func(who, dpo string, number int) {
		t.Helper()
		v, _ := layer{w, adm, "/api/terminals/" + who + "/policy"}.read()
		if n := v.Policy.Notice; n.DPO != dpo || n.Number != number || (n.Since == "") != (number == 0) {
			t.Errorf("%s is told %+v, want %q number %d", who, n, dpo, number)
		}
	}
	told("a-1", "", 0)
	decode[PolicyView](t, all.set("notice", text("un")), 200)
	told("a-1", "un", 1)
	decode[PolicyView](t, all.set("session", func(r *PolicyRequest) { r.Policy.Session.Minutes = 33 }), 200)
	told("a-1", "un", 1) // another section makes no new text
	decode[PolicyView](t, site.set("notice", text("ici")), 200)
	told("a-1", "ici", 1)
	told("b-1", "un", 1)
	decode[PolicyView](t, all.set("notice", text("deux")), 200)
	told("a-1", "ici", 1)
	told("b-1", "deux", 2)
	// The site takes the Département's again.
	v, tag := site.read()
	w.later(time.Minute)
	own := slices.DeleteFunc(slices.Clone(v.Own), func(s string) bool { return s == "notice" })
	decode[PolicyView](t, w.do(adm, "PUT", site.path, PolicyRequest{Own: own, Policy: v.Policy}, "If-Match", tag), 200)
	told("a-1", "deux", 2)

	said := func(path string) (s string) {
		for _, n := range decode[Notices](t, w.do(w.as(accounts.DPO), "GET", path, nil), 200).Notices {
			end := " →"
			if n.To != nil {
				if end = "."; n.To.Before(n.From) {
					end = " ends before it begins"
				}
			}
			s += n.Text.DPO + end + " "
		}
		return s
	}
	if got := said("/api/notices"); got != "deux → un . " && got != "deux → un. " {
		t.Errorf("the Département's texts: %q", got)
	}
	if got := said("/api/sites/a/notices"); got != "deux → ici. un. " {
		t.Errorf("what was told at a: %q", got)
	}
	// One for a whole site.
	space := layer{w, adm, "/api/spaces/a-hall/policy"}
	if a := space.set("notice", text("salle")); a.StatusCode != 422 || !bytes.Contains(a.body, []byte("La charte")) {
		t.Errorf("a space of its own text: %s %s", a.Status, a.body)
	}
	// Undoing is a new text, not the old number again.
	c := decode[PolicyChanges](t, w.do(adm, "GET", "/api/policy/changes", nil), 200)
	i := slices.IndexFunc(c.Changes, func(x PolicyChangeView) bool { return slices.Contains(x.Sections, "notice") })
	for _, d := range c.Changes[i].Changes {
		if d.Path != "notice.dpo" {
			t.Errorf("a change of the text tells %+v", d)
		}
	}
	_, tag = all.read()
	decode[PolicyView](t, w.do(adm, "POST", "/api/policy/undo", UndoRequest{ID: c.Changes[i].ID}, "If-Match", tag), 200)
	told("b-1", "un", 3)
}
