package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/session"
	"borne/kiosk/shell"
)

// Times of a call for help.
const (
	// callEvery bounds how often it is counted that somebody calls: people press
	// more than once.
	callEvery = 30 * time.Second
	// callLate is when the person is told another way, since nobody has answered.
	callLate = 3 * time.Minute
	// callCame is how long somebody who said that they come may be on their way.
	callCame = 15 * time.Minute
	// callFor is how long a call stands that nobody ends: whoever made it has gone.
	callFor = 30 * time.Minute
)

// call is somebody at the terminal who waits for help. It lives in memory: with
// the agent the person's session ends too.
type call struct {
	wire.HelpCall
	since   time.Duration
	pressed time.Duration // last
	coming  time.Duration // when staff answered last
}

// open tells whether somebody waits.
func (c call) open() bool { return c.ID != "" }

// pressed takes the button that calls staff.
func (a *Agent) called(work context.Context, l hw.Level) {
	if l == hw.On {
		a.energy.hands++
		a.callStaff(work)
	}
}

// callStaff tells staff that somebody asks for help. Pressing again is the same
// call: staff hear of it anew, and it is not counted twice.
func (a *Agent) callStaff(work context.Context) {
	at := a.now()
	if c := &a.call; c.open() {
		if at.Mono-c.pressed >= callEvery && (!c.Coming || at.Mono-c.coming >= callEvery) {
			c.pressed = at.Mono
			c.Times++
			c.Coming = false // who said that they come is not there yet
		}
		return
	}
	var id [8]byte
	rand.Read(id[:]) // never fails since Go 1.24
	a.call = call{wire.HelpCall{ID: hex.EncodeToString(id[:]), At: at.Wall.UTC().Truncate(time.Second), Times: 1}, at.Mono, at.Mono, 0}
	if a.calling > 0 && at.Mono-a.calling < callEvery {
		return // they think better of it and better again: one person, once
	}
	if a.applyWith(work, nil, extra{records: []wire.Record{draft(at, wire.KindAlert, wire.Alert{Code: wire.AlertCall})}}) {
		a.calling = at.Mono
	}
}

// noCall ends the call, if one stands.
func (a *Agent) noCall() { a.call = call{} }

// tickCall ends a call that nobody ends.
func (a *Agent) tickCall(at session.Instant) {
	if a.call.open() && at.Mono-a.call.since >= callFor {
		a.noCall()
	}
}

// callMoved ends the call with the session of whoever made it; the next person is
// another one, and counts. Whoever called a moment before their time ran out, or the
// place closed, or while they read whether they are there, stands there still.
func (a *Agent) callMoved(before session.State) {
	if !before.Phase.InSession() || a.state.Phase.InSession() {
		return
	}
	if r := a.state.Run; r != nil && a.call.open() && a.now().Mono-a.call.pressed < callLate {
		switch r.Reason {
		case wire.EndTime, wire.EndClosing, wire.EndIdle:
			return
		}
	}
	a.noCall()
	a.calling = 0
}

// answerCall takes what staff answer; what they answered to may be over.
func (a *Agent) answerCall(work context.Context, c wire.Command, x extra) {
	done := wire.CommandDone{ID: c.ID, Done: a.call.open() && c.Job == a.call.ID}
	if !done.Done {
		done.Reason = "help-over"
	}
	x.records = []wire.Record{draft(a.now(), wire.KindCommand, done)}
	if !a.applyWith(work, nil, x) || !done.Done {
		return
	}
	if c.Kind == wire.CmdHelpDone {
		a.noCall()
		return
	}
	a.call.Coming, a.call.coming = true, a.now().Mono
}

// help is what the person is told about their call; nil when none stands.
func (a *Agent) help(at session.Instant) *shell.Help {
	c := a.call
	h := &shell.Help{State: shell.HelpAsked, Phone: a.welcome.Phone}
	switch {
	case !c.open():
		return nil
	case c.Coming && at.Mono-c.coming < callCame:
		h.State = shell.HelpComing
	case !a.online:
		h.State = shell.HelpOffline
	case at.Mono-c.since >= callLate:
		h.State = shell.HelpLate
	}
	return h
}

// askedForHelp takes the page's own button; it tells whether the action was one.
func (a *Agent) askedForHelp(work context.Context, do shell.Do) bool {
	switch do {
	case shell.CallHelp:
		a.callStaff(work)
	case shell.NoHelp:
		a.noCall()
	default:
		return false
	}
	return true
}
