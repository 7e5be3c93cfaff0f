package calendar

import (
	"slices"
	"strings"
	"time"

	"borne/controller/policy"
)

// maxGap is more days than pass between the holidays around one that is missing:
// from November to the end of February without Christmas. In a longer time a file
// has a hole, as the ministry's own has in years that it has not finished.
const maxGap = 130

// Over puts a calendar that was read over the one in force. Breaks in force of
// which it says nothing, since it begins later, ends sooner or has a hole there,
// are kept: a file of the next school year takes none of this one away. One to
// come that it should have, and has not, is an error, and so is a file whose
// first holiday to come is far: collèges would open in those that are missing.
// anyway takes the file as it is.
func (c Calendar) Over(force []policy.Break, now time.Time, anyway bool) (Calendar, *Error) {
	if len(c.Breaks) == 0 || anyway {
		return c, nil
	}
	if !slices.ContainsFunc(c.Breaks, func(b policy.Break) bool { return kindOf(b.Name) == holiday }) {
		return c, wrong("Ce fichier n’a aucune période de vacances scolaires.")
	}
	today := now.In(policy.Location()).Format(dayLayout)
	all := slices.Clone(c.Breaks)
	for _, b := range force {
		if slices.ContainsFunc(c.Breaks, func(n policy.Break) bool { return n.From <= b.To && b.From <= n.To }) {
			continue
		}
		before, after := "", "9999-12-31"
		for _, n := range c.Breaks {
			if n.To < b.From {
				before = max(before, n.To)
			} else {
				after = min(after, n.From)
			}
		}
		switch {
		case before == "", after == "9999-12-31", plus(before, maxGap) < after:
			all = append(all, b)
		case b.To >= today:
			return c, wrong("« %s », du %s au %s, n’est plus dans ce fichier. Est-ce bien le calendrier officiel ? Le calendrier en place reste en vigueur.", b.Name, inWords(b.From), inWords(b.To))
		}
	}
	slices.SortFunc(all, func(a, b policy.Break) int { return strings.Compare(a.From, b.From) })
	if drop := len(all) - maxBreaks; drop > 0 {
		all = all[drop:] // the oldest go
	}
	c.Breaks, c.Until = all, max(c.Until, all[len(all)-1].To)
	if i := slices.IndexFunc(all, func(b policy.Break) bool { return b.To >= today }); i >= 0 && plus(today, maxGap) < all[i].From {
		return c, wrong("Ce fichier ne dit rien avant le %s : il y manque des vacances.", inWords(all[i].From))
	}
	return c, nil
}

func plus(day string, n int) string {
	t, err := time.Parse(dayLayout, day)
	if err != nil {
		return day
	}
	return t.AddDate(0, 0, n).Format(dayLayout)
}

// inWords writes a day of a break as staff read it.
func inWords(day string) string {
	t, err := time.Parse(dayLayout, day)
	if err != nil {
		return day
	}
	return frenchDay(t)
}
