package policy

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

func one(from, to int) []Span { return []Span{{from, to}} }

// college is open on weekdays while its staff is there, closed in the holidays
// but for a « permanence », with one evening a month under an agreement.
func college() Hours {
	day := one(8*60, 18*60)
	week := Week{nil, day, day, day, day, day, nil}
	return Hours{Weekly: week, Duty: week, Guarded: true, Public: Public{Mode: ModeClosed},
		School: School{Zone: ZoneA, Mode: ModeWeekly, Weekly: Week{2: one(9*60, 12*60)},
			Breaks: []Break{{"Vacances de Noël", "2026-12-19", "2027-01-03"}, {"Vacances d’hiver", "2027-02-13", "2027-02-28"}}},
		Monthly:    []Monthly{{Nth: 1, Day: 2, Spans: one(18*60, 20*60), Why: "Soirée des parents"}},
		Agreements: []Agreement{{From: "2026-11-01", To: "2026-12-31", By: "Mme Durand", Agreed: "2026-10-12", Key: "M. Petit"}}}
}

func at(s string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", s, Location())
	if err != nil {
		panic(err)
	}
	return t
}

func TestOpeningTellsWhySinceAndUntil(t *testing.T) {
	h := college()
	for _, c := range []struct {
		at, since, until string
		open             bool
		cause            Cause
		why              string
		outside          bool
	}{
		{"2026-11-30 10:00", "2026-11-30 08:00", "2026-11-30 18:00", true, CauseWeekly, "", false},
		{"2026-11-30 18:00", "2026-11-30 18:00", "2026-12-01 08:00", false, CauseWeekly, "", false},
		{"2026-12-01 19:00", "2026-12-01 08:00", "2026-12-01 20:00", true, CauseMonthly, "Soirée des parents", true},
		{"2026-12-22 10:00", "2026-12-18 18:00", "2026-12-29 09:00", false, CauseNoAgreement, "", false}, // nobody of the staff is there in the holidays: see below
		{"2027-01-05 18:30", "2027-01-05 18:00", "2027-01-06 08:00", false, CauseNoAgreement, "", false}, // the agreement is over
		{"2026-12-25 12:00", "2026-12-22 12:00", "2026-12-29 09:00", false, CausePublic, "Noël", false},
		{"2026-12-21 12:00", "2026-12-18 18:00", "2026-12-22 09:00", false, CauseSchool, "Vacances de Noël", false},
	} {
		h := h
		if c.at == "2026-12-22 10:00" {
			h.Agreements = slices.Clone(h.Agreements)
			h.Agreements[0].To = "2026-12-20"
			h.Agreements = append(h.Agreements, Agreement{From: "2026-12-29", To: "2026-12-29"})
		}
		o := h.At(at(c.at), Location())
		if o.Open != c.open || !o.Since.Equal(at(c.since)) || !o.Until.Equal(at(c.until)) || o.Cause != c.cause || o.Why != c.why || o.Outside != c.outside {
			t.Errorf("at %s: %+v", c.at, o)
		}
	}
	if o := (Hours{Always: true}).At(at("2026-12-25 03:00"), Location()); !o.Open || o.Cause != CauseAlways || !o.Until.IsZero() {
		t.Errorf("always: %+v", o)
	}
	if o := (Hours{}).At(at("2026-12-25 03:00"), Location()); o.Open || !o.Until.IsZero() {
		t.Errorf("never: %+v", o)
	}
}

func TestAgreementThatEndsOrIsSuspendedCloses(t *testing.T) {
	h := college()
	evening := at("2026-12-01 18:30")
	if !h.At(evening, Location()).Open {
		t.Fatal("closed under an agreement")
	}
	h.Agreements[0].Suspended = true
	if o := h.At(evening, Location()); o.Open || o.Cause != CauseNoAgreement {
		t.Errorf("suspended: %+v", o)
	}
	h.Agreements[0].Suspended, h.Agreements[0].To = false, "2026-11-30"
	if o := h.At(evening, Location()); o.Open || o.Cause != CauseNoAgreement {
		t.Errorf("over: %+v", o)
	}
	if o := h.At(at("2026-12-01 17:59"), Location()); !o.Open || !o.Until.Equal(at("2026-12-01 18:00")) {
		t.Errorf("in the hours of staff: %+v", o)
	}
}

