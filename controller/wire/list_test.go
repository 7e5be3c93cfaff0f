package wire

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func listOf(t testing.TB, n int, name func(int) string) List {
	t.Helper()
	keys := make([]uint64, n)
	for i := range n {
		keys[i] = NameKey(name(i))
	}
	b, err := BuildList("adult", keys)
	if err != nil {
		t.Fatal(err)
	}
	l, err := OpenList(b)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d names: %d bytes", n, len(b))
	return l
}

func TestListHoldsItsNames(t *testing.T) {
	for _, n := range []int{0, 1, 2, 15, 16, 31, 32, 33, 1000, 65536} {
		name := func(i int) string { return fmt.Sprintf("n%d.example%d.org", i, i%7) }
		l := listOf(t, n, name)
		if l.Names != n || l.Category != "adult" {
			t.Errorf("%d names of %q", l.Names, l.Category)
		}
		for i := range n {
			if !l.Has(name(i)) || !l.Has("www.deep."+name(i)) {
				t.Fatalf("%d names: name %d is not found", n, i)
			}
		}
		for i := range 2000 {
			if l.Has(fmt.Sprintf("other%d.example.net", i)) {
				t.Fatalf("%d names: a name that is not there is found", n)
			}
		}
		if l.Has("example1.org") || l.Has("org") || l.Has("") {
			t.Error("a name above those of the list is found")
		}
	}
}

func TestListIsTheSameForTheSameNames(t *testing.T) {
	a, err := BuildList("malware", []uint64{3, 1, 2, 2, 1 << 60})
	if err != nil {
		t.Fatal(err)
	}
	b, err := BuildList("malware", []uint64{1 << 60, 2, 1, 3})
	if err != nil || ListDigest(a) != ListDigest(b) || !ValidDigest(ListDigest(a)) {
		t.Errorf("%s and %s, %v", ListDigest(a), ListDigest(b), err)
	}
	for _, name := range []string{"", "../x", "Adult", "a b", string(make([]byte, 33))} {
		if _, err := BuildList(name, nil); err == nil {
			t.Errorf("category %q is accepted", name)
		}
	}
}

// TestMillionNames measures what the format promises: size, and how often a
// stranger is taken for a member.
func TestMillionNames(t *testing.T) {
	const n = 1_000_000
	l := listOf(t, n, func(i int) string { return fmt.Sprintf("site-%d.example", i) })
	if per := float64(ListHead+len(l.index)+len(l.tails)) / n; per > 4.3 {
		t.Errorf("%.2f bytes a name", per)
	}
	found := 0
	const strangers = 500_000
	for i := range strangers {
		if l.holds(NameKey(fmt.Sprintf("stranger-%d.example", i))) {
			found++
		}
	}
	if found > 0 { // expected: 500,000 × 15 / 2³² = 0.002
		t.Errorf("%d of %d strangers are found", found, strangers)
	}
}

func BenchmarkListHas(b *testing.B) {
	l := listOf(b, 1_000_000, func(i int) string { return fmt.Sprintf("site-%d.example", i) })
	for b.Loop() {
		l.Has("www.some.stranger.example")
	}
}

func FuzzList(f *testing.F) {
	for _, n := range []int{0, 1, 40} {
		var keys []uint64
		for i := range n {
			keys = append(keys, NameKey(fmt.Sprint(i, ".example")))
		}
		b, err := BuildList("adult", keys)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := slices.Clone(b)
		l, err := OpenList(b)
		if err != nil {
			if !errors.Is(err, ErrList) {
				t.Fatal(err)
			}
			return
		}
		for i := range 50 {
			l.Has(fmt.Sprint(i, ".example"))
		}
		if !slices.Equal(b, before) {
			t.Fatal("reading changed it")
		}
	})
}
