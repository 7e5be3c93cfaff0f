package policy

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
	_ "time/tzdata"
)

// schedules is how many random ones the reference is asked about.
var schedules = flag.Int("schedules", 1000, "random schedules that are compared minute by minute")

// referenceYears are ten, with twenty changes of the clocks.
const referenceFrom, referenceYears = 2021, 10

// refDay is one day of the calendar as it really passes: the minutes after
// midnight that a clock on the wall shows at each minute.
type refDay struct {
	name    string // 2006-01-02
	weekday int
	dom     int
	last    int // days of its month
	public  string
	at      time.Time
	labels  []int16
}

// refDays walks through the minutes of the years one by one.
func refDays(loc *time.Location) []refDay {
	public := map[string]string{}
	for y := referenceFrom - 1; y <= referenceFrom+referenceYears; y++ {
		for _, p := range PublicDays(y) {
			public[p.Day] = p.Key
		}
	}
	var all []refDay
	end := time.Date(referenceFrom+referenceYears, 1, 2, 0, 0, 0, 0, loc)
	for t := time.Date(referenceFrom-1, 12, 30, 0, 0, 0, 0, loc); t.Before(end); t = t.Add(time.Minute) {
		l := t.In(loc)
		if l.Hour() == 0 && l.Minute() == 0 {
			name := l.Format("2006-01-02")
			all = append(all, refDay{name: name, weekday: int(l.Weekday()), dom: l.Day(), last: time.Date(l.Year(), l.Month()+1, 0, 0, 0, 0, 0, time.UTC).Day(), public: public[name], at: t})
		}
		d := &all[len(all)-1]
		d.labels = append(d.labels, int16(l.Hour()*60+l.Minute()))
	}
	return all
}

// refSpans says by the rules' words alone which spans begin on a day.
func refSpans(h *Hours, d *refDay) (spans []Span) {
	within := func(from, to string) bool { return from <= d.name && d.name <= to }
	replaced := false
	for _, e := range h.Exceptions {
		to := e.To
		if to == "" {
			to = e.Day
		}
		if within(e.Day, to) {
			replaced = replaced || !e.Add
			spans = append(spans, e.Spans...)
		}
	}
	if replaced {
		// What replaces, and what adds.
		return spans
	}
	if d.public != "" && h.Public.Mode == ModeClosed && !slices.Contains(h.Public.Worked, d.public) {
		return spans
	}
	if h.School.Zone != NoZone && h.School.Mode != ModeUsual {
		for _, b := range h.School.Breaks {
			if within(b.From, b.To) {
				if h.School.Mode == ModeWeekly {
					spans = append(spans, h.School.Weekly[d.weekday]...)
				}
				return spans
			}
		}
	}
	week := h.Weekly
	for _, s := range h.Seasons {
		if within(s.From, s.To) {
			week = s.Weekly
		}
	}
	spans = append(spans, week[d.weekday]...)
	for _, m := range h.Monthly {
		nth := m.Nth == (d.dom-1)/7+1 || m.Nth == -1 && d.dom+7 > d.last
		if nth && m.Day == d.weekday && (m.From == "" || m.From <= d.name) && (m.To == "" || d.name <= m.To) {
			spans = append(spans, m.Spans...)
		}
	}
	return spans
}

// refRuns passes minute by minute through the days: open or not.
func refRuns(h *Hours, all []refDay) (runs [][2]time.Time) {
	duty := func(i int) (m [2 * 1440]bool) {
		d := &all[i]
		off := d.public != "" && h.Public.Mode == ModeClosed && !slices.Contains(h.Public.Worked, d.public)
		for _, b := range h.School.Breaks {
			off = off || h.School.Zone != NoZone && b.From <= d.name && d.name <= b.To
		}
		if !off {
			for _, s := range h.Duty[d.weekday] {
				for x := s.From; x < s.To; x++ {
					m[x] = true
				}
			}
		}
		return m
	}
	var open bool
	var until, next [1440]bool // of this day, by spans of the day before and its own
	var staff, before [2 * 1440]bool
	guarded := h.Guarded
	if guarded {
		before, staff = duty(0), duty(0)
	}
	for i := range all {
		d := &all[i]
		until, next = next, [1440]bool{}
		var tomorrow [2 * 1440]bool
		if guarded {
			if tomorrow = staff; i+1 < len(all) {
				tomorrow = duty(i + 1)
			}
		}
		agreed := slices.ContainsFunc(h.Agreements, func(a Agreement) bool { return !a.Suspended && a.From <= d.name && d.name <= a.To })
		for _, s := range refSpans(h, d) {
			for m := s.From; m < s.To; m++ {
				if guarded && !agreed {
					there := false
					if m < 1440 {
						there = staff[m] || before[m+1440]
					} else {
						there = tomorrow[m-1440] || staff[m]
					}
					if !there {
						continue
					}
				}
				if m < 1440 {
					until[m] = true
				} else {
					next[m-1440] = true
				}
			}
		}
		before, staff = staff, tomorrow
		// A label that comes again does nothing again: the day has reached its latest.
		reached := int16(-1)
		for n, l := range d.labels {
			reached = max(reached, l)
			if now := until[reached]; now != open {
				at := d.at.Add(time.Duration(n) * time.Minute)
				if open = now; now {
					runs = append(runs, [2]time.Time{at, {}})
				} else {
					runs[len(runs)-1][1] = at
				}
			}
		}
	}
	return runs
}

