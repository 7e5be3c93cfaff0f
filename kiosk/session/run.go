package session

import (
	"bytes"
	"encoding/json"
	"maps"
	"time"

	"borne/controller/wire"
)

// tickSession counts the person's time and gives the warnings.
func (m *machine) tickSession(f Tick) {
	s, l := &m.s, &m.s.Live
	l.Uploading = f.Uploading
	if f.Playing {
		l.Touched = m.at.Mono
	}
	m.covered()
	idle := min(f.Idle, m.at.Mono-l.Touched)
	m.account(idle)

	own := m.own()
	added := time.Duration(0)
	for own <= 0 && l.OtherFree && s.Limits.Extend > 0 && s.Run.Total < s.Limits.Max {
		more := min(s.Limits.Extend, s.Limits.Max-s.Run.Total)
		s.Run.Total += more
		added += more
		own = m.own()
	}
	closing := m.closing()
	l.Left = max(0, min(own, closing))
	warned, said, earlier := l.Warned, l.ClosingSaid, m.closesEarlier()
	l.Warned, l.ClosingSaid = m.threshold(own), m.closingThreshold(closing)

	switch {
	case closing <= 0 && l.Anew:
		m.end(wire.EndCommand, true)
	case closing <= 0:
		m.end(wire.EndClosing, true)
	case own <= 0:
		m.end(wire.EndTime, true)
	case s.Phase == Warning && l.Warn.Until > 0 && m.at.Mono >= l.Warn.Until:
		if l.Warn.Kind == WarnBadge {
			m.end(wire.EndBadge, true)
			return
		}
		m.end(wire.EndIdle, true)
	case s.Limits.Idle > 0 && idle >= s.Limits.Idle && l.Warn.Kind != WarnIdle && l.Warn.Kind != WarnBadge:
		m.staffLeft() // the question for the PIN: whoever is there is to see this one
		m.warn(Warn{Kind: WarnIdle, Of: m.grace(), Until: m.at.Mono + m.grace()})
	case added > 0:
		m.warn(Warn{Kind: WarnExtended, Added: added})
	case closing < own && (l.ClosingSaid < said || earlier):
		m.staffLeft() // the person is to read it while there is time, not what staff left open
		kind := WarnClosing
		if l.Anew {
			kind = WarnAnew
		}
		m.warn(Warn{Kind: kind})
	case l.Warned < warned && own <= closing:
		m.staffLeft()
		m.warn(Warn{Kind: WarnTime})
	}
}

// closesEarlier tells once that new hours close the place before the time that
// the person could count on.
func (m *machine) closesEarlier() bool {
	s, l := &m.s, &m.s.Live
	if !l.Sure || s.Hours.Until.IsZero() || !s.Hours.Open {
		return false
	}
	was := l.Closes
	l.Closes = s.Hours.Until
	return !was.IsZero() && s.Hours.Until.Before(was.Add(-time.Minute))
}

// own is what is left of the person's own time.
func (m *machine) own() time.Duration {
	return m.s.Run.Total - (m.at.Mono - m.s.Live.Since)
}

// closing is the time until the place closes, or for ever. Once the end is
// near it runs on the monotonic clock, and a closing that appears at once (a
// new policy, a clock that was set) still leaves the grace.
func (m *machine) closing() time.Duration {
	l := &m.s.Live
	left, known := m.untilClosing()
	switch {
	case known && left > m.grace():
		l.CloseBy = 0
		return left
	case known && l.CloseBy == 0:
		l.CloseBy = m.at.Mono + m.grace()
		l.ClosingSaid = never // say it, whatever was said before
	}
	if l.CloseBy == 0 || !known && l.Sure {
		l.CloseBy = 0
		return never
	}
	return l.CloseBy - m.at.Mono
}

// threshold is the smallest warning time that left has reached.
func (m *machine) threshold(left time.Duration) time.Duration {
	return smallest(m.s.Limits.Warn, left)
}

// closingThreshold is the same of a place's closing, which is always announced
// at 10, 5 and 1 minutes, and with the grace when it comes at once.
func (m *machine) closingThreshold(left time.Duration) time.Duration {
	at := []time.Duration{10 * time.Minute, 5 * time.Minute, time.Minute}
	if m.s.Live.CloseBy != 0 {
		at = append(at, m.grace())
	}
	return smallest(at, left)
}

func smallest(at []time.Duration, left time.Duration) time.Duration {
	t := never
	for _, w := range at {
		if left <= w {
			t = min(t, w)
		}
	}
	return t
}

func (m *machine) grace() time.Duration { return m.s.Grace() }

// Grace is how long somebody has to answer, or to finish.
func (s State) Grace() time.Duration {
	if s.Limits.Grace > 0 {
		return s.Limits.Grace
	}
	return time.Minute
}

