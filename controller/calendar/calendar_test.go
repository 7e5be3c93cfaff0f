package calendar

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"borne/controller/policy"
)

// day is when the fixtures are read.
func day(s string) time.Time {
	t, err := time.ParseInLocation(dayLayout, s, policy.Location())
	if err != nil {
		panic(err)
	}
	return t
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// lines writes breaks so that a difference is seen at first sight.
func lines(all []policy.Break) string {
	var b strings.Builder
	for _, x := range all {
		fmt.Fprintf(&b, "%s %s %s\n", x.From, x.To, x.Name)
	}
	return b.String()
}

func want(all ...string) string { return strings.Join(all, "\n") + "\n" }

// What the ministry says of 2025-2026 in words: zone A is free from Saturday 7 to
// Sunday 22 February and from 4 to 19 April 2026.
func TestNational(t *testing.T) {
	of := map[policy.Zone]string{
		policy.ZoneA: want("2025-07-05 2025-08-31 Vacances d’Été", "2025-10-18 2025-11-02 Vacances de la Toussaint", "2025-12-20 2026-01-04 Vacances de Noël",
			"2026-02-07 2026-02-22 Vacances d’Hiver", "2026-04-04 2026-04-19 Vacances de Printemps", "2026-05-14 2026-05-17 Pont de l’Ascension", "2026-07-04 2026-08-31 Vacances d’Été"),
		policy.ZoneB: want("2025-07-05 2025-08-31 Vacances d’Été", "2025-10-18 2025-11-02 Vacances de la Toussaint", "2025-12-20 2026-01-04 Vacances de Noël",
			"2026-02-14 2026-03-01 Vacances d’Hiver", "2026-04-11 2026-04-26 Vacances de Printemps", "2026-05-14 2026-05-17 Pont de l’Ascension", "2026-07-04 2026-08-31 Vacances d’Été"),
		policy.ZoneC: want("2025-07-05 2025-08-31 Vacances d’Été", "2025-10-18 2025-11-02 Vacances de la Toussaint", "2025-12-20 2026-01-04 Vacances de Noël",
			"2026-02-21 2026-03-08 Vacances d’Hiver", "2026-04-18 2026-05-03 Vacances de Printemps", "2026-05-14 2026-05-17 Pont de l’Ascension", "2026-07-04 2026-08-31 Vacances d’Été"),
	}
	for _, name := range []string{"national.ics", "national-lf-bom.ics"} {
		for _, zone := range Zones() {
			c, err := Read(fixture(t, name), zone, day("2025-11-26"))
			if err != nil {
				t.Fatalf("%s, zone %s: %v", name, zone, err)
			}
			if got := lines(c.Breaks); got != of[zone] || c.Until != "2026-08-31" || c.Format != "ICS" {
				t.Errorf("%s, zone %s: until %s\n%s", name, zone, c.Until, got)
			}
			sound(t, c)
		}
	}
}

func TestJSON(t *testing.T) {
	want := want("2025-10-18 2025-11-02 Vacances de la Toussaint", "2025-12-20 2026-01-04 Vacances de Noël", "2026-02-07 2026-02-22 Vacances d’Hiver",
		"2026-05-14 2026-05-17 Pont de l’Ascension", "2026-07-04 2026-08-31 Vacances d’Été", "2027-05-07 2027-05-09 Pont de l’Ascension", "2027-07-03 2027-08-31 Vacances d’Été")
	for _, name := range []string{"export.json", "explore.json", "records.json"} {
		c, err := Read(fixture(t, name), policy.ZoneA, day("2025-11-26"))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := lines(c.Breaks); got != want || c.Until != "2027-08-31" || c.Format != "JSON" {
			t.Errorf("%s: until %s\n%s", name, c.Until, got)
		}
		sound(t, c)
		b, err := Read(fixture(t, name), policy.ZoneB, day("2025-11-26"))
		if err != nil || b.Breaks[2].From != "2026-02-14" || b.Breaks[2].To != "2026-03-01" {
			t.Errorf("%s, zone B: %v, %s", name, err, lines(b.Breaks))
		}
	}
}

// A calendar that somebody made with a program: instants in UTC and in Paris,
// class that ends in the afternoon, folded lines, escapes, an alarm with a date of
// its own, a summer that only begins, and the pupils' return.
// TestTwice: what is there twice counts once, its stretches too, and the begin of
// a summer that is there whole as well.
func TestTwice(t *testing.T) {
	b := fixture(t, "national.ics")
	once, err := Read(b, policy.ZoneA, day("2025-11-26"))
	if err != nil {
		t.Fatal(err)
	}
	twice, err := Read(slices.Concat(b, b), policy.ZoneA, day("2025-11-26"))
	if err != nil || lines(once.Breaks) != lines(twice.Breaks) {
		t.Errorf("%v\n%s", err, lines(twice.Breaks))
	}
	c, err := Read([]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260704\nDTEND:20260704\nSUMMARY:Début des Vacances d'Été\nEND:VEVENT\n"+
		"BEGIN:VEVENT\nDTSTART:20260704\nDTEND:20260829\nSUMMARY:Vacances d'Été\nEND:VEVENT\nEND:VCALENDAR"), policy.ZoneA, day("2025-11-26"))
	if err != nil || lines(c.Breaks) != "2026-07-04 2026-08-28 Vacances d’Été\n" {
		t.Errorf("%v\n%s", err, lines(c.Breaks))
	}
	// Instants in UTC: a Tuesday's midnight in Paris is after class, and no evening.
	c, err = Read([]byte("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261019T220000Z\nDTEND:20261101T230000Z\nSUMMARY:Vacances d'Automne\nEND:VEVENT\nEND:VCALENDAR"), policy.ZoneA, day("2025-11-26"))
	if err != nil || lines(c.Breaks) != "2026-10-21 2026-11-01 Vacances d’Automne\n" {
		t.Errorf("%v\n%s", err, lines(c.Breaks))
	}
}

