package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/journal"
	"borne/kiosk/printing"
	"borne/kiosk/session"
	"borne/kiosk/shell"
	"borne/kiosk/uplink"
)

// Agent is one terminal's agent. Only Run's goroutine touches its fields but
// boxes, which guards itself.
type Agent struct {
	cfg   Config
	parts Parts
	log   *slog.Logger

	state         session.State
	encoded       []byte // of state, as it is durable
	policy        Rules
	opening       opening
	bounds        bounds
	welcome       wire.Welcome
	typedPIN      shell.Secret // of staff, while it is counted
	verifying     bool
	refused       string // why the last policy was refused
	refusedOf     uint64 // which one
	networks      networks
	trial         *trial // nil: no network is being tried
	rest          way    // which way is taken while none is
	online        bool
	denied        int        // times in a row that the controller refused this terminal's certificate
	heard         *reference // a time that the controller told
	devices       map[string]wire.Device
	call          call
	calling       time.Duration // when a call was counted last; 0: never
	ports         ports
	boxes         *boxes
	prints        printing.State
	printsEncoded []byte // of prints, as it is durable
	paper         paper
	source        source
	door          door
	stuck         *step // could not be committed yet
	stuckAt       time.Duration
	erased        string // session whose sandbox was destroyed while nothing could be written

	energy   saving
	results  chan result
	workers  sync.WaitGroup
	scene    chan scene
	lamps    chan signal
	sent     signal
	making   bool // a standby is being made
	makeAt   time.Duration
	failures int // standbys in a row that could not be made
	probing  bool
	playing  bool
	seen     wire.Status
	seenAt   time.Duration
	done     bool  // the machine says that the agent may end
	restart  error // why to start again once nobody is here
}

// reference is a wall time with the monotonic time it was told at.
type reference struct {
	wall time.Time
	mono time.Duration
}

// step is one step under way to the disk.
type step struct {
	next     session.State
	encoded  []byte
	effects  []session.Effect
	prints   *printStep // nil: the print jobs are as they were
	networks *networks  // nil: as they were
	commit   journal.Step
}

// result is what a worker brings back. fact may be nil.
type result struct {
	fact session.Fact
	head *wire.ChainHead // of the receipt in fact
	then func(a *Agent)  // runs on the owner's goroutine, before the fact
}

// stopIn lies below the time that the warden gives the agent to end.
const stopIn = 13 * time.Second

// New makes an agent; Run starts it.
func New(cfg Config, p Parts) (*Agent, error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.StopIn <= 0 {
		cfg.StopIn = stopIn
	}
	if cfg.Trial <= 0 {
		cfg.Trial = trialIn
	}
	if p.Check == nil {
		p.Check = checked
	}
	a := &Agent{cfg: cfg, parts: p, log: cfg.Log, devices: map[string]wire.Device{}, results: make(chan result, 64), scene: make(chan scene, 1), lamps: make(chan signal, 1)}
	var err error
	if a.energy.keeper, err = newKeeper(a); err != nil {
		return nil, err
	}
	return a, nil
}

// Run is the terminal's life. It returns nil when ctx ended and the terminal
// was left clean, and an error when it cannot go on: the next start recovers.
func (a *Agent) Run(ctx context.Context) error {
	work, cancel := context.WithCancel(context.Background())
	defer func() {
		cancel()
		a.workers.Wait()
		a.closeDevices()
	}()
	a.boxes = newBoxes(work, a.parts, a.log, func(b *box) {
		a.deliver(work, result{fact: session.Lost{Session: b.session}})
	})
	a.boxes.link = func(b *box, f *os.File) error { return a.linkPress(work, b, f) }
	a.workers.Go(func() { a.direct(work) })
	a.workers.Go(func() { a.lights(work) })
	a.workers.Go(func() { a.energy.keeper.Run(work) })
	if a.parts.Pages != nil {
		a.workers.Go(func() { a.keepShell(work) })
	}
	if err := a.recover(work); err != nil {
		return err
	}
	return a.loop(ctx, work)
}

