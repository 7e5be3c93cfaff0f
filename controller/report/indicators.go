package report

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"borne/controller/store"
)

// By is what a report has a line for.
type By string

// What lines are for.
const (
	ByNothing    By = ""
	BySite       By = "site"
	ByTerritoire By = "territoire"
	ByType       By = "type"
	ByGroup      By = "group" // a site may be in several: the lines then add up to more than there is
	ByDay        By = "day"
	ByWeek       By = "week"
	ByMonth      By = "month"
	ByYear       By = "year"
	BySchoolYear By = "school-year"
)

// Ways are all of them.
func Ways() []By {
	return []By{ByNothing, BySite, ByTerritoire, ByType, ByGroup, ByDay, ByWeek, ByMonth, ByYear, BySchoolYear}
}

// MaxMonths bounds a report, and MaxDays one that has a line for each day or week.
const (
	MaxMonths = 120
	MaxDays   = 400
)

// Query asks for a report.
type Query struct {
	From, To string // local days, both included
	By       By
	Places   []Place // which count
	// Guard hides counts of fewer than five people. Everything is then made of
	// whole months of sites that are over for good: see guard.
	Guard bool
	// Over tells whether nothing can come any more of a month (2006-01): whoever
	// reads a month twice while it grows sees what the few did who came between.
	Over  func(month string) bool
	Now   time.Time
	Zone  *time.Location
	Model func(machine string) store.EnergyModel
}

// Errors that callers tell apart.
var (
	ErrSpan   = errors.New("this stretch of days is not possible")
	ErrMonths = errors.New("only whole months can be told")
	ErrEarly  = errors.New("records of this month may still come")
)

// Check tells whether the question can be answered.
func (q Query) Check() error {
	a, err1 := time.Parse(time.DateOnly, q.From)
	b, err2 := time.Parse(time.DateOnly, q.To)
	switch {
	case err1 != nil || err2 != nil || b.Before(a) || a.Year() < 2000 || b.Year() > 2200:
		return fmt.Errorf("cannot report from %.20q to %.20q: %w", q.From, q.To, ErrSpan)
	case !slices.Contains(Ways(), q.By):
		return fmt.Errorf("cannot report by %.20q", q.By)
	case b.Sub(a) > MaxMonths*31*24*time.Hour, (q.By == ByDay || q.By == ByWeek) && b.Sub(a) > MaxDays*24*time.Hour:
		return fmt.Errorf("cannot report from %s to %s at once: %w", q.From, q.To, ErrSpan)
	case q.Guard && (q.By == ByDay || q.By == ByWeek || a.Day() != 1 || b.AddDate(0, 0, 1).Day() != 1):
		return fmt.Errorf("cannot report from %s to %s by %q: %w", q.From, q.To, q.By, ErrMonths)
	case q.Guard && (q.Over == nil || !q.Over(q.To[:len("2006-01")])):
		return fmt.Errorf("cannot report up to %s: %w; ask for months that are over", q.To, ErrEarly)
	}
	return nil
}

// Indicators are what places did in some days.
type Indicators struct {
	Sites    int // opened to the public
	Colleges int // of these, collèges
	// Of these, « ayant mutualisé »: at least one visit outside school hours. When
	// guarded, of the months only in which that number may be told.
	Shared int

	Seconds int // opened; two sites at once are twice
	Outside int // of these, outside school or office hours
	Use     store.Rollup
	Energy  Energy
	Hidden  Hidden
	Holders []Holders // by month; never to be added up
}

// Hidden counts the months of sites whose figure says too much of few people.
// They are in no sum, so that no sum tells them.
type Hidden struct {
	Visits, Outside, Hours, Langs, Smiles, Pages, Help, Refusals int

	Hour   [24]int // of Hours, those in which this hour is hidden
	Unsure int     // of Hours, those in which the visits without an hour are
}

func (h *Hidden) add(o *Hidden) {
	h.Visits, h.Outside, h.Hours, h.Langs = h.Visits+o.Visits, h.Outside+o.Outside, h.Hours+o.Hours, h.Langs+o.Langs
	h.Smiles, h.Pages, h.Help, h.Refusals = h.Smiles+o.Smiles, h.Pages+o.Pages, h.Help+o.Help, h.Refusals+o.Refusals
	for i, n := range o.Hour {
		h.Hour[i] += n
	}
	h.Unsure += o.Unsure
}

// Line is what one place, set of places or stretch of days did.
type Line struct {
	Key  string
	Name string // of a place
	Indicators
}

// Report answers a Query.
type Report struct {
	Lines []Line
	Total Indicators
}

// Read answers from rollups, and keeps nothing.
func Read(tx store.Tx, q Query) (Report, error) { return new(Kept).Read(tx, q) }

