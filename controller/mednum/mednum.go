// Package mednum reads files of « lieux de médiation numérique »: the CSV of the
// national standard (La Mednum, schema « lieux de médiation numérique » 0.2 and
// 1.0, as the Cartographie nationale publishes it) and the JSON of
// data·inclusion's structures (schema v1). What is wrong is told line by line in
// French; with one mistake nothing of the file counts.
package mednum

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"borne/controller/policy"
)

// Limits on a file, which is foreign. That of a whole région is about 3 MB.
const (
	MaxFile   = 16 << 20 // bytes
	MaxPlaces = 5000
	maxWrong  = 100  // mistakes told
	maxText   = 200  // characters of a name or an address
	maxHours  = 2000 // bytes
)

// Place is one place where people are helped.
type Place struct {
	ID       string // the file's own
	Name     string
	Kind     policy.HelpKind
	Address  string // street, postal code and town
	Commune  string
	Phone    string // as people dial it; empty: none
	Lat, Lon float64
	Placed   bool // its position is known
	Hours    policy.Hours
	Known    bool // its hours are
	Updated  string
}

// Mistake is what is wrong with one line of a CSV or one entry of a JSON.
type Mistake struct {
	Line     int  // from 1
	Entry    bool // it counts places, not lines
	Sentence string
}

// French says where and what.
func (m Mistake) French() string {
	if m.Entry {
		return fmt.Sprintf("Lieu %d : %s", m.Line, m.Sentence)
	}
	return fmt.Sprintf("Ligne %d : %s", m.Line, m.Sentence)
}

// Read reads a file of either format. Unread are the places whose hours are
// beyond what policy.ParseOSM reads: their hours are then not known, and said
// nowhere.
func Read(file []byte, now time.Time) (places []Place, unread []string, wrong []Mistake) {
	r := &reader{now: now, seen: map[string]int{}}
	file = bytes.TrimPrefix(file, []byte("\ufeff"))
	first := bytes.TrimLeft(file, " \t\r\n")
	switch {
	case len(file) > MaxFile:
		r.bad(1, "Le fichier est trop gros : %d Mo au plus. Prenez celui de votre département.", MaxFile>>20)
	case !utf8.Valid(file):
		r.bad(1, "Le fichier n’est pas en UTF-8 : enregistrez-le en « CSV UTF-8 ».")
	case len(first) == 0:
		r.bad(1, "Le fichier est vide.")
	case first[0] == '[' || first[0] == '{':
		r.json(file)
	default:
		r.csv(file)
	}
	if len(r.wrong) > 0 {
		return nil, nil, r.wrong
	}
	return r.places, r.unread, nil
}

type reader struct {
	now     time.Time
	entries bool // places are counted, not lines
	places  []Place
	seen    map[string]int // ids, by their line
	unread  []string
	wrong   []Mistake
}

func (r *reader) bad(line int, format string, args ...any) {
	if len(r.wrong) < maxWrong {
		r.wrong = append(r.wrong, Mistake{line, r.entries, fmt.Sprintf(format, args...)})
	}
}

// entry is one place as either format writes it.
type entry struct {
	id, name, commune, postcode, street, more string
	lat, lon                                  *float64
	phone, hours, updated                     string
	adviser, france                           bool
	away                                      bool // nobody is received there
}

// The standards' patterns: a postal code, and a phone number in E.164.
var (
	postcode = regexp.MustCompile(`^\d{5}$`)
	phone    = regexp.MustCompile(`^\+?\d{9,15}$`)
)

// add checks one entry. needs are its fields that the format asks for.
func (r *reader) add(line int, e entry, needs ...string) {
	told := len(r.wrong)
	for _, f := range []struct {
		name string
		text *string
	}{{"id", &e.id}, {"nom", &e.name}, {"commune", &e.commune}, {"code_postal", &e.postcode}, {"adresse", &e.street}, {"complement_adresse", &e.more}, {"date_maj", &e.updated}} {
		if *f.text = plain(*f.text); *f.text == "" && slices.Contains(needs, f.name) {
			r.bad(line, "Il manque « %s ».", f.name)
		} else if utf8.RuneCountInString(*f.text) > maxText {
			r.bad(line, "« %s » est trop long : %d caractères au plus.", f.name, maxText)
		}
	}
	if e.id != "" {
		if before, twice := r.seen[e.id]; twice {
			r.bad(line, "L’identifiant « %s » est déjà pris, au numéro %d.", clip(e.id), before)
		}
		r.seen[e.id] = line
	}
	if e.postcode != "" && !postcode.MatchString(e.postcode) {
		r.bad(line, "« code_postal » doit avoir cinq chiffres (ici « %s »).", clip(e.postcode))
	}
	if e.updated != "" {
		day, err := time.Parse(time.DateOnly, e.updated[:min(len(e.updated), len(time.DateOnly))])
		if err != nil {
			r.bad(line, "« date_maj » doit être une date comme 2026-01-31 (ici « %s »).", clip(e.updated))
		} else if day.After(r.now.AddDate(0, 0, 2)) {
			r.bad(line, "« date_maj » est dans l’avenir : %s.", clip(e.updated))
		}
		e.updated = e.updated[:min(len(e.updated), len(time.DateOnly))]
	}
	p := Place{ID: e.id, Name: e.name, Commune: e.commune, Updated: e.updated, Kind: policy.HelpOther,
		Address: strings.TrimSpace(strings.Join(slices.DeleteFunc([]string{e.street, e.more, strings.TrimSpace(e.postcode + " " + e.commune)}, func(s string) bool { return s == "" }), ", "))}
	switch {
	case e.adviser:
		p.Kind = policy.HelpAdviser
	case e.france:
		p.Kind = policy.HelpFrance
	}
	switch {
	case (e.lat == nil) != (e.lon == nil):
		r.bad(line, "Il faut « latitude » et « longitude », ou aucune des deux.")
	case e.lat != nil && (math.Abs(*e.lat) > 90 || math.Abs(*e.lon) > 180 || math.IsNaN(*e.lat+*e.lon)):
		r.bad(line, "La position %g, %g n’existe pas : la latitude va de −90 à 90, la longitude de −180 à 180.", *e.lat, *e.lon)
	case e.lat != nil && (*e.lat != 0 || *e.lon != 0): // 0, 0 is in the sea: somebody's empty cells
		p.Lat, p.Lon, p.Placed = *e.lat, *e.lon, true
	}
	if e.phone != "" {
		digits := strings.Map(func(c rune) rune {
			if strings.ContainsRune(" .-()\u00a0\u202f", c) {
				return -1
			}
			return c
		}, e.phone)
		if !phone.MatchString(digits) {
			r.bad(line, "« telephone » doit être un seul numéro, comme +33450000000 (ici « %s »).", clip(e.phone))
		}
		p.Phone = dialled(digits)
	}
	if len(e.hours) > maxHours {
		r.bad(line, "Les horaires sont trop longs : %d caractères au plus.", maxHours)
	} else if e.hours != "" {
		h, err := policy.ParseOSM(e.hours, policy.ZoneA, r.now.In(policy.Location()).Year())
		if err != nil {
			r.unread = append(r.unread, p.Name)
		} else {
			p.Hours, p.Known = h, true
		}
	}
	if len(r.wrong) == told && !e.away {
		r.places = append(r.places, p)
	}
}

