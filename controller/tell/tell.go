package tell

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"borne/controller/accounts"
	"borne/controller/attend"
	"borne/controller/compliance"
	"borne/controller/mail"
	"borne/controller/store"
)

// Desk writes the letters.
type Desk struct {
	Console string // where the page is
	Zone    *time.Location
}

// Round queues every letter that is due, and returns how many. Within a View it
// only counts them: write is false.
func (d Desk) Round(tx store.Tx, now time.Time, write bool) (n int, err error) {
	hours := map[string]bool{} // by space: each is asked once
	there := func(m attend.Item) bool {
		key := m.Site + "/" + m.Row.Space
		is, ok := hours[key]
		if !ok {
			if is, err = d.there(tx, m, now); err != nil {
				return false
			}
			hours[key] = is
		}
		return is
	}
	var open []attend.Item
	for w, e := range store.List[store.Watch](tx, "", "", false) {
		if e != nil {
			return n, e
		}
		if !w.Row.On {
			continue
		}
		u, e := store.Get[store.User](tx, w.ID)
		if errors.Is(e, store.ErrNotFound) || e == nil && (u.Row.Disabled || u.Row.Email == "") {
			continue
		}
		if e != nil {
			return n, e
		}
		if open == nil {
			if open, e = opened(tx); e != nil {
				return n, e
			}
		}
		told, all, e := heard(tx, w.ID, open)
		if e != nil {
			return n, e
		}
		who, e := reader(tx, u, w.Row)
		if e != nil {
			return n, e
		}
		l := Plan(who, all, told, now, there)
		if err != nil {
			return n, err
		}
		if l.Empty() {
			continue
		}
		if n++; !write {
			continue
		}
		if err := d.send(tx, u, l, told, now); err != nil {
			return n, err
		}
	}
	return n, err
}

// roles are those that see the page.
func roles() []accounts.Role {
	return []accounts.Role{accounts.Administrator, accounts.Correspondant, accounts.Reception}
}

func reader(tx store.Tx, u store.Item[store.User], w store.Watch) (Reader, error) {
	p, err := accounts.Holder(tx, u)
	return Reader{User: u.ID, Level: attend.Severity(w.Level), Night: w.Night, Sees: func(site string) bool {
		return p.Holds(site, roles()...) && (len(w.Sites) == 0 || slices.Contains(w.Sites, site))
	}}, err
}

func opened(tx store.Tx) ([]attend.Item, error) {
	all := []attend.Item{}
	for m, err := range store.Find[store.Matter](tx, "open", "yes") {
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// heard is what a user was told, and the matters that a letter may be about.
func heard(tx store.Tx, user string, open []attend.Item) (map[string]store.Told, []attend.Item, error) {
	told, all := map[string]store.Told{}, slices.Clone(open)
	for t, err := range store.Find[store.Told](tx, "user", user) {
		if err != nil {
			return nil, nil, err
		}
		told[t.Row.Matter] = t.Row
		if slices.ContainsFunc(open, func(m attend.Item) bool { return m.ID == t.Row.Matter }) {
			continue
		}
		m, err := store.Get[store.Matter](tx, t.Row.Matter)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, nil, err
		}
		all = append(all, m)
	}
	return told, all, nil
}

// there tells whether somebody is there: in the hours of the place, or where it has
// none of its own, at the hours of offices.
func (d Desk) there(tx store.Tx, m attend.Item, now time.Time) (bool, error) {
	if m.Site == "" {
		return AtWork(now.In(d.Zone)), nil
	}
	p, err := compliance.Effective(tx, store.Item[store.Terminal]{Meta: store.Meta{Site: m.Site}, Row: store.Terminal{Space: m.Row.Space}})
	if err != nil {
		return false, err
	}
	if p.Hours.Always {
		return AtWork(now.In(d.Zone)), nil
	}
	return p.Hours.At(now, d.Zone).Open, nil
}

func (d Desk) send(tx store.Tx, u store.Item[store.User], l Letter, told map[string]store.Told, now time.Time) error {
	subject, text := l.Text(placer(tx), d.Console, d.Zone)
	if err := mail.Queue(tx, store.Meta{ID: "attend-" + u.ID + "-" + now.UTC().Format("20060102T150405.000")}, u.Row.Email, subject, text, now); err != nil {
		return err
	}
	note := func(m attend.Item, change func(*store.Told)) error {
		id := m.ID + "/" + u.ID
		it, err := store.Get[store.Told](tx, id)
		if errors.Is(err, store.ErrNotFound) {
			it, err = store.Item[store.Told]{Meta: store.Meta{ID: id, Site: m.Site, Scope: m.Scope}}, nil
		}
		if err != nil {
			return err
		}
		it.Row.Matter, it.Row.User, it.Row.Level = m.ID, u.ID, m.Row.Level
		change(&it.Row)
		return store.Put(tx, it)
	}
	for _, m := range slices.Concat(l.New, l.Again) {
		if err := note(m, func(t *store.Told) { t.Last, t.Over = now.UTC(), time.Time{} }); err != nil {
			return fmt.Errorf("cannot keep who was told: %w", err)
		}
	}
	for _, m := range l.Over {
		if err := note(m, func(t *store.Told) { t.Over = now.UTC() }); err != nil {
			return fmt.Errorf("cannot keep who was told: %w", err)
		}
	}
	return nil
}

// placer names the site, space and terminal of a matter.
func placer(tx store.Tx) Place {
	return func(m attend.Item) string {
		if m.Site == "" {
			return "Tout le Département"
		}
		var names []string
		if s, err := store.Get[store.Site](tx, m.Site); err == nil {
			names = append(names, s.Row.Name)
		}
		if s, err := store.Get[store.Space](tx, m.Row.Space); err == nil {
			names = append(names, s.Row.Name)
		}
		if t, err := store.Get[store.Terminal](tx, m.Row.Terminal); err == nil {
			names = append(names, t.Row.Name)
		}
		return strings.Join(names, ", ")
	}
}

// keepTold is how long it is known who was told, after a matter was over: longer
// than it may come back.
const keepTold = 7 * 24 * time.Hour

// chunk is how many rows one transaction deletes: retention.Chunk.
const chunk = 500

// Purge deletes who was told of what is long over.
func Purge(tx store.Tx, _, now time.Time) (int, error) {
	var ids []string
	for t, err := range store.List[store.Told](tx, "", "", false) {
		if err != nil {
			return 0, err
		}
		m, err := store.Get[store.Matter](tx, t.Row.Matter)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return 0, err
		}
		if err != nil || !m.Row.Open() && now.Sub(m.Row.Ended) > keepTold {
			if ids = append(ids, t.ID); len(ids) == chunk {
				break
			}
		}
	}
	return drop(tx, store.KindTold, ids)
}

// Forget deletes what users wanted to hear of who are no users any more.
func Forget(tx store.Tx, _, _ time.Time) (int, error) {
	var ids []string
	for w, err := range store.List[store.Watch](tx, "", "", false) {
		if err != nil {
			return 0, err
		}
		if _, err := store.Get[store.User](tx, w.ID); errors.Is(err, store.ErrNotFound) {
			if ids = append(ids, w.ID); len(ids) == chunk {
				break
			}
		} else if err != nil {
			return 0, err
		}
	}
	return drop(tx, store.KindWatch, ids)
}

func drop(tx store.Tx, kind store.Kind, ids []string) (int, error) {
	for _, id := range ids {
		if err := tx.Delete(kind, id); err != nil {
			return 0, err
		}
	}
	return len(ids), nil
}
