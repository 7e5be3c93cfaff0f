package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// maxDepth bounds how deep a document nests: the deepest that the console sends is
// a policy, at 8.
const maxDepth = 32

// strictFormat reads JSON as everybody reads it. The library's own decoder takes
// the last of two fields of one name, and « KIND » for « kind »: what is checked
// would then not be what is used (RFC 8259 section 4 leaves both open).
func strictFormat() huma.Format {
	return huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: strictJSON}
}

// strictJSON decodes one document. A text has one line and no invisible characters
// where the field's tag does not say `lines:"many"`.
func strictJSON(data []byte, v any) error {
	if !utf8.Valid(data) {
		return errors.New("the body is no UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // a number that no float holds is for the validator
	if err := once(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("the body goes on behind its end")
	}
	if err := json.Unmarshal(data, v); err != nil {
		return err
	}
	t := reflect.TypeOf(v).Elem()
	if t.Kind() == reflect.Interface {
		return nil // for the validator, which knows no types
	}
	var raw any
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	return fits(t, raw, "body", false)
}

// once walks one value, and refuses a name that an object has twice, whatever its
// letters' case.
func once(d *json.Decoder, depth int) error {
	if depth > maxDepth {
		return errors.New("the body is nested too deeply")
	}
	tok, err := d.Token()
	if err != nil {
		return err
	}
	var names map[string]bool
	switch tok {
	case json.Delim('{'):
		names = map[string]bool{}
	case json.Delim('['):
	default:
		return nil
	}
	for d.More() {
		if names != nil {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name, ok := key.(string)
			if !ok {
				return errors.New("a name is no text")
			}
			f := fold(name)
			if names[f] {
				return fmt.Errorf("property %.60q is given twice", name)
			}
			names[f] = true
		}
		if err := once(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token() // its end
	return err
}

// fold makes one text of all that strings.EqualFold takes for the same.
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, s)
}

// fits compares a document with the type that it was decoded into: its names letter
// by letter, its texts character by character.
func fits(t reflect.Type, v any, at string, many bool) error {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch v := v.(type) {
	case string:
		return plainText(v, at, many)
	case []any:
		if t.Kind() != reflect.Slice && t.Kind() != reflect.Array {
			return nil // it reads itself
		}
		for i, e := range v {
			if err := fits(t.Elem(), e, fmt.Sprintf("%s[%d]", at, i), many); err != nil {
				return err
			}
		}
	case map[string]any:
		return fitsObject(t, v, at, many)
	}
	return nil
}

func fitsObject(t reflect.Type, v map[string]any, at string, many bool) error {
	switch t.Kind() {
	case reflect.Map:
		for key, e := range v {
			if err := errors.Join(plainText(key, at, false), fits(t.Elem(), e, at+"."+key, many)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		have := fieldsOf(t)
		for key, e := range v {
			f, ok := have[key]
			if !ok {
				return fmt.Errorf("property %.60q is unknown", key)
			}
			if err := fits(f.Type, e, at+"."+key, many || f.Tag.Get("lines") == "many"); err != nil {
				return err
			}
		}
	}
	return nil
}

// fieldsOf is a struct's fields by their names in JSON, embedded ones included.
func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	all := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "" && name != "-" {
			all[name] = f
		}
	}
	return all
}

// plainText refuses what people do not see and programs obey: line ends that begin a
// header or an entry of a log, controls of terminals, and marks that turn the order
// of what is read (CVE-2021-42574).
func plainText(s, at string, many bool) error {
	for _, r := range s {
		switch {
		case many && (r == '\n' || r == '\r' || r == '\t'):
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', unicode.Is(unicode.Bidi_Control, r):
			return fmt.Errorf("invisible character %U in %.60s", r, at)
		}
	}
	return nil
}
