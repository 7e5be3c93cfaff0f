package store

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Field is one declared field of the data inventory.
type Field struct {
	Table     string `json:"table"`
	Field     string `json:"field"` // JSON name
	Purpose   string `json:"purpose"`
	Basis     string `json:"basis"`
	Retention string `json:"retention"` // class; its length is policy
}

// Inventory returns every stored field, or an error that names the first field
// that is not declared: then nothing may be stored in it.
func Inventory(rows ...Row) ([]Field, error) {
	if len(rows) == 0 {
		rows = Rows()
	}
	bases := []string{"public-task", "legal-duty", "none-personal"}
	classes := []string{"life", "usage", "security", "account", "audit", "technical", "minutes"}
	var all []Field
	for _, r := range rows {
		t := reflect.TypeOf(r)
		for i := range t.NumField() {
			f := t.Field(i)
			p := strings.Split(f.Tag.Get("inventory"), ";")
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			switch {
			case len(p) != 3 || p[0] == "":
				return nil, fmt.Errorf("cannot inventory %s.%s: declare it with a tag `inventory:\"purpose;basis;retention\"`", t.Name(), f.Name)
			case !slices.Contains(bases, p[1]):
				return nil, fmt.Errorf("cannot inventory %s.%s: basis %q is none of %v", t.Name(), f.Name, p[1], bases)
			case !slices.Contains(classes, p[2]):
				return nil, fmt.Errorf("cannot inventory %s.%s: retention %q is none of %v", t.Name(), f.Name, p[2], classes)
			case name == "" || name == "-":
				return nil, fmt.Errorf("cannot inventory %s.%s: it needs a JSON name", t.Name(), f.Name)
			}
			all = append(all, Field{Table: string(r.Table()), Field: name, Purpose: p[0], Basis: p[1], Retention: p[2]})
		}
	}
	return all, nil
}
