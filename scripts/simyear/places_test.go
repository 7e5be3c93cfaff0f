package simyear

import (
	"fmt"
	"math/rand/v2"
	"time"

	"borne/controller/policy"
)

// place is one site with one terminal. open says by hand, apart from the rules,
// whether it should be open at a minute: local is the clock on the wall.
type place struct {
	name   string
	hours  policy.Hours
	later  *policy.Hours // from changeDay on: hours that change while everything runs
	energy policy.Energy
	rtc    bool // the board has a clock that can wake it
	pi     string
	open   func(local time.Time) bool
}

// changeDay is when some places get other hours, at noon.
const changeDay = "2027-01-13"

// A school year, both changes of the clocks in it.
func firstDay() time.Time { return time.Date(2026, 9, 1, 0, 0, 0, 0, policy.Location()) }
func lastDay() time.Time  { return time.Date(2027, 9, 1, 0, 0, 0, 0, policy.Location()) }

// breaks are zone A's of that school year (arrêté of the ministry).
func breaks() []policy.Break {
	return []policy.Break{
		{Name: "Vacances de la Toussaint", From: "2026-10-17", To: "2026-11-01"},
		{Name: "Vacances de Noël", From: "2026-12-19", To: "2027-01-03"},
		{Name: "Vacances d’hiver", From: "2027-02-13", To: "2027-02-28"},
		{Name: "Vacances de printemps", From: "2027-04-10", To: "2027-04-25"},
		{Name: "Vacances d’été", From: "2027-07-03", To: "2027-08-31"},
	}
}

// off are the public holidays of that year, from the calendar on the wall.
func off(day string) bool {
	switch day {
	case "2026-11-01", "2026-11-11", "2026-12-25", "2027-01-01", "2027-03-29", "2027-05-01", "2027-05-06", "2027-05-08", "2027-05-17", "2027-07-14", "2027-08-15":
		return true
	}
	return false
}

func free(day string) bool {
	return day >= "2026-10-17" && day <= "2026-11-01" || day >= "2026-12-19" && day <= "2027-01-03" || day >= "2027-02-13" && day <= "2027-02-28" ||
		day >= "2027-04-10" && day <= "2027-04-25" || day >= "2027-07-03" && day <= "2027-08-31"
}

func span(from, to int) []policy.Span { return []policy.Span{{From: from, To: to}} }

func days(w time.Weekday, all ...time.Weekday) bool {
	for _, d := range all {
		if d == w {
			return true
		}
	}
	return false
}

const (
	sun = time.Sunday
	mon = time.Monday
	tue = time.Tuesday
	wed = time.Wednesday
	thu = time.Thursday
	fri = time.Friday
	sat = time.Saturday
)

// college: school days; one evening a month under an agreement that ends with
// June; a « permanence » on Tuesdays of the holidays, in duty or under it.
func college(r *rand.Rand, n int) place {
	close := 17*60 + 15*r.IntN(5)
	week := policy.Week{mon: span(8*60, close), tue: span(8*60, close), wed: span(8*60, 12*60), thu: span(8*60, close), fri: span(8*60, close-60)}
	h := policy.Hours{Weekly: week, Duty: week, Guarded: true, Public: policy.Public{Mode: policy.ModeClosed},
		School:     policy.School{Zone: policy.ZoneA, Mode: policy.ModeWeekly, Weekly: policy.Week{tue: span(9*60, 12*60)}, Breaks: breaks()},
		Monthly:    []policy.Monthly{{Nth: 1, Day: int(tue), Spans: span(close, close+120), Why: "Soirée des parents"}},
		Agreements: []policy.Agreement{{From: "2026-10-01", To: "2027-06-30"}}}
	p := place{name: fmt.Sprintf("collège %d", n), hours: h}
	agreed := func(day string) bool { return day >= "2026-10-01" && day <= "2027-06-30" }
	if n%3 == 0 { // the evenings are suspended from a day on
		later := h
		later.Agreements = []policy.Agreement{{From: "2026-10-01", To: "2027-06-30", Suspended: true}}
		p.later = &later
		before := agreed
		agreed = func(day string) bool { return before(day) && day < changeDay }
	}
	p.open = func(l time.Time) bool {
		day, m := l.Format(time.DateOnly), l.Hour()*60+l.Minute()
		switch {
		case off(day):
			return false
		case free(day): // nobody of the staff is there: only under the agreement
			return l.Weekday() == tue && m >= 9*60 && m < 12*60 && agreed(day)
		case l.Weekday() == tue && l.Day() <= 7 && m >= close && m < close+120:
			return agreed(day)
		case days(l.Weekday(), mon, tue, thu):
			return m >= 8*60 && m < close
		case l.Weekday() == wed:
			return m >= 8*60 && m < 12*60
		case l.Weekday() == fri:
			return m >= 8*60 && m < close-60
		}
		return false
	}
	return p
}

