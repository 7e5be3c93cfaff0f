package energy

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"borne/controller/policy"
	"borne/controller/wire"
	"borne/hw"

	"pgregory.net/rapid"
)

const soon = 10 * time.Second

// machine is all that a keeper moves, and the time it lives in.
type machine struct {
	mu       sync.Mutex
	mono     time.Duration
	idle     time.Duration // at touched
	touched  time.Duration
	screen   []bool
	verifies bool
	relay    []bool
	dims     []bool
	cannot   error // dim
	slow     []bool
	stiff    error // it cannot be governed
	alarm    time.Time
	sets     int
	off      time.Duration // the alarm reads from what was set
	noAlarm  error
	halts    []time.Time
	noHalt   error
	real     bool
	wh       float64
	broken   []string // promises
}

func (m *machine) Light(_ context.Context, on bool) (hw.Level, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.screen = append(m.screen, on)
	if !m.verifies {
		return hw.Unknown, nil
	}
	return levelOf(on), nil
}

func (m *machine) Dim(_ context.Context, dim bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.cannot == nil {
		m.dims = append(m.dims, dim)
	}
	return m.cannot
}

// relays is the machine's relay.
type relays struct{ *machine }

func (r relays) Set(_ context.Context, l hw.Level) (hw.Level, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.relay = append(r.relay, l == hw.On)
	return l, nil
}

func (m *machine) Govern(_ context.Context, low bool) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stiff != nil {
		return "powersave", m.stiff
	}
	m.slow = append(m.slow, low)
	return map[bool]string{true: "powersave", false: "schedutil"}[low], nil
}

func (m *machine) Set(_ context.Context, at time.Time) (time.Time, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sets++
	if m.noAlarm != nil {
		return time.Time{}, m.noAlarm
	}
	m.alarm = at.Add(m.off)
	return m.alarm, nil
}

func (m *machine) Clear(context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.alarm = time.Time{}
	return nil
}

func (m *machine) Halt(_ context.Context, at time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.noHalt != nil {
		return false, m.noHalt
	}
	if m.alarm.IsZero() || !m.alarm.Equal(at) {
		m.broken = append(m.broken, "it goes off with its alarm at "+m.alarm.String()+" instead of "+at.String())
	}
	m.halts = append(m.halts, at)
	return !m.real, nil
}

func (m *machine) Wh(context.Context) (float64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.wh, nil
}

func (m *machine) now() time.Duration { m.mu.Lock(); defer m.mu.Unlock(); return m.mono }
func (m *machine) quiet() (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.idle + m.mono - m.touched, nil
}
func (m *machine) pass(d time.Duration) { m.mu.Lock(); m.mono += d; m.mu.Unlock() }
func (m *machine) touch()               { m.mu.Lock(); m.idle, m.touched = 0, m.mono; m.mu.Unlock() }
func (m *machine) look(f func())        { m.mu.Lock(); defer m.mu.Unlock(); f() }
func last[T any](all []T) (x T) {
	if len(all) > 0 {
		x = all[len(all)-1]
	}
	return x
}

// bed is a keeper at work on a machine.
type bed struct {
	*machine
	t     testing.TB
	k     *Keeper
	state State
	order Order
}

var evening = time.Date(2026, 3, 4, 18, 0, 0, 0, time.UTC)

// closed is a night's opening.
func closed() policy.Opening {
	return policy.Opening{Since: evening, Until: evening.Add(14 * time.Hour)}
}

func newBed(t testing.TB, change func(*machine, *Config)) *bed {
	m := &machine{verifies: true, mono: time.Hour, idle: time.Hour, cannot: errors.New("cannot dim: no light of its own")}
	c := Config{Mono: m.now, Idle: m.quiet, Screen: m, Dimmer: m, Mains: relays{m}, Alarm: m, Power: m}
	if change != nil {
		change(m, &c)
	}
	k, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{machine: m, t: t, k: k, order: Order{Wall: evening, Sure: true, Energy: policy.DefaultEnergy(), Opening: policy.Opening{Open: true}}}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { k.Run(ctx); close(done) }()
	t.Cleanup(func() {
		cancel()
		<-done
		if len(m.broken) > 0 {
			t.Errorf("broken promises: %v", m.broken)
		}
	})
	b.set(nil)
	return b
}

