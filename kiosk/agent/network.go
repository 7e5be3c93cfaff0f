package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/kiosk/session"
	"borne/kiosk/uplink"
)

// A policy that changes how the terminal is connected, or through which proxies
// its sessions go, is on trial first. Until the controller was reached through it
// the rules before hold, and they are what the disk says: a terminal that loses
// power in the middle of it starts with them. What failed is not tried again
// before it is another one.

const (
	trialIn    = 2 * time.Minute
	knockEvery = 2 * time.Second
	// mostTimes is how often a network is tried whose trial was cut off by a
	// restart: once may be somebody who pulled the plug.
	mostTimes = 2
	// tryAgain is the pause before a network is tried whose trial could not be noted.
	tryAgain = time.Minute
	// detourAfter is how long the proxy of the rules may keep the controller away.
	detourAfter = 10 * time.Minute
)

// networks is what is known of networks that were tried; it is kept in the journal.
type networks struct {
	Trying  bool   `json:"trying,omitempty"` // one is on trial
	Key     string `json:"key,omitempty"`    // policy.Network.TrialKey of the last one tried
	Version uint64 `json:"version,omitempty"`
	Times   int    `json:"times,omitempty"`   // how often its trial began
	Refused string `json:"refused,omitempty"` // why it is not tried again
}

func (n *networks) encode() []byte {
	b, err := json.Marshal(n)
	if err != nil { // none of its fields can fail
		return []byte("{}")
	}
	return b
}

// trial is a policy whose network has to prove itself.
type trial struct {
	rules    Rules
	key      string
	link     bool // the cable or the Wi-Fi changes: nobody has a network meanwhile
	times    int
	until    time.Duration
	before   *url.URL // the proxy that was in use
	way      uint64   // by which the controller has to be reached
	taken    bool     // that way was taken
	reached  bool
	answered bool // by a proxy of the sessions
	err      error
	stop     context.CancelFunc
}

// way is how the controller is reached, and what the cable and the Wi-Fi are.
type way struct {
	proxy  *url.URL
	away   time.Duration // since when the controller is away; 0: it is there
	turned time.Duration // when the proxy was last passed by, or taken again
	want   Rules         // whose line is wanted
	wanted string        // its key
	set    string        // key of the line that is set
	busy   bool          // it is being set
	again  time.Duration // not before
	wait   *Rules        // to be tried once nobody sits here
	later  time.Duration // and not before
	back   bool          // the link of before is being put back
}

// proxyOf is the proxy to the controller under a policy.
func (a *Agent) proxyOf(n policy.Network) *url.URL {
	if n.Line.Proxy == "" {
		return a.cfg.Proxy
	}
	return n.Line.ProxyURL()
}

func sameProxy(a, b *url.URL) bool {
	return a == b || a != nil && b != nil && a.String() == b.String()
}

// recoverNetwork puts back what a trial left that was cut off, and takes the way
// that the rules in force say. The records tell of the trial.
func (a *Agent) recoverNetwork(work context.Context, found []byte) (*networks, []wire.Record) {
	var n networks
	if found != nil {
		if err := json.Unmarshal(found, &n); err != nil {
			a.log.Error("what is known of networks is not readable", "error", err)
		}
	}
	a.rest.proxy = a.cfg.Proxy
	if p := a.proxyOf(a.policy.Network); a.parts.Ways != nil && !sameProxy(p, a.cfg.Proxy) {
		a.parts.Ways.Via(p)
		a.rest.proxy = p
	}
	a.setLine(work, a.policy)
	a.networks = n
	if !n.Trying {
		return nil, nil
	}
	n.Trying = false
	if n.Times < mostTimes { // once may be somebody who pulled the plug: no refusal, which would take a rollout back
		a.log.Warn("the network before is back: the terminal was restarted while it tried another; it is tried once more", "version", n.Version)
		return &n, nil
	}
	why := "cannot keep the network of these rules: the terminal was restarted each time that it tried it"
	n.Refused = why
	a.log.Error("the network before is back", "version", n.Version, "error", why)
	a.refused = why
	return &n, []wire.Record{draft(a.now(), wire.KindPolicy, wire.PolicyApplied{Version: n.Version, Error: why, Reverted: n.Refused != ""})}
}

