package rollout

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"borne/controller/store"
)

var t0 = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

const (
	dwell  = 10 * time.Minute
	within = 15 * time.Minute
)

// world is a rollout among n terminals that a test moves.
type world struct {
	t     *testing.T
	r     store.Rollout
	now   time.Time
	fleet map[string]*Seen
}

func start(t *testing.T, n int) *world {
	w := &world{t: t, now: t0, fleet: map[string]*Seen{}}
	r := store.Rollout{Dwell: int(dwell / time.Second), Within: int(within / time.Second)}
	for i := range n {
		id := fmt.Sprintf("t%03d", i)
		r.Order = append(r.Order, id)
		w.fleet[id] = &Seen{Online: true, Applied: 1}
	}
	w.r = Give(r, 2, w.now, w.seen)
	return w
}

func (w *world) seen(id string) Seen { return *w.fleet[id] }

// take has every terminal that was reached apply the rules.
func (w *world) take() {
	for _, m := range w.r.Members {
		w.fleet[m.Terminal].Applied = w.r.Version
	}
}

// step looks once, after a while, as a controller that has just started again.
func (w *world) step(after time.Duration) Outcome {
	w.t.Helper()
	w.now = w.now.Add(after)
	raw, err := json.Marshal(w.r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.r = store.Rollout{}
	if err := json.Unmarshal(raw, &w.r); err != nil {
		w.t.Fatal(err)
	}
	var what Outcome
	w.r, what = Step(w.r, w.now, w.seen)
	return what
}

func (w *world) want(after time.Duration, want Outcome) {
	w.t.Helper()
	if got := w.step(after); got != want {
		w.t.Fatalf("after %s: %q, want %q (%s %s)", w.now.Sub(t0), got, want, w.r.Culprit, w.r.Why)
	}
}

func TestOneThenATenthThenAll(t *testing.T) {
	for n, want := range map[int][]int{1: {1}, 2: {1, 2}, 3: {1, 2, 3}, 10: {1, 2, 10}, 25: {1, 3, 25}, 200: {1, 20, 200}} {
		w := start(t, n)
		var got []int
		for version := uint64(3); ; version++ {
			got = append(got, len(w.r.Members))
			w.take()
			w.want(time.Second, Wait) // applied
			w.want(dwell-time.Second, Wait)
			if len(w.r.Members) == n {
				w.want(time.Second, Finish)
				break
			}
			w.want(time.Second, Advance)
			w.r = Give(w.r, version, w.now, w.seen)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("of %d: %v, want %v", n, got, want)
		}
	}
}

func TestWhatMakesItStop(t *testing.T) {
	for why, do := range map[string]func(w *world, first *Seen){
		WhyNetwork: func(w *world, f *Seen) { w.take(); f.Back = w.r.Version; w.want(time.Second, Stop) },
		WhyRefused: func(w *world, f *Seen) { f.Refused = "no such list"; w.want(time.Second, Stop) },
		WhyOut:     func(w *world, f *Seen) { w.take(); w.want(time.Minute, Wait); f.Out = true; w.want(time.Second, Stop) },
		WhyLate:    func(w *world, f *Seen) { w.want(0, Wait); w.want(within-1, Wait); w.want(1, Stop) },
		WhyPrinter: func(w *world, f *Seen) {
			f.Silent = true
			w.want(time.Second, Wait) // not of these rules
			f.Silent = false
			w.take()
			w.want(time.Minute, Wait)
			f.Silent = true
			w.want(time.Second, Stop)
		},
		WhyAway: func(w *world, f *Seen) {
			w.take()
			w.want(time.Second, Wait)
			f.Online = false
			w.want(time.Second, Wait)
			w.want(within-1, Wait)
			w.want(1, Stop)
		},
	} {
		w := start(t, 20)
		first := w.r.Members[0].Terminal
		do(w, w.fleet[first])
		if w.r.Why != why || w.r.Culprit != first {
			t.Errorf("%s: %s by %s", why, w.r.Why, w.r.Culprit)
		}
		// Held or not: who was told to wait goes back all the same.
		w = start(t, 20)
		w.r.State = store.RolloutHeld
		do(w, w.fleet[w.r.Members[0].Terminal])
	}
}

func TestWhatDoesNotMakeItStop(t *testing.T) {
	long := 9 * within
	for name, do := range map[string]func(w *world, first *Seen){
		"asleep": func(w *world, f *Seen) {
			w.want(0, Wait)
			f.Online, f.Asleep = false, true
			w.want(long, Wait)
			w.want(long, Wait)
		},
		"back in time": func(w *world, f *Seen) {
			w.take()
			w.want(0, Wait)
			f.Online = false
			w.want(0, Wait)
			f.Online = true
			w.want(within, Advance)
		},
		"refused something": func(w *world, f *Seen) { w.r.Members[0].Refused, f.Refused = "old", "old"; w.want(time.Second, Wait) },
		"held":              func(w *world, f *Seen) { w.r.State = store.RolloutHeld; w.take(); w.want(0, Wait); w.want(long, Wait) },
		"busy": func(w *world, f *Seen) {
			f.Busy = true
			w.want(long, Wait)
			w.want(long, Wait)
			f.Busy = false
			w.want(within-1, Wait)
		},
		"printer silent before": func(w *world, f *Seen) {
			w.r.Members[0].Silent, f.Silent = true, true
			w.take()
			w.want(time.Second, Wait)
			w.want(dwell, Advance)
		},
		"never there":    func(w *world, f *Seen) { f.Online = false; w.want(long, Wait); w.want(long, Wait) },
		"was out before": func(w *world, f *Seen) { w.r.Members[0].Out, f.Out = true, true; w.want(time.Second, Wait) },
		"out when it was back": func(w *world, f *Seen) {
			f.Online = false
			w.want(long, Wait)
			f.Online, f.Out = true, true
			w.want(0, Wait)
		},
		"out after its time": func(w *world, f *Seen) {
			w.take()
			w.want(0, Wait)
			w.want(dwell, Advance)
			f.Out = true
			w.want(0, Advance)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := start(t, 20)
			do(w, w.fleet[w.r.Members[0].Terminal])
		})
	}
}