// set gives an order, with the time as it is.
func (b *bed) set(change func(*Order)) {
	if change != nil {
		change(&b.order)
	}
	o := b.order
	o.At = b.now()
	o.Wall = b.order.Wall.Add(o.At - time.Hour)
	b.k.Set(o)
}

// until waits for a state; an order comes with each second, as from the agent.
func (b *bed) until(what string, is func(State) bool) State {
	b.t.Helper()
	end := time.After(soon)
	for !is(b.state) {
		select {
		case b.state = <-b.k.States():
		case <-end:
			b.t.Fatalf("%s: the state is %+v", what, b.state)
		}
	}
	return b.state
}

// cleared waits until an alarm that was set is taken back.
func (b *bed) cleared() {
	b.t.Helper()
	for end := time.Now().Add(soon); ; time.Sleep(time.Millisecond) {
		var sets int
		var at time.Time
		if b.look(func() { sets, at = b.sets, b.alarm }); sets > 0 && at.IsZero() {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("after %d alarms one stays at %v", sets, at)
		}
	}
}

// go on with time, told of it.
func (b *bed) after(d time.Duration, change func(*Order)) { b.pass(d); b.set(change) }

func TestByDayTheWelcomeIsDimmed(t *testing.T) {
	for _, own := range []bool{false, true} {
		b := newBed(t, func(m *machine, _ *Config) {
			if own {
				m.cannot = nil
			}
		})
		b.until("left alone", func(s State) bool { return s.Power == wire.PowerDim && s.Dim == !own })
		b.touch()
		b.until("touched", func(s State) bool { return s.Power == wire.PowerLit && !s.Dim })
		b.look(func() {
			if want := []bool{false, true, false}; own && !slices.Equal(b.dims, want) { // whatever the last run left is made bright
				t.Errorf("the screen's own light: %v, want %v", b.dims, want)
			}
			if !slices.Equal(b.screen, []bool{true}) || !slices.Equal(b.relay, []bool{true}) || slices.Contains(b.slow, true) {
				t.Errorf("screen %v, relay %v, slow %v", b.screen, b.relay, b.slow)
			}
		})
		b.after(9*time.Minute, nil)
		b.after(2*time.Minute, func(o *Order) { o.Energy.DarkMinutes = 10 })
		b.until("a black screen by day", func(s State) bool { return s.Power == wire.PowerDark && s.Dark })
		b.after(0, func(o *Order) { o.Since = b.now() })
		b.until("somebody is seen coming", func(s State) bool { return s.Power == wire.PowerLit && !s.Dark })
	}
}

func TestANightInLowPower(t *testing.T) {
	b := newBed(t, nil)
	b.after(30*time.Minute, func(o *Order) { o.Opening = closed() })
	s := b.until("the night", func(s State) bool { return s.Power == wire.PowerLow && s.Dark })
	if s.Relay != hw.Off || s.Governor != "powersave" || s.Kind() != Low || s.Alarm != "" {
		t.Errorf("by night %+v", s)
	}
	b.touch()
	if s = b.until("a hand", func(s State) bool { return s.Power == wire.PowerLit && s.Governor == "schedutil" }); s.Relay != hw.On || s.Dark || s.Kind() != Lit {
		t.Errorf("with somebody there %+v", s)
	}
	b.after(time.Minute, nil)
	b.until("and nobody any more", func(s State) bool { return s.Power == wire.PowerLow && s.Dark })
	b.after(0, func(o *Order) { o.Held = evening.Add(4 * time.Hour) })
	b.until("held", func(s State) bool { return s.Power == wire.PowerLit })
	b.look(func() {
		if len(b.halts) > 0 || b.sets > 0 {
			t.Errorf("%d halts, %d alarms in a night of low power", len(b.halts), b.sets)
		}
	})
}

