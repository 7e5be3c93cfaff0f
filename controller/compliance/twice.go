package compliance

import (
	"encoding/json"
	"errors"
	"time"

	"borne/controller/store"
	"borne/controller/wire"
)

// longest is how far before a session another one may have begun that still went on.
const longest = 24 * time.Hour

// twice tells of a badge that had a session at another terminal during this one,
// which has just ended: it was copied, or lent. Only sessions whose ends are both
// known are compared, in whatever order terminals told of them: one that lost its
// link tells late of an end, and alarms nobody by that. Nobody is stopped.
func twice(tx store.Tx, s store.Item[store.SessionRow]) error {
	row := s.Row
	if row.Holder == "" || row.Unsure {
		return nil
	}
	from, to := store.TimeID(row.Begun.Add(-longest), ""), store.TimeID(row.Ended, "")
	for other, err := range store.FindRange[store.SessionRow](tx, "holder", row.Holder, from, to, false) {
		if err != nil {
			return err
		}
		o := other.Row
		if o.Terminal == row.Terminal || o.Unsure || !o.Ended.After(row.Begun) { // one that has not ended ends at the zero time
			continue
		}
		for _, it := range []store.Item[store.SessionRow]{s, other} {
			if err := tell(tx, it, row.Ended, "badge-twice"); err != nil {
				return err
			}
		}
	}
	return nil
}

// tell files an alert of the controller's own for a session's terminal, once a session.
func tell(tx store.Tx, of store.Item[store.SessionRow], at time.Time, code string) error {
	id := store.TimeID(of.Row.Begun, code+"-"+of.Row.Session)
	if _, err := store.Get[store.RecordRow](tx, id); !errors.Is(err, store.ErrNotFound) {
		return err // it is there, or cannot be asked for
	}
	body, err := json.Marshal(wire.Alert{Code: code})
	if err != nil {
		return err
	}
	return store.Put(tx, store.Item[store.RecordRow]{
		Meta: store.Meta{ID: id, Site: of.Site, Scope: of.Row.Terminal},
		Row:  store.RecordRow{Terminal: of.Row.Terminal, Record: wire.Record{Kind: wire.KindAlert, At: at, Body: body}}})
}
