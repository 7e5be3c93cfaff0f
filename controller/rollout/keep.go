package rollout

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"borne/controller/audit"
	"borne/controller/notice"
	"borne/controller/store"
)

// next is a policy version that nothing has had.
func next(tx store.Tx) (uint64, error) {
	set, err := store.Get[store.Setting](tx, store.SettingController)
	if err != nil {
		return 0, err
	}
	version := set.Row.NextPolicy()
	return version, store.Put(tx, set)
}

// Begin reaches the first terminal with a layer's change that was just written.
// r says what it is: Change, Before, Prior, Order, Dwell and Within.
func Begin(tx store.Tx, layer store.Item[store.PolicyRow], r store.Rollout, now time.Time, seen func(string) Seen) error {
	it, err := store.Get[store.Rollout](tx, layer.ID)
	if errors.Is(err, store.ErrNotFound) { // the first one of this layer
		it = store.Item[store.Rollout]{Meta: store.Meta{ID: layer.ID, Site: layer.Site, Scope: layer.Scope}}
	} else if err != nil {
		return err
	}
	it.Row = Give(r, layer.Row.Version, now, seen)
	return store.Put(tx, it)
}

// Further reaches the next terminals, or ends what has reached all.
func Further(tx store.Tx, layer string, now time.Time, seen func(string) Seen) error {
	return store.Update(tx, layer, func(it *store.Item[store.Rollout]) error {
		if len(it.Row.Members) == len(it.Row.Order) {
			it.Row.State = store.RolloutDone
			return nil
		}
		version, err := newer(tx, layer, nil)
		it.Row = Give(it.Row, version, now, seen)
		return err
	})
}

// Others reaches other terminals in the place of those of this step, which are gone.
func Others(tx store.Tx, layer string, now time.Time, seen func(string) Seen) error {
	err := store.Update(tx, layer, func(it *store.Item[store.Rollout]) error {
		version, err := newer(tx, layer, nil)
		it.Row = Instead(it.Row, version, now, seen)
		return err
	})
	if err != nil {
		return err
	}
	return tell(tx, layer, "policy.instead", "", now)
}

// Unproved ends a rollout whose last terminals are all gone: nobody is left who could
// show that its rules are good, and nobody whom they could harm. Its publication says so.
func Unproved(tx store.Tx, layer string, now time.Time) error {
	err := store.Update(tx, layer, func(it *store.Item[store.Rollout]) error {
		it.Row.State = store.RolloutDone
		return nil
	})
	if err != nil {
		return err
	}
	return tell(tx, layer, "policy.unproven", "Déploiement terminé de lui-même : plus aucun des postes de sa dernière étape n’est en service.", now)
}

// tell writes what the controller did by itself into the audit, and a note beside the
// publication that it is about.
func tell(tx store.Tx, layer, action, note string, now time.Time) error {
	it, err := store.Get[store.Rollout](tx, layer)
	if err != nil {
		return err
	}
	made, err := store.Get[store.PolicyChange](tx, it.Row.Change)
	if err != nil {
		return fmt.Errorf("cannot tell how a rollout goes on: %w", err)
	}
	if note != "" {
		if made.Row.Note != "" {
			note = made.Row.Note + " — " + note
		}
		made.Row.Note = note
		if err := store.Put(tx, made); err != nil {
			return err
		}
	}
	return audit.Append(tx, audit.Entry{At: now, Actor: audit.Controller, Action: action, Site: made.Site, Scope: made.Scope, Target: layer})
}

// newer gives a layer a newer version, and other rules when doc is not nil.
func newer(tx store.Tx, layer string, doc json.RawMessage) (uint64, error) {
	version, err := next(tx)
	if err != nil {
		return 0, err
	}
	return version, store.Update(tx, layer, func(it *store.Item[store.PolicyRow]) error {
		it.Row.Version = version
		if doc != nil {
			it.Row.Doc = doc
		}
		return nil
	})
}

// Hours has a layer's new hours reach everybody: they are no part of the change.
// Two versions are given, one for each side.
func Hours(tx store.Tx, layer string, now time.Time) error {
	return store.Update(tx, layer, func(it *store.Item[store.Rollout]) (err error) {
		if it.Row.Prior, err = next(tx); err != nil {
			return err
		}
		if it.Row.Version, err = newer(tx, layer, nil); err != nil {
			return err
		}
		for i := range it.Row.Members {
			it.Row.Members[i].Since = now
		}
		return nil
	})
}

// Back has every terminal obey the rules before again. state says whether somebody
// wanted it or a terminal made it stop; by is who, note why.
func Back(tx store.Tx, layer string, state store.RolloutState, by, note string, now time.Time) error {
	it, err := store.Get[store.Rollout](tx, layer)
	if err != nil {
		return err
	}
	row, err := store.Get[store.PolicyRow](tx, layer)
	if err != nil {
		return err
	}
	doc, err := store.WithHoursOf(it.Row.Before, row.Row.Doc)
	if err != nil {
		return err
	}
	was, err := store.WithoutHours(row.Row.Doc)
	if err != nil {
		return err
	}
	is, err := store.WithoutHours(doc)
	if err != nil {
		return err
	}
	version, err := newer(tx, layer, doc)
	if err != nil {
		return err
	}
	made, err := store.Get[store.PolicyChange](tx, it.Row.Change)
	if err != nil {
		return fmt.Errorf("cannot go back: %w", err)
	}
	c := made.Row
	c.Version, c.At, c.By, c.Note, c.Before, c.Doc, c.Differences = version, now, by, note, was, is, nil
	c.Sections = slices.DeleteFunc(slices.Clone(c.Sections), func(s string) bool { return s == "team" })
	for _, d := range made.Row.Differences {
		if strings.HasPrefix(d.Path, "team.") { // it changed at once for everybody, and stays
			continue
		}
		if d.Path == "printing.staff" { // who was taken from it is not back
			if d.Before = staff(doc); d.Before == nil || equal(d.Before, d.After) {
				continue
			}
		}
		c.Differences = append(c.Differences, store.PolicyDifference{Path: d.Path, Before: d.After, After: d.Before})
	}
	if slices.Contains(c.Sections, "notice") {
		var is map[string]json.RawMessage
		if err := json.Unmarshal(doc, &is); err != nil {
			return fmt.Errorf("cannot go back: %w", err)
		}
		if err := notice.Set(tx, layer, is["notice"], version, by, now); err != nil {
			return err
		}
	}
	id := store.TimeID(now, fmt.Sprintf("back-%d", version))
	if err := store.Put(tx, store.Item[store.PolicyChange]{Meta: store.Meta{ID: id, Site: made.Site, Scope: made.Scope}, Row: c}); err != nil {
		return err
	}
	it.Row.State = state
	if err := store.Put(tx, it); err != nil {
		return err
	}
	action := "policy.back"
	if state == store.RolloutStopped {
		action = "policy.stopped"
	}
	return audit.Append(tx, audit.Entry{At: now, Actor: by, Action: action, Site: made.Site, Scope: made.Scope, Target: layer, Detail: it.Row.Culprit + " " + it.Row.Why})
}

// equal compares what two texts say.
func equal(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// staff are the badges that release prints by a layer's document.
func staff(doc json.RawMessage) json.RawMessage {
	var p struct {
		Printing struct {
			Staff json.RawMessage `json:"staff"`
		} `json:"printing"`
	}
	if json.Unmarshal(doc, &p) != nil {
		return nil
	}
	return p.Printing.Staff
}
