package agent

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"syscall"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/journal"
	"borne/kiosk/printing"
	"borne/kiosk/session"
	"borne/kiosk/shell"
	"borne/kiosk/uplink"
)

// remote takes what the controller says. Nothing that is signed is believed
// before its signature was checked here.
func (a *Agent) remote(work context.Context, e uplink.Event) {
	if a.stuck != nil && e.Offline == nil && !a.unstick(work) {
		return // nothing can be kept now; the controller says it again at the next connection
	}
	switch {
	case e.Clock != nil:
		wall := e.Clock.Wall.Add(e.Clock.Round / 2)
		a.heard = &reference{wall: wall, mono: a.parts.Clock.Mono()}
		if c, ok := a.parts.Clock.(interface{ Hear(time.Time) }); ok {
			c.Hear(wall) // so that the journal and the link know it too
		}
	case e.Welcome != nil:
		a.online, a.welcome, a.denied = true, *e.Welcome, 0
		a.apply(work, session.Neighbours{}) // until it is told: nobody waits longer because of what was true once
		a.apply(work, session.Welcomed{Quarantine: wire.Reason(e.Welcome.Quarantine)})
		a.heardBy(work, e)
	case e.Policy != nil:
		a.rule(work, *e.Policy)
	case e.Permits != nil:
		a.permits(work, e.Permits)
	case e.Command != nil:
		a.command(work, *e.Command)
	case e.Space != nil:
		a.apply(work, session.Neighbours{OtherFree: e.Space.OtherFree, Armed: e.Space.Armed})
	case e.Answer != nil:
		a.print(work, printing.Answered{Answer: *e.Answer}, extra{})
	case e.Admit != nil:
		a.admitted(work, *e.Admit)
	case e.Offline != nil:
		a.online = false
		if q := a.door.asked; q != nil {
			a.endQuestion()
			a.unanswered(work, q.ask)
		}
		a.print(work, printing.LedgerLost{}, extra{})
		a.apply(work, session.Neighbours{})
		a.heardBy(work, e)
		a.denial(work, e.Offline.Err)
	}
}

// deniedFor is how many refusals in a row count: a controller that is just
// stopping may refuse once.
const deniedFor = 3

// denial blocks a terminal whose certificate the controller keeps refusing: it
// was replaced or revoked, and would go on until its permits are used up. The
// refusal comes over TLS that the pinned root has authenticated, so that nobody
// in between can make one; and the next welcome lifts it.
func (a *Agent) denial(work context.Context, err error) {
	if !errors.Is(err, uplink.ErrRefused) {
		a.denied = 0
		return
	}
	if a.denied++; a.denied == deniedFor && a.state.Quarantine == "" {
		a.log.Error("the controller keeps refusing this terminal", "error", err)
		a.apply(work, session.Welcomed{Quarantine: wire.QuarIdentity})
	}
}

// verify checks a policy's signature and contents.
func (a *Agent) verify(e wire.Envelope) (policy.Policy, error) {
	p, err := wire.Open[policy.Policy](e, wire.DomainPolicy, a.cfg.SignKeys...)
	if err != nil {
		return p, err
	}
	if p.Version == 0 {
		return p, errors.New("cannot use the policy: it has no version")
	}
	if err := a.parts.Check(p); err != nil {
		return p, err
	}
	return p, nil
}

// rule applies a policy, or tells why it does not; the one before then stays.
func (a *Agent) rule(work context.Context, e wire.Envelope) {
	if now := a.policy.Signed; e.Kid == now.Kid && string(e.Payload) == string(now.Payload) {
		a.forgo(work)
		return
	}
	p, err := a.verify(e)
	if err != nil {
		a.refuse(work, p.Version, fmt.Sprintf("%.500s", err), false, nil)
		return
	}
	if r := (Rules{Policy: p, Signed: e}); !a.tries(work, r) {
		a.adopt(work, r)
	}
}

// adopt has rules in force from now on.
func (a *Agent) adopt(work context.Context, r Rules) {
	p, e := r.Policy, r.Signed
	a.policy = r
	if a.state.Live.Trouble == wire.OutPolicyKey { // other rules, and the browser is asked again
		a.apply(work, session.Faulty{})
	}
	if a.parts.Lists != nil {
		a.parts.Lists.Want(p.Filter)
	}
	x := extra{network: &networks{}, policy: &journal.Policy{Version: p.Version, Envelope: e},
		records: []wire.Record{draft(a.now(), wire.KindPolicy, wire.PolicyApplied{Version: p.Version})}}
	a.applyWith(work, session.Ruled{Limits: limits(p)}, x) // a full disk only delays it
	a.refused = ""
	a.protect(work)
	a.rulePrints(work)
	a.failures, a.makeAt = 0, 0
	a.log.Info("policy applied", "version", p.Version, "profile", p.Profile)
}

