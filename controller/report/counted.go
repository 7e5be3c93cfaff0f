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

// setsOfMonth are those of a month that is over, and what a guarded report tells.
type setsOfMonth struct {
	sets map[string]store.HolderCount
	told map[string]bool
	used map[string]bool   // sites at which badges were used
	like map[string]string // the first set, by name, that has exactly these members
}

func (k *Kept) countedIn(tx store.Tx, month string) (*setsOfMonth, error) {
	return asked(k, &k.counts, tx, store.KindHolderCount, month, func() (*setsOfMonth, error) {
		sets, err := counted(tx, month)
		if err != nil {
			return nil, err
		}
		s := &setsOfMonth{sets: sets, used: map[string]bool{}, like: map[string]string{}}
		if len(sets) == 0 {
			return s, nil
		}
		s.told = tellable(sets)
		for _, id := range sitesIn(sets) {
			s.used[id] = true
		}
		for _, name := range slices.Sorted(maps.Keys(sets)) {
			members := strings.Join(sets[name].Members, "\x00")
			if _, ok := s.like[members]; !ok {
				s.like[members] = name
			}
		}
		return s, nil
	})
}

// grouping are places by the key of their line, all of them under "".
type grouping struct {
	keys   map[string][]string // by place
	places map[string][]string // by key
}

func (q Query) grouped() grouping {
	g := grouping{keys: map[string][]string{}, places: map[string][]string{"": nil}}
	for _, p := range q.Places {
		g.keys[p.ID] = []string{""}
		if !q.By.period() {
			g.keys[p.ID] = append(g.keys[p.ID], q.keys(p, "")...)
		}
		for _, key := range g.keys[p.ID] {
			g.places[key] = append(g.places[key], p.ID)
		}
	}
	return g
}

// holders counts, for a month, the badges of each key that places are grouped
// by, and of all places asked for under "".
func (k *Kept) holders(tx store.Tx, q Query, month string, g grouping) (map[string]Holders, error) {
	s, err := k.countedIn(tx, month)
	if err != nil {
		return nil, err
	}
	found := map[string]Holders{}
	if len(s.sets) > 0 {
		for key, places := range g.places {
			h := Holders{Month: month, Ended: true}
			switch set, known := s.setOf(places); {
			case set == "":
				h.Known = known
			case q.Guard:
				h.Known, h.Count, h.Hidden = s.told[set], s.sets[set].Safe, s.sets[set].Small > 0
			default:
				h.Known, h.Count = true, s.sets[set].Count
			}
			found[key] = h
		}
		return found, nil
	}
	of, err := k.presentIn(tx, month)
	if err != nil {
		return nil, err
	}
	for key := range g.places {
		// Nobody, until somebody is found. What a guarded report tells hangs on the sets
		// that are counted together, so until they are, it tells nothing of them.
		found[key] = Holders{Month: month, Known: !q.Guard || of.none()}
	}
	if q.Guard {
		return found, nil
	}
	for key, n := range of.count(g.keys) {
		found[key] = Holders{Month: month, Known: true, Count: n}
	}
	return found, nil
}

// presences are the badges of a month that is not counted yet: most are used at one
// site only.
type presences struct {
	one  map[string]int // how many, by site
	more [][]string     // the sites of each of the others
}

func (p *presences) none() bool { return len(p.one)+len(p.more) == 0 }

// count counts distinct badges by key of their sites.
func (p *presences) count(keys map[string][]string) map[string]int {
	all := map[string]int{}
	for site, n := range p.one {
		for _, key := range keys[site] {
			all[key] += n
		}
	}
	for _, sites := range p.more {
		seen := []string{}
		for _, site := range sites {
			for _, key := range keys[site] {
				if !slices.Contains(seen, key) {
					seen = append(seen, key)
					all[key]++
				}
			}
		}
	}
	return all
}

func (k *Kept) presentIn(tx store.Tx, month string) (*presences, error) {
	return asked(k, &k.present, tx, store.KindPresence, month, func() (*presences, error) {
		p, sites, last := &presences{one: map[string]int{}}, []string(nil), ""
		file := func() {
			if len(sites) == 1 {
				p.one[sites[0]]++
			} else if len(sites) > 1 {
				p.more = append(p.more, sites)
			}
		}
		// A badge's rows lie together, and their ids say all.
		for m := range tx.List(store.KindPresence, store.PresenceID(month, "", ""), month+"0", false) {
			holder := strings.TrimSuffix(strings.TrimPrefix(m.ID, month+"/"), "/"+m.Site)
			if holder != last {
				file()
				sites, last = nil, holder
			}
			sites = append(sites, m.Site)
		}
		file()
		return p, nil
	})
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
func (s *setsOfMonth) setOf(places []string) (set string, known bool) {
	var used []string
	for _, id := range places {
		if s.used[id] {
			used = append(used, id)
		}
	}
	switch len(used) {
	case 0:
		return "", true
	case 1:
		return setSite(used[0]), true
	case len(s.used):
		return setAll, true
	}
	slices.Sort(used)
	set = s.like[strings.Join(used, "\x00")]
	return set, set != ""
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