func TestHoursNobodyCanMeetAreRefusedWithTheReason(t *testing.T) {
	now := at("2026-11-26 10:00")
	for _, c := range []struct {
		field, says string
		change      func(*Hours)
	}{
		{"hours.weekly.1.1", "se chevauchent : de 8\u00a0h à 12\u00a0h, et de 11\u00a0h 30", func(h *Hours) { h.Weekly[1] = []Span{{480, 720}, {690, 800}} }},
		{"hours.weekly.1", "chevauche celle du lendemain", func(h *Hours) { h.Weekly[1] = one(1200, 1440+500) }},
		{"hours.weekly.3.0", "commencer dans la journée", func(h *Hours) { h.Weekly[3] = one(700, 600) }},
		{"hours.seasons.0", "avant le premier", func(h *Hours) { h.Seasons = []Season{{"Été", "2027-08-31", "2027-07-01", h.Weekly}} }},
		{"hours.seasons.0", "n’existe pas", func(h *Hours) { h.Seasons = []Season{{"Été", "2027-02-29", "2027-07-01", h.Weekly}} }},
		{"hours.seasons.0", "trop long", func(h *Hours) { h.Seasons = []Season{{"Été", "2027-02-01", "2037-07-01", h.Weekly}} }},
		{"hours.seasons.0.name", "un nom", func(h *Hours) { h.Seasons = []Season{{" ", "2027-02-01", "2027-07-01", h.Weekly}} }},
		{"hours.monthly.0.nth", "premier", func(h *Hours) { h.Monthly[0].Nth = 5 }},
		{"hours.monthly.0.day", "jour de la semaine", func(h *Hours) { h.Monthly[0].Day = 7 }},
		{"hours.monthly.0.spans", "quelle heure", func(h *Hours) { h.Monthly[0].Spans = nil }},
		{"hours.monthly.0.from", "année-mois-jour", func(h *Hours) { h.Monthly[0].From = "demain" }},
		{"hours.exceptions.1.day", "deux exceptions pour le mercredi 23 décembre 2026", func(h *Hours) {
			h.Exceptions = []Exception{{Day: "2026-12-20", To: "2026-12-24"}, {Day: "2026-12-23"}}
		}},
		{"hours.exceptions.0.spans", "en plus", func(h *Hours) { h.Exceptions = []Exception{{Day: "2026-12-20", Add: true}} }},
		{"hours.school.zone", "A, B ou C", func(h *Hours) { h.School.Zone = "D" }},
		{"hours.school.mode", "vacances", func(h *Hours) { h.School.Mode = "maybe" }},
		{"hours.public.mode", "fériés", func(h *Hours) { h.Public.Mode = ModeWeekly }},
		{"hours.public.worked.0", "n’est pas un jour férié", func(h *Hours) { h.Public.Worked = []string{"birthday"} }},
		{"hours.agreements.0.key", "clé", func(h *Hours) { h.Agreements[0].Key = " " }},
		{"hours.agreements.0.by", "accord", func(h *Hours) { h.Agreements[0].By = "" }},
		{"hours.agreements.0.agreed", "jour de l’accord", func(h *Hours) { h.Agreements[0].Agreed = "" }},
		{"hours.agreements.0.agreed", "à venir", func(h *Hours) { h.Agreements[0].Agreed = "2026-11-27" }},
		{"hours.always", "jour et nuit", func(h *Hours) { h.Always = true }},
		{"hours.agreements.0.contact", "adresse", func(h *Hours) { h.Agreements[0].Contact = "la loge" }},
		{"hours", "jamais ouvert", func(h *Hours) { *h = Hours{} }},
		{"hours", "plus jamais", func(h *Hours) { *h = Hours{Exceptions: []Exception{{Day: "2026-11-20", Spans: one(480, 600)}}} }},
		// Where no agreement is asked for, somebody is named who holds the key.
		{"hours.agreements", "Le mardi 1er décembre 2026, l’ouverture de 18\u00a0h à 20\u00a0h est en dehors des heures où le personnel est là", func(h *Hours) { h.Guarded, h.Agreements = false, nil }},
	} {
		p := Default()
		p.Hours = college()
		if found := p.CheckAt(now, Location()); len(found) > 0 {
			t.Fatalf("sound hours: %+v", found)
		}
		c.change(&p.Hours)
		if found := p.CheckAt(now, Location()); len(found) == 0 || !slices.ContainsFunc(found, func(x Problem) bool {
			return x.Field == c.field && strings.Contains(strings.ReplaceAll(x.Sentence, "h\u00a030", "h 30"), c.says)
		}) {
			t.Errorf("want %s %q, have %+v", c.field, c.says, found)
		}
	}
}

