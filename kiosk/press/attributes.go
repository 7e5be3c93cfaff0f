package press

import (
	"slices"
	"strings"
	"time"

	"github.com/OpenPrinting/goipp"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"
)

// queue is the printer's name in CUPS's programs.
const queue = "borne"

const (
	printerInfo = "Imprimante de l'accueil"
	printerType = 0x0004 | 0x0040 | 0x0080 | 0x0200 // CUPS: black, copies, collated, paper up to A4
	colourType  = 0x0008
	duplexType  = 0x0010
)

// group is which group of attributes one belongs to, where a program asks for a
// whole group (RFC 8011 §4.2.5.1).
type group string

const (
	description group = "printer-description"
	template    group = "job-template"
	jobState    group = "job-description"
	database    group = "media-col-database" // only by its name
)

// grouped is an attribute with its group.
type grouped struct {
	group group
	attr  goipp.Attribute
}

// wanted picks what requested-attributes asks for; without it, what the names in
// otherwise say, or everything.
func wanted(r *request, of []grouped, otherwise ...string) ipp.Attributes {
	asked := ipp.Strings(r.Operation, "requested-attributes")
	if len(asked) == 0 {
		if asked = otherwise; len(asked) == 0 {
			asked = []string{"all"}
		}
	}
	set := map[string]bool{}
	for _, name := range asked {
		set[name] = true
	}
	var out ipp.Attributes
	for _, a := range of {
		if set[a.attr.Name] || a.group != database && (set["all"] || set[string(a.group)]) {
			out.Add(a.attr)
		}
	}
	return out
}

func each(g group, attrs ...goipp.Attribute) []grouped {
	out := make([]grouped, len(attrs))
	for i, a := range attrs {
		out[i] = grouped{g, a}
	}
	return out
}

func (p *Press) uri() string           { return "ipp://" + p.c.Host + "/printers/" + queue }
func (p *Press) web() string           { return "http://" + p.c.Host + "/" }
func (p *Press) since(t time.Time) int { return int(t.Sub(p.start).Seconds()) + 1 } // printer-up-time at t

// attributes are all of the printer's.
func (p *Press) attributes() []grouped {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Concat(p.identity(), p.condition(), p.abilities(), jobTemplate(p.can))
}

// identity is what never changes.
func (p *Press) identity() []grouped {
	return each(description,
		ipp.Charset("charset-configured", "utf-8"), ipp.Charset("charset-supported", "utf-8", "us-ascii"),
		ipp.Language("natural-language-configured", language), ipp.Language("generated-natural-language-supported", language),
		ipp.URI("printer-uri-supported", p.uri()), ipp.Keyword("uri-security-supported", "none"), ipp.Keyword("uri-authentication-supported", "none"),
		ipp.Name("printer-name", queue), ipp.Text("printer-info", printerInfo), ipp.Text("printer-make-and-model", "Borne"), ipp.Text("printer-location", ""),
		ipp.URI("printer-uuid", p.uuid), ipp.Text("printer-device-id", "MFG:Borne;MDL:Borne;CMD:PDF;"), ipp.Unknown("printer-geo-location"),
		ipp.Text("printer-organization", ""), ipp.Text("printer-organizational-unit", ""),
		ipp.URI("printer-more-info", p.web()), ipp.URI("printer-icons", p.web()+"icon.png"), ipp.URI("printer-supply-info-uri", p.web()),
		ipp.Keyword("ipp-versions-supported", "1.1", "2.0"), ipp.Keyword("ipp-features-supported", "ipp-everywhere"),
		// What CUPS's programs look for.
		ipp.Boolean("printer-is-shared", false), ipp.Boolean("printer-is-temporary", false), ipp.Keyword("printer-commands", "none"),
		ipp.URI("device-uri", p.uri()))
}

