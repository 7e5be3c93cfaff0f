package api

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/policy"
)

func hoursOf(from, to int) []policy.Span { return []policy.Span{{From: from, To: to}} }

func TestBuildingStaffSetHoursAndNothingElse(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Building, "a")
	get := func() (HoursView, string) {
		a := w.do(cookie, "GET", "/api/sites/a/hours", nil)
		return decode[HoursView](t, a, 200), a.Header.Get("ETag")
	}
	v, tag := get()
	if v.Rev != 0 || !strings.HasPrefix(tag, `"0.`) || v.Own || len(v.Spaces) != 1 || len(v.PublicDays) != 22 || v.Hours.Public.Mode != policy.ModeClosed {
		t.Fatalf("nothing was set: %+v", v)
	}
	v.Hours.Weekly[2] = hoursOf(480, 1140)
	a := w.do(cookie, "PUT", "/api/sites/a/hours", HoursRequest{Hours: v.Hours, Note: "Portes ouvertes"}, "If-Match", tag)
	v = decode[HoursView](t, a, 200)
	if !v.Own || v.Hours.Weekly[2][0].To != 1140 || v.By == "" || a.Header.Get("ETag") != `"1"` {
		t.Errorf("after the change: %+v", v)
	}
	if a := w.do(cookie, "PUT", "/api/sites/a/hours", HoursRequest{Hours: v.Hours}, "If-Match", tag); a.StatusCode != 412 {
		t.Errorf("with an old ETag: %s", a.Status)
	}
	// The page knows who changed what, and goes back.
	h := decode[HoursChanges](t, w.do(cookie, "GET", "/api/sites/a/hours/changes", nil), 200)
	if len(h.Changes) != 2 || h.Changes[1].Note != "Portes ouvertes" && h.Changes[0].Note != "Portes ouvertes" {
		t.Fatalf("changes: %+v", h)
	}
	i := slices.IndexFunc(h.Changes, func(c HoursChangeView) bool { return c.Note != "" })
	c := h.Changes[i]
	if want := "mardi : 8\u00a0h – 19\u00a0h (avant : 8\u00a0h – 18\u00a0h)."; len(c.Sentences) != 1 || c.Sentences[0] != want || !strings.HasPrefix(c.By, "Ada") {
		t.Errorf("the change says %q by %q, want %q", c.Sentences, c.By, want)
	}
	a = w.do(cookie, "POST", "/api/sites/a/hours/undo", UndoRequest{ID: c.ID}, "If-Match", w.rev("a"))
	if v = decode[HoursView](t, a, 200); v.Own || v.Hours.Weekly[2][0].To != 1080 {
		t.Errorf("after going back: %+v", v)
	}
	for _, path := range []string{"GET /api/sites/a/policy", "GET /api/terminals/a-1", "GET /api/sites/a/report", "GET /api/prints", "GET /api/sites/b/hours"} {
		method, path, _ := strings.Cut(path, " ")
		if a := w.do(cookie, method, path, nil); a.StatusCode != 403 {
			t.Errorf("%s %s as building staff: %s", method, path, a.Status)
		}
	}
	w.calls(nil)
	for _, role := range []accounts.Role{accounts.Building, accounts.Head} {
		f := decode[Fleet](t, w.do(w.as(role, "a"), "GET", "/api/fleet", nil), 200)
		if len(f.Sites) != 1 || len(f.Sites[0].Spaces) != 1 || len(f.Sites[0].Spaces[0].Terminals) != 0 {
			t.Errorf("%s see terminals: %+v", role, f)
		}
	}
}

func TestSpaceTakesHoursOfItsOwnAndGivesThemUp(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Building, "a")
	v := decode[HoursView](t, w.do(cookie, "GET", "/api/spaces/a-hall/hours", nil), 200)
	v.Hours.Weekly[6] = hoursOf(600, 720)
	v = decode[HoursView](t, w.do(cookie, "PUT", "/api/spaces/a-hall/hours", HoursRequest{Hours: v.Hours}, "If-Match", `"0"`), 200)
	site := decode[HoursView](t, w.do(cookie, "GET", "/api/sites/a/hours", nil), 200)
	if !v.Own || len(v.Hours.Weekly[6]) != 1 || site.Own || !site.Spaces[0].Own || len(site.Hours.Weekly[6]) != 0 {
		t.Errorf("space %+v, site %+v", v, site)
	}
	v = decode[HoursView](t, w.do(cookie, "PUT", "/api/spaces/a-hall/hours", HoursRequest{Hours: v.Hours, Inherit: true}, "If-Match", w.rev("a-hall")), 200)
	if v.Own || len(v.Hours.Weekly[6]) != 0 {
		t.Errorf("inherited again: %+v", v)
	}
	if a := w.do(cookie, "PUT", "/api/sites/a/hours", HoursRequest{Hours: v.Hours, Inherit: true}, "If-Match", w.rev("a")); a.StatusCode != 422 {
		t.Errorf("a site without hours: %s", a.Status)
	}
}

