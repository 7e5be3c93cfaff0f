package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// Difference is one value of a policy that differs, by JSON path. Lists are
// compared whole, as layers replace them whole. A value that is not there is empty.
type Difference struct {
	Path   string
	Before json.RawMessage
	After  json.RawMessage
}

// Differences lists what differs from one policy to the next, by path; their
// versions and their hours do not count: Describe tells of hours.
func Differences(was, is Policy) ([]Difference, error) {
	a, err := values(was)
	if err != nil {
		return nil, err
	}
	b, err := values(is)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(a)
	maps.Copy(all, b)
	var found []Difference
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if !bytes.Equal(a[path], b[path]) {
			found = append(found, Difference{path, a[path], b[path]})
		}
	}
	return found, nil
}

// values are a policy's leaves: whatever is no object.
func values(p Policy) (map[string]json.RawMessage, error) {
	p.Version, p.Hours = 0, Hours{}
	p.Notice.Number, p.Notice.Since, p.Notice.Keep, p.Help.Places = 0, "", Keep{}, nil // nobody sets them
	raw, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("cannot compare policies: %w", err)
	}
	var doc map[string]any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("cannot compare policies: %w", err)
	}
	delete(doc, "version")
	delete(doc, "hours")
	all := map[string]json.RawMessage{}
	return all, leaves(doc, "", all)
}

func leaves(v any, path string, all map[string]json.RawMessage) error {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			if err := leaves(x, join(path, k), all); err != nil {
				return err
			}
		}
		return nil
	case nil: // an empty list: no difference to one that has nothing in it
		all[path] = json.RawMessage("[]")
		return nil
	}
	b, err := json.Marshal(v)
	all[path] = b
	return err
}
