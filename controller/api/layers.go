package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"borne/controller/policy"
	"borne/controller/store"
)

// Effective returns the policy that holds in a space, or for a site when space
// is empty: the Département's, changed by the site's and the space's layers.
// Its version is the newest layer's, so that it rises with each change.
func Effective(tx store.Tx, site, space string) (policy.Policy, error) {
	return effective(tx, site, space)
}

func effective(tx store.Tx, site, space string) (policy.Policy, error) {
	doc, err := json.Marshal(policy.Default())
	if err != nil {
		return policy.Policy{}, fmt.Errorf("cannot write the default policy: %w", err)
	}
	var version uint64
	for _, id := range []string{store.PolicyGlobal, site, space} {
		if id == "" {
			continue
		}
		it, err := store.Get[store.PolicyRow](tx, id)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return policy.Policy{}, err
		}
		if doc, err = mergePatch(doc, it.Row.Doc); err != nil {
			return policy.Policy{}, fmt.Errorf("cannot apply the policy of %q: %w", id, err)
		}
		version = max(version, it.Row.Version)
	}
	var p policy.Policy
	if err := json.Unmarshal(doc, &p); err != nil {
		return policy.Policy{}, fmt.Errorf("cannot read the policy of site %q, space %q: %w", site, space, err)
	}
	p.Version = version
	emptyNotNil(reflect.ValueOf(&p).Elem())
	return p, nil
}

// wantedVersion is the version of the policy that holds in a space.
func wantedVersion(tx store.Tx, site, space string) (uint64, error) {
	p, err := effective(tx, site, space)
	return p.Version, err
}

// mergePatch applies an RFC 7396 patch.
func mergePatch(target, patch json.RawMessage) (json.RawMessage, error) {
	var p map[string]json.RawMessage
	if err := json.Unmarshal(patch, &p); err != nil || p == nil {
		return patch, err // no object: it replaces the target whole
	}
	t := map[string]json.RawMessage{}
	if err := json.Unmarshal(target, &t); err != nil || t == nil {
		t = map[string]json.RawMessage{} // no object: the patch's members are all there is
	}
	for k, v := range p {
		if string(v) == "null" {
			delete(t, k)
			continue
		}
		if v[0] != '{' {
			t[k] = v
			continue
		}
		merged, err := mergePatch(t[k], v)
		if err != nil {
			return nil, err
		}
		t[k] = merged
	}
	return json.Marshal(t)
}

// Sections are the parts of a policy that a layer sets or inherits.
func sections() []string {
	return []string{"profile", "languages", "session", "hours", "access", "web", "portal", "printing", "permits",
		"isolation", "keyboard", "network"}
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