func TestTheLastStepForgetsWhoIsNeverThere(t *testing.T) {
	w := start(t, 2)
	w.take()
	w.want(0, Wait)
	w.want(dwell, Advance)
	w.fleet[w.r.Order[1]].Online = false
	w.r = Give(w.r, 3, w.now, w.seen)
	w.want(dwell, Wait)
	w.want(forgotten-dwell-1, Wait)
	w.want(1, Finish)
}

// TestOthersTakeThePlaceOfWhoIsGone: a step whose terminals were all revoked proves
// itself at others, instead of waiting for somebody to press a button: who waits for
// nobody waits for ever. Held rollouts stay held.
func TestOthersTakeThePlaceOfWhoIsGone(t *testing.T) {
	w := start(t, 20)
	w.take()
	w.want(time.Second, Wait)
	w.fleet["t000"].Gone, w.fleet["t001"].Gone = true, true
	w.r.State = store.RolloutHeld
	w.want(time.Second, Wait)
	w.r.State = store.RolloutRunning
	w.want(time.Second, Replace)
	w.r = Instead(w.r, 3, w.now, w.seen)
	if n := len(w.r.Members); n != 3 || w.r.Members[2].Terminal != "t002" || w.r.Step != 0 || w.r.Fresh != 0 || w.r.Version != 3 || !w.r.Since.Equal(w.now) {
		t.Fatalf("it goes on with %+v", w.r)
	}
	w.want(dwell, Wait) // it has not taken them
	w.take()
	w.want(time.Second, Wait)
	w.want(dwell-1, Wait)
	w.want(1, Advance)
	w.r = Give(w.r, 4, w.now, w.seen)
	if n := len(w.r.Members); n != 4 || w.r.Step != 1 {
		t.Fatalf("a tenth of 20, and the two that are gone: %d have it, at step %d", n, w.r.Step)
	}
	// One of a step's that is there is enough.
	w.take()
	w.want(time.Second, Wait)
	w.fleet["t003"].Gone = true
	w.want(time.Second, Replace)
	w.r = Instead(w.r, 5, w.now, w.seen)
	w.take()
	w.want(time.Second, Wait)
	w.want(dwell, Advance)
}

// TestARolloutWithoutAnybodyEnds by itself: nobody is left to prove its last step.
func TestARolloutWithoutAnybodyEnds(t *testing.T) {
	w := start(t, 3)
	for _, f := range w.fleet {
		f.Gone = true
	}
	w.want(time.Second, Replace)
	w.r = Instead(w.r, 3, w.now, w.seen)
	if len(w.r.Members) != 3 {
		t.Fatalf("%+v", w.r)
	}
	w.want(time.Second, Unproven)
	w = start(t, 3)
	w.take()
	w.want(time.Second, Wait)
	w.want(dwell, Advance)
	w.r = Give(w.r, 3, w.now, w.seen)
	w.take()
	w.want(time.Second, Wait)
	w.want(dwell, Advance)
	w.r = Give(w.r, 4, w.now, w.seen)
	w.want(time.Second, Wait)
	w.fleet["t002"].Gone = true // alone in its step
	w.want(time.Second, Unproven)
}
