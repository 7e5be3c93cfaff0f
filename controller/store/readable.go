package store

import (
	"encoding/json"
	"fmt"
	"reflect"
)

// Readable reads each row of each table as its type: a store whose bytes are all
// there may still say what nobody understands.
func Readable(tx Tx) error {
	for _, r := range Rows() {
		t := reflect.TypeOf(r)
		for m, doc := range tx.List(r.Table(), "", "", false) {
			if err := json.Unmarshal(doc, reflect.New(t).Interface()); err != nil {
				return fmt.Errorf("cannot read row %.100q of table %s: %w", m.ID, r.Table(), err)
			}
		}
	}
	return nil
}
