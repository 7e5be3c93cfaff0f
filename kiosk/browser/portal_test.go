package browser

import (
	"encoding/base64"
	"os"
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
)

func TestPortalPage(t *testing.T) {
	p := policy.Default().Portal
	p.Tiles = append(p.Tiles, policy.Tile{Name: "<b>&", URL: "https://exemple.test/?a=1&b=2", Icon: "no such icon"},
		policy.Tile{Name: "Dossier", URL: "file:///etc/passwd"}, policy.Tile{Name: "Script", URL: "javascript:alert(1)"})
	b, err := PortalPage(p, "fr-x-facile", "Collège <Les Aravis>")
	if err != nil {
		t.Fatal(err)
	}
	html := string(b)
	for _, want := range []string{`<html lang="fr-x-facile">`, "Collège &lt;Les Aravis&gt;", "Vos démarches en ligne", `href="https://www.caf.fr/"`,
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
	if b, err := PortalPage(policy.Portal{}, "", ""); err != nil || !strings.Contains(string(b), "Aucun service") || strings.Contains(string(b), "<ul>") {
		t.Errorf("a portal without tiles: %v", err)
	}
	if b, err := PortalPage(p, "en", ""); err != nil || !strings.Contains(string(b), "Your online services") {
		t.Errorf("in English: %v", err)
	}
}

// TestPortalOnScreen looks at the page as the browser lays it out: with
// BORNE_TEST_PICTURES set to a folder it leaves a picture there.
func TestPortalOnScreen(t *testing.T) {
	html, err := PortalPage(policy.Default().Portal, "fr", "Collège Les Aravis · espace parents")
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
