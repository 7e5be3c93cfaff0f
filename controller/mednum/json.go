package mednum

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
)

// structure is what is read here of a data·inclusion structure, schema v1.
type structure struct {
	ID       string   `json:"id"`
	Source   string   `json:"source"`
	Name     string   `json:"nom"`
	Commune  string   `json:"commune"`
	Postcode string   `json:"code_postal"`
	Street   string   `json:"adresse"`
	More     string   `json:"complement_adresse"`
	Lat      *float64 `json:"latitude"`
	Lon      *float64 `json:"longitude"`
	Phone    string   `json:"telephone"`
	Hours    string   `json:"horaires_accueil"`
	Updated  string   `json:"date_maj"`
	Networks []string `json:"reseaux_porteurs"`
}

// json reads data·inclusion's structures: a list, or the API's answer with its
// list in « items ».
func (r *reader) json(file []byte) {
	var list []json.RawMessage
	if err := json.Unmarshal(file, &list); err != nil {
		var page struct {
			Items      []json.RawMessage `json:"items"`
			Structures []json.RawMessage `json:"structures"`
		}
		if err := json.Unmarshal(file, &page); err != nil {
			at := 0
			var syntax *json.SyntaxError
			if errors.As(err, &syntax) {
				at = int(syntax.Offset)
			}
			r.bad(1+strings.Count(string(file[:min(at, len(file))]), "\n"), "Le fichier JSON ne se lit pas : il est coupé, ou abîmé.")
			return
		}
		if list = page.Items; list == nil {
			list = page.Structures
		}
	}
	if len(list) == 0 {
		r.bad(1, "Le fichier n’a aucun lieu : il faut la liste des structures de data·inclusion.")
		return
	}
	if len(list) > MaxPlaces {
		r.bad(MaxPlaces+1, "Le fichier a trop de lieux : %d au plus. Prenez ceux de votre département.", MaxPlaces)
		return
	}
	r.entries = true
	for i, raw := range list {
		var s structure
		if err := json.Unmarshal(raw, &s); err != nil {
			field := ""
			var kind *json.UnmarshalTypeError
			if errors.As(err, &kind) && kind.Field != "" {
				field = " : « " + clip(kind.Field) + " » n’a pas la forme attendue"
			}
			r.bad(i+1, "Ce lieu ne se lit pas%s.", field)
			continue
		}
		id := s.ID
		if s.Source != "" && !strings.HasPrefix(id, s.Source) { // an id is one within its source only
			id = s.Source + "--" + id
		}
		e := entry{id: id, name: s.Name, commune: s.Commune, postcode: s.Postcode, street: s.Street, more: s.More, lat: s.Lat, lon: s.Lon,
			phone: s.Phone, hours: s.Hours, updated: s.Updated,
			adviser: slices.Contains(s.Networks, "conseillers-numeriques"), france: slices.Contains(s.Networks, "france-service")}
		if s.ID == "" {
			e.id = ""
		}
		r.add(i+1, e, "id", "nom", "date_maj")
	}
}
