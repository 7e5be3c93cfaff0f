package agent

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/printing"
	"borne/kiosk/session"
	"borne/kiosk/shell"
)

// bounds are the two instants that staff's menu needs of the hours, worked out
// once for each closing.
type bounds struct {
	of      string // signature of the policy
	closing time.Time
	guard   time.Time
	nextOf  time.Time
	next    time.Time
}

// bounded fills in until when the place may stay open past its closing, and, while
// staff have closed it, when it opens again.
func (a *Agent) bounded(f *session.Tick, open policy.Opening) {
	b, of := &a.bounds, string(a.policy.Signed.Sig)
	if b.of != of {
		*b = bounds{of: of}
	}
	closing := open.Since
	if open.Open {
		closing = open.Until
	}
	if closing.IsZero() || !f.Sure {
		return
	}
	if !closing.Equal(b.closing) {
		b.closing, b.guard = closing, a.policy.Hours.Guard(closing, policy.Location())
	}
	f.Guard = b.guard
	if a.state.Shut == nil || !open.Open {
		return
	}
	if !open.Until.Equal(b.nextOf) {
		ask := a.parts.Hours
		if ask == nil {
			ask = func(h policy.Hours, t time.Time) policy.Opening { return h.At(t, policy.Location()) }
		}
		b.nextOf, b.next = open.Until, ask(a.policy.Hours, open.Until).Until
	}
	f.Next = b.next
}

// withStaff are the hours as staff have left them, for what saves energy.
func withStaff(s session.State, open policy.Opening) policy.Opening {
	h := s.Hours
	switch {
	case s.Shut != nil:
		open.Open, open.Since, open.Until, open.Vacant = false, s.Shut.At, h.Next, time.Time{}
	case s.Stay != nil:
		open.Open, open.Since, open.Until, open.Vacant = h.Open, h.Since, h.Until, h.Vacant
	}
	return open
}

// digest is a badge as policy.Staff names it.
func digest(key []byte) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:])
}

// staffBadge opens the staff's menu for one of their badges. It has to prove what
// any badge here has to.
func (a *Agent) staffBadge(work context.Context, b hw.Badge) bool {
	who, ok := a.policy.Team.Holder(digest(b.Key[:]))
	if b.Random || !ok {
		return false
	}
	if b.Assurance < leastAssurance(a.policy.Access.Proof) {
		a.apply(work, session.Tapped{Refused: wire.RefuseUnprovenBadge})
		return true
	}
	a.apply(work, session.StaffCame{By: who.Name, May: rights(who.May)})
	return true
}

// directoryStaff opens the staff's menu for somebody whom the Département's
// directory named a moment ago, by the controller's word: a terminal that cannot ask
// opens it for nobody so. Their login never comes here.
func (a *Agent) directoryStaff(work context.Context) bool {
	may := rights(a.policy.Team.DirectoryMay)
	if len(may) == 0 {
		return false
	}
	a.apply(work, session.StaffCame{By: "Annuaire", May: may})
	return true
}

func rights(acts []policy.Act) []wire.StaffDo {
	all := make([]wire.StaffDo, len(acts))
	for i, x := range acts {
		all[i] = wire.StaffDo(x)
	}
	return all
}

// errAnew ends the agent once the terminal is clean; its warden starts it again.
var errAnew = errors.New("staff asked at the terminal for a new start")

// actedByStaff takes what staff pressed on their menu. It tells whether it is theirs.
func (a *Agent) actedByStaff(work context.Context, act shell.Action) bool {
	does := map[shell.Do]wire.StaffDo{shell.StaffClose: wire.StaffClose, shell.StaffReopen: wire.StaffReopen, shell.StaffStay: wire.StaffStay,
		shell.StaffTime: wire.StaffTime, shell.StaffPrint: wire.StaffPrint, shell.StaffRestart: wire.StaffRestart, shell.StaffCall: wire.StaffCall}
	do, ok := does[act.Do]
	switch {
	case act.Do == shell.StaffAsk:
		a.apply(work, session.StaffAsks{})
	case act.Do == shell.StaffPIN:
		a.triesPIN(work, act.PIN)
	case act.Do == shell.StaffLeave:
		a.apply(work, session.StaffLeft{})
	case do == wire.StaffPrint:
		a.releaseAll(work)
	case ok:
		a.apply(work, session.StaffDid{Do: do})
	default:
		return false
	}
	return true
}

