package fleet

import (
	"strings"
	"testing"
	"time"

	"borne/controller/wire"
)

// TestSleepIsKept: a terminal that goes off by plan says so before, and what it says
// holds until it is back, also for a controller that was restarted.
func TestSleepIsKept(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Tick = time.Hour })
	x := enrolled(w)
	changes, cancel := w.f.Subscribe()
	defer cancel()
	p := x.connect(wire.Hello{Boot: "b"})
	p.welcome()
	seq := uint64(0)
	say := func(power *wire.PowerState) LiveState {
		t.Helper()
		seq++
		p.send(wire.Message{Status: &wire.Status{Phase: "closed", Left: int(seq), Power: power}})
		waitFor(t, changes, func() bool { l, _ := w.f.Live(x.resp.Terminal); return l.Status.Left == int(seq) })
		p.send(batch(1, seq, wire.KindRefused, wire.Refused{Reason: wire.RefuseTooLate}))
		p.ack() // it comes behind the status
		l, _ := w.f.Live(x.resp.Terminal)
		return l
	}
	at := w.now().Add(13 * time.Hour).UTC().Truncate(time.Second)
	for name, c := range map[string]*wire.PowerState{
		"no alarm":        {Power: wire.PowerHalting},
		"an alarm before": {Power: wire.PowerHalting, Wakes: w.now().Add(-time.Minute)},
		"in a week":       {Power: wire.PowerHalting, Wakes: w.now().AddDate(0, 0, 7)},
		"not going off":   {Power: wire.PowerLow, Wakes: at},
	} {
		if say(c); !w.row(x.resp.Terminal).Wakes.IsZero() {
			t.Errorf("%s: it is said to wake at %s", name, w.row(x.resp.Terminal).Wakes)
		}
	}
	say(&wire.PowerState{Power: wire.PowerHalting, Wakes: at})
	if r := w.row(x.resp.Terminal); !r.Wakes.Equal(at) || w.now().Sub(r.Asleep) > time.Minute {
		t.Errorf("it is said to wake at %s, asleep since %s", r.Wakes, r.Asleep)
	}
	must(t, p.ws.Close())
	waitFor(t, changes, func() bool { l, _ := w.f.Live(x.resp.Terminal); return !l.Online })
	if r := w.row(x.resp.Terminal); !r.Wakes.Equal(at) {
		t.Errorf("once it is away it is said to wake at %s", r.Wakes)
	}
	p = x.connect(wire.Hello{Boot: "c", Epoch: 1, Seq: seq})
	p.welcome()
	if r := w.row(x.resp.Terminal); !r.Wakes.Equal(at) {
		t.Error("a connection alone says nothing")
	}
	say(nil)
	if r := w.row(x.resp.Terminal); !r.Wakes.IsZero() || !r.Asleep.IsZero() {
		t.Errorf("once it is back it is said to wake at %s, asleep since %s", r.Wakes, r.Asleep)
	}
}

// TestLitWithoutABreak: how long a screen has been lit goes on while it is dimmed,
// and over a connection that breaks.
func TestLitWithoutABreak(t *testing.T) {
	w := newWorld(t, func(c *Config) { c.Tick = time.Hour })
	x := enrolled(w)
	changes, cancel := w.f.Subscribe()
	defer cancel()
	p := x.connect(wire.Hello{Boot: "b"})
	p.welcome()
	n := 0
	say := func(power wire.Power) time.Time {
		t.Helper()
		n++
		w.late.Add(int64(time.Hour))
		p.send(wire.Message{Status: &wire.Status{Left: n, Power: &wire.PowerState{Power: power, Dark: power == wire.PowerDark, Alarm: strings.Repeat("x", 5000)}}})
		waitFor(t, changes, func() bool { l, _ := w.f.Live(x.resp.Terminal); return l.Status.Left == n })
		l, _ := w.f.Live(x.resp.Terminal)
		if len(l.Status.Power.Alarm) > maxAlarm {
			t.Errorf("%d bytes of a terminal's words are kept", len(l.Status.Power.Alarm))
		}
		return l.Lit
	}
	since := say(wire.PowerLit)
	if since.IsZero() || !say(wire.PowerDim).Equal(since) {
		t.Errorf("lit since %v", since)
	}
	must(t, p.ws.Close())
	waitFor(t, changes, func() bool { l, _ := w.f.Live(x.resp.Terminal); return !l.Online })
	p = x.connect(wire.Hello{Boot: "b", Epoch: 1})
	p.welcome()
	if again := say(wire.PowerLit); !again.Equal(since) {
		t.Errorf("after a connection that broke: %v, want %v", again, since)
	}
	if l := say(wire.PowerDark); !l.IsZero() {
		t.Errorf("dark, and lit since %v", l)
	}
	again := say(wire.PowerLow) // not seen to be dark
	if !again.After(since) {
		t.Errorf("told to be dark, it shines since %v", again)
	}
	if lit := say(wire.PowerLit); !lit.Equal(again) {
		t.Errorf("lit since %v, and shining since %v", lit, again)
	}
}
