package api

import (
	"net/http"
	"strings"
	"testing"

	"borne/controller/accounts"
	"borne/controller/calendar"
	"borne/controller/policy"
	"borne/controller/store"
)

func TestCalendars(t *testing.T) {
	w := start(t)
	admin := w.as(accounts.Administrator)
	before := decode[CalendarsView](t, w.do(admin, "GET", "/api/calendars", nil), 200)
	if len(before.Zones) != 3 || before.Zones[1].Zone != "B" || len(before.Zones[0].Breaks) != 0 || before.Zones[0].Proposed != "https://calendar.example/A" || before.Zones[0].Left != 0 ||
		len(before.PublicDays) != 22 || before.PublicDays[0].Day != "2026-01-01" || before.PublicDays[21].Day != "2027-12-25" {
		t.Errorf("%+v", before)
	}
	a := w.do(admin, "PUT", "/api/calendars/A", calendarFile, "Content-Type", "application/octet-stream")
	v := decode[CalendarView](t, a, 200)
	if v.Until != "2026-04-19" || v.Left != 49 || v.Source != "file" || v.Imported == nil || v.By != "Ada administrator" || len(v.Breaks) != 1 || v.Breaks[0].From != "2026-04-04" {
		t.Errorf("%+v", v)
	}
	if v = decode[CalendarView](t, w.do(admin, "POST", "/api/calendars/A/fetch", FetchRequest{Address: " https://calendar.example/x "}), 200); v.Address != "https://calendar.example/x" || v.Source != "address" {
		t.Errorf("%+v", v)
	}
	if v = decode[CalendarView](t, w.do(admin, "POST", "/api/calendars/A/fetch", FetchRequest{}), 200); v.Address != "" || len(v.Breaks) != 1 {
		t.Errorf("%+v", v)
	}

	// What is wrong is said with its line.
	a = w.do(admin, "PUT", "/api/calendars/A", strings.Replace(calendarFile, "20260420", "20260431", 1), "Content-Type", "application/octet-stream")
	if a.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), "Ligne 4 : La date « 20260431 » n’existe pas") {
		t.Errorf("%s %s", a.Status, a.body)
	}
	a = w.do(admin, "PUT", "/api/calendars/A", strings.Repeat(" ", calendar.MaxBytes+1), "Content-Type", "application/octet-stream")
	if a.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(a.body), "4096 Kio") {
		t.Errorf("%s %s", a.Status, a.body)
	}
	if a = w.do(admin, "PUT", "/api/calendars/A", strings.Repeat(" ", 1<<20), "Content-Type", "application/octet-stream"); a.StatusCode != 422 || !strings.Contains(string(a.body), "vide") {
		t.Errorf("a megabyte: %s %s", a.Status, a.body)
	}
	if a = w.do(admin, "PUT", "/api/calendars/D", calendarFile, "Content-Type", "application/octet-stream"); a.StatusCode != 422 {
		t.Errorf("zone D: %s %s", a.Status, a.body)
	}
	if a = w.do(w.as(accounts.Administrator, "a"), "PUT", "/api/calendars/A", calendarFile); a.StatusCode != 403 {
		t.Errorf("an administrator of one place: %s", a.Status)
	}
}

// TestLayersKeepNoHolidays: what a page sends back with the hours is not kept,
// and the calendar of the zone decides.
func TestLayersKeepNoHolidays(t *testing.T) {
	w := start(t)
	admin := w.as(accounts.Administrator)
	if a := w.do(admin, "PUT", "/api/calendars/A", calendarFile, "Content-Type", "application/octet-stream"); a.StatusCode != 200 {
		t.Fatalf("%s %s", a.Status, a.body)
	}
	r := PolicyRequest{Own: []string{"hours"}, Policy: fresh()}
	r.Policy.Hours.School.Breaks = append(r.Policy.Hours.School.Breaks, policy.Break{Name: "Pour toujours", From: "2020-01-01", To: "2020-01-02"})
	v := decode[PolicyView](t, w.do(admin, "PUT", "/api/sites/a/policy", r, "If-Match", w.rev("a")), 200)
	if got := v.Policy.Hours.School.Breaks; len(got) != 1 || got[0].Name != "Vacances de Printemps" || v.Policy.Version != 77 {
		t.Errorf("%+v, version %d", got, v.Policy.Version)
	}
	if doc := string(w.layer("a")); !strings.Contains(doc, `"breaks":[]`) {
		t.Errorf("the layer keeps %s", doc)
	}
	// Another zone, another calendar: none yet.
	r.Policy.Hours.School.Zone = "C"
	v = decode[PolicyView](t, w.do(admin, "PUT", "/api/sites/a/policy", r, "If-Match", w.rev("a")), 200)
	if len(v.Policy.Hours.School.Breaks) != 0 {
		t.Errorf("%+v", v.Policy.Hours.School)
	}
	// The page of hours tells how far the calendar goes, and previews another zone's.
	h := decode[HoursView](t, w.do(admin, "GET", "/api/sites/b/hours", nil), 200)
	if h.Calendar.Zone != "A" || h.Calendar.Until != "2026-04-19" || h.Calendar.Age == nil || h.OSM != "Mo-Fr 08:00-18:00; PH off" {
		t.Errorf("%+v, %s", h.Calendar, h.OSM)
	}
	look := PreviewRequest{Hours: r.Policy.Hours, From: "2026-04-06", Days: 1}
	look.Hours.School.Zone = "A"
	if p := decode[Preview](t, w.do(admin, "POST", "/api/sites/a/hours/preview", look), 200); p.Days[0].School != "Vacances de Printemps" {
		t.Errorf("%+v", p.Days)
	}
}

// layer is a layer's document as it is kept.
func (w *world) layer(id string) (doc []byte) {
	w.t.Helper()
	err := w.st.View(w.t.Context(), func(tx store.Tx) error {
		it, err := store.Get[store.PolicyRow](tx, id)
		doc = it.Row.Doc
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return doc
}

func TestOSMHours(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Building, "a")
	v := decode[OSMView](t, w.do(cookie, "POST", "/api/hours/osm", OSMRequest{Text: "Mo-Fr 08:00-12:00, Tu[1] 17:30-20:00; SH off; PH off; Dec 24 off"}), 200)
	if v.Hours.School.Zone != "A" || len(v.Hours.Weekly[1]) != 1 || len(v.Hours.Exceptions) != 3 || v.Hours.Exceptions[0].Day != "2026-12-24" || v.Hours.Weekly[0] == nil ||
		!strings.HasPrefix(v.OSM, "Mo-Fr 08:00-12:00, Tu[1] 17:30-20:00; SH off; PH off; 2026 Dec 24 off") {
		t.Errorf("%+v", v)
	}
	a := w.do(cookie, "POST", "/api/hours/osm", OSMRequest{Text: "Mo-Fr 08:00-12:00; week 3 off"})
	if a.StatusCode != 422 || !strings.Contains(string(a.body), "Caractère 20, « week 3 off » : Les numéros de semaine") || !strings.Contains(string(a.body), "body.text") {
		t.Errorf("%s %s", a.Status, a.body)
	}
}