// TestAScreenThatTellsNothingIsNotDark: nobody is told of what nobody saw.
func TestAScreenThatTellsNothingIsNotDark(t *testing.T) {
	b := newBed(t, func(m *machine, _ *Config) { m.verifies = false })
	b.after(30*time.Minute, func(o *Order) { o.Opening = closed() })
	s := b.until("the night", func(s State) bool { return s.Power == wire.PowerLow && s.Governor == "powersave" && s.Blind })
	if s.Dark || s.Kind() != Lit {
		t.Errorf("unverified, and %+v counts as %d", s, s.Kind())
	}
}

// TestAScreenThatStaysLitIsNotBlind: it can be read, and shines, or fails.
func TestAScreenThatStaysLitIsNotBlind(t *testing.T) {
	for _, c := range []struct {
		level              hw.Level
		err                error
		dark, blind, glows bool
	}{
		{hw.Off, nil, true, false, false},
		{hw.On, nil, false, false, true},
		{hw.Unknown, nil, false, true, false},
		{hw.Unknown, errors.New("cannot darken the display: nobody answers"), false, false, true},
	} {
		k, err := New(Config{Mono: (&machine{}).now, Idle: (&machine{}).quiet})
		if err != nil {
			t.Fatal(err)
		}
		r := &run{Keeper: k, asleep: true, stop: func() {}, state: State{Power: wire.PowerLow, Blind: true}}
		r.darkened(dark{c.level, c.err})
		s := r.state
		if p := (wire.PowerState{Power: s.Power, Dark: s.Dark, Blind: s.Blind}); s.Dark != c.dark || s.Blind != c.blind || p.Glows() != c.glows {
			t.Errorf("%v, %v: %+v", c.level, c.err, s)
		}
	}
	b := newBed(t, func(_ *machine, c *Config) { c.Screen = nil })
	b.after(30*time.Minute, func(o *Order) { o.Opening = closed() })
	b.until("without a screen to read", func(s State) bool { return s.Power == wire.PowerLow && s.Blind && !s.Dark })
}

func halting(o *Order) { o.Opening, o.Energy.Night = closed(), policy.NightHalt }

func TestOffAndOnAgain(t *testing.T) {
	b := newBed(t, nil)
	b.after(30*time.Minute, halting)
	wake := closed().Until.Add(-12 * time.Minute)
	s := b.until("the alarm is set", func(s State) bool { return s.Power == wire.PowerHalting })
	if !s.Wakes.Equal(wake) || !s.Dark || s.Off {
		t.Fatalf("%+v, want to wake at %v", s, wake)
	}
	b.look(func() {
		if len(b.halts) > 0 {
			t.Fatal("it goes off before the owner gave the word")
		}
	})
	b.after(0, func(o *Order) { o.Halt = wake.Add(-time.Hour) }) // of another night
	b.after(time.Second, func(o *Order) { o.Halt = wake })
	if s = b.until("off", func(s State) bool { return s.Off }); s.Kind() != Halted {
		t.Errorf("%+v counts as %d", s, s.Kind())
	}
	b.look(func() {
		if !slices.Equal(b.halts, []time.Time{wake}) {
			t.Errorf("switched off until %v", b.halts)
		}
	})
	b.touch()
	b.until("its switch", func(s State) bool { return !s.Off && s.Power == wire.PowerLit && s.Wakes.IsZero() })
	b.after(time.Minute, func(o *Order) { o.Halt = time.Time{} })
	b.until("it has just started", func(s State) bool { return s.Power == wire.PowerLow && s.Dark })
	b.after(5*time.Minute, nil)
	b.until("the alarm is set again", func(s State) bool { return s.Power == wire.PowerHalting })
	b.after(0, func(o *Order) { o.Halt = wake })
	b.until("off again", func(s State) bool { return s.Off })
	b.after(14*time.Hour, nil)
	b.until("its alarm", func(s State) bool { return !s.Off && s.Power == wire.PowerLit })
}

