package supervise_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"borne/hw"
	"borne/hw/clock"
	"borne/hw/devices"
	"borne/hw/sim"
	"borne/hw/supervise"
)

// plug is a meter that can be taken away and reset.
type plug struct {
	mu      sync.Mutex
	wh      float64
	away    bool
	open    int
	reading int
}

func (p *plug) Open(context.Context) (hw.Meter, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.away {
		return nil, fmt.Errorf("cannot open the meter: %w", hw.ErrAbsent)
	}
	p.open++
	return &plugged{p: p}, nil
}

func (p *plug) set(wh float64, away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wh, p.away = wh, away
}

type plugged struct {
	p    *plug
	once sync.Once
}

func (o *plugged) Read(context.Context) (hw.Energy, error) {
	o.p.mu.Lock()
	defer o.p.mu.Unlock()
	o.p.reading++
	if o.p.away {
		return hw.Energy{}, errors.New("cannot read the meter: no answer")
	}
	return hw.Energy{Wh: o.p.wh, Watts: 20}, nil
}

func (o *plugged) Close() error {
	o.once.Do(func() {
		o.p.mu.Lock()
		defer o.p.mu.Unlock()
		o.p.open--
	})
	return nil
}

// metering runs f with a supervised meter in a bubble of time.
func metering(t *testing.T, f func(ctx context.Context, p *plug, m *supervise.Meter, log *bytes.Buffer)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := &plug{wh: 1000}
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		m, err := supervise.StartMeter(ctx, supervise.Config{Name: "meter", Device: "tasmota:10.0.0.9", Clock: clock.NewMonotonic(),
			Log: slog.New(slog.NewTextHandler(&log, nil)), Rand: func() float64 { return 0 }}, p.Open)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f(ctx, p, m, &log)
		cancel()
		<-m.Done()
		if p.open != 0 {
			t.Errorf("at the end it is open %d times", p.open)
		}
		if wh, err := m.Wh(t.Context()); wh != 0 || !errors.Is(err, hw.ErrAbsent) {
			t.Errorf("after the end: Wh = %v, %v", wh, err)
		}
	})
}

func healths(s *supervise.Supervisor) (out []hw.Health) {
	for {
		select {
		case st, ok := <-s.Status():
			if !ok {
				return out
			}
			out = append(out, st.Health)
		default:
			return out
		}
	}
}

func TestMeterIsRead(t *testing.T) {
	metering(t, func(ctx context.Context, p *plug, m *supervise.Meter, _ *bytes.Buffer) {
		for _, wh := range []float64{1000, 1000.5, 1023} {
			p.set(wh, false)
			if got, err := m.Wh(ctx); got != wh || err != nil {
				t.Errorf("Wh = %v, %v; want %v", got, err, wh)
			}
		}
		if e, err := m.Read(ctx); err != nil || e.Watts != 20 {
			t.Errorf("Read = %v, %v", e, err)
		}
		gone, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := m.Wh(gone); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Wh with an ended context: %v", err)
		}
		if h := healths(m.Supervisor); !slices.Equal(h, []hw.Health{hw.Absent, hw.Opening, hw.Ready}) {
			t.Errorf("health %v", h)
		}
	})
}

// A meter that goes while nobody asks is found out, and its figure is an error
// until it is back.
func TestMeterComesBack(t *testing.T) {
	metering(t, func(ctx context.Context, p *plug, m *supervise.Meter, log *bytes.Buffer) {
		healths(m.Supervisor)
		p.set(1000, true)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if h := healths(m.Supervisor); !slices.Contains(h, hw.Degraded) {
			t.Errorf("two minutes after it went: health %v", h)
		}
		if got, err := m.Wh(ctx); got != 0 || !errors.Is(err, hw.ErrAbsent) {
			t.Errorf("away: Wh = %v, %v", got, err)
		}
		p.set(1010, false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if got, err := m.Wh(ctx); got != 1010 || err != nil {
			t.Errorf("back: Wh = %v, %v", got, err)
		}
		if l := log.String(); strings.Count(l, "device lost") != 1 || strings.Count(l, "device back") != 1 {
			t.Errorf("the log: %s", l)
		}
	})
}

// A reset is told once to whoever asks, however it was found out, and across a
// power cut of the meter.
func TestMeterResetIsTold(t *testing.T) {
	metering(t, func(ctx context.Context, p *plug, m *supervise.Meter, log *bytes.Buffer) {
		told := func(when string, wh float64) {
			t.Helper()
			if got, err := m.Wh(ctx); got != 0 || !errors.Is(err, hw.ErrMeterReset) {
				t.Errorf("%s: Wh = %v, %v; want hw.ErrMeterReset", when, got, err)
			}
			if got, err := m.Wh(ctx); got != wh || err != nil {
				t.Errorf("%s, asked again: Wh = %v, %v; want %v", when, got, err, wh)
			}
		}
		if _, err := m.Wh(ctx); err != nil {
			t.Fatal(err)
		}
		p.set(3, false)
		told("asked", 3)
		p.set(1, false)
		time.Sleep(2 * time.Minute)
		p.set(5, false) // it rises again before somebody asks
		told("looked", 5)
		p.set(5, true)
		time.Sleep(2 * time.Minute)
		p.set(0, false)
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		told("after a power cut", 0)
		if n := strings.Count(log.String(), "a meter was reset"); n != 3 {
			t.Errorf("logged %d times:\n%s", n, log)
		}
		if h := healths(m.Supervisor); h[len(h)-1] != hw.Ready {
			t.Errorf("health %v", h)
		}
	})
}

// The real driver over a real socket, as the configuration names it.
func TestMeterOnSimulator(t *testing.T) {
	fds := descriptors(t)
	for _, name := range []string{"sim:meter", "sim:meter?dialect=shelly1", "sim:meter?dialect=tasmota"} {
		d, err := hw.ParseDevice(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := devices.Check(d); err != nil {
			t.Fatal(err)
		}
		clk := sim.NewVirtualClock()
		bench := sim.NewBench(clk, 1)
		ctx, cancel := context.WithCancel(t.Context())
		m, err := supervise.StartMeter(ctx, config(newStepClock(), nil), func(ctx context.Context) (hw.Meter, error) {
			return devices.OpenMeter(ctx, d, devices.Env{Bench: bench, Clock: clk})
		})
		if err != nil {
			t.Fatal(err)
		}
		await(t, m.Status(), hw.Ready)
		before, err := m.Wh(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := bench.Do("meter", []byte(`{"watts":30}`)); err != nil {
			t.Fatal(err)
		}
		clk.Advance(10 * time.Hour)
		if after, err := m.Wh(ctx); err != nil || after-before < 299.9 || after-before > 300.1 {
			t.Errorf("%s: from %v to %v Wh, %v", name, before, after, err)
		}
		if err := bench.Do("meter", []byte(`{"fault":"garbage"}`)); err != nil {
			t.Fatal(err)
		}
		if wh, err := m.Wh(ctx); wh != 0 || err == nil {
			t.Errorf("%s: garbage reads as %v Wh, %v", name, wh, err)
		}
		await(t, m.Status(), hw.Degraded)
		cancel()
		ended(t, m.Done())
	}
	settledFDs(t, fds)
}

// settledFDs waits for the sockets' other ends, which close by themselves.
func settledFDs(t *testing.T, before int) {
	t.Helper()
	for range 1000 {
		if descriptors(t) <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d descriptors, %d before", descriptors(t), before)
}