// TestOfficesKeepTheirStaffInSchoolHolidays: school holidays are a school's, and
// a public holiday on which a place works is one of its days.
func TestOfficesKeepTheirStaffInSchoolHolidays(t *testing.T) {
	p := Default()
	p.Hours = college()
	h := &p.Hours
	h.Guarded, h.Agreements, h.Monthly, h.School.Mode = false, nil, nil, ModeUsual
	h.Public.Worked = []string{"whit-monday"}
	if found := p.CheckAt(at("2026-11-26 10:00"), Location()); len(found) > 0 {
		t.Errorf("an office in the school holidays: %+v", found)
	}
	for _, when := range []string{"2026-12-21 10:00", "2027-05-17 10:00"} {
		if o := h.At(at(when), Location()); !o.Open || o.Outside {
			t.Errorf("at %s: %+v", when, o)
		}
	}
	h.Guarded = true // in a school nobody is there
	if o := h.At(at("2026-12-21 10:00"), Location()); o.Open || o.Cause != CauseNoAgreement {
		t.Errorf("a school in its holidays: %+v", o)
	}
}

// TestKeysAreAskedForSoonOpenings: nobody knows who will hold the key in a year.
func TestKeysAreAskedForSoonOpenings(t *testing.T) {
	now := at("2026-11-26 10:00")
	p := Default()
	p.Hours = college()
	p.Hours.Guarded = false
	p.Hours.Agreements[0].To = "2027-03-31"
	if found := p.CheckAt(now, Location()); len(found) > 0 {
		t.Errorf("named for the next three months: %+v", found)
	}
	if w := p.Hours.Warnings(now, 366, Location()); !slices.ContainsFunc(w, func(x Warning) bool { return strings.Contains(x.Sentence, "À partir du mardi 6 avril 2027") }) {
		t.Errorf("what comes later is not warned of: %+v", w)
	}
	p.Hours.Agreements[0].To = "2026-12-31"
	if found := p.CheckAt(now, Location()); len(found) != 1 || found[0].Field != FieldKeys || !strings.Contains(found[0].Sentence, "mardi 5 janvier 2027") {
		t.Errorf("nobody is named in January: %+v", found)
	}
}

func TestAgreementsThatAreOverNeedNoNames(t *testing.T) {
	p := Default()
	p.Hours = college()
	p.Hours.Agreements = append(p.Hours.Agreements, Agreement{From: "2025-01-01", To: "2025-06-30"})
	if found := p.CheckAt(at("2026-11-26 10:00"), Location()); len(found) > 0 {
		t.Errorf("%+v", found)
	}
}

func TestVacantIsWhenEverybodyHasLeft(t *testing.T) {
	noon := []Span{{480, 720}, {840, 1080}} // 8–12, 14–18
	h := Hours{Weekly: Week{1: noon, 2: noon}}
	long := h
	long.Duty = Week{1: one(7*60, 19*60), 2: one(7*60, 19*60)}
	for _, c := range []struct {
		h    Hours
		at   string
		want string
	}{
		{h, "2026-11-30 13:00", ""},                 // lunch: who works there is there
		{h, "2026-11-30 18:31", "2026-11-30 18:00"}, // the evening
		{h, "2026-12-02 10:00", "2026-12-01 18:00"},
		{h, "2026-11-30 10:00", ""}, // open
		{long, "2026-11-30 13:00", ""},
		{long, "2026-11-30 18:31", ""}, // the public has left, the staff has not
		{long, "2026-11-30 19:31", "2026-11-30 19:00"},
		{long, "2026-12-01 06:00", "2026-11-30 19:00"},
		{college(), "2026-12-01 20:31", "2026-12-01 20:00"}, // the evening under an agreement
		{college(), "2026-12-22 12:31", "2026-12-22 12:00"}, // and the « permanence »
	} {
		got := c.h.At(at(c.at), Location()).Vacant
		if c.want == "" && !got.IsZero() || c.want != "" && !got.Equal(at(c.want)) {
			t.Errorf("at %s vacant since %v, want %s", c.at, got, c.want)
		}
	}
}

func TestHoldersAreThoseOfTheOpening(t *testing.T) {
	h := college()
	h.Agreements[0].Contact = "loge@example.org"
	holders := func(when string) []string { return h.Holders(h.At(at(when), Location()), at(when), Location()) }
	for when, want := range map[string]int{"2026-12-01 19:00": 1, "2026-12-01 20:31": 1, "2026-12-01 09:00": 0, "2026-11-30 18:31": 0} {
		if got := holders(when); len(got) != want {
			t.Errorf("at %s: %v", when, got)
		}
	}
}

