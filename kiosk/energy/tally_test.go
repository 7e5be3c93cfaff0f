package energy

import (
	"reflect"
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

func TestAMetersDifferences(t *testing.T) {
	for _, c := range []struct{ from, to, want float64 }{{100, 103.5, 3.5}, {0, 103, 0}, {100, 0, 0}, {100, 2, 0}} {
		if u := (Tally{From: evening, Meter: c.from}).Use(evening, c.to); u.Wh != c.want {
			t.Errorf("from %v to %v: %v Wh, want %v", c.from, c.to, u.Wh, c.want)
		}
	}
}

func TestWhatLiesBetweenTwoRuns(t *testing.T) {
	beat := Beat{Tally: Tally{From: evening}, At: evening.Add(time.Hour), Boot: "a"}
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

func FuzzDecodeBeat(f *testing.F) {
	b := Beat{Tally: Tally{From: evening, Meter: 3}, At: evening, Boot: "a", Halt: true}
	b.Add(Low, time.Hour)
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
		if err != nil || !again.At.Equal(b.At) || !reflect.DeepEqual(again.Spent, b.Spent) {
			t.Fatalf("does not come back: %v", err)
		}
	})
}
