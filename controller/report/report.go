// Package report reads the rollups: what a place's page shows without walking
// through its sessions. Days are local days of Europe/Paris.
package report

import (
	"fmt"
	"time"

	"borne/controller/store"
)

// Figures of a stretch of days.
type Figures struct {
	Sessions int
	Seconds  int
	Active   int
	Pages    int // printed sides
	Sheets   int
	Colour   int // printed sides in colour
	Prints   int // jobs
	Wipes    int
	Refusals int
	Ends     map[string]int // by reason code
	Filtered map[string]int // sites refused, by category
}

// Day is one local day.
type Day struct {
	Date string // 2006-01-02
	Figures
}

// Days returns the last n local days up to the one of at, oldest first, for one
// site, or for all of them when site is empty. Days without use are there too.
func Days(tx store.Tx, site string, at time.Time, zone *time.Location, n int) ([]Day, error) {
	if n < 1 || n > 400 {
		return nil, fmt.Errorf("cannot report on %d days: between 1 and 400", n)
	}
	days := make([]Day, n)
	place := map[string]int{}
	// Noon is on the same day in summer and in winter time, whatever is added.
	y, m, d := at.In(zone).Date()
	noon := time.Date(y, m, d, 12, 0, 0, 0, zone)
	for i := range days {
		date := noon.AddDate(0, 0, i-n+1).Format(time.DateOnly)
		days[i] = Day{Date: date, Figures: Figures{Ends: map[string]int{}, Filtered: map[string]int{}}}
		place[date] = i
	}
	from := store.RollupID(days[0].Date, "")
	to := store.RollupID(noon.AddDate(0, 0, 1).Format(time.DateOnly), "")
	for it, err := range store.List[store.Rollup](tx, from, to, false) {
		if err != nil {
			return nil, fmt.Errorf("cannot read the daily figures: %w", err)
		}
		i, ok := place[it.Row.Day]
		if !ok || (site != "" && it.Site != site) {
			continue
		}
		days[i].add(it.Row)
	}
	return days, nil
}

func (f *Figures) add(r store.Rollup) {
	f.Sessions += r.Sessions
	f.Seconds += r.Seconds
	f.Active += r.Active
	f.Pages += r.Pages
	f.Sheets += r.Sheets
	f.Colour += r.Colour
	f.Prints += r.Prints
	f.Wipes += r.Wipes
	f.Refusals += r.Refusals
	for reason, n := range r.Ends {
		f.Ends[reason] += n
	}
	for category, n := range r.Filtered {
		f.Filtered[category] += n
	}
}

// Sum adds days up.
func Sum(days []Day) Figures {
	all := Figures{Ends: map[string]int{}, Filtered: map[string]int{}}
	for _, d := range days {
		all.add(store.Rollup{Sessions: d.Sessions, Seconds: d.Seconds, Active: d.Active, Pages: d.Pages, Sheets: d.Sheets, Colour: d.Colour, Prints: d.Prints, Wipes: d.Wipes,
			Refusals: d.Refusals, Ends: d.Ends, Filtered: d.Filtered})
	}
	return all
}
