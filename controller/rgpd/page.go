package rgpd

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the pages
	"encoding/base64"
	"encoding/csv"
	"fmt"
	"html/template"
	"strings"
)

//go:embed style.css
var style string

//go:embed pages.html
var pages string

// Page is one of the documents.
type Page string

// Pages.
const (
	Register   Page = "registre"
	Assessment Page = "aipd"
	Data       Page = "inventaire"
)

// Pages lists them.
func Pages() []Page { return []Page{Register, Assessment, Data} }

// Policy is the content policy of a page: its own style, and nothing else.
func Policy() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

// HTML writes one page: one file without a script, which a browser prints or turns
// into a PDF.
func (d Document) HTML(p Page) ([]byte, error) {
	t, err := template.New("pages").Funcs(template.FuncMap{"join": strings.Join, "count": count, "style": func() template.CSS { return template.CSS(style) }}).Parse(pages)
	if err != nil {
		return nil, fmt.Errorf("cannot read the pages' template: %w", err)
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, string(p), d); err != nil {
		return nil, fmt.Errorf("cannot write the page %q: %w", p, err)
	}
	return b.Bytes(), nil
}

// count is a number with its noun: in French, none and one are singular.
func count(n int, one, many string) string {
	if n < 2 {
		many = one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// CSV writes the inventory for a spreadsheet: with a BOM, so that accents show.
func (d Document) CSV() ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("\xef\xbb\xbf")
	w := csv.NewWriter(&b)
	w.Comma, w.UseCRLF = ';', true
	rows := [][]string{{"table", "donnée", "pourquoi", "base légale", "classe", "durée", "liée à une personne"}}
	for _, f := range d.Fields {
		personal := "non"
		if f.Personal {
			personal = "oui"
		}
		rows = append(rows, []string{f.Table, f.Name, f.Purpose, f.Basis, f.Class, f.Kept, personal})
	}
	if err := w.WriteAll(rows); err != nil {
		return nil, fmt.Errorf("cannot write the inventory: %w", err)
	}
	return b.Bytes(), nil
}
