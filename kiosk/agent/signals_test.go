package agent_test

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
	"borne/kiosk/agent/agenttest"
	"borne/kiosk/shell"
)

// lamp is an output and a screen that keeps its orders.
type lamp struct {
	mu     sync.Mutex
	levels []hw.Level
	broken bool
	failed int
	come   chan struct{}
}

func newLamp() *lamp { return &lamp{come: make(chan struct{}, 1)} }

func (l *lamp) Set(_ context.Context, to hw.Level) (hw.Level, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		l.failed++
		select {
		case l.come <- struct{}{}:
		default:
		}
		return hw.Unknown, errors.New("cannot switch the lamp: it is broken")
	}
	l.levels = append(l.levels, to)
	select {
	case l.come <- struct{}{}:
	default:
	}
	return to, nil
}

func (l *lamp) Light(ctx context.Context, on bool) (hw.Level, error) {
	return l.Set(ctx, map[bool]hw.Level{true: hw.On, false: hw.Off}[on])
}

func (l *lamp) setBroken(b bool) { l.mu.Lock(); l.broken = b; l.mu.Unlock() }

// is waits until the last order is to.
func (l *lamp) is(t *testing.T, what string, to hw.Level) {
	t.Helper()
	end := time.After(soon)
	for {
		l.mu.Lock()
		all := slices.Clone(l.levels)
		l.mu.Unlock()
		if len(all) > 0 && all[len(all)-1] == to {
			return
		}
		select {
		case <-l.come:
		case <-end:
			t.Fatalf("%s: the orders are %v, want %v at last", what, all, to)
		}
	}
}

func TestTheAlarmClosesTheTerminal(t *testing.T) {
	light := newLamp()
	b := newBed(t, func(o *agenttest.Options) { o.Light = light })
	b.ready()
	light.is(t, "somebody could begin", hw.On)
	b.active()
	b.Alarm(hw.Unknown) // as a contact begins
	b.Alarm(hw.Off)
	if v, _ := b.Shell.View(); v.Screen != shell.SessionPage {
		t.Fatalf("the shell shows %s: an alarm that is off ends nothing", v.Screen)
	}
	b.Alarm(hw.On)
	b.see(shell.Thanks)
	b.Pass(time.Minute)
	if v := b.see(shell.Closed); v.Reason != string(wire.RefuseAlarm) {
		t.Errorf("closed for %q, want %q", v.Reason, wire.RefuseAlarm)
	}
	light.is(t, "closed", hw.Off)
	b.Alarm(hw.Unknown) // a wire that is cut opens nothing
	b.waitAlerts("alarm-unknown", 1)
	if v, _ := b.Shell.View(); v.Screen != shell.Closed {
		t.Fatalf("the shell shows %s after the alarm's wire was cut", v.Screen)
	}
	b.Alarm(hw.Off)
	b.see(shell.Welcome)
	light.is(t, "open again", hw.On)
	if ends := b.records(wire.KindEnded); len(ends) != 1 {
		t.Errorf("%d sessions ended, want 1", len(ends))
	}
}

func TestTheScreenOfAClosedPlaceGoesDark(t *testing.T) {
	screen, mains := newLamp(), newLamp()
	open := true
	var mu sync.Mutex
	b := newBed(t, func(o *agenttest.Options) {
		o.Screen, o.Mains = screen, mains
		o.Hours = func(policy.Hours, time.Time) policy.Opening {
			mu.Lock()
			defer mu.Unlock()
			return policy.Opening{Open: open}
		}
	})
	screen.is(t, "begins", hw.On)
	b.ready()
	b.Stage.SetIdle(time.Hour)
	b.Pass(5 * time.Minute) // an open terminal waits lit
	mu.Lock()
	open = false
	mu.Unlock()
	b.Tick(time.Second)
	b.see(shell.Closed)
	b.Pass(59 * time.Second)
	b.Pass(2 * time.Second)
	screen.is(t, "closed and left alone", hw.Off)
	mains.is(t, "closed and left alone", hw.Off)
	b.Stage.SetIdle(0)
	screen.is(t, "touched", hw.On)
	mains.is(t, "touched", hw.On)
	b.Stage.SetIdle(time.Hour)
	screen.is(t, "left alone again", hw.Off)
	b.Tap(7)
	screen.is(t, "a badge", hw.On)
	b.Pass(61 * time.Second)
	screen.is(t, "nobody came", hw.Off)

	// A screen that stays dark is told again and again.
	screen.setBroken(true)
	b.Stage.SetIdle(0)
	for failed := 0; failed < 2; {
		select {
		case <-screen.come:
		case <-time.After(soon):
			t.Fatalf("%d orders failed, want 2", failed)
		}
		screen.mu.Lock()
		failed = screen.failed
		screen.mu.Unlock()
	}
	screen.setBroken(false)
	screen.is(t, "works again", hw.On)
	screen.mu.Lock()
	defer screen.mu.Unlock()
	if want := []hw.Level{hw.On, hw.Off, hw.On, hw.Off, hw.On, hw.Off, hw.On}; !slices.Equal(screen.levels, want) {
		t.Errorf("the screen was told %v, want %v", screen.levels, want)
	}
}

