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
	"borne/hw/supervise"
)

// relay is an output that can be unplugged, refuse and hang.
type relay struct {
	mu      sync.Mutex
	level   hw.Level
	plugged bool
	open    int
	opened  int
	sets    []hw.Level
	hang    chan struct{} // while not nil, Set waits for it, whatever its context
}

func (r *relay) Open(context.Context) (hw.Output, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.plugged {
		return nil, fmt.Errorf("cannot open the relay: %w", hw.ErrAbsent)
	}
	r.open, r.opened, r.level = r.open+1, r.opened+1, hw.Off
	return &opening{r: r}, nil
}

func (r *relay) plug(in bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.plugged = in
	if !in {
		r.level = hw.Unknown
	}
}

func (r *relay) state() (level hw.Level, open, opened int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.level, r.open, r.opened
}

type opening struct {
	r    *relay
	once sync.Once
}

func (o *opening) Set(ctx context.Context, l hw.Level) (hw.Level, error) {
	o.r.mu.Lock()
	hang := o.r.hang
	o.r.mu.Unlock()
	if hang != nil {
		<-hang
	}
	o.r.mu.Lock()
	defer o.r.mu.Unlock()
	if !o.r.plugged {
		return hw.Unknown, fmt.Errorf("cannot switch the relay: %w", hw.ErrAbsent)
	}
	o.r.level = l
	o.r.sets = append(o.r.sets, l)
	return l, nil
}

func (o *opening) Close() error {
	o.once.Do(func() {
		o.r.mu.Lock()
		defer o.r.mu.Unlock()
		o.r.open--
		if o.r.plugged {
			o.r.level = hw.Off
		}
	})
	return nil
}

// supervised runs f with a supervised relay in a bubble of time.
func supervised(t *testing.T, f func(ctx context.Context, r *relay, o *supervise.Output, log *bytes.Buffer, end func())) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		r := &relay{plugged: true}
		var log bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		o, err := supervise.StartOutput(ctx, supervise.Config{Name: "relay-screen", Device: "gpio:auto/17", Clock: clock.NewMonotonic(),
			Log: slog.New(slog.NewTextHandler(&log, nil)), Rand: func() float64 { return 0 }}, r.Open)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		f(ctx, r, o, &log, cancel)
		cancel()
		<-o.Done()
		if level, open, _ := r.state(); open != 0 || level == hw.On {
			t.Errorf("at the end it is %v, and open %d times", level, open)
		}
	})
}

func health(o *supervise.Output) (out []hw.Health) {
	for {
		select {
		case st, ok := <-o.Status():
			if !ok {
				return out
			}
			out = append(out, st.Health)
		default:
			return out
		}
	}
}

func TestOutputIsSwitched(t *testing.T) {
	supervised(t, func(ctx context.Context, r *relay, o *supervise.Output, _ *bytes.Buffer, end func()) {
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if len(r.sets) != 0 {
			t.Errorf("nobody asked, and it was set to %v", r.sets)
		}
		for _, l := range []hw.Level{hw.On, hw.Off, hw.On} {
			if got, err := o.Set(ctx, l); err != nil || got != l {
				t.Errorf("Set(%v) = %v, %v", l, got, err)
			}
		}
		if _, err := o.Set(ctx, hw.Unknown); err == nil || !strings.Contains(err.Error(), "cannot set output relay-screen to unknown") {
			t.Errorf("error %v", err)
		}
		r.mu.Lock()
		r.level = hw.Off // somebody else's doing
		r.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		if level, _, opened := r.state(); level != hw.On || opened != 1 {
			t.Errorf("a minute later it is %v, opened %d times", level, opened)
		}
		end()
		<-o.Done()
		if got, err := o.Set(t.Context(), hw.On); got != hw.Unknown || !errors.Is(err, hw.ErrAbsent) {
			t.Errorf("after the end: Set = %v, %v", got, err)
		}
		if h := health(o); !slices.Equal(h, []hw.Health{hw.Absent, hw.Opening, hw.Ready}) {
			t.Errorf("health %v", h)
		}
	})
}