func TestHandMade(t *testing.T) {
	c, err := Read(fixture(t, "hand-made.ics"), policy.ZoneA, day("2025-11-26"))
	if err != nil {
		t.Fatal(err)
	}
	got := lines(c.Breaks)
	long := "2026-04-04 2026-04-19 Vacances de Printemps, qui portent ici un nom si long qu’il faut le plier deux f"
	if w := want("2025-10-18 2025-11-02 Vacances de la Toussaint, automne", "2025-12-20 2026-01-04 Vacances de Noël", "2026-02-07 2026-02-22 Vacances d’Hiver",
		long, "2026-05-15 2026-05-17 Pont de l’Ascension", "2026-07-04 2026-08-31 Vacances d’Été"); got != w {
		t.Errorf("%s\nwant\n%s", got, w)
	}
	// Its name says zone A: for another it is refused.
	if _, err := Read(fixture(t, "hand-made.ics"), policy.ZoneB, day("2025-11-26")); err == nil || !strings.Contains(err.Error(), "la zone A") {
		t.Errorf("zone B: %v", err)
	}
}

// TestAcademies is the older official file: zones side by side in the name,
// academies as places, lines folded even within a character, and a summer that
// ends with the pupils' return.
func TestAcademies(t *testing.T) {
	c, err := Read(fixture(t, "academies.ics"), policy.ZoneA, day("2025-11-26"))
	if err != nil {
		t.Fatal(err)
	}
	if got, w := lines(c.Breaks), want("2025-10-18 2025-11-02 Vacances de la Toussaint", "2025-12-20 2026-01-04 Vacances de Noël", "2026-02-07 2026-02-22 Vacances d’hiver",
		"2026-04-04 2026-04-19 Vacances de printemps", "2026-07-04 2026-09-01 Vacances d’Été"); got != w {
		t.Errorf("%s\nwant\n%s", got, w)
	}
	for text, want := range map[string]string{"Zones A B C": "[A B C] ", "Zones A/B/C - Corse": "[A B C] la Corse", "Zone B a compter du": "[B] ", "Zone-A-B-C-Corse@x": "[A B C] la Corse",
		"Zone A;Zone C": "[A C] ", "zones a et b": "[A B] ", "Zone Corse": "[] la Corse", "zone d’été": "[] ", "ozone a": "[] ", "Zone ABC": "[] "} {
		zones, elsewhere := place(text)
		if got := fmt.Sprint(zones, " ", elsewhere); got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

func TestAfterClass(t *testing.T) {
	c, err := Read(fixture(t, "academies-differ.json"), policy.ZoneA, day("2026-05-01"))
	if err != nil {
		t.Fatal(err)
	}
	// A Tuesday after class: Wednesday is the first free day. And the academy
	// with the longer bridge decides.
	if got, w := lines(c.Breaks), want("2026-05-14 2026-05-17 Pont de l’Ascension", "2027-07-07 2027-09-01 Vacances d’Été"); got != w {
		t.Errorf("%s\nwant\n%s", got, w)
	}
	one := func(name, from, to string) string {
		b := fmt.Sprintf(`[{"description":%q,"population":"-","zones":"Zone A","start_date":%q,"end_date":%q}]`, name, from, to)
		c, err := Read([]byte(b), policy.ZoneA, day("2026-01-01"))
		if err != nil {
			return err.Error()
		}
		return strings.TrimSpace(lines(c.Breaks))
	}
	for _, x := range []struct{ name, from, to, want string }{
		{"Vacances d'Automne", "2026-10-16", "2026-11-02", "2026-10-17 2026-11-01 Vacances d’Automne"},                               // a Friday, after class
		{"Vacances d'Automne", "2026-10-16T15:30:00Z", "2026-11-02T07:30:00Z", "2026-10-17 2026-11-01 Vacances d’Automne"},           // its evening, the morning of return
		{"Vacances d'Automne", "2026-10-21", "2026-11-02", "2026-10-22 2026-11-01 Vacances d’Automne"},                               // a Wednesday: class in the morning
		{"Vacances d'Automne", "2026-11-11", "2026-11-16", "2026-11-11 2026-11-15 Vacances d’Automne"},                               // a public holiday is free
		{"Vacances d'Automne", "2026-10-17T00:00:00+02:00", "2026-11-01T23:59:59+01:00", "2026-10-17 2026-11-01 Vacances d’Automne"}, // until the last minute
		{"Vacances d'Automne", "2026-10-16T22:00:00+00:00", "2026-11-01T23:00:00+00:00", "2026-10-17 2026-11-01 Vacances d’Automne"}, // as the site writes it
		{"Vacances de Noël", "2026-12-18T23:00:00.000Z", "2027-01-03T23:00:00.000Z", "2026-12-19 2027-01-03 Vacances de Noël"},       // and in winter
		{"Pont de l'Ascension", "2026-05-15", "2026-05-16", "2026-05-15 2026-05-17 Pont de l’Ascension"},                             // three ways of the ministry to write one
		{"Vacances d'Automne", "2026-10-20T15:30:00Z", "2026-11-02T07:30:00Z", "2026-10-21 2026-11-01 Vacances d’Automne"},           // a Tuesday's evening: class is over
		{"Vacances d'Automne", "2026-10-19T22:00:00Z", "2026-11-01T23:00:00Z", "2026-10-21 2026-11-01 Vacances d’Automne"},           // that Tuesday, after class
		{"Début des vacances d'été", "2026-10-01", "", "cannot read the calendar: Entrée 1 (ligne 1) : « Début des vacances d’été » (1er octobre 2026) n’a pas de fin, et commence après le 31 août."},
		{"Pont de l'Ascension", "2026-05-14", "2026-05-18", "2026-05-14 2026-05-17 Pont de l’Ascension"},
		{"Pont de l'Ascension", "2026-05-15", "2026-05-15", "2026-05-15 2026-05-17 Pont de l’Ascension"},
		{"Pont de la Fête nationale", "2026-07-13", "2026-07-13", "2026-07-13 2026-07-13 Pont de la Fête nationale"},
		{"Jour sans école", "2026-05-11", "2026-05-12", "2026-05-11 2026-05-11 Jour sans école"}, // free itself
		{"Vacances de Noël", "2026-12-18", "2026-12-19", "cannot read the calendar: Entrée 1 (ligne 1) : « Vacances de Noël » n’a aucun jour sans classe : départ le 18 décembre 2026 après la classe, retour le 19 décembre 2026 au matin."},
	} {
		if got := one(x.name, x.from, x.to); got != x.want {
			t.Errorf("%s %s–%s: %s, want %s", x.name, x.from, x.to, got, x.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for name, want := range map[string]struct {
		line, entry int
		sentence    string
	}{
		"cut.ics":             {100, 0, "Le fichier est coupé : « END:VEVENT » manque (commencé à la ligne 96)"},
		"cut-between.ics":     {0, 0, "Le fichier est coupé : « END:VCALENDAR » manque (commencé à la ligne 1)"},
		"corse.ics":           {0, 0, "aucune date de vacances pour la zone A. Il vaut pour la Corse."},
		"zone-b.ics":          {0, 0, "aucune date de vacances pour la zone A. Il vaut pour la zone B."},
		"ten-years-old.ics":   {0, 0, "Ce calendrier est trop ancien : il s’arrête le 31 août 2016"},
		"overlap.ics":         {0, 0, "« Vacances d’Automne » (à partir du 1er novembre 2025) commence avant la fin de « Vacances de la Toussaint »"},
		"contradiction.ics":   {0, 0, "« Vacances de Noël » a deux dates qui se contredisent"},
		"backwards.ics":       {6, 0, "finit le 4 novembre 2025, avant son début le 20 décembre 2025"},
		"too-long.ics":        {6, 0, "dure 121 jours"},
		"no-end.ics":          {16, 0, "« Vacances d’Hiver » (7 février 2026) n’a pas de fin"},
		"no-such-day.ics":     {8, 0, "La date « 20260230 » n’existe pas"},
		"other-time-zone.ics": {8, 0, "fuseau « America/New_York »"},
		"repeats.ics":         {10, 0, "Cette entrée se répète"},
		"one-page.json":       {0, 0, "Le fichier n’a que 10 entrées sur 245"},
		"cut.json":            {78, 9, "Le fichier est coupé"},
		"corse.json":          {0, 0, "Il vaut pour la Corse, Mayotte."},
		"ten-years-old.json":  {0, 0, "trop ancien : il s’arrête le 3 janvier 2016"},
		"overlap.json":        {0, 2, "les deux se chevauchent"},
		"no-such-day.json":    {0, 2, "La date « 2026-02-30T23:00:00+00:00 » n’existe pas"},
		"no-start.json":       {10, 1, "n’a pas de début"},
		"no-zone.json":        {10, 1, "ne dit pas pour quelle zone"},
		"no-end.json":         {10, 1, "n’a pas de fin"},
		"wrong-shape.json":    {0, 2, "n’a pas la forme attendue"},
	} {
		c, err := Read(fixture(t, name), policy.ZoneA, day("2025-11-26"))
		var e *Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v, %s", name, err, lines(c.Breaks))
			continue
		}
		if !strings.Contains(e.Sentence, want.sentence) || e.Entry != want.entry || want.line > 0 && e.Line != want.line || !strings.HasPrefix(err.Error(), "cannot ") {
			t.Errorf("%s: line %d, entry %d: %s", name, e.Line, e.Entry, e.Sentence)
		}
		if strings.Contains(e.Sentence, "coupé") && e.Line == 0 {
			t.Errorf("%s: no line", name)
		}
	}
	for text, want := range map[string]string{
		"":                                    "Le fichier est vide.",
		"\xef\xbb\xbf \n":                     "Le fichier est vide.",
		"<!doctype html><title>x":             "C’est une page web",
		"zone;debut;fin\n":                    "Ce n’est ni un calendrier ICS",
		"BEGIN:VCALENDAR\nV\xe9\n":            "Ligne 2 : Le texte n’est pas en UTF-8",
		"[1,2":                                "Entrée 1 (ligne 1) : L’entrée n’a pas la forme",
		"{}":                                  "la liste « results » ou « records » manque",
		"[] []":                               "Il y a autre chose derrière",
		"[] x":                                "Il y a autre chose derrière",
		`{"results":3}`:                       "n’est pas une liste",
		`{"results":[],"results":[]}`:         "donnée deux fois",
		`{"total_count":"x"}`:                 "Le nombre d’entrées n’est pas lisible",
		"{\n\"a\":\n!}":                       "Ligne 3",
		"[]":                                  "aucune date de vacances",
		"BEGIN:VEVENT\n":                      "Ligne 1 : « BEGIN:VEVENT » est hors",
		"BEGIN:VCALENDAR\nEND:VEVENT\n":       "Ligne 2 : « END:VEVENT » ne ferme rien",
		"BEGIN:VCALENDAR\nnonsense\n":         "Ligne 2 : « nonsense » n’est pas une ligne",
		"BEGIN:VCALENDAR\nEND:VCALENDAR\nX:1": "Ligne 3 : « X » est hors d’un calendrier",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\nDTSTART:20260102\n":                       "Ligne 4 : « DTSTART » est donné deux fois",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nBEGIN:VEVENT\n":                                             "Ligne 3 : « BEGIN:VEVENT » commence avant",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:X\nEND:VEVENT\nEND:VCALENDAR":                       "Ligne 2 : « X » n’a pas de début",
		"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20260101\nEND:VEVENT\nEND:VCALENDAR":                "Ligne 2 : L’entrée n’a pas de nom",
		"BEGIN:VCALENDAR\nX:" + strings.Repeat("a", maxProperty):                                    "Ligne 2 : Cette ligne est trop longue",
		"BEGIN:VCALENDAR\nX:" + strings.Repeat("\n "+strings.Repeat("a", 1000), maxProperty/1000+1): "Cette ligne est trop longue",
		"BEGIN:VCALENDAR\n" + strings.Repeat("BEGIN:VEVENT\nEND:VEVENT\n", maxEntries+1):            "Trop d’entrées",
		"[" + strings.Repeat("{},", maxEntries) + "{}]":                                             "Trop d’entrées",
		"[" + strings.Repeat(" ", MaxBytes):                                                         "Le fichier est trop gros",
	} {
		_, err := Read([]byte(text), policy.ZoneA, day("2025-11-26"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
	// Many breaks that are all sound are still too many.
	var b strings.Builder
	for i := range maxBreaks + 1 {
		d := day("2026-01-01").AddDate(0, 0, 3*i).Format("20060102")
		fmt.Fprintf(&b, "BEGIN:VEVENT\nDTSTART:%s\nSUMMARY:Jour sans classe %d\nEND:VEVENT\n", d, i)
	}
	if _, err := Read([]byte("BEGIN:VCALENDAR\n"+b.String()+"END:VCALENDAR\n"), policy.ZoneA, day("2025-11-26")); err == nil || !strings.Contains(err.Error(), "Trop de périodes") {
		t.Error(err)
	}
}

// A calendar that covers today only in part is taken, and one that ended
// yesterday is not.
func TestTooOld(t *testing.T) {
	b := fixture(t, "national.ics")
	if c, err := Read(b, policy.ZoneA, day("2026-08-31")); err != nil || c.Until != "2026-08-31" {
		t.Error(err)
	}
	if _, err := Read(b, policy.ZoneA, day("2026-09-01")); err == nil || !strings.Contains(err.Error(), "trop ancien") {
		t.Error(err)
	}
	// What is long over is left out.
	if c, err := Read(b, policy.ZoneA, day("2026-08-31")); err != nil || len(c.Breaks) != 7 {
		t.Error(err, lines(c.Breaks))
	}
	c, err := Read(bytes.Replace(b, []byte("20250705\r\nDTEND;VALUE=DATE:20250901"), []byte("20240706\r\nDTEND;VALUE=DATE:20240902"), 1), policy.ZoneA, day("2026-08-31"))
	if err != nil || c.Breaks[0].Name != "Vacances de la Toussaint" {
		t.Error(err, lines(c.Breaks))
	}
}

// sound checks what every answer promises.
func sound(t testing.TB, c Calendar) {
	t.Helper()
	p := policy.Default()
	p.Hours.School.Breaks = c.Breaks
	for _, x := range p.Check() {
		t.Errorf("%s: %s", x.Field, x.Sentence)
	}
	if len(c.Breaks) == 0 || !slices.IsSortedFunc(c.Breaks, func(a, b policy.Break) int { return strings.Compare(a.From, b.From) }) ||
		c.Until != c.Breaks[len(c.Breaks)-1].To {
		t.Errorf("until %s\n%s", c.Until, lines(c.Breaks))
	}
}

func seed(f *testing.F, ext string) {
	all, err := filepath.Glob(filepath.Join("testdata", "*."+ext))
	if err != nil || len(all) == 0 {
		f.Fatal(err, "no fixture")
	}
	for _, name := range all {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

func fuzz(t *testing.T, b []byte) {
	for _, zone := range Zones() {
		c, err := Read(b, zone, day("2025-11-26"))
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Sentence == "" || len(e.Sentence) > 2000 {
				t.Fatal(err)
			}
			continue
		}
		sound(t, c)
	}
}

func FuzzICS(f *testing.F)  { seed(f, "ics"); f.Fuzz(fuzz) }
func FuzzJSON(f *testing.F) { seed(f, "json"); f.Fuzz(fuzz) }
