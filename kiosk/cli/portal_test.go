package cli

import (
	"strings"
	"testing"

	"borne/kiosk/agent"
	"borne/kiosk/shell"
)

// TestThePortalNamesWhoHelps: three places near here with their hours of the day and
// their number, in the person's words, through the preparer of a standby.
func TestThePortalNamesWhoHelps(t *testing.T) {
	r := agent.Rules{Near: &shell.Near{Here: []shell.Helper{{Who: "Conseillère numérique", Note: "bureau 3", Spans: []shell.Span{{From: 540, To: 750}}}},
		Near: []shell.HelpPlace{{Name: "Les Romains", Kind: "adviser", Address: "28 avenue du Stade", Phone: "04 50 00 00 01", Metres: 1240, Today: []shell.Span{{From: 540, To: 720}, {From: 840, To: 1050}}},
			{Name: "Rumilly", Kind: "france", Phone: "04 50 00 00 02", Metres: 15300, Today: []shell.Span{}}, {Name: "Bus", Kind: "other"}, {Name: "Médiathèque"}}}}
	for lang, want := range map[string][]string{
		"fr": {"Où trouver de l’aide", "bouton « Aide », en haut", "Ici, aujourd’hui · de 9 h à 12 h 30", "<b>04 50 00 00 01</b>", "Conseiller numérique",
			"environ 1,2 km · aujourd’hui de 9 h à 12 h, de 14 h à 17 h 30", "environ 15 km · fermé aujourd’hui", "téléphonez avant de venir"},
		"fr-x-facile": {"Pour appeler quelqu’un"},
		"en":          {"Where to find help", "about 1.2 km · today 9:00 AM to 12:00 PM, 2:00 PM to 5:30 PM", "closed today"},
	} {
		_, page, err := preparer(1280, 800)(r, lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if !strings.Contains(string(page), w) {
				t.Errorf("%s: the portal lacks %q", lang, w)
			}
		}
		if strings.Contains(string(page), "Médiathèque") {
			t.Errorf("%s: a fourth place takes the room of the services", lang)
		}
		if lower := strings.ToLower(string(page)); strings.Contains(lower, "src=") || strings.Contains(lower, "<script") || strings.Contains(lower, "@import") {
			t.Errorf("%s: the portal asks somebody else", lang)
		}
	}
	_, page, err := preparer(1280, 800)(agent.Rules{}, "fr")
	if err != nil || !strings.Contains(string(page), "bouton « Aide »") || strings.Contains(string(page), "km") {
		t.Errorf("with nobody near: %v", err)
	}
}
