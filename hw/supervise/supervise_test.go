package supervise_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"borne/hw"
	"borne/hw/supervise"
)

const (
	openTimeout = time.Hour
	stallAfter  = 2 * time.Hour
)

// stepClock lets backoffs pass at once, and deadlines only when the test says so.
type stepClock struct {
	mu       sync.Mutex
	now      time.Duration
	waits    []time.Duration       // backoffs asked for
	deadline chan struct{}         // a receive lets one deadline pass
	backoff  func(context.Context) // what a backoff waits for; nil: nothing
}

func newStepClock() *stepClock { return &stepClock{deadline: make(chan struct{})} }

func (c *stepClock) Now() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stepClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now += d
}

func (c *stepClock) Sleep(ctx context.Context, d time.Duration) error {
	if d >= openTimeout || d == 2*time.Second { // a deadline, or the grace of closing
		select {
		case <-c.deadline:
			c.advance(d)
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	c.mu.Lock()
	c.waits = append(c.waits, d)
	c.mu.Unlock()
	if c.backoff != nil {
		c.backoff(ctx)
	}
	runtime.Gosched()
	return ctx.Err()
}

func config(clk supervise.Clock, log *slog.Logger) supervise.Config {
	return supervise.Config{Name: "badge-reader", Device: "sim:mfrc522", Clock: clk, Log: log, OpenTimeout: openTimeout,
		StallAfter: 2 * stallAfter, Rand: func() float64 { return 0.5 }}
}

// await reads statuses until one has the health wanted.
func await(t *testing.T, s <-chan hw.Status, want hw.Health) hw.Status {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case st, ok := <-s:
			if !ok {
				t.Fatalf("supervisor ended while waiting for health %d", want)
			}
			if st.Health == want {
				return st
			}
		case <-deadline:
			t.Fatalf("health %d did not come", want)
		}
	}
}

func ended(t *testing.T, done <-chan struct{}) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the supervisor did not end")
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	e, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(e)
}

// settled waits until no more goroutines run than before.
func settled(t *testing.T, before int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; runtime.Gosched() {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, buf[:runtime.Stack(buf, true)])
		}
	}
}

// scripted is a reader whose Next the test decides.
type scripted struct {
	next   func(context.Context) (hw.Tap, error)
	beat   func() time.Duration
	closed atomic.Int32
}

func (s *scripted) Next(ctx context.Context) (hw.Tap, error) { return s.next(ctx) }
func (s *scripted) Beat() time.Duration                      { return s.beat() }
func (s *scripted) Close() error                             { s.closed.Add(1); return nil }

