package compliance

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/store"
	"borne/controller/wire"
)

func paris(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.ParseInLocation("2006-01-02 15:04:05", s, policy.Location())
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// day reads a terminal's day; its zero value when there is none.
func (w *world) energyDay(day string) (d store.EnergyDay) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		it, err := store.Get[store.EnergyDay](tx, store.RollupID(day, "t1"))
		if d = it.Row; errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	w.energyMonths()
	return d
}

// energyMonths holds the months against their days, whatever has come.
func (w *world) energyMonths() {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		want, got := map[string]store.EnergyMonth{}, map[string]store.EnergyMonth{}
		for it, err := range store.List[store.EnergyDay](tx, "", "", false) {
			if err != nil {
				return err
			}
			month := it.Row.Day[:len("2006-01")]
			m := want[store.RollupID(month, it.Row.Terminal)]
			m.Month, m.Terminal = month, it.Row.Terminal
			m.Add(it.Row, 1)
			want[store.RollupID(month, it.Row.Terminal)] = m
		}
		for it, err := range store.List[store.EnergyMonth](tx, "", "", false) {
			if err != nil {
				return err
			}
			got[it.ID] = it.Row
		}
		if !reflect.DeepEqual(got, want) {
			w.t.Errorf("the months hold %+v, their days %+v", got, want)
		}
		return nil
	})
}

// use sends a record of energy, at its end.
func (w *world) use(u wire.EnergyUse, unsure bool) {
	w.t.Helper()
	b, err := json.Marshal(u)
	if err != nil {
		w.t.Fatal(err)
	}
	w.seq++
	at := u.To
	if unsure {
		at = time.Unix(60, 0)
	}
	rec := wire.Record{Epoch: 1, Seq: w.seq, Kind: wire.KindEnergy, At: at, Unsure: unsure, Body: b}
	w.decide(func(tx store.Tx) error { return w.rules.Apply(tx, "t1", rec) })
}

func (w *world) kept() (n int) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		n = 0
		for _, err := range store.Find[store.RecordRow](tx, "terminal", "t1") {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n
}

func TestEnergyIsSplitAtMidnight(t *testing.T) {
	w := newWorld(t, nil)
	// 40 minutes before midnight, 20 after: two thirds and one third.
	w.use(wire.EnergyUse{From: paris(t, "2026-03-01 23:20:00"), To: paris(t, "2026-03-02 00:20:00"), Lit: 100, Low: 3500, Wh: 30}, false)
	a, b := w.energyDay("2026-03-01"), w.energyDay("2026-03-02")
	if a.Lit != 67 || a.Low != 2333 || b.Lit != 33 || b.Low != 1167 || a.Metered != 2400 || b.Metered != 1200 || math.Abs(a.Wh-20) > 1e-9 || math.Abs(b.Wh-10) > 1e-9 || a.Odd+b.Odd != 0 {
		t.Errorf("before midnight %+v, after %+v", a, b)
	}
	w.use(wire.EnergyUse{From: paris(t, "2026-03-02 00:20:00"), To: paris(t, "2026-03-02 01:20:00"), Halted: 3600}, false)
	if b = w.energyDay("2026-03-02"); b.Halted != 3600 || b.Low != 1167 || b.Metered != 1200 || b.Terminal != "t1" || b.Day != "2026-03-02" {
		t.Errorf("an hour later %+v", b)
	}
	if w.kept() != 0 {
		t.Error("what was counted is kept besides")
	}
}

// A summer without power is 61 days off; the days on which the clocks change have
// 23 and 25 hours.
func TestEnergyOfLongTimes(t *testing.T) {
	for _, c := range []struct {
		from, to string
		days     map[string]int
	}{
		{"2025-07-01 00:00:00", "2025-08-31 00:00:00", map[string]int{"2025-07-01": 86400, "2025-08-30": 86400, "2025-08-31": 0}},
		{"2025-10-25 12:00:00", "2025-10-27 12:00:00", map[string]int{"2025-10-25": 43200, "2025-10-26": 90000, "2025-10-27": 43200}},
		{"2025-03-29 12:00:00", "2025-03-31 12:00:00", map[string]int{"2025-03-29": 43200, "2025-03-30": 82800, "2025-03-31": 43200}},
	} {
		w := newWorld(t, nil)
		from, to := paris(t, c.from), paris(t, c.to)
		w.use(wire.EnergyUse{From: from, To: to, Off: int(to.Sub(from) / time.Second)}, false)
		for day, want := range c.days {
			if d := w.energyDay(day); d.Off != want || d.Odd != 0 {
				t.Errorf("%s to %s: on %s it was off for %d s, want %d (%+v)", c.from, c.to, day, d.Off, want, d)
			}
		}
	}
}

