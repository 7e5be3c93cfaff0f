package energy

import (
	"context"
	"fmt"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
)

const (
	// alarmWithin bounds the setting of an alarm: a clock on I²C is slow.
	alarmWithin = 30 * time.Second
	// alarmSlack is how far an alarm may read from what was set: some clocks count minutes.
	alarmSlack = time.Minute
	// alarmLater is by how much the plan may come to want a later alarm than the one
	// set: without an opening in sight, it is ever so long from now.
	alarmLater = 15 * time.Minute
	// haltAgain is when a machine that could not be switched off is tried again.
	haltAgain = 15 * time.Minute
	// haltWithin bounds the order to switch off.
	haltWithin = 30 * time.Second
	// goneWithin is how long the system may take to end everything.
	goneWithin = 3 * time.Minute
)

// offing is what switching off has come to.
type offing struct {
	failed error         // the last try; nil: none failed
	wanted time.Time     // what the alarm was set for
	again  time.Duration // when the next may be made
	alarm  bool          // the clock was told something, and has not answered: it may be slow, and nobody waits in the dark
	asked  bool          // the machine was told to switch off, and has not answered
	gone   time.Duration // it will: by then it is off, or it failed; 0: not told
	woke   time.Duration // when a simulated terminal last came back; 0: never
	quiet  time.Duration // how long nobody had been there when it went off
}

// alarmed is what became of an alarm that was set or cleared.
type alarmed struct {
	want, got time.Time // zero: cleared
	err       error
}

// halted is the answer of a machine that was told to switch off.
type halted struct {
	sim bool
	err error
}

// canHalt tells whether something can start the machine again.
func (r *run) canHalt(now time.Duration) bool {
	return r.cfg.Alarm != nil && r.cfg.Power != nil && (r.off.failed == nil || now >= r.off.again)
}

// explain says why a terminal that is to go off at night does not.
func (r *run) explain(e policy.Energy) {
	switch {
	case e.Filled().Night != policy.NightHalt:
		r.state.Alarm = ""
	case r.cfg.Alarm == nil || r.cfg.Power == nil:
		r.state.Alarm = noAlarm(nil)
	case r.off.failed != nil:
		r.state.Alarm = noAlarm(r.off.failed)
	default:
		r.state.Alarm = ""
	}
}

// halt goes on with switching off: alarm first, then the owner's word that all is
// on the disk, then the machine.
func (r *run) halt(wakeAt, now time.Time) {
	switch {
	case r.stop != nil || r.off.alarm || r.off.asked: // the screen goes dark; or the clock or the machine answers soon
	case r.off.gone > 0:
		if r.cfg.Mono() >= r.off.gone {
			r.failed(fmt.Errorf("the machine is still on %s after it was told to switch off", goneWithin))
		}
	case r.state.Wakes.IsZero():
		r.arm(wakeAt)
	case wakeAt.Before(r.off.wanted) || wakeAt.After(r.off.wanted.Add(alarmLater)): // the hours changed meanwhile
		r.disarm() // and the owner hears of another alarm before it gives its word
		r.state.Power = wire.PowerLow
	case r.state.Wakes.Equal(r.order.Halt):
		r.off.asked = true
		at := r.state.Wakes
		r.cfg.Log.Info("off", "until", at)
		r.workers.Go(func() {
			ctx, cancel := context.WithTimeout(r.work, haltWithin)
			defer cancel()
			sim, err := r.cfg.Power.Halt(ctx, at)
			r.halted <- halted{sim, err}
		})
	case now.Add(policy.MinSleep).After(r.state.Wakes): // nobody gave the word, for hours
		r.disarm()
	}
}

// arm sets the alarm.
func (r *run) arm(wakeAt time.Time) {
	r.off.alarm = true
	r.workers.Go(func() {
		ctx, cancel := context.WithTimeout(r.work, alarmWithin)
		defer cancel()
		got, err := r.cfg.Alarm.Set(ctx, wakeAt)
		r.alarmed <- alarmed{wakeAt, got, err}
	})
}

// afterAlarm takes the clock's answer, and believes only what reads back. The next
// plan takes it back when somebody has come meanwhile.
func (r *run) afterAlarm(a alarmed) {
	r.off.alarm = false
	switch {
	case a.want.IsZero() && a.err != nil: // one that stays starts a machine that runs already
		r.cfg.Log.Warn("the wake alarm stays set", "error", a.err)
		return
	case a.want.IsZero():
		return
	case a.err == nil && a.got.Sub(a.want).Abs() > alarmSlack:
		a.err = fmt.Errorf("cannot use the alarm: it reads back %s instead of %s", a.got.UTC().Format(time.DateTime), a.want.UTC().Format(time.DateTime))
	}
	if a.err != nil {
		r.failed(a.err)
		return
	}
	r.off.failed, r.off.wanted = nil, a.want
	r.state.Wakes, r.state.Power, r.state.Alarm = a.got, wire.PowerHalting, ""
}

// failed leaves the terminal in low power, and tells staff why.
func (r *run) failed(err error) {
	r.cfg.Log.Error("the terminal stays in low power instead of going off", "error", err, "again_in", haltAgain)
	r.off.failed, r.off.again = err, r.cfg.Mono()+haltAgain
	r.off.gone, r.off.asked = 0, false
	r.state.Wakes = time.Time{}
	r.clear()
	r.state.Power, r.state.Alarm = wire.PowerLow, noAlarm(err)
}

// disarm clears the alarm of a halt that does not come about.
func (r *run) disarm() {
	if r.state.Wakes.IsZero() || r.off.asked || r.off.gone > 0 {
		return
	}
	r.state.Wakes = time.Time{}
	r.clear()
}

// clear leaves no alarm behind.
func (r *run) clear() {
	if r.off.alarm {
		return // it is being cleared
	}
	r.off.alarm = true
	r.workers.Go(func() {
		ctx, cancel := context.WithTimeout(r.work, alarmWithin)
		defer cancel()
		r.alarmed <- alarmed{err: r.cfg.Alarm.Clear(ctx)}
	})
}

// afterHalt takes the answer of the machine.
func (r *run) afterHalt(h halted) {
	r.off.asked = false
	switch {
	case h.err != nil && r.work.Err() != nil: // everything ends: it goes off
	case h.err != nil:
		r.failed(h.err)
	case h.sim:
		r.state.Off, r.off.quiet = true, r.untouched()
	default:
		r.off.gone = r.cfg.Mono() + goneWithin
	}
}

// sleeps tells whether a simulated terminal is off still. Its alarm, a hand or a
// badge starts it, as if by its switch.
func (r *run) sleeps(quiet, now time.Duration) bool {
	if !r.state.Off {
		return false
	}
	wall := r.order.Wall.Add(now - r.order.At)
	if wall.Before(r.state.Wakes) && quiet >= r.off.quiet {
		return true
	}
	r.cfg.Log.Info("on again", "alarm", !wall.Before(r.state.Wakes))
	r.state.Off, r.off.woke = false, now
	r.state.Wakes, r.state.Power = time.Time{}, wire.PowerLow
	r.clear()
	return false
}