// TestAScreenThatDoesNotGoDark is asked again later, and a touch meanwhile finds it lit.
func TestAScreenThatDoesNotGoDark(t *testing.T) {
	screen := newLamp()
	b := newBed(t, func(o *agenttest.Options) { o.Screen = screen })
	b.ready()
	b.Alarm(hw.On)
	b.see(shell.Closed)
	screen.setBroken(true)
	b.Stage.SetIdle(time.Hour)
	failed := func() int { screen.mu.Lock(); defer screen.mu.Unlock(); return screen.failed }
	b.Pass(61 * time.Second)
	b.until("it is asked", func() bool { return failed() == 1 })
	b.Pass(30 * time.Second)
	if n := failed(); n != 1 {
		t.Errorf("it was asked %d times within a minute", n)
	}
	screen.setBroken(false)
	b.until("it is asked again", func() bool {
		b.Tick(time.Second)
		screen.mu.Lock()
		defer screen.mu.Unlock()
		return screen.levels[len(screen.levels)-1] == hw.Off
	})
}

// TestATouchOvertakesADarkening: a way that takes a minute holds no light back.
func TestATouchOvertakesADarkening(t *testing.T) {
	screen := &slow{lamp: newLamp(), begun: make(chan struct{}, 1)}
	b := newBed(t, func(o *agenttest.Options) { o.Screen = screen })
	b.ready()
	b.Alarm(hw.On)
	b.see(shell.Closed)
	b.Stage.SetIdle(time.Hour)
	b.Pass(61 * time.Second)
	select {
	case <-screen.begun:
	case <-time.After(soon):
		t.Fatal("no darkening begins")
	}
	b.Tap(3)
	b.until("a badge lights it while it goes dark", func() bool { // once at the start, once now
		screen.mu.Lock()
		defer screen.mu.Unlock()
		return slices.Equal(screen.levels, []hw.Level{hw.On, hw.On})
	})
}

// slow is a screen that never ends going dark.
type slow struct {
	*lamp
	begun chan struct{}
}

func (s *slow) Light(ctx context.Context, on bool) (hw.Level, error) {
	if !on {
		s.begun <- struct{}{}
		<-ctx.Done()
		return hw.Unknown, ctx.Err()
	}
	return s.lamp.Light(ctx, on)
}

func TestTheBuzzerSoundsWithAWarning(t *testing.T) {
	buzzer := newLamp()
	b := newBed(t, func(o *agenttest.Options) { o.Buzzer = buzzer })
	b.ready()
	b.active()
	b.Stage.SetIdle(time.Hour)
	b.Pass(190 * time.Second)
	b.see(shell.WarningPage)
	buzzer.is(t, "warned", hw.Off)
	buzzer.mu.Lock()
	defer buzzer.mu.Unlock()
	if !slices.Equal(buzzer.levels, []hw.Level{hw.On, hw.Off}) {
		t.Errorf("the buzzer was told %v, want a beep", buzzer.levels)
	}
}

func TestABadgeThatAnswersWronglyIsRefused(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.Hold(hw.Badge{Key: [32]byte{9}, Bytes: 7, Assurance: hw.AssuranceUID, Suspect: true})
	b.waitAlerts("badge-suspect", 1)
	if v, _ := b.Shell.View(); v.Screen != shell.Welcome {
		t.Errorf("the shell shows %s for a copied badge", v.Screen)
	}
	b.until("the person is told", func() bool { v, _ := b.Shell.View(); return v.Notice == string(wire.RefuseSuspectBadge) })
	b.Hold(hw.Badge{Key: [32]byte{9}, Bytes: 7, Assurance: hw.AssuranceMutual})
	if v := b.see(shell.CharterPage); v.Notice != "" {
		t.Errorf("the notice %q stays for the next badge", v.Notice)
	}
}

// TestACopyHeldWithAnotherCardIsStillTold: neither a second card nor a random
// number hides it.
func TestACopyHeldWithAnotherCardIsStillTold(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	b.Hold(hw.Badge{Bytes: 4, Random: true, Suspect: true})
	b.waitAlerts("badge-suspect", 1)
	b.HoldAll(hw.Badge{Key: [32]byte{1}, Bytes: 4, Assurance: hw.AssuranceUID}, hw.Badge{Key: [32]byte{2}, Bytes: 7, Suspect: true})
	b.waitAlerts("badge-suspect", 2)
}

// TestThePolicyAsksForProof: a number is not enough where it says so.
func TestThePolicyAsksForProof(t *testing.T) {
	b := newBed(t, nil)
	b.ready()
	p := rules()
	p.Version, p.Access.Proof = 2, policy.ProofKeys
	b.must(b.c.Policy(p))
	b.until("the rules are here", func() bool { b.Tick(time.Second); return len(b.records(wire.KindPolicy)) > 1 })
	for _, a := range []hw.Assurance{hw.AssuranceTruncated, hw.AssuranceUID, hw.AssuranceDynamic} {
		b.Hold(hw.Badge{Key: [32]byte{byte(a)}, Bytes: 7, Assurance: a})
		b.until("it is refused", func() bool {
			v, _ := b.Shell.View()
			return v.Screen == shell.Welcome && v.Notice == string(wire.RefuseUnprovenBadge)
		})
		b.Pass(10 * time.Second)
	}
	b.Hold(hw.Badge{Key: [32]byte{9}, Bytes: 7, Assurance: hw.AssuranceMutual})
	b.see(shell.CharterPage)
}