func TestWarnings(t *testing.T) {
	now := at("2026-11-26 10:00")
	says := func(h Hours, want string) {
		t.Helper()
		w := h.Warnings(now, 120, Location())
		if !slices.ContainsFunc(w, func(x Warning) bool { return strings.Contains(x.Sentence, want) }) {
			t.Errorf("no warning says %q: %+v", want, w)
		}
	}
	h := college()
	says(h, "Le mardi 5 janvier 2027, de 18\u00a0h à 20\u00a0h : personne n’a donné son accord")
	h.School.Breaks = h.School.Breaks[:1]
	says(h, "ne sont connues que jusqu’au dimanche 3 janvier 2027")
	h.School.Breaks = nil
	says(h, "zone A ne sont pas connues")
	h = college()
	h.Exceptions = []Exception{{Day: "2026-12-22", Why: "Travaux"}}
	says(h, "Le mardi 22 décembre 2026 (Travaux) : fermé pendant la permanence du mardi (9\u00a0h – 12\u00a0h)")
	h.Exceptions = []Exception{{Day: "2026-12-01", Why: "Grève"}}
	says(h, "Le mardi 1er décembre 2026 (Grève) : l’ouverture du premier mardi du mois n’a pas lieu")
	h.Agreements[0].Suspended = true
	says(h, "est suspendu")
	h = college()
	h.Agreements[0].To = "2026-12-10"
	says(h, "L’accord se termine le jeudi 10 décembre 2026")
	says(Hours{Exceptions: []Exception{{Day: "2020-01-01", Spans: one(480, 600)}}}, "n’ouvre jamais dans les 120 jours")
	h = college()
	h.Seasons = []Season{{Name: "Travaux d’hiver", From: "2027-01-10", To: "2027-01-20"}}
	says(h, "Pendant « Travaux d’hiver », ce lieu n’ouvre jamais")
	// Nothing is said of hours that are as they are meant.
	h = college()
	h.Agreements[0].To = "2027-12-31"
	h.School.Breaks = append(h.School.Breaks, Break{"Printemps", "2027-04-10", "2027-04-25"})
	h.School.Weekly[2] = nil
	h.School.Weekly[4] = one(540, 720)
	if w := h.Warnings(now, 120, Location()); len(w) > 0 {
		t.Errorf("warnings of sound hours: %+v", w)
	}
}

func TestDescribeTellsEachChangeOnce(t *testing.T) {
	was, is := college(), college()
	if d := Describe(was, is); len(d) != 0 {
		t.Errorf("of nothing: %q", d)
	}
	is.Weekly[5] = one(480, 720)
	is.Exceptions = []Exception{{Day: "2026-12-04", Spans: one(480, 720)}}
	is.Monthly = nil
	is.Public.Worked = []string{"whit-monday"}
	is.School.Mode = ModeClosed
	is.Agreements[0].Key = "Mme Roux"
	is.Meanwhile = "La mairie"
	want := []string{
		"vendredi : 8\u00a0h – 12\u00a0h (avant : 8\u00a0h – 18\u00a0h).",
		"Pendant les vacances scolaires : fermé.",
		"Ouvert comme d’habitude : Lundi de Pentecôte.",
		"Ajouté : vendredi 4 décembre 2026, 8\u00a0h – 12\u00a0h.",
		"Retiré : le premier mardi de chaque mois, 18\u00a0h – 20\u00a0h.",
		"Changé : accord du dimanche 1er novembre 2026 au jeudi 31 décembre 2026.",
		"Texte de l’écran de fermeture : « La mairie ».",
	}
	if d := Describe(was, is); !slices.Equal(d, want) {
		t.Errorf("%q", d)
	}
}

func TestTerminalsAreNotToldWhoHoldsTheKey(t *testing.T) {
	p := Default()
	p.Hours = college()
	b, err := json.Marshal(p.ForTerminal())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"Durand", "Petit", "2026-10-12"} {
		if strings.Contains(string(b), s) {
			t.Errorf("a terminal is told %q", s)
		}
	}
	if p.Hours.Agreements[0].Key != "M. Petit" {
		t.Error("the controller's own copy was changed")
	}
	evening := at("2026-12-01 18:30")
	if !p.ForTerminal().Hours.At(evening, Location()).Open {
		t.Error("it closes without the names")
	}
}

func TestDaysOfAPreview(t *testing.T) {
	h := college()
	all := h.Days("2026-12-01", 25)
	if len(all) != 25 || all[0].Spans[1].Cause != CauseMonthly || !all[0].Spans[1].Outside || all[0].Spans[1].Refused {
		t.Errorf("first day: %+v", all[0])
	}
	if d := all[24]; d.Public != "Noël" || d.School != "Vacances de Noël" || d.Cause != CausePublic || len(d.Spans) != 0 {
		t.Errorf("Christmas: %+v", d)
	}
	if all := (Hours{Always: true}).Days("2026-12-25", 1); len(all[0].Spans) != 1 || all[0].Spans[0].To != 1440 {
		t.Errorf("always: %+v", all)
	}
	if all := h.Days("demain", 3); len(all) != 0 {
		t.Errorf("from no day: %+v", all)
	}
}
