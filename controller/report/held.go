package report

import (
	"encoding/json"
	"iter"
	"math"

	"borne/controller/compliance"
	"borne/controller/store"
)

// heldKept are the hours that places had, until a row changes of a table that they
// were made of.
type heldKept struct {
	versions map[store.Kind]uint64
	of       map[string][]compliance.Held // by site and space
}

// heldBy is which hours a space had.
func heldBy(tx store.Tx, site, space string) ([]compliance.Held, error) {
	return compliance.HoursHistory(tx, store.Item[store.Terminal]{Meta: store.Meta{Site: site}, Row: store.Terminal{Space: space}})
}

// fresh lets go of what was made of rows that have changed since.
func (h *heldKept) fresh(tx store.Tx) {
	for kind, v := range h.versions {
		if tx.Version(kind, "") != v {
			*h = heldKept{}
			return
		}
	}
}

func (h *heldKept) held(tx store.Tx, site, space string) ([]compliance.Held, error) {
	key := site + "\x00" + space
	if all, ok := h.of[key]; ok {
		return all, nil
	}
	n := noting{tx, map[store.Kind]bool{}}
	all, err := heldBy(n, site, space)
	if err != nil {
		return nil, err
	}
	for kind := range n.kinds {
		if length, noted := store.Dated(kind); !noted || length > 0 || tx.Version(kind, "") == math.MaxUint64 {
			return all, nil // nobody would tell when it changes
		}
	}
	if h.of == nil {
		h.of, h.versions = map[string][]compliance.Held{}, map[store.Kind]uint64{}
	}
	for kind := range n.kinds {
		h.versions[kind] = tx.Version(kind, "")
	}
	h.of[key] = all
	return all, nil
}

// noting notes which tables are read.
type noting struct {
	store.Tx
	kinds map[store.Kind]bool
}

func (n noting) Get(k store.Kind, id string) (store.Meta, json.RawMessage, error) {
	n.kinds[k] = true
	return n.Tx.Get(k, id)
}

func (n noting) List(k store.Kind, from, to string, desc bool) iter.Seq2[store.Meta, json.RawMessage] {
	n.kinds[k] = true
	return n.Tx.List(k, from, to, desc)
}

func (n noting) ByIndex(k store.Kind, name, value, from, to string, desc bool) iter.Seq2[store.Meta, json.RawMessage] {
	n.kinds[k] = true
	return n.Tx.ByIndex(k, name, value, from, to, desc)
}
