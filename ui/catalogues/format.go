package catalogues

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"
)

// maxDepth bounds nested arguments: our messages need two.
const maxDepth = 8

var errMessage = errors.New("not a message of the subset understood here")

// format fills one ICU MessageFormat message: text, ” and quoted '{…}',
// {name}, {n, plural, =0 {…} one {…} other {…}} with #, {s, select, a {…} other {…}}.
func format(msg, lang string, args Args) (string, error) {
	p := &scanner{s: msg, lang: lang, args: args}
	out, err := p.message(0, "", false)
	if err != nil {
		return "", err
	}
	if p.i != len(p.s) {
		return "", fmt.Errorf("cannot format %q: unmatched brace at byte %d: %w", msg, p.i, errMessage)
	}
	return out, nil
}

type scanner struct {
	s    string
	i    int
	lang string
	args Args
	seen func(argument string) // is told of each, with "plural" or "select" behind its name; may be nil
}

func (p *scanner) saw(argument string) {
	if p.seen != nil {
		p.seen(argument)
	}
}

// message reads until the closing brace of its parent, or the end. hash is
// what # stands for inside a plural.
func (p *scanner) message(depth int, hash string, inPlural bool) (string, error) {
	if depth > maxDepth {
		return "", fmt.Errorf("cannot format: nested deeper than %d: %w", maxDepth, errMessage)
	}
	var b strings.Builder
	for p.i < len(p.s) {
		switch c := p.s[p.i]; {
		case c == '}':
			return b.String(), nil
		case c == '{':
			p.i++
			s, err := p.argument(depth, hash, inPlural)
			if err != nil {
				return "", err
			}
			b.WriteString(s)
		case c == '#' && inPlural:
			p.i++
			b.WriteString(hash)
		case c == '\'':
			p.quote(&b, inPlural)
		default:
			p.i++
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// quote reads an apostrophe: doubled it is one; before a brace (or # in a
// plural) it opens a quoted stretch; anywhere else it is itself.
func (p *scanner) quote(b *strings.Builder, inPlural bool) {
	rest := p.s[p.i+1:]
	switch {
	case strings.HasPrefix(rest, "'"):
		b.WriteByte('\'')
		p.i += 2
	case strings.HasPrefix(rest, "{") || strings.HasPrefix(rest, "}") || (inPlural && strings.HasPrefix(rest, "#")):
		p.i++
		for p.i < len(p.s) {
			if p.s[p.i] == '\'' {
				if p.i+1 < len(p.s) && p.s[p.i+1] == '\'' {
					p.i++
				} else {
					p.i++
					return
				}
			}
			b.WriteByte(p.s[p.i])
			p.i++
		}
	default:
		b.WriteByte('\'')
		p.i++
	}
}

func (p *scanner) argument(depth int, hash string, inPlural bool) (string, error) {
	name := strings.TrimSpace(p.until(",}"))
	if name == "" || p.i >= len(p.s) {
		return "", fmt.Errorf("cannot format %q: placeholder without an end: %w", p.s, errMessage)
	}
	value, known := p.args[name]
	if p.s[p.i] == '}' {
		p.i++
		p.saw(name)
		if !known {
			return "{" + name + "}", nil
		}
		return fmt.Sprint(value), nil
	}
	p.i++
	kind := strings.TrimSpace(p.until(",}"))
	if (kind != "plural" && kind != "select") || p.i >= len(p.s) || p.s[p.i] != ',' {
		return "", fmt.Errorf("cannot format %q: argument kind %q: %w", p.s, kind, errMessage)
	}
	p.i++
	p.saw(name + " " + kind)
	want, exact := fmt.Sprint(value), ""
	if kind == "plural" {
		n, err := strconv.Atoi(want)
		if err != nil {
			n = 0
		}
		hash, inPlural = strconv.Itoa(n), true
		exact, want = "="+hash, category(p.lang, n)
	}
	return p.options(depth, hash, inPlural, exact, want)
}

// options reads every option and keeps the best: the exact number, then the
// category, then other.
func (p *scanner) options(depth int, hash string, inPlural bool, exact, want string) (string, error) {
	found := map[string]string{}
	for {
		key := strings.TrimSpace(p.until("{}"))
		if p.i >= len(p.s) {
			return "", fmt.Errorf("cannot format %q: options without an end: %w", p.s, errMessage)
		}
		if p.s[p.i] == '}' {
			p.i++
			break
		}
		p.i++
		s, err := p.message(depth+1, hash, inPlural)
		if err != nil {
			return "", err
		}
		if p.i >= len(p.s) {
			return "", fmt.Errorf("cannot format %q: option %q without an end: %w", p.s, key, errMessage)
		}
		p.i++
		found[key] = s
	}
	for _, k := range []string{exact, want, "other"} {
		if s, ok := found[k]; ok {
			return s, nil
		}
	}
	return "", fmt.Errorf("cannot format %q: no option other: %w", p.s, errMessage)
}

// until moves to the first of stops, or the end, and returns what it passed.
func (p *scanner) until(stops string) string {
	from := p.i
	for p.i < len(p.s) && !strings.ContainsRune(stops, rune(p.s[p.i])) {
		p.i++
	}
	return p.s[from:p.i]
}

// category is the CLDR plural category of a whole number: French counts 0 and 1 as
// one thing, English only 1, Arabic has six of them.
func category(lang string, n int) string {
	base, _, _ := strings.Cut(lang, "-")
	switch plural.Cardinal.MatchPlural(language.Make(base), max(n, -n), 0, 0, 0, 0) {
	case plural.Zero:
		return "zero"
	case plural.One:
		return "one"
	case plural.Two:
		return "two"
	case plural.Few:
		return "few"
	case plural.Many:
		return "many"
	}
	return "other"
}