// tries tells whether rules are not to be obeyed now, because their network has to
// prove itself first or has failed.
func (a *Agent) tries(work context.Context, r Rules) bool {
	key := r.Network.TrialKey()
	a.rest.wait, a.rest.later = nil, 0
	if t := a.trial; t != nil {
		if key == t.key { // other rules with the same network, or the same again
			if string(r.Signed.Payload) == string(t.rules.Signed.Payload) {
				t.rules = r
			} else if a.applyWith(work, nil, extra{network: &networks{Trying: true, Key: key, Version: r.Version, Times: t.times}}) {
				t.rules = r
			}
			return true
		}
		a.forgo(work)
	}
	switch {
	case key == a.policy.Network.TrialKey():
		return false
	case key == a.networks.Key && a.networks.Refused != "":
		a.refuse(work, r.Version, a.networks.Refused, true, nil)
		return true
	case !r.Network.Line.SameLink(a.policy.Network.Line) && !a.state.Phase.Standing():
		a.rest.wait = &r // a person here would lose their page
		return true
	}
	a.try(work, r, key)
	return true
}

// try begins the trial, once that is durable: a cut in the middle of one that no
// disk knows of would be tried for ever. Nobody begins while the link itself is tried:
// they would sit before pages that do not come.
func (a *Agent) try(work context.Context, r Rules, key string) {
	was := a.stuck
	times := 1
	if a.networks.Key == key {
		times += a.networks.Times
	}
	if !a.applyWith(work, nil, extra{network: &networks{Trying: true, Key: key, Version: r.Version, Times: times}}) {
		if a.stuck != was { // nor may it become durable later, when nothing is being tried
			a.stuck = nil
		}
		why := "cannot try the network of these rules: the terminal's disk takes nothing, so that a power cut could not be undone; it is tried once the disk does"
		a.log.Error("a network is not tried", "version", r.Version, "error", why)
		a.refused, a.refusedOf = why, r.Version
		a.rest.wait, a.rest.later = &r, a.parts.Clock.Mono()+tryAgain
		return
	}
	a.refused = ""
	a.log.Info("a network is tried", "version", r.Version, "within", a.cfg.Trial)
	ctx, stop := context.WithCancel(work)
	t := &trial{rules: r, key: key, times: times, link: !r.Network.Line.SameLink(a.policy.Network.Line), until: a.parts.Clock.Mono() + a.cfg.Trial, before: a.rest.proxy, stop: stop}
	a.trial = t
	if t.link {
		a.apply(work, session.Update{Running: true})
	}
	a.knock(work, ctx, t)
	a.setLine(work, r)
}

// knock looks whether a proxy that sessions did not go through before answers:
// one of them has to.
func (a *Agent) knock(work, ctx context.Context, t *trial) {
	known := a.policy.Network.Doors()
	doors := slices.DeleteFunc(t.rules.Network.Doors(), func(d string) bool { return slices.Contains(known, d) })
	if t.answered = len(doors) == 0 || a.parts.Knock == nil; t.answered {
		return
	}
	a.workers.Go(func() {
		for ctx.Err() == nil {
			var all error
			for _, d := range doors {
				err := a.parts.Knock(ctx, d)
				if err == nil {
					a.deliver(ctx, result{then: func(a *Agent) { t.answered = true; a.judge(work, t) }})
					return
				}
				all = errors.Join(all, err)
			}
			a.deliver(ctx, result{then: func(*Agent) { t.err = all }})
			pause := time.NewTimer(knockEvery)
			select {
			case <-ctx.Done():
			case <-pause.C:
			}
			pause.Stop()
		}
	})
}

// setLine has the cable and the Wi-Fi set as rules say, one after the other; the
// last ones wanted count.
func (a *Agent) setLine(work context.Context, r Rules) {
	w := &a.rest
	w.want, w.wanted, w.again = r, r.Network.TrialKey(), 0
	a.keepLine(work)
}

func (a *Agent) keepLine(work context.Context) {
	w := &a.rest
	if w.busy {
		return
	}
	if w.set == w.wanted || a.parts.Line == nil {
		w.set = w.wanted
		a.lined(work, w.wanted, nil)
		return
	}
	w.busy = true
	r, key := w.want, w.wanted
	a.worker(work, func() result {
		err := a.parts.Line.SetLine(work, r)
		return result{then: func(a *Agent) {
			w.busy, w.set = false, key
			if err != nil {
				w.set, w.again = "", a.parts.Clock.Mono()+time.Minute
				a.log.Error("cable and Wi-Fi cannot be set", "error", err)
			}
			a.lined(work, key, err)
			if w.wanted != key {
				a.keepLine(work)
			}
		}}
	})
}

// lined goes on with the trial whose line is set: the controller has to be reached
// over it anew.
func (a *Agent) lined(work context.Context, key string, err error) {
	t := a.trial
	if t == nil && key == a.rest.wanted {
		a.linkBack(work)
	}
	switch {
	case t == nil || t.key != key || t.taken:
		return
	case err != nil:
		a.failed(work, t, err)
		return
	}
	t.taken = true
	proxy := a.proxyOf(t.rules.Network)
	if a.parts.Ways == nil || sameProxy(proxy, a.rest.proxy) && t.rules.Network.Line.SameLink(a.policy.Network.Line) {
		t.reached = true // what it changes is none of the way there
	} else {
		a.rest.proxy = proxy
		t.way = a.parts.Ways.Via(proxy)
	}
	a.judge(work, t)
}

