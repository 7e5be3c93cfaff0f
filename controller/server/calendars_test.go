package server

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"borne/controller/api"
	"borne/controller/audit"
	"borne/controller/policy"
	"borne/controller/store"
)

// calendarDay is when the fixtures of controller/calendar are new.
func calendarDay() time.Time { return time.Date(2025, time.November, 26, 9, 0, 0, 0, time.UTC) }

func calendarFixture(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("../calendar/testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ministry serves a calendar over TLS, as the official site does.
type ministry struct {
	*httptest.Server
	mu     sync.Mutex
	body   []byte
	status int
	asked  atomic.Int32
	same   atomic.Int32
}

func (m *ministry) give(status int, body []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.status, m.body = status, body
}

func newMinistry(t *testing.T) (*ministry, *x509.CertPool) {
	t.Helper()
	m := &ministry{}
	m.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		m.asked.Add(1)
		m.mu.Lock()
		defer m.mu.Unlock()
		tag := fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(m.body)))
		if r.Header.Get("If-None-Match") == tag {
			m.same.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", tag)
		w.WriteHeader(m.status)
		w.Write(m.body)
	}))
	t.Cleanup(m.Close)
	roots := x509.NewCertPool()
	roots.AddCert(m.Certificate())
	return m, roots
}

// school is a controller whose clock the test moves.
type school struct {
	*Server
	t  *testing.T
	at atomic.Int64
}

func newSchool(t *testing.T, roots *x509.CertPool) *school {
	t.Helper()
	w := &school{t: t}
	w.at.Store(calendarDay().UnixNano())
	c := settings(t, fresh(t))
	c.Now = func() time.Time { return time.Unix(0, w.at.Load()) }
	c.Roots, c.Calendars.Private = roots, true
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	w.Server = s
	return w
}

func (w *school) later(d time.Duration) { w.at.Add(int64(d)) }

