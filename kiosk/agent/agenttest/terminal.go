package agenttest

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/hw"
	"borne/kiosk/agent"
	"borne/kiosk/energy"
	"borne/kiosk/journal"
	"borne/kiosk/sandbox"
	"borne/kiosk/shell"
)

// Options of a terminal. Dir, Terminal, ReceiptKey and SignKeys are required.
type Options struct {
	Dir        string // of the journal; survives kills
	Terminal   string
	ReceiptKey ed25519.PrivateKey
	SignKeys   []ed25519.PublicKey
	Start      time.Time // wall time; zero: a Monday morning
	Unsure     bool      // its clock cannot be trusted
	Sim        bool
	// Uplink makes the connection for a journal just opened; nil: none. The
	// context ends with the agent.
	Uplink   func(ctx context.Context, j *journal.Journal) (agent.Uplink, error)
	Hours    func(policy.Hours, time.Time) policy.Opening // nil: the policy's own
	Check    func(policy.Policy) error                    // nil: the policy's own
	Probe    agent.Prober                                 // nil: the browser is asked nothing
	Prepared func(agent.Rules)                            // hears of each standby that is made
	Fault    wire.Reason
	Lists    agent.Lists        // nil: no list of names can be had
	Spare    bool               // memory for a standby beside a session
	Pages    agent.ShellBrowser // nil: none
	Anew     <-chan error       // see agent.Parts.Restart
	Disk     *Disk              // nil: never full
	Light    agent.Output       // nil: none
	Buzzer   agent.Output
	Mains    agent.Output
	Screen   hw.Screen
	Board    *Board // that can be switched off; nil: it cannot
	Meter    energy.Meter
	Printer  *Printer            // of the terminal's file; nil: it names none
	Printers agent.PrinterOpener // nil: rules name none
	Line     agent.Line
	Knock    agent.Knocker
	Trial    time.Duration
	Log      *slog.Logger
}

// Believe sets the keys that the next start verifies signatures with.
func (t *Terminal) Believe(keys []ed25519.PublicKey) { t.opt.SignKeys = keys }

// Terminal is a real agent, journal and session machine on a machine of stubs.
// What is not the agent's survives Kill and Stop.
type Terminal struct {
	Warden   *Warden
	Browsers *Browsers
	Stage    *Stage
	Clock    *Clock
	Shell    *Shell // of the agent that runs; replaced by Start
	Journal  *journal.Journal

	opt    Options
	ticks  chan time.Time
	taps   chan hw.Tap
	box    chan hw.Level
	call   chan hw.Level
	alarm  chan hw.Level
	cancel context.CancelCauseFunc
	ended  chan struct{}
	err    error
	boots  int
}

// New makes a terminal that is switched off.
func New(o Options) *Terminal {
	if o.Start.IsZero() {
		o.Start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	}
	t := &Terminal{opt: o, Warden: NewWarden(o.ReceiptKey, o.Sim), Browsers: &Browsers{}, Stage: &Stage{}, Clock: NewClock(o.Start)}
	t.Clock.Set(o.Start, !o.Unsure)
	return t
}

// Start switches it on.
func (t *Terminal) Start() error {
	j, err := journal.Open(filepath.Join(t.opt.Dir, "journal.db"), journal.Options{Clock: t.Clock})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	t.boots++
	t.Browsers.begin()
	t.Journal, t.Shell, t.cancel, t.ended = j, newShell(), cancel, make(chan struct{})
	t.ticks, t.taps, t.box = make(chan time.Time), make(chan hw.Tap), make(chan hw.Level)
	t.call, t.alarm = make(chan hw.Level), make(chan hw.Level)
	p := agent.Parts{Warden: t.Warden, Browser: t.Browsers, Stage: t.Stage, Shell: t.Shell, Journal: j, Clock: t.Clock, Ticks: t.ticks,
		Taps: t.taps, Case: t.box, Call: t.call, Fault: t.opt.Fault, Check: t.opt.Check, Hours: t.opt.Hours,
		Prepare: func(r agent.Rules, lang string) (sandbox.Prepare, []byte, error) {
			if t.opt.Prepared != nil {
				t.opt.Prepared(r)
			}
			return sandbox.Prepare{Policy: r.Signed, Lang: lang}, []byte("<!doctype html>"), nil
		}}
	p.Pages, p.Restart, p.Probe = t.opt.Pages, t.opt.Anew, t.opt.Probe
	p.Lists = t.opt.Lists
	p.Alarm, p.Light, p.Buzzer, p.Mains, p.Screen = t.alarm, t.opt.Light, t.opt.Buzzer, t.opt.Mains, t.opt.Screen
	if p.Meter = t.opt.Meter; t.opt.Board != nil {
		p.Wake, p.Power = t.opt.Board, t.opt.Board
	}
	if t.opt.Printer != nil {
		t.Warden.Prints()
		p.Printer = t.opt.Printer
	}
	if p.Printers = t.opt.Printers; p.Printers != nil {
		t.Warden.Prints()
	}
	p.Spare, p.Windows = t.opt.Spare, []uint32{11, 12}
	if t.opt.Disk != nil {
		p.Journal = diskJournal{j, t.opt.Disk}
	}
	if t.opt.Uplink != nil {
		if p.Uplink, err = t.opt.Uplink(ctx, j); err != nil {
			cancel(err)
			return errors.Join(err, j.Close())
		}
	}
	p.Line, p.Knock = t.opt.Line, t.opt.Knock
	if w, ok := p.Uplink.(agent.Ways); ok {
		p.Ways = w
	}
	a, err := agent.New(agent.Config{Trial: t.opt.Trial, Terminal: t.opt.Terminal, SignKeys: t.opt.SignKeys, Build: "test", Boot: fmt.Sprintf("boot-%d", t.boots),
		Machine: "stub", Sim: t.opt.Sim, State: t.opt.Dir, Log: t.opt.Log}, p)
	if err != nil {
		cancel(err)
		return errors.Join(err, j.Close())
	}
	ended := t.ended
	go func() {
		t.err = a.Run(ctx)
		cancel(nil)
		close(ended)
	}()
	return nil
}

