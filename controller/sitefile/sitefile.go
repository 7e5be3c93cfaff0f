// Package sitefile reads and writes the places of a Département as a file of a
// spreadsheet: a line is a site. It knows the file, and nothing of who may do what.
package sitefile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits on a file.
const (
	MaxBytes  = 1 << 20
	MaxLines  = 1000
	MaxSpaces = 20 // of one site
)

// Columns of a file, in the order in which Write has them. The first three must be
// there; others may be left out.
func Columns() []string {
	return []string{"nom", "type", "commune", "territoire", "uai", "adresse", "telephone", "courriel", "latitude", "longitude", "espaces"}
}

const needed = 3

// kinds are what a file calls each kind of place, the first name being the one that
// Write writes.
func kinds() map[string][]string {
	return map[string][]string{"college": {"collège", "college", "clg"}, "pms": {"pms", "pôle médico-social"}, "mie": {"mie", "maison de l’insertion et de l’emploi"},
		"library": {"bibliothèque", "médiathèque", "library"}, "other": {"autre", "other"}}
}

// Site is one line.
type Site struct {
	Line                                                           int // in the file, from 1
	Name, Kind, Commune, Territoire, UAI, Address, Phone, HeadMail string
	Lat, Lon                                                       float64
	Placed                                                         bool
	Spaces                                                         []string
}

// Mistake is what is wrong with one line, in French.
type Mistake struct {
	Line     int
	Sentence string
}

// Read reads a file. Every mistake is told; with one, nothing of the file counts.
func Read(file []byte) (all []Site, wrong []Mistake) {
	bad := func(line int, format string, args ...any) {
		if len(wrong) < 200 {
			wrong = append(wrong, Mistake{line, fmt.Sprintf(format, args...)})
		}
	}
	if len(file) > MaxBytes {
		bad(1, "Le fichier est trop gros : 1 Mo au plus.")
		return nil, wrong
	}
	if !utf8.Valid(file) {
		bad(1, "Le fichier n’est pas en UTF-8 : enregistrez-le en « CSV UTF-8 ».")
		return nil, wrong
	}
	file = bytes.TrimPrefix(file, []byte("\ufeff"))
	r := csv.NewReader(bytes.NewReader(file))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = separator(file), -1, true
	var columns []string
	for {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			at := 1
			var pe *csv.ParseError
			if errors.As(err, &pe) {
				at = pe.Line
			}
			bad(at, "La ligne ne se lit pas : vérifiez les guillemets.")
			return nil, wrong
		}
		line, _ := r.FieldPos(0)
		if columns == nil {
			var why string
			if columns, why = header(cells); why != "" {
				bad(line, "%s", why)
				return nil, wrong
			}
			continue
		}
		if blank(cells) {
			continue
		}
		if len(all) == MaxLines {
			bad(line, "Le fichier a trop de lignes : %d lieux au plus.", MaxLines)
			return nil, wrong
		}
		s, why := read(columns, cells)
		s.Line = line
		for _, w := range why {
			bad(line, "%s", w)
		}
		all = append(all, s)
	}
	if columns == nil {
		bad(1, "Le fichier est vide.")
	} else if len(all) == 0 && len(wrong) == 0 {
		bad(1, "Le fichier n’a aucun lieu : une ligne par lieu, sous la première.")
	}
	return all, append(wrong, twice(all)...)
}

// separator is what the first line has most of: spreadsheets in French write ';',
// others ',' or a tabulator.
func separator(file []byte) rune {
	first, _, _ := bytes.Cut(file, []byte("\n"))
	best, n := ';', 0
	for _, c := range []rune{';', ',', '\t'} {
		if k := bytes.Count(first, []byte(string(c))); k > n {
			best, n = c, k
		}
	}
	return best
}

// header reads the names of the columns, in any order.
func header(cells []string) (columns []string, why string) {
	for _, c := range cells {
		name := plain(c)
		switch {
		case name == "":
			columns = append(columns, "")
			continue
		case !slices.Contains(Columns(), name):
			return nil, fmt.Sprintf("La colonne « %.40s » est inconnue. Les colonnes sont : %s.", c, strings.Join(Columns(), ", "))
		case slices.Contains(columns, name):
			return nil, fmt.Sprintf("La colonne « %s » est deux fois dans le fichier.", name)
		}
		columns = append(columns, name)
	}
	for _, name := range Columns()[:needed] {
		if !slices.Contains(columns, name) {
			return nil, fmt.Sprintf("La première ligne doit nommer les colonnes : il manque « %s ».", name)
		}
	}
	return columns, ""
}

// plain is a word without accents and capitals.
func plain(s string) string {
	return strings.NewReplacer("é", "e", "è", "e", "ê", "e", "ô", "o", "'", "’").Replace(strings.ToLower(strings.TrimSpace(s)))
}

func blank(cells []string) bool {
	return !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" })
}

