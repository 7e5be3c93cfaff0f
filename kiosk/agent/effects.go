package agent

import (
	"context"
	"fmt"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"
	"borne/kiosk/session"
)

// perform starts a worker for an effect. Every worker has a deadline, and its
// result names the effect: the machine ignores one that it no longer awaits.
func (a *Agent) perform(work context.Context, e session.Effect) {
	at := a.now()
	switch ask := e.Ask.(type) {
	case session.DoSurvey:
		a.worker(work, func() result { return a.survey(work, e.ID) })
	case session.DoOpen:
		k := a.key(ask.Lang)
		p, build := a.dated(), a.boxes.building()
		a.worker(work, func() result {
			f := session.Opened{Effect: e.ID}
			err := a.boxes.admit(build, k, p, ask.Session)
			if err != nil {
				f.Err = err.Error()
			}
			return result{fact: f, then: func(a *Agent) { a.rejects(work, err) }}
		})
	case session.DoWipe:
		a.playing = false
		a.worker(work, func() result {
			f, head := a.boxes.wipe(work, ask, a.cfg.Terminal, at)
			f.Effect = e.ID
			return result{fact: f, head: head}
		})
	case session.DoForget:
		a.worker(work, func() result {
			ctx, cancel := context.WithTimeout(work, askWithin)
			defer cancel()
			if _, _, err := a.parts.Warden.Do(ctx, sandbox.Request{Forget: &sandbox.Forget{Permit: ask.Permit}}); err != nil {
				a.log.Debug("the warden keeps evidence for longer", "permit", ask.Permit, "error", err)
			}
			return result{}
		})
	case session.DoHome:
		a.page(work, SessionBrowser.Home)
	case session.DoBack:
		a.page(work, SessionBrowser.Back)
	case session.DoStop:
		a.done = true
	case session.DoVerify:
		a.verifyPIN(work)
	case session.DoRestart:
		a.restart = errAnew
	}
}

func (a *Agent) worker(work context.Context, f func() result) {
	a.workers.Go(func() { a.deliver(work, f()) })
}

// page moves the session's browser. It is no matter of the session when that fails.
func (a *Agent) page(work context.Context, move func(SessionBrowser, context.Context) error) {
	b := a.boxes.current()
	if b == nil {
		return
	}
	a.worker(work, func() result {
		ctx, cancel := context.WithTimeout(work, askWithin)
		defer cancel()
		if err := move(b.browser, ctx); err != nil {
			a.log.Warn("the session's browser does not follow", "error", err)
		}
		return result{}
	})
}

// survey asks what this machine can do.
func (a *Agent) survey(work context.Context, effect uint64) result {
	ctx, cancel := context.WithTimeout(work, surveyWithin)
	defer cancel()
	f := session.Surveyed{Effect: effect}
	if err := a.boxes.empty(ctx); err != nil {
		a.log.Warn("a standby stays beside the survey", "error", err)
	}
	ans, _, err := a.parts.Warden.Do(ctx, sandbox.Request{Survey: &sandbox.Survey{}})
	switch {
	case err != nil:
		a.log.Error("this machine cannot be surveyed", "error", err)
		f.Fault, f.Missing = wire.OutIsolation, []string{"survey"}
	case ans.Survey == nil:
		f.Fault, f.Missing = wire.OutIsolation, []string{"survey"}
	default:
		f.Level = ans.Survey.Level
		for _, p := range ans.Survey.Props {
			if !p.Held {
				f.Missing = append(f.Missing, p.Name)
			}
		}
		if ans.Survey.Chromium == "" {
			a.log.Error("Chromium is missing: install it (apt-get install chromium), or name it in the configuration")
			f.Fault = wire.OutBrowser
		}
		if len(f.Missing) > 0 {
			a.log.Warn("isolation is reduced", "missing", f.Missing)
		}
	}
	return result{fact: f, then: func(a *Agent) {
		if t := a.state.Live.Trouble; f.Fault == "" && t != "" && t == a.parts.Fault {
			a.apply(work, session.Faulty{}) // it was mended meanwhile
		}
	}}
}

