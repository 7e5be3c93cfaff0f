package resolver

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"

	"github.com/miekg/dns"
)

func listFile(t testing.TB, category string, names ...string) string {
	t.Helper()
	var keys []uint64
	for _, n := range names {
		keys = append(keys, wire.NameKey(n))
	}
	b, err := wire.BuildList(category, keys)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), category)
	if err := os.WriteFile(path, b, 0o400); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestListsRefuse(t *testing.T) {
	var asked atomic.Int32
	up := upstream(t, zoneOf(t, &asked, "www.good.example. 60 IN A 198.51.100.7", "sex.example. 60 IN A 198.51.100.7", "m.sex.example. 60 IN A 198.51.100.7",
		"cloak.example. 60 IN CNAME tracker.sex.example.", "tracker.sex.example. 60 IN A 198.51.100.7",
		"health.sex.example. 60 IN A 198.51.100.7", "own.example. 60 IN A 198.51.100.7", "drugs.example. 60 IN A 198.51.100.7"))
	var mu sync.Mutex
	var hits []int
	at := startFor(t, sandbox.Resolving{Upstream: up, Lists: []string{listFile(t, "adult", "sex.example"), listFile(t, "drogue", "drugs.example")},
		Allow: []string{"health.sex.example"}, Block: []string{"own.example"}}, func(list int) {
		mu.Lock()
		defer mu.Unlock()
		hits = append(hits, list)
	})
	before := asked.Load()
	for range 3 { // a page asks again and again: it counts once
		for _, name := range []string{"sex.example.", "M.SEX.example.", "drugs.example.", "www.own.example."} {
			if in := query(t, "udp", at, name, dns.TypeA); in.Rcode != dns.RcodeNameError || len(in.Answer) > 0 {
				t.Errorf("%s: %v", name, in)
			}
			query(t, "udp", at, name, dns.TypeAAAA)
		}
	}
	if n := asked.Load() - before; n > 0 {
		t.Errorf("%d refused names left this machine", n)
	}
	// An alias is no way round a list.
	if in := query(t, "udp", at, "cloak.example.", dns.TypeA); in.Rcode != dns.RcodeNameError {
		t.Errorf("an alias: %v", in)
	}
	for _, name := range []string{"www.good.example.", "health.sex.example."} {
		if in := query(t, "udp", at, name, dns.TypeA); len(in.Answer) != 1 {
			t.Errorf("%s: %v", name, in)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	slices.Sort(hits)
	if want := []int{0, 0, 0, 1, sandbox.OwnHit}; !slices.Equal(hits, want) {
		t.Errorf("hits %v, want %v", hits, want)
	}
}

func TestHitsAreRememberedWithinBounds(t *testing.T) {
	f, err := newFilter(sandbox.Resolving{}, nil)
	must(t, err)
	now := time.Now()
	if !f.first(1, now) || f.first(1, now.Add(sameFor-time.Second)) || !f.first(1, now.Add(sameFor)) {
		t.Error("a name counts once a minute")
	}
	for i := range uint64(10 * sameNames) {
		f.first(i, now)
	}
	if len(f.seen) > sameNames {
		t.Errorf("%d names are remembered", len(f.seen))
	}
}

func TestBadListsStopTheStart(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad")
	must(t, os.WriteFile(bad, []byte("no list"), 0o600))
	empty := filepath.Join(t.TempDir(), "empty")
	must(t, os.WriteFile(empty, nil, 0o600))
	for _, path := range []string{bad, empty, bad + "none"} {
		if _, err := New(sandbox.Resolving{Lists: []string{path}}, nil); err == nil {
			t.Errorf("%s is taken for a list", path)
		}
	}
}

// BenchmarkMillionNames: a question is decided in microseconds, and the list stays
// out of the heap.
func BenchmarkMillionNames(b *testing.B) {
	names := make([]string, 1_000_000)
	for i := range names {
		names[i] = fmt.Sprintf("site-%d.example", i)
	}
	f, err := newFilter(sandbox.Resolving{Lists: []string{listFile(b, "adult", names...)}}, nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		f.refuses("www.some.good.example.", "www.some.good.example.")
	}
}