// triesPIN hands a PIN over for the moment in which it is counted.
func (a *Agent) triesPIN(work context.Context, pin shell.Secret) {
	if a.verifying {
		return
	}
	a.typedPIN = pin
	a.apply(work, session.StaffTries{})
	a.typedPIN = ""
}

// verifyPIN has a PIN verified, off the owner's goroutine: it takes a board half a
// second. One at a time; the digits stay in memory, and nothing writes them down.
func (a *Agent) verifyPIN(work context.Context) {
	pin, want, may := a.typedPIN, a.policy.PIN, rights(a.policy.Team.PINMay)
	a.verifying = true
	a.worker(work, func() result {
		right := want.Verify(string(pin))
		return result{fact: session.StaffTried{Right: right, May: may}, then: func(a *Agent) { a.verifying = false }}
	})
}

// releaseAll lets every job that waits for staff be printed.
func (a *Agent) releaseAll(work context.Context) {
	waiting := a.prints.Waiting()
	f := session.StaffDid{Do: wire.StaffPrint, Jobs: len(waiting)}
	if !slices.Contains(a.state.Offers(a.now(), f.Jobs), f.Do) || !a.applyWith(work, f, extra{}) {
		return
	}
	for _, w := range waiting {
		a.print(work, printing.Released{Job: w.Job}, extra{})
	}
}

// staffPage is what the staff's menu shows; nil while it is not open.
func (a *Agent) staffPage(at session.Instant) *shell.Staff {
	s := a.state
	ceil := func(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
	if s.Asking(at) && !s.Menu(at) {
		return &shell.Staff{PIN: &shell.PIN{Wrong: s.Live.PINWrong, WaitSeconds: ceil(s.PINWaits(at)), Checking: a.verifying},
			LeftSeconds: ceil(s.Live.Ask - at.Mono)}
	}
	if !s.Menu(at) {
		return nil
	}
	p := &shell.Staff{Held: len(a.prints.Waiting()), Session: s.Phase.InSession(), Shut: s.Shut != nil, Open: s.Hours.Open && s.Shut == nil,
		LeftSeconds: ceil(s.Live.Staff.Until - at.Mono), Give: int(session.GiveStep / time.Minute), Grace: ceil(s.Grace()), Offers: []string{}}
	for _, o := range s.Offers(at, p.Held) {
		p.Offers = append(p.Offers, string(o))
	}
	if s.Live.Sure && p.Open {
		p.Until = told(s.Hours.Until)
	}
	if slices.Contains(p.Offers, string(wire.StaffStay)) {
		p.StayTo = told(s.StayTo(at))
	}
	if p.Session {
		p.Minutes = minutes(s.Live.Left)
	}
	if s.Live.Staff.Called {
		c := a.policy.Team.Contact
		p.Call = &shell.Call{Name: c.Name, Phone: c.Phone, Told: a.online}
	}
	return p
}

// staffView is the view with the staff's menu over it. Nothing of a session is in
// it, and it speaks the place's own language, not the person's.
func staffView(v shell.View, p *shell.Staff, s session.State) shell.View {
	v.Screen, v.Staff, v.Reason, v.Missing = shell.StaffPage, p, "", nil
	v.Bar, v.Warning, v.Print, v.Charter, v.Opening, v.Wipe = nil, nil, nil, nil, nil, nil
	v.Message, v.Notice, v.Identify, v.Codes, v.Dim = "", "", "", false, false
	v.Team, v.Help = false, nil
	if v.Lang = "fr"; len(s.Limits.Languages) > 0 {
		v.Lang = s.Limits.Languages[0]
	}
	return v
}

// told is a time as the page reads it; empty: none.
func told(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(policy.Location()).Format(time.RFC3339)
}