// randomHours are hours that Check takes, with everything that they may have.
func randomHours(r *rand.Rand) Hours {
	minute := func(low, high int) int {
		if r.IntN(3) == 0 { // around the changes of the clocks
			return min(max(low, 100+r.IntN(100)), high)
		}
		return low + r.IntN(high-low+1)
	}
	spans := func(most int) (s []Span) {
		at := 0
		for range r.IntN(most + 1) {
			if at > 1300 {
				break
			}
			from := minute(at, min(1439, at+600))
			to := from + 1 + r.IntN(500)
			s = append(s, Span{from, min(to, from+1440)})
			at = to + r.IntN(60)
		}
		return s
	}
	week := func(most int) (w Week) {
		for i := range w {
			if r.IntN(4) > 0 {
				w[i] = spans(most)
			}
		}
		return w
	}
	day := func() time.Time {
		if r.IntN(4) == 0 { // a change of the clocks, or the day beside it
			m := []time.Month{time.March, time.October}[r.IntN(2)]
			t := time.Date(referenceFrom+r.IntN(referenceYears), m+1, 0, 0, 0, 0, 0, time.UTC)
			return t.AddDate(0, 0, -int(t.Weekday())+r.IntN(3)-1)
		}
		return time.Date(referenceFrom, 1, 1+r.IntN(365*referenceYears), 0, 0, 0, 0, time.UTC)
	}
	text := func(t time.Time) string { return t.Format("2006-01-02") }
	stretch := func(most int) (string, string) {
		t := day()
		return text(t), text(t.AddDate(0, 0, r.IntN(most)))
	}
	h := Hours{Weekly: week(3), Public: Public{Mode: []Mode{ModeUsual, ModeClosed}[r.IntN(2)]}}
	for _, p := range PublicDays(2000) {
		if r.IntN(5) == 0 {
			h.Public.Worked = append(h.Public.Worked, p.Key)
		}
	}
	for range r.IntN(12) {
		e := Exception{Add: r.IntN(3) == 0, Spans: spans(2)}
		e.Day, e.To = stretch(20)
		if r.IntN(2) == 0 {
			e.To = ""
		}
		h.Exceptions = append(h.Exceptions, e)
	}
	for range r.IntN(4) {
		s := Season{Weekly: week(2)}
		s.From, s.To = stretch(90)
		h.Seasons = append(h.Seasons, s)
	}
	for range r.IntN(4) {
		m := Monthly{Nth: []int{1, 2, 3, 4, -1}[r.IntN(5)], Day: r.IntN(7), Spans: spans(2)}
		if r.IntN(2) == 0 {
			m.From, m.To = stretch(2000)
		}
		h.Monthly = append(h.Monthly, m)
	}
	h.School = School{Zone: []Zone{NoZone, ZoneA}[r.IntN(2)], Mode: []Mode{ModeUsual, ModeClosed, ModeWeekly}[r.IntN(3)], Weekly: week(1)}
	for range r.IntN(20) {
		b := Break{Name: "Vacances"}
		b.From, b.To = stretch(60)
		h.School.Breaks = append(h.School.Breaks, b)
	}
	if r.IntN(2) == 0 {
		h.Duty, h.Guarded = week(2), r.IntN(2) == 0
		for range r.IntN(6) {
			a := Agreement{Suspended: r.IntN(4) == 0}
			a.From, a.To = stretch(300)
			h.Agreements = append(h.Agreements, a)
		}
	}
	return h
}

