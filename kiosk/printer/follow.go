package printer

import (
	"context"
	"errors"
	"slices"
	"time"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"

	"github.com/OpenPrinting/goipp"
)

// Progress is what is known of a job while it is followed.
type Progress struct {
	Job     Job
	Reasons []string // printer-state-reasons: what it lacks
	Lost    bool     // the printer does not answer at the moment
}

// Pauses between two questions about a job.
const (
	whilePrinting = 500 * time.Millisecond
	whileWaiting  = 2 * time.Second
	longestOutage = 15 * time.Second
	settling      = time.Second // some count on after they said that a job is over
	settlings     = 3           // answers that agree
)

// StopPoint says that a job is over and its engine goes on.
const StopPoint = "processing-to-stop-point"

// Follow asks for a job, as Job does, until it is over, and tells each change. It lives
// through outages, until ctx ends. It returns the job as it was at the end: with
// ErrNoJob, as it was when the printer still knew it.
func (c *Client) Follow(ctx context.Context, id int, name string, tell func(Progress)) (Job, error) {
	var told Progress
	p := Progress{Job: Job{ID: id, Impressions: -1, Sheets: -1, Estimated: c.estimate}}
	for outage, first := time.Duration(0), true; ; first = false {
		j, err := c.Job(ctx, id, name)
		switch {
		case err == nil:
			p.Job, p.Lost, outage = later(p.Job, j), false, 0
		case ctx.Err() != nil || errors.Is(err, ErrNoJob) || errors.Is(err, ErrUntrusted):
			return p.Job, err
		default:
			p.Lost, outage = true, min(max(2*outage, whilePrinting), longestOutage)
		}
		if !p.Lost && !p.Job.State.Over() {
			if r, err := c.reasons(ctx); err == nil {
				p.Reasons = r
			}
		}
		if first || changed(told, p) {
			told = p
			tell(p)
		}
		if !p.Lost && p.Job.State.Over() {
			return c.settle(ctx, p, name, tell), nil
		}
		pause := whileWaiting
		if p.Lost {
			pause = outage
		} else if p.Job.State == printjob.Processing {
			pause = whilePrinting
		}
		if !rest(ctx, pause) {
			return p.Job, ctx.Err()
		}
	}
}

// settle goes on asking, since some printers count on after they said that a job
// is over, until nothing has changed for a while: for longer while an engine is
// still told to stop (RFC 8011 §5.3.8, processing-to-stop-point).
func (c *Client) settle(ctx context.Context, last Progress, name string, tell func(Progress)) Job {
	for quiet := 0; quiet < settlings; quiet++ {
		if !rest(ctx, settling) {
			break
		}
		j, err := c.Job(ctx, last.Job.ID, name)
		if err != nil || !j.State.Over() {
			break
		}
		p := last
		if p.Job = later(last.Job, j); changed(last, p) || slices.Contains(j.Reasons, StopPoint) {
			quiet = -1
		}
		if changed(last, p) {
			tell(p)
		}
		last = p
	}
	return last.Job
}

// later is what b adds to a: counts never go back, though some printers forget
// them at the end.
func later(a, b Job) Job {
	b.Impressions, b.Sheets = max(a.Impressions, b.Impressions), max(a.Sheets, b.Sheets)
	return b
}

func changed(a, b Progress) bool {
	return a.Job.State != b.Job.State || a.Job.Impressions != b.Job.Impressions || a.Job.Sheets != b.Job.Sheets || a.Lost != b.Lost ||
		!slices.Equal(a.Reasons, b.Reasons) || !slices.Equal(a.Job.Reasons, b.Job.Reasons)
}

// reasons asks what the printer lacks.
func (c *Client) reasons(ctx context.Context) ([]string, error) {
	m, err := c.ask(ctx, goipp.OpGetPrinterAttributes, func(m *goipp.Message) {
		m.Operation.Add(ipp.Name("requesting-user-name", user))
		m.Operation.Add(ipp.Keyword("requested-attributes", "printer-state", "printer-state-reasons"))
	})
	if err != nil {
		return nil, err
	}
	return words(ipp.Strings(m.Printer, "printer-state-reasons")), nil
}
