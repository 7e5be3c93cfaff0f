package ipp

import (
	"time"

	"github.com/OpenPrinting/goipp"
)

// Attributes is a group of attributes, or a collection's members.
type Attributes = goipp.Attributes

// Find returns the first attribute of that name; ok tells whether there is one
// with a value.
func Find(a Attributes, name string) (goipp.Attribute, bool) {
	for i := range a {
		if a[i].Name == name && len(a[i].Values) > 0 {
			return a[i], true
		}
	}
	return goipp.Attribute{}, false
}

// all returns the values of the attribute that as can read; others are left out.
func all[T any](a Attributes, name string, as func(goipp.Value) (T, bool)) []T {
	attr, _ := Find(a, name)
	var out []T
	for _, v := range attr.Values {
		if x, ok := as(v.V); ok {
			out = append(out, x)
		}
	}
	return out
}

// one returns the attribute's first value, when as can read it.
func one[T any](a Attributes, name string, as func(goipp.Value) (T, bool)) (T, bool) {
	attr, ok := Find(a, name)
	if !ok {
		var zero T
		return zero, false
	}
	return as(attr.Values[0].V)
}

func asInt(v goipp.Value) (int, bool) {
	i, ok := v.(goipp.Integer)
	return int(i), ok
}

// asString takes whatever is written in letters: keywords, names, texts with and
// without their language, addresses, and the octet strings that some printers
// send in their place.
func asString(v goipp.Value) (string, bool) {
	switch s := v.(type) {
	case goipp.String:
		return string(s), true
	case goipp.TextWithLang:
		return s.Text, true
	case goipp.Binary:
		return string(s), true
	}
	return "", false
}

// asRange takes an integer for a range of one: some printers say copies-supported
// so, and programs page-ranges.
func asRange(v goipp.Value) (goipp.Range, bool) {
	switch r := v.(type) {
	case goipp.Range:
		return r, true
	case goipp.Integer:
		return goipp.Range{Lower: int(r), Upper: int(r)}, true
	}
	return goipp.Range{}, false
}

func asCollection(v goipp.Value) (Attributes, bool) {
	c, ok := v.(goipp.Collection)
	return Attributes(c), ok
}

// Int returns an integer or an enum.
func Int(a Attributes, name string) (int, bool) { return one(a, name, asInt) }

// Ints returns every integer or enum.
func Ints(a Attributes, name string) []int { return all(a, name, asInt) }

// Bool returns a boolean.
func Bool(a Attributes, name string) (v, ok bool) {
	b, ok := one(a, name, func(v goipp.Value) (goipp.Boolean, bool) { b, ok := v.(goipp.Boolean); return b, ok })
	return bool(b), ok
}

// String returns a keyword, name, text, address, charset, language or format.
func String(a Attributes, name string) (string, bool) { return one(a, name, asString) }

// Strings returns every one of them. It takes octet strings too: printer-supply
// comes so (PWG 5100.13).
func Strings(a Attributes, name string) []string { return all(a, name, asString) }

// Range returns a range; an integer is a range of one.
func Range(a Attributes, name string) (goipp.Range, bool) { return one(a, name, asRange) }

// Ranges returns every range; integers are ranges of one.
func Ranges(a Attributes, name string) []goipp.Range { return all(a, name, asRange) }

// Resolution returns a resolution.
func Resolution(a Attributes, name string) (goipp.Resolution, bool) {
	return one(a, name, func(v goipp.Value) (goipp.Resolution, bool) { r, ok := v.(goipp.Resolution); return r, ok })
}

// Time returns a point in time.
func Time(a Attributes, name string) (time.Time, bool) {
	return one(a, name, func(v goipp.Value) (time.Time, bool) { t, ok := v.(goipp.Time); return t.Time, ok })
}

// Collection returns a collection's members.
func Collection(a Attributes, name string) (Attributes, bool) { return one(a, name, asCollection) }

// Collections returns the members of each collection.
func Collections(a Attributes, name string) []Attributes { return all(a, name, asCollection) }
