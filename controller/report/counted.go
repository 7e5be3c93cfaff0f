package report

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"borne/controller/store"
)

// counted are the sets of a month that is over, by their names.
func counted(tx store.Tx, month string) (map[string]store.HolderCount, error) {
	all := map[string]store.HolderCount{}
	for it, err := range store.List[store.HolderCount](tx, store.HolderCountID(month, ""), month+"0", false) { // "0" follows "/"
		if err != nil {
			return nil, fmt.Errorf("cannot read how many badges were used: %w", err)
		}
		all[it.Row.Of] = it.Row
	}
	return all, nil
}

// holders counts, for a month, the badges of each key that places are grouped
// by, and of all places asked for under "".
func (q Query) holders(tx store.Tx, month string, keyOf func(Place) []string) (map[string]Holders, error) {
	sets, err := counted(tx, month)
	if err != nil {
		return nil, err
	}
	mine, keys := map[string][]Place{"": nil}, map[string][]string{}
	for _, p := range q.Places {
		keys[p.ID] = append([]string{""}, keyOf(p)...)
		for _, key := range keys[p.ID] {
			mine[key] = append(mine[key], p)
		}
	}
	found := map[string]Holders{}
	if len(sets) > 0 {
		told := tellable(sets)
		for key, places := range mine {
			h := Holders{Month: month, Ended: true}
			switch set, known := setOf(sets, places); {
			case set == "":
				h.Known = known
			case q.Guard:
				h.Known, h.Count, h.Hidden = told[set], sets[set].Safe, sets[set].Small > 0
			default:
				h.Known, h.Count = true, sets[set].Count
			}
			found[key] = h
		}
		return found, nil
	}
	of, err := present(tx, month)
	if err != nil {
		return nil, err
	}
	for key := range mine {
		// Nobody, until somebody is found. What a guarded report tells hangs on the sets
		// that are counted together, so until they are, it tells nothing of them.
		found[key] = Holders{Month: month, Known: !q.Guard || len(of) == 0}
	}
	if q.Guard {
		return found, nil
	}
	for key, c := range tally(of, func(site string) []string { return keys[site] }) {
		found[key] = Holders{Month: month, Known: true, Count: c.Count}
	}
	return found, nil
}

// sitesIn are the sites at which badges were used, in their order.
func sitesIn(sets map[string]store.HolderCount) []string {
	var all []string
	for set := range sets {
		if id, ok := strings.CutPrefix(set, setSite("")); ok {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}

// setOf finds the set that was counted for exactly these places; "" and true when
// no badge was used at any of them.
func setOf(sets map[string]store.HolderCount, places []Place) (set string, known bool) {
	all := sitesIn(sets)
	used := slices.DeleteFunc(slices.Clone(all), func(id string) bool {
		return !slices.ContainsFunc(places, func(p Place) bool { return p.ID == id })
	})
	switch len(used) {
	case 0:
		return "", true
	case 1:
		return setSite(used[0]), true
	case len(all):
		return setAll, true
	}
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		if slices.Equal(sets[name].Members, used) {
			return name, true
		}
	}
	return "", false
}

// tellable says of which sets a guarded report tells how many badges were used.
//
// Of each site: it tells 5 or more, or nothing. But who knows this of sites a and b,
// and how many badges both had together, also knows how many were used at both
// (a + b - together), at a only and at b only: these too are 0, or 5 or more, or the
// set is not told. The same of a territoire within the whole. Nothing is told of
// sets that cross these, such as types of places, and of no territoire when the
// whole is not told: together they tell more than each by itself.
func tellable(sets map[string]store.HolderCount) map[string]bool {
	told, parts := map[string]bool{}, map[string]int{} // of the whole: its territoires that are told, and the other sites
	for _, id := range sitesIn(sets) {
		told[setSite(id)] = true
		if n := sets[setSite(id)].Safe; n > 0 {
			parts[setSite(id)] = n
		}
	}
	whole := sets[setAll].Safe
	if !tells(whole, parts) {
		return told
	}
	told[setAll] = true
	for _, name := range slices.Sorted(maps.Keys(sets)) {
		if !strings.HasPrefix(name, setTerritoire("")) {
			continue
		}
		inside, with := map[string]int{}, maps.Clone(parts)
		for _, id := range sets[name].Members {
			if n, ok := parts[setSite(id)]; ok {
				inside[setSite(id)] = n
				delete(with, setSite(id))
			}
		}
		if n := sets[name].Safe; n > 0 {
			with[name] = n
		}
		if tells(sets[name].Safe, inside) && tells(whole, with) {
			told[name], parts = true, with
		}
	}
	return told
}

// tells says whether nobody is found by comparing how many badges a set had with
// how many its parts had.
func tells(n int, parts map[string]int) bool {
	twice := -n
	for _, part := range parts {
		if twice += part; Small(n - part) {
			return false
		}
	}
	return !Small(twice)
}