// linkBack lets people begin again once the link of before is there, or could not be
// put back: the terminal works without one, too.
func (a *Agent) linkBack(work context.Context) {
	if a.rest.back {
		a.rest.back = false
		a.apply(work, session.Update{})
	}
}

// heardBy takes note of a welcome, or of why there was none.
func (a *Agent) heardBy(work context.Context, e uplink.Event) {
	if e.Welcome != nil {
		a.rest.away = 0
	} else if a.rest.away == 0 {
		a.rest.away = a.parts.Clock.Mono()
	}
	t := a.trial
	if t == nil || !t.taken || t.way == 0 || e.Way != t.way {
		return
	}
	if e.Offline != nil {
		t.err = e.Offline.Err
		return
	}
	t.reached = true
	a.judge(work, t)
}

// judge keeps what has proven itself.
func (a *Agent) judge(work context.Context, t *trial) {
	if a.trial != t || !t.taken || !t.reached || !t.answered {
		return
	}
	t.stop()
	a.trial = nil
	a.log.Info("the network that was tried is kept", "version", t.rules.Version)
	a.adopt(work, t.rules)
	if t.link {
		a.rest.back = false
		a.apply(work, session.Update{})
	}
}

// tickNetwork ends a trial that takes too long, and begins the one that waits.
func (a *Agent) tickNetwork(work context.Context, at session.Instant) {
	switch t, w := a.trial, &a.rest; {
	case t != nil && at.Mono >= t.until:
		why := fmt.Errorf("the controller was not reached through it within %s", a.cfg.Trial)
		if !t.answered && t.reached {
			why = fmt.Errorf("no proxy of it answered within %s", a.cfg.Trial)
		}
		if t.err != nil {
			why = fmt.Errorf("%w: %w", why, t.err)
		}
		a.failed(work, t, why)
	case t == nil && w.wait != nil && at.Mono >= w.later && a.state.Phase.Standing():
		r := *w.wait
		w.wait = nil
		if !a.tries(work, r) {
			a.adopt(work, r)
		}
	case t == nil && w.set != w.wanted && !w.busy && at.Mono >= w.again:
		a.keepLine(work)
	case t == nil:
		a.detour(at)
	}
}

// detour passes the proxy of the rules by, in turns: one that worked and is gone
// would keep other rules away for ever.
func (a *Agent) detour(at session.Instant) {
	w := &a.rest
	own := a.proxyOf(a.policy.Network)
	if a.parts.Ways == nil || w.away == 0 || sameProxy(own, a.cfg.Proxy) || at.Mono-max(w.away, w.turned) < detourAfter {
		return
	}
	next := own
	if sameProxy(w.proxy, own) {
		next = a.cfg.Proxy
	}
	a.log.Warn("the controller is away; another way is taken", "proxy of the rules", next == own)
	w.turned, w.proxy = at.Mono, next
	a.parts.Ways.Via(next)
}

// failed puts the network before back, keeps that it failed, and tells.
func (a *Agent) failed(work context.Context, t *trial, err error) {
	a.putBack(work)
	why := fmt.Sprintf("%.500s", fmt.Errorf("cannot keep the network of these rules: %w", err))
	a.refuse(work, t.rules.Version, why, true, &networks{Key: t.key, Version: t.rules.Version, Times: t.times, Refused: why})
}

// putBack ends the trial: what was before is there again.
func (a *Agent) putBack(work context.Context) {
	t := a.trial
	t.stop()
	a.trial = nil
	a.rest.back = t.link || a.rest.back
	a.setLine(work, a.policy)
	if t.way != 0 {
		a.rest.proxy = t.before
		a.parts.Ways.Via(t.before)
	}
}

// forgo ends a trial that nobody wants any more.
func (a *Agent) forgo(work context.Context) {
	a.rest.wait = nil
	if a.trial != nil {
		a.putBack(work)
		a.applyWith(work, nil, extra{network: &networks{}})
	}
}

// refuse tells, once for each version, that rules are not obeyed; those before stay.
func (a *Agent) refuse(work context.Context, version uint64, why string, reverted bool, n *networks) {
	a.log.Error("a policy is refused; the one before stays", "version", version, "error", why)
	if n == nil && a.refused == why && a.refusedOf == version {
		return
	}
	done := wire.PolicyApplied{Version: version, Error: why, Reverted: reverted}
	if a.applyWith(work, nil, extra{network: n, records: []wire.Record{draft(a.now(), wire.KindPolicy, done)}}) {
		a.refused, a.refusedOf = why, version
	}
}
