package calendar

import (
	"strings"
	"testing"
	"time"

	"borne/controller/policy"
)

func names(all []policy.Break) string {
	var s []string
	for _, b := range all {
		s = append(s, b.Name)
	}
	return strings.ReplaceAll(strings.Join(s, " "), "Vacances ", "")
}

func TestAFileOverTheOneInForce(t *testing.T) {
	b := func(name, from, to string) policy.Break { return policy.Break{Name: name, From: from, To: to} }
	toussaint, noel, hiver, printemps, ete := b("Vacances Toussaint", "2026-10-17", "2026-11-01"), b("Vacances Noël", "2026-12-19", "2027-01-03"), b("Vacances Hiver", "2027-02-13", "2027-02-28"), b("Vacances Printemps", "2027-04-10", "2027-04-25"), b("Vacances Été", "2027-07-03", "2027-08-31")
	next := b("Vacances Toussaint27", "2027-10-23", "2027-11-07")
	whole := []policy.Break{toussaint, noel, hiver, printemps, ete}
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, policy.Location())
	for _, c := range []struct {
		what   string
		force  []policy.Break
		file   []policy.Break
		anyway bool
		want   string
		fails  string
	}{
		{"the first one", nil, whole, false, "Toussaint Noël Hiver Printemps Été", ""},
		{"the same again", whole, whole, false, "Toussaint Noël Hiver Printemps Été", ""},
		{"some days later", whole, []policy.Break{toussaint, b("Vacances Noël2", "2026-12-20", "2027-01-04"), hiver, printemps, ete}, false, "Toussaint Noël2 Hiver Printemps Été", ""},
		{"the next year alone", whole, []policy.Break{next}, false, "Toussaint Noël Hiver Printemps Été Toussaint27", ""},
		{"an older file", append(whole, next), whole, false, "Toussaint Noël Hiver Printemps Été Toussaint27", ""},
		{"a hole as the ministry leaves one", whole, []policy.Break{toussaint, ete}, false, "Toussaint Noël Hiver Printemps Été", ""},
		{"Christmas is missing", whole, []policy.Break{toussaint, hiver, printemps, ete}, false, "", "« Vacances Noël », du 19 décembre 2026 au 3 janvier 2027"},
		{"and it is meant", whole, []policy.Break{toussaint, hiver, printemps, ete}, true, "Toussaint Hiver Printemps Été", ""},
		{"one that is over is missing", whole, []policy.Break{b("Vacances Été26", "2026-07-04", "2026-08-31"), noel, hiver, printemps, ete}, false, "Été26 Noël Hiver Printemps Été", ""},
		{"nothing is known before July", nil, []policy.Break{ete}, false, "", "ne dit rien avant le 3 juillet 2027"},
	} {
		got, err := Calendar{Breaks: c.file, Until: c.file[len(c.file)-1].To}.Over(c.force, now, c.anyway)
		switch {
		case c.fails != "":
			if err == nil || !strings.Contains(err.Sentence, c.fails) {
				t.Errorf("%s: %v, want %q", c.what, err, c.fails)
			}
		case err != nil:
			t.Errorf("%s: %v", c.what, err)
		case names(got.Breaks) != c.want || got.Until != got.Breaks[len(got.Breaks)-1].To:
			t.Errorf("%s: %s until %s, want %s", c.what, names(got.Breaks), got.Until, c.want)
		}
	}
}

func TestSomebodysOwnCalendarIsNoSchools(t *testing.T) {
	now := time.Date(2026, 11, 26, 10, 0, 0, 0, policy.Location())
	event := func(name string) string {
		return "BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:20261219\r\nDTEND;VALUE=DATE:20270104\r\nSUMMARY:" + name + "\r\nEND:VEVENT\r\n"
	}
	file := func(names ...string) []byte {
		s := "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n"
		for _, n := range names {
			s += event(n)
		}
		return []byte(s + "END:VCALENDAR\r\n")
	}
	if _, err := Read(file("Vacances de Noël"), policy.ZoneA, now); err != nil {
		t.Errorf("a calendar without a zone: %v", err)
	}
	for _, c := range []struct{ name, want string }{{"Dentiste", "« Dentiste » n’est pas une période de vacances"}} {
		if _, err := Read(file(c.name), policy.ZoneA, now); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	c, err := Read(file("Pont du Gard"), policy.ZoneA, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Over(nil, now, false); err == nil || !strings.Contains(err.Sentence, "n’a aucune période") {
		t.Errorf("a file of bridges alone: %v", err)
	}
}
