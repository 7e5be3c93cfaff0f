package loginui

import (
	"strings"
	"testing"

	"borne/controller/demo"
)

// invited opens an account on a group of sites, whose owner comes by their mail.
func invited(t *testing.T, s *stage) {
	const to, name = "lea@example.fr", "Léa Favre"
	root := map[string]string{"name": "Racine"}
	s.Play("invites", "url", s.link(root), "group", "Collèges du soir", "site", demo.Site, "name", name, "email", to, "role", "correspondant", "key", "Export vers l’observatoire")
	link := s.post.link(t, to, 1)
	if !strings.Contains(link, "/#login=") {
		t.Fatalf("the mail leads to %s", link)
	}
	s.Play("comes", "url", link, "name", name, "site", "Raoul Blanchard")
	s.Play("suspends", "url", s.link(root), "name", name)
}
