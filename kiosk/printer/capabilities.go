package printer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"

	"github.com/OpenPrinting/goipp"
)

// Capabilities is what a printer can do with documents of one format.
type Capabilities struct {
	Model     string
	Formats   []printjob.Format // of ours that it takes
	Colour    bool
	Black     bool // it can be told to print a coloured document in black
	LongEdge  bool // on both sides
	ShortEdge bool
	Copies    int   // at most
	Ranges    bool  // some pages of a document
	NumberUp  []int // of 2 and 4: pages on one side
	A4        bool
	PrintJob  bool // else Create-Job and Send-Document
	LifeCount bool // it tells how much it printed in its life: it counts

	modes    []string // print-color-mode, or output-mode of older ones
	oldModes bool
	sides    bool // it knows the attribute at all
	collated bool
}

// Duplex tells whether it prints on both sides at all.
func (c Capabilities) Duplex() bool { return c.LongEdge || c.ShortEdge }

// Takes tells whether it prints that format.
func (c Capabilities) Takes(f printjob.Format) bool { return slices.Contains(c.Formats, f) }

// CannotError says what a printer cannot do that a ticket asks for.
type CannotError struct {
	What string // format, colour, duplex, copies, pages, number-up
}

func (e *CannotError) Error() string { return "this printer cannot do it: " + e.What }

// Check says what the printer cannot do, before anybody is asked to pay for it:
// a *CannotError, or nil.
func (c Capabilities) Check(f printjob.Format, t printjob.Ticket) error {
	switch {
	case !c.Takes(f):
		return &CannotError{"format"}
	case t.Colour && !c.Colour:
		return &CannotError{"colour"}
	case t.Duplex == printjob.LongEdge && !c.LongEdge, t.Duplex == printjob.ShortEdge && !c.ShortEdge:
		return &CannotError{"duplex"}
	case t.Copies > max(c.Copies, 1):
		return &CannotError{"copies"}
	case len(t.Pages) > 0 && !c.Ranges:
		return &CannotError{"pages"}
	case t.NumberUp > 1 && !slices.Contains(c.NumberUp, t.NumberUp):
		return &CannotError{"number-up"}
	}
	return nil
}

// Capabilities asks what the printer can do with documents of format f; "" stands
// for any.
func (c *Client) Capabilities(ctx context.Context, f printjob.Format) (Capabilities, error) {
	get := func(f printjob.Format) (*goipp.Message, error) {
		return c.ask(ctx, goipp.OpGetPrinterAttributes, func(m *goipp.Message) {
			m.Operation.Add(ipp.Name("requesting-user-name", user))
			if f != "" { // values may depend on it: RFC 8011 §4.2.5.1
				m.Operation.Add(ipp.Mime("document-format", string(f)))
			}
			m.Operation.Add(ipp.Keyword("requested-attributes", "document-format-supported", "color-supported", "print-color-mode-supported",
				"output-mode-supported", "sides-supported", "copies-supported", "page-ranges-supported", "number-up-supported",
				"multiple-document-handling-supported", "media-supported", "operations-supported", "printer-make-and-model",
				"printer-impressions-completed"))
		})
	}
	m, err := get(f)
	var s *StatusError
	if f != "" && errors.As(err, &s) && (s.Status == goipp.StatusErrorDocumentFormatNotSupported || s.Status == goipp.StatusErrorAttributesOrValues) {
		m, err = get("") // a format it does not know: what it knows is in the list
	}
	if err != nil {
		return Capabilities{}, fmt.Errorf("cannot ask what the printer can do: %w", err)
	}
	return capabilities(m.Printer), nil
}

