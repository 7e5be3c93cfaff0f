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
	r := round{Desk: d, tx: tx, now: now, hours: map[string]bool{}}
	for w, err := range store.List[store.Watch](tx, "", "", false) {
		if err != nil {
			return n, err
		}
		if !w.Row.On {
			continue
		}
		u, err := store.Get[store.User](tx, w.ID)
		if errors.Is(err, store.ErrNotFound) || err == nil && (u.Row.Disabled || u.Row.Email == "") {
			continue
		}
		if err != nil {
			return n, err
		}
		who, err := reader(tx, u, w.Row)
		if err != nil {
			return n, err
		}
		sent, err := r.to(who, write, func(l Letter) error { return d.mail(tx, u, l, now) })
		if err != nil {
			return n, err
		}
		n += sent
	}
	for h, err := range store.List[store.Hook](tx, "", "", false) {
		if err != nil {
			return n, err
		}
		if !h.Row.On {
			continue
		}
		sent, err := r.to(hookReader(h), write, func(l Letter) error { return d.post(tx, h.ID, l, now) })
		if err != nil {
			return n, err
		}
		n += sent
	}
	return n, nil
}

// round is one look at who is to be told.
type round struct {
	Desk
	tx    store.Tx
	now   time.Time
	open  []attend.Item   // once it was asked for
	hours map[string]bool // by space: each is asked once
}

// to sends one reader what is due to them.
func (r *round) to(who Reader, write bool, send func(Letter) error) (int, error) {
	var err error
	if r.open == nil {
		if r.open, err = opened(r.tx); err != nil {
			return 0, err
		}
	}
	told, all, err := heard(r.tx, who.User, r.open)
	if err != nil {
		return 0, err
	}
	there := func(m attend.Item) bool {
		key := m.Site + "/" + m.Row.Space
		is, ok := r.hours[key]
		if !ok {
			var failed error
			if is, failed = r.there(r.tx, m, r.now); failed != nil {
				err = failed
				return false
			}
			r.hours[key] = is
		}
		return is
	}
	l := Plan(who, all, told, r.now, there)
	if err != nil || l.Empty() {
		return 0, err
	}
	if !write {
		return 1, nil
	}
	if err := send(l); err != nil {
		return 0, err
	}
	return 1, noteAll(r.tx, who.User, l, r.now)
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

func (d Desk) mail(tx store.Tx, u store.Item[store.User], l Letter, now time.Time) error {
	subject, text := l.Text(placer(tx), d.Console, d.Zone)
	return mail.Queue(tx, store.Meta{ID: "attend-" + u.ID + "-" + now.UTC().Format("20060102T150405.000")}, u.Row.Email, subject, text, now)
}

// noteAll keeps what a reader was told.
func noteAll(tx store.Tx, user string, l Letter, now time.Time) error {
	note := func(m attend.Item, change func(*store.Told)) error {
		id := m.ID + "/" + user
		it, err := store.Get[store.Told](tx, id)
		if errors.Is(err, store.ErrNotFound) {
			it, err = store.Item[store.Told]{Meta: store.Meta{ID: id, Site: m.Site, Scope: m.Scope}}, nil
		}
		if err != nil {
			return err
		}
		it.Row.Matter, it.Row.User, it.Row.Level = m.ID, user, m.Row.Level
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