// tick comes once a second.
func (a *Agent) tick(work context.Context) {
	at := a.now()
	if a.stuck != nil && !a.unstick(work) {
		a.hold(work, at)
		return
	}
	open := a.opening.at(a.policy, at.Wall, a.parts.Hours)
	f := session.Tick{Sure: at.Trusted || a.policy.Hours.Always, Open: open.Open, Since: open.Since, Vacant: open.Vacant, Until: open.Until, Cause: string(open.Cause), Why: open.Why, Playing: a.playing}
	a.bounded(&f, open)
	if !at.Trusted {
		f.Since, f.Vacant, f.Until, f.Cause, f.Why = time.Time{}, time.Time{}, time.Time{}, "", ""
	}
	if a.state.Phase.InSession() {
		idle, err := a.parts.Stage.Idle()
		if err != nil {
			a.log.Error("the idle time is not known", "error", err)
		}
		f.Idle = idle
		if b := a.boxes.current(); b != nil {
			f.Uploading = b.browser.Uploading() > 0
			a.probe(work, b, idle)
		}
	}
	a.apply(work, f)
	a.forget(at.Mono)
	a.tickNetwork(work, at)
	a.tickCall(at)
	a.tickPrints(work)
	a.tickEnergy(work, open)
}

// hold is a disk that is full in somebody's session: the shell covers it, and
// after a while its sandbox goes. Destroying needs no journal.
func (a *Agent) hold(work context.Context, at session.Instant) {
	const patience = 15 * time.Second
	b := a.boxes.current()
	if b == nil || at.Mono-a.stuckAt < patience || a.erased != "" {
		return
	}
	a.erased = b.session
	a.worker(work, func() result {
		if err := a.boxes.destroy(work); err != nil {
			a.log.Error("the sandbox cannot be destroyed", "error", err)
		}
		return result{}
	})
}

// probe asks now and then whether something plays, once nobody moves.
func (a *Agent) probe(work context.Context, b *box, idle time.Duration) {
	const quiet = 20 * time.Second
	if idle < quiet {
		a.playing = false
		return
	}
	if a.probing {
		return
	}
	a.probing = true
	a.worker(work, func() result {
		ctx, cancel := context.WithTimeout(work, 5*time.Second)
		defer cancel()
		playing := b.browser.Playing(ctx)
		return result{then: func(a *Agent) { a.probing, a.playing = false, playing && a.boxes.current() == b }}
	})
}

// spareAfter is how long a session runs before the next one's browser is
// started beside it: its own first pages come first.
const spareAfter = 5 * time.Second

// keepStandby has a painted sandbox ready for whoever comes next, beside a
// session too where the machine has the memory.
func (a *Agent) keepStandby(work context.Context) {
	now := a.parts.Clock.Mono()
	l := lang(a.state)
	switch a.state.Phase {
	case session.Welcome, session.Charter:
	case session.Active, session.Warning, session.Thanks:
		if a.state.Phase != session.Thanks && (!a.parts.Spare || now < a.state.Live.Since+spareAfter || a.boxes.current() == nil) {
			return
		}
		if len(a.policy.Languages) > 0 {
			l = a.policy.Languages[0] // the next person begins in the place's own language
		}
	case session.Broken: // it is tried again until it works
		if a.state.Live.Trouble != wire.OutStandby {
			return
		}
	default:
		return
	}
	k := a.key(l)
	if a.policy.Version == 0 || a.state.Live.Unprotected || a.making || now < a.makeAt || a.boxes.ready(k) {
		return
	}
	a.making = true
	p, build := a.dated(), a.boxes.building()
	a.worker(work, func() result {
		err := a.boxes.ensure(build, k, p)
		return result{then: func(a *Agent) { a.madeStandby(work, build, err) }}
	})
}

// madeStandby notes how it went; failures are told to staff once, and tried
// again at longer and longer intervals.
func (a *Agent) madeStandby(work, build context.Context, err error) {
	a.making = false
	switch {
	case err == nil:
		a.failures = 0
		a.log.Info("standby ready")
		if a.state.Live.Trouble == wire.OutStandby {
			a.apply(work, session.Faulty{})
		}
	case build.Err() != nil: // a wipe came between
	default:
		a.rejects(work, err)
		a.failures++
		a.makeAt = a.parts.Clock.Mono() + min(time.Second<<min(a.failures, 6), time.Minute)
		a.log.Error("no session can be made ready", "error", err, "failures", a.failures)
		// Nobody is to press « Commencer » for nothing, and to use a permit up by it.
		if a.failures == 3 && a.state.Live.Trouble == "" {
			detail := fmt.Sprintf("%.300s", err)
			a.applyWith(work, session.Faulty{Reason: wire.OutStandby}, extra{records: []wire.Record{draft(a.now(), wire.KindAlert, wire.Alert{Code: "no-standby", Detail: detail})}})
		}
	}
}
