package calendar

import (
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"borne/controller/policy"
)

// entry is one line of the file that says something of some days, before
// anybody asked whether it matters.
type entry struct {
	line, number int
	name         string
	zones        []policy.Zone
	elsewhere    string // the first place named that is in no zone: « Corse »
	unnamed      bool   // names no place at all: it is for whoever asks
	teachers     bool
	from, to     moment // to is the morning of return; its zero value: none
	bad          *Error // what was wrong with its days: told only if it is of the zone that is asked for
}

// moment is a day, and whether it was written as an evening: then the day is the
// next one, and class is over for certain.
type moment struct {
	day     time.Time // midnight, UTC
	evening bool
}

func (m moment) zero() bool { return m.day.IsZero() }

// at rounds an instant of the wall clock in Paris to the nearest midnight: what
// begins in the evening begins on the next day, and what ends in the morning of
// return ends with the night before.
func at(t time.Time) moment {
	day := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	if t.Hour() >= 12 {
		return moment{day.AddDate(0, 0, 1), true}
	}
	return moment{day: day}
}

var (
	accents  = strings.NewReplacer("é", "e", "è", "e", "ê", "e", "ë", "e", "à", "a", "â", "a", "î", "i", "ï", "i", "ô", "o", "ö", "o", "û", "u", "ù", "u", "ç", "c", "’", "'", "œ", "oe")
	zonesRE  = regexp.MustCompile(`(?i)\bzones?[\s-]+([abc]\b(?:(?:\s*(?:[/,;&-]|\bet\b)\s*(?:zones?\s+)?[abc]|\s+(?-i:[ABC]))\b)*)`)
	suffixRE = regexp.MustCompile(`(?i)\s*[-–(]\s*(?:zones?\s+[abc]\b|corse\b).*$`)
)

// fold makes words comparable: small letters without accents.
func fold(s string) string { return accents.Replace(strings.ToLower(s)) }

// places names those that are in no zone, by a part of their folded name.
func places() []struct{ part, name string } {
	return []struct{ part, name string }{{"corse", "la Corse"}, {"guadeloupe", "la Guadeloupe"}, {"martinique", "la Martinique"}, {"guyane", "la Guyane"},
		{"reunion", "La Réunion"}, {"mayotte", "Mayotte"}, {"polynesie", "la Polynésie"}, {"caledonie", "la Nouvelle-Calédonie"}, {"wallis", "Wallis-et-Futuna"}, {"miquelon", "Saint-Pierre-et-Miquelon"}}
}

// place reads which zones a text names: « Zones A/B/C - Corse ».
func place(text string) (zones []policy.Zone, elsewhere string) {
	for _, m := range zonesRE.FindAllStringSubmatch(text, -1) {
		list := strings.ToUpper(zoneWord.ReplaceAllString(m[1], ""))
		for _, z := range Zones() {
			if strings.Contains(list, string(z)) && !slices.Contains(zones, z) {
				zones = append(zones, z)
			}
		}
	}
	folded := fold(text)
	for _, p := range places() {
		if strings.Contains(folded, p.part) {
			return zones, p.name
		}
	}
	return zones, ""
}

var zoneWord = regexp.MustCompile(`(?i)zones?|et`)

// locate looks for zones in texts that are about the entry; only where none names
// one, for another place: an older official file lists academies as places, and
// has its zones in the name. It tells whether it found anything.
func (e *entry) locate(texts ...string) bool {
	for _, t := range texts {
		zones, elsewhere := place(t)
		if len(zones) > 0 {
			e.zones = zones
			return true
		}
		if e.elsewhere == "" {
			e.elsewhere = elsewhere
		}
	}
	return e.elsewhere != ""
}

// of tells whether the entry is of a zone.
func (e *entry) of(zone policy.Zone) bool { return e.unnamed || slices.Contains(e.zones, zone) }

// forTeachers tells whether a text is about teachers alone.
func forTeachers(text string) bool {
	f := fold(text)
	return strings.Contains(f, "enseignant") && !strings.Contains(f, "eleve")
}

// clean makes a name fit to be shown: on one line, without its zones, with the
// apostrophe that French is printed with.
func clean(name string) string {
	name = suffixRE.ReplaceAllString(name, "")
	name = strings.Map(func(r rune) rune {
		switch {
		case r == '\'':
			return '’'
		case unicode.IsControl(r) || !unicode.IsPrint(r):
			return ' '
		}
		return r
	}, name)
	r := []rune(strings.Join(strings.Fields(name), " "))
	return strings.TrimSpace(string(r[:min(len(r), maxName)]))
}

// kind is what a name stands for.
type kind int

const (
	single  kind = iota // days that are free themselves: a bridge, a day without school
	holiday             // « Vacances … »: from after class until the morning of return
	begin               // « Début des vacances d’été », « Fin des cours »: it has no end
	back                // « Rentrée des élèves »: no holiday, but the end of one
	nothing             // « Prérentrée »
)

func kindOf(name string) kind {
	f := fold(name)
	has := func(starts ...string) bool {
		return slices.ContainsFunc(starts, func(s string) bool { return strings.HasPrefix(f, s) })
	}
	switch {
	case has("debut des vacances", "fin des cours", "fin de l'annee"):
		return begin
	case has("vacances", "grandes vacances", "conges"):
		return holiday
	case has("rentree", "reprise", "fin des vacances"):
		return back
	case has("prerentree", "pre-rentree", "pre rentree"):
		return nothing
	}
	return single
}

// schoolDay tells whether a name is that of a day without school.
func schoolDay(name string) bool {
	f := fold(name)
	return slices.ContainsFunc([]string{"pont", "ascension", "pentecote", "ferie", "sans classe", "vaque"}, func(s string) bool { return strings.Contains(f, s) })
}

// summer tells whether a name is that of the long holidays.
func summer(name string) bool {
	f := fold(name)
	return strings.Contains(f, "d'ete") || strings.HasPrefix(f, "fin des cours") || strings.HasPrefix(f, "fin de l'annee")
}

// frenchDay writes a day as staff read it.
func frenchDay(t time.Time) string {
	months := [...]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}
	day := t.Format("2")
	if t.Day() == 1 {
		day = "1er"
	}
	return day + " " + months[t.Month()-1] + t.Format(" 2006")
}
