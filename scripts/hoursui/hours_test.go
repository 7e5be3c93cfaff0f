// Package hoursui plays somebody of a building's staff, never trained, at the
// console's page of hours: a real controller, real Chromium, by mouse and by
// keyboard alone; what they did is then asked of the API and the evaluator.
package hoursui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"borne/controller/api"
	"borne/controller/demo"
	"borne/controller/policy"
	"borne/scripts/consoletest"
)

const (
	most    = 12          // actions that a task by mouse takes at most
	minute  = time.Minute // that a task takes at most
	someone = 2 * time.Second
)

var zone = policy.Location()

// calendar is the summer's part of the official one, after class on a Friday.
const calendar = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//OpenDataSoft//data.education.gouv.fr//FR\r\nBEGIN:VEVENT\r\nDTSTAMP:20250114T124531Z\r\nUID:1\r\n" +
	"DTSTART;VALUE=DATE:20270703\r\nDTEND;VALUE=DATE:20270901\r\nSUMMARY:Vacances d'Été - Zone A\r\nLOCATION:Zone A\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"

func span(from, to int) []policy.Span { return []policy.Span{{From: from, To: to}} }

// usual are hours that the test knows: weekdays 8 to 12 and 13:30 to 17:30,
// Wednesday in the morning only, closed on public holidays.
func usual(h *policy.Hours) {
	day := []policy.Span{{From: 480, To: 720}, {From: 810, To: 1050}}
	*h = policy.Hours{Weekly: policy.Week{nil, day, day, span(480, 720), day, day, nil}, Public: policy.Public{Mode: policy.ModeClosed}}
}

func at(day string, clock string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", day+" "+clock, zone)
	if err != nil {
		panic(err)
	}
	return t
}

// open asks the evaluator; want is "open" or "closed".
func (s *stage) open(day, clock string, want bool) {
	s.t.Helper()
	if o := s.hours().Hours.At(at(day, clock), zone); o.Open != want {
		s.t.Errorf("%s at %s: open %v (%s %s), want %v", day, clock, o.Open, o.Cause, o.Why, want)
	}
}

// quick says what a task took and fails when it was too much. A person who reads
// takes longer than a browser that is driven: each action counts two seconds more.
func (s *stage) quick(task string, p consoletest.Answer) {
	s.t.Helper()
	took := time.Duration(p.MS) * time.Millisecond
	s.t.Logf("%-14s %3d actions, %s", task, p.Actions, took)
	mouse := strings.HasSuffix(task, "mouse")
	if mouse && p.Actions >= most {
		s.t.Errorf("%s takes %d actions", task, p.Actions)
	}
	if mouse && took+time.Duration(p.Actions)*someone > minute || took > minute {
		s.t.Errorf("%s takes %s and %d actions: more than a minute", task, took, p.Actions)
	}
}