// dialled is a French number as people dial it, and any other as it is.
func dialled(digits string) string {
	for _, prefix := range []string{"+33", "0033", "33"} {
		if s, ok := strings.CutPrefix(digits, prefix); ok && len(s) == 9 {
			digits = "0" + s
		}
	}
	if len(digits) != 10 || digits[0] != '0' {
		return digits
	}
	return strings.Join([]string{digits[:2], digits[2:4], digits[4:6], digits[6:8], digits[8:]}, " ")
}

// plain is a text on one line, without signs that are none.
func plain(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(c rune) bool { return unicode.IsSpace(c) || unicode.IsControl(c) }), " ")
}

func clip(s string) string {
	r := []rune(s)
	return string(r[:min(len(r), 40)])
}

// Near are the places nearest to a position, within reach metres, advisers before
// France services before others where the way is about the same: each counts as
// nearer by some kilometres.
func Near(all []Place, lat, lon float64, reach, n int) []policy.HelpPlace {
	type far struct {
		Place
		metres int
	}
	var found []far
	for _, p := range all {
		if m := Metres(lat, lon, p.Lat, p.Lon); p.Placed && m <= reach {
			found = append(found, far{p, m})
		}
	}
	slices.SortFunc(found, func(a, b far) int {
		return cmp.Or(cmp.Compare(a.metres-ahead(a.Kind), b.metres-ahead(b.Kind)), cmp.Compare(a.metres, b.metres), cmp.Compare(a.ID, b.ID))
	})
	near := []policy.HelpPlace{}
	for _, f := range found[:min(n, len(found))] {
		near = append(near, f.shown(max(f.metres, 1)))
	}
	return near
}

// In are places of a commune, for one whose position is not known.
func In(all []Place, commune string, n int) []policy.HelpPlace {
	var found []Place
	for _, p := range all {
		if fold(p.Commune) == fold(commune) && commune != "" {
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, func(a, b Place) int { return cmp.Or(ahead(b.Kind)-ahead(a.Kind), cmp.Compare(a.Name, b.Name)) })
	in := []policy.HelpPlace{}
	for _, p := range found[:min(n, len(found))] {
		in = append(in, p.shown(0))
	}
	return in
}

func (p Place) shown(metres int) policy.HelpPlace {
	return policy.HelpPlace{Name: p.Name, Kind: p.Kind, Address: p.Address, Phone: p.Phone, Metres: metres, Known: p.Known, Hours: p.Hours}
}

// ahead is how many metres further somebody goes for it.
func ahead(k policy.HelpKind) int {
	switch k {
	case policy.HelpAdviser:
		return 4000
	case policy.HelpFrance:
		return 2000
	}
	return 0
}

// Metres is the way between two positions as the crow flies (haversine, on a
// sphere of the earth's mean radius).
func Metres(lat, lon, lat2, lon2 float64) int {
	const radius, degree = 6371008.8, math.Pi / 180
	a := math.Pow(math.Sin((lat2-lat)*degree/2), 2) + math.Cos(lat*degree)*math.Cos(lat2*degree)*math.Pow(math.Sin((lon2-lon)*degree/2), 2)
	return int(2 * radius * math.Asin(math.Sqrt(min(a, 1))))
}

// fold writes a commune's name so that « ÉVIAN LES BAINS » is Évian-les-Bains.
func fold(s string) string {
	from, to := []rune("àâäçéèêëîïôöùûüÿ"), []rune("aaaceeeeiioouuuy")
	var b strings.Builder
	for _, c := range strings.ToLower(s) {
		if i := slices.Index(from, c); i >= 0 {
			c = to[i]
		}
		switch {
		case c == 'œ':
			b.WriteString("oe")
		case unicode.IsLetter(c) || unicode.IsDigit(c):
			b.WriteRune(c)
		default:
			b.WriteByte(' ')
		}
	}
	words := strings.Fields(b.String())
	for i, w := range words {
		if w == "st" || w == "ste" {
			words[i] = strings.Replace(w, "st", "saint", 1)
		}
	}
	return strings.Join(words, " ")
}