// Unplugged, asked in vain, plugged again: it takes the level asked for last.
func TestOutputComesBack(t *testing.T) {
	supervised(t, func(ctx context.Context, r *relay, o *supervise.Output, log *bytes.Buffer, _ func()) {
		if _, err := o.Set(ctx, hw.Off); err != nil {
			t.Fatal(err)
		}
		health(o)
		r.plug(false)
		if got, err := o.Set(ctx, hw.On); got != hw.Unknown || !errors.Is(err, hw.ErrAbsent) {
			t.Errorf("unplugged: Set = %v, %v", got, err)
		}
		synctest.Wait()
		if got, err := o.Set(ctx, hw.On); got != hw.Unknown || err == nil || !strings.Contains(err.Error(), "it is switched once it is back") {
			t.Errorf("absent: Set = %v, %v", got, err)
		}
		time.Sleep(5 * time.Minute)
		r.plug(true)
		for _, open, _ := r.state(); open == 0; _, open, _ = r.state() {
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
		}
		if level, open, _ := r.state(); level != hw.On || open != 1 {
			t.Errorf("plugged again it is %v, open %d times", level, open)
		}
		if h := health(o); !slices.Equal(h, []hw.Health{hw.Degraded, hw.Opening, hw.Absent, hw.Ready}) {
			t.Errorf("health %v", h)
		}
		if l := log.String(); strings.Count(l, "device lost") != 1 || strings.Count(l, "device back") != 1 {
			t.Errorf("the log: %s", l)
		}
		// Unplugged while nobody asks: found out all the same.
		r.plug(false)
		time.Sleep(time.Minute)
		synctest.Wait()
		if h := health(o); !slices.Contains(h, hw.Degraded) {
			t.Errorf("a minute after it was unplugged: health %v", h)
		}
	})
}

func TestOutputThatHangs(t *testing.T) {
	supervised(t, func(ctx context.Context, r *relay, o *supervise.Output, _ *bytes.Buffer, end func()) {
		release := make(chan struct{})
		r.mu.Lock()
		r.hang = release
		r.mu.Unlock()
		health(o)
		if got, err := o.Set(ctx, hw.On); got != hw.Unknown || err == nil || !strings.Contains(err.Error(), "cannot switch output gpio:auto/17: no answer within 5s") {
			t.Errorf("Set = %v, %v", got, err)
		}
		synctest.Wait()
		if h := health(o); !slices.Equal(h, []hw.Health{hw.Faulted}) {
			t.Errorf("health %v", h)
		}
		time.Sleep(time.Hour)
		if _, _, opened := r.state(); opened != 1 {
			t.Errorf("opened %d times on top of one that hangs", opened)
		}
		r.mu.Lock()
		r.hang = nil
		r.mu.Unlock()
		close(release)
		time.Sleep(time.Minute)
		synctest.Wait()
		if level, open, _ := r.state(); level != hw.On || open != 1 {
			t.Errorf("after the hang it is %v, open %d times", level, open)
		}
		// One that hangs does not hold up the end.
		again := make(chan struct{})
		r.mu.Lock()
		r.hang = again
		r.mu.Unlock()
		go func() { _, _ = o.Set(ctx, hw.Off) }()
		synctest.Wait()
		end()
		<-o.Done()
		close(again)
		synctest.Wait()
	})
}

// A device that is slow, not hung: what was asked last stands, also when its asker
// has waited for long enough.
func TestOutputOrderOutlivesItsAsker(t *testing.T) {
	supervised(t, func(ctx context.Context, r *relay, o *supervise.Output, _ *bytes.Buffer, _ func()) {
		slow := make(chan struct{})
		r.mu.Lock()
		r.hang = slow
		r.mu.Unlock()
		var on sync.WaitGroup
		on.Go(func() { _, _ = o.Set(ctx, hw.On) })
		synctest.Wait()
		short, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		if got, err := o.Set(short, hw.Off); got != hw.Unknown || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while it is busy: Set = %v, %v", got, err)
		}
		r.mu.Lock()
		r.hang = nil
		r.mu.Unlock()
		close(slow)
		on.Wait()
		synctest.Wait() // no clock moves: it does not wait for the next check
		if level, _, opened := r.state(); level != hw.Off || opened != 1 {
			t.Errorf("asked to go off, it is %v, opened %d times", level, opened)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if level, _, _ := r.state(); level != hw.Off {
			t.Errorf("two minutes later it is %v", level)
		}
	})
}

func TestThousandOutputUnplugsLeaveNothing(t *testing.T) {
	supervised(t, func(ctx context.Context, r *relay, o *supervise.Output, _ *bytes.Buffer, _ func()) {
		for n := range 1000 {
			if _, err := o.Set(ctx, []hw.Level{hw.On, hw.Off}[n%2]); err != nil {
				t.Fatalf("cycle %d: %v", n, err)
			}
			r.plug(false)
			time.Sleep(recheckAndBackoff)
			r.plug(true)
			time.Sleep(recheckAndBackoff)
			synctest.Wait()
			if level, open, _ := r.state(); open != 1 || level != []hw.Level{hw.On, hw.Off}[n%2] {
				t.Fatalf("cycle %d: %v, open %d times", n, level, open)
			}
		}
	}) // the bubble fails if a goroutine stays
}

const recheckAndBackoff = 2 * time.Minute