// TestSomebodyComesBeforeItGoesOff: the alarm is taken back, and the word counts no more.
func TestSomebodyComesBeforeItGoesOff(t *testing.T) {
	b := newBed(t, nil)
	b.after(30*time.Minute, halting)
	s := b.until("the alarm is set", func(s State) bool { return s.Power == wire.PowerHalting })
	b.touch()
	b.until("touched", func(s State) bool { return s.Power == wire.PowerLit && s.Wakes.IsZero() })
	b.after(0, func(o *Order) { o.Halt = s.Wakes })
	b.after(time.Second, func(o *Order) { o.Busy = true })
	b.after(time.Hour, nil)
	b.cleared()
	b.look(func() {
		if len(b.halts) > 0 {
			t.Errorf("off %v", b.halts)
		}
	})
}

// stuck is a clock that answers when it is let go.
type stuck struct {
	*machine
	asked, let chan struct{}
}

func (s stuck) Set(ctx context.Context, at time.Time) (time.Time, error) {
	s.asked <- struct{}{}
	<-s.let
	return s.machine.Set(ctx, at)
}

// TestASlowClockKeepsNobodyInTheDark: who comes while it is asked finds the light,
// and what it says then is taken back.
func TestASlowClockKeepsNobodyInTheDark(t *testing.T) {
	clock := stuck{asked: make(chan struct{}, 8), let: make(chan struct{})}
	b := newBed(t, func(m *machine, c *Config) { clock.machine, c.Alarm = m, &clock })
	b.after(30*time.Minute, halting)
	select {
	case <-clock.asked:
	case <-time.After(soon):
		t.Fatal("the clock is not asked")
	}
	b.touch()
	b.until("the light", func(s State) bool { return s.Power == wire.PowerLit && !s.Dark })
	close(clock.let)
	b.cleared()
	b.look(func() {
		if b.sets != 1 || len(b.halts) > 0 {
			t.Errorf("%d alarms, off %v", b.sets, b.halts)
		}
	})
}

// TestWithoutTheTimeSinceAHandItStaysLit: nobody is left in the dark for what cannot be known.
func TestWithoutTheTimeSinceAHandItStaysLit(t *testing.T) {
	b := newBed(t, func(_ *machine, c *Config) {
		c.Idle = func() (time.Duration, error) { return 0, errors.New("no display") }
	})
	b.until("it begins", func(s State) bool { return s.Power == wire.PowerLit })
	for range 20 {
		b.after(time.Hour, halting)
	}
	b.after(0, func(o *Order) { o.Held = evening.Add(21 * time.Hour) }) // an order that is certainly taken
	b.look(func() {
		if slices.Contains(b.screen, false) || len(b.halts) > 0 {
			t.Errorf("screen %v, off %v", b.screen, b.halts)
		}
	})
}

// TestHoursThatComeBeforeItGoesOff: the word for the alarm of before counts no more,
// and it wakes for the new hours.
func TestHoursThatComeBeforeItGoesOff(t *testing.T) {
	for name, by := range map[string]time.Duration{"earlier": -3 * time.Hour, "a little earlier": -time.Minute, "later": 2 * time.Hour} {
		b := newBed(t, nil)
		b.after(30*time.Minute, halting)
		was := b.until("the alarm is set", func(s State) bool { return s.Power == wire.PowerHalting }).Wakes
		b.after(5*time.Second, func(o *Order) { o.Opening.Until, o.Halt = o.Opening.Until.Add(by), was })
		s := b.until(name, func(s State) bool { return s.Off || s.Power == wire.PowerHalting && !s.Wakes.Equal(was) })
		if want := was.Add(by); s.Off || !s.Wakes.Equal(want) {
			t.Fatalf("%s: %+v, want to wake at %v", name, s, want)
		}
		b.after(time.Second, func(o *Order) { o.Halt = s.Wakes })
		b.until("off", func(s State) bool { return s.Off })
	}
	// Without an opening in sight the alarm is ever so long from now: it is set once.
	b := newBed(t, nil)
	b.after(30*time.Minute, func(o *Order) { halting(o); o.Opening.Until = time.Time{} })
	was := b.until("the alarm is set", func(s State) bool { return s.Power == wire.PowerHalting }).Wakes
	b.after(2*time.Minute, func(o *Order) { o.Halt = was })
	b.until("off", func(s State) bool { return s.Off })
	b.look(func() {
		if b.sets != 1 {
			t.Errorf("%d alarms for one night", b.sets)
		}
	})
}

