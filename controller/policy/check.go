package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Problem says what is wrong with one value.
type Problem struct {
	Field    string `json:"field"`    // JSON path: session.minutes, hours.weekly.1
	Sentence string `json:"sentence"` // in French, for staff
}

// Languages that a terminal speaks: each has a catalogue.
func Languages() []string {
	return []string{"fr", "fr-x-facile", "en", "ar", "pt", "es", "tr", "sq", "ro", "uk", "it", "de"}
}

// Limits on what one policy holds.
const (
	MaxDoc   = 128 << 10 // bytes of JSON: it travels in one frame
	maxItems = 500
)

type checker struct{ found []Problem }

func (c *checker) add(field, format string, args ...any) {
	c.found = append(c.found, Problem{field, fmt.Sprintf(format, args...)})
}

func (c *checker) between(field, name string, v, low, high int) {
	if v < low || v > high {
		c.add(field, "%s doit être entre %d et %d (ici %d).", name, low, high, v)
	}
}

// Check returns what is wrong, most of all what would lock everyone out. An
// empty answer means that a terminal can obey it.
func (p Policy) Check() []Problem {
	c := &checker{}
	p.checkSession(c)
	p.Hours.check(c)
	p.checkWeb(c)
	if len(p.Languages) == 0 {
		c.add("languages", "Choisissez au moins une langue.")
	}
	for i, l := range p.Languages {
		if !slices.Contains(Languages(), l) {
			c.add(fmt.Sprintf("languages.%d", i), "La langue « %s » n’existe pas ici.", l)
		}
	}
	if p.Profile == "" || len(p.Profile) > 40 {
		c.add("profile", "Donnez un profil au poste (40 caractères au plus).")
	}
	if a := p.Access; a.BadgeRequired && !a.AnyBadge && !a.KnownBadges && !a.DayCodes {
		c.add("access.badgeRequired", "Aucun badge n’ouvrirait de session : personne ne pourrait commencer. Acceptez les badges connus, tous les badges ou les codes du jour, ou n’en demandez pas.")
	}
	if p.Access.AnyBadge && p.Access.KnownBadges {
		c.add("access.anyBadge", "Choisissez : les badges connus seulement, ou tous les badges, connus ou non.")
	}
	if p.Access.TrustOffline && !p.Access.KnownBadges {
		c.add("access.trustOffline", "Ce réglage ne vaut que pour les badges connus : acceptez-les, ou décochez-le.")
	}
	if !slices.Contains([]Proof{ProofNone, ProofMessage, ProofKeys}, p.Access.Proof) {
		c.add("access.proof", "Choisissez ce que les badges doivent prouver : rien, un message, ou des clés.")
	}
	p.Printing.check(c)
	p.Printer.check(c)
	p.Team.check(c)
	p.PIN.check(c)
	c.between("permits.prefetch", "Le nombre d’autorisations d’avance", p.Permits.Prefetch, 1, 64)
	c.between("permits.validHours", "La validité des autorisations (heures)", p.Permits.ValidHours, 1, 24*31)
	if low := p.Session.MaxMinutes + 5; p.Permits.ReceiptWithin < low {
		c.add("permits.receiptWithin", "Le délai de l’attestation doit couvrir la session la plus longue : au moins %d minutes.", low)
	}
	c.between("isolation.memoryMb", "La mémoire d’une session (Mo)", p.Isolation.MemoryMB, 300, 1<<16)
	c.between("isolation.tmpfsMb", "La place d’une session (Mo)", p.Isolation.TmpfsMB, 32, 1<<16)
	c.between("isolation.maxProcs", "Le nombre de processus", p.Isolation.MaxProcs, 60, 10000)
	if p.Keyboard.Layout == "" || strings.ContainsFunc(p.Keyboard.Layout+p.Keyboard.Variant, notXKB) {
		c.add("keyboard.layout", "La disposition du clavier n’est pas lisible : « fr » pour AZERTY.")
	}
	p.Network.check(c)
	p.Filter.check(c)
	p.Energy.check(c)
	p.Notice.check(c)
	p.Help.check(c)
	return c.found
}

