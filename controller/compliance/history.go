package compliance

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"sort"
	"sync"
	"time"

	"borne/controller/policy"
	"borne/controller/store"
)

// Held are hours that held from a time on, until the next ones.
type Held struct {
	From  time.Time // zero for the first that are known
	Hours policy.Hours
}

// HoursHistory is which hours a terminal had, oldest first. Of a space ask with a
// terminal without an id. School holidays are those that are known now.
func HoursHistory(tx store.Tx, t store.Item[store.Terminal]) ([]Held, error) {
	var changes []store.Item[store.HoursChange]
	for _, layer := range []string{t.Site, t.Row.Space} {
		if layer == "" {
			continue
		}
		for it, err := range store.Find[store.HoursChange](tx, "layer", layer) {
			if err != nil {
				return nil, fmt.Errorf("cannot read the changes of hours: %w", err)
			}
			changes = append(changes, it)
		}
	}
	// Newest first: each says what was before it.
	slices.SortStableFunc(changes, func(a, b store.Item[store.HoursChange]) int { return b.Row.At.Compare(a.Row.At) })
	then := past{Tx: tx, hours: map[string]json.RawMessage{}}
	var all []Held
	for i := 0; ; i++ {
		p, err := Effective(then, t)
		if err != nil {
			return nil, err
		}
		h := Held{Hours: p.Hours}
		if i < len(changes) {
			h.From = changes[i].Row.At
			then.hours[changes[i].Row.Layer] = changes[i].Row.Before
		}
		all = append(all, h)
		if i == len(changes) {
			slices.Reverse(all)
			return all, nil
		}
	}
}

// past is a transaction in which layers have the hours that they had.
type past struct {
	store.Tx
	hours map[string]json.RawMessage // by layer; empty: it inherited them
}

func (p past) Get(k store.Kind, id string) (store.Meta, json.RawMessage, error) {
	m, doc, err := p.Tx.Get(k, id)
	was, ok := p.hours[id]
	if k != store.KindPolicy || !ok || err != nil {
		return m, doc, err
	}
	var row store.PolicyRow
	var all map[string]json.RawMessage
	if err := json.Unmarshal(doc, &row); err != nil {
		return m, doc, fmt.Errorf("cannot read a layer of the policy: %w", err)
	}
	if err := json.Unmarshal(row.Doc, &all); err != nil || all == nil {
		all = map[string]json.RawMessage{}
	}
	delete(all, "hours")
	if len(was) > 0 {
		all["hours"] = was
	}
	if row.Doc, err = json.Marshal(all); err != nil {
		return m, doc, err
	}
	doc, err = json.Marshal(row)
	return m, doc, err
}

// heldHours answers which hours a terminal had at a time. Merging a policy for
// each session would cost more than all the rest: what was worked out is kept
// until one of the rows that it was made of changes.
type heldHours struct {
	loc *time.Location
	mu  sync.Mutex
	of  map[string]*plans // by terminal
}

type plans struct {
	made []made
	all  []plan
}

// made is a row that plans were made of, by its revision; 0: there was none.
type made struct {
	kind store.Kind
	id   string
	rev  uint64
}

type plan struct {
	Held
	schedule policy.Schedule
	lo, hi   time.Time // that it answers for
}

func newHeldHours(loc *time.Location) *heldHours {
	return &heldHours{loc: loc, of: map[string]*plans{}}
}

func (h *heldHours) at(tx store.Tx, t terminal, at time.Time) (policy.Opening, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.of[t.ID]
	if p == nil || !p.fresh(tx, t) {
		w := &watched{Tx: tx}
		// Effective once by itself: a history may read the same rows many times.
		if _, err := Effective(w, t); err != nil {
			return policy.Opening{}, err
		}
		held, err := HoursHistory(tx, t)
		if err != nil {
			return policy.Opening{}, err
		}
		p = &plans{made: w.seen}
		for _, x := range held {
			p.all = append(p.all, plan{Held: x})
		}
		if h.of[t.ID] = p; w.loose {
			delete(h.of, t.ID)
		}
	}
	i := max(sort.Search(len(p.all), func(i int) bool { return p.all[i].From.After(at) })-1, 0)
	x := &p.all[i]
	if at.Before(x.lo) || !at.Before(x.hi) {
		x.lo, x.hi = at.AddDate(0, 0, -3), at.AddDate(0, 0, 40)
		x.schedule = x.Hours.Schedule(x.lo, x.hi, h.loc)
	}
	return x.schedule.At(at), nil
}

// fresh tells whether nothing changed that the plans were made of.
func (p *plans) fresh(tx store.Tx, t terminal) bool {
	for _, m := range p.made {
		meta, _, err := tx.Get(m.kind, m.id)
		if errors.Is(err, store.ErrNotFound) {
			meta.Rev, err = 0, nil
		}
		if err != nil || meta.Rev != m.rev {
			return false
		}
	}
	return slices.ContainsFunc(p.made, func(m made) bool { return m.kind == store.KindPolicy && m.id == t.Row.Space }) || t.Row.Space == ""
}

// watched notes the rows that are read; what is found in other ways than by its
// id cannot be noted.
type watched struct {
	store.Tx
	seen  []made
	loose bool
}

func (w *watched) Get(k store.Kind, id string) (store.Meta, json.RawMessage, error) {
	m, doc, err := w.Tx.Get(k, id)
	if err == nil {
		w.seen = append(w.seen, made{k, id, m.Rev})
	} else {
		w.seen = append(w.seen, made{k, id, 0})
	}
	return m, doc, err
}

func (w *watched) List(k store.Kind, from, to string, desc bool) iter.Seq2[store.Meta, json.RawMessage] {
	w.loose = true
	return w.Tx.List(k, from, to, desc)
}

func (w *watched) ByIndex(k store.Kind, name, value, from, to string, desc bool) iter.Seq2[store.Meta, json.RawMessage] {
	w.loose = true
	return w.Tx.ByIndex(k, name, value, from, to, desc)
}
