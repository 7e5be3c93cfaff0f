package policy

import (
	"cmp"
	"slices"
	"time"
)

// PublicDay is a public holiday of metropolitan France (Code du travail, art.
// L3133-1).
type PublicDay struct {
	Key  string `json:"key"`  // names it in each year: « labour »
	Day  string `json:"day"`  // 2006-01-02
	Name string `json:"name"` // in French
}

// PublicDays returns a year's, by their day.
func PublicDays(year int) []PublicDay {
	fixed := func(key string, m time.Month, d int, name string) PublicDay {
		return PublicDay{key, civilOf(year, m, d).String(), name}
	}
	easter := easterOf(year)
	moving := func(key string, after civil, name string) PublicDay {
		return PublicDay{key, (easter + after).String(), name}
	}
	all := []PublicDay{
		fixed("new-year", time.January, 1, "Jour de l’An"),
		moving("easter-monday", 1, "Lundi de Pâques"),
		fixed("labour", time.May, 1, "Fête du Travail"),
		fixed("victory", time.May, 8, "Victoire de 1945"),
		moving("ascension", 39, "Ascension"),
		moving("whit-monday", 50, "Lundi de Pentecôte"),
		fixed("national", time.July, 14, "Fête nationale"),
		fixed("assumption", time.August, 15, "Assomption"),
		fixed("all-saints", time.November, 1, "Toussaint"),
		fixed("armistice", time.November, 11, "Armistice de 1918"),
		fixed("christmas", time.December, 25, "Noël"),
	}
	slices.SortStableFunc(all, func(a, b PublicDay) int { return cmp.Compare(a.Day, b.Day) })
	return all
}

// easterOf is Easter Sunday by the Gregorian computus (Meeus/Jones/Butcher:
// J. Meeus, Astronomical Algorithms, ch. 8).
func easterOf(year int) civil {
	a, b, c := year%19, year/100, year%100
	d, e := b/4, b%4
	g := (8*b + 13) / 25
	h := (19*a + b - d - g + 15) % 30
	i, k := c/4, c%4
	l := (32 + 2*e + 2*i - h - k) % 7
	m := (a + 11*h + 19*l) / 433
	month := (h + l - 7*m + 90) / 25
	day := (h + l - 7*m + 33*month + 19) % 32
	return civilOf(year, time.Month(month), day)
}