// TestAProcessorThatDoesNotFollowIsToldAgain, whoever left it slow.
func TestAProcessorThatDoesNotFollowIsToldAgain(t *testing.T) {
	b := newBed(t, func(m *machine, _ *Config) { m.stiff = errors.New("cannot govern: the kernel is busy") })
	b.touch()
	b.until("as it was left", func(s State) bool { return s.Governor == "powersave" })
	b.look(func() { b.stiff = nil })
	b.after(2*time.Minute, nil)
	b.until("told again", func(s State) bool { return s.Governor == "schedutil" })
	b.after(time.Hour, nil)
	b.look(func() {
		if !slices.Equal(b.slow, []bool{false}) {
			t.Errorf("it was told %v", b.slow)
		}
	})
}

// TestNothingIsSwitchedOffWithoutAnAlarm: it stays in low power, tells why, and tries again later.
func TestNothingIsSwitchedOffWithoutAnAlarm(t *testing.T) {
	for name, change := range map[string]func(*machine, *Config){
		"no clock":     func(_ *machine, c *Config) { c.Alarm = nil },
		"no rights":    func(_ *machine, c *Config) { c.Power = nil },
		"refused":      func(m *machine, _ *Config) { m.noAlarm = errors.New("cannot set the alarm: it has none") },
		"another time": func(m *machine, _ *Config) { m.off = 2 * time.Minute },
		"past":         func(m *machine, _ *Config) { m.off = -48 * time.Hour },
		"no power":     func(m *machine, _ *Config) { m.noHalt = errors.New("cannot switch off: somebody is in a session") },
	} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, change)
			b.after(30*time.Minute, halting)
			wake := closed().Until.Add(-12 * time.Minute)
			b.after(0, func(o *Order) { o.Halt = wake })
			s := b.until("it tells why", func(s State) bool { return s.Power == wire.PowerLow && s.Dark && s.Alarm != "" })
			if s.Off || !s.Wakes.IsZero() {
				t.Errorf("%+v", s)
			}
			var sets int
			b.look(func() { sets = b.sets; b.noAlarm, b.off, b.noHalt = nil, 0, nil })
			if name == "no clock" || name == "no rights" {
				return
			}
			b.after(14*time.Minute, nil)
			b.look(func() {
				if b.sets != sets || len(b.halts) > 0 {
					t.Errorf("%d alarms more within a quarter of an hour, off %v", b.sets-sets, b.halts)
				}
			})
			b.after(2*time.Minute, nil)
			b.until("mended", func(s State) bool { return s.Off && s.Alarm == "" })
		})
	}
}

// TestAMachineThatStaysOnIsTold: the order went out, and nothing came of it.
func TestAMachineThatStaysOnIsTold(t *testing.T) {
	b := newBed(t, func(m *machine, _ *Config) { m.real = true })
	b.after(30*time.Minute, halting)
	s := b.until("the alarm is set", func(s State) bool { return s.Power == wire.PowerHalting })
	b.after(0, func(o *Order) { o.Halt = s.Wakes })
	for end := time.Now().Add(soon); s.Alarm == ""; { // time goes on, whenever the answer comes
		if time.Now().After(end) {
			t.Fatalf("never told: %+v", s)
		}
		b.after(10*time.Second, nil)
		select {
		case s = <-b.k.States():
		case <-time.After(time.Millisecond):
		}
	}
	if s.Power != wire.PowerLow || s.Off {
		t.Errorf("%+v", s)
	}
	b.cleared()
	b.look(func() {
		if len(b.halts) != 1 {
			t.Errorf("told %d times", len(b.halts))
		}
	})
}