// TestScheduleAgreesWithEveryMinute compares the evaluator with a reference that
// passes through ten years minute by minute, both changes of the clocks of each
// included, for a thousand random schedules.
func TestScheduleAgreesWithEveryMinute(t *testing.T) {
	loc := Location()
	all := refDays(loc)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d, %d schedules, %d days", seed, *schedules, len(all))
	var wg sync.WaitGroup
	work := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for n := range work {
				if err := agrees(n, rand.New(rand.NewPCG(seed, uint64(n))), all, loc); err != nil {
					t.Errorf("seed %d, schedule %d: %v", seed, n, err)
				}
			}
		})
	}
	for n := range *schedules {
		if t.Failed() {
			break
		}
		work <- n
	}
	close(work)
	wg.Wait()
}

func agrees(n int, r *rand.Rand, all []refDay, loc *time.Location) error {
	h := randomHours(r)
	from, to := all[2].at, all[len(all)-2].at
	var want [][2]time.Time
	for _, x := range refRuns(&h, all) {
		if !x[1].IsZero() && x[1].After(from) && x[0].Before(to) {
			want = append(want, x)
		}
	}
	s := h.Schedule(from, to, loc)
	var got [][2]time.Time
	for _, x := range s.Runs() {
		if x.To.After(from) && x.From.Before(to) {
			got = append(got, [2]time.Time{x.From, x.To})
		}
	}
	for i := range min(len(got), len(want)) {
		if !got[i][0].Equal(want[i][0]) && want[i][0].After(from) || !got[i][1].Equal(want[i][1]) && want[i][1].Before(to) {
			return fmt.Errorf("run %d is %s – %s, minute by minute %s – %s, of %+v", i, got[i][0].In(loc), got[i][1].In(loc), want[i][0].In(loc), want[i][1].In(loc), h)
		}
	}
	if len(got) < len(want)-1 || len(got) > len(want)+1 {
		return fmt.Errorf("%d runs, minute by minute %d, of %+v", len(got), len(want), h)
	}
	// One instant asked alone says the same as the whole; so does a question of its own.
	for range 40 {
		at := from.Add(time.Duration(r.Int64N(int64(to.Sub(from) - 500*24*time.Hour)))).Truncate(time.Second)
		i := slices.IndexFunc(want, func(x [2]time.Time) bool { return x[1].After(at) })
		open := i >= 0 && !want[i][0].After(at)
		o := s.At(at)
		if o.Open != open {
			return fmt.Errorf("at %s open is %v, minute by minute %v, of %+v", at.In(loc), o.Open, open, h)
		}
		if i >= 0 {
			next := want[i][0]
			if open {
				next = want[i][1]
			}
			if !o.Until.Equal(next) {
				return fmt.Errorf("at %s it changes %s, minute by minute %s, of %+v", at.In(loc), o.Until.In(loc), next.In(loc), h)
			}
		}
		if n%10 == 0 {
			if alone := h.At(at, loc); alone.Open != o.Open || alone.Cause != o.Cause || alone.Why != o.Why ||
				!alone.Until.Equal(o.Until) && (!alone.Until.IsZero() || o.Until.Sub(at) < horizon*24*time.Hour) {
				return fmt.Errorf("at %s alone %+v, in the schedule %+v, of %+v", at.In(loc), alone, o, h)
			}
		}
	}
	return nil
}

func BenchmarkAt(b *testing.B) {
	loc := Location()
	h := randomHours(rand.New(rand.NewPCG(1, 2)))
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, loc)
	s := h.Schedule(from, from.AddDate(1, 0, 0), loc)
	r := rand.New(rand.NewPCG(3, 4))
	at := make([]time.Time, 1024)
	for i := range at {
		at[i] = from.Add(time.Duration(r.Int64N(int64(365 * 24 * time.Hour))))
	}
	b.ResetTimer()
	for i := range b.N {
		s.At(at[i%1024])
	}
}

func BenchmarkYear(b *testing.B) {
	loc := Location()
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, loc)
	r := rand.New(rand.NewPCG(1, 2))
	all := make([]Hours, 64)
	for i := range all {
		all[i] = randomHours(r)
	}
	b.ResetTimer()
	for i := range b.N {
		all[i%64].Schedule(from, from.AddDate(1, 0, 0), loc)
	}
}