// Kill stops it where it is, without any cleanup: only the disk and the
// machine around it stay.
func (t *Terminal) Kill() error {
	t.cancel(agent.ErrAbandon)
	<-t.ended
	return t.Journal.Close()
}

// Stop ends it as a shutdown does, and returns Run's error.
func (t *Terminal) Stop() error {
	t.cancel(nil)
	<-t.ended
	return errors.Join(t.err, t.Journal.Close())
}

// Ended is closed when the agent has ended, by itself or not.
func (t *Terminal) Ended() <-chan struct{} { return t.ended }

// Err is why it ended; read it after Ended.
func (t *Terminal) Err() error { return t.err }

// Tick moves the time and lets the agent see it.
func (t *Terminal) Tick(d time.Duration) {
	t.Clock.Advance(d)
	wall, _ := t.Clock.Now()
	select {
	case t.ticks <- wall:
	case <-t.ended:
	}
}

// Pass lets time go by, second by second.
func (t *Terminal) Pass(d time.Duration) {
	for ; d > 0; d -= time.Second {
		t.Tick(time.Second)
	}
}

// Press is what a person presses on the shell's page.
func (t *Terminal) Press(do shell.Do) { t.PressWith(shell.Action{Do: do}) }

// PressWith is a whole action.
func (t *Terminal) PressWith(a shell.Action) {
	select {
	case t.Shell.actions <- a:
	case <-t.ended:
	}
}

// Tap holds badges to the reader, told apart by a letter.
func (t *Terminal) Tap(badges ...byte) {
	tap := hw.Tap{}
	for _, b := range badges {
		tap.Badges = append(tap.Badges, hw.Badge{Key: [32]byte{b}, Bytes: 4, Assurance: hw.AssuranceUID})
	}
	select {
	case t.taps <- tap:
	case <-t.ended:
	}
}

// Case sets the case contact.
func (t *Terminal) Case(l hw.Level) {
	select {
	case t.box <- l:
	case <-t.ended:
	}
}

// Alarm arms and disarms the building's alarm.
func (t *Terminal) Alarm(l hw.Level) {
	select {
	case t.alarm <- l:
	case <-t.ended:
	}
}

// Hold holds out one badge as a reader told of it.
func (t *Terminal) Hold(b hw.Badge) { t.HoldAll(b) }

// HoldAll holds out several together.
func (t *Terminal) HoldAll(all ...hw.Badge) {
	select {
	case t.taps <- hw.Tap{Badges: all}:
	case <-t.ended:
	}
}

// CallStaff moves the button that calls staff.
func (t *Terminal) CallStaff(l hw.Level) {
	select {
	case t.call <- l:
	case <-t.ended:
	}
}

// Wait waits until the shell shows what is wanted. It moves no time.
func (t *Terminal) Wait(within time.Duration, want func(shell.View) bool) (shell.View, error) {
	late := time.NewTimer(within)
	defer late.Stop()
	for {
		v, changed := t.Shell.View()
		if want(v) {
			return v, nil
		}
		select {
		case <-changed:
		case <-t.ended:
			return v, fmt.Errorf("the agent ended on screen %q: %w", v.Screen, t.err)
		case <-late.C:
			return v, fmt.Errorf("the screen is %q (%s), and not what is waited for", v.Screen, v.Reason)
		}
	}
}
