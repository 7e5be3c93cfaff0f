package report

import (
	"fmt"
	"maps"
	"slices"

	"borne/controller/store"
)

// Place is a site, as reports group them.
type Place struct {
	ID, Name, Type, Commune, Territoire string

	Groups []PlaceGroup // of sites
}

// PlaceGroup is a group of sites that one is in.
type PlaceGroup struct{ ID, Name string }

// PlacesOf are all sites.
func PlacesOf(tx store.Tx) ([]Place, error) {
	groups := map[string][]PlaceGroup{}
	for g, err := range store.List[store.SiteGroup](tx, "", "", false) {
		if err != nil {
			return nil, fmt.Errorf("cannot read the groups of sites: %w", err)
		}
		for _, site := range g.Row.Sites {
			groups[site] = append(groups[site], PlaceGroup{g.ID, g.Row.Name})
		}
	}
	var all []Place
	for it, err := range store.List[store.Site](tx, "", "", false) {
		if err != nil {
			return nil, fmt.Errorf("cannot read the sites: %w", err)
		}
		all = append(all, Place{ID: it.ID, Name: it.Row.Name, Type: it.Row.Type, Commune: it.Row.Commune, Territoire: it.Row.Territoire, Groups: groups[it.ID]})
	}
	return all, nil
}

// Sets of sites whose badges are counted when a month is over.
const setAll = "all"

func setSite(id string) string         { return "site:" + id }
func setTerritoire(name string) string { return "territoire:" + name }
func setType(name string) string       { return "type:" + name }

// sets are those that a place is in, itself too.
func (p Place) sets() []string {
	all := []string{setAll, setSite(p.ID)}
	if p.Territoire != "" {
		all = append(all, setTerritoire(p.Territoire))
	}
	if p.Type != "" {
		all = append(all, setType(p.Type))
	}
	return all
}

// few is how many people are too few to be told: DESIGN §5.
const few = 5

// Small tells whether a count of people says too much of each.
func Small(n int) bool { return n > 0 && n < few }

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
		if Small(n) {
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
				if !Small(bySite[site]) && !slices.Contains(safe, set) {
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

// sitesOf are the sites at which badges were used, in their order.
func sitesOf(of map[string][]string) []string {
	all := map[string]bool{}
	for _, sites := range of {
		for _, s := range sites {
			all[s] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
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
		setsOf := func(site string) []string {
			if s := sets[site]; s != nil {
				return s
			}
			return []string{setAll, setSite(site)} // the site is gone
		}
		// Which they were is kept: a place may change its territoire later.
		members := map[string][]string{}
		for _, site := range sitesOf(of) {
			for _, set := range setsOf(site) {
				members[set] = append(members[set], site)
			}
		}
		was, err := counted(tx, it)
		if err != nil {
			return gone, err
		}
		sum := tally(of, setsOf)
		if len(was) > 0 { // never twice: nothing counts that comes after the key is gone
			sum = nil
		}
		for set, c := range sum {
			c.Month, c.Of, c.Members = it, set, members[set]
			if err := store.Put(tx, store.Item[store.HolderCount]{Meta: store.Meta{ID: store.HolderCountID(it, set)}, Row: c}); err != nil {
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
