package press

import (
	"slices"

	"github.com/OpenPrinting/goipp"

	"borne/kiosk/ipp"
	"borne/kiosk/printjob"
)

// operation answers one kind of request. id is the job that it names, or 0.
type operation func(p *Press, r *request, id int) *goipp.Message

// operations are what operations-supported tells, and no other.
func operations() map[goipp.Op]operation {
	return map[goipp.Op]operation{
		goipp.OpPrintJob:             (*Press).printJob,
		goipp.OpValidateJob:          (*Press).validateJob,
		goipp.OpCreateJob:            (*Press).createJob,
		goipp.OpSendDocument:         (*Press).sendDocument,
		goipp.OpCancelJob:            (*Press).cancelJob,
		goipp.OpGetJobAttributes:     (*Press).getJobAttributes,
		goipp.OpGetJobs:              (*Press).getJobs,
		goipp.OpGetPrinterAttributes: (*Press).getPrinterAttributes,
		goipp.OpCancelMyJobs:         (*Press).cancelMyJobs,
		goipp.OpCloseJob:             (*Press).closeJob,
		goipp.OpIdentifyPrinter:      (*Press).identify,
	}
}

func (p *Press) answer(r *request) *goipp.Message {
	if bad := r.check(); bad != nil {
		return bad
	}
	switch op := goipp.Op(r.Code); op {
	case goipp.OpCupsGetDefault, goipp.OpCupsGetPrinters:
		// What CUPS's programs ask of a server before they know a printer.
		return p.describe(r)
	default:
		do, ok := operations()[op]
		if !ok {
			return r.respond(goipp.StatusErrorOperationNotSupported, "")
		}
		id, status := r.target()
		if status != goipp.StatusOk {
			return r.respond(status, "")
		}
		return do(p, r, id)
	}
}

func (p *Press) getPrinterAttributes(r *request, _ int) *goipp.Message {
	if f := r.str("document-format", ""); f != "" && !p.takes(f) {
		return r.respond(goipp.StatusErrorDocumentFormatNotSupported, sentence(printjob.WhyFormat))
	}
	return p.describe(r)
}

func (p *Press) describe(r *request) *goipp.Message {
	m := r.respond(goipp.StatusOk, "")
	m.Printer = wanted(r, p.attributes())
	return m
}

// identify has nothing to flash: the printer that a person stands at is the one
// beside this computer.
func (p *Press) identify(r *request, _ int) *goipp.Message { return r.respond(goipp.StatusOk, "") }

func (p *Press) getJobAttributes(r *request, id int) *goipp.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	j := p.find(id)
	if j == nil {
		return r.respond(goipp.StatusErrorNotFound, "")
	}
	m := r.respond(goipp.StatusOk, "")
	m.Job = wanted(r, p.jobAttributes(j))
	return m
}

func (p *Press) getJobs(r *request, _ int) *goipp.Message {
	which := r.str("which-jobs", "not-completed")
	if !slices.Contains([]string{"completed", "not-completed", "all"}, which) {
		m := r.respond(goipp.StatusErrorAttributesOrValues, "")
		m.Unsupported.Add(ipp.Keyword("which-jobs", ipp.Cut(which, ipp.MaxName)))
		return m
	}
	mine, _ := ipp.Bool(r.Operation, "my-jobs")
	limit, limited := ipp.Int(r.Operation, "limit")
	groups := goipp.Groups{{Tag: goipp.TagOperationGroup, Attrs: r.respond(goipp.StatusOk, "").Operation}}
	p.mu.Lock()
	defer p.mu.Unlock()
	jobs := slices.Clone(p.jobs)
	if which == "completed" {
		slices.Reverse(jobs) // the newest first (RFC 8011 §4.2.6.2)
	}
	for _, j := range jobs {
		if which != "all" && (which == "completed") != j.state.Over() || mine && j.user != r.user() {
			continue
		}
		if limited && len(groups) > limit {
			break
		}
		groups.Add(goipp.Group{Tag: goipp.TagJobGroup, Attrs: wanted(r, p.jobAttributes(j), "job-id", "job-uri")})
	}
	m := r.respond(goipp.StatusOk, "")
	return goipp.NewMessageWithGroups(m.Version, m.Code, m.RequestID, groups)
}

func (p *Press) cancelJob(r *request, id int) *goipp.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch j := p.find(id); {
	case j == nil:
		return r.respond(goipp.StatusErrorNotFound, "")
	case !p.abandon(j):
		return r.respond(goipp.StatusErrorNotPossible, "")
	}
	return r.respond(goipp.StatusOk, "")
}

// cancelMyJobs cancels what job-ids names, or all (PWG 5100.7 §3.1.2): every job
// first proves that it can be.
func (p *Press) cancelMyJobs(r *request, _ int) *goipp.Message {
	ids := ipp.Ints(r.Operation, "job-ids")
	p.mu.Lock()
	defer p.mu.Unlock()
	var jobs []*job
	for _, j := range p.jobs {
		if j.user == r.user() && (slices.Contains(ids, j.id) || len(ids) == 0 && j.phase != over) {
			jobs = append(jobs, j)
		}
	}
	for _, id := range ids {
		if !slices.ContainsFunc(jobs, func(j *job) bool { return j.id == id && j.phase != over }) {
			m := r.respond(goipp.StatusErrorNotPossible, "")
			m.Unsupported.Add(ipp.Integer("job-ids", id))
			return m
		}
	}
	for _, j := range jobs {
		p.abandon(j)
	}
	return r.respond(goipp.StatusOk, "")
}

func (p *Press) closeJob(r *request, id int) *goipp.Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch j := p.find(id); {
	case j == nil:
		return r.respond(goipp.StatusErrorNotFound, "")
	case j.phase == opened:
		p.close(j)
	case j.phase == receiving:
		j.more = false // the document that comes in is the last one
	}
	return r.respond(goipp.StatusOk, "")
}
