package press

import (
	"slices"
	"strconv"
	"strings"

	"github.com/OpenPrinting/goipp"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"
)

// A4 is the only paper here. A page of US Letter, as some documents from afar
// have it, is taken too and fitted onto A4 by the printer; who insists on that
// paper (ipp-attribute-fidelity) is refused. In hundredths of a millimetre.
const (
	a4           = "iso_a4_210x297mm"
	a4Width      = 21000
	a4Height     = 29700
	letter       = "na_letter_8.5x11in"
	letterWidth  = 21590
	letterHeight = 27940
	margin       = 423 // 12 points
)

// Values of the job template, as they are told and taken.
const (
	collated   = "separate-documents-collated-copies"
	oneSided   = "one-sided"
	longEdge   = "two-sided-long-edge"
	shortEdge  = "two-sided-short-edge"
	monochrome = "monochrome"
	colour     = "color"
	asItIs     = "auto"
	stationery = "stationery"
	portrait   = 3
	normal     = 4
	noFinish   = 3
)

// setting puts one attribute of a job into its ticket; false: it cannot be said
// there.
type setting func(t *printjob.Ticket, a ipp.Attributes, name string, can ability) bool

// ability is what the printer can do, for one request.
type ability struct {
	printjob.Printer
	exact bool // nothing may be substituted
}

// settings are the attributes that are known: those of IPP, and the options of
// the queue's PPD, which GTK and Chromium send by their own names.
var settings = map[string]setting{
	"copies":    setCopies,
	"sides":     setSides,
	"Duplex":    setSides,
	"number-up": setNumberUp,

	"print-color-mode": setColour,
	"ColorModel":       setColour,
	"ColorMode":        setColour,

	"page-ranges": setPages,
	"media":       setMedia,
	"PageSize":    setMedia,
	"PageRegion":  setMedia,
	"media-col":   setMediaCol,

	"multiple-document-handling": setCollate,
	"Collate":                    setCollate,

	"finishings":             only(strconv.Itoa(noFinish)),
	"job-hold-until":         only("no-hold"),
	"job-sheets":             only("none", "none,none"),
	"orientation-requested":  only(strconv.Itoa(portrait)),
	"output-bin":             only("face-down"),
	"print-content-optimize": only(asItIs),
	"print-quality":          only(strconv.Itoa(normal)),
	"print-rendering-intent": only(asItIs),
	"print-scaling":          only(asItIs),
	"printer-resolution":     setResolution,
	"Resolution":             only("600dpi", "300dpi"),
}

// idle are what programs built on CUPS send along with each job out of the
// queue's description: it is no wish of anybody's.
func idle(name string) bool {
	return strings.HasPrefix(name, "printer-") && name != "printer-resolution" || strings.HasPrefix(name, "marker-") ||
		slices.Contains([]string{"device-uri", "auth-info-required", "job-priority", "number-up-layout", "job-uuid", "job-name"}, name)
}

// ticketOf makes a ticket of a job's attributes. bad are those that it leaves out
// (RFC 8011 §4.1.7): a value that is not supported, or a name that is not known.
func ticketOf(job ipp.Attributes, can ability) (t printjob.Ticket, bad ipp.Attributes) {
	// Whether copies must be collated hangs on how many there are.
	job = slices.Clone(job)
	slices.SortStableFunc(job, func(a, b goipp.Attribute) int { return collates(a.Name) - collates(b.Name) })
	if can.Duplex {
		t.Duplex = printjob.LongEdge // what sides-default promises
	}
	for _, a := range job {
		set, known := settings[a.Name]
		switch {
		case known && set(&t, ipp.Attributes{a}, a.Name, can), !known && idle(a.Name):
		case known:
			bad.Add(a)
		default:
			bad.Add(ipp.Unsupported(a.Name))
		}
	}
	return t, bad
}

func collates(name string) int {
	if name == "Collate" || name == "multiple-document-handling" {
		return 1
	}
	return 0
}

// only takes values that change nothing.
func only(values ...string) setting {
	return func(_ *printjob.Ticket, a ipp.Attributes, name string, _ ability) bool {
		for _, v := range a[0].Values {
			if !slices.Contains(values, v.V.String()) {
				return false
			}
		}
		return true
	}
}

// number reads an integer, which some programs send as letters.
func number(a ipp.Attributes, name string) (int, bool) {
	if n, ok := ipp.Int(a, name); ok {
		return n, true
	}
	s, _ := ipp.String(a, name)
	n, err := strconv.Atoi(s)
	return n, err == nil
}

func maxCopies(can printjob.Printer) int { return min(max(can.Copies, 1), printjob.MaxCopies) }

