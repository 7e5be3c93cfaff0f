package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"time"

	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/session"
	"borne/kiosk/shell"
)

// Bounds of what the agent knows of badges. All of it is in memory only: a
// terminal that is carried away holds no list, and a restart forgets.
const (
	recentMost   = 64            // badges whose last answer is remembered
	recentFor    = 4 * time.Hour // and for how long
	answerWithin = 1500 * time.Millisecond
	askedAfter   = 400 * time.Millisecond // until the person is told that it takes a moment
	windowFor    = time.Minute
	doneFor      = 6 * time.Second
	codeTries    = 5                // wrong codes until each next one has to wait
	codeForget   = 30 * time.Minute // after the last wrong one
	// codeWait is short, so that whoever types nonsense keeps nobody with a good
	// code out for long. It is enough: with at most 600 codes of a site that work
	// at once (directory.Codes) among 24^8 = 1.1e11, two tries a minute find one in
	// a day with a chance of 1 in 64000.
	codeWait = 30 * time.Second
)

// door is what the agent knows of badges and codes.
type door struct {
	asked  *question
	recent map[[wire.H1Size]byte]remembered
	window window
	said   wire.Reason   // a notice about a window
	saidTo time.Duration // until when
	wrong  int           // codes in a row
	next   time.Duration // when the next code may be tried
	last   time.Duration // when the last wrong one was
	pages  int           // of one session of the badge or code below, where it has others than most; 0: as the rules say
	whose  []byte        // h1; nobody's once they are gone
}

// question is one that the controller was asked.
type question struct {
	ask   wire.BadgeAsk
	since time.Duration
	over  chan struct{} // closed when it is answered or given up
}

// remembered is an answer about one badge.
type remembered struct {
	reason wire.Reason // empty: it may begin
	pages  int         // of one of its sessions; 0: as the rules say
	at     time.Duration
}

// window is a minute in which the next badge is for staff.
type window struct {
	id    string // of the command; empty: none
	until time.Duration
}

// askBadge asks about a badge or a code. One question at a time: who taps again
// means the later one.
func (a *Agent) askBadge(work context.Context, ask wire.BadgeAsk) {
	a.endQuestion()
	var id [16]byte
	rand.Read(id[:]) // never fails since Go 1.24
	ask.ID = hex.EncodeToString(id[:])
	q := &question{ask: ask, since: a.now().Mono, over: make(chan struct{})}
	if a.parts.Uplink == nil || !a.parts.Uplink.AskBadge(ask) {
		a.unanswered(work, ask)
		return
	}
	a.door.asked = q
	a.workers.Go(func() {
		t := time.NewTimer(answerWithin)
		defer t.Stop()
		select {
		case <-work.Done():
			return
		case <-q.over:
			return
		case <-t.C:
		}
		a.deliver(work, result{then: func(a *Agent) {
			if a.door.asked == q {
				a.endQuestion()
				a.unanswered(work, q.ask)
			}
		}})
	})
}

func (a *Agent) endQuestion() {
	if q := a.door.asked; q != nil {
		close(q.over)
		a.door.asked = nil
	}
}

// admitted takes an answer, if it is to what is being asked.
func (a *Agent) admitted(work context.Context, ans wire.BadgeAnswer) {
	q := a.door.asked
	if q == nil || q.ask.ID != ans.ID {
		return // it came too late: the person was told something already
	}
	a.endQuestion()
	if !ans.Allowed && ans.Reason == "" {
		ans.Reason = wire.RefuseUnknownBadge
	}
	if ans.Allowed {
		ans.Reason = ""
	}
	switch {
	case q.ask.Window != "":
		a.door.window = window{}
		a.say(wire.NoticeBadgeDone)
		if ans.Reason != "" {
			a.say(wire.NoticeBadgeNot)
		}
		return
	case q.ask.Code != "":
		if ans.Reason == "" && len(ans.Holder) != wire.H1Size {
			ans.Reason = wire.RefuseCodeWrong // no controller of ours answers so
		}
		a.tried(ans.Reason)
		a.owns(ans.Holder, ans.Pages)
		a.apply(work, session.Tapped{Holder: ans.Holder, Refused: ans.Reason})
		return
	}
	if ans.Staff && (a.directoryStaff(work) || a.release(work)) {
		return
	}
	if a.takesBadges() {
		a.remember(q.ask.Holder, ans.Reason, ans.Pages)
	}
	a.owns(q.ask.Holder, ans.Pages)
	a.apply(work, session.Tapped{Holder: q.ask.Holder, Refused: a.bars(ans.Reason)})
}