func TestLogsOnceLostAndOnceBack(t *testing.T) {
	var out syncBuffer
	clk := newStepClock()
	var opens atomic.Int32
	fail := make(chan struct{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := supervise.StartReader(ctx, config(clk, slog.New(slog.NewTextHandler(&out, nil))), func(context.Context) (hw.Reader, error) {
		if n := opens.Add(1); n > 1 && n <= 8 {
			return nil, errors.New("cannot open: still broken")
		}
		return &scripted{beat: clk.Now, next: func(ctx context.Context) (hw.Tap, error) {
			select {
			case <-fail:
				return hw.Tap{}, errors.New("cannot read: EIO")
			case <-ctx.Done():
				return hw.Tap{}, ctx.Err()
			}
		}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	await(t, r.Status(), hw.Ready)
	fail <- struct{}{}
	if st := await(t, r.Status(), hw.Degraded); !strings.Contains(st.Err, "EIO") || st.Name != "badge-reader" || st.Device != "sim:mfrc522" {
		t.Fatalf("status %+v", st)
	}
	// Seven vain openings are one change of health.
	for _, want := range []hw.Health{hw.Opening, hw.Faulted, hw.Ready} {
		if st := <-r.Status(); st.Health != want {
			t.Fatalf("health %v, want %v", st.Health, want)
		}
	}
	cancel()
	ended(t, r.Done())
	if lost, back := strings.Count(out.String(), "device lost"), strings.Count(out.String(), "device back"); lost != 1 || back != 1 {
		t.Errorf("logged lost %d times and back %d times:\n%s", lost, back, out.String())
	}
	clk.mu.Lock()
	defer clk.mu.Unlock()
	// Half of each backoff is fixed, half is drawn; Rand gives 0.5.
	var want []time.Duration
	for b := 500 * time.Millisecond; len(want) < 8; b = min(2*b, 30*time.Second) {
		want = append(want, b*3/4)
	}
	if !slices.Equal(clk.waits, want) {
		t.Errorf("backoffs %v, want %v", clk.waits, want)
	}
}

func TestBackoffStartsAgainAfterAStableTime(t *testing.T) {
	clk := newStepClock()
	stay := make(chan time.Duration) // how long the device works before it fails
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := supervise.StartReader(ctx, config(clk, nil), func(context.Context) (hw.Reader, error) {
		return &scripted{beat: clk.Now, next: func(ctx context.Context) (hw.Tap, error) {
			select {
			case d := <-stay:
				clk.advance(d)
				return hw.Tap{}, errors.New("cannot read: EIO")
			case <-ctx.Done():
				return hw.Tap{}, ctx.Err()
			}
		}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []time.Duration{0, 0, 11 * time.Second, 9 * time.Second} {
		stay <- d
	}
	await(t, r.Status(), hw.Ready)
	cancel()
	ended(t, r.Done())
	clk.mu.Lock()
	defer clk.mu.Unlock()
	want := []time.Duration{375 * time.Millisecond, 750 * time.Millisecond, 375 * time.Millisecond, 750 * time.Millisecond}
	if len(clk.waits) < 3 || !slices.Equal(clk.waits, want[:len(clk.waits)]) {
		t.Errorf("backoffs %v, want %v", clk.waits, want)
	}
}

func TestOpeningHasADeadline(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	clk := newStepClock()
	begun, release := make(chan struct{}), make(chan struct{})
	late := &scripted{beat: clk.Now}
	var opening atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := supervise.StartReader(ctx, config(clk, nil), func(ctx context.Context) (hw.Reader, error) {
		if opening.Add(1) == 1 {
			close(begun)
			<-release // deaf to its context, as a hung ioctl is
			return late, nil
		}
		return &scripted{beat: clk.Now, next: func(ctx context.Context) (hw.Tap, error) {
			<-ctx.Done()
			return hw.Tap{}, ctx.Err()
		}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	<-begun
	clk.deadline <- struct{}{}
	if st := await(t, r.Status(), hw.Faulted); !strings.Contains(st.Err, "no answer within 1h0m0s") {
		t.Fatalf("status %+v", st)
	}
	if n := opening.Load(); n != 1 {
		t.Fatalf("%d openings at once", n)
	}
	close(release)
	await(t, r.Status(), hw.Ready)
	if n := late.closed.Load(); n != 1 {
		t.Errorf("the reader that came too late was closed %d times", n)
	}
	cancel()
	ended(t, r.Done())
	settled(t, goroutines)
}

func TestHungOpeningDoesNotHoldTheEnd(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	release := make(chan struct{})
	late := &scripted{}
	ctx, cancel := context.WithCancel(t.Context())
	r, err := supervise.StartReader(ctx, config(newStepClock(), nil), func(context.Context) (hw.Reader, error) {
		<-release
		return late, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	await(t, r.Status(), hw.Opening)
	cancel()
	ended(t, r.Done())
	close(release)
	settled(t, goroutines)
	if n := late.closed.Load(); n != 1 {
		t.Errorf("the reader that came too late was closed %d times", n)
	}
}

func TestStalledReaderIsFaulted(t *testing.T) {
	clk := newStepClock()
	release, looking := make(chan struct{}), make(chan struct{})
	var opens atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := supervise.StartReader(ctx, config(clk, nil), func(context.Context) (hw.Reader, error) {
		first := opens.Add(1) == 1
		return &scripted{beat: func() time.Duration { return 0 }, next: func(ctx context.Context) (hw.Tap, error) {
			if first {
				close(looking)
				<-release // deaf to its context
				return hw.Tap{}, errors.New("cannot read: gave up")
			}
			<-ctx.Done()
			return hw.Tap{}, ctx.Err()
		}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	await(t, r.Status(), hw.Ready)
	<-looking     // what passes before it looks is not held against it
	for range 3 { // each is half of StallAfter
		clk.deadline <- struct{}{}
	}
	if st := await(t, r.Status(), hw.Faulted); !strings.Contains(st.Err, "does not answer since") {
		t.Fatalf("status %+v", st)
	}
	if n := opens.Load(); n != 1 {
		t.Fatalf("%d openings while the first reader hangs", n)
	}
	close(release)
	await(t, r.Status(), hw.Ready)
	cancel()
	ended(t, r.Done())
}

func TestSlowReceiverIsNotAStall(t *testing.T) {
	clk := newStepClock()
	given := make(chan struct{}, 1)
	given <- struct{}{}
	var asked atomic.Int32 // how often the watch looked at the beat
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := supervise.StartReader(ctx, config(clk, nil), func(context.Context) (hw.Reader, error) {
		return &scripted{beat: func() time.Duration { asked.Add(1); return clk.Now() }, next: func(ctx context.Context) (hw.Tap, error) {
			select {
			case <-given:
				return hw.Tap{At: 42}, nil
			case <-ctx.Done():
				return hw.Tap{}, ctx.Err()
			}
		}}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	await(t, r.Status(), hw.Ready)
	// The watch does not look at the beat while a tap waits for its receiver;
	// a tick that is taken means that the one before it was dealt with.
	for before, end := int32(-1), time.Now().Add(10*time.Second); before != asked.Load(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatal("the watch goes on while the tap waits for its receiver")
		}
		before = asked.Load()
		clk.deadline <- struct{}{}
		clk.deadline <- struct{}{}
	}
	for range 5 {
		clk.deadline <- struct{}{}
	}
	if tap := <-r.Taps(); tap.At != 42 {
		t.Fatalf("tap %+v", tap)
	}
	cancel()
	for st := range r.Status() {
		if st.Health == hw.Faulted {
			t.Fatalf("status %+v while the agent was busy", st)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := supervise.StartReader(t.Context(), supervise.Config{}, nil); err == nil || !strings.Contains(err.Error(), "Config.Name") {
		t.Errorf("error %v", err)
	}
}

// syncBuffer is a bytes.Buffer for several goroutines.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
