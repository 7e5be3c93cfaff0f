package attend

import (
	"strings"
	"testing"
	"time"

	"borne/controller/store"
)

// desk keeps matters as a store does.
type desk struct {
	s     Subject
	rows  []Item
	waits Waits
	now   time.Time
	log   []string // what began, ended and changed
}

func (d *desk) look(away bool, found ...Found) {
	known := []Item{}
	for _, r := range d.rows {
		if r.Row.Open() {
			known = append(known, r)
		}
	}
	for _, f := range found { // the last of each key
		for i := len(d.rows) - 1; i >= 0; i-- {
			if r := d.rows[i]; r.Row.Key == d.s.Key(f) {
				if !r.Row.Open() {
					known = append(known, r)
				}
				break
			}
		}
	}
	for _, c := range Step(d.s, known, found, d.waits, away, d.now) {
		at := -1
		for i, r := range d.rows {
			if r.ID == c.ID {
				at = i
			}
		}
		what := "changes"
		switch {
		case at < 0:
			what = "begins"
			d.rows = append(d.rows, c)
		case !c.Row.Open():
			what = "ends"
		case !d.rows[at].Row.Open():
			what = "is back"
		}
		if at >= 0 {
			d.rows[at] = c
		}
		d.log = append(d.log, d.now.Format("15:04 ")+c.Row.Code+" "+what)
	}
	d.now = d.now.Add(time.Minute)
}

func (d *desk) want(t *testing.T, lines ...string) {
	t.Helper()
	if got := strings.Join(d.log, "; "); got != strings.Join(lines, "; ") {
		t.Errorf("%s\nwant %s", got, strings.Join(lines, "; "))
	}
	d.log = nil
}

func open(t *testing.T) *desk {
	t.Helper()
	return &desk{s: Subject{"s", "e", "t"}, waits: Waits{}, now: time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)}
}

func TestMatterIsToldOnceAndEndsByItself(t *testing.T) {
	d := open(t)
	off := Found{Code: Offline, Level: Soon, Since: d.now.Add(-time.Hour)}
	d.look(true, off)
	d.look(true, off, off)
	d.look(true, off)
	d.look(false)
	d.want(t, "12:00 offline begins", "12:03 offline ends")
	if r := d.rows[0]; len(d.rows) != 1 || r.Site != "s" || r.Scope != "t" || r.Row.Space != "e" || !r.Row.Since.Equal(off.Since) || r.Row.Ended.IsZero() {
		t.Errorf("%+v", d.rows)
	}
	// Back a short while later it is the same; a day later it is another one.
	d.look(true, off)
	d.look(false)
	d.now = d.now.Add(Again)
	d.look(true, off)
	d.want(t, "12:04 offline is back", "12:05 offline ends", "12:36 offline begins")
	if len(d.rows) != 2 || d.rows[0].ID == d.rows[1].ID || d.rows[0].ID >= d.rows[1].ID {
		t.Errorf("%+v", d.rows)
	}
}

func TestPatience(t *testing.T) {
	d := open(t)
	clock := Found{Code: Clock, Level: Soon, Wait: 3 * time.Minute}
	d.look(false, clock)
	d.look(false, clock)
	d.look(false) // it passed by itself
	d.want(t)
	for range 5 {
		d.look(false, clock)
	}
	d.want(t, "12:06 clock-unsure begins")
	if since := d.rows[0].Row.Since; since.Format("15:04") != "12:03" || len(d.waits) != 0 {
		t.Errorf("since %v, and %v waits", since, d.waits)
	}
}

// TestAwayItCannotSayThatItIsOver: what only the terminal can tell goes on while it
// is away, and what the store knows does not.
func TestAwayItCannotSayThatItIsOver(t *testing.T) {
	d := open(t)
	d.look(false, Found{Code: WipeFailed, Level: Urgent}, Found{Code: Quarantined, Why: "staff", Level: Urgent})
	d.look(true)
	d.want(t, "12:00 wipe-failed begins", "12:00 quarantined begins", "12:01 quarantined ends")
	d.look(false)
	d.want(t, "12:02 wipe-failed ends")
}

func TestWhoTookItOnIsLetGoWhenItIsAnotherMatter(t *testing.T) {
	d := open(t)
	out := Found{Code: Out, Why: "no-browser", Level: Urgent}
	n, m := 9, 8
	toner := Found{Code: "printer-supply-soon", About: "Toner", Level: Notice, Count: &n}
	d.look(false, out, toner)
	for i := range d.rows {
		d.rows[i].Row.Taken, d.rows[i].Row.By, d.rows[i].Row.Note = d.now, "ada", "j’y vais"
	}
	toner.Count = &m
	d.look(false, out, toner)
	if d.rows[0].Row.By != "ada" || d.rows[1].Row.By != "ada" || d.rows[1].Row.Count != 8 {
		t.Errorf("%+v", d.rows)
	}
	out.Why = "no-display"
	d.look(false, out, toner)
	if r := d.rows[0].Row; !r.Taken.IsZero() || r.By != "" || r.Note != "" || r.Why != "no-display" || d.rows[1].Row.By != "ada" {
		t.Errorf("%+v", d.rows)
	}
	d.want(t, "12:00 out begins", "12:00 printer-supply-soon begins", "12:01 printer-supply-soon changes", "12:02 out changes")
}

func TestMatterMovesWithItsTerminal(t *testing.T) {
	d := open(t)
	off := Found{Code: Offline, Level: Soon, Since: d.now}
	d.look(true, off)
	d.s.Site, d.s.Space = "other", "hall"
	d.look(true, off)
	if r := d.rows[0]; r.Site != "other" || r.Row.Space != "hall" {
		t.Errorf("%+v", r)
	}
}

func TestDepartmentAndTerminalsAreApart(t *testing.T) {
	if a, b := (Subject{}).Key(Found{Code: "x"}), (Subject{Terminal: "all"}).Key(Found{Code: "x"}); a == b || store.MatterSubject("") == store.MatterSubject("all") {
		t.Error(a, b)
	}
}
