package press

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/OpenPrinting/goipp"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"
)

func collection(name string, members ...goipp.Attribute) goipp.Attribute {
	return ipp.Members(name, members...)
}

func TestTicketOf(t *testing.T) {
	size := func(x, y int) goipp.Attribute {
		return collection("media-size", ipp.Integer("x-dimension", x), ipp.Integer("y-dimension", y))
	}
	poor := able
	poor.Colour, poor.Duplex, poor.Copies = false, false, 0
	many := make([]goipp.Range, printjob.MaxRanges+1)
	for i := range many {
		many[i] = goipp.Range{Lower: 2*i + 1, Upper: 2*i + 1}
	}
	type attrs = ipp.Attributes
	for name, c := range map[string]struct {
		job  attrs
		can  printjob.Printer
		want printjob.Ticket
		bad  string // names that are left out
	}{
		"nothing": {nil, able, printjob.Ticket{}, ""},
		"IPP": {attrs{ipp.Integer("copies", 3), ipp.Keyword("sides", shortEdge), ipp.Keyword("print-color-mode", colour), ipp.Integer("number-up", 4),
			ipp.RangeOf("page-ranges", 2, 3)}, able,
			printjob.Ticket{Copies: 3, Duplex: printjob.ShortEdge, Colour: true, NumberUp: 4, Pages: []printjob.Range{{From: 2, To: 3}}}, ""},
		"PPD, as names": {attrs{ipp.Name("PageSize", "A4"), ipp.Name("Duplex", "DuplexNoTumble"), ipp.Name("ColorModel", "RGB"), ipp.Integer("copies", 2), ipp.Name("Collate", "True")},
			able, printjob.Ticket{Copies: 2, Duplex: printjob.LongEdge, Colour: true}, ""},
		"PPD, one side, black":  {attrs{ipp.Keyword("Duplex", "None"), ipp.Keyword("ColorModel", "Gray")}, able, printjob.Ticket{}, ""},
		"what CUPS sends along": {attrs{ipp.Name("printer-info", "x"), ipp.Integer("marker-levels", 1), ipp.URI("device-uri", "x"), ipp.Integer("job-priority", 50)}, able, printjob.Ticket{}, ""},
		"auto is black":         {attrs{ipp.Keyword("print-color-mode", "auto")}, able, printjob.Ticket{}, ""},
		"more than it can":      {attrs{ipp.Keyword("sides", longEdge), ipp.Keyword("print-color-mode", colour), ipp.Integer("copies", 2)}, poor, printjob.Ticket{Copies: 1}, "sides print-color-mode copies"},
		"too many copies":       {attrs{ipp.Integer("copies", 10)}, able, printjob.Ticket{Copies: 9}, "copies"},
		"no copy":               {attrs{ipp.Integer("copies", 0)}, able, printjob.Ticket{}, "copies"},
		"copies in letters":     {attrs{ipp.Name("copies", "2"), ipp.Name("number-up", "two")}, able, printjob.Ticket{Copies: 2}, "number-up"},
		"three on a side":       {attrs{ipp.Integer("number-up", 3)}, able, printjob.Ticket{}, "number-up"},
		"pages to the end":      {attrs{ipp.RangeOf("page-ranges", 3, 1<<31-1)}, able, printjob.Ticket{Pages: []printjob.Range{{From: 3, To: printjob.MaxPages}}}, ""},
		"a page":                {attrs{ipp.Integer("page-ranges", 7)}, able, printjob.Ticket{Pages: []printjob.Range{{From: 7, To: 7}}}, ""},
		"pages backwards":       {attrs{ipp.RangeOf("page-ranges", 3, 1)}, able, printjob.Ticket{}, "page-ranges"},
		"pages that meet":       {attrs{ipp.RangesOf("page-ranges", goipp.Range{Lower: 1, Upper: 4}, goipp.Range{Lower: 4, Upper: 5})}, able, printjob.Ticket{}, "page-ranges"},
		"pages from nothing":    {attrs{ipp.RangeOf("page-ranges", 0, 1)}, able, printjob.Ticket{}, "page-ranges"},
		"too many ranges":       {attrs{ipp.RangesOf("page-ranges", many[0], many[1:]...)}, able, printjob.Ticket{}, "page-ranges"},
		"pages in letters":      {attrs{ipp.Keyword("page-ranges", "1-3")}, able, printjob.Ticket{}, "page-ranges"},
		"paper":                 {attrs{ipp.Keyword("media", a4)}, able, printjob.Ticket{}, ""},
		"letter":                {attrs{ipp.Keyword("media", letter), ipp.Name("PageSize", "Letter")}, able, printjob.Ticket{}, ""},
		"no such paper":         {attrs{ipp.Keyword("media", "iso_a3_297x420mm"), ipp.Name("PageSize", "A3")}, able, printjob.Ticket{}, "media PageSize"},
		"paper in parts":        {attrs{collection("media-col", size(21000, 29700), ipp.Integer("media-top-margin", margin), ipp.Keyword("media-type", stationery))}, able, printjob.Ticket{}, ""},
		"near A4":               {attrs{collection("media-col", size(20990, 29704))}, able, printjob.Ticket{}, ""},
		"A3 in parts":           {attrs{collection("media-col", size(29700, 42000))}, able, printjob.Ticket{}, "media-col"},
		"half a size":           {attrs{collection("media-col", collection("media-size", ipp.Integer("x-dimension", 21000)))}, able, printjob.Ticket{}, "media-col"},
		"photo paper":           {attrs{collection("media-col", ipp.Keyword("media-type", "photographic"))}, able, printjob.Ticket{}, "media-col"},
		"paper that is none":    {attrs{ipp.Integer("media-col", 4)}, able, printjob.Ticket{}, "media-col"},
		"collated, said first":  {attrs{ipp.Name("Collate", "False"), ipp.Integer("copies", 2)}, able, printjob.Ticket{Copies: 2}, "Collate"},
		"collated, of one":      {attrs{ipp.Name("Collate", "False"), ipp.Integer("copies", 1)}, able, printjob.Ticket{Copies: 1}, ""},
		"stapled":               {attrs{ipp.Enum("finishings", 3, 4)}, able, printjob.Ticket{}, "finishings"},
		"as ever": {attrs{ipp.Enum("finishings", 3), ipp.Enum("orientation-requested", 3), ipp.Enum("print-quality", 4), ipp.DPI("printer-resolution", 600), ipp.Keyword("print-scaling", "auto"),
			ipp.Keyword("output-bin", "face-down"), ipp.Keyword("job-sheets", "none", "none"), ipp.Keyword("job-hold-until", "no-hold")}, able, printjob.Ticket{}, ""},
		"other than ever": {attrs{ipp.Enum("orientation-requested", 4), ipp.Enum("print-quality", 5), ipp.DPI("printer-resolution", 1200), ipp.Keyword("print-scaling", "fill"),
			ipp.Keyword("job-hold-until", "night")}, able, printjob.Ticket{}, "orientation-requested print-quality printer-resolution print-scaling job-hold-until"},
		"unknown": {attrs{collection("overrides", ipp.RangeOf("pages", 1, 1)), ipp.Name("StpColor", "x")}, able, printjob.Ticket{}, "overrides StpColor"},
	} {
		if says := func(a goipp.Attribute) bool { return a.Name == "sides" || a.Name == "Duplex" }; c.can.Duplex && !slices.ContainsFunc(c.job, says) {
			c.want.Duplex = printjob.LongEdge // as sides-default promises
		}
		got, bad := ticketOf(c.job, ability{Printer: c.can})
		var names []string
		for _, a := range bad {
			names = append(names, a.Name)
		}
		if strings.Join(names, " ") != c.bad {
			t.Errorf("%s: left out %q, want %q", name, names, c.bad)
		}
		if got.Copies != c.want.Copies || got.Duplex != c.want.Duplex || got.Colour != c.want.Colour || got.NumberUp != c.want.NumberUp || !slices.Equal(got.Pages, c.want.Pages) {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
		// What a ticket tells of itself makes the same ticket.
		if again, bad := ticketOf(ticketAttributes(got), ability{c.can, true}); len(bad) > 0 || again.Impressions(9) != got.Impressions(9) || again.Sheets(9) != got.Sheets(9) || again.Colour != got.Colour {
			t.Errorf("%s: %+v comes back as %+v, without %v", name, got, again, bad)
		}
	}
	if _, bad := ticketOf(attrsOf(ipp.Keyword("media", letter)), ability{able, true}); len(bad) != 1 {
		t.Error("who insists on Letter gets A4")
	}
}

func attrsOf(a ...goipp.Attribute) ipp.Attributes { return a }

// RFC 8011 §4.1.7: what is not supported is named, and ends a request that
// insists.
func TestFidelity(t *testing.T) {
	r := newRig(t, Config{})
	r.attach(able)
	for _, op := range []goipp.Op{goipp.OpValidateJob, goipp.OpPrintJob, goipp.OpCreateJob} {
		m := ask(op)
		m.Job = ipp.Attributes{ipp.Integer("copies", 50), ipp.Keyword("smell", "roses")}
		out := r.want(goipp.StatusOkIgnoredOrSubstituted, m, threePages)
		if n, _ := ipp.Int(out.Unsupported, "copies"); n != 50 || len(out.Unsupported) != 2 || out.Unsupported[1].Values[0].T != goipp.TagUnsupportedValue {
			t.Errorf("%v: %v", op, out.Unsupported)
		}
		m.Operation.Add(ipp.Boolean("ipp-attribute-fidelity", true))
		out = r.want(goipp.StatusErrorAttributesOrValues, m, threePages)
		if len(out.Unsupported) != 2 || len(out.Job) != 0 {
			t.Errorf("%v: %v", op, out)
		}
	}
	if f := r.heard(); f.Offer == nil || f.Offer.Ticket.Copies != 9 {
		t.Errorf("%+v", f)
	}
}

func FuzzTicket(f *testing.F) {
	m := ask(goipp.OpPrintJob)
	m.Job = ipp.Attributes{ipp.Integer("copies", 2), ipp.Name("Duplex", "DuplexTumble"), ipp.RangesOf("page-ranges", goipp.Range{Lower: 1, Upper: 2}, goipp.Range{Lower: 5, Upper: 9}),
		ipp.Members("media-col", ipp.Members("media-size", ipp.Integer("x-dimension", 21000), ipp.Integer("y-dimension", 29700))), ipp.DPI("printer-resolution", 600)}
	f.Add(bytesOf(f, m), true, true, 9)
	f.Add(bytesOf(f, m), false, false, -1)
	f.Fuzz(func(t *testing.T, b []byte, colour, duplex bool, copies int) {
		m, err := ipp.Decode(bytes.NewReader(b))
		if err != nil {
			return
		}
		can := printjob.Printer{Colour: colour, Duplex: duplex, Copies: copies}
		ticket, bad := ticketOf(m.Job, ability{Printer: can})
		if len(bad) > len(m.Job) {
			t.Fatalf("%d of %d attributes are left out", len(bad), len(m.Job))
		}
		if ticket.Colour && !colour || ticket.Duplex != printjob.OneSided && !duplex || ticket.Copies > max(copies, 1) {
			t.Fatalf("%+v of a printer that cannot", ticket)
		}
		out, err := printjob.Encode(printjob.FromPress{Offer: &printjob.Offer{Job: 1, Format: printjob.PDF, Pages: 1, Ticket: ticket}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := printjob.DecodeFromPress(out); err != nil {
			t.Fatalf("%+v is no ticket: %v", ticket, err)
		}
	})
}