func TestEnergyToldTwiceCountsOnce(t *testing.T) {
	w := newWorld(t, nil)
	u := wire.EnergyUse{From: paris(t, "2026-03-01 23:20:00"), To: paris(t, "2026-03-02 00:20:00"), Lit: 3600, Wh: 30}
	w.use(u, false)
	a, b := w.energyDay("2026-03-01"), w.energyDay("2026-03-02")
	w.use(u, false) // under another number, as after a new epoch
	u.Wh = 31
	w.use(u, false)
	if x, y := w.energyDay("2026-03-01"), w.energyDay("2026-03-02"); x.Lit != a.Lit || y.Lit != b.Lit || x.Wh != a.Wh || y.Wh != b.Wh {
		t.Errorf("told three times: %+v, %+v; once: %+v, %+v", x, y, a, b)
	}
	// Two within one second, as of a terminal that is started twice, are two.
	for i := range 2 {
		at := paris(t, "2026-03-02 04:00:00").Add(time.Duration(i) * 600 * time.Millisecond)
		w.use(wire.EnergyUse{From: at, To: at.Add(time.Second), Low: 1}, false)
	}
	if d := w.energyDay("2026-03-02"); d.Low != 2 {
		t.Errorf("two within a second count %d s", d.Low)
	}
	// The same number twice is the store's to ignore.
	body, err := json.Marshal(wire.EnergyUse{From: paris(t, "2026-03-02 05:00:00"), To: paris(t, "2026-03-02 06:00:00"), Dark: 3600})
	if err != nil {
		t.Fatal(err)
	}
	w.decide(func(tx store.Tx) error { return tx.SetCursor("t1", store.Cursor{Epoch: 2}) })
	batch := wire.Batch{Epoch: 2, Records: []wire.Record{{Epoch: 2, Seq: 1, Kind: wire.KindEnergy, At: paris(t, "2026-03-02 06:00:00"), Body: body}}}
	for range 3 {
		if _, err := w.st.Ingest(t.Context(), "t1", batch); err != nil {
			t.Fatal(err)
		}
	}
	if d := w.energyDay("2026-03-02"); d.Dark != 3600 {
		t.Errorf("sent three times it was dark for %d s", d.Dark)
	}
}

// TestEnergyOfYearsStaysSmall: which records a day counts is forgotten once nobody
// sends them again, and what it counts stays.
func TestEnergyOfYearsStaysSmall(t *testing.T) {
	w := newWorld(t, nil)
	first := paris(t, "2026-01-01 10:00:00")
	for i := range 70 {
		at := first.AddDate(0, 0, i)
		w.now = at.Add(time.Hour)
		w.use(wire.EnergyUse{From: at, To: at.Add(time.Hour), Lit: 3600}, false)
	}
	for i := range 70 {
		d := w.energyDay(first.AddDate(0, 0, i).Format(time.DateOnly))
		if want := i >= 70-rememberDays; d.Lit != 3600 || (d.Counted != nil) != want {
			t.Errorf("day %d is %+v", i, d)
		}
	}
}