// takesBadges tells whether a badge may open a session here at all.
func (a *Agent) takesBadges() bool { return a.policy.Access.AnyBadge || a.policy.Access.KnownBadges }

// bars is what keeps a badge out by the rules of this place: where any badge
// begins, only that staff declared it lost or stopped it, or that it is expired.
func (a *Agent) bars(r wire.Reason) wire.Reason {
	if !a.takesBadges() {
		return wire.RefuseUnknownBadge
	}
	if !a.policy.Access.AnyBadge || r == wire.RefuseBadgeLost || r == wire.RefuseBadgeStopped || r == wire.RefuseBadgeExpired {
		return r
	}
	return ""
}

// owns notes how many pages one session of a holder may print, for when it begins: a
// session that runs has its number already.
func (a *Agent) owns(holder []byte, pages int) {
	a.door.pages, a.door.whose = max(pages, 0), holder
}

// gone forgets whose pages these were, once nobody reads the charter or works here.
func (a *Agent) gone(before session.State) {
	if (before.Live.Guest != nil || before.Run != nil) && a.state.Live.Guest == nil && a.state.Run == nil {
		a.door.pages, a.door.whose = 0, nil
	}
}

// ownPages is what one session of a holder may print, where the controller told
// another number than the rules have; 0: as the rules say.
func (a *Agent) ownPages(holder []byte) int {
	if len(holder) == 0 || !bytes.Equal(holder, a.door.whose) {
		return 0
	}
	return a.door.pages
}

// holder is h1 of the badge of whoever reads the charter or works here.
func (a *Agent) holder() []byte {
	switch {
	case a.state.Live.Guest != nil:
		return a.state.Live.Guest.Holder
	case a.state.Run != nil:
		return a.state.Run.Holder
	}
	return nil
}

// unanswered is a question that nobody answers now. What was answered here within
// recentFor counts again, its pages too, so that a badge that was declared lost since
// may begin for that long; and where any badge begins, so does one that nobody can be asked about.
// The console says so where a badge is declared lost.
func (a *Agent) unanswered(work context.Context, ask wire.BadgeAsk) {
	f := session.Tapped{Holder: ask.Holder}
	switch {
	case ask.Window != "":
		a.say(wire.RefuseBadgeOffline) // the window stays open: hold it out again
		return
	case ask.Code != "":
		f.Refused = wire.RefuseCodeOffline
	default:
		was, ok := a.recall(ask.Holder)
		a.owns(ask.Holder, was.pages)
		switch {
		case ok:
			f.Refused = a.bars(was.reason)
		case !a.takesBadges(), !a.policy.Access.TrustOffline && !a.policy.Access.AnyBadge:
			f.Refused = wire.RefuseBadgeOffline
		}
	}
	a.apply(work, f)
}

// remember keeps an answer, in the place of the oldest when there are too many.
func (a *Agent) remember(h1 []byte, r wire.Reason, pages int) {
	now := a.now().Mono
	if a.door.recent == nil {
		a.door.recent = map[[wire.H1Size]byte]remembered{}
	}
	a.forget(now)
	key := [wire.H1Size]byte(h1)
	if _, known := a.door.recent[key]; !known && len(a.door.recent) >= recentMost {
		var oldest [wire.H1Size]byte
		at := now + 1
		for k, v := range a.door.recent {
			if v.at < at {
				oldest, at = k, v.at
			}
		}
		delete(a.door.recent, oldest)
	}
	a.door.recent[key] = remembered{r, max(pages, 0), now}
}

