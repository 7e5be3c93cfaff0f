// Package energy carries a terminal's energy plan out: screen, relay, processor,
// and switching off with a verified alarm. One goroutine owns all of it; whoever
// tells it how things stand never waits for it.
//
// A printer is put to sleep by the relay that it hangs on, where there is one, and
// never while something prints. Otherwise nothing is sent to it: IPP has no verb
// for that which printers share (those of PWG 5100.22 are for a system's
// operators, and hardly any desk printer knows them), and each falls asleep by
// itself.
package energy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/hw"
)

// Dimmer is a screen that can be darker without being off; screen.Chain is one.
// It fails where the display has no such light: the page is made darker then.
type Dimmer interface {
	Dim(ctx context.Context, dim bool) error
}

// Output is the relay of what sleeps with the terminal.
type Output interface {
	Set(ctx context.Context, l hw.Level) (hw.Level, error)
}

// Alarm is the clock that can start the machine. Set returns what reads back.
type Alarm interface {
	Set(ctx context.Context, at time.Time) (time.Time, error)
	Clear(ctx context.Context) error
}

// Power is what needs rights over the machine.
type Power interface {
	// Govern slows the processor down, or lets it work as before. It returns what
	// governs it now; empty: it cannot be governed.
	Govern(ctx context.Context, low bool) (string, error)
	// Halt switches the machine off until wakeAt. simulated: it stays on, and is
	// only to behave as if it were off.
	Halt(ctx context.Context, wakeAt time.Time) (simulated bool, err error)
}

// Meter reads what the terminal has used since the meter was made: a counter
// that only rises.
type Meter interface {
	Wh(ctx context.Context) (float64, error)
}

// Config is what a keeper works with. Mono and Idle are required.
type Config struct {
	Mono   func() time.Duration          // never goes back
	Idle   func() (time.Duration, error) // since the last key or movement
	Screen hw.Screen                     // nil: it is always lit
	Dimmer Dimmer                        // nil: the page is made darker
	Mains  Output                        // nil: there is no relay
	Alarm  Alarm                         // nil: nothing can start the machine
	Power  Power                         // nil: neither slow nor off
	Meter  Meter                         // nil: none
	Log    *slog.Logger
}

// Order is how things stand, as the owner of the session sees it.
type Order struct {
	At      time.Duration // monotonic
	Wall    time.Time
	Sure    bool
	Energy  policy.Energy
	Opening policy.Opening
	Armed   bool
	Busy    bool
	Keep    bool
	Held    time.Time
	Since   time.Duration // when a badge or a person seen coming, or a change of phase, was last
	// Halt is the alarm of a State that said PowerHalting, once all that must
	// outlive the night is on the disk: it may go off now. Zero: not yet.
	Halt time.Time
}

// State is what is carried out.
type State struct {
	Power    wire.Power
	Dark     bool      // the screen was seen to be dark
	Blind    bool      // nothing can see whether it is
	Dim      bool      // the page is to be darker
	Wakes    time.Time // with PowerHalting: the alarm, as it reads back
	Alarm    string    // why nothing can start the machine, for staff, in French; empty: it can, or nobody asks it to
	Relay    hw.Level  // as it was told; Unknown: there is none
	Governor string    // of the processor; empty: not known
	Off      bool      // a simulated terminal behaves as if it were off
	Wh       float64   // of the meter; 0: none
	WhAt     time.Duration
}

// Kind is what the time in this state counts as. Only a screen that was seen to
// be dark counts as dark: nobody is told of savings that nobody saw. One that
// nothing can see (Blind) counts as lit all night, the slow processor included, so
// that figures are too high rather than too low; the terminal's page says so.
func (s State) Kind() Kind {
	switch {
	case s.Off:
		return Halted
	case !s.Dark:
		return Lit
	case s.Power == wire.PowerLow || s.Power == wire.PowerHalting:
		return Low
	}
	return Dark
}

// Keeper carries the plan out.
type Keeper struct {
	cfg    Config
	orders chan Order
	states chan State
}

