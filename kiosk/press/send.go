package press

import (
	"cmp"
	"context"
	"io"
	"net"
	"time"

	"borne/kiosk/printer"
	"borne/kiosk/printjob"
)

// deliver sends to a real printer, again and again while it is busy.
func deliver(ctx context.Context, dial func(context.Context) (net.Conn, error), s printjob.Submit, format printjob.Format,
	doc io.ReaderAt, size int64) (printjob.Sent, error) {
	return printer.Deliver(ctx, dial, printer.Target{URI: s.URI, Pin: s.Pin},
		printer.Order{Name: s.Name, Format: format, Ticket: s.Ticket, Doc: doc, Size: size})
}

// submit begins to send a job. Whatever becomes of it, the agent hears of it
// once. The lock is held.
func (p *Press) submit(l *link, s printjob.Submit) {
	j := p.find(s.Job)
	if j == nil || j.phase != offered {
		// It was cancelled on the way of this order: nothing was sent.
		p.tell(printjob.FromPress{Sent: &printjob.Sent{Job: s.Job, Why: printjob.WhyCut}})
		return
	}
	ctx, cancel := context.WithCancelCause(p.ctx)
	j.phase, j.state, j.reason, j.says = sending, printjob.Processing, "job-outgoing", saysSending
	j.ticket, j.begun, j.cancel = s.Ticket, time.Now(), cancel
	d := j.doc
	d.held++
	p.work.Go(func() {
		defer cancel(nil)
		out := p.send(ctx, l, j, d, s)
		p.release(d)
		p.mu.Lock()
		defer p.mu.Unlock()
		p.sent(j, out)
	})
}

// send sends the counted bytes, all of them and no other.
func (p *Press) send(ctx context.Context, l *link, j *job, d *document, s printjob.Submit) printjob.Sent {
	ctx, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	dial := func(ctx context.Context) (net.Conn, error) {
		p.mu.Lock()
		gone := j.withdrawn || j.phase != sending
		p.mu.Unlock()
		if gone {
			return nil, printjob.Fail(printjob.WhyCut, errCancelled)
		}
		return p.connect(ctx, l)
	}
	out, err := p.c.Send(ctx, dial, s, j.format, d.f, d.size)
	out.Job = j.id
	if err != nil || out.Remote < 1 {
		// What the agent said of its own connection is nearer to the truth.
		out.Remote, out.Why = 0, printjob.FailureOf(err, cmp.Or(out.Why, printjob.WhyRejected)).Why
		p.c.Log.Warn("a document was not sent", "job", j.id, "why", out.Why, "unsure", out.Unsure, "error", err)
	}
	return out
}

// sent notes what became of it, and tells the agent. The lock is held.
func (p *Press) sent(j *job, out printjob.Sent) {
	j.cancel = nil
	switch {
	case j.phase != sending: // dropped meanwhile
	case out.Remote > 0 || out.Unsure:
		j.phase = sent
		p.erase(j) // it is never sent twice
		if !j.withdrawn {
			j.reason, j.says = "job-printing", saysPrints
		}
	case j.withdrawn:
		p.end(j, printjob.Canceled, "job-canceled-by-user", saysGone)
	case p.agent == nil: // and nobody will say more
		p.end(j, printjob.Aborted, "aborted-by-system", sentence(out.Why))
	default: // the agent may try again, or drop it
		j.phase, j.state, j.reason, j.says = offered, printjob.Held, "job-held-for-authorization", sentence(out.Why)
	}
	p.tell(printjob.FromPress{Sent: &out})
}
