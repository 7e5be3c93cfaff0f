package report

import (
	"math"

	"borne/controller/store"
)

// packed is what indicators need of a store.Rollup, in a third of its room: a
// controller keeps those of all sites for years.
type packed struct {
	ints   [15]int64
	parts  [24 + 24 + 12]int32 // visits by hour, seconds by hour, visits by length
	counts [3][]counting       // languages, profiles, smiles
}

type counting struct {
	key int32 // see keys
	n   int32
}

// keys numbers the words that things are counted by: few, and the same ones all over.
type keys struct {
	number map[string]int32
	words  []string
}

func (k *keys) of(word string) int32 {
	n, ok := k.number[word]
	if !ok {
		if k.number == nil {
			k.number = map[string]int32{}
		}
		n = int32(len(k.words))
		k.number[word], k.words = n, append(k.words, word)
	}
	return n
}

// used is what a site's terminals did in a month or on a day: all of it, and of a
// month what may be told to those who may not see small counts.
type used struct {
	all, told packed
	hidden    *Hidden // nil: nothing
}

func scalars(r *store.Rollup) [15]*int {
	return [15]*int{&r.Sessions, &r.Seconds, &r.Active, &r.Pages, &r.Sheets, &r.Colour, &r.Prints, &r.Wipes,
		&r.Refusals, &r.Visits, &r.Unsure, &r.Outside, &r.Badged, &r.Stay, &r.Help}
}

const atOutside = 11 // of scalars

func counts(r *store.Rollup) [3]*map[string]int {
	return [3]*map[string]int{&r.Langs, &r.Profiles, &r.Smiles}
}

// narrow does not wrap around what only a false record can hold.
func narrow(n int) int32 { return int32(min(max(n, math.MinInt32), math.MaxInt32)) }

func (k *keys) pack(r store.Rollup) (p packed) {
	for i, x := range scalars(&r) {
		p.ints[i] = int64(*x)
	}
	for i := range r.Hours {
		p.parts[i], p.parts[24+i] = narrow(r.Hours[i]), narrow(r.Use[i])
	}
	for i := range r.Lengths {
		p.parts[48+i] = narrow(r.Lengths[i])
	}
	for i, m := range counts(&r) {
		for word, n := range *m {
			p.counts[i] = append(p.counts[i], counting{k.of(word), narrow(n)})
		}
	}
	return p
}

// adding is a sum of what is packed.
type adding struct {
	ints   [15]int64
	parts  [24 + 24 + 12]int64
	counts [3][]int // by number of the word
}

func (a *adding) add(p *packed) {
	for i := range p.ints {
		a.ints[i] += p.ints[i]
	}
	for i := range p.parts {
		a.parts[i] += int64(p.parts[i])
	}
	for i := range p.counts {
		for _, c := range p.counts[i] {
			for int(c.key) >= len(a.counts[i]) {
				a.counts[i] = append(a.counts[i], 0)
			}
			a.counts[i][c.key] += int(c.n)
		}
	}
}

// unpack is the sum as reports tell it.
func (k *keys) unpack(a *adding) (r store.Rollup) {
	for i, x := range scalars(&r) {
		*x = int(a.ints[i])
	}
	for i := range r.Hours {
		r.Hours[i], r.Use[i] = int(a.parts[i]), int(a.parts[24+i])
	}
	for i := range r.Lengths {
		r.Lengths[i] = int(a.parts[48+i])
	}
	for i, m := range counts(&r) {
		for number, n := range a.counts[i] {
			count(m, k.words[number], n)
		}
	}
	return r
}
