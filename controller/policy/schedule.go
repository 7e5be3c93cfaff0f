package policy

import (
	"slices"
	"sort"
	"time"
	_ "time/tzdata" // initialised before this package is
)

// Location returns Europe/Paris.
func Location() *time.Location { return paris }

// paris is read once, from the zones that are in the binary: LoadLocation reads
// a file at each call. It is a constant of the world and no state of ours.
var paris = func() *time.Location {
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return time.UTC // a build without zones: time/tzdata above is there so that this cannot be
	}
	return loc
}()

// Stretch is a time in which it is open, or would be: [From, To).
type Stretch struct {
	From, To time.Time
	Cause    Cause
	Why      string
	Outside  bool // outside Duty
	Refused  bool // planned, and closed: nobody agreed
}

// Schedule is what Hours say for some days, worked out: asking it is quick.
type Schedule struct {
	always bool
	runs   []Stretch // open, those that touch as one; in their order
	all    []Stretch // each by itself, refused ones too; by their begin
	staff  []Stretch // when the building's own is there; none where no duty is set
	duty   bool      // one is
	days   []dayOf
	first  civil
	loc    *time.Location
}

// dayOf is a day's midnight, and why it is as it is.
type dayOf struct {
	at    time.Time
	cause Cause
	why   string
}

// Schedule works the hours out from a day before from until to. Minutes are on
// the local wall clock, so a span from 8:00 is at 8:00 on the days when the
// clocks change, too. A time that the clocks skip is the instant of the skip, and
// of a time that comes twice the first counts: whatever opens or closes does so once.
func (h Hours) Schedule(from, to time.Time, loc *time.Location) Schedule {
	s := Schedule{always: h.Always, duty: !h.Duty.empty(), loc: loc}
	if h.Always {
		return s
	}
	r := h.rules()
	s.first = civilAt(from.In(loc)) - 2 // a span of two days ago may last until today
	last := civilAt(to.In(loc)) + 1
	s.days = make([]dayOf, 0, max(0, int(last-s.first)+1))
	for day := s.first; day <= last; day++ {
		parts, cause, why := r.parts(day)
		s.days = append(s.days, dayOf{wall(day, 0, loc), cause, why})
		for _, d := range r.duty(day) {
			if x := (Stretch{From: wall(day, d.From, loc), To: wall(day, d.To, loc)}); d.readable() && x.To.After(x.From) {
				s.staff = append(s.staff, x)
			}
		}
		for _, p := range parts {
			x := Stretch{wall(day, p.From, loc), wall(day, p.To, loc), p.cause, p.why, p.outside, p.refused}
			if x.To.After(x.From) {
				s.all = append(s.all, x)
			}
		}
	}
	slices.SortStableFunc(s.all, func(a, b Stretch) int { return a.From.Compare(b.From) })
	s.runs, s.staff = joined(s.all), joined(s.staff)
	return s
}

// joined makes one of stretches that touch, and leaves refused ones out.
func joined(all []Stretch) (runs []Stretch) {
	for _, x := range all {
		n := len(runs)
		switch {
		case x.Refused:
		case n == 0 || x.From.After(runs[n-1].To):
			runs = append(runs, x)
		case x.To.After(runs[n-1].To):
			runs[n-1].To = x.To
		}
	}
	return runs
}

// At tells whether it is open at t, why, since when and until when.
func (s Schedule) At(t time.Time) Opening {
	if s.always {
		return Opening{Open: true, Cause: CauseAlways}
	}
	i := sort.Search(len(s.runs), func(i int) bool { return s.runs[i].To.After(t) }) // the first that is not over
	if i < len(s.runs) && !s.runs[i].From.After(t) {
		o := Opening{Open: true, Since: s.runs[i].From, Until: s.runs[i].To}
		if x, ok := s.covering(t, false); ok {
			o.Cause, o.Why, o.Outside = x.Cause, x.Why, x.Outside
		}
		return o
	}
	o := Opening{}
	if i > 0 {
		o.Since = s.runs[i-1].To
	}
	if i < len(s.runs) {
		o.Until = s.runs[i].From
	}
	o.Vacant = s.vacant(t, o)
	if _, ok := s.covering(t, true); ok {
		o.Cause = CauseNoAgreement
		return o
	}
	if n := sort.Search(len(s.days), func(i int) bool { return s.days[i].at.After(t) }); n > 0 {
		o.Cause, o.Why = s.days[n-1].cause, s.days[n-1].why
	}
	return o
}