func read(columns, cells []string) (s Site, why []string) {
	if len(cells) > len(columns) && !blank(cells[len(columns):]) {
		return s, []string{fmt.Sprintf("La ligne a %d cases, et le fichier %d colonnes : un texte qui contient le séparateur va entre guillemets.", len(cells), len(columns))}
	}
	cell := map[string]string{}
	for i, c := range cells[:min(len(cells), len(columns))] {
		// One line, one space between words: a spreadsheet's cell may have several lines.
		if c = strings.Join(strings.Fields(undanger(c)), " "); c != "" && columns[i] != "" {
			cell[columns[i]] = c
		}
	}
	s.Name, s.Commune, s.Territoire, s.Address = cell["nom"], cell["commune"], cell["territoire"], cell["adresse"]
	s.UAI, s.Phone, s.HeadMail = strings.ToUpper(cell["uai"]), cell["telephone"], cell["courriel"]
	for _, name := range Columns()[:needed] {
		if cell[name] == "" {
			why = append(why, fmt.Sprintf("Il manque « %s ».", name))
		}
	}
	if k := cell["type"]; k != "" {
		if s.Kind = kind(k); s.Kind == "" {
			why = append(why, fmt.Sprintf("Le type « %.40s » est inconnu : collège, pms, mie, bibliothèque ou autre.", k))
		}
	}
	if lat, lon := cell["latitude"], cell["longitude"]; (lat == "") != (lon == "") {
		why = append(why, "Il faut la latitude et la longitude, ou aucune des deux.")
	} else if lat != "" {
		var okLat, okLon bool
		s.Lat, okLat = degrees(lat, 90)
		s.Lon, okLon = degrees(lon, 180)
		if s.Placed = okLat && okLon; !s.Placed {
			why = append(why, fmt.Sprintf("« %.20s ; %.20s » n’est pas une position en degrés, comme 45,9 ; 6,12.", lat, lon))
		}
	}
	for name := range strings.SplitSeq(cell["espaces"], "|") {
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		if slices.ContainsFunc(s.Spaces, func(o string) bool { return strings.EqualFold(o, name) }) {
			why = append(why, fmt.Sprintf("L’espace « %.80s » est deux fois sur la ligne.", name))
			continue
		}
		s.Spaces = append(s.Spaces, name)
	}
	if len(s.Spaces) > MaxSpaces {
		why = append(why, fmt.Sprintf("Il y a trop d’espaces : %d au plus, séparés par « | ».", MaxSpaces))
	}
	return s, why
}

func kind(s string) string {
	for k, names := range kinds() {
		if slices.ContainsFunc(names, func(n string) bool { return plain(n) == plain(s) }) {
			return k
		}
	}
	return ""
}

// degrees reads a number with a point or a comma.
func degrees(s string, most float64) (float64, bool) {
	v, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
	return v, err == nil && v >= -most && v <= most // which no NaN is
}

// twice tells of sites that the file has on two lines.
func twice(all []Site) (wrong []Mistake) {
	named, numbered := map[string]int{}, map[string]int{}
	for _, s := range all {
		if s.Name != "" {
			key := strings.ToLower(s.Name + "\x00" + s.Commune)
			if at, ok := named[key]; ok {
				wrong = append(wrong, Mistake{s.Line, fmt.Sprintf("Ce lieu est déjà à la ligne %d.", at)})
			} else {
				named[key] = s.Line
			}
		}
		if s.UAI == "" {
			continue
		}
		if at, ok := numbered[s.UAI]; ok {
			wrong = append(wrong, Mistake{s.Line, fmt.Sprintf("Le numéro UAI %.20s est déjà à la ligne %d.", s.UAI, at)})
		} else {
			numbered[s.UAI] = s.Line
		}
	}
	return wrong
}

// Write writes sites as Read takes them.
func Write(all []Site) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = ';', true
	w.Write(Columns())
	for _, s := range all {
		k := s.Kind
		if names := kinds()[s.Kind]; len(names) > 0 {
			k = names[0]
		}
		lat, lon := "", ""
		if s.Placed {
			lat, lon = number(s.Lat), number(s.Lon)
		}
		row := []string{s.Name, k, s.Commune, s.Territoire, s.UAI, s.Address, s.Phone, s.HeadMail, lat, lon, strings.Join(s.Spaces, " | ")}
		for i := range row {
			if i < 8 || i == 10 {
				row[i] = danger(row[i])
			}
		}
		w.Write(row)
	}
	w.Flush() // a strings.Builder takes everything
	return b.String()
}

func number(f float64) string {
	return strings.Replace(strconv.FormatFloat(f, 'f', -1, 64), ".", ",", 1)
}

// danger keeps a spreadsheet from taking a text for a formula: it begins with an
// apostrophe then, which undanger takes away again (OWASP, CSV injection).
func danger(s string) string {
	if strings.HasPrefix(s, "'") || strings.IndexAny(s, "=+-@\t") == 0 {
		return "'" + s
	}
	return s
}

func undanger(s string) string { return strings.TrimPrefix(s, "'") }
