package agent

import (
	"context"
	"errors"
	"time"

	"borne/kiosk/printing"
)

// unfollow ends what is asked about a job.
func (a *Agent) unfollow(job string) {
	if stop := a.paper.following[job]; stop != nil {
		stop()
		delete(a.paper.following, job)
	}
}

// watching gives a context for what is asked about a job until Unfollow; the
// last asked takes the place of what was asked before.
func (a *Agent) watching(work context.Context, job string) context.Context {
	a.unfollow(job)
	ctx, stop := context.WithCancel(work)
	if a.paper.following == nil {
		a.paper.following = map[string]context.CancelFunc{}
	}
	a.paper.following[job] = stop
	return ctx
}

// followAgain is the pause before a job is followed again whose printer is lost.
const followAgain = 5 * time.Second

func (a *Agent) followJob(work context.Context, ask printing.Follow) {
	ctx, p := a.watching(work, ask.Job), a.source.now
	if p == nil {
		a.workers.Go(func() { a.later(work, ctx, printing.PrinterLost{Job: ask.Job}) })
		return
	}
	a.workers.Go(func() {
		for ctx.Err() == nil {
			err := p.Follow(ctx, ask.Remote, ask.Name, func(at printing.Progress) {
				at.Job = ask.Job
				a.later(work, ctx, at)
			})
			if err == nil || ctx.Err() != nil {
				return
			}
			a.log.Warn("a job at the printer is out of sight", "error", err)
			a.later(work, ctx, printing.PrinterLost{Job: ask.Job, Forgotten: errors.Is(err, ErrNoJob)})
			t := time.NewTimer(followAgain)
			select {
			case <-t.C:
			case <-ctx.Done():
				t.Stop()
			}
		}
	})
}

func (a *Agent) find(work context.Context, ask printing.Find) {
	ctx, p := a.watching(work, ask.Job), a.source.now
	a.workers.Go(func() {
		if p == nil {
			a.later(work, ctx, printing.PrinterLost{Job: ask.Job})
			return
		}
		id, err := p.Find(ctx, ask.Name)
		switch {
		case err == nil || errors.Is(err, ErrNoJob):
			a.later(work, ctx, printing.Found{Job: ask.Job, Remote: id})
		default:
			a.log.Warn("the printer cannot be asked about a job", "error", err)
			a.later(work, ctx, printing.PrinterLost{Job: ask.Job})
		}
	})
}

func (a *Agent) cancelJob(work context.Context, ask printing.Cancel) {
	p := a.source.now
	if p == nil {
		return
	}
	a.workers.Go(func() {
		ctx, cancel := context.WithTimeout(work, dialWithin)
		defer cancel()
		if err := p.Cancel(ctx, ask.Remote, ask.Name); err != nil {
			a.log.Warn("the printer is not told to stop a job", "error", err)
		}
	})
}
