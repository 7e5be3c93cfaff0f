package policy

import (
	"fmt"
	"strings"
)

// Notice is what people are told before they begin: the rules of use, and what
// becomes of what is kept of them (RGPD, art. 13). It is one for a whole site.
type Notice struct {
	Responsible string   `json:"responsible"` // who answers for it (art. 13.1.a), in French
	DPO         string   `json:"dpo"`         // how to reach the data protection officer (art. 13.1.b), in French
	Charter     []string `json:"charter"`     // rules of this place beside the product's own, a sentence each, in French

	// The controller writes these when the layers are merged.
	Number int    `json:"number"` // of this text; 0 while nobody has set one
	Since  string `json:"since"`  // the day it came into force, 2006-01-02
	Keep   Keep   `json:"keep"`
}

// Keep is for how many days each class is kept (art. 13.2.a); 0 is not known.
type Keep struct {
	Usage     int `json:"usage"`     // when, how long, which language, how many pages
	Security  int `json:"security"`  // that a terminal was wiped, and its faults
	Account   int `json:"account"`   // a badge without use
	Audit     int `json:"audit"`     // what staff did
	Technical int `json:"technical"` // that a badge was used in a month
}

// Limits on a notice: it is read on a screen, by somebody who waits.
const (
	MaxRules   = 4
	MaxRule    = 90  // characters of one sentence
	MaxContact = 300 // characters
)

func (n Notice) check(c *checker) {
	for field, s := range map[string]string{"notice.responsible": n.Responsible, "notice.dpo": n.DPO} {
		c.text(field, s, MaxContact)
	}
	if len(n.Charter) > MaxRules {
		c.add("notice.charter", "%d règles au plus : au-delà, personne ne les lit.", MaxRules)
		return
	}
	for i, s := range n.Charter {
		field := fmt.Sprintf("notice.charter.%d", i)
		if strings.TrimSpace(s) == "" {
			c.add(field, "Cette règle est vide : écrivez-la, ou retirez-la.")
		}
		c.text(field, s, MaxRule)
	}
}

// text refuses what does not fit on a screen, or is not plain text.
func (c *checker) text(field, s string, most int) {
	if n := len([]rune(s)); n > most {
		c.add(field, "Ce texte est trop long : %d caractères au plus (ici %d).", most, n)
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' }) {
		c.add(field, "Ce texte tient sur une seule ligne, sans signe spécial.")
	}
}
