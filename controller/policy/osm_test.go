package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const osmYear = 2026

// zoneA of 2025 to 2028, near enough.
func osmBreaks() []Break {
	return []Break{{"Noël", "2025-12-20", "2026-01-04"}, {"Hiver", "2026-02-07", "2026-02-22"}, {"Printemps", "2026-04-04", "2026-04-19"},
		{"Été", "2026-07-04", "2026-08-31"}, {"Toussaint", "2026-10-17", "2026-11-01"}, {"Noël", "2026-12-19", "2027-01-03"}, {"Été", "2027-07-03", "2027-08-31"}}
}

// read parses a text as hours of zone A with its holidays.
func read(t testing.TB, text string) Hours {
	t.Helper()
	h, err := ParseOSM(text, ZoneA, osmYear)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	h.School.Breaks = osmBreaks()
	return h
}

// differ finds the first quarter of an hour of some years at which two do not agree.
func differ(a, b Hours, from, to string) string {
	loc := Location()
	x, _ := time.ParseInLocation(dayLayout, from, loc)
	end, _ := time.ParseInLocation(dayLayout, to, loc)
	s, r := a.Schedule(x, end, loc), b.Schedule(x, end, loc)
	for ; x.Before(end); x = x.Add(15 * time.Minute) {
		if was, is := s.At(x).Open, r.At(x).Open; was != is {
			return fmt.Sprintf("%s: open is %v, and was %v", x.Format("Mon 2006-01-02 15:04"), is, was)
		}
	}
	return ""
}

