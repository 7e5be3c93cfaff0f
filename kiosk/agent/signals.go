package agent

import (
	"context"
	"time"

	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/session"
)

const (
	// darkAfter is how long nobody has touched a closed terminal before its screen goes dark.
	darkAfter = time.Minute
	// touchEvery is how often a dark terminal looks for a hand: with the 0.9 s
	// that screens take at most, its light is back about a second after a touch.
	touchEvery = 100 * time.Millisecond
	// restEvery is how often a closed terminal that is lit looks whether it may go dark.
	restEvery = time.Second
	// beep is how long the buzzer sounds.
	beep = 200 * time.Millisecond
	// signalWithin bounds one change of a light or screen.
	signalWithin = 3 * time.Second
)

// signal is what a terminal tells beside its pictures.
type signal struct {
	serves bool // somebody can use the terminal, or does
	closed bool // the place is, or its alarm is armed
	warns  bool
	taps   int
	since  time.Duration // when it became so
}

// signal tells the owner of lights and screen what is now.
func (a *Agent) signal() {
	s := a.state
	now := signal{warns: s.Phase == session.Warning, taps: a.taps,
		serves: a.stuck == nil && (s.Phase.InSession() || s.Phase == session.Welcome || s.Phase == session.Charter || s.Phase == session.Thanks),
		closed: s.Phase == session.Closed && (s.Reason == wire.RefuseClosed || s.Reason == wire.RefuseAlarm)}
	if now.since = a.sent.since; now == a.sent {
		return
	}
	now.since = a.parts.Clock.Mono()
	a.sent = now
	for {
		select {
		case a.signals <- now:
			return
		default:
			select {
			case <-a.signals: // the newest counts
			default:
			}
		}
	}
}

// lights lights, sounds and darkens: one goroutine owns what is not a picture,
// and none of it can hold a session up.
func (a *Agent) lights(work context.Context) {
	var now signal
	dark := false
	a.switchTo(work, a.parts.Light, hw.Off)
	if a.parts.Screen != nil {
		a.light(work, true) // whatever the last run left
	}
	look := time.NewTimer(restEvery)
	defer look.Stop()
	for {
		select {
		case <-work.Done():
			return
		case next := <-a.signals:
			if next.serves != now.serves {
				a.switchTo(work, a.parts.Light, map[bool]hw.Level{true: hw.On, false: hw.Off}[next.serves])
			}
			if next.warns && !now.warns {
				a.sound(work)
			}
			now = next
		case <-look.C:
		}
		if a.parts.Screen == nil || !now.closed && !dark {
			continue // an open terminal asks nobody for hands: its processor rests
		}
		if want := now.closed && a.untouched(now.since) >= darkAfter; want != dark && a.light(work, !want) {
			dark = want
		}
		look.Reset(map[bool]time.Duration{true: touchEvery, false: restEvery}[dark])
	}
}

// untouched is how long neither a hand nor a badge nor a change of phase was there.
func (a *Agent) untouched(since time.Duration) time.Duration {
	idle, err := a.parts.Stage.Idle()
	if err != nil {
		return 0 // nobody is left in the dark for what cannot be known
	}
	return min(idle, a.parts.Clock.Mono()-since)
}

// light tells whether the screen took the order; one that failed is given again.
func (a *Agent) light(work context.Context, on bool) bool {
	ctx, cancel := context.WithTimeout(work, signalWithin)
	defer cancel()
	level, err := a.parts.Screen.Light(ctx, on)
	if err != nil {
		a.log.Warn("the screen does not obey", "lit", on, "error", err)
		return !on // a screen that does not go dark is left alone; one that stays dark is not
	}
	a.log.Info("screen", "lit", on, "verified", level != hw.Unknown)
	return true
}

func (a *Agent) sound(work context.Context) {
	if a.parts.Buzzer == nil {
		return
	}
	a.switchTo(work, a.parts.Buzzer, hw.On)
	select {
	case <-time.After(beep):
	case <-work.Done():
	}
	a.switchTo(context.WithoutCancel(work), a.parts.Buzzer, hw.Off)
}

// switchTo leaves what cannot be switched to its supervisor, which says so.
func (a *Agent) switchTo(work context.Context, o Output, l hw.Level) {
	if o == nil {
		return
	}
	ctx, cancel := context.WithTimeout(work, signalWithin)
	defer cancel()
	if _, err := o.Set(ctx, l); err != nil {
		a.log.Debug("an output waits for its device", "error", err)
	}
}
