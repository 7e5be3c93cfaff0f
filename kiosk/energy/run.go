package energy

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/hw"
)

// run is a keeper at work. Its goroutine owns all fields.
type run struct {
	*Keeper
	work    context.Context
	workers sync.WaitGroup
	done    chan dark
	alarmed chan alarmed
	halted  chan halted
	metered chan reading

	order Order
	told  bool // there is an order
	state State
	last  State // as it was told

	was     Order         // the last plan's
	nextAt  time.Duration // when a lit terminal's plan may be another
	asleep  bool          // the screen was told to be dark
	stop    context.CancelFunc
	nextTry time.Duration // of a darkening that failed
	dimmed  bool          // by a light of the screen's own
	low     bool          // the processor was told to be slow
	nextGov time.Duration // of a processor that did not follow; 0: it did
	off     offing

	asking  bool // the meter
	meterAt time.Duration
}

// dark is how a darkening went.
type dark struct {
	level hw.Level
	err   error
}

// begin takes over whatever the last run left.
func (r *run) begin() {
	r.wake()
	if r.cfg.Dimmer != nil {
		r.dimmed = true // perhaps
		r.bright(r.work)
	}
	r.govern(false)
	r.tell()
}

func (r *run) end() {
	if r.stop != nil {
		r.stop()
	}
	if r.dimmed { // what switches the machine off would remember it
		r.bright(context.WithoutCancel(r.work))
	}
	r.workers.Wait()
}

// tell says what is carried out, once for each change.
func (r *run) tell() {
	if r.state != r.last {
		r.last = r.state
		newest(r.states, r.state)
	}
}

// pause is how long nothing has to be looked at. An open terminal that is lit
// hears of time by its orders: its processor rests.
func (r *run) pause() time.Duration {
	switch {
	case r.state.Power != wire.PowerLit || r.asleep:
		return touchEvery
	case !r.order.Opening.Open:
		return restEvery
	}
	return planEvery
}

// untouched is how long neither a hand nor a badge nor a change of phase was there.
func (r *run) untouched() time.Duration {
	idle, err := r.cfg.Idle()
	if err != nil {
		return 0 // nobody is left in the dark for what cannot be known
	}
	return max(0, min(idle, r.cfg.Mono()-max(r.order.Since, r.off.woke)))
}

// plan asks what to do, and does it.
func (r *run) plan() {
	o, now := r.order, r.cfg.Mono()
	same := o
	same.At, same.Wall = r.was.At, r.was.Wall
	if o.Opening.Open && r.state.Power == wire.PowerLit && !r.asleep && same == r.was && now < r.nextAt {
		return
	}
	r.was = o
	quiet := r.untouched()
	if r.sleeps(quiet, now) {
		return
	}
	at := o.Wall.Add(now - o.At)
	p := o.Energy.Plan(policy.Situation{Now: at, Sure: o.Sure, Opening: o.Opening, Armed: o.Armed, Quiet: quiet, Up: now - r.off.woke,
		Busy: o.Busy, Keep: o.Keep, Held: o.Held, Alarm: r.canHalt(now)})
	r.nextAt = now + planEvery
	if d := p.Next.Sub(at); !p.Next.IsZero() && d < planEvery {
		r.nextAt = now + d
	}
	if p.Power != policy.PowerHalt {
		r.disarm()
	}
	r.explain(o.Energy)
	r.carry(p.Power)
	if p.Power == policy.PowerHalt {
		r.halt(p.WakeAt, at)
	}
}

// carry brings the devices where p wants them. A person's light comes first.
func (r *run) carry(p policy.Power) {
	wants := struct{ lit, dim, mains, low bool }{lit: p.Depth() <= policy.PowerDim.Depth(), dim: p == policy.PowerDim,
		mains: p.Depth() < policy.PowerLow.Depth(), low: p.Depth() >= policy.PowerLow.Depth()}
	switch {
	case wants.lit && r.asleep:
		r.asleep = !r.wake()
	case !wants.lit && r.cfg.Screen != nil && r.stop == nil && (!r.asleep || r.nextTry > 0 && r.cfg.Mono() >= r.nextTry):
		r.asleep, r.nextTry = true, 0
		ctx, cancel := context.WithTimeout(r.work, darkWithin)
		r.stop = cancel
		r.workers.Go(func() {
			level, err := r.light(ctx, false)
			r.done <- dark{level, err}
		})
	}
	if on := r.state.Relay == hw.On; r.cfg.Mains != nil && on != wants.mains {
		r.mains(wants.mains)
	}
	if wants.dim {
		r.darker()
	} else {
		r.bright(r.work)
	}
	if r.low != wants.low || r.nextGov > 0 && r.cfg.Mono() >= r.nextGov {
		r.govern(wants.low)
	}
	// The word of the plan; a halt is one only once its alarm is set.
	if r.state.Power = wire.Power(p); p == policy.PowerHalt && r.state.Wakes.IsZero() {
		r.state.Power = wire.PowerLow
	}
	if r.asleep && wants.lit {
		r.state.Power = wire.PowerDark // it was told to be lit, and is not yet
	}
}