func TestTheMeterIsRead(t *testing.T) {
	b := newBed(t, func(m *machine, c *Config) { m.wh, c.Meter = 12.5, m })
	b.until("a reading", func(s State) bool { return s.Wh == 12.5 && s.WhAt == time.Hour })
}

// TestWhateverComesNobodyIsLeftInTheDark drives the owner's side directly: after
// each plan the devices are where they may be.
func TestWhateverComesNobodyIsLeftInTheDark(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &machine{verifies: true, mono: time.Hour, cannot: errors.New("cannot dim")}
		k, err := New(Config{Mono: m.now, Idle: m.quiet, Screen: m, Dimmer: m, Mains: relays{m}, Alarm: m, Power: m})
		if err != nil {
			t.Fatal(err)
		}
		work, cancel := context.WithCancel(context.Background())
		r := &run{Keeper: k, work: work, done: make(chan dark, 1), alarmed: make(chan alarmed, 1), halted: make(chan halted, 1), state: State{Power: wire.PowerLit}}
		defer func() { cancel(); r.end() }()
		r.begin()
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			m.pass(time.Duration(rapid.IntRange(0, 4000).Draw(t, "seconds")) * time.Second)
			if rapid.IntRange(0, 3).Draw(t, "touch") == 0 {
				m.touch()
			}
			m.noAlarm, m.noHalt = nil, nil
			if rapid.IntRange(0, 4).Draw(t, "fails") == 0 {
				m.noAlarm = errors.New("cannot set it")
			}
			o := Order{At: m.mono, Wall: evening.Add(m.mono - time.Hour), Sure: rapid.IntRange(0, 4).Draw(t, "sure") > 0, Energy: policy.DefaultEnergy(),
				Busy: rapid.IntRange(0, 3).Draw(t, "busy") == 0, Keep: rapid.IntRange(0, 5).Draw(t, "keep") == 0}
			o.Energy.Night = rapid.SampledFrom([]policy.Night{policy.NightHalt, policy.NightHalt, policy.NightLow, policy.NightDark, policy.NightLit}).Draw(t, "night")
			if o.Opening = closed(); rapid.IntRange(0, 3).Draw(t, "open") == 0 {
				o.Opening = policy.Opening{Open: true}
			}
			if rapid.Bool().Draw(t, "word") {
				o.Halt = r.state.Wakes
			}
			before, armed := len(m.halts), r.state.Wakes
			r.order, r.told = o, true
			r.plan()
			for r.stop != nil || r.off.alarm || r.off.asked {
				select {
				case d := <-r.done:
					r.darkened(d)
				case a := <-r.alarmed:
					r.afterAlarm(a)
				case h := <-r.halted:
					r.afterHalt(h)
				}
				r.plan()
			}
			lit := last(m.screen) && last(m.relay) && !last(m.slow)
			quiet, _ := m.quiet()
			switch {
			case o.Busy && !lit && !r.state.Off:
				t.Fatalf("busy, and screen %v, relay %v, slow %v", last(m.screen), last(m.relay), last(m.slow))
			case quiet == 0 && !lit && !r.state.Off:
				t.Fatalf("a hand, and screen %v, relay %v, slow %v", last(m.screen), last(m.relay), last(m.slow))
			case len(m.halts) > before && (o.Halt.IsZero() || !o.Halt.Equal(armed)):
				t.Fatalf("it goes off until %v with the word for %v", last(m.halts), o.Halt)
			case len(m.halts) > before && (o.Busy || o.Keep || !o.Sure || o.Opening.Open || o.Energy.Night != policy.NightHalt):
				t.Fatalf("it goes off in %+v", o)
			case r.state.Power == wire.PowerHalting && !m.alarm.Equal(r.state.Wakes):
				t.Fatalf("halting with the alarm at %v instead of %v", m.alarm, r.state.Wakes)
			case r.state.Power != wire.PowerHalting && !m.alarm.IsZero():
				t.Fatalf("%s, and the alarm stays at %v", r.state.Power, m.alarm)
			case len(m.broken) > 0:
				t.Fatal(m.broken)
			}
		}
	})
}