// limits is the part of a policy that the session's machine obeys.
func limits(p policy.Policy) session.Limits {
	min := func(n int) time.Duration { return time.Duration(n) * time.Minute }
	sec := func(n int) time.Duration { return time.Duration(n) * time.Second }
	s := p.Session
	l := session.Limits{Version: p.Version, Profile: p.Profile, Languages: p.Languages, Minutes: min(s.Minutes), Extend: min(s.ExtendMinutes),
		Max: min(s.MaxMinutes), Min: min(s.MinMinutes), Idle: sec(s.IdleSeconds), Grace: sec(s.GraceSeconds), Upload: sec(s.UploadSeconds),
		Thanks: sec(s.ThanksSeconds), BadgeRequired: p.Access.BadgeRequired, RequireFull: p.Isolation.RequireFull,
		Receipt: min(p.Permits.ReceiptWithin), PIN: p.PIN.There()}
	for _, w := range s.WarnMinutes {
		l.Warn = append(l.Warn, min(w))
	}
	if p.Printing.Enabled {
		l.Pages = p.Printing.PagesPerSession
		l.Finish = sec(p.Printing.Filled().FinishSeconds)
	}
	return l
}

// permits keeps those that are signed and for this terminal.
func (a *Agent) permits(work context.Context, in []wire.Envelope) {
	var f session.Permitted
	for _, e := range in {
		p, err := wire.Open[wire.Permit](e, wire.DomainPermit, a.cfg.SignKeys...)
		switch {
		case err != nil:
			a.log.Error("a permit is refused", "error", err)
		case p.Terminal != a.cfg.Terminal || p.ID == "" || len(p.Nonce) < 8 || len(p.Nonce) > 64:
			a.log.Error("a permit is refused: it is not for this terminal, or has no proper nonce", "permit", p.ID)
		default:
			f.Permits = append(f.Permits, session.Permit{ID: p.ID, N: p.N, Nonce: p.Nonce, NotAfter: p.NotAfter, Generation: p.Generation})
		}
	}
	if len(f.Permits) > 0 {
		a.apply(work, f)
	}
}

// command applies a command once, whatever the controller repeats.
func (a *Agent) command(work context.Context, e wire.Envelope) {
	c, err := wire.Open[wire.Command](e, wire.DomainCommand, a.cfg.SignKeys...)
	if err == nil && (c.Terminal != a.cfg.Terminal || c.ID == "" || len(c.ID) > 128) {
		err = errors.New("cannot obey a command: it is not for this terminal")
	}
	if err != nil {
		a.log.Error("a command is refused", "error", err)
		return
	}
	if known, err := a.parts.Journal.Applied(c.ID); known || err != nil {
		if err != nil {
			a.log.Error("a command waits", "error", err)
		}
		return
	}
	at := a.now()
	x := extra{command: &journal.Applied{ID: c.ID, NotAfter: c.NotAfter}}
	a.log.Info("command", "id", c.ID, "kind", c.Kind)
	if at.Trusted && !c.NotAfter.IsZero() && at.Wall.After(c.NotAfter) {
		x.records = []wire.Record{draft(at, wire.KindCommand, wire.CommandDone{ID: c.ID, Reason: "expired"})}
		a.applyWith(work, nil, x)
		return
	}
	if (c.Kind == wire.CmdLift) && (len(c.Nonce) < 8 || len(c.Nonce) > 64) {
		c.Nonce = nil // the machine refuses it, and says so
	}
	if c.Kind == wire.CmdIdentify || c.Kind == wire.CmdMessage {
		a.energy.hands++ // it is to be seen
	}
	if a.printCommand(work, c, x) {
		return
	}
	if c.Kind == wire.CmdBadge {
		x.records = []wire.Record{draft(at, wire.KindCommand, wire.CommandDone{ID: c.ID, Done: true})}
		if a.applyWith(work, nil, x) {
			a.await(c)
		}
		return
	}
	if c.Kind == wire.CmdHelpComing || c.Kind == wire.CmdHelpDone {
		a.answerCall(work, c, x)
		return
	}
	a.applyWith(work, session.Commanded{Command: c}, x)
}

// draft is a record beside the machine's own.
func draft(at session.Instant, kind string, body any) wire.Record {
	b, err := json.Marshal(body)
	if err != nil { // none of the bodies here can fail to marshal
		b = []byte(`{"error":"cannot encode"}`)
	}
	return wire.Record{Kind: kind, At: at.Wall.UTC(), Unsure: !at.Trusted, Body: b}
}

