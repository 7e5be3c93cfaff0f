package api

import (
	"encoding/csv"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"borne/controller/accounts"
	"borne/controller/compliance"
	"borne/controller/directory"
	"borne/controller/report"
	"borne/controller/store"
)

// visits adds visits to a terminal's day.
func (w *world) visits(terminal, day string, n, outside int) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		return compliance.Count(tx, store.Meta{ID: terminal, Site: terminal[:1]}, day, func(u *store.Rollup) {
			u.Visits, u.Outside, u.Stay, u.Pages = u.Visits+n, u.Outside+outside, u.Stay+n*600, u.Pages+n
			u.Hours[10] += n
			u.Lengths[store.LengthClass(600)] += n
		})
	})
}

func (w *world) badges(month, site string, n int) {
	w.t.Helper()
	w.decide(func(tx store.Tx) error {
		for i := range n {
			h := fmt.Sprintf("%s%04d", site, i)
			if err := put(tx, store.Meta{ID: store.PresenceID(month, h, site), Site: site}, store.Presence{Month: month, Holder: h}); err != nil {
				return err
			}
		}
		return nil
	})
}

// over passes the time until the months of the tests are over, and counts them.
func (w *world) over() {
	w.t.Helper()
	w.later(100 * 24 * time.Hour)
	w.decide(func(tx store.Tx) error {
		_, err := report.CountHolders(tx, func(month string) bool { return directory.Over(month, w.api.Now()) })
		return err
	})
}

// TestIndicatorsByGroup: of groups of sites, of which a site may be in several; the
// total counts each site once, and whoever sees one site has its part only.
func TestIndicatorsByGroup(t *testing.T) {
	w := start(t)
	w.visits("a-1", "2026-02-03", 40, 10)
	w.visits("b-1", "2026-02-03", 8, 0)
	w.decide(func(tx store.Tx) error {
		for id, sites := range map[string][]string{"g-1": {"a"}, "g-2": {"a", "b"}} {
			if err := put(tx, store.Meta{ID: id}, store.SiteGroup{Name: "Groupe " + id, Sites: sites, Created: t0}); err != nil {
				return err
			}
		}
		return nil
	})
	read := func(cookie, query string) (v IndicatorsReport) {
		t.Helper()
		return decode[IndicatorsReport](t, w.do(cookie, "GET", "/api/indicators?"+query, nil), 200)
	}
	adm := w.as(accounts.Administrator)
	v := read(adm, months+"&by=group")
	told := map[string]int{}
	for _, l := range v.Lines {
		told[l.Name] = *l.Sum.Visits
	}
	if *v.Total.Visits != 48 || told["Groupe g-1"] != 40 || told["Groupe g-2"] != 48 || len(v.Choices.Groups) != len(v.Lines) {
		t.Errorf("by group %v of %d, choices %v", told, *v.Total.Visits, v.Choices.Groups)
	}
	if v = read(adm, months+"&of=group:g-1&by=site"); *v.Total.Visits != 40 || len(v.Lines) != 1 {
		t.Errorf("of a group %+v", v.Total)
	}
	w.over()
	if v = read(w.as(accounts.Correspondant, "b"), months+"&by=group"); *v.Total.Visits != 8 || len(v.Choices.Groups) != 1 {
		t.Errorf("of one site %+v, choices %v", v.Total, v.Choices.Groups)
	}
	if a := w.do(w.as(accounts.Correspondant, "b"), "GET", "/api/indicators?"+months+"&of=group:g-1", nil); a.StatusCode != 404 {
		t.Errorf("of a group that one does not see: %s", a.Status)
	}
}

const months = "from=2026-01-01&to=2026-03-31"

