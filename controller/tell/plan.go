// Package tell tells people by mail of what they have to see to: several matters in
// one mail, each once, with one reminder a day, in the hours in which somebody is
// there, and that it is over to whoever heard of it.
package tell

import (
	"slices"
	"time"

	"borne/controller/attend"
	"borne/controller/policy"
	"borne/controller/store"
)

// Times of a mail.
const (
	Group  = 3 * time.Minute  // what begins within them goes into one mail; what passes within them is not told
	Apart  = 15 * time.Minute // between two mails to one person, at least
	Remind = 24 * time.Hour
)

// Reader is somebody who wants to be told.
type Reader struct {
	User  string
	Level attend.Severity // the least urgent
	Sees  func(site string) bool
	Night bool // urgent ones at any hour
}

// Letter is what one mail tells.
type Letter struct {
	New, Again, Over []attend.Item
}

// Empty tells whether there is nothing to write.
func (l Letter) Empty() bool { return len(l.New)+len(l.Again)+len(l.Over) == 0 }

func rank(level string) int {
	return slices.Index([]string{string(attend.Urgent), string(attend.Soon), string(attend.Notice)}, level)
}

// Plan is the letter that is due to r now. matters are those that go on, and those
// that were told; told is what r heard of, by matter. there tells whether somebody
// who sees to a matter is there at this hour.
func Plan(r Reader, matters []attend.Item, told map[string]store.Told, now time.Time, there func(attend.Item) bool) Letter {
	for _, t := range told {
		if now.Sub(t.Last) < Apart || now.Sub(t.Over) < Apart {
			return Letter{}
		}
	}
	var l Letter
	due := false
	for _, m := range matters {
		t, heard := told[m.ID]
		if !there(m) && !(r.Night && m.Row.Level == string(attend.Urgent)) {
			continue
		}
		if !m.Row.Open() {
			if heard && t.Over.IsZero() && now.Sub(m.Row.Ended) >= Group {
				l.Over, due = append(l.Over, m), true
			}
			continue
		}
		switch {
		case rank(m.Row.Level) > rank(string(r.Level)) || !r.Sees(m.Site) || !m.Row.Taken.IsZero() || m.Row.Code == attend.Waiting:
			// not theirs, somebody sees to it, or whoever is at the desk has it on the screen
		case !heard || rank(m.Row.Level) < rank(t.Level):
			l.New = append(l.New, m)
			due = due || now.Sub(m.Row.Changed) >= Group
		case now.Sub(t.Last) >= Remind && now.Sub(t.Over) >= Remind:
			l.Again, due = append(l.Again, m), true
		}
	}
	if !due {
		return Letter{}
	}
	return l
}

// First and last hour of a working day, where a place's own hours say nothing.
const firstHour, lastHour = 7, 19

// AtWork tells whether people work at offices: on weekdays that are no public
// holiday.
func AtWork(at time.Time) bool {
	d := at.Weekday()
	if d == time.Saturday || d == time.Sunday || at.Hour() < firstHour || at.Hour() >= lastHour {
		return false
	}
	today := at.Format(time.DateOnly)
	return !slices.ContainsFunc(policy.PublicDays(at.Year()), func(p policy.PublicDay) bool { return p.Day == today })
}
