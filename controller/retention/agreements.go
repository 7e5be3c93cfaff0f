package retention

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"borne/controller/store"
)

// agreements takes the names out of agreements that ended before a day: who
// agreed to an opening, and who held the key of it. The opening itself stays.
func agreements(tx store.Tx, before, _ time.Time) (int, error) {
	day, n := before.UTC().Format(time.DateOnly), 0
	var changed []store.Item[store.PolicyRow]
	for it, err := range store.List[store.PolicyRow](tx, "", "", false) {
		if err != nil {
			return 0, err
		}
		doc, names, err := forgotten(it.Row.Doc, day)
		if err != nil {
			return 0, fmt.Errorf("cannot read the rules of %s: %w", it.ID, err)
		}
		if names == 0 {
			continue
		}
		n += names
		it.Row.Doc = doc
		if changed = append(changed, it); n >= Chunk {
			break
		}
	}
	for _, it := range changed {
		if err := store.Put(tx, it); err != nil {
			return 0, err
		}
	}
	return n, nil
}

// forgotten is a layer's document without those names, and how many agreements
// lost theirs. Everything else stays as it was written.
func forgotten(doc json.RawMessage, day string) (json.RawMessage, int, error) {
	var layer, hours map[string]json.RawMessage
	var all []map[string]json.RawMessage
	if err := json.Unmarshal(doc, &layer); err != nil || layer["hours"] == nil {
		return doc, 0, err
	}
	if err := json.Unmarshal(layer["hours"], &hours); err != nil || hours["agreements"] == nil {
		return doc, 0, err
	}
	if err := json.Unmarshal(hours["agreements"], &all); err != nil {
		return doc, 0, err
	}
	n := 0
	for _, a := range all {
		var to string
		if json.Unmarshal(a["to"], &to) != nil || to == "" || to >= day {
			continue
		}
		was := len(a)
		maps.DeleteFunc(a, func(k string, _ json.RawMessage) bool {
			return slices.Contains([]string{"by", "key", "contact", "head"}, k)
		})
		if len(a) < was {
			n++
		}
	}
	if n == 0 {
		return doc, 0, nil
	}
	var err error
	if hours["agreements"], err = json.Marshal(all); err == nil {
		if layer["hours"], err = json.Marshal(hours); err == nil {
			doc, err = json.Marshal(layer)
		}
	}
	return doc, n, err
}