func TestAbsurdEnergyIsFlagged(t *testing.T) {
	from := paris(t, "2026-03-02 06:00:00")
	hour := func(change func(*wire.EnergyUse)) wire.EnergyUse {
		u := wire.EnergyUse{From: from, To: from.Add(time.Hour), Lit: 3600}
		change(&u)
		return u
	}
	for name, c := range map[string]struct {
		u       wire.EnergyUse
		lit     int
		refused bool
	}{
		"negative":             {hour(func(u *wire.EnergyUse) { u.Low = -1 }), 0, true},
		"awake for 26 hours":   {hour(func(u *wire.EnergyUse) { u.Lit = 26 * 3600 }), 0, true},
		"longer than anything": {hour(func(u *wire.EnergyUse) { u.Off = math.MaxInt32 }), 0, true},
		"off for two years":    {hour(func(u *wire.EnergyUse) { u.Off = 2 * 365 * 86400 }), 0, true},
		"more than it lasted":  {hour(func(u *wire.EnergyUse) { u.Lit = 3 * 3600 }), 3 * 3600, false},
		"less than it lasted":  {hour(func(u *wire.EnergyUse) { u.Lit = 600 }), 600, false},
		"backwards":            {hour(func(u *wire.EnergyUse) { u.From, u.To = u.To, u.From }), 3600, false},
		"negative energy":      {hour(func(u *wire.EnergyUse) { u.Wh = -1 }), 3600, false},
		"a whole building":     {hour(func(u *wire.EnergyUse) { u.Wh = 50000 }), 3600, false},
		"energy without time":  {hour(func(u *wire.EnergyUse) { u.Lit, u.Wh = 0, 20 }), 0, true},
		"time without states":  {hour(func(u *wire.EnergyUse) { u.Lit = 0 }), 0, true},
	} {
		w := newWorld(t, nil)
		w.use(c.u, false)
		d := w.energyDay("2026-03-02")
		if d.Odd != 1 || d.Lit != c.lit || d.Wh != 0 || d.Metered != 0 || (w.kept() == 1) != c.refused {
			t.Errorf("%s: %+v, %d kept", name, d, w.kept())
		}
	}
}

// A clock that nobody can trust, or one far ahead: the seconds are true all the
// same, and filed when they came.
func TestEnergyWithoutAClock(t *testing.T) {
	w := newWorld(t, nil)
	u := wire.EnergyUse{From: time.Unix(30, 0), To: time.Unix(1830, 0), Lit: 1800}
	w.use(u, true)
	w.use(u, true) // another start that began in 1970 as well
	day := w.now.In(policy.Location()).Format(time.DateOnly)
	if d := w.energyDay(day); d.Lit != 3600 || d.Odd != 0 {
		t.Errorf("without a clock: %+v", d)
	}
	ahead := w.now.AddDate(1, 0, 0)
	w.use(wire.EnergyUse{From: ahead, To: ahead.Add(time.Hour), Dark: 3600}, false)
	if d := w.energyDay(day); d.Dark != 3600 {
		t.Errorf("ahead: %+v", d)
	}
}

// TestEnergyWithoutAClockFitsInWhatHasPassed: however many hours come at once of which
// nobody knows when they were, no day is longer than it has been, and hours that a
// clock placed count whole, before and after.
func TestEnergyWithoutAClockFitsInWhatHasPassed(t *testing.T) {
	w := newWorld(t, nil)
	w.now = paris(t, "2026-03-10 10:00:00")
	sure := func(from string, n int) {
		at := paris(t, from)
		for i := range n {
			w.use(wire.EnergyUse{From: at.Add(time.Duration(i) * time.Hour), To: at.Add(time.Duration(i+1) * time.Hour), Dark: 3600}, false)
		}
	}
	sure("2026-03-10 08:00:00", 2)
	for range 30 {
		w.use(wire.EnergyUse{From: time.Unix(30, 0), To: time.Unix(3630, 0), Lit: 3600, Wh: 20}, true)
	}
	today, before := w.energyDay("2026-03-10"), w.energyDay("2026-03-09")
	if today.Lit != 8*3600 || today.Dark != 2*3600 || before.Lit != 22*3600 || today.Odd+before.Odd != 0 || today.Metered+before.Metered != 0 {
		t.Errorf("today %+v, yesterday %+v", today, before)
	}
	// Yesterday's own hours come late, and today's go on.
	sure("2026-03-09 10:00:00", 10)
	w.now = paris(t, "2026-03-11 00:00:00")
	sure("2026-03-10 10:00:00", 14)
	today, before = w.energyDay("2026-03-10"), w.energyDay("2026-03-09")
	if today.Lit != 8*3600 || today.Dark != 16*3600 || before.Lit != 14*3600 || before.Dark != 10*3600 || today.Odd+before.Odd != 0 {
		t.Errorf("then today %+v, yesterday %+v", today, before)
	}
	// More than a month has room for is cut, and told.
	w.use(wire.EnergyUse{From: time.Unix(30, 0), To: time.Unix(30, 0).AddDate(0, 0, 60), Off: 60 * 86400}, true)
	if d := w.energyDay("2026-03-11"); d.Odd != 1 || w.energyDay("2026-02-20").Off != 86400 || w.energyDay("2026-01-20").Off != 0 {
		t.Errorf("two months: %+v", d)
	}
}