func capabilities(a ipp.Attributes) Capabilities {
	var c Capabilities
	c.Model = model(a)
	for _, s := range ipp.Strings(a, "document-format-supported") {
		switch f := printjob.Format(strings.ToLower(s)); f {
		case printjob.PDF, printjob.JPEG, printjob.PWG, printjob.URF:
			if !slices.Contains(c.Formats, f) {
				c.Formats = append(c.Formats, f)
			}
		}
	}
	c.modes = words(ipp.Strings(a, "print-color-mode-supported"))
	if len(c.modes) == 0 {
		c.modes, c.oldModes = words(ipp.Strings(a, "output-mode-supported")), true
	}
	colour, told := ipp.Bool(a, "color-supported")
	c.Colour = colour || !told && slices.Contains(c.modes, "color")
	c.Black = !c.Colour || slices.ContainsFunc(c.modes, isBlack)
	sides := ipp.Strings(a, "sides-supported")
	c.sides = len(sides) > 0
	c.LongEdge, c.ShortEdge = slices.Contains(sides, "two-sided-long-edge"), slices.Contains(sides, "two-sided-short-edge")
	if r, ok := ipp.Range(a, "copies-supported"); ok {
		c.Copies = min(r.Upper, printjob.MaxCopies)
	}
	c.Copies = max(c.Copies, 1)
	c.Ranges, _ = ipp.Bool(a, "page-ranges-supported")
	for _, n := range []int{2, 4} {
		if slices.ContainsFunc(ipp.Ranges(a, "number-up-supported"), func(r goipp.Range) bool { return r.Lower <= n && n <= r.Upper }) {
			c.NumberUp = append(c.NumberUp, n)
		}
	}
	c.collated = slices.Contains(ipp.Strings(a, "multiple-document-handling-supported"), "separate-documents-collated-copies")
	c.A4 = slices.Contains(ipp.Strings(a, "media-supported"), a4)
	ops := ipp.Ints(a, "operations-supported")
	// A printer that tells none has Print-Job: RFC 8011 §4.2.1 makes it one.
	c.PrintJob = len(ops) == 0 || slices.Contains(ops, int(goipp.OpPrintJob)) ||
		!slices.Contains(ops, int(goipp.OpCreateJob)) || !slices.Contains(ops, int(goipp.OpSendDocument))
	_, c.LifeCount = ipp.Int(a, "printer-impressions-completed")
	return c
}

const a4 = "iso_a4_210x297mm"

func isBlack(mode string) bool {
	return mode == "monochrome" || mode == "process-monochrome" || mode == "auto-monochrome"
}

// attributes are the job's template attributes (RFC 8011 §5.2). Only what the
// printer says to know is sent: some refuse a job for an attribute too many.
func (c Capabilities) attributes(t printjob.Ticket) ipp.Attributes {
	var a ipp.Attributes
	if n := max(t.Copies, 1); n > 1 {
		a.Add(ipp.Integer("copies", n))
		if c.collated {
			a.Add(ipp.Keyword("multiple-document-handling", "separate-documents-collated-copies"))
		}
	}
	if c.sides {
		a.Add(ipp.Keyword("sides", map[printjob.Duplex]string{printjob.OneSided: "one-sided", printjob.LongEdge: "two-sided-long-edge",
			printjob.ShortEdge: "two-sided-short-edge"}[t.Duplex]))
	}
	for _, mode := range modes(t.Colour) {
		if slices.Contains(c.modes, mode) {
			name := "print-color-mode"
			if c.oldModes {
				name = "output-mode"
			}
			a.Add(ipp.Keyword(name, mode))
			break
		}
	}
	if len(t.Pages) > 0 {
		r := ranges(t.Pages)
		a.Add(ipp.RangesOf("page-ranges", r[0], r[1:]...))
	}
	if t.NumberUp > 1 {
		a.Add(ipp.Integer("number-up", t.NumberUp))
	}
	if c.A4 {
		a.Add(ipp.Keyword("media", a4))
	}
	return a
}

// ranges sorts and joins them: they may not overlap (RFC 8011 §5.2.7).
func ranges(pages []printjob.Range) []goipp.Range {
	pages = slices.SortedFunc(slices.Values(pages), func(a, b printjob.Range) int { return a.From - b.From })
	var out []goipp.Range
	for _, p := range pages {
		if last := len(out) - 1; last >= 0 && p.From <= out[last].Upper+1 {
			out[last].Upper = max(out[last].Upper, p.To)
		} else {
			out = append(out, goipp.Range{Lower: p.From, Upper: p.To})
		}
	}
	return out
}

// modes are the ways to ask for colour or black, best first.
func modes(colour bool) []string {
	if colour {
		return []string{"color", "auto"}
	}
	return []string{"monochrome", "process-monochrome", "auto-monochrome"}
}

// model is what a printer calls itself.
func model(a ipp.Attributes) string {
	s, _ := ipp.String(a, "printer-make-and-model")
	return clean(s, 64)
}

// clean makes one short line of a printer's words.
func clean(s string, n int) string {
	s = strings.Join(strings.FieldsFunc(strings.ToValidUTF8(s, ""), func(r rune) bool { return !unicode.IsPrint(r) || r == ' ' }), " ")
	return strings.TrimSpace(ipp.Cut(s, n))
}
