package policy

import (
	"fmt"
	"time"
)

func weekdays() [7]string {
	return [7]string{"dimanche", "lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi"}
}

func months() [12]string {
	return [12]string{"janvier", "février", "mars", "avril", "mai", "juin", "juillet", "août", "septembre", "octobre", "novembre", "décembre"}
}

// Day names a day in French: « lundi 7 décembre 2026 ».
func Day(t time.Time) string {
	y, m, d := t.Date()
	nth := fmt.Sprint(d)
	if d == 1 {
		nth = "1er"
	}
	return fmt.Sprintf("%s %s %s %d", weekdays()[t.Weekday()], nth, months()[m-1], y)
}

// Clock names minutes after midnight in French: « 8 h », « 17 h 30 », with spaces that do not break.
func Clock(minutes int) string {
	minutes %= 1440
	if minutes%60 == 0 {
		return fmt.Sprintf("%d\u00a0h", minutes/60)
	}
	return fmt.Sprintf("%d\u00a0h\u00a0%02d", minutes/60, minutes%60)
}

// spansIn tells a day's spans in French: « 8 h – 12 h et 13 h 30 – 17 h », « fermé ».
func spansIn(spans []Span) string {
	if len(spans) == 0 {
		return "fermé"
	}
	s := ""
	for i, x := range spans {
		switch {
		case i == 0:
		case i == len(spans)-1:
			s += " et "
		default:
			s += ", "
		}
		s += Clock(x.From) + " – " + Clock(x.To)
	}
	return s
}

// ordinal names the nth of a month.
func ordinal(n int) string {
	switch n {
	case 1:
		return "premier"
	case 2:
		return "deuxième"
	case 3:
		return "troisième"
	case 4:
		return "quatrième"
	}
	return "dernier"
}
