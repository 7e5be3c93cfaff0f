package policy

import (
	"encoding/json"
	"fmt"
	"maps"
)

// Layer is one JSON merge patch (RFC 7396) and whose it is.
type Layer struct {
	Name string // global, site, space, terminal
	Doc  json.RawMessage
}

// Merge applies the layers in order over base, and tells which layer each value
// comes from, by JSON path ("session.minutes"); "" is base. Lists are replaced
// whole. null takes a value away; what is then missing has its zero value.
func Merge(base Policy, layers ...Layer) (Policy, map[string]string, error) {
	var doc any
	raw, err := json.Marshal(base)
	if err != nil {
		return Policy{}, nil, fmt.Errorf("cannot merge policies: %w", err)
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return Policy{}, nil, fmt.Errorf("cannot merge policies: %w", err)
	}
	origin := map[string]string{}
	note(doc, "", "", origin)
	for _, l := range layers {
		if len(l.Doc) == 0 {
			continue
		}
		if len(l.Doc) > MaxDoc {
			return Policy{}, nil, fmt.Errorf("cannot merge policies: the layer %q has %d bytes, the limit is %d", l.Name, len(l.Doc), MaxDoc)
		}
		var patch map[string]any
		if err := json.Unmarshal(l.Doc, &patch); err != nil {
			return Policy{}, nil, fmt.Errorf("cannot merge policies: the layer %q: %w", l.Name, err)
		}
		if patch == nil { // the document null
			continue
		}
		doc = apply(doc, patch, "", l.Name, origin)
	}
	if raw, err = json.Marshal(doc); err != nil {
		return Policy{}, nil, fmt.Errorf("cannot merge policies: %w", err)
	}
	p, err := Parse(raw)
	return p, origin, err
}

// apply is RFC 7396's MergePatch. It changes target and returns it.
func apply(target any, patch map[string]any, path, name string, origin map[string]string) any {
	t, ok := target.(map[string]any)
	if !ok {
		t = map[string]any{}
		forget(path, origin)
	}
	for k, v := range patch {
		at := join(path, k)
		switch v := v.(type) {
		case nil:
			delete(t, k)
			forget(at, origin)
		case map[string]any:
			t[k] = apply(t[k], v, at, name, origin)
		default:
			t[k] = v
			forget(at, origin)
			origin[at] = name
		}
	}
	return t
}

// note names the origin of every leaf below v.
func note(v any, path, name string, origin map[string]string) {
	if m, ok := v.(map[string]any); ok {
		for k, v := range m {
			note(v, join(path, k), name, origin)
		}
		return
	}
	origin[path] = name
}

func forget(path string, origin map[string]string) {
	maps.DeleteFunc(origin, func(k, _ string) bool {
		return k == path || (len(k) > len(path) && k[:len(path)] == path && k[len(path)] == '.')
	})
}

func join(path, k string) string {
	if path == "" {
		return k
	}
	return path + "." + k
}
