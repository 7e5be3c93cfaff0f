package lists

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// shelf is a controller's lists over a line that breaks.
type shelf struct {
	mu    sync.Mutex
	lists map[string][]byte
	cut   int // bytes after which the line breaks; 0: never
	asked []string
}

func (s *shelf) add(t *testing.T, category string, names ...string) policy.Category {
	t.Helper()
	var keys []uint64
	for _, n := range names {
		keys = append(keys, wire.NameKey(n))
	}
	b, err := wire.BuildList(category, keys)
	must(t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lists[wire.ListDigest(b)] = b
	return policy.Category{Name: category, Digest: wire.ListDigest(b)}
}

func (s *shelf) fetch(_ context.Context, digest string, from int64, w io.Writer) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, fmt.Sprintf("%.6s from %d", digest, from))
	b, ok := s.lists[digest]
	if !ok {
		return 0, errors.New("cannot fetch a list: it is not there")
	}
	b = b[min(from, int64(len(b))):]
	if s.cut > 0 && len(b) > s.cut {
		n, _ := w.Write(b[:s.cut])
		return int64(n), io.ErrUnexpectedEOF
	}
	n, err := w.Write(b)
	return int64(n), err
}

// keeper runs one, whose waits a test ends by sending to next.
func keeper(t *testing.T, dir string, s *shelf) (k *Keeper, next chan struct{}) {
	t.Helper()
	next = make(chan struct{})
	k, err := Open(Config{Dir: dir, Sleep: func(ctx context.Context, _ time.Duration) error {
		select {
		case <-next:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}})
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx, s.fetch) }()
	t.Cleanup(func() { cancel(); must(t, <-done) })
	return k, next
}

func await(t *testing.T, k *Keeper, f policy.Filter, missing ...string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		_, got := k.Using(f)
		if slices.Equal(got, missing) {
			return
		}
		select {
		case <-k.Changed():
		case <-time.After(time.Until(end)):
			t.Fatalf("missing %v, want %v", got, missing)
		}
	}
}

func TestListsAreFetchedAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lists")
	s := &shelf{lists: map[string][]byte{}}
	adult, drugs := s.add(t, "adult", "a.example"), s.add(t, "drogue", "d.example")
	k, _ := keeper(t, dir, s)
	f := policy.Filter{Categories: []policy.Category{adult, drugs}}
	if use, missing := k.Using(f); len(use) != 0 || !slices.Equal(missing, []string{"adult", "drogue"}) {
		t.Errorf("before anything came: %v, missing %v", use, missing)
	}
	k.Want(f)
	await(t, k, f)
	use, _ := k.Using(f)
	if len(use) != 2 || use[0].Digest != adult.Digest || use[1].Category != "drogue" {
		t.Errorf("%+v", use)
	}
	// A newer list: the one before stands in until it is here.
	newer := s.add(t, "adult", "a.example", "b.example")
	g := policy.Filter{Categories: []policy.Category{newer}}
	if use, missing := k.Using(g); len(missing) != 0 || use[0].Digest != adult.Digest {
		t.Errorf("while the newer one is on its way: %+v, missing %v", use, missing)
	}
	k.Want(g)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		left, err := os.ReadDir(dir)
		must(t, err)
		if len(left) == 1 && left[0].Name() == newer.Digest {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("left: %v", left)
		}
	}
	// A start finds what is there, and throws away what is not whole.
	must(t, os.WriteFile(filepath.Join(dir, adult.Digest), []byte("changed on the disk"), 0o600))
	again, err := Open(Config{Dir: dir})
	must(t, err)
	if use, missing := again.Using(g); len(missing) != 0 || use[0].Digest != newer.Digest {
		t.Errorf("after a start: %+v, missing %v", use, missing)
	}
	if use, _ := again.Using(policy.Filter{Categories: []policy.Category{adult}}); use[0].Digest != newer.Digest {
		t.Errorf("a changed file is believed: %+v", use)
	}
}

func TestABrokenLineIsGoneOnWith(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lists")
	s := &shelf{lists: map[string][]byte{}, cut: 100}
	var names []string
	for i := range 60 {
		names = append(names, fmt.Sprint(i, ".example"))
	}
	adult := s.add(t, "adult", names...)
	f := policy.Filter{Categories: []policy.Category{adult}}
	k, next := keeper(t, dir, s)
	k.Want(f)
	for range 2 {
		next <- struct{}{}
	}
	await(t, k, f)
	s.mu.Lock()
	defer s.mu.Unlock()
	d := adult.Digest[:6]
	if want := []string{d + " from 0", d + " from 100", d + " from 200"}; !slices.Equal(s.asked, want) {
		t.Errorf("asked %q, want %q", s.asked, want)
	}
}

func TestForeignBytesAreNoList(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lists")
	s := &shelf{lists: map[string][]byte{}}
	good := s.add(t, "adult", "a.example")
	other := s.add(t, "drogue", "d.example")
	s.lists[good.Digest] = []byte("something else")
	f := policy.Filter{Categories: []policy.Category{good}}
	mixed := policy.Filter{Categories: []policy.Category{{Name: "adult", Digest: other.Digest}}} // the list of another category
	for _, want := range []policy.Filter{f, mixed} {
		k, next := keeper(t, dir, s)
		k.Want(want)
		next <- struct{}{} // it waits: the attempt failed
		if use, missing := k.Using(want); len(use) != 0 || len(missing) != 1 {
			t.Errorf("%+v is used", use)
		}
	}
	left, err := os.ReadDir(dir)
	must(t, err)
	for _, e := range left {
		if wire.ValidDigest(e.Name()) {
			t.Errorf("%s is kept", e.Name())
		}
	}
}
