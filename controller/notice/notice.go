// Package notice keeps each text that people were told before they began, by its
// number: which rules they accepted, and what was said of their data.
package notice

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"borne/controller/policy"
	"borne/controller/store"
)

// Set keeps a layer's text from now on; none is that of the layer above. A text
// that holds already is no new one.
func Set(tx store.Tx, layer string, text json.RawMessage, version uint64, by string, now time.Time) error {
	last, err := store.First(Texts(tx, layer, true))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("cannot keep what people are told: %w", err)
	}
	if len(text) == 0 && len(last.Row.Text) == 0 || len(text) > 0 && len(last.Row.Text) > 0 && same(last.Row.Text, text) {
		return nil
	}
	n := last.Row.Number + 1
	m := store.Meta{ID: store.NoticeID(layer, n)}
	if layer != store.PolicyGlobal {
		m.Site = layer
	}
	return store.Put(tx, store.Item[store.NoticeText]{Meta: m, Row: store.NoticeText{Layer: layer, Number: n, At: now.UTC(), Version: version, By: by, Text: text}})
}

// Of is the last of a layer's texts that says what a policy says: while a change
// reaches terminals step by step, some still say the one before. Its number is 0
// when there is none.
func Of(tx store.Tx, layer string, n policy.Notice) (store.NoticeText, error) {
	for it, err := range Texts(tx, layer, true) {
		if err != nil {
			return store.NoticeText{}, fmt.Errorf("cannot read what people are told: %w", err)
		}
		var is policy.Notice
		if len(it.Row.Text) > 0 && json.Unmarshal(it.Row.Text, &is) == nil && equal(is, n) {
			return it.Row, nil
		}
	}
	return store.NoticeText{}, nil
}

// Texts are all of a layer's, in the order of their numbers or the last first.
func Texts(tx store.Tx, layer string, lastFirst bool) func(func(store.Item[store.NoticeText], error) bool) {
	return store.List[store.NoticeText](tx, store.NoticeID(layer, 0), store.NoticeID(layer, store.MaxNotice), lastFirst)
}

func same(a, b json.RawMessage) bool {
	var x, y policy.Notice
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && equal(x, y)
}

func equal(a, b policy.Notice) bool {
	return a.Responsible == b.Responsible && a.DPO == b.DPO && slices.Equal(a.Charter, b.Charter)
}
