package printer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"

	"github.com/OpenPrinting/goipp"
)

// Job is how a job stands, as its printer tells.
type Job struct {
	ID          int
	State       printjob.State
	Reasons     []string // job-state-reasons, without "none"
	Impressions int      // sides that are printed; -1: not told
	Sheets      int      // -1: not told
	Estimated   bool     // a CUPS queue counted, not the printer
}

// Silent tells that a job is done, says the printer, and that it counted nothing.
func (j Job) Silent() bool {
	return j.State == printjob.Completed && j.Impressions <= 0 && j.Sheets <= 0
}

// Printed is how many sides came out, by the best of what was told: asked is how
// many the ticket makes. ok is false when the printer counts nothing at all.
func (j Job) Printed(t printjob.Ticket, asked int) (sides int, ok bool) {
	switch {
	case j.Impressions > 0:
		return j.Impressions, true
	case j.Sheets > 0 && t.Duplex != printjob.OneSided:
		return min(2*j.Sheets, max(asked, j.Sheets)), true // the last sheet of a copy may have one side
	case j.Sheets > 0:
		return j.Sheets, true
	}
	return 0, j.Impressions == 0 || j.Sheets == 0
}

// jobAttributes are asked for (RFC 8011 §5.3, PWG 5100.7 for the -col).
var jobAttributes = [...]string{"job-id", "job-state", "job-state-reasons", "job-impressions-completed", "job-media-sheets-completed",
	"job-impressions-completed-col", "job-media-sheets-completed-col"}

// Job asks for one job; ErrNoJob when the printer does not know it (any more).
// The name that it was submitted with is compared, unless it is "": printers that
// were switched off count from 1 again, and that number may be somebody else's.
func (c *Client) Job(ctx context.Context, id int, name string) (Job, error) {
	m, err := c.ask(ctx, goipp.OpGetJobAttributes, func(m *goipp.Message) {
		m.Operation.Add(ipp.Integer("job-id", id))
		m.Operation.Add(ipp.Name("requesting-user-name", user))
		m.Operation.Add(ipp.Keyword("requested-attributes", "job-name", jobAttributes[:]...))
	})
	if c.forgotten(err) {
		return c.ended(ctx, id, name)
	}
	if err != nil {
		return Job{}, fmt.Errorf("cannot ask the printer about a job: %w", err)
	}
	if told, _ := ipp.String(m.Job, "job-name"); !same(told, name) {
		return Job{}, fmt.Errorf("cannot ask the printer about a job: another one has its number: %w", ErrNoJob)
	}
	j, err := job(m.Job)
	if err != nil {
		return Job{}, fmt.Errorf("cannot ask the printer about a job: %w", err)
	}
	if c.events > 0 && broken(j) {
		told, _ := ipp.String(m.Job, "job-name")
		return c.takeAway(ctx, id, told)
	}
	j.ID = id
	return c.guessed(j), nil
}

// same tells whether a job may have that name: some printers cut names, or keep
// them to themselves.
func same(told, name string) bool {
	return told == "" || name == "" || strings.HasPrefix(name, told) || strings.HasPrefix(told, name)
}

// job reads a job's attributes.
func job(a ipp.Attributes) (Job, error) {
	state, ok := ipp.Int(a, "job-state")
	if !ok || state < int(printjob.Pending) || state > int(printjob.Completed) {
		return Job{}, fmt.Errorf("%w: it tells no state of the job", ErrAnswer)
	}
	id, _ := ipp.Int(a, "job-id")
	return Job{ID: id, State: printjob.State(state), Reasons: words(ipp.Strings(a, "job-state-reasons")),
		Impressions: count(a, "job-impressions-completed", false), Sheets: count(a, "job-media-sheets-completed", true)}, nil
}

// maxCount bounds what a printer says to have printed.
const maxCount = 1 << 24

// count reads a number of sides or sheets, or adds up its kinds (PWG 5100.7).
// Empty sides are none; an empty sheet is one.
func count(a ipp.Attributes, name string, blank bool) int {
	n, ok := ipp.Int(a, name)
	if !ok || n < 0 {
		n = -1
	}
	if n <= 0 {
		if col, ok := ipp.Collection(a, name+"-col"); ok {
			sum, any := 0, false
			for _, m := range [...]string{"full-color", "highlight-color", "monochrome", "full-color-two-sided", "highlight-color-two-sided", "monochrome-two-sided", "blank", "blank-two-sided"} {
				v, ok := ipp.Int(col, m)
				if !ok || v < 0 || !blank && (m == "blank" || m == "blank-two-sided") {
					continue
				}
				sum, any = sum+min(v, maxCount), true
			}
			if any {
				n = max(n, sum)
			}
		}
	}
	return min(n, maxCount)
}

const maxListed = 200 // jobs that are looked through

// Find looks for the job of that name, among those that are not over, then among
// the others: after a crash, for one whose number nobody noted. ErrNoJob when
// the printer lists none.
func (c *Client) Find(ctx context.Context, name string) (Job, error) {
	for _, which := range []string{"not-completed", "completed"} {
		m, err := c.ask(ctx, goipp.OpGetJobs, func(m *goipp.Message) {
			m.Operation.Add(ipp.Name("requesting-user-name", user))
			m.Operation.Add(ipp.Integer("limit", maxListed))
			m.Operation.Add(ipp.Keyword("requested-attributes", "job-name", jobAttributes[:]...))
			m.Operation.Add(ipp.Keyword("which-jobs", which))
		})
		if err != nil {
			var s *StatusError
			if errors.As(err, &s) && s.Is(ErrNoJob) {
				continue // some answer so when there are none
			}
			return Job{}, fmt.Errorf("cannot ask the printer for its jobs: %w", err)
		}
		for _, g := range m.Groups {
			if g.Tag != goipp.TagJobGroup {
				continue
			}
			if s, _ := ipp.String(g.Attrs, "job-name"); s != name {
				continue
			}
			j, err := job(g.Attrs)
			if err != nil || j.ID < 1 {
				return Job{}, fmt.Errorf("cannot use the printer's list of jobs: %w", ErrAnswer)
			}
			return c.guessed(j), nil
		}
	}
	if c.events > 0 {
		return c.ended(ctx, 0, name)
	}
	return Job{}, fmt.Errorf("cannot find the job: %w", ErrNoJob)
}

// Cancel asks the printer to stop a job. It may print on for a while: Follow
// tells what came out. A job that is over already is no error. The name is
// compared as Job does.
func (c *Client) Cancel(ctx context.Context, id int, name string) error {
	if name != "" {
		if j, err := c.Job(ctx, id, name); err != nil || j.State.Over() {
			return err
		}
	}
	_, err := c.ask(ctx, goipp.OpCancelJob, func(m *goipp.Message) {
		m.Operation.Add(ipp.Integer("job-id", id))
		m.Operation.Add(ipp.Name("requesting-user-name", user))
	})
	var s *StatusError
	if errors.As(err, &s) && s.Status == goipp.StatusErrorNotPossible {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot cancel the job: %w", err)
	}
	return nil
}