// office: a pôle médico-social with its lunch break and a week of its own in
// summer, closed for one Friday afternoon in spring.
func office(r *rand.Rand, n int) place {
	morning, lunch := 8*60+15*r.IntN(5), 12*60+15*r.IntN(3)
	day := []policy.Span{{From: morning, To: lunch}, {From: 13*60 + 30, To: 17 * 60}}
	week := policy.Week{mon: day, tue: day, wed: day, thu: day, fri: day}
	summer := policy.Week{mon: span(morning, lunch), tue: span(morning, lunch), wed: span(morning, lunch), thu: span(morning, lunch), fri: span(morning, lunch)}
	h := policy.Hours{Weekly: week, Public: policy.Public{Mode: policy.ModeClosed, Worked: []string{"whit-monday"}}, Duty: policy.Week{mon: span(8*60, 17*60+30), tue: span(8*60, 17*60+30), wed: span(8*60, 17*60+30), thu: span(8*60, 17*60+30), fri: span(8*60, 17*60+30)},
		School:     policy.School{Zone: policy.ZoneA, Breaks: breaks()}, // which change nothing for an office
		Seasons:    []policy.Season{{Name: "Horaires d’été", From: "2027-07-05", To: "2027-08-27", Weekly: summer}},
		Exceptions: []policy.Exception{{Day: "2027-04-02", Spans: span(morning, lunch), Why: "Réunion"}, {Day: "2026-12-24", To: "2026-12-31", Why: "Fermeture de fin d’année"}}}
	p := place{name: fmt.Sprintf("pôle %d", n), hours: h}
	p.open = func(l time.Time) bool {
		day, m := l.Format(time.DateOnly), l.Hour()*60+l.Minute()
		am, pm := m >= morning && m < lunch, m >= 13*60+30 && m < 17*60
		switch {
		case day >= "2026-12-24" && day <= "2026-12-31", off(day) && day != "2027-05-17", days(l.Weekday(), sat, sun):
			return false
		case day == "2027-04-02", day >= "2027-07-05" && day <= "2027-08-27":
			return am
		}
		return am || pm
	}
	return p
}

// library: Saturdays, and two nights that end after midnight, one of them the
// night in which the clocks go back.
func library(r *rand.Rand, n int) place {
	from := 10*60 + 30*r.IntN(3)
	day := span(from, 18*60)
	h := policy.Hours{Weekly: policy.Week{tue: day, wed: day, thu: day, fri: day, sat: span(9*60, 17*60)}, Public: policy.Public{Mode: policy.ModeClosed},
		Exceptions: []policy.Exception{
			{Day: "2026-10-24", Add: true, Spans: span(20*60, 24*60+150), Why: "Nuit"}, // until 2:30, which comes twice
			{Day: "2027-03-27", Add: true, Spans: span(20*60, 24*60+180), Why: "Nuit"}, // until 3:00, at which 2:00 is skipped
		}}
	p := place{name: fmt.Sprintf("médiathèque %d", n), hours: h}
	second := false // of the hour that comes twice; the year passes in one direction
	var last time.Time
	p.open = func(l time.Time) bool {
		day, m := l.Format(time.DateOnly), l.Hour()*60+l.Minute()
		if day != last.Format(time.DateOnly) {
			second = false
		} else if l.Hour() == 2 && last.Hour() == 2 && m < last.Hour()*60+last.Minute() {
			second = true
		}
		last = l
		switch day {
		case "2026-10-24", "2027-03-27":
			if m >= 20*60 {
				return true
			}
		case "2026-10-25":
			return m < 150 && !second
		case "2027-03-28":
			return m < 120
		}
		switch {
		case off(day):
			return false
		case days(l.Weekday(), tue, wed, thu, fri):
			return m >= from && m < 18*60
		case l.Weekday() == sat:
			return m >= 9*60 && m < 17*60
		}
		return false
	}
	return p
}

// places are fifty, with boards and plans of all kinds.
func places(r *rand.Rand) []place {
	var all []place
	for n := range 50 {
		var p place
		switch {
		case n < 30:
			p = college(r, n)
		case n < 42:
			p = office(r, n)
		default:
			p = library(r, n)
		}
		p.energy = policy.DefaultEnergy()
		p.energy.Night = []policy.Night{policy.NightLow, policy.NightHalt, policy.NightHalt, policy.NightDark}[n%4]
		p.energy.WakeMinutes = 10 + n%6
		if n%7 == 0 {
			p.energy.DarkMinutes = 30
		}
		p.pi = []string{"Raspberry Pi 4 Model B", "Raspberry Pi 5 Model B", "Dell OptiPlex 3060"}[n%3]
		p.rtc = n%3 != 0 // a Pi 4 has none of its own
		all = append(all, p)
	}
	return all
}