// forget drops what is too old, and everything when badges are not asked about.
func (a *Agent) forget(now time.Duration) {
	for k, v := range a.door.recent {
		if now-v.at > recentFor || !a.policy.Access.KnownBadges && !a.policy.Access.AnyBadge {
			delete(a.door.recent, k)
		}
	}
}

func (a *Agent) recall(h1 []byte) (remembered, bool) {
	a.forget(a.now().Mono)
	if len(h1) != wire.H1Size {
		return remembered{}, false
	}
	v, ok := a.door.recent[[wire.H1Size]byte(h1)]
	return v, ok
}

// known asks about a badge, but for the one whose session this is.
func (a *Agent) known(work context.Context, h1 [wire.H1Size]byte) {
	if r := a.state.Run; r != nil && bytes.Equal(r.Holder, h1[:]) {
		a.apply(work, session.Tapped{Holder: h1[:]})
		return
	}
	a.askBadge(work, wire.BadgeAsk{Holder: h1[:]})
}

// forStaff takes a badge that staff wait for. It tells whether they do.
func (a *Agent) forStaff(work context.Context, b hw.Badge) bool {
	w := &a.door.window
	if w.id == "" || a.now().Mono > w.until {
		w.id = ""
		return false
	}
	ask := wire.BadgeAsk{Window: w.id}
	switch {
	case b.Suspect:
		ask.Cannot = wire.RefuseSuspectBadge
	case b.Random:
		ask.Cannot = wire.RefuseRandomBadge
	case b.Assurance < leastAssurance(a.policy.Access.Proof):
		ask.Cannot = wire.RefuseUnprovenBadge
	default:
		ask.Holder = b.Key[:]
	}
	a.askBadge(work, ask)
	return true
}

// await opens a window for staff.
func (a *Agent) await(c wire.Command) {
	at := a.now()
	a.door.window = window{id: c.ID, until: at.Mono + windowFor}
	if left := c.NotAfter.Sub(at.Wall); at.Trusted && left < windowFor {
		a.door.window.until = at.Mono + max(left, 0)
	}
	a.door.saidTo = 0
	a.energy.hands++ // somebody comes with a badge
}

func (a *Agent) say(r wire.Reason) { a.door.said, a.door.saidTo = r, a.now().Mono+doneFor }

// atTheDoor is what the person is told about a badge, beside the session's word.
func (a *Agent) atTheDoor(now time.Duration) wire.Reason {
	d := &a.door
	switch {
	case now < d.saidTo:
		return d.said
	case d.asked != nil && now-d.asked.since >= askedAfter:
		return wire.NoticeBadgeAsked
	case d.window.id != "" && now <= d.window.until:
		return wire.NoticeBadgeAwaited
	}
	return ""
}

// typed takes a code from the welcome screen.
func (a *Agent) typed(work context.Context, act shell.Action) {
	if p := a.state.Phase; !a.policy.Access.DayCodes || p != session.Welcome && p != session.Thanks {
		return
	}
	now := a.now().Mono
	if now-a.door.last > codeForget {
		a.door.wrong = 0
	}
	code, ok := wire.ReadCode(act.Code)
	switch {
	case now < a.door.next:
		a.apply(work, session.Tapped{Refused: wire.RefuseCodeWait})
	case !ok: // no code has this form: it is no try, and nobody needs to be asked
		a.apply(work, session.Tapped{Refused: wire.RefuseCodeWrong})
	default:
		a.askBadge(work, wire.BadgeAsk{Code: code})
	}
}

// tried counts codes that were never given, or used: after some, each next one
// waits. What is late, or refused for the terminal's sake, was no guess.
func (a *Agent) tried(r wire.Reason) {
	d := &a.door
	if r == "" {
		d.wrong, d.next = 0, 0
		return
	}
	if r != wire.RefuseCodeWrong && r != wire.RefuseCodeUsed {
		return
	}
	now := a.now().Mono
	d.last = now
	if d.wrong++; d.wrong >= codeTries {
		d.next = now + codeWait
	}
}