// account adds up seconds. Only whole minutes reach the durable part before
// the end, so that a tick costs no write.
func (m *machine) account(idle time.Duration) {
	s, l := &m.s, &m.s.Live
	// A machine that slept was not in use: a tick counts for a few seconds at most.
	if step := min(m.at.Mono-l.Last, 5*time.Second); idle < time.Minute && step > 0 {
		l.Busy += step
	}
	l.Last = m.at.Mono
	if whole := int((m.at.Mono - l.Admitted).Truncate(time.Minute) / time.Second); whole != s.Run.Seconds {
		s.Run.Seconds, s.Run.Filtered = whole, maps.Clone(l.Filtered)
	}
	s.Run.Active = int(l.Busy.Truncate(time.Minute) / time.Second)
}

// Limits on what is counted of refused sites.
const (
	maxFiltered   = 10000 // of one category
	maxCategories = 64
)

// filtered counts sites that were refused, and tells the person why the page
// stays empty.
func (m *machine) filtered(f Filtered) {
	s, l := &m.s, &m.s.Live
	if s.Run == nil || s.Run.ID != f.Session || s.Phase != Active && s.Phase != Warning || !wire.ValidCategory(f.Category) || f.Count < 1 {
		return
	}
	if l.Filtered == nil {
		l.Filtered = map[string]int{}
	}
	if _, known := l.Filtered[f.Category]; known || len(l.Filtered) < maxCategories {
		l.Filtered[f.Category] = min(l.Filtered[f.Category]+min(f.Count, maxFiltered), maxFiltered)
	}
	l.Refused, l.RefusedTo = f.Category, m.at.Mono+RefusedFor
}

// warn covers the session. A warning that may end it is not covered by
// another one; a message waits for its turn.
func (m *machine) warn(w Warn) {
	s, l := &m.s, &m.s.Live
	if old := l.Warn; s.Phase == Warning && (old.Kind == WarnIdle || old.Kind == WarnBadge) {
		if w.Kind != WarnBadge {
			return
		}
		w.Until, w.Of = min(w.Until, old.Until), old.Of
	}
	s.Phase, s.Reason = Warning, ""
	l.Warn = w
}

// answer uncovers the session: the person is here.
func (m *machine) answer() {
	l := &m.s.Live
	l.Touched = m.at.Mono
	m.enter(Active, "")
	if l.Message != "" {
		m.warn(Warn{Kind: WarnMessage, Text: l.Message})
		l.Message = ""
	}
}

// end closes a person's session for a reason. With wait it first lets an
// upload finish, and a document reach the printer, for a bounded time each.
func (m *machine) end(r wire.Reason, wait bool) {
	s, l := &m.s, &m.s.Live
	if s.Phase != Ending {
		s.Run.Reason = r
		s.Run.Seconds = int((m.at.Mono - l.Admitted) / time.Second)
		s.Run.Active = min(s.Run.Seconds, int(l.Busy/time.Second))
		s.Run.Filtered = maps.Clone(l.Filtered)
	}
	waits := time.Duration(0)
	if l.Uploading {
		waits = s.Limits.Upload
	}
	if l.Sending {
		waits = max(waits, s.Limits.Finish)
	}
	if wait && s.Phase != Ending && waits > 0 {
		m.enter(Ending, "")
		l.Until, l.UploadBy = m.at.Mono+waits, m.at.Mono+s.Limits.Upload
		return
	}
	m.wipe(WipeSession)
}

// finishing is a tick, or news of the printer, in a session that has ended.
func (m *machine) finishing(due bool) {
	l := &m.s.Live
	if due || !l.Sending && !(l.Uploading && m.at.Mono < l.UploadBy) {
		m.wipe(WipeSession)
	}
}

// sending takes note of a document on its way to the printer.
func (m *machine) sending(f Sending) {
	s, l := &m.s, &m.s.Live
	if s.Run == nil || s.Run.ID != f.Session || !s.Phase.InSession() {
		return
	}
	if l.Sending = f.Busy; s.Phase == Ending {
		m.finishing(false)
	}
}

// wipe begins a wipe. Nothing but clean evidence leads out of it to a phase
// in which somebody may begin.
func (m *machine) wipe(k WipeKind) {
	p := Wiping
	if k == WipeChallenge {
		p = Challenge
	}
	m.enter(p, "")
	m.s.Wipe = &Wipe{Kind: k}
	m.askWipe()
}

func (m *machine) askWipe() {
	s := &m.s
	ask := DoWipe{Kind: s.Wipe.Kind, Attempt: s.Wipe.Failed + 1}
	switch {
	case ask.Kind == WipeSession && s.Run != nil:
		ask.Session, ask.Permit, ask.Nonce = s.Run.ID, s.Run.Permit.ID, s.Run.Permit.Nonce
	case ask.Kind == WipeChallenge && s.Lift != nil:
		ask.Permit, ask.Nonce = s.Lift.Command, s.Lift.Nonce
	}
	s.Live.Retry = 0
	m.await(ask, WipeWithin)
}