func TestOSMReads(t *testing.T) {
	for _, x := range []struct {
		text        string
		open, close []string // 2026-…, on the wall
	}{
		{"24/7", []string{"01-01 00:00", "07-14 03:00"}, nil},
		{"Mo-Fr 08:00-12:00,13:30-17:00; Sa off; PH off", []string{"03-02 08:00", "03-02 11:59", "03-02 13:30"}, []string{"03-02 12:00", "03-02 17:00", "03-07 10:00", "05-01 10:00", "05-14 10:00"}},
		{"Mo-Fr 08:00-12:00, Sa 09:00-12:00", []string{"03-07 09:30", "03-02 08:30"}, []string{"03-07 08:30", "03-08 10:00"}},
		{"Fr-Mo 10:00-12:00", []string{"03-06 10:00", "03-07 10:00", "03-08 10:00", "03-09 10:00"}, []string{"03-10 10:00"}},
		{"Mo,We-Th 9:00–12:00", []string{"03-02 09:00", "03-04 09:00", "03-05 09:00"}, []string{"03-03 09:00"}},
		{"mo-fr 08:00-12:00; ph OFF", []string{"03-02 09:00"}, []string{"05-01 09:00"}},
		{"Fr 22:00-02:00", []string{"03-06 23:00", "03-07 01:59"}, []string{"03-07 02:00", "03-06 01:00"}},
		{"Fr 22:00-26:00", []string{"03-06 23:00", "03-07 01:59"}, []string{"03-07 02:00"}},
		{"08:00-18:00", []string{"03-08 08:00"}, []string{"03-08 18:00"}},
		{"Mo-Fr open; We off", []string{"03-02 00:00", "03-02 23:59"}, []string{"03-04 12:00"}},
		{"Mo-Su,PH 08:00-18:00", []string{"05-01 09:00"}, []string{"05-01 19:00"}},
		// SH
		{"Mo-Fr 08:00-17:00; SH off", []string{"03-02 09:00"}, []string{"02-10 09:00", "04-07 09:00"}},
		{"Mo-Fr 08:00-17:00; SH off; SH Tu 09:00-12:00", []string{"02-10 09:00"}, []string{"02-11 09:00", "02-10 13:00"}},
		{"Mo-Fr 08:00-17:00; SH Tu 09:00-12:00", []string{"02-10 09:00", "02-11 13:00"}, []string{"02-10 13:00"}}, // other days stay as they are
		{"Mo-Fr 08:00-17:00; SH 09:00-12:00", []string{"02-10 09:00", "02-15 09:00"}, []string{"02-10 13:00"}},
		{"Mo-Fr 08:00-17:00; SH,PH off", []string{"03-02 09:00"}, []string{"02-10 09:00", "05-01 09:00"}},
		{"Mo-Fr 08:00-17:00; SH, Sa 09:00-12:00 off", nil, nil}, // refused below as well
		{"Tu 08:00-17:00; PH off; SH Tu 09:00-12:00", []string{"07-07 09:00"}, []string{"07-14 09:00"}},
		// dates
		{`Mo-Fr 08:00-17:00; Dec 24-Jan 02 off "Noël"`, []string{"12-23 09:00", "01-05 09:00"}, []string{"12-24 09:00", "12-31 09:00", "01-01 09:00", "01-02 09:00"}},
		{"Mo-Fr 08:00-17:00; 2026 Dec 31 08:00-12:00", []string{"12-31 09:00", "12-30 13:00"}, []string{"12-31 13:00"}},
		{"Mo-Fr 08:00-17:00; 2026 Dec 24-26,31 off", []string{"12-28 09:00"}, []string{"12-24 09:00", "12-25 09:00", "12-31 09:00"}},
		{"Mo-Fr 08:00-17:00; 2026 Dec 24-2027 Jan 02 off", []string{"12-23 09:00", "01-02 09:00"}, []string{"12-24 09:00", "12-31 09:00"}},
		{"Mo-Fr 08:00-17:00; 2026 Dec 24-Jan 02 off", []string{"12-23 09:00", "01-02 09:00"}, []string{"12-31 09:00"}},
		{"Mo-Fr 08:00-17:00; Jul-Aug off", []string{"06-30 09:00", "09-01 09:00"}, []string{"07-01 09:00", "08-31 09:00"}},
		{"Mo-Fr 08:00-17:00; Jul-Aug Mo-Fr 09:00-12:00", []string{"07-01 09:00"}, []string{"07-01 13:00", "07-04 09:00"}},
		{"Mo-Fr 08:00-17:00; Jul-Aug: We off; PH off", []string{"07-02 13:00"}, []string{"07-01 09:00", "07-14 09:00"}},
		{"Mo-Fr 08:00-17:00; May 01 off; easter +1 day,easter +39 days off", []string{"05-08 09:00", "05-25 09:00"}, []string{"05-01 09:00", "04-06 09:00", "05-14 09:00"}},
		{"Mo-Fr 08:00-17:00; easter -2 days off", []string{"04-02 09:00"}, []string{"04-03 09:00"}},
		{"Mo-Fr 08:00-17:00; PH off; 2026 May 01 09:00-12:00", []string{"05-01 09:00"}, []string{"05-01 13:00", "05-08 09:00"}},
		{"Mo-Fr 08:00-17:00; PH off, 2026 May 01 09:00-12:00", []string{"05-01 09:00"}, []string{"05-01 13:00"}},
		{"Mo-Fr 08:00-17:00, 2026 Mar 02 18:00-20:00", []string{"03-02 09:00", "03-02 18:00"}, []string{"03-09 18:00"}},
		{"Mo-Fr 08:00-17:00; 2026 off", nil, []string{"03-02 09:00"}},
		{"Mo-Fr 08:00-17:00; 2026 Dec 24-31 09:00-17:00; 2026 Dec 31 09:00-12:00", []string{"12-30 13:00", "12-31 09:00"}, []string{"12-31 13:00"}},
		{"Mo-Fr 08:00-17:00, 2026 Dec 30-31 18:00-20:00; 2026 Dec 31 off", []string{"12-30 18:00"}, []string{"12-31 18:00", "12-31 09:00"}},
		{"Mo-Fr 08:00-12:00, Mo 14:00-16:00", []string{"03-02 08:00", "03-02 14:00"}, []string{"03-03 14:00"}},
		// months
		{"Mo-Fr 08:00-17:00, Tu[1] 17:30-20:00", []string{"03-03 18:00", "03-03 09:00"}, []string{"03-10 18:00"}},
		{"Mo-Fr 08:00-17:00; Th[1] 17:30-20:00", []string{"03-05 18:00", "03-05 09:00"}, []string{"03-12 18:00"}},
		{"Sa[1,3] 09:00-12:00, Sa[-1] 14:00-16:00", []string{"03-07 09:00", "03-21 09:00", "03-28 14:00"}, []string{"03-14 09:00", "03-28 09:00"}},
		{"Sa[1-2] 09:00-12:00", []string{"03-07 09:00", "03-14 09:00"}, []string{"03-21 09:00"}},
		{"Mo-Fr 08:00-17:00, 2026 Sep 01+ Tu[1] 17:30-20:00", []string{"10-06 18:00"}, []string{"03-03 18:00"}},
		{"Mo-Fr 08:00-17:00, Sep-Jun Tu[1] 17:30-20:00", []string{"10-06 18:00", "03-03 18:00"}, []string{"07-07 18:00"}},
		// all together
		{`Mo-Fr 08:00-12:00,13:30-17:00; Sa off; PH off; SH Tu 09:00-12:00; Dec 24-Jan 02 off "Noël"; 2026 Dec 31 08:00-12:00; Th[1] 17:30-20:00;`,
			[]string{"03-02 08:00", "12-31 08:30", "03-05 18:00", "02-10 10:00"}, []string{"03-07 09:00", "12-24 09:00", "12-31 13:00", "05-01 09:00", "02-10 14:00"}},
	} {
		h, err := ParseOSM(x.text, ZoneA, osmYear)
		if x.open == nil && x.close == nil {
			if err == nil {
				t.Errorf("%s is read", x.text)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", x.text, err)
			continue
		}
		h.School.Breaks = osmBreaks()
		for want, all := range map[bool][]string{true: x.open, false: x.close} {
			for _, at := range all {
				when, err := time.ParseInLocation("2006-01-02 15:04", "2026-"+at, Location())
				if err != nil {
					t.Fatal(err)
				}
				if got := h.At(when, Location()).Open; got != want {
					t.Errorf("%s, %s: open is %v", x.text, at, got)
				}
			}
		}
		again := read(t, h.OSM())
		if d := differ(h, again, "2025-12-25", "2028-02-01"); d != "" {
			t.Errorf("%s\n%s\n%s", x.text, h.OSM(), d)
		}
	}
}

func TestOSMRefuses(t *testing.T) {
	for text, want := range map[string]struct {
		at       int
		sentence string
	}{
		"":                                          {1, "vide"},
		" ; ":                                       {1, "vide"},
		"du lundi au vendredi":                      {1, "Cette partie n’est pas lue"},
		"Mo-Fr 08:00-12:00; Sa 9h-12h":              {23, "Cette partie n’est pas lue"},
		"Mo-Fr 08:00-12:00 || off":                  {19, "secours"},
		"Mo-Fr sunrise-sunset":                      {7, "soleil"},
		"week 10 Mo 08:00-12:00":                    {1, "semaine"},
		"Mo-Fr 08:00+":                              {7, "heure de fin"},
		"Mo-Fr 08:00-12:00+":                        {18, "fin ouverte"},
		"Mo-Fr 08:00":                               {7, "heure de fin"},
		"Mo-Fr":                                     {1, "Il manque les heures"},
		"Mo- 08:00-12:00":                           {3, "dernier jour"},
		"Mo-Fr 25:00-26:00":                         {7, "commence dans la journée"},
		"Mo-Fr 08:00-40:00":                         {7, "24 heures"},
		"Mo-Fr 08:00-12:60":                         {7, "heure de fin"},
		"Mo-Fr 08:00-12:00 unknown":                 {19, "unknown"},
		`Mo-Fr 08:00-12:00 open "x`:                 {24, "guillemet"},
		"Mo-Fr 12:00-14:00 off":                     {1, "quelques heures"},
		"Mo-Fr 08:00-12:00,":                        {18, "après la virgule"},
		"PH off; Mo-Fr 08:00-12:00":                 {9, "annulerait"},
		"Mo-Fr 08:00-12:00; PH 10:00-12:00":         {20, "propres aux jours fériés"},
		"Mo-Fr 08:00-12:00; PH Mo off":              {20, "certains jours"},
		"Mo-Fr 08:00-12:00; PH -1 day off":          {20, "autour d’un jour férié"},
		"PH,Mo-Fr 08:00-12:00":                      {1, "côte à côte"},
		"Mo-Fr 08:00-12:00; Feb 30 off":             {20, "n’existe pas"},
		"Mo-Fr 08:00-12:00; 2027 Feb 29 off":        {20, "n’existe pas"},
		"Mo-Fr 08:00-12:00; 2027 May 02-May 01 off": {0, ""},
		"2027 May 02-2027 May 01 off":               {1, "avant la première"},
		"Dec 24-2026 Jan 02 off":                    {1, "au début de la période"},
		"1900 Jan 01 off":                           {1, "entre 1970 et 2200"},
		"2026-2029 off":                             {1, "trop longue"},
		"2026 Jan 01+ off":                          {1, "trop longue"},
		"Jan 01+ Mo[1] 10:00-12:00":                 {1, "Sans année"},
		"easter +1 off":                             {1, "easter +1 day"},
		"easter-easter +2 days off":                 {1, "easter +1 day"},
		"Mo[6] 08:00-12:00":                         {1, "quatrième"},
		"Mo[0] 08:00-12:00":                         {1, "quatrième"},
		"Mo[1 08:00-12:00":                          {1, "crochet"},
		"Mo[1] off":                                 {1, "chaque mois"},
		"Mo[1],We 08:00-12:00":                      {1, "deux règles"},
		"Mo-Fr 08:00-17:00; Tu[1] 09:00-18:00":      {20, "une partie des horaires"},
		"SH Mo[1] 08:00-12:00":                      {1, "ensemble"},
		"2026 Jan 01-05 SH off":                     {1, "ensemble"},
		"Mo-Fr 08:00-12:00 Sa":                      {19, "pas lue ici"},
		strings.Repeat("Mo off;", maxOSM/7+1):       {1, "trop long"},
		"Mo " + strings.Repeat("08:00-08:01,09:00-09:01,", 1) + manyTimes(13):                                       {1, "Douze"},
		"Mo 08:00-12:00; " + manyMonths(14):                                                                         {368, "Trop d’ouvertures mensuelles"},
		"Mo 08:00-12:00; Jan 01-Dec 31 Tu,Th off; PH off, Jan 02-Dec 30 Sa,Mo,We 10:00-11:00; Jan 02-Dec 31 Tu off": {0, "Trop de dates"},
	} {
		_, err := ParseOSM(text, ZoneA, osmYear)
		if want.sentence == "" {
			if err != nil {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		var e *OSMError
		if !errors.As(err, &e) || !strings.Contains(e.Sentence, want.sentence) || want.at > 0 && e.At != want.at || !strings.HasPrefix(err.Error(), "cannot read the opening hours") ||
			!strings.Contains(e.French(), fmt.Sprint("Caractère ", e.At)) {
			t.Errorf("%.80s: %v, want %d %s", text, err, want.at, want.sentence)
		}
	}
}

func manyTimes(n int) string {
	var all []string
	for i := range n {
		all = append(all, fmt.Sprintf("%02d:30-%02d:40", i, i))
	}
	return strings.Join(all, ",")
}

func manyMonths(n int) string {
	var all []string
	for range n {
		all = append(all, "Jan-Mar Tu[1] 20:00-21:00")
	}
	return strings.Join(all, ", ")
}

func TestOSMWrites(t *testing.T) {
	day := []Span{{8 * 60, 12 * 60}, {13*60 + 30, 17 * 60}}
	h := Hours{Weekly: Week{nil, day, day, {{8 * 60, 12 * 60}}, day, day, nil},
		Seasons:    []Season{{Name: "Horaires d’été", From: "2026-07-04", To: "2026-08-31", Weekly: Week{nil, {{9 * 60, 12 * 60}}, {{9 * 60, 12 * 60}}, nil, nil, nil, nil}}},
		Monthly:    []Monthly{{Nth: 1, Day: 2, Spans: []Span{{17*60 + 30, 20 * 60}}, Why: "Soirée des parents"}, {Nth: -1, Day: 6, From: "2026-09-01", Spans: []Span{{540, 720}}}},
		School:     School{Zone: ZoneA, Mode: ModeWeekly, Weekly: Week{nil, nil, {{9 * 60, 12 * 60}}, nil, nil, nil, nil}},
		Public:     Public{Mode: ModeClosed},
		Exceptions: []Exception{{Day: "2026-12-24", To: "2027-01-02", Why: `Noël "au chaud"`}, {Day: "2026-06-19", Spans: []Span{{22 * 60, 26 * 60}}, Add: true}, {Day: "2026-03-06", Spans: []Span{{480, 720}}, Why: "Portes ouvertes"}}}
	want := `Mo,Tu,Th,Fr 08:00-12:00,13:30-17:00; We 08:00-12:00; 2026 Jul 04-2026 Aug 31 off "Horaires d’été"; 2026 Jul 04-2026 Aug 31 Mo,Tu 09:00-12:00` +
		`, Tu[1] 17:30-20:00 open "Soirée des parents", 2026 Sep 01+ Sa[-1] 09:00-12:00; SH off; SH Tu 09:00-12:00; PH off` +
		`; 2026 Dec 24-2027 Jan 02 off "Noël ”au chaud”"; 2026 Mar 06 08:00-12:00 open "Portes ouvertes", 2026 Jun 19 22:00-26:00`
	if got := h.OSM(); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	h.Public.Worked = []string{"labour", "whit-monday"}
	if got := h.OSM(); !strings.Contains(got, "; Jan 01,May 08,Jul 14,Aug 15,Nov 01,Nov 11,Dec 25 off; easter +1 day,easter +39 days off;") {
		t.Error(got)
	}
	back := read(t, h.OSM())
	if !slices.Equal(back.Public.Worked, h.Public.Worked) || back.Seasons[0].Name != "Horaires d’été" || len(back.Seasons) != 1 || len(back.Monthly) != 2 || back.School.Mode != ModeWeekly ||
		len(back.Exceptions) != 3 || back.Exceptions[1].To != "2027-01-02" {
		t.Errorf("%+v", back)
	}
	for _, x := range []struct {
		h    Hours
		want string
	}{{Hours{}, "off"}, {Hours{Always: true, Public: Public{Mode: ModeClosed}}, "24/7"}, {Hours{School: School{Mode: ModeClosed}}, "off"}} {
		if got := x.h.OSM(); got != x.want {
			t.Errorf("%s, want %s", got, x.want)
		}
	}
}

// osmHoursGen draws hours that the syntax can say.
func osmHoursGen(t *rapid.T) Hours {
	spans := rapid.Custom(func(t *rapid.T) []Span {
		var all []Span
		at := 0
		for range rapid.IntRange(0, 3).Draw(t, "n") {
			from := at + 15*rapid.IntRange(0, 30).Draw(t, "from")
			to := from + 15*rapid.IntRange(1, 40).Draw(t, "long")
			if from >= 1440 {
				break
			}
			all, at = append(all, Span{from, to}), to
		}
		return all
	})
	week := rapid.Custom(func(t *rapid.T) (w Week) {
		for i := range w {
			w[i] = spans.Draw(t, "day")
		}
		return w
	})
	some := rapid.Custom(func(t *rapid.T) []Span {
		if all := spans.Draw(t, "spans"); len(all) > 0 {
			return all
		}
		return []Span{{600, 720}}
	})
	first := civilOf(2026, time.January, 1)
	stretch := func(label string, long int) (string, string) {
		from := first + civil(rapid.IntRange(0, 420).Draw(t, label))
		return from.String(), (from + civil(rapid.IntRange(0, long).Draw(t, label+" to"))).String()
	}
	h := Hours{Weekly: week.Draw(t, "weekly")}
	for range rapid.IntRange(0, 3).Draw(t, "seasons") {
		s := Season{Name: rapid.SampledFrom([]string{"été", "travaux", `"x"`}).Draw(t, "name"), Weekly: week.Draw(t, "season")}
		s.From, s.To = stretch("season", 90)
		h.Seasons = append(h.Seasons, s)
	}
	for range rapid.IntRange(0, 3).Draw(t, "monthly") {
		m := Monthly{Nth: rapid.SampledFrom([]int{1, 2, 3, 4, -1}).Draw(t, "nth"), Day: rapid.IntRange(0, 6).Draw(t, "weekday"), Spans: some.Draw(t, "monthly spans")}
		from, to := stretch("monthly", 300)
		if rapid.Bool().Draw(t, "begins") {
			m.From = from
		}
		if rapid.Bool().Draw(t, "ends") {
			m.To = to
		}
		h.Monthly = append(h.Monthly, m)
	}
	var taken []days
	for range rapid.IntRange(0, 5).Draw(t, "exceptions") {
		e := Exception{Spans: spans.Draw(t, "exception"), Add: rapid.Bool().Draw(t, "add"), Why: rapid.SampledFrom([]string{"", "Noël"}).Draw(t, "why")}
		e.Day, e.To = stretch("exception", 20)
		d := parseDays(e.Day, e.To)
		if e.Add {
			e.Spans = some.Draw(t, "added")
		} else if overlap(taken, []days{d}) {
			continue
		} else {
			taken = append(taken, d)
		}
		h.Exceptions = append(h.Exceptions, e)
	}
	h.School = School{Zone: rapid.SampledFrom([]Zone{ZoneA, NoZone}).Draw(t, "zone"), Mode: rapid.SampledFrom([]Mode{ModeUsual, ModeClosed, ModeWeekly}).Draw(t, "school"), Breaks: osmBreaks()}
	if h.School.Mode == ModeWeekly {
		h.School.Weekly = week.Draw(t, "school week")
	}
	h.Public.Mode = rapid.SampledFrom([]Mode{ModeUsual, ModeClosed}).Draw(t, "public")
	for _, d := range PublicDays(2000) {
		if rapid.IntRange(0, 5).Draw(t, d.Key) == 0 {
			h.Public.Worked = append(h.Public.Worked, d.Key)
		}
	}
	return h
}

func TestOSMRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := osmHoursGen(t)
		text := h.OSM()
		back, err := ParseOSM(text, h.School.Zone, osmYear)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		back.School.Breaks = h.School.Breaks
		if d := differ(h, back, "2026-01-01", "2027-02-01"); d != "" {
			t.Fatalf("%s\n%s\n%s", text, back.OSM(), d)
		}
	})
}