func TestBuildingStaff(t *testing.T) {
	s := newStage(t)
	s.set(usual)
	s.Play("login", "url", s.staff())

	for _, by := range []string{"mouse", "keys"} {
		t.Run("next Friday afternoon by "+by, func(t *testing.T) {
			s.t = t
			s.set(usual)
			s.quick("close-"+by, s.Play("close-"+by, "why", "Réunion de l’équipe"))
			s.open("2027-03-12", "11:59", true)
			s.open("2027-03-12", "12:00", false)
			s.open("2027-03-12", "14:00", false)
			s.open("2027-03-11", "14:00", true)
			s.open("2027-03-19", "14:00", true)
			if o := s.hours().Hours.At(at("2027-03-12", "14:00"), zone); o.Why != "Réunion de l’équipe" {
				t.Errorf("the closed screen says %q", o.Why)
			}
		})
		t.Run("first Tuesday of each month by "+by, func(t *testing.T) {
			s.t = t
			s.set(usual)
			s.quick("monthly-"+by, s.Play("monthly-"+by, "until", "20h30"))
			h, evenings := s.hours().Hours, 0
			for d := begun; d.Before(begun.AddDate(1, 0, 0)); d = d.AddDate(0, 0, 1) {
				first := d.Weekday() == time.Tuesday && d.Day() <= 7
				if first {
					evenings++
				}
				for _, clock := range []string{"18:00", "20:29"} {
					if o := h.At(at(d.Format(time.DateOnly), clock), zone); o.Open != first {
						t.Errorf("%s at %s: open %v", d.Format(time.DateOnly), clock, o.Open)
					}
				}
				if o := h.At(at(d.Format(time.DateOnly), "20:30"), zone); o.Open {
					t.Errorf("%s: open at 20:30", d.Format(time.DateOnly))
				}
			}
			if evenings != 12 {
				t.Errorf("%d evenings in a year", evenings)
			}
			s.open("2027-04-06", "17:30", true) // it does not close in between
		})
	}
	t.Run("summer hours by mouse", func(t *testing.T) {
		s.t = t
		s.set(usual)
		s.quick("season-mouse", s.Play("season-mouse", "from", "2027-07-05", "to", "2027-08-27", "until", "13h"))
		s.summer("2027-07-05", "2027-08-27")
	})
	t.Run("summer hours by keyboard", func(t *testing.T) {
		s.t = t
		s.set(usual)
		s.quick("season-keys", s.Play("season-keys", "until", "13"))
		s.summer("2027-07-01", "2027-08-31")
	})
	t.Run("summer hours where school holidays close", func(t *testing.T) {
		s.t = t
		s.call("PUT", "/api/calendars/A", []byte(calendar), nil)
		s.set(func(h *policy.Hours) { usual(h); h.School = policy.School{Zone: policy.ZoneA, Mode: policy.ModeClosed} })
		s.open("2027-07-05", "10:00", false)
		s.quick("season-mouse", s.Play("season-mouse", "from", "2027-07-01", "to", "2027-08-31", "until", "13h"))
		s.summer("2027-07-01", "2027-08-31")
	})
	t.Run("hours as text", func(t *testing.T) {
		s.t = t
		s.set(usual)
		s.Play("text-mouse", "text", "Tu 10:00-12:00; PH off; SH off")
		if h := s.hours().Hours; fmt.Sprint(h.Weekly) != "[[] [] [{600 720}] [] [] [] []]" || h.School.Mode != policy.ModeClosed || h.Public.Mode != policy.ModeClosed {
			t.Errorf("read as %+v", h)
		}
	})
	t.Run("an evening of a collège", func(t *testing.T) {
		s.t = t
		s.set(func(h *policy.Hours) { usual(h); h.Duty, h.Guarded = h.Weekly, true })
		s.quick("accord-mouse", s.Play("accord-mouse", "by", "Mme Bonnard, principale", "key", "M. Ours, gardien"))
		s.open("2027-03-16", "19:00", true) // the next Tuesday
		s.open("2027-03-16", "20:00", false)
		a := s.hours().Hours.Agreements
		if len(a) != 1 || a[0].From != "2027-03-16" || a[0].To != "2027-03-16" || a[0].By != "Mme Bonnard, principale" || a[0].Key != "M. Ours, gardien" || a[0].Agreed != "2027-03-10" {
			t.Errorf("the agreement is %+v", a)
		}
		s.quick("suspend-mouse", s.Play("suspend-mouse"))
		s.open("2027-03-16", "19:00", false)
		s.open("2027-03-16", "17:00", true)
		s.quick("suspend-mouse", s.Play("suspend-mouse")) // and resumed
		s.open("2027-03-16", "19:00", true)
	})
	t.Run("an evening where staff is there by day only", func(t *testing.T) {
		s.t = t
		s.set(func(h *policy.Hours) { usual(h); h.Duty = h.Weekly })
		s.quick("accord-mouse", s.Play("accord-mouse", "by", "", "key", "Mme Vial, agent d’accueil"))
		s.open("2027-03-16", "19:00", true)
		if a := s.hours().Hours.Agreements; len(a) != 1 || a[0].From != "2027-03-10" || a[0].Key != "Mme Vial, agent d’accueil" || a[0].By != "" {
			t.Errorf("the agreement is %+v", a)
		}
	})
	t.Run("a Saturday where staff is there by day only", func(t *testing.T) {
		s.t = t
		s.set(func(h *policy.Hours) { usual(h); h.Duty = h.Weekly })
		s.quick("key-mouse", s.Play("key-mouse", "key", "Mme Vial"))
		s.open("2027-03-13", "09:10", true)
	})
	t.Run("the week", func(t *testing.T) {
		s.t = t
		s.set(usual)
		s.quick("grid-mouse", s.Play("grid-mouse"))
		if got := fmt.Sprint(s.hours().Hours.Weekly[time.Saturday]); got != "[{540 720}]" {
			t.Errorf("Saturday is %s", got)
		}
		var changes api.HoursChanges
		s.call("GET", "/api/sites/"+demo.Site+"/hours/changes", nil, &changes)
		if c := changes.Changes[0]; c.Note != "Essai du samedi" || c.By != "Camille Perrollaz" || len(c.Sentences) != 1 {
			t.Errorf("the change is %+v", c)
		}
		s.Play("undone")
		if got := s.hours().Hours.Weekly[time.Saturday]; len(got) != 0 {
			t.Errorf("Saturday is %v after it was taken back", got)
		}
		s.quick("grid-keys", s.Play("grid-keys"))
		if got := fmt.Sprint(s.hours().Hours.Weekly[time.Wednesday]); got != "[{480 720} {780 840}]" {
			t.Errorf("Wednesday is %s", got)
		}
		s.Play("undone-later")
		s.open("2027-03-17", "13:30", false)
	})
	t.Run("a day of the year", func(t *testing.T) {
		s.t = t
		s.set(usual)
		s.quick("year-keys", s.Play("year-keys", "day", "2027-03-25"))
		s.open("2027-03-25", "10:00", false)
		s.open("2027-03-26", "10:00", true)
		s.Play("leave", "other", "#/sites/demo-blanchard/hours/demo-blanchard-multimedia")
		s.open("2027-03-25", "10:00", false)
	})
	t.Run("nothing else", func(t *testing.T) {
		s.t = t
		s.Play("nothing-else")
	})
	t.Run("for everybody", func(t *testing.T) {
		s.t = t
		s.Play("access")
	})
	t.Run("a space of its own", func(t *testing.T) {
		s.t = t
		s.set(usual)
		s.quick("space-mouse", s.Play("space-mouse", "hash", "#/sites/"+demo.Site+"/hours/demo-blanchard-multimedia"))
		var v api.HoursView
		s.call("GET", "/api/spaces/demo-blanchard-multimedia/hours", nil, &v)
		if o := v.Hours.At(at("2027-03-12", "14:00"), zone); !v.Own || o.Open {
			t.Errorf("own %v, open %v on Friday afternoon", v.Own, o.Open)
		}
		s.open("2027-03-12", "14:00", true) // the site as before
	})
	t.Run("somebody else at the same time", func(t *testing.T) {
		s.t = t
		s.set(usual)
		late := func(h *policy.Hours) { h.Weekly[time.Monday] = span(480, 1200) }
		s.Play("login", "url", s.staff()) // at the site again
		s.Play("meanwhile-open")
		s.set(late)
		s.Play("meanwhile-save")
		s.open("2027-03-12", "14:00", false)
		s.open("2027-03-15", "19:00", true)
		s.Play("theirs-drop")
		s.set(func(h *policy.Hours) { h.Weekly[time.Monday] = span(480, 1260) })
		s.Play("theirs-save")
		s.open("2027-03-12", "14:00", false)
		s.open("2027-03-15", "20:30", true)
		s.set(func(h *policy.Hours) { h.Weekly[time.Monday] = span(480, 1290) })
		s.Play("late-revert")
		s.open("2027-03-15", "21:00", true)
	})
	t.Run("other places", func(t *testing.T) {
		s.t = t
		s.set(usual)
		s.setOf("demo-rousseau", func(h *policy.Hours) { usual(h); h.Weekly[time.Saturday] = span(540, 720) })
		s.setOf("demo-verney", usual)
		s.Play("login", "url", s.link(nil), "hash", "#/sites/"+demo.Site+"/hours")
		s.quick("holidays-mouse", s.Play("holidays-mouse", "worked", "whit-monday"))
		s.open("2027-05-17", "10:00", true)
		s.open("2027-05-06", "10:00", false) // Ascension
		s.quick("copy-mouse", s.Play("copy-mouse", "from", "demo-rousseau"))
		s.open("2027-03-13", "10:00", true)
		s.quick("apply-mouse", s.Play("apply-mouse", "onto", []string{"demo-verney", "demo-bonneville"}))
		for _, site := range []string{"demo-verney", "demo-bonneville"} {
			if o := s.hoursOf(site).Hours.At(at("2027-03-13", "10:00"), zone); !o.Open {
				t.Errorf("%s is closed on Saturday", site)
			}
		}
	})
	s.t = t
}

// summer checks hours of 9 to 13 from a day to another, each weekday that is open
// otherwise, and the usual ones around.
func (s *stage) summer(from, to string) {
	s.t.Helper()
	h := s.hours().Hours
	for d := at(from, "00:00").AddDate(0, 0, -10); d.Before(at(to, "00:00").AddDate(0, 0, 10)); d = d.AddDate(0, 0, 1) {
		day := d.Format(time.DateOnly)
		inside := day >= from && day <= to
		work := d.Weekday() != time.Saturday && d.Weekday() != time.Sunday && day != "2027-07-14"
		for clock, want := range map[string]bool{"08:30": work && !inside, "09:00": work, "12:30": work && inside, "13:00": false, "14:00": work && !inside && d.Weekday() != time.Wednesday} {
			if o := h.At(at(day, clock), zone); o.Open != want {
				s.t.Errorf("%s at %s: open %v (%s %s), want %v", day, clock, o.Open, o.Cause, o.Why, want)
			}
		}
	}
}
