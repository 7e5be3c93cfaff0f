package agent

import (
	"context"
	"strings"
	"time"

	"borne/controller/wire"
	"borne/kiosk/sandbox"
	"borne/kiosk/session"
)

// portEvery is the time between two alerts of one kind about the USB ports:
// somebody may plug in and out all day.
const portEvery = 30 * time.Second

// ports is what the agent knows of the USB ports, which the warden's side guards.
type ports struct {
	open bool                     // said last
	told map[string]time.Duration // when each kind of alert was sent last
}

// keepPorts says when staff put the terminal out of service, and when that
// ends. A case that is open is no word of theirs.
func (a *Agent) keepPorts(work context.Context) {
	open := a.state.Phase == session.Maintenance && a.state.Reason == wire.OutStaff
	if open == a.ports.open {
		return
	}
	a.ports.open = open
	a.worker(work, func() result {
		ctx, cancel := context.WithTimeout(work, askWithin)
		defer cancel()
		if _, _, err := a.parts.Warden.Do(ctx, sandbox.Request{Ports: &sandbox.Ports{Open: open}}); err != nil {
			a.log.Error("the ports do not follow", "open", open, "error", err)
		}
		return result{}
	})
}

// plugged tells staff of what was plugged in.
func (a *Agent) plugged(work context.Context, e sandbox.Event) {
	at := a.now()
	last, before := a.ports.told[e.Kind]
	if !strings.HasPrefix(e.Kind, "usb-") || before && at.Mono-last < portEvery {
		return
	}
	if a.applyWith(work, nil, extra{records: []wire.Record{draft(at, wire.KindAlert, wire.Alert{Code: e.Kind, Detail: e.Detail})}}) {
		if a.ports.told == nil {
			a.ports.told = map[string]time.Duration{}
		}
		a.ports.told[e.Kind] = at.Mono
	}
}