// loop is the owner of the session.
func (a *Agent) loop(ctx, work context.Context) error {
	var remote <-chan uplink.Event
	if a.parts.Uplink != nil {
		remote = a.parts.Uplink.Events()
	}
	ended := ctx.Done()
	var late <-chan time.Time
	var lists <-chan struct{}
	if a.parts.Lists != nil {
		lists = a.parts.Lists.Changed()
	}
	taps, contact, calls, alarm, presence := a.parts.Taps, a.parts.Case, a.parts.Call, a.parts.Alarm, a.parts.Presence
	devices, warden := a.parts.Devices, a.parts.Warden.Events()
	for !a.done {
		a.show(work)
		a.signal()
		a.keepEnergy()
		a.keepStandby(work)
		a.keepPorts(work)
		if a.parts.Beat != nil {
			a.parts.Beat()
		}
		if a.restart != nil && a.state.Phase.Standing() {
			return fmt.Errorf("cannot go on: %w", a.restart)
		}
		select {
		case <-ended:
			if errors.Is(context.Cause(ctx), ErrAbandon) {
				return ErrAbandon
			}
			ended = nil
			t := time.NewTimer(a.cfg.StopIn)
			defer t.Stop()
			late = t.C
			a.apply(work, session.Stop{})
		case <-late:
			return fmt.Errorf("cannot end cleanly within %s in phase %s: the next start wipes first", a.cfg.StopIn, a.state.Phase)
		case a.restart = <-a.parts.Restart:
		case err := <-a.parts.Fatal:
			return fmt.Errorf("cannot go on: %w", err)
		case <-a.parts.Ticks:
			a.tick(work)
		case r := <-a.results:
			a.took(work, r)
		case s := <-a.energy.keeper.States():
			a.saved(work, s)
		case t, ok := <-taps:
			if !ok {
				taps = nil
				continue
			}
			a.tapped(work, t)
		case l, ok := <-contact:
			if !ok {
				contact = nil
				l = hw.Unknown
			}
			a.energy.hands++ // whoever opens it
			a.apply(work, session.Case{Contact: contactOf(l)})
		case l, ok := <-alarm:
			if !ok {
				alarm = nil
				l = hw.Unknown
			}
			a.apply(work, session.Alarm{Contact: contactOf(l)})
		case l, ok := <-presence:
			if !ok {
				presence = nil
			} else if l == hw.On {
				a.energy.hands++
			}
		case l, ok := <-calls:
			if !ok {
				calls = nil
				continue
			}
			a.called(work, l)
		case s, ok := <-devices:
			if !ok {
				devices = nil
				continue
			}
			a.device(work, s)
		case act := <-a.parts.Shell.Actions():
			a.acted(work, act)
		case <-lists:
			a.protect(work)
		case e, ok := <-remote:
			if !ok {
				remote = nil
				continue
			}
			a.remote(work, e)
		case e, ok := <-warden:
			if !ok {
				a.apply(work, session.Lost{Warden: true})
				return errors.New("cannot go on: the warden is gone, and every sandbox with it")
			}
			a.plugged(work, e)
			switch e.Kind {
			case "sandbox-lost":
				a.workers.Go(func() { a.boxes.gone(func(b *box) bool { return b.id == e.Sandbox }) })
			case "refused":
				a.filtered(work, e)
			}
		}
	}
	a.tellUse(work, a.count(), a.energy.halts)
	return nil
}

// now is the time as this terminal knows it.
func (a *Agent) now() session.Instant {
	wall, trusted := a.parts.Clock.Now()
	at := session.Instant{Mono: a.parts.Clock.Mono(), Wall: wall, Trusted: trusted}
	if !trusted && a.heard != nil {
		at.Wall, at.Trusted = a.heard.wall.Add(at.Mono-a.heard.mono), true
	}
	return at
}

// recover goes on from what the journal holds.
func (a *Agent) recover(work context.Context) error {
	f := a.parts.Journal.Found()
	s, detail := session.New(), ""
	switch {
	case f.State != nil:
		var err error
		if s, err = session.Decode(f.State); err != nil {
			a.log.Error("the state is not usable", "error", err)
			detail = err.Error()
		}
	case f.Damaged != "":
		a.log.Error("the journal was damaged and is out of use; a challenge from the console puts the terminal back in service", "moved", f.Damaged)
		s, detail = session.Unreadable(), "the journal was damaged and was moved aside"
	}
	if f.Welcome != nil {
		a.welcome = *f.Welcome
	}
	at := a.now()
	next, effects, records := session.Recover(s, at, wire.Boot{Boot: a.cfg.Boot, Build: a.cfg.Build, Machine: a.cfg.Machine})
	if detail != "" {
		records = append(records, draft(at, wire.KindAlert, wire.Alert{Code: string(wire.OutState), Detail: detail}))
	}
	next.Live.Trouble = a.parts.Fault
	if f.Policy != nil {
		p, err := a.verify(*f.Policy)
		if err != nil { // its keys changed, or this version wants more of it
			a.log.Error("the policy that was kept is not usable", "error", err)
			next.Limits = session.Limits{}
		} else {
			a.policy, next.Limits = Rules{Policy: p, Signed: *f.Policy}, limits(p)
		}
	}
	if a.parts.Lists != nil {
		a.parts.Lists.Want(a.policy.Filter)
	}
	_, missing := a.using()
	next.Live.Unprotected = len(missing) > 0
	a.beginEnergy(f.Energy)
	networks, tried := a.recoverNetwork(work, f.Network)
	a.recoverDevice(f.Printer)
	prints, asks, printed := a.recoverPrints(f.Prints)
	return a.commit(work, next, effects, append(append(records, printed...), tried...), extra{prints: &printStep{next: prints, asks: asks}, network: networks})
}

// took takes a worker's result.
func (a *Agent) took(work context.Context, r result) {
	if r.then != nil {
		r.then(a)
	}
	if r.fact == nil {
		return
	}
	x := extra{}
	if w, ok := r.fact.(session.Wiped); ok && w.Effect == a.state.Live.Await {
		x.head = r.head
	}
	a.applyWith(work, r.fact, x)
}

// deliver hands a result to the owner, unless the agent ends.
func (a *Agent) deliver(work context.Context, r result) {
	select {
	case a.results <- r:
	case <-work.Done():
	}
}