// wiped takes the evidence. The receipt is a record of this very step.
func (m *machine) wiped(f Wiped) {
	s, l := &m.s, &m.s.Live
	if s.Phase != Wiping && s.Phase != Challenge || f.Effect == 0 || f.Effect != l.Await {
		return
	}
	kind := s.Wipe.Kind
	switch {
	case f.Err != "":
		m.wipeFailed(f.Err)
		return
	case f.Failure != "":
		m.wipeFailed(f.Failure)
		return
	}
	if why := m.unproven(f.Receipt); why != "" {
		m.wipeFailed(why)
		return
	}
	wipes := s.Wipe.Failed + 1
	s.Dirty, s.Wipe = false, nil
	if s.Fault == wire.OutWipe || s.Fault == wire.OutState && kind == WipeChallenge {
		s.Fault = ""
	}
	switch kind {
	case WipeSession:
		r := s.Run
		m.record(wire.KindEnded, wire.Ended{Session: r.ID, Reason: r.Reason, Seconds: r.Seconds, Active: r.Active, Wipes: wipes, WipeMS: f.Millis, Filtered: r.Filtered})
		m.record(wire.KindReceipt, f.Receipt)
		m.forget(r.Permit.ID)
		l.Summary = &Summary{Reason: r.Reason, Full: f.Full, Millis: f.Millis, Receipt: f.Number, Checks: f.Checks, Smile: asks(r.Reason)}
		l.Lang, l.Message = r.Lang, ""
		s.Run = nil
		if !l.Stopping {
			m.enter(Thanks, "")
			l.Until = m.at.Mono + max(s.Limits.Thanks, time.Second)
			return
		}
	case WipeChallenge:
		m.record(wire.KindReceipt, f.Receipt)
		m.record(wire.KindCommand, wire.CommandDone{ID: s.Lift.Command, Done: true})
		m.forget(s.Lift.Command)
		s.Lift = nil
	case WipeSweep:
	}
	m.stand()
}

// asks tells whether somebody is still there who can say how it went: not after an
// end that found nobody, or somebody else.
func asks(r wire.Reason) Asking {
	switch r {
	case wire.EndButton, wire.EndTime, wire.EndClosing:
		return AskSmile
	}
	return AskNot
}

// smile takes what the person says, once. Its record bears no session, and the
// day's noon for its time: nobody can tell whose it was.
func (m *machine) smile(how wire.Smiley) {
	if u := m.s.Live.Summary; m.s.Phase != Thanks || u == nil || u.Smile != AskSmile {
		return
	}
	told := *m.s.Live.Summary // a state before this one may hold it
	told.Smile = AskDone
	m.s.Live.Summary = &told
	m.record(wire.KindSmile, wire.Smile{How: how})
	r := &m.records[len(m.records)-1]
	r.At = r.At.Truncate(24 * time.Hour).Add(12 * time.Hour)
}

// unproven is why a receipt does not prove the wipe that is owed. The
// signature is the controller's to verify; that it speaks of this very session
// and permit, and of a clean wipe, is seen here before anybody may follow.
func (m *machine) unproven(e *wire.Envelope) string {
	s := &m.s
	if s.Wipe.Kind == WipeSweep {
		return ""
	}
	if e == nil {
		return "no receipt was signed"
	}
	var r wire.Receipt
	if err := json.Unmarshal(e.Payload, &r); err != nil || e.Domain != wire.DomainReceipt {
		return "the receipt cannot be read"
	}
	want := wire.Receipt{Kind: wire.ReceiptChallenge}
	switch {
	case s.Wipe.Kind == WipeSession && s.Run != nil:
		want = wire.Receipt{Kind: wire.ReceiptSession, Session: s.Run.ID, Permit: s.Run.Permit.ID, Nonce: s.Run.Permit.Nonce}
	case s.Lift != nil:
		want.Permit, want.Nonce = s.Lift.Command, s.Lift.Nonce
	}
	if r.Kind != want.Kind || r.Session != want.Session || r.Permit != want.Permit || !bytes.Equal(r.Nonce, want.Nonce) {
		return "the receipt speaks of another wipe"
	}
	return r.Failure()
}

// forget lets the warden drop evidence whose receipt this commit holds.
func (m *machine) forget(permit string) {
	m.s.Forget = permit
	m.ask(DoForget{Permit: permit})
}

// wipeFailed counts an attempt. After the last one the terminal is out of
// service, dirty, and says so.
func (m *machine) wipeFailed(why string) {
	s, l := &m.s, &m.s.Live
	s.Wipe.Failed++
	l.Await, l.Until = 0, 0
	m.record(wire.KindAlert, wire.Alert{Code: "wipe-attempt-failed", Detail: clip(why)})
	if s.Wipe.Failed < MaxWipes {
		l.Retry = m.at.Mono + RetryAfter
		return
	}
	if s.Wipe.Kind == WipeChallenge {
		m.record(wire.KindCommand, wire.CommandDone{ID: s.Lift.Command, Reason: string(wire.OutWipe)})
		s.Lift = nil
	}
	s.Dirty, s.Wipe, s.Fault = true, nil, wire.OutWipe
	m.record(wire.KindAlert, wire.Alert{Code: string(wire.OutWipe)})
	m.enter(Broken, wire.OutWipe)
	switch {
	case l.Stopping:
		m.ask(DoStop{})
	case l.Anew:
		m.ask(DoRestart{})
	}
}