// darkened takes the end of a darkening.
func (r *run) darkened(d dark) {
	r.stop()
	r.stop = nil
	if !r.asleep { // a touch took it back
		return
	}
	r.state.Dark = d.err == nil && d.level == hw.Off
	r.state.Blind = d.err == nil && d.level == hw.Unknown
	if d.err != nil {
		r.cfg.Log.Warn("the screen does not go dark", "error", d.err, "again_in", darkAgain)
		r.nextTry = r.cfg.Mono() + darkAgain
	}
}

// wake tells whether the light is back; one that is not is asked for again. It
// overtakes a darkening that is under way, whose end is taken from done.
func (r *run) wake() bool {
	if r.stop != nil {
		r.stop()
	}
	r.nextTry = 0
	if r.cfg.Mains != nil && r.state.Relay != hw.On {
		r.mains(true) // the display may hang on it
	}
	ctx, cancel := context.WithTimeout(r.work, lightWithin)
	defer cancel()
	_, err := r.light(ctx, true)
	if err != nil {
		r.cfg.Log.Warn("the screen stays dark", "error", err)
		return false
	}
	r.state.Dark = false
	return true
}

func (r *run) light(ctx context.Context, on bool) (hw.Level, error) {
	if r.cfg.Screen == nil {
		return hw.Unknown, nil
	}
	level, err := r.cfg.Screen.Light(ctx, on)
	if err == nil {
		r.cfg.Log.Info("screen", "lit", on, "verified", level == levelOf(on))
	}
	return level, err
}

// mains leaves what cannot be switched to the relay's supervisor, which says so
// and switches it when it is back.
func (r *run) mains(on bool) {
	ctx, cancel := context.WithTimeout(r.work, switchWithin)
	defer cancel()
	r.state.Relay = levelOf(on)
	if _, err := r.cfg.Mains.Set(ctx, r.state.Relay); err != nil {
		r.cfg.Log.Debug("the relay waits for its device", "error", err)
	}
}

// darker dims by the screen's own light, or else by the page.
func (r *run) darker() {
	if r.dimmed || r.state.Dim {
		return
	}
	if r.cfg.Dimmer != nil {
		ctx, cancel := context.WithTimeout(r.work, switchWithin)
		err := r.cfg.Dimmer.Dim(ctx, true)
		cancel()
		if r.dimmed = err == nil; r.dimmed {
			return
		}
		r.cfg.Log.Debug("the page is dimmed instead of the screen", "error", err)
	}
	r.state.Dim = true
}

func (r *run) bright(ctx context.Context) {
	r.state.Dim = false
	if !r.dimmed {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, switchWithin)
	defer cancel()
	if err := r.cfg.Dimmer.Dim(ctx, false); err != nil {
		r.cfg.Log.Debug("the screen has no light of its own to turn up", "error", err)
	}
	r.dimmed = false
}

// govern tries again what failed: a processor that stays slow is felt all day. Only
// the first failure in a row is worth staff's eyes.
func (r *run) govern(low bool) {
	if r.cfg.Power == nil {
		return
	}
	ctx, cancel := context.WithTimeout(r.work, switchWithin)
	defer cancel()
	now, err := r.cfg.Power.Govern(ctx, low)
	level := slog.LevelWarn
	if r.low == low && r.nextGov > 0 {
		level = slog.LevelDebug
	}
	if r.low, r.nextGov, r.state.Governor = low, 0, now; err != nil {
		r.cfg.Log.Log(r.work, level, "the processor is not governed", "low", low, "error", err, "again_in", governAgain)
		r.nextGov = r.cfg.Mono() + governAgain
	}
}

func levelOf(on bool) hw.Level {
	if on {
		return hw.On
	}
	return hw.Off
}