// condition is how the printer stands, as the real one does.
func (p *Press) condition() []grouped {
	const idle, processing, stopped = 3, 4, 5 // RFC 8011 §5.4.11
	state, queued := idle, 0
	for _, j := range p.jobs {
		if !j.state.Over() {
			queued++
		}
		if j.state == printjob.Processing {
			state = processing
		}
	}
	reasons := slices.Clone(p.can.Reasons)
	if len(reasons) > maxReasons {
		reasons = reasons[:maxReasons]
	}
	accepting := p.accepts()
	says := sentence(p.can.Why)
	if !accepting {
		if reasons = slices.DeleteFunc(reasons, func(s string) bool { return s == "none" }); len(reasons) == 0 {
			reasons = []string{"paused"}
		}
		if says == "" {
			says = saysNobody
		}
		state = stopped
	}
	if slices.ContainsFunc(reasons, func(s string) bool { return strings.HasSuffix(s, "-error") }) {
		state = stopped
	}
	if len(reasons) == 0 {
		reasons = []string{"none"}
	}
	now := time.Now()
	return each(description,
		ipp.Enum("printer-state", state), ipp.Keyword("printer-state-reasons", reasons[0], reasons[1:]...), ipp.Text("printer-state-message", says),
		ipp.Boolean("printer-is-accepting-jobs", accepting), ipp.Integer("queued-job-count", queued),
		ipp.Integer("printer-up-time", p.since(now)), ipp.DateTime("printer-current-time", now),
		ipp.Integer("printer-state-change-time", p.since(p.changed)), ipp.DateTime("printer-state-change-date-time", p.changed),
		ipp.Integer("printer-config-change-time", p.since(p.changed)), ipp.DateTime("printer-config-change-date-time", p.changed),
		// The agent follows what the real printer holds, and tells the person itself (PWG 5100.13 §5.6.41: -2 is unknown).
		ipp.Octets("printer-supply", "index=1;class=supplyThatIsConsumed;type=other;unit=percent;maxcapacity=100;level=-2;colorantname=unknown;"),
		ipp.Text("printer-supply-description", "Consommables"))
}

// maxReasons bounds what is repeated of the real printer's.
const maxReasons = 32

// abilities are what it does with documents and jobs.
func (p *Press) abilities() []grouped {
	can := p.can
	kinds := []string{anyFormat}
	for _, f := range formats(can) {
		kinds = append(kinds, string(f))
	}
	ops := make([]int, 0, 16)
	for op := range operations() {
		ops = append(ops, int(op))
	}
	slices.Sort(ops)
	kind := printerType
	if can.Colour {
		kind |= colourType
	}
	if can.Duplex {
		kind |= duplexType
	}
	out := each(description,
		ipp.Enum("operations-supported", ops[0], ops[1:]...), ipp.Enum("printer-type", kind),
		ipp.Keyword("compression-supported", compressions[0], compressions[1:]...),
		ipp.Mime("document-format-default", string(formats(can)[0])), ipp.Mime("document-format-supported", kinds[0], kinds[1:]...),
		ipp.Boolean("color-supported", can.Colour), ipp.Integer("pages-per-minute", 1), ipp.Keyword("pdl-override-supported", "attempted"),
		ipp.Keyword("identify-actions-default", "display"), ipp.Keyword("identify-actions-supported", "display"),
		ipp.Keyword("job-creation-attributes-supported", "copies", "finishings", "ipp-attribute-fidelity", "job-name", "media", "media-col",
			"multiple-document-handling", "number-up", "orientation-requested", "output-bin", "page-ranges", "print-color-mode",
			"print-content-optimize", "print-quality", "print-rendering-intent", "print-scaling", "printer-resolution", "sides"),
		ipp.Boolean("job-ids-supported", true), ipp.RangeOf("job-k-octets-supported", 0, int(p.c.MaxDocument>>10)),
		ipp.RangeOf("job-impressions-supported", 0, printjob.MaxPages*printjob.MaxCopies),
		ipp.RangeOf("job-media-sheets-supported", 0, printjob.MaxPages*printjob.MaxCopies),
		ipp.Boolean("multiple-document-jobs-supported", false), ipp.Integer("multiple-operation-time-out", int(openWithin.Seconds())),
		ipp.Keyword("multiple-operation-time-out-action", "abort-job"), ipp.Boolean("preferred-attributes-supported", false),
		// PWG 5100.14 wants the words said; a ticket holds for a whole document, and a job that asks for other is told so.
		ipp.Keyword("overrides-supported", "document-number", "document-numbers", "pages"),
		ipp.Keyword("printer-get-attributes-supported", "document-format"), ipp.Keyword("which-jobs-supported", "completed", "not-completed", "all"))
	if can.Colour {
		out = append(out, each(description, ipp.Integer("pages-per-minute-color", 1))...)
	}
	if slices.Contains(formats(can), printjob.PWG) {
		kinds := []string{"sgray_8"}
		if can.Colour {
			kinds = append(kinds, "srgb_8")
		}
		out = append(out, each(description, ipp.DPI("pwg-raster-document-resolution-supported", 300, 600),
			ipp.Keyword("pwg-raster-document-sheet-back", "normal"), ipp.Keyword("pwg-raster-document-type-supported", "black_1", kinds...))...)
	}
	if slices.Contains(formats(can), printjob.URF) {
		urf := []string{"CP1", "W8", "RS300-600"}
		if can.Colour {
			urf = append(urf, "SRGB24")
		}
		if can.Duplex {
			urf = append(urf, "DM1")
		}
		out = append(out, each(description, ipp.Keyword("urf-supported", "V1.4", urf...))...)
	}
	return out
}

