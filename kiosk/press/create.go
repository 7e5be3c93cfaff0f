package press

import (
	"context"
	"errors"
	"slices"

	"github.com/OpenPrinting/goipp"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"
)

// anyFormat asks the printer to look for itself (RFC 8011 §5.1.10).
const anyFormat = "application/octet-stream"

var (
	errCancelled = errors.New("the job was cancelled")
	// compressions are those that receive undoes.
	compressions = []string{"none", "gzip", "deflate"}
)

// takes tells whether documents of format f are printed here.
func (p *Press) takes(f string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return f == anyFormat || slices.Contains(formats(p.can), printjob.Format(f))
}

// formats are what the real printer takes; a queue that takes nothing at all is
// none, so without a printer PDF is named.
func formats(can printjob.Printer) []printjob.Format {
	if len(can.Formats) == 0 {
		return []printjob.Format{printjob.PDF}
	}
	return can.Formats
}

// refuses looks at what is said of a document before it comes; nil is well.
func (p *Press) refuses(r *request) *goipp.Message {
	if f := r.str("document-format", anyFormat); !p.takes(f) {
		m := r.respond(goipp.StatusErrorDocumentFormatNotSupported, sentence(printjob.WhyFormat))
		m.Unsupported.Add(ipp.Mime("document-format", ipp.Cut(f, ipp.MaxName)))
		return m
	}
	if c := r.str("compression", "none"); !slices.Contains(compressions, c) {
		m := r.respond(goipp.StatusErrorCompressionNotSupported, "")
		m.Unsupported.Add(ipp.Keyword("compression", ipp.Cut(c, ipp.MaxName)))
		return m
	}
	return nil
}

// wish makes a ticket of the request. refusal is an answer that ends it; bad are
// attributes that are ignored (RFC 8011 §4.1.7).
func (p *Press) wish(r *request) (t printjob.Ticket, bad ipp.Attributes, refusal *goipp.Message) {
	p.mu.Lock()
	can, accepts := p.can, p.accepts()
	p.mu.Unlock()
	if !accepts {
		says := sentence(can.Why)
		if says == "" {
			says = saysNobody
		}
		return t, nil, r.respond(goipp.StatusErrorNotAcceptingJobs, says)
	}
	if refusal := p.refuses(r); refusal != nil {
		return t, nil, refusal
	}
	exact, _ := ipp.Bool(r.Operation, "ipp-attribute-fidelity")
	if t, bad = ticketOf(r.Job, ability{can, exact}); exact && len(bad) > 0 {
		refusal = r.respond(goipp.StatusErrorAttributesOrValues, "")
		refusal.Unsupported = bad
	}
	return t, bad, refusal
}

// granted answers a request whose ticket left bad out.
func (r *request) granted(bad ipp.Attributes) *goipp.Message {
	status := goipp.StatusOk
	if len(bad) > 0 {
		status = goipp.StatusOkIgnoredOrSubstituted
	}
	m := r.respond(status, "")
	m.Unsupported = bad
	return m
}

func (p *Press) validateJob(r *request, _ int) *goipp.Message {
	_, bad, refusal := p.wish(r)
	if refusal != nil {
		return refusal
	}
	return r.granted(bad)
}

// begin makes a job of the request.
func (p *Press) begin(r *request, at phase) (*job, ipp.Attributes, *goipp.Message) {
	t, bad, refusal := p.wish(r)
	if refusal != nil {
		if goipp.Status(refusal.Code) == goipp.StatusErrorNotAcceptingJobs {
			p.refused(0, p.reason())
		}
		return nil, nil, refusal
	}
	p.mu.Lock()
	j, why := p.add(r.user(), at, t)
	p.mu.Unlock()
	if why != "" {
		p.refused(0, why)
		return nil, nil, r.respond(goipp.StatusErrorTooManyJobs, sentence(why))
	}
	return j, bad, nil
}

// reason is why nothing is accepted now.
func (p *Press) reason() printjob.Why {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.can.Why == "" {
		return printjob.WhyNotHere
	}
	return p.can.Why
}

// refused tells the agent, so that the person reads it on the screen too.
func (p *Press) refused(id int, why printjob.Why) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.agent != nil && !p.agent.full() {
		p.tell(printjob.FromPress{Refused: &printjob.Refused{Job: id, Why: why}})
	}
}

func (p *Press) printJob(r *request, _ int) *goipp.Message {
	j, bad, refusal := p.begin(r, receiving)
	if refusal != nil {
		return refusal
	}
	return p.take(r, j, bad)
}

