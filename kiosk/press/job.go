package press

import (
	"context"
	"slices"
	"time"

	"borne/kiosk/printjob"
)

// phase is where a job is on its way.
type phase int

const (
	opened    phase = iota // waits for its document, or for the word that there is no other
	receiving              // the document comes in, or is counted
	offered                // the agent decides
	sending                // the agent has decided
	sent                   // the printer has it, or may have it
	over
)

// job is what the printer knows of one. It keeps no title: a program that asks
// for one is told a number.
type job struct {
	id     int
	user   string // as the program calls its person; in memory only
	phase  phase
	state  printjob.State
	reason string // job-state-reasons
	says   string // job-state-message
	ticket printjob.Ticket
	format printjob.Format
	pages  int
	size   int64 // outlives the document
	done   int   // impressions

	created, begun, ended time.Time

	doc       *document
	more      bool                    // other documents may follow (Send-Document)
	withdrawn bool                    // the program has cancelled what is being sent
	dropped   bool                    // it ended because the agent dropped it
	cancel    context.CancelCauseFunc // ends what is under way; nil when nothing is
	timer     *time.Timer             // multiple-operation-time-out
}

// add makes a job, or tells why there cannot be another. The lock is held.
func (p *Press) add(user string, at phase, t printjob.Ticket) (*job, printjob.Why) {
	waiting := 0
	for _, j := range p.jobs {
		if j.phase < sent {
			waiting++
		}
	}
	if waiting >= p.c.MaxWaiting || p.agent == nil || p.agent.full() || p.ctx.Err() != nil {
		return nil, printjob.WhyFull
	}
	p.last++
	j := &job{id: p.last, user: user, phase: at, ticket: t, state: printjob.Held, reason: "job-incoming", created: time.Now()}
	p.jobs = append(p.jobs, j)
	if len(p.jobs) > maxJobs {
		if i := slices.IndexFunc(p.jobs, func(j *job) bool { return j.phase == over }); i >= 0 {
			p.jobs = slices.Delete(p.jobs, i, i+1)
		}
	}
	return j, ""
}

// find returns a job. The lock is held.
func (p *Press) find(id int) *job {
	if i := slices.IndexFunc(p.jobs, func(j *job) bool { return j.id == id }); i >= 0 {
		return p.jobs[i]
	}
	return nil
}

// end makes a job's state one that never changes, and erases its document. The
// lock is held.
func (p *Press) end(j *job, s printjob.State, reason, says string) {
	j.phase, j.state, j.reason, j.says, j.ended = over, s, reason, says, time.Now()
	p.erase(j)
	if j.cancel != nil {
		j.cancel(errCancelled)
	}
	if j.timer != nil {
		j.timer.Stop()
	}
}

// erase lets go of a job's document. The lock is held.
func (p *Press) erase(j *job) {
	p.drop(j.doc)
	j.doc = nil
}

// abandon is a program that cancels a job; it tells whether it could. The lock
// is held.
func (p *Press) abandon(j *job) bool {
	switch j.phase {
	case over:
		return false
	case opened, receiving:
		p.end(j, printjob.Canceled, "job-canceled-by-user", saysGone)
	case offered:
		p.end(j, printjob.Canceled, "job-canceled-by-user", saysGone)
		p.tell(printjob.FromPress{Withdrawn: &printjob.Withdrawn{Job: j.id}})
	case sending, sent:
		// The printer may have it already: the agent stops it there, and says how it ended.
		if !j.withdrawn {
			j.withdrawn, j.reason, j.says = true, "processing-to-stop-point", saysGone
			p.tell(printjob.FromPress{Withdrawn: &printjob.Withdrawn{Job: j.id}})
		}
	}
	return true
}

// close offers an opened job, when it has its document. The lock is held.
func (p *Press) close(j *job) {
	if j.timer != nil {
		j.timer.Stop()
	}
	if j.doc == nil {
		p.end(j, printjob.Aborted, "aborted-by-system", saysLate)
		return
	}
	j.phase, j.reason, j.says = offered, "job-held-for-authorization", saysAsked
	p.tell(printjob.FromPress{Offer: &printjob.Offer{Job: j.id, Format: j.format, Pages: j.pages, Ticket: j.ticket}})
}

// expect gives an opened job a while for what it still lacks. The lock is held.
func (p *Press) expect(j *job) {
	j.phase, j.more = opened, true
	j.timer = time.AfterFunc(p.open, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if j.phase == opened {
			p.end(j, printjob.Aborted, "aborted-by-system", saysLate)
		}
	})
}
