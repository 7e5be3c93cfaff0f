package mednum

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"strconv"
	"strings"
)

// csv reads the national standard's CSV. Its columns are found by their names, in
// any order; those that are not needed here are left alone.
func (r *reader) csv(file []byte) {
	c := csv.NewReader(bytes.NewReader(file))
	line, _, _ := bytes.Cut(file, []byte("\n"))
	if bytes.Count(line, []byte(";")) > bytes.Count(line, []byte(",")) { // as French spreadsheets write it
		c.Comma = ';'
	}
	c.FieldsPerRecord = -1
	head, err := c.Read()
	if err != nil {
		r.bad(1, "La première ligne ne se lit pas : c’est la liste des colonnes du standard des lieux de médiation numérique.")
		return
	}
	at := map[string]int{}
	for i, name := range head {
		at[strings.ToLower(strings.TrimSpace(name))] = i
	}
	// An older name of the schema's first versions.
	if _, ok := at["dispositif_programmes_nationaux"]; !ok {
		if i, ok := at["dispositif_programme_national"]; ok {
			at["dispositif_programmes_nationaux"] = i
		}
	}
	needs := []string{"id", "nom", "commune", "code_postal", "adresse", "date_maj"}
	for _, name := range needs {
		if _, ok := at[name]; !ok {
			r.bad(1, "La colonne « %s » manque. Est-ce bien un fichier au standard des lieux de médiation numérique ?", name)
		}
	}
	if len(r.wrong) > 0 {
		return
	}
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			if len(r.seen) == 0 && len(r.wrong) == 0 {
				r.bad(1, "Le fichier n’a aucun lieu.")
			}
			return
		}
		if err != nil {
			n := 1
			var pe *csv.ParseError
			if errors.As(err, &pe) {
				n = pe.Line
			}
			r.bad(n, "La ligne ne se lit pas : vérifiez les guillemets.")
			return
		}
		n, _ := c.FieldPos(0)
		if len(r.seen) >= MaxPlaces {
			r.bad(n, "Le fichier a trop de lieux : %d au plus. Prenez celui de votre département.", MaxPlaces)
			return
		}
		cell := func(name string) string {
			if i, ok := at[name]; ok && i < len(cells) {
				return strings.TrimSpace(cells[i])
			}
			return ""
		}
		e := entry{id: cell("id"), name: cell("nom"), commune: cell("commune"), postcode: cell("code_postal"), street: cell("adresse"),
			more: cell("complement_adresse"), phone: cell("telephone"), hours: cell("horaires"), updated: cell("date_maj")}
		number := func(name string) *float64 {
			s := cell(name)
			v, err := strconv.ParseFloat(strings.Replace(s, ",", ".", 1), 64)
			if err != nil && s != "" {
				r.bad(n, "« %s » doit être un nombre, comme 45.9 (ici « %s »).", name, clip(s))
			}
			if err != nil {
				return nil
			}
			return &v
		}
		told := len(r.wrong)
		if e.lat, e.lon = number("latitude"), number("longitude"); len(r.wrong) > told {
			e.lat, e.lon = nil, nil // one that does not read is told once
		}
		programmes := strings.ToLower(cell("dispositif_programmes_nationaux"))
		e.adviser = strings.Contains(programmes, "conseillers numériques") || strings.Contains(programmes, "conseiller numérique") || strings.Contains(programmes, "cnfs")
		e.france = strings.Contains(programmes, "france services") || hasWord(cell("typologie"), "RFS")
		e.away = strings.Contains(cell("modalites_acces"), "n'accueille pas de public") || strings.Contains(cell("modalites_acces"), "n’accueille pas de public")
		r.add(n, e, needs...)
	}
}

// hasWord tells whether one of a cell's values is it; the standard separates
// them by « | », older files by « ; » or « , ».
func hasWord(cell, word string) bool {
	for _, s := range strings.FieldsFunc(cell, func(c rune) bool { return strings.ContainsRune("|;, ", c) }) {
		if s == word {
			return true
		}
	}
	return false
}
