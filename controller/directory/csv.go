package directory

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"borne/controller/policy"
	"borne/controller/store"
)

// Limits on an imported file.
const (
	MaxCSV      = 1 << 20 // bytes
	MaxCSVLines = 5000
	maxSites    = 50
)

// header is a file's first line. Badges are enrolled by holding them to a reader:
// a file changes the rights of those that are.
func header() []string { return []string{"numero", "groupe", "lieux", "expire", "etat"} }

// States of a badge in a file.
const (
	stateGood    = "valable"
	stateStopped = "suspendu"
	stateLost    = "perdu"
)

// Line is what one line of a file says.
type Line struct {
	N      int // in the file, from 1
	Number string
	Rights Rights
}

// Mistake is what is wrong with one line, in French.
type Mistake struct {
	Line     int
	Sentence string
}

// WriteCSV writes badges by their printed numbers, the last day of validity
// included. It holds nothing that ReadCSV does not take.
func WriteCSV(all []store.Item[store.Holder], zone *time.Location) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	w.Comma = ';'
	w.Write(header())
	all = slices.Clone(all)
	slices.SortFunc(all, func(x, y store.Item[store.Holder]) int { return strings.Compare(x.Row.Number, y.Row.Number) })
	for _, it := range all {
		r, state, expires := RightsOf(it.Row), stateGood, ""
		switch {
		case r.Lost:
			state = stateLost
		case r.Disabled:
			state = stateStopped
		}
		if !r.Expires.IsZero() {
			expires = r.Expires.Add(-time.Second).In(zone).Format(time.DateOnly)
		}
		w.Write([]string{FormatNumber(it.Row.Number), r.Group, strings.Join(r.Sites, " "), expires, state})
	}
	w.Flush() // a strings.Builder takes everything
	return b.String()
}

// ReadCSV reads what WriteCSV wrote and people changed. Every mistake is told;
// with one, nothing of the file counts.
func ReadCSV(file []byte, zone *time.Location) (lines []Line, wrong []Mistake) {
	bad := func(line int, format string, args ...any) {
		if len(wrong) < 200 {
			wrong = append(wrong, Mistake{line, fmt.Sprintf(format, args...)})
		}
	}
	if len(file) > MaxCSV {
		bad(1, "Le fichier est trop gros : 1 Mo au plus.")
		return nil, wrong
	}
	if !utf8.Valid(file) {
		bad(1, "Le fichier n’est pas en UTF-8 : enregistrez-le en « CSV UTF-8 ».")
		return nil, wrong
	}
	file = bytes.TrimPrefix(file, []byte("\ufeff"))
	r := csv.NewReader(bytes.NewReader(file))
	r.Comma, r.FieldsPerRecord = ';', -1
	seen := map[string]int{}
	for first := true; ; first = false {
		cells, err := r.Read()
		if errors.Is(err, io.EOF) {
			if first {
				bad(1, "Le fichier est vide.")
			}
			return lines, wrong
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
		n, _ := r.FieldPos(0)
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case first && !slices.Equal(cells, header()):
			bad(n, "La première ligne doit être : %s.", strings.Join(header(), ";"))
			return nil, wrong
		case first:
			continue
		case len(lines) >= MaxCSVLines:
			bad(n, "Le fichier a trop de lignes : %d badges au plus.", MaxCSVLines)
			return nil, wrong
		case len(cells) != len(header()):
			bad(n, "Il faut %d colonnes, séparées par des points-virgules (ici %d).", len(header()), len(cells))
			continue
		}
		l, sentences := readLine(cells, zone)
		l.N = n
		for _, s := range sentences {
			bad(n, "%s", s)
		}
		if before, twice := seen[l.Number]; twice && l.Number != "" {
			bad(n, "Le badge %s est déjà à la ligne %d.", FormatNumber(l.Number), before)
		}
		seen[l.Number] = n
		lines = append(lines, l)
	}
}

// Merge is what a line makes of a badge's rights, or why it may not, in French. A
// file may stop a badge and declare it lost; it never lifts that: one that was
// written before would make a stolen badge good again.
func (l Line) Merge(was Rights) (r Rights, why string) {
	r = l.Rights
	switch {
	case was.Lost && !r.Lost:
		return was, fmt.Sprintf("Le badge %s est déclaré perdu : un fichier ne le rend pas valable. Écrivez « %s », ou déclarez-le retrouvé sur la page « Badges ».", FormatNumber(l.Number), stateLost)
	case was.Disabled && !r.Disabled && !r.Lost:
		return was, fmt.Sprintf("Le badge %s est suspendu : un fichier ne lève pas cela. Écrivez « %s », ou levez-le sur la page « Badges ».", FormatNumber(l.Number), stateStopped)
	}
	r.Disabled = r.Disabled || was.Disabled // « perdu » hides it
	return r, ""
}

func readLine(cells []string, zone *time.Location) (l Line, wrong []string) {
	var ok bool
	if l.Number, ok = ReadNumber(cells[0]); !ok {
		wrong = append(wrong, fmt.Sprintf("« %s » n’est pas un numéro de badge : recopiez les 9 chiffres écrits dessus.", clip(cells[0])))
	}
	if l.Rights.Group = cells[1]; !policy.ValidGroup(cells[1]) {
		wrong = append(wrong, fmt.Sprintf("Le groupe « %s » ne convient pas : %d caractères au plus, sans signe spécial.", clip(cells[1]), policy.MaxGroup))
	}
	if l.Rights.Sites = strings.Fields(cells[2]); len(l.Rights.Sites) > maxSites {
		wrong = append(wrong, fmt.Sprintf("Il y a trop de lieux : %d au plus, ou aucun pour tous.", maxSites))
	}
	if len(l.Rights.Sites) == 0 {
		l.Rights.Sites = nil
	}
	if cells[3] != "" {
		day, err := time.ParseInLocation(time.DateOnly, cells[3], zone)
		if err != nil {
			day, err = time.ParseInLocation("02/01/2006", cells[3], zone)
		}
		if err != nil {
			wrong = append(wrong, fmt.Sprintf("La date « %s » ne se lit pas : écrivez-la ainsi : 2027-06-30.", clip(cells[3])))
		} else {
			l.Rights.Expires = EndOf(day)
		}
	}
	switch strings.ToLower(cells[4]) {
	case stateGood:
	case "":
		wrong = append(wrong, fmt.Sprintf("L’état manque : écrivez %s, %s ou %s.", stateGood, stateStopped, stateLost))
	case stateStopped:
		l.Rights.Disabled = true
	case stateLost:
		l.Rights.Lost = true
	default:
		wrong = append(wrong, fmt.Sprintf("L’état « %s » n’existe pas : %s, %s ou %s.", clip(cells[4]), stateGood, stateStopped, stateLost))
	}
	return l, wrong
}

// EndOf is the end of a local day: a badge that is valid until a day is valid on
// it.
func EndOf(day time.Time) time.Time {
	y, m, d := day.Date()
	return time.Date(y, m, d+1, 0, 0, 0, 0, day.Location()).UTC()
}

func clip(s string) string {
	const most = 40
	for i := range s {
		if i > most {
			return s[:i] + "…"
		}
	}
	return s
}
