package recount

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"slices"
	"time"

	"borne/controller/directory"
	"borne/controller/policy"
	"borne/controller/report"
	"borne/controller/store"
	"borne/controller/wire"
)

// part is what was counted by hand for a site's local day.
type part struct {
	visits, outside, unsure, badged, stay, pages, refusals int
	hours, use                                             [24]int
	lengths                                                [12]int
	langs, profiles, smiles                                map[string]int
	open, openOutside                                      int
	wh                                                     float64
}

func (p *part) add(o *part) {
	p.visits, p.outside, p.unsure, p.badged = p.visits+o.visits, p.outside+o.outside, p.unsure+o.unsure, p.badged+o.badged
	p.stay, p.pages, p.refusals = p.stay+o.stay, p.pages+o.pages, p.refusals+o.refusals
	p.open, p.openOutside, p.wh = p.open+o.open, p.openOutside+o.openOutside, p.wh+o.wh
	for i := range p.hours {
		p.hours[i], p.use[i] = p.hours[i]+o.hours[i], p.use[i]+o.use[i]
	}
	for i := range p.lengths {
		p.lengths[i] += o.lengths[i]
	}
	for k, v := range o.langs {
		p.langs = more(p.langs, k, v)
	}
	for k, v := range o.profiles {
		p.profiles = more(p.profiles, k, v)
	}
	for k, v := range o.smiles {
		p.smiles = more(p.smiles, k, v)
	}
}

func more(m map[string]int, k string, n int) map[string]int {
	if m == nil {
		m = map[string]int{}
	}
	m[k] += n
	return m
}

type byHand struct {
	y       *year
	parts   map[string]map[string]*part           // by site and day
	holders map[string]map[string]map[string]bool // by month and pseudonym: sites
	of      map[string]*site
}

func (y *year) byHand() *byHand {
	h := &byHand{y: y, parts: map[string]map[string]*part{}, holders: map[string]map[string]map[string]bool{}, of: map[string]*site{}}
	for _, s := range y.sites {
		h.of[s.id], h.parts[s.id] = s, map[string]*part{}
		h.opened(s)
		for _, t := range s.terminals {
			h.terminal(t)
		}
	}
	return h
}

func (h *byHand) at(site, day string) *part {
	if h.parts[site][day] == nil {
		h.parts[site][day] = &part{}
	}
	return h.parts[site][day]
}

func dayOf(t time.Time) string { return t.In(policy.Location()).Format(time.DateOnly) }

// opened passes through each minute of the year: a site is open when one of its
// spaces with a terminal is.
func (h *byHand) opened(s *site) {
	for day := firstDay; day <= lastDay; day = addDays(day, 1) {
		midnight := local(day, 0)
		weekday := midnight.Weekday()
		for minute := 6 * 60; minute < 23*60; minute++ { // no opening here is earlier or later
			at := local(day, minute)
			open, outside := false, false
			for _, sp := range s.spaces {
				served := false
				for _, t := range s.terminals {
					served = served || t.space == sp && !at.Before(t.enrolled) && (t.revoked.IsZero() || at.Before(t.revoked))
				}
				if served {
					o, x := s.held(sp, at).at(day, weekday, minute)
					open, outside = open || o, outside || x
				}
			}
			if open {
				h.at(s.id, day).open += 60
			}
			if outside {
				h.at(s.id, day).openOutside += 60
			}
		}
	}
}

