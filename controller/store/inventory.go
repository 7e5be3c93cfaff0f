package store

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"borne/controller/wire"
)

// Field is one declared field of the data inventory.
type Field struct {
	Table     string `json:"table"`
	Field     string `json:"field"` // JSON name
	Purpose   string `json:"purpose"`
	Basis     string `json:"basis"`
	Retention string `json:"retention"` // class; its length is policy
}

// bodies are the types that records are made of: they lie in the ingest
// journal, and kinds without a table of their own in RecordRow.
func bodies() map[string]reflect.Type {
	return map[string]reflect.Type{
		"record":                reflect.TypeFor[wire.Record](),
		"record boot":           reflect.TypeFor[wire.Boot](),
		"record begun":          reflect.TypeFor[wire.Begun](),
		"record ended":          reflect.TypeFor[wire.Ended](),
		"record receipt":        reflect.TypeFor[wire.Receipt](),
		"record receipt props":  reflect.TypeFor[wire.Property](),
		"record receipt checks": reflect.TypeFor[wire.Check](),
		"record refused":        reflect.TypeFor[wire.Refused](),
		"record command":        reflect.TypeFor[wire.CommandDone](),
		"record device":         reflect.TypeFor[wire.Device](),
		"record print":          reflect.TypeFor[wire.Printed](),
		"record printer":        reflect.TypeFor[wire.Printer](),
		"record alert":          reflect.TypeFor[wire.Alert](),
		"record energy":         reflect.TypeFor[wire.EnergyUse](),
		"record smile":          reflect.TypeFor[wire.Smile](),
		"record traffic":        reflect.TypeFor[wire.Traffic](),
		"record staff":          reflect.TypeFor[wire.StaffDone](),
		"record policy":         reflect.TypeFor[wire.PolicyApplied](),
	}
}

// Inventory returns every stored field, those of records included, or an error
// that names the first field that is not declared: then nothing may be stored
// in it.
func Inventory() ([]Field, error) {
	var all []Field
	for _, r := range Rows() {
		fields, err := declared(string(r.Table()), reflect.TypeOf(r))
		if err != nil {
			return nil, err
		}
		all = append(all, fields...)
	}
	records := bodies()
	for _, name := range slices.Sorted(maps.Keys(records)) {
		fields, err := declared(name, records[name])
		if err != nil {
			return nil, err
		}
		all = append(all, fields...)
	}
	return all, nil
}

// declared reads the tags of one type.
func declared(table string, t reflect.Type) ([]Field, error) {
	bases := []string{"public-task", "legal-duty", "none-personal"}
	classes := []string{"life", "usage", "security", "account", "audit", "technical", "traffic", "minutes"}
	var all []Field
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
		all = append(all, Field{Table: table, Field: name, Purpose: p[0], Basis: p[1], Retention: p[2]})
	}
	return all, nil
}
