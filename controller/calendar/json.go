package calendar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"borne/controller/policy"
)

// fields are those of the data set, in each of the shapes that its site gives:
// Explore v2.1 and plain exports have them at the top, the API before had them
// under "fields", and Explore v2.0 under "record".
type fields struct {
	Description string          `json:"description"`
	Population  string          `json:"population"`
	Start       *string         `json:"start_date"`
	End         *string         `json:"end_date"`
	Location    string          `json:"location"`
	Zones       json.RawMessage `json:"zones"`
	Fields      *fields         `json:"fields"`
	Record      *fields         `json:"record"`
}

// document reads JSON piece by piece: it stops at its limit of entries, and knows
// on which line each is.
type document struct {
	b     []byte
	d     *json.Decoder
	all   []entry
	found bool // a list of entries
	total int  // how many the site says there are
	loc   *time.Location
}

func readJSON(b []byte) ([]entry, *Error) {
	r := &document{b: b, d: json.NewDecoder(bytes.NewReader(b)), total: -1, loc: policy.Location()}
	t, err := r.d.Token()
	if err != nil {
		return nil, r.syntax(err)
	}
	var bad *Error
	if t == json.Delim('[') {
		bad = r.list()
	} else {
		bad = r.object()
	}
	if bad != nil {
		return nil, bad
	}
	if _, err := r.d.Token(); !errors.Is(err, io.EOF) {
		return nil, &Error{Line: r.line(), Sentence: "Il y a autre chose derrière le calendrier."}
	}
	switch {
	case !r.found:
		return nil, wrong("Ce JSON n’est pas un export du calendrier scolaire : la liste « results » ou « records » manque.")
	case r.total > len(r.all):
		return nil, wrong("Le fichier n’a que %d entrées sur %d : le site les donne par pages. Utilisez l’adresse d’export (…/exports/json), qui les donne toutes.", len(r.all), r.total)
	}
	return r.all, nil
}

func (r *document) line() int { return lineAt(r.b, int(r.d.InputOffset())) }

// syntax tells a file that is cut from one that is no JSON. A decoder that reads
// piece by piece does not know where it is: the whole file is looked at once more.
func (r *document) syntax(err error) *Error {
	end := len(bytes.TrimRight(r.b, " \t\r\n"))
	var all json.RawMessage
	var s *json.SyntaxError
	if errors.As(json.Unmarshal(r.b, &all), &s) && s.Offset < int64(end) {
		return &Error{Line: lineAt(r.b, int(s.Offset)-1), Sentence: "Le JSON n’est pas lisible à cet endroit."}
	}
	if s == nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Line: r.line(), Sentence: "Le JSON n’est pas lisible à cet endroit."}
	}
	return &Error{Line: lineAt(r.b, end), Sentence: "Le fichier est coupé : sa fin manque. Téléchargez-le de nouveau."}
}

func (r *document) object() *Error {
	for r.d.More() {
		key, err := r.d.Token()
		if err != nil {
			return r.syntax(err)
		}
		switch key {
		case "results", "records":
			if r.found {
				return &Error{Line: r.line(), Sentence: "La liste des entrées est donnée deux fois."}
			}
			t, err := r.d.Token()
			if err != nil {
				return r.syntax(err)
			}
			if t != json.Delim('[') {
				return &Error{Line: r.line(), Sentence: fmt.Sprintf("« %s » n’est pas une liste.", key)}
			}
			if bad := r.list(); bad != nil {
				return bad
			}
		case "total_count", "nhits":
			if err := r.d.Decode(&r.total); err != nil {
				return r.value(err, "Le nombre d’entrées n’est pas lisible.")
			}
		default:
			var skip json.RawMessage
			if err := r.d.Decode(&skip); err != nil {
				return r.syntax(err)
			}
		}
	}
	if _, err := r.d.Token(); err != nil {
		return r.syntax(err)
	}
	return nil
}

// value is an error of one value: its shape, or the whole file's.
func (r *document) value(err error, sentence string) *Error {
	var t *json.UnmarshalTypeError
	if errors.As(err, &t) {
		return &Error{Line: r.line(), Sentence: sentence}
	}
	return r.syntax(err)
}

func (r *document) list() *Error {
	r.found = true
	for r.d.More() {
		if len(r.all) >= maxEntries {
			return &Error{Line: r.line(), Sentence: fmt.Sprintf("Trop d’entrées : %d au plus.", maxEntries)}
		}
		var f fields
		err := r.d.Decode(&f)
		line := r.line()
		if err != nil {
			bad := r.value(err, "L’entrée n’a pas la forme attendue (description, start_date, end_date, zones).")
			bad.Entry = len(r.all) + 1
			return bad
		}
		r.all = append(r.all, f.inner().entry(line, len(r.all)+1, r.loc))
	}
	if _, err := r.d.Token(); err != nil {
		return r.syntax(err)
	}
	return nil
}

// inner finds the fields under the envelopes that they come in.
func (f *fields) inner() *fields {
	for range 2 {
		switch {
		case f.Record != nil:
			f = f.Record
		case f.Fields != nil:
			f = f.Fields
		}
	}
	return f
}

func (f *fields) entry(line, number int, loc *time.Location) entry {
	e := entry{line: line, number: number, name: clean(f.Description), teachers: forTeachers(f.Population) || forTeachers(f.Description)}
	fail := func(format string, args ...any) entry {
		e.bad = &Error{Line: line, Entry: number, Sentence: fmt.Sprintf(format, args...)}
		return e
	}
	where, ok := f.zones()
	if !e.locate(where, f.Location) || !ok {
		e.unnamed = true
		return fail("L’entrée « %s » ne dit pas pour quelle zone elle vaut.", short(e.name))
	}
	if e.name == "" {
		return fail("L’entrée n’a pas de nom (description).")
	}
	if f.Start == nil || *f.Start == "" {
		return fail("« %s » n’a pas de début (start_date).", short(e.name))
	}
	if e.from, ok = jsonMoment(*f.Start, loc); !ok {
		return fail("La date « %s » n’existe pas ou n’est pas lisible (exemple : 2026-12-19).", short(*f.Start))
	}
	if f.End != nil && *f.End != "" {
		if e.to, ok = jsonMoment(*f.End, loc); !ok {
			return fail("La date « %s » n’existe pas ou n’est pas lisible (exemple : 2026-12-19).", short(*f.End))
		}
	}
	return e
}

// zones are a name, or a list of names.
func (f *fields) zones() (string, bool) {
	var one string
	if len(f.Zones) == 0 || json.Unmarshal(f.Zones, &one) == nil {
		return one, true
	}
	var many []string
	err := json.Unmarshal(f.Zones, &many)
	return strings.Join(many, ";"), err == nil
}

// jsonMoment reads a day, or an instant in any zone.
func jsonMoment(s string, loc *time.Location) (moment, bool) {
	if t, err := time.Parse("2006-01-02", s); err == nil {
		return moment{day: t}, sane(t)
	}
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		t = t.In(loc)
		return at(t), sane(t)
	}
	t, err := time.Parse("2006-01-02T15:04:05", s)
	return at(t), err == nil && sane(t)
}