// terminal reads what one terminal told, from its first record to its last.
func (h *byHand) terminal(t *terminal) {
	type begun struct {
		told
		b    wire.Begun
		done bool
	}
	all := map[string]*begun{}
	for _, x := range h.y.kept[t] {
		when := x.rec.At
		if x.rec.Unsure {
			when = x.arrived
		}
		day := dayOf(when)
		read := func(v any) {
			if err := json.Unmarshal(x.rec.Body, v); err != nil {
				panic(err)
			}
		}
		switch x.rec.Kind {
		case wire.KindBegun:
			b := &begun{told: x}
			read(&b.b)
			all[b.b.Session] = b
		case wire.KindEnded:
			var e wire.Ended
			read(&e)
			if b := all[e.Session]; b != nil && !b.done {
				b.done = true
				h.at(t.site.id, day).pages += e.Pages
				if e.Reason != wire.EndFailed && e.Reason != wire.EndDeclined {
					h.visit(t, b.b, b.rec.At, e, day, b.rec.Unsure || x.rec.Unsure)
					if len(b.b.Holder) > 0 {
						h.badge(b.rec.At.UTC().Format("2006-01"), string(b.b.Holder), t.site.id)
					}
				}
			}
		case wire.KindSmile:
			var m wire.Smile
			read(&m)
			p := h.at(t.site.id, day)
			p.smiles = more(p.smiles, string(m.How), 1)
		case wire.KindRefused:
			h.at(t.site.id, day).refusals++
		case wire.KindEnergy:
			var u wire.EnergyUse
			read(&u)
			wh := u.Wh
			if wh == 0 { // 6 W on, 1 W off, and a screen of 20 W, 0.5 W on standby
				wh = (float64(u.Lit)*26 + float64(u.Dark+u.Low)*6.5 + float64(u.Halted)*1.5) / 3600
			}
			h.at(t.site.id, dayOf(u.From)).wh += wh
		}
	}
}

func (h *byHand) badge(month, holder, site string) {
	if h.holders[month] == nil {
		h.holders[month] = map[string]map[string]bool{}
	}
	if h.holders[month][holder] == nil {
		h.holders[month][holder] = map[string]bool{}
	}
	h.holders[month][holder][site] = true
}

func (h *byHand) visit(t *terminal, b wire.Begun, at time.Time, e wire.Ended, day string, unsure bool) {
	p := h.at(t.site.id, day)
	p.visits++
	p.stay += e.Seconds
	p.langs, p.profiles = more(p.langs, b.Lang, 1), more(p.profiles, b.Profile, 1)
	if len(b.Holder) > 0 {
		p.badged++
	}
	class := 0
	for _, minutes := range []int{1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120} {
		if e.Seconds >= minutes*60 {
			class++
		}
	}
	p.lengths[class]++
	if unsure {
		p.unsure++
		return
	}
	l := at.In(policy.Location())
	p.hours[l.Hour()]++
	if _, outside := t.site.held(t.space, at).at(dayOf(at), l.Weekday(), l.Hour()*60+l.Minute()); outside {
		p.outside++
	}
	for s := range e.Seconds {
		x := at.Truncate(time.Second).Add(time.Duration(s) * time.Second).In(policy.Location())
		h.at(t.site.id, x.Format(time.DateOnly)).use[x.Hour()]++
	}
}

// sum adds up some sites' days.
func (h *byHand) sum(want func(site, day string) bool) (p part, open, colleges, shared int) {
	for id, days := range h.parts {
		here, mine := part{}, false
		for day, x := range days {
			if want(id, day) {
				here.add(x)
				mine = true
			}
		}
		if p.add(&here); !mine || here.open == 0 {
			continue
		}
		open++
		if h.of[id].kind == "college" {
			if colleges++; here.outside > 0 {
				shared++
			}
		}
	}
	return p, open, colleges, shared
}

// badges counts pseudonyms of a month at some sites; those of sites where there
// are few apart.
func (h *byHand) badges(month string, mine func(site string) bool) (all, safe int) {
	n := map[string]int{}
	for _, sites := range h.holders[month] {
		for s := range sites {
			n[s]++
		}
	}
	for _, sites := range h.holders[month] {
		a, b := false, false
		for s := range sites {
			a = a || mine(s)
			b = b || mine(s) && n[s] >= 5
		}
		all, safe = all+btoi(a), safe+btoi(b)
	}
	return all, safe
}

