package printing_test

import (
	"borne/controller/wire"
	"borne/kiosk/printjob"
)

// printer is a printer with paper in it: what it printed is the truth.
type printer struct {
	up    bool
	stuck bool // jam, or no paper
	jobs  []*pjob
}

type pjob struct {
	name      string
	remote    int
	sides     int // to print
	extra     int // that it prints beyond: a bad page twice
	printed   int
	state     printjob.State
	late      int  // sides that the engine still prints after the end
	flags     bool // it says so (processing-to-stop-point)
	silent    bool // it tells no count
	abortAt   int  // after so many sides; -1: never
	forgotten bool
}

func (p *printer) add(j *pjob) {
	j.remote = len(p.jobs) + 100
	p.jobs = append(p.jobs, j)
}

func (p *printer) remote(n int) *pjob {
	if n < 100 || n >= len(p.jobs)+100 {
		return nil
	}
	return p.jobs[n-100]
}

func (p *printer) named(name string) *pjob {
	for _, j := range p.jobs {
		if j.name == name {
			return j
		}
	}
	return nil
}

// cancel ends a job now; its engine still prints late sides.
func (p *printer) cancel(remote, late int) {
	j := p.remote(remote)
	if j == nil || j.state.Over() || j.forgotten {
		return
	}
	j.state = printjob.Canceled
	if j.printed > 0 {
		j.late = min(late, j.sides-j.printed)
	}
}

// finish prints up to n of what was in the paper path when the job ended: that
// comes out even of a jammed printer.
func (j *pjob) finish(n int) int {
	n = min(n, j.late)
	j.late -= n
	j.printed += n
	return n
}

func (p *printer) finish(n int) {
	for _, j := range p.jobs {
		n -= j.finish(n)
	}
}

// run prints n sides.
func (p *printer) run(n int) {
	for _, j := range p.jobs {
		n -= j.finish(n)
		if p.stuck || j.forgotten {
			continue
		}
		for n > 0 && !j.state.Over() {
			j.state = printjob.Processing
			switch {
			case j.printed == j.abortAt:
				j.state = printjob.Aborted
			case j.printed < j.sides+j.extra:
				j.printed++
				n--
			}
			if j.printed == j.sides+j.extra && j.state == printjob.Processing && j.abortAt != j.printed {
				j.state = printjob.Completed
			}
		}
	}
}

// ledger keeps the account of one badge, by its own rules.
type ledger struct {
	up    bool
	quota wire.Units
	jobs  map[string]*entry
	paid  map[string]wire.Units // by job
}

type entry struct {
	reserved wire.Units
	outcome  wire.Outcome
}

func (l *ledger) left(but string) wire.Units {
	left := l.quota
	for id, e := range l.jobs {
		if id != but {
			left -= e.reserved
		}
	}
	for _, u := range l.paid {
		left -= u
	}
	return left
}

// ask answers the same question the same way.
func (l *ledger) ask(a wire.PrintAsk) wire.PrintAnswer {
	left := l.left(a.Job)
	e := l.jobs[a.Job]
	switch {
	case a.Units == 0:
		if e != nil {
			left -= e.reserved
		}
		return wire.PrintAnswer{Job: a.Job, Left: max(left, 0)}
	case e != nil && e.outcome != "":
		return wire.PrintAnswer{Job: a.Job, Left: max(left, 0), Reason: wire.PrintEnded}
	case a.Units > left:
		return wire.PrintAnswer{Job: a.Job, Left: max(left, 0), Reason: wire.PrintQuota}
	}
	l.jobs[a.Job] = &entry{reserved: a.Units}
	return wire.PrintAnswer{Job: a.Job, Granted: true, Left: left - a.Units}
}

// printed takes a record.
func (l *ledger) printed(p wire.Printed) {
	if len(p.Holder) == 0 {
		return
	}
	e := l.jobs[p.Job]
	if e == nil {
		e = &entry{}
		l.jobs[p.Job] = e
	}
	e.outcome = p.Outcome
	switch p.Outcome {
	case wire.PrintSettled:
		e.reserved, l.paid[p.Job] = 0, p.Charged
	case wire.PrintRefunded:
		e.reserved = 0
	default:
		e.reserved = p.Reserved
	}
}
