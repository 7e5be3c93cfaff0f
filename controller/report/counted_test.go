package report

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"borne/controller/store"
)

// family are sets of sites; of every site by itself, too.
type family map[string][]int

// rows are what is counted of a world: how many badges were used at exactly the
// sites of each bit mask.
func (f family) rows(sites int, world []int) map[string]store.HolderCount {
	all := map[string]store.HolderCount{}
	n := make([]int, sites)
	for mask, m := range world {
		for s := range sites {
			if mask>>s&1 == 1 {
				n[s] += m
			}
		}
	}
	add := func(name string, of []int) {
		var c store.HolderCount
		inside, safe := 0, 0
		for _, s := range of {
			if inside |= 1 << s; n[s] > 0 {
				c.Members = append(c.Members, fmt.Sprint(s))
			}
			if Small(n[s]) {
				c.Small++
			} else {
				safe |= 1 << s
			}
		}
		for mask, m := range world {
			if mask&inside != 0 {
				c.Count += m
			}
			if mask&safe != 0 {
				c.Safe += m
			}
		}
		if len(c.Members) > 0 {
			all[name] = c
		}
	}
	for s := range sites {
		add(setSite(fmt.Sprint(s)), []int{s})
	}
	for name, of := range f {
		add(name, of)
	}
	return all
}

// view is what somebody sees who may not see small counts.
func view(names []string, rows map[string]store.HolderCount) string {
	told, said := tellable(rows), ""
	for _, name := range names {
		switch c, ok := rows[name]; {
		case !ok:
			said += " 0"
		case !told[name]:
			said += " ?"
		case c.Small > 0:
			said += fmt.Sprint(" ", c.Safe, "+")
		default:
			said += fmt.Sprint(" ", c.Safe)
		}
	}
	return said
}

// worlds are all in which no site has more than most badges, and none fewer than
// least: so whatever is seen of one of them is seen of no other world.
func worlds(sites, least, most int, do func([]int)) {
	world, n := make([]int, 1<<sites), make([]int, sites)
	var next func(mask int)
	next = func(mask int) {
		if mask == len(world) {
			if slices.Min(n) >= least {
				do(world)
			}
			return
		}
		room := most
		for s := range sites {
			if mask>>s&1 == 1 {
				room = min(room, most-n[s])
			}
		}
		for m := range room + 1 {
			world[mask] = m
			for s := range sites {
				if mask>>s&1 == 1 {
					n[s] += m
				}
			}
			next(mask + 1)
			for s := range sites {
				if mask>>s&1 == 1 {
					n[s] -= m
				}
			}
		}
		world[mask] = 0
	}
	next(1)
}

// TestNobodyIsFoundByComparingSets tries every small world: whoever knows the rule
// and all that is told of it finds no number of badges from 1 to 4, of whatever
// people: those used at some of the sites and not at others, and (with few sites)
// any union of such.
func TestNobodyIsFoundByComparingSets(t *testing.T) {
	for _, c := range []struct {
		name               string
		sites, least, most int
		of                 family
		told               int // of the sets of several sites, at least so many, in percent of the worlds
	}{
		{"two sites", 2, 0, 14, family{setAll: {0, 1}}, 10},
		{"three sites", 3, 0, 9, family{setAll: {0, 1, 2}}, 5},
		{"a territoire of two", 3, 0, 9, family{setAll: {0, 1, 2}, setTerritoire("x"): {0, 1}}, 5},
		{"a type across a territoire", 3, 0, 9, family{setAll: {0, 1, 2}, setTerritoire("x"): {0, 1}, setType("x"): {0, 2}}, 3},
		{"a territoire of two, more", 3, 8, 12, family{setAll: {0, 1, 2}, setTerritoire("x"): {0, 1}}, 3},
		{"a territoire of two, one of many", 3, 5, 11, family{setAll: {0, 1, 2}, setTerritoire("x"): {0, 1}}, 3},
		{"two territoires", 4, 5, 5, family{setAll: {0, 1, 2, 3}, setTerritoire("x"): {0, 1}, setTerritoire("y"): {2, 3}}, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			atoms := 1 << c.sites
			var people [][]int // the masks whose badges are counted together
			if c.sites <= 3 {
				for set := 1; set < 1<<(atoms-1); set++ {
					var p []int
					for mask := 1; mask < atoms; mask++ {
						if set>>(mask-1)&1 == 1 {
							p = append(p, mask)
						}
					}
					people = append(people, p)
				}
			} else {
				for at := range atoms {
					for not := range atoms {
						if at&not != 0 {
							continue
						}
						var all, some []int
						for mask := 1; mask < atoms; mask++ {
							if mask&not == 0 && mask&at == at {
								all = append(all, mask)
							}
							if mask&not == 0 && mask&at != 0 {
								some = append(some, mask)
							}
						}
						people = append(people, all, some)
					}
				}
				var several []int
				for mask := range atoms {
					if bits.OnesCount(uint(mask)) > 1 {
						several = append(several, mask)
					}
				}
				people = append(people, several)
			}
			names := slices.Sorted(maps.Keys(c.of))
			for s := range c.sites {
				names = append(names, setSite(fmt.Sprint(s)))
			}
			type seen struct {
				n      []int // of people, while all worlds agree; -1
				sample []int
			}
			all, tried, told := map[string]*seen{}, 0, 0
			worlds(c.sites, c.least, c.most, func(world []int) {
				rows := c.of.rows(c.sites, world)
				key := view(names, rows)
				tried++
				for name, ok := range tellable(rows) {
					if ok && !strings.HasPrefix(name, setSite("")) && rows[name].Safe > 0 {
						told++
					}
				}
				v := all[key]
				first := v == nil
				if first {
					v = &seen{n: make([]int, len(people)), sample: slices.Clone(world)}
					all[key] = v
				}
				for i, p := range people {
					if v.n[i] < 0 {
						continue
					}
					n := 0
					for _, mask := range p {
						n += world[mask]
					}
					if first {
						v.n[i] = n
					} else if v.n[i] != n {
						v.n[i] = -1
					}
				}
			})
			bad := 0
			for key, v := range all {
				for i, n := range v.n {
					if bad < 5 && n > 0 && Small(n) {
						bad++
						t.Errorf("shown as %q (%v), such as %v: %d badges were used at exactly one of the sets %b", key, names, v.sample, n, people[i])
					}
				}
			}
			if t.Logf("%d worlds, %d ways to be shown, %d sets told", tried, len(all), told); told*100 < c.told*tried*len(c.of) {
				t.Errorf("only %d sets were told of %d worlds", told, tried)
			}
		})
	}
}