func TestHoursKeepWhatAnotherSectionSays(t *testing.T) {
	w := start(t)
	admin := w.as(accounts.Administrator)
	p := fresh()
	p.Session.Minutes = 33
	decode[PolicyView](t, w.do(admin, "PUT", "/api/sites/a/policy", PolicyRequest{Own: []string{"session"}, Policy: p}, "If-Match", `"0"`), 200)
	decode[HoursView](t, w.do(admin, "PUT", "/api/sites/a/hours", HoursRequest{Hours: p.Hours}, "If-Match", w.rev("a")), 200)
	v := decode[PolicyView](t, w.do(admin, "GET", "/api/sites/a/policy", nil), 200)
	if v.Policy.Session.Minutes != 33 || !reflect.DeepEqual(v.Own, []string{"session", "hours"}) {
		t.Errorf("own %v, session %+v", v.Own, v.Policy.Session)
	}
}

func TestPreviewTellsDaysWarningsAndProblems(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Building, "a")
	h := fresh().Hours
	h.Exceptions = []policy.Exception{{Day: "2026-03-06", Spans: hoursOf(480, 720), Why: "Conseil"}}
	ask := func() Preview {
		return decode[Preview](t, w.do(cookie, "POST", "/api/sites/a/hours/preview", PreviewRequest{Hours: h, From: "2026-03-02", Days: 7}), 200)
	}
	v := ask()
	if len(v.Days) != 7 || len(v.Problems) != 0 || v.Days[4].Cause != policy.CauseException || v.Days[4].Why != "Conseil" || len(v.Days[4].Spans) != 1 || v.Days[4].Spans[0].To != 720 || len(v.Days[6].Spans) != 0 {
		t.Errorf("%+v", v)
	}
	if len(v.Changes) != 1 || !strings.Contains(v.Changes[0], "vendredi 6 mars 2026") {
		t.Errorf("changes: %q", v.Changes)
	}
	h.Weekly[1] = []policy.Span{{From: 480, To: 720}, {From: 700, To: 800}}
	v = ask()
	if len(v.Problems) != 1 || v.Problems[0].Location != "body.hours.weekly[1][1]" || !strings.Contains(v.Problems[0].Message, "se chevauchent") {
		t.Errorf("problems: %+v", v.Problems)
	}
	// Saving the same is refused at the same place.
	a := w.do(cookie, "PUT", "/api/sites/a/hours", HoursRequest{Hours: h}, "If-Match", `"0"`)
	if a.StatusCode != 422 || !strings.Contains(string(a.body), "body.hours.weekly[1][1]") {
		t.Errorf("%s %s", a.Status, a.body)
	}
	h = policy.Hours{Exceptions: []policy.Exception{{Day: "2020-01-06", Spans: hoursOf(480, 720)}}}
	emptyNotNil(reflect.ValueOf(&h).Elem())
	if v = ask(); len(v.Problems) != 1 || !strings.Contains(v.Problems[0].Message, "plus jamais") || len(v.Warnings) == 0 {
		t.Errorf("hours that are over: %+v", v)
	}
}

func TestSameHoursForManySites(t *testing.T) {
	w := start(t)
	admin := w.as(accounts.Administrator)
	// Who agreed at one site has nothing to do with another.
	theirs := fresh().Hours
	theirs.Guarded, theirs.Meanwhile = true, "La mairie de B"
	theirs.Duty = theirs.Weekly
	theirs.Agreements = []policy.Agreement{{From: "2026-01-01", To: "2026-12-31", By: "Principale de B", Agreed: "2026-01-01", Key: "Gardien de B"}}
	decode[HoursView](t, w.do(admin, "PUT", "/api/sites/b/hours", HoursRequest{Hours: theirs}, "If-Match", w.rev("b")), 200)
	h := fresh().Hours
	h.Meanwhile, h.Agreements = "La mairie de A", []policy.Agreement{{From: "2026-01-01", To: "2026-12-31", Key: "Gardien de A"}}
	h.Weekly[6] = hoursOf(540, 720)
	v := decode[Applied](t, w.do(admin, "POST", "/api/hours/apply", ApplyRequest{Hours: h, Sites: []string{"a", "b", "a"}}), 200)
	if !slices.Equal(v.Applied, []string{"a", "b"}) || len(v.Problems) != 0 {
		t.Fatalf("%+v", v)
	}
	if got := decode[HoursView](t, w.do(admin, "GET", "/api/sites/b/hours", nil), 200); len(got.Hours.Weekly[6]) != 1 || !got.Hours.Guarded || !reflect.DeepEqual(got.Hours.Duty, theirs.Duty) || got.Hours.Meanwhile != "La mairie de B" || len(got.Hours.Agreements) != 1 || got.Hours.Agreements[0].Key != "Gardien de B" {
		t.Errorf("site b: %+v", got.Hours)
	}
	// One site that cannot take them, and none does.
	h.Weekly[6] = hoursOf(540, 780)
	v = decode[Applied](t, w.do(w.as(accounts.Correspondant, "a"), "POST", "/api/hours/apply", ApplyRequest{Hours: h, Sites: []string{"a", "b"}}), 200)
	if len(v.Applied) != 0 || len(v.Problems) != 1 || v.Problems[0].Site != "b" || v.Problems[0].Name != "" {
		t.Errorf("%+v", v)
	}
	if got := decode[HoursView](t, w.do(admin, "GET", "/api/sites/a/hours", nil), 200); got.Hours.Weekly[6][0].To != 720 {
		t.Errorf("site a changed all the same: %+v", got.Hours.Weekly)
	}
}

