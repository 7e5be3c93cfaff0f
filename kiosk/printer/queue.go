package printer

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"

	"github.com/OpenPrinting/goipp"
)

// A queue that leaves nothing behind forgets a job at the moment of its end, and
// how it ended with it. What remains for a while are the events of a subscription
// (RFC 3995, RFC 3996): our own name of the job, and its last state.

// ended looks for a job that the queue has forgotten among the events of its end:
// by its number, unless that is 0, and by its name, unless that is "".
func (c *Client) ended(ctx context.Context, id int, name string) (Job, error) {
	m, err := c.ask(ctx, goipp.OpGetNotifications, func(m *goipp.Message) {
		m.Operation.Add(ipp.Name("requesting-user-name", user))
		m.Operation.Add(ipp.Integer("notify-subscription-ids", c.events))
		m.Operation.Add(ipp.Integer("notify-sequence-numbers", 1)) // from the first that it has: RFC 3996 §5.1.1
	})
	if err != nil {
		return Job{}, fmt.Errorf("cannot ask the queue how a job ended: %w", err)
	}
	if j, ok := c.end(m, id, name); ok {
		return j, nil
	}
	return Job{}, fmt.Errorf("cannot find how a job ended: %w", ErrNoJob)
}

// end reads the events.
func (c *Client) end(m *goipp.Message, id int, name string) (Job, bool) {
	for _, g := range m.Groups {
		if g.Tag != goipp.TagEventNotificationGroup {
			continue
		}
		number, _ := ipp.Int(g.Attrs, "notify-job-id")
		told, _ := ipp.String(g.Attrs, "job-name")
		if number < 1 || id != 0 && number != id || name != "" && told != name {
			continue
		}
		if j, err := job(g.Attrs); err == nil && j.State.Over() {
			if j.ID = number; c.failed(number, told) {
				j.State, j.Reasons = printjob.Aborted, nil
			}
			return c.guessed(j), true
		}
	}
	return Job{}, false
}

// guessed takes the counts away from a queue's job: a queue counts what it reads,
// and copies, sides and sheets of its drivers not at all. Nothing is better.
func (c *Client) guessed(j Job) Job {
	if c.estimate {
		j.Impressions, j.Sheets, j.Estimated = -1, -1, true
	}
	return j
}

// broken tells that a driver failed at a job. CUPS then stops the job and keeps
// it, document and all, until somebody takes it away.
func broken(j Job) bool {
	return j.State == printjob.Stopped && slices.Contains(j.Reasons, "job-completed-with-errors")
}

// takeAway does that. The event of it says that somebody wanted it so: what was
// true is remembered here.
func (c *Client) takeAway(ctx context.Context, id int, name string) (Job, error) {
	if err := c.Cancel(ctx, id, ""); err != nil {
		return Job{}, err
	}
	c.mu.Lock()
	if len(c.broken) >= maxListed {
		clear(c.broken)
	}
	c.broken[failure{id, name}] = true
	c.mu.Unlock()
	return c.ended(ctx, id, name)
}

// failure is a job that a driver failed at.
type failure struct {
	id   int
	name string
}

func (c *Client) failed(id int, name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.broken[failure{id, name}]
}

// forgotten tells that err is a queue's answer about a job that has ended.
func (c *Client) forgotten(err error) bool { return c.events > 0 && errors.Is(err, ErrNoJob) }