// Read answers from rollups, and from what is kept of them.
func (k *Kept) Read(tx store.Tx, q Query) (Report, error) {
	if err := q.Check(); err != nil {
		return Report{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.turn++
	sums := map[string]*sum{}
	at := func(key string) *sum {
		if sums[key] == nil {
			sums[key] = newSum(q)
		}
		return sums[key]
	}
	total := at("")
	names, of, periods := map[string]string{}, map[string][]*sum{}, map[string][]*sum{}
	for _, p := range q.Places {
		if q.By == BySite {
			names[p.ID] = p.Name
		}
		if q.By == ByGroup {
			for _, g := range p.Groups {
				names[g.ID] = g.Name
			}
		}
		if !q.By.period() { // a place where nothing happened has a line, too
			of[p.ID] = []*sum{total}
			for _, key := range q.keys(p, "") {
				of[p.ID] = append(of[p.ID], at(key))
			}
		}
	}
	err := k.gather(tx, q, func(p Place, unit string) []*sum {
		if !q.By.period() {
			return of[p.ID]
		}
		if periods[unit] == nil {
			periods[unit] = []*sum{total, at(PeriodOf(q.By, unit))}
		}
		return periods[unit]
	})
	if err != nil {
		return Report{}, err
	}
	for _, s := range sums {
		s.Use = k.words.unpack(&s.use)
		for i, open := range s.open {
			if !open {
				continue
			}
			s.Sites++
			if q.Places[i].Type == college {
				if s.Colleges++; s.shared[i] {
					s.Shared++
				}
			}
		}
	}
	if err := k.addHolders(tx, q, func(key string) *Indicators { return &at(key).Indicators }); err != nil {
		return Report{}, err
	}
	forget(k, k.use)
	forget(k, k.open)
	forget(k, k.energy)
	forget(k, k.counts)
	forget(k, k.present)
	r := Report{Total: total.Indicators}
	delete(sums, "")
	for key, s := range sums {
		l := Line{Key: key, Name: key, Indicators: s.Indicators}
		if name, ok := names[key]; ok {
			l.Name = name
		}
		r.Lines = append(r.Lines, l)
	}
	slices.SortFunc(r.Lines, func(a, b Line) int {
		return cmp.Or(strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)), strings.Compare(a.Key, b.Key))
	})
	return r, nil
}

// college is the type of a site that is a collège.
const college = "college"

func (b By) period() bool {
	return slices.Contains([]By{ByDay, ByWeek, ByMonth, ByYear, BySchoolYear}, b)
}

// keys are the lines that a site's day or month belongs to.
func (q Query) keys(p Place, unit string) []string {
	switch q.By {
	case BySite:
		return []string{p.ID}
	case ByTerritoire:
		return []string{cmp.Or(p.Territoire, "—")}
	case ByType:
		return []string{cmp.Or(p.Type, "—")}
	case ByGroup:
		all := []string{}
		for _, g := range p.Groups {
			all = append(all, g.ID)
		}
		if len(all) == 0 {
			return []string{"—"}
		}
		return all
	case ByNothing:
		return nil
	}
	return []string{PeriodOf(q.By, unit)}
}

// PeriodOf is the period that a day (2006-01-02) or a month (2006-01) is in:
// 2006-01-02, 2006-W01, 2006-01, 2006, or 2006-2007 for a school year.
func PeriodOf(by By, unit string) string {
	day := unit
	if len(unit) == len("2006-01") {
		day += "-01"
	}
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return unit
	}
	switch by {
	case ByWeek:
		y, w := t.ISOWeek()
		return fmt.Sprintf("%d-W%02d", y, w)
	case ByMonth:
		return t.Format("2006-01")
	case ByYear:
		return t.Format("2006")
	case BySchoolYear:
		y := t.Year()
		if t.Month() < time.September {
			y--
		}
		return fmt.Sprintf("%d-%d", y, y+1)
	}
	return unit
}

// addHolders counts badges, month by month: those of a month can be told from
// those of another by nobody, so a longer stretch has its months and no sum.
func (k *Kept) addHolders(tx store.Tx, q Query, at func(key string) *Indicators) error {
	if q.By == ByDay || q.By == ByWeek {
		return nil
	}
	today := q.Now.In(q.Zone).Format(time.DateOnly)
	first, err := time.Parse(time.DateOnly, q.From)
	if err != nil {
		return err
	}
	if first.Day() != 1 {
		first = first.AddDate(0, 1, 1-first.Day())
	}
	g := q.grouped()
	for m := first; ; m = m.AddDate(0, 1, 0) {
		month, end := m.Format("2006-01"), m.AddDate(0, 1, -1).Format(time.DateOnly)
		if m.Format(time.DateOnly) > today || end > q.To && q.To < today || m.Format(time.DateOnly) > q.To {
			return nil
		}
		found, err := k.holders(tx, q, month, g)
		if err != nil {
			return err
		}
		for key, h := range found {
			at(key).Holders = append(at(key).Holders, h)
		}
		if h, ok := found[""]; ok && q.By.period() {
			s := at(PeriodOf(q.By, month))
			s.Holders = append(s.Holders, h)
		}
	}
}