// vacant is since when nobody should be in the building at t, at which it is
// closed as o says. Where no duty is set, staff stays between two openings of a day.
func (s Schedule) vacant(t time.Time, o Opening) time.Time {
	if !s.duty {
		if !o.Until.IsZero() && civilAt(o.Until.In(s.loc)) == civilAt(t.In(s.loc)) && civilAt(o.Since.In(s.loc)) == civilAt(t.In(s.loc)) {
			return time.Time{}
		}
		return o.Since
	}
	i := sort.Search(len(s.staff), func(i int) bool { return s.staff[i].To.After(t) })
	switch {
	case i < len(s.staff) && !s.staff[i].From.After(t):
		return time.Time{}
	case i > 0 && s.staff[i-1].To.After(o.Since):
		return s.staff[i-1].To
	}
	return o.Since
}

// covering is the first stretch that holds at t. None lasts longer than a day,
// and those of a day are few.
func (s Schedule) covering(t time.Time, refused bool) (Stretch, bool) {
	i := sort.Search(len(s.all), func(i int) bool { return s.all[i].From.After(t.Add(-25 * time.Hour)) })
	for ; i < len(s.all) && !s.all[i].From.After(t); i++ {
		if s.all[i].To.After(t) && s.all[i].Refused == refused {
			return s.all[i], true
		}
	}
	return Stretch{}, false
}

// Stretches are the times in which it is open, or would be if somebody agreed,
// each with its cause, by their begin.
func (s Schedule) Stretches() []Stretch { return s.all }

// Runs are the times in which it is open, in their order; those that touch are
// one. Not for hours that are Always.
func (s Schedule) Runs() []Stretch { return s.runs }

// horizon is how far At looks for the next change: more than a year of exceptions.
const horizon = 400

// At is Schedule.At for one instant, and looks as far as it has to. For many
// instants ask a Schedule.
func (h Hours) At(t time.Time, loc *time.Location) Opening {
	const week = 7 * 24 * time.Hour
	var o Opening
	for _, ahead := range []time.Duration{week, 5 * week, horizon * 24 * time.Hour} {
		s := h.Schedule(t.Add(-week), t.Add(ahead), loc)
		// What ends where the days looked at end may go on behind them.
		if o = s.At(t); s.always || !o.Until.IsZero() && o.Until.Before(t.Add(ahead)) {
			return o
		}
	}
	if o.Open && !o.Until.Before(t.Add(horizon*24*time.Hour)) {
		o.Until = time.Time{}
	}
	return o
}

// wall returns the instant at which the wall clock of day shows the minutes
// after midnight. A time that the clocks skip is the instant of the skip; of a
// time that comes twice it is the first.
func wall(day civil, minutes int, loc *time.Location) time.Time {
	y, m, d := day.time().Date()
	at := time.Date(y, m, d, 0, minutes, 0, 0, loc)
	if shown := at.Hour()*60 + at.Minute(); shown != ((minutes%1440)+1440)%1440 {
		return skip(at)
	}
	if earlier := at.Add(-time.Hour); earlier.Hour() == at.Hour() && earlier.Minute() == at.Minute() {
		return earlier
	}
	return at
}

// skip is the instant at which the clocks were put forward, less than three
// hours around at.
func skip(at time.Time) time.Time {
	low := at.Add(-3 * time.Hour)
	_, before := low.Zone()
	n := sort.Search(6*60, func(i int) bool {
		_, off := low.Add(time.Duration(i) * time.Minute).Zone()
		return off != before
	})
	return low.Add(time.Duration(n) * time.Minute)
}
