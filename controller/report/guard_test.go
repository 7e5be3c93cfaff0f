package report

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"borne/controller/store"
)

// shown is what somebody sees of a sum's parts: their sum, and those that are not
// hidden.
func shown(parts []int) string {
	sum, said := 0, ""
	for i, h := range hide(parts) {
		if sum += parts[i]; h {
			said += " ?"
		} else {
			said += fmt.Sprint(" ", parts[i])
		}
	}
	return fmt.Sprint(sum, said)
}

// TestNoHiddenPartCanBeComputed tries every sum of up to four parts: whoever knows
// the rule, the sum and what is shown finds at least two values for each hidden part.
func TestNoHiddenPartCanBeComputed(t *testing.T) {
	const most = 11
	for n := 2; n <= 4; n++ {
		values := map[string][]map[int]bool{}
		parts := make([]int, n)
		var all func(i int, seen func())
		all = func(i int, seen func()) {
			if i == n {
				seen()
				return
			}
			for parts[i] = 0; parts[i] <= most; parts[i]++ {
				all(i+1, seen)
			}
		}
		each := func(do func(key string, sum int)) {
			all(0, func() {
				sum := 0
				for _, p := range parts {
					sum += p
				}
				if sum >= few { // fewer visits are in no report at all
					do(shown(parts), sum)
				}
			})
		}
		each(func(key string, _ int) {
			if values[key] == nil {
				values[key] = make([]map[int]bool, n)
				for i := range values[key] {
					values[key][i] = map[int]bool{}
				}
			}
			for i, p := range parts {
				values[key][i][p] = true
			}
		})
		tried := 0
		each(func(key string, sum int) {
			// Sums near the end of what is tried lack their alternatives.
			if sum > most {
				return
			}
			for i, h := range hide(parts) {
				if Small(parts[i]) && !h {
					t.Fatalf("%v: %d is shown", parts, parts[i])
				}
				if h && len(values[key][i]) < 2 {
					t.Fatalf("%v: shown as %q, part %d can only be %d", parts, key, i, parts[i])
				}
			}
			tried++
		})
		t.Logf("%d parts: %d sums", n, tried)
	}
}

func random(r *rand.Rand) store.Rollup {
	n := r.IntN(9)
	if r.IntN(3) == 0 {
		n = r.IntN(60)
	}
	u := store.Rollup{Visits: n, Stay: n * 600, Langs: map[string]int{}, Smiles: map[string]int{}, Refusals: r.IntN(8), Help: r.IntN(8), Pages: n}
	for range n {
		u.Hours[9+r.IntN(4)]++
		u.Use[9+r.IntN(4)] += 600
		u.Langs[[]string{"fr", "fr", "fr", "en"}[r.IntN(4)]]++
		if r.IntN(3) == 0 {
			u.Outside++
		} else if r.IntN(8) == 0 { // without a clock
			u.Unsure++
			u.Hours[9]--
			u.Hours[9] = max(u.Hours[9], 0)
		}
		if r.IntN(2) == 0 {
			u.Smiles[[]string{"good", "good", "soso", "bad"}[r.IntN(4)]]++
		}
	}
	return u
}

// TestNothingShownDependsOnWhatIsHidden changes the hidden counts of months of few
// visits, of help and of refusals: no figure of any sum of months changes.
func TestNothingShownDependsOnWhatIsHidden(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	hiddenOnes := 0
	for range 20000 {
		u := random(r)
		other := u
		if Small(u.Visits) {
			other = random(r)
			other.Visits, other.Help, other.Refusals = 1+r.IntN(few-1), u.Help, u.Refusals
			hiddenOnes++
		}
		if Small(u.Help) {
			other.Help = 1 + r.IntN(few-1)
		}
		if Small(u.Refusals) {
			other.Refusals = 1 + r.IntN(few-1)
		}
		a, ha := guard(u)
		b, hb := guard(other)
		if !reflect.DeepEqual(a, b) || ha != hb {
			t.Fatalf("%+v\nis shown as %+v %+v\nand %+v\nas %+v %+v", u, a, ha, other, b, hb)
		}
		for name, n := range map[string]int{"visits": a.Visits, "outside": a.Outside, "inside": a.Visits - a.Outside - ifHidden(ha.Outside, a.Visits),
			"inside, sure": a.Visits - a.Unsure - a.Outside - ifHidden(ha.Outside+ha.Unsure, a.Visits-a.Unsure-a.Outside), "unsure": a.Unsure, "help": a.Help, "refusals": a.Refusals, "good": a.Smiles["good"], "other": a.Smiles["other"]} {
			if Small(n) {
				t.Fatalf("%s of %d is shown of %+v", name, n, u)
			}
		}
		if Small(u.Visits) && (ha.Visits != 1 || a.Help != u.Help && !Small(u.Help) || a.Refusals != u.Refusals && !Small(u.Refusals)) {
			t.Fatalf("of few visits with %d calls for help and %d refusals is shown %+v %+v", u.Help, u.Refusals, a, ha)
		}
		// 0 is said of what is 0 only.
		for name, x := range map[string][3]int{"visits": {u.Visits, a.Visits, ha.Visits}, "outside": {u.Outside, a.Outside, ha.Outside + ha.Visits}, "unsure": {u.Unsure, a.Unsure, ha.Unsure + ha.Visits},
			"pages": {u.Pages, a.Pages, ha.Pages + ha.Visits}, "help": {u.Help, a.Help, ha.Help}, "refusals": {u.Refusals, a.Refusals, ha.Refusals}, "hour": {u.Hours[10], a.Hours[10], ha.Hour[10] + ha.Visits}} {
			if x[1] == 0 && x[0] > 0 && x[2] == 0 {
				t.Fatalf("%d %s are told as 0: %+v", x[0], name, u)
			}
		}
		for i, n := range a.Hours {
			if Small(n) || n == 0 && a.Use[i] > 0 {
				t.Fatalf("hour %d: %d visits, %d seconds", i, n, a.Use[i])
			}
		}
	}
	if hiddenOnes < 1000 {
		t.Errorf("only %d were hidden", hiddenOnes)
	}
}

func ifHidden(hidden, n int) int {
	if hidden > 0 {
		return n
	}
	return 0
}

func TestMedian(t *testing.T) {
	var none, one, many store.ByLength
	one[store.LengthClass(7*60)] = 1
	many[store.LengthClass(60)], many[store.LengthClass(18*60)], many[store.LengthClass(3*3600)] = 10, 21, 10
	if a, b, c := Median(none), Median(one), Median(many); a != 0 || b != 450 || c < 15*60 || c > 20*60 {
		t.Errorf("medians %d, %d, %d", a, b, c)
	}
}

// TestTally: badges are counted once a set, and sets leave out sites of few.
func TestTally(t *testing.T) {
	of := map[string][]string{}
	for i := range 20 {
		of[fmt.Sprint("h", i)] = []string{"large"}
	}
	of["h1"] = []string{"large", "few"}
	of["x"], of["y"] = []string{"few"}, []string{"few"}
	got := tally(of, func(site string) []string { return []string{"all", site} })
	want := map[string]store.HolderCount{"all": {Count: 22, Safe: 20, Small: 1}, "large": {Count: 20, Safe: 20}, "few": {Count: 3, Small: 1}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}