func (w *school) row(zone policy.Zone) (r store.CalendarRow) {
	w.t.Helper()
	err := w.st.View(ctx, func(tx store.Tx) error {
		it, err := calendarRow(tx, zone)
		r = it.Row
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *school) deeds() (all []string) {
	w.t.Helper()
	err := w.st.View(ctx, func(tx store.Tx) error {
		all = nil
		for it, err := range store.List[store.AuditEntry](tx, "", "", false) {
			if err != nil {
				return err
			}
			if strings.HasPrefix(it.Row.Action, "calendar.") {
				all = append(all, it.Row.Actor+" "+it.Row.Action+" "+it.Row.Target)
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

// TestTheLastGoodCalendarStays: a file that is wrong in any way changes nothing
// but what is said of it.
func TestTheLastGoodCalendarStays(t *testing.T) {
	w := newSchool(t, nil)
	c := w.calendars
	woken := 0
	wake := w.wake
	w.wake = func(ids ...string) { woken++; wake(ids...) }
	if err := c.ImportCalendar(ctx, policy.ZoneA, calendarFixture(t, "national.ics"), false, "ada"); err != nil {
		t.Fatal(err)
	}
	good := w.row(policy.ZoneA)
	if len(good.Breaks) != 7 || good.Until != "2026-08-31" || good.By != "ada" || good.Source != store.CalendarFile || good.Version == 0 || !good.Imported.Equal(calendarDay()) {
		t.Fatalf("%+v", good)
	}
	w.later(time.Hour)
	for _, name := range []string{"cut.ics", "zone-b.ics", "ten-years-old.ics", "overlap.ics", "cut.json", "one-page.json"} {
		err := c.ImportCalendar(ctx, policy.ZoneA, calendarFixture(t, name), false, "bob")
		if !errors.Is(err, api.ErrRefused) {
			t.Errorf("%s: %v", name, err)
		}
		r := w.row(policy.ZoneA)
		if r.Error == "" || !strings.Contains(err.Error(), r.Error) || !r.Failed.Equal(calendarDay().Add(time.Hour)) {
			t.Errorf("%s: %q is kept of %v", name, r.Error, err)
		}
		r.Error, r.Failed = good.Error, good.Failed
		if !equalJSON(t, r, good) {
			t.Errorf("%s changed %+v to %+v", name, good, r)
		}
	}
	if woken != 1 {
		t.Errorf("terminals were told %d times of one calendar", woken)
	}
	// A good one again: the same days are no new version, and the failure is over.
	if err := c.ImportCalendar(ctx, policy.ZoneA, calendarFixture(t, "national-lf-bom.ics"), false, "bob"); err != nil {
		t.Fatal(err)
	}
	r := w.row(policy.ZoneA)
	if r.Version != good.Version || r.Error != "" || !r.Failed.IsZero() || r.By != "bob" || !r.Imported.After(good.Imported) {
		t.Errorf("%+v", r)
	}
	if err := c.ImportCalendar(ctx, policy.ZoneA, calendarFixture(t, "hand-made.ics"), false, "bob"); err != nil {
		t.Fatal(err)
	}
	if r := w.row(policy.ZoneA); r.Version <= good.Version {
		t.Errorf("other days, and version %d after %d", r.Version, good.Version)
	}
	if woken != 2 {
		t.Errorf("terminals were told %d times of two calendars", woken)
	}
	if got := strings.Join(w.deeds(), ", "); got != "ada calendar.imported A, "+strings.Repeat("bob calendar.refused A, ", 6)+"bob calendar.imported A, bob calendar.imported A" {
		t.Error(got)
	}
	// A check of the controller is silent until it ends.
	if err := w.checkCalendars(ctx); err != nil {
		t.Error(err)
	}
	w.later(365 * 24 * time.Hour)
	if err := w.checkCalendars(ctx); err == nil || !strings.Contains(err.Error(), "zone A ended on 2026-08-31") {
		t.Error(err)
	}
}

func equalJSON(t *testing.T, a, b any) bool {
	t.Helper()
	x, err := json.Marshal(a)
	y, err2 := json.Marshal(b)
	if err != nil || err2 != nil {
		t.Fatal(err, err2)
	}
	return bytes.Equal(x, y)
}

// TestAddressIsAskedEachWeek plays half a year of a site that changes, fails and
// comes back.
func TestAddressIsAskedEachWeek(t *testing.T) {
	m, roots := newMinistry(t)
	w := newSchool(t, roots)
	c := w.calendars
	m.give(200, calendarFixture(t, "export.json"))
	if err := c.refreshDue(ctx); err != nil || m.asked.Load() != 0 {
		t.Fatalf("nobody turned it on, and it was asked %d times: %v", m.asked.Load(), err)
	}
	if err := c.FetchCalendar(ctx, policy.ZoneA, m.URL+"/a", "ada"); err != nil {
		t.Fatal(err)
	}
	first := w.row(policy.ZoneA)
	if first.Address != m.URL+"/a" || first.Source != store.CalendarAddress || first.Until != "2027-08-31" || first.ETag == "" {
		t.Fatalf("%+v", first)
	}
	// Not before a week, and once then.
	w.later(calendarEvery - time.Minute)
	if err := c.refreshDue(ctx); err != nil || m.asked.Load() != 1 {
		t.Errorf("asked %d times within a week, %v", m.asked.Load(), err)
	}
	w.later(24*time.Hour + 2*time.Minute)
	for range 3 {
		if err := c.refreshDue(ctx); err != nil {
			t.Fatal(err)
		}
	}
	again := w.row(policy.ZoneA)
	if m.asked.Load() != 2 || m.same.Load() != 1 || again.Version != first.Version || !again.Imported.After(first.Imported) || again.By != "ada" {
		t.Errorf("asked %d times, %d unchanged, %+v", m.asked.Load(), m.same.Load(), again)
	}
	// It fails: the calendar stays, the reason is there, and it is asked again a day later.
	for _, x := range []struct {
		status int
		body   string
		want   string
	}{{500, "", "réponse 500"}, {200, "<html>maintenance</html>", "page web"}, {200, string(calendarFixture(t, "cut.json")), "coupé"}} {
		m.give(x.status, []byte(x.body))
		w.later(9 * 24 * time.Hour)
		before := m.asked.Load()
		err := errors.Join(c.refreshDue(ctx), c.refreshDue(ctx))
		r := w.row(policy.ZoneA)
		if err == nil || m.asked.Load() != before+1 || !strings.Contains(r.Error, x.want) || len(r.Breaks) != len(first.Breaks) || r.Version != first.Version || !r.Imported.Equal(again.Imported) || r.Address != first.Address {
			t.Errorf("%s: asked %d times, %v, %+v", x.want, m.asked.Load()-before, err, r)
		}
	}
	m.give(200, bytes.ReplaceAll(calendarFixture(t, "export.json"), []byte("2026-02-06T23"), []byte("2026-02-13T23")))
	w.later(28 * time.Hour)
	if err := c.refreshDue(ctx); err != nil {
		t.Fatal(err)
	}
	if r := w.row(policy.ZoneA); r.Error != "" || r.Version <= first.Version || r.By != audit.Controller {
		t.Errorf("%+v", r)
	}
	// Marks are of one address: another one is asked for all of its file.
	same := m.same.Load()
	if err := errors.Join(c.FetchCalendar(ctx, policy.ZoneA, m.URL+"/other", "ada"), c.FetchCalendar(ctx, policy.ZoneA, m.URL+"/a", "ada")); err != nil || m.same.Load() != same {
		t.Errorf("%d times unchanged, %v", m.same.Load()-same, err)
	}
	// A person's wrong address leaves the one that works; a file turns it off.
	if err := c.FetchCalendar(ctx, policy.ZoneA, "ftp://example.org/", "ada"); !errors.Is(err, api.ErrRefused) {
		t.Error(err)
	}
	if r := w.row(policy.ZoneA); r.Address != m.URL+"/a" || !strings.Contains(r.Error, "https://") {
		t.Errorf("%+v", r)
	}
	if err := c.ImportCalendar(ctx, policy.ZoneA, calendarFixture(t, "national.ics"), false, "ada"); err != nil {
		t.Fatal(err)
	}
	before := m.asked.Load()
	w.later(60 * 24 * time.Hour)
	if err := c.refreshDue(ctx); err != nil || m.asked.Load() != before || w.row(policy.ZoneA).Address != "" {
		t.Errorf("after a file it is asked still: %v", err)
	}
	// And so does who stops it.
	if err := errors.Join(c.FetchCalendar(ctx, policy.ZoneB, m.URL+"/b", "ada"), c.StopCalendar(ctx, policy.ZoneB, "ada"), c.StopCalendar(ctx, policy.ZoneB, "ada")); err != nil {
		t.Fatal(err)
	}
	if r := w.row(policy.ZoneB); r.Address != "" || len(r.Breaks) == 0 {
		t.Errorf("%+v", r)
	}
	if n := strings.Count(strings.Join(w.deeds(), ","), "calendar.stopped B"); n != 1 {
		t.Errorf("stopped %d times", n)
	}
}

// TestWhenAnAddressIsDue: the same row gives the same instant, and three zones
// three.
func TestWhenAnAddressIsDue(t *testing.T) {
	r := store.CalendarRow{Address: "https://x/", Tried: calendarDay()}
	at := map[time.Time]bool{}
	for _, z := range []policy.Zone{policy.ZoneA, policy.ZoneB, policy.ZoneC} {
		n := nextTry(z, r)
		if d := n.Sub(r.Tried); !n.Equal(nextTry(z, r)) || d < calendarEvery || d >= calendarEvery+24*time.Hour {
			t.Errorf("zone %s: %s", z, d)
		}
		at[n] = true
	}
	if len(at) != 3 {
		t.Error("two zones at the same instant")
	}
	r.Error = "x"
	if d := nextTry(policy.ZoneA, r).Sub(r.Tried); d < calendarAgain || d >= calendarAgain+3*time.Hour {
		t.Errorf("after a failure: %s", d)
	}
}

// TestCalendarOverTheConsole goes the way of a person: the file through the API,
// and the days in the policy of a place.
func TestCalendarOverTheConsole(t *testing.T) {
	m, roots := newMinistry(t)
	m.give(200, calendarFixture(t, "explore.json"))
	c := settings(t, fresh(t))
	c.Now, c.Roots, c.Calendars.Private = calendarDay, roots, true
	s, stop := running(t, c)
	if r := s.Do(ctx, Request{Op: OpSeedDemo}); r.Error != "" {
		t.Fatal(r.Error)
	}
	client := login(t, s)
	send := func(method, path, kind string, body []byte) (int, string) {
		req, err := http.NewRequest(method, s.ConsoleURL()+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Borne", "1")
		req.Header.Set("Origin", s.ConsoleURL())
		req.Header.Set("Content-Type", kind)
		res, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b)
	}
	if code, body := send("PUT", "/api/calendars/A", "application/octet-stream", calendarFixture(t, "cut.ics")); code != 422 || !strings.Contains(body, "Ligne 100 : Le fichier est coupé") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := send("POST", "/api/calendars/A/fetch", "application/json", []byte(`{"address":"`+m.URL+`/x"}`)); code != 200 || !strings.Contains(body, `"until":"2027-08-31"`) {
		t.Errorf("%d %s", code, body)
	}
	var v api.PolicyView
	if err := json.Unmarshal([]byte(get(t, client, s.ConsoleURL()+"/api/sites/demo-mie/policy")), &v); err != nil {
		t.Fatal(err)
	}
	if v.Policy.Hours.School.Zone == policy.ZoneA && len(v.Policy.Hours.School.Breaks) != 11 {
		t.Errorf("%+v", v.Policy.Hours.School)
	}
	if code, body := send("PUT", "/api/calendars/B", "application/octet-stream", calendarFixture(t, "national.ics")); code != 200 || !strings.Contains(body, `"source":"file"`) {
		t.Errorf("%d %s", code, body)
	}
	var all api.CalendarsView
	if err := json.Unmarshal([]byte(get(t, client, s.ConsoleURL()+"/api/calendars")), &all); err != nil {
		t.Fatal(err)
	}
	if len(all.Zones) != 3 || len(all.Zones[0].Breaks) != 11 || all.Zones[0].Error != "" || len(all.Zones[1].Breaks) != 7 || len(all.Zones[2].Breaks) != 0 ||
		!strings.Contains(all.Zones[2].Proposed, "Zone%20C") {
		t.Errorf("%+v", all.Zones)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
