package attend

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"borne/controller/store"
)

// Again is how long after its end a matter that comes back goes on: what comes and
// goes is told once.
const Again = 30 * time.Minute

// Item is a matter as it is kept.
type Item = store.Item[store.Matter]

// Subject is what a look was about.
type Subject struct {
	Site, Space, Terminal string // all empty: the whole Département
}

// Key names a matter of the subject while it lasts.
func (s Subject) Key(f Found) string {
	return strings.Join([]string{store.MatterSubject(s.Terminal), f.Code, f.About}, "/")
}

// only tells whether a code rests on what the terminal says while it is there: away,
// it cannot say that it is over.
func only(code string) bool {
	return slices.Contains([]string{WipeFailed, Out, OutStaff, Isolation, DiskFull, DiskLow, Clock, Armed, Unarmed}, code)
}

// Waits remembers, in memory alone, since when something is found that is not told
// yet. A controller that was restarted waits anew.
type Waits map[string]time.Time

// Step follows a subject's matters: known are those that go on, and the last one of
// each key that was found; the answer is those that changed, to be written. away
// says that the terminal cannot be asked.
func Step(s Subject, known []Item, found []Found, waits Waits, away bool, now time.Time) (changed []Item) {
	now = now.UTC().Truncate(time.Second)
	prefix := store.MatterSubject(s.Terminal) + "/"
	seen := map[string]bool{}
	for _, f := range found {
		key := s.Key(f)
		if seen[key] {
			continue
		}
		i := slices.IndexFunc(known, func(k Item) bool { return k.Row.Key == key && k.Row.Open() })
		if i < 0 && !due(f, key, waits, now) {
			seen[key] = true
			continue
		}
		seen[key] = true
		since := f.Since.UTC()
		if f.Since.IsZero() {
			if since = now; !waits[key].IsZero() {
				since = waits[key]
			}
		}
		delete(waits, key)
		if i < 0 {
			i = slices.IndexFunc(known, func(k Item) bool { return k.Row.Key == key && now.Sub(k.Row.Ended) < Again })
		}
		if i < 0 {
			changed = append(changed, fresh(s, f, key, since, now))
			continue
		}
		if next, ok := update(s, known[i], f, now); ok {
			changed = append(changed, next)
		}
	}
	for _, k := range known {
		if !k.Row.Open() || seen[k.Row.Key] || away && only(k.Row.Code) {
			continue
		}
		k.Row.Ended, k.Row.Changed = now, now
		changed = append(changed, k)
	}
	for key := range waits {
		if strings.HasPrefix(key, prefix) && !seen[key] {
			delete(waits, key)
		}
	}
	return changed
}

// due tells whether something is so for long enough.
func due(f Found, key string, waits Waits, now time.Time) bool {
	since := f.Since
	if since.IsZero() {
		if _, ok := waits[key]; !ok {
			waits[key] = now
		}
		since = waits[key]
	}
	return !now.Before(since.Add(f.Wait))
}

func fresh(s Subject, f Found, key string, since, now time.Time) Item {
	sum := sha256.Sum256([]byte(key))
	it := Item{Meta: store.Meta{ID: store.TimeID(now, hex.EncodeToString(sum[:8])), Site: s.Site, Scope: s.Terminal},
		Row: store.Matter{Key: key, Code: f.Code, Terminal: s.Terminal, Space: s.Space, About: f.About, Why: f.Why, Level: string(f.Level), Since: since,
			Noticed: now, Changed: now}}
	it.Row.Count, it.Row.Counted = counted(f.Count)
	return it
}

func counted(n *int) (int, bool) {
	if n == nil {
		return 0, false
	}
	return *n, true
}

// update takes what is found now. Whoever took the matter on is let go when it is
// another one: more or less urgent, or for another reason. How many days are left
// changes each day, and nothing for whoever sees to it.
func update(s Subject, it Item, f Found, now time.Time) (Item, bool) {
	was, site := it.Row, it.Site
	it.Site, it.Row.Space = s.Site, s.Space // a terminal may move
	it.Row.Count, it.Row.Counted = counted(f.Count)
	if it.Row.Level, it.Row.Why, it.Row.Ended = string(f.Level), f.Why, (time.Time{}); was.Level != it.Row.Level || was.Why != it.Row.Why {
		it.Row.Taken, it.Row.By, it.Row.Note, it.Row.Changed = time.Time{}, "", "", now
	}
	if !was.Open() {
		it.Row.Changed = now
	}
	return it, it.Row != was || it.Site != site
}