// jobTemplate is what may be asked of a job: what a ticket can say, and the one
// value of everything else.
func jobTemplate(can printjob.Printer) []grouped {
	modes := []string{asItIs}
	if can.Colour {
		modes = append(modes, colour)
	}
	var sides []string
	usual := oneSided
	if can.Duplex { // it saves paper, and the person sees it in the question
		sides, usual = []string{longEdge, shortEdge}, longEdge
	}
	size := func(w, h int) ipp.Attributes {
		return ipp.Attributes{ipp.Integer("x-dimension", w), ipp.Integer("y-dimension", h)}
	}
	sheet := func(w, h int) ipp.Attributes {
		return ipp.Attributes{ipp.MembersOf("media-size", size(w, h)), ipp.Integer("media-bottom-margin", margin), ipp.Integer("media-left-margin", margin),
			ipp.Integer("media-right-margin", margin), ipp.Integer("media-top-margin", margin), ipp.Keyword("media-source", asItIs), ipp.Keyword("media-type", stationery)}
	}
	paper := sheet(a4Width, a4Height)
	out := each(template,
		ipp.Integer("copies-default", 1), ipp.RangeOf("copies-supported", 1, maxCopies(can)),
		ipp.Enum("finishings-default", noFinish), ipp.Enum("finishings-supported", noFinish),
		ipp.Keyword("job-hold-until-default", "no-hold"), ipp.Keyword("job-hold-until-supported", "no-hold"),
		ipp.Keyword("job-sheets-default", "none"), ipp.Keyword("job-sheets-supported", "none"),
		ipp.Keyword("media-default", a4), ipp.Keyword("media-ready", a4), ipp.Keyword("media-supported", a4, letter),
		ipp.MembersOf("media-col-default", paper), ipp.MembersOf("media-col-ready", paper),
		ipp.Keyword("media-col-supported", "media-bottom-margin", "media-left-margin", "media-right-margin", "media-size", "media-source", "media-top-margin", "media-type"),
		ipp.Integer("media-bottom-margin-supported", margin), ipp.Integer("media-left-margin-supported", margin),
		ipp.Integer("media-right-margin-supported", margin), ipp.Integer("media-top-margin-supported", margin),
		ipp.MembersOf("media-size-supported", size(a4Width, a4Height), size(letterWidth, letterHeight)),
		ipp.Keyword("media-source-supported", asItIs), ipp.Keyword("media-type-supported", stationery),
		ipp.Keyword("multiple-document-handling-default", collated), ipp.Keyword("multiple-document-handling-supported", collated),
		ipp.Integer("number-up-default", 1), ipp.Integer("number-up-supported", 1, 2, 4),
		ipp.Enum("orientation-requested-default", portrait), ipp.Enum("orientation-requested-supported", portrait),
		ipp.Keyword("output-bin-default", "face-down"), ipp.Keyword("output-bin-supported", "face-down"), ipp.Boolean("page-ranges-supported", true),
		ipp.Keyword("print-color-mode-default", monochrome), ipp.Keyword("print-color-mode-supported", monochrome, modes...),
		ipp.Keyword("print-content-optimize-default", asItIs), ipp.Keyword("print-content-optimize-supported", asItIs),
		ipp.Enum("print-quality-default", normal), ipp.Enum("print-quality-supported", normal),
		ipp.Keyword("print-rendering-intent-default", asItIs), ipp.Keyword("print-rendering-intent-supported", asItIs),
		ipp.Keyword("print-scaling-default", asItIs), ipp.Keyword("print-scaling-supported", asItIs),
		ipp.DPI("printer-resolution-default", 600), ipp.DPI("printer-resolution-supported", 300, 600),
		ipp.Keyword("sides-default", usual), ipp.Keyword("sides-supported", oneSided, sides...))
	return append(out, each(database, ipp.MembersOf("media-col-database", paper, sheet(letterWidth, letterHeight)))...)
}
