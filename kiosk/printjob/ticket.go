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

// ParseRanges reads what a person types: "1-3, 5". Empty means all.
func ParseRanges(s string, pages int) ([]Range, error) {
	var all []Range
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
		a, b, both := strings.Cut(part, "-")
		from, err := strconv.Atoi(a)
		to := from
		if err == nil && both {
			to, err = strconv.Atoi(b)
		}
		if err != nil || from < 1 || to < from || to > pages {
			return nil, fmt.Errorf("cannot read the pages %.40q: write them like 1-3, 5, up to %d", s, pages)
		}
		if all = append(all, Range{from, to}); len(all) > MaxRanges {
			return nil, fmt.Errorf("cannot read the pages %.40q: at most %d parts", s, MaxRanges)
		}
	}
	return all, nil
}