// TestHoursThatWaitedForAClock: what a terminal counted for days, until it knew the time,
// is one record.
func TestHoursThatWaitedForAClock(t *testing.T) {
	w := newWorld(t, nil)
	w.now = paris(t, "2026-03-12 00:00:00")
	w.use(wire.EnergyUse{From: paris(t, "2026-03-10 00:00:00"), To: w.now, Lit: 30 * 3600, Low: 18 * 3600}, false)
	for _, day := range []string{"2026-03-10", "2026-03-11"} {
		if d := w.energyDay(day); d.Lit != 15*3600 || d.Low != 9*3600 || d.Odd != 0 {
			t.Errorf("%s: %+v", day, d)
		}
	}
}

// A day never has more seconds than it lasts.
func TestEnergyFitsInItsDay(t *testing.T) {
	w := newWorld(t, nil)
	from := paris(t, "2026-02-27 00:00:00")
	for i := range 40 { // each an hour, told under begins a minute apart
		at := from.Add(time.Duration(i) * time.Minute)
		w.use(wire.EnergyUse{From: at, To: at.Add(time.Hour), Lit: 1800, Low: 1800, Wh: 20}, false)
	}
	d := w.energyDay("2026-02-27")
	if sum := d.Lit + d.Low; sum != 86400 || d.Metered != 86400 || math.Abs(d.Wh-480) > 0.1 || d.Odd != 16 {
		t.Errorf("%+v", d)
	}
}

// Whatever a record says, what is counted is what it says, on no day more than that
// day lasts.
func TestEnergySplitLosesNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 2026))
	for range 20000 {
		end := time.Unix(1735689600+r.Int64N(3*365*86400), 0)
		u := wire.EnergyUse{Lit: r.IntN(20000), Dark: r.IntN(20000), Low: r.IntN(20000), Halted: r.IntN(90000), Off: r.IntN(300000)}
		total := u.Lit + u.Dark + u.Low + u.Halted + u.Off
		u.From, u.To, u.Wh = end.Add(-time.Duration(total)*time.Second), end, float64(r.IntN(total/10+1))/100
		check(t, u, end)
	}
}

func check(t *testing.T, u wire.EnergyUse, end time.Time) {
	t.Helper()
	shares, odd := measure(u, end, policy.Location())
	if shares == nil {
		return
	}
	var sum seconds
	wh, last := 0.0, ""
	for _, sh := range shares {
		for i, s := range sh.spent {
			if s < 0 {
				t.Fatalf("%+v: %+v", u, sh)
			}
			sum[i] += s
		}
		if sh.spent.sum() > sh.whole+5 || sh.day <= last || sh.whole < 82800 || sh.whole > 90000 || sh.wh < 0 {
			t.Fatalf("%+v: %+v after %s", u, sh, last)
		}
		wh, last = wh+sh.wh, sh.day
	}
	if sum != (seconds{u.Lit, u.Dark, u.Low, u.Halted, u.Off}) || !odd && math.Abs(wh-u.Wh) > 1e-6*(1+u.Wh) {
		t.Fatalf("%+v became %v s and %g Wh", u, sum, wh)
	}
}

func FuzzMeasure(f *testing.F) {
	f.Add([]byte(`{"from":"2026-03-01T22:20:00Z","to":"2026-03-01T23:20:00Z","lit":3600,"dark":0,"low":0,"halted":0,"off":0,"wh":20}`))
	f.Add([]byte(`{"from":"9999-03-01T22:20:00Z","to":"0001-03-01T23:20:00Z","lit":-3600,"off":9223372036854775807,"wh":1e308}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		var u wire.EnergyUse
		if json.Unmarshal(b, &u) == nil {
			check(t, u, u.To)
		}
	})
}