func (h *byHand) compare(name string, got report.Indicators, want func(site, day string) bool, site func(string) bool, months []string) {
	t := h.y.t
	t.Helper()
	p, open, colleges, shared := h.sum(want)
	help := 0
	for at, n := range h.y.helped {
		id, month := at[:len("site-00")], at[len("site-00/"):]
		if len(months) > 0 && site(id) && slices.Contains(months, month) {
			help += n
		}
	}
	u := got.Use
	have := part{visits: u.Visits, outside: u.Outside, unsure: u.Unsure, badged: u.Badged, stay: u.Stay, pages: u.Pages, refusals: u.Refusals, hours: u.Hours, use: u.Use, lengths: u.Lengths,
		langs: u.Langs, profiles: u.Profiles, smiles: u.Smiles, open: got.Seconds, openOutside: got.Outside, wh: got.Energy.UsedWh}
	if math.Abs(have.wh-p.wh) <= 1e-6*p.wh {
		have.wh = p.wh
	}
	if !reflect.DeepEqual(have, p) {
		t.Errorf("%s: the report says\n%+v\nthe recount\n%+v", name, have, p)
	}
	if got.Sites != open || got.Colleges != colleges || got.Shared != shared {
		t.Errorf("%s: %d sites, %d collèges, %d shared; by hand %d, %d, %d", name, got.Sites, got.Colleges, got.Shared, open, colleges, shared)
	}
	if len(months) > 0 && u.Help != help {
		t.Errorf("%s: help %d, by hand %d", name, u.Help, help)
	}
	if len(got.Holders) != len(months) {
		t.Errorf("%s: badges of %d months, want %d", name, len(got.Holders), len(months))
		return
	}
	for i, b := range got.Holders {
		if n, _ := h.badges(months[i], site); b.Month != months[i] || !b.Known || b.Count != n {
			t.Errorf("%s: badges %+v, by hand %d", name, b, n)
		}
	}
}

func monthsOf(from, to string) (all []string) {
	for day := from; day <= to; day = addDays(day, 1) {
		if m := day[:7]; !slices.Contains(all, m) {
			all = append(all, m)
		}
	}
	return all
}

func (y *year) report(q report.Query) report.Report {
	y.t.Helper()
	var r report.Report
	began := time.Now()
	err := y.st.View(context.Background(), func(tx store.Tx) (err error) {
		if q.Places, err = report.PlacesOf(tx); err != nil {
			return err
		}
		q.Now, q.Zone = y.now, policy.Location()
		q.Over = func(month string) bool { return directory.Over(month, y.now) }
		figures := report.DefaultFigures()
		q.Model = func(m string) store.EnergyModel { return report.ModelOf(figures, m) }
		r, err = report.Read(tx, q)
		return err
	})
	if err != nil {
		y.t.Fatal(err)
	}
	y.t.Logf("report from %s to %s by %q, guarded %v: %d lines in %s", q.From, q.To, q.By, q.Guard, len(r.Lines), time.Since(began).Round(10*time.Microsecond))
	return r
}

