// Package catalogues holds every sentence that a person or staff reads, by key
// and language, in ICU MessageFormat. The pages of ui/terminal and ui/console
// compile the same files; Go reads them for the few sentences it writes itself.
package catalogues

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
)

//go:embed *.json
var files embed.FS

// Languages offered, BCP 47. French is the reference: it has every key.
const (
	French = "fr"
	Simple = "fr-x-facile" // « français simple »; holds only what the public reads, the rest falls back to French
	Eng    = "en"
)

// Languages lists those that have a catalogue. Staff read French or English; the
// others hold what the public reads.
func Languages() []string {
	return []string{French, Simple, Eng, "ar", "pt", "es", "tr", "sq", "ro", "uk", "it", "de"}
}

// Direction is how a language is written, as HTML says it.
func Direction(lang string) string {
	if base, _, _ := strings.Cut(lang, "-"); base == "ar" {
		return "rtl"
	}
	return "ltr"
}

// Args are the values of a message's placeholders: strings and integers.
type Args map[string]any

// load is a cache of constants: the embedded files never change.
var load = sync.OnceValues(read)

func read() (map[string]map[string]string, error) {
	all := map[string]map[string]string{}
	for _, lang := range Languages() {
		b, err := files.ReadFile(lang + ".json")
		if err != nil {
			return nil, fmt.Errorf("cannot read the catalogue %s: %w", lang, err)
		}
		m := map[string]string{}
		if err := json.Unmarshal(b, &m); err != nil {
			return nil, fmt.Errorf("cannot read the catalogue %s: %w", lang, err)
		}
		all[lang] = m
	}
	return all, nil
}

// Has tells whether French, the reference, has the key.
func Has(key string) bool {
	all, err := load()
	return err == nil && all[French][key] != ""
}

// Keys lists the keys of a language, sorted; nil for an unknown one.
func Keys(lang string) []string {
	all, err := load()
	if err != nil {
		return nil
	}
	var keys []string
	for k := range all[lang] {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Text returns the sentence of key in lang with its placeholders filled. A
// missing language falls back to its parents and then to French (fr-x-facile →
// fr), a missing key to the key itself, so that a page is never blank.
// Understood are {name}, {n, plural, …} and {s, select, …}; a message that
// cannot be read comes back as it is written.
func Text(lang, key string, args Args) string {
	all, err := load()
	if err != nil {
		return key
	}
	for _, l := range fallbacks(lang) {
		if msg, ok := all[l][key]; ok {
			s, err := format(msg, l, args)
			if err != nil {
				return msg
			}
			return s
		}
	}
	return key
}

// fallbacks lists lang, its parents, then French.
func fallbacks(lang string) []string {
	var l []string
	if len(lang) > 35 { // RFC 5646 §4.4.1: the longest tag that must be supported
		lang = ""
	}
	for lang != "" {
		l = append(l, lang)
		i := strings.LastIndexByte(lang, '-')
		if i < 0 {
			break
		}
		lang = strings.TrimSuffix(lang[:i], "-x")
	}
	return append(l, French)
}