// New makes one; Run starts it.
func New(cfg Config) (*Keeper, error) {
	if cfg.Mono == nil || cfg.Idle == nil {
		return nil, errors.New("cannot save energy without a monotonic time and the time since the last input: give Mono and Idle")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{cfg: cfg, orders: make(chan Order, 1), states: make(chan State, 1)}, nil
}

// Set says how things stand. It never waits; the newest counts.
func (k *Keeper) Set(o Order) { newest(k.orders, o) }

// States yields the newest state after each change.
func (k *Keeper) States() <-chan State { return k.states }

// newest replaces what a channel of one holds. Only one goroutine may send.
func newest[T any](to chan T, now T) {
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

const (
	// touchEvery is how often a terminal that saves looks for a hand: with the 0.9 s
	// that screens take at most, its light is back about a second after a touch.
	touchEvery = 100 * time.Millisecond
	// restEvery is how often a closed terminal that is lit looks whether it may sleep.
	restEvery = time.Second
	// planEvery is how long a plan holds at most without being asked anew: the wall
	// clock may be set meanwhile.
	planEvery = time.Minute
	// meterEvery is how often the meter is read.
	meterEvery = 30 * time.Second
	// meterWithin bounds one reading.
	meterWithin = 10 * time.Second
	// darkWithin bounds a darkening: every way in turn, televisions included.
	darkWithin = time.Minute
	// lightWithin bounds a lighting, and is tried again when it fails.
	lightWithin = 3 * time.Second
	// darkAgain is when a screen that did not go dark is asked again.
	darkAgain = time.Minute
	// governAgain is when a processor that did not follow is told again.
	governAgain = time.Minute
	// switchWithin bounds one change of the relay or of the processor.
	switchWithin = 3 * time.Second
)

// Run owns the devices until ctx ends. A screen that a light of its own keeps dim
// is then made bright again; otherwise everything stays as it is.
func (k *Keeper) Run(ctx context.Context) {
	r := &run{Keeper: k, work: ctx, done: make(chan dark, 1), alarmed: make(chan alarmed, 1), halted: make(chan halted, 1), metered: make(chan reading, 1), state: State{Power: wire.PowerLit, Blind: k.cfg.Screen == nil}}
	defer r.end()
	r.begin()
	look := time.NewTimer(planEvery)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case r.order = <-k.orders:
			r.told = true
		case <-look.C:
		case d := <-r.done:
			r.darkened(d)
		case a := <-r.alarmed:
			r.afterAlarm(a)
		case h := <-r.halted:
			r.afterHalt(h)
		case m := <-r.metered:
			r.read(m)
		}
		if r.told {
			r.plan()
			r.meter()
		}
		r.tell()
		look.Reset(r.pause())
	}
}

// meter asks the meter now and then, off this goroutine. It is no matter of the
// terminal's when that fails; what is not measured is estimated.
func (r *run) meter() {
	at := r.cfg.Mono()
	if r.cfg.Meter == nil || r.asking || r.meterAt > 0 && at-r.meterAt < meterEvery {
		return
	}
	r.asking, r.meterAt = true, at
	r.workers.Go(func() {
		ctx, cancel := context.WithTimeout(r.work, meterWithin)
		defer cancel()
		wh, err := r.cfg.Meter.Wh(ctx)
		r.metered <- reading{wh, at, err}
	})
}

type reading struct {
	wh  float64
	at  time.Duration
	err error
}

// read takes a reading; one that failed leaves none.
func (r *run) read(m reading) {
	r.asking = false
	if m.err != nil {
		r.cfg.Log.Debug("the meter cannot be read", "error", m.err)
		m = reading{}
	}
	r.state.Wh, r.state.WhAt = m.wh, m.at
}

// noAlarm says why nothing can start the machine.
func noAlarm(err error) string {
	if err == nil {
		return "Aucune horloge de ce poste ne peut le réveiller."
	}
	return fmt.Sprintf("Le poste n’a pas pu s’arrêter avec un réveil sûr (%.200s).", err)
}
