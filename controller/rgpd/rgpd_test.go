package rgpd_test

import (
	"bytes"
	"encoding/csv"
	"strings"
	"testing"
	"time"

	"borne/controller/retention"
	"borne/controller/rgpd"
	"borne/controller/store"
)

func facts(t *testing.T) rgpd.Facts {
	t.Helper()
	inv, err := store.Inventory()
	if err != nil {
		t.Fatal(err)
	}
	return rgpd.Facts{At: time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC), Version: "1.2.3", Inventory: inv}
}

// TestEveryTableHasAnActivity fails when a table with something about people is in no
// activity of the register, in two, or is no table any more.
func TestEveryTableHasAnActivity(t *testing.T) {
	f := facts(t)
	d := rgpd.Build(f)
	if len(d.Blank) > 0 {
		t.Errorf("these tables are in no activity of the register: %v; add them to Activities", d.Blank)
	}
	personal := map[string]bool{}
	for _, x := range f.Inventory {
		if x.Basis != "none-personal" {
			personal[x.Table] = true
		}
	}
	seen := map[string]bool{}
	for _, a := range rgpd.Activities() {
		for _, table := range a.Tables {
			if seen[table] {
				t.Errorf("%s is in two activities", table)
			}
			if seen[table] = true; !personal[table] {
				t.Errorf("%s is in %q and holds nothing about people", table, a.Name)
			}
		}
	}
	f.Inventory = append(f.Inventory, store.Field{Table: "new", Field: "x", Purpose: "y", Basis: "public-task", Retention: "usage"})
	if d := rgpd.Build(f); len(d.Blank) != 1 {
		t.Errorf("a new table is not told of: %v", d.Blank)
	} else if b, err := d.HTML(rgpd.Register); err != nil || !strings.Contains(string(b), "Données sans activité") {
		t.Errorf("the register hides a table without activity: %v", err)
	}
}

func TestClasses(t *testing.T) {
	now := time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)
	for _, c := range rgpd.Classes(nil, now) {
		if c.Title == "" || strings.HasPrefix(c.Title, "console.") || c.Text() == "" || c.From != "" {
			t.Errorf("%+v", c)
		}
		if c.ID == "usage" && c.Text() != "396 jours" {
			t.Errorf("%+v", c)
		}
	}
	rules := []retention.Rules{{From: now.AddDate(0, -1, 0), Usage: 90, Security: 365, Account: 365, Audit: 365, Technical: 60}, {From: now.AddDate(0, 1, 0), Usage: 30, Security: 365, Account: 365, Audit: 365, Technical: 60}}
	for _, c := range rgpd.Classes(rules, now) {
		if c.ID == "usage" && (c.Days != 90 || c.From != "2026-10-26") {
			t.Errorf("%+v", c)
		}
	}
}

// TestPages writes every page, with facts and without: what is not known is a blank,
// and what somebody named is no markup.
func TestPages(t *testing.T) {
	f := facts(t)
	empty := rgpd.Build(f)
	f.Service, f.URL, f.Demo = "Haute-Savoie <script>alert(1)</script>", "https://bornes.example.fr", true
	f.Outside = []rgpd.Outside{{"Messagerie", "courriels", "smtp.example.fr:587"}}
	f.Measures = []rgpd.Measure{{"Sauvegardes chiffrées", true}, {"Journal envoyé à un collecteur", false}}
	f.Sites = []rgpd.Site{{"a", "Collège <b>", "Annecy"}}
	f.Terminals = rgpd.Terminals{All: 7, Full: 4, Reduced: 2, Unknown: 1}
	full := rgpd.Build(f)
	for _, p := range rgpd.Pages() {
		bare, err := empty.HTML(p)
		if err != nil {
			t.Fatal(err)
		}
		b, err := full.HTML(p)
		if err != nil {
			t.Fatal(err)
		}
		s := string(b)
		if strings.Contains(s, "<script") || strings.Contains(s, "<b>") || strings.Contains(s, "<no value>") || strings.Contains(s, "purpose.") || strings.Contains(s, "console.retention") || strings.Contains(s, "ZgotmplZ") {
			t.Errorf("%s is not clean", p)
		}
		if p != rgpd.Data && (!strings.Contains(string(bare), "à compléter") || !strings.Contains(s, "smtp.example.fr:587") || !strings.Contains(string(bare), "aucun autre système")) {
			t.Errorf("%s lacks its blanks or its facts", p)
		}
	}
	reg, _ := full.HTML(rgpd.Register)
	for _, want := range []string{"Contrôleur de démonstration", "Haute-Savoie &lt;script&gt;", `href="https://bornes.example.fr/#/sites/a/certificate"`, "1 lieu, 7 postes", `class="off">Journal`, "396 jours", "Base légale"} {
		if !strings.Contains(string(reg), want) {
			t.Errorf("the register lacks %q", want)
		}
	}
	inv, _ := full.HTML(rgpd.Data)
	for _, x := range f.Inventory {
		if !bytes.Contains(inv, []byte("<code>"+x.Field+"</code>")) {
			t.Errorf("the inventory lacks %s.%s", x.Table, x.Field)
		}
	}
	b, err := full.CSV()
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))))
	r.Comma = ';'
	if rows, err := r.ReadAll(); err != nil || len(rows) != len(f.Inventory)+1 {
		t.Errorf("the CSV has %d rows of %d: %v", len(rows), len(f.Inventory), err)
	}
	if !strings.Contains(rgpd.Policy(), "style-src 'sha256-") {
		t.Error(rgpd.Policy())
	}
}
