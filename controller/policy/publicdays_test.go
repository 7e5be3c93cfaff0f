package policy

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/fr"
)

// TestPublicDaysAgainstAnother compares with a calendar that others keep.
func TestPublicDaysAgainstAnother(t *testing.T) {
	of := map[string]*cal.Holiday{"new-year": fr.NouvelAn, "easter-monday": fr.LundiDePâques, "labour": fr.FêteDuTravail, "victory": fr.FêteDeLaVictoire,
		"ascension": fr.Ascension, "whit-monday": fr.LundiDePentecôte, "national": fr.FêteNationale, "assumption": fr.Assomption,
		"all-saints": fr.Toussaint, "armistice": fr.Armistice1918, "christmas": fr.Noël}
	if len(of) != len(fr.Holidays) {
		t.Fatalf("it knows %d public holidays, this test %d", len(fr.Holidays), len(of))
	}
	for year := 1990; year <= 2080; year++ {
		all := PublicDays(year)
		if len(all) != len(of) || !slices.IsSortedFunc(all, func(a, b PublicDay) int { return compareDay(a.Day, b.Day) }) {
			t.Errorf("%d: %v", year, all)
		}
		for _, d := range all {
			h := of[d.Key]
			if h == nil {
				t.Fatalf("%s is not known elsewhere", d.Key)
			}
			actual, _ := h.Calc(year)
			if got := actual.Format(dayLayout); got != d.Day {
				t.Errorf("%d: %s is on %s, elsewhere on %s", year, d.Key, d.Day, got)
			}
		}
	}
}

func compareDay(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// TestPublicDaysKnown are dates that anybody can look up.
func TestPublicDaysKnown(t *testing.T) {
	for _, x := range []struct {
		key, day string
	}{
		{"easter-monday", "2024-04-01"}, {"ascension", "2024-05-09"}, {"whit-monday", "2024-05-20"},
		{"easter-monday", "2025-04-21"}, {"ascension", "2025-05-29"}, {"whit-monday", "2025-06-09"},
		{"easter-monday", "2026-04-06"}, {"ascension", "2026-05-14"}, {"whit-monday", "2026-05-25"},
		{"easter-monday", "2008-03-24"}, // nearly the earliest Easter
		{"easter-monday", "2038-04-26"}, // the latest
		{"national", "2026-07-14"}, {"armistice", "2026-11-11"}, {"christmas", "2026-12-25"}, {"new-year", "2027-01-01"},
	} {
		at, err := time.Parse(dayLayout, x.day)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(PublicDays(at.Year()), func(d PublicDay) bool { return d.Key == x.key && d.Day == x.day }) {
			t.Errorf("%s is not %s: %v", x.day, x.key, PublicDays(at.Year()))
		}
	}
	if got := easterOf(2024).String(); got != "2024-03-31" {
		t.Errorf("Easter 2024 is %s", got)
	}
}

// TestTwoOnOneDay: Ascension fell on 1 May in 2008, and on 8 May in 1975, 1986 and
// 1997. Both are there, and the place is closed
// unless it works on both.
func TestTwoOnOneDay(t *testing.T) {
	for _, x := range []struct {
		year       int
		day, other string
	}{{2008, "2008-05-01", "labour"}, {1997, "1997-05-08", "victory"}, {1986, "1986-05-08", "victory"}, {1975, "1975-05-08", "victory"}} {
		var on []string
		for _, d := range PublicDays(x.year) {
			if d.Day == x.day {
				on = append(on, d.Key)
			}
		}
		slices.Sort(on)
		if !slices.Equal(on, []string{"ascension", x.other}) {
			t.Errorf("%s: %v", x.day, on)
		}
		if n := len(PublicDays(x.year)); n != 11 {
			t.Errorf("%d: %d holidays", x.year, n)
		}
		if p := (Hours{}).Days(x.day, 1)[0].Public; !strings.Contains(p, "Ascension") || !strings.Contains(p, " et ") {
			t.Errorf("%s is shown as %q", x.day, p)
		}
		at, err := time.ParseInLocation(dayLayout, x.day, Location())
		if err != nil {
			t.Fatal(err)
		}
		at = at.Add(10 * time.Hour)
		day := []Span{{From: 0, To: 1440}}
		h := Hours{Weekly: Week{day, day, day, day, day, day, day}, Public: Public{Mode: ModeClosed}}
		if o := h.At(at, Location()); o.Open || o.Cause != CausePublic {
			t.Errorf("%s: %+v", x.day, o)
		}
		for _, worked := range [][]string{{"ascension"}, {x.other}} {
			h.Public.Worked = worked
			if o := h.At(at, Location()); o.Open {
				t.Errorf("%s, with %v worked: open", x.day, worked)
			}
		}
		h.Public.Worked = []string{"ascension", x.other}
		if o := h.At(at, Location()); !o.Open {
			t.Errorf("%s, with both worked: closed: %+v", x.day, o)
		}
	}
}

func TestBreaksAreChecked(t *testing.T) {
	good := []Break{{"Noël", "2025-12-20", "2026-01-04"}, {"Hiver", "2026-02-07", "2026-02-22"}}
	for name, x := range map[string]struct {
		breaks []Break
		field  string
	}{
		"good":       {good, ""},
		"one day":    {[]Break{{"Pont", "2026-05-15", "2026-05-15"}}, ""},
		"no day":     {[]Break{{"Noël", "2025-12-20", "2025-12-19"}}, "hours.school.breaks.0"},
		"too long":   {[]Break{{"Été", "2026-01-01", "2026-04-11"}}, "hours.school.breaks.0"},
		"a hundred":  {[]Break{{"Été", "2026-01-01", "2026-04-10"}}, ""},
		"no date":    {[]Break{{"Noël", "2025-12-20", "2026-02-30"}}, "hours.school.breaks.0"},
		"no name":    {[]Break{{"", "2025-12-20", "2026-01-04"}}, "hours.school.breaks.0"},
		"over":       {append(slices.Clone(good), Break{"X", "2026-02-22", "2026-02-23"}), "hours.school.breaks.2"},
		"out of row": {[]Break{good[1], good[0]}, "hours.school.breaks.1"},
		"too many":   {slices.Repeat(good, 40), "hours.school.breaks"},
	} {
		p := Default()
		p.Hours.School.Breaks = x.breaks
		found := p.Check()
		if x.field == "" && len(found) > 0 || x.field != "" && (len(found) == 0 || found[0].Field != x.field) {
			t.Errorf("%s: %v", name, found)
		}
	}
}