// tapped decides what a badge may, and tells the machine.
func (a *Agent) tapped(work context.Context, t hw.Tap) {
	a.energy.hands++
	f := session.Tapped{}
	switch {
	case len(t.Badges) == 0:
		return
	case len(t.Badges) == 1 && a.forStaff(work, t.Badges[0]):
		return
	case slices.ContainsFunc(t.Badges, func(b hw.Badge) bool { return b.Suspect }): // whatever it is held with
		f.Refused = wire.RefuseSuspectBadge
		a.applyWith(work, nil, extra{records: []wire.Record{draft(a.now(), wire.KindAlert, wire.Alert{Code: "badge-suspect"})}})
	case len(t.Badges) > 1:
		f.Refused = wire.RefuseManyBadges
	case a.staffBadge(work, t.Badges[0]):
		return
	case a.released(work, t.Badges[0].Key[:]):
		return
	case t.Badges[0].Random:
		f.Refused = wire.RefuseRandomBadge
	case !a.takesBadges() && len(a.prints.Waiting()) == 0 && len(a.policy.Team.DirectoryMay) == 0: // staff may open their menu, or release what waits
		f.Refused = wire.RefuseUnknownBadge
	case t.Badges[0].Assurance < leastAssurance(a.policy.Access.Proof):
		f.Refused = wire.RefuseUnprovenBadge
	default:
		// Which badges are known, and which are lost, is the controller's: a list of
		// them would lie on the disk with the policy.
		a.known(work, t.Badges[0].Key)
		return
	}
	a.apply(work, f)
}

// leastAssurance is what a policy asks of badges.
func leastAssurance(p policy.Proof) hw.Assurance {
	switch p {
	case policy.ProofMessage:
		return hw.AssuranceDynamic
	case policy.ProofKeys:
		return hw.AssuranceMutual
	}
	return hw.AssuranceTruncated
}

func contactOf(l hw.Level) session.Contact {
	switch l {
	case hw.On:
		return session.ContactOpen
	case hw.Off:
		return session.ContactClosed
	}
	return session.ContactUnknown
}

// acted takes what a person pressed.
func (a *Agent) acted(work context.Context, act shell.Action) {
	if a.actedByStaff(work, act) || a.state.Covered(a.now()) { // a late press: its button is not in sight
		return
	}
	if a.actedOnPrint(work, act) || a.askedForHelp(work, act.Do) {
		return
	}
	if act.Do == shell.Code {
		a.typed(work, act)
		return
	}
	f := session.Acted{Do: session.Do(act.Do), Lang: act.Lang}
	if act.Do == shell.Accept {
		var id [16]byte
		rand.Read(id[:]) // never fails since Go 1.24
		f.Session = hex.EncodeToString(id[:])
	}
	a.apply(work, f)
}

// device keeps a device's health for the status, and records its changes.
func (a *Agent) device(work context.Context, s hw.Status) {
	names := map[hw.Health]string{hw.Absent: "absent", hw.Opening: "opening", hw.Ready: "ready", hw.Degraded: "degraded", hw.Faulted: "faulted"}
	d := wire.Device{Name: s.Name, Device: s.Device, Health: names[s.Health], Error: fmt.Sprintf("%.300s", s.Err)}
	old := a.devices[s.Name]
	a.devices[s.Name] = d
	// Opening passes by itself: only what stays is worth a record.
	if d == old || s.Health == hw.Opening || s.Health == hw.Absent {
		return
	}
	a.applyWith(work, nil, extra{records: []wire.Record{draft(a.now(), wire.KindDevice, d)}})
}

// report tells the controller the state now: at each change, and the time
// that is left now and then.
func (a *Agent) report(at session.Instant) {
	if a.parts.Uplink == nil {
		return
	}
	const every = 20 * time.Second
	s := a.state
	st := wire.Status{Phase: string(s.Phase), Reason: string(s.Reason), Policy: s.Limits.Version, Refused: a.refused, Permits: s.Usable(at),
		Level: s.Live.Level, Missing: s.Live.Missing, Armed: s.Live.Armed, Metrics: wire.StatusGauges{ClockSure: at.Trusted}}
	if s.Run != nil {
		st.Session = s.Run.ID
	}
	if a.stuck != nil {
		st.Phase, st.Reason = string(session.Broken), string(wire.OutDisk)
	}
	if told := a.toldOfPrinter(); told.State != "" {
		st.Printer = &told
	}
	st.Prints = a.prints.Waiting()
	st.Power = a.powerState(at)
	if c := a.call.HelpCall; a.call.open() {
		st.Help = &c
	}
	for _, n := range sortedKeys(a.devices) {
		st.Devices = append(st.Devices, a.devices[n])
	}
	if reflect.DeepEqual(st, a.seen) && at.Mono-a.seenAt < every {
		return
	}
	a.seen, a.seenAt = st, at.Mono
	if s.Phase.InSession() {
		st.Left = int(s.Live.Left / time.Second)
	}
	st.Metrics.Unacked, st.Metrics.DiskFree = a.parts.Journal.Unacked(), free(a.cfg.State)
	a.parts.Uplink.Send(st)
}

// free is the room on a folder's file system, 0 when it cannot be read.
func free(folder string) uint64 {
	var fs syscall.Statfs_t
	if folder == "" || syscall.Statfs(folder, &fs) != nil {
		return 0
	}
	return fs.Bavail * uint64(fs.Bsize)
}