func (p *Press) createJob(r *request, _ int) *goipp.Message {
	j, bad, refusal := p.begin(r, opened)
	if refusal != nil {
		return refusal
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if j.phase == opened { // nobody cancelled it meanwhile
		p.expect(j)
	}
	m := r.granted(bad)
	m.Job = p.brief(j)
	return m
}

func (p *Press) sendDocument(r *request, id int) *goipp.Message {
	last, ok := ipp.Bool(r.Operation, "last-document")
	if !ok {
		return r.respond(goipp.StatusErrorBadRequest, "")
	}
	if refusal := p.refuses(r); refusal != nil {
		return refusal
	}
	p.mu.Lock()
	j := p.find(id)
	switch {
	case j == nil:
		p.mu.Unlock()
		return r.respond(goipp.StatusErrorNotFound, "")
	case j.phase == over:
		defer p.mu.Unlock()
		if j.state == printjob.Canceled {
			return r.respond(goipp.StatusErrorJobCanceled, j.says)
		}
		return r.respond(goipp.StatusErrorNotPossible, j.says)
	case j.phase != opened:
		p.mu.Unlock()
		return r.respond(goipp.StatusErrorMultipleJobsNotSupported, "")
	case j.doc != nil:
		// No bytes and last-document close a job (RFC 8011 §4.3.1).
		p.mu.Unlock()
		var b [1]byte
		if n, _ := r.body.Read(b[:]); n > 0 || !last {
			return r.respond(goipp.StatusErrorMultipleJobsNotSupported, "")
		}
		m := p.closeJob(r, id)
		p.mu.Lock()
		defer p.mu.Unlock()
		m.Job = p.brief(j)
		return m
	}
	j.phase, j.more = receiving, !last
	if j.timer != nil {
		j.timer.Stop()
	}
	p.mu.Unlock()
	return p.take(r, j, nil)
}

// take receives a job's document and has it counted.
func (p *Press) take(r *request, j *job, bad ipp.Attributes) *goipp.Message {
	ctx, cancel := context.WithCancelCause(p.ctx)
	defer cancel(nil)
	p.mu.Lock()
	if j.phase != receiving {
		defer p.mu.Unlock()
		return r.respond(goipp.StatusErrorJobCanceled, j.says)
	}
	j.cancel = func(cause error) {
		cancel(cause)
		r.unread()
	}
	p.mu.Unlock()

	d, err := p.receive(ctx, r.body, r.str("compression", "none"))
	var format printjob.Format
	pages := 0
	if err == nil {
		format, pages, err = p.count(ctx, d)
	}
	p.mu.Lock()
	j.cancel = nil
	if j.phase != receiving { // it ended meanwhile
		p.drop(d)
		defer p.mu.Unlock()
		if j.state == printjob.Canceled {
			return r.respond(goipp.StatusErrorJobCanceled, j.says)
		}
		return r.respond(goipp.StatusErrorInternal, j.says)
	}
	if err != nil {
		p.drop(d)
		status, why := verdict(err)
		says := sentence(why)
		if why == "" {
			says = saysLate
		}
		p.end(j, printjob.Aborted, "aborted-by-system", says)
		p.mu.Unlock()
		p.c.Log.Info("a document is not taken", "job", j.id, "why", why, "status", status)
		if why != "" {
			p.refused(j.id, why)
		}
		return r.respond(status, says)
	}
	defer p.mu.Unlock()
	j.doc, j.size, j.format, j.pages = d, d.size, format, pages
	if j.more {
		p.expect(j)
	} else {
		p.close(j)
	}
	m := r.granted(bad)
	m.Job = p.brief(j)
	return m
}

// count has a document counted, and holds it to what is printed here.
func (p *Press) count(ctx context.Context, d *document) (printjob.Format, int, error) {
	if d.size == 0 {
		return "", 0, printjob.Fail(printjob.WhyUnreadable, errors.New("the document is empty"))
	}
	ctx, cancel := context.WithTimeout(ctx, countWithin)
	defer cancel()
	format, pages, err := p.c.Counter.Count(ctx, d.f)
	switch {
	case err != nil:
		return "", 0, printjob.FailureOf(err, printjob.WhyUnreadable)
	case format == anyFormat || !p.takes(string(format)):
		return "", 0, printjob.Fail(printjob.WhyFormat, nil)
	case pages < 1:
		return "", 0, printjob.Fail(printjob.WhyUnreadable, nil)
	case pages > printjob.MaxPages:
		return "", 0, printjob.Fail(printjob.WhyTooMany, nil)
	}
	return format, pages, nil
}

// verdict is how IPP and the person call an error of take.
func verdict(err error) (goipp.Status, printjob.Why) {
	switch {
	case errors.Is(err, errCancelled):
		return goipp.StatusErrorJobCanceled, ""
	case errors.Is(err, errTooBig):
		return goipp.StatusErrorRequestEntity, printjob.WhyTooBig
	case errors.Is(err, errFull):
		return goipp.StatusErrorTooManyJobs, printjob.WhyFull
	case errors.Is(err, errCompression):
		return goipp.StatusErrorCompressionError, printjob.WhyUnreadable
	case errors.Is(err, errCut):
		return goipp.StatusErrorBadRequest, ""
	}
	var f *printjob.Failure
	if !errors.As(err, &f) {
		return goipp.StatusErrorInternal, printjob.WhyUnreadable
	}
	switch f.Why {
	case printjob.WhyEncrypted:
		return goipp.StatusErrorDocumentPassword, f.Why
	case printjob.WhyFormat:
		return goipp.StatusErrorDocumentFormatNotSupported, f.Why
	case printjob.WhyTooMany:
		return goipp.StatusErrorDocumentUnprintable, f.Why
	case printjob.WhyTooBig:
		return goipp.StatusErrorRequestEntity, f.Why
	case printjob.WhyFull:
		return goipp.StatusErrorTooManyJobs, f.Why
	}
	return goipp.StatusErrorDocumentFormatError, f.Why
}