func TestAgreementsAreNamedAndStayWithStaff(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Building, "a")
	h := fresh().Hours
	h.Duty, h.Guarded = h.Weekly, true
	now := w.api.Now().In(policy.Location())
	day := func(n int) string { return now.AddDate(0, 0, n).Format(time.DateOnly) }
	h.Exceptions = []policy.Exception{{Day: day(7), Add: true, Spans: hoursOf(1140, 1260), Why: "Réunion"}}
	h.Agreements = []policy.Agreement{{From: day(1), To: day(30)}}
	put := func() answered {
		return w.do(cookie, "PUT", "/api/sites/a/hours", HoursRequest{Hours: h}, "If-Match", w.rev("a"))
	}
	a := put()
	for _, f := range []string{"agreements[0].key", "agreements[0].by", "agreements[0].agreed"} {
		if a.StatusCode != 422 || !strings.Contains(string(a.body), "body.hours."+f) {
			t.Errorf("%s is not asked for: %s %s", f, a.Status, a.body)
		}
	}
	h.Agreements[0] = policy.Agreement{From: day(1), To: day(30), By: "Mme Durand, principale", Agreed: day(0), Key: "M. Petit", Contact: "loge@example.org"}
	v := decode[HoursView](t, put(), 200)
	if v.Hours.Agreements[0].Key != "M. Petit" {
		t.Errorf("%+v", v.Hours.Agreements)
	}
	// Whoever opens the door does not take the rule away that asks for an agreement,
	// nor says that the staff is there at night; those of the Département may.
	for what, change := range map[string]func(*policy.Hours){
		"no guard":   func(h *policy.Hours) { h.Guarded = false },
		"long hours": func(h *policy.Hours) { h.Duty[1] = hoursOf(0, 1440) },
	} {
		other := h
		change(&other)
		ask := func(cookie string) int {
			return w.do(cookie, "PUT", "/api/sites/a/hours", HoursRequest{Hours: other}, "If-Match", w.rev("a")).StatusCode
		}
		if code := ask(cookie); code != 403 {
			t.Errorf("%s by building staff: %d", what, code)
		}
		trusted := w.as(accounts.Correspondant, "a")
		if code := ask(trusted); code != 200 {
			t.Errorf("%s by a correspondant: %d", what, code)
		}
		other = h
		if code := ask(trusted); code != 200 {
			t.Fatalf("back again: %d", code)
		}
	}
}

func TestClosingADayAsksForNoKeyThatWasMissingBefore(t *testing.T) {
	w := start(t)
	cookie := w.as(accounts.Building, "a")
	now := w.api.Now().In(policy.Location())
	day := func(n int) string { return now.AddDate(0, 0, n).Format(time.DateOnly) }
	h := fresh().Hours
	h.Duty = h.Weekly
	h.Weekly[int(now.AddDate(0, 0, 30).Weekday())] = hoursOf(480, 1260)
	h.Agreements = []policy.Agreement{{From: day(0), To: day(100), Key: "M. Petit"}}
	put := func() answered {
		return w.do(cookie, "PUT", "/api/sites/a/hours", HoursRequest{Hours: h}, "If-Match", w.rev("a"))
	}
	decode[HoursView](t, put(), 200)
	h.Agreements = []policy.Agreement{} // now nobody holds the key
	if a := put(); a.StatusCode != 422 || !strings.Contains(string(a.body), "tient la clé") {
		t.Errorf("nobody holds the key: %s %s", a.Status, a.body)
	}
	h.Agreements = []policy.Agreement{{From: day(0), To: day(100), Key: "M. Petit"}}
	decode[HoursView](t, put(), 200)
	w.later(20 * 24 * time.Hour)          // the agreement does not reach three months ahead any more
	cookie = w.as(accounts.Building, "a") // and nobody stays logged in for so long
	h.Exceptions = []policy.Exception{{Day: day(30), Spans: []policy.Span{}, Why: "Grève"}}
	// The preview says the same as saving: it does not stop the person either.
	if v := decode[Preview](t, w.do(cookie, "POST", "/api/sites/a/hours/preview", PreviewRequest{Hours: h, From: day(30), Days: 1}), 200); len(v.Problems) != 0 {
		t.Errorf("the preview of closing a day: %+v", v.Problems)
	}
	if a := put(); a.StatusCode != 200 {
		t.Errorf("closing a day: %s %s", a.Status, a.body)
	}
}