func (y *year) recount() {
	t := y.t
	h := y.byHand()
	every := func(string) bool { return true }
	in := func(from, to string, mine func(string) bool) func(site, day string) bool {
		return func(site, day string) bool { return from <= day && day <= to && mine(site) }
	}
	whole := monthsOf(firstDay, lastDay)
	for range 3 { // once more after the last night has written everything down, and when the last month is over
		for _, by := range []report.By{report.ByNothing, report.BySite, report.ByTerritoire, report.ByType, report.ByMonth, report.BySchoolYear, report.ByYear} {
			r := y.report(report.Query{From: firstDay, To: lastDay, By: by})
			h.compare("the year", r.Total, in(firstDay, lastDay, every), every, whole)
			for _, l := range r.Lines {
				mine, from, to := every, firstDay, lastDay
				switch by {
				case report.BySite:
					mine = func(s string) bool { return s == l.Key }
				case report.ByTerritoire:
					mine = func(s string) bool { return h.of[s].territoire == l.Key }
				case report.ByType:
					mine = func(s string) bool { return h.of[s].kind == l.Key }
				case report.ByMonth:
					from, to = l.Key+"-01", l.Key+"-31"
				case report.ByYear:
					from, to = max(from, l.Key+"-01-01"), min(to, l.Key+"-12-31")
				}
				h.compare(fmt.Sprintf("%s %s", by, l.Key), l.Indicators, in(from, to, mine), mine, monthsOf(max(from, firstDay), min(to, lastDay)))
			}
		}
		y.night()
		y.now = y.now.AddDate(0, 0, 30)
	}
	// Weeks and days, and a stretch that cuts months.
	r := y.report(report.Query{From: "2026-09-07", To: "2027-01-17", By: report.ByWeek})
	for _, l := range r.Lines {
		h.compare(l.Key, l.Indicators, func(_, day string) bool {
			d := local(day, 0)
			yy, w := d.ISOWeek()
			return "2026-09-07" <= day && day <= "2027-01-17" && fmt.Sprintf("%d-W%02d", yy, w) == l.Key
		}, every, nil)
	}
	r = y.report(report.Query{From: "2026-10-20", To: "2026-10-31", By: report.ByDay})
	for _, l := range r.Lines {
		h.compare(l.Key, l.Indicators, in(l.Key, l.Key, every), every, nil)
	}
	r = y.report(report.Query{From: "2026-10-13", To: "2027-03-29"})
	r.Total.Holders, r.Total.Use.Help = nil, 0
	h.compare("cut months", r.Total, in("2026-10-13", "2027-03-29", every), every, nil)

	y.guarded(h)
	if t.Failed() {
		return
	}
	all, _, _, shared := h.sum(in(firstDay, lastDay, every))
	t.Logf("%d passages, %d outside school or office hours, %d h open of which %d outside, %d collèges shared, %.0f kWh, %v smileys", all.visits, all.outside, all.open/3600, all.openOutside/3600, shared, all.wh/1000, all.smiles)
}

// guarded compares what somebody sees who may not see small counts.
func (y *year) guarded(h *byHand) {
	t := y.t
	r := y.report(report.Query{From: firstDay, To: lastDay, By: report.BySite, Guard: true})
	visits, hiddenCells := 0, 0
	for _, l := range r.Lines {
		shown, hidden := 0, 0
		for _, m := range monthsOf(firstDay, lastDay) {
			p, _, _, _ := h.sum(func(site, day string) bool { return site == l.Key && day[:7] == m })
			if p.visits > 0 && p.visits < 5 {
				hidden++
			} else {
				shown += p.visits
			}
		}
		if l.Use.Visits != shown || l.Hidden.Visits != hidden {
			t.Errorf("guarded %s: %d visits, %d months hidden; by hand %d, %d", l.Key, l.Use.Visits, l.Hidden.Visits, shown, hidden)
		}
		visits, hiddenCells = visits+shown, hiddenCells+hidden
		for i, b := range l.Holders {
			n, safe := h.badges(monthsOf(firstDay, lastDay)[i], func(s string) bool { return s == l.Key })
			if b.Count != safe || b.Hidden != (n > 0 && n < 5) {
				t.Errorf("guarded %s: badges %+v, by hand %d and %d", l.Key, b, n, safe)
			}
		}
	}
	if hiddenCells == 0 {
		t.Error("no month of any site had few visits")
	}
	if r.Total.Use.Visits != visits {
		t.Errorf("guarded: %d visits in all, by hand %d", r.Total.Use.Visits, visits)
	}
	told := 0
	for i, b := range r.Total.Holders {
		month := monthsOf(firstDay, lastDay)[i]
		_, safe := h.badges(month, func(string) bool { return true })
		// By hand: nobody is found by comparing all places with one, or with their sum.
		twice, tells := -safe, true
		for id := range h.of {
			if _, n := h.badges(month, func(s string) bool { return s == id }); n > 0 {
				twice += n
				tells = tells && (safe == n || safe-n >= 5)
			}
		}
		tells = tells && (twice == 0 || twice >= 5)
		if b.Known != tells || b.Count != safe {
			t.Errorf("guarded: badges %+v, by hand %d, to be told: %v", b, safe, tells)
		}
		told += btoi(tells)
	}
	t.Logf("guarded: %d visits, %d months of sites hidden, badges of all sites told in %d months of 12", visits, hiddenCells, told)
}
