package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Help is where people find somebody to help them: here, and near here.
type Help struct {
	Permanences []Permanence `json:"permanences"` // of those who come to this place to help
	Near        int          `json:"near"`        // how many places near here are shown; 0 for none
	Places      []HelpPlace  `json:"places"`      // the nearest first; the controller writes them when the layers are merged
}

// Permanence is when somebody is here to help. A day on which the place is closed
// has none.
type Permanence struct {
	Who  string `json:"who"`  // in French: « Conseillère numérique »
	Note string `json:"note"` // where to find them, in French: « bureau 3, sans rendez-vous »
	Week Week   `json:"week"`
}

// HelpPlace is one « lieu de médiation numérique ».
type HelpPlace struct {
	Name    string   `json:"name"`
	Kind    HelpKind `json:"kind"`
	Address string   `json:"address"` // street, postal code and town
	Phone   string   `json:"phone"`   // as people dial it: « 04 50 00 00 00 »; empty: none
	Metres  int      `json:"metres"`  // from here as the crow flies; 0 when one of the two positions is not known
	Known   bool     `json:"known"`   // its hours are
	Hours   Hours    `json:"hours"`
}

// HelpKind is what helps most there.
type HelpKind string

// Kinds, those first to whom people are sent first.
const (
	HelpAdviser HelpKind = "adviser" // a « conseiller numérique » works there
	HelpFrance  HelpKind = "france"  // a « France services »
	HelpOther   HelpKind = "other"
)

// HelpKinds are all of them.
func HelpKinds() []HelpKind { return []HelpKind{HelpAdviser, HelpFrance, HelpOther} }

// Limits on the help that a screen shows.
const (
	MaxPermanences = 6
	MaxNear        = 6
	maxWho         = 80  // characters
	maxNote        = 160 // characters
)

func (h Help) check(c *checker) {
	c.between("help.near", "Le nombre de lieux proches", h.Near, 0, MaxNear)
	if len(h.Permanences) > MaxPermanences {
		c.add("help.permanences", "%d permanences au plus.", MaxPermanences)
		return
	}
	for i, p := range h.Permanences {
		field := fmt.Sprintf("help.permanences.%d", i)
		if strings.TrimSpace(p.Who) == "" {
			c.add(field+".who", "Dites qui aide : « Conseiller numérique », par exemple.")
		}
		c.text(field+".who", p.Who, maxWho)
		c.text(field+".note", p.Note, maxNote)
		if !c.week(field+".week", p.Week) {
			c.add(field+".week", "Cette permanence n’a aucun horaire : ajoutez-en un, ou retirez-la.")
		}
	}
	if len(h.Places) > MaxNear {
		c.add("help.places", "%d lieux au plus.", MaxNear)
	}
}

// Today is who helps here on a day (2006-01-02), and when: only while the place
// is open to people, by its hours.
func (h Help) Today(day string, here Hours) []Permanence {
	at, ok := parseDay(day)
	days := here.Days(day, 1)
	if !ok || len(days) == 0 {
		return nil
	}
	weekday := int(at.weekday())
	var all []Permanence
	for _, p := range h.Permanences {
		var spans []Span
		for _, s := range p.Week[weekday] {
			for _, o := range days[0].Spans {
				if both := (Span{max(s.From, o.From), min(s.To, o.To)}); !o.Refused && both.From < both.To {
					spans = append(spans, both)
				}
			}
		}
		if len(spans) == 0 {
			continue
		}
		slices.SortFunc(spans, func(a, b Span) int { return a.From - b.From })
		p.Week = Week{}
		p.Week[weekday] = spans
		all = append(all, p)
	}
	return all
}

// Open are the spans of a day on which the place is open, and false when nobody knows.
// breaks are the school holidays here.
func (p HelpPlace) Open(day string, breaks []Break) ([]Span, bool) {
	if !p.Known {
		return nil, false
	}
	p.Hours.School.Breaks = breaks
	spans := []Span{}
	for _, d := range p.Hours.Days(day, 1) {
		for _, s := range d.Spans {
			spans = append(spans, Span{s.From, s.To})
		}
	}
	return spans, true
}
