package report

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"borne/controller/store"
)

// guard takes out of a site's month what says too much of few people. What it
// takes out is in no sum that anybody is shown who may not see it: so neither a
// total, nor the difference of two reports, ever depends on it, however many
// reports somebody reads. (Hiding totals instead would protect one table at a
// time.) What is shown is made of whole months of sites only, for the same reason.
//
// A part of a sum that is shown (visits of an hour, of a language, outside
// school hours) is hidden together with another one where it could be told from
// the rest: see hide.
func guard(u store.Rollup) (store.Rollup, Hidden) {
	var out store.Rollup
	var h Hidden
	// Who asked for help, and who was not admitted, need not be among the visits.
	if out.Help = u.Help; Small(u.Help) {
		out.Help, h.Help = 0, 1
	}
	if out.Refusals = u.Refusals; Small(u.Refusals) {
		out.Refusals, h.Refusals = 0, 1
	}
	if Small(u.Visits) {
		h.Visits = 1
		return out, h
	}
	if u.Visits > 0 {
		out.Pages, out.Sheets, out.Colour, out.Prints = u.Pages, u.Sheets, u.Colour, u.Prints
	} else { // jobs whose session is in another month
		h.Pages = btoi(u.Pages > 0)
	}
	out.Visits, out.Stay, out.Lengths = u.Visits, u.Stay, u.Lengths
	// The rest of the visits, and of those whose hour is known, are told with it.
	if out.Outside = u.Outside; Small(u.Outside) || Small(u.Visits-u.Outside) || Small(u.Visits-u.Unsure-u.Outside) {
		out.Outside, h.Outside = 0, 1
	}
	hours := append(slices.Clone(u.Hours[:]), u.Unsure)
	hidden := hide(hours)
	for i := range u.Hours {
		if !hidden[i] && u.Hours[i] > 0 {
			out.Hours[i], out.Use[i] = u.Hours[i], u.Use[i]
		}
		h.Hour[i] = btoi(hidden[i] || u.Hours[i] == 0 && u.Use[i] > 0) // by those who began before
	}
	if h.Unsure = btoi(hidden[len(u.Hours)]); h.Unsure == 0 {
		out.Unsure = u.Unsure
	}
	h.Hours = btoi(slices.Contains(hidden, true))
	langs := slices.Sorted(maps.Keys(u.Langs))
	parts := make([]int, len(langs))
	for i, l := range langs {
		parts[i] = u.Langs[l]
	}
	hidden = hide(parts)
	for i, l := range langs {
		if !hidden[i] {
			count(&out.Langs, l, parts[i])
		}
	}
	h.Langs = btoi(slices.Contains(hidden, true))
	good, said := u.Smiles["good"], u.Smiles["good"]+u.Smiles["soso"]+u.Smiles["bad"]
	if Small(good) || Small(said-good) || Small(u.Visits-said) || said > u.Visits {
		h.Smiles = btoi(said > 0)
	} else {
		// Between a middling and a bad one is nothing that only an insider should know,
		// but either may be few: together they are not.
		count(&out.Smiles, "good", good)
		count(&out.Smiles, "other", said-good)
	}
	return out, h
}

func count(m *map[string]int, key string, n int) {
	if n == 0 {
		return
	}
	if *m == nil {
		*m = map[string]int{}
	}
	(*m)[key] += n
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// hide says which parts of a sum that is shown are hidden: those that are small,
// and, where these could be worked out from the sum and the rest, the smallest of
// the others too. Equal ones are hidden together, so that which was chosen tells
// nothing; and all of them are, where no other is left.
func hide(parts []int) []bool {
	hidden := make([]bool, len(parts))
	n, sum, least := 0, 0, 0
	for i, p := range parts {
		switch {
		case Small(p):
			hidden[i] = true
			n, sum = n+1, sum+p
		case p > 0 && (least == 0 || p < least):
			least = p
		}
	}
	if n == 0 || n > 1 && sum > n && sum < n*(few-1) {
		return hidden // nothing to hide, or several ways to make the sum of what is hidden
	}
	for i, p := range parts {
		if least == 0 || p == least {
			hidden[i] = true
		}
	}
	return hidden
}

// Median is the length of a visit in the middle, in seconds: within its class
// visits are taken to be spread evenly. 0 when there are none.
func Median(l store.ByLength) int {
	n := 0
	for _, x := range l {
		n += x
	}
	if n == 0 {
		return 0
	}
	edges := append(store.LengthEdges(), 240)
	before, low := 0, 0
	for i, x := range l {
		if 2*(before+x) >= n && x > 0 {
			return low*60 + (n-2*before)*(edges[i]-low)*60/(2*x)
		}
		before, low = before+x, edges[i]
	}
	return low * 60
}

// Mean is the mean length of a visit, in seconds.
func (i Indicators) Mean() int {
	if i.Use.Visits == 0 {
		return 0
	}
	return i.Use.Stay / i.Use.Visits
}

// Smiles are how many people said that it went well, how many said something, and
// of how many visits.
func (i Indicators) Smiles() (good, said int) {
	for _, n := range i.Use.Smiles {
		said += n
	}
	return i.Use.Smiles["good"], said
}

// Top are the most frequent keys, the most frequent first.
func Top(m map[string]int, n int) []string {
	all := slices.SortedFunc(maps.Keys(m), func(a, b string) int { return cmp.Or(m[b]-m[a], strings.Compare(a, b)) })
	return all[:min(n, len(all))]
}
