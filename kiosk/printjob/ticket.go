package printjob

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Ticket is how a document is to be printed. The zero value is one black copy
// of everything, on one side.
type Ticket struct {
	Copies   int     `json:"copies"`           // 0 counts as 1
	Duplex   Duplex  `json:"duplex,omitempty"` // both sides of a sheet
	Colour   bool    `json:"colour,omitempty"`
	NumberUp int     `json:"numberUp,omitempty"` // pages on one side: 1, 2 or 4; 0 counts as 1
	Pages    []Range `json:"pages,omitempty"`    // none: all
}

// Duplex is how both sides of a sheet are used.
type Duplex string

// Ways to use both sides.
const (
	OneSided  Duplex = ""
	LongEdge  Duplex = "long"
	ShortEdge Duplex = "short"
)

// Range is some pages, counted from 1, both ends included.
type Range struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Valid tells whether every value is one that the protocol knows.
func (t Ticket) Valid() bool { return t.valid() }

func (t Ticket) valid() bool {
	return t.Copies >= 0 && t.Copies <= MaxCopies && len(t.Pages) <= MaxRanges && slices.Contains([]int{0, 1, 2, 4}, t.NumberUp) &&
		slices.Contains([]Duplex{OneSided, LongEdge, ShortEdge}, t.Duplex) &&
		!slices.ContainsFunc(t.Pages, func(r Range) bool { return r.From < 1 || r.To < r.From || r.To > MaxPages })
}

// Selected counts the document's pages that the ticket wants: a page that two
// ranges name is printed once (PWG 5100.7, page-ranges).
func (t Ticket) Selected(pages int) int {
	if len(t.Pages) == 0 {
		return pages
	}
	n, last := 0, 0
	for _, r := range sorted(t.Pages) {
		from, to := max(r.From, last+1), min(r.To, pages)
		if to >= from {
			n += to - from + 1
		}
		last = max(last, r.To)
	}
	return n
}

// Impressions counts printed sides, all copies together.
func (t Ticket) Impressions(pages int) int { return t.sides(pages) * max(t.Copies, 1) }

// Sheets counts sheets of paper, all copies together: each copy begins on a new one.
func (t Ticket) Sheets(pages int) int {
	if t.Duplex == OneSided {
		return t.Impressions(pages)
	}
	return (t.sides(pages) + 1) / 2 * max(t.Copies, 1)
}

func (t Ticket) sides(pages int) int {
	up := max(t.NumberUp, 1)
	return (t.Selected(pages) + up - 1) / up
}

func sorted(r []Range) []Range {
	r = slices.Clone(r)
	slices.SortFunc(r, func(a, b Range) int { return a.From - b.From })
	return r
}

// maxTyped bounds what ParseRanges reads: 64 ranges of large numbers.
const maxTyped = 1000

// ParseRanges reads what a person types: "1-3, 5", with or without spaces; "3-"
// goes up to the last page. Empty means all.
func ParseRanges(s string, pages int) ([]Range, error) {
	if len(s) > maxTyped {
		return nil, fmt.Errorf("cannot read the pages: %d characters, write at most %d", len(s), maxTyped)
	}
	// A dash takes the spaces around it; other spaces part ranges as commas do.
	words := strings.Fields(strings.NewReplacer("–", " - ", "-", " - ", ",", " , ", ";", " , ").Replace(s))
	number := func(w string) (int, bool) {
		n, err := strconv.Atoi(w)
		return n, err == nil && w[0] >= '0' && w[0] <= '9'
	}
	var all []Range
	for i := 0; i < len(words); i++ {
		if words[i] == "," {
			continue
		}
		from, ok := number(words[i])
		to := from
		if i+1 < len(words) && words[i+1] == "-" {
			if i++; i+1 == len(words) || words[i+1] == "," {
				to = pages
			} else {
				i++
				var sound bool
				to, sound = number(words[i])
				ok = ok && sound
			}
		}
		if !ok || from < 1 || to < from || to > pages {
			return nil, fmt.Errorf("cannot read the pages %.40q: write them like 1-3, 5, up to %d", s, pages)
		}
		if all = append(all, Range{from, to}); len(all) > MaxRanges {
			return nil, fmt.Errorf("cannot read the pages %.40q: at most %d parts", s, MaxRanges)
		}
	}
	return all, nil
}
