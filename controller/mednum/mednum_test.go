package mednum_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/mednum"
	"borne/controller/policy"
)

var now = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

func read(t testing.TB, file string) []mednum.Place {
	t.Helper()
	places, _, wrong := mednum.Read([]byte(file), now)
	if len(wrong) > 0 {
		t.Fatalf("%+v", wrong)
	}
	return places
}

const head = "id,pivot,nom,commune,code_postal,code_insee,adresse,complement_adresse,latitude,longitude,typologie,telephone,courriels,site_web,horaires,date_maj,services,dispositif_programmes_nationaux,modalites_acces\n"

// TestStandardFile reads a file of the national standard, made in its form.
func TestStandardFile(t *testing.T) {
	file, err := os.ReadFile("testdata/lieux.csv")
	if err != nil {
		t.Fatal(err)
	}
	places, unread, wrong := mednum.Read(file, now)
	if len(wrong) > 0 || len(places) != 4 {
		t.Fatalf("%d places, %+v", len(places), wrong)
	}
	p := places[0]
	if p.Name != "France services d’Annecy – Les Romains" || p.Kind != policy.HelpAdviser || p.Phone != "04 50 00 00 01" || p.Address != "28 avenue du Stade, Rez-de-chaussée, 74000 Annecy" ||
		!p.Placed || p.Lat != 45.9075 || !p.Known {
		t.Errorf("%+v", p)
	}
	if got := p.Hours.Weekly[time.Thursday]; !slices.Equal(got, []policy.Span{{From: 540, To: 720}, {From: 840, To: 1050}}) {
		t.Errorf("Thursday: %v", got)
	}
	if k := []policy.HelpKind{places[1].Kind, places[2].Kind, places[3].Kind}; !slices.Equal(k, []policy.HelpKind{policy.HelpFrance, policy.HelpFrance, policy.HelpOther}) {
		t.Errorf("kinds %v", k)
	}
	// « Hors les murs » receives nobody: it is in no list.
	if slices.ContainsFunc(places, func(p mednum.Place) bool { return strings.Contains(p.Name, "murs") }) {
		t.Error("a place that receives nobody is shown")
	}
	if !slices.Equal(unread, []string{"Médiathèque de Thonon"}) || places[3].Known {
		t.Errorf("hours that cannot be read: %v", unread)
	}
}

