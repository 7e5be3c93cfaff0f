package policy

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

func helpHere() (Help, Hours) {
	var week Week
	week[time.Tuesday] = []Span{{From: 9 * 60, To: 12 * 60}, {From: 14 * 60, To: 18 * 60}}
	week[time.Sunday] = []Span{{From: 600, To: 700}}
	here := Default().Hours // weekdays 8 to 18
	here.Weekly[time.Tuesday] = []Span{{From: 10 * 60, To: 17 * 60}}
	here.School = School{Zone: ZoneA, Mode: ModeClosed, Breaks: []Break{{Name: "Noël", From: "2026-12-19", To: "2027-01-03"}}}
	return Help{Permanences: []Permanence{{Who: "Conseillère numérique", Note: "bureau 3", Week: week}}, Near: 4}, here
}

func TestTodaysPermanence(t *testing.T) {
	h, here := helpHere()
	for day, want := range map[string][]Span{
		"2026-11-24": {{From: 600, To: 720}, {From: 840, To: 1020}}, // while the place is open
		"2026-11-25": nil,                                           // a Wednesday
		"2026-11-29": nil,                                           // a Sunday: the place is closed
		"2026-12-22": nil,                                           // the Christmas holidays
		"":           nil, "nonsense": nil,
	} {
		var got []Span
		for _, p := range h.Today(day, here) {
			if p.Who != "Conseillère numérique" || p.Note != "bureau 3" {
				t.Errorf("%s: %+v", day, p)
			}
			for _, s := range p.Week {
				got = append(got, s...)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q: %v, want %v", day, got, want)
		}
	}
	here.Exceptions = []Exception{{Day: "2026-11-24", Why: "Travaux"}}
	if got := h.Today("2026-11-24", here); len(got) != 0 {
		t.Errorf("on a day of works: %+v", got)
	}
	// What a day's permanence says does not change the rules.
	if len(h.Permanences[0].Week[time.Tuesday]) != 2 || len(h.Permanences[0].Week[time.Sunday]) != 1 {
		t.Error("asking changed the permanence")
	}
}

func TestWhenAPlaceOfHelpIsOpen(t *testing.T) {
	hours, err := ParseOSM("Mo-Fr 09:00-12:00; SH off; PH off", ZoneA, 2026)
	if err != nil {
		t.Fatal(err)
	}
	breaks := []Break{{Name: "Noël", From: "2026-12-19", To: "2027-01-03"}}
	p := HelpPlace{Known: true, Hours: hours}
	for day, want := range map[string][]Span{"2026-11-24": {{From: 540, To: 720}}, "2026-11-28": {}, "2026-12-22": {}, "2026-11-11": {}} {
		if got, ok := p.Open(day, breaks); !ok || !slices.Equal(got, want) {
			t.Errorf("%s: %v %v, want %v", day, got, ok, want)
		}
	}
	p.Known = false
	if got, ok := p.Open("2026-11-24", nil); ok || got != nil {
		t.Errorf("hours that nobody knows: %v", got)
	}
}

func TestNoticeAndHelpAreChecked(t *testing.T) {
	h, here := helpHere()
	good := Default()
	good.Hours, good.Help = here, h
	good.Notice = Notice{Responsible: "Département", DPO: "dpo@example.org", Charter: []string{"Pas de nourriture."}}
	if found := good.Check(); len(found) != 0 {
		t.Fatalf("%+v", found)
	}
	long := strings.Repeat("é", MaxContact+1)
	for _, c := range []struct {
		field, says string
		change      func(*Policy)
	}{
		{"notice.responsible", "trop long", func(p *Policy) { p.Notice.Responsible = long }},
		{"notice.dpo", "une seule ligne", func(p *Policy) { p.Notice.DPO = "a\nb" }},
		{"notice.charter", "4 règles", func(p *Policy) { p.Notice.Charter = make([]string, MaxRules+1) }},
		{"notice.charter.0", "vide", func(p *Policy) { p.Notice.Charter = []string{" "} }},
		{"notice.charter.1", "trop long", func(p *Policy) { p.Notice.Charter = []string{"a", long} }},
		{"help.near", "entre 0 et 6", func(p *Policy) { p.Help.Near = 7 }},
		{"help.permanences", "6 permanences", func(p *Policy) { p.Help.Permanences = make([]Permanence, MaxPermanences+1) }},
		{"help.permanences.0.who", "qui aide", func(p *Policy) { p.Help.Permanences[0].Who = "" }},
		{"help.permanences.0.note", "une seule ligne", func(p *Policy) { p.Help.Permanences[0].Note = "\u2028" }},
		{"help.permanences.0.week", "aucun horaire", func(p *Policy) { p.Help.Permanences[0].Week = Week{} }},
		{"help.permanences.0.week.2", "chevauchent", func(p *Policy) {
			p.Help.Permanences[0].Week[2] = []Span{{From: 60, To: 120}, {From: 90, To: 180}}
		}},
	} {
		p := good
		p.Help.Permanences = slices.Clone(good.Help.Permanences)
		c.change(&p)
		found := p.Check()
		if !slices.ContainsFunc(found, func(x Problem) bool {
			return (x.Field == c.field || strings.HasPrefix(x.Field, c.field+".")) && strings.Contains(x.Sentence, c.says)
		}) {
			t.Errorf("%s: nothing says %q: %v", c.field, c.says, fmt.Sprint(found))
		}
	}
}
