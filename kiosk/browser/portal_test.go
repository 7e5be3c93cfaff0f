package browser

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/ui/catalogues"
)

func TestPortalPage(t *testing.T) {
	p := policy.Default().Portal
	p.Tiles = append(p.Tiles, policy.Tile{Name: "<b>&", URL: "https://exemple.test/?a=1&b=2", Icon: "no such icon"},
		policy.Tile{Name: "Dossier", URL: "file:///etc/passwd"}, policy.Tile{Name: "Script", URL: "javascript:alert(1)"})
	b, err := PortalPage(p, PortalHelp{}, "fr-x-facile", "Collège <Les Aravis>")
	if err != nil {
		t.Fatal(err)
	}
	html := string(b)
	for _, want := range []string{`<html lang="fr-x-facile" dir="ltr">`, "Collège &lt;Les Aravis&gt;", "Vos démarches en ligne", `href="https://www.caf.fr/"`,
		"France Travail", "&lt;b&gt;&amp;", "l’ordinateur oublie tout"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	for _, no := range []string{"<b>", "file:", "javascript:", "<script", "src=", "url(", "@import", "Dossier"} {
		if strings.Contains(html, no) {
			t.Errorf("the page has %q", no)
		}
	}
	if n := strings.Count(html, "<a class="); n != 7 {
		t.Errorf("%d tiles, want 7", n)
	}
	if b, err := PortalPage(policy.Portal{}, PortalHelp{}, "", ""); err != nil || !strings.Contains(string(b), "Aucun service") || strings.Contains(string(b), "<ul>") {
		t.Errorf("a portal without tiles: %v", err)
	}
	if b, err := PortalPage(p, PortalHelp{}, "en", ""); err != nil || !strings.Contains(string(b), "Your online services") {
		t.Errorf("in English: %v", err)
	}
}

func portalHelp() PortalHelp {
	return PortalHelp{Title: "Où trouver de l’aide", Call: "Pour appeler quelqu’un ici : bouton « Aide », en haut de l’écran.", Who: []PortalHelper{
		{Name: "Conseillère numérique <b>", Where: "bureau 3, sans rendez-vous", When: "Ici, aujourd’hui · de 9 h à 12 h, de 14 h à 17 h"},
		{Name: "France services d’Annecy – Les Romains", Kind: "Conseiller numérique", Where: "28 avenue du Stade, 74000 Annecy", Phone: "04 50 00 00 01", When: "environ 1,2 km · aujourd’hui de 9 h à 12 h, de 14 h à 17 h 30"},
		{Name: "France services de Rumilly", Kind: "France services", Where: "25 rue Charles de Gaulle, 74150 Rumilly", Phone: "04 50 00 00 02", When: "environ 15 km · fermé aujourd’hui"},
		{Name: "Bus « France services » du Chablais", Kind: "France services", Where: "Place de la mairie, 74360 Abondance", When: "environ 33 km · téléphonez avant de venir"}}}
}

func TestPortalTellsWhoHelps(t *testing.T) {
	b, err := PortalPage(policy.Default().Portal, portalHelp(), "fr", "")
	if err != nil {
		t.Fatal(err)
	}
	html := string(b)
	for _, want := range []string{"Où trouver de l’aide", "bouton « Aide »", "Conseillère numérique &lt;b&gt;", "<b>04 50 00 00 01</b>", "fermé aujourd’hui", "74360 Abondance"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if n := strings.Count(html, "<a class="); n != len(policy.Default().Portal.Tiles) || strings.Contains(html, "tel:") {
		t.Errorf("%d links, for what is no service too", n)
	}
	if b, err = PortalPage(policy.Default().Portal, PortalHelp{Title: "Aide", Call: "En haut"}, "fr", ""); err != nil || !strings.Contains(string(b), "En haut") || strings.Contains(string(b), `<li><p>`) {
		t.Errorf("with nobody near: %v", err)
	}
}

// TestPortalOnScreen looks at the page as the browser lays it out: with
// BORNE_TEST_PICTURES set to a folder it leaves a picture there.
func TestPortalOnScreen(t *testing.T) {
	html, err := PortalPage(policy.Default().Portal, portalHelp(), "fr", "Collège Les Aravis · espace parents")
	if err != nil {
		t.Fatal(err)
	}
	s, _ := openSession(t, string(html))
	ctx := testContext(t, 30*time.Second)
	front, err := s.front(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var small []string
	err = s.eval(ctx, front, 0, `[...document.querySelectorAll('a.tile')].filter(a => { const r = a.getBoundingClientRect(); return r.width < 200 || r.height < 100 || r.right > innerWidth; }).map(a => a.href)`, &small)
	if err != nil || len(small) > 0 {
		t.Fatalf("tiles that are hard to hit: %v, %v", small, err)
	}
	// Below the bar of the smallest screen that we name, who helps is in sight without a wheel.
	if err := s.p.Call(ctx, front, "Emulation.setDeviceMetricsOverride", map[string]any{"width": 1280, "height": 728, "deviceScaleFactor": 1, "mobile": false}, nil); err != nil {
		t.Fatal(err)
	}
	var last float64
	if err := s.eval(ctx, front, 0, `Math.max(...[...document.querySelectorAll('.help li')].map(l => l.getBoundingClientRect().bottom)) / innerHeight`, &last); err != nil || last > 1 {
		t.Errorf("who helps ends at %.2f of the window, %v", last, err)
	}
	var refused int
	if err := s.eval(ctx, front, 0, `document.styleSheets.length === 1 && getComputedStyle(document.querySelector('a.tile')).borderTopLeftRadius !== '0px' ? 0 : 1`, &refused); err != nil || refused != 0 {
		t.Fatalf("the page's own rules keep its style out: %v", err)
	}
	var focus string
	if err := s.eval(ctx, front, 0, `document.querySelector('a.tile').focus(), document.activeElement.href`, &focus); err != nil || focus != "https://www.caf.fr/" {
		t.Fatalf("focus goes to %q, %v", focus, err)
	}
	if dir := os.Getenv("BORNE_TEST_PICTURES"); dir != "" {
		var shot struct {
			Data string `json:"data"`
		}
		if err := s.p.Call(ctx, front, "Page.captureScreenshot", map[string]any{"format": "png"}, &shot); err != nil {
			t.Fatal(err)
		}
		png, err := base64.StdEncoding.DecodeString(shot.Data)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(dir+"/portal.png", png, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestThePortalSpeaksEveryLanguage in its own words and direction.
func TestThePortalSpeaksEveryLanguage(t *testing.T) {
	titles := map[string]string{}
	for _, lang := range catalogues.Languages() {
		b, err := PortalPage(policy.Portal{Title: "Dossier"}, PortalHelp{}, lang, "")
		if err != nil {
			t.Fatal(err)
		}
		html := string(b)
		if dir := map[bool]string{true: "rtl", false: "ltr"}[lang == "ar"]; !strings.Contains(html, `<html lang="`+lang+`" dir="`+dir+`">`) {
			t.Errorf("%s: the page is not written from its side: %.80s", lang, html)
		}
		title := catalogues.Text(lang, "terminal.portal.title", nil)
		if strings.HasPrefix(lang, "fr") {
			title = "Dossier"
		} else if other := titles[title]; other != "" {
			t.Errorf("%s and %s say the same", lang, other)
		}
		titles[title] = lang
		if !strings.Contains(html, title) {
			t.Errorf("%s: the page lacks %q", lang, title)
		}
	}
}
