package forensics

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// choose gives the order of ends of a run. Without a number each end that does
// not take a minute comes once; with one, each end gets its share by weight,
// at least one when they fit.
func choose(all []end, n int, seed uint64) []end {
	dice := rand.New(rand.NewPCG(seed, 1))
	var order []end
	if n == 0 {
		for _, e := range all {
			if !e.slow || len(all) < len(ends()) {
				order = append(order, e)
			}
		}
	} else {
		sum := 0
		for _, e := range all {
			sum += e.weight
		}
		order = slices.Clone(all)
		for _, e := range all {
			for range n*e.weight/sum - 1 {
				order = append(order, e)
			}
		}
		for len(order) < n { // what rounding left, to the quick ones
			order = append(order, all[len(order)%max(1, len(all)-4)])
		}
	}
	dice.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	if n > 0 && len(order) > n {
		order = order[:n]
	}
	return order
}

func TestEachEndHasItsShare(t *testing.T) {
	count := func(order []end) map[string]int {
		m := map[string]int{}
		for _, e := range order {
			m[e.name]++
		}
		return m
	}
	for seed := range uint64(20) {
		long := choose(ends(), 200, seed)
		if m := count(long); len(long) != 200 || len(m) != len(ends()) || m["idle"] < 4 || m["disk full"] < 8 {
			t.Errorf("seed %d: 200 cycles are %v", seed, m)
		}
		short := choose(ends(), 0, seed)
		if m := count(short); len(m) != len(short) || m["idle"]+m["time"] != 0 || len(m) != len(ends())-2 {
			t.Errorf("seed %d: a short run is %v", seed, m)
		}
	}
	name := func(order []end) (names []string) {
		for _, e := range order {
			names = append(names, e.name)
		}
		return names
	}
	if !slices.Equal(name(choose(ends(), 50, 7)), name(choose(ends(), 50, 7))) || slices.Equal(name(choose(ends(), 50, 7)), name(choose(ends(), 50, 8))) {
		t.Error("the seed does not give the order")
	}
}