func TestDataInclusion(t *testing.T) {
	list := `[{"id":"a1","source":"dora","nom":"CCAS de Cluses","description":"…","date_maj":"2026-01-10","commune":"Cluses","code_postal":"74300","adresse":"1 place Charles de Gaulle",
		"longitude":6.58,"latitude":46.06,"telephone":"+33450000003","horaires_accueil":"Mo-Fr 08:30-12:00; PH off","reseaux_porteurs":["ccas-cias","conseillers-numeriques"],"score_qualite":0.5},
		{"id":"a1","source":"soliguide","nom":"France services de Sallanches","date_maj":"2026-02-11","commune":null,"reseaux_porteurs":["france-service"]}]`
	for name, file := range map[string]string{"list": list, "answer of the API": `{"items":` + list + `,"total":2,"page":1,"size":50,"pages":1}`, "with a byte order mark": "\ufeff" + list} {
		p := read(t, file)
		if len(p) != 2 || p[0].Kind != policy.HelpAdviser || p[0].Phone != "04 50 00 00 03" || p[0].Address != "1 place Charles de Gaulle, 74300 Cluses" || p[0].Lat != 46.06 || !p[0].Known ||
			p[1].Kind != policy.HelpFrance || p[1].Placed || p[1].Known || p[0].ID == p[1].ID {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// TestMistakesAreToldLineByLine: and nothing of the file counts.
func TestMistakesAreToldLineByLine(t *testing.T) {
	good := `l1,434,Un lieu,Annecy,74000,,1 rue Haute,,45.9,6.1,,+33450000000,,,Mo-Fr 09:00-12:00,2026-01-02,,,` + "\n"
	places, _, wrong := mednum.Read([]byte(head+good+strings.Join([]string{
		`l1,434,Un autre,Annecy,74000,,2 rue Haute,,,,,,,,,2026-01-02,,,`,
		`l3,434,,Annecy,7400,,2 rue Haute,,45.9,,,,,,,2026-01-02,,,`,
		`l4,434,X,Annecy,74000,,2 rue Haute,,quarante,6.1,,0450,,,,2026-13-02,,,`,
		`l5,434,X,Annecy,74000,,2 rue Haute,,95,6.1,,,,,,2036-01-02,,,`,
	}, "\n")), now)
	if places != nil {
		t.Errorf("%d places are taken", len(places))
	}
	want := map[int][]string{3: {"déjà pris, au numéro 2"}, 4: {"Il manque « nom »", "cinq chiffres", "latitude"}, 5: {"nombre", "une date", "un seul numéro"}, 6: {"dans l’avenir", "n’existe pas"}}
	n := 0
	for line, all := range want {
		for _, s := range all {
			n++
			if !slices.ContainsFunc(wrong, func(m mednum.Mistake) bool { return m.Line == line && strings.Contains(m.Sentence, s) }) {
				t.Errorf("line %d: nothing says %q", line, s)
			}
		}
	}
	if n != len(wrong) {
		t.Errorf("%d mistakes told, want %d: %+v", len(wrong), n, wrong)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	many := head + strings.Repeat("x", 1)
	var b strings.Builder
	b.WriteString(head)
	for i := range mednum.MaxPlaces + 1 {
		fmt.Fprintf(&b, "l%d,,Un lieu,Annecy,74000,,1 rue Haute,,,,,,,,,2026-01-02,,,\n", i)
	}
	for name, c := range map[string]struct{ file, says string }{
		"empty":       {"  \n", "vide"},
		"other table": {"nom;age\nA;3\n", "La colonne « id » manque"},
		"no line":     {head, "aucun lieu"},
		"cut line":    {many, "Il manque"},
		"quotes":      {head + "\"l1,434", "guillemets"},
		"latin-1":     {head + "l1,,Caf\xe9", "UTF-8"},
		"cut JSON":    {`[{"id":"a"`, "coupé"},
		"no list":     {`{"structures":[]}`, "aucun lieu"},
		"shape":       {`[{"id":"a","nom":3,"date_maj":"2026-01-01"}]`, "« nom » n’a pas la forme attendue"},
		"too many":    {b.String(), "trop de lieux"},
		"too large":   {strings.Repeat(" ", mednum.MaxFile+1), "trop gros"},
	} {
		places, _, wrong := mednum.Read([]byte(c.file), now)
		if len(places) != 0 || len(wrong) == 0 || !strings.Contains(wrong[0].Sentence, c.says) {
			t.Errorf("%s: %d places, %+v", name, len(places), wrong)
		}
	}
}

func TestNearest(t *testing.T) {
	at := func(id string, kind policy.HelpKind, lat float64) mednum.Place {
		return mednum.Place{ID: id, Name: id, Kind: kind, Commune: "ÉVIAN LES BAINS", Lat: lat, Lon: 6, Placed: true}
	}
	all := []mednum.Place{at("far", policy.HelpAdviser, 46.5), at("library", policy.HelpOther, 46.01), at("adviser", policy.HelpAdviser, 46.04), at("france", policy.HelpFrance, 46.02), {ID: "lost", Name: "lost", Commune: "Évian-les-Bains"}}
	names := func(p []policy.HelpPlace) (s []string) {
		for _, x := range p {
			s = append(s, x.Name)
		}
		return s
	}
	// The library is 1.1 km away, the adviser 4.4 km: who helps best is nearer by some.
	if got := names(mednum.Near(all, 46, 6, 40000, 3)); !slices.Equal(got, []string{"france", "adviser", "library"}) {
		t.Errorf("near: %v", got)
	}
	if got := mednum.Near(all, 46, 6, 40000, 9); len(got) != 3 || got[0].Metres < 2200 || got[0].Metres > 2230 {
		t.Errorf("within reach: %+v", got)
	}
	if got := names(mednum.In(all, "Evian-les-Bains", 9)); len(got) != 5 || got[0] != "adviser" {
		t.Errorf("in the commune: %v", got)
	}
	if got := mednum.In(all, "", 9); len(got) != 0 {
		t.Errorf("of no commune: %v", got)
	}
	// Annecy to Chamonix, a degree of longitude is 77.4 km there.
	if m := mednum.Metres(45.8992, 6.1294, 45.9237, 6.8694); math.Abs(float64(m)-57300) > 1000 {
		t.Errorf("Annecy to Chamonix: %d m", m)
	}
}

func FuzzRead(f *testing.F) {
	file, err := os.ReadFile("testdata/lieux.csv")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add([]byte(`[{"id":"a1","source":"dora","nom":"CCAS","date_maj":"2026-01-10","latitude":46.06,"longitude":6.5,"telephone":"+33450000003","horaires_accueil":"Mo-Fr 08:30-12:00"}]`))
	f.Add([]byte(`{"items":[{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		places, _, wrong := mednum.Read(b, now)
		if len(places) > 0 && len(wrong) > 0 {
			t.Fatal("a file with mistakes counts")
		}
		ids := map[string]bool{}
		for _, p := range places {
			if p.ID == "" || p.Name == "" || ids[p.ID] || strings.ContainsFunc(p.Name+p.Address+p.Phone, func(r rune) bool { return r < ' ' }) {
				t.Fatalf("%+v", p)
			}
			ids[p.ID] = true
			if p.Placed && (math.Abs(p.Lat) > 90 || math.Abs(p.Lon) > 180) {
				t.Fatalf("%+v", p)
			}
		}
	})
}
