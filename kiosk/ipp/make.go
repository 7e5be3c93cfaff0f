package ipp

import (
	"time"
	"unicode/utf8"

	"github.com/OpenPrinting/goipp"
)

// Lengths of strings (RFC 8011 §5.1), in bytes.
const (
	MaxText = 1023
	MaxName = 255
	// MaxStatus is of a status-message (RFC 8011 §4.1.6.2).
	MaxStatus = 255
)

// Request begins a request: what RFC 8011 §4.1.4 asks of each stands first.
func Request(op goipp.Op, id uint32, language string) *goipp.Message {
	m := goipp.NewRequest(goipp.MakeVersion(2, 0), op, id)
	m.Operation.Add(Charset("attributes-charset", "utf-8"))
	m.Operation.Add(Language("attributes-natural-language", language))
	return m
}

// Answer begins the answer to req, in its version when we speak that one
// (RFC 8011 §4.1.8). text, cut to its limit, may be empty.
func Answer(req *goipp.Message, status goipp.Status, language, text string) *goipp.Message {
	version := req.Version
	if version.Major() != 1 && version.Major() != 2 {
		version = goipp.MakeVersion(2, 0)
	}
	m := goipp.NewResponse(version, status, req.RequestID)
	m.Operation.Add(Charset("attributes-charset", "utf-8"))
	m.Operation.Add(Language("attributes-natural-language", language))
	if text != "" {
		m.Operation.Add(Text("status-message", Cut(text, MaxStatus)))
	}
	return m
}

// Cut shortens s to at most n bytes, between two letters.
func Cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func strs(name string, tag goipp.Tag, first string, more []string) goipp.Attribute {
	a := goipp.MakeAttr(name, tag, goipp.String(first))
	for _, s := range more {
		a.Values.Add(tag, goipp.String(s))
	}
	return a
}

func ints(name string, tag goipp.Tag, first int, more []int) goipp.Attribute {
	a := goipp.MakeAttr(name, tag, goipp.Integer(first))
	for _, n := range more {
		a.Values.Add(tag, goipp.Integer(n))
	}
	return a
}

// Keyword makes an attribute of keywords.
func Keyword(name, first string, more ...string) goipp.Attribute {
	return strs(name, goipp.TagKeyword, first, more)
}

// Name makes an attribute of names.
func Name(name, first string, more ...string) goipp.Attribute {
	return strs(name, goipp.TagName, first, more)
}

// Text makes an attribute of texts.
func Text(name, first string, more ...string) goipp.Attribute {
	return strs(name, goipp.TagText, first, more)
}

// URI makes an attribute of addresses.
func URI(name, first string, more ...string) goipp.Attribute {
	return strs(name, goipp.TagURI, first, more)
}

// Mime makes an attribute of formats.
func Mime(name, first string, more ...string) goipp.Attribute {
	return strs(name, goipp.TagMimeType, first, more)
}

// Charset makes an attribute of charsets.
func Charset(name, first string, more ...string) goipp.Attribute {
	return strs(name, goipp.TagCharset, first, more)
}

// Language makes an attribute of languages.
func Language(name, first string, more ...string) goipp.Attribute {
	return strs(name, goipp.TagLanguage, first, more)
}

// Integer makes an attribute of integers.
func Integer(name string, first int, more ...int) goipp.Attribute {
	return ints(name, goipp.TagInteger, first, more)
}

// Enum makes an attribute of enums.
func Enum(name string, first int, more ...int) goipp.Attribute {
	return ints(name, goipp.TagEnum, first, more)
}

// Boolean makes an attribute of a boolean.
func Boolean(name string, v bool) goipp.Attribute {
	return goipp.MakeAttr(name, goipp.TagBoolean, goipp.Boolean(v))
}

// RangeOf makes an attribute of one range, both ends included.
func RangeOf(name string, from, to int) goipp.Attribute {
	return goipp.MakeAttr(name, goipp.TagRange, goipp.Range{Lower: from, Upper: to})
}

// RangesOf makes an attribute of ranges.
func RangesOf(name string, first goipp.Range, more ...goipp.Range) goipp.Attribute {
	a := goipp.MakeAttr(name, goipp.TagRange, first)
	for _, r := range more {
		a.Values.Add(goipp.TagRange, r)
	}
	return a
}

// DPI makes an attribute of resolutions, the same both ways.
func DPI(name string, first int, more ...int) goipp.Attribute {
	of := func(n int) goipp.Value { return goipp.Resolution{Xres: n, Yres: n, Units: goipp.UnitsDpi} }
	a := goipp.MakeAttr(name, goipp.TagResolution, of(first))
	for _, n := range more {
		a.Values.Add(goipp.TagResolution, of(n))
	}
	return a
}

// DateTime makes an attribute of a point in time.
func DateTime(name string, t time.Time) goipp.Attribute {
	return goipp.MakeAttr(name, goipp.TagDateTime, goipp.Time{Time: t})
}

// Octets makes an attribute of octet strings.
func Octets(name, first string, more ...string) goipp.Attribute {
	a := goipp.MakeAttr(name, goipp.TagString, goipp.Binary(first))
	for _, s := range more {
		a.Values.Add(goipp.TagString, goipp.Binary(s))
	}
	return a
}

// Members makes an attribute of one collection.
func Members(name string, members ...goipp.Attribute) goipp.Attribute {
	return goipp.MakeAttr(name, goipp.TagBeginCollection, goipp.Collection(members))
}

// MembersOf makes an attribute of collections.
func MembersOf(name string, first Attributes, more ...Attributes) goipp.Attribute {
	a := Members(name, first...)
	for _, m := range more {
		a.Values.Add(goipp.TagBeginCollection, goipp.Collection(m))
	}
	return a
}

// NoValue makes an attribute that has no value yet.
func NoValue(name string) goipp.Attribute {
	return goipp.MakeAttr(name, goipp.TagNoValue, goipp.Void{})
}

// Unknown makes an attribute whose value nobody knows.
func Unknown(name string) goipp.Attribute {
	return goipp.MakeAttr(name, goipp.TagUnknown, goipp.Void{})
}

// Unsupported names an attribute that is not known here (RFC 8011 §4.1.7).
func Unsupported(name string) goipp.Attribute {
	return goipp.MakeAttr(name, goipp.TagUnsupportedValue, goipp.Void{})
}