func TestIndicators(t *testing.T) {
	w := start(t)
	w.visits("a-1", "2026-02-03", 40, 10)
	w.visits("a-1", "2026-03-01", 3, 0)
	w.visits("b-1", "2026-02-03", 4, 4)
	w.badges("2026-02", "a", 12)
	w.badges("2026-02", "b", 2)
	read := func(cookie, query string) IndicatorsReport {
		t.Helper()
		return decode[IndicatorsReport](t, w.do(cookie, "GET", "/api/indicators?"+query, nil), 200)
	}
	adm := w.as(accounts.Administrator)
	v := read(adm, months+"&by=site")
	if v.Guarded || *v.Total.Visits != 47 || len(v.Lines) != 2 || *v.Lines[0].Sum.Visits != 43 || *v.Lines[1].Sum.Visits != 4 || *v.Total.MeanSeconds != 600 || v.Total.Begun[10] != 47 {
		t.Errorf("an administrator sees %+v", v)
	}
	if b := v.Total.Badges; len(b) != 3 || *b[0].Count != 0 || *b[1].Count != 14 || b[1].Part {
		t.Errorf("badges %+v", b)
	}
	if !v.All || v.Over != "2025-12-31" {
		t.Errorf("an administrator sees all: %v; months are over until %s", v.All, v.Over)
	}
	// Of months of which something may come, nothing is told that hides small counts.
	for who, query := range map[string]string{w.as(accounts.Observer): months, adm: months + "&guarded=true"} {
		a := w.do(who, "GET", "/api/indicators?"+query, nil)
		if a.StatusCode != 422 || !strings.Contains(string(a.body), `"query.to"`) || !strings.Contains(string(a.body), "31/12/2025") {
			t.Errorf("too early: %s", a.body)
		}
	}
	w.over()
	adm, obs := w.as(accounts.Administrator), w.as(accounts.Observer)
	if v = read(obs, ""); v.All || v.From != "2026-03-01" || v.To != "2026-03-31" || v.Over != v.To {
		t.Errorf("an observer who asks for nothing sees %s to %s, of all: %v", v.From, v.To, v.All)
	}
	v = read(obs, months+"&by=site")
	if !v.Guarded || *v.Total.Visits != 40 || *v.Lines[0].Sum.Visits != 40 || v.Lines[1].Sum.Visits != nil || v.Lines[1].Sum.OutsideVisits != nil || v.Total.Hidden.Visits != 2 || v.Lines[1].Sum.Badges[1].Count != nil {
		t.Errorf("an observer sees %+v", v)
	}
	if b := v.Total.Badges[1]; *b.Count != 12 || !b.Part {
		t.Errorf("an observer's badges %+v", b)
	}
	if got := read(adm, months+"&guarded=true"); !got.Guarded || *got.Total.Visits != 40 {
		t.Errorf("what an administrator shows others: %+v", got.Total)
	}
	// Somebody of one site sees that one, and no total of more.
	if v = read(w.as(accounts.Correspondant, "b"), months+"&by=site"); len(v.Lines) != 1 || v.Lines[0].Key != "b" || v.Total.Visits != nil || len(v.Choices.Sites) != 1 {
		t.Errorf("the correspondant of b sees %+v", v)
	}
	for query, status := range map[string]int{
		"of=site:a&" + months: 404, "of=place:b&" + months: 422, "by=person&" + months: 422, "from=2026-02-31&to=2026-03-31": 422, "from=2026-01-01&to=2026-03-30": 422,
		"by=day&" + months: 422, "from=1990-01-01&to=2026-03-31": 422, "from=2026-03-01&to=2026-01-31": 422, "limit=0": 422, "of=" + strings.Repeat("x", 300): 422,
	} {
		if a := w.do(w.as(accounts.Correspondant, "b"), "GET", "/api/indicators?"+query, nil); a.StatusCode != status {
			t.Errorf("%s: %s, want %d", query, a.Status, status)
		}
	}
	if v = read(adm, "from=2026-02-03&to=2026-03-01&by=day"); len(v.Lines) < 2 || *v.Total.Visits != 47 || v.Lines[0].Key != "2026-02-03" {
		t.Errorf("by day: %+v", v.Lines)
	}
	if v = read(adm, months+"&by=site&limit=1"); len(v.Lines) != 1 || v.Next != 1 || v.Count != 2 {
		t.Errorf("a page: %+v", v)
	}
	if v = read(adm, months+"&by=site&limit=1&offset=1"); len(v.Lines) != 1 || v.Next != 0 || v.Lines[0].Key != "b" {
		t.Errorf("the next one: %+v", v)
	}
}

