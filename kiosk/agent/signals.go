package agent

import (
	"context"
	"time"

	"borne/hw"
	"borne/kiosk/session"
)

// signal is what a terminal tells beside its pictures.
type signal struct {
	serves bool // somebody can use the terminal, or does
	warns  bool
}

// beep is how long the buzzer sounds.
const beep = 200 * time.Millisecond

// switchWithin bounds one change of a light, buzzer or relay.
const switchWithin = 3 * time.Second

// signal tells the owner of light and buzzer what is now.
func (a *Agent) signal() {
	s := a.state
	now := signal{warns: s.Phase == session.Warning,
		serves: a.stuck == nil && (s.Phase.InSession() || s.Phase == session.Welcome || s.Phase == session.Charter || s.Phase == session.Thanks)}
	if now == a.sent {
		return
	}
	a.sent = now
	newest(a.lamps, now)
}

// newest replaces what a channel of one holds.
func newest(to chan signal, now signal) {
	for {
		select {
		case to <- now:
			return
		default:
			select {
			case <-to:
			default:
			}
		}
	}
}

// lights owns light and buzzer: none of them can hold a session up.
func (a *Agent) lights(work context.Context) {
	var now signal
	a.switchTo(work, a.parts.Light, hw.Off)
	for {
		select {
		case <-work.Done():
			return
		case next := <-a.lamps:
			if next.serves != now.serves {
				a.switchTo(work, a.parts.Light, levelOf(next.serves))
			}
			if next.warns && !now.warns {
				a.sound(work)
			}
			now = next
		}
	}
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
	ctx, cancel := context.WithTimeout(work, switchWithin)
	defer cancel()
	if _, err := o.Set(ctx, l); err != nil {
		a.log.Debug("an output waits for its device", "error", err)
	}
}

func levelOf(on bool) hw.Level {
	if on {
		return hw.On
	}
	return hw.Off
}
