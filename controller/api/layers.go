package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"slices"

	"borne/controller/compliance"
	"borne/controller/policy"
	"borne/controller/store"
)

// Effective returns the policy that holds for a terminal, a space or a site
// (leave empty what is below), as compliance merges it.
func Effective(tx store.Tx, site, space, terminal string) (policy.Policy, error) {
	p, err := compliance.Effective(tx, store.Item[store.Terminal]{Meta: store.Meta{ID: terminal, Site: site}, Row: store.Terminal{Space: space}})
	p.PIN = policy.PIN{} // nobody reads it back
	emptyNotNil(reflect.ValueOf(&p).Elem())
	return p, err
}

// wrong names what would make a policy useless or unsafe as the API's fields.
func wrong(found []policy.Problem) []field {
	var all []field
	for _, f := range found {
		all = append(all, field{"body.policy." + indexAt.ReplaceAllString(f.Field, "[$1]"), f.Sentence})
	}
	return all
}

// indexAt is an index in a policy's path; the API writes it as in its other errors.
var indexAt = regexp.MustCompile(`\.(\d+)`)

// Sections are the parts of a policy that a layer sets or inherits.
func sections() []string {
	return []string{"profile", "languages", "session", "hours", "access", "web", "portal", "printing", "printer", "team", "permits",
		"isolation", "keyboard", "network", "filter", "energy", "notice", "help"}
}

// ownSections are those that the layer's document sets.
func ownSections(doc json.RawMessage) ([]string, error) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(doc, &m); err != nil {
		return nil, fmt.Errorf("cannot read a layer of the policy: %w", err)
	}
	own := []string{}
	for _, s := range sections() {
		if _, ok := m[s]; ok {
			own = append(own, s)
		}
	}
	return own, nil
}

// layerDoc writes a layer's document: the named sections of p.
func layerDoc(p policy.Policy, own []string) (map[string]json.RawMessage, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("cannot write the policy: %w", err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		return nil, fmt.Errorf("cannot write the policy: %w", err)
	}
	doc := map[string]json.RawMessage{}
	for _, s := range own {
		if !slices.Contains(sections(), s) {
			return nil, newProblem(422, "Certains champs ne conviennent pas.", field{"body.own", "la partie « " + s + " » est inconnue"})
		}
		doc[s] = all[s]
	}
	return doc, nil
}

// emptyNotNil replaces nil slices by empty ones, so that the console never
// meets a null where a list belongs.
func emptyNotNil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			emptyNotNil(v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			emptyNotNil(v.Index(i))
		}
	case reflect.Slice:
		if v.IsNil() {
			v.Set(reflect.MakeSlice(v.Type(), 0, 0))
		}
		for i := range v.Len() {
			emptyNotNil(v.Index(i))
		}
	}
}
