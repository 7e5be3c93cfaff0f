package energy

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestATallysSecondsAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tally := Tally{From: evening}
		var want time.Duration
		for range rapid.IntRange(0, 50).Draw(t, "stretches") {
			d := time.Duration(rapid.Int64Range(-int64(time.Second), int64(3*time.Hour)).Draw(t, "d"))
			tally.Add(Kind(rapid.IntRange(0, int(kinds)).Draw(t, "kind")), d)
		}
		for _, d := range tally.Spent {
			want += d
		}
		u := tally.Use(evening.Add(want), 0)
		if got := u.Lit + u.Dark + u.Low + u.Halted + u.Off; got != int(want/time.Second) {
			t.Fatalf("%+v adds up to %d seconds of %v", u, got, want)
		}
		for _, n := range []int{u.Lit, u.Dark, u.Low, u.Halted, u.Off} {
			if n < 0 {
				t.Fatalf("%+v", u)
			}
		}
	})
}

// TestSecondsThatOnlyAddUpTogether: no stretch is a whole second, and their sum is.
func TestSecondsThatOnlyAddUpTogether(t *testing.T) {
	tally := Tally{From: evening}
	for _, d := range []time.Duration{718, 39757, 249018, 284010929} {
		tally.Add(Lit, d)
	}
	tally.Add(Dark, 715699578)
	if u := tally.Use(evening.Add(time.Second), 0); u.Lit != 0 || u.Dark != 1 {
		t.Errorf("%+v, want a second with the screen off, where most of it was", u)
	}
}

func TestAMetersDifferences(t *testing.T) {
	for _, c := range []struct{ from, to, want float64 }{{100, 103.5, 3.5}, {0, 103, 0}, {100, 0, 0}, {100, 2, 0}} {
		if u := (Tally{From: evening, Meter: c.from}).Use(evening, c.to); u.Wh != c.want {
			t.Errorf("from %v to %v: %v Wh, want %v", c.from, c.to, u.Wh, c.want)
		}
	}
}

func TestWhatLiesBetweenTwoRuns(t *testing.T) {
	beat := Beat{Tally: Tally{From: evening}, At: evening.Add(time.Hour), Boot: "a", Sure: true}
	beat.Add(Lit, time.Hour)
	later := beat.At.Add(8 * time.Hour)
	for name, c := range map[string]struct {
		halt, same bool
		start      time.Time
		want       [kinds]time.Duration
		told       bool
	}{
		"by plan":          {true, false, later, [kinds]time.Duration{Lit: time.Hour, Halted: 8 * time.Hour}, true},
		"a power cut":      {false, false, later, [kinds]time.Duration{Lit: time.Hour, Off: 8 * time.Hour}, true},
		"a new program":    {false, true, later, [kinds]time.Duration{Lit: 9 * time.Hour}, true},
		"the same instant": {false, false, beat.At, [kinds]time.Duration{Lit: time.Hour}, true},
		"before":           {true, false, evening, [kinds]time.Duration{Lit: time.Hour}, false},
		"years":            {true, false, evening.AddDate(3, 0, 0), [kinds]time.Duration{Lit: time.Hour}, false},
	} {
		b := beat
		b.Halt = c.halt
		raw, err := b.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if b, err = DecodeBeat(raw); err != nil {
			t.Fatal(err)
		}
		got, told := b.Resume(c.start, c.same)
		if got.Spent != c.want || told != c.told {
			t.Errorf("%s: %v, %v", name, got.Spent, told)
		}
	}
	if _, ok := (Beat{}).Resume(evening, false); ok {
		t.Error("an empty beat tells something")
	}
}

// TestRunsThatNeverKnewTheTime: how long they were is told, and no time counts twice.
func TestRunsThatNeverKnewTheTime(t *testing.T) {
	beat := Beat{Tally: Tally{From: evening}, At: evening.Add(time.Hour), Boot: "a", Halt: true, Sure: true}
	beat.Add(Lit, time.Hour)
	run := Tally{Spent: [kinds]time.Duration{Lit: 2 * time.Hour, Low: time.Hour}}
	later := beat.At.Add(8 * time.Hour)
	// Off for some of eight hours, on for three of them: nobody knows which night was by plan.
	if got, ok := beat.Then(run).Resume(later, false); !ok || got.Spent != [kinds]time.Duration{Lit: 3 * time.Hour, Low: time.Hour, Off: 5 * time.Hour} {
		t.Errorf("%v, %v", got.Spent, ok)
	}
	if got, ok := beat.Then(run).Then(run).Resume(later, true); !ok || got.Spent != [kinds]time.Duration{Lit: 7 * time.Hour, Low: 2 * time.Hour} {
		t.Errorf("the program alone began anew: %v, %v", got.Spent, ok)
	}
	if got, ok := beat.Then(run).Then(run).Then(run).Resume(later, false); ok {
		t.Errorf("nine hours within eight: %v", got.Spent)
	}
	if got, ok := beat.Then(run).Adrift(later); ok {
		t.Errorf("adrift after a time that is known: %v", got.Spent)
	}
	beat.Sure = false
	if got, ok := beat.Resume(later, false); ok {
		t.Errorf("by a clock that nobody trusts: %v", got.Spent)
	}
	if got, ok := beat.Then(run).Adrift(later); !ok || got.Spent != [kinds]time.Duration{Lit: 3 * time.Hour, Low: time.Hour} || !got.From.Equal(later.Add(-4*time.Hour)) {
		t.Errorf("adrift: %+v, %v", got, ok)
	}
	if got, ok := (Beat{}).Adrift(later); ok {
		t.Errorf("nothing at all: %v", got.Spent)
	}
}

func FuzzDecodeBeat(f *testing.F) {
	b := Beat{Tally: Tally{From: evening, Meter: 3}, At: evening, Boot: "a", Halt: true, Sure: true}
	b.Add(Low, time.Hour)
	b.Since[Dark] = time.Minute
	raw, err := b.Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Add([]byte(`{"from":"2026-01-01T00:00:00Z","spent":[-1,0,0,0,9223372036854775807]}`))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		b, err := DecodeBeat(in)
		if err != nil {
			return
		}
		if all := b.Total(); all < 0 || all > maxGap {
			t.Fatalf("%v in all", all)
		}
		if b = b.Then(Tally{Spent: [kinds]time.Duration{Lit: maxGap}}); b.Total()+total(b.Since) > maxGap {
			t.Fatalf("%v and %v in all", b.Spent, b.Since)
		}
		if tally, ok := b.Adrift(evening); ok && tally.Total() > maxGap {
			t.Fatalf("%v adrift", tally.Total())
		}
		if tally, ok := b.Resume(evening, false); ok {
			if u := tally.Use(evening, 5); u.Lit < 0 || u.Halted < 0 || u.Off < 0 || u.Wh < 0 {
				t.Fatalf("%+v", u)
			}
		}
		out, err := b.Encode()
		if err != nil {
			return // a year of five digits
		}
		again, err := DecodeBeat(out)
		if err != nil || !again.At.Equal(b.At) || again.Sure != b.Sure || again.Spent != b.Spent || again.Since != b.Since {
			t.Fatalf("does not come back: %v", err)
		}
	})
}
