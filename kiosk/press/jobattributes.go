package press

import (
	"fmt"
	"time"

	"github.com/OpenPrinting/goipp"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"
)

// brief is what the answer to a new job tells (RFC 8011 §4.2.1.2). The lock is
// held.
func (p *Press) brief(j *job) ipp.Attributes {
	return ipp.Attributes{ipp.Integer("job-id", j.id), ipp.URI("job-uri", p.jobURI(j)), ipp.Enum("job-state", int(j.state)),
		ipp.Keyword("job-state-reasons", j.reason), ipp.Text("job-state-message", j.says)}
}

func (p *Press) jobURI(j *job) string { return fmt.Sprintf("ipp://%s/jobs/%d", p.c.Host, j.id) }

// jobAttributes are all of a job's. Its name is a number: what a person calls a
// document is nobody's business here. The lock is held.
func (p *Press) jobAttributes(j *job) []grouped {
	since := func(name string, t time.Time) goipp.Attribute {
		if t.IsZero() {
			return ipp.NoValue(name)
		}
		return ipp.Integer(name, p.since(t))
	}
	date := func(name string, t time.Time) goipp.Attribute {
		if t.IsZero() {
			return ipp.NoValue(name)
		}
		return ipp.DateTime(name, t)
	}
	t := j.ticket
	documents := 0
	if j.pages > 0 {
		documents = 1
	}
	out := each(jobState,
		ipp.Integer("job-id", j.id), ipp.URI("job-uri", p.jobURI(j)), ipp.URI("job-printer-uri", p.uri()),
		ipp.Name("job-name", fmt.Sprintf("Document %d", j.id)), ipp.Name("job-originating-user-name", j.user),
		ipp.URI("job-uuid", fmt.Sprintf("%s%012x", p.uuid[:len(p.uuid)-12], j.id)),
		ipp.Enum("job-state", int(j.state)), ipp.Keyword("job-state-reasons", j.reason), ipp.Text("job-state-message", j.says),
		ipp.Integer("job-impressions", t.Impressions(j.pages)), ipp.Integer("job-media-sheets", t.Sheets(j.pages)),
		ipp.Integer("job-impressions-completed", j.done), ipp.Integer("job-k-octets", int((j.size+1023)>>10)),
		ipp.Integer("number-of-documents", documents),
		since("time-at-creation", j.created), since("time-at-processing", j.begun), since("time-at-completed", j.ended),
		date("date-time-at-creation", j.created), date("date-time-at-processing", j.begun), date("date-time-at-completed", j.ended),
		ipp.Integer("job-printer-up-time", p.since(time.Now())))
	return append(out, each(template, ticketAttributes(t)...)...)
}

// ticketAttributes are what ticketOf reads.
func ticketAttributes(t printjob.Ticket) ipp.Attributes {
	sides, mode := oneSided, monochrome
	switch t.Duplex {
	case printjob.LongEdge:
		sides = longEdge
	case printjob.ShortEdge:
		sides = shortEdge
	}
	if t.Colour {
		mode = colour
	}
	out := ipp.Attributes{ipp.Integer("copies", max(t.Copies, 1)), ipp.Keyword("sides", sides), ipp.Keyword("print-color-mode", mode),
		ipp.Integer("number-up", max(t.NumberUp, 1)), ipp.Keyword("media", a4)}
	if len(t.Pages) > 0 {
		var all []goipp.Range
		for _, r := range t.Pages {
			all = append(all, goipp.Range{Lower: r.From, Upper: r.To})
		}
		out.Add(ipp.RangesOf("page-ranges", all[0], all[1:]...))
	}
	return out
}