func notXKB(r rune) bool {
	return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

func (p Policy) checkSession(c *checker) {
	s := p.Session
	c.between("session.minutes", "La durée d’une session (minutes)", s.Minutes, 1, 24*60)
	c.between("session.extendMinutes", "La prolongation (minutes)", s.ExtendMinutes, 0, 24*60)
	c.between("session.maxMinutes", "La durée maximale (minutes)", s.MaxMinutes, 1, 24*60)
	if s.MaxMinutes < s.Minutes {
		c.add("session.maxMinutes", "La durée maximale (%d min) est plus courte que la session (%d min).", s.MaxMinutes, s.Minutes)
	}
	c.between("session.minMinutes", "La durée minimale (minutes)", s.MinMinutes, 1, 24*60)
	if long := p.Hours.longest(); long > 0 && long < s.MinMinutes {
		c.add("session.minMinutes", "Aucune ouverture ne dure %d minutes (la plus longue en dure %d) : personne ne pourrait commencer.", s.MinMinutes, long)
	}
	if s.MinMinutes > s.Minutes {
		c.add("session.minMinutes", "La durée minimale (%d min) dépasse la session (%d min) : personne ne pourrait commencer.", s.MinMinutes, s.Minutes)
	}
	if len(s.WarnMinutes) > 10 {
		c.add("session.warnMinutes", "Dix rappels au plus.")
	}
	for i, w := range s.WarnMinutes {
		c.between(fmt.Sprintf("session.warnMinutes.%d", i), "Un rappel (minutes)", w, 1, 24*60)
	}
	c.between("session.idleSeconds", "L’attente sans activité (secondes)", s.IdleSeconds, 30, 4*3600)
	c.between("session.graceSeconds", "La durée de l’avertissement (secondes)", s.GraceSeconds, 10, 600)
	c.between("session.uploadSeconds", "L’attente d’un envoi (secondes)", s.UploadSeconds, 0, 300)
	c.between("session.thanksSeconds", "La durée de l’écran de fin (secondes)", s.ThanksSeconds, 3, 300)
}

// MaxCategories bounds the lists of one terminal.
const MaxCategories = 60

func (f Filter) check(c *checker) {
	if len(f.Categories) > MaxCategories || len(f.Allow) > maxItems || len(f.Block) > maxItems {
		c.add("filter", "Soixante catégories au plus, et %d noms par liste.", maxItems)
		return
	}
	for i, k := range f.Categories {
		field := fmt.Sprintf("filter.categories.%d", i)
		switch {
		case !listed(k.Name):
			c.add(field, "« %s » n’est pas le nom d’une catégorie.", k.Name)
		case slices.ContainsFunc(f.Categories[:i], func(o Category) bool { return o.Name == k.Name }):
			c.add(field, "La catégorie « %s » est choisie deux fois.", k.Name)
		case k.Digest == "":
			c.add(field, "La liste « %s » n’a pas encore été importée : aucun poste ne pourrait ouvrir.", k.Name)
		}
	}
	for field, list := range map[string][]string{"filter.allow": f.Allow, "filter.block": f.Block} {
		for i, name := range list {
			if !isHost(name) {
				c.add(fmt.Sprintf("%s.%d", field, i), "« %s » n’est pas un nom de site (exemple : www.exemple.fr, sans https://).", name)
			}
		}
	}
}

// listed tells whether s can name a category, as wire.ValidCategory does.
func listed(s string) bool {
	return s != "" && len(s) <= 32 && s[0] != '-' && s[0] != '_' && !strings.ContainsFunc(s, func(r rune) bool { return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') })
}

// isHost tells whether s is a name of at least two labels, in small letters.
func isHost(s string) bool {
	if len(s) > 253 || !strings.Contains(s, ".") {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, func(r rune) bool { return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'a' || r > 'z') }) {
			return false
		}
	}
	return true
}

// Parse reads a policy strictly: an unknown field is an error, so that a typing
// mistake in the console is told and not dropped.
func Parse(doc []byte) (Policy, error) {
	var p Policy
	if len(doc) > MaxDoc {
		return p, fmt.Errorf("cannot read the policy: %d bytes pass the limit of %d", len(doc), MaxDoc)
	}
	d := json.NewDecoder(bytes.NewReader(doc))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return p, fmt.Errorf("cannot read the policy: %w", err)
	}
	if d.More() {
		return p, fmt.Errorf("cannot read the policy: there is more behind it")
	}
	return p, nil
}