func FuzzOSM(f *testing.F) {
	for _, s := range []string{"24/7", "Mo-Fr 08:00-12:00,13:30-17:00; Sa off; PH off; SH Tu 09:00-12:00; Dec 24-Jan 02 off \"Noël\"; 2026 Dec 31 08:00-12:00; Th[1] 17:30-20:00",
		"off, Tu[1,-1] 17:30-20:00, 2026 Sep 01+ Sa[-1] 09:00-12:00", "Jul-Aug Mo-Fr 09:00-12:00; SH off; PH off", "easter +1 day,easter -2 days off", "Mo 22:00-26:00,23:00-23:30; 2026 Mo 08:00-09:00",
		"Mo-Su,PH 08:00-18:00; 2026 Dec 24-26,31 open", "SH,PH off; 2026-2027 off"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		h, err := ParseOSM(s, ZoneA, osmYear)
		if err != nil {
			var e *OSMError
			if !errors.As(err, &e) || e.At < 1 || e.At > len([]rune(s))+1 || e.Sentence == "" {
				t.Fatalf("%v", err)
			}
			return
		}
		h.School.Breaks = osmBreaks()
		text := h.OSM()
		back, err := ParseOSM(text, ZoneA, osmYear)
		if err != nil {
			t.Fatalf("%q gives %q: %v", s, text, err)
		}
		back.School.Breaks = osmBreaks()
		if d := differ(h, back, "2026-01-01", "2027-01-10"); d != "" {
			t.Fatalf("%q gives %q, which gives %q: %s", s, text, back.OSM(), d)
		}
	})
}