// TestExportsHoldNoSmallCount, whoever asks, and no terminal.
func TestExportsHoldNoSmallCount(t *testing.T) {
	w := start(t)
	w.decide(func(tx store.Tx) error {
		return store.Update(tx, "a", func(it *store.Item[store.Site]) error { it.Row.Name = "=HYPERLINK(1)"; return nil })
	})
	w.visits("a-1", "2026-02-03", 40, 10)
	w.visits("a-1", "2026-03-01", 3, 0)
	w.visits("b-1", "2026-02-03", 4, 4)
	w.over()
	adm := w.as(accounts.Administrator)
	file := func(query string) string {
		t.Helper()
		a := w.do(adm, "GET", "/api/indicators/export?"+query, nil)
		if a.StatusCode != 200 || a.Header.Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(a.Header.Get("Content-Disposition"), "attachment; filename=\"") {
			t.Fatalf("%s: %s %v %s", query, a.Status, a.Header, a.body)
		}
		return string(a.body)
	}
	s := file(months + "&by=site")
	rows, err := func() ([][]string, error) {
		r := csv.NewReader(strings.NewReader(strings.TrimPrefix(s, "\ufeff")))
		r.Comma = ';'
		return r.ReadAll()
	}()
	if err != nil || !strings.HasPrefix(s, "\ufeff") || len(rows) != 4 {
		t.Fatalf("%q: %v", s, err)
	}
	at := slices.Index(rows[0], "Passages")
	if rows[0][0] != "Lieu" || rows[1][0] != "'=HYPERLINK(1)" || rows[1][at] != "40" || rows[2][at] != "" || rows[3][at] != "40" {
		t.Errorf("the table is %q", rows)
	}
	if i := slices.Index(rows[0], "Durée moyenne (min)"); rows[1][i] != "10,0" {
		t.Errorf("a decimal is %q", rows[1][i])
	}
	s = file(months + "&what=open")
	rows, err = csv.NewReader(strings.NewReader(s)).ReadAll()
	if err != nil || len(rows) != 7 || strings.Contains(s, "a-1") || strings.Contains(s, "b-1") {
		t.Fatalf("open data %q: %v", s, err)
	}
	at = slices.Index(rows[0], "passages")
	for _, r := range rows[1:] {
		if n := r[at]; n != "" && n != "0" && n != "40" {
			t.Errorf("open data tells of %s passages: %q", n, r)
		}
	}
	s = file("what=dictionary&" + months)
	for _, c := range columns() {
		if !strings.Contains(s, c.name) || c.means == "" {
			t.Errorf("the dictionary does not tell what %s is", c.name)
		}
	}
	for _, q := range []string{"from=2026&to=2026-03-31", "from=20", "to=x", "what=open&from=1", "from=2026-04-01&to=2026-06-30", "from=2026-01-02&to=2026-03-31", "by=week&" + months, "what=all&" + months, "what=open&from=2020-01-01&to=2026-03-31"} {
		if a := w.do(adm, "GET", "/api/indicators/export?"+q, nil); a.StatusCode != 422 {
			t.Errorf("%s: %s", q, a.Status)
		}
	}
}

// TestWhatIsHiddenIsNotNought: a figure that may not be told is absent, and 0 is 0.
func TestWhatIsHiddenIsNotNought(t *testing.T) {
	few := report.Indicators{Hidden: report.Hidden{Visits: 1, Help: 1, Refusals: 1}}
	v := figuresOf(few, true, 1)
	for name, n := range map[string]*int{"visits": v.Visits, "outside": v.OutsideVisits, "unsure": v.Unsure, "pages": v.Pages, "help": v.Help, "refusals": v.Refusals, "answers": v.Answers, "good": v.Good, "mean": v.MeanSeconds, "median": v.MedianSeconds, "badged": v.Badged} {
		if n != nil {
			t.Errorf("%s of a hidden month are told as %d", name, *n)
		}
	}
	if len(v.Untold) != 24 {
		t.Errorf("of a hidden month, only hours %v are not told", v.Untold)
	}
	some := report.Indicators{Use: store.Rollup{Visits: 9, Stay: 5400}}
	some.Use.Hours[9], some.Use.Lengths[4], some.Hidden.Hour[9], some.Hidden.Hour[11], some.Hidden.Unsure, some.Hidden.Pages = 9, 9, 1, 2, 1, 1
	if v = figuresOf(some, true, 1); *v.Visits != 9 || !slices.Equal(v.Untold, []int{11}) || v.Unsure != nil || v.Pages != nil || *v.Help != 0 || *v.Refusals != 0 || v.MedianSeconds == nil {
		t.Errorf("in part: %+v", v)
	}
	if v = figuresOf(some, false, 1); len(v.Untold) != 0 || *v.Unsure != 0 {
		t.Errorf("of everything: %+v", v)
	}
}

// TestAnswersOfFewAreNobodys: not an administrator's either.
func TestAnswersOfFewAreNobodys(t *testing.T) {
	for _, c := range []struct {
		good, bad, visits   int
		answers, told, half bool
	}{{0, 0, 9, true, true, true}, {3, 1, 4, false, false, false}, {4, 0, 5, false, false, true}, {4, 1, 9, true, false, true}, {0, 7, 9, true, true, true}, {5, 0, 9, true, true, true}, {0, 0, 0, true, true, false}} {
		i := report.Indicators{Use: store.Rollup{Visits: c.visits, Smiles: map[string]int{"good": c.good, "bad": c.bad}}}
		i.Use.Lengths[3] = c.visits
		if v := figuresOf(i, false, 1); (v.Answers != nil) != c.answers || (v.Good != nil) != c.told || (v.MedianSeconds != nil) != c.half {
			t.Errorf("%+v: answers %v, good %v, median %v", c, v.Answers, v.Good, v.MedianSeconds)
		}
	}
}