func setCopies(t *printjob.Ticket, a ipp.Attributes, name string, can ability) bool {
	n, ok := number(a, name)
	if !ok || n < 1 {
		return false
	}
	t.Copies = min(n, maxCopies(can.Printer))
	return t.Copies == n
}

func setSides(t *printjob.Ticket, a ipp.Attributes, name string, can ability) bool {
	s, _ := ipp.String(a, name)
	switch d := map[string]printjob.Duplex{longEdge: printjob.LongEdge, "DuplexNoTumble": printjob.LongEdge,
		shortEdge: printjob.ShortEdge, "DuplexTumble": printjob.ShortEdge}[s]; {
	case d != printjob.OneSided && can.Duplex:
		t.Duplex = d
		return true
	case s == oneSided, s == "None", s == "Off":
		t.Duplex = printjob.OneSided
		return true
	}
	return false
}

func setNumberUp(t *printjob.Ticket, a ipp.Attributes, name string, _ ability) bool {
	n, ok := number(a, name)
	if !ok || n != 1 && n != 2 && n != 4 {
		return false
	}
	t.NumberUp = n
	return true
}

// setColour takes « auto » for black: colour costs more, and a person who wants
// it chooses it.
func setColour(t *printjob.Ticket, a ipp.Attributes, name string, can ability) bool {
	s, _ := ipp.String(a, name)
	switch s {
	case monochrome, asItIs, "auto-monochrome", "bi-level", "process-bi-level", "process-monochrome", "Gray", "KGray", "Grayscale", "Monochrome", "Black":
		t.Colour = false
		return true
	case colour, "RGB", "CMYK", "Color", "Colour":
		t.Colour = can.Colour
		return can.Colour
	}
	return false
}

// setPages takes ranges that rise and do not meet (PWG 5100.7 §6.5.1 as RFC 8011
// §5.2.7); « from 3 on » comes as 3-2147483647.
func setPages(t *printjob.Ticket, a ipp.Attributes, name string, _ ability) bool {
	var all []printjob.Range
	last := 0
	for _, r := range ipp.Ranges(a, name) {
		if r.Lower <= last || r.Lower > printjob.MaxPages || r.Upper < r.Lower {
			return false
		}
		last = r.Upper
		all = append(all, printjob.Range{From: r.Lower, To: min(r.Upper, printjob.MaxPages)})
	}
	if len(all) != len(a[0].Values) || len(all) > printjob.MaxRanges {
		return false
	}
	t.Pages = all
	return true
}

func setMedia(_ *printjob.Ticket, a ipp.Attributes, name string, can ability) bool {
	s, _ := ipp.String(a, name)
	return slices.Contains([]string{a4, "A4", "a4", "iso-a4"}, s) || !can.exact && slices.Contains([]string{letter, "Letter", "letter", "na-letter"}, s)
}

// setMediaCol takes the same in other words; the standard gives sizes half a
// millimetre.
func setMediaCol(_ *printjob.Ticket, a ipp.Attributes, name string, can ability) bool {
	col, ok := ipp.Collection(a, name)
	if !ok {
		return false
	}
	for _, m := range col {
		one := ipp.Attributes{m}
		s, _ := ipp.String(one, m.Name)
		switch m.Name {
		case "media-size":
			size, _ := ipp.Collection(one, m.Name)
			x, okX := ipp.Int(size, "x-dimension")
			y, okY := ipp.Int(size, "y-dimension")
			ok = okX && okY && (near(x, a4Width) && near(y, a4Height) || !can.exact && near(x, letterWidth) && near(y, letterHeight))
		case "media-size-name":
			ok = s == a4 || !can.exact && s == letter
		case "media-source":
			ok = s == asItIs
		case "media-type":
			ok = s == stationery
		case "media-top-margin", "media-bottom-margin", "media-left-margin", "media-right-margin":
			n, is := ipp.Int(one, m.Name)
			ok = is && n == margin
		default:
			ok = false
		}
		if !ok {
			return false
		}
	}
	return true
}

func near(a, b int) bool { return a >= b-50 && a <= b+50 }

// setCollate takes copies one after the other, as the ticket counts them; without
// a second copy there is nothing to collate.
func setCollate(t *printjob.Ticket, a ipp.Attributes, name string, _ ability) bool {
	s, _ := ipp.String(a, name)
	switch s {
	case collated, "True", "true":
		return true
	case "False", "false":
		return t.Copies <= 1
	}
	return false
}

func setResolution(_ *printjob.Ticket, a ipp.Attributes, name string, _ ability) bool {
	r, ok := ipp.Resolution(a, name)
	return ok && r.Units == goipp.UnitsDpi && r.Xres == r.Yres && (r.Xres == 300 || r.Xres == 600)
}
