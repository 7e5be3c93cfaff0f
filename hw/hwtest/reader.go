// Package hwtest checks that devices keep the contracts of package hw. The same
// suite runs on the simulator and on real devices.
package hwtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"borne/hw"
)

// Rig is an open reader on which cards can be presented.
type Rig struct {
	Reader  hw.Reader
	Key     hw.BadgeKey                                               // the one the reader was opened with
	Present func(uids ...[]byte)                                      // replaces the cards in the field; none: empties it
	Within  func(time.Duration) (context.Context, context.CancelFunc) // a context that ends when the device's time has passed
	Visit   time.Duration                                             // a card taken away for so long has left
	Logs    func() []byte                                             // all that was logged since opening, from debug level on

	// Single: it sees one card at a time, and sets are of one card.
	Single bool

	// Proves is what the card with a UID proves; nil: its UID. Under noise, less is right too.
	Proves func(uid []byte) hw.Assurance

	// What a device cannot do stays nil, and its tests are skipped.
	Noise  func(rate float64) // bit error rate on the air; 0 ends it
	Unplug func()             // the device vanishes for good
}

// ReaderSuite is how much the suite does.
type ReaderSuite struct {
	Sets    int                     // random card sets
	Selects int                     // presentations under bit errors
	Seed    uint64                  // of the random sets
	Open    func(t *testing.T) *Rig // a fresh rig; closed by t.Cleanup

	// Parallel: rigs have nothing in common, and wait more than they work.
	Parallel bool
}

// Run runs the whole suite.
func (s ReaderSuite) Run(t *testing.T) {
	for _, part := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"card sets", s.cardSets},
		{"bit errors", s.bitErrors},
		{"one tap per visit", s.oneTapPerVisit},
		{"context ends Next", s.contextEnds},
		{"close ends the reader", s.closeEnds},
		{"unplugged", s.unplugged},
		{"no UID leaks", s.noLeak},
	} {
		t.Run(part.name, func(t *testing.T) {
			if s.Parallel {
				t.Parallel()
			}
			part.run(t)
		})
	}
}

// cardSets presents one to three cards with near-identical UIDs of all sizes.
func (s ReaderSuite) cardSets(t *testing.T) {
	g := s.Open(t)
	rnd := rand.New(rand.NewPCG(s.Seed, 1))
	sizes := map[int]int{}
	for n := range s.Sets {
		set := CardSet(rnd)
		if g.Single {
			set = set[:1]
		}
		g.Present(set...)
		tap, err := g.next(time.Second)
		if err != nil {
			t.Fatalf("set %d (%s): %v", n, shapes(set), err)
		}
		if err := g.check(tap, set); err != nil {
			t.Fatalf("set %d (%s): %v", n, shapes(set), err)
		}
		for _, u := range set {
			sizes[len(u)]++
		}
		g.mustLeave(t)
	}
	t.Logf("%d sets right; cards by UID size: %v", s.Sets, sizes)
	if s.Sets > 100 && (sizes[4] == 0 || sizes[7] == 0 || sizes[10] == 0) {
		t.Fatalf("the sets did not cover all sizes: %v", sizes)
	}
}

// bitErrors presents one card at a time under noise. What is read may be
// nothing, but never somebody else.
func (s ReaderSuite) bitErrors(t *testing.T) {
	g := s.Open(t)
	if g.Noise == nil {
		t.Skip("SKIP: this device has no control over the air")
	}
	rnd := rand.New(rand.NewPCG(s.Seed, 2))
	right := 0
	for n := range s.Selects {
		g.Noise([]float64{0.0005, 0.002, 0.005, 0.01, 0.03}[n%5])
		u := uid(rnd, []int{4, 7, 10}[n%3])
		g.Present(u)
		tap, err := g.next(150 * time.Millisecond)
		switch {
		case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		case err != nil:
			t.Fatalf("presentation %d: %v", n, err)
		default:
			if err := g.compare(tap, [][]byte{u}, false); err != nil {
				t.Fatalf("presentation %d: %v", n, err)
			}
			right++
		}
		g.Noise(0)
		g.mustLeave(t)
	}
	t.Logf("%d of %d presentations read, 0 wrong", right, s.Selects)
	if right == 0 {
		t.Fatal("nothing was read at all")
	}
}

func (s ReaderSuite) oneTapPerVisit(t *testing.T) {
	g := s.Open(t)
	u := []byte{4, 1, 2, 3, 4, 5, 6}
	for visit := range 3 {
		g.Present(u)
		tap, err := g.next(time.Second)
		if err == nil {
			err = g.check(tap, [][]byte{u})
		}
		if err != nil {
			t.Fatalf("visit %d: %v", visit, err)
		}
		if tap.At <= 0 {
			t.Fatalf("visit %d: tap at %v", visit, tap.At)
		}
		if _, err := g.next(3 * time.Second); !ended(err) {
			t.Fatalf("visit %d: a card that stays fired again (error %v)", visit, err)
		}
		g.mustLeave(t)
	}
}

