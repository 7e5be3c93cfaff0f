package report

import (
	"fmt"
	"slices"

	"borne/controller/store"
)

// Place is a site, as reports group them.
type Place struct {
	ID, Name, Type, Commune, Territoire string
	Groups                              []string
}

// PlacesOf are all sites.
func PlacesOf(tx store.Tx) ([]Place, error) {
	var all []Place
	for it, err := range store.List[store.Site](tx, "", "", false) {
		if err != nil {
			return nil, fmt.Errorf("cannot read the sites: %w", err)
		}
		all = append(all, Place{ID: it.ID, Name: it.Row.Name, Type: it.Row.Type, Commune: it.Row.Commune, Territoire: it.Row.Territoire})
	}
	return all, nil
}

// Sets of sites whose badges are counted when a month is over.
const setAll = "all"

func setSite(id string) string         { return "site:" + id }
func setTerritoire(name string) string { return "territoire:" + name }
func setGroup(id string) string        { return "group:" + id }

// sets are those that a place is in, itself too.
func (p Place) sets() []string {
	all := []string{setAll, setSite(p.ID)}
	if p.Territoire != "" {
		all = append(all, setTerritoire(p.Territoire))
	}
	for _, g := range p.Groups {
		all = append(all, setGroup(g))
	}
	return all
}

// few is how many people are too few to be told: DESIGN §5.
const few = 5

// small tells whether a count of people says too much of each.
func small(n int) bool { return n > 0 && n < few }

// Holders is how many badges were used in one month.
type Holders struct {
	Month  string
	Known  bool // it can be told
	Count  int
	Hidden bool // few, and not for this reader
	Ended  bool // the month's key is destroyed
}

// tally counts distinct badges by set: all of them, and those of sites where
// they are not few. Sites' own counts are under their sets.
func tally(of map[string][]string, sets func(site string) []string) map[string]store.HolderCount {
	bySite := map[string]int{}
	for _, sites := range of {
		for _, s := range sites {
			bySite[s]++
		}
	}
	all := map[string]store.HolderCount{}
	for site, n := range bySite {
		if small(n) {
			for _, set := range sets(site) {
				c := all[set]
				c.Small++
				all[set] = c
			}
		}
	}
	for _, sites := range of {
		seen, safe := []string{}, []string{}
		for _, site := range sites {
			for _, set := range sets(site) {
				if !slices.Contains(seen, set) {
					seen = append(seen, set)
				}
				if !small(bySite[site]) && !slices.Contains(safe, set) {
					safe = append(safe, set)
				}
			}
		}
		for _, set := range seen {
			c := all[set]
			c.Count++
			all[set] = c
		}
		for _, set := range safe {
			c := all[set]
			c.Safe++
			all[set] = c
		}
	}
	return all
}

// present reads which badges were used in a month, and where.
func present(tx store.Tx, month string) (map[string][]string, error) {
	of := map[string][]string{}
	for it, err := range store.List[store.Presence](tx, store.PresenceID(month, "", ""), month+"0", false) { // "0" follows "/"
		if err != nil {
			return nil, fmt.Errorf("cannot read which badges were used: %w", err)
		}
		of[it.Row.Holder] = append(of[it.Row.Holder], it.Site)
	}
	return of, nil
}

// CountHolders counts the badges of the months that are over, each by itself, and
// deletes which they were: it belongs into the transaction that destroys the
// month's key. It returns how many rows went.
func CountHolders(tx store.Tx, over func(month string) bool) (int, error) {
	places, err := PlacesOf(tx)
	if err != nil {
		return 0, err
	}
	sets := map[string][]string{}
	for _, p := range places {
		sets[p.ID] = p.sets()
	}
	gone := 0
	for {
		it, err := nextOver(tx, over)
		if err != nil || it == "" {
			return gone, err
		}
		of, err := present(tx, it)
		if err != nil {
			return gone, err
		}
		for set, c := range tally(of, func(site string) []string {
			if s := sets[site]; s != nil {
				return s
			}
			return []string{setAll, setSite(site)} // the site is gone
		}) {
			c.Month, c.Of = it, set
			id := store.HolderCountID(it, set)
			was, err := store.Get[store.HolderCount](tx, id)
			if err == nil { // never twice: nothing may come after the key is gone
				c = was.Row
			}
			if err := store.Put(tx, store.Item[store.HolderCount]{Meta: store.Meta{ID: id, Rev: was.Rev}, Row: c}); err != nil {
				return gone, err
			}
		}
		for holder, sites := range of {
			for _, site := range sites {
				if err := tx.Delete(store.KindPresence, store.PresenceID(it, holder, site)); err != nil {
					return gone, err
				}
				gone++
			}
		}
	}
}

// nextOver is the first month with presences that is over.
func nextOver(tx store.Tx, over func(string) bool) (string, error) {
	from := ""
	for {
		month := ""
		for it, err := range store.List[store.Presence](tx, from, "", false) {
			if err != nil {
				return "", err
			}
			month = it.Row.Month
			break
		}
		if month == "" || over(month) {
			return month, nil
		}
		from = month + "0"
	}
}

// holders counts, for a month, the badges of each key that places are grouped
// by, and of all places asked for under "".
func (q Query) holders(tx store.Tx, month string, keyOf func(Place) []string) (map[string]Holders, error) {
	found, ended := map[string]Holders{}, map[string]store.HolderCount{}
	for it, err := range store.List[store.HolderCount](tx, store.HolderCountID(month, ""), month+"0", false) {
		if err != nil {
			return nil, err
		}
		ended[it.Row.Of] = it.Row
	}
	mine := map[string][]Place{}
	for _, p := range q.Places {
		for _, key := range append([]string{""}, keyOf(p)...) {
			mine[key] = append(mine[key], p)
		}
	}
	if len(ended) > 0 {
		for key, places := range mine {
			if found[key] = (Holders{Month: month, Ended: true}); len(places) == 0 {
				continue
			}
			if set, ok := q.setOf(places); ok {
				found[key] = q.told(month, ended[set], true)
			}
		}
		return found, nil
	}
	of, err := present(tx, month)
	if err != nil {
		return nil, err
	}
	keys := map[string][]string{}
	for key, places := range mine {
		found[key] = Holders{Month: month, Known: true} // nobody, until somebody is found
		for _, p := range places {
			keys[p.ID] = append(keys[p.ID], key)
		}
	}
	for key, c := range tally(of, func(site string) []string { return keys[site] }) {
		found[key] = q.told(month, c, false)
	}
	return found, nil
}

// setOf finds the set that was counted for exactly these places.
func (q Query) setOf(places []Place) (string, bool) {
	if len(places) == 1 {
		return setSite(places[0].ID), true
	}
	for _, set := range places[0].sets() {
		n := 0
		for _, p := range q.All {
			if slices.Contains(p.sets(), set) {
				n++
			}
		}
		if n == len(places) && !slices.ContainsFunc(places, func(p Place) bool { return !slices.Contains(p.sets(), set) }) {
			return set, true
		}
	}
	return "", false
}

// told is what a reader may know of a count.
func (q Query) told(month string, c store.HolderCount, ended bool) Holders {
	h := Holders{Month: month, Known: true, Count: c.Count, Ended: ended}
	if q.Guard {
		h.Count, h.Hidden = c.Safe, c.Small > 0
	}
	return h
}