func (s ReaderSuite) contextEnds(t *testing.T) {
	g := s.Open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Reader.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want context.Canceled", err)
	}
	// And the reader still works.
	u := []byte{1, 2, 3, 4}
	g.Present(u)
	tap, err := g.next(time.Second)
	if err == nil {
		err = g.check(tap, [][]byte{u})
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s ReaderSuite) closeEnds(t *testing.T) {
	g := s.Open(t)
	if err := g.Reader.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := g.next(time.Second); !errors.Is(err, hw.ErrClosed) {
		t.Fatalf("error %v, want hw.ErrClosed", err)
	}
	if err := g.Reader.Close(); err != nil {
		t.Fatalf("closing twice: %v", err)
	}
}

func (s ReaderSuite) unplugged(t *testing.T) {
	g := s.Open(t)
	if g.Unplug == nil {
		t.Skip("SKIP: this device cannot be unplugged by a test")
	}
	g.Unplug()
	if _, err := g.next(5 * time.Second); err == nil || ended(err) || !bytes.HasPrefix([]byte(err.Error()), []byte("cannot ")) {
		t.Fatalf("error %v, want one that says what cannot be done", err)
	}
}

// noLeak reads cards, in peace, under noise and until the device vanishes, and
// searches all that was logged, returned and kept for their UIDs.
func (s ReaderSuite) noLeak(t *testing.T) {
	g := s.Open(t)
	rnd := rand.New(rand.NewPCG(s.Seed, 3))
	var uids [][]byte
	var said bytes.Buffer
	look := func(set ...[]byte) {
		uids = append(uids, set...)
		g.Present(set...)
		tap, err := g.next(time.Second)
		fmt.Fprintf(&said, "%v %+v %#v %v %+v\n", tap, tap, tap, err, g.Reader)
		for _, b := range tap.Badges {
			fmt.Fprintln(&said, b.LogValue())
		}
	}
	for range min(20, s.Sets) {
		look(uid(rnd, 4))
		if g.Single {
			look(uid(rnd, 7))
			look(uid(rnd, 10))
		} else {
			look(uid(rnd, 7), uid(rnd, 10))
		}
	}
	if g.Noise != nil {
		g.Noise(0.005)
		for range 20 {
			look(uid(rnd, 7))
		}
	}
	if g.Unplug != nil {
		g.Unplug()
		look(uid(rnd, 4))
	}
	logs := g.Logs()
	if len(logs) == 0 {
		t.Fatal("nothing was logged at debug level: this test would see no leak")
	}
	for _, u := range uids {
		for name, form := range forms(u) {
			if bytes.Contains(logs, form) {
				t.Errorf("a UID of %d bytes is in the log, %s", len(u), name)
			}
			if bytes.Contains(said.Bytes(), form) {
				t.Errorf("a UID of %d bytes is in a tap, an error or the reader itself, %s", len(u), name)
			}
		}
	}
}

func (g *Rig) next(d time.Duration) (hw.Tap, error) {
	ctx, cancel := g.Within(d)
	defer cancel()
	return g.Reader.Next(ctx)
}

func (g *Rig) mustLeave(t *testing.T) {
	t.Helper()
	g.Present()
	if tap, err := g.next(g.Visit); !ended(err) {
		t.Fatalf("an empty field gave %d badges, error %v", len(tap.Badges), err)
	}
}

func ended(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// check compares a tap with the cards presented, in whatever order.
func (g *Rig) check(tap hw.Tap, set [][]byte) error { return g.compare(tap, set, true) }

// compare does so; exact asks for all that each card can prove, else less will do.
func (g *Rig) compare(tap hw.Tap, set [][]byte, exact bool) error {
	if len(tap.Badges) != len(set) {
		return fmt.Errorf("%d badges for %d cards", len(tap.Badges), len(set))
	}
	for _, u := range set {
		i := slices.IndexFunc(tap.Badges, func(b hw.Badge) bool { return b.Key == g.Key(u) })
		if i < 0 {
			return fmt.Errorf("the card with %d bytes was read wrong", len(u))
		}
		b, proves := tap.Badges[i], hw.AssuranceUID
		if g.Proves != nil {
			proves = g.Proves(u)
		}
		switch {
		case b.Bytes != len(u) || b.Random || b.Suspect:
			return fmt.Errorf("the card with %d bytes is %+v", len(u), b)
		case b.Assurance > proves || b.Assurance < hw.AssuranceUID || exact && b.Assurance != proves:
			return fmt.Errorf("the card with %d bytes has assurance %d, want %d", len(u), b.Assurance, proves)
		case b.Counter != 0 && b.Assurance < hw.AssuranceDynamic:
			return fmt.Errorf("the card with %d bytes counts %d", len(u), b.Counter)
		}
	}
	return nil
}

func shapes(set [][]byte) string {
	var n []int
	for _, u := range set {
		n = append(n, len(u))
	}
	return fmt.Sprint("UIDs of ", n, " bytes")
}
